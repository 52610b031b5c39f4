"""The clockwork goes on whatever breaks: one tender's trouble is neither another's nor the end of the clock."""

from __future__ import annotations

import asyncio

from portal import clockwork
from storage import memory
from storage.unit import Database, Unit


def row(lot: str) -> dict[str, object]:
    blank = {name: "" for name in ("deadline", "due", "region", "market", "tender_id", "owner")}
    return {"lot": lot, "state": "bidding", **blank, "body": {}}


def test_a_tender_whose_work_breaks_does_not_stop_the_others() -> None:
    async def play() -> tuple[int, list[str]]:
        database: Database = memory.open_memory()

        async def two(unit: Unit) -> None:
            await unit.tender.insert(row("A"))
            await unit.tender.insert(row("B"))

        await database.write(two)
        done: list[str] = []

        async def step(lot: str) -> int:
            if lot == "A":
                raise RuntimeError("planted")
            if lot in done:
                return 0
            done.append(lot)
            return 1

        return await clockwork.turn_all(database, [step]), done

    assert asyncio.run(play()) == (1, ["B"])
