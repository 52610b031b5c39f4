"""The life of one lot in a construction open tender, as a table: which act may follow in which state, and why.

TRANSITIONS is the only list of what may happen (invariant I10). Its rows are numbered A1…A31 as the steps of a
construction tender are (prequalification A3', the re-check of A22, A30 and A32 are not built). Holds (an open
objection) and suspension (a directive, 20号令 §52) are flags beside the state: under them only WHILE_HELD may happen,
bids are still received, and no deadline fires. `due` returns what the clock alone will do and when; `clocks` returns
what persons owe and until when. Diagrams, the public flow chart (权力运行流程图) and the golden test are generated from
the table.

A row whose event is CLOCK needs no act: time alone brings it about (`state_at`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from storage import world
from trading import calendar

if TYPE_CHECKING:
    from trading.rulebook import Rulebook
    from trading.tender import Hold, Tender


class State(StrEnum):
    """Where a lot stands. The terminal states have no way out."""

    DRAFT = "draft"
    ENTRY_PENDING = "entry_pending"
    REGISTERED = "registered"
    BIDDING = "bidding"
    CLOSED = "closed"
    SHORT = "short"
    FROZEN = "frozen"
    OPENING = "opening"
    OPENED = "opened"
    EVALUATING = "evaluating"
    COMMITTED = "committed"
    REPORT_DRAFT = "report_draft"
    REPORT_SUBMITTED = "report_submitted"
    REVIEWED = "reviewed"
    PUBLICITY = "publicity"
    AWARDABLE = "awardable"
    AWARDED = "awarded"
    CONTRACTED = "contracted"
    FAILED = "failed"
    TERMINATED = "terminated"


CLOCK = "(clock)"
TERMINAL = frozenset({State.FAILED, State.TERMINATED})
AT_REST = TERMINAL | {State.CONTRACTED}
TALLY_AFTER = timedelta(hours=1)
"""After the last act of a tender: what was under way then has its place in the log by now."""


@dataclass(frozen=True)
class Transition:
    """`event` (a kind of docs/spec/acts.md, or CLOCK) leads from one state to another when `when` holds; `rules` are
    the rules whose guards the command asks first."""

    row: str
    frm: State
    event: str
    to: State
    when: str = ""
    rules: tuple[str, ...] = ()


def _rows() -> tuple[Transition, ...]:
    s = State
    t = Transition
    before_opening = (s.BIDDING, s.CLOSED, s.FROZEN)
    after_freeze = (s.FROZEN, s.OPENING, s.OPENED)
    panel_at_work = (s.OPENED, s.EVALUATING, s.COMMITTED)
    return (
        t("A1", s.DRAFT, "entry", s.ENTRY_PENDING),
        t("A2", s.ENTRY_PENDING, "entry_accepted", s.REGISTERED),
        # A3 and A4 are one act: on an electronic platform the documents are there the instant the notice is.
        t(
            "A3",
            s.REGISTERED,
            "tender",
            s.BIDDING,
            "",
            ("E-06", "E-07", "E-17", "E-19", "E-22", "E-50", "E-61", "E-69"),
        ),
        t("A5", s.BIDDING, "amendment", s.BIDDING, "later deadline if bids are affected late", ("E-09",)),
        t("A5", s.BIDDING, "deadline", s.BIDDING, "later only", ("E-09",)),
        t("A6", s.BIDDING, "objection", s.BIDDING, "in time", ("E-12",)),
        t("A7", s.BIDDING, "answer", s.BIDDING, "", ("E-13",)),
        t("A9", s.BIDDING, "close", s.CLOSED, "deadline and settle time passed, nothing holds", ("E-50",)),
        t("A9", s.CLOSED, "freeze", s.FROZEN, "bids >= bids_min", ("E-51",)),
        t("A10", s.CLOSED, "freeze", s.SHORT, "bids < bids_min", ("E-51",)),
        t("A10", s.SHORT, "failed", s.FAILED, "fewer_than_bids_min", ("E-51",)),
        t("A11", s.FROZEN, "freeze", s.FROZEN, "corrects a freeze before the opening", ("E-51",)),
        t("A11", s.OPENING, "freeze", s.OPENING, "supplementary: an omission found later", ("E-51",)),
        t("A11", s.OPENED, "freeze", s.OPENING, "supplementary: an omission found later", ("E-51",)),
        *(t("A11", state, "refused", state) for state in (s.SHORT, *after_freeze)),
        *(t("A11", state, "ready", state) for state in (*after_freeze, s.EVALUATING)),
        *(t("A11", state, "rescue", state) for state in (s.FROZEN, s.OPENING)),
        t("A11", s.FROZEN, "release", s.OPENING, "every lock ready", ("E-52",)),
        *(t("A11", state, "release", state) for state in (s.OPENING, s.OPENED, s.EVALUATING)),
        t("A11", s.OPENING, "verdict", s.OPENING),
        t("A13", s.OPENING, "opened", s.OPENED, "after the last verdict", ("E-58", "E-59")),
        t("A12", s.OPENED, "failed", s.FAILED, "fewer_after_opening and the document says stop", ("E-57",)),
        *(t("A14", state, "draw_pool", state) for state in (*before_opening, s.OPENING, *panel_at_work)),
        *(t("A14", state, "draw_close", state) for state in (*before_opening, s.OPENING, *panel_at_work)),
        *(
            t("A14", state, "draw_result", state, "after the freeze", ("E-61",))
            for state in (*after_freeze, s.EVALUATING)
        ),
        *(t("A14", state, "failed", s.FAILED, "draw_failed") for state in (s.OPENED, s.EVALUATING)),
        t("A15", s.OPENED, "sign_in", s.OPENED, "seats still empty", ("E-57", "E-65", "E-67")),
        t("A15", s.OPENED, "sign_in", s.EVALUATING, "every seat signed in", ("E-57", "E-65", "E-67")),
        t("A16", s.EVALUATING, "sign_in", s.EVALUATING, "a replacement", ("E-67",)),
        *(t("A16", state, "recusal", state, "", ("E-67",)) for state in (*after_freeze, s.EVALUATING)),
        t("A20", s.EVALUATING, "scores_committed", s.COMMITTED, "every sheet locked", ("E-69",)),
        t("A20", s.COMMITTED, "scores_locked", s.REPORT_DRAFT, "", ("E-69",)),
        *(
            t("A19", state, "failed", s.FAILED, "all_rejected", ("E-73", "E-74"))
            for state in (s.EVALUATING, s.REPORT_DRAFT, s.REPORT_SUBMITTED)
        ),
        t("A21", s.REPORT_DRAFT, "report", s.REPORT_SUBMITTED, "signed, or dissent in writing", ("E-76",)),
        t("A22", s.REPORT_SUBMITTED, "review", s.REVIEWED),
        t("A23", s.REVIEWED, "publicity", s.PUBLICITY, "", ("E-75", "E-78", "E-79")),
        t("A24", s.PUBLICITY, "objection", s.PUBLICITY, "during publicity", ("E-80",)),
        t("A24", s.PUBLICITY, "answer", s.PUBLICITY, "", ("E-80",)),
        t("A25", s.PUBLICITY, CLOCK, s.AWARDABLE, "publicity over, nothing holds", ("E-79", "E-80")),
        t("A26", s.AWARDABLE, "award", s.AWARDED, "", ("E-81", "E-83", "E-85")),
        t("A27", s.AWARDED, "award_void", s.AWARDABLE, "a candidate is left", ("E-81",)),
        *(t("A27", state, "failed", s.FAILED, "no_candidate_left", ("E-81",)) for state in (s.AWARDABLE, s.AWARDED)),
        t("A28", s.AWARDED, "contract", s.CONTRACTED, "", ("E-87", "E-88")),
        *(t("A29", state, "regulator_report", state, "", ("E-86",)) for state in (s.AWARDED, s.CONTRACTED)),
        *(t("A31", state, "terminate", s.TERMINATED) for state in before_opening),
    )


TRANSITIONS = _rows()

# Acts that change a flag, or nothing, and may stand in every state from the notice on to the contract.
ANYWHERE = frozenset({"hold", "resume", "directive", "incident"})
# What follows when a tender rests: how many private acts there were, said in public (docs/spec/acts.md §3).
AFTERWARDS = frozenset({"tally"})
# What may happen while something holds. Bids are received and withdrawn (they are not acts of the state), owners answer
# and amend, trustees may say why they refuse; nothing opens, nothing is decided.
WHILE_HELD = ANYWHERE | AFTERWARDS | {"objection", "answer", "amendment", "deadline", "terminate", "refused", "ready"}

# Who brings each event about: roles of docs/spec/acts.md.
CAUSED_BY: dict[str, tuple[str, ...]] = {
    "entry": ("owner", "agent"),
    "entry_accepted": ("centre",),
    "tender": ("owner", "agent"),
    "amendment": ("owner", "agent"),
    "deadline": ("owner", "agent"),
    "objection": ("bidder",),
    "answer": ("owner", "agent"),
    "hold": ("clockwork",),
    "resume": ("clockwork",),
    "incident": ("clockwork",),
    "tally": ("clockwork",),
    "directive": ("supervisor",),
    "terminate": ("owner", "agent"),
    "close": ("clockwork",),
    "freeze": ("clockwork",),
    "refused": ("clockwork",),
    "failed": ("clockwork",),
    "ready": ("trustee",),
    "rescue": ("bidder",),
    "release": ("trustee",),
    "verdict": ("opening",),
    "opened": ("opening",),
    "draw_pool": ("clockwork",),
    "draw_close": ("clockwork",),
    "draw_result": ("clockwork",),
    "recusal": ("clockwork",),
    "sign_in": ("expert", "owner_representative"),
    "scores_committed": ("clockwork",),
    "scores_locked": ("clockwork",),
    "report": ("clockwork",),
    "review": ("owner", "agent"),
    "publicity": ("owner", "agent"),
    CLOCK: (),
    "award": ("owner", "agent"),
    "award_void": ("owner", "agent"),
    "contract": ("owner", "agent"),
    "regulator_report": ("owner", "agent"),
}


def ways(state: State, event: str) -> tuple[State, ...]:
    """The states an event may lead to from here; empty when it may not happen."""
    if event in ANYWHERE:
        before_notice = state in (State.DRAFT, State.ENTRY_PENDING, State.REGISTERED)
        return () if before_notice or state in TERMINAL else (state,)
    if event in AFTERWARDS:
        return (state,) if state in AT_REST else ()
    return tuple(row.to for row in TRANSITIONS if row.frm is state and row.event == event)


@dataclass(frozen=True)
class Due:
    """An act that the clock owes: its kind, from which instant, under which rule, and the fields it will carry."""

    event: str
    at: datetime
    rule: str
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Clock:
    """A time limit that a person has: what, until the end of which instant, under which rule and article."""

    what: str
    until: datetime
    rule: str
    article: str


def may_close(tender: Tender, at: datetime) -> bool:
    """Whether the deadline has fired at this instant: passed, settled, and nothing holds."""
    return tender.held_by is None and at >= tender.deadline + timedelta(seconds=tender.settle_s)


def at_instant(tender: Tender, at: datetime) -> Tender:
    """The tender as time alone has made it by `at`: row A25."""
    over = tender.publicity_until is not None and at >= tender.publicity_until
    if tender.state is State.PUBLICITY and over and tender.held_by is None:
        return replace(tender, state=State.AWARDABLE)
    return tender


def due(tender: Tender, *, now: datetime) -> tuple[Due, ...]:
    """What the clock alone will do next, soonest first; what has `at` <= now is owed now. What is due is a query: a
    restart loses nothing. Under a hold only holds and resumptions are due."""
    owed = [*_holds_due(tender), *_resumptions_due(tender, now)]
    if tender.held_by is None:
        few = tender.stop_if_few_after_opening and (tender.valid or 0) < tender.bids_min
        match tender.state:
            case State.BIDDING:
                closing = tender.deadline + timedelta(seconds=tender.settle_s)
                owed.append(Due("close", closing, "E-50", {"deadline": world.stamp(tender.deadline)}))
            case State.CLOSED if tender.closed_at is not None:
                owed.append(Due("freeze", tender.closed_at, "E-52"))
            case State.SHORT if tender.frozen_at is not None:
                owed.append(
                    Due("failed", tender.frozen_at, "E-51", {"reason": "fewer_than_bids_min", "n": tender.bids})
                )
            case State.OPENED if few and tender.opened_at is not None:
                fields = {"reason": "fewer_after_opening", "n": tender.valid}
                owed.append(Due("failed", tender.opened_at, "E-57", fields))
            case _:
                pass
    rests = tender.rests_since
    if rests is not None and (tender.tallied_at is None or tender.tallied_at <= rests):
        owed.append(Due("tally", rests + TALLY_AFTER, "E-97"))
    return tuple(sorted(owed, key=lambda item: item.at))


def clocks(tender: Tender, *, rulebook: Rulebook) -> tuple[Clock, ...]:
    """What persons still owe, soonest first. A limit that has passed stays in the list until it is done: it is late,
    with a reason, never impossible."""
    market, days = rulebook.market, rulebook.calendar
    owed = []
    for objection in tender.open_objections:
        early = objection.stage == "bidding"
        limit = market.document_objection_answer_days_max if early else market.result_objection_answer_days_max
        owed.append(("answer", objection.at, limit))
    if tender.report_at is not None and tender.publicity_from is None:
        owed.append(("publicity", tender.report_at, market.candidates_publicity_days_max))
    if tender.award is not None and tender.regulator_report_at is None:
        owed.append(("regulator_report", tender.award.at, market.regulator_report_days_max))
    if tender.award is not None and tender.contracted_at is None:
        owed.append(("contract", tender.award.at, market.contract_days_max))
    told = (
        Clock(
            what,
            calendar.end_of(days.last_day_to_act(calendar.legal_day(start), limit.span)),
            limit.rule,
            limit.article,
        )
        for what, start, limit in owed
    )
    return tuple(sorted(told, key=lambda clock: clock.until))


def text() -> str:
    """The table as text, one row a line: the golden file, and what a reader compares with the law."""
    lines = [
        f"{row.row:<4}{row.frm.value:<17} --{row.event}--> {row.to.value:<17} {_why(row)}".rstrip()
        for row in TRANSITIONS
    ]
    lines += ["", "anywhere from the notice on:  " + " ".join(sorted(ANYWHERE))]
    lines += ["when the tender rests:        " + " ".join(sorted(AFTERWARDS))]
    lines += ["while something holds:        " + " ".join(sorted(WHILE_HELD)), ""]
    lines += [f"{event:<17} {' or '.join(roles) or 'time alone'}" for event, roles in CAUSED_BY.items()]
    return "\n".join(lines) + "\n"


def mermaid() -> str:
    """The same table as a Mermaid state diagram; acts that leave the state unchanged are left out."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.DRAFT.value}"]
    seen: dict[tuple[State, State], list[str]] = {}
    for row in TRANSITIONS:
        if row.frm is not row.to:
            label = row.event if row.event != CLOCK else "time"
            seen.setdefault((row.frm, row.to), []).append(label)
    for (frm, to), events in seen.items():
        lines.append(f"    {frm.value} --> {to.value}: {', '.join(dict.fromkeys(events))}")
    lines += [f"    {state.value} --> [*]" for state in (State.CONTRACTED, *sorted(TERMINAL))]
    return "\n".join(lines) + "\n"


def _why(row: Transition) -> str:
    rules = " ".join(row.rules)
    return f"[{row.when}] {rules}" if row.when else rules


def _holds_due(tender: Tender) -> list[Due]:
    """An objection or a suspension that no hold act covers yet: the hold is owed at once."""
    covered = {hold.ref for hold in tender.holds}
    since = [(objection.leaf, "objection", objection.at) for objection in tender.open_objections]
    since += [(ref, "directive", at) for ref, at in tender.suspended]
    return [
        Due(
            "hold",
            at,
            _hold_rule(tender),
            {"reason": reason, "ref": ref, "stage": _stage(tender), "left_s": left_s(tender, at)},
        )
        for ref, reason, at in since
        if ref not in covered
    ]


def _resumptions_due(tender: Tender, now: datetime) -> list[Due]:
    """A hold whose cause is gone. While bids are received the owner must first give a new deadline that leaves at least
    what was left; in publicity the end moves by itself, to the end of a legal day."""
    causes = {objection.leaf for objection in tender.open_objections} | {ref for ref, _ in tender.suspended}
    owed = []
    for hold in tender.holds:
        until = _until(tender, hold, now)
        if hold.ref not in causes and until is not None:
            fields = {"ref": hold.ref, "until": world.stamp(until)}
            owed.append(Due("resume", now, _hold_rule(tender), fields))
    return owed


def _until(tender: Tender, hold: Hold, now: datetime) -> datetime | None:
    earliest = now + timedelta(seconds=hold.left_s)
    if tender.state is State.BIDDING:
        # What an outage took is given back by a deadline of after it; trading/postponement.py says how much.
        given_back = hold.reason != "outage" or tender.deadlines[-1].given_at >= hold.at
        return tender.deadline if given_back and tender.deadline >= earliest else None
    if tender.state is State.PUBLICITY and tender.publicity_until is not None:
        if tender.publicity_until >= earliest:
            return tender.publicity_until
        return calendar.end_of(calendar.legal_day(earliest - timedelta(milliseconds=1)))
    return now


def left_s(tender: Tender, at: datetime) -> int:
    """Whole seconds left to the deadline or to the end of publicity at an instant; 0 where neither runs."""
    end = {State.BIDDING: tender.deadline, State.PUBLICITY: tender.publicity_until}.get(tender.state)
    return 0 if end is None else max(0, int((end - at).total_seconds()))


def _stage(tender: Tender) -> str:
    return "bidding" if tender.publicity_from is None else "publicity"


def _hold_rule(tender: Tender) -> str:
    return "E-13" if tender.publicity_from is None else "E-80"
