"""Reading an opened bid in a page: its list of files, and one file, for owner, panel and supervisor at their own doors.

法 §37, §44. The same grant and the same log as the API's `bidding/read`; only the process with the room's opening keys
serves these. What came from a bidder is never run: pictures and PDF are shown, everything else is handed over as a
file, and no page of ours can be framed by anybody but us.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from litestar import Response, get
from litestar.params import FromPath, FromQuery
from litestar.response import Stream

from bidding import reading
from bidding.opening_keys import Desk
from trading.counter import identity
from trading.counter.page.pages import SECURITY, Pages, Requested

TEMPLATES = Path(__file__).parent / "templates"
SHOWN = {".pdf": "application/pdf", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
FRAMED = {
    "content-security-policy": SECURITY["content-security-policy"].replace("ancestors 'none'", "ancestors 'self'"),
}


def routes(pages: Pages, room: Desk) -> list[Any]:
    """The two handlers of readers at one door; `room` holds the opening keys."""
    service, here = pages.service, f"/{pages.door}/lots/{{lot:str}}/bids/{{bid:str}}"

    @get(here)
    async def files(
        request: Requested,
        lot: FromPath[str],
        bid: FromPath[str],
        power: FromQuery[str | None] = None,
        beside: FromQuery[bool] = False,
    ) -> Response[str]:
        visitor = await pages.visitor(request)
        identity.must_hold(visitor.actor, reading.permission_of(visitor.actor.role))
        told, _ = await reading.read(
            service.database,
            service.blobs,
            reading.ReadBid(lot, bid, power=power),
            actor=visitor.actor,
            now=service.world.now(),
            hall=service.hall,
            room=room,
        )
        answer = pages.show(
            request,
            "reading_files.html",
            visitor=visitor,
            manifest=told,
            lot=lot,
            bid=bid,
            power=power or "",
            beside=beside,
        )
        answer.headers.update(FRAMED)
        return answer

    @get(here + "/file")
    async def file(
        request: Requested,
        lot: FromPath[str],
        bid: FromPath[str],
        name: FromQuery[str],
        power: FromQuery[str | None] = None,
    ) -> Stream:
        visitor = await pages.visitor(request)
        identity.must_hold(visitor.actor, reading.permission_of(visitor.actor.role))
        _, pieces = await reading.read(
            service.database,
            service.blobs,
            reading.ReadBid(lot, bid, file=name, power=power),
            actor=visitor.actor,
            now=service.world.now(),
            hall=service.hall,
            room=room,
        )
        assert pieces is not None, "a file was asked for"
        kind = SHOWN.get(Path(name).suffix.lower())
        place = "inline" if kind else "attachment"
        headers = {
            "content-disposition": f"{place}; filename*=UTF-8''{quote(name, safe='')}",
            "x-content-type-options": "nosniff",
            "content-security-policy": "frame-ancestors 'self'",
            "cache-control": "no-store",
        }
        return Stream(pieces, media_type=kind or "application/octet-stream", headers=headers)

    return [files, file]
