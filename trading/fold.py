"""How acts become a tender: the fold of the ledger (invariant I7), act by act.

`begin` makes the tender from the TENDER act and the structured document, `apply` adds one act: it refuses what
lifecycle.py does not list (I10) and what may not happen while something holds, and never looks at a clock: the instant
is the act's own `at`. Time limits are asked by the commands before an act is made (trading/rules), not here, so that a
replay of the ledger does not depend on today's reading of the law. Fields of acts are those of docs/spec/acts.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from crypto.refusal import Refused
from crypto.roster import Roster
from storage import world
from trading import lifecycle
from trading.lifecycle import State
from trading.tender import Award, Candidate, Deadline, Hold, Objection, Tender
from trading.tender_document import TenderDocument


def begin(act: Mapping[str, Any], terms: TenderDocument, *, leaf: str) -> Tender:
    """The tender that a TENDER act starts. `terms` is the object of terms_hash, checked by the caller's publication
    rules; refuses document_not_the_one_published when its hash is another."""
    if act["terms_hash"] != terms.hash:
        raise Refused("document_not_the_one_published", terms_hash=act["terms_hash"])
    at = world.instant(act["at"])
    roster = Roster.decode(bytes.fromhex(act["roster"]))
    return Tender(
        tender_id=act["tender_id"],
        lot=act["lot"],
        name=act["name"],
        owner=act["owner"]["uscc"],
        agent=None if act["agent"] is None else act["agent"]["uscc"],
        market=act["market"],
        region=act["region"],
        rehearsal=act["rehearsal"],
        rulebook=act["rulebook"]["hash"],
        terms=act["terms_hash"],
        state=State.BIDDING,
        published_at=at,
        deadlines=(Deadline(world.instant(act["deadline"]), at, leaf),),
        bids_min=act["bids_min"],
        settle_s=act["settle_s"],
        challenge_s=act["challenge_s"],
        rescue_s=act["rescue_s"],
        max_price_fen=act["max_price_fen"],
        roster=act["roster"],
        thresholds=tuple(lock.t for lock in roster.locks),
        panel_members=terms.panel.members,
        stop_if_few_after_opening=terms.opening.fewer_than_three_after_opening == "stop",
        state_controlled=terms.project.state_controlled,
    )


def replay(acts: Iterable[tuple[str, Mapping[str, Any]]], terms: TenderDocument) -> Tender:
    """The tender after all its acts, as (leaf, act or public part) in ledger order; the first is the TENDER act."""
    tender: Tender | None = None
    for leaf, act in acts:
        tender = begin(act, terms, leaf=leaf) if tender is None else apply(tender, act, leaf=leaf)
    assert tender is not None, "a tender has at least its TENDER act"
    return tender


def apply(tender: Tender, act: Mapping[str, Any], *, leaf: str) -> Tender:
    """The tender after one more act. Acts that are none of the state's business (downloads, bids, reads) leave it as it
    is. Raises act_of_another_tender, process_held, act_out_of_turn, deadline_not_later, hold_unknown and what the kinds
    say below."""
    if act["tender_id"] != tender.tender_id:
        raise Refused("act_of_another_tender", tender_id=act["tender_id"])
    kind = act["kind"]
    if kind not in lifecycle.CAUSED_BY:
        return tender
    at = world.instant(act["at"])
    tender = lifecycle.at_instant(tender, at)
    check_not_held(tender, kind, refusal=act.get("refusal"))
    ways = lifecycle.ways(tender.state, kind)
    if not ways:
        raise Refused("act_out_of_turn", kind=kind, state=tender.state.value)
    match kind:
        case "amendment" | "deadline":
            return _amended(tender, act, at, leaf)
        case "objection" | "answer" | "hold" | "resume" | "directive":
            return _flagged(tender, act, at, leaf)
        case "close" | "freeze" | "failed" | "terminate":
            return _ended(tender, act, at, leaf)
        case "ready" | "release" | "verdict" | "opened":
            return _opened(tender, act, at)
        case "draw_pool" | "draw_close" | "draw_result" | "recusal" | "sign_in":
            return _drawn(tender, act, leaf)
        case "publicity" | "award" | "award_void" | "contract" | "regulator_report":
            return _awarded(tender, act, at)
        case "report":
            return replace(tender, state=State.REPORT_SUBMITTED, report_at=at)
        case "tally":
            return replace(tender, tallied_at=at)
        case _:
            assert len(ways) == 1, f"{kind} leads more than one way and is not folded"
            return replace(tender, state=ways[0])


def check_not_held(tender: Tender, kind: str, *, refusal: str | None = None) -> Tender:
    """Refuse process_held (E-13 before the deadline, E-80 from publicity on) for an act that must wait until an
    objection is answered or a suspension lifted. A trustee's signed refusal is welcome under a hold, READY is not."""
    ref = tender.held_by
    if ref is not None and (kind not in lifecycle.WHILE_HELD or (kind == "ready" and refusal is None)):
        suspensions = {leaf for leaf, _ in tender.suspended} | {
            hold.ref for hold in tender.holds if hold.reason == "directive"
        }
        rule = None if ref in suspensions else "E-80" if tender.publicity_from else "E-13"
        raise Refused("process_held", rule=rule, ref=ref, kind=kind)
    return tender


def _amended(tender: Tender, act: Mapping[str, Any], at: datetime, leaf: str) -> Tender:
    if act["kind"] == "amendment":
        if act["version"] != tender.amendments + 1:
            raise Refused("amendment_out_of_order", version=act["version"], expected=tender.amendments + 1)
        tender = replace(tender, amendments=act["version"])
    if act["deadline"] is None:
        return tender
    new = world.instant(act["deadline"])
    if new <= tender.deadline or new <= at:
        raise Refused("deadline_not_later", deadline=act["deadline"], was=world.stamp(tender.deadline))
    if tender.held_by is None and at >= tender.deadline:
        raise Refused("deadline_already_passed", rule="E-09", was=world.stamp(tender.deadline))
    return replace(tender, deadlines=(*tender.deadlines, Deadline(new, at, leaf)))


def _flagged(tender: Tender, act: Mapping[str, Any], at: datetime, leaf: str) -> Tender:
    match act["kind"]:
        case "objection":
            return replace(tender, objections=(*tender.objections, Objection(leaf, act["stage"], at)))
        case "answer":
            if act["objection"] not in {objection.leaf for objection in tender.open_objections}:
                raise Refused("objection_unknown", objection=act["objection"])
            answered = (
                replace(objection, answered_at=at) if objection.leaf == act["objection"] else objection
                for objection in tender.objections
            )
            return replace(tender, objections=tuple(answered))
        case "hold":
            if act["ref"] in {hold.ref for hold in tender.holds}:
                raise Refused("hold_repeated", ref=act["ref"])
            hold = Hold(act["ref"], act["reason"], act["stage"], at, act["left_s"])
            return replace(tender, holds=(*tender.holds, hold))
        case "resume":
            return _resumed(tender, act, at)
        case _:
            if act["what"] == "suspend":
                return replace(tender, suspended=(*tender.suspended, (leaf, at)))
            return replace(tender, suspended=()) if act["what"] == "resume" else tender


def _resumed(tender: Tender, act: Mapping[str, Any], at: datetime) -> Tender:
    hold = next((hold for hold in tender.holds if hold.ref == act["ref"]), None)
    if hold is None:
        raise Refused("hold_unknown", ref=act["ref"])
    causes = {leaf for leaf, _ in tender.suspended} | {objection.leaf for objection in tender.open_objections}
    if hold.ref in causes:
        raise Refused("process_held", rule="E-80" if tender.publicity_from else "E-13", ref=hold.ref, kind="resume")
    until = world.instant(act["until"])
    left = (until - at).total_seconds()
    if tender.state is State.BIDDING and (until != tender.deadline or left < hold.left_s):
        raise Refused("deadline_after_hold_too_early", rule="E-13", until=act["until"], left_s=hold.left_s)
    if tender.state is State.PUBLICITY and left < hold.left_s:
        raise Refused("publicity_after_hold_too_short", rule="E-80", until=act["until"], left_s=hold.left_s)
    tender = replace(tender, holds=tuple(other for other in tender.holds if other is not hold))
    if tender.state is not State.PUBLICITY:
        return tender
    assert tender.publicity_until is not None, "publicity has an end"
    return replace(tender, publicity_until=max(until, tender.publicity_until))


def _ended(tender: Tender, act: Mapping[str, Any], at: datetime, leaf: str) -> Tender:
    match act["kind"]:
        case "close":
            # Which of the deadlines given is in force depends on who witnessed it when (release.md §3); before the last
            # of them nothing closes.
            given = {each.deadline for each in tender.deadlines}
            if world.instant(act["deadline"]) not in given or not lifecycle.may_close(tender, at):
                raise Refused("close_too_early", rule="E-50", deadline=world.stamp(tender.deadline))
            return replace(tender, state=State.CLOSED, closed_at=at)
        case "freeze":
            if tender.state is not State.CLOSED and act["supplements"] != tender.freeze:
                raise Refused("freeze_supplements_another", supplements=act["supplements"])
            state = State.FROZEN if tender.state in (State.CLOSED, State.FROZEN) else State.OPENING
            state = State.SHORT if act["n"] < tender.bids_min else state
            # READY speaks of one freeze; a corrected one needs it again.
            return replace(tender, state=state, freeze=leaf, frozen_at=at, bids=act["n"], ready=())
        case "failed":
            _check_failed(tender, act["reason"])
            return replace(tender, state=State.FAILED, ended_because=act["reason"], ended_at=at)
        case _:
            return replace(tender, state=State.TERMINATED, ended_because=act["reason"], ended_at=at)


def _check_failed(tender: Tender, reason: str) -> None:
    """A failure must be the one the state allows: `failed` is nobody's discretion."""
    few = tender.stop_if_few_after_opening and tender.valid is not None and tender.valid < tender.bids_min
    fitting = {
        "fewer_than_bids_min": tender.state is State.SHORT,
        "fewer_after_opening": tender.state is State.OPENED and few,
        "draw_failed": tender.state in (State.OPENED, State.EVALUATING),
        "all_rejected": tender.state in (State.EVALUATING, State.REPORT_DRAFT, State.REPORT_SUBMITTED),
        "no_candidate_left": tender.state in (State.AWARDABLE, State.AWARDED)
        and {candidate.rank for candidate in tender.candidates}
        <= {*tender.passed_over, *([tender.award.rank] if tender.award else [])},
    }
    if not fitting.get(reason, False):
        raise Refused("failure_without_its_reason", reason=reason, state=tender.state.value)


def _opened(tender: Tender, act: Mapping[str, Any], at: datetime) -> Tender:
    if act["freeze"] != tender.freeze:
        raise Refused("act_of_another_freeze", kind=act["kind"], freeze=act["freeze"])
    match act["kind"]:
        case "ready":
            seat = (act["lock"], act["index"])
            if act["refusal"] is not None or seat in tender.ready:
                return tender
            return replace(tender, ready=(*tender.ready, seat))
        case "release":
            if not tender.locks_ready:
                raise Refused("release_before_every_lock_is_ready", rule="E-39")
            return replace(tender, state=State.OPENING) if tender.state is State.FROZEN else tender
        case "verdict":
            return replace(tender, verdicts=act["verdicts_hash"], valid=act["valid"])
        case _:
            if tender.verdicts is None or act["n"] != tender.valid:
                raise Refused("opened_before_the_last_verdict", rule="E-58", n=act["n"])
            return replace(tender, state=State.OPENED, opened_at=at)


def _drawn(tender: Tender, act: Mapping[str, Any], leaf: str) -> Tender:
    match act["kind"]:
        case "draw_pool":
            return replace(tender, draw_id=act["draw_id"], draw_pool=leaf, draw_close=None)
        case "draw_close":
            if act["draw_id"] != tender.draw_id or act["pool"] != tender.draw_pool:
                raise Refused("draw_unknown", draw_id=act["draw_id"])
            return replace(tender, draw_close=leaf)
        case "draw_result":
            if act["draw_id"] != tender.draw_id or act["close"] != tender.draw_close:
                raise Refused("draw_unknown", draw_id=act["draw_id"])
            return replace(tender, seats=tuple(seat["masked"] for seat in act["seats"]), signed_in=())
        case "recusal":
            if act["out"] not in tender.seats or act["in"] in tender.seats:
                raise Refused("recusal_of_no_seat", rule="E-67", seat=act["seat"])
            seats = tuple(act["in"] if masked == act["out"] else masked for masked in tender.seats)
            here = tuple(masked for masked in tender.signed_in if masked != act["out"])
            return replace(tender, seats=seats, signed_in=here)
        case _:
            return _signed_in(tender, act["masked"])


def _signed_in(tender: Tender, masked: str) -> Tender:
    if tender.stop_if_few_after_opening and (tender.valid or 0) < tender.bids_min:
        raise Refused("too_few_bids_after_opening", rule="E-57", valid=tender.valid, bids_min=tender.bids_min)
    sent = sum(here not in tender.seats for here in tender.signed_in)  # representatives are sent, not drawn
    seated = masked in tender.seats or sent < tender.panel_members - len(tender.seats)
    if masked in tender.signed_in or not seated:
        raise Refused("sign_in_of_no_seat", rule="E-63", masked=masked)
    # Sorted: two who came in the same millisecond stand in the log in either order, and the fold is the same.
    here = tuple(sorted((*tender.signed_in, masked)))
    state = State.EVALUATING if len(here) >= tender.panel_members else tender.state
    return replace(tender, signed_in=here, state=state)


def _awarded(tender: Tender, act: Mapping[str, Any], at: datetime) -> Tender:
    match act["kind"]:
        case "publicity":
            candidates = tuple(
                Candidate(
                    row["rank"], row["bid"], row["bidder"]["uscc"], row["price_fen"], row["period_days"], row["quality"]
                )
                for row in act["candidates"]
            )
            start, end = world.instant(act["from"]), world.instant(act["until"])
            return replace(
                tender, state=State.PUBLICITY, publicity_from=start, publicity_until=end, candidates=candidates
            )
        case "award":
            award = Award(act["rank"], act["bid"], act["bidder"]["uscc"], act["price_fen"], at)
            return replace(tender, state=State.AWARDED, award=award)
        case "award_void":
            assert tender.award is not None, "only an award can be void"
            passed = (*tender.passed_over, tender.award.rank)
            return replace(tender, state=State.AWARDABLE, passed_over=passed, award=None)
        case "contract":
            return replace(tender, state=State.CONTRACTED, contracted_at=at)
        case _:
            return replace(tender, regulator_report_at=at)
