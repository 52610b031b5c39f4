"""`tradehall backup` and `restore`: the embedded hall's folder, or the servers that the settings name.

A restored hall is believed only when its leaves give the root of its newest signed checkpoint. Whoever runs these owns
the tables and the folder.
"""

from __future__ import annotations

from pathlib import Path

from crypto.refusal import Refused
from portal.settings import Settings, s3_store
from storage import backup as embedded
from storage import backup_server, engine
from storage.backup import Backup
from storage.s3 import S3Blobs
from storage.world import RealWorld


async def backup(data: Path, file: Path, *, given: Settings) -> Backup:
    """Copy a hall, which may be running, into one file. Raises FileExistsError, FileNotFoundError and Refused:
    setting_wrong (an object store beside SQLite), backup_not_readable (the hall's own ledger does not add up)."""
    now = RealWorld().now()
    if not given.database_url:
        _require_embedded(given)
        return embedded.backup(data, file, now=now)
    database = engine.open_postgres(given.database_url)
    try:
        return await backup_server.backup(database, _store(given), data, file, now=now)
    finally:
        await database.close()


async def restore(file: Path, data: Path, *, given: Settings) -> Backup:
    """Bring a hall back into an empty folder, and into the empty database and the store that the settings name.
    Raises Refused: restore_target_not_empty, backup_not_readable, setting_wrong (a backup of the other kind)."""
    if backup_server.is_server_backup(file) is not bool(given.database_url):
        raise Refused("setting_wrong", name="TRADEHALL_DATABASE_URL")
    if given.database_url:
        database = engine.open_postgres(given.database_url)
        try:
            store = _store(given)
            if store is not None:
                await store.prepare(entropy=RealWorld().entropy)
            return await backup_server.restore(file, database, store, data)
        finally:
            await database.close()
    _require_embedded(given)
    made = embedded.restore(file, data)
    database = engine.open_sqlite(data / embedded.DATABASE)
    try:
        await backup_server.check_ledger(database)
    finally:
        await database.close()
    return made


def _store(given: Settings) -> S3Blobs | None:
    return S3Blobs(s3_store(given.blobs_url)) if given.blobs_url else None


def _require_embedded(given: Settings) -> None:
    if given.blobs_url:
        raise Refused("setting_wrong", name="TRADEHALL_BLOBS_URL")
