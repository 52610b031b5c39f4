"""scores.json: strict reading, faithful writing, and the recount that holds a recorded result."""

import json
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from crypto import jcs
from crypto.refusal import Refused
from experts import scores_file, scoring

FILE: dict[str, Any] = {
    "kind": "scores",
    "method": {
        "name": "benchmark",
        "full": "100",
        "base": {"fixed": "2125"},
        "drop": [],
        "float": "0",
        "above": "2",
        "below": "1",
        "cap": {"above": None, "below": "10"},
        "floor": "0",
        "weights": {"price": "0.6", "points": "0.4"},
        "round": {"base": None, "deviation": 2, "score": 2, "points": 2, "total": 2, "mode": "half_up"},
        "ties": ["price", "points", "draw"],
    },
    "max_price": "2200",
    "bids": [{"id": "甲", "price": "2120"}, {"id": "乙", "price": "2130"}, {"id": "丙", "price": "2130.00"}],
    "points": [
        {"expert": "1", "bid": "甲", "item": "技术", "points": "98.70"},
        {"expert": "1", "bid": "乙", "item": "技术", "points": "98.85"},
        {"expert": "1", "bid": "丙", "item": "技术", "points": "98.8"},
    ],
    "abnormal": [],
    "result": {
        "base": "2125",
        "scores": {"甲": "99.76", "乙": "99.52", "丙": "99.52"},
        "totals": {"甲": "99.34", "乙": "99.25", "丙": "99.23"},
        "ranking": ["甲", "乙", "丙"],
    },
}


def changed(path: str, value: object) -> bytes:
    """FILE with one field replaced; the path is dotted, numbers index lists."""
    file = json.loads(json.dumps(FILE))
    *parents, last = path.split(".")
    at: Any = file
    for name in parents:
        at = at[int(name)] if isinstance(at, list) else at[name]
    at[int(last) if isinstance(at, list) else last] = value
    return json.dumps(file).encode()


def test_a_correct_result_is_proved() -> None:
    case, recorded = scores_file.load(json.dumps(FILE).encode())
    assert recorded is not None
    assert scores_file.verify_result(case, recorded).ranking == ("甲", "乙", "丙")


def test_written_and_read_again_is_the_same_case() -> None:
    case, _ = scores_file.load(json.dumps(FILE).encode())
    result = scoring.evaluate(case)
    data = scores_file.dump(case, result)
    again, recorded = scores_file.load(data)
    assert again == case
    assert recorded is not None
    assert scores_file.verify_result(again, recorded) == result
    assert scores_file.dump(again, result) == data
    assert json.loads(data)["result"] == FILE["result"]


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("result.base", "2125.01", "base"),
        ("result.scores.甲", "99.77", "scores"),
        ("result.totals.丙", "99.24", "totals"),
        ("result.totals", {"甲": "99.34"}, "totals"),
        ("result.ranking", ["乙", "甲", "丙"], "ranking"),
        ("points.0.points", "90", "totals"),
        ("bids.0.price", "2110", "scores"),
        ("max_price", "2125", "scores"),
    ],
)
def test_a_forged_result_price_or_mark_is_found(path: str, value: object, field: str) -> None:
    case, recorded = scores_file.load(changed(path, value))
    assert recorded is not None
    with pytest.raises(Refused) as err:
        scores_file.verify_result(case, recorded)
    assert (err.value.code, err.value.facts["field"]) == ("recount_differs", field)


def test_the_file_is_written_in_the_canonical_form() -> None:
    case, _ = scores_file.load(json.dumps(FILE).encode())
    renamed = {"甲": "\U00020000", "乙": "\uff5e", "丙": "Z"}  # UTF-16 order differs from code point order.
    case = replace(
        case,
        bids=tuple(bid._replace(id=renamed[bid.id]) for bid in case.bids),
        marks=[mark._replace(bid=renamed[mark.bid]) for mark in case.marks],
    )
    data = scores_file.dump(case, scoring.evaluate(case))
    assert jcs.dumps(json.loads(data)) == data
    assert list(json.loads(data)["result"]["scores"]) == ["Z", "\U00020000", "\uff5e"]


def test_the_published_table_follows_the_ranking() -> None:
    case, _ = scores_file.load(json.dumps(FILE).encode())
    table = scores_file.table_object(case.method, scoring.evaluate(case), [{"code": "技术"}])
    assert table["items"] == [{"code": "技术"}]
    assert table["bids"] == [
        {"bid": "甲", "price_score": "99.76", "points": "98.70", "total": "99.34", "rank": 1},
        {"bid": "乙", "price_score": "99.52", "points": "98.85", "total": "99.25", "rank": 2},
        {"bid": "丙", "price_score": "99.52", "points": "98.80", "total": "99.23", "rank": 3},
    ]


def test_a_recorded_draw_order_is_accepted_only_inside_the_tie() -> None:
    file = json.loads(json.dumps(FILE))
    file["points"][2]["points"] = "98.85"
    file["result"]["totals"]["丙"] = "99.25"
    for ranking, good in ((["甲", "丙", "乙"], True), (["甲", "乙", "丙"], True), (["丙", "甲", "乙"], False)):
        file["result"]["ranking"] = ranking
        case, recorded = scores_file.load(json.dumps(file).encode())
        assert recorded is not None
        if good:
            scores_file.verify_result(case, recorded)
        else:
            with pytest.raises(Refused):
                scores_file.verify_result(case, recorded)


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("kind", "draw", "scores_file_wrong_kind"),
        ("surprise", 1, "scores_file_wrong_field"),
        ("method.surprise", 1, "scores_file_wrong_field"),
        ("method.name", "lottery", "scores_file_unknown_method"),
        ("method.full", 100, "scores_file_wrong_decimal"),
        ("method.full", 100.0, "scores_file_wrong_decimal"),
        ("method.full", "1e2", "scores_file_wrong_decimal"),
        ("method.full", "-1", "scores_file_wrong_decimal"),
        ("method.full", "0100", "scores_file_wrong_decimal"),
        ("method.full", "１００", "scores_file_wrong_decimal"),
        ("method.full", None, "scores_file_wrong_decimal"),
        ("method.base", "median", "scores_file_wrong_field"),
        ("method.base", {"fixed": None}, "scores_file_wrong_decimal"),
        ("method.drop", [[1, 0]], "scores_file_wrong_field"),
        ("method.drop", [[True, 0, 0]], "scores_file_wrong_field"),
        ("method.round.mode", "half_even", "scores_file_wrong_field"),
        ("method.round.base", "2", "scores_file_wrong_field"),
        ("method.ties", ["price", "mood"], "scores_file_wrong_field"),
        ("bids.0.price", "2120.001", "scores_file_wrong_decimal"),
        ("bids.0.price", "0", "price_not_positive"),
        ("bids.0.id", "乙", "bid_listed_twice"),
        ("bids.0.id", "", "scores_file_wrong_field"),
        ("bids.0.id", "a\u202eb", "scores_file_wrong_field"),
        ("points.0.points", "-1", "scores_file_wrong_decimal"),
        ("points.0.points", "98.701", "scores_file_wrong_decimal"),
        ("abnormal", [["1", "甲"]], "scores_file_wrong_field"),
        ("result.base", "x", "scores_file_wrong_decimal"),
    ],
)
def test_what_the_writer_would_not_write_the_reader_refuses(path: str, value: object, code: str) -> None:
    with pytest.raises(Refused) as err:
        scores_file.load(changed(path, value))
    assert err.value.code == code


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "scores_file_unreadable"),
        (b"\xff\xfe", "scores_file_unreadable"),
        (b"[" * 100_000, "scores_file_unreadable"),
        (b'{"kind":"scores","kind":"scores"}', "scores_file_duplicate_key"),
        (b'{"kind":NaN}', "scores_file_wrong_decimal"),
        (b'{"kind":' + b"9" * 5000 + b"}", "scores_file_unreadable"),
        (b"[]", "scores_file_wrong_field"),
    ],
)
def test_hostile_bytes_are_refused_without_a_traceback(data: bytes, code: str) -> None:
    with pytest.raises(Refused) as err:
        scores_file.load(data)
    assert err.value.code == code


def test_decimals_are_written_as_their_rounding_point_keeps_them() -> None:
    assert scores_file.decimal_text(Fraction("32.5"), 2) == "32.50"
    assert scores_file.decimal_text(Fraction("32.50")) == "32.5"
    assert scores_file.decimal_text(Fraction("-0.05")) == "-0.05"
    assert scores_file.decimal_text(Fraction(7100), 0) == "7100"
    assert scores_file.decimal_text(Fraction(302, 3)) == "100.666666666667"
    assert scores_file.two_places(5) == "0.05"
