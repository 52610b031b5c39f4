"""The legal time limits of a lot on one line: what was done, what is due, what may be done until when, each with its
article (T-01 to T-07).

The days are counted as the guards count them, with the calendar and the limits that the tender pinned; so this line
never promises a day that a command would refuse. It is built from public acts and the clocks of the lifecycle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from storage.world import instant, stamp
from trading import calendar, lifecycle
from trading.lifecycle import State
from trading.rulebook import Limit, Rulebook
from trading.tender import Tender
from trading.tender_document import TenderDocument

Status = Literal["done", "next", "later", "late"]


@dataclass(frozen=True, slots=True)
class Step:
    """One point of the line. `at` is an instant in text form; `day` a legal day where the law counts days and nothing
    fixes an hour. `bound` is the other end the law sets: the earliest or the last lawful day. `status`: done, next
    (the first that is not done), later, late (its last day has passed)."""

    what: str
    at: str | None
    day: str | None
    bound: tuple[Literal["earliest", "latest"], str] | None
    rule: str
    article: str
    status: Status


def steps(
    tender: Tender, document: TenderDocument, acts: Sequence[Mapping[str, Any]], *, rulebook: Rulebook, now: datetime
) -> list[Step]:
    """The whole line of a lot, in the order of time. `acts` are its public acts in order."""
    market, days = rulebook.market, rulebook.calendar
    published, deadline = calendar.legal_day(tender.published_at), calendar.legal_day(tender.deadline)
    when = {act["kind"]: act["at"] for act in acts}
    made: list[tuple[str, Step]] = []

    def put(
        what: str,
        limit: Limit,
        *,
        at: str | None = None,
        day: date | None = None,
        bound: tuple[Literal["earliest", "latest"], date] | None = None,
        done: bool | None = None,
    ) -> None:
        end = instant(at) if at else calendar.end_of(day) if day else now
        passed = end <= now
        status: Status = "done" if (passed if done is None else done) else "late" if passed else "later"
        shown = None if bound is None else (bound[0], bound[1].isoformat())
        step = Step(what, at, day.isoformat() if day else None, shown, limit.rule, limit.article, status)
        made.append((stamp(end), step))

    put("notice", _law("E-07", "条例 §16"), at=stamp(tender.published_at))
    floor = days.earliest_end(published, market.document_days_min.span)
    put(
        "documents_until",
        market.document_days_min,
        at=document.schedule.documents_until,
        bound=("earliest", floor),
    )
    last = market.document_objection_days_min
    put("objection_to_document", last, day=days.count_back(deadline, last.span))
    late = market.clarification_days_min
    put("clarification_without_extension", late, day=days.count_back(deadline, late.span))
    earliest = days.earliest_end(published, market.tender_days_min.span)
    put("deadline", market.tender_days_min, at=stamp(tender.deadline), bound=("earliest", earliest))
    ended = tender.state in lifecycle.TERMINAL
    if "opened" in when or not ended:
        at = when.get("opened") or stamp(tender.deadline)
        put("opening", _law("E-50", "法 §34"), at=at, done="opened" in when)
    for objection in tender.objections:
        early = objection.stage == "bidding"
        limit = market.document_objection_answer_days_max if early else market.result_objection_answer_days_max
        due = days.last_day_to_act(calendar.legal_day(objection.at), limit.span)
        put("objection_filed", limit, at=stamp(objection.at))
        answered = objection.answered_at
        what = "objection_answered" if answered else "answer"
        if answered:
            put(what, limit, at=stamp(answered), bound=("latest", due))
        else:
            put(what, limit, day=due, done=False)
    if tender.report_at is not None:
        put("report", _law("E-76", "法 §40, 条例 §53"), at=stamp(tender.report_at))
        limit = market.candidates_publicity_days_max
        due = days.last_day_to_act(calendar.legal_day(tender.report_at), limit.span)
        if tender.publicity_from is not None:
            put("publicity", limit, at=stamp(tender.publicity_from), bound=("latest", due))
        elif not ended:
            put("publicity", limit, day=due, done=False)
    if tender.publicity_from is not None and tender.publicity_until is not None:
        floor = days.earliest_end(calendar.legal_day(tender.publicity_from), market.publicity_days_min.span)
        put("publicity_until", market.publicity_days_min, at=stamp(tender.publicity_until), bound=("earliest", floor))
    if tender.award is not None:
        put("award", _law("E-83", "法 §45"), at=stamp(tender.award.at))
        for what, limit, done_at in (
            ("regulator_report", market.regulator_report_days_max, tender.regulator_report_at),
            ("contract", market.contract_days_max, tender.contracted_at),
        ):
            due = days.last_day_to_act(calendar.legal_day(tender.award.at), limit.span)
            if done_at is not None:
                put(what, limit, at=stamp(done_at), bound=("latest", due))
            else:
                put(what, limit, day=due, done=False)
    if ended:
        over = next(act for act in reversed(acts) if act["kind"] in ("failed", "terminate"))
        law = _law("E-51", "法 §28, 条例 §44") if tender.state is State.FAILED else _law("", "条例 §31")
        put(tender.state.value, law, at=over["at"])
    line = [step for _, step in sorted(made, key=lambda pair: pair[0])]
    return _with_next(line)


def objection_until(tender: Tender, *, rulebook: Rulebook, now: datetime) -> tuple[str, str, str] | None:
    """What one may object to now, until which end (an instant in text form), under which article: ("document" |
    "opening" | "result", until, article). None where no objection is open."""
    market, days = rulebook.market, rulebook.calendar
    state = lifecycle.at_instant(tender, now).state
    if state is State.BIDDING:
        limit = market.document_objection_days_min
        end = calendar.end_of(days.count_back(calendar.legal_day(tender.deadline), limit.span))
        return ("document", stamp(end), limit.article) if now < end else None
    if state in (State.OPENING, State.OPENED):
        return "opening", "", "条例 §44"
    if state is State.PUBLICITY and tender.publicity_until is not None:
        return "result", stamp(tender.publicity_until), market.result_objection_answer_days_max.article
    return None


def _with_next(line: list[Step]) -> list[Step]:
    for number, step in enumerate(line):
        if step.status == "later":
            first = Step(step.what, step.at, step.day, step.bound, step.rule, step.article, "next")
            return [*line[:number], first, *line[number + 1 :]]
    return line


def _law(rule: str, article: str) -> Limit:
    """An article that sets no number of days."""
    return Limit(0, "day", rule, article)
