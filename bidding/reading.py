"""Reading opened documents: under a logged grant, by those whom the law lets read, one file at a time.

法 §37, §44; 20号令 §27; docs/threats.md (opening room). Owner and agent read what was handed to them; the panel after
signing in; supervisors under a power code. Never other bidders, the public, or the centre's staff. Every grant and
read is a private act before the first byte leaves; plaintext passes through and is kept nowhere.

Whoever runs the opening room after the release can read documents and not log it; no other process can read at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from bidding import announcement, ceremony, opening
from bidding.opening import Bid, Case, ReadSegment
from bidding.opening_keys import Desk
from crypto import jcs
from crypto.refusal import Refused
from crypto.sealing import body, lock, manifest
from crypto.sealing import header as headers
from storage.blobs import Blobs
from storage.ports import AtLeast
from storage.unit import Database, Unit
from storage.world import stamp
from trading import journal, tenders
from trading.hall import Hall
from trading.journal import Logged
from trading.roles import FAMILY, PANEL, Actor, Family, Permission, Role
from trading.tender import Tender

GRANT_DAYS = 30
ROOM = Actor("opening-room", "", Role.OPENING, "", "")
REASONS: Mapping[Family, str] = {
    Family.TRADE: "法 §36: bids are addressed to the owner",
    Family.EXPERT: "法 §40: evaluation by the panel",
    Family.SUPERVISION: "法 §7: supervision",
}


class ReadBid(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Read one file of an opened bid by its name in the manifest; without `file` the manifest itself."""

    lot: str
    bid: str
    envelope: int = headers.DOCUMENTS
    file: str | None = None
    power: str | None = None


@dataclass(frozen=True, slots=True)
class Ticket:
    """A read that was allowed and logged: of which bid and envelope, with what it is opened."""

    bid: Bid
    number: int
    dek: bytes
    page: Mapping[str, Any]
    logged: Logged


def permission_of(role: Role) -> Permission:
    """What a role needs for a read: supervisors read as exporters of full bundles, everybody else as readers."""
    return Permission.FULL_BUNDLE_EXPORT if FAMILY[role] is Family.SUPERVISION else Permission.BID_READ


async def read(
    database: Database, blobs: Blobs, cmd: ReadBid, *, actor: Actor, now: datetime, hall: Hall, room: Desk
) -> tuple[Mapping[str, Any], AsyncIterator[bytes] | None]:
    """The manifest, and the file's bytes as they are decrypted if one was asked for. Logged before anything is given.

    Raises Refused: reading_not_allowed, bid_unknown, bid_not_opened (E-54, E-55), file_unknown, opening_key_lost.
    """
    found = await database.read(lambda unit: opening.case(unit, cmd.lot, hall=hall))
    await database.read(lambda unit: _check_reader(unit, found.tender, cmd, actor, now))
    bid = await database.read(lambda unit: _opened_bid(unit, found, cmd))
    key = announcement.opening_key(found, room)
    secrets = opening.secrets_of(found, cmd.bid, cmd.envelope, reader="room", key=key)
    dek = lock.verify_lock_section(bid.headers[cmd.envelope], found.terms.roster, secrets)
    segments = announcement.segments_from(blobs, asyncio.get_running_loop())
    page = await asyncio.to_thread(_page, bid, cmd.envelope, dek, segments)
    entry = None
    if cmd.file is not None:
        entry = next((each for each in page["files"] if each["name"] == cmd.file), None)
        if entry is None:
            raise Refused("file_unknown", lot=cmd.lot, file=cmd.file)
    what = entry["sha256"] if entry else bid.headers[cmd.envelope].hash().hex()
    await database.write(lambda unit: _log(unit, found.tender, cmd, what, actor=actor, now=now, hall=hall))
    if entry is None:
        return page, None
    return page, _stream(lambda: _file(bid, cmd.envelope, dek, segments, entry))


async def grant(
    unit: Unit, tender: Tender, *, reader: str, envelopes: list[int], why: str, now: datetime, hall: Hall
) -> Logged | None:
    """Log a reading grant by the opening room, unless one is in force; returns the act, None if there was one."""
    rows = await unit.reading_grant.find({"lot": tender.lot, "reader": reader})
    if any(row["body"]["until"] > stamp(now) and set(envelopes) <= set(row["body"]["envelopes"]) for row in rows):
        return None
    until = stamp(now + timedelta(days=GRANT_DAYS))
    fields = {"who": reader, "envelopes": envelopes, "why": why, "until": until}
    logged = await journal.private_act(
        unit,
        hall=hall,
        lot=tender.lot,
        tender_id=tender.tender_id,
        kind="reading_grant",
        fields=fields,
        actor=ROOM,
        now=now,
    )
    row = {"id": logged.recorded.event, "lot": tender.lot, "reader": reader, "at": stamp(now)}
    await unit.reading_grant.insert({**row, "body": fields})
    return logged


async def _log(
    unit: Unit, tender: Tender, cmd: ReadBid, what: str, *, actor: Actor, now: datetime, hall: Hall
) -> Logged:
    why = REASONS[Family.EXPERT if actor.role in PANEL else FAMILY[actor.role]]
    await grant(unit, tender, reader=actor.person, envelopes=[cmd.envelope], why=why, now=now, hall=hall)
    return await journal.private_act(
        unit,
        hall=hall,
        lot=tender.lot,
        tender_id=tender.tender_id,
        kind="read",
        fields={"object": what},
        actor=actor,
        now=now,
        power=cmd.power,
        confidential={"bid": cmd.bid, "file": cmd.file},
    )


async def _check_reader(unit: Unit, tender: Tender, cmd: ReadBid, actor: Actor, now: datetime) -> None:
    """Owner and agent of this tender, its panel after sign-in, supervisors under a power; nobody else."""
    if tender.opened_at is None:
        raise Refused("still_sealed", rule="E-39", lot=tender.lot)
    if FAMILY[actor.role] is Family.SUPERVISION:
        actor.must(permission_of(actor.role), now=now, power=cmd.power)
        return
    actor.must(permission_of(actor.role), now=now, parties=tender.parties)
    if actor.role in PANEL:
        own = await unit.event.find({"tender_id": tender.tender_id, "actor": actor.person, "seq": -1})
        masked = {row["body"].get("masked") for row in own if row["kind"] == "sign_in"}
        if not masked & set(tender.signed_in):
            raise Refused("reading_not_allowed", role=actor.role.value)
    elif actor.role not in (Role.OWNER, Role.AGENT):
        raise Refused("reading_not_allowed", role=actor.role.value)


async def _opened_bid(unit: Unit, found: Case, cmd: ReadBid) -> Bid:
    bid = next((each for each in found.bids if each.bid == cmd.bid), None)
    if bid is None or not 0 <= cmd.envelope < len(bid.headers):
        raise Refused("bid_unknown", bid=cmd.bid)
    acts = await unit.event.find({"tender_id": found.tender.tender_id, "kind": "verdict", "seq": AtLeast(0)})
    last = max(acts, key=lambda row: int(row["seq"]))
    rows = await tenders.object_json(unit, cmd.lot, last["body"]["verdicts_hash"])
    ceremony.check_opened(next(row for row in rows if row["bid"] == cmd.bid))
    return bid


def _plaintext(bid: Bid, number: int, dek: bytes, segments: ReadSegment) -> Iterator[bytes]:
    header = bid.headers[number]
    stored = opening.body_of(bid, number, segments)
    return body.decrypt(stored, dek=dek, context=header.body_context(), body_len=header.body_len)


def _page(bid: Bid, number: int, dek: bytes, segments: ReadSegment) -> dict[str, Any]:
    """The manifest of an envelope that was judged valid."""
    pieces = _plaintext(bid, number, dek, segments)
    have = b""
    length = None
    for piece in pieces:
        have += piece
        if length is None and len(have) >= 4:
            length = int.from_bytes(have[:4], "big")
        if length is not None and len(have) >= 4 + length:
            return manifest.check_fields(jcs.loads(have[4 : 4 + length]))
    raise Refused("manifest_length", bytes=len(have), bytes_max=manifest.MANIFEST_BYTES_MAX)


def _file(bid: Bid, number: int, dek: bytes, segments: ReadSegment, entry: Mapping[str, Any]) -> Iterator[bytes]:
    """The bytes of one file; each piece is authentic before it is given."""
    at, start, end = 0, None, 0
    head = b""
    for piece in _plaintext(bid, number, dek, segments):
        if start is None:
            head += piece
            if len(head) < 4:
                continue
            start = 4 + int.from_bytes(head[:4], "big") + manifest.SIGNATURE_BYTES + entry["offset"]
            end = start + entry["size"]
            piece, at = head, 0
        here = piece[max(0, start - at) : max(0, end - at)]
        at += len(piece)
        if here:
            yield here
        if at >= end:
            return


async def _stream(make: Callable[[], Iterator[bytes]]) -> AsyncIterator[bytes]:
    """A blocking iterator as an asynchronous one: each step in a thread, one piece in memory."""
    pieces = make()
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece
