"""Fifteen years, or what a region's article says; counted by the calendar."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from trading import retention
from trading.retention import Period


@pytest.mark.parametrize(
    ("region", "market", "article"),
    [
        ("510100", "construction", "政府采购法"),
        ("500000", "construction", "重庆"),
        ("500000", "procurement", "政府采购法"),
    ],
)
def test_the_most_exact_row_counts(region: str, market: str, article: str) -> None:
    period = retention.of(region=region, market=market)
    assert article in period.article and period.years >= 15, "政府采购法 §42: at least fifteen years"


def test_a_period_ends_on_the_same_day_of_its_last_year() -> None:
    fifteen = Period("000000", "*", 15, "")
    assert fifteen.end(datetime(2026, 3, 2, 1, tzinfo=UTC)) == datetime(2041, 3, 2, 1, tzinfo=UTC)
    assert fifteen.end(datetime(2028, 2, 29, tzinfo=UTC)) == datetime(2043, 3, 1, tzinfo=UTC)
