"""Jobs through Debian's RabbitMQ, started with its own node name, folder and port: both sides' workers apart."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

import pytest

from storage import broker, engine, migrate
from storage.outbox import Job, Outbox
from storage.unit import Unit
from storage.world import RealWorld, new_id
from tests.production import servers

pytestmark = pytest.mark.production


def test_operation_and_supervision_each_do_their_own_jobs_once_through_rabbitmq(tmp_path: Path) -> None:
    def handler(side: str) -> object:
        async def done(job: Job, *, unit: Unit, now: datetime) -> None:
            await unit.setting.insert({"name": f"{side} {job.key}", "body": {}})

        return done

    async def scenario(url: str) -> None:
        world = RealWorld()
        database = engine.open_sqlite(tmp_path / "hall.db")
        await migrate.migrate(database)
        couriers = {}
        for side, queue in (("operation", "jobs"), ("supervision", "supervision")):
            outbox = Outbox(database, world=world, handlers={side: handler(side)})  # type: ignore[dict-item]
            couriers[side] = broker.Courier(outbox, world=world, broker=broker.open_broker(url), queue=queue)
            await couriers[side].start(threads=2)
        for number in range(5):
            for side in couriers:
                id_ = new_id(world.entropy)
                due = world.now()
                await database.write(
                    lambda unit, id_=id_, side=side, number=number, due=due: unit.enqueue(  # type: ignore[misc]
                        id=id_, kind=side, key=f"{side} {number}", body={}, due=due
                    )
                )
        for _ in range(100):
            for courier in couriers.values():
                await courier.sweep()
            if await database.read(lambda unit: unit.job.count({"state": "done"})) == 10:
                break
            await asyncio.sleep(0.1)
        for courier in couriers.values():
            await courier.stop()
        rows = await database.read(lambda unit: unit.setting.find())
        names = sorted(row["name"] for row in rows)
        assert names == sorted(f"{side} {side} {number}" for side in couriers for number in range(5))
        await database.close()

    with servers.rabbit(tmp_path / "rabbit") as url:
        asyncio.run(scenario(url))
