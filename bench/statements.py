"""What one accepted bid costs the database, with 10, 100, 1,000 and 10,000 bids of the same tender already there.

Counted at the wire of the SQLite engine: statements, rows read, rows written. The goal is that nothing grows. The bids
that are measured are real; most of those already there are copies of their rows under other names.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import measure

sys.path.insert(0, str(measure.ROOT))

from crypto.ledger import merkle
from storage import engine, migrate
from storage.unit import Database, Unit
from storage.world import Entropy, new_id
from tests.bidding.people import Keys
from tests.bidding.stage import Stage
from trading.roles import Role

MEASURED = 5
COPIES_AT_ONCE = 500


def table(small: bool) -> measure.Table:
    """Statements and rows at each number of bids."""
    told = measure.Table(
        "statements",
        "What a bid costs as bids come in",
        f"Mean of {MEASURED} bids of as many bidders, each handed in by the command itself: one transaction, from "
        "BEGIN to COMMIT, without upload and receipt. The ratio is to the same number with 10 bids present.",
    )
    present = (10, 20, 40) if small else (10, 100, 1_000, 10_000)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_measure(told, Path(folder), present))
    return told


async def _measure(told: measure.Table, folder: Path, present: tuple[int, ...]) -> None:
    keys = Keys()
    keys.bidders = [keys.company(10 + n, f"投标人{n}", Role.BIDDER) for n in range(MEASURED * len(present) + 1)]
    database = engine.open_sqlite(folder / "hall.db")
    await migrate.migrate(database)
    stage = Stage(keys, folder, database=database)
    await stage.set_up()
    await stage.publish()
    counted = counting(engine.LaneWire)
    bidders = iter(keys.bidders)
    await stage.hand_in(next(bidders))
    there, before = 1, dict[str, float]()
    for number in present:
        await copies(stage.database, stage.world.entropy, stage.lot, number - there)
        await stage.sequence()
        there = number
        spent = Counter[str]()
        seconds = 0.0
        for _ in range(MEASURED):
            sealed = await stage.seal(next(bidders))
            await stage.upload(sealed)
            counted.clear()
            with measure.timed() as clock:
                await stage.submit(sealed)
            spent.update(counted)
            seconds += clock.seconds
            there += 1
        before = add_means(told, spent, seconds, present=number, first=present[0], before=before)
    await database.close()


def add_means(
    told: measure.Table,
    spent: Counter[str],
    seconds: float,
    *,
    present: int,
    first: int,
    before: dict[str, float],
) -> dict[str, float]:
    """Rows of MEASURED bids with `present` bids there, beside `before` with `first` there; gives the latter."""
    means = {name: spent[name] / MEASURED for name in ("statements", "rows read", "rows written")}
    means["ms"] = 1000 * seconds / MEASURED
    before = before or means
    for name, value in means.items():
        told.add(
            f"{name} per accepted bid, {present:,} present",
            value,
            "",
            beside=f"with {first} present",
            beside_value=before[name],
            goal=None if name == "ms" else before[name],
        )
    return before


async def copies(database: Database, entropy: Entropy, lot: str, count: int) -> None:
    """Copies of the lot's first bid's rows, each of another organisation, event and leaf."""

    async def first(unit: Unit) -> tuple[Any, Any, Any]:
        submission = (await unit.submission.find({"lot": lot}, limit=1))[0]
        return submission, await unit.event.read(submission["id"]), await unit.pending.read(submission["id"])

    submission, event, pending = await database.read(first)

    async def some(unit: Unit, number: int) -> None:
        rows: dict[str, list[dict[str, Any]]] = {"event": [], "pending": [], "submission": []}
        for _ in range(number):
            name = new_id(entropy)
            leaf = b"\x02" + sha256(name.encode()).digest()
            leaf_hash = merkle.leaf_hash(leaf).hex()
            rows["event"].append({**event, "id": name, "actor": f"person {name}", "leaf_hash": leaf_hash})
            rows["pending"].append({**pending, "id": name, "leaf": leaf})
            rows["submission"].append({**submission, "id": name, "organisation": name})
        for store, made in rows.items():
            await unit.store(store).insert_all(made)

    while count > 0:
        number = min(count, COPIES_AT_ONCE)
        await database.write(lambda unit, number=number: some(unit, number))  # type: ignore[misc]
        count -= number


def counting(wire: Any) -> Counter[str]:
    """Count what goes over an engine's wire (its class) from now on."""
    counted: Counter[str] = Counter()
    fetch, execute, execute_many = wire.fetch, wire.execute, wire.execute_many

    async def counting_fetch(self: Any, sql: str, args: Any) -> Any:
        found = await fetch(self, sql, args)
        counted.update({"statements": 1, "rows read": len(found)})
        return found

    async def counting_execute(self: Any, sql: str, args: Any = ()) -> int:
        done = await execute(self, sql, args)
        counted.update({"statements": 1, "rows written": max(0, done)})
        return done

    async def counting_many(self: Any, sql: str, rows: Any) -> None:
        await execute_many(self, sql, rows)
        counted.update({"statements": 1, "rows written": len(rows)})

    wire.fetch, wire.execute, wire.execute_many = counting_fetch, counting_execute, counting_many
    return counted


if __name__ == "__main__":
    measure.main(table)
