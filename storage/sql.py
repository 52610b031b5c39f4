"""A transaction on a SQL database: the statements behind every store, for SQLite and PostgreSQL alike.

Statements by key are written once at start; Piccolo writes every other question once per shape (columns asked,
kinds of conditions, order, limit), because building a query costs it 110–220 µs and binding arguments costs nothing.
Arguments are always bound, never written into the text.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from piccolo.columns.combination import Where as PiccoloWhere
from piccolo.engine.base import Engine as PiccoloEngine
from piccolo.query.base import Query
from piccolo.query.functions import Sum

from storage import schema
from storage.ports import Among, AtLeast, AtMost, Below, Condition, Every, In, Not, Row, Where, Within
from storage.schema import Spec

Key = tuple[str | int, ...]
Args = Sequence[Any]


Blind = Mapping[str, frozenset[str]]
"""Columns, by table, that this process's role may not read: they are not asked for and come back empty."""


THROUGH: Mapping[str, str] = {
    "tail_of": "SELECT hall_tail_of($1, $2) AS leaf",
    "segment_kept": "SELECT hall_segment_kept($1) AS kept",
    "unerased": "SELECT id, leaf_hash FROM hall_unerased($1, $2, $3)",
}
"""Questions that a role may ask of the database's own functions and not of the rows (storage/grants.sql), by name."""


class Wire(Protocol):
    """A connection inside a transaction. Unique violations arrive as Duplicate, lost races as Conflict."""

    async def fetch(self, sql: str, args: Args) -> list[Row]: ...

    async def execute(self, sql: str, args: Args) -> int:
        """Runs the statement and returns how many rows it touched."""
        ...

    async def execute_many(self, sql: str, rows: Sequence[Args]) -> None: ...


class Statements:
    """The texts of one engine's statements, written once and kept."""

    def __init__(self, engine: PiccoloEngine[Any], *, blind: Blind | None = None) -> None:
        self._tables = schema.piccolo_tables(engine)
        self._blind = blind or {}
        self._dialect = engine.engine_type
        self.together = engine.engine_type != "sqlite"
        """Whether one statement may write several tables."""
        self._kept: dict[object, str] = {}

    def seen(self, spec: Spec) -> list[str]:
        """The columns of a table that are asked for."""
        return [name for name in spec.cells if name not in self._blind.get(spec.name, ())]

    def fill(self, spec: Spec, rows: list[Row]) -> list[Row]:
        """Rows with what was not asked for as ''."""
        hidden = self._blind.get(spec.name, ())
        return [row | dict.fromkeys(hidden, "") for row in rows] if hidden else rows

    def read(self, spec: Spec) -> str:
        return self._keep(("read", spec.name), lambda: self._read(spec))

    def insert(self, spec: Spec) -> str:
        return self._keep(("insert", spec.name), lambda: self._insert(spec))

    def update(self, spec: Spec) -> str:
        """Arguments: the changed columns, then the key, then the expected version."""
        return self._keep(("update", spec.name), lambda: self._update(spec))

    def delete(self, spec: Spec) -> str:
        return self._keep(("delete", spec.name), lambda: f"DELETE FROM {_quoted(spec.name)} WHERE {self._key(spec)}")

    def erase(self) -> str:
        emptied = ", ".join(f"{_quoted(name)} = ''" for name in schema.EVENT_PERSONAL)
        return f'UPDATE "event" SET {emptied} WHERE "id" = {self._mark(1)}'

    def waiting(self, *, public: bool, limit: int) -> str:
        """Anti-join of pending with the ledger: a row that committed late is found all the same."""
        return (
            'SELECT "id", "at", "chain", "rank", "leaf" FROM "pending" AS p '
            f'WHERE p."at" >= {self._mark(1)} AND p."chain" {"<>" if public else "="} \'\' '
            'AND NOT EXISTS (SELECT 1 FROM "ledger" AS l WHERE l."pending" = p."id") '
            f'ORDER BY p."at", p."id" LIMIT {int(limit)}'
        )

    def unerased(self) -> str:
        """Arguments: the lot, the kind that is left out, how many."""
        lot, but, limit = (self._mark(at) for at in (1, 2, 3))
        return (
            f'SELECT "id", "leaf_hash" FROM "event" WHERE "lot" = {lot} AND "public" = 0 AND "kind" <> {but} '
            f'AND "salt_p" <> \'\' ORDER BY "at", "id" LIMIT {limit}'
        )

    def find(self, spec: Spec, where: Where, order: Sequence[str], limit: int | None) -> tuple[str, list[Any]]:
        shape = ("find", spec.name, _shape(where), tuple(order), limit)
        args = _args(where)
        if shape not in self._kept:
            table = self._tables[spec.name]
            query = table.select(*(getattr(table, name) for name in self.seen(spec)))
            for condition in self._conditions(spec, where):
                query = query.where(condition)
            for name in dict.fromkeys((*order, *(key for key in spec.key if f"-{key}" not in order))):
                query = query.order_by(getattr(table, name.lstrip("-")), ascending=not name.startswith("-"))
            if limit is not None:
                query = query.limit(limit)
            self._kept[shape] = self._written(query, args)
        return self._kept[shape], args

    def firsts(self, asked: Sequence[tuple[Spec, Where, Sequence[str]]]) -> tuple[str, list[Any]]:
        """One row: the columns of each question's first row, named `<number> <column>`, NULL where there is none."""
        each = [self.find(spec, where, order, 1) for spec, where, order in asked]
        shape = ("firsts", *(text for text, _ in each))
        if shape not in self._kept:
            columns, joined, before = [], [], 0
            for number, ((spec, _, _), (text, args)) in enumerate(zip(asked, each, strict=True)):
                columns += [f'"q{number}"."{name}" AS "{number} {name}"' for name in self.seen(spec)]
                joined.append(f'LEFT JOIN ({_moved(text, before)}) AS "q{number}" ON TRUE')
                before += len(args)
            self._kept[shape] = f'SELECT {", ".join(columns)} FROM (SELECT 1) AS "one" {" ".join(joined)}'
        return self._kept[shape], [value for _, args in each for value in args]

    def insert_each(self, specs: Sequence[Spec]) -> str:
        """One statement that adds a row to each table in this order (PostgreSQL); arguments row after row."""

        def write() -> str:
            texts, before = [], 0
            for spec in specs:
                texts.append(_moved(self.insert(spec), before))
                before += len(spec.cells)
            first = ", ".join(f'"i{number}" AS ({text})' for number, text in enumerate(texts[:-1]))
            return f"WITH {first} {texts[-1]}" if first else texts[-1]

        return self._keep(("insert each", *(spec.name for spec in specs)), write)

    def count(self, spec: Spec, where: Where) -> tuple[str, list[Any]]:
        shape = ("count", spec.name, _shape(where))
        args = _args(where)
        if shape not in self._kept:
            query = self._tables[spec.name].count()
            for condition in self._conditions(spec, where):
                query = query.where(condition)
            self._kept[shape] = self._written(query, args)
        return self._kept[shape], args

    def total(self, spec: Spec, column: str, where: Where) -> tuple[str, list[Any]]:
        shape = ("total", spec.name, column, _shape(where))
        args = _args(where)
        if shape not in self._kept:
            table = self._tables[spec.name]
            query = table.select(Sum(getattr(table, column)))
            for condition in self._conditions(spec, where):
                query = query.where(condition)
            self._kept[shape] = self._written(query, args)
        return self._kept[shape], args

    def _conditions(self, spec: Spec, where: Where) -> list[PiccoloWhere]:
        table = self._tables[spec.name]
        return [self._condition(getattr(table, name), condition) for name, condition in where.items()]

    def _condition(self, column: Any, condition: Condition) -> PiccoloWhere:
        made: Any
        match condition:
            case Among(name, other, where):
                table = self._tables[name]
                query = table.select(getattr(table, other))
                for each in self._conditions(schema.TABLES[name], where):
                    query = query.where(each)
                made = column.is_in(query)
            case Every(conditions):
                made = functools.reduce(operator.and_, (self._condition(column, each) for each in conditions))
            case In(values):
                made = column.is_in(list(values))
            case Below(value):
                made = column < value
            case AtMost(value):
                made = column <= value
            case AtLeast(value):
                made = column >= value
            case Not(value):
                made = column != value
            case Within(low, high):
                made = (column >= low) & (column < high)
            case _:
                made = column == condition
        question: PiccoloWhere = made
        return question

    def _written(self, query: Query[Any, Any], args: list[Any]) -> str:
        sql, bound = query.querystrings[0].compile_string(self._dialect)
        assert list(bound) == args, "arguments are bound in the order of the conditions"
        return sql

    def _read(self, spec: Spec) -> str:
        columns = ", ".join(map(_quoted, self.seen(spec)))
        return f"SELECT {columns} FROM {_quoted(spec.name)} WHERE {self._key(spec)}"

    def _insert(self, spec: Spec) -> str:
        columns = ", ".join(map(_quoted, spec.cells))
        marks = ", ".join(self._mark(at) for at in range(1, len(spec.cells) + 1))
        return f"INSERT INTO {_quoted(spec.name)} ({columns}) VALUES ({marks})"

    def _update(self, spec: Spec) -> str:
        changed = changed_columns(spec)
        sets = ", ".join(f"{_quoted(name)} = {self._mark(at)}" for at, name in enumerate(changed, 1))
        version = self._mark(len(changed) + len(spec.key) + 1)
        where = f'{self._key(spec, len(changed))} AND "version" = {version}'
        return f"UPDATE {_quoted(spec.name)} SET {sets} WHERE {where}"

    def _keep(self, name: object, write: Callable[[], str]) -> str:
        kept = self._kept.get(name)
        if kept is None:
            kept = self._kept[name] = write()
        return kept

    def _key(self, spec: Spec, before: int = 0) -> str:
        return " AND ".join(f"{_quoted(name)} = {self._mark(before + at)}" for at, name in enumerate(spec.key, 1))

    def _mark(self, at: int) -> str:
        return "?" if self._dialect == "sqlite" else f"${at}"


class SqlSession:
    """A Session that speaks SQL over a wire. How locks are taken is the engine's own (see `share` and `seize`)."""

    def __init__(
        self,
        wire: Wire,
        statements: Statements,
        *,
        share: Sequence[str] = (),
        seize: Sequence[str] = (),
        through: frozenset[str] = frozenset(),
    ) -> None:
        self._wire = wire
        self._statements = statements
        self._share = share
        self._seize = seize
        self._through = through

    async def read(self, spec: Spec, key: Key) -> Row | None:
        found = self._statements.fill(spec, await self._wire.fetch(self._statements.read(spec), key))
        return found[0] if found else None

    async def insert(self, spec: Spec, rows: Sequence[Row]) -> None:
        sql = self._statements.insert(spec)
        values = [[row[name] for name in spec.cells] for row in rows]
        if len(values) == 1:
            await self._wire.execute(sql, values[0])
        elif values:
            await self._wire.execute_many(sql, values)

    async def insert_each(self, rows: Sequence[tuple[Spec, Row]], inserted: Callable[[str], None]) -> None:
        if self._statements.together:
            values = [row[name] for spec, row in rows for name in spec.cells]
            await self._wire.execute(self._statements.insert_each([spec for spec, _ in rows]), values)
        for spec, row in rows:
            if not self._statements.together:
                await self.insert(spec, [row])
            inserted(spec.name)

    async def update(self, spec: Spec, row: Row, expected_version: int) -> bool:
        args = [*(row[name] for name in changed_columns(spec)), *(row[name] for name in spec.key), expected_version]
        return await self._wire.execute(self._statements.update(spec), args) == 1

    async def delete(self, spec: Spec, key: Key) -> bool:
        return await self._wire.execute(self._statements.delete(spec), key) == 1

    async def find(self, spec: Spec, where: Where, order: Sequence[str], limit: int | None) -> list[Row]:
        found = await self._wire.fetch(*self._statements.find(spec, where, order, limit))
        return self._statements.fill(spec, found)

    async def firsts(self, asked: Sequence[tuple[Spec, Where, Sequence[str]]]) -> list[Row | None]:
        row = (await self._wire.fetch(*self._statements.firsts(asked)))[0]
        found: list[Row | None] = []
        for number, (spec, _, _) in enumerate(asked):
            one = {name: row[f"{number} {name}"] for name in self._statements.seen(spec)}
            found.append(None if one[spec.key[0]] is None else self._statements.fill(spec, [one])[0])
        return found

    async def count(self, spec: Spec, where: Where) -> int:
        found = await self._wire.fetch(*self._statements.count(spec, where))
        return int(found[0]["count"])

    async def total(self, spec: Spec, column: str, where: Where) -> int:
        found = await self._wire.fetch(*self._statements.total(spec, column, where))
        return int(found[0]["sum"] or 0)

    async def erase(self, event_id: str) -> bool:
        return await self._wire.execute(self._statements.erase(), [event_id]) == 1

    async def waiting(self, since: str, *, public: bool, limit: int) -> list[Row]:
        return await self._wire.fetch(self._statements.waiting(public=public, limit=limit), [since])

    async def tail_of(self, tender_id: str, actor: str) -> str | None:
        if "tail_of" not in self._through:
            return None
        return str((await self._wire.fetch(THROUGH["tail_of"], [tender_id, actor]))[0]["leaf"] or "")

    async def segment_kept(self, name: str) -> bool:
        if "segment_kept" in self._through:
            return bool((await self._wire.fetch(THROUGH["segment_kept"], [name]))[0]["kept"])
        return await self.count(schema.TABLES["segment"], {"hash": name}) > 0

    async def unerased(self, lot: str, *, but: str, limit: int) -> list[Row]:
        text = THROUGH["unerased"] if "unerased" in self._through else self._statements.unerased()
        return await self._wire.fetch(text, [lot, but, limit])

    async def ask(self, sql: str, args: Args) -> list[Row]:
        """A question in the engine's own words, inside this transaction, to a function of storage/grants.sql."""
        return await self._wire.fetch(sql, args)

    async def share(self, name: str) -> None:
        for text in self._share:
            await self._wire.fetch(text, [name])

    async def seize(self, name: str) -> None:
        for text in self._seize:
            await self._wire.fetch(text, [name])


def changed_columns(spec: Spec) -> list[str]:
    """The columns an update writes: all but the key."""
    return [name for name in spec.cells if name not in spec.key]


def _moved(text: str, by: int) -> str:
    """A statement whose numbered arguments come after `by` others."""
    return re.sub(r"\$(\d+)", lambda found: f"${int(found[1]) + by}", text) if by else text


def _quoted(name: str) -> str:
    return f'"{name}"'


def _shape(where: Where) -> tuple[object, ...]:
    return tuple((name, _kind(condition)) for name, condition in where.items())


def _kind(condition: Condition) -> object:
    """What of a condition stands in the text of a statement: everything but the values."""
    match condition:
        case In(values):
            return "In", len(values)
        case Among(table, column, where):
            return "Among", table, column, _shape(where)
        case Every(conditions):
            return "Every", tuple(map(_kind, conditions))
        case _:
            return type(condition).__name__


def _args(where: Where) -> list[Any]:
    return [value for condition in where.values() for value in _values(condition)]


def _values(condition: Condition) -> Sequence[Any]:
    match condition:
        case In(values):
            assert values, "a choice among nothing matches nothing: ask before"
            return values
        case Below(value) | AtMost(value) | AtLeast(value) | Not(value):
            return (value,)
        case Within(low, high):
            return low, high
        case Among(_, _, where):
            return _args(where)
        case Every(conditions):
            return [value for each in conditions for value in _values(each)]
        case _:
            return (condition,)
