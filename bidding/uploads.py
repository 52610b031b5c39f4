"""Uploads: a sealed body arrives segment by segment, each checked against the hash announced for it.

docs/contract.md (HTTP, Uploads). The rules upheld:
- the door holds one segment at a time (1 MiB) and keeps it only under its own hash;
- an organisation may have 3 × the limit of unsubmitted bytes, and nothing of another organisation's is ever shown;
- the same leaves announced again are the same upload: whoever was cut off goes on where it stopped;
- what is not submitted within seven days is dropped; what is not complete at the deadline counts as withdrawn (E-37);
- what was submitted may be handed in again, byte for byte, until the verdict (a loss is the platform's);
- where clients put segments straight into the store (storage.blobs.OpenStore), only the store's own word that it holds
  these bytes counts as arrival, and it is asked before a bid is taken.

Whoever controls the store can lose segments, and the verdict says *lost*; they cannot change one, nor read it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from bidding import box, lots
from bidding.box import Stored
from crypto.refusal import Refused
from crypto.sealing import body, header
from storage.blobs import Blobs, OpenStore
from storage.ports import Below, In, Row
from storage.unit import Database, Unit
from storage.world import stamp
from trading import journal, tenders
from trading.hall import Hall
from trading.journal import Logged, Outcome
from trading.lifecycle import State
from trading.roles import Actor, Permission

QUOTA_TIMES = 3
ABANDONED_DAYS = 7
DROPPED_AT_ONCE = 50
OPEN, SUBMITTED, DROPPED = "open", "submitted", "dropped"
HASH_DIGITS = 64
ASKED_AT_ONCE = 8


class BeginUpload(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Announce a body of `size` bytes for a lot; `leaves` are the SHA-256 (hex) of its segments, in order."""

    lot: str
    size: int
    leaves: list[str]


@dataclass(frozen=True, slots=True)
class Slot:
    """Where one segment goes: of which upload, its number from 0, its hash (hex) and how many bytes it has."""

    upload: str
    number: int
    name: str
    bytes: int


async def begin(cmd: BeginUpload, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """Open an upload, or find the one that was opened for the same leaves. Result: id, missing (numbers of segments).

    Raises Refused: bid_received_after_deadline and bidding_not_open (E-36), upload_leaves_wrong, upload_too_large,
    upload_over_quota.
    """
    held = await tenders.load(unit, cmd.lot)
    actor.must(Permission.BID_UPLOAD, now=now)
    known = await lots.terms(unit, held.tender)
    in_force = (await lots.deadlines(unit, held.tender, known, now=now, hall=hall)).deadline
    box.check_open(box.Lot(known, held.tender.state, in_force), now=now)
    limit = header.body_len_of(header.padded(known.plaintext_max))
    _check_announced(cmd, limit)
    # One organisation's uploads wait for each other, so that two at once cannot both slip under the quota.
    await unit.seize(f"uploads {actor.organisation}")
    mine = await unit.upload.find({"organisation": actor.organisation, "state": OPEN})
    same = next((row for row in mine if row["lot"] == cmd.lot and row["body"]["leaves"] == cmd.leaves), None)
    if same is not None:
        return Outcome(result={"id": same["id"], "missing": await missing(unit, same)})
    used = sum(row["bytes"] for row in mine)
    if used + cmd.size > QUOTA_TIMES * limit:
        raise Refused("upload_over_quota", used=used, bytes=cmd.size, bytes_max=QUOTA_TIMES * limit)
    id_ = hall.entropy(16).hex()
    row = {
        "id": id_,
        "organisation": actor.organisation,
        "lot": cmd.lot,
        "created": stamp(now),
        "state": OPEN,
        "bytes": cmd.size,
    }
    root = body.root_of(bytes.fromhex(leaf) for leaf in cmd.leaves).hex()
    await unit.upload.insert({**row, "body": {"leaves": cmd.leaves, "root": root, "prefix": ""}})
    logged = await _log(unit, hall, held.tender.tender_id, cmd.lot, id_, cmd.size, actor, now)
    return Outcome((logged,), result={"id": id_, "missing": list(range(len(cmd.leaves)))})


async def slot(unit: Unit, id_: str, number: int, *, actor: Actor, now: datetime, hall: Hall) -> Slot:
    """Where a segment goes, if this organisation may put it now. Raises Refused: upload_unknown, upload_closed,
    bid_received_after_deadline, bidding_not_open."""
    row = await own(unit, id_, actor=actor)
    leaves = row["body"]["leaves"]
    if not 0 <= number < len(leaves):
        raise Refused("upload_segment_unknown", number=number, segments=len(leaves))
    held = await tenders.load(unit, row["lot"])
    if row["state"] == SUBMITTED:
        # What the store lost may be put back while nothing has been said about it.
        if held.tender.state not in (State.BIDDING, State.CLOSED, State.FROZEN, State.OPENING):
            raise Refused("upload_closed", upload=id_)
    elif row["state"] == OPEN:
        known = await lots.terms(unit, held.tender)
        in_force = (await lots.deadlines(unit, held.tender, known, now=now, hall=hall)).deadline
        box.check_open(box.Lot(known, held.tender.state, in_force), now=now)
    else:
        raise Refused("upload_closed", upload=id_)
    return slot_of(row, number)


def slot_of(row: Row, number: int) -> Slot:
    """Segment `number` of an upload's row: every segment but the last has 1 MiB."""
    leaves = row["body"]["leaves"]
    last = number == len(leaves) - 1
    expected = row["bytes"] - number * header.SEGMENT_BYTES if last else header.SEGMENT_BYTES
    return Slot(row["id"], number, leaves[number], expected)


async def put(database: Database, blobs: Blobs, place: Slot, data: bytes, *, actor: Actor, bearer: str = "") -> None:
    """Keep one whole segment under its hash, and remember that it is here. Doing it again changes nothing.

    Raises Refused: upload_segment_length, segment_hash_differs, store_full, upload_unknown, upload_closed.
    """
    if len(data) != place.bytes:
        raise Refused("upload_segment_length", number=place.number, bytes=len(data), expected=place.bytes)
    await blobs.put(place.name, data)
    prefix = data[: header.PREFIX_BYTES] if place.number == 0 else None
    await database.write(lambda unit: arrived(unit, [place], prefix, actor), bearer=bearer)
    if await blobs.size(place.name) is None:
        # An abandoned upload with the same segment was dropped in between.
        await blobs.put(place.name, data)


async def look(database: Database, store: OpenStore, id_: str, *, actor: Actor, bearer: str = "") -> None:
    """Ask the store for what did not come through a door, and remember what it holds."""

    async def lacking(unit: Unit) -> tuple[Row, list[int]]:
        row = await own(unit, id_, actor=actor)
        return row, await missing(unit, row)

    row, absent = await database.read(lacking, bearer=bearer)
    there, prefix = await held(store, row, absent)
    if there:
        await database.write(lambda unit: arrived(unit, there, prefix, actor), bearer=bearer)


async def look_again(unit: Unit, store: OpenStore, rows: Sequence[Row], *, actor: Actor) -> None:
    """The same for several uploads inside a unit of work."""
    for row in rows:
        there, prefix = await held(store, row, await missing(unit, row))
        if there:
            await arrived(unit, there, prefix, actor)


async def held(store: OpenStore, row: Row, absent: Sequence[int]) -> tuple[list[Slot], bytes | None]:
    """Which of these segments the store holds whole, and the first bytes of the body where segment 0 is among them."""
    gate = asyncio.Semaphore(ASKED_AT_ONCE)

    async def ask(place: Slot) -> bool:
        async with gate:
            return await store.size(place.name) == place.bytes

    places = [slot_of(row, number) for number in absent]
    here = await asyncio.gather(*map(ask, places))
    there = [place for place, is_here in zip(places, here, strict=True) if is_here]
    first = there[0].name if there and there[0].number == 0 else None
    return there, None if first is None else await store.first(first, header.PREFIX_BYTES)


async def status(unit: Unit, id_: str, *, actor: Actor) -> dict[str, Any]:
    """Which segments of an upload are here: id, lot, size, state, segments (count), here, missing."""
    row = await own(unit, id_, actor=actor)
    absent = await missing(unit, row)
    count = len(row["body"]["leaves"])
    here = sorted(set(range(count)) - set(absent))
    told = {"id": id_, "lot": row["lot"], "size": row["bytes"], "state": row["state"], "segments": count}
    return {**told, "here": here, "missing": absent}


async def own(unit: Unit, id_: str, *, actor: Actor) -> Row:
    """The upload's row; another organisation's does not exist. Raises Refused("upload_unknown")."""
    row = await unit.upload.read(id_)
    if row is None or not actor.organisation or row["organisation"] != actor.organisation:
        raise Refused("upload_unknown", upload=id_)
    return row


async def owned(unit: Unit, ids: Sequence[str], *, actor: Actor) -> list[Row]:
    """The rows of these uploads in the order asked, without those that are unknown or another organisation's."""
    if not ids or not actor.organisation:
        return []
    asked = In(tuple(dict.fromkeys(ids)))
    found = {row["id"]: row for row in await unit.upload.find({"id": asked, "organisation": actor.organisation})}
    return [found[id_] for id_ in ids if id_ in found]


async def complete(unit: Unit, rows: Sequence[Row]) -> dict[str, bool]:
    """Whether all segments of each upload are here, by its id: one statement where all are, however many they are."""
    wanted = {row["id"]: len(row["body"]["leaves"]) for row in rows}
    if await unit.segment.count({"upload": In(tuple(wanted))}) == sum(wanted.values()):
        return dict.fromkeys(wanted, True)
    return {id_: await unit.segment.count({"upload": id_}) == count for id_, count in wanted.items()}


async def missing(unit: Unit, row: Row) -> list[int]:
    """The numbers of the segments that are not here, ascending."""
    found = await unit.segment.find({"upload": row["id"]})
    return sorted(set(range(len(row["body"]["leaves"]))) - {each["number"] for each in found})


def stored(row: Row, is_complete: bool) -> Stored | None:
    """An upload as the box judges it."""
    if row["state"] == DROPPED:
        return None
    told = row["body"]
    return Stored(row["bytes"], bytes.fromhex(told["root"]), is_complete, bytes.fromhex(told["prefix"]))


async def submitted(unit: Unit, rows: Sequence[Row]) -> None:
    """Mark uploads as handed in: they no longer count against the quota, and are never dropped."""
    for row in rows:
        if row["state"] != SUBMITTED:
            await unit.upload.update({**row, "state": SUBMITTED}, expected_version=row["version"])


async def drop_abandoned(database: Database, blobs: Blobs, *, now: datetime) -> int:
    """Drop uploads that were opened seven days ago and never submitted; returns how many. Due by query, restart-safe.

    Segments are deleted while the organisation's uploads are held, and only those that no other upload has; a crash
    in between leaves rows whose upload is dropped in the next round.
    """
    limit = stamp(now - timedelta(days=ABANDONED_DAYS))
    old = await database.read(
        lambda unit: unit.upload.find({"state": OPEN, "created": Below(limit)}, limit=DROPPED_AT_ONCE)
    )
    for row in old:
        await database.write(lambda unit, id_=row["id"]: _drop(unit, blobs, id_))  # type: ignore[misc]
    return len(old)


async def keep(database: Database, blobs: Blobs, id_: str, *, until: datetime, bearer: str = "") -> int:
    """Lock every segment of one submitted upload until an instant; returns how many, 0 where it was not submitted."""
    row = await database.read(lambda unit: unit.upload.read(id_), bearer=bearer)
    if row is None or row["state"] != SUBMITTED:
        return 0
    names = list(dict.fromkeys(row["body"]["leaves"]))
    gate = asyncio.Semaphore(ASKED_AT_ONCE)

    async def lock(name: str) -> None:
        async with gate:
            await blobs.keep(name, until)

    await asyncio.gather(*map(lock, names))
    return len(names)


async def keep_locked(database: Database, blobs: Blobs, lot: str, *, until: datetime) -> int:
    """Lock every segment of the lot's submitted bids until the end of their retention; returns how many segments.

    Due after the freeze, whatever the door had locked before: a door may have died between receipt and lock, and a job
    a bid would let a queue count the bids.
    """
    rows = await database.read(lambda unit: unit.submission.find({"lot": lot}))
    ids = dict.fromkeys(id_ for row in rows for id_ in row["body"]["uploads"])
    return sum([await keep(database, blobs, id_, until=until) for id_ in ids])


async def arrived(unit: Unit, places: Sequence[Slot], prefix: bytes | None, actor: Actor) -> None:
    """Remember that segments of one upload are here. Raises Refused: upload_unknown, upload_closed."""
    await unit.share(f"segments {actor.organisation}")
    row = await own(unit, places[0].upload, actor=actor)
    if row["state"] == DROPPED:
        raise Refused("upload_closed", upload=row["id"])
    absent = set(await missing(unit, row)) if len(places) > 1 else None
    for place in places:
        known = place.number not in absent if absent is not None else await _known(unit, place)
        if not known:
            told = {"upload": place.upload, "number": place.number, "hash": place.name, "bytes": place.bytes}
            await unit.segment.insert({**told, "organisation": actor.organisation})
    if prefix is not None and not row["body"]["prefix"]:
        told = {**row["body"], "prefix": prefix.hex()}
        await unit.upload.update({**row, "body": told}, expected_version=row["version"])


async def _known(unit: Unit, place: Slot) -> bool:
    return await unit.segment.read(place.upload, place.number) is not None


async def _drop(unit: Unit, blobs: Blobs, id_: str) -> None:
    row = await unit.upload.read(id_)
    if row is None or row["state"] != OPEN:
        return
    await unit.seize(f"segments {row['organisation']}")
    for each in await unit.segment.find({"upload": id_}):
        await unit.segment.delete(id_, each["number"])
    # A client may have put into an open store what no door ever heard of: every announced segment goes.
    for name in dict.fromkeys(row["body"]["leaves"]):
        if not await unit.session.segment_kept(name):
            await blobs.delete(name)
    await unit.upload.update({**row, "state": DROPPED}, expected_version=row["version"])


def _check_announced(cmd: BeginUpload, limit: int) -> None:
    """The size is that of a body, and the leaves are as many as it has segments."""
    if cmd.size > limit:
        raise Refused("upload_too_large", bytes=cmd.size, bytes_max=limit)
    try:
        header.padded_of_body(cmd.size)
    except Refused as refused:
        raise Refused("upload_leaves_wrong", bytes=cmd.size, problem=refused.code) from refused
    if len(cmd.leaves) != -(-cmd.size // header.SEGMENT_BYTES):
        raise Refused("upload_leaves_wrong", bytes=cmd.size, problem=f"{len(cmd.leaves)} leaves")
    for leaf in cmd.leaves:
        if len(leaf) != HASH_DIGITS or set(leaf) - set("0123456789abcdef"):
            raise Refused("upload_leaves_wrong", bytes=cmd.size, problem="hex")


async def _log(
    unit: Unit, hall: Hall, tender_id: str, lot: str, id_: str, size: int, actor: Actor, now: datetime
) -> Logged:
    return await journal.private_act(
        unit,
        hall=hall,
        lot=lot,
        tender_id=tender_id,
        kind="upload",
        fields={"upload": id_, "size": size},
        actor=actor,
        now=now,
    )
