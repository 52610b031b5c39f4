"""Invitations, calls, sign-in and withdrawal: nobody chosen gets in, nobody leaves a seat but by its holder's act."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from crypto.refusal import Refused
from experts.commands import room as doorway
from trading.lifecycle import State
from trading.people import graphs, organisations
from trading.people.organisations import Edge, Organisation
from trading.roles import Actor, Role

pytestmark = pytest.mark.anyio


async def employer(stage: Any, seat: int) -> str:
    expert = (await stage.room()).of(seat).expert
    row = await stage.database.read(lambda unit: unit.expert.read(expert))
    return str(row["body"]["versions"][-1]["record"]["employer_uscc"])


async def edit(stage: Any, *, edge: Edge | None = None, organisation: Organisation | None = None) -> None:
    async def work(unit: Any) -> None:
        graph = await graphs.load(unit)
        known = [] if organisation is None else [organisation]
        edges = [] if edge is None else [edge]
        if edge is not None:
            known = [Organisation(one, one) for one in (edge.parent, edge.child)
                     if one not in {each.uscc for each in graph.organisations}]  # fmt: skip
        await graphs.keep(unit, organisations.changed(graph, organisations=known, edges=edges))

    await stage.database.write(work)


@pytest.mark.rule("E-63", "refuse")
async def test_an_invitation_is_answered_by_the_drawn_expert_alone(seated) -> None:
    stage = seated
    invitation = str((await stage.room()).of(1).invitation)
    for actor in (await stage.member(2), Actor("expert-NOBODY", "", Role.EXPERT, "::1", "test")):
        with pytest.raises(Refused) as err:
            await stage.do(doorway.answer_invitation, doorway.AnswerInvitation(invitation, True), actor)
        assert (err.value.code, err.value.rule) == ("invitation_unknown", "E-63")
        with pytest.raises(Refused) as err:
            await stage.do(doorway.sign_in, doorway.SignIn(True, True, invitation), actor)
        assert err.value.rule == "E-63"


async def test_who_declined_never_comes_back(seated) -> None:
    stage = seated
    member, invitation = await stage.member(1), str((await stage.room()).of(1).invitation)
    await stage.do(doorway.answer_invitation, doorway.AnswerInvitation(invitation, False), member)
    with pytest.raises(Refused, match="panel_seat_step"):
        await stage.do(doorway.answer_invitation, doorway.AnswerInvitation(invitation, True), member)
    await stage.settle()
    with pytest.raises(Refused, match="invitation_unknown"):
        await stage.do(doorway.sign_in, doorway.SignIn(True, True, invitation), member)


@pytest.mark.rule("E-67", "refuse")
async def test_sign_in_without_both_declarations_is_refused(seated) -> None:
    for missing in ("no_interest", "discipline"):
        with pytest.raises(Refused) as err:
            await seated.sign_in(1, **{missing: False})
        assert (err.value.code, err.value.rule) == ("declaration_not_signed", "E-67")


@pytest.mark.rule("E-67", "refuse")
async def test_a_tie_to_a_bidder_found_after_the_draw_keeps_the_expert_out(seated) -> None:
    stage = seated
    bidder = stage.offers["02"]["uscc"]
    await edit(stage, edge=Edge(await employer(stage, 1), bidder, "control"))
    with pytest.raises(Refused) as err:
        await stage.sign_in(1)
    assert (err.value.code, err.value.rule) == ("expert_must_avoid", "E-67")
    assert (await stage.tender()).signed_in == ()
    invitation = str((await stage.room()).of(1).invitation)
    await stage.do(doorway.answer_invitation, doorway.AnswerInvitation(invitation, True), await stage.member(1))
    await stage.do(doorway.recuse, doorway.Recuse(stage.lot, "任职单位控股投标人"), await stage.member(1))
    assert await stage.settle() == ["recusal", "invitation"]


@pytest.mark.rule("E-66", "refuse")
async def test_supervisory_staff_does_not_sign_in(seated) -> None:
    stage = seated
    uscc = await employer(stage, 1)
    await edit(stage, organisation=Organisation(uscc, "监督机构", government=True, roles=frozenset({Role.SUPERVISOR})))
    with pytest.raises(Refused) as err:
        await stage.sign_in(1)
    assert (err.value.code, err.value.rule) == ("expert_is_supervisory_staff", "E-66")


async def test_three_logged_calls_free_a_seat_and_two_such_seats_raise_an_alarm(seated) -> None:
    stage = seated
    centre = stage.actor(Role.CENTRE)
    for seat in (1, 2):
        for number in (1, 2, 3):
            called = await stage.do(doorway.record_call, doorway.RecordCall(stage.lot, seat, "C-003"), centre)
            assert called.result["calls"] == number
        assert called.result["state"] == "no_answer"
        assert await stage.settle() == ["recusal", "invitation"]
    recusals = [row["body"]["why"] for row in await stage.event("recusal")]
    assert recusals == ["no_answer", "no_answer"]
    findings = await stage.database.read(lambda unit: unit.finding.find({"lot": stage.lot}))
    assert [(row["kind"], row["body"]) for row in findings] == [("draw_no_answers", {"count": 2})]
    with pytest.raises(Refused, match="power_code_missing"):
        await stage.do(doorway.record_call, doorway.RecordCall(stage.lot, 3), centre)


async def test_nobody_signs_in_before_the_opening(stage) -> None:
    await stage.publish()
    await stage.import_pool()
    await stage.submit()
    await stage.at("03-20 09:00")
    await stage.drawn()
    await stage.freeze()
    await stage.release()
    await stage.settle()
    with pytest.raises(Refused, match="panel_not_at_work"):
        await stage.sign_in(1)


@pytest.mark.rule("E-57", "refuse")
async def test_too_few_valid_bids_stop_the_sign_in(stage) -> None:
    stage.valid = ("01", "02")
    await stage.seated()
    with pytest.raises(Refused) as err:
        await stage.sign_in(1)
    assert err.value.rule == "E-57"


async def test_a_stratum_without_anybody_left_leaves_the_seat_vacant_and_says_so(seated) -> None:
    """The attempt cannot be finished: nobody is designated; a redraw needs supervision's directive."""
    stage = seated
    for _ in range(60):
        seat = (await stage.room()).of(5)
        cmd = doorway.AnswerInvitation(str(seat.invitation), False)
        await stage.do(doorway.answer_invitation, cmd, await stage.member(5))
        if await stage.settle() == []:
            break
    assert (await stage.room()).of(5).vacant
    findings = await stage.database.read(lambda unit: unit.finding.find({"kind": "draw_exhausted"}))
    assert [row["body"] for row in findings] == [{"seat": 5}]
    assert await stage.settle() == []


async def test_the_owners_representatives_sit_behind_the_drawn(stage) -> None:
    def change(document: dict[str, Any]) -> None:
        document["panel"] = {
            "members": 5,
            "owner_representatives": 1,
            "strata": [{"specialty": "A080201", "seats": 2}, {"specialty": "A060102", "seats": 2}],
        }

    stage = type(stage)(change=change, frozen=stage.frozen, valid=stage.valid)
    await stage.seated()
    cmd = doorway.SignIn(True, True, lot=stage.lot)
    stranger = Actor("rep-x", "12139900MB1LAWXCH6", Role.OWNER_REPRESENTATIVE, "::1", "test")
    with pytest.raises(Refused, match="not_this_tender"):
        await stage.do(doorway.sign_in, cmd, stranger)
    sent = Actor("rep-1", stage.owner[1], Role.OWNER_REPRESENTATIVE, "::1", "test")
    assert (await stage.do(doorway.sign_in, cmd, sent)).result["seat"] == 5
    with pytest.raises(Refused, match="sign_in_of_no_seat"):
        await stage.do(doorway.sign_in, cmd, sent)
    with pytest.raises(Refused, match="sign_in_of_no_seat"):
        await stage.do(doorway.sign_in, cmd, replace(sent, person="rep-2"))
    with pytest.raises(Refused, match="seat_was_sent_not_drawn"):
        await stage.do(doorway.recuse, doorway.Recuse(stage.lot, "回避"), sent)
    for seat in range(1, 5):
        await stage.sign_in(seat)
    assert (await stage.tender()).state is State.EVALUATING
    stage.people_of = {5: sent}
    for seat in range(1, 6):
        await stage.save(seat)
        await stage.lock(seat)
    assert await stage.settle() == ["scores_committed", "scores_locked", "ranking"]
