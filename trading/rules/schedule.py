"""The legal schedule of a tender: earliest and latest days, each with its rule and article, and the guards on them.

E-06, E-07 before the deadline; E-09 clarification or extension; E-12 objections to the document, E-13 their answer;
E-78 to E-80 publicity and objections to the result; E-86 report, E-87 contract. Days are counted by
trading/calendar.py from the calendar that the tender pinned. A limit for a person that has passed does not make the
act impossible: it asks for a reason, which the ledger keeps (the light stays red), because a late answer is better for
everybody than none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from crypto.refusal import Refused
from storage import world
from trading import calendar
from trading.rulebook import Limit, Rulebook
from trading.tender import Objection, Tender
from trading.tender_document import TenderDocument


@dataclass(frozen=True)
class Step:
    """One day of the legal schedule. `bound`: the lawful day is not before (earliest) or not after (latest) `day`.
    `provisional`: it was counted through a year whose holiday notice is not out; it may move later, never earlier."""

    what: str
    bound: Literal["earliest", "latest"]
    day: date
    rule: str
    article: str
    provisional: bool


def planned(document: TenderDocument, *, published: datetime, rulebook: Rulebook) -> tuple[Step, ...]:
    """The schedule of a document published at this instant, by day: what an owner sees before signing the notice."""
    market, notice = rulebook.market, calendar.legal_day(published)
    deadline = calendar.legal_day(document.schedule.at("deadline"))
    steps = [
        _earliest("documents_until", notice, market.document_days_min, rulebook),
        _earliest("deadline", notice, market.tender_days_min, rulebook),
        _latest_before("clarification_without_extension", deadline, market.clarification_days_min, rulebook),
        _latest_before("objection_to_document", deadline, market.document_objection_days_min, rulebook),
    ]
    return tuple(sorted(steps, key=lambda step: step.day))


def after_report(*, received: datetime, publicity_from: datetime, rulebook: Rulebook) -> tuple[Step, ...]:
    """From the evaluation report on: when candidates must be public, and the earliest end of publicity."""
    market = rulebook.market
    return (
        _latest("publicity", calendar.legal_day(received), market.candidates_publicity_days_max, rulebook),
        _earliest("publicity_until", calendar.legal_day(publicity_from), market.publicity_days_min, rulebook),
    )


def after_award(*, awarded: datetime, rulebook: Rulebook) -> tuple[Step, ...]:
    """From the award on: the report to the regulator and the contract."""
    day, market = calendar.legal_day(awarded), rulebook.market
    return (
        _latest("regulator_report", day, market.regulator_report_days_max, rulebook),
        _latest("contract", day, market.contract_days_max, rulebook),
    )


def earliest_deadline_after_amendment(now: datetime, rulebook: Rulebook) -> date:
    """The first lawful day of the deadline when bids are affected now (E-09)."""
    limit = rulebook.market.clarification_days_min
    return rulebook.calendar.earliest_end(calendar.legal_day(now), limit.span)


def check_amendment(
    tender: Tender, *, now: datetime, affects_bids: bool, new_deadline: datetime | None, rulebook: Rulebook
) -> datetime:
    """E-09: what may affect bids is told at least 15 days before the deadline, or the deadline moves. Returns the
    deadline in force afterwards. Raises amendment_too_late (fact `earliest` = the first lawful day),
    deadline_not_later."""
    deadline = tender.deadline if new_deadline is None else new_deadline
    if new_deadline is not None and new_deadline <= tender.deadline:
        raise Refused("deadline_not_later", rule="E-09", was=world.stamp(tender.deadline))
    if now >= tender.deadline and tender.held_by is None:
        raise Refused("deadline_already_passed", rule="E-09", was=world.stamp(tender.deadline))
    earliest = earliest_deadline_after_amendment(now, rulebook)
    if affects_bids and calendar.legal_day(deadline) < earliest:
        raise Refused("amendment_too_late", rule="E-09", given=world.stamp(deadline), earliest=earliest.isoformat())
    return deadline


def check_extension(tender: Tender, *, now: datetime, new_deadline: datetime) -> datetime:
    """A deadline only moves later (and, after a hold, leaves what was left). Raises deadline_not_later,
    deadline_already_passed, deadline_after_hold_too_early."""
    if new_deadline <= tender.deadline or new_deadline <= now:
        raise Refused("deadline_not_later", rule="E-09", was=world.stamp(tender.deadline))
    if now >= tender.deadline and tender.held_by is None:
        raise Refused("deadline_already_passed", rule="E-09", was=world.stamp(tender.deadline))
    left = max((hold.left_s for hold in tender.holds), default=0)
    if (new_deadline - now).total_seconds() < left:
        raise Refused("deadline_after_hold_too_early", rule="E-13", until=world.stamp(new_deadline), left_s=left)
    return new_deadline


def check_objection_to_document(
    tender: Tender, *, received: datetime, rulebook: Rulebook, sent: datetime | None = None
) -> date:
    """E-12: at least 10 days before the deadline in force. `received` is the hall's own clock (T-06); `sent` is what
    the sender claims, and does not count. Returns the last day on which it may come."""
    calendar.check_received(received, before=tender.deadline, sent_at=sent)
    limit = rulebook.market.document_objection_days_min
    last = rulebook.calendar.count_back(calendar.legal_day(tender.deadline), limit.span)
    return calendar.check_within(calendar.legal_day(received), last, rule=limit.rule, code="objection_too_late")


def check_objection_to_result(tender: Tender, *, received: datetime) -> datetime:
    """E-80: only while the candidates are public. Returns the end of publicity."""
    start, end = tender.publicity_from, tender.publicity_until
    if start is None or end is None or not start <= received < end:
        raise Refused("objection_outside_publicity", rule="E-80", until=None if end is None else world.stamp(end))
    return end


def check_answer(objection: Objection, *, now: datetime, rulebook: Rulebook, late_because: str | None = None) -> date:
    """E-13, E-80: within 3 days. Later only with a reason. Returns the last day of the limit."""
    market = rulebook.market
    early = objection.stage == "bidding"
    limit = market.document_objection_answer_days_max if early else market.result_objection_answer_days_max
    return check_on_time("answer_late", objection.at, now, limit, rulebook, late_because)


def check_on_time(
    code: str, since: datetime, now: datetime, limit: Limit, rulebook: Rulebook, late_because: str | None
) -> date:
    """The last day of a time limit to act; raises `code` under the limit's rule when it has passed and no reason for
    the delay is given."""
    last = rulebook.calendar.last_day_to_act(calendar.legal_day(since), limit.span)
    if calendar.legal_day(now) > last and not (late_because or "").strip():
        raise Refused(code, rule=limit.rule, last=last.isoformat(), article=limit.article)
    return last


def _earliest(what: str, start: date, limit: Limit, rulebook: Rulebook) -> Step:
    return _step(what, "earliest", rulebook.calendar.earliest_end(start, limit.span), limit, rulebook)


def _latest(what: str, start: date, limit: Limit, rulebook: Rulebook) -> Step:
    return _step(what, "latest", rulebook.calendar.last_day_to_act(start, limit.span), limit, rulebook)


def _latest_before(what: str, end: date, limit: Limit, rulebook: Rulebook) -> Step:
    return _step(what, "latest", rulebook.calendar.count_back(end, limit.span), limit, rulebook)


def _step(what: str, bound: Literal["earliest", "latest"], day: date, limit: Limit, rulebook: Rulebook) -> Step:
    return Step(what, bound, day, limit.rule, limit.article, rulebook.calendar.is_provisional(day))
