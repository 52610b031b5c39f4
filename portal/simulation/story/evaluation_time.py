"""From the panel's invitations to the report: declines, recusals, marks that are out of range, looks at others' marks.

Every expert's marks are kept in the book as they were locked; what is published later must be exactly that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from experts import votes
from experts.commands import report, review, room, scoring
from portal.simulation.keys import Expert
from storage.world import stamp
from trading.lifecycle import State
from trading.roles import Actor, Role

if TYPE_CHECKING:
    from portal.simulation.story.play import Play

CALL_POWER = "C-003"
REPRESENTATIVE = Actor("owner-representative", "121399003488598365", Role.OWNER_REPRESENTATIVE, "192.0.2.8", "device-r")
TEXT = "看过全部有效投标文件,报价与方案之间仍有充分竞争,建议继续评审并推荐中标候选人。"


async def evaluate(play: Play) -> None:
    """Invitations, sign-in, marks, locks, report."""
    if (await play.tender()).state is not State.OPENED:
        return
    await _fill_the_panel(play)
    if (await play.tender()).state is not State.EVALUATING:
        return
    if play.plan.has("question_asked"):
        await _question(play)
    if play.plan.has("bid_rejected"):
        await _reject(play)
    if (await play.tender()).state is not State.EVALUATING:
        return
    await _mark(play)
    await play.step("scores")
    await _report(play)


def seats(play: Play) -> list[dict[str, Any]]:
    """The seats of the panel as their row has them."""
    row = play.hall.disk.row("panel", play.book.lot)
    found: list[dict[str, Any]] = row["body"]["seats"] if row else []
    return found


def _expert(play: Play, seat: Mapping[str, Any]) -> Expert:
    found: Expert = next(one for one in play.keys.experts if one.id == seat["expert"])
    return found


def actor_of(play: Play, seat: Mapping[str, Any]) -> Actor:
    """Who holds a seat."""
    return REPRESENTATIVE if seat["stratum"] == -1 else _expert(play, seat).actor


async def _fill_the_panel(play: Play) -> None:
    """Answer, decline, do not answer, sign in, withdraw, until everybody sits."""
    plan, dice = play.plan, play.plan.dice("panel")
    left = {fault for fault in ("declined", "no_answer", "recused") if plan.has(fault)}
    await play.step("invitations")
    for _ in range(4):
        for seat in seats(play):
            if seat["state"] not in ("invited", "drawn") or not seat["invitation"]:
                continue
            if "declined" in left:
                left.remove("declined")
                play.did("declined")
                await _answer(play, seat, accept=False)
            elif "no_answer" in left:
                left.remove("no_answer")
                play.did("no_answer")
                await _call_thrice(play, seat)
            elif dice.random() < 0.5:
                await _answer(play, seat, accept=True)
        await play.step("answers")
    if plan.has("stranger_signs_in"):
        await _stranger(play)
    if plan.has("undeclared"):
        await _undeclared(play)
    if plan.representatives:
        cmd = room.SignIn(True, True, lot=play.book.lot)
        await play.hall.do(room.sign_in, cmd, REPRESENTATIVE)
        await play.step("representative signs in")
    for _ in range(3):
        for seat in seats(play):
            if seat["state"] in ("invited", "accepted") and (await play.tender()).state in (
                State.OPENED,
                State.EVALUATING,
            ):
                await _sign_in(play, seat)
                if "recused" in left:
                    left.remove("recused")
                    play.did("recused")
                    cmd_out = room.Recuse(play.book.lot, "子女在投标人处任职")
                    await play.hall.do(room.recuse, cmd_out, _expert(play, seat).actor)
        await play.step("signed in")


async def _answer(play: Play, seat: Mapping[str, Any], *, accept: bool) -> None:
    cmd = room.AnswerInvitation(seat["invitation"], accept)
    await play.hall.do(room.answer_invitation, cmd, _expert(play, seat).actor)


async def _call_thrice(play: Play, seat: Mapping[str, Any]) -> None:
    for _ in range(room.CALLS_MIN):
        play.hall.wait(minutes=10)
        cmd = room.RecordCall(play.book.lot, seat["seat"], CALL_POWER)
        await play.hall.do(room.record_call, cmd, play.keys.centre.actor)


async def _sign_in(play: Play, seat: Mapping[str, Any]) -> None:
    expert = _expert(play, seat)
    cmd = room.SignIn(True, True, invitation=seat["invitation"])
    await play.hall.do(room.sign_in, cmd, expert.actor)
    play.book.experts_seen[expert.id] = expert


async def _stranger(play: Play) -> None:
    """An expert who was not drawn comes with somebody else's invitation."""
    invited = next((seat for seat in seats(play) if seat["invitation"]), None)
    drawn = {seat["expert"] for seat in seats(play)}
    if invited is not None:
        other = next(one for one in play.keys.experts if one.id not in drawn)
        cmd = room.SignIn(True, True, invitation=invited["invitation"])
        await play.expect_refused("stranger_signs_in", room.sign_in, cmd, other.actor, "invitation_unknown")


async def _undeclared(play: Play) -> None:
    seat = next((each for each in seats(play) if each["state"] in ("invited", "accepted")), None)
    if seat is not None and (await play.tender()).state is State.OPENED:
        cmd = room.SignIn(False, True, invitation=seat["invitation"])
        await play.expect_refused(
            "undeclared",
            room.sign_in,
            cmd,
            _expert(play, seat).actor,
            "declaration_not_signed",
            "too_few_bids_after_opening",
        )


async def _question(play: Play) -> None:
    """The panel asks the first bidder something; the answer must not change the bid."""
    bids = sorted(record(play))
    who = [actor_of(play, seat) for seat in seats(play)]
    until = stamp(play.hall.now + timedelta(hours=4))
    first = review.AskBidder(
        play.book.lot, bid=bids[0], ground="unclear", place="技术标 第3页", text="请说明工期安排", answer_until=until
    )
    outcome = await play.hall.do(review.ask_bidder, first, who[0])
    asked = outcome.result.get("question", "q1")
    for actor in who[1:]:
        room_ = play.hall.disk.row("panel", play.book.lot)
        assert room_ is not None
        if not any(each["asked"] for each in room_["body"]["questions"]):
            await play.hall.do(review.ask_bidder, review.AskBidder(play.book.lot, question=asked), actor)
    play.did("question_asked")
    bidder = next(one for one in play.keys.bidders if one.uscc == record(play)[bids[0]]["bidder"]["uscc"])
    if play.plan.has("answer_changes_substance"):
        other = review.AnswerPanel(play.book.lot, asked, "改为更低的报价", {"price_fen": "1"})
        await play.expect_refused(
            "answer_changes_substance", review.answer_panel, other, bidder.actor, "clarification_changes_substance"
        )
    await play.hall.do(review.answer_panel, review.AnswerPanel(play.book.lot, asked, "工期见进度表"), bidder.actor)
    await play.step("question")


async def _reject(play: Play) -> None:
    """The panel rejects the last bid by a majority under a mandatory requirement."""
    bids = sorted(record(play))
    if len(bids) < 2:
        return
    play.did("bid_rejected")
    reasoning = "施工组织设计缺少关键工序说明,不满足招标文件第R1条实质性要求,属于未响应实质性要求的情形。"
    for seat in seats(play):
        cmd = review.RejectBid(
            play.book.lot, bids[-1], True, votes.RejectionReason.NOT_RESPONSIVE.value, "R1", reasoning
        )
        await play.hall.do(review.reject_bid, cmd, actor_of(play, seat))
    await play.step("rejection")


def record(play: Play) -> dict[str, dict[str, Any]]:
    """The opening record by bid."""
    opened = next(each for each in reversed(play.hall.disk.of_lot[play.book.lot]) if each.kind == "opened")
    return {row["bid"]: row for row in play.hall.disk.object(play.book.lot, opened.body["record_hash"])}


async def _mark(play: Play) -> None:
    """Everybody marks and locks; in between others try what they must not."""
    plan, lot = play.plan, play.book.lot
    items = _items(play)
    rejected = {each["bid"] for each in _motions(play) if 2 * sum(each["votes"].values()) > len(seats(play))}
    bids = [bid for bid in sorted(record(play)) if bid not in rejected]
    for place, seat in enumerate(seats(play)):
        actor = actor_of(play, seat)
        dice = plan.dice(f"marks {seat['seat']}")
        given: dict[tuple[str, str], int] = {}
        for number, bid in enumerate(bids):
            for code, most in items:
                # Objective items must not differ between members; subjective ones do.
                own = plan.dice(f"objective {bid}") if code.startswith("B") else dice
                given[bid, code] = own.randrange(0, most // 50 + 1) * 50 if number >= 0 else 0
        marks = [scoring.SavedMark(bid, code, points(value)) for (bid, code), value in given.items()]
        if place == 0:
            await _before_the_first_lock(play, actor, marks)
        if marks:
            saved = scoring.SaveSheet(lot, 0 if place or not plan.has("lock_incomplete") else 1, marks)
            await play.hall.do(scoring.save_sheet, saved, actor)
        await play.hall.do(scoring.lock_sheet, scoring.LockSheet(lot), actor)
        play.book.truth[seat["seat"]] = given
        if place < len(seats(play)) - 1:
            await play.step(f"sheet {seat['seat']} locked")
        if place == 0:
            await _after_the_first_lock(play, actor, marks)


async def _before_the_first_lock(play: Play, actor: Actor, marks: Sequence[scoring.SavedMark]) -> None:
    plan, lot = play.plan, play.book.lot
    if not marks:
        return
    one = marks[0]

    async def wrong(fault: str, value: str, *codes: str) -> None:
        cmd = scoring.SaveSheet(lot, 0, [scoring.SavedMark(one.bid, one.item, value)])
        await play.expect_refused(fault, scoring.save_sheet, cmd, actor, *codes)

    if plan.has("mark_out_of_range"):
        await wrong("mark_out_of_range", "40.5")
    if plan.has("mark_out_of_step"):
        await wrong("mark_out_of_step", "7.25")
    if plan.has("outsider_marks"):
        drawn = {seat["expert"] for seat in seats(play)}
        other = next(each for each in play.keys.experts if each.id not in drawn)
        cmd = scoring.SaveSheet(lot, 0, [one])
        await play.expect_refused("outsider_marks", scoring.save_sheet, cmd, other.actor)
    if plan.has("lock_incomplete"):
        await play.hall.do(scoring.save_sheet, scoring.SaveSheet(lot, 0, list(marks[:1])), actor)
        if len(marks) > 1:
            lock = scoring.LockSheet(lot)
            await play.expect_refused("lock_incomplete", scoring.lock_sheet, lock, actor, "sheet_incomplete")


async def _after_the_first_lock(play: Play, actor: Actor, marks: Sequence[scoring.SavedMark]) -> None:
    plan, lot = play.plan, play.book.lot
    if plan.has("mark_after_lock") and marks:
        other = scoring.SavedMark(marks[0].bid, marks[0].item, "0")
        cmd = scoring.SaveSheet(lot, 9, [other])
        await play.expect_refused("mark_after_lock", scoring.save_sheet, cmd, actor, "sheet_not_draft")
    if plan.has("look_before_lock"):
        play.did("look_before_lock")
        play.checker.look_for_marks(play.hall.disk, play.book)


def _items(play: Play) -> list[tuple[str, int]]:
    terms = play.hall.disk.object(play.book.lot, play.checker.tender(play.hall.disk, play.book).terms)
    return [(item["code"], round(float(item["max"]) * 100)) for item in terms["items"]]


def _motions(play: Play) -> list[dict[str, Any]]:
    row = play.hall.disk.row("panel", play.book.lot)
    assert row is not None
    found: list[dict[str, Any]] = row["body"]["motions"]
    return found


def points(value: int) -> str:
    """Hundredths as a decimal string."""
    return f"{value // 100}.{value % 100:02d}"


async def _report(play: Play) -> None:
    """Every member signs, one may dissent, one may refuse."""
    lot, plan = play.book.lot, play.plan
    tender = await play.tender()
    if tender.state is not State.REPORT_DRAFT:
        return
    row = play.hall.disk.row("panel", lot)
    assert row is not None
    if row["body"]["report_salt"] is None:
        for seat in seats(play):
            cmd = review.JudgeCompetition(lot, False, TEXT)
            await play.hall.do(review.judge_competition, cmd, actor_of(play, seat))
        await play.step("competition")
    for place, seat in enumerate(seats(play)):
        signed = report.SignReport(lot)
        if place == 1 and plan.has("dissent"):
            play.did("dissent")
            signed = report.SignReport(lot, dissent="对第一名的技术分持保留意见。")
        elif place == 2 and plan.has("refuses_to_sign"):
            play.did("refuses_to_sign")
            signed = report.SignReport(lot, stance="refused")
        await play.hall.do(report.sign_report, signed, actor_of(play, seat))
    await play.step("report")
