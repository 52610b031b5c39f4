"""The working calendar, and how legal days are counted.

Upholds T-01 (the start day is not counted), T-02 (a time limit to act that ends on a day off moves to the next
working day; a minimum period only asks end >= start + n), T-03 (以内 and 以上 include the number), T-04 (日 and 工作日
are never converted into each other), T-05 (State Council holiday notices are data, one table a year), T-06 (a data
message is received when it enters the system: 电子签名法 §11). Civil code §201-203. Legal days are days in
Asia/Shanghai, which has had no summer time since 1991: a fixed +08:00 is exact for every tender of this hall.

Whoever can edit a `calendar_<year>.toml` can move time limits counted in working days; they cannot move those of a
tender already published, because its calendar is pinned by hash in the TENDER act.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any, Literal

from crypto.refusal import Refused
from storage import world

CHINA = timezone(timedelta(hours=8))
ONE_DAY = timedelta(days=1)
SATURDAY = 5
TABLES = Path(__file__).parent
# 全国年节及纪念日放假办法 (2024): the days whose date does not depend on the moon. A provisional year knows only these.
FIXED_HOLIDAYS = ((1, 1), (5, 1), (5, 2), (10, 1), (10, 2), (10, 3))

Unit = Literal["day", "working_day"]


@dataclass(frozen=True)
class Span:
    """A legal length of time: `n` days (日) or working days (工作日). The unit is part of the value (T-04)."""

    n: int
    unit: Unit = "day"

    def __post_init__(self) -> None:
        assert self.n >= 0, "a legal span has no sign; before and after are said by the rule"

    def covers(self, other: Span) -> bool:
        """Whether this span is at least as long as the other, the bound included (T-03). Raises day_units_mixed."""
        if self.unit != other.unit:
            raise Refused("day_units_mixed", rule="T-04", one=self.unit, other=other.unit)
        return self.n >= other.n


@dataclass(frozen=True)
class Year:
    """One year of the State Council's table. `off` are days off that fall on working days or weekends, `on` are weekend
    days worked instead. A provisional year (暂定) has no notice yet."""

    year: int
    source: str
    provisional: bool
    off: frozenset[date]
    on: frozenset[date]

    def __post_init__(self) -> None:
        if not self.provisional and not self.source:
            raise Refused("calendar_year_without_notice", rule="T-05", year=self.year)
        for day in self.off | self.on:
            if day.year != self.year:
                raise Refused("calendar_day_of_another_year", rule="T-05", year=self.year, day=day.isoformat())
        for day in self.on:
            if day.weekday() < SATURDAY or day in self.off:
                raise Refused("calendar_make_up_day_wrong", rule="T-05", day=day.isoformat())


@dataclass(frozen=True)
class Calendar:
    """The years known, and the counting. Years without a table are provisional: weekends and fixed holidays only."""

    years: Mapping[int, Year]

    def year(self, number: int) -> Year:
        """The table of a year, or its provisional stand-in."""
        return self.years.get(number) or provisional_year(number)

    def is_working(self, day: date) -> bool:
        """Whether the day is worked: a weekday not off, or a weekend day worked instead."""
        table = self.year(day.year)
        if day in table.on:
            return True
        return day.weekday() < SATURDAY and day not in table.off

    def is_provisional(self, day: date) -> bool:
        """Whether the day lies in a year whose notice has not been entered."""
        return self.year(day.year).provisional

    def count(self, start: date, span: Span) -> date:
        """The last day of a span that starts on `start`, which itself is not counted (T-01). No rolling."""
        if span.unit == "day":
            return start + span.n * ONE_DAY
        day, left = start, span.n
        while left:
            day += ONE_DAY
            left -= self.is_working(day)
        return day

    def count_back(self, end: date, span: Span) -> date:
        """The latest day from which the span still fits before `end`: count(result, span) <= end."""
        if span.unit == "day":
            return end - span.n * ONE_DAY
        day, left = end, span.n
        while left:
            left -= self.is_working(day)
            day -= ONE_DAY
        return day

    def roll(self, day: date) -> date:
        """The day itself when worked, else the next working day (T-02)."""
        while not self.is_working(day):
            day += ONE_DAY
        return day

    def last_day_to_act(self, start: date, span: Span) -> date:
        """The last day of a time limit to act: counted from the next day, rolled over days off (T-01, T-02)."""
        return self.roll(self.count(start, span))

    def earliest_end(self, start: date, span: Span) -> date:
        """The earliest lawful end of a minimum period: start + n, not rolled (T-02)."""
        return self.count(start, span)

    def verify_period(self, start: date, span: Span, *, end: date, to_act: bool) -> date:
        """Recount a period somebody else computed, for instance in a notice. Returns its end, or raises:
        period_counts_its_first_day (T-01), period_ends_on_a_day_off (T-02), period_wrong (T-02)."""
        counted = self.count(start, span)
        if end < counted:
            raise Refused("period_counts_its_first_day", rule="T-01", start=start.isoformat(), end=counted.isoformat())
        if not to_act:
            return end
        if end == counted and end != self.roll(end):
            raise Refused("period_ends_on_a_day_off", rule="T-02", end=end.isoformat(), next=self.roll(end).isoformat())
        if end != self.roll(counted):
            raise Refused("period_wrong", rule="T-02", end=end.isoformat(), right=self.roll(counted).isoformat())
        return end

    def to_json(self) -> list[dict[str, Any]]:
        """Years ascending: {"year","source","provisional","off":[days],"on":[days]}."""
        return [
            {
                "year": table.year,
                "source": table.source,
                "provisional": table.provisional,
                "off": [day.isoformat() for day in sorted(table.off)],
                "on": [day.isoformat() for day in sorted(table.on)],
            }
            for table in sorted(self.years.values(), key=lambda table: table.year)
        ]


def load(folder: Path = TABLES) -> Calendar:
    """The calendar of every `calendar_<year>.toml` in the folder. Raises the refusals of Year."""
    return Calendar({table.year: table for table in map(_read_year, sorted(folder.glob("calendar_*.toml")))})


def from_json(years: Iterable[Mapping[str, Any]]) -> Calendar:
    """The inverse of to_json: a pinned calendar read back."""
    tables = [
        Year(
            year=row["year"],
            source=row["source"],
            provisional=row["provisional"],
            off=frozenset(map(date.fromisoformat, row["off"])),
            on=frozenset(map(date.fromisoformat, row["on"])),
        )
        for row in years
    ]
    return Calendar({table.year: table for table in tables})


def provisional_year(number: int) -> Year:
    """A year without a notice (暂定). Lunar holidays are missing, so what it gives can only be too early, and a
    deadline computed from it is recomputed with `never_earlier` when the notice is entered."""
    return Year(number, "", True, frozenset(date(number, *month_day) for month_day in FIXED_HOLIDAYS), frozenset())


def never_earlier(given: date, recomputed: date) -> date:
    """The day in force after a provisional year got its notice: a day once given is never taken back."""
    return max(given, recomputed)


def legal_day(instant: datetime) -> date:
    """The legal day of an instant: its date in Asia/Shanghai."""
    assert instant.tzinfo is not None, "instants are aware"
    return instant.astimezone(CHINA).date()


def start_of(day: date) -> datetime:
    """The first instant of a legal day, in UTC."""
    return datetime.combine(day, time(), CHINA).astimezone(UTC)


def end_of(day: date) -> datetime:
    """The first instant that no longer belongs to the legal day, in UTC."""
    return start_of(day + ONE_DAY)


def check_within(day: date, last: date, *, rule: str = "T-03", code: str = "time_limit_passed") -> date:
    """A day is within (以内) a limit when it is not later than its last day, the last day included (T-03)."""
    if day > last:
        raise Refused(code, rule=rule, day=day.isoformat(), last=last.isoformat())
    return day


def check_received(received_at: datetime, *, before: datetime, sent_at: datetime | None = None) -> datetime:
    """What counts is the instant a message entered the system, never the one the sender claims (T-06)."""
    if received_at >= before:
        raise Refused(
            "received_too_late",
            rule="T-06",
            received_at=world.stamp(received_at),
            before=world.stamp(before),
            sent_at=None if sent_at is None else world.stamp(sent_at),
        )
    return received_at


def _read_year(path: Path) -> Year:
    table = tomllib.loads(path.read_text("utf-8"))
    off: set[date] = set()
    on: set[date] = set()
    for holiday in table["holidays"]:
        length = (holiday["to"] - holiday["from"]).days + 1
        off.update(holiday["from"] + step * ONE_DAY for step in range(length))
        on.update(holiday["work"])
    return Year(table["year"], table["source"], table["provisional"], frozenset(off), frozenset(on))
