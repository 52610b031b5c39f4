"""The clock of a rehearsal, moved by its verb (contract: Demo hall). In a real hall these routes do not exist.

Forward only; every move is an act of the hall in the ledger, and the clockwork wakes at once.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

import msgspec
from litestar import get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import JSONBody

from crypto.ledger import acts
from crypto.refusal import Refused
from portal import durations
from storage.unit import Database, Unit
from storage.world import DemoWorld, World, stamp
from trading import journal
from trading.counter import strict
from trading.hall import Hall


class Advance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far to move, as an ISO 8601 duration of days, hours, minutes and seconds: `P20D`, `PT1H30M`."""

    advance: str


class Clocked(Protocol):
    """Whose clock is moved: a running hall, or the process of it that signs the hall's acts."""

    @property
    def world(self) -> World: ...
    @property
    def hall(self) -> Hall: ...
    @property
    def database(self) -> Database: ...
    @property
    def wake(self) -> asyncio.Event: ...


def routes(running: Clocked) -> list[BaseRouteHandler]:
    """The two handlers of a demo hall's clock."""

    @get("/api/v1/demo/clock", summary="What time it is in this rehearsal")
    async def show() -> dict[str, Any]:
        return {"now": stamp(running.world.now())}

    @post(
        "/api/v1/demo/clock",
        status_code=200,
        guards=[strict.strict_json],
        request_max_body_size=strict.BODY_BYTES_MAX,
        summary="Move the rehearsal's clock forward",
    )
    async def advance(data: JSONBody[Advance]) -> dict[str, Any]:
        return {"now": stamp(await move(running, data.advance))}

    return [show, advance]


async def move(running: Clocked, text: str) -> Any:
    """Move the clock by a duration, log it, wake the clockwork; returns the new instant."""
    world = running.world
    if not isinstance(world, DemoWorld):
        raise Refused("not_found")
    now = world.advance(durations.parse(text))

    async def log(unit: Unit) -> None:
        await journal.hall_act(
            unit,
            hall=running.hall,
            lot="",
            tender_id=acts.HALL_TENDER_ID,
            kind="clock",
            fields={"advance": text, "now": stamp(now)},
            now=now,
        )
        row = await unit.setting.read("demo_clock")
        body = {"offset_ms": int(world.offset.total_seconds() * 1000), "now": stamp(now)}
        if row is None:
            await unit.setting.insert({"name": "demo_clock", "body": body})
        else:
            await unit.setting.update({**row, "body": body}, expected_version=row["version"])

    await running.database.write(log)
    running.wake.set()
    return now
