"""How databases are opened, and the SQLite engine: Piccolo's, with what leaks or stalls in it put right.

Piccolo opens a thread and a connection for every query; here one writing lane and a few reading lanes live as
long as the engine. WAL, synchronous=FULL, foreign keys, busy timeout; writes begin IMMEDIATE, readers cannot write.
PostgreSQL has a file of its own (storage/postgres.py).
Whoever has a SQLite file can change any row in it; only the ledger's witnesses would notice. On PostgreSQL roles and
triggers stand in the way as well (storage/grants.sql).
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from piccolo.engine.sqlite import SQLiteEngine, SQLiteTransaction, TransactionType
from piccolo.querystring import QueryString

from storage import crash
from storage.ports import Busy, Duplicate, Row, Session
from storage.postgres import POOL_MAX, HallPostgres
from storage.sql import Args, Blind, SqlSession, Statements
from storage.unit import Database

T = TypeVar("T")

BUSY_SECONDS = 10
READERS = 3


def open_sqlite(path: Path, *, busy_seconds: float = BUSY_SECONDS, hook: crash.Hook = crash.never) -> Database:
    """The database in this file, made if it is not there; storage.migrate brings it up to date.

    A write that another process keeps out for `busy_seconds` raises Busy.
    """
    return Database(HallSQLite(path, busy_seconds=busy_seconds), hook=hook)


def open_postgres(
    dsn: str,
    *,
    pool_max: int = POOL_MAX,
    hook: crash.Hook = crash.never,
    blind: Blind | None = None,
    through: frozenset[str] = frozenset(),
) -> Database:
    """The database at this address (`cockroach://` for CockroachDB, storage/dialects.py); connects when first used.
    `blind` names columns that the role may not read, `through` what it asks of functions because it may not read the
    rows (storage.sql.THROUGH)."""
    return Database(HallPostgres(dsn, pool_max=pool_max, blind=blind, through=through), hook=hook)


class Lane:
    """One thread with one SQLite connection; what is asked of it happens in the order of asking."""

    def __init__(self, path: Path, *, writes: bool, busy_seconds: float) -> None:
        self._path = path
        self._busy_seconds = busy_seconds
        self._writes = writes
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite-write" if writes else "sqlite-read")
        self._connection: sqlite3.Connection | None = None

    async def run(self, act: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `act` on the lane. If the caller is cancelled it still happens, before anything asked later."""
        return await asyncio.wrap_future(self._thread.submit(self._on_connection, act))

    def ask_undo(self) -> None:
        """Asks for a rollback of whatever is still open, after everything asked so far; does not wait."""
        self._thread.submit(self._on_connection, _undo_if_open)

    async def close(self) -> None:
        if self._connection is not None:
            await self.run(lambda connection: connection.close())
        self._thread.shutdown(wait=True)

    def _on_connection(self, act: Callable[[sqlite3.Connection], T]) -> T:
        if self._connection is None:
            self._connection = self._connect()
        return act(self._connection)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, isolation_level=None, timeout=self._busy_seconds, check_same_thread=False, cached_statements=512
        )
        connection.row_factory = _as_dict
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        if not self._writes:
            connection.execute("PRAGMA query_only=ON")
        return connection


class LaneWire:
    """A lane as the wire of one transaction; it counts what it carries on its engine."""

    def __init__(self, engine: HallSQLite, lane: Lane) -> None:
        self.engine = engine
        self.lane = lane

    async def fetch(self, sql: str, args: Args) -> list[Row]:
        self.engine.statements += 1
        return await self.lane.run(lambda connection: _translated(lambda: connection.execute(sql, args).fetchall()))

    async def execute(self, sql: str, args: Args = ()) -> int:
        self.engine.statements += 1
        return await self.lane.run(lambda connection: _translated(lambda: connection.execute(sql, args).rowcount))

    async def execute_many(self, sql: str, rows: Sequence[Args]) -> None:
        self.engine.statements += 1
        await self.lane.run(lambda connection: _translated(lambda: connection.executemany(sql, rows)))


class LaneTransaction(SQLiteTransaction):
    """Piccolo's transaction on a lane: never nested, IMMEDIATE for writes, and the lane is always given back."""

    def __init__(self, engine: HallSQLite, *, writes: bool = True, ahead: bool = False) -> None:
        kind = TransactionType.immediate if writes else TransactionType.deferred
        super().__init__(engine, transaction_type=kind, allow_nested=False)
        self.hall = engine
        self.writes = writes
        self.ahead = ahead

    async def __aenter__(self) -> LaneTransaction:
        lane = await self.hall.take_lane(writes=self.writes, ahead=self.ahead)
        self.connection = LaneWire(self.hall, lane)
        try:
            await self.connection.execute(f"BEGIN {self.transaction_type.value}")
        except BaseException:
            self._give_back(lane)
            raise
        self.context = self.engine.current_transaction.set(self)
        return self

    async def __aexit__(self, exception_type: object, exception: object, traceback: object) -> bool:
        lane = self.connection.lane
        try:
            if exception is None and self.writes:
                await self.connection.execute("COMMIT")
        finally:
            self.engine.current_transaction.reset(self.context)
            self._give_back(lane)
        return False

    def _give_back(self, lane: Lane) -> None:
        # Asked, not awaited: the lane keeps the order, so whoever takes it next begins after this undo. It undoes
        # nothing after a commit, and everything when the block raised, was cancelled, or the commit itself failed.
        lane.ask_undo()
        self.hall.return_lane(lane, writes=self.writes)


class HallSQLite(SQLiteEngine):
    """Piccolo's SQLite engine with one writing lane and READERS reading lanes."""

    def __init__(self, path: Path, *, busy_seconds: float = BUSY_SECONDS) -> None:
        super().__init__(path=str(path))
        self.statements = 0
        self._writer = Lane(path, writes=True, busy_seconds=busy_seconds)
        self._writing = asyncio.Lock()
        self._lines = {writes: asyncio.Lock() for writes in (True, False)}
        """Where one waits for the writing lane, and for a reading one: the first of a line alone waits for the lane."""
        self._readers = [Lane(path, writes=False, busy_seconds=busy_seconds) for _ in range(READERS)]
        self._idle: asyncio.Queue[Lane] | None = None
        self._texts = Statements(self)

    @asynccontextmanager
    async def _begin(self, write: bool, ahead: bool = False) -> AsyncIterator[Session]:
        async with LaneTransaction(self, writes=write, ahead=ahead) as transaction:
            yield SqlSession(transaction.connection, self._texts)

    def begin(self, *, write: bool, bearer: str, ahead: bool = False) -> AbstractAsyncContextManager[Session]:
        """A transaction. The bearer does not matter here: whoever has the file has all of it."""
        return self._begin(write, ahead)

    def glance(self) -> AbstractAsyncContextManager[Session]:
        """A transaction all the same: a reading lane is cheap."""
        return self._begin(False)

    def transaction(self, *args: Any, **kwargs: Any) -> LaneTransaction:
        """Piccolo's own way in, for queries written with its Table classes."""
        return LaneTransaction(self)

    async def take_lane(self, *, writes: bool, ahead: bool = False) -> Lane:
        """The writing lane, alone, or an idle reading lane; waits until there is one, `ahead` of all but the first in
        line."""
        if not ahead:
            async with self._lines[writes]:
                return await self.take_lane(writes=writes, ahead=True)
        if writes:
            await self._writing.acquire()
            return self._writer
        if self._idle is None:
            self._idle = asyncio.Queue()
            for lane in self._readers:
                self._idle.put_nowait(lane)
        return await self._idle.get()

    def return_lane(self, lane: Lane, *, writes: bool) -> None:
        if writes:
            self._writing.release()
        else:
            assert self._idle is not None
            self._idle.put_nowait(lane)

    async def run_querystring(self, querystring: QueryString, in_pool: bool = False) -> list[Row]:
        sql, args = querystring.compile_string(engine_type=self.engine_type)
        return await self.run(sql, args)

    async def run_ddl(self, ddl: str, in_pool: bool = False) -> list[Row]:
        return await self.run(ddl)

    async def close(self) -> None:
        async with self._writing:
            for lane in (*self._readers, self._writer):
                await lane.close()

    async def run_script(self, sql: str) -> None:
        """Several statements at once, outside any unit: migrations."""
        lane = await self.take_lane(writes=True)
        try:
            await lane.run(lambda connection: connection.executescript(sql))
        finally:
            lane.ask_undo()
            self.return_lane(lane, writes=True)

    async def run(self, sql: str, args: Args = ()) -> list[Row]:
        """One statement, in the transaction under way in this task or in its own."""
        inside = self.current_transaction.get()
        if inside is not None:
            assert isinstance(inside, LaneTransaction)
            wire: LaneWire = inside.connection
            return await wire.fetch(sql, args)
        transaction = LaneTransaction(self)
        async with transaction:
            found: list[Row] = await transaction.connection.fetch(sql, args)
        return found


def _translated(act: Callable[[], T]) -> T:
    try:
        return act()
    except sqlite3.IntegrityError as error:
        if error.sqlite_errorcode in (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY):
            raise Duplicate(str(error)) from error
        raise
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise Busy(str(error)) from error
        raise


def _undo_if_open(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.rollback()


def _as_dict(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> Row:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}
