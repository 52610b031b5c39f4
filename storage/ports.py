"""What the other rooms may ask of storage, and what an engine must give it.

`Store`, `Unit` and `Database` (storage/unit.py) are for the rooms; `Engine` and `Session` are for the three engines:
memory, SQLite, PostgreSQL. A row is a plain dict: column name to text, integer or bytes, `body` to a JSON object, and
in documents `version` to the number of times the row was written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from storage.schema import Spec

Row = dict[str, Any]


class Conflict(Exception):
    """The row changed since it was read, or the place in a chain is taken: load again and decide again."""


class Duplicate(Conflict):
    """A row with this key, or with these unique columns, is already there."""


class Busy(Exception):
    """The database or the segment store did not let it through within the time allowed; trying again later is safe."""


@dataclass(frozen=True, slots=True)
class In:
    """Matches a column whose value is one of these."""

    values: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Below:
    """Matches a column less than the value (for instants in text form: earlier)."""

    value: str | int


@dataclass(frozen=True, slots=True)
class AtMost:
    """Matches a column not greater than the value."""

    value: str | int


@dataclass(frozen=True, slots=True)
class AtLeast:
    """Matches a column not less than the value."""

    value: str | int


@dataclass(frozen=True, slots=True)
class Not:
    """Matches a column that differs from the value."""

    value: str | int


@dataclass(frozen=True, slots=True)
class Within:
    """Matches a column from `low` on and below `high`."""

    low: str | int
    high: str | int


@dataclass(frozen=True, slots=True)
class Among:
    """Matches a column whose value stands in `column` of a row of `table` that meets `where`."""

    table: str
    column: str
    where: Where


@dataclass(frozen=True, slots=True)
class Every:
    """Matches a column for which each of these conditions holds; there is at least one."""

    conditions: tuple[Condition, ...]


Condition = str | int | In | Below | AtMost | AtLeast | Not | Within | Among | Every
Where = Mapping[str, Condition]


class Store(Protocol):
    """One table within one unit of work."""

    async def read(self, *key: str | int) -> Row | None:
        """The row with this key, or None."""
        ...

    async def insert(self, row: Row) -> None:
        """Adds a row: every column of the table, `body` included, without `version`. Raises Duplicate."""
        ...

    async def insert_all(self, rows: Sequence[Row]) -> None:
        """Adds many rows at the cost of one statement each way."""
        ...

    async def update(self, row: Row, *, expected_version: int) -> None:
        """Writes a document's columns anew if it still has `expected_version`. Raises Conflict."""
        ...

    async def delete(self, *key: str | int) -> bool:
        """Deletes an erasable row; True if it was there. Every other table refuses by assertion."""
        ...

    async def find(
        self, where: Where | None = None, *, order: Sequence[str] = (), limit: int | None = None
    ) -> list[Row]:
        """The rows that meet every condition. `order` names columns, "-name" descending; without it, key order."""
        ...

    async def count(self, where: Where | None = None) -> int:
        """How many rows meet every condition."""
        ...

    async def total(self, column: str, where: Where | None = None) -> int:
        """The sum of an integer column over the rows that meet every condition; 0 for none."""
        ...


class Session(Protocol):
    """An engine's open transaction. Bodies are JSON text here; rows were checked against their table before."""

    async def read(self, spec: Spec, key: tuple[str | int, ...]) -> Row | None: ...
    async def insert(self, spec: Spec, rows: Sequence[Row]) -> None: ...
    async def insert_each(self, rows: Sequence[tuple[Spec, Row]], inserted: Callable[[str], None]) -> None:
        """Adds one row to each of several tables in this order, in one statement where the engine can; tells the name
        of each table once its row is there."""
        ...

    async def update(self, spec: Spec, row: Row, expected_version: int) -> bool: ...
    async def delete(self, spec: Spec, key: tuple[str | int, ...]) -> bool: ...
    async def find(self, spec: Spec, where: Where, order: Sequence[str], limit: int | None) -> list[Row]: ...
    async def firsts(self, asked: Sequence[tuple[Spec, Where, Sequence[str]]]) -> list[Row | None]:
        """The first row that meets each of these conditions by its order, all in one statement where the engine can."""
        ...

    async def count(self, spec: Spec, where: Where) -> int: ...
    async def total(self, spec: Spec, column: str, where: Where) -> int: ...

    async def erase(self, event_id: str) -> bool:
        """Empties what is personal in an event (schema.EVENT_PERSONAL)."""
        ...

    async def waiting(self, since: str, *, public: bool, limit: int) -> list[Row]:
        """Pending rows without a place in the ledger, by anti-join, `at` not before `since`, ordered by (at, id)."""
        ...

    async def tail_of(self, tender_id: str, actor: str) -> str | None:
        """The leaf hash (hex) of an actor's last private act, '' before the first, where the database itself tells it;
        None where it is found by reading the acts."""
        ...

    async def segment_kept(self, name: str) -> bool:
        """Whether any upload still has the segment of this hash."""
        ...

    async def unerased(self, lot: str, *, but: str, limit: int) -> list[Row]:
        """`id` and `leaf_hash` of the lot's private events that still have their salts, those of the kind `but` left
        out, oldest first."""
        ...

    async def share(self, name: str) -> None:
        """Holds `name` together with others who share it, until the transaction ends."""
        ...

    async def seize(self, name: str) -> None:
        """Holds `name` alone: waits for all who share it, and keeps newcomers waiting until the end."""
        ...


class Engine(Protocol):
    """Opens transactions, and knows how many statements it was given."""

    statements: int

    def begin(self, *, write: bool, bearer: str, ahead: bool = False) -> AbstractAsyncContextManager[Session]:
        """A transaction: committed when the block ends, rolled back when it raises. Raises Busy at its limits. `ahead`
        of those that wait for a connection: what many of them are waiting for."""
        ...

    def glance(self) -> AbstractAsyncContextManager[Session]:
        """A session for one question, where the engine can do without a transaction around it."""
        ...

    async def close(self) -> None: ...
