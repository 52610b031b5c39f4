"""The public pages: what is open in this hall, and one tender with its ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from litestar import Response, get
from litestar.params import FromPath, FromQuery

from trading import queries
from trading.counter.page.pages import Pages, Requested

TEMPLATES = Path(__file__).parent / "templates"


def routes(pages: Pages) -> list[Any]:
    """The handlers of the public door."""
    database, world = pages.service.database, pages.service.world

    @get("/")
    async def front(request: Requested, q: FromQuery[str] = "") -> Response[str]:
        lots = await database.read(lambda unit: queries.lots(unit, state=None, q=q, now=world.now()))
        return pages.show(request, "front.html", lots=lots, q=q)

    @get("/lots/{lot:str}")
    async def lot(request: Requested, lot: FromPath[str]) -> Response[str]:
        told = await database.read(lambda unit: queries.lot(unit, lot, now=world.now()))
        line = await database.read(lambda unit: queries.timeline(unit, lot, now=world.now()))
        record: list[dict[str, Any]] = []
        if any(one["act"]["kind"] == "opened" for one in line["acts"]):
            record = (await database.read(lambda unit: queries.opening(unit, lot)))["record"]
        return pages.show(request, "lot.html", lot=told, acts=line["acts"], owed=line["owed"], record=record)

    return [front, lot]
