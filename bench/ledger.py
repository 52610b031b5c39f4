"""The ledger: leaves placed in batches by the real sequencer on SQLite, and inclusion proofs read from its tiles.

Beside it: the same rows inserted bare, in transactions as large; SHA-256 of as many 64-byte nodes as a proof takes.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import tempfile
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import measure

from crypto import signing
from crypto.ledger import merkle, tiles
from storage import engine, migrate
from storage.ledger import Ledger
from storage.sequencer import BATCH_LEAVES_MAX, Sequencer
from storage.unit import Unit
from storage.world import DemoWorld, SeededEntropy, new_id, stamp


def table(small: bool) -> measure.Table:
    """Appends and proofs a second."""
    told = measure.Table(
        "ledger",
        "Ledger",
        f"Private leaves wait as rows; the sequencer reads, orders, stores, hashes, signs and commits them in batches "
        f"of up to {BATCH_LEAVES_MAX} (SQLite, synchronous=FULL). Proofs are made from tiles, as a mirror has "
        "them.",
    )
    count = 2_000 if small else 50_000
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_appends(told, Path(folder), count))
    _proofs(told, count)
    return told


async def _appends(told: measure.Table, folder: Path, count: int) -> None:
    entropy = SeededEntropy("bench ledger")
    world = DemoWorld(flowing=False, entropy=entropy)
    database = engine.open_sqlite(folder / "hall.db")
    await migrate.migrate(database)
    signer = signing.Ed25519Signer.generate(entropy=os.urandom)
    sequencer = Sequencer(database, world=world, origin="bench/log", signer=signer, cover_secret=bytes(32))
    rows = [
        {
            "id": new_id(entropy),
            "at": stamp(world.now() + timedelta(milliseconds=n)),
            "chain": "",
            "rank": 0,
            "leaf": b"\x02" + sha256(b"%d" % n).digest(),
        }
        for n in range(count)
    ]
    await database.write(lambda unit: _all(unit, rows))
    with measure.timed() as ours:
        while await sequencer.sequence():
            pass
    head = await Ledger(database).head()
    assert head is not None and head.size == count
    await database.close()
    bare = sqlite3.connect(folder / "bare.db", isolation_level=None)
    for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL"):
        bare.execute(statement)
    bare.execute("CREATE TABLE ledger (idx INTEGER PRIMARY KEY, pending TEXT UNIQUE, leaf_hash TEXT, leaf BLOB)")
    with measure.timed() as plain:
        for first in range(0, count, BATCH_LEAVES_MAX):
            bare.execute("BEGIN IMMEDIATE")
            some = rows[first : first + BATCH_LEAVES_MAX]
            bare.executemany(
                "INSERT INTO ledger VALUES (?, ?, ?, ?)",
                [(first + n, row["id"], "", row["leaf"]) for n, row in enumerate(some)],
            )
            bare.execute("COMMIT")
    bare.close()
    told.add(
        "appends, batched",
        count / ours.seconds,
        "leaves/s",
        beside="bare SQLite inserts of the ledger rows",
        beside_value=count / plain.seconds,
    )


async def _all(unit: Unit, rows: list[dict[str, Any]]) -> None:
    await unit.pending.insert_all(rows)


def _proofs(told: measure.Table, count: int) -> None:
    store: dict[str, bytes] = {}
    hashes = [merkle.leaf_hash(b"\x02" + sha256(b"%d" % n).digest()) for n in range(count)]
    store.update(tiles.grow(0, hashes, store.__getitem__))
    root = merkle.root(hashes)
    asked = [n * 7919 % count for n in range(count // 2)]
    reader = tiles.Reader(store.__getitem__, size=count, root=root)
    made: list[tuple[bytes, ...]] = []
    with measure.timed() as making:
        made.extend(reader.inclusion_proof(index) for index in asked)
    with measure.timed() as checking:
        for index, proof in zip(asked, made, strict=True):
            merkle.verify_inclusion(hashes[index], index, count, proof, root)
    nodes = sum(map(len, made))
    with measure.timed() as raw:
        for _ in range(nodes):
            sha256(root + root).digest()
    beside = {"beside": "SHA-256 of a proof's nodes", "beside_value": len(asked) / raw.seconds}
    told.add("proofs made from tiles", len(asked) / making.seconds, "proofs/s", **beside)
    told.add("proofs verified", len(asked) / checking.seconds, "proofs/s", **beside)


if __name__ == "__main__":
    measure.main(table)
