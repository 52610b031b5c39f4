"""Legal days: counting, rolling, units, the State Council's tables against an independent package, and receipt."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import chinese_calendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.refusal import Refused
from trading import calendar
from trading.calendar import Span, Year

CALENDAR = calendar.load()
DAYS = st.dates(date(2025, 1, 1), date(2026, 12, 31))


@pytest.mark.rule("T-01", "pass")
def test_start_day_is_not_counted() -> None:
    assert CALENDAR.earliest_end(date(2026, 3, 1), Span(20)) == date(2026, 3, 21)  # worked example X16
    end = date(2026, 3, 21)
    assert CALENDAR.verify_period(date(2026, 3, 1), Span(20), end=end, to_act=False) == end


@pytest.mark.rule("T-01", "refuse")
def test_period_that_counts_its_first_day_is_refused() -> None:
    with pytest.raises(Refused) as err:
        CALENDAR.verify_period(date(2026, 3, 1), Span(20), end=date(2026, 3, 20), to_act=False)
    assert (err.value.code, err.value.rule) == ("period_counts_its_first_day", "T-01")


@pytest.mark.rule("T-02", "pass")
def test_limit_to_act_rolls_over_the_holiday_and_a_minimum_period_does_not() -> None:
    # 3 days from 28 April 2026 end on 1 May; 1 to 5 May are off, 6 May is worked.
    assert CALENDAR.last_day_to_act(date(2026, 4, 28), Span(3)) == date(2026, 5, 6)
    assert CALENDAR.earliest_end(date(2026, 4, 28), Span(3)) == date(2026, 5, 1)
    assert CALENDAR.verify_period(date(2026, 4, 28), Span(3), end=date(2026, 5, 6), to_act=True) == date(2026, 5, 6)


@pytest.mark.rule("T-02", "refuse")
def test_limit_to_act_that_ends_on_a_day_off_is_refused() -> None:
    with pytest.raises(Refused) as err:
        CALENDAR.verify_period(date(2026, 4, 28), Span(3), end=date(2026, 5, 1), to_act=True)
    assert (err.value.code, err.value.rule) == ("period_ends_on_a_day_off", "T-02")
    with pytest.raises(Refused) as err:
        CALENDAR.verify_period(date(2026, 4, 28), Span(3), end=date(2026, 5, 7), to_act=True)
    assert (err.value.code, err.value.rule) == ("period_wrong", "T-02")


def test_make_up_sunday_is_worked_and_its_limit_does_not_roll() -> None:
    assert CALENDAR.is_working(date(2026, 1, 4))
    assert CALENDAR.roll(date(2026, 1, 4)) == date(2026, 1, 4)


@pytest.mark.rule("T-03", "pass")
def test_within_includes_the_last_day() -> None:
    assert calendar.check_within(date(2026, 3, 5), date(2026, 3, 5)) == date(2026, 3, 5)
    assert Span(20).covers(Span(20))


@pytest.mark.rule("T-03", "refuse")
def test_the_day_after_the_last_is_not_within() -> None:
    with pytest.raises(Refused) as err:
        calendar.check_within(date(2026, 3, 6), date(2026, 3, 5))
    assert err.value.rule == "T-03"


@pytest.mark.rule("T-04", "pass")
def test_days_compare_with_days() -> None:
    assert not Span(19).covers(Span(20))


@pytest.mark.rule("T-04", "refuse")
def test_days_are_never_converted_into_working_days() -> None:
    with pytest.raises(Refused) as err:
        Span(20).covers(Span(5, "working_day"))
    assert err.value.rule == "T-04"


@pytest.mark.rule("T-05", "pass")
@pytest.mark.parametrize("year", [2025, 2026])
def test_tables_equal_the_independent_calendar_on_every_day(year: int) -> None:
    day = date(year, 1, 1)
    while day.year == year:
        assert CALENDAR.is_working(day) == chinese_calendar.is_workday(day), day
        day += timedelta(days=1)
    assert CALENDAR.year(year).source.startswith("国办发明电")
    assert not CALENDAR.year(year).provisional


@pytest.mark.rule("T-05", "refuse")
def test_year_without_a_notice_is_refused_unless_provisional() -> None:
    with pytest.raises(Refused) as err:
        Year(2027, "", False, frozenset(), frozenset())
    assert err.value.rule == "T-05"
    for off, on in ((date(2026, 1, 1), None), (None, date(2027, 1, 5))):
        with pytest.raises(Refused) as err:
            Year(2027, "x", False, frozenset({off} if off else ()), frozenset({on} if on else ()))
        assert err.value.rule == "T-05"


def test_year_to_come_is_provisional_and_never_makes_a_day_earlier() -> None:
    assert CALENDAR.is_provisional(date(2031, 5, 1))
    assert not CALENDAR.is_working(date(2031, 10, 1))
    assert calendar.never_earlier(date(2027, 2, 10), date(2027, 2, 8)) == date(2027, 2, 10)
    assert calendar.never_earlier(date(2027, 2, 10), date(2027, 2, 15)) == date(2027, 2, 15)


@pytest.mark.rule("T-06", "pass")
def test_received_a_millisecond_before_the_deadline_is_in_time() -> None:
    deadline = datetime(2026, 3, 26, 1, 0, tzinfo=UTC)
    received = deadline - timedelta(milliseconds=1)
    assert calendar.check_received(received, before=deadline) == received


@pytest.mark.rule("T-06", "refuse")
def test_sent_in_time_but_received_at_the_deadline_is_late() -> None:
    deadline = datetime(2026, 3, 26, 1, 0, tzinfo=UTC)
    with pytest.raises(Refused) as err:
        calendar.check_received(deadline, before=deadline, sent_at=deadline - timedelta(minutes=5))
    assert err.value.rule == "T-06"


def test_legal_day_begins_at_midnight_in_shanghai() -> None:
    assert calendar.legal_day(datetime(2026, 3, 1, 15, 59, tzinfo=UTC)) == date(2026, 3, 1)
    assert calendar.legal_day(datetime(2026, 3, 1, 16, 0, tzinfo=UTC)) == date(2026, 3, 2)
    assert calendar.end_of(date(2026, 3, 1)) == calendar.start_of(date(2026, 3, 2))


def test_calendar_travels_as_data() -> None:
    assert calendar.from_json(CALENDAR.to_json()) == CALENDAR


@given(start=DAYS, n=st.integers(0, 60), unit=st.sampled_from(["day", "working_day"]))
def test_counting_back_is_the_inverse_of_counting(start: date, n: int, unit: calendar.Unit) -> None:
    span = Span(n, unit)
    end = CALENDAR.count(start, span)
    back = CALENDAR.count_back(end, span)
    assert CALENDAR.count(back, span) <= end < CALENDAR.count(back + timedelta(days=1), Span(n + 1, unit))
    assert CALENDAR.is_working(CALENDAR.last_day_to_act(start, span))


@given(start=DAYS, n=st.integers(1, 40))
def test_working_days_counted_are_exactly_n(start: date, n: int) -> None:
    end = CALENDAR.count(start, Span(n, "working_day"))
    between = (start + timedelta(days=step) for step in range(1, (end - start).days + 1))
    assert sum(map(CALENDAR.is_working, between)) == n
