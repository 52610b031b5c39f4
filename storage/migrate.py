"""Brings a database up to date: numbered steps, forward only, one file per step and dialect in storage/migrations/.

Each step runs in one transaction together with the row that says it ran. A step that ran is never edited: its hash is
kept, and a database whose steps differ from the files, or which has steps this program does not know, is refused.
`storage/schema.py` is what the steps must add up to; a test compares them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from crypto.refusal import Refused
from storage.engine import HallSQLite
from storage.postgres import HallPostgres
from storage.unit import Database

_TABLE = """CREATE TABLE IF NOT EXISTS "migration" (
    "number" BIGINT NOT NULL PRIMARY KEY, "name" TEXT NOT NULL, "sha256" TEXT NOT NULL
)"""


@dataclass(frozen=True, slots=True)
class Step:
    """One migration of one dialect: its number, its file's name, its text."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def steps(dialect: str) -> list[Step]:
    """The steps of a dialect ("sqlite" or "postgres"), in order, numbered 1, 2, 3 … without a gap."""
    found = []
    for file in resources.files("storage.migrations").iterdir():
        if file.name.endswith(f".{dialect}.sql"):
            found.append(Step(int(file.name.split("_")[0]), file.name, file.read_text(encoding="utf-8")))
    found.sort(key=lambda step: step.number)
    assert [step.number for step in found] == list(range(1, len(found) + 1)), "steps are numbered without a gap"
    return found


async def grant(database: Database) -> None:
    """Gives every process's role exactly the rights of storage/grants.sql. Run as the owner of the tables."""
    assert isinstance(database.engine, HallPostgres), "roles exist on PostgreSQL"
    text = resources.files("storage").joinpath("grants.sql").read_text(encoding="utf-8")
    await database.engine.run_script(text)


async def migrate(database: Database) -> list[str]:
    """Runs the steps that are missing and returns their names. Nothing to do for the in-memory twin.

    Refuses `database_newer_than_program` and `migration_changed`.
    """
    return await _run(database, None)


async def migrate_to(database: Database, hashes: Sequence[str]) -> list[str]:
    """Runs the first steps of this program, which must be those with these SHA-256, and no others: where a backup of an
    earlier release goes before it is brought forward. Refuses as `migrate` does."""
    return await _run(database, hashes)


async def _run(database: Database, hashes: Sequence[str] | None) -> list[str]:
    engine = database.engine
    if not isinstance(engine, HallSQLite | HallPostgres):
        return []
    await engine.run_script(_TABLE)
    if isinstance(engine, HallPostgres) and engine.dialect.before:
        await engine.run_script(engine.dialect.before)
    rows = await engine.run('SELECT "number", "name", "sha256" FROM "migration" ORDER BY "number"')
    ran = {int(row["number"]): row for row in rows}
    known = steps("sqlite" if isinstance(engine, HallSQLite) else "postgres")
    asked = len(known) if hashes is None else len(hashes)
    if max(len(ran), asked) > len(known):
        raise Refused("database_newer_than_program", steps=max(len(ran), asked), known=len(known))
    known = known[:asked]
    for step, expected in zip(known, hashes or (), strict=False):
        if step.sha256 != expected:
            raise Refused("migration_changed", step=step.name)
    for step in known:
        if step.number in ran:
            if ran[step.number]["sha256"] != step.sha256:
                raise Refused("migration_changed", step=step.name)
            continue
        said = f"INSERT INTO \"migration\" VALUES ({step.number}, '{step.name}', '{step.sha256}');"
        begin = "BEGIN IMMEDIATE" if isinstance(engine, HallSQLite) else "BEGIN"
        text = engine.dialect.migration(step.sql) if isinstance(engine, HallPostgres) else step.sql
        await engine.run_script(f"{begin};\n{text}\n{said}\nCOMMIT;")
    return [step.name for step in known if step.number not in ran]
