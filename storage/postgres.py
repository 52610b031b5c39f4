"""The PostgreSQL engine: Piccolo's, with what leaks or stalls in it put right.

Piccolo loses a pool connection whenever COMMIT or ROLLBACK raises and connects when it is constructed; here the
connection always goes back, and the pool is opened when it is first needed. Writes are READ COMMITTED with versions,
unique chains and named locks (Unit.share, Unit.seize), so that bids on one tender never conflict; reads see one
snapshot. Beside its questions a transaction costs one command to begin, with the session's token, and one to end.
Whoever has the role's password can do what storage/grants.sql lets it; triggers and witnesses stand behind that.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import asyncpg  # type: ignore[import-untyped]
from piccolo.engine.postgres import PostgresEngine, PostgresTransaction

from storage import dialects
from storage.ports import Busy, Conflict, Duplicate, Row, Session
from storage.sql import Args, Blind, SqlSession, Statements

POOL_MAX = 8
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,200}")
_BUSY = (asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError, asyncpg.InsufficientResourcesError,
         asyncpg.LockNotAvailableError)  # fmt: skip
"""Nothing was changed, and trying again may succeed: a server that ends or begins, a full disk, too many at once."""


class PostgresWire:
    """An asyncpg connection inside a transaction; it counts what it carries on its engine."""

    def __init__(self, engine: HallPostgres, connection: Any) -> None:
        self.engine = engine
        self.connection = connection

    async def fetch(self, sql: str, args: Args) -> list[Row]:
        self.engine.statements += 1
        with _TranslatedPostgres():
            return [dict(row) for row in await self.connection.fetch(sql, *args)]

    async def execute(self, sql: str, args: Args = ()) -> int:
        self.engine.statements += 1
        with _TranslatedPostgres():
            tag = await self.connection.execute(sql, *args)
            return int(tag.rsplit(" ", 1)[-1])

    async def execute_many(self, sql: str, rows: Sequence[Args]) -> None:
        self.engine.statements += 1
        with _TranslatedPostgres():
            await self.connection.executemany(sql, rows)


class Connection(asyncpg.Connection):  # type: ignore[misc]
    """A connection of the pool. Settings and locks here end with their transaction, so that nothing is to be reset when
    it goes back: four commands less for every transaction."""

    def get_reset_query(self) -> str:
        return ""


class SafeTransaction(PostgresTransaction):
    """Piccolo's transaction, but the connection goes back to the pool whatever COMMIT or ROLLBACK does."""

    def __init__(self, engine: HallPostgres, *, writes: bool = True, bearer: str = "") -> None:
        super().__init__(engine, allow_nested=False)
        self.hall = engine
        self.writes = writes
        self.bearer = bearer

    async def __aenter__(self) -> SafeTransaction:
        self.pool = await self.hall.opened_pool()
        self.connection = await self.pool.acquire()
        try:
            begin = "BEGIN" if self.writes else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
            # A token of ours needs no quoting and goes with the BEGIN; anything else is bound.
            plain = _PLAIN.fullmatch(self.bearer)
            await self.connection.execute(f"{begin}; SET LOCAL tradehall.bearer = '{self.bearer}'" if plain else begin)
            if self.bearer and not plain:
                await self.connection.fetch("SELECT set_config('tradehall.bearer', $1, true)", self.bearer)
        except BaseException:
            await self.pool.release(self.connection)
            raise
        self.context = self.engine.current_transaction.set(self)
        return self

    async def __aexit__(self, exception_type: object, exception: object, traceback: object) -> bool:
        try:
            with _TranslatedPostgres():
                await self.connection.execute("COMMIT" if exception is None else "ROLLBACK")
        finally:
            self.engine.current_transaction.reset(self.context)
            # release() itself rolls back what is still open, drops the connection if it cannot, and is not cancelled.
            await self.pool.release(self.connection)
        return False


class HallPostgres(PostgresEngine):
    """Piccolo's PostgreSQL engine over a small pool that is opened on first use."""

    def __init__(
        self, dsn: str, *, pool_max: int = POOL_MAX, blind: Blind | None = None, through: frozenset[str] = frozenset()
    ) -> None:
        self.dialect, address = dialects.of(dsn)
        super().__init__(config={"dsn": address})
        self.statements = 0
        self._pool_max = pool_max
        self._places = asyncio.Semaphore(pool_max - 1 if pool_max > 2 else pool_max)
        """One connection is kept back for whoever goes ahead: in a burst everybody else waits for the others."""
        self._opening = asyncio.Lock()
        self._texts = Statements(self, blind=blind)
        self._through = through

    async def check_version(self) -> None:
        """Nothing at construction: a process without its database must be able to say so."""

    async def prep_database(self) -> None:
        """Nothing at construction; migrations make what is needed."""

    def begin(self, *, write: bool, bearer: str, ahead: bool = False) -> AbstractAsyncContextManager[Session]:
        return self._begin(write, bearer, ahead)

    @asynccontextmanager
    async def _begin(self, write: bool, bearer: str, ahead: bool) -> AsyncIterator[Session]:
        with _TranslatedPostgres():
            if ahead:
                async with SafeTransaction(self, writes=write, bearer=bearer) as transaction:
                    yield self._session(transaction.connection)
                return
            async with self._places, SafeTransaction(self, writes=write, bearer=bearer) as transaction:
                yield self._session(transaction.connection)

    @asynccontextmanager
    async def glance(self) -> AsyncIterator[Session]:
        """A session without a transaction, for one question whose rows belong to no session."""
        pool = await self.opened_pool()
        with _TranslatedPostgres():
            async with self._places, pool.acquire() as connection:
                yield self._session(connection)

    def _session(self, connection: Any) -> SqlSession:
        wire = PostgresWire(self, connection)
        return SqlSession(wire, self._texts, share=self.dialect.share, seize=self.dialect.seize, through=self._through)

    def transaction(self, allow_nested: bool = False) -> SafeTransaction:
        """Piccolo's own way in, for queries written with its Table classes."""
        return SafeTransaction(self)

    async def run(self, sql: str, args: Args = ()) -> list[Row]:
        """One statement on its own, outside any unit."""
        pool = await self.opened_pool()
        async with pool.acquire() as connection:
            return await PostgresWire(self, connection).fetch(sql, args)

    async def run_script(self, sql: str) -> None:
        """Several statements at once, outside any unit: migrations and grants."""
        pool = await self.opened_pool()
        async with pool.acquire() as connection:
            await connection.execute(sql)

    async def opened_pool(self) -> Any:
        """The pool, opened now if nobody needed it before."""
        async with self._opening:
            if self.pool is None:
                await self.start_connection_pool(
                    min_size=1,
                    max_size=self._pool_max,
                    statement_cache_size=500,
                    command_timeout=60,
                    connection_class=Connection,
                )
            return self.pool

    async def close(self) -> None:
        async with self._opening:
            if self.pool:
                await self.close_connection_pool()


class _TranslatedPostgres:
    """Turns what PostgreSQL says into what a unit of work understands."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        match error:
            case asyncpg.UniqueViolationError():
                raise Duplicate(str(error)) from error
            case asyncpg.SerializationError() | asyncpg.DeadlockDetectedError():
                raise Conflict(str(error)) from error
            case asyncpg.PostgresError() if isinstance(error, _BUSY):
                raise Busy(str(error)) from error
            case asyncpg.InterfaceError() | ConnectionError() | FileNotFoundError():
                # The last one is a socket in the file system whose server is being started again.
                raise Busy(str(error)) from error
