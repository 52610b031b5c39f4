"""A hall that runs: its folder opened, its database migrated, its ledger sequenced, its means handed to the doors.

Everything is built here and nowhere else, so that this file shows who is given which key. The embedded hall holds all
of them in one process: it proves order to everybody, but secrecy only against those who cannot read its memory
(docs/threats.md). Production gives each process its own part (architecture §4).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

from bidding import opening_keys
from bidding.opening_keys import Desk, FileVault
from portal import jobs
from portal.folder import Folder
from portal.rooms import VERSION as VERSION
from portal.settings import Settings, s3_store
from storage import engine, migrate
from storage.blobs import Blobs, FileBlobs
from storage.broker import Courier, open_broker
from storage.ledger import Head, Ledger
from storage.outbox import Outbox
from storage.s3 import S3Blobs
from storage.sequencer import Sequencer
from storage.unit import Database, Unit
from storage.world import Entropy, World, instant
from trading.counter.service import Service
from trading.hall import Hall
from trading.lifecycle import State
from trading.markets import construction

READERS: tuple[Literal["room"], Literal["verifier"]] = ("room", "verifier")
OPENING_KEYS_LOW = 3


@dataclass(frozen=True, slots=True)
class Running:
    """One embedded hall. `wake` is set whenever the clockwork should look at once what is due."""

    folder: Folder
    world: World
    database: Database
    ledger: Ledger
    sequencer: Sequencer
    service: Service
    courier: Courier
    room: Desk
    verifier: Desk
    wake: asyncio.Event
    practice: str = ""
    """Where people practise bidding, '' for nowhere."""
    turning: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by whoever does what is due: the next finds it done, not half done."""

    @property
    def hall(self) -> Hall:
        return self.service.hall

    async def restock(self) -> None:
        """Make one-time opening keys until room and verifier have enough that no tender used."""

        async def lacking(unit: Unit) -> bool:
            left = [await unit.prekey.count({"trustee": reader, "tender_id": ""}) for reader in READERS]
            return min(left) < OPENING_KEYS_LOW

        async def stock(unit: Unit) -> None:
            for desk in (self.room, self.verifier):
                await opening_keys.stock(unit, desk, entropy=self.world.entropy)

        if await self.database.read(lacking):
            await self.database.write(stock)

    def checkpoint_age_s(self, head: Head | None) -> int | None:
        """Whole seconds since the newest checkpoint was signed, on the hall's clock; None for an empty log."""
        return None if head is None else max(0, int((self.world.now() - instant(head.at)).total_seconds()))


async def open_hall(folder: Folder, *, world: World, settings: Settings) -> Running:
    """Open the folder's keys and what the settings name. Raises what migrate, folder, keys and stores refuse."""
    url = settings.database_url
    database = engine.open_postgres(url) if url else engine.open_sqlite(folder.database)
    await migrate.migrate(database)
    blobs = await open_blobs(folder, settings, entropy=world.entropy)
    ledger = Ledger(database)
    card = folder.card
    hall = Hall(
        name=card.name,
        uscc=card.uscc,
        region=card.region,
        platform=card.platform,
        origin=card.origin,
        duty=folder.key("duty"),
        trust=folder.trust,
        rulebooks=(construction.NATIONAL,),
        entropy=world.entropy,
        trustees_here=folder.trustees_here,
        authority=folder.authority(),
    )
    log_key = folder.key("log")
    sequencer = Sequencer(
        database,
        world=world,
        origin=card.origin,
        signer=log_key,
        cover_secret=sha256(b"tradehall cover\0" + log_key.to_pem()).digest(),
        open_for_bids=open_for_bids,
    )
    service = Service(
        world=world,
        database=database,
        ledger=ledger,
        blobs=blobs,
        hall=hall,
    )
    outbox = Outbox(database, world=world, handlers=jobs.handlers(hall, settings.gateways()))
    courier = Courier(outbox, world=world, broker=open_broker(settings.broker_url))
    database.after_commit.append(courier.send)
    room, verifier = (
        Desk(reader, folder.key(reader), FileVault(folder.path / "keys" / "opening" / reader)) for reader in READERS
    )
    wake, practice = asyncio.Event(), settings.practice_url
    running = Running(folder, world, database, ledger, sequencer, service, courier, room, verifier, wake, practice)
    await running.restock()
    return running


async def open_blobs(folder: Folder, settings: Settings, *, entropy: Entropy) -> Blobs:
    """The segment store: an S3 store that proved its lock, or a folder (which has none: docs/threats.md)."""
    if not settings.blobs_url:
        return FileBlobs(folder.blobs)
    blobs = S3Blobs(s3_store(settings.blobs_url))
    await blobs.prepare(entropy=entropy)
    return blobs


async def open_for_bids(unit: Unit) -> bool:
    """Whether any tender takes bids now: while one does, the log grows at a constant rate."""
    return await unit.tender.count({"state": State.BIDDING.value}) > 0
