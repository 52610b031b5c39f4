"""Rooms and slots: opening and evaluation rooms of the centre, who has which room when; two never share one.

Kept as settings of the hall, one row of rooms and one of slots for each month, so that two people who book the same
room at the same time meet in one row and the second is refused. A slot is a convenience and no act: when and where a
tender is opened stands in its document.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from crypto.refusal import Refused
from storage.unit import Unit
from storage.world import Entropy, instant, stamp
from trading.calendar import CHINA

ROOMS = "rooms"
HOURS_MAX = 24 * 7
Purpose = Literal["opening", "evaluation", "other"]


@dataclass(frozen=True, slots=True)
class Room:
    """One room: its number or name, what it is for, how many it seats."""

    name: str
    purpose: Purpose
    seats: int


@dataclass(frozen=True, slots=True)
class Slot:
    """One room for some hours; `lot` may be '' . Instants as text."""

    id: str
    room: str
    lot: str
    purpose: str
    start: str
    end: str
    note: str


async def rooms(unit: Unit) -> list[Room]:
    """Every room, by name."""
    row = await unit.setting.read(ROOMS)
    found = [Room(**one) for one in row["body"]["rooms"]] if row else []
    return sorted(found, key=lambda room: room.name)


async def add_room(unit: Unit, room: Room) -> None:
    """Raises Refused("room_known")."""
    known = await rooms(unit)
    if any(one.name == room.name for one in known):
        raise Refused("room_known", room=room.name)
    await _keep(unit, ROOMS, {"rooms": [asdict(one) for one in (*known, room)]})


async def slots(unit: Unit, *, since: datetime, until: datetime) -> list[Slot]:
    """Slots that touch these days, by time."""
    found: list[Slot] = []
    month = since - timedelta(hours=HOURS_MAX)
    names = []
    while month.astimezone(CHINA).strftime("%Y-%m") <= until.astimezone(CHINA).strftime("%Y-%m"):
        names.append(_month(month))
        month += timedelta(days=27)
    for name in sorted(set(names) | {_month(until)}):
        row = await unit.setting.read(name)
        found += [Slot(**one) for one in row["body"]["slots"]] if row else []
    touching = [one for one in found if one.end > stamp(since) and one.start < stamp(until)]
    return sorted(touching, key=lambda one: (one.start, one.room))


async def book(
    unit: Unit, *, room: str, lot: str, purpose: str, start: str, end: str, note: str, entropy: Entropy
) -> Slot:
    """Take a room for some hours. Raises Refused: room_unknown, slot_wrong (it ends before it begins, or lasts over a
    week), room_taken, lot_unknown."""
    begin, over = instant(start), instant(end)
    if room not in {one.name for one in await rooms(unit)}:
        raise Refused("room_unknown", room=room)
    if not timedelta(0) < over - begin <= timedelta(hours=HOURS_MAX):
        raise Refused("slot_wrong", start=start, end=end)
    if lot and await unit.tender.read(lot) is None:
        raise Refused("lot_unknown", lot=lot)
    other = next((one for one in await slots(unit, since=begin, until=over) if one.room == room), None)
    if other is not None:
        raise Refused("room_taken", room=room, start=other.start, end=other.end)
    slot = Slot(entropy(8).hex(), room, lot, purpose, start, end, note)
    row = await unit.setting.read(_month(begin))
    known = row["body"]["slots"] if row else []
    await _keep(unit, _month(begin), {"slots": [*known, asdict(slot)]})
    return slot


async def free(unit: Unit, id_: str, start: str) -> None:
    """Give a slot up; one that is gone already is no error."""
    name = _month(instant(start))
    row = await unit.setting.read(name)
    if row is not None:
        left = [one for one in row["body"]["slots"] if one["id"] != id_]
        await unit.setting.update({**row, "body": {"slots": left}}, expected_version=row["version"])


def _month(at: datetime) -> str:
    return f"slots {at.astimezone(CHINA):%Y-%m}"


async def _keep(unit: Unit, name: str, body: dict[str, Any]) -> None:
    row = await unit.setting.read(name)
    if row is None:
        await unit.setting.insert({"name": name, "body": body})
    else:
        await unit.setting.update({**row, "body": body}, expected_version=row["version"])
