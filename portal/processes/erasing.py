"""What the eraser does by itself: abandoned uploads go after seven days, what is archived when its period has ended.

docs/contract.md (Uploads), E-97. The work is that of an embedded hall (bidding/uploads.py, bidding/keeping.py); here a
role of its own does it, which sees abandoned uploads and archived tenders alone, reads no act, and can empty nothing
before the archive period ended nor without an act that says so (storage/grants.sql). In the store its key may list and
delete, and neither read nor write (portal/processes/stores.py); what a lock holds stays until the lock ends.
"""

from __future__ import annotations

from datetime import timedelta

from bidding import keeping, uploads
from portal.processes.parts import Front
from storage.ports import Below
from storage.schema import EVENT_PERSONAL
from storage.unit import Unit
from storage.world import stamp

THROUGH = frozenset({"segment_kept", "unerased"})
"""What this role asks of the database's functions."""
BLIND = {"event": frozenset(EVENT_PERSONAL)}
KEPT = timedelta(days=1)


async def turn(front: Front) -> int:
    """Drop what was abandoned; returns how many uploads. What doors kept for a retry goes too."""
    dropped = await uploads.drop_abandoned(front.database, front.service.blobs, now=front.world.now())
    await front.database.write(lambda unit: _tidy(unit, stamp(front.world.now() - KEPT)))
    return dropped


async def archived(front: Front) -> int:
    """Erase every tender whose archive period has ended; returns how many events and segments went."""
    return await keeping.erase_due(
        front.database, front.service.blobs, now=front.world.now(), entropy=front.world.entropy
    )


async def _tidy(unit: Unit, before: str) -> None:
    for row in await unit.idempotency.find({"created": Below(before)}, limit=1000):
        await unit.idempotency.delete(row["key"])
    for row in await unit.draft.find({"created": Below(before)}, limit=1000):
        await unit.draft.delete(row["id"])
