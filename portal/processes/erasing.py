"""What the eraser does by itself: it drops uploads that were abandoned, and what doors kept for a retry.

docs/contract.md (Uploads): what is not submitted within seven days goes. The role sees such uploads alone; whether
anybody else still needs a segment the database tells it, and nothing more.
"""

from __future__ import annotations

from datetime import timedelta

from portal.processes.parts import Front
from storage.engine import HallPostgres
from storage.ports import Below
from storage.unit import Unit
from storage.world import stamp

KEPT = timedelta(days=1)
AT_ONCE = 50


async def turn(front: Front) -> int:
    """Drop what is due; returns how many uploads."""
    rows = await front.database.read(lambda unit: unit.upload.find(limit=AT_ONCE))
    for row in rows:
        segments = await front.database.read(lambda unit, id_=row["id"]: unit.segment.find({"upload": id_}))  # type: ignore[misc]
        await front.database.write(lambda unit, id_=row["id"], own=segments: _forget(unit, id_, own))  # type: ignore[misc]
        for name in {segment["hash"] for segment in segments}:
            if not await _wanted(front, name):
                await front.service.blobs.delete(name)
    await front.database.write(lambda unit: _tidy(unit, stamp(front.world.now() - KEPT)))
    return len(rows)


async def _forget(unit: Unit, id_: str, segments: list[dict[str, object]]) -> None:
    for segment in segments:
        await unit.segment.delete(id_, int(str(segment["number"])))
    await unit.upload.delete(id_)


async def _tidy(unit: Unit, before: str) -> None:
    for row in await unit.idempotency.find({"created": Below(before)}, limit=1000):
        await unit.idempotency.delete(row["key"])
    for row in await unit.draft.find({"created": Below(before)}, limit=1000):
        await unit.draft.delete(row["id"])


async def _wanted(front: Front, name: str) -> bool:
    """Whether any upload that was not dropped has this segment."""
    engine = front.database.engine
    assert isinstance(engine, HallPostgres), "roles exist on PostgreSQL"
    found = await engine.run("SELECT hall_segment_kept($1) AS kept", [name])
    return bool(found[0]["kept"])
