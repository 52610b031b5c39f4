"""Scoring 1,000 bids of 100 items by 9 experts: 900,000 marks to a ranking, exact to the last digit.

Beside it: the grouped mean of the same marks in pandas, the usual way, in floating point.
"""

from __future__ import annotations

from fractions import Fraction
from random import Random

import measure
import pandas

from experts import scoring

METHOD = scoring.Method(
    full=Fraction(100),
    base_fixed=None,
    drop=(scoring.DropRow(1, 0, 0), scoring.DropRow(5, 1, 1)),
    float_rate=Fraction(-2, 100),
    above=Fraction(2),
    below=Fraction(1),
    cap_above=None,
    cap_below=None,
    floor=Fraction(0),
    weight_price=Fraction(6, 10),
    weight_points=Fraction(4, 10),
    rounding=scoring.Rounding(2, 2, 2, 2, 2),
    ties=("price", "points"),
)


def table(small: bool) -> measure.Table:
    """Seconds from marks to ranking."""
    bids, items, experts = (50, 10, 5) if small else (1000, 100, 9)
    told = measure.Table(
        "scoring",
        "Scoring",
        "Benchmark method (综合评估法): mean of the prices without the extremes, asymmetric deductions, mean points "
        "per item, weights, ties. Every division happens once, exactly, at a rounding point the method names.",
    )
    random = Random(1)
    prices = random.sample(range(500_000_000, 900_000_000), bids)
    marks = [
        scoring.Mark(f"e{e}", f"b{b}", f"i{i}", random.randrange(0, 101))
        for b in range(bids)
        for i in range(items)
        for e in range(experts)
    ]
    offers = tuple(scoring.Bid(f"b{n}", price) for n, price in enumerate(prices))
    with measure.timed() as ours:
        result = scoring.evaluate(scoring.Case(METHOD, 1_000_000_000, offers, marks))
    assert len(result.ranking) == bids
    with measure.timed() as plain:
        frame = pandas.DataFrame(marks, columns=["expert", "bid", "item", "points"])
        frame.groupby(["bid", "item"])["points"].mean().groupby("bid").sum().sort_values()
    told.add(
        f"{bids:,} bids × {items} items × {experts} experts to a ranking",
        ours.seconds,
        "s",
        beside="pandas: frame, grouped mean, sort",
        beside_value=plain.seconds,
    )
    return told


if __name__ == "__main__":
    measure.main(table)
