"""Check 8 where the document says 经评审的最低投标价法: the comparison table made again (docs/spec/scores.md §10).

12号令 §29-33. Evaluated price = bid price + correction + adjustment, in fen; the lowest first, then the lowest bid
price, then the order that the panel's draw gives. The hall's own count is experts/lowest.py; this module shares
nothing with it. No act states a correction or an adjustment yet, so a table that has one is refused (E-69).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

from crypto.verifier import fields, shapes
from crypto.verifier.findings import PLATFORM, fail, need
from crypto.verifier.shapes import Misshapen, record, rows, whole
from crypto.verifier.shown import Act, Bundle

NAME: Final = "lowest_evaluated"
TIE_LABEL: Final = b"draw/v1 tie\0"
FEN_MAX: Final = 10**15
_YUAN = re.compile(r"(?:0|[1-9]\d{0,14})(?:\.\d{1,2})?")
_SCORES = record(
    kind=shapes.one_of(NAME),
    rows=rows(
        record(
            bid=fields.H32,
            price_fen=whole(1, FEN_MAX),
            correction_fen=whole(-FEN_MAX, FEN_MAX),
            adjustment_fen=whole(-FEN_MAX, FEN_MAX),
            evaluated_fen=whole(1, FEN_MAX),
        ),
        least=1,
    ),
    result=record(
        ranking=rows(fields.H32), totals=shapes.by_name(shapes.matching(_YUAN.pattern, "yuan with two decimals"))
    ),
)


def check(bundle: Bundle, scores: Any, locked: Act) -> int:
    """Judge the comparison table against opening record, notice and draw; returns how many bids it ranks.

    Raises Failed.
    """
    try:
        shapes.check(_SCORES, scores, "scores")
    except Misshapen as wrong:
        fail("field_of_scores_wrong", path=wrong.path, wanted=wrong.wanted, event=locked.leaf, culprit=PLATFORM)
    _check_prices(bundle, scores, locked)
    order = ranking(scores["rows"], _seed(bundle, locked))
    told = [row["bid"] for row in scores["rows"]]
    place = next((n for n, (one, other) in enumerate(zip(told, order, strict=True), 1) if one != other), None)
    need(place is None, "lowest_place_belongs_to_another", place=place, event=locked.leaf, culprit=PLATFORM)
    need(scores["result"]["ranking"] == order, "lowest_ranking_differs", event=locked.leaf, culprit=PLATFORM)
    right = {row["bid"]: Fraction(row["evaluated_fen"], 100) for row in scores["rows"]}
    totals = {bid: Fraction(text) for bid, text in scores["result"]["totals"].items()}
    need(totals == right, "lowest_totals_differ", event=locked.leaf, culprit=PLATFORM)
    _check_table(bundle, order, right, locked)
    return len(order)


def ranking(rows_: Any, seed: bytes) -> list[str]:
    """The bids in order: evaluated price, bid price, then H("draw/v1 tie\\0" || seed || bid)."""

    def key(row: Mapping[str, Any]) -> tuple[int, int, bytes]:
        tie = hashlib.sha256(TIE_LABEL + seed + bytes.fromhex(row["bid"])).digest()
        return row["evaluated_fen"], row["price_fen"], tie

    return [row["bid"] for row in sorted(rows_, key=key)]


def _check_prices(bundle: Bundle, scores: Mapping[str, Any], locked: Act) -> None:
    opened = bundle.last("opened")
    if opened is None:
        fail("scored_before_opening", event=locked.leaf, culprit=PLATFORM)
    prices = {row["bid"]: row["price_fen"] for row in bundle.document(opened["record_hash"])}
    ceiling = bundle.tender["max_price_fen"]
    seen: set[str] = set()
    for row in scores["rows"]:
        bid, price = row["bid"], row["price_fen"]
        known = bid not in seen and prices.get(bid) == price
        need(known, "price_scored_is_not_opening_records", id=bid, event=locked.leaf, culprit=PLATFORM)
        need(ceiling is None or price <= ceiling, "lowest_over_max_price", id=bid, event=locked.leaf, culprit=PLATFORM)
        plain = row["correction_fen"] == 0 == row["adjustment_fen"]
        need(plain, "lowest_adjustment_without_ground", id=bid, event=locked.leaf, culprit=PLATFORM)
        need(row["evaluated_fen"] == price, "lowest_sum_differs", id=bid, event=locked.leaf, culprit=PLATFORM)
        seen.add(bid)


def _seed(bundle: Bundle, locked: Act) -> bytes:
    drawn = [act for act in bundle.of("draw_result") if act.index < locked.index]
    need(drawn, "scores_without_draw", event=locked.leaf, culprit=PLATFORM)
    return bytes.fromhex(drawn[-1]["seed"])


def _check_table(bundle: Bundle, order: list[str], right: Mapping[str, Fraction], locked: Act) -> None:
    table, terms = bundle.document(locked["table_hash"]), bundle.document(bundle.tender["terms_hash"])
    need(table["items"] == terms["items"], "tables_items_are_not_tender_documents", event=locked.leaf, culprit=PLATFORM)
    told = [
        (row["bid"], row["rank"], Fraction(row["price_score"]), Fraction(row["points"]), Fraction(row["total"]))
        for row in table["bids"]
    ]
    wanted = [(bid, rank, right[bid], Fraction(0), right[bid]) for rank, bid in enumerate(order, 1)]
    wrong = next((one[0] for one, other in zip(told, wanted, strict=False) if one != other), None)
    same = wrong is None and len(told) == len(wanted)
    need(same, "table_differs_from_recount", bid=str(wrong)[:16], event=locked.leaf, culprit=PLATFORM)
