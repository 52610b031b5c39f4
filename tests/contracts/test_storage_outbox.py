"""Jobs take effect once, on every engine, whatever dies in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from crypto.refusal import Refused
from storage import broker, crash
from storage.outbox import Job, Outbox
from storage.unit import Database, Unit
from storage.world import DemoWorld, SeededEntropy, new_id

Hall = Callable[[Callable[[Database], Any]], Any]


class Post:
    """A handler that counts its effects in the database, and fails when told to."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.runs = 0

    async def __call__(self, job: Job, *, unit: Unit, now: Any) -> None:
        self.runs += 1
        name = f"effect {job.key}"
        row = await unit.setting.read(name)
        if row is None:
            await unit.setting.insert({"name": name, "body": {"count": 1}})
        else:
            body = {"count": row["body"]["count"] + 1}
            await unit.setting.update({"name": name, "body": body}, expected_version=row["version"])
        if self.failures:
            self.failures -= 1
            raise RuntimeError("the mail server is away")


def make(db: Database, post: Post, **more: Any) -> tuple[DemoWorld, Outbox]:
    world = DemoWorld(flowing=False, entropy=SeededEntropy("jobs"))
    return world, Outbox(db, world=world, handlers={"mail": post}, **more)


async def enqueue(db: Database, world: DemoWorld, key: str) -> str:
    id = new_id(world.entropy)
    made = await db.write(
        lambda unit: unit.enqueue(id=id, kind="mail", key=key, body={"to": "所有下载人"}, due=world.now())
    )
    assert made
    return id


async def effects(db: Database) -> dict[str, int]:
    rows = await db.read(lambda unit: unit.setting.find())
    return {row["name"].removeprefix("effect "): row["body"]["count"] for row in rows}


def test_a_job_takes_effect_once(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        world, outbox = make(db, post := Post())
        id = await enqueue(db, world, "a")
        assert await outbox.due() == [id]
        assert sorted(await asyncio.gather(*(outbox.perform(id) for _ in range(4)))) == [False, False, False, True]
        assert not await outbox.perform(id) and not await outbox.perform("no such job")
        assert await effects(db) == {"a": 1} and post.runs == 1 and await outbox.due() == []
        assert await outbox.next_due() is None

    hall(scenario)


def test_a_failing_job_leaves_nothing_waits_longer_each_time_and_dies_in_sight(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        world, outbox = make(db, Post(failures=3), attempts_max=3)
        id = await enqueue(db, world, "a")
        waits = []
        for _ in range(2):
            assert not await outbox.perform(id)
            assert await outbox.due() == [] and await effects(db) == {}
            due = await outbox.next_due()
            assert due is not None
            waits.append((due - world.now()).total_seconds())
            world.advance(due - world.now())
        assert waits == [2, 4]
        assert not await outbox.perform(id)
        (dead,) = await outbox.dead()
        assert dead.attempts == 3 and dead.error == "RuntimeError: the mail server is away"
        assert dead.args == {"to": "所有下载人"}
        await outbox.revive(id)
        assert await outbox.perform_due() == 1 and await effects(db) == {"a": 1}

    hall(scenario)


@pytest.mark.parametrize("point", [crash.Point.JOB_CLAIMED, crash.Point.JOB_EFFECT, crash.Point.JOB_DONE])
def test_a_process_that_dies_at_a_job_loses_and_repeats_nothing(hall: Hall, point: str) -> None:
    async def scenario(db: Database) -> None:
        def hook(at: str) -> None:
            if at == point:
                raise crash.Crashed(at)

        world, dying = make(db, Post(), hook=hook)
        id = await enqueue(db, world, "a")
        with pytest.raises(crash.Crashed):
            await dying.perform(id)
        again = Outbox(db, world=world, handlers={"mail": Post()})
        assert await again.perform_due() == 0, "the dead process may still hold the job"
        world.advance(timedelta(minutes=2))
        await again.perform_due()
        assert await effects(db) == {"a": 1} and await again.next_due() is None

    hall(scenario)


def test_a_lease_that_ran_out_is_taken_over_and_the_first_holder_commits_nothing(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        world, outbox = make(db, Post())
        id = await enqueue(db, world, "a")
        claimed = await db.write(lambda unit: outbox._claim(unit, id))
        assert claimed is not None
        world.advance(timedelta(minutes=2))
        assert await outbox.perform(id)
        assert await db.write(lambda unit: outbox._effect(unit, claimed)) is False
        assert await effects(db) == {"a": 1}

    hall(scenario)


def test_periodic_work_is_one_row_a_period(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        world, outbox = make(db, Post())
        asked = [await outbox.enqueue_periodic("mail", minutes=5) for _ in range(3)]
        world.advance(timedelta(minutes=5))
        asked.append(await outbox.enqueue_periodic("mail", minutes=5))
        assert asked == [True, False, False, True]
        assert await outbox.perform_due() == 2

    hall(scenario)


def test_jobs_travel_through_the_embedded_broker_and_lost_messages_are_found(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        world, outbox = make(db, Post())
        courier = broker.Courier(outbox, world=world, broker=broker.open_broker())
        lost = await enqueue(db, world, "lost")
        db.after_commit.append(courier.send)
        await courier.start(threads=2)
        for number in range(10):
            await enqueue(db, world, f"job {number}")
        assert await courier.sweep() >= 1
        for _ in range(200):
            if len(await effects(db)) == 11:
                break
            await asyncio.sleep(0.02)
        await courier.stop()
        assert set((await effects(db)).values()) == {1} and len(await effects(db)) == 11
        assert not await outbox.perform(lost)

    hall(scenario)


def test_a_broker_nobody_knows_is_refused() -> None:
    with pytest.raises(Refused, match="broker_unknown"):
        broker.open_broker("ftp://somewhere")
