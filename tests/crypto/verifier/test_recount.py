"""The recount of scores.json, held to worked examples X1, X2, X4, X5, X11 of docs/spec/scores.md §9."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from crypto.verifier import recount
from crypto.verifier.findings import Failed

EXACT = {"base": None, "deviation": None, "score": None, "points": None, "total": None, "mode": "half_up"}


def scores(prices: list[str], **changes: Any) -> dict[str, Any]:
    method: dict[str, Any] = {
        "name": "benchmark",
        "full": "100",
        "base": "mean",
        "drop": [],
        "float": "0",
        "above": "2",
        "below": "1",
        "cap": {"above": None, "below": None},
        "floor": "0",
        "weights": {"price": "1", "points": "0"},
        "round": EXACT | {"score": 2},
        "ties": ["price", "points", "draw"],
    }
    data: dict[str, Any] = {
        "kind": "scores",
        "method": method,
        "max_price": None,
        "bids": [{"id": str(number), "price": price} for number, price in enumerate(prices, 1)],
        "points": [],
        "abnormal": [],
    }
    for name, value in changes.items():
        (data if name in data else method)[name] = value
    return data


def listed(values: Any) -> list[str]:
    return [recount.text(value) for value in values.values()]


def test_x1_mean_exact_and_with_deviation_rounded_first() -> None:
    exact = recount.count(scores(["7000", "7300", "7200", "6900"], full="35"))
    assert recount.text(exact.base) == "7100"
    assert listed(exact.scores) == ["33.59", "29.37", "32.18", "32.18"]
    early = recount.count(
        scores(["7000", "7300", "7200", "6900"], full="35", round=EXACT | {"score": 2, "deviation": 2})
    )
    assert listed(early.scores) == ["33.59", "29.36", "32.18", "32.18"]


@pytest.mark.parametrize(
    ("rounding", "price_scores", "totals"),
    [
        ({"deviation": 2, "score": 2}, ["99.76", "99.52", "99.52"], ["99.34", "99.25", "99.23"]),
        ({}, ["99.764705882353", "99.529411764706", "99.529411764706"], ["99.34", "99.26", "99.24"]),
    ],
    ids=["rounded", "exact"],
)
def test_x2_when_you_round_decides(rounding: dict[str, int], price_scores: list[str], totals: list[str]) -> None:
    marks = [("1", "98.70"), ("2", "98.85"), ("3", "98.80")]
    data = scores(
        ["2120", "2130", "2130"],
        base={"fixed": "2125"},
        cap={"above": None, "below": "10"},
        weights={"price": "0.6", "points": "0.4"},
        round=EXACT | {"total": 2} | rounding,
        points=[{"expert": "1", "bid": bid, "item": "technical", "points": points} for bid, points in marks],
    )
    counted = recount.count(data)
    assert listed(counted.scores) == price_scores
    assert listed(counted.totals) == totals


def test_x4_benchmark_with_float() -> None:
    counted = recount.count(scores(["459", "442", "412", "400"], float="-0.04", max_price="720"))
    assert recount.text(counted.base) == "411.12"


@pytest.mark.parametrize(
    ("more", "scored"),
    [
        ([], ["93.68", "91.16", "96.21", "88.63", "98.74"]),
        (["120"], ["93.68", "91.16", "96.21", "88.63", "98.74", "68.42"]),
        (["120", "80"], ["93.68", "91.16", "96.21", "88.63", "98.74", "68.42", "87.37"]),
    ],
)
def test_x5_drop_table_keeps_the_benchmark(more: list[str], scored: list[str]) -> None:
    data = scores(
        ["100", "102", "98", "104", "96", *more],
        float="-0.05",
        above="1.2",
        below="0.8",
        drop=[[1, 0, 0], [6, 1, 0], [7, 1, 1]],
    )
    counted = recount.count(data)
    assert recount.text(counted.base) == "95"
    assert listed(counted.scores) == scored


def marked(points: list[str], abnormal: list[list[str]]) -> dict[str, Any]:
    rows = [{"expert": f"e{number}", "bid": "1", "item": "a", "points": mark} for number, mark in enumerate(points)]
    return scores(["100"], points=rows, abnormal=abnormal, weights={"price": "0", "points": "1"})


def test_x11_abnormal_mark_counts_as_the_mean_of_the_others() -> None:
    counted = recount.count(marked(["90", "88", "60", "91", "89"], [["e2", "1", "a"]]))
    assert recount.text(counted.points["1"]) == "89.5"
    assert recount.text(counted.totals["1"]) == "89.5"


def test_all_marks_abnormal_is_refused() -> None:
    with pytest.raises(Failed, match="all marks are listed as abnormal"):
        recount.count(marked(["90"], [["e0", "1", "a"]]))


def test_bid_over_max_price_gets_no_score_and_does_not_enter_the_mean() -> None:
    counted = recount.count(scores(["100", "110", "500"], max_price="120"))
    assert counted.base == 105
    assert set(counted.scores) == {"1", "2"}


def with_result(data: dict[str, Any]) -> dict[str, Any]:
    counted = recount.count(data)

    def shown(values: Any, point: str) -> dict[str, str]:
        return {bid: recount.text(counted.shown(value, point)) for bid, value in values.items()}

    result = {
        "base": recount.text(counted.shown(counted.base, "base")),
        "scores": shown(counted.scores, "score"),
        "totals": shown(counted.totals, "total"),
        "ranking": [bid for group in counted.groups for bid in group],
    }
    return data | {"result": result}


def test_draw_may_order_only_what_price_and_points_leave_equal() -> None:
    data = with_result(scores(["100", "100", "130"], ties=["draw"]))
    recount.check(data)
    data["result"]["ranking"] = ["2", "1", "3"]
    recount.check(data)
    data["result"]["ranking"] = ["1", "3", "2"]
    with pytest.raises(Failed, match="place 1"):
        recount.check(data)


def test_tie_that_the_method_does_not_resolve_is_refused() -> None:
    with pytest.raises(Failed, match="does not resolve"):
        recount.count(scores(["100", "100"], ties=["price", "points"]))


@pytest.mark.parametrize("field", ["base", "scores", "totals", "ranking"])
def test_every_field_of_the_result_is_compared(field: str) -> None:
    data = with_result(scores(["7000", "7300", "7200", "6900"], full="35"))
    recount.check(data)
    value = data["result"][field]
    if field == "base":
        data["result"][field] = "7100.01"
    elif field == "ranking":
        data["result"][field] = value[::-1]
    else:
        data["result"][field] = value | {"1": "33.58"}
    with pytest.raises(Failed):
        recount.check(data)


def test_half_up_rounds_the_absolute_value() -> None:
    assert recount.rounded(Fraction(1, 8), 2) == Fraction(13, 100)
    assert recount.rounded(Fraction(-1, 8), 2) == Fraction(-13, 100)


def mark(expert: str, bid: str = "1", item: str = "a", points: str = "90") -> dict[str, str]:
    return {"expert": expert, "bid": bid, "item": item, "points": points}


@pytest.mark.parametrize(
    ("marks", "abnormal", "told"),
    [
        ([mark("e0"), mark("e0")], [], "twice"),
        ([mark("e0"), mark("e1", item="b")], [], "is missing"),
        ([mark("e0", bid="7")], [], "unknown bid"),
        ([mark("e0")], [["e1", "1", "a"]], "nobody gave"),
        ([mark("e0"), mark("e1")], [["e1", "1", "a"], ["e1", "1", "a"]], "twice"),
        ([mark(f"e{number}") for number in range(recount.EXPERTS_MAX + 1)], [], "too many experts: 100"),
    ],
    ids=["twice", "missing", "unknown bid", "abnormal of nobody", "abnormal twice", "too many experts"],
)
def test_marks_that_are_not_one_of_each_expert_bid_and_item_are_refused(
    marks: list[dict[str, str]], abnormal: list[list[str]], told: str
) -> None:
    data = scores(["100"], points=marks, abnormal=abnormal, weights={"price": "0", "points": "1"})
    with pytest.raises(Failed, match=told):
        recount.count(data)


def test_points_are_exact_whatever_the_marks_and_however_many_are_left_out() -> None:
    marks = [mark(f"e{n}", item=item, points=f"{n}.{n}{n}") for n in range(1, 8) for item in ("a", "b", "c")]
    abnormal = [["e1", "1", "a"], ["e2", "1", "b"], ["e3", "1", "b"]]
    counted = recount.count(scores(["100"], points=marks, abnormal=abnormal, weights={"price": "0", "points": "1"}))
    given = {(row["expert"], row["item"]): Fraction(row["points"]) for row in marks}
    right = Fraction(0)
    for item in ("a", "b", "c"):
        kept = [value for (expert, of), value in given.items() if of == item and [expert, "1", item] not in abnormal]
        right += sum(kept, Fraction(0)) / len(kept)
    assert counted.points["1"] == right
