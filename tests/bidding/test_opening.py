"""From the box to the announcement, with real trustees, witnesses and log: every verdict and what follows from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from bidding import announcement, ceremony, objections, opening, reading, trustee_commands
from crypto import jcs, release, signing
from crypto.refusal import Refused
from trading import queries, tenders
from trading.lifecycle import State

Play = Callable[..., None]


def path_of(stage: Any, segment: bytes) -> Any:
    name = hashlib.sha256(segment).hexdigest()
    return stage.blobs._folder / name[:2] / name[2:]


def lose(stage: Any, segment: bytes) -> None:
    path_of(stage, segment).unlink()


@pytest.mark.rule("E-39", "pass")
@pytest.mark.rule("E-52", "pass")
@pytest.mark.rule("E-58", "pass")
@pytest.mark.rule("E-59", "pass")
def test_every_bid_of_the_list_is_opened_and_the_record_says_what_was_sealed(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        bids = await stage.three()
        tender = await stage.open()
        assert tender.state is State.OPENED
        verdicts, record = await stage.verdicts(), await stage.record()
        assert set(verdicts) == set(record) == {each.bid for each in bids}
        assert all(row["verdict"] == "valid" for row in verdicts.values())
        for n, each in enumerate(bids):
            assert record[each.bid]["price_fen"] == 500_000_000 + n
            assert record[each.bid]["bidder"] == {"name": each.company.name, "uscc": each.company.uscc}
            assert record[each.bid]["secrets"] == [secret.hex() for secret in each.secrets[0]]
        public = await stage.database.read(lambda unit: queries.opening(unit, stage.lot))
        assert [row["bid"] for row in public["record"]] == sorted(record)
        verdict, opened = await stage.act("verdict"), await stage.act("opened")
        assert opened["seq"] == verdict["seq"] + 1, "announced after the last verdict"
        for act in (verdict, opened):
            assert [each["by"] for each in act["signatures"]] == ["room", "verifier"]
            signing.verify_act(act)

    play(scenario)


@pytest.mark.rule("E-56", "pass")
@pytest.mark.rule("E-55", "pass")
def test_lost_bytes_are_the_platforms_fault_and_the_others_go_on(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        bids = await stage.three()
        lose(stage, bids[1].bodies[1][0])
        tender = await stage.open()
        row = (await stage.verdicts())[bids[1].bid]
        assert (row["verdict"], row["envelope"], row["code"], row["consequence"]) == (
            "lost",
            1,
            "body_root",
            "deemed_withdrawn",
        )
        assert set(await stage.record()) == {bids[0].bid, bids[2].bid} and tender.opened_at

    play(scenario)


def test_damaged_bytes_are_lost_not_invalid(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        bids = await stage.three()
        path = path_of(stage, bids[0].bodies[0][0])
        path.chmod(0o600)
        path.write_bytes(b"\1" + path.read_bytes()[1:])
        await stage.open()
        assert (await stage.verdicts())[bids[0].bid]["verdict"] == "lost"

    play(scenario)


def test_a_bidder_hands_in_again_what_the_platform_lost(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        bids = await stage.three()
        segment = bids[1].bodies[1][0]
        lose(stage, segment)
        await stage.freeze()
        await stage.put(bids[1].company, bids[1].uploads[1], 0, segment)
        await stage.trustees()
        await stage.tick()
        assert set(await stage.record()) == {each.bid for each in bids}
        with pytest.raises(Refused, match="upload_closed"):
            await stage.put(bids[1].company, bids[1].uploads[1], 0, segment)

    play(scenario)


@pytest.mark.rule("E-54", "pass")
def test_an_invalid_bid_is_deemed_revoked(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        bids = await stage.three()

        def other_salt(page: dict[str, Any]) -> None:
            page["bidder"] = {"name": "别家有限公司", "uscc": page["bidder"]["uscc"]}

        garbage = await stage.hand_in(stage.keys.bidders[3], forge=other_salt)
        await stage.open()
        row = (await stage.verdicts())[garbage.bid]
        assert (row["verdict"], row["code"], row["consequence"]) == ("invalid", "manifest_ids", "deemed_revoked")
        assert set(await stage.record()) == {each.bid for each in bids}

    play(scenario)


@pytest.mark.rule("E-54", "refuse")
@pytest.mark.rule("E-55", "refuse")
def test_a_bid_that_was_not_opened_is_neither_announced_nor_read() -> None:
    for consequence, rule in (("deemed_revoked", "E-54"), ("deemed_withdrawn", "E-55")):
        row = {"bid": "ab" * 32, "verdict": "invalid", "consequence": consequence}
        with pytest.raises(Refused) as err:
            ceremony.check_record([row], [{"bid": row["bid"]}])
        assert err.value.rule == rule
        with pytest.raises(Refused) as err:
            ceremony.check_opened(row)
        assert err.value.rule == rule


@pytest.mark.rule("E-56", "refuse")
def test_a_record_without_a_valid_bid_is_refused_whatever_else_failed() -> None:
    rows = [
        {"bid": "aa" * 32, "verdict": "valid", "consequence": "opened"},
        {"bid": "bb" * 32, "verdict": "unopened", "consequence": "deemed_withdrawn"},
    ]
    assert ceremony.check_record(rows, [{"bid": "aa" * 32}]) == 1
    with pytest.raises(Refused) as err:
        ceremony.check_record(rows, [])
    assert err.value.rule == "E-56"


def test_an_absent_trustee_and_a_lying_one_stop_nothing_and_the_liar_is_named(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        bids = await stage.three()
        await stage.freeze()
        stage.wait(300)
        await stage.sequence()
        here = [id_ for id_ in stage.agents if id_ != "t-notary"]
        for id_ in here:
            await stage.trustee(id_)
        for id_ in here:
            await stage.trustee(id_, act=lie if id_ == "t-inspector" else None)
        kinds = await stage.tick()
        assert kinds == ["verdict", "opened", "incident"]
        assert set(await stage.record()) == {each.bid for each in bids}
        incident = await stage.act("incident")
        assert incident["what"] == "trustee_accused" and incident["text"].startswith("t-inspector: share_wrong")

    play(scenario)


def test_too_few_shares_wait_for_the_silent_and_then_stay_unopened(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        bids = await stage.three()
        await stage.freeze()
        stage.wait(300)
        await stage.sequence()
        for id_ in stage.agents:
            await stage.trustee(id_)
        # Lock 1 was ready and then falls silent but for one.
        for id_ in ("t-owner", "t-centre", "t-notary", "t-regulator"):
            await stage.trustee(id_)
        assert await stage.tick() == []
        stage.wait(60 * 60)
        assert await stage.tick() == ["verdict", "opened"]
        assert await stage.tick() == ["failed"], "E-57: fewer than three after the opening"
        for each in bids:
            row = (await stage.verdicts())[each.bid]
            assert (row["verdict"], row["code"], row["consequence"]) == ("unopened", "silence", "deemed_withdrawn")
        assert await stage.record() == {}

    play(scenario)


@pytest.mark.rule("E-39", "refuse")
def test_no_share_is_taken_before_every_lock_is_ready(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        await stage.three()
        await stage.freeze()
        stage.wait(300)
        await stage.sequence()
        for id_ in ("t-owner", "t-centre", "t-notary", "t-regulator"):
            await stage.trustee(id_)
        shares: dict[str, Any] = {"record": [], "documents": [], "draws": []}
        fields = trustee_commands.ReleaseAct("t-owner", 0, 1, (await stage.tender()).freeze, "00" * 32)
        cmd = trustee_commands.Release(stage.lot, fields, shares)
        with pytest.raises(Refused) as err:
            await stage._trustee_act(trustee_commands.release, cmd, stage.agents["t-owner"])
        assert err.value.rule == "E-39"

    play(scenario)


@pytest.mark.rule("E-58", "refuse")
def test_nothing_is_announced_before_the_last_verdict(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        from trading import journal

        await stage.three()
        await stage.freeze()
        await stage.trustees()
        tender = await stage.tender()

        async def too_early(unit: Any) -> None:
            held = await tenders.load(unit, stage.lot)
            act = await journal.hall_act(
                unit,
                hall=stage.hall,
                lot=stage.lot,
                tender_id=tender.tender_id,
                kind="opened",
                fields={"freeze": tender.freeze, "record_hash": "00" * 32, "n": 3},
                now=stage.now,
                role="opening",
            )
            await tenders.fold_in(unit, held, act, now=stage.now)

        with pytest.raises(Refused) as err:
            await stage.database.write(too_early)
        assert err.value.rule == "E-58"

    play(scenario)


@pytest.mark.rule("E-59", "refuse")
def test_room_and_verifier_that_disagree_announce_nothing(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        await stage.three()
        await stage.freeze()
        await stage.trustees()
        found = await stage.database.read(lambda unit: opening.case(unit, stage.lot, hall=stage.hall))
        key = announcement.opening_key(found, stage.room)
        right = await announcement.judge(found, reader="room", key=key, blobs=stage.blobs)
        forged = replace(right, record=right.record.replace(b"500000000", b"400000000"))
        assert forged.record != right.record
        desks = {"room": stage.room, "verifier": stage.verifier}
        with pytest.raises(Refused) as err:
            await stage.database.write(
                lambda unit: announcement.announce(
                    unit, found, {"room": forged, "verifier": right}, desks, now=stage.now, hall=stage.hall
                )
            )
        assert (err.value.code, err.value.rule) == ("judgements_differ", "E-59")
        assert (await stage.tender()).state is State.OPENING

    play(scenario)


@pytest.mark.rule("E-60", "pass")
def test_an_objection_to_the_opening_is_answered_on_the_spot_and_recorded(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        bids = await stage.three()
        await stage.open()
        bidder, owner = bids[0].company.actor, stage.keys.owner.actor
        said = await stage.do(objections.object_, objections.ObjectToOpening(stage.lot, "唱标价格有误"), bidder)
        leaf = said.result["objection"]
        answer = objections.AnswerAtOpening(stage.lot, leaf, "与开标一览表一致")
        await stage.do(objections.answer, answer, owner)
        row = await stage.database.read(lambda unit: unit.objection.read(leaf))
        assert row["state"] == "answered" and (await stage.tender()).held_by is None
        with pytest.raises(Refused, match="objection_unknown"):
            await stage.do(objections.answer, answer, owner)
        with pytest.raises(Refused, match="opening_objection_of_a_stranger"):
            cmd = objections.ObjectToOpening(stage.lot, "我也有异议")
            await stage.do(objections.object_, cmd, stage.keys.bidders[5].actor)

    play(scenario)


@pytest.mark.rule("E-60", "refuse")
def test_an_objection_to_the_opening_before_it_is_refused(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        bids = await stage.three()
        cmd = objections.ObjectToOpening(stage.lot, "太早")
        with pytest.raises(Refused) as err:
            await stage.do(objections.object_, cmd, bids[0].company.actor)
        assert err.value.rule == "E-60"

    play(scenario)


def test_the_opening_room_reads_for_owner_and_supervisor_only_and_logs_it(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        content = b"how it is built " * 100_000
        bids = [await stage.hand_in(stage.keys.bidders[0], files={"a.pdf": b"first", "技术标.pdf": content})]
        bids += [await stage.hand_in(one) for one in stage.keys.bidders[1:3]]
        cmd = reading.ReadBid(stage.lot, bids[0].bid, 1, "技术标.pdf")
        with pytest.raises(Refused) as err:
            await read(stage, cmd, stage.keys.owner.actor)
        assert err.value.rule == "E-39"
        await stage.freeze()
        await stage.trustees()
        with pytest.raises(Refused) as err:
            await read(stage, cmd, stage.keys.owner.actor)
        assert err.value.rule == "E-39", "released is not yet announced"
        await stage.tick()
        assert await read(stage, cmd, stage.keys.owner.actor) == content
        assert await read(stage, msgspec.structs.replace(cmd, file="a.pdf"), stage.keys.owner.actor) == b"first"
        supervisor = stage.keys.regulator.actor
        assert await read(stage, msgspec.structs.replace(cmd, power="S-002"), supervisor) == content
        with pytest.raises(Refused, match="power_code_missing"):
            await read(stage, cmd, supervisor)
        for stranger in (bids[1].company.actor, stage.keys.centre.actor):
            with pytest.raises(Refused, match="permission_denied"):
                await read(stage, cmd, stranger)
        rows = await stage.database.read(lambda unit: unit.event.find({"lot": stage.lot, "kind": "read"}))
        assert len(rows) == 3 and {row["actor"] for row in rows} == {"person-1", "person-3"}
        grants = await stage.database.read(lambda unit: unit.reading_grant.find({"lot": stage.lot}))
        assert sorted(row["reader"] for row in grants) == ["person-1", "person-3"]

    play(scenario)


def test_an_expert_reads_only_after_signing_in(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        from trading.roles import Actor, Role

        bids = await stage.three()
        await stage.open()
        expert = Actor("expert-1", "", Role.EXPERT, "192.0.2.3", "test")
        with pytest.raises(Refused, match="reading_not_allowed"):
            await read(stage, reading.ReadBid(stage.lot, bids[0].bid, 1, "技术标.pdf"), expert)

    play(scenario)


async def read(stage: Any, cmd: Any, actor: Any) -> bytes:
    page, pieces = await reading.read(
        stage.database, stage.blobs, cmd, actor=actor, now=stage.now, hall=stage.hall, room=stage.room
    )
    assert page["lot"] == stage.lot and pieces is not None
    return b"".join([piece async for piece in pieces])


def lie(step: Any) -> Any:
    """A release whose first share of a record is wrong."""
    assert isinstance(step, release.Releases)
    value = json.loads(step.shares)
    value["record"][0]["share"] = "00" * 32
    shares = jcs.dumps(value)
    return replace(step, shares=shares, act={**step.act, "shares_hash": hashlib.sha256(shares).hexdigest()})
