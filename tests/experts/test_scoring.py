"""Scoring: the published worked examples, the edges of the method, and its size."""

import random
from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.refusal import Refused
from experts import lowest, scores_file, scoring
from experts.scoring import Bid, Case, Mark, Method


def method(**changes: object) -> Method:
    """A method in the words of scores.json; the changes replace or add fields."""
    fields: dict[str, object] = {
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
        "round": {"base": None, "deviation": None, "score": 2, "points": 2, "total": 2, "mode": "half_up"},
        "ties": ["price", "points", "draw"],
    }
    return scores_file.method_of(fields | changes)


def rounding(**changes: int | None) -> dict[str, object]:
    return {"base": None, "deviation": None, "score": 2, "points": 2, "total": 2, "mode": "half_up"} | changes


def bids(prices: dict[str, int]) -> tuple[Bid, ...]:
    """Whole units of the example (yuan or 万元) as fen."""
    return tuple(Bid(id=name, price_fen=price * 100) for name, price in prices.items())


def marks(table: dict[str, Sequence[int]], item: str = "technical") -> list[Mark]:
    """One item, hundredths by bid, expert e1, e2, … in order."""
    return [Mark(f"e{seat}", bid, item, value) for bid, values in table.items() for seat, value in enumerate(values, 1)]


def texts(rules: Method, result: scoring.Result) -> tuple[list[str], list[str]]:
    fields = scores_file.result_fields(rules, result)
    return list(fields["scores"].values()), list(fields["totals"].values())  # type: ignore[attr-defined]


X1 = {"甲": 7000, "乙": 7300, "丙": 7200, "丁": 6900}


def test_x1_exact_deviation_gives_29_37() -> None:
    rules = method(full="35")
    result = scoring.evaluate(Case(rules, None, bids(X1), []))
    assert result.base == 7100
    assert texts(rules, result)[0] == ["33.59", "29.37", "32.18", "32.18"]
    assert result.ranking == ("甲", "丁", "丙", "乙")  # 丙 and 丁 tie at 32.18; the lower price goes first.


def test_x1_percent_rounded_first_gives_29_36_as_the_source_prints() -> None:
    rules = method(full="35", round=rounding(deviation=2))
    result = scoring.evaluate(Case(rules, None, bids(X1), []))
    assert texts(rules, result)[0] == ["33.59", "29.36", "32.18", "32.18"]


X2_WORDS: dict[str, object] = {
    "base": {"fixed": "2125"},
    "cap": {"above": None, "below": "10"},
    "weights": {"price": "0.6", "points": "0.4"},
}
X2_BIDS = bids({"甲": 2120, "乙": 2130, "丙": 2130})
X2_MARKS = marks({"甲": [9870], "乙": [9885], "丙": [9880]})


def test_x2_rounded_percent_gives_the_source_totals() -> None:
    rules = method(**X2_WORDS, round=rounding(deviation=2))
    result = scoring.evaluate(Case(rules, None, X2_BIDS, X2_MARKS))
    assert texts(rules, result) == (["99.76", "99.52", "99.52"], ["99.34", "99.25", "99.23"])
    assert result.ranking == ("甲", "乙", "丙")


def test_x2_exact_until_the_total_shows_that_when_you_round_matters() -> None:
    rules = method(**X2_WORDS, round=rounding(score=None))
    result = scoring.evaluate(Case(rules, None, X2_BIDS, X2_MARKS))
    assert [scores_file.decimal_text(score, 4) for score in result.scores.values()] == ["99.7647", "99.5294", "99.5294"]
    assert texts(rules, result)[1] == ["99.34", "99.26", "99.24"]


def test_x4_benchmark_is_the_mean_times_96_percent() -> None:
    rules = method(float="-0.04")
    assert scoring.benchmark(rules, bids({"1": 459, "2": 442, "3": 412, "4": 400})).yuan == Fraction("411.12")


X5: dict[str, object] = {"float": "-0.05", "above": "1.2", "below": "0.8", "drop": [[1, 0, 0], [6, 1, 0], [7, 1, 1]]}


@pytest.mark.parametrize(
    ("prices", "scores"),
    [
        ([100, 102, 98, 104, 96], ["93.68", "91.16", "96.21", "88.63", "98.74"]),
        ([100, 102, 98, 104, 96, 120], ["93.68", "91.16", "96.21", "88.63", "98.74", "68.42"]),
        ([100, 102, 98, 104, 96, 120, 80], ["93.68", "91.16", "96.21", "88.63", "98.74", "68.42", "87.37"]),
    ],
)
def test_x5_drop_table_by_number_of_bids(prices: list[int], scores: list[str]) -> None:
    rules = method(**X5)
    result = scoring.evaluate(Case(rules, None, bids({str(at): price for at, price in enumerate(prices)}), []))
    assert result.base == 95
    assert texts(rules, result)[0] == scores


def test_dropped_bids_are_named_and_still_scored() -> None:
    found = scoring.benchmark(method(**X5), bids({"a": 100, "b": 102, "c": 98, "d": 104, "e": 96, "f": 120, "g": 80}))
    assert (found.dropped_highest, found.dropped_lowest) == (("f",), ("g",))


def abnormal_case(values: Sequence[int], outside: Sequence[str]) -> Case:
    rules = method(weights={"price": "0", "points": "1"})
    abnormal = tuple((expert, "A", "technical") for expert in outside)
    return Case(rules, None, bids({"A": 100}), marks({"A": values}), abnormal)


def test_x11_abnormal_mark_counts_as_the_mean_of_the_others() -> None:
    case = abnormal_case([9000, 8800, 6000, 9100, 8900], ["e3"])
    assert scoring.mean_points(case) == {"A": Fraction("89.5")}
    assert scoring.evaluate(case).totals == {"A": Fraction("89.5")}


def test_two_abnormal_marks_both_count_as_the_mean_of_the_remaining_three() -> None:
    # (90 + 91 + 89) / 3 = 90 exactly, by hand.
    assert scoring.mean_points(abnormal_case([9000, 100, 6000, 9100, 8900], ["e2", "e3"])) == {"A": Fraction(90)}


def test_abnormal_replacement_touches_only_its_own_item() -> None:
    rules = method(weights={"price": "0", "points": "1"})
    both = marks({"A": [1000, 2000, 3000]}, "one") + marks({"A": [100, 200, 900]}, "two")
    # item one mean 20; item two without e3: 1.5; together 21.5.
    case = Case(rules, None, bids({"A": 100}), both, (("e3", "A", "two"),))
    assert scoring.mean_points(case) == {"A": Fraction("21.5")}


@pytest.mark.parametrize(
    ("abnormal", "code"),
    [
        ([("e1", "A", "x")], "abnormal_mark_unknown"),
        ([("e9", "A", "technical")], "abnormal_mark_unknown"),
        ([("e1", "A", "technical"), ("e1", "A", "technical")], "abnormal_mark_listed_twice"),
        ([("e1", "A", "technical"), ("e2", "A", "technical")], "all_marks_of_an_item_abnormal"),
    ],
)
def test_wrong_abnormal_lists_are_refused(abnormal: list[tuple[str, str, str]], code: str) -> None:
    rules = method(weights={"price": "0", "points": "1"})
    with pytest.raises(Refused) as err:
        scoring.evaluate(Case(rules, None, bids({"A": 1}), marks({"A": [100, 200]}), tuple(abnormal)))
    assert err.value.code == code


def test_a_bid_over_the_max_price_gets_no_score_and_does_not_enter_the_mean() -> None:
    case = Case(method(), 20000, bids({"a": 100, "b": 200, "c": 201}), [])
    result = scoring.evaluate(case)
    assert result.base == 150
    assert result.ranking == ("a", "b")
    assert "c" not in result.scores


def test_caps_and_floor_bound_the_loss() -> None:
    words = method(cap={"above": "30", "below": "5"}, base={"fixed": "100"})
    result = scoring.evaluate(Case(words, None, bids({"low": 50, "high": 150}), []))
    assert result.scores == {"low": 95, "high": 70}
    floored = scoring.evaluate(Case(method(floor="12.5", base={"fixed": "100"}), None, bids({"x": 300}), []))
    assert floored.scores == {"x": Fraction("12.5")}


def test_a_price_equal_to_the_benchmark_keeps_the_full_score() -> None:
    assert scoring.evaluate(Case(method(), None, bids({"a": 100}), [])).scores == {"a": 100}


def test_rounding_is_half_up_and_mirrors_below_zero() -> None:
    assert scoring.rounded(Fraction("0.125"), 2) == Fraction("0.13")
    assert scoring.rounded(Fraction("-0.125"), 2) == Fraction("-0.13")
    assert scoring.rounded(Fraction("0.12499"), 2) == Fraction("0.12")
    assert scoring.rounded(Fraction(1, 3), None) == Fraction(1, 3)


def test_rounded_base_moves_every_score() -> None:
    prices = bids({"a": 100, "b": 101, "c": 101})  # The mean is 100.666…, or 101 at no decimals.
    assert scoring.benchmark(method(round=rounding(base=0)), prices).yuan == 101
    assert scoring.benchmark(method(), prices).yuan == Fraction(302, 3)


def test_equal_totals_go_to_the_lower_price_then_the_points_then_the_draw() -> None:
    rules = method(weights={"price": "0", "points": "1"}, round=rounding(total=0))
    case = Case(rules, None, bids({"a": 100, "b": 90, "c": 100}), marks({"a": [8010], "b": [8000], "c": [8020]}))
    assert scoring.evaluate(case).ranking == ("b", "c", "a")
    assert scoring.evaluate(case).drawn == ()


def test_a_full_tie_waits_for_the_recorded_draw() -> None:
    case = Case(method(), None, bids({"a": 100, "b": 100, "c": 120}), [])
    with pytest.raises(Refused) as err:
        scoring.evaluate(case)
    assert (err.value.code, err.value.facts) == ("tie_needs_a_draw", {"tied": ["a", "b"]})
    result = scoring.evaluate(case, drawn=("b", "a"))
    assert result.ranking == ("b", "a", "c")
    assert result.drawn == (("b", "a"),)


@pytest.mark.rule("E-69", "refuse")
def test_a_tie_the_document_has_no_rule_for_is_not_decided_by_the_hall() -> None:
    case = Case(method(ties=["price"]), None, bids({"a": 100, "b": 100}), [])
    with pytest.raises(Refused) as err:
        scoring.evaluate(case, drawn=("a", "b"))
    assert (err.value.code, err.value.rule) == ("tie_has_no_rule", "E-69")


def test_the_benchmark_stays_when_a_bid_is_rejected_later() -> None:
    rules, prices = method(), bids({"a": 100, "b": 110, "c": 150})
    fixed = scoring.benchmark(rules, prices)
    after = scoring.evaluate(Case(rules, None, prices[:2], []), fixed=fixed)
    assert (after.base, after.ranking) == (120, ("b", "a"))
    assert scoring.evaluate(Case(rules, None, prices[:2], [])).base == 105


@pytest.mark.parametrize(
    ("table", "code"),
    [
        ([Mark("e1", "a", "x", 100)], "mark_missing"),
        ([Mark("e1", "a", "x", 1), Mark("e1", "b", "x", 1), Mark("e1", "b", "x", 1)], "mark_given_twice"),
        ([Mark("e1", "a", "x", 1), Mark("e1", "b", "x", 1), Mark("e1", "z", "x", 1)], "mark_for_unknown_bid"),
        ([Mark("e1", "a", "x", 1), Mark("e1", "b", "x", -1)], "mark_out_of_range"),
        ([], "marks_missing"),
    ],
)
def test_incomplete_or_foreign_marks_are_refused(table: list[Mark], code: str) -> None:
    rules = method(weights={"price": "0.6", "points": "0.4"})
    with pytest.raises(Refused) as err:
        scoring.evaluate(Case(rules, None, bids({"a": 100, "b": 110}), table))
    assert err.value.code == code


def test_marks_for_a_bid_over_the_max_price_are_ignored() -> None:
    rules = method(weights={"price": "0.5", "points": "0.5"})
    case = Case(rules, 10000, bids({"a": 100, "b": 200}), marks({"a": [9000], "b": [100]}))
    assert scoring.evaluate(case).totals == {"a": 95}


@pytest.mark.parametrize(
    "changes",
    [
        {"floor": "101"},
        {"full": "0"},
        {"float": "-1"},
        {"base": {"fixed": "0"}},
        {"weights": {"price": "0", "points": "0"}},
        {"drop": [[5, 1, 1], [4, 0, 0]]},
        {"drop": [[2, 1, 1]]},
        {"ties": ["draw", "price"]},
        {"ties": ["price", "price"]},
        {"round": rounding(total=9)},
    ],
)
def test_a_method_that_contradicts_itself_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(Refused) as err:
        method(**changes)
    assert err.value.rule == "E-69"


def test_no_valid_bid_is_refused() -> None:
    with pytest.raises(Refused) as err:
        scoring.evaluate(Case(method(), 100, bids({"a": 100}), []))
    assert err.value.code == "no_valid_bid_to_score"


def lowest_case(drawn: Sequence[str] = ()) -> lowest.LowestResult:
    return lowest.evaluated_lowest(
        [
            lowest.PricedBid("a", 100_00, 2_00, (lowest.Adjustment("payment", 3_00),)),
            lowest.PricedBid("b", 104_00),
            lowest.PricedBid("c", 103_00, 1_00),
            lowest.PricedBid("d", 50_00),
            lowest.PricedBid("e", 200_01),
        ],
        max_price_fen=200_00,
        factors={"payment", "delivery"},
        below_cost={"d"},
        drawn=drawn,
    )


@pytest.mark.rule("E-69", "pass")
def test_lowest_evaluated_price_ranks_by_the_comparison_table() -> None:
    found = lowest_case()
    assert found.ranking == ("c", "b", "a")  # 104 = 104: c bid 103, b bid 104; a is 100 + 2 + 3 = 105.
    assert found.rows[2] == lowest.Row("a", 100_00, 2_00, 3_00, 105_00)


@pytest.mark.rule("E-69", "refuse")
def test_an_adjustment_the_document_does_not_name_is_refused() -> None:
    bid = lowest.PricedBid("a", 100_00, 0, (lowest.Adjustment("reputation", -5_00),))
    with pytest.raises(Refused) as err:
        lowest.evaluated_lowest([bid], max_price_fen=None, factors={"payment"})
    assert (err.value.code, err.value.rule) == ("factor_not_in_document", "E-69")


def test_equal_evaluated_and_bid_prices_wait_for_the_draw() -> None:
    same = [lowest.PricedBid("a", 100), lowest.PricedBid("b", 100)]
    with pytest.raises(Refused) as err:
        lowest.evaluated_lowest(same, max_price_fen=None, factors=())
    assert err.value.code == "tie_needs_a_draw"
    assert lowest.evaluated_lowest(same, max_price_fen=None, factors=(), drawn=("b", "a")).ranking == ("b", "a")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_the_bids_never_changes_a_score(prices: list[int], shuffle: random.Random) -> None:
    rules = method(**X5)
    listed = [Bid(str(at), price) for at, price in enumerate(prices)]
    drawn = [bid.id for bid in listed]
    first = scoring.evaluate(Case(rules, None, tuple(listed), []), drawn=drawn)
    shuffle.shuffle(listed)
    again = scoring.evaluate(Case(rules, None, tuple(listed), []), drawn=drawn)
    assert (first.base, first.scores, first.ranking) == (again.base, again.scores, again.ranking)


def test_a_thousand_bids_by_a_hundred_items_by_nine_experts_are_ranked() -> None:
    chance = random.Random(7)
    listed = tuple(Bid(f"b{at}", 10**8 + at * 7) for at in range(1000))
    table = [
        Mark(f"e{e}", bid.id, f"i{i}", chance.randrange(0, 200)) for bid in listed for e in range(9) for i in range(100)
    ]
    rules = method(weights={"price": "0.6", "points": "0.4"})
    abnormal = tuple((f"e{at % 9}", f"b{at}", "i7") for at in range(100))
    result = scoring.evaluate(Case(rules, None, listed, table, abnormal))
    assert len(result.ranking) == 1000
