"""Lowest evaluated price: the comparison table and ranking of 经评审的最低投标价法.

Rules upheld: price adjustments only by factors the document names (条例 §49, E-69); a price over the max price, or
found below cost by the panel, is out (条例 §51 (5), E-70). Source: 12号令 §29-33; the table is its 标价比较表.
All amounts are integer fen; nothing is divided, so nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby

from crypto.refusal import Refused
from experts.scoring import order_by_draw


@dataclass(frozen=True, slots=True)
class Adjustment:
    """One price adjustment for a business deviation: the document's factor and signed fen."""

    factor: str
    fen: int


@dataclass(frozen=True, slots=True)
class PricedBid:
    """A bid under review: its price, the signed arithmetic correction and the adjustments, all in fen."""

    id: str
    price_fen: int
    correction_fen: int = 0
    adjustments: tuple[Adjustment, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the comparison table (标价比较表), fen: price + correction + adjustment = evaluated."""

    bid: str
    price_fen: int
    correction_fen: int
    adjustment_fen: int
    evaluated_fen: int


@dataclass(frozen=True, slots=True)
class LowestResult:
    """The comparison table in ranking order, best first, and the groups that only the draw put in order."""

    rows: tuple[Row, ...]
    ranking: tuple[str, ...]
    drawn: tuple[tuple[str, ...], ...]


def evaluated_lowest(
    bids: Sequence[PricedBid],
    *,
    max_price_fen: int | None,
    factors: Collection[str],
    below_cost: Collection[str] = (),
    drawn: Sequence[str] = (),
) -> LowestResult:
    """Rank by evaluated price, then by bid price, then by the recorded draw `drawn`.

    `factors` are the document's adjustment factors; `below_cost` the bids the panel found below cost, its reasons being
    in the report. Raises Refused `factor_not_in_document` (E-69), `no_valid_bid_to_score`, `price_not_positive`,
    `bid_listed_twice`, `tie_needs_a_draw`.
    """
    if len({bid.id for bid in bids}) < len(bids):
        raise Refused("bid_listed_twice")
    rows = [_row(bid, factors) for bid in bids]
    valid = [
        row for row in rows if row.bid not in below_cost and (max_price_fen is None or row.price_fen <= max_price_fen)
    ]
    if not valid:
        raise Refused("no_valid_bid_to_score", rule="E-73")
    by_id = {row.bid: row for row in valid}
    ranking: list[str] = []
    groups: list[tuple[str, ...]] = []
    for _, group in groupby(sorted(valid, key=_order), key=_order):
        equal = [row.bid for row in group]
        if len(equal) > 1:
            equal = order_by_draw(equal, drawn)
            groups.append(tuple(equal))
        ranking.extend(equal)
    return LowestResult(tuple(by_id[bid] for bid in ranking), tuple(ranking), tuple(groups))


def _row(bid: PricedBid, factors: Collection[str]) -> Row:
    for adjustment in bid.adjustments:
        if adjustment.factor not in factors:
            raise Refused("factor_not_in_document", rule="E-69", bid=bid.id, factor=adjustment.factor)
    adjustment_fen = sum(adjustment.fen for adjustment in bid.adjustments)
    evaluated_fen = bid.price_fen + bid.correction_fen + adjustment_fen
    if bid.price_fen <= 0 or evaluated_fen <= 0:
        raise Refused("price_not_positive", bid=bid.id)
    return Row(bid.id, bid.price_fen, bid.correction_fen, adjustment_fen, evaluated_fen)


def _order(row: Row) -> tuple[int, int]:
    return row.evaluated_fen, row.price_fen
