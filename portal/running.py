"""A hall that runs: its folder opened, its database migrated, its ledger sequenced, its means handed to the doors.

Everything is built here and nowhere else, so that this file shows who is given which key. The embedded hall holds all
of them in one process: it proves order to everybody, but secrecy only against those who cannot read its memory
(docs/threats.md). Production gives each process its own part (architecture §4).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from hashlib import sha256
from importlib import metadata

from portal.folder import Folder
from storage import engine, migrate
from storage.blobs import FileBlobs
from storage.ledger import Head, Ledger
from storage.sequencer import Sequencer
from storage.unit import Database, Unit
from storage.world import World, instant
from trading.counter.service import Service
from trading.hall import Hall
from trading.lifecycle import State
from trading.markets import construction

VERSION = metadata.version("tradehall")


@dataclass(frozen=True, slots=True)
class Running:
    """One embedded hall. `wake` is set whenever the clockwork should look at once what is due."""

    folder: Folder
    world: World
    database: Database
    ledger: Ledger
    sequencer: Sequencer
    service: Service
    wake: asyncio.Event

    @property
    def hall(self) -> Hall:
        return self.service.hall

    def checkpoint_age_s(self, head: Head | None) -> int | None:
        """Whole seconds since the newest checkpoint was signed, on the hall's clock; None for an empty log."""
        return None if head is None else max(0, int((self.world.now() - instant(head.at)).total_seconds()))


async def open_hall(folder: Folder, *, world: World) -> Running:
    """Open the folder's database and keys. Raises what migrate, folder and the keys refuse."""
    database = engine.open_sqlite(folder.database)
    await migrate.migrate(database)
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
        blobs=FileBlobs(folder.blobs),
        hall=hall,
    )
    return Running(folder, world, database, ledger, sequencer, service, asyncio.Event())


async def open_for_bids(unit: Unit) -> bool:
    """Whether any tender takes bids now: while one does, the log grows at a constant rate."""
    return await unit.tender.count({"state": State.BIDDING.value}) > 0
