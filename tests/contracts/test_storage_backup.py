"""A hall on servers is copied while it works, comes back whole, and every receipt given before still verifies."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from crypto import signing
from crypto.ledger import merkle, note
from crypto.refusal import Refused
from storage import backup, backup_server, engine, migrate, postgres, s3
from storage.ledger import Ledger
from storage.sequencer import Sequencer
from storage.unit import Database, Record
from storage.world import DemoWorld, RealWorld, SeededEntropy, new_id

pytestmark = pytest.mark.servers
NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
ORIGIN = "hall.example"
SIGNER = signing.Ed25519Signer.generate(entropy=SeededEntropy("log key"))
WITNESS = signing.Ed25519Signer.generate(entropy=SeededEntropy("witness key"))
KNOWN = note.Witness("w.example", "operation", note.VerifierKey("w.example", note.COSIGNATURE, WITNESS.key))
UNTIL = datetime(2041, 3, 2, 1, tzinfo=UTC)


class Hall:
    """A log that grows on PostgreSQL, with segments in an object store and a folder with its card."""

    def __init__(self, database: Database, store: s3.S3Blobs) -> None:
        self.database, self.store = database, store
        self.world = DemoWorld(flowing=False, entropy=SeededEntropy("backup"))
        self.sequencer = Sequencer(database, world=self.world, origin=ORIGIN, signer=SIGNER, cover_secret=bytes(32))
        self.ledger = Ledger(database)
        self.notes: list[note.Note] = []

    async def act(self) -> str:
        """One private act whose segment lies in the store; a checkpoint over it, cosigned."""
        data = self.world.entropy(3000)
        name = sha256(data).hexdigest()
        await self.store.put(name, data)
        await self.store.keep(name, UNTIL)
        leaf = b"\x02" + self.world.entropy(32)
        record = Record(
            id=new_id(self.world.entropy), lot="L", tender_id="t", kind="submit", actor="A", at=self.world.now(),
            public={"segment": name, "odd": 'tab\t"quote" \\ 换行\n'}, leaf=leaf,
            leaf_hash=merkle.leaf_hash(leaf).hex(),
        )  # fmt: skip
        await self.database.write(lambda unit: unit.record(record))
        await self.sequencer.sequence()
        head = await self.ledger.head()
        assert head is not None
        line = note.cosign(head.note, name=KNOWN.name, signer=WITNESS, at=NOW)
        await self.ledger.cosign(str(line), witnesses=(KNOWN,), now=NOW)
        self.notes.append((await self.ledger.head()).note)  # type: ignore[union-attr]
        return record.id


async def copied(fresh: Callable[[], str], seaweed: s3.Store, folder: Path) -> tuple[Hall, Sequence[str], Path]:
    """A hall with five acts, of which three are in its backup; the backup is taken while more are coming."""
    database, store = engine.open_postgres(fresh()), s3.S3Blobs(seaweed)
    await migrate.migrate(database)
    await migrate.grant(database)
    hall = Hall(database, store)
    (folder / "hall").mkdir()
    (folder / "hall" / "hall.json").write_text("{}")
    (folder / "hall" / "keys").mkdir()
    (folder / "hall" / "keys" / "log.pem").write_text("a key that stays at home")
    ids = [await hall.act() for _ in range(3)]
    file = folder / "hall.zip"
    made, more = await asyncio.gather(
        backup_server.backup(database, store, folder / "hall", file, now=NOW, leave_out=frozenset({"keys"})),
        hall.act(),
    )
    assert made.at == "2026-03-02T01:00:00.000Z" and made.ledger_size in (3, 4)
    return hall, [*ids, more, await hall.act()], file


def test_a_hall_on_servers_comes_back_and_receipts_from_before_verify_against_it(
    postgres_dsn: Callable[[], str], seaweed: s3.Store, tmp_path: Path
) -> None:
    async def scenario() -> None:
        hall, ids, file = await copied(postgres_dsn, seaweed, tmp_path)
        receipts = [await hall.ledger.inclusion(id_) for id_ in ids]
        again = engine.open_postgres(postgres_dsn())
        elsewhere = s3.S3Blobs(s3.Store(seaweed.endpoint, "hall", "hall-secret", "restored", secure=False))
        await elsewhere.prepare(entropy=RealWorld().entropy)
        made = await backup_server.restore(file, again, elsewhere, tmp_path / "again")
        assert (tmp_path / "again" / "hall.json").read_text() == "{}" and not (tmp_path / "again" / "keys").exists()
        restored = Ledger(again)
        for id_, given in list(zip(ids, receipts, strict=True))[: made.ledger_size]:
            found = await restored.inclusion(id_)
            assert found is not None and given is not None
            leaf = merkle.leaf_hash(given.leaf)
            assert (found.index, found.leaf) == (given.index, given.leaf)
            merkle.verify_inclusion(leaf, found.index, found.head.size, found.proof, found.head.root)
        # Against the witnesses: what they cosigned before the backup is a beginning of the restored log, same bytes.
        head = await restored.head()
        assert head is not None and head.size == made.ledger_size
        assert head.note.text == hall.notes[head.size - 1].text
        assert note.verify_cosignatures(head.note, (KNOWN,)), "cosignatures come back with it"
        for seen in hall.notes[: head.size]:
            old = note.verify_checkpoint(seen.encode(), note.VerifierKey(ORIGIN, note.LOG_SIGNATURE, SIGNER.key))
            proof = await restored.consistency(old.size, head.size)
            merkle.verify_consistency(old.size, old.root, head.size, head.root, proof)
        for row in await again.read(lambda unit: unit.event.find()):
            assert row["body"]["odd"] == 'tab\t"quote" \\ 换行\n'
            name = row["body"]["segment"]
            assert await elsewhere.read(name) is not None
            kept = await elsewhere.kept_until(name)
            assert kept is not None and abs(kept - UNTIL) < timedelta(seconds=2), "the lock came back too"
        assert await migrate.migrate(again) == []
        # Two more acts are gone from this copy, and a witness remembers them: it must not sign.
        sequencer = Sequencer(
            again, world=DemoWorld(flowing=False), origin=ORIGIN, signer=SIGNER, cover_secret=bytes(32)
        )

        async def witness() -> bytes:
            return hall.notes[-1].encode()

        with pytest.raises(Refused, match="log_behind_witness"):
            await sequencer.start({"w": witness})
        with pytest.raises(Refused, match="restore_target_not_empty"):
            await backup_server.restore(file, again, elsewhere, tmp_path / "third")
        await again.close()
        await hall.database.close()

    asyncio.run(scenario())


def test_a_backup_that_was_changed_is_not_believed(
    postgres_dsn: Callable[[], str], seaweed: s3.Store, tmp_path: Path
) -> None:
    """Whoever can write the file can make its hashes fit; the log's own signature they cannot make."""

    def changed(file: Path, name: str, change: Callable[[bytes], bytes]) -> Path:
        out = io.BytesIO()
        with zipfile.ZipFile(file) as old, zipfile.ZipFile(out, "w") as new:
            contents = json.loads(old.read(backup.CONTENTS))
            for each in contents["files"]:
                data = change(old.read(each)) if each == name else old.read(each)
                contents["files"][each] = sha256(data).hexdigest()
                new.writestr(each, data)
            new.writestr(backup.CONTENTS, json.dumps(contents))
        (tmp_path / "changed.zip").write_bytes(out.getvalue())
        return tmp_path / "changed.zip"

    def other_leaf(data: bytes) -> bytes:
        lines = data.split(b"\n")
        fields = lines[0].split(b"\t")
        fields[-1] = fields[-1][:-2] + (b"00" if fields[-1][-2:] != b"00" else b"01")
        return b"\n".join([b"\t".join(fields), *lines[1:]])

    async def scenario() -> None:
        hall, _, file = await copied(postgres_dsn, seaweed, tmp_path)
        for name, change in (
            ("tables/ledger", other_leaf),
            ("tables/ledger", lambda data: data[: data.index(b"\n") + 1]),
        ):
            again = engine.open_postgres(postgres_dsn())
            with pytest.raises(Refused, match="backup_not_readable"):
                await backup_server.restore(changed(file, name, change), again, hall.store, tmp_path / "new")
            assert not (tmp_path / "new").exists()
            await again.close()
        await hall.database.close()

    asyncio.run(scenario())


def test_a_role_that_may_not_see_every_row_makes_no_backup(
    postgres_dsn: Callable[[], str], seaweed: s3.Store, tmp_path: Path
) -> None:
    async def scenario() -> None:
        import asyncpg

        hall, _, _ = await copied(postgres_dsn, seaweed, tmp_path)
        connection_url = postgres_of(hall.database)
        as_watch = engine.open_postgres(connection_url.replace("postgres:@", "hall_watch:@"))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await backup_server.backup(as_watch, None, None, tmp_path / "watch.zip", now=NOW)
        assert not (tmp_path / "watch.zip").exists()
        await as_watch.close()
        await hall.database.close()

    asyncio.run(scenario())


def postgres_of(database: Database) -> Any:
    assert isinstance(database.engine, postgres.HallPostgres)
    return database.engine.config["dsn"]
