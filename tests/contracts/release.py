"""Makes tests/contracts/release-0.1.json: a small hall's rows as the first release kept them, from its own schema.

Run once per release, `python tests/contracts/release.py`, and never again for that release: the file is what a hall in
the field holds when the next program starts on it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crypto import signing
from crypto.ledger import merkle
from storage import engine, migrate, schema
from storage.sequencer import Sequencer
from storage.unit import Record, Unit
from storage.world import DemoWorld, SeededEntropy, new_id, stamp

FILE = Path(__file__).with_name("release-0.1.json")
STEPS = 2
NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)


async def rows() -> dict[str, list[dict[str, Any]]]:
    """Every row of a hall that published, received and sequenced a little."""
    world = DemoWorld(flowing=False, entropy=SeededEntropy("release"))
    signer = signing.Ed25519Signer.generate(entropy=world.entropy)
    with tempfile.TemporaryDirectory() as folder:
        database = engine.open_sqlite(Path(folder) / "hall.db")
        await migrate.migrate_to(database, [step.sha256 for step in migrate.steps("sqlite")[:STEPS]])
        sequencer = Sequencer(database, world=world, origin="hall.example", signer=signer, cover_secret=bytes(32))

        async def write(unit: Unit) -> None:
            await unit.organisation.insert({"id": "o1", "uscc": "12510100450000001E", "body": {"name": "青溪公路"}})
            await unit.setting.insert({"name": "verdict_keys", "body": {"room": "00"}})
            await unit.upload.insert(
                {
                    "id": "u1",
                    "organisation": "o1",
                    "lot": "L1",
                    "created": stamp(NOW),
                    "state": "submitted",
                    "bytes": 9,
                    "body": {"leaves": ["ab" * 32], "root": "cd" * 32, "prefix": "ef"},
                }
            )
            await unit.object.insert(
                {"lot": "L1", "hash": "aa" * 32, "kind": "terms", "view": "public", "data": b"\x00\xff{}"}
            )
            for seq in range(3):
                leaf = b"\x01" + world.entropy(40)
                record = Record(
                    id=new_id(world.entropy),
                    lot="L1",
                    tender_id="11" * 32,
                    kind="tender" if seq == 0 else "amendment",
                    actor="A",
                    at=NOW,
                    public={"seq": seq, "text": "招标公告 “引号” \\ \t"},
                    leaf=leaf,
                    leaf_hash=merkle.leaf_hash(leaf).hex(),
                    seq=seq,
                )
                await unit.record(record)

        await database.write(write)
        await sequencer.sequence()
        found = {}
        for name in schema.TABLES:
            there = await database.engine.run(f"SELECT name FROM sqlite_master WHERE name = '{name}'")  # type: ignore[attr-defined]
            if there:
                kept = await database.engine.run(f'SELECT * FROM "{name}"')  # type: ignore[attr-defined]
                found[name] = [{column: _text(value) for column, value in row.items()} for row in kept]
        await database.close()
    return {name: kept for name, kept in found.items() if kept}


def _text(value: Any) -> Any:
    return {"hex": value.hex()} if isinstance(value, bytes) else value


def main() -> int:
    """Write the file."""
    told = {"steps": [step.name.split(".")[0] for step in migrate.steps("sqlite")[:STEPS]], "rows": asyncio.run(rows())}
    FILE.write_text(json.dumps(told, ensure_ascii=False, indent=1, sort_keys=True) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
