"""Sample prices: what a method would give five invented bids, so that an owner sees what a parameter does.

The same scoring as the panel's is used; the portal hands it in, because scoring belongs to another room.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trading.counter.page import forms
from trading.counter.page.forms import Field, Filled

COUNT = 5
SHARES = (97, 94, 91, 88, 80)
Preview = Callable[[Mapping[str, Any], int | None, Sequence[tuple[int, int]]], Mapping[str, Any]]
"""(method as in the tender document, max price in fen, [(price in fen, points in hundredths)]) →
{"base": text, "rows": [{"price_fen","price_score","points","total","rank"}]}, in the order given; what cannot be scored
has None. Raises what scoring refuses."""


def _fields() -> tuple[Field, ...]:
    found: list[Field] = []
    for number in range(1, COUNT + 1):
        price = Field(
            f"sample.{number}.price",
            f"样本{number} 报价(元)",
            f"Sample {number}: price (yuan)",
            "money",
            max=10**15,
            min=1,
        )
        points = Field(
            f"sample.{number}.points", f"样本{number} 其他得分", f"Sample {number}: points", "points", max=100_000
        )
        found += [price, points]
    return tuple(found)


FIELDS = _fields()


def blank(document: Mapping[str, Any]) -> Filled:
    """Samples spread under the max price."""
    ceiling = (document.get("price") or {}).get("max_price_fen") or 10_000_000_00
    values: dict[str, int] = {}
    for number, share in enumerate(SHARES, start=1):
        values[f"sample.{number}.price"] = ceiling * share // 100
        values[f"sample.{number}.points"] = 85_00
    return forms.blank(FIELDS, values)


def score(
    preview: Preview, method: Mapping[str, Any], document: Mapping[str, Any], sample: Filled
) -> Mapping[str, Any]:
    """The preview of typed samples. Raises what scoring refuses."""
    bids = [(sample.values[f"sample.{n}.price"], sample.values[f"sample.{n}.points"]) for n in range(1, COUNT + 1)]
    ceiling = (document.get("price") or {}).get("max_price_fen")
    return preview(method, ceiling, bids)
