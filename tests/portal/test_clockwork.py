"""The clockwork goes on whatever breaks: one tender's trouble is neither another's nor the end of the clock."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from portal import clockwork, public
from storage import memory
from storage.ports import Conflict
from storage.unit import Database, Unit


def row(lot: str) -> dict[str, object]:
    blank = dict.fromkeys(("deadline", "due", "region", "market", "tender_id", "owner"), "")
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


def test_a_step_that_somebody_overtook_is_tried_again_in_the_same_turn() -> None:
    tried: list[str] = []

    async def step(lot: str) -> int:
        tried.append(lot)
        if len(tried) == 1:
            raise Conflict("planted")
        return int(len(tried) == 2)

    assert asyncio.run(clockwork.settle([step], "A")) == 1
    assert tried == ["A", "A", "A"]


def test_health_tells_what_the_alarms_found_and_asks_no_database_that_may_be_away() -> None:
    async def trouble() -> list[str]:
        return ["the clockwork stands still"]

    world = SimpleNamespace(now=lambda: datetime(2026, 3, 2, 1, tzinfo=UTC))
    service = SimpleNamespace(database=None, world=world)
    hall: Any = SimpleNamespace(service=service, ledger=None, folder=SimpleNamespace(card=SimpleNamespace(demo=True)))
    health: Any = next(each for each in public.routes(hall, trouble=trouble) if "/health" in each.paths)
    answer = asyncio.run(health.fn())
    assert answer.status_code == 503
    assert answer.content["failing"] == ["the clockwork stands still"]
    assert answer.content["now"] == "2026-03-02T01:00:00.000Z"
