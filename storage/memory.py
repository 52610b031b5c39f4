"""The in-memory twin of the database: same ports, same refusals, real rollback. The simulator runs on it.

One transaction at a time holds the whole (as on SQLite); every change notes how to undo itself, and a transaction
that raises is undone in reverse. Nothing outlives the process.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from storage import crash, schema
from storage.ports import (
    Among,
    AtLeast,
    AtMost,
    Below,
    Condition,
    Duplicate,
    Every,
    In,
    Not,
    Row,
    Session,
    Where,
    Within,
)
from storage.schema import Spec
from storage.unit import Database

Key = tuple[str | int, ...]
Undo = list[Callable[[], object]]


def open_memory(*, hook: crash.Hook = crash.never) -> Database:
    """A new, empty database that lives as long as the object."""
    return Database(MemoryEngine(), hook=hook)


class MemoryEngine:
    """All tables of one hall in dicts."""

    def __init__(self) -> None:
        self.statements = 0
        self.tables = {name: _Rows(spec) for name, spec in schema.TABLES.items()}
        self.unsequenced: dict[str, None] = {}
        self._lock = asyncio.Lock()
        self._line = asyncio.Lock()

    def begin(self, *, write: bool, bearer: str, ahead: bool = False) -> AbstractAsyncContextManager[Session]:
        return self._begin(write, ahead)

    @asynccontextmanager
    async def _begin(self, write: bool, ahead: bool = False) -> AsyncIterator[Session]:
        async with contextlib.nullcontext() if ahead else self._line:
            await self._lock.acquire()
        try:
            undo: Undo = []
            try:
                yield _MemorySession(self, write, undo)
            except BaseException:
                for step in reversed(undo):
                    step()
                raise
        finally:
            self._lock.release()

    def glance(self) -> AbstractAsyncContextManager[Session]:
        return self._begin(False)

    async def close(self) -> None:
        """Waits until no transaction is under way."""
        async with self._lock:
            return


class _Rows:
    """One table: rows by key, keys by unique columns, keys by each indexed column's value."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.rows: dict[Key, Row] = {}
        self.unique: dict[tuple[str, ...], dict[Key, Key]] = {columns: {} for columns in spec.uniques}
        self.unique |= {columns: {} for columns, _, _ in spec.chains}
        self._bounds = {columns: (column, least) for columns, column, least in spec.chains}
        self.index: dict[str, dict[str | int, dict[Key, None]]] = {
            column: {} for columns in (*spec.indexes, *spec.uniques, spec.key) for column in columns
        }

    def key_of(self, row: Row) -> Key:
        return tuple(row[column] for column in self.spec.key)

    def put(self, row: Row) -> None:
        key = self.key_of(row)
        if key in self.rows:
            raise Duplicate(f"{self.spec.name} {key}")
        taken = [columns for columns, value in self._unique_values(row) if value in self.unique[columns]]
        if taken:
            raise Duplicate(f"{self.spec.name} {taken}")
        self.rows[key] = row
        for columns, value in self._unique_values(row):
            self.unique[columns][value] = key
        for column, keys in self.index.items():
            keys.setdefault(row[column], {})[key] = None

    def take(self, key: Key) -> Row:
        row = self.rows.pop(key)
        for columns, value in self._unique_values(row):
            del self.unique[columns][value]
        for column, keys in self.index.items():
            del keys[row[column]][key]
            if not keys[row[column]]:
                del keys[row[column]]
        return row

    def candidates(self, where: Where) -> list[Row]:
        """Rows that may meet `where`, narrowed by the most selective indexed column."""
        sets: list[list[Key]] = []
        for column, condition in where.items():
            if column in self.index:
                match condition:
                    case In(values):
                        sets.append([key for value in values for key in self.index[column].get(value, ())])
                    case Within(int(low), int(high)) if high - low <= 1024:
                        sets.append([key for value in range(low, high) for key in self.index[column].get(value, ())])
                    case str() | int():
                        sets.append(list(self.index[column].get(condition, ())))
        if not sets:
            return list(self.rows.values())
        return [self.rows[key] for key in min(sets, key=len)]

    def _unique_values(self, row: Row) -> list[tuple[tuple[str, ...], Key]]:
        found = []
        for columns in self.unique:
            bound = self._bounds.get(columns)
            if bound is None or row[bound[0]] >= bound[1]:
                found.append((columns, tuple(row[column] for column in columns)))
        return found


class _MemorySession:
    """A transaction over the dicts. Rows go in and come out as copies; their values are immutable."""

    def __init__(self, engine: MemoryEngine, write: bool, undo: Undo) -> None:
        self._engine = engine
        self._write = write
        self._undo = undo

    async def read(self, spec: Spec, key: Key) -> Row | None:
        found = self._rows(spec).rows.get(key)
        return None if found is None else dict(found)

    async def insert(self, spec: Spec, rows: Sequence[Row]) -> None:
        table = self._rows(spec, write=True)
        for row in rows:
            table.put(dict(row))
            key = table.key_of(row)
            self._undo.append(lambda key=key: table.take(key))  # type: ignore[misc]
            if spec.name == "pending":
                self._wait(str(key[0]))
            if spec.name == "ledger":
                self._place(row["pending"])

    async def update(self, spec: Spec, row: Row, expected_version: int) -> bool:
        table = self._rows(spec, write=True)
        key = table.key_of(row)
        if key not in table.rows or table.rows[key]["version"] != expected_version:
            return False
        self._replace(table, key, dict(row))
        return True

    async def delete(self, spec: Spec, key: Key) -> bool:
        table = self._rows(spec, write=True)
        if key not in table.rows:
            return False
        row = table.take(key)
        self._undo.append(lambda: table.put(row))
        return True

    async def find(self, spec: Spec, where: Where, order: Sequence[str], limit: int | None) -> list[Row]:
        where = self._resolved(where)
        found = [row for row in self._rows(spec).candidates(where) if _meets(row, where)]
        for name in reversed((*order, *spec.key)):
            found.sort(key=lambda row, name=name: row[name.lstrip("-")], reverse=name.startswith("-"))  # type: ignore[misc]
        return [dict(row) for row in found[:limit]]

    async def firsts(self, asked: Sequence[tuple[Spec, Where, Sequence[str]]]) -> list[Row | None]:
        return [next(iter(await self.find(spec, where, order, 1)), None) for spec, where, order in asked]

    async def insert_each(self, rows: Sequence[tuple[Spec, Row]], inserted: Callable[[str], None]) -> None:
        for spec, row in rows:
            await self.insert(spec, [row])
            inserted(spec.name)

    async def count(self, spec: Spec, where: Where) -> int:
        where = self._resolved(where)
        return sum(_meets(row, where) for row in self._rows(spec).candidates(where))

    async def total(self, spec: Spec, column: str, where: Where) -> int:
        where = self._resolved(where)
        return sum(row[column] for row in self._rows(spec).candidates(where) if _meets(row, where))

    async def erase(self, event_id: str) -> bool:
        table = self._rows(schema.TABLES["event"], write=True)
        found = table.rows.get((event_id,))
        if found is None:
            return False
        self._replace(table, (event_id,), found | dict.fromkeys(schema.EVENT_PERSONAL, ""))
        return True

    async def waiting(self, since: str, *, public: bool, limit: int) -> list[Row]:
        rows = self._rows(schema.TABLES["pending"]).rows
        found = [rows[(id,)] for id in self._engine.unsequenced]
        kept = [row for row in found if row["at"] >= since and bool(row["chain"]) == public]
        return [dict(row) for row in sorted(kept, key=lambda row: (row["at"], row["id"]))[:limit]]

    async def tail_of(self, tender_id: str, actor: str) -> str | None:
        return None

    async def segment_kept(self, name: str) -> bool:
        return await self.count(schema.TABLES["segment"], {"hash": name}) > 0

    async def unerased(self, lot: str, *, but: str, limit: int) -> list[Row]:
        where: Where = {"lot": lot, "public": 0, "kind": Not(but), "salt_p": Not("")}
        found = await self.find(schema.TABLES["event"], where, ("at",), limit)
        return [{"id": row["id"], "leaf_hash": row["leaf_hash"]} for row in found]

    async def share(self, name: str) -> None:
        self._engine.statements += 1

    async def seize(self, name: str) -> None:
        self._engine.statements += 1

    def _rows(self, spec: Spec, *, write: bool = False) -> _Rows:
        assert self._write or not write, "a reading unit does not write"
        self._engine.statements += 1
        return self._engine.tables[spec.name]

    def _resolved(self, where: Where) -> Where:
        """The same conditions with every Among as the values it stands for."""
        if not any(isinstance(condition, Among | Every) for condition in where.values()):
            return where
        return {column: self._plain(condition) for column, condition in where.items()}

    def _plain(self, condition: Condition) -> Condition:
        match condition:
            case Among(name, column, where):
                plain = self._resolved(where)
                rows = self._engine.tables[name].candidates(plain)
                return In(tuple({row[column]: None for row in rows if _meets(row, plain)}))
            case Every(conditions):
                return Every(tuple(map(self._plain, conditions)))
            case _:
                return condition

    def _replace(self, table: _Rows, key: Key, row: Row) -> None:
        before = table.take(key)
        try:
            table.put(row)
        except Duplicate:
            table.put(before)
            raise

        def undo() -> None:
            table.take(key)
            table.put(before)

        self._undo.append(undo)

    def _wait(self, id: str) -> None:
        self._engine.unsequenced[id] = None
        self._undo.append(lambda: _drop(self._engine.unsequenced, id))

    def _place(self, id: str) -> None:
        _drop(self._engine.unsequenced, id)
        self._undo.append(lambda: self._engine.unsequenced.update({id: None}))


def _drop(ids: dict[str, None], id: str) -> None:
    del ids[id]


def _meets(row: Row, where: Where) -> bool:
    # The simulator asks this millions of times: plain values are compared on the spot.
    for column, condition in where.items():
        if type(condition) is str or type(condition) is int:
            if row[column] != condition:
                return False
        elif not _holds(row[column], condition):
            return False
    return True


def _holds(value: Any, condition: Condition) -> bool:
    match condition:
        case In(values):
            return value in values
        case Below(bound):
            return bool(value < bound)
        case AtMost(bound):
            return bool(value <= bound)
        case AtLeast(bound):
            return bool(value >= bound)
        case Not(other):
            return bool(value != other)
        case Within(low, high):
            return bool(low <= value < high)
        case Every(conditions):
            return all(_holds(value, each) for each in conditions)
        case _:
            return bool(value == condition)
