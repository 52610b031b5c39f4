"""The same one file for a hall on servers: a PostgreSQL snapshot, the segments of an object store, the hall's folder.

Consistent with its ledger: every table is copied (COPY) inside one REPEATABLE READ transaction while the hall goes on;
segments are listed after it and never change, so every segment that a copied row speaks of is in the file. The lock of
each segment travels with it and is set again where it is brought back. A restore goes into an empty database, at the
step of the schema that the backup had, is then brought forward, and is believed only when its leaves give the root of
its newest signed checkpoint. What was sequenced after the backup is gone then, and the sequencer refuses to sign while
any witness has seen more.
Whoever restores a backup is the owner of the tables. Whoever holds one can read what the hall's database can, and has
the hall's keys unless they were left out; bids are sealed in it as they are there.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from crypto.ledger import merkle, note
from crypto.refusal import Refused
from storage import migrate, schema
from storage.backup import CONTENTS, Backup, add, extract, others
from storage.blobs import Blobs, is_name
from storage.ledger import newest_head
from storage.ports import Within
from storage.postgres import HallPostgres
from storage.unit import Database, Unit
from storage.world import instant, stamp

FORMAT = "tradehall backup v1 servers"
TABLES, SEGMENTS, FOLDER = "tables", "segments", "folder"
COPY_SECONDS_MAX = 3600
LEAVES_AT_ONCE = 2000


@runtime_checkable
class Locking(Protocol):
    """A store that can tell until when a segment is locked."""

    async def kept_until(self, name: str) -> datetime | None: ...


async def backup(
    database: Database,
    blobs: Blobs | None,
    data: Path | None,
    file: Path,
    *,
    now: datetime,
    leave_out: frozenset[str] = frozenset(),
) -> Backup:
    """Writes a hall on PostgreSQL to the ZIP `file`, which appears whole or not at all; the hall may be running.

    `blobs` is the object store whose segments travel too (None: they are kept elsewhere, or lie in the folder), `data`
    the hall's folder, of which `leave_out` names top-level entries that must not travel. Raises FileExistsError.
    """
    assert isinstance(database.engine, HallPostgres), "an embedded hall is copied by storage.backup"
    _require_new(file)
    partial = file.with_name(file.name + ".new")
    hashes: dict[str, str] = {}
    try:
        with tempfile.TemporaryDirectory(dir=file.parent) as scratch, zipfile.ZipFile(partial, "w") as archive:
            size, steps, rows = await _snapshot(database.engine, Path(scratch))
            for path in _files(Path(scratch)):
                hashes[f"{TABLES}/{path.name}"] = add(archive, path, f"{TABLES}/{path.name}")
            for path in others(data, leave_out) if data is not None else ():
                name = f"{FOLDER}/{path.relative_to(data).as_posix()}"  # type: ignore[arg-type]
                hashes[name] = add(archive, path, name)
            locks = await _add_segments(archive, blobs, hashes) if blobs is not None else {}
            made = Backup(size, len(hashes) - len(rows), stamp(now))
            contents: dict[str, Any] = {"format": FORMAT, "at": made.at, "ledger_size": size, "files": hashes}
            columns = {name: list(schema.TABLES[name].cells) for name in rows}
            contents |= {"rows": rows, "columns": columns, "steps": steps, "locks": locks}
            archive.writestr(CONTENTS, json.dumps(contents, indent=1, sort_keys=True))
        partial.rename(file)
    finally:
        partial.unlink(missing_ok=True)
    return made


async def restore(file: Path, database: Database, blobs: Blobs | None, data: Path | None) -> Backup:
    """Brings a backup back into an empty database, a store and a new folder.

    Refuses `restore_target_not_empty`, `backup_not_readable` (naming the part), `database_newer_than_program`,
    `migration_changed`. A database in which a restore failed is not empty: drop it and begin again.
    """
    engine = database.engine
    assert isinstance(engine, HallPostgres)
    _require_empty(data)
    if await engine.run("SELECT 1 FROM information_schema.tables WHERE table_schema = 'public' LIMIT 1"):
        raise Refused("restore_target_not_empty", folder="database")
    scratch = Path(tempfile.mkdtemp(dir=None if data is None else data.parent))
    try:
        contents = _unpack(file, scratch)
        await migrate.migrate_to(database, contents["steps"])
        await _load(engine, scratch / TABLES, contents["rows"], contents["columns"])
        await migrate.migrate(database)
        if await check_ledger(database) != contents["ledger_size"]:
            raise Refused("backup_not_readable", part="ledger")
        await _bring_segments(scratch / SEGMENTS, blobs, contents["locks"])
        if data is not None:
            _move(scratch / FOLDER, data)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Backup(contents["ledger_size"], len(contents["files"]) - len(contents["rows"]), contents["at"])


async def check_ledger(database: Database) -> int:
    """Recomputes the tree from every leaf and compares it with the newest checkpoint; returns its size.

    Refuses `backup_not_readable`: a leaf that is not what its row says, a tree that is not what was signed.
    """

    async def check(unit: Unit) -> int:
        head, frontier = await newest_head(unit), merkle.Frontier()
        size = head.size if head else 0
        if await unit.ledger.count() != size:
            raise Refused("backup_not_readable", part="ledger")
        for start in range(0, size, LEAVES_AT_ONCE):
            rows = await unit.ledger.find({"idx": Within(start, start + LEAVES_AT_ONCE)})
            hashes = [merkle.leaf_hash(bytes(row["leaf"])) for row in rows]
            if [one.hex() for one in hashes] != [row["leaf_hash"] for row in rows]:
                raise Refused("backup_not_readable", part="ledger")
            frontier = frontier.append(hashes)
        if head is not None:
            said = note.Checkpoint.parse(head.note.text)
            if (said.size, said.root) != (size, frontier.root()):
                raise Refused("backup_not_readable", part="checkpoint")
        return size

    return await database.read(check)


def _require_new(file: Path) -> None:
    if file.exists():
        raise FileExistsError(file)


def _require_empty(data: Path | None) -> None:
    if data is None:
        return
    if data.exists() and any(data.iterdir()):
        raise Refused("restore_target_not_empty", folder=str(data))
    data.parent.mkdir(parents=True, exist_ok=True)


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _move(folder: Path, data: Path) -> None:
    if folder.is_dir():
        if data.exists():
            data.rmdir()
        folder.rename(data)


async def _snapshot(engine: HallPostgres, folder: Path) -> tuple[int, list[str], dict[str, int]]:
    """Every table as COPY text; the ledger's size, the hashes of the schema's steps, and how many rows each has."""
    pool = await engine.opened_pool()
    rows: dict[str, int] = {}
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        # Row policies would quietly leave rows out; with this off, a role that may not see all is refused.
        await connection.execute("SET LOCAL row_security = off")
        size, leaves = await connection.fetchrow(
            'SELECT (SELECT coalesce(max("size"), 0) FROM "checkpoint"), (SELECT count(*) FROM "ledger")'
        )
        steps = [str(row[0]) for row in await connection.fetch('SELECT "sha256" FROM "migration" ORDER BY "number"')]
        for name, spec in schema.TABLES.items():
            query = f'SELECT {_columns(spec.cells)} FROM "{name}" ORDER BY {_columns(spec.key)}'
            done = await connection.copy_from_query(query, output=str(folder / name), timeout=COPY_SECONDS_MAX)
            rows[name] = int(done.rsplit(" ", 1)[-1])
    if size != leaves:
        raise Refused("backup_not_readable", part="ledger")
    return int(size), steps, rows


async def _add_segments(archive: zipfile.ZipFile, blobs: Blobs, hashes: dict[str, str]) -> dict[str, str]:
    """Every segment of the store; returns until when which is locked."""
    locks = {}
    async for name in blobs.names():
        data = await blobs.read(name)
        if data is None:  # an abandoned upload that was dropped in between
            continue
        hashes[f"{SEGMENTS}/{name}"] = name
        archive.writestr(f"{SEGMENTS}/{name}", data)
        until = await blobs.kept_until(name) if isinstance(blobs, Locking) else None
        if until is not None:
            locks[name] = stamp(until)
    return locks


def _unpack(file: Path, folder: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(file) as archive:
            contents: dict[str, Any] = json.loads(archive.read(CONTENTS))
            if contents.get("format") != FORMAT:
                raise Refused("backup_not_readable", part=CONTENTS)
            files: dict[str, str] = contents["files"]
            tables = {f"{TABLES}/{name}" for name in contents["rows"]}
            shaped = set(contents["rows"]) == set(contents["columns"]) and isinstance(contents["steps"], list)
            if {*archive.namelist()} != {*files, CONTENTS} or not shaped or not tables <= set(files):
                raise Refused("backup_not_readable", part=CONTENTS)
            for name, expected in files.items():
                extract(archive, name, expected, folder)
            instant(str(contents["at"]))
            contents["locks"] = {name: instant(until) for name, until in contents["locks"].items()}
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError, EOFError, OSError) as error:
        raise Refused("backup_not_readable", part=str(error)[:200]) from error
    return contents


async def _load(engine: HallPostgres, folder: Path, rows: dict[str, int], columns: dict[str, list[str]]) -> None:
    """One transaction for all tables: a restore that fails leaves no half a hall."""
    pool = await engine.opened_pool()
    async with pool.acquire() as connection, connection.transaction():
        for name, expected in rows.items():
            with (folder / name).open("rb") as source:
                there = {row[0] for row in await connection.fetch(_COLUMNS, name)}
                if there != set(columns[name]):
                    raise Refused("backup_not_readable", part=name)
                done = await connection.copy_to_table(
                    name, source=source, columns=columns[name], timeout=COPY_SECONDS_MAX
                )
            if int(done.rsplit(" ", 1)[-1]) != expected:
                raise Refused("backup_not_readable", part=name)


async def _bring_segments(folder: Path, blobs: Blobs | None, locks: dict[str, datetime]) -> None:
    paths = _files(folder)
    if paths and blobs is None:
        raise Refused("backup_not_readable", part=SEGMENTS)
    for path in paths:
        if not is_name(path.name):
            raise Refused("backup_not_readable", part=path.name[:80])
        assert blobs is not None
        await blobs.put(path.name, await asyncio.to_thread(path.read_bytes))
        if path.name in locks:
            await blobs.keep(path.name, locks[path.name])


def is_server_backup(file: Path) -> bool:
    """Whether a backup file is of a hall on servers (False: of an embedded one, or not a backup at all)."""
    try:
        with zipfile.ZipFile(file) as archive:
            return bool(json.loads(archive.read(CONTENTS)).get("format") == FORMAT)
    except (zipfile.BadZipFile, KeyError, ValueError, AttributeError, OSError):
        return False


_COLUMNS = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1"


def _columns(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
