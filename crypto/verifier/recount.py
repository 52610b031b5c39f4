"""scores.json counted again, in exact fractions, from docs/spec/scores.md alone (check 8).

The hall's own count is experts/scoring.py; this module shares nothing with it. Five rounding points and no others, half
up on the absolute value; between them every number is exact: marks are integers in units of 10^-12, all others are
Fractions. 法 条例 §49: only the document's method counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from crypto.verifier import shapes
from crypto.verifier.findings import PLATFORM, fail, need
from crypto.verifier.shapes import Misshapen, Shape, maybe, one_of, record, rows, whole

BIDS_MAX: Final = 100_000
EXPERTS_MAX: Final = 99
EXACT_DECIMALS: Final = 12

_AMOUNT = re.compile(r"(?:0|[1-9]\d{0,14})(?:\.\d{1,12})?")
_SIGNED = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,12})?")
_CENTS = re.compile(r"(?:0|[1-9]\d{0,14})(?:\.\d{1,2})?")
_PRINTABLE = shapes.matching(r"[^\x00-\x1f\x7f]{1,200}", "1 to 200 printable characters")


def _number(form: re.Pattern[str]) -> Shape:
    return shapes.matching(form.pattern, "a decimal string")


def _base(value: Any) -> None:
    if value != "mean":
        record(fixed=_number(_AMOUNT))(value)


def _drop_row(value: Any) -> None:
    rows(whole(0, BIDS_MAX))(value)
    if len(value) != 3 or value[1] + value[2] >= max(value[0], 1):
        raise Misshapen("", "[from_n, highest, lowest], highest + lowest < from_n")


def _triple(value: Any) -> None:
    rows(_PRINTABLE)(value)
    if len(value) != 3:
        raise Misshapen("", "[expert, bid, item]")


_A, _C = _number(_AMOUNT), _number(_CENTS)
_DECIMALS = maybe(whole(0, 12))
_METHOD = record(
    name=one_of("benchmark"),
    full=_A,
    base=_base,
    drop=rows(_drop_row),
    float=_number(_SIGNED),
    above=_A,
    below=_A,
    cap=record(above=maybe(_A), below=maybe(_A)),
    floor=_A,
    weights=record(price=_A, points=_A),
    round=record(
        base=_DECIMALS, deviation=_DECIMALS, score=_DECIMALS, points=_DECIMALS, total=_DECIMALS, mode=one_of("half_up")
    ),
    ties=rows(one_of("price", "points", "draw")),
)
_FIELDS: dict[str, Shape] = {
    "kind": one_of("scores"),
    "method": _METHOD,
    "max_price": maybe(_C),
    "bids": rows(record(id=_PRINTABLE, price=_C), least=1),
    "points": rows(record(expert=_PRINTABLE, bid=_PRINTABLE, item=_PRINTABLE, points=_C)),
    "abnormal": rows(_triple),
}
_RESULT = record(
    base=_number(_SIGNED),
    scores=shapes.by_name(_number(_SIGNED)),
    totals=shapes.by_name(_number(_SIGNED)),
    ranking=rows(_PRINTABLE),
)


@dataclass(frozen=True, slots=True)
class Counted:
    """What the recount gives: exact values as rounded at their rounding points, and the ranking in groups.

    A group is a set of bids that only the draw can order; without such ties every group has one bid. `printed` holds
    the values as result must show them: base, and scores, points, totals by bid.
    """

    base: Fraction
    scores: Mapping[str, Fraction]
    points: Mapping[str, Fraction]
    totals: Mapping[str, Fraction]
    groups: tuple[tuple[str, ...], ...]
    decimals: Mapping[str, int | None]

    def shown(self, value: Fraction, point: str) -> Fraction:
        """The value that a decimal string of this rounding point stands for: twelve decimals where it never ends."""
        return value if self.decimals[point] is not None or ends(value) else rounded(value, EXACT_DECIMALS)


def check(data: Any) -> Counted:
    """Judge a scores.json: shape, recount, and `result` if it is there. Raises Failed."""
    counted = count(data)
    result = data.get("result")
    if result is None:
        undecided = next((group for group in counted.groups if len(group) > 1), None)
        need(undecided is None, "tie_that_only_draw_orders_and_no_result", undecided=undecided)
        return counted
    claimed = Fraction(result["base"])
    right = counted.shown(counted.base, "base")
    need(claimed == right, "benchmark_is_not", text=text(right), base=result["base"], culprit=PLATFORM)
    _compare("价格分", "price score", result["scores"], counted.scores, counted, "score")
    _compare("总分", "total", result["totals"], counted.totals, counted, "total")
    _check_ranking(result["ranking"], counted)
    return counted


def count(data: Any) -> Counted:
    """Shape and recount, without looking at `result`. Raises Failed."""
    _check_shape(data)
    method = data["method"]
    decimals: dict[str, int | None] = {
        name: method["round"][name] for name in ("base", "deviation", "score", "points", "total")
    }
    price = {bid["id"]: Fraction(bid["price"]) for bid in data["bids"]}
    need(len(price) == len(data["bids"]), "bids_id_stands_twice", culprit=PLATFORM)
    need(all(price.values()), "price_is_zero", culprit=PLATFORM)
    limit = None if data["max_price"] is None else Fraction(data["max_price"])
    valid = {bid: paid for bid, paid in price.items() if limit is None or paid <= limit}
    need(valid, "no_bid_is_within_max_price")
    base = _benchmark(method, list(valid.values()), decimals["base"])
    need(base > 0, "benchmark_is_not_above_zero")
    scores = {bid: _price_score(method, paid, base, decimals) for bid, paid in valid.items()}
    points = _points(data, price, valid, decimals["points"])
    weight_price, weight_points = Fraction(method["weights"]["price"]), Fraction(method["weights"]["points"])
    totals = {
        bid: rounded(scores[bid] * weight_price + points[bid] * weight_points, decimals["total"]) for bid in valid
    }
    groups = _ranking(method["ties"], valid, points, totals)
    return Counted(base, scores, points, totals, groups, decimals)


def rounded(value: Fraction, decimals: int | None) -> Fraction:
    """Half up on the absolute value; None keeps the fraction."""
    if decimals is None:
        return value
    scaled = abs(value) * 10**decimals
    whole_part = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return Fraction(whole_part if value >= 0 else -whole_part, 10**decimals)


def ends(value: Fraction) -> bool:
    """Whether the value has a finite decimal form."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1


def units(decimal: str) -> int:
    """A decimal string of at most twelve decimals in units of 10^-12: exact, and an integer."""
    whole_part, _, parts = decimal.partition(".")
    return int(whole_part + parts.ljust(EXACT_DECIMALS, "0"))


def text(value: Fraction) -> str:
    """A short decimal for a person to read, twelve decimals at most."""
    scaled = rounded(value, EXACT_DECIMALS) * 10**EXACT_DECIMALS
    units, parts = divmod(abs(int(scaled)), 10**EXACT_DECIMALS)
    tail = f"{parts:0{EXACT_DECIMALS}d}".rstrip("0")
    return ("-" if scaled < 0 else "") + str(units) + (f".{tail}" if tail else "")


def _check_shape(data: Any) -> None:
    fields = dict(_FIELDS)
    if isinstance(data, dict) and "result" in data:
        fields["result"] = _RESULT
    try:
        shapes.check(record(**fields), data, "scores")
    except Misshapen as wrong:
        fail("field_of_scores_wrong", path=wrong.path, wanted=wrong.wanted, culprit=PLATFORM)
    need(len(data["bids"]) <= BIDS_MAX, "too_many_bids")
    starts = [row[0] for row in data["method"]["drop"]]
    need(starts == sorted(set(starts)), "drop_table_is_not_ascending")
    ties = data["method"]["ties"]
    in_order = len(set(ties)) == len(ties) and "draw" not in ties[:-1]
    need(in_order, "ties_each_once_draw_last")
    need(Fraction(data["method"]["float"]) > -1, "float_must_be_above_1")


def _benchmark(method: Mapping[str, Any], prices: list[Fraction], decimals: int | None) -> Fraction:
    if method["base"] == "mean":
        high, low = 0, 0
        for from_n, highest, lowest in method["drop"]:
            if from_n <= len(prices):
                high, low = highest, lowest
        kept = sorted(prices)[low : len(prices) - high]
        mean = sum(kept, Fraction(0)) / len(kept)
    else:
        mean = Fraction(method["base"]["fixed"])
    return rounded(mean * (1 + Fraction(method["float"])), decimals)


def _price_score(
    method: Mapping[str, Any], paid: Fraction, base: Fraction, decimals: Mapping[str, int | None]
) -> Fraction:
    deviation = rounded((paid - base) / base * 100, decimals["deviation"])
    side = "above" if deviation > 0 else "below"
    lost = abs(deviation) * Fraction(method[side])
    if method["cap"][side] is not None:
        lost = min(lost, Fraction(method["cap"][side]))
    return rounded(max(Fraction(method["floor"]), Fraction(method["full"]) - lost), decimals["score"])


def _points(
    data: Mapping[str, Any], price: Mapping[str, Fraction], valid: Mapping[str, Fraction], decimals: int | None
) -> dict[str, Fraction]:
    """The points of every valid bid: for each item the mean of the marks that count, added up.

    A place is a bid's item; `given` says by one bit for each expert who marked it, `sums` adds what counts.
    """
    marks = data["points"]
    expert_of = {name: number for number, name in enumerate({row["expert"]: None for row in marks})}
    need(len(expert_of) <= EXPERTS_MAX, "too_many_experts", count=len(expert_of), culprit=PLATFORM)
    item_of = {name: number for number, name in enumerate({row["item"]: None for row in marks})}
    place_of = {bid: number * len(item_of) for number, bid in enumerate(price)}
    left_out = {(row[0], row[1], row[2]) for row in data["abnormal"]}
    given: dict[int, int] = {}
    sums: dict[int, int] = {}
    out: dict[int, int] = {}
    unknown = left_out.copy()
    for row in marks:
        expert, bid, item = row["expert"], row["bid"], row["item"]
        need(bid in place_of, "marks_for_unknown_bid", bid=bid, culprit=PLATFORM)
        place, bit = place_of[bid] + item_of[item], 1 << expert_of[expert]
        before = given.get(place, 0)
        need(not before & bit, "marked_twice", key=(expert, bid, item), culprit=PLATFORM)
        given[place] = before | bit
        if left_out and (expert, bid, item) in left_out:
            unknown.discard((expert, bid, item))
            out[place] = out.get(place, 0) + 1
        else:
            sums[place] = sums.get(place, 0) + units(row["points"])
    need(marks or Fraction(data["method"]["weights"]["points"]) == 0, "no_marks_but_points_count")
    need(len(left_out) == len(data["abnormal"]), "abnormal_mark_stands_twice")
    need(not unknown, "abnormal_mark_that_nobody_gave", culprit=PLATFORM)
    points: dict[str, Fraction] = {}
    everybody = (1 << len(expert_of)) - 1
    for bid in valid:
        by_count: dict[int, int] = {}
        for item, number in item_of.items():
            place = place_of[bid] + number
            by = given.get(place, 0)
            if by != everybody:
                missing = next((name, bid, item) for name, at in expert_of.items() if not by >> at & 1)
                fail("mark_is_missing", missing=missing, culprit=PLATFORM)
            count = len(expert_of) - out.get(place, 0)
            need(count, "all_marks_are_listed_as_abnormal", bid=bid, item=item, culprit=PLATFORM)
            by_count[count] = by_count.get(count, 0) + sums[place]
        total = sum((Fraction(added, count * 10**EXACT_DECIMALS) for count, added in by_count.items()), Fraction(0))
        points[bid] = rounded(total, decimals)
    return points


def _ranking(
    ties: list[str], price: Mapping[str, Fraction], points: Mapping[str, Fraction], totals: Mapping[str, Fraction]
) -> tuple[tuple[str, ...], ...]:
    def key(bid: str) -> tuple[Fraction, ...]:
        by = {"price": price[bid], "points": -points[bid]}
        return (-totals[bid], *(by[tie] for tie in ties if tie != "draw"))

    groups: dict[tuple[Fraction, ...], list[str]] = {}
    for bid in price:
        groups.setdefault(key(bid), []).append(bid)
    ordered = tuple(tuple(groups[found]) for found in sorted(groups))
    tied = next((group for group in ordered if len(group) > 1), None)
    need(tied is None or "draw" in ties, "tie_that_method_does_not_resolve", tied=tied)
    return ordered


def _compare(
    zh: str, en: str, claimed: Mapping[str, str], right: Mapping[str, Fraction], counted: Counted, point: str
) -> None:
    need(set(claimed) == set(right), "not_exactly_valid_bids", en=en, zh=zh, culprit=PLATFORM)
    for bid, value in right.items():
        shown = counted.shown(value, point)
        need(
            Fraction(claimed[bid]) == shown,
            "of_is_not",
            en=en,
            bid=bid,
            text=text(shown),
            claimed=claimed[bid],
            zh=zh,
            culprit=PLATFORM,
        )


def _check_ranking(claimed: list[str], counted: Counted) -> None:
    at = 0
    for group in counted.groups:
        there = claimed[at : at + len(group)]
        need(
            sorted(there) == sorted(group),
            "ranking_place_belongs_to",
            at=at + 1,
            group=", ".join(group),
            group_2="、".join(group),
            culprit=PLATFORM,
        )
        at += len(group)
    need(at == len(claimed), "ranking_lists_more_than_valid_bids", culprit=PLATFORM)
