"""A hall of the previous release is brought forward with its data; an empty one too; nothing goes back."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from crypto.refusal import Refused
from storage import backup_server, engine, migrate
from storage.unit import Database

RELEASE = json.loads(Path(__file__).with_name("release-0.1.json").read_text("utf-8"))
FIRST = len(RELEASE["steps"])


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.servers)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    if request.param == "sqlite":
        return engine.open_sqlite(tmp_path / "hall.db")
    return engine.open_postgres(request.getfixturevalue("postgres_dsn")())


def steps_of(database: Database) -> list[migrate.Step]:
    return migrate.steps("sqlite" if isinstance(database.engine, engine.HallSQLite) else "postgres")


async def load(database: Database) -> None:
    """The rows as the release wrote them, under its own steps."""
    known = steps_of(database)[:FIRST]
    assert [step.name.split(".")[0] for step in known] == RELEASE["steps"], "a step that was released is never renamed"
    await migrate.migrate_to(database, [step.sha256 for step in known])
    sqlite = isinstance(database.engine, engine.HallSQLite)
    for table, rows in RELEASE["rows"].items():
        for row in rows:
            values = [bytes.fromhex(one["hex"]) if isinstance(one, dict) else one for one in row.values()]
            marks = ", ".join("?" if sqlite else f"${at}" for at in range(1, len(values) + 1))
            columns = ", ".join(f'"{name}"' for name in row)
            await database.engine.run(f'INSERT INTO "{table}" ({columns}) VALUES ({marks})', values)  # type: ignore[attr-defined]


def test_data_of_the_previous_release_come_through_every_later_step(database: Database) -> None:
    async def scenario() -> None:
        await load(database)
        assert await migrate.migrate(database) == [step.name for step in steps_of(database)[FIRST:]]
        assert await migrate.migrate(database) == []
        assert await backup_server.check_ledger(database) == len(RELEASE["rows"]["ledger"]), "leaves give the old root"

        async def look(unit: Any) -> None:
            for table, rows in RELEASE["rows"].items():
                assert await unit.store(table).count() == len(rows), table
            event = (await unit.event.find({"lot": "L1"}, order=("seq",)))[0]
            assert event["body"]["text"] == "招标公告 “引号” \\ \t"
            assert bytes((await unit.object.read("L1", "aa" * 32))["data"]) == b"\x00\xff{}"

        await database.read(look)

        async def go_on(unit: Any) -> None:
            row = await unit.upload.read("u1")
            await unit.upload.update({**row, "state": "erased"}, expected_version=row["version"])

        await database.write(go_on)
        await database.close()

    asyncio.run(scenario())


def test_a_program_that_is_older_than_the_database_is_refused(database: Database) -> None:
    async def scenario() -> None:
        await migrate.migrate(database)
        await database.engine.run("INSERT INTO \"migration\" VALUES (99, '0099_later', 'x')")  # type: ignore[attr-defined]
        with pytest.raises(Refused, match="database_newer_than_program"):
            await migrate.migrate(database)
        await database.close()

    asyncio.run(scenario())


def test_a_released_step_that_was_edited_is_refused(database: Database) -> None:
    async def scenario() -> None:
        with pytest.raises(Refused, match="migration_changed"):
            await migrate.migrate_to(database, ["0" * 64])
        await database.close()

    asyncio.run(scenario())
