"""A backup taken while the hall works comes back whole, or not at all."""

from __future__ import annotations

import asyncio
import json
import zipfile
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from crypto import signing
from crypto.ledger import merkle, note
from crypto.refusal import Refused
from storage import backup, blobs, engine, migrate
from storage.ledger import Ledger
from storage.sequencer import Sequencer
from storage.unit import Record
from storage.world import DemoWorld, SeededEntropy, new_id

NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
SIGNER = signing.Ed25519Signer.generate(entropy=SeededEntropy("log key"))


def _make(folder: Path, acts: int, *, backup_after: int, file: Path) -> list[str]:
    """A hall that records acts and segments; the backup is taken in the middle, while it is open."""

    async def live() -> list[str]:
        world = DemoWorld(flowing=False, entropy=SeededEntropy("backup"))
        database = engine.open_sqlite(folder / backup.DATABASE)
        store = blobs.FileBlobs(folder / "blobs")
        await migrate.migrate(database)
        sequencer = Sequencer(database, world=world, origin="hall.example", signer=SIGNER, cover_secret=bytes(32))
        ids = []
        for number in range(acts):
            data = f"segment {number}".encode()
            await store.put(sha256(data).hexdigest(), data)
            leaf = b"\x02" + world.entropy(32)
            record = Record(
                id=new_id(world.entropy), lot="L", tender_id="t", kind="submit", actor="A", at=world.now(),
                public={"segment": sha256(data).hexdigest()}, leaf=leaf, leaf_hash=merkle.leaf_hash(leaf).hex(),
            )  # fmt: skip
            await database.write(lambda unit, record=record: unit.record(record))
            ids.append(record.id)
            await sequencer.sequence()
            if number + 1 == backup_after:
                (folder / "hall.toml").write_text("name = '交易大厅'")
                (folder / "trustees").mkdir()
                (folder / "trustees" / "key.pem").write_text("a key of somebody else")
                made = backup.backup(folder, file, now=NOW, leave_out=frozenset({"trustees"}))
                assert made == backup.Backup(backup_after, backup_after + 1, "2026-03-02T01:00:00.000Z")
        await database.close()
        return ids

    folder.mkdir()
    return asyncio.run(live())


def test_a_backup_of_a_running_hall_comes_back_with_its_ledger(tmp_path: Path) -> None:
    file = tmp_path / "hall.zip"
    ids = _make(tmp_path / "hall", 5, backup_after=3, file=file)
    assert backup.restore(file, tmp_path / "again").ledger_size == 3
    assert (tmp_path / "again" / "hall.toml").read_text() == "name = '交易大厅'"
    assert not (tmp_path / "again" / "trustees").exists()

    async def look() -> None:
        database = engine.open_sqlite(tmp_path / "again" / backup.DATABASE)
        assert await migrate.migrate(database) == []
        ledger, store = Ledger(database), blobs.FileBlobs(tmp_path / "again" / "blobs")
        for id in ids[:3]:
            found = await ledger.inclusion(id)
            assert found is not None
            leaf = merkle.leaf_hash(found.leaf)
            merkle.verify_inclusion(leaf, found.index, found.head.size, found.proof, found.head.root)
        for row in await database.read(lambda unit: unit.event.find()):
            assert await store.read(row["body"]["segment"]) is not None
        world = DemoWorld(flowing=False)
        again = Sequencer(database, world=world, origin="hall.example", signer=SIGNER, cover_secret=bytes(32))
        seen = note.sign_checkpoint(note.Checkpoint("hall.example", 5, b"r" * 32), signer=SIGNER).encode()

        async def witness() -> bytes:
            return seen

        with pytest.raises(Refused, match="log_behind_witness"):
            await again.start({"w": witness})
        await database.close()

    asyncio.run(look())


def test_a_damaged_backup_leaves_nothing_behind(tmp_path: Path) -> None:
    file = tmp_path / "hall.zip"
    _make(tmp_path / "hall", 2, backup_after=2, file=file)
    whole = file.read_bytes()
    target = tmp_path / "target"
    for at in (0, len(whole) // 3, len(whole) // 2, len(whole) - 30):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(Refused, match="backup_not_readable"):
            backup.restore(file, target)
        assert not target.exists() and not list(tmp_path.glob(".target*"))
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Refused, match="backup_not_readable"):
        backup.restore(file, target)


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "a/../../outside"])
def test_a_backup_that_reaches_outside_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / "bad.zip"
    files = {name: sha256(b"x").hexdigest(), backup.DATABASE: sha256(b"").hexdigest()}
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, b"x")
        archive.writestr(backup.DATABASE, b"")
        archive.writestr(
            backup.CONTENTS, json.dumps({"format": backup.FORMAT, "at": "", "ledger_size": 0, "files": files})
        )
    with pytest.raises(Refused, match="backup_not_readable"):
        backup.restore(file, tmp_path / "in" / "hall")
    assert not list(tmp_path.rglob("outside"))


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "hall.zip"
    _make(tmp_path / "hall", 1, backup_after=1, file=file)
    with pytest.raises(Refused, match="restore_target_not_empty"):
        backup.restore(file, tmp_path / "hall")
    with pytest.raises(FileExistsError):
        backup.backup(tmp_path / "hall", file, now=NOW)
    with pytest.raises(FileNotFoundError):
        backup.backup(tmp_path, tmp_path / "other.zip", now=NOW)
