"""Jobs: rows that leave with the transaction that wants them, and whose effect happens once.

The job table is the truth; a broker (storage/broker.py) carries only ids and may lose or repeat them. A job is claimed
with a lease; its effect and the word "done" are one transaction, so a process may die anywhere and the job is either
done or done later, never half and never twice. Failures are tried again, later each time, and in the end lie dead
where a person sees them. Periodic work is a row with the key `kind:minute`: many clocks may ask for it, one row exists.
A handler re-checks and calls the command a person would; what it does outside the database (mail) can happen again
after a crash and must bear that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from storage import crash
from storage.ports import AtMost, Condition, In, Row
from storage.unit import Database, Unit
from storage.world import World, instant, new_id, stamp

LEASE = timedelta(minutes=1)
ATTEMPTS_MAX = 10
BACK_OFF = timedelta(seconds=2)
BACK_OFF_MAX = timedelta(hours=1)
ERROR_CHARACTERS_MAX = 500


@dataclass(frozen=True, slots=True)
class Job:
    """What a handler is given: `args` as they were enqueued, `attempts` counting this one from 1."""

    id: str
    kind: str
    key: str
    args: Mapping[str, Any]
    due: datetime
    attempts: int
    error: str


class Handler(Protocol):
    """Does what a job of one kind asks for, in the transaction that will also mark it done."""

    def __call__(self, job: Job, *, unit: Unit, now: datetime) -> Awaitable[None]: ...


class Outbox:
    """Claims and performs jobs. Any number of processes may have one on the same database."""

    def __init__(
        self,
        database: Database,
        *,
        world: World,
        handlers: Mapping[str, Handler],
        lease: timedelta = LEASE,
        attempts_max: int = ATTEMPTS_MAX,
        hook: crash.Hook = crash.never,
    ) -> None:
        self._database = database
        self._world = world
        self._handlers = handlers
        self._lease = lease
        self._attempts_max = attempts_max
        self._hook = hook

    async def due(self, *, limit: int = 100) -> list[str]:
        """Ids of jobs that may be claimed now, most overdue first; those whose lease ran out among them.

        Only of kinds that this process handles: operation and supervision have workers apart.
        """
        now = stamp(self._world.now())

        ours: dict[str, Condition] = {"kind": In(tuple(self._handlers))} if self._handlers else {}

        async def ask(unit: Unit) -> list[str]:
            waiting = await unit.job.find({"state": "due", "due": AtMost(now), **ours}, order=("due",), limit=limit)
            left = await unit.job.find(
                {"state": "leased", "lease_until": AtMost(now), **ours}, order=("due",), limit=limit
            )
            return [row["id"] for row in sorted([*waiting, *left], key=lambda row: (row["due"], row["id"]))][:limit]

        return await self._database.read(ask)

    async def next_due(self) -> datetime | None:
        """When the earliest job not yet done may run; None when there is none. A simulated clock jumps there."""

        async def ask(unit: Unit) -> datetime | None:
            times = []
            for state, column in (("due", "due"), ("leased", "lease_until")):
                times += [row[column] for row in await unit.job.find({"state": state}, order=(column,), limit=1)]
            return instant(min(times)) if times else None

        return await self._database.read(ask)

    async def perform(self, id: str) -> bool:
        """Does one job if it is due and nobody holds it; True if its effect took place now.

        A handler's exception is kept with the job, which is tried again later or, after `attempts_max`, lies dead.
        """
        row = await self._database.write(lambda unit: self._claim(unit, id))
        if row is None:
            return False
        self._hook(crash.Point.JOB_CLAIMED)
        try:
            done = await self._database.write(lambda unit: self._effect(unit, row))
        except Exception as error:
            await self._database.write(lambda unit, error=error: self._put_off(unit, row, error))  # type: ignore[misc]
            return False
        self._hook(crash.Point.JOB_DONE)
        return done

    async def perform_due(self, *, limit: int = 100) -> int:
        """Does everything that is due now, one after the other, without a broker; how many effects took place."""
        return sum([await self.perform(id) for id in await self.due(limit=limit)])

    async def enqueue_periodic(self, kind: str, *, minutes: int = 1) -> bool:
        """Asks for this kind's work of the present period; False if it was asked for already."""
        now = self._world.now()
        start = now.replace(minute=now.minute - now.minute % minutes, second=0, microsecond=0)

        async def ask(unit: Unit) -> bool:
            key = f"{kind}:{start:%Y-%m-%dT%H:%M}"
            return await unit.enqueue(id=new_id(self._world.entropy), kind=kind, key=key, body={}, due=now)

        return await self._database.write(ask)

    async def dead(self) -> list[Job]:
        """Jobs that failed too often, for a person to look at; their `error` says why."""
        rows = await self._database.read(lambda unit: unit.job.find({"state": "dead"}, order=("due",)))
        return [_job(row) for row in rows]

    async def revive(self, id: str) -> None:
        """Lets a dead job be tried afresh from now on. Asserts that it is dead."""
        now = stamp(self._world.now())

        async def change(unit: Unit) -> None:
            row = await unit.job.read(id)
            assert row is not None and row["state"] == "dead", "only a dead job is revived"
            await unit.job.update(row | {"state": "due", "due": now, "attempts": 0}, expected_version=row["version"])

        await self._database.write(change)

    async def _claim(self, unit: Unit, id: str) -> Row | None:
        row = await unit.job.read(id)
        now = self._world.now()
        if row is None or not _claimable(row, stamp(now)):
            return None
        claimed = row | {
            "state": "leased",
            "lease_until": stamp(now + self._lease),
            "attempts": row["attempts"] + 1,
        }
        await unit.job.update(claimed, expected_version=row["version"])
        return claimed | {"version": row["version"] + 1}

    async def _effect(self, unit: Unit, claimed: Row) -> bool:
        row = await unit.job.read(claimed["id"])
        if row is None or row["version"] != claimed["version"]:
            return False  # The lease ran out and somebody else took the job.
        handler = self._handlers.get(row["kind"])
        assert handler is not None, f"nobody handles jobs of kind {row['kind']}"
        await handler(_job(row), unit=unit, now=self._world.now())
        self._hook(crash.Point.JOB_EFFECT)
        await unit.job.update(row | {"state": "done", "lease_until": ""}, expected_version=row["version"])
        return True

    async def _put_off(self, unit: Unit, claimed: Row, error: Exception) -> None:
        row = await unit.job.read(claimed["id"])
        if row is None or row["version"] != claimed["version"]:
            return
        wait = min(BACK_OFF * 2 ** (row["attempts"] - 1), BACK_OFF_MAX)
        changed = row | {
            "state": "dead" if row["attempts"] >= self._attempts_max else "due",
            "due": stamp(self._world.now() + wait),
            "lease_until": "",
            "body": row["body"] | {"error": f"{type(error).__name__}: {error}"[:ERROR_CHARACTERS_MAX]},
        }
        await unit.job.update(changed, expected_version=row["version"])


def _claimable(row: Row, now: str) -> bool:
    if row["state"] == "leased":
        return bool(row["lease_until"] <= now)
    return bool(row["state"] == "due" and row["due"] <= now)


def _job(row: Row) -> Job:
    body = row["body"]
    return Job(row["id"], row["kind"], row["key"], body["args"], instant(row["due"]), row["attempts"], body["error"])
