"""The draw's commands: who asks, who contributes, what is fixed before the seed, and every way to bend it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from msgspec.structs import replace

from crypto import lottery
from crypto.refusal import Refused
from crypto.verifier import draw as judge
from experts import queries, room
from experts.commands import draw
from experts.commands import pool as register
from experts.commands import room as doorway
from trading.calendar import legal_day
from trading.lifecycle import State
from trading.roles import Role

pytestmark = pytest.mark.anyio


async def ready(stage: Any) -> Any:
    """A published lot with its register, a day later."""
    await stage.publish()
    await stage.import_pool()
    await stage.submit()
    await stage.at("03-20 09:00")
    return stage


@pytest.mark.rule("E-62", "pass")
async def test_register_is_imported_and_only_what_changed_is_written_again(stage) -> None:
    await stage.publish()
    told = (await stage.import_pool()).result
    assert (told["rows"], told["kept"], told["flaws"]) == (60, 60, [])
    rows = await stage.database.read(lambda unit: unit.expert.find())
    assert {row["person"] for row in rows} == {f"expert-{row['id']}" for row in rows}
    await stage.import_pool()
    assert {row["version"] for row in await stage.database.read(lambda unit: unit.expert.find())} == {1}


async def test_a_draw_uses_the_register_of_the_day_before(stage) -> None:
    """Whoever is put into the register today cannot be drawn today; whoever is removed today could still be."""
    await ready(stage)
    text = (stage.folder / "experts.csv").read_text("utf-8-sig")
    changed = text.replace(",在库,", ",暂停,")
    await stage.import_pool(changed.encode())
    day = legal_day(stage.now)
    before = await stage.database.read(lambda unit: register.day_before(unit, day))
    assert any(expert.status.value == "active" for expert in before)
    await stage.request()
    await stage.at("03-21 09:00")
    after = await stage.database.read(lambda unit: register.day_before(unit, legal_day(stage.now)))
    assert not any(expert.status.value == "active" for expert in after)


async def test_owner_agent_and_trustees_people_never_enter_the_pool(stage) -> None:
    await ready(stage)
    await stage.request()
    masks = (await stage.room()).attempt.masks
    experts = await stage.database.read(lambda unit: register.day_before(unit, legal_day(stage.now)))
    employers = {one.id: one.employer_uscc for one in experts}
    drawable = {employers[expert] for expert, _ in masks.values()}
    assert not drawable & {stage.owner[1], stage.document["agent"]["uscc"]}
    assert {lottery.mask(bytes.fromhex(salt), expert).hex() for expert, salt in masks.values()} == set(masks)


async def test_pools_of_two_draws_cannot_be_laid_side_by_side(stage) -> None:
    await ready(stage)
    await stage.request()
    first = set((await stage.room()).attempt.masks)
    second_stage = type(stage)(seed=9)
    await ready(second_stage)
    await second_stage.request()
    assert not first & set((await second_stage.room()).attempt.masks)


@pytest.mark.rule("E-63", "refuse")
async def test_a_pool_too_small_to_be_unforeseeable_is_refused(stage) -> None:
    await stage.publish()
    lines = (stage.folder / "experts.csv").read_text("utf-8-sig").splitlines()
    wanted = {"A080201": 2, "A060102": 3, "A070103": 2}
    kept = [lines[0]]
    for line in lines[1:]:
        cells = line.split(",")
        plain = cells[4] in wanted and cells[7] == "在库" and int(cells[6]) >= 8 and cells[5] != "中级"
        if plain and wanted[cells[4]] and cells[2] not in (stage.owner[1], stage.document["agent"]["uscc"]):
            wanted[cells[4]] -= 1
            kept.append(line)
    assert not any(wanted.values())
    await stage.import_pool("\n".join(kept).encode())
    await stage.at("03-20 09:00")
    with pytest.raises(Refused) as err:
        await stage.request()
    assert (err.value.code, err.value.rule) == ("draw_too_predictable", "E-63")


@pytest.mark.rule("E-61", "refuse")
async def test_a_panel_of_four_is_not_drawn(stage) -> None:
    """The notice refuses it first; a draw asked for a lot that slipped through is refused all the same."""
    await ready(stage)
    tender = await stage.tender()
    document = json.loads(json.dumps(stage.document))
    document["panel"] = {**document["panel"], "members": 4}
    data = json.dumps(document).encode()

    async def slip(unit: Any) -> None:
        await unit.object.insert({"lot": stage.lot, "hash": "ff", "kind": "terms", "view": "public", "data": data})
        row = await unit.tender.read(stage.lot)
        body = {"tender": {**row["body"]["tender"], "terms": "ff"}}
        await unit.tender.update({**row, "body": body}, expected_version=row["version"])

    await stage.database.write(slip)
    assert tender.terms != "ff"
    with pytest.raises(Refused) as err:
        await stage.request()
    assert err.value.rule == "E-61"


async def test_nobody_draws_until_it_pleases(stage) -> None:
    """A second attempt needs the first to be published and a directive after it (lottery.md §6)."""
    await ready(stage)
    await stage.request()
    with pytest.raises(Refused, match="draw_attempt"):
        await stage.request()
    for role in (Role.SUPERVISOR, Role.OWNER):
        await stage.contribute(role)
    await stage.do(draw.run_draw, draw.RunDraw(stage.lot, "C-003"), stage.actor(Role.CENTRE))
    await stage.freeze()
    await stage.release()
    await stage.settle()
    await stage.open()
    first = await stage.room()
    with pytest.raises(Refused, match="draw_attempt"):
        await stage.request()
    await stage.act("directive", {"what": "redraw", "reason": "举报核查"}, "supervisor")
    assert (await stage.request()).result["attempt"] == 1
    with pytest.raises(Refused, match="permission_denied"):
        await stage.do(draw.run_draw, draw.RunDraw(stage.lot), stage.actor(Role.OWNER))
    for role in (Role.CENTRE, Role.SUPERVISOR, Role.OWNER):
        await stage.contribute(role)
    await stage.do(draw.run_draw, draw.RunDraw(stage.lot, "C-003"), stage.actor(Role.CENTRE))
    await stage.release()
    await stage.settle()
    second = await stage.room()
    assert [seat.masked for seat in second.seats] != [seat.masked for seat in first.seats]
    assert {(seat.seat, seat.masked) for seat in first.seats} == set(second.void)


@pytest.mark.parametrize("given", [(Role.CENTRE,), (Role.CENTRE, Role.OWNER), (Role.CENTRE, Role.SUPERVISOR)])
async def test_without_owner_and_supervision_there_is_no_draw(stage, given) -> None:
    await ready(stage)
    await stage.request()
    for role in given:
        await stage.contribute(role)
    with pytest.raises(Refused, match="draw_contributors"):
        await stage.do(draw.run_draw, draw.RunDraw(stage.lot, "C-003"), stage.actor(Role.CENTRE))


async def test_a_contribution_is_this_draws_this_contributors_and_given_once(stage) -> None:
    await ready(stage)
    await stage.request()
    with pytest.raises(Refused, match="bidder_tag"):
        await stage.contribute(Role.OWNER, draw_id=bytes(32))
    with pytest.raises(Refused, match="bidder_tag"):
        await stage.contribute(Role.OWNER, contributor=lottery.CENTRE)
    with pytest.raises(Refused, match="signature"):
        await stage.contribute(Role.OWNER, signer=stage.people[stage.actor(Role.CENTRE).organisation])
    actor = stage.actor(Role.OWNER)
    with pytest.raises(Refused, match="contribution_malformed"):
        await stage.do(draw.contribute_to_draw, draw.ContributeToDraw(stage.lot, "*", "00"), actor)
    with pytest.raises(Refused, match="length"):
        bid = base64.b64encode(b"a rival's bid").decode()
        await stage.do(draw.contribute_to_draw, draw.ContributeToDraw(stage.lot, bid, "00"), actor)
    await stage.contribute(Role.OWNER)
    with pytest.raises(Refused, match="contribution_given_already"):
        await stage.contribute(Role.OWNER)
    with pytest.raises(Refused, match="not_this_tender"):
        stranger = stage.actor(Role.OWNER, "12139900MB1LAWXCH6")
        await stage.do(draw.contribute_to_draw, draw.ContributeToDraw(stage.lot, "", ""), stranger)


async def test_a_tender_that_has_ended_takes_no_contribution_and_closes_no_draw(stage) -> None:
    await ready(stage)
    await stage.request()
    for role in (Role.SUPERVISOR, Role.OWNER):
        await stage.contribute(role)
    await stage.act("terminate", {"reason": "项目取消"}, "owner")
    with pytest.raises(Refused, match="draw_not_open"):
        await stage.contribute(Role.CENTRE)
    with pytest.raises(Refused, match="draw_not_open"):
        await stage.do(draw.run_draw, draw.RunDraw(stage.lot, "C-003"), stage.actor(Role.CENTRE))


async def test_no_draw_before_the_freeze_and_none_below_t_shares(stage) -> None:
    await ready(stage)
    await stage.drawn()
    assert await stage.settle() == []
    await stage.freeze()
    assert await stage.settle() == []
    stage.absent, stage.silent = (), ("centre", "notary")
    await stage.release()
    assert await stage.settle() == [], "one trustee of lock 0 is below t"
    stage.silent = ("owner", "notary", "regulator", "inspector", "independent")
    await stage.release()
    assert (await stage.settle())[0] == "draw_result"


async def test_bidders_people_are_passed_over_and_the_auditor_draws_the_same(stage) -> None:
    """I8 by the verifier's own code: orders, seats, avoided and a replacement."""
    await stage.seated()
    cmd = doorway.AnswerInvitation(str((await stage.room()).of(3).invitation), False)
    await stage.do(doorway.answer_invitation, cmd, await stage.member(3))
    await stage.settle()
    [pool_act], [result] = await stage.event("draw_pool"), await stage.event("draw_result")
    [recusal] = await stage.event("recusal")
    strata = (await stage.json(pool_act["body"]["pool_hash"]))["strata"]
    fixed = await stage.json(pool_act["body"]["avoidance_hash"])
    bidders = {stage.offers[number]["uscc"] for number in stage.frozen}
    conflicts = {row["masked"] for row in fixed["facts"] if bidders & set(row["organisations"])}
    r = {row["i"]: bytes.fromhex(row["r"]) for row in result["body"]["r"]}
    seed = judge.seed_of(bytes.fromhex(result["body"]["draw_id"]), bytes.fromhex(pool_act["leaf_hash"]), r)
    seating = judge.Seating(judge.orders(strata, seed))
    judge.seat_all(seating, strata, conflicts)
    assert [masked for _, masked in seating.seats] == [row["masked"] for row in result["body"]["seats"]]
    assert seating.avoided == result["body"]["avoided"]
    before = len(seating.avoided)
    assert judge.replace_seat(seating, 3, conflicts) == recusal["body"]["in"]
    assert seating.avoided[before:] == recusal["body"]["avoided"]
    assert recusal["body"]["why"] == "declined"
    shown = await stage.database.read(lambda unit: queries.unmasking(unit, stage.lot))
    seen = {masked for _, masked in seating.seats} | set(seating.avoided) | seating.left
    assert [row["masked"] for row in shown] == sorted(seen)


async def test_a_contribution_that_does_not_rederive_counts_as_zero_and_is_named(stage) -> None:
    """Complaints beyond n - t of one lock: the contribution is void, the draw goes on (lottery.md §3)."""
    await ready(stage)
    await stage.drawn()
    await stage.freeze()
    attempt, tender = (await stage.room()).attempt, await stage.tender()
    spoiled = attempt.contributions["1"].header
    for number, index, who in ((0, 1, "owner"), (0, 2, "centre")):
        complaint = {"header": spoiled, "lock": number, "index": index}
        fields = {"trustee": f"t-{who}", "lock": number, "index": index, "freeze": tender.freeze}
        told = {"checkpoint": {"size": 1, "root": "0" * 64}, "draws": [attempt.close], "complaints": [complaint]}
        await stage.act("ready", {**fields, **told, "refusal": None}, "trustee")
    stage.lying, stage.absent = (), ("notary",)
    stage.withheld = {(0, 1): spoiled, (0, 2): spoiled}
    await stage.release()
    await stage.settle()
    result = (await stage.event("draw_result"))[0]["body"]
    assert result["void"] == [{"i": 1, "why": "unopened"}]
    assert result["r"][0] == {"i": 1, "r": "0" * 64}


async def test_the_invitation_that_would_name_the_project_is_refused_when_it_can_be_mended(stage) -> None:
    await ready(stage)
    cmd = draw.RequestDraw(stage.lot, place=f"{stage.owner[0]}会议室", power="C-003")
    with pytest.raises(Refused) as err:
        await stage.do(draw.request_draw, cmd, stage.actor(Role.CENTRE))
    assert (err.value.code, err.value.rule) == ("invitation_names_the_project", "E-65")


async def test_the_owner_and_the_agent_may_ask_for_the_draw_of_their_own_lot_only(stage) -> None:
    await ready(stage)
    with pytest.raises(Refused, match="not_this_tender"):
        await stage.request(stage.actor(Role.OWNER, "12139900MB1LAWXCH6"))
    with pytest.raises(Refused, match="permission_denied"):
        await stage.request(stage.actor(Role.SUPERVISOR))
    outcome = await stage.request(stage.actor(Role.OWNER))
    assert (outcome.events[0].act["role"], outcome.events[0].act["power"]) == ("clockwork", None)
    assert (await stage.tender()).state is State.BIDDING


@pytest.mark.parametrize("end", ["no seats", "a vacant seat"])
async def test_three_attempts_without_a_whole_panel_end_the_tender(stage, end: str) -> None:
    """Nobody is designated and nobody draws for ever: the clock says draw_failed (E-61)."""
    await stage.seated()
    if (await stage.tender()).state is not State.OPENED:
        await stage.open()
    found = await stage.database.read(lambda unit: room.find(unit, stage.lot))
    seats = () if end == "no seats" else tuple(replace(each, vacant=each.seat == 5) for each in found.room.seats)

    async def keep(attempts: int) -> None:
        async def work(unit) -> None:
            now = await room.find(unit, stage.lot)
            await room.keep(unit, now, replace(now.room, attempts=(now.room.attempt,) * attempts, seats=seats))

        await stage.database.write(work)

    await keep(2)
    assert "failed" not in await stage.settle(), "a redraw may still be ordered"
    await keep(3)
    assert await stage.settle() == ["failed"]
    tender = await stage.tender()
    assert (tender.state, tender.ended_because) == (State.FAILED, "draw_failed")
    assert await stage.settle() == []


def test_a_fourth_attempt_is_refused_whatever_the_directives() -> None:
    tender_id = bytes(32)
    pool = {"tender_id": tender_id.hex(), "attempt": 3, "purpose": 1, "draw_id": lottery.draw_id(tender_id, 3).hex()}
    with pytest.raises(Refused, match="at most 3 attempts"):
        lottery.check_attempt([{"kind": "directive", "what": "redraw"}] * 5, pool)
