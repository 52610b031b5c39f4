"""What supervision's clockwork does by itself: it looks at the witnesses, and tells of one that fell silent.

Sealing protocol §4 (witnesses). Periodic work is a job with the key `kind:minute`: many clocks may ask for it, one row
exists. A clue is a finding that a person reads; nothing here acts on a tender.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from portal.processes.parts import Front
from storage.outbox import Handler, Job, Outbox
from storage.unit import Unit
from storage.world import instant, new_id, stamp
from trading.hall import Hall

SILENT_AFTER = timedelta(minutes=10)
LOOK_MINUTES = 5
KIND = "watch_witnesses"


async def ask(front: Front) -> int:
    """Ask for the look of this period; never counted as work."""
    await Outbox(front.database, world=front.world, handlers={}).enqueue_periodic(KIND, minutes=LOOK_MINUTES)
    return 0


def handlers(hall: Hall) -> Mapping[str, Handler]:
    """Handler by kind of supervision's jobs."""

    async def look(job: Job, *, unit: Unit, now: datetime) -> None:
        await silent_witnesses(unit, hall=hall, now=now)

    return {KIND: look}


async def silent_witnesses(unit: Unit, *, hall: Hall, now: datetime) -> list[str]:
    """Note every witness that did not cosign for SILENT_AFTER although the log grew; returns their names. One finding
    per silence, not one per look."""
    heads = await unit.checkpoint.find(order=("-size",), limit=1)
    if not heads:
        return []
    silent = []
    for witness in hall.trust.witnesses:
        lines = await unit.cosignature.find({"witness": witness.name}, order=("-size",), limit=1)
        size, at = (lines[0]["size"], instant(lines[0]["at"])) if lines else (0, None)
        since = at or instant((await unit.checkpoint.find(order=("size",), limit=1))[0]["at"])
        if size >= heads[0]["size"] or now - since < SILENT_AFTER:
            continue
        silent.append(witness.name)
        told = await unit.finding.find({"kind": "witness_silent", "lot": ""})
        if not any(row["body"] == {"witness": witness.name, "size": size} for row in told):
            row = {"id": new_id(hall.entropy), "lot": "", "kind": "witness_silent", "at": stamp(now)}
            await unit.finding.insert({**row, "body": {"witness": witness.name, "size": size}})
    return silent
