"""What a stage has to know that no door tells: whether the clock has work, what waits for the log, who sits where.

In the embedded rehearsal the stage asks the process it runs beside; a hall of separate processes has a backstage of its
own kind (tests/production). Nothing is done here that changes a tender.
"""

from __future__ import annotations

import time
from typing import Any, Protocol

from crypto.refusal import Refused
from experts import room
from experts.panel import SeatState
from portal import clockwork
from portal.demo.hall_thread import HallThread
from portal.running import Running
from storage.ledger import newest_head
from storage.unit import Unit
from supervision import collected
from trading.hall import Hall

Seats = list[tuple[int, str, SeatState]]


class Backstage(Protocol):
    """Asked between the steps of a performance."""

    def turn(self) -> int:
        """Let the clockwork do what is due at this instant; how many acts it logged."""
        ...

    def waiting(self) -> int:
        """How many events wait for the sequencer (at most 20 are counted)."""
        ...

    def sizes(self) -> tuple[int, int]:
        """The size of the log, and of the newest tree that a quorum cosigned (-1 for none)."""
        ...

    def seats(self, lot: str) -> Seats:
        """(seat, person, state) of everybody who holds a seat now."""
        ...


class Beside:
    """The backstage of an embedded hall."""

    def __init__(self, hall: HallThread) -> None:
        self._hall = hall

    def turn(self) -> int:
        return self._hall.call(clockwork.turn)

    def waiting(self) -> int:
        async def ask(running: Running) -> int:
            return await running.database.read(waiting)

        return self._hall.call(ask)

    def sizes(self) -> tuple[int, int]:
        async def ask(running: Running) -> tuple[int, int]:
            return await running.database.read(lambda unit: sizes(unit, running.hall))

        return self._hall.call(ask)

    def seats(self, lot: str) -> Seats:
        async def ask(running: Running) -> Seats:
            return await running.database.read(lambda unit: seats(unit, lot))

        return self._hall.call(ask)


def until_witnessed(behind: Backstage, *, seconds_max: float) -> bool:
    """Wait until all that was recorded by now has its place in the log and a quorum of witnesses cosigned it; False if
    that took longer than `seconds_max`."""
    until = time.monotonic() + seconds_max
    while behind.waiting():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    size, _ = behind.sizes()
    while behind.sizes()[1] < size:
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


async def waiting(unit: Unit) -> int:
    """How many events wait for their place in the log, at most ten of each kind."""
    rows: list[list[Any]] = [await unit.session.waiting("", public=public, limit=10) for public in (True, False)]
    return sum(len(one) for one in rows)


async def sizes(unit: Unit, hall: Hall) -> tuple[int, int]:
    """The size of the log, and of the newest tree that a quorum cosigned (-1 for none)."""
    head = await newest_head(unit)
    try:
        seen = await collected.witnessed_head(unit, hall=hall)
    except Refused:
        return head.size if head else 0, -1
    return head.size if head else 0, seen.size


async def seats(unit: Unit, lot: str) -> Seats:
    """(seat, person, state) of everybody who holds a seat of the lot now."""
    opened = await room.find(unit, lot)
    return [(seat.seat, seat.person, seat.state) for seat in (opened.room.seats if opened else ())]
