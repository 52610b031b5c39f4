"""Rooms of the centre: two tenders never share one, whoever books first and however the hours overlap."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crypto.refusal import Refused
from storage import memory
from storage.unit import Database, Unit
from storage.world import SeededEntropy, stamp
from trading.centre import rooms
from trading.centre.rooms import Room

START = datetime(2026, 3, 31, 1, 0, tzinfo=UTC)


def run(scenario: Callable[[Database], Awaitable[None]]) -> None:
    async def whole() -> None:
        database = memory.open_memory()
        await database.write(lambda unit: rooms.add_room(unit, Room("开标一室", "opening", 40)))
        await scenario(database)
        await database.close()

    asyncio.run(whole())


def booking(start_h: float, end_h: float, room: str = "开标一室") -> Callable[[Unit], Awaitable[Any]]:
    async def take(unit: Unit) -> Any:
        begin, end = stamp(START + timedelta(hours=start_h)), stamp(START + timedelta(hours=end_h))
        entropy = SeededEntropy(f"{start_h} {end_h}")
        return await rooms.book(
            unit, room=room, lot="", purpose="opening", start=begin, end=end, note="", entropy=entropy
        )

    return take


@pytest.mark.parametrize(("start", "end"), [(0, 2), (1, 3), (-1, 0.5), (0.5, 1), (-1, 3)])
def test_a_room_that_is_taken_is_not_given_twice(start: float, end: float) -> None:
    async def scenario(database: Database) -> None:
        await database.write(booking(0, 2))
        with pytest.raises(Refused) as err:
            await database.write(booking(start, end))
        assert err.value.code == "room_taken"

    run(scenario)


def test_hours_that_only_touch_are_free_also_over_the_end_of_a_month() -> None:
    async def scenario(database: Database) -> None:
        await database.write(booking(0, 48))
        await database.write(booking(48, 50))
        with pytest.raises(Refused):
            await database.write(booking(47, 49))
        found = await database.read(lambda unit: rooms.slots(unit, since=START, until=START + timedelta(days=3)))
        assert [one.start for one in found] == [stamp(START), stamp(START + timedelta(hours=48))]

    run(scenario)


def test_a_slot_that_was_given_up_is_free_again() -> None:
    async def scenario(database: Database) -> None:
        slot = await database.write(booking(0, 2))
        await database.write(lambda unit: rooms.free(unit, slot.id, slot.start))
        await database.write(lambda unit: rooms.free(unit, slot.id, slot.start))
        again = await database.write(booking(1, 2))
        found = await database.read(lambda unit: rooms.slots(unit, since=START, until=START + timedelta(days=1)))
        assert [one.id for one in found] == [again.id]

    run(scenario)


@pytest.mark.parametrize(
    ("start", "end", "room", "code"),
    [(2, 1, "开标一室", "slot_wrong"), (0, 24 * 8, "开标一室", "slot_wrong"), (0, 1, "没有的房间", "room_unknown")],
)
def test_a_slot_that_cannot_be_is_refused(start: float, end: float, room: str, code: str) -> None:
    async def scenario(database: Database) -> None:
        with pytest.raises(Refused) as err:
            await database.write(booking(start, end, room))
        assert err.value.code == code

    run(scenario)
