"""What the panel decides together: rejecting a bid, whether competition is lacking, asking a bidder, abnormal marks.

条例 §49, §51, §52; 12号令 §27. Rules upheld: a bid is rejected by more than half of all members, for a statutory case
under an express clause of the document (E-69, E-70); bidders are asked in writing, at the panel's request, and answer
without changing the substance (E-71); with fewer than three valid bids the panel reasons (E-73). Every vote is an act
of its own in the ledger. Nobody outside the panel votes, and who was replaced did not vote (E-67).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from crypto import jcs
from crypto.refusal import Refused
from experts import clarification, room, votes
from experts.clarification import Ground, Reply, Request
from experts.room import Motion, Opened, Opinion, Question, Seat
from experts.votes import RejectionReason
from storage.unit import Unit
from storage.world import instant, stamp
from trading import fold, inbox, journal, results, tenders
from trading.hall import Hall
from trading.journal import Logged, Outcome
from trading.lifecycle import State
from trading.roles import Actor, Permission
from trading.tender import Tender
from trading.tender_document import TenderDocument

MAX_PRICE_CLAUSE = "max_price"
QUESTIONS_MAX = 200


class RejectBid(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Move to reject a bid (reason, clause, reasoning), or vote on the motion that stands."""

    lot: str
    bid: str
    vote: bool = True
    reason: str = ""
    clause: str = ""
    reasoning: str = ""


class JudgeCompetition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Say, with reasons, whether fewer than three valid bids still compete."""

    lot: str
    lacking: bool
    reasoning: str


class AskBidder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Propose a question to a bidder, or vote on the one called `question`; it is sent when most want it sent."""

    lot: str
    question: str = ""
    vote: bool = True
    bid: str = ""
    ground: str = ""
    place: str = ""
    text: str = ""
    answer_until: str = ""


class AnswerPanel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Answer a question of the panel; `changes` names fields of the bid that the answer would alter."""

    lot: str
    question: str
    text: str
    changes: dict[str, str] = {}


async def reject_bid(cmd: RejectBid, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """Open a motion or vote on it. Returns `in_favour`, `members`, `carried`. Raises Refused: bid_unknown_to_panel,
    rejection_reason_unknown, rejection_clause_not_in_document (E-69), rejection_without_reasons (E-70)."""
    actor.must(Permission.BID_REJECT, now=now)
    tender, opened, seat = await at_work(unit, cmd.lot, actor, State.EVALUATING)
    document = await tenders.terms(unit, tender)
    await _check_bid(unit, tender, cmd.bid)
    standing = next((each for each in opened.room.motions if each.bid == cmd.bid), None)
    if standing is None:
        if cmd.reason not in set(RejectionReason):
            raise Refused("rejection_reason_unknown", rule="E-70", reason=cmd.reason[:40])
        standing = Motion(bid=cmd.bid, reason=cmd.reason, clause=cmd.clause, reasoning=cmd.reasoning, votes={})
    voted = replace(standing, votes={**standing.votes, str(seat.seat): cmd.vote})
    carried = rejections((voted,), opened.room, document)
    logged = await _act(unit, hall, tender, "motion", {"bid": cmd.bid, "vote": cmd.vote, **_why(voted)}, actor, now)
    others = tuple(each for each in opened.room.motions if each.bid != cmd.bid)
    await room.keep(unit, opened, replace(opened.room, motions=(*others, voted)))
    told = {"in_favour": sum(voted.votes.values()), "members": room.members_of(opened.room)}
    return Outcome((logged,), result={**told, "carried": bool(carried)})


async def judge_competition(cmd: JudgeCompetition, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """Keep a member's word. Raises Refused("competition_reasoning_missing") without reasons (E-73)."""
    actor.must(Permission.BID_REJECT, now=now)
    tender, opened, seat = await at_work(unit, cmd.lot, actor, State.EVALUATING, State.REPORT_DRAFT)
    if len(cmd.reasoning.strip()) < votes.REASONING_CHARACTERS_MIN:
        raise Refused("competition_reasoning_missing", rule="E-73", valid=0, least=3)
    reasoning = cmd.reasoning[: votes.REASONING_CHARACTERS_MAX]
    fields = {"lacking": cmd.lacking, "reasoning": reasoning}
    logged = await _act(unit, hall, tender, "competition", fields, actor, now)
    opinions = {**opened.room.opinions, str(seat.seat): Opinion(cmd.lacking, reasoning)}
    await room.keep(unit, opened, replace(opened.room, opinions=opinions))
    return Outcome((logged,), result={"members": room.members_of(opened.room), "given": len(opinions)})


async def ask_bidder(cmd: AskBidder, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """Propose or second a question; the vote that makes a majority sends it. Returns `question`, `asked`."""
    actor.must(Permission.PANEL_ASK, now=now)
    tender, opened, seat = await at_work(unit, cmd.lot, actor, State.EVALUATING)
    known = {each.id: each for each in opened.room.questions}
    standing = known[cmd.question] if cmd.question in known else _question(cmd, len(known), now)
    record = await record_of(unit, tender)
    number = str(seat.seat)
    voted = replace(standing, votes={**standing.votes, number: cmd.vote})
    logged = [await _act(unit, hall, tender, "panel_vote", {"question": voted.id, "vote": cmd.vote}, actor, now)]
    members = room.members_of(opened.room)
    ballot = room.votes_of(voted.votes)
    if voted.asked is None and (votes.majority(ballot, members=members) or len(ballot) == members):
        request = clarification.ask(_request(voted), ballot, members=members, bids=set(record))
        text_hash = await keep_text(unit, hall, tender.lot, "clarification", request.text)
        fields = {"bid": voted.bid, "text_hash": text_hash}
        asked = await _act(unit, hall, tender, "panel_question", fields, actor, now, rule="E-71")
        voted = replace(voted, asked=asked.leaf, text_hash=text_hash)
        bidder = record[voted.bid]["bidder"]["uscc"]
        await inbox.tell(
            unit, bidder, lot=tender.lot, what="panel_question", leaf=asked.leaf, now=now, entropy=hall.entropy
        )
        logged.append(asked)
    elif cmd.question not in known:
        # What could never be asked is refused when it is proposed, not when the last vote comes.
        clarification.ask(_request(voted), dict.fromkeys(range(members), True), members=members, bids=set(record))
    questions = {**known, voted.id: voted}
    await room.keep(unit, opened, replace(opened.room, questions=tuple(questions.values())))
    return Outcome(tuple(logged), result={"question": voted.id, "asked": voted.asked is not None})


async def answer_panel(cmd: AnswerPanel, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """A bidder's written answer to a question the panel asked it. Raises Refused under E-71."""
    actor.must(Permission.PANEL_ANSWER, now=now)
    held = await tenders.load(unit, cmd.lot)
    fold.check_not_held(held.tender, "panel_answer")
    opened = await room.load(unit, cmd.lot)
    record = await record_of(unit, held.tender)
    mine = [bid for bid, row in record.items() if row["bidder"]["uscc"] == actor.organisation]
    asked = [
        each
        for each in opened.room.questions
        if each.asked is not None and each.bid in mine and cmd.question in (each.id, each.asked)
    ]
    bid = mine[0] if mine else ""
    reply = clarification.accept(Reply(bid, cmd.text, cmd.changes, now), [_request(each) for each in asked])
    room.check_at_work(held.tender, State.EVALUATING)
    text_hash = await keep_text(unit, hall, cmd.lot, "clarification", reply.text)
    fields = {"question": asked[0].asked, "text_hash": text_hash}
    logged = await _act(unit, hall, held.tender, "panel_answer", fields, actor, now, rule="E-71")
    answered = replace(asked[0], replies=(*asked[0].replies, text_hash))
    questions = tuple(answered if each.id == answered.id else each for each in opened.room.questions)
    await room.keep(unit, opened, replace(opened.room, questions=questions))
    return Outcome((logged,))


async def at_work(unit: Unit, lot: str, actor: Actor, *states: State) -> tuple[Tender, Opened, Seat]:
    """Tender, room and seat of a member who may act now. Raises Refused: process_held, panel_not_at_work (E-65),
    not_on_this_panel, conclusions_void (E-67), expert_not_signed_in."""
    held = await tenders.load(unit, lot)
    opened = await room.load(unit, lot)
    seat = room.seat_of(opened.room, actor)
    fold.check_not_held(held.tender, "sheet_locked")
    room.check_at_work(held.tender, *states)
    return held.tender, opened, seat


async def record_of(unit: Unit, tender: Tender) -> dict[str, dict[str, Any]]:
    """The opening record by bid: the valid bids, which are those that the panel judges."""
    opened = await results.act_of(unit, tender, "opened")
    return {row["bid"]: row for row in await tenders.object_json(unit, tender.lot, opened["record_hash"])}


def rejections(motions: tuple[Motion, ...], held: room.Room, document: TenderDocument) -> tuple[votes.Rejection, ...]:
    """The motions that were carried. The clauses are the document's mandatory requirements and its max price."""
    clauses = {each.code for each in document.requirements if each.mandatory}
    if document.price.max_price_fen is not None:
        clauses.add(MAX_PRICE_CLAUSE)
    judged = [
        votes.Motion(each.bid, RejectionReason(each.reason), each.clause, each.reasoning, room.votes_of(each.votes))
        for each in motions
    ]
    return votes.rejections(judged, members=room.members_of(held), clauses=clauses)


async def _check_bid(unit: Unit, tender: Tender, bid: str) -> None:
    if bid not in await record_of(unit, tender):
        raise Refused("bid_unknown_to_panel", rule="E-70", bid=bid[:64])


def _why(motion: Motion) -> dict[str, str]:
    return {"reason": motion.reason, "clause": motion.clause, "reasoning": motion.reasoning}


def _question(cmd: AskBidder, count: int, now: datetime) -> Question:
    if cmd.question or count >= QUESTIONS_MAX:
        raise Refused("panel_question_unknown", rule="E-71", question=cmd.question[:40])
    if cmd.ground not in set(Ground):
        raise Refused("panel_question_ground_unknown", rule="E-71", ground=cmd.ground[:40])
    try:
        until = instant(cmd.answer_until)
    except ValueError as error:
        raise Refused("panel_question_time_malformed", text=cmd.answer_until[:40]) from error
    if until <= now:
        raise Refused("panel_question_time_passed", rule="E-71", answer_until=stamp(until))
    return Question(
        id=f"q{count + 1}",
        bid=cmd.bid,
        ground=cmd.ground,
        place=cmd.place,
        text=cmd.text,
        answer_until=cmd.answer_until,
        votes={},
    )


def _request(question: Question) -> Request:
    until = instant(question.answer_until)
    return Request(question.bid, Ground(question.ground), question.place, question.text, until)


async def keep_text(unit: Unit, hall: Hall, lot: str, kind: str, text: str) -> str:
    """Keep a text that is not public, with a salt so that its hash gives nothing away."""
    data = jcs.dumps({"text": text, "salt": hall.entropy(32).hex()})
    return await journal.keep_object(unit, lot=lot, kind=kind, data=data, public=False)


async def _act(
    unit: Unit,
    hall: Hall,
    tender: Tender,
    kind: str,
    fields: dict[str, Any],
    actor: Actor,
    now: datetime,
    rule: str = "E-70",
) -> Logged:
    return await journal.private_act(
        unit,
        hall=hall,
        lot=tender.lot,
        tender_id=tender.tender_id,
        kind=kind,
        fields=fields,
        actor=actor,
        now=now,
        rule=rule,
    )
