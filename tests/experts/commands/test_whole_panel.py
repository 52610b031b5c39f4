"""A whole panel, from the register to the signed report, on the example lots: the rankings computed by hand."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from crypto import lottery
from crypto.verifier import recount
from experts.commands import room as doorway
from experts.panel import SeatState
from trading import fold, queries, tender_document, tenders
from trading.lifecycle import State

pytestmark = pytest.mark.anyio


@pytest.mark.rule("E-61", "pass")
@pytest.mark.rule("E-63", "pass")
@pytest.mark.rule("E-65", "pass")
@pytest.mark.rule("E-67", "pass")
@pytest.mark.rule("E-69", "pass")
@pytest.mark.rule("E-75", "pass")
@pytest.mark.rule("E-76", "pass")
async def test_the_road_is_evaluated_as_its_script_says(seated, golden) -> None:
    stage = seated
    expected = golden("road-maintenance")
    before = await stage.room()
    declines = await stage.member(2)
    invitation = str(before.of(2).invitation)
    cmd = doorway.AnswerInvitation(invitation, False, "当日已有手术预约,不能出席。")
    await stage.do(doorway.answer_invitation, cmd, declines)
    await stage.settle()
    assert (await stage.room()).of(2).masked != before.of(2).masked

    await stage.everybody()
    leaves = await stage.member(4)
    await stage.do(doorway.recuse, doorway.Recuse(stage.lot, "本人子女在其中一家投标人任职"), leaves)
    assert await stage.settle() == ["recusal", "invitation"]
    await stage.sign_in(4)
    assert (await stage.tender()).state is State.EVALUATING

    for seat in range(1, 6):
        await stage.save(seat)
        await stage.lock(seat)
    assert await stage.settle() == ["scores_committed", "scores_locked", "ranking"]
    await stage.sign(5, dissent="对夜间导行方案的评分持保留意见")
    for seat in range(1, 5):
        await stage.sign(seat)
    assert await stage.settle() == ["report"]
    assert (await stage.tender()).state is State.REPORT_SUBMITTED

    act = (await stage.event("scores_locked"))[0]["body"]
    scores = await stage.json(act["scores_hash"])
    told = [
        {"rank": rank, "bidder": stage.number(bid), "total": scores["result"]["totals"][bid]}
        for rank, bid in enumerate(scores["result"]["ranking"], 1)
    ]
    assert told == expected["ranking"]
    assert scores["result"]["base"] == expected["benchmark"]
    recount.check(scores)  # The auditor's own arithmetic.
    report = await stage.json((await stage.event("report"))[0]["body"]["report_hash"])
    assert [row["stance"] for row in report["signatures"]] == ["signed"] * 4 + ["dissented"]
    assert [stage.number(row["bid"]) for row in report["candidates"]] == ["02", "07", "05"]
    await _replays(stage)


async def test_the_other_road_gives_another_result(other, golden) -> None:
    stage = other
    await stage.seated()
    await stage.scored()
    act = (await stage.event("scores_locked"))[0]["body"]
    result = (await stage.json(act["scores_hash"]))["result"]
    expected = golden("other-road")
    assert [stage.number(bid) for bid in result["ranking"]] == [row["bidder"] for row in expected["ranking"]]
    assert result["base"] == expected["benchmark"]


async def test_draw_is_replayed_from_public_acts_alone(seated) -> None:
    """Invariant I8: pool object, contributions' r and the acts give the same panel."""
    stage = seated
    result = (await stage.event("draw_result"))[0]["body"]
    pool_act = (await stage.event("draw_pool"))[0]
    pool = lottery.Pool.of(await stage.json(pool_act["body"]["pool_hash"]))
    r = {row["i"]: bytes.fromhex(row["r"]) for row in result["r"]}
    draw_id = bytes.fromhex(result["draw_id"])
    seed = lottery.seed(draw_id, bytes.fromhex(pool_act["leaf_hash"]), r)
    assert (seed.hex(), result["void"]) == (result["seed"], [])
    fixed = await stage.json(pool_act["body"]["avoidance_hash"])
    bidders = {stage.offers[number]["uscc"] for number in stage.frozen}
    conflicts = {bytes.fromhex(row["masked"]) for row in fixed["facts"] if bidders & set(row["organisations"])}
    panel = lottery.seat(pool, lottery.draw(pool, seed), conflicts=conflicts)
    assert [seat.object() for seat in panel.seats] == result["seats"]
    assert [masked.hex() for masked in panel.avoided] == result["avoided"]


async def test_what_the_ledger_must_prove_stands_in_it_in_that_order(seated) -> None:
    """A replacement follows the holder's own act, commitments follow the locks, scores follow the commitments."""
    stage = seated
    cmd = doorway.AnswerInvitation(str((await stage.room()).of(1).invitation), False)
    await stage.do(doorway.answer_invitation, cmd, await stage.member(1))
    assert await stage.tick() == [], "the decline is not in the ledger yet"
    await stage.settle()
    await stage.everybody()
    for seat in range(1, 6):
        await stage.save(seat)
        await stage.lock(seat)
    assert await stage.tick() == [], "the locks are not in the ledger yet"
    await stage.sequencer.sequence()
    assert await stage.tick() == ["scores_committed"]
    assert await stage.tick() == [], "the commitments are not in the ledger yet"
    await stage.settle()
    [decline], [recusal] = await stage.event("decline"), await stage.event("recusal")
    [committed], [locked] = await stage.event("scores_committed"), await stage.event("scores_locked")
    locks = [await stage.index(row["id"]) for row in await stage.event("sheet_locked")]
    assert await stage.index(decline["id"]) < await stage.index(recusal["id"])
    assert max(locks) < await stage.index(committed["id"]) < await stage.index(locked["id"])


async def test_the_clock_twice_logs_nothing_twice(seated) -> None:
    stage = seated
    await stage.scored()
    assert await stage.settle() == []
    assert await stage.tick() == []


async def test_under_a_suspension_nothing_of_the_panel_proceeds(seated) -> None:
    stage = seated
    await stage.everybody()
    for seat in range(1, 5):
        await stage.save(seat)
        await stage.lock(seat)
    await stage.save(5)
    fields = {"what": "suspend", "reason": "核查"}
    await stage.act("directive", fields, "supervisor")
    with pytest.raises(Exception, match="process_held"):
        await stage.lock(5)
    with pytest.raises(Exception, match="process_held"):
        await stage.vote_out("01", [1])
    with pytest.raises(Exception, match="process_held"):
        await stage.do(doorway.recuse, doorway.Recuse(stage.lot, "理由"), await stage.member(1))
    await stage.act("directive", {"what": "resume", "reason": "核查完毕"}, "supervisor")
    await stage.lock(5)
    await stage.act("directive", fields, "supervisor")
    assert await stage.settle() == [], "all have locked, and still nothing is committed"
    await stage.act("directive", {"what": "resume", "reason": "核查完毕"}, "supervisor")
    assert "scores_locked" in await stage.settle()


async def test_a_seat_that_left_after_locking_locks_anew(seated) -> None:
    """The sheet of who left is void (E-67): the successor starts from nothing and the commitment is the successor's."""
    stage = seated
    await stage.everybody()
    for seat in range(1, 6):
        await stage.save(seat)
        if seat != 3:
            await stage.lock(seat)
    gone = await stage.member(1)
    await stage.do(doorway.recuse, doorway.Recuse(stage.lot, "发现利害关系"), gone)
    await stage.lock(3)
    await stage.settle()
    assert (await stage.tender()).state is State.EVALUATING
    await stage.sign_in(1)
    assert (await stage.save(1)).result["revision"] == 1
    locked = await stage.lock(1)
    await stage.settle()
    [row] = [each for each in (await stage.event("scores_committed"))[0]["body"]["commitments"] if each["seat"] == 1]
    assert row["commitment"] == locked.result["commitment"]
    assert row["masked"] == (await stage.room()).of(1).masked


async def _replays(stage) -> None:
    """Invariant I7: the row equals the fold of what the ledger holds."""
    tender = await stage.tender()
    rows = await stage.database.read(lambda unit: unit.event.find({"tender_id": tender.tender_id}))
    placed = sorted([(await stage.index(row["id"]), row) for row in rows], key=lambda one: one[0])
    acts = [(row["leaf_hash"], row["body"]) for _, row in placed]
    terms = tender_document.parse(json.dumps(stage.document).encode())
    assert fold.replay(acts, terms) == tender
    assert (await stage.database.read(lambda unit: queries.public_acts(unit, tender)))[-1]["act"]["kind"] == "report"
    assert (await stage.database.read(lambda unit: tenders.load(unit, stage.lot))).tender == tender
    assert {seat.state for seat in (await stage.room()).seats} == {SeatState.SIGNED_IN}
    assert stage.now - tender.published_at > timedelta(days=20)
