"""How many private acts a tender has, said in public once it rests.

docs/spec/acts.md §3 (`tally`). The chains of private acts prove that none is missing before a person's last one, not
that none follows. A tally closes that gap: a full bundle that leaves one of them out no longer fits (bundle.md §6,
check 2). It is said after the end and not before, because a number of private acts is a number of bids.

Whoever holds the duty key can delay it; the bundle then says how many acts no tally counts.
"""

from __future__ import annotations

from typing import Any

from crypto.ledger import merkle
from storage import ledger
from storage.unit import Unit
from trading.tender import Tender


async def fields(unit: Unit, tender: Tender) -> dict[str, Any] | None:
    """`size`, `n` and `root` of the act; None while a private act of the tender still waits for its place.

    The size of the log is read first: what gets its place meanwhile lies above it.
    """
    newest = await unit.ledger.find(order=("-idx",), limit=1)
    size = newest[0]["idx"] + 1 if newest else 0
    rows = await unit.event.find({"tender_id": tender.tender_id, "public": 0})
    places = await ledger.places(unit, [row["id"] for row in rows])
    if len(places) < len(rows):
        return None
    counted = sorted((place, row["leaf_hash"]) for row in rows if (place := places[row["id"]]) < size)
    leaves = [leaf for _, leaf in counted]
    return {"size": size, "n": len(leaves), "root": merkle.root([bytes.fromhex(leaf) for leaf in leaves]).hex()}
