"""Counting days a second time: T-01, T-02, T-07 and worked example X16, on a pinned calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from crypto.verifier.timeline import Calendar, legal_day

BOOK = {
    "calendar": [
        {
            "year": 2026,
            "source": "notice",
            "provisional": False,
            "off": ["2026-04-04", "2026-04-05", "2026-04-06", "2026-05-01"],
            "on": ["2026-05-09"],
        }
    ]
}


@pytest.fixture
def calendar() -> Calendar:
    return Calendar.of(BOOK)


def test_x16_first_day_is_not_counted(calendar: Calendar) -> None:
    assert calendar.end(date(2026, 3, 1), 20, "day") == date(2026, 3, 21)


def test_limit_to_act_rolls_over_days_off_and_a_minimum_period_does_not(calendar: Calendar) -> None:
    assert calendar.last_to_act(date(2026, 4, 1), 3, "day") == date(2026, 4, 7)
    assert calendar.end(date(2026, 4, 1), 3, "day") == date(2026, 4, 4)


def test_weekend_worked_instead_is_a_working_day(calendar: Calendar) -> None:
    assert calendar.end(date(2026, 5, 8), 1, "working_day") == date(2026, 5, 9)


def test_year_without_a_table_knows_only_the_fixed_days(calendar: Calendar) -> None:
    assert not calendar.works(date(2027, 10, 1))
    assert calendar.works(date(2027, 2, 8))


def test_legal_day_is_a_day_in_shanghai() -> None:
    assert legal_day(datetime(2026, 3, 1, 16, 0, tzinfo=UTC)) == date(2026, 3, 2)
