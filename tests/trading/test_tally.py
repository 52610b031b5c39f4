"""What a tally says: the tender's private acts by number and root, once all of them have their place in the log."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from types import SimpleNamespace
from typing import Any, cast

from crypto.ledger import merkle
from storage.memory import MemoryEngine
from storage.unit import Database, Record, Unit
from storage.world import instant
from trading import tally
from trading.tender import Tender

AT: datetime = instant("2026-04-20T02:00:00.000Z")
TENDER = cast(Tender, SimpleNamespace(tender_id="tL1"))


def record(number: int, *, public: bool = False, tender_id: str = "tL1") -> Record:
    leaf = b"\x02" + sha256(str(number).encode()).digest()
    act = Record(
        id=f"e{number}",
        lot="L1",
        tender_id=tender_id,
        kind="contract" if public else "download",
        actor=f"p{number}",
        at=AT,
        public={"n": number},
        leaf=leaf,
        leaf_hash=merkle.leaf_hash(leaf).hex(),
    )
    return replace(act, seq=0) if public else act


def test_a_tally_counts_the_tenders_private_acts_in_the_order_of_the_log() -> None:
    database = Database(MemoryEngine())
    mine, others = [record(1), record(2)], [record(3, public=True), record(4, tender_id="tL2")]

    async def place(unit: Unit, act: Record, index: int) -> None:
        row = {"idx": index, "pending": act.id, "leaf_hash": act.leaf_hash, "leaf": act.leaf}
        await unit.ledger.insert(row)

    async def told() -> list[dict[str, Any] | None]:
        async def run(unit: Unit) -> dict[str, Any] | None:
            return await tally.fields(unit, TENDER)

        found = []

        async def fill(unit: Unit) -> None:
            for each in (*mine, *others):
                await unit.record(each)
            await place(unit, mine[1], 5)
            await place(unit, others[0], 9)

        await database.write(fill)
        found.append(await database.read(run))
        await database.write(lambda unit: place(unit, mine[0], 7))
        found.append(await database.read(run))
        return found

    waiting, said = asyncio.run(told())
    assert waiting is None, "the first act has no place yet"
    leaves = [bytes.fromhex(mine[1].leaf_hash), bytes.fromhex(mine[0].leaf_hash)]
    assert said == {"size": 10, "n": 2, "root": merkle.root(leaves).hex()}
