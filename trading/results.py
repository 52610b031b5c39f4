"""What opening and evaluation left in the ledger, as award and publicity need it: the record and the ranking.

Rooms talk through events: this file reads the objects that the acts `opened` and `scores_locked` name, and nothing of
the rooms that made them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crypto.refusal import Refused
from storage.unit import Unit
from trading import tenders
from trading.tender import Tender


@dataclass(frozen=True, slots=True)
class Result:
    """`record`: valid bids by bid id as in the opening record. `ranking`: bid ids, best first. `totals`: by bid id."""

    record: Mapping[str, Mapping[str, Any]]
    ranking: tuple[str, ...]
    totals: Mapping[str, str]

    @property
    def bidders(self) -> list[str]:
        """The uscc of every bidder whose bid was opened."""
        return sorted(row["bidder"]["uscc"] for row in self.record.values())


async def act_of(unit: Unit, tender: Tender, kind: str) -> dict[str, Any]:
    """The last public act of this kind: `opened`, `scores_locked` or `report`. Raises Refused before it is there:
    lot_not_opened_yet, evaluation_not_finished, panel_report_missing."""
    found = await unit.event.find({"lot": tender.lot, "kind": kind}, order=("-seq",), limit=1)
    if not found:
        match kind:
            case "opened":
                raise Refused("lot_not_opened_yet", state=tender.state.value)
            case "report":
                raise Refused("panel_report_missing", state=tender.state.value)
            case _:
                raise Refused("evaluation_not_finished", state=tender.state.value)
    body: dict[str, Any] = found[0]["body"]
    return body


async def load(unit: Unit, tender: Tender) -> Result:
    """Record and ranking of an evaluated tender. Raises what act_of refuses before that."""
    opened = await act_of(unit, tender, "opened")
    locked = await act_of(unit, tender, "scores_locked")
    record = await tenders.object_json(unit, tender.lot, opened["record_hash"])
    scores = await tenders.object_json(unit, tender.lot, locked["scores_hash"])
    result = scores["result"]
    return Result(
        record={row["bid"]: row for row in record},
        ranking=tuple(result["ranking"]),
        totals=result["totals"],
    )
