"""The recount of the lowest evaluated price: the hall's table is accepted, and every change of it is found."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from crypto.verifier import lowest
from crypto.verifier.findings import Failed
from experts.due import counting
from experts.lowest import PricedBid, evaluated_lowest
from experts.scores_file import two_places

SEED = bytes(range(32))
PRICES = {"aa" * 32: 500, "bb" * 32: 400, "cc" * 32: 400, "dd" * 32: 999_999}
ITEMS: list[Any] = []


def hall() -> dict[str, Any]:
    """What the hall publishes for PRICES (two equal bids, ordered by the draw)."""
    drawn = counting.order_of_draw(SEED, sorted(PRICES))
    result = evaluated_lowest(
        [PricedBid(bid, fen) for bid, fen in sorted(PRICES.items())], max_price_fen=1_000_000, factors=(), drawn=drawn
    )
    totals = {row.bid: two_places(row.evaluated_fen) for row in result.rows}
    scores = {
        "kind": "lowest_evaluated",
        "rows": [msgspec.to_builtins(row) for row in result.rows],
        "result": {"ranking": list(result.ranking), "totals": totals},
    }
    table = [
        {"bid": bid, "price_score": totals[bid], "points": "0", "total": totals[bid], "rank": rank}
        for rank, bid in enumerate(result.ranking, 1)
    ]
    return {"scores": scores, "table": {"items": ITEMS, "bids": table}}


class Act(dict[str, Any]):
    index, leaf = 9, "ab" * 32


def judged(shown: dict[str, Any], *, max_price: int | None = 1_000_000) -> int:
    documents = {
        "record": [{"bid": bid, "price_fen": fen} for bid, fen in PRICES.items()],
        "terms": {"items": ITEMS},
        "table": shown["table"],
    }
    drawn = Act(seed=SEED.hex())
    drawn.index = 5
    bundle: Any = SimpleNamespace(
        last=lambda kind: Act(record_hash="record"),
        of=lambda *kinds: [drawn],
        document=lambda name: documents[name],
        tender=Act(max_price_fen=max_price, terms_hash="terms"),
    )
    locked: Any = Act(table_hash="table")
    return lowest.check(bundle, shown["scores"], locked)


def test_the_halls_comparison_table_is_recounted() -> None:
    shown = hall()
    assert judged(shown) == 4 and judged(shown, max_price=None) == 4
    assert shown["scores"]["result"]["ranking"][-1] == "dd" * 32


def swap(values: list[Any], one: int, other: int) -> None:
    values[one], values[other] = values[other], values[one]


CHEATS: dict[str, Callable[[dict[str, Any]], None]] = {
    "the second lowest put first": lambda shown: swap(shown["scores"]["rows"], 1, 2),
    "the tie ordered by hand": lambda shown: swap(shown["scores"]["rows"], 0, 1),
    "another ranking than the table": lambda shown: swap(shown["scores"]["result"]["ranking"], 0, 2),
    "another total": lambda shown: shown["scores"]["result"]["totals"].update({"aa" * 32: "4.99"}),
    "another price than opened": lambda shown: shown["scores"]["rows"][2].update(price_fen=399, evaluated_fen=399),
    "an adjustment that no act states": lambda shown: shown["scores"]["rows"][2].update(
        adjustment_fen=-200, evaluated_fen=300
    ),
    "a sum that is none": lambda shown: shown["scores"]["rows"][2].update(evaluated_fen=300),
    "a bid twice": lambda shown: shown["scores"]["rows"].append(shown["scores"]["rows"][0]),
    "a rank in the published table": lambda shown: shown["table"]["bids"][0].update(rank=2),
    "a bid left out of the published table": lambda shown: shown["table"]["bids"].pop(),
    "a field more": lambda shown: shown["scores"].update(note="x"),
    "no rows": lambda shown: shown["scores"].update(rows=[]),
    "a price as text": lambda shown: shown["scores"]["rows"][0].update(price_fen="400"),
}


@pytest.mark.parametrize("cheat", CHEATS)
def test_a_changed_table_is_found(cheat: str) -> None:
    shown = copy.deepcopy(hall())
    CHEATS[cheat](shown)
    with pytest.raises(Failed) as err:
        judged(shown)
    assert err.value.finding.zh and err.value.finding.event == Act.leaf


def test_a_bid_over_the_max_price_is_not_ranked() -> None:
    with pytest.raises(Failed, match="over the max price"):
        judged(hall(), max_price=900_000)
