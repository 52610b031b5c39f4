"""How long what a tender leaves behind is kept, and from when it may be erased (E-97).

政府采购法 §42: procurement files at least fifteen years; 重庆市招标投标条例 §38: fifteen years. Where no article names
a period the hall keeps fifteen years as well. The periods are data (archive_periods.toml), because they are local.
Whoever can edit that file can have later tenders erased earlier or later; what is already locked in an object store is
held there to the instant that was set, whatever the file says.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources

RULE = "E-97"


@dataclass(frozen=True, slots=True)
class Period:
    """One row: `years` for a region (GB/T 2260, two digits for a province) and a market ("*" for all)."""

    region: str
    market: str
    years: int
    article: str

    def fits(self, region: str, market: str) -> bool:
        """Whether this row speaks of a tender of this region and market."""
        return self.market in ("*", market) and (self.region == "000000" or region.startswith(self.region))

    def end(self, since: datetime) -> datetime:
        """The instant at which a period that begins at `since` is over: the same day of that year."""
        try:
            return since.replace(year=since.year + self.years)
        except ValueError:
            return since.replace(year=since.year + self.years, month=3, day=1)


@cache
def periods() -> tuple[Period, ...]:
    """Every row of the table."""
    rows = tomllib.loads(resources.files("trading").joinpath("archive_periods.toml").read_text("utf-8"))["period"]
    found = tuple(Period(**row) for row in rows)
    assert any(one.region == "000000" and one.market == "*" for one in found), "every tender has a period"
    return found


def years_min() -> int:
    """The shortest period of the table: nothing younger can be due. storage/grants.sql holds the eraser to it too."""
    return min(one.years for one in periods())


def deadline_before(now: datetime) -> datetime:
    """Only a tender whose deadline lies before this instant can be due: a year is left for one that ended before it."""
    return Period("", "", 1 - years_min(), "").end(now)


def of(*, region: str, market: str) -> Period:
    """The most exact row for a tender of this region (GB/T 2260) and market."""
    fitting = [one for one in periods() if one.fits(region, market)]
    return max(fitting, key=lambda one: (one.region != "000000", len(one.region), one.market != "*"))
