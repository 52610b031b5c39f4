"""Bare inserts: the rows that accepted bids left, put into the same empty tables again, a transaction a bid.

What a database alone needs for it, with nothing judged, signed, sequenced or proved; the burst is compared with it.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]

from storage import engine, migrate
from storage.postgres import POOL_MAX
from storage.unit import Database

TABLES = ("event", "pending", "submission")


async def rows(database: Database) -> dict[str, list[dict[str, Any]]]:
    """The rows that the accepted bids left, as the database has them, in one order."""
    asked: Any = database.engine
    submissions = await asked.run("SELECT * FROM submission ORDER BY id")
    found = {"submission": submissions}
    for name in ("event", "pending"):
        by_id = {row["id"]: row for row in await asked.run(f"SELECT * FROM {name}")}
        found[name] = [by_id[row["id"]] for row in submissions]
    return found


async def seconds(file: Path, dsn: str, rows: dict[str, list[dict[str, Any]]]) -> float:
    """Seconds to insert the same rows into the same empty tables, a transaction a bid, with nothing else."""
    database = engine.open_postgres(dsn) if dsn else engine.open_sqlite(file)
    await migrate.migrate(database)
    await database.close()
    bids = [[(name, list(rows[name][n].items())) for name in TABLES] for n in range(len(rows["submission"]))]
    if not dsn:
        return _bare_sqlite(file, bids)
    texts = {name: _insert(name, cells, "${}") for name, cells in bids[0]}
    pool = await asyncpg.create_pool(dsn, min_size=POOL_MAX, max_size=POOL_MAX)

    async def one(bid: Any) -> None:
        async with pool.acquire() as connection, connection.transaction():
            for name, cells in bid:
                await connection.execute(texts[name], *[value for _, value in cells])

    began = time.perf_counter()
    await asyncio.gather(*(one(bid) for bid in bids))
    took = time.perf_counter() - began
    await pool.close()
    return took


def _bare_sqlite(file: Path, bids: Any) -> float:
    connection = sqlite3.connect(file, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")
    texts = {name: _insert(name, cells, "?") for name, cells in bids[0]}
    began = time.perf_counter()
    for bid in bids:
        connection.execute("BEGIN IMMEDIATE")
        for name, cells in bid:
            connection.execute(texts[name], [value for _, value in cells])
        connection.execute("COMMIT")
    seconds = time.perf_counter() - began
    connection.close()
    return seconds


def _insert(name: str, cells: Any, mark: str) -> str:
    columns = ", ".join(f'"{column}"' for column, _ in cells)
    marks = ", ".join(mark.format(place) for place in range(1, len(cells) + 1))
    return f"INSERT INTO {name} ({columns}) VALUES ({marks})"
