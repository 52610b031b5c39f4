"""Bundles: one file from which a stranger judges a tender (docs/spec/bundle.md), for the public or in full.

20号令 §32, §41, §49; sealing protocol §7. The rules upheld:
- anybody may have the public bundle once candidates were published, or the tender ended otherwise;
- the full one goes to supervisors, inspectors and auditors under a power code, once the panel has reported (法 §37: its
  list is secret until then), and the reading is in the log before the first byte leaves;
- bodies go from the store to the file segment by segment: memory does not grow with them.

Whoever makes a bundle can leave out what came last, and the newest stamp shows until when; nothing else goes unseen. Of
private acts that ends with the tally of a tender that rests (trading/tally.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

from bidding import announcement, ceremony, opening, reading
from bidding.opening import Case
from bidding.opening_keys import Desk
from crypto import jcs
from crypto.ledger import acts, merkle, tiles
from crypto.opening import combine
from crypto.refusal import Refused
from crypto.sealing import hpke
from crypto.verifier import archive
from crypto.verifier.shown import View
from storage.unit import Unit
from supervision import collected
from supervision.collected import Collected, HandedIn, Placed
from supervision.log_links import NearLog
from trading import journal, lifecycle, tenders
from trading.counter.service import Service
from trading.roles import Actor, Permission
from trading.tender import Tender

WHY = "法 §7; 20号令 §48-49: full bundle"
ReadSegment = Callable[[str], bytes | None]


class DocumentSecrets(Protocol):
    """What only the opening room can add to a full bundle."""

    def documents(self, bid: str) -> Sequence[bytes]:
        """S of every lock of the documents envelope of a bid that was opened, 32 bytes each."""
        ...

    def rescued(self, header: str) -> Sequence[bytes]:
        """What a bidder disclosed for the header of this hash (hex), 32 bytes per lock."""
        ...


class Room(Protocol):
    """The opening room where it is another process: it judges the asker again and logs its own grant."""

    async def secrets(self, lot: str, *, bearer: str, power: str | None) -> DocumentSecrets:
        """What it gives to the supervisor behind this session. Raises what it refuses."""
        ...


@dataclass(frozen=True, slots=True)
class RoomSecrets:
    """The opening room's answer: shares combined once, disclosed secrets opened with the room's key."""

    case: Case
    key: bytes
    gathered: combine.Gathered

    @classmethod
    def of(cls, case: Case, room: Desk) -> RoomSecrets:
        """Raises Refused("opening_key_lost")."""
        key = announcement.opening_key(case, room)
        return cls(case, key, opening.gather(case, reader="room", key=key))

    def documents(self, bid: str) -> Sequence[bytes]:
        found = next(each for each in self.case.bids if each.bid == bid)
        header = found.headers[1]
        combined = combine.secrets_of(header.hash(), header, self.gathered, self.case.complaints)
        if isinstance(combined, combine.Unopened):
            # Opened all the same: by what its bidder disclosed.
            return opening.secrets_of(self.case, bid, 1, reader="room", key=self.key)
        return combined.secrets

    def rescued(self, header: str) -> Sequence[bytes]:
        hashed = bytes.fromhex(header)
        sealed = self.case.rescues[hashed]["room"]
        return [self._open(number, hashed, each) for number, each in enumerate(sealed)]

    def _open(self, number: int, header: bytes, sealed: bytes) -> bytes:
        info = ceremony.rescue_info(self.case.freeze, number, header)
        try:
            return hpke.open(self.key, sealed[:32], sealed[32:], info)
        except Refused:
            # Nothing was disclosed to whom it was due: shown as a secret that re-derives nothing.
            return bytes(32)


@dataclass(frozen=True, slots=True)
class Body:
    """A member that stays in the store: the names of its segments."""

    segments: tuple[str, ...]


Content = bytes | Body


async def make(
    service: Service,
    lot: str,
    view: View,
    *,
    folder: Path,
    actor: Actor,
    power: str | None,
    now: datetime,
    room: Desk | Room | None,
    bearer: str = "",
) -> Path:
    """Write the bundle of a lot into `folder` (empty, the caller's to remove) and return the file.

    Raises Refused: lot_unknown, bundle_not_public_yet, permission_denied, power_code_…, bundle_full_not_yet,
    bundle_needs_the_room (this process holds no opening key), not_witnessed_yet, bundle_body_lost.
    """
    hall, database = service.hall, service.database
    tender = await database.read(lambda unit: _judge(unit, lot, view, actor=actor, power=power, now=now))
    secrets: DocumentSecrets | None = None
    if view == "full":
        if tender.freeze is not None:
            if room is None:
                raise Refused("bundle_needs_the_room", lot=lot)
            if isinstance(room, Desk):
                case = await database.read(lambda unit: opening.case(unit, lot, hall=hall))
                secrets = await asyncio.to_thread(RoomSecrets.of, case, room)
                await log_grant(service, tender, actor=actor, now=now)
            else:
                secrets = await room.secrets(lot, bearer=bearer, power=power)
        await _log(service, tender, actor=actor, power=power, now=now, bearer=bearer)
    found = await database.read(lambda unit: collected.collect(unit, lot, view, hall=hall))
    loop = asyncio.get_running_loop()
    log = NearLog(service.ledger, witnesses=(), clock=service.world.now, loop=loop)
    segments = announcement.segments_from(service.blobs, loop)
    return await asyncio.to_thread(_write, found, folder, log, segments, secrets)


async def stream(path: Path, done: Callable[[], None]) -> AsyncIterator[bytes]:
    """The bytes of a file, a piece at a time; `done` is called at the end, also of a reader who went away."""
    try:
        with await asyncio.to_thread(path.open, "rb") as file:
            while block := await asyncio.to_thread(file.read, archive.READ_BYTES):
                yield block
    finally:
        done()


async def _judge(unit: Unit, lot: str, view: View, *, actor: Actor, power: str | None, now: datetime) -> Tender:
    tender = lifecycle.at_instant((await tenders.load(unit, lot)).tender, now)
    ended = tender.state in lifecycle.TERMINAL
    if view == "full":
        actor.must(Permission.FULL_BUNDLE_EXPORT, now=now, power=power)
        if not ended and tender.report_at is None:
            raise Refused("bundle_full_not_yet", rule="E-65", lot=lot, state=tender.state.value)
    elif not ended and tender.publicity_from is None:
        raise Refused("bundle_not_public_yet", lot=lot, state=tender.state.value)
    return tender


async def log_grant(service: Service, tender: Tender, *, actor: Actor, now: datetime) -> None:
    """The grant by the opening room, before it gives anything."""

    async def granted(unit: Unit) -> None:
        await reading.grant(unit, tender, reader=actor.person, envelopes=[0, 1], why=WHY, now=now, hall=service.hall)

    await service.database.write(granted)


async def _log(
    service: Service, tender: Tender, *, actor: Actor, power: str | None, now: datetime, bearer: str
) -> None:
    """The read, before anything is given."""

    async def read(unit: Unit) -> None:
        await log_read(unit, tender, what="full_bundle", actor=actor, power=power, now=now, service=service)

    await service.database.write(read, bearer=bearer)


async def log_read(
    unit: Unit, tender: Tender, *, what: str, actor: Actor, power: str | None, now: datetime, service: Service
) -> None:
    """Log that a supervisor reads something of the whole tender; `what` stands in the confidential part."""
    await journal.private_act(
        unit,
        hall=service.hall,
        lot=tender.lot,
        tender_id=tender.tender_id,
        kind="read",
        fields={"object": tender.tender_id},
        actor=actor,
        now=now,
        power=power,
        confidential={"what": what},
    )


def _write(found: Collected, folder: Path, log: NearLog, read: ReadSegment, secrets: DocumentSecrets | None) -> Path:
    """Both passes over the members: hashes for the manifest, then the file. Not async: it may take its time."""
    reader = tiles.Reader(log.fetch, size=found.head.size, root=found.head.root)
    parts = sorted(_parts(found, reader, secrets), key=lambda part: part[0])
    described = []
    for path, content in parts:
        size, digest = 0, sha256()
        for block in _blocks(content, read):
            size += len(block)
            digest.update(block)
        described.append({"path": path, "sha256": digest.hexdigest(), "size": size})
    manifest = {
        "v": 1,
        "view": found.view,
        "lot": found.tender.lot,
        "tender_id": found.tender.tender_id,
        "heads": {"hall": found.hall[-1].row["leaf_hash"], "tender": found.acts[-1].row["leaf_hash"]},
        "files": described,
    }
    target = folder / "bundle.zip"
    archive.write(target, _members(jcs.dumps(manifest), parts, folder / "body", read))
    return target


def _members(
    manifest: bytes, parts: Sequence[tuple[str, Content]], beside: Path, read: ReadSegment
) -> Iterator[tuple[str, bytes | Path]]:
    """The members in order; of the bodies one at a time lies beside the archive."""
    yield "manifest.json", manifest
    for path, content in parts:
        if isinstance(content, bytes):
            yield path, content
            continue
        with beside.open("wb") as out:
            for block in _blocks(content, read):
                out.write(block)
        yield path, beside
        beside.unlink()


def _blocks(content: Content, read: ReadSegment) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    for name in content.segments:
        block = read(name)
        if block is None:
            raise Refused("bundle_body_lost", segment=name)
        yield block


def _parts(found: Collected, reader: tiles.Reader, secrets: DocumentSecrets | None) -> Iterator[tuple[str, Content]]:
    """Every member but the manifest, in no order."""
    yield "log/checkpoint", found.head.note.encode()
    for size, signed in found.notes.items():
        yield f"log/checkpoints/{size}", signed
    steps = list(pairwise([*sorted(found.notes), found.head.size]))
    proofs = [merkle.consistency_proof(old, new, reader.get_hash) for old, new in steps]
    told = [{"from": old, "to": new, "proof": _hexed(proof)} for (old, new), proof in zip(steps, proofs, strict=True)]
    yield "log/consistency.json", jcs.dumps(told)
    for name, rows in (("log/hall.jsonl", found.hall), ("log/acts.jsonl", found.acts)):
        yield name, _lines({"index": each.index, "act": each.act, "proof": _proof(reader, each)} for each in rows)
    for digest, data in found.objects.items():
        yield f"objects/{digest}", data
    for bid in found.bids:
        yield from _bid(found, bid, reader, secrets)
    if found.view == "full":
        yield from _private(found, reader, secrets)


def _bid(
    found: Collected, bid: HandedIn, reader: tiles.Reader, secrets: DocumentSecrets | None
) -> Iterator[tuple[str, Content]]:
    base, event = f"bids/{bid.bid}/", bid.event
    for number, raw in enumerate(bid.headers):
        yield f"{base}header-{number}", raw
    told: dict[str, Any] = {
        "v": 1,
        "event": event.act,
        "salt_p": event.row["salt_p"],
        "confidential": acts.part_hash(event.hidden, bytes.fromhex(event.row["salt_c"])).hex(),
        "index": event.index,
        "proof": _proof(reader, event),
        "certificate": bid.certificate.hex(),
        "signature": bid.signature,
        "salt": bid.salt,
    }
    yield base + "submission.json", jcs.dumps(told)
    record, documents, opened = collected.members_of(found.verdicts.get(bid.bid) if bid.bid in found.listed else None)
    if record:
        yield base + "body-0", Body(bid.segments[0])
    if found.view != "full":
        return
    if documents:
        yield base + "body-1", Body(bid.segments[1])
    if opened:
        assert secrets is not None, "verdicts come from an opening room"
        shown = [each.hex() for each in secrets.documents(bid.bid)]
        yield base + "secrets.json", jcs.dumps({"v": 1, "secrets": shown})


def _private(found: Collected, reader: tiles.Reader, secrets: DocumentSecrets | None) -> Iterator[tuple[str, Content]]:
    yield (
        "private/events.jsonl",
        _lines(
            {
                "index": each.index,
                "public": each.act,
                "salt_p": each.row["salt_p"],
                "confidential": each.hidden,
                "salt_c": each.row["salt_c"],
                "proof": _proof(reader, each),
            }
            for each in found.events
        ),
    )
    yield (
        "private/contexts.jsonl",
        _lines(
            {"index": each.index, "salt": each.row["salt_c"], "context": each.hidden}
            for each in found.acts
            if each.act["context"] is not None
        ),
    )
    if found.unmasking is not None:
        yield "private/unmasking.json", jcs.dumps(list(found.unmasking))
    if found.rescues:
        assert secrets is not None, "only an opening has rescues"
        told = [{"header": each, "secrets": [one.hex() for one in secrets.rescued(each)]} for each in found.rescues]
        yield "private/rescues.json", jcs.dumps(told)


def _proof(reader: tiles.Reader, event: Placed) -> list[str]:
    return _hexed(reader.inclusion_proof(event.index))


def _hexed(proof: Sequence[bytes]) -> list[str]:
    return [each.hex() for each in proof]


def _lines(rows: Iterator[Mapping[str, Any]]) -> bytes:
    return b"".join(jcs.dumps(dict(row)) + b"\n" for row in rows)
