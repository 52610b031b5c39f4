"""The hall of the burst, in a process of its own: serves, waits for the crowd, then tells what it has.

    python bench/burst_hall.py FOLDER COUNT sqlite|DSN DSN_FOR_BARE

Prints {"url","requests"} when everything is prepared; after a line on standard input it prints what is in the tables,
how long bare inserts of the same rows took, and ends.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import crowd
import measure

sys.path.insert(0, str(measure.ROOT))

from portal.running import Running
from portal.settings import Settings
from storage import crash, engine, migrate
from storage.engine import POOL_MAX
from tests.portal.halls import EXAMPLE, open_hall

TABLES = ("event", "pending", "submission")


def main(folder: Path, count: int, engine_name: str, bare: str) -> None:
    """Prepare, serve, tell."""
    settings = Settings() if engine_name == "sqlite" else Settings(database_url=engine_name)
    hall = open_hall(folder, example=EXAMPLE, seed="bench", settings=settings, flowing=True)
    hall.watchers.stop()
    requests = hall.thread.call(lambda running: _prepare(running, hall.lot, count))
    (folder / "requests.json").write_text(json.dumps(requests))
    points: Counter[crash.Point] = Counter()
    assert hall.thread.running is not None
    hall.thread.running.database._hook = lambda point: points.update([point])
    print(json.dumps({"url": hall.url, "requests": str(folder / "requests.json")}), flush=True)
    sys.stdin.readline()
    # What was under way when counting began or ended can only make this smaller.
    again = max(0, points[crash.Point.UNIT_BEGUN] - points[crash.Point.UNIT_COMMITTED])
    rows = hall.thread.call(_rows)
    told = {
        "again": again,
        "submissions": len(rows["submission"]),
        "bare": asyncio.run(_bare(folder / "bare.db", bare, rows)),
        "trust": (hall.data / "trust.json").read_text("utf-8"),
    }
    print(json.dumps(told), flush=True)
    hall.thread.stop()


async def _prepare(running: Running, lot: str, count: int) -> list[dict[str, Any]]:
    tender = await crowd.tender_of(running, lot)
    return [
        {
            "token": company.token,
            "body": await crowd.hand_over(running, lot, tender, company, price_fen=500_000_000 + number),
        }
        for number, company in enumerate(await crowd.enlist(running, count))
    ]


async def _rows(running: Running) -> dict[str, list[dict[str, Any]]]:
    """The rows that the accepted bids left, as the database has them, in one order."""
    asked: Any = running.database.engine
    submissions = await asked.run("SELECT * FROM submission ORDER BY id")
    found = {"submission": submissions}
    for name in ("event", "pending"):
        rows = {row["id"]: row for row in await asked.run(f"SELECT * FROM {name}")}
        found[name] = [rows[row["id"]] for row in submissions]
    return found


async def _bare(file: Path, dsn: str, rows: dict[str, list[dict[str, Any]]]) -> float:
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
    seconds = time.perf_counter() - began
    await pool.close()
    return seconds


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


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4] if len(sys.argv) > 4 else "")
