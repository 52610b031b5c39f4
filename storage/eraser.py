"""The eraser: empties what is personal and deletes bodies once their retention has ended, and logs on which basis.

个人信息保护法 §47 (delete when the period has ended), 政府采购法 §42 and E-97 (not before). The rules:
- nothing is touched before the end of the period that the caller read from the law's table: refused, not skipped;
- the act that says so (`erased`, private) is written first, in the same transaction as what it empties, and names the
  article and every leaf: on PostgreSQL the eraser's role can empty nothing that no such act names (storage/grants.sql);
- an event loses its parts and its salts, never its leaf hash: the ledger stays as whole as it was, and what was a
  commitment can be opened by nobody any more;
- bodies go segment by segment; a store that still holds a lock refuses, and the rest waits for the next round.
Whoever controls this process can delete what may be deleted already; they can read neither bids nor salts.
An upload that was dropped before is told as erased too: its segments went then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from crypto.ledger import acts, merkle
from crypto.refusal import Refused
from storage.blobs import Blobs
from storage.ports import Not, Row
from storage.unit import Database, Record, Unit
from storage.world import new_id, stamp

ACTOR = "eraser"
KIND = "erased"
ERASED = "erased"
"""The state of an upload whose segments are gone."""
EVENTS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Basis:
    """Why a lot may be erased: the article, the rule, and the instant at which the period ended."""

    article: str
    rule: str
    ended: datetime


@dataclass(frozen=True, slots=True)
class Erased:
    """What one round did: events emptied, segments deleted, segments that the store still holds locked."""

    events: int
    segments: int
    locked: int


async def is_due(unit: Unit, lot: str) -> bool:
    """Whether anything of an archived lot is still there: an event that is not empty, a body that was not deleted."""
    if await unit.session.unerased(lot, but=KIND, limit=1):
        return True
    return await unit.upload.count({"lot": lot, "state": Not(ERASED)}) > 0


async def erase(
    database: Database,
    blobs: Blobs,
    lot: str,
    tender_id: str,
    *,
    basis: Basis,
    now: datetime,
    entropy: Callable[[int], bytes],
) -> Erased:
    """Empty the private events of a lot and delete its bodies; doing it again finds nothing. Due by query.

    Raises Refused("retention_not_ended") before `basis.ended`.
    """
    if now < basis.ended:
        raise Refused("retention_not_ended", rule=basis.rule, lot=lot, until=stamp(basis.ended), article=basis.article)
    uploads = await database.read(lambda unit: unit.upload.find({"lot": lot}))
    segments = locked = 0
    for upload in (row for row in uploads if row["state"] != ERASED):
        gone, held = await _delete(database, blobs, upload)
        segments, locked = segments + gone, locked + held
    events, unsaid = 0, segments
    while True:
        done = await database.write(
            lambda unit, said=unsaid: _empty(  # type: ignore[misc]
                unit, lot, tender_id, basis=basis, segments=said, now=now, entropy=entropy
            )
        )
        events, unsaid = events + done, 0
        if not done:
            return Erased(events, segments, locked)


async def _empty(
    unit: Unit,
    lot: str,
    tender_id: str,
    *,
    basis: Basis,
    segments: int,
    now: datetime,
    entropy: Callable[[int], bytes],
) -> int:
    """Empty the next events and log it, in one transaction; how many."""
    due = await unit.session.unerased(lot, but=KIND, limit=EVENTS_AT_ONCE)
    if not due and not segments:
        return 0
    await _log(unit, lot, tender_id, due, basis=basis, segments=segments, now=now, entropy=entropy)
    for row in due:
        await unit.session.erase(row["id"])
    return len(due)


async def _log(
    unit: Unit,
    lot: str,
    tender_id: str,
    emptied: Sequence[Row],
    *,
    basis: Basis,
    segments: int,
    now: datetime,
    entropy: Callable[[int], bytes],
) -> None:
    prev = await unit.tail_of(tender_id, ACTOR)
    part = {
        "v": 1,
        "kind": KIND,
        "tender_id": tender_id,
        "at": stamp(now),
        "prev": prev,
        "role": "clockwork",
        "power": None,
        "rule": basis.rule,
        "article": basis.article,
        "ended": stamp(basis.ended),
        "events": [row["leaf_hash"] for row in emptied],
        "segments": segments,
    }
    salt_p, salt_c = entropy(acts.SALT_BYTES), entropy(acts.SALT_BYTES)
    leaf = acts.private_leaf(part, {}, salt_p=salt_p, salt_c=salt_c)
    await unit.record(
        Record(
            id=new_id(entropy),
            lot=lot,
            tender_id=tender_id,
            kind=KIND,
            actor=ACTOR,
            at=now,
            public=part,
            confidential={},
            salt_p=salt_p.hex(),
            salt_c=salt_c.hex(),
            leaf=leaf,
            leaf_hash=merkle.leaf_hash(leaf).hex(),
            prev=prev,
        )
    )


async def _delete(database: Database, blobs: Blobs, upload: Row) -> tuple[int, int]:
    """Delete an upload's segments; (deleted, still locked). The row forgets their names when none is left."""
    gone = locked = 0
    for name in dict.fromkeys(upload["body"]["leaves"]):
        try:
            gone += await blobs.delete(name)
        except Refused as refused:
            if refused.code != "segment_locked":
                raise
            locked += 1
    if not locked:

        async def forget(unit: Unit) -> None:
            for row in await unit.segment.find({"upload": upload["id"]}):
                await unit.segment.delete(upload["id"], row["number"])
            told = {**upload["body"], "leaves": [], "prefix": ""}
            await unit.upload.update({**upload, "state": ERASED, "body": told}, expected_version=upload["version"])

        await database.write(forget)
    return gone, locked
