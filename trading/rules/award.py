"""From the evaluation to the contract: what may be recommended, published, awarded and signed.

E-73 fewer than three valid bids need a reasoned decision, E-74 all rejected means a new tender, E-75 at most three
ranked candidates, E-78 and E-79 publicity, E-80 objections hold the award, E-81 the first wins unless a listed ground
passes it over, E-83 only a candidate wins, E-85 everybody is told at once, E-86 the report, E-87 and E-88 the
contract. 法 §42-47, §57; 条例 §53-57; 12号令 §27."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from crypto.refusal import Refused
from storage import world
from trading import calendar, lifecycle
from trading.fold import check_not_held
from trading.lifecycle import State
from trading.rulebook import Rulebook
from trading.rules.schedule import check_on_time
from trading.tender import Candidate, Tender

# 条例 §55: only on these grounds may a state-controlled project pass over a candidate.
GROUNDS = ("gives_up", "force_majeure", "no_performance_bond", "proven_illegality")


@dataclass(frozen=True)
class ResultNotice:
    """One result notice: to whom, and at which instant it was made ready for reading."""

    uscc: str
    at: datetime


@dataclass(frozen=True)
class Contract:
    """What a contract says of the things that must not differ from the bid (条例 §57)."""

    bid: str
    price_fen: int
    period_days: int
    quality: str


def check_competition(valid: int, *, reasoning: str | None, rulebook: Rulebook) -> int:
    """E-73: with fewer than three valid bids the panel says in writing whether competition is lacking."""
    if 0 < valid < rulebook.market.competition_bids_min.value and not (reasoning or "").strip():
        raise Refused("competition_not_reasoned", rule="E-73", valid=valid)
    return valid


def check_not_all_rejected(valid: int) -> int:
    """E-74: when every bid is rejected there is nothing to recommend; the owner tenders again."""
    if valid <= 0:
        raise Refused("all_bids_rejected", rule="E-74")
    return valid


def check_candidates(candidates: Sequence[tuple[int, str]], *, ranking: Sequence[str], limit: int) -> int:
    """E-75: `candidates` = (rank, bid), at most `limit`, ranked 1, 2, 3 in the order of the panel's `ranking`.
    Returns how many there are."""
    if not 1 <= len(candidates) <= limit:
        raise Refused("too_many_candidates", rule="E-75", candidates=len(candidates), limit=limit)
    expected = [(rank, bid) for rank, bid in enumerate(ranking[: len(candidates)], start=1)]
    if list(candidates) != expected:
        raise Refused("candidates_not_as_ranked", rule="E-75", expected=[bid for _, bid in expected])
    return len(candidates)


def check_publicity_in_time(
    tender: Tender, *, now: datetime, rulebook: Rulebook, late_because: str | None = None
) -> date:
    """E-78: candidates are public within 3 days of the report; later only with a reason. Returns the last day."""
    assert tender.report_at is not None, "publicity follows a report"
    limit = rulebook.market.candidates_publicity_days_max
    return check_on_time("publicity_late", tender.report_at, now, limit, rulebook, late_because)


def check_publicity(*, start: datetime, until: datetime, days: int, rulebook: Rulebook) -> datetime:
    """E-79: publicity lasts at least the law's days and the document's, the first day not counted, to the end of a
    legal day. Returns `until`; refuses publicity_too_short with the earliest lawful end."""
    limit = rulebook.market.publicity_days_min
    span = calendar.Span(max(days, limit.value))
    earliest = calendar.end_of(rulebook.calendar.earliest_end(calendar.legal_day(start), span))
    if until < earliest:
        raise Refused("publicity_too_short", rule="E-79", days=span.n, limit=limit.value, until=world.stamp(earliest))
    return until


def publicity_end(start: datetime, *, days: int, rulebook: Rulebook) -> datetime:
    """The end the hall proposes: the last day to object is moved over days off, as objecting is a limit to act
    (T-02)."""
    span = calendar.Span(max(days, rulebook.market.publicity_days_min.value))
    return calendar.end_of(rulebook.calendar.last_day_to_act(calendar.legal_day(start), span))


def check_award(tender: Tender, *, rank: int, bid: str, now: datetime) -> Candidate:
    """The candidate that may be awarded now. Raises, in this order: process_held (E-80), publicity_not_over (E-79),
    winner_not_a_candidate (E-83), candidate_passed_over (E-81), candidate_out_of_order (E-81)."""
    check_not_held(tender, "award")
    if lifecycle.at_instant(tender, now).state is not State.AWARDABLE:
        until = tender.publicity_until
        raise Refused("publicity_not_over", rule="E-79", until=None if until is None else world.stamp(until))
    found = next((one for one in tender.candidates if (one.rank, one.bid) == (rank, bid)), None)
    if found is None:
        raise Refused("winner_not_a_candidate", rule="E-83", rank=rank)
    if rank in tender.passed_over:
        raise Refused("candidate_passed_over", rule="E-81", rank=rank)
    before = [one.rank for one in tender.candidates if one.rank < rank and one.rank not in tender.passed_over]
    if tender.state_controlled and before:
        raise Refused("candidate_out_of_order", rule="E-81", rank=rank, first=min(before))
    return found


def check_void(tender: Tender, *, ground: str, evidence_hash: str | None) -> int:
    """E-81: an award is given up or undone only on a listed ground, with its evidence. Returns the rank passed over."""
    if tender.award is None:
        raise Refused("nothing_awarded", rule="E-81")
    if ground not in GROUNDS or not evidence_hash:
        raise Refused("award_void_without_ground", rule="E-81", ground=ground, grounds=list(GROUNDS))
    return tender.award.rank


def check_notices(
    notices: Sequence[ResultNotice], *, bidders: Sequence[str], winner: str, awarded: datetime
) -> Mapping[str, datetime]:
    """E-85: one result notice for every bidder, winner and losers, all at the instant of the award. Returns them by
    organisation."""
    told = {notice.uscc: notice.at for notice in notices}
    if winner not in bidders or set(told) != set(bidders) or len(told) != len(notices):
        raise Refused("result_notice_missing", rule="E-85", missing=sorted(set(bidders) - set(told)))
    if set(told.values()) != {awarded}:
        raise Refused("result_notices_not_at_once", rule="E-85", awarded=world.stamp(awarded))
    return told


def check_regulator_report(
    tender: Tender, *, now: datetime, rulebook: Rulebook, late_because: str | None = None
) -> date:
    """E-86: the written report goes to the regulator within 15 days of the award; later only with a reason."""
    limit = rulebook.market.regulator_report_days_max
    return check_on_time("regulator_report_late", _awarded(tender, "E-86"), now, limit, rulebook, late_because)


def check_contract_in_time(
    tender: Tender, *, now: datetime, rulebook: Rulebook, late_because: str | None = None
) -> date:
    """E-87: the contract is signed within 30 days of the award notice; later only with a reason."""
    limit = rulebook.market.contract_days_max
    return check_on_time("contract_late", _awarded(tender, "E-87"), now, limit, rulebook, late_because)


def check_contract(tender: Tender, contract: Contract) -> Contract:
    """E-88: target, price, period and quality of the contract are those of the awarded bid."""
    assert tender.award is not None, "a contract follows an award"
    candidate = next(one for one in tender.candidates if one.rank == tender.award.rank)
    bid = Contract(candidate.bid, candidate.price_fen, candidate.period_days, candidate.quality)
    differing = [
        name for name in ("bid", "price_fen", "period_days", "quality") if getattr(bid, name) != getattr(contract, name)
    ]
    if differing:
        raise Refused("contract_differs_from_bid", rule="E-88", fields=differing)
    return contract


def _awarded(tender: Tender, rule: str) -> datetime:
    if tender.award is None:
        raise Refused("nothing_awarded", rule=rule)
    return tender.award.at
