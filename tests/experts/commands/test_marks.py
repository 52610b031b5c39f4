"""Sheets, rejections, questions and ties: what the document allows, what a majority decides, what nobody may change."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from crypto.refusal import Refused
from experts import scores_file, scoring
from experts.commands import review
from experts.commands.scoring import SavedMark
from experts.due import counting
from storage.world import stamp
from trading.lifecycle import State
from trading.roles import Actor, Role

pytestmark = pytest.mark.anyio


async def evaluating(stage: Any) -> Any:
    await stage.seated()
    await stage.everybody()
    return stage


@pytest.mark.rule("E-69", "refuse")
@pytest.mark.parametrize(
    ("item", "points", "code"),
    [
        ("T1", "25.50", "mark_outside_the_range"),
        ("T1", "20.25", "mark_off_the_step"),
        ("T9", "1", "item_not_in_document"),
    ],
)
async def test_marks_the_document_does_not_allow_are_not_saved(stage, item, points, code) -> None:
    await evaluating(stage)
    with pytest.raises(Refused) as err:
        await stage.save(1, [SavedMark(stage.bids["01"], item, points)])
    assert (err.value.code, err.value.rule) == (code, "E-69")


async def test_two_windows_do_not_overwrite_each_other(stage) -> None:
    await evaluating(stage)
    one = [SavedMark(stage.bids["01"], "T1", "20.00")]
    assert (await stage.save(1, one)).result["revision"] == 1
    assert (await stage.save(1, one)).result["revision"] == 1, "a double click changes nothing"
    with pytest.raises(Refused, match="sheet_saved_elsewhere"):
        await stage.save(1, [SavedMark(stage.bids["01"], "T1", "21.00")])
    told = await stage.save(1, [SavedMark(stage.bids["01"], "T1", None)], revision=1)
    assert told.result == {"revision": 2, "missing": 63, "at": stamp(stage.now)}


async def test_none_changed_after_the_lock(stage) -> None:
    await evaluating(stage)
    with pytest.raises(Refused, match="sheet_incomplete"):
        await stage.lock(1)
    await stage.save(1)
    await stage.lock(1)
    with pytest.raises(Refused, match="sheet_not_draft"):
        await stage.save(1, [SavedMark(stage.bids["01"], "T1", "1.00")], revision=1)
    with pytest.raises(Refused, match="sheet_not_draft"):
        await stage.lock(1)
    with pytest.raises(Refused) as err:
        await stage.save(2, [SavedMark("00", "T1", "1.00")])
    assert err.value.code == "mark_for_unknown_bid"


async def test_a_sheet_changed_in_the_database_after_its_commitment_is_found(stage) -> None:
    """Whoever writes the row of a locked sheet is caught by the member's own commitment."""
    await evaluating(stage)
    for seat in range(1, 6):
        await stage.save(seat)
        await stage.lock(seat)
    await stage.sequencer.sequence()
    assert await stage.tick() == ["scores_committed"]

    async def forge(unit: Any) -> None:
        (row,) = [one for one in await unit.sheet.find({"lot": stage.lot}) if one["seat"].startswith("1:")]
        marks = [
            [bid, item, value + 50 if at == 0 else value] for at, (bid, item, value) in enumerate(row["body"]["marks"])
        ]
        await unit.sheet.update({**row, "body": {**row["body"], "marks": marks}}, expected_version=row["version"])

    await stage.database.write(forge)
    await stage.sequencer.sequence()
    with pytest.raises(Refused, match="sheet_differs_from_commitment"):
        await stage.tick()


@pytest.mark.rule("E-65", "refuse")
async def test_nobody_outside_the_panel_saves_or_votes(stage) -> None:
    await evaluating(stage)
    stage.people_of = {6: Actor("expert-QL0001X", "", Role.EXPERT, "::1", "test")}
    for doing in (stage.save(6, []), stage.lock(6), stage.vote_out("01", [6])):
        with pytest.raises(Refused) as err:
            await doing
        assert (err.value.code, err.value.rule) == ("not_on_this_panel", "E-65")


@pytest.mark.rule("E-70", "pass")
@pytest.mark.rule("E-70", "refuse")
async def test_a_bid_is_rejected_by_more_than_half_and_under_the_documents_clause(stage) -> None:
    await evaluating(stage)
    clause = next(each["code"] for each in stage.document["requirements"] if each["mandatory"])
    with pytest.raises(Refused) as err:
        await stage.vote_out("01", [1], clause="X99")
    assert (err.value.code, err.value.rule) == ("rejection_clause_not_in_document", "E-69")
    with pytest.raises(Refused) as err:
        cmd = review.RejectBid(stage.lot, stage.bids["01"], True, "ugly", clause, "字体难看")
        await stage.do(review.reject_bid, cmd, await stage.member(1))
    assert (err.value.code, err.value.rule) == ("rejection_reason_unknown", "E-70")
    assert not (await stage.vote_out("06", [1, 2], clause=clause)).result["carried"]
    assert (await stage.vote_out("06", [3], clause=clause)).result["carried"]
    for seat in range(1, 6):
        marks = [mark for mark in stage.marks(seat) if mark.bid != stage.bids["06"]]
        await stage.save(seat, marks)
        await stage.lock(seat)
    await stage.settle()
    act = (await stage.event("scores_locked"))[0]["body"]
    case, recorded = scores_file.load(
        (await stage.database.read(lambda unit: unit.object.read(stage.lot, act["scores_hash"])))["data"]
    )
    assert recorded is not None and stage.bids["06"] not in {bid.id for bid in case.bids}
    assert scores_file.verify_result(case, recorded).ranking == recorded.ranking
    for seat in range(1, 6):
        await stage.sign(seat)
    await stage.settle()
    report = await stage.json((await stage.event("report"))[0]["body"]["report_hash"])
    assert [(row["bid"], row["in_favour"]) for row in report["rejections"]] == [(stage.bids["06"], 3)]


async def test_votes_of_who_was_replaced_fall_away(stage) -> None:
    from experts.commands import room as doorway

    await evaluating(stage)
    clause = next(each["code"] for each in stage.document["requirements"] if each["mandatory"])
    assert (await stage.vote_out("06", [1, 2, 4], clause=clause)).result["carried"]
    await stage.do(doorway.recuse, doorway.Recuse(stage.lot, "回避"), await stage.member(4))
    await stage.settle()
    [motion] = (await stage.room()).motions
    assert sum(motion.votes.values()) == 2


@pytest.mark.rule("E-70", "refuse")
async def test_nobody_locks_while_a_bid_over_the_max_price_stands(stage) -> None:
    await evaluating(stage)
    prices = {"06": stage.offers["06"]["price_fen"]}

    async def lower(unit: Any) -> None:
        row = await unit.tender.read(stage.lot)
        tender = {**row["body"]["tender"], "max_price_fen": prices["06"] - 1}
        await unit.tender.update({**row, "body": {"tender": tender}}, expected_version=row["version"])

    await stage.database.write(lower)
    await stage.save(1)
    with pytest.raises(Refused) as err:
        await stage.lock(1)
    assert (err.value.code, err.value.rule) == ("bid_must_be_rejected", "E-70")


@pytest.mark.rule("E-74", "pass")
async def test_all_bids_rejected_end_the_tender(stage) -> None:
    stage.frozen = stage.valid = ("01", "02", "03")
    await evaluating(stage)
    clause = next(each["code"] for each in stage.document["requirements"] if each["mandatory"])
    for number in stage.valid:
        await stage.vote_out(number, [1, 2, 3], clause=clause)
    assert await stage.settle() == ["failed"]
    tender = await stage.tender()
    assert (tender.state, tender.ended_because) == (State.FAILED, "all_rejected")


async def few_left(stage: Any) -> None:
    """Two of three bids left, scored, the report waiting for the panel's word."""
    stage.frozen = stage.valid = ("01", "02", "03")
    await evaluating(stage)
    clause = next(each["code"] for each in stage.document["requirements"] if each["mandatory"])
    await stage.vote_out("03", [1, 2, 3], clause=clause)
    for seat in range(1, 6):
        await stage.save(seat, [mark for mark in stage.marks(seat) if mark.bid != stage.bids["03"]])
        await stage.lock(seat)
    assert await stage.settle() == ["scores_committed", "scores_locked", "ranking"]


async def judge(stage: Any, seat: int, lacking: bool, reasoning: str = "两家报价接近,竞争依然充分") -> None:
    cmd = review.JudgeCompetition(stage.lot, lacking, reasoning)
    await stage.do(review.judge_competition, cmd, await stage.member(seat))


@pytest.mark.rule("E-73", "refuse")
@pytest.mark.rule("E-73", "pass")
async def test_fewer_than_three_valid_bids_wait_for_the_panels_reasons(stage) -> None:
    await few_left(stage)
    with pytest.raises(Refused, match="report_not_composed"):
        await stage.sign(1)
    with pytest.raises(Refused) as err:
        await judge(stage, 1, False, " ")
    assert (err.value.code, err.value.rule) == ("competition_reasoning_missing", "E-73")
    for seat in (1, 2):
        await judge(stage, seat, False)
    assert await stage.settle() == []
    await judge(stage, 3, False)
    await stage.settle()
    for seat in range(1, 6):
        await stage.sign(seat)
    assert await stage.settle() == ["report"]
    report = await stage.json((await stage.event("report"))[0]["body"]["report_hash"])
    assert report["competition"]["lacking"] is False and len(report["candidates"]) == 2


async def test_a_panel_that_finds_competition_lacking_ends_the_tender(stage) -> None:
    await few_left(stage)
    for seat in (1, 2, 5):
        await judge(stage, seat, True, "报价明显串通,缺乏竞争")
    assert await stage.settle() == ["failed"]
    assert (await stage.tender()).ended_because == "all_rejected"


@pytest.mark.rule("E-71", "pass")
@pytest.mark.rule("E-71", "refuse")
async def test_a_question_is_the_panels_and_the_answer_leaves_the_substance_alone(stage) -> None:
    await evaluating(stage)
    until = stamp(stage.now + timedelta(hours=2))
    asking = review.AskBidder(stage.lot, bid=stage.bids["01"], ground="unclear", place="投标函第2页",
                              text="请说明工期的起算日。", answer_until=until)  # fmt: skip
    first = await stage.do(review.ask_bidder, asking, await stage.member(1))
    assert first.result == {"question": "q1", "asked": False}
    bidder = stage.actor(Role.BIDDER, stage.offers["01"]["uscc"])
    answer = review.AnswerPanel(stage.lot, "q1", "自开工令之日起算。")
    with pytest.raises(Refused) as err:
        await stage.do(review.answer_panel, answer, bidder)
    assert (err.value.code, err.value.rule) == ("clarification_unsolicited", "E-71")
    for seat in (2, 3):
        told = await stage.do(review.ask_bidder, review.AskBidder(stage.lot, "q1"), await stage.member(seat))
    assert told.result["asked"]
    inbox = await stage.database.read(lambda unit: unit.inbox.find({"organisation": bidder.organisation}))
    assert [row["body"]["what"] for row in inbox] == ["panel_question"]
    rival = stage.actor(Role.BIDDER, stage.offers["02"]["uscc"])
    with pytest.raises(Refused, match="clarification_unsolicited"):
        await stage.do(review.answer_panel, answer, rival)
    with pytest.raises(Refused, match="clarification_changes_substance"):
        cheaper = review.AnswerPanel(stage.lot, "q1", "降价", {"price_fen": "1"})
        await stage.do(review.answer_panel, cheaper, bidder)
    await stage.do(review.answer_panel, answer, bidder)
    [question] = (await stage.room()).questions
    assert len(question.replies) == 1
    stage.world.advance(timedelta(hours=3))
    with pytest.raises(Refused, match="clarification_late"):
        await stage.do(review.answer_panel, answer, bidder)
    with pytest.raises(Refused, match="panel_question_unknown"):
        await stage.do(review.ask_bidder, review.AskBidder(stage.lot, "q7"), await stage.member(1))


async def test_a_tie_that_goes_to_the_draw_is_ordered_by_the_panels_seed(stage) -> None:
    """docs/spec/scores.md §7: anybody computes the order from draw_result and the bids; nobody could choose it."""

    def change(document: dict[str, Any]) -> None:
        document["method"]["ties"] = ["draw"]
        document["method"]["weights"] = {"price": "0", "points": "1"}

    stage = type(stage)(change=change, frozen=("01", "02", "03", "04"), seed=4)
    await evaluating(stage)
    for seat in range(1, 6):
        await stage.save(seat, [SavedMark(mark.bid, mark.item, "5.00") for mark in stage.marks(seat)])
        await stage.lock(seat)
    await stage.settle()
    seed = bytes.fromhex((await stage.event("draw_result"))[0]["body"]["seed"])
    act = (await stage.event("scores_locked"))[0]["body"]
    ranking = (await stage.json(act["scores_hash"]))["result"]["ranking"]
    expected = sorted(
        stage.bids.values(), key=lambda bid: sha256(b"draw/v1 tie\0" + seed + bytes.fromhex(bid)).hexdigest()
    )
    assert ranking == expected == list(counting.order_of_draw(seed, list(stage.bids.values())))
    table = await stage.json(act["table_hash"])
    assert [row["bid"] for row in table["bids"]] == expected
    assert scoring.order_by_draw(sorted(ranking), expected) == expected


async def test_the_lowest_evaluated_price_needs_no_marks(stage) -> None:
    def change(document: dict[str, Any]) -> None:
        document["method"] = {"name": "lowest_evaluated", "adjustments": [], "ties": ["price", "draw"]}
        document["items"] = []

    stage = type(stage)(change=change, frozen=stage.valid)
    await evaluating(stage)
    for seat in range(1, 6):
        await stage.lock(seat)
    await stage.settle()
    act = (await stage.event("scores_locked"))[0]["body"]
    result = (await stage.json(act["scores_hash"]))["result"]
    cheapest = sorted(stage.valid, key=lambda number: stage.offers[number]["price_fen"])
    assert [stage.number(bid) for bid in result["ranking"]] == cheapest


@pytest.mark.rule("E-76", "refuse")
async def test_the_report_waits_for_every_stance_and_takes_each_once(stage) -> None:
    await stage.seated()
    await stage.scored()
    with pytest.raises(Refused) as err:
        await stage.sign(1, dissent="  ")
    assert (err.value.code, err.value.rule) == ("dissent_empty", "E-76")
    assert (await stage.sign(1, stance="refused")).result == {"stance": "deemed_agreed"}
    with pytest.raises(Refused) as err:
        await stage.sign(1)
    assert (err.value.code, err.value.rule) == ("report_signed_already", "E-76")
    for seat in (2, 3, 4):
        await stage.sign(seat)
    assert await stage.settle() == []
    await stage.sign(5)
    assert await stage.settle() == ["report"]
    signed = await stage.event("sheet_signed")
    assert [row["body"]["dissent_hash"] for row in signed] == [None] * 5
