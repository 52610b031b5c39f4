"""Many at the database at once: nobody lost, nobody overtaken but by whom all wait for, on every engine."""

from __future__ import annotations

import asyncio

import pytest

from storage.unit import NO_HASH, Database, Unit
from tests.contracts.rows import Hall, act, submission, tender


def test_the_second_of_two_writers_of_one_document_decides_again(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        await db.write(lambda unit: unit.setting.insert({"name": "n", "body": {"count": 0}}))

        async def add_one(unit: Unit) -> None:
            row = await unit.setting.read("n")
            assert row is not None
            await asyncio.sleep(0.001)
            changed = {"name": "n", "body": {"count": row["body"]["count"] + 1}}
            await unit.setting.update(changed, expected_version=row["version"])

        await asyncio.gather(*(db.write(add_one) for _ in range(5)))
        row = await db.read(lambda unit: unit.setting.read("n"))
        assert row["body"]["count"] == 5 and row["version"] == 6

    hall(scenario)


def test_concurrent_public_acts_line_up_without_a_gap(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        async def append(unit: Unit, number: int) -> None:
            last = await unit.tail("tL1")
            await unit.record(act(number, seq=last.seq + 1, prev=last.leaf_hash))

        await asyncio.gather(*(db.write(lambda unit, n=n: append(unit, n)) for n in range(8)))
        chain = await db.read(lambda unit: unit.event.find({"tender_id": "tL1"}, order=("seq",)))
        assert [row["seq"] for row in chain] == list(range(8))
        assert [row["prev"] for row in chain] == [NO_HASH, *(row["leaf_hash"] for row in chain[:-1])]

    hall(scenario)


def test_two_hundred_submissions_at_once_and_none_is_lost(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        await db.write(lambda unit: unit.tender.insert(tender()))
        runs = 0

        async def submit(unit: Unit, number: int) -> None:
            nonlocal runs
            runs += 1
            await unit.share("L1")
            assert await unit.tender.read("L1")
            await unit.submission.insert(submission(f"X{number}"))
            prev = await unit.tail_of("tL1", f"X{number}")
            await unit.record(act(number, prev=prev, actor=f"X{number}"))

        await asyncio.gather(*(db.write(lambda unit, n=n: submit(unit, n)) for n in range(200)))
        assert runs == 200, "bids on one tender do not conflict"

        async def look(unit: Unit) -> None:
            assert await unit.submission.count({"lot": "L1"}) == 200
            assert len(await unit.session.waiting("", public=False, limit=1000)) == 200

        await db.read(look)

    hall(scenario)


def test_nobody_slips_behind_whoever_seized_the_lot(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        await db.write(lambda unit: unit.tender.insert(tender()))
        order: list[str] = []
        shared = asyncio.Event()

        async def bid(unit: Unit) -> None:
            await unit.share("L1")
            shared.set()
            await asyncio.sleep(0.05)
            await unit.submission.insert(submission("X"))
            order.append("bid")

        async def freeze(unit: Unit) -> None:
            await unit.seize("L1")
            order.append("freeze")
            assert await unit.submission.count({"lot": "L1"}) == 1

        first = asyncio.create_task(db.write(bid))
        await shared.wait()
        await asyncio.gather(first, db.write(freeze))
        assert order == ["bid", "freeze"]

    hall(scenario)


@pytest.mark.parametrize("way", ["write", "read"])
def test_whoever_goes_ahead_does_not_wait_for_the_many(hall: Hall, way: str) -> None:
    async def scenario(database: Database) -> None:
        begun: list[str] = []

        async def ask(name: str, *, ahead: bool = False) -> None:
            async def look(unit: Unit) -> None:
                begun.append(name)
                await asyncio.sleep(0)
                await unit.setting.count()

            await getattr(database, way)(look, ahead=ahead)

        for _ in range(2):  # The first time connections are opened, each at a moment of its own.
            begun.clear()
            many = [asyncio.create_task(ask(str(number))) for number in range(60)]
            await asyncio.sleep(0)
            await ask("ahead", ahead=True)
            await asyncio.gather(*many)
        assert len(begun) == 61 and begun.index("ahead") < 20

    hall(scenario)


def test_a_cancelled_write_leaves_nothing_and_the_next_one_works(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        begun = asyncio.Event()

        async def slow(unit: Unit) -> None:
            await unit.tender.insert(tender())
            begun.set()
            await asyncio.sleep(60)

        task = asyncio.create_task(db.write(slow))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await db.write(lambda unit: unit.tender.insert(tender("L2")))
        assert await db.read(lambda unit: unit.tender.count()) == 1

    hall(scenario)
