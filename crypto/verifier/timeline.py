"""What the acts make of time: the calendar that was pinned, the deadline in force, publicity's end, and what holds.

The verifier's own counting (it shares no code with trading/): T-01 the first day is not counted, T-02 a limit to act
rolls over days off and a minimum period does not. An extension counts only if it was witnessed before the deadline it
replaces (docs/spec/release.md §3). Legal days are days in Asia/Shanghai (+08:00).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from typing import Any, Final

from crypto.verifier.anchors import Case
from crypto.verifier.findings import CLOCKWORK, PLATFORM, fail, need
from crypto.verifier.shown import Act, Bundle, Event

CHINA: Final = timezone(timedelta(hours=8))
DAY: Final = timedelta(days=1)
SECOND: Final = timedelta(seconds=1)
OUTAGE: Final = "outage"
# A year without a holiday notice knows only the days whose date is fixed (全国年节及纪念日放假办法).
FIXED_DAYS_OFF: Final = frozenset({(1, 1), (5, 1), (5, 2), (10, 1), (10, 2), (10, 3)})


@dataclass(frozen=True, slots=True)
class Calendar:
    """The pinned calendar: days off and weekend days worked, by year."""

    off: Mapping[int, frozenset[date]]
    on: frozenset[date]

    @classmethod
    def of(cls, rulebook: Mapping[str, Any]) -> Calendar:
        """Read from the rulebook object; a year without a table is a stand-in with the fixed days."""
        off = {row["year"]: frozenset(map(date.fromisoformat, row["off"])) for row in rulebook["calendar"]}
        return cls(off, frozenset(date.fromisoformat(day) for row in rulebook["calendar"] for day in row["on"]))

    def works(self, day: date) -> bool:
        """Whether the day is a working day."""
        if day in self.on:
            return True
        off = day in self.off[day.year] if day.year in self.off else (day.month, day.day) in FIXED_DAYS_OFF
        return day.weekday() < 5 and not off

    def end(self, start: date, count: int, unit: str) -> date:
        """The count-th day after `start`, which is not counted (T-01)."""
        if unit == "day":
            return start + count * DAY
        day = start
        while count:
            day += DAY
            count -= self.works(day)
        return day

    def last_to_act(self, start: date, count: int, unit: str) -> date:
        """The last day of a time limit: rolled to the next working day (T-02)."""
        day = self.end(start, count, unit)
        while not self.works(day):
            day += DAY
        return day


@dataclass(slots=True)
class Timeline:
    """What the acts make of time: the deadline in force, publicity's end, and what holds, act by act."""

    deadline: datetime
    publicity_until: datetime | None = None
    held: dict[str, Act] = field(default_factory=dict)
    suspended: bool = False
    void: list[Act] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return bool(self.held) or self.suspended


def legal_day(instant: datetime) -> date:
    """The date in Asia/Shanghai."""
    return instant.astimezone(CHINA).date()


def timeline(case: Case, *, until: int | None = None) -> Timeline:
    """The timeline over the acts with an index below `until` (all when None). Raises Failed."""
    last = Timeline(case.bundle.tender.moment("deadline"))
    for _, state in walk(case, until=until):
        last = state
    return last


def walk(case: Case, *, until: int | None = None) -> Iterator[tuple[Act, Timeline]]:
    """Every act of the tender, those with an index below `until`, with the timeline after it (one object that changes).

    Raises Failed.
    """
    now = Timeline(case.bundle.tender.moment("deadline"))
    for act in case.bundle.acts:
        if until is not None and act.index >= until:
            return
        match act.kind:
            case "amendment" | "deadline" if act["deadline"] is not None:
                if _admissible(case, act, now):
                    now.deadline = act.moment("deadline")
                else:
                    now.void.append(act)
            case "hold":
                need(act["ref"] not in now.held, "second_hold_for_one_cause", event=act.leaf, culprit=CLOCKWORK)
                _check_left(case, act, now)
                now.held[act["ref"]] = act
            case "resume":
                _resume(act, now)
            case "directive" if act["what"] in ("suspend", "resume"):
                now.suspended = act["what"] == "suspend"
            case "publicity":
                now.publicity_until = act.moment("until")
            case _:
                pass
        yield act, now


def limit(bundle: Bundle, name: str) -> tuple[int, str]:
    """(value, unit) of a limit of the pinned rulebook. Raises Failed when it has none of that name."""
    row = bundle.rulebook["limits"].get(name)
    if row is None:
        fail("rulebook_has_no_limit", name=name, event=bundle.tender.leaf, culprit=PLATFORM)
    return int(row["value"]), str(row["unit"])


def _admissible(case: Case, act: Act, now: Timeline) -> bool:
    """Later than the one it replaces, before close, and witnessed before that deadline; or logged while a hold lasts
    that was witnessed before it or that an outage caused; or in an outage that left no stamp (release.md §3)."""
    close = case.bundle.last("close")
    if act.moment("deadline") <= now.deadline or (close is not None and act.index > close.index):
        return False
    seen = [case.stamp(each.index) for each in (act, *now.held.values())]
    if seen[0] is None or any(at is not None and at < now.deadline for at in seen):
        return True
    stamps = [quorum.complete_at for quorum in map(case.quorum, case.bundle.notes) if quorum is not None]
    silent = [
        each
        for each in case.bundle.of("incident")
        if each["what"] == OUTAGE
        and (close is None or each.index < close.index)
        and each.moment("from") <= now.deadline <= each.moment("to")
        and not any(each.moment("from") <= at <= each.moment("to") for at in stamps)
    ]
    if any((hold["ref"], hold["reason"]) == (each.leaf, OUTAGE) for hold in now.held.values() for each in silent):
        return True
    return act.at < now.deadline and any(each.index > act.index for each in silent)


def _check_left(case: Case, act: Act, now: Timeline) -> None:
    """What was left counts from the cause, which may be older than its hold: never less than at the hold, and never
    more than at the cause, or where the view does not show that, when the period began. A second is rounding."""
    end = now.deadline if act["stage"] == "bidding" else now.publicity_until
    if end is None:
        fail("hold_of_publicity_that_has_not_begun", event=act.leaf, culprit=CLOCKWORK)
    shown: list[Act | Event] = [*case.bundle.acts, *case.bundle.events]
    cause = next((one for one in shown if one.leaf == act["ref"]), None)
    periods = [case.bundle.tender] if act["stage"] == "bidding" else case.bundle.of("publicity")
    begun = max((one.at for one in periods if one.at <= act.at), default=act.at)
    since = min(act.at, begun if cause is None else cause.at)
    least, most = (max((end - at).total_seconds(), 0) for at in (act.at, since))
    need(
        least - 1 <= act["left_s"] <= most + 1,
        "seconds_were_left_not",
        left=int(least if cause is None else most),
        left_s=act["left_s"],
        event=act.leaf,
        culprit=CLOCKWORK,
    )


def _resume(act: Act, now: Timeline) -> None:
    hold = now.held.pop(act["ref"], None)
    if hold is None:
        fail("resume_without_its_hold", event=act.leaf, culprit=CLOCKWORK)
    until = act.moment("until")
    long_enough = until - act.at >= hold["left_s"] * SECOND - SECOND
    need(long_enough, "less_time_after_hold_than_before_it", event=act.leaf, culprit=CLOCKWORK)
    if hold["stage"] == "bidding":
        need(until == now.deadline, "resume_does_not_give_deadline_in_force", event=act.leaf, culprit=CLOCKWORK)
    elif now.publicity_until is not None:
        now.publicity_until = max(until, now.publicity_until)
