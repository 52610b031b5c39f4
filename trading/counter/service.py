"""What a door has at hand: the world, the database, the blobs, the hall, and how a receipt is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trading.journal import Logged

if TYPE_CHECKING:
    from storage.blobs import Blobs

    from storage.unit import Database
    from storage.world import World
    from trading.hall import Hall

RECEIPT_SECONDS_MAX = 2.0
RECEIPT_POLL_SECONDS = 0.02

FindReceipt = Callable[[Logged], Awaitable[Mapping[str, Any] | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One process's means. `find_receipt` looks once for the inclusion proof of an event, None while it is pending."""

    world: World
    database: Database
    blobs: Blobs
    hall: Hall
    find_receipt: FindReceipt

    async def receipt(self, logged: Logged) -> Mapping[str, Any]:
        """The receipt of an event, waiting at most two seconds after the commit, outside any transaction.

        Returns {"status":"sequenced", …} or {"status":"pending","event":id}: the same request again, or
        `GET /api/v1/bidding/receipts/{id}`, gives it later. A missing witness never delays it.
        """
        until = self.world.monotonic() + RECEIPT_SECONDS_MAX
        while True:
            found = await self.find_receipt(logged)
            if found is not None:
                return found
            if self.world.monotonic() >= until:
                return {"status": "pending", "event": logged.recorded.event}
            await asyncio.sleep(RECEIPT_POLL_SECONDS)
