"""What a process is made of: its papers, its world, its database in its own role, its store, its messenger.

Nothing here knows a key but the functions that are handed the name of its file; which process is handed which stands
in portal/processes/table.py and settings.py.
"""

from __future__ import annotations

import asyncio
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from crypto import trust
from crypto.certificates import Authority
from crypto.refusal import Refused
from crypto.signing import Ed25519Signer, P256Signer
from crypto.trust import Trust
from portal import folder as folders
from portal.folder import Card, Folder
from portal.processes.settings import Process
from portal.processes.table import ROLES
from storage import engine, migrate, postgres
from storage.blobs import Blobs, FileBlobs
from storage.ledger import Head, Ledger
from storage.sql import Blind, SqlSession
from storage.unit import Database, Unit
from storage.world import RealWorld, SharedDemoWorld, World, instant
from trading.counter.errands import Errands
from trading.counter.service import Service
from trading.hall import Hall
from trading.markets import construction

if TYPE_CHECKING:
    from experts.door.draw_reading import Inside


@dataclass(frozen=True, slots=True)
class Papers:
    """The hall as everybody may know it: its card, its anchors, its machinery's public keys (hex, by name)."""

    path: Path
    card: Card
    public: Mapping[str, str]

    @property
    def trust_bytes(self) -> bytes | None:
        """trust.json, or None while roots and witnesses have not enrolled."""
        path = self.path / "trust.json"
        return path.read_bytes() if path.exists() else None

    @property
    def trust(self) -> Trust:
        """The anchors. Raises Refused("hall_without_anchors")."""
        data = self.trust_bytes
        if data is None:
            raise Refused("hall_without_anchors", folder=self.path.name)
        return trust.load(data)


class PublicKeyOnly:
    """The duty key where it is not held: its public half goes into TENDER acts, signing is another process's work."""

    def __init__(self, key: str) -> None:
        self.key = bytes.fromhex(key)

    def sign(self, message: bytes) -> bytes:
        raise AssertionError("the duty key signs in the operation's clockwork alone; this verb is an errand")


@dataclass(frozen=True, slots=True)
class Front:
    """One process's means, in the shape in which portal/public.py and portal/demo_clock.py take a running hall."""

    folder: Papers
    world: World
    database: Database
    ledger: Ledger
    service: Service
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def hall(self) -> Hall:
        return self.service.hall

    def checkpoint_age_s(self, head: Head | None) -> int | None:
        """Whole seconds since the newest checkpoint was signed, on the hall's clock; None for an empty log."""
        return None if head is None else max(0, int((self.world.now() - instant(head.at)).total_seconds()))


def write_papers(hall: Folder, path: Path) -> None:
    """Put what is public of a hall's folder where its processes read it."""
    for name in ("hall.json", "trust.json"):
        folders.write(path / name, (hall.path / name).read_bytes())
    public = {name: hall.key(name).key.hex() for name in folders.KEYS}
    folders.write(path / "public.json", (json.dumps(public, indent=1) + "\n").encode())


def papers(path: Path) -> Papers:
    """Read them. Raises Refused: hall_missing, hall_unreadable."""
    card = folders.load(path).card
    try:
        public = json.loads((path / "public.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Refused("hall_unreadable", folder=str(path)) from error
    return Papers(path, card, public)


def world(settings: Process, told: Papers) -> World:
    """The machine's clock, or the shared one of a rehearsal. Raises Refused("rehearsal_clock_in_real_hall")."""
    if not settings.rehearsal_clock:
        return RealWorld()
    if not told.card.demo:
        raise Refused("rehearsal_clock_in_real_hall")
    return SharedDemoWorld(Path(settings.rehearsal_clock))


def database(settings: Process, *, blind: Blind | None = None, through: frozenset[str] = frozenset()) -> Database:
    """The database in this process's role; connects when first used."""
    return engine.open_postgres(settings.database_url, pool_max=settings.pool_max, blind=blind, through=through)


def blobs(url: str) -> Blobs:
    """The segment store. A folder is for one machine only, and locks nothing."""
    if not url.startswith(("s3:", "s3+http:")):
        return FileBlobs(Path(url))
    from portal.settings import s3_store  # The store's SDK is loaded by whoever has a store.
    from storage.s3 import S3Blobs

    return S3Blobs(s3_store(url))


def key(path: str) -> Ed25519Signer:
    """An Ed25519 key of the hall's machinery from its file. Raises Refused: key_file, settings_unreadable."""
    try:
        return Ed25519Signer.from_pem(Path(path).read_bytes())
    except OSError as error:
        raise Refused("settings_unreadable", file=path) from error


def passwords(path: str) -> dict[str, str]:
    """The password of every process's role. Raises Refused: settings_unreadable, setting_missing."""
    try:
        told = tomllib.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Refused("settings_unreadable", file=path) from error
    missing = sorted(set(ROLES) - set(told))
    if missing:
        raise Refused("setting_missing", name=missing[0])
    return {process: str(told[process]) for process in ROLES}


async def grant(base: Database, by_process: Mapping[str, str]) -> None:
    """Give every role exactly its rights, and its password. Run as the owner of the tables."""
    await migrate.grant(base)
    assert isinstance(base.engine, postgres.HallPostgres), "roles exist on PostgreSQL"
    quoted = {process: password.replace("'", "''") for process, password in by_process.items()}
    script = "".join(f"ALTER ROLE {ROLES[process]} PASSWORD '{quoted[process]}';\n" for process in ROLES)
    await base.engine.run_script(script)


async def reach(unit: Unit, login: str) -> Mapping[str, str]:
    """Where reminders to a person go, which the database tells apart from the rest of an account."""
    assert isinstance(unit.session, SqlSession), "roles exist on PostgreSQL"
    found = await unit.session.ask("SELECT * FROM hall_reach($1)", [login])
    return {"email": found[0]["email"] or "", "phone": found[0]["phone"] or ""} if found else {}


async def drawing(unit: Unit, lot: str) -> Inside:
    """Who handed in a number for a draw and which seats are called, at a door that may not read a panel, because a
    panel tells who sits behind every mask."""
    from experts.door.draw_reading import Inside  # Three doors have this page; the others do not load the room.

    assert isinstance(unit.session, SqlSession), "roles exist on PostgreSQL"
    found = await unit.session.ask("SELECT * FROM hall_drawing($1)", [lot])
    if not found:
        return Inside({}, ())
    given, called = json.loads(found[0]["given"] or "{}"), json.loads(found[0]["called"] or "[]")
    return Inside({int(number): header for number, header in given.items()}, [(seat, calls) for seat, calls in called])


def word(path: str) -> str:
    """A secret word from its file. Raises Refused("settings_unreadable")."""
    try:
        return Path(path).read_text("ascii").strip()
    except (OSError, ValueError) as error:
        raise Refused("settings_unreadable", file=path) from error


def authority(path: str, told: Papers) -> Authority | None:
    """A rehearsal's own certification authority. Raises Refused("authority_in_real_hall")."""
    if not path:
        return None
    if not told.card.demo:
        raise Refused("authority_in_real_hall")
    signer = P256Signer.from_pem(Path(path).read_bytes())
    return Authority(signer.private, signer.certificate)


def hall(told: Papers, now: World, *, duty: Ed25519Signer | None = None, issues: Authority | None = None) -> Hall:
    """The hall as commands know it, with the duty key where this process is the one that holds it."""
    card = told.card
    return Hall(
        name=card.name,
        uscc=card.uscc,
        region=card.region,
        platform=card.platform,
        origin=card.origin,
        duty=duty or PublicKeyOnly(told.public["duty"]),
        trust=told.trust,
        rulebooks=(construction.NATIONAL,),
        entropy=now.entropy,
        authority=issues,
    )


class NoBlobs:
    """In place of a store where a process has none: asked for anything, it says so."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError("this process has no segment store")


def front(
    told: Papers,
    now: World,
    base: Database,
    store: Blobs | None,
    of: Hall,
    *,
    errands: frozenset[str] = frozenset(),
) -> Front:
    """The means of one process."""
    ledger = Ledger(base)
    kept: Blobs = store if store is not None else NoBlobs()  # type: ignore[assignment]
    handed = Errands(errands) if errands else None
    service = Service(world=now, database=base, ledger=ledger, blobs=kept, hall=of, errands=handed)
    return Front(told, now, base, ledger, service)
