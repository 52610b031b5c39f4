"""The unit of work: everything a command reads and writes, in one transaction, with the only commit there is.

A command never commits. It is handed a `Unit` by `Database.write`, and what it did becomes true all at once when it
returns, or not at all when it raises. The transaction is tried again when the database asks for it (40001, 40P01,
busy) and when a document or a chain moved underneath (Conflict); so a command must decide from what it read and the
instant it was given, nothing else. Jobs leave with the transaction: the outbox is told their ids after the commit.

`record` puts an act and its leaf into the same transaction as the state it explains (docs/architecture.md §3): no act
without its state, no state without its act.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from crypto.ledger import tiles
from storage import crash, schema
from storage.ports import AtLeast, Conflict, Duplicate, Engine, Row, Session, Store, Where
from storage.schema import Spec
from storage.world import stamp

ATTEMPTS_MAX = 12
BACK_OFF_SECONDS_MAX = 0.2
NO_HASH = "0" * 64
"""The prev of a first act: 32 zero bytes in hex."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An act as storage keeps it; the room that made it computed the leaf (crypto.acts).

    `id` is `world.new_id`. `public` is the public part (for a public act the whole act), `confidential` the part a
    private act hides, each with its salt. `seq` is the place in the tender's chain of public acts, -1 for private
    ones. `leaf` is what the ledger will hold, `leaf_hash` its RFC 6962 hash in hex, `prev` the one before in hex.
    """

    id: str
    lot: str
    tender_id: str
    kind: str
    actor: str
    at: datetime
    public: Mapping[str, Any]
    leaf: bytes
    leaf_hash: str
    seq: int = -1
    prev: str = NO_HASH
    confidential: Mapping[str, Any] | None = None
    salt_p: str = ""
    salt_c: str = ""


@dataclass(frozen=True, slots=True)
class Tail:
    """The last act of a chain: its place and its leaf hash in hex."""

    seq: int
    leaf_hash: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a command may hand back before the commit: the event's id, under which the receipt is fetched later."""

    event: str
    leaf_hash: str
    at: datetime


Beside = Callable[[Recorded], Mapping[str, Row]]
"""The facts that are written with an act, by table; they may name it."""
First = tuple[str, Where, Sequence[str]]
"""A table, what the row must meet, and the order (as in Store.find; () for that of the key)."""


class Unit:
    """One transaction's view of the hall: a store per table, the chains, the locks, the outbox."""

    tender: Store
    project: Store
    notice: Store
    notice_word: Store
    panel: Store
    sheet: Store
    objection: Store
    question: Store
    organisation: Store
    person: Store
    role_grant: Store
    account: Store
    token: Store
    trustee: Store
    prekey: Store
    expert: Store
    upload: Store
    segment: Store
    inbox: Store
    setting: Store
    draft: Store
    errand: Store
    idempotency: Store
    job: Store
    event: Store
    pending: Store
    ledger: Store
    tile: Store
    checkpoint: Store
    cosignature: Store
    object: Store
    submission: Store
    withdrawal: Store
    download: Store
    ready: Store
    release: Store
    verdict: Store
    reading_grant: Store
    directive: Store
    finding: Store

    def __init__(
        self,
        session: Session,
        *,
        bearer: str = "",
        hook: crash.Hook = crash.never,
        kept: dict[tuple[str, str], Any] | None = None,
    ) -> None:
        self.session = session
        self.kept = {} if kept is None else kept
        """What a process read once because it can never change, by kind and name."""
        self.bearer = bearer
        self.jobs: list[str] = []
        self.open = True
        self._hook = hook

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Store:
            # A store is made when it is first asked for: a transaction needs a few of the many.
            try:
                found = self.__dict__[name] = self.store(name)
            except KeyError:
                raise AttributeError(name) from None
            return found

    def store(self, name: str) -> Store:
        """The store of the table called `name`; KeyError for a name that is none."""
        return _Table(schema.TABLES[name], self.session)

    async def record(self, record: Record, *, beside: Beside | None = None) -> Recorded:
        """Adds the act and its pending leaf to this transaction, in one statement with the rows `beside` it, by table.

        Raises Conflict when another act took the place `seq` in the tender's chain: the command is then run again.
        """
        assert len(record.leaf) <= tiles.ENTRY_BYTES_MAX, "a leaf has to fit an entry bundle"
        public = record.seq >= 0
        at = stamp(record.at)
        row = {
            "id": record.id,
            "lot": record.lot,
            "tender_id": record.tender_id,
            "kind": record.kind,
            "public": int(public),
            "seq": record.seq,
            "actor": record.actor,
            "prev": record.prev,
            "at": at,
            "leaf_hash": record.leaf_hash,
            "body": dict(record.public),
            "confidential": "" if record.confidential is None else schema.to_json(record.confidential),
            "salt_p": record.salt_p,
            "salt_c": record.salt_c,
        }
        # The sequencer learns of a private leaf nothing but when it came; of a public one also its place in the chain.
        chain, rank = (record.tender_id, record.seq) if public else ("", 0)
        pending = {"id": record.id, "at": at, "chain": chain, "rank": rank, "leaf": record.leaf}
        recorded = Recorded(record.id, record.leaf_hash, record.at)
        rows = {"event": row, "pending": pending, **(beside(recorded) if beside else {})}
        assert not any(schema.TABLES[name].mutable for name in rows), "beside an act stand facts"
        steps = [(schema.TABLES[name], schema.to_cells(schema.TABLES[name], each)) for name, each in rows.items()]
        try:
            await self.session.insert_each(steps, self._inserted)
        except Duplicate as taken:
            if not public:
                raise
            raise Conflict(f"place {record.seq} in the chain is taken") from taken
        return recorded

    def _inserted(self, table: str) -> None:
        point = {"event": crash.Point.EVENT_INSERTED, "pending": crash.Point.PENDING_INSERTED}.get(table)
        if point is not None:
            self._hook(point)

    async def firsts(self, *asked: First) -> list[Row | None]:
        """The first row that meets each condition, None where there is none; all of it in one statement."""
        questions = [(schema.TABLES[table], where, order or schema.TABLES[table].key) for table, where, order in asked]
        found = await self.session.firsts(questions)
        return [row and schema.from_cells(spec, row) for (spec, _, _), row in zip(questions, found, strict=True)]

    async def tail(self, tender_id: str) -> Tail:
        """The tender's last public act: what the next one's `seq` and `prev` build on; seq -1 before the first.

        The chain is held until the transaction ends, so that the place after it stays free."""
        await self.session.seize(f"chain {tender_id}")
        found = await self.event.find({"tender_id": tender_id, "seq": AtLeast(0)}, order=("-seq",), limit=1)
        return Tail(found[0]["seq"], found[0]["leaf_hash"]) if found else Tail(-1, NO_HASH)

    async def tail_of(self, tender_id: str, actor: str) -> str:
        """Leaf hash (hex) of this actor's previous private act in the tender, or 64 zeros.

        A private act that no other of the actor's private acts calls its `prev` is the last one.
        """
        await self.session.seize(f"chain {tender_id} {actor}")
        told = await self.session.tail_of(tender_id, actor)
        if told is not None:
            return told or NO_HASH
        acts = await self.event.find({"tender_id": tender_id, "actor": actor, "public": 0})
        followed = {act["prev"] for act in acts}
        last = [act for act in acts if act["leaf_hash"] not in followed]
        return str(max(last, key=lambda act: (act["at"], act["id"]))["leaf_hash"]) if last else NO_HASH

    async def enqueue(self, *, id: str, kind: str, key: str, body: Mapping[str, Any], due: datetime) -> bool:
        """Adds a job to this transaction, once per `key`; False if the key is already known."""
        if await self.job.count({"key": key}):
            return False
        await self.job.insert(
            {
                "id": id,
                "kind": kind,
                "key": key,
                "state": "due",
                "due": stamp(due),
                "lease_until": "",
                "attempts": 0,
                "body": {"args": dict(body), "error": ""},
            }
        )
        self.jobs.append(id)
        return True

    async def share(self, name: str) -> None:
        """Keeps whoever would `seize` the name (a lot) waiting until this transaction ends; sharers do not wait for
        each other. A bid shares its lot before it reads the tender, the freeze seizes it: no bid slips in behind."""
        await self.session.share(name)

    async def seize(self, name: str) -> None:
        """Waits until nobody shares the name any more and keeps newcomers out until this transaction ends."""
        await self.session.seize(name)


class Database:
    """A hall's database. `write` is the only way to change it and holds the only commit."""

    def __init__(self, engine: Engine, *, hook: crash.Hook = crash.never) -> None:
        self.engine = engine
        self.after_commit: list[Callable[[Sequence[str]], Awaitable[None]]] = []
        """Told the ids of the jobs that left with a transaction, once it is committed."""
        self._hook = hook
        self._kept: dict[tuple[str, str], Any] = {}
        self._inside: contextvars.ContextVar[Unit | None] = contextvars.ContextVar("unit", default=None)

    @property
    def statements(self) -> int:
        """How many SQL statements the engine was given so far; what one accepted bid costs must not grow."""
        return self.engine.statements

    async def write(self, fn: Callable[[Unit], Awaitable[T]], *, bearer: str = "", ahead: bool = False) -> T:
        """Runs `fn` in a transaction and commits; runs it again after Conflict, at most ATTEMPTS_MAX times.

        `bearer` is the caller's session token in the clear: PostgreSQL shows the bidders' process only the rows of
        the organisation whose live session it can name. `ahead` as in `read`. Raises Conflict, Duplicate or Busy when
        it cannot be done.
        """
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                done, jobs = await self._once(fn, bearer, ahead)
            except Conflict as conflict:
                # A duplicate that is still there on the second reading is not a race: the command did not look.
                last = attempt == (2 if isinstance(conflict, Duplicate) else ATTEMPTS_MAX)
                if last:
                    raise
                await asyncio.sleep(min(0.002 * 2**attempt, BACK_OFF_SECONDS_MAX) if attempt > 1 else 0)
            else:
                self._hook(crash.Point.UNIT_COMMITTED)
                for tell in self.after_commit if jobs else ():
                    await tell(jobs)
                return done
        raise AssertionError("the last attempt returns or raises")

    async def read(self, fn: Callable[[Unit], Awaitable[T]], *, bearer: str = "", ahead: bool = False) -> T:
        """Runs `fn` on one unchanging view of the database, in which nobody can write; `ahead` of all who wait for a
        connection, where it asks what many of them are waiting for."""
        self._must_be_outside()
        async with self.engine.begin(write=False, bearer=bearer, ahead=ahead) as session:
            unit = Unit(session, bearer=bearer, kept=self._kept)
            with _inside(self._inside, unit):
                return await fn(unit)

    async def glance(self, fn: Callable[[Unit], Awaitable[T]]) -> T:
        """Runs `fn`, which asks one thing of rows that belong to no session: a read without what a view of several
        questions costs."""
        self._must_be_outside()
        async with self.engine.glance() as session:
            unit = Unit(session)
            with _inside(self._inside, unit):
                return await fn(unit)

    async def close(self) -> None:
        """Waits for what is under way and lets go of files, threads and connections."""
        await self.engine.close()

    async def _once(self, fn: Callable[[Unit], Awaitable[T]], bearer: str, ahead: bool) -> tuple[T, list[str]]:
        self._must_be_outside()
        async with self.engine.begin(write=True, bearer=bearer, ahead=ahead) as session:
            self._hook(crash.Point.UNIT_BEGUN)
            unit = Unit(session, bearer=bearer, hook=self._hook, kept=self._kept)
            with _inside(self._inside, unit):
                done = await fn(unit)
            self._hook(crash.Point.UNIT_DONE)
        return done, unit.jobs

    def _must_be_outside(self) -> None:
        around = self._inside.get()
        assert around is None or not around.open, "a unit of work inside another would not be undone with it"


@contextmanager
def _inside(variable: contextvars.ContextVar[Unit | None], unit: Unit) -> Iterator[None]:
    """Marks the unit as open while its function runs, for this task and those it starts."""
    token = variable.set(unit)
    try:
        yield
    finally:
        unit.open = False
        variable.reset(token)


class _Table:
    """The Store of one table over a session."""

    def __init__(self, spec: Spec, session: Session) -> None:
        self._spec = spec
        self._session = session

    async def read(self, *key: str | int) -> Row | None:
        assert len(key) == len(self._spec.key), f"the key of {self._spec.name} is {self._spec.key}"
        found = await self._session.read(self._spec, key)
        return None if found is None else schema.from_cells(self._spec, found)

    async def insert(self, row: Row) -> None:
        assert "version" not in row or not self._spec.mutable, "a new row has no version yet"
        await self._session.insert(
            self._spec, [schema.to_cells(self._spec, row | ({"version": 1} if self._spec.mutable else {}))]
        )

    async def insert_all(self, rows: Sequence[Row]) -> None:
        first = {"version": 1} if self._spec.mutable else {}
        await self._session.insert(self._spec, [schema.to_cells(self._spec, row | first) for row in rows])

    async def update(self, row: Row, *, expected_version: int) -> None:
        assert self._spec.mutable, f"{self._spec.name} holds facts: they do not change"
        changed = schema.to_cells(self._spec, row | {"version": expected_version + 1})
        if not await self._session.update(self._spec, changed, expected_version):
            raise Conflict(f"{self._spec.name} is no longer at version {expected_version}")

    async def delete(self, *key: str | int) -> bool:
        assert self._spec.erasable, f"{self._spec.name} is a record: it is not deleted"
        return await self._session.delete(self._spec, key)

    async def find(
        self, where: Where | None = None, *, order: Sequence[str] = (), limit: int | None = None
    ) -> list[Row]:
        self._check_names(where or {}, [name.lstrip("-") for name in order])
        by = tuple(order) or self._spec.key
        return [
            schema.from_cells(self._spec, row) for row in await self._session.find(self._spec, where or {}, by, limit)
        ]

    async def count(self, where: Where | None = None) -> int:
        self._check_names(where or {}, ())
        return await self._session.count(self._spec, where or {})

    async def total(self, column: str, where: Where | None = None) -> int:
        self._check_names(where or {}, (column,))
        assert self._spec.cells[column] == "integer"
        return await self._session.total(self._spec, column, where or {})

    def _check_names(self, where: Where, names: Sequence[str]) -> None:
        unknown = {*where, *names} - set(self._spec.cells)
        assert not unknown, f"{self._spec.name} has no column {sorted(unknown)}"
