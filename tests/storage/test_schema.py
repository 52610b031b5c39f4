"""The migrations add up to the schema, on both dialects, and what must not change cannot."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from crypto.refusal import Refused
from storage import engine, migrate, schema

SQLITE_TYPES = {"text": "TEXT", "integer": "INTEGER", "bytes": "BLOB"}


def _migrated(path: Path) -> sqlite3.Connection:
    async def make() -> list[str]:
        database = engine.open_sqlite(path)
        ran = await migrate.migrate(database)
        assert await migrate.migrate(database) == [], "a second run has nothing to do"
        await database.close()
        return ran

    assert asyncio.run(make()) == [step.name for step in migrate.steps("sqlite")]
    return sqlite3.connect(path)


def _uniques(connection: sqlite3.Connection, table: str) -> tuple[set[tuple[str, ...]], set[tuple[str, ...]]]:
    unique, plain = set(), set()
    for _, name, is_unique, origin, _ in connection.execute(f'PRAGMA index_list("{table}")'):
        columns = tuple(row[2] for row in connection.execute(f'PRAGMA index_info("{name}")'))
        if origin != "pk":
            (unique if is_unique else plain).add(columns)
    return unique, plain


def test_no_drift_between_migrations_and_schema(tmp_path: Path) -> None:
    connection = _migrated(tmp_path / "hall.db")
    tables = {
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if name != "migration"
    }
    assert tables == set(schema.TABLES)
    for spec in schema.TABLES.values():
        columns = connection.execute(f'PRAGMA table_info("{spec.name}")').fetchall()
        assert [(c[1], c[2], c[3]) for c in columns] == [(n, SQLITE_TYPES[t], 1) for n, t in spec.cells.items()]
        assert tuple(c[1] for c in sorted(columns, key=lambda c: c[5]) if c[5]) == spec.key
        unique, plain = _uniques(connection, spec.name)
        assert unique == {*spec.uniques, *(columns for columns, _, _ in spec.chains)}, spec.name
        assert plain == set(spec.indexes), spec.name


def test_no_drift_between_piccolo_and_schema(tmp_path: Path) -> None:
    tables = schema.piccolo_tables(engine.HallSQLite(tmp_path / "hall.db"))
    assert set(tables) == set(schema.TABLES)
    for name, table in tables.items():
        assert [column._meta.name for column in table._meta.columns] == list(schema.TABLES[name].cells)


def test_both_dialects_have_the_same_steps_and_tables() -> None:
    lite, post = migrate.steps("sqlite"), migrate.steps("postgres")
    assert [step.name.split(".")[0] for step in lite] == [step.name.split(".")[0] for step in post]

    def shape(sql: str) -> str:
        for word in ("BLOB", "BYTEA"):
            sql = sql.replace(word, "bytes")
        return sql.replace(' COLLATE "C"', "").replace("BIGINT", "INTEGER").replace(") STRICT;", ");")

    def tables(sql: str) -> str:
        return shape(sql[sql.index("CREATE TABLE") :])

    assert tables(lite[0].sql) == tables(post[0].sql)


@pytest.mark.parametrize("table", [s.name for s in schema.TABLES.values() if not s.mutable and not s.erasable])
def test_a_fact_is_neither_changed_nor_deleted(tmp_path: Path, table: str) -> None:
    connection = _migrated(tmp_path / "hall.db")
    spec = schema.TABLES[table]
    filler = {"text": "x", "integer": 1, "bytes": b"x"}
    other = {"text": "y", "integer": 2, "bytes": b"y"}
    marks = ", ".join("?" * len(spec.cells))
    connection.execute(f'INSERT INTO "{table}" VALUES ({marks})', [filler[cell] for cell in spec.cells.values()])
    for column in spec.cells:
        with pytest.raises(sqlite3.IntegrityError, match="facts"):
            connection.execute(f'UPDATE "{table}" SET "{column}" = ?', [other[spec.cells[column]]])
    with pytest.raises(sqlite3.IntegrityError, match="facts"):
        connection.execute(f'DELETE FROM "{table}"')


def test_a_migration_edited_after_it_ran_is_refused(tmp_path: Path) -> None:
    connection = _migrated(tmp_path / "hall.db")
    connection.execute("UPDATE migration SET sha256 = 'other' WHERE number = 1")
    connection.commit()

    async def again() -> None:
        database = engine.open_sqlite(tmp_path / "hall.db")
        try:
            await migrate.migrate(database)
        finally:
            await database.close()

    with pytest.raises(Refused, match="migration_changed"):
        asyncio.run(again())
    connection.execute("UPDATE migration SET sha256 = ? WHERE number = 1", [migrate.steps("sqlite")[0].sha256])
    connection.execute("INSERT INTO migration VALUES (99, 'from the future', '')")
    connection.commit()
    with pytest.raises(Refused, match="database_newer_than_program"):
        asyncio.run(again())


def test_the_sqlite_file_is_durable_and_checks_its_keys(tmp_path: Path) -> None:
    async def ask() -> list[object]:
        hall = engine.HallSQLite(tmp_path / "hall.db")
        answers = [
            next(iter((await hall.run(f"PRAGMA {name}"))[0].values()))
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
        await hall.close()
        return answers

    assert asyncio.run(ask()) == ["wal", 2, 1]
