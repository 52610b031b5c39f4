"""The split hall of the production tables: real PostgreSQL, SeaweedFS, valkey and nginx, one process a role.

Started as `make production-local` starts it (tests/production). What comes before a measurement is done from behind, by
the hall's own commands under the owner of the tables; what is measured goes through nginx and the doors.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import measure

sys.path.insert(0, str(measure.ROOT))

from bidding import opening_keys
from bidding.opening_keys import Desk, FileVault
from crypto.ledger import acts
from crypto.sealing import prekeys
from crypto.signing import Ed25519Signer
from portal.demo import script
from portal.demo.stage import Stage
from portal.processes import parts, stores
from portal.settings import s3_store
from storage import engine
from storage.blobs import Blobs
from storage.s3 import S3Blobs
from storage.unit import Database, Unit
from storage.world import World
from tests.production import hall as halls
from tests.production import servers
from tests.production.hall import ProductionHall
from trading import journal
from trading.hall import Hall

EXAMPLE = measure.ROOT / "tests" / "examples" / "other-road"
PROCESSES = ("public", "desk", "centre", "bidders-1", "bidders-2", "opening", "verifier", "clockwork-operation",
             "sequencer")  # fmt: skip
"""Those that the tables need; trustees, experts, supervision and the eraser have nothing to do in them."""


@dataclass
class Service:
    """The segment store, with the administrator's key."""

    blobs: Blobs


@dataclass
class Behind:
    """The hall from behind (crowd.Behind)."""

    hall: Hall
    world: World
    database: Database
    service: Service


@dataclass
class Split:
    """A running split hall."""

    running: ProductionHall
    postgres: servers.Postgres
    weed: servers.Weed
    stage: Stage

    @property
    def entries(self) -> dict[str, str]:
        return self.running.entries

    def publish(self) -> str:
        """One more published lot, through the doors of owner and centre."""
        step = next(one for one in script.load(EXAMPLE) if one.does == "publish_tender")
        self.stage.publish_tender(step)
        return self.stage.lot

    @contextlib.asynccontextmanager
    async def behind(self, *, process: str = "") -> AsyncIterator[Behind]:
        """The hall from behind in this event loop, as the owner of the tables or in the role of a process."""
        path = self.running.path
        papers = parts.papers(path / "papers")
        authority = parts.authority(str(path / "secrets" / "bidders" / "authority.pem"), papers)
        duty = parts.key(str(path / "secrets" / "clockwork-operation" / "duty.pem"))
        hall = parts.hall(papers, self.running.clock, duty=duty, issues=authority)
        url = self.running.owner_url
        if process:
            from portal.processes import settings

            url = settings.read(process, self.running.plan(f"{process}-1").settings, {}).database_url
        database = engine.open_postgres(url)
        store = S3Blobs(s3_store(self.weed.url_of(stores.ADMINISTRATOR)))
        try:
            yield Behind(hall, self.running.clock, database, Service(store))
        finally:
            await database.close()

    async def stock(self, behind: Behind, count: int) -> None:
        """One-time keys for so many tenders: of every trustee, of the room and of the verifier."""
        cast, secrets = self.running.cast, self.running.path / "secrets"

        async def work(unit: Unit) -> None:
            for process, reader in (("opening", "room"), ("verifier", "verifier")):
                key = parts.key(str(secrets / process / f"{reader}.pem"))
                desk = Desk(reader, key, FileVault(secrets / process / "vault"))
                await opening_keys.stock(unit, desk, entropy=behind.hall.entropy, count=count)
            for seat in cast.trustees:
                home = cast.trustee_home(seat)
                keys = prekeys.derive(bytes.fromhex((home / "seed").read_text()), 1, count)
                fields = {name: value for name, value in prekeys.act_fields(seat.id, keys).items() if name != "kind"}
                await journal.hall_act(
                    unit, hall=behind.hall, lot="", tender_id=acts.HALL_TENDER_ID, kind="pre_keys", fields=fields,
                    now=behind.world.now(), role="trustee",
                    signers=[("trustee", Ed25519Signer.from_pem((home / "key.pem").read_bytes()))],
                )  # fmt: skip
                for key in keys:
                    row = {"key": key.public.hex(), "trustee": seat.id, "tender_id": "", "body": {"batch": 1}}
                    await unit.prekey.insert(row)

        await behind.database.write(work)


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Split]:
    """A split hall without tenders, in a fresh folder."""
    with halls.opened(folder, *PROCESSES, seed="bench", example=EXAMPLE) as made:
        yield Split(made.running, made.postgres, made.weed, made.stage)
