"""Scoring: from prices and marks to benchmark, price scores, points, totals and ranking (综合评估法).

Rules upheld: only the document's method counts (条例 §49, E-69); a bid over the max price gets no score and does not
enter the mean (条例 §51, E-70); the benchmark B is fixed once computed (E-101); a mark found abnormal counts as the
mean of the other members' marks (E-100). The method and its rounding points are those of docs/spec/scores.md.
Everything between two rounding points is exact: prices are integer fen, marks integer hundredths of a point, and what
a division yields is a Fraction. No binary floating point enters this module.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import Literal, NamedTuple

from crypto.refusal import Refused

Tie = Literal["price", "points", "draw"]

FEN_PER_YUAN = 100
HUNDREDTHS_PER_POINT = 100
PLACES_MAX = 8


class DropRow(NamedTuple):
    """From `from_n` bids in the mean on, the `highest` dearest and the `lowest` cheapest are left out of it."""

    from_n: int
    highest: int
    lowest: int


@dataclass(frozen=True, slots=True)
class Rounding:
    """Decimals kept at each named rounding point, half up (away from zero); None keeps the exact value.

    `base` counts decimals of a yuan, `deviation` decimals of the percent, the others decimals of a point.
    """

    base: int | None
    deviation: int | None
    score: int | None
    points: int | None
    total: int | None

    def __post_init__(self) -> None:
        for name in ("base", "deviation", "score", "points", "total"):
            places = getattr(self, name)
            if places is not None and not 0 <= places <= PLACES_MAX:
                raise Refused("rounding_places_out_of_range", rule="E-69", point=name, places=places, most=PLACES_MAX)


@dataclass(frozen=True, slots=True)
class Method:
    """The benchmark method of one tender document: `base_fixed` in yuan (None = mean of the bids), the rest in points.

    `float_rate` shifts the mean: B = A × (1 + float_rate). `above` and `below` are points lost per 1 % of deviation.
    Raises Refused when the document contradicts itself.
    """

    full: Fraction
    base_fixed: Fraction | None
    drop: tuple[DropRow, ...]
    float_rate: Fraction
    above: Fraction
    below: Fraction
    cap_above: Fraction | None
    cap_below: Fraction | None
    floor: Fraction
    weight_price: Fraction
    weight_points: Fraction
    rounding: Rounding
    ties: tuple[Tie, ...]

    def __post_init__(self) -> None:
        amounts = (self.full, self.above, self.below, self.floor, self.weight_price, self.weight_points)
        if any(amount < 0 for amount in amounts) or any(cap is not None and cap < 0 for cap in self._caps()):
            raise Refused("method_has_a_negative_amount", rule="E-69")
        if self.full == 0 or self.floor > self.full:
            raise Refused("method_floor_above_full", rule="E-69", floor=str(self.floor), full=str(self.full))
        if self.float_rate <= -1 or (self.base_fixed is not None and self.base_fixed <= 0):
            raise Refused("benchmark_would_not_be_positive", rule="E-69")
        if self.weight_price + self.weight_points == 0:
            raise Refused("method_weighs_nothing", rule="E-69")
        for before, row in zip((None, *self.drop), self.drop, strict=False):
            ascending = before is None or before.from_n < row.from_n
            if not ascending or row.highest < 0 or row.lowest < 0 or row.highest + row.lowest >= row.from_n:
                raise Refused("drop_table_is_wrong", rule="E-69", row=list(row))
        if len(set(self.ties)) < len(self.ties) or "draw" in self.ties[:-1]:
            raise Refused("tie_order_is_wrong", rule="E-69", ties=list(self.ties))

    def dropped(self, n: int) -> tuple[int, int]:
        """How many of the highest and of the lowest prices are left out of a mean of `n` bids."""
        rows = [row for row in self.drop if row.from_n <= n]
        return (rows[-1].highest, rows[-1].lowest) if rows else (0, 0)

    def _caps(self) -> tuple[Fraction | None, Fraction | None]:
        return self.cap_above, self.cap_below


class Bid(NamedTuple):
    """One bid that passed the preliminary review, with its price in fen."""

    id: str
    price_fen: int


class Mark(NamedTuple):
    """What one expert gave one bid for one item, in hundredths of a point."""

    expert: str
    bid: str
    item: str
    hundredths: int


@dataclass(frozen=True, slots=True)
class Case:
    """All that decides a ranking; `abnormal` lists (expert, bid, item) the panel found abnormal (E-100)."""

    method: Method
    max_price_fen: int | None
    bids: tuple[Bid, ...]
    marks: Sequence[Mark]
    abnormal: tuple[tuple[str, str, str], ...] = ()

    def __post_init__(self) -> None:
        if len({bid.id for bid in self.bids}) < len(self.bids):
            raise Refused("bid_listed_twice")
        for bid in self.bids:
            if bid.price_fen <= 0:
                raise Refused("price_not_positive", bid=bid.id)

    @property
    def valid(self) -> tuple[Bid, ...]:
        """The bids not over the max price: only they are scored and enter the mean (条例 §51)."""
        return tuple(bid for bid in self.bids if self.max_price_fen is None or bid.price_fen <= self.max_price_fen)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """The benchmark price B in yuan, and which bids its mean left out. Once computed it stays (E-101)."""

    yuan: Fraction
    dropped_highest: tuple[str, ...]
    dropped_lowest: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """B in yuan; price scores, mean points and totals in points by bid id; ranking, best first.

    `drawn` holds the groups whose inner order nothing but the draw decided.
    """

    base: Fraction
    scores: dict[str, Fraction]
    points: dict[str, Fraction]
    totals: dict[str, Fraction]
    ranking: tuple[str, ...]
    drawn: tuple[tuple[str, ...], ...]


def rounded(value: Fraction, places: int | None) -> Fraction:
    """`value` half up (away from zero, so that −0.005 mirrors 0.005) to `places` decimals; None keeps it exact."""
    if places is None:
        return value
    scale = 10**places
    scaled = abs(value) * scale
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return Fraction(whole if value >= 0 else -whole, scale)


def benchmark(method: Method, valid: Sequence[Bid]) -> Benchmark:
    """Compute B over the valid bids (rounding point `base`); a bid left out of the mean is still scored.

    Raises Refused `no_valid_bid_to_score`, `benchmark_would_not_be_positive`.
    """
    if not valid:
        raise Refused("no_valid_bid_to_score", rule="E-73")
    by_price = sorted(valid, key=lambda bid: (bid.price_fen, bid.id))
    highest, lowest = method.dropped(len(valid)) if method.base_fixed is None else (0, 0)
    kept = by_price[lowest : len(by_price) - highest]
    assert kept, "a drop table that leaves nothing was refused when the method was made"
    mean = Fraction(sum(bid.price_fen for bid in kept), len(kept) * FEN_PER_YUAN)
    start = mean if method.base_fixed is None else method.base_fixed
    yuan = rounded(start * (1 + method.float_rate), method.rounding.base)
    if yuan <= 0:
        raise Refused("benchmark_would_not_be_positive", rule="E-69")
    dearest = by_price[len(by_price) - highest :]
    return Benchmark(yuan, tuple(bid.id for bid in dearest), tuple(bid.id for bid in by_price[:lowest]))


def price_score(method: Method, fixed: Benchmark, price_fen: int) -> Fraction:
    """Points for one price: rounding point `deviation` on the signed percent, `score` on the outcome."""
    percent = (Fraction(price_fen, FEN_PER_YUAN) - fixed.yuan) / fixed.yuan * 100
    percent = rounded(percent, method.rounding.deviation)
    rate, cap = (method.above, method.cap_above) if percent > 0 else (method.below, method.cap_below)
    lost = abs(percent) * rate
    if cap is not None:
        lost = min(lost, cap)
    return rounded(max(method.floor, method.full - lost), method.rounding.score)


def mean_points(case: Case) -> dict[str, Fraction]:
    """Each valid bid's points: the sum over items of the members' mean, rounded once (`points`).

    A mark listed in `abnormal` counts as the mean of the marks of the members not so listed for that bid and item.
    Raises Refused when a mark is missing, repeated, negative or of an unknown bid, or an item is left without a mark.
    """
    valid, marks = case.valid, case.marks
    if not marks:
        if case.method.weight_points > 0:
            raise Refused("marks_missing")
        return {bid.id: Fraction(0) for bid in valid}
    table = _Table.of(case)
    over = {bid.id for bid in case.bids} - {bid.id for bid in valid}
    outside: dict[tuple[str, str], set[str]] = {}
    for expert, bid, item in case.abnormal:
        if bid in over:
            continue
        table.place(expert, bid, item)
        experts = outside.setdefault((bid, item), set())
        if expert in experts:
            raise Refused("abnormal_mark_listed_twice", rule="E-100", expert=expert, bid=bid, item=item)
        experts.add(expert)
    sums = {bid.id: Fraction(table.sum_of(bid.id), len(table.experts)) for bid in valid}
    for (bid_id, item), experts in outside.items():
        given = {expert: table.values[table.place(expert, bid_id, item)] for expert in table.experts}
        others = [value for expert, value in given.items() if expert not in experts]
        if not others:
            raise Refused("all_marks_of_an_item_abnormal", rule="E-100", bid=bid_id, item=item)
        sums[bid_id] += Fraction(sum(others), len(others)) - Fraction(sum(given.values()), len(given))
    return {bid: rounded(total / HUNDREDTHS_PER_POINT, case.method.rounding.points) for bid, total in sums.items()}


def evaluate(case: Case, *, drawn: Sequence[str] = (), fixed: Benchmark | None = None) -> Result:
    """Score and rank the valid bids of `case`.

    `drawn` is the order of a recorded draw, needed only when the method sends a tie to the draw; `fixed` is the
    benchmark of an earlier evaluation of the same lot, which a later rejection does not move (E-101).
    Raises Refused as the functions above, and `tie_needs_a_draw`, `tie_has_no_rule`.
    """
    method, valid = case.method, case.valid
    base = benchmark(method, valid) if fixed is None else fixed
    scores = {bid.id: price_score(method, base, bid.price_fen) for bid in valid}
    points = mean_points(case)
    totals = {
        bid: rounded(scores[bid] * method.weight_price + points[bid] * method.weight_points, method.rounding.total)
        for bid in scores
    }
    prices = {bid.id: bid.price_fen for bid in valid}
    ranking, groups = _rank(method.ties, totals, prices, points, drawn)
    return Result(base.yuan, scores, points, totals, ranking, groups)


def _rank(
    ties: Sequence[Tie],
    totals: Mapping[str, Fraction],
    prices: Mapping[str, int],
    points: Mapping[str, Fraction],
    drawn: Sequence[str],
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Highest total first; equals by the document's ties in their order (E-69)."""

    def key(bid: str) -> tuple[Fraction, ...]:
        broken = {"price": Fraction(prices[bid]), "points": -points[bid], "draw": Fraction(0)}
        return (-totals[bid], *(broken[tie] for tie in ties))

    ranking: list[str] = []
    groups: list[tuple[str, ...]] = []
    for _, group in groupby(sorted(totals, key=key), key=key):
        equal = list(group)
        if len(equal) > 1:
            equal = order_by_draw(equal, drawn if "draw" in ties else None)
            groups.append(tuple(equal))
        ranking.extend(equal)
    return tuple(ranking), tuple(groups)


def order_by_draw(equal: Sequence[str], drawn: Sequence[str] | None) -> list[str]:
    """The tied bids in the order of the recorded draw; `drawn` None means that the document knows no draw."""
    if drawn is None:
        raise Refused("tie_has_no_rule", rule="E-69", tied=sorted(equal))
    if len(set(drawn)) < len(drawn) or not set(equal) <= set(drawn):
        raise Refused("tie_needs_a_draw", rule="E-69", tied=sorted(equal))
    return sorted(equal, key=drawn.index)


class _Table:
    """The marks as one flat block of int64, bid by bid, so that a bid's sum is the sum of one slice."""

    def __init__(self, bids: Sequence[str], experts: Sequence[str], items: Sequence[str]) -> None:
        self.experts, self.items = experts, items
        self._bid_at = {bid: at * len(experts) * len(items) for at, bid in enumerate(bids)}
        self._expert_at = {expert: at * len(items) for at, expert in enumerate(experts)}
        self._item_at = {item: at for at, item in enumerate(items)}
        self.values = array("q", [-1]) * (len(bids) * len(experts) * len(items))

    @classmethod
    def of(cls, case: Case) -> _Table:
        """Every expert marks every item of every valid bid exactly once, or the marks are refused."""
        valid = [bid.id for bid in case.valid]
        over = {bid.id for bid in case.bids} - set(valid)
        experts = sorted({mark.expert for mark in case.marks})
        items = sorted({mark.item for mark in case.marks})
        table = cls(valid, experts, items)
        table._fill(case.marks, over)
        if -1 in table.values:
            at = table.values.index(-1)
            bid_at, rest = divmod(at, len(experts) * len(items))
            expert_at, item_at = divmod(rest, len(items))
            raise Refused("mark_missing", expert=experts[expert_at], bid=valid[bid_at], item=items[item_at])
        return table

    def _fill(self, marks: Iterable[Mark], over: set[str]) -> None:
        bid_at, expert_at, item_at, values = self._bid_at, self._expert_at, self._item_at, self.values
        for expert, bid, item, hundredths in marks:
            start = bid_at.get(bid)
            if start is None:
                if bid in over:
                    continue
                raise Refused("mark_for_unknown_bid", expert=expert, bid=bid, item=item)
            at = start + expert_at[expert] + item_at[item]
            if values[at] != -1:
                raise Refused("mark_given_twice", expert=expert, bid=bid, item=item)
            if not 0 <= hundredths < 2**40:
                raise Refused("mark_out_of_range", expert=expert, bid=bid, item=item)
            values[at] = hundredths

    def place(self, expert: str, bid: str, item: str) -> int:
        if bid not in self._bid_at or expert not in self._expert_at or item not in self._item_at:
            raise Refused("abnormal_mark_unknown", rule="E-100", expert=expert, bid=bid, item=item)
        return self._bid_at[bid] + self._expert_at[expert] + self._item_at[item]

    def sum_of(self, bid: str) -> int:
        start = self._bid_at[bid]
        return sum(self.values[start : start + len(self.experts) * len(self.items)])
