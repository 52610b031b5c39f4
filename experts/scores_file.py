"""The file scores.json: a method, prices and marks, and the result they must give (docs/spec/scores.md).

Parsing is strict: duplicate keys, unknown or missing fields, JSON numbers where decimal strings belong, NaN, exponents,
deep nesting and over-long input are refused, each with the field's name. A decimal string has at most fifteen digits
before the point; prices and marks have at most two after it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NoReturn, cast

from crypto import jcs
from crypto.refusal import Refused
from experts.scoring import Bid, Case, DropRow, Mark, Method, Result, Rounding, Tie, evaluate, rounded

BYTES_MAX = 256 * 1024 * 1024
NAME_CHARACTERS_MAX = 200
EXACT_PLACES = 12  # Decimals written for a value whose rounding point is null and whose decimals never end.

_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.([0-9]{1,12}))?")
_HUNDREDTHS = re.compile(r"(0|[1-9][0-9]{0,14})(?:\.([0-9]{1,2}))?")
_POINTS = ("base", "deviation", "score", "points", "total")


@dataclass(frozen=True, slots=True)
class Recorded:
    """The `result` a file brings along, as its decimal strings."""

    base: str
    scores: dict[str, str]
    totals: dict[str, str]
    ranking: tuple[str, ...]


def load(data: bytes) -> tuple[Case, Recorded | None]:
    """Read one scores.json. Raises Refused `scores_file_*` with the field that is wrong."""
    if len(data) > BYTES_MAX:
        raise Refused("scores_file_too_large", most=BYTES_MAX)
    try:
        parsed = json.loads(
            data.decode("utf-8"), object_pairs_hook=_once, parse_float=_no_number, parse_constant=_no_number
        )
    except (UnicodeDecodeError, RecursionError, ValueError) as broken:
        raise Refused("scores_file_unreadable", why=str(broken)[:200]) from broken
    top = _fields(parsed, "file", {"kind", "method", "max_price", "bids", "points", "abnormal"}, {"result"})
    if top["kind"] != "scores":
        raise Refused("scores_file_wrong_kind", kind=str(top["kind"])[:40])
    max_price = None if top["max_price"] is None else hundredths(top["max_price"], "max_price")
    case = Case(
        method=method_of(top["method"]),
        max_price_fen=max_price,
        bids=tuple(_bid(row) for row in _list(top["bids"], "bids")),
        marks=_marks(_list(top["points"], "points")),
        abnormal=tuple(_triple(row) for row in _list(top["abnormal"], "abnormal")),
    )
    return case, _recorded(top["result"]) if "result" in top else None


def dump(case: Case, result: Result | None = None) -> bytes:
    """Write a case, and its result where there is one, as canonical JSON (JCS): acts name the file by its hash.

    Names stand in canonical order here already; a million marks through the general writer would take half a minute.
    """
    top: dict[str, object] = {
        "abnormal": [list(triple) for triple in case.abnormal],
        "bids": [{"id": bid.id, "price": two_places(bid.price_fen)} for bid in case.bids],
        "kind": "scores",
        "max_price": None if case.max_price_fen is None else two_places(case.max_price_fen),
        "method": json.loads(jcs.dumps(method_fields(case.method))),
        "points": [
            {"bid": mark.bid, "expert": mark.expert, "item": mark.item, "points": points}
            for mark, points in zip(case.marks, _points_texts(case.marks), strict=True)
        ],
    }
    if result is not None:
        top["result"] = json.loads(jcs.dumps(result_fields(case.method, result)))
    return json.dumps(top, ensure_ascii=False, separators=(",", ":")).encode()


def verify_result(case: Case, recorded: Recorded) -> Result:
    """Compute the result again and hold it against the recorded one; numbers compare as numbers, "32.5" = "32.50".

    Where only a draw orders a tie, the recorded ranking is read as the draw's order: the draw is proved elsewhere.
    Raises Refused `recount_differs` with field and both values.
    """
    result = evaluate(case, drawn=recorded.ranking)
    mine = result_fields(case.method, result)
    ours = cast("dict[str, dict[str, str]]", mine)
    _same("base", "", cast(str, mine["base"]), recorded.base)
    for field, theirs in (("scores", recorded.scores), ("totals", recorded.totals)):
        if ours[field].keys() != theirs.keys():
            raise Refused("recount_differs", field=field, computed=sorted(ours[field]), recorded=sorted(theirs))
        for bid, text in ours[field].items():
            _same(field, bid, text, theirs[bid])
    if result.ranking != recorded.ranking:
        raise Refused(
            "recount_differs", field="ranking", computed=list(result.ranking), recorded=list(recorded.ranking)
        )
    return result


def method_of(value: object) -> Method:
    """The `method` object of the file, or of a tender document that carries the same words (E-69)."""
    names = {"name", "full", "base", "drop", "float", "above", "below", "cap", "floor", "weights", "round", "ties"}
    fields = _fields(value, "method", names)
    if fields["name"] != "benchmark":
        raise Refused("scores_file_unknown_method", rule="E-69", name=str(fields["name"])[:40])
    cap = _fields(fields["cap"], "method.cap", {"above", "below"})
    weights = _fields(fields["weights"], "method.weights", {"price", "points"})
    places = _fields(fields["round"], "method.round", {*_POINTS, "mode"})
    if places["mode"] != "half_up":
        raise Refused("scores_file_wrong_field", field="method.round.mode", why="half_up")
    base = fields["base"]
    fixed = None if base == "mean" else _fields(base, "method.base", {"fixed"})["fixed"]
    return Method(
        full=number(fields["full"], "method.full"),
        base_fixed=None if fixed is None and base == "mean" else number(fixed, "method.base.fixed"),
        drop=tuple(_drop(row) for row in _list(fields["drop"], "method.drop")),
        float_rate=number(fields["float"], "method.float", signed=True),
        above=number(fields["above"], "method.above"),
        below=number(fields["below"], "method.below"),
        cap_above=None if cap["above"] is None else number(cap["above"], "method.cap.above"),
        cap_below=None if cap["below"] is None else number(cap["below"], "method.cap.below"),
        floor=number(fields["floor"], "method.floor"),
        weight_price=number(weights["price"], "method.weights.price"),
        weight_points=number(weights["points"], "method.weights.points"),
        rounding=Rounding(*(_places(places[point], point) for point in _POINTS)),
        ties=tuple(_tie(tie) for tie in _list(fields["ties"], "method.ties")),
    )


def method_fields(method: Method) -> dict[str, object]:
    """The `method` object as written, the inverse of `method_of`."""
    places: dict[str, object] = {point: getattr(method.rounding, point) for point in _POINTS}
    caps = {"above": method.cap_above, "below": method.cap_below}
    return {
        "name": "benchmark",
        "full": decimal_text(method.full),
        "base": "mean" if method.base_fixed is None else {"fixed": decimal_text(method.base_fixed)},
        "drop": [list(row) for row in method.drop],
        "float": decimal_text(method.float_rate),
        "above": decimal_text(method.above),
        "below": decimal_text(method.below),
        "cap": {side: None if cap is None else decimal_text(cap) for side, cap in caps.items()},
        "floor": decimal_text(method.floor),
        "weights": {"price": decimal_text(method.weight_price), "points": decimal_text(method.weight_points)},
        "round": places | {"mode": "half_up"},
        "ties": list(method.ties),
    }


def result_fields(method: Method, result: Result) -> dict[str, object]:
    """The `result` object: decimal strings with as many decimals as their rounding point keeps."""
    places = method.rounding
    return {
        "base": decimal_text(result.base, places.base),
        "scores": {bid: decimal_text(value, places.score) for bid, value in result.scores.items()},
        "totals": {bid: decimal_text(value, places.total) for bid, value in result.totals.items()},
        "ranking": list(result.ranking),
    }


def table_object(method: Method, result: Result, items: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """The table as published, behind `scores_locked.table_hash` (docs/spec/acts.md §5); best bid first.

    `items` are the document's items as data. Bids over the max price have no row.
    """
    places = method.rounding
    rows = [
        {
            "bid": bid,
            "price_score": decimal_text(result.scores[bid], places.score),
            "points": decimal_text(result.points[bid], places.points),
            "total": decimal_text(result.totals[bid], places.total),
            "rank": rank,
        }
        for rank, bid in enumerate(result.ranking, 1)
    ]
    return {"items": [dict(item) for item in items], "bids": rows}


def decimal_text(value: Fraction, places: int | None = None) -> str:
    """A decimal string with exactly `places` decimals; with None the shortest exact one.

    Decimals that never end are cut half up at EXACT_PLACES for printing; nothing computes with the text.
    """
    shown = EXACT_PLACES if places is None else places
    units = rounded(value, shown) * 10**shown
    assert units.denominator == 1
    sign, digits = "-" if units < 0 else "", str(abs(units.numerator)).rjust(shown + 1, "0")
    whole, decimals = (digits[:-shown], digits[-shown:]) if shown else (digits, "")
    if places is None:
        decimals = decimals.rstrip("0")
    return sign + whole + (f".{decimals}" if decimals else "")


def two_places(hundredths: int) -> str:
    """Fen as yuan, or hundredths as points, always with two decimals: 3360 → "33.60"."""
    return decimal_text(Fraction(hundredths, 100), 2)


def number(value: object, field: str, *, signed: bool = False) -> Fraction:
    """A decimal string as an exact number. Raises Refused `scores_file_wrong_decimal`."""
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value) or (value.startswith("-") and not signed):
        raise Refused("scores_file_wrong_decimal", field=field, found=str(value)[:40])
    return Fraction(value)


def hundredths(value: object, field: str) -> int:
    """A decimal string of at most two decimals as integer hundredths (fen of a yuan, hundredths of a point)."""
    match = _HUNDREDTHS.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Refused("scores_file_wrong_decimal", field=field, found=str(value)[:40])
    whole, decimals = match.groups("")
    return int(whole) * 100 + int(decimals.ljust(2, "0"))


def _points_texts(marks: Sequence[Mark]) -> Iterator[str]:
    """two_places of each mark; few values occur, so each is written once."""
    known: dict[int, str] = {}
    for mark in marks:
        if mark.hundredths not in known:
            known[mark.hundredths] = two_places(mark.hundredths)
        yield known[mark.hundredths]


def _same(field: str, bid: str, computed: str, recorded: str) -> None:
    if number(recorded, f"result.{field}", signed=True) != Fraction(computed):
        raise Refused("recount_differs", field=field, bid=bid, computed=computed, recorded=recorded)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    read = dict(pairs)
    if len(read) < len(pairs):
        names = [name for name, _ in pairs]
        raise Refused("scores_file_duplicate_key", key=next(name for name in names if names.count(name) > 1)[:40])
    return read


def _no_number(text: str) -> NoReturn:
    raise Refused("scores_file_wrong_decimal", field="?", found=text[:40])


def _fields(
    value: object, field: str, names: set[str], optional: frozenset[str] | set[str] = frozenset()
) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise Refused("scores_file_wrong_field", field=field, why="object")
    if value.keys() != names and (missing := names - value.keys()) | (unknown := value.keys() - names - optional):
        raise Refused(
            "scores_file_wrong_field", field=field, why=f"missing {sorted(missing)}, unknown {sorted(unknown)}"[:200]
        )
    return value


def _list(value: object, field: str) -> list[object]:
    if not isinstance(value, list):
        raise Refused("scores_file_wrong_field", field=field, why="list")
    return value


def _name(value: object, field: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= NAME_CHARACTERS_MAX or not value.isprintable():
        raise Refused("scores_file_wrong_field", field=field, why="name")
    return value


def _bid(row: object) -> Bid:
    fields = _fields(row, "bids", {"id", "price"})
    return Bid(_name(fields["id"], "bids.id"), hundredths(fields["price"], "bids.price"))


def _marks(rows: list[object]) -> list[Mark]:
    """The marks; each distinct name and number is checked once and kept once, for there may be a million rows."""
    fields_of_a_mark = {"expert", "bid", "item", "points"}
    names: dict[str, str] = {}
    numbers: dict[str, int] = {}

    def name(value: object, field: str) -> str:
        if not isinstance(value, str) or value not in names:
            checked = _name(value, field)
            names[checked] = checked
        return names[cast(str, value)]

    marks = []
    for row in rows:
        fields = _fields(row, "points", fields_of_a_mark)
        points = fields["points"]
        if not isinstance(points, str) or points not in numbers:
            numbers[cast(str, points)] = hundredths(points, "points.points")
        expert = name(fields["expert"], "points.expert")
        bid, item = name(fields["bid"], "points.bid"), name(fields["item"], "points.item")
        marks.append(Mark(expert, bid, item, numbers[cast(str, points)]))
    return marks


def _triple(row: object) -> tuple[str, str, str]:
    names = _list(row, "abnormal")
    if len(names) != 3:
        raise Refused("scores_file_wrong_field", field="abnormal", why="[expert, bid, item]")
    return _name(names[0], "abnormal"), _name(names[1], "abnormal"), _name(names[2], "abnormal")


def _drop(row: object) -> DropRow:
    numbers = _list(row, "method.drop")
    if len(numbers) != 3 or not all(type(n) is int and 0 <= n <= 10**6 for n in numbers):
        raise Refused("scores_file_wrong_field", field="method.drop", why="[from_n, highest, lowest]")
    return DropRow(*cast("list[int]", numbers))


def _places(value: object, point: str) -> int | None:
    if value is not None and type(value) is not int:
        raise Refused("scores_file_wrong_field", field=f"method.round.{point}", why="integer or null")
    return value


def _tie(value: object) -> Tie:
    if value not in ("price", "points", "draw"):
        raise Refused("scores_file_wrong_field", field="method.ties", why="price, points, draw")
    return value


def _recorded(value: object) -> Recorded:
    fields = _fields(value, "result", {"base", "scores", "totals", "ranking"})
    texts: dict[str, dict[str, str]] = {}
    for name in ("scores", "totals"):
        held = fields[name]
        if not isinstance(held, dict):
            raise Refused("scores_file_wrong_field", field=f"result.{name}", why="object")
        texts[name] = {bid: _text(text, f"result.{name}") for bid, text in held.items()}
    ranking = tuple(_name(bid, "result.ranking") for bid in _list(fields["ranking"], "result.ranking"))
    return Recorded(_text(fields["base"], "result.base"), texts["scores"], texts["totals"], ranking)


def _text(value: object, field: str) -> str:
    number(value, field, signed=True)
    return cast(str, value)
