"""What a method gives sample prices, for the owner's desk: the panel's own scoring over invented bids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experts import lowest, scores_file, scoring
from experts.scoring import Bid, Case, Mark


def sample(method: Mapping[str, Any], max_price_fen: int | None, bids: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """Score (price in fen, points in hundredths) as the panel's scores would be; see trading/desk/drafts/samples.py.

    Bids that are equal in everything keep their order, where the document would draw lots. Raises what scoring refuses.
    """
    names = [str(number) for number in range(1, len(bids) + 1)]
    if method["name"] == "lowest_evaluated":
        priced = [lowest.PricedBid(name, price) for name, (price, _) in zip(names, bids, strict=True)]
        ranked = lowest.evaluated_lowest(priced, max_price_fen=max_price_fen, factors=(), drawn=names)
        places = {name: rank for rank, name in enumerate(ranked.ranking, start=1)}
        rows = [_row(price, places.get(name)) for name, (price, _) in zip(names, bids, strict=True)]
        return {"base": "—", "rows": rows}
    case = Case(
        scores_file.method_of(method),
        max_price_fen,
        tuple(Bid(name, price) for name, (price, _) in zip(names, bids, strict=True)),
        [Mark("sample", name, "points", points) for name, (_, points) in zip(names, bids, strict=True)],
    )
    result = scoring.evaluate(case, drawn=names)
    told = scores_file.table_object(case.method, result, [])
    rows_by: dict[str, Mapping[str, Any]] = {row["bid"]: row for row in told["bids"]}  # type: ignore[attr-defined]
    rows = []
    for name, (price, _) in zip(names, bids, strict=True):
        row = rows_by.get(name)
        rows.append(_row(price, row["rank"] if row else None, row or {}))
    return {"base": scores_file.decimal_text(result.base, case.method.rounding.base), "rows": rows}


def _row(price: int, rank: int | None, told: Mapping[str, Any] | None = None) -> dict[str, Any]:
    row = {name: (told or {}).get(name, "—") for name in ("price_score", "points", "total")}
    return {"price_fen": price, "rank": rank, **row}
