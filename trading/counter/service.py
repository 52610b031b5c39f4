"""What a door has at hand: the world, the database, the ledger, the blobs, the hall; and how a receipt is made.

A receipt is looked for after the commit, outside any transaction, for at most two seconds; then the answer is "pending"
with the event's id, under which it is asked for again. A missing witness never delays it: the log's own signature
(grade A) is enough, cosignatures that are there already complete it (grade B).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crypto.ledger import receipt
from crypto.refusal import Refused
from storage.world import stamp
from trading.journal import Logged

if TYPE_CHECKING:
    from storage.blobs import Blobs
    from storage.ledger import Inclusion, Ledger
    from storage.ports import Row
    from storage.unit import Database, Unit
    from storage.world import World
    from trading.counter.errands import Errands
    from trading.hall import Hall

RECEIPT_SECONDS_MAX = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One process's means."""

    world: World
    database: Database
    ledger: Ledger
    blobs: Blobs
    hall: Hall
    errands: Errands | None = None
    """Verbs that this process hands over, in a hall whose doors have roles of their own; None where it may do all."""

    async def receipt(self, logged: Logged, *, bearer: str = "") -> Mapping[str, Any]:
        """The receipt of an event just committed: {"status":"sequenced","event","index","received_at","proof"}, where
        `proof` is the tlog-proof text, or {"status":"pending","event"}."""
        found = await self.ledger.wait_for(logged.recorded.event, seconds=RECEIPT_SECONDS_MAX)
        if found is None:
            return {"status": "pending", "event": logged.recorded.event}
        if found.awaited and logged.salt_p:
            # It was made here and placed just now: everything is at hand, and no older checkpoint can have it.
            told = {"public": dict(logged.act), "confidential": dict(logged.confidential or {})}
            return _told(logged.recorded.event, told, (logged.salt_p, logged.salt_c), found, stamp(logged.recorded.at))
        return await self.receipt_of(logged.recorded.event, bearer=bearer)

    async def receipt_of(self, event: str, *, bearer: str = "") -> Mapping[str, Any]:
        """The same for an event of any age; the caller has checked that the asker may have it. `bearer` is the asker's
        session: before the freeze the database shows a bidder's act to that bidder's session alone.

        Raises Refused("event_erased"), E-97, for an act whose parts were erased when its retention ended: what its leaf
        commits to can be opened by nobody any more, so no receipt of it would verify."""

        async def look(unit: Unit) -> tuple[Inclusion | None, Row | None]:
            return await self.ledger.best(unit, event, self.hall.trust), await unit.event.read(event)

        included, row = await self.database.read(look, bearer=bearer)
        if row is not None and not row["body"]:
            raise Refused("event_erased", rule="E-97", event=event, leaf=row["leaf_hash"])
        if included is None or row is None:
            return {"status": "pending", "event": event}
        private = row["salt_p"] != ""
        told = (
            {"public": row["body"], "confidential": json.loads(row["confidential"])}
            if private
            else {"act": row["body"]}
        )
        salts = (bytes.fromhex(row["salt_p"]), bytes.fromhex(row["salt_c"])) if private else None
        return _told(event, told, salts, included, row["at"])


def _told(
    event: str, told: Mapping[str, Any], salts: tuple[bytes, bytes] | None, included: Inclusion, received_at: str
) -> Mapping[str, Any]:
    salt_p, salt_c = salts or (None, None)
    proof = receipt.build(
        told, salt_p, salt_c, index=included.index, proof=included.proof, checkpoint=included.head.note
    )
    return {
        "status": "sequenced",
        "event": event,
        "index": included.index,
        "received_at": received_at,
        "proof": proof.decode(),
    }
