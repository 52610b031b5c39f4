"""One file that holds an embedded hall: its database, its segments, whatever else lies in its folder; and back.

The copy is consistent with its ledger. The database is copied first, by SQLite itself while the hall goes on working;
segments are copied after it and never change, so every segment a copied row speaks of is in the copy (an upload's rows
follow its segments). A restore goes into an empty folder and checks every file by its hash before it is trusted; what
was sequenced after the backup is gone then, and the sequencer refuses to sign until the latest data are back if a
witness has seen more (storage/sequencer.py): a restore cannot silently rewind the log.
Whoever holds a backup can read what the hall's database can; bids are sealed in it as they are there.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from crypto.refusal import Refused
from storage.world import stamp

FORMAT = "tradehall backup v1"
DATABASE = "hall.db"
CONTENTS = "contents.json"
_BESIDE = (f"{DATABASE}-wal", f"{DATABASE}-shm", f"{DATABASE}-journal")


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds: `ledger_size` leaves under its newest checkpoint, `files` beside the database."""

    ledger_size: int
    files: int
    at: str


def backup(data: Path, file: Path, *, now: datetime, leave_out: frozenset[str] = frozenset()) -> Backup:
    """Writes the hall in `data` to the ZIP `file`, which appears whole or not at all; the hall may be running.

    `leave_out` names top-level entries of the folder that must not travel (the keys of others). Raises
    FileNotFoundError when there is no hall, FileExistsError when the file is there.
    """
    if not (data / DATABASE).is_file():
        raise FileNotFoundError(data / DATABASE)
    if file.exists():
        raise FileExistsError(file)
    partial = file.with_name(file.name + ".new")
    hashes: dict[str, str] = {}
    try:
        with tempfile.TemporaryDirectory(dir=file.parent) as scratch, zipfile.ZipFile(partial, "w") as archive:
            copy = Path(scratch) / DATABASE
            size = _copy_database(data / DATABASE, copy)
            hashes[DATABASE] = add(archive, copy, DATABASE)
            for path in others(data, leave_out):
                name = path.relative_to(data).as_posix()
                hashes[name] = add(archive, path, name)
            made = Backup(size, len(hashes) - 1, stamp(now))
            contents = {"format": FORMAT, "at": made.at, "ledger_size": size, "files": hashes}
            archive.writestr(CONTENTS, json.dumps(contents, indent=1, sort_keys=True))
        partial.rename(file)
    finally:
        partial.unlink(missing_ok=True)
    return made


def restore(file: Path, data: Path) -> Backup:
    """Brings a backup back into the empty or new folder `data`; nothing is left there if anything is wrong.

    Refuses `restore_target_not_empty`, `backup_not_readable` (naming the part that is missing, damaged or foreign).
    """
    if data.exists() and any(data.iterdir()):
        raise Refused("restore_target_not_empty", folder=str(data))
    data.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=data.parent, prefix=f".{data.name}-"))
    try:
        made = _unpack(file, scratch)
        if data.exists():
            data.rmdir()
        scratch.rename(data)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return made


def _unpack(file: Path, folder: Path) -> Backup:
    try:
        with zipfile.ZipFile(file) as archive:
            contents = json.loads(archive.read(CONTENTS))
            if contents.get("format") != FORMAT:
                raise Refused("backup_not_readable", part=CONTENTS)
            files: dict[str, str] = contents["files"]
            if {*archive.namelist()} != {*files, CONTENTS} or DATABASE not in files:
                raise Refused("backup_not_readable", part=CONTENTS)
            for name, expected in files.items():
                extract(archive, name, expected, folder)
            made = Backup(int(contents["ledger_size"]), len(files) - 1, str(contents["at"]))
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError, EOFError, OSError) as error:
        raise Refused("backup_not_readable", part=str(error)[:200]) from error
    if _check_database(folder / DATABASE) != made.ledger_size:
        raise Refused("backup_not_readable", part=DATABASE)
    return made


def extract(archive: zipfile.ZipFile, name: str, expected: str, folder: Path) -> None:
    target = folder / name
    if Path(name).is_absolute() or ".." in Path(name).parts or "\\" in name:
        raise Refused("backup_not_readable", part=name[:200])
    target.parent.mkdir(parents=True, exist_ok=True)
    found = sha256()
    with archive.open(name) as source, target.open("wb") as into:
        for block in iter(lambda: source.read(1 << 20), b""):
            found.update(block)
            into.write(block)
    if found.hexdigest() != expected:
        raise Refused("backup_not_readable", part=name)
    target.chmod(archive.getinfo(name).external_attr >> 16 & 0o700)


def add(archive: zipfile.ZipFile, path: Path, name: str) -> str:
    """Adds a file, uncompressed since segments are noise, and returns its hash."""
    found = sha256()
    entry = zipfile.ZipInfo(name)
    entry.external_attr = path.stat().st_mode << 16
    entry.file_size = path.stat().st_size
    with path.open("rb") as source, archive.open(entry, "w") as into:
        for block in iter(lambda: source.read(1 << 20), b""):
            found.update(block)
            into.write(block)
    return found.hexdigest()


def others(data: Path, leave_out: frozenset[str]) -> Iterator[Path]:
    for path in sorted(data.rglob("*")):
        top = path.relative_to(data).parts[0]
        if path.is_file() and top not in {DATABASE, *_BESIDE, *leave_out} and not path.name.endswith(".new"):
            yield path


def _copy_database(path: Path, copy: Path) -> int:
    """SQLite's own online copy; the ledger's size in it."""
    source, target = sqlite3.connect(f"file:{path}?mode=ro", uri=True), sqlite3.connect(copy)
    try:
        source.backup(target)
        # One file, without a write-ahead log beside it.
        target.execute("PRAGMA journal_mode=DELETE")
    finally:
        source.close()
        target.close()
    return _check_database(copy)


def _check_database(path: Path) -> int:
    """The size of the newest checkpoint of a sound database. Refuses `backup_not_readable`."""
    connection = sqlite3.connect(path)
    try:
        if connection.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            raise Refused("backup_not_readable", part=DATABASE)
        (size,) = connection.execute('SELECT coalesce(max("size"), 0) FROM "checkpoint"').fetchone()
        (leaves,) = connection.execute('SELECT count(*) FROM "ledger"').fetchone()
    except sqlite3.DatabaseError as error:
        raise Refused("backup_not_readable", part=DATABASE) from error
    finally:
        connection.close()
    if size != leaves:
        raise Refused("backup_not_readable", part="ledger")
    return int(size)
