"""Serving a hall that is not set up yet: one address, first the first-run pages alone, then the hall behind them.

Until both administrators have ended the first run nobody else gets in: what is open is these pages, the log,
trust.json, and what roots, witnesses and trustees need. The hall itself is opened in the same process as soon as both
have confirmed trust.json, so that nobody has to be at the machine; after a restart it goes on where it stood.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, cast

from litestar import Litestar, MediaType, Response, get
from litestar.datastructures import State
from litestar.types import ASGIApp, Receive, Scope, Send

from crypto import words
from crypto.refusal import Refused
from portal import folder, serve
from portal.certifying import PATH as CERTIFICATION
from portal.first_run import pages
from portal.first_run.desk import DOOR, FirstRun
from portal.rooms import ROOMS, VERSION
from portal.running import open_hall
from portal.settings import Settings
from storage.world import World, stamp
from trading.counter import problems
from trading.counter.page import static
from trading.counter.page.pages import Pages, Requested, Sign
from trading.counter.service import Service

OPEN = ("/log/", "/trust.json", "/release.json", "/release.proof", "/health", "/trustees", "/api/v1/chains/",
        "/api/v1/bidding/pre_keys", CERTIFICATION)  # fmt: skip
"""What of the hall is open before the first run has ended: what roots, witnesses and trustees need."""
SHELVES = {"kit": static.KIT}
log = logging.getLogger("tradehall.first_run")


class Alone:
    """What pages need of a service before there is a hall: a clock and random numbers."""

    def __init__(self, world: World) -> None:
        self.world = world


class Doorway:
    """The application that is asked: the first-run pages until they are over, the hall as far as it is open."""

    def __init__(self, first: FirstRun, before: ASGIApp) -> None:
        self.first, self.before = first, before
        self.hall: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        path = str(cast("Mapping[str, Any]", scope).get("path", ""))
        open_ = self.first.book.done != "" or any(path.startswith(each) for each in OPEN)
        await (self.hall if self.hall is not None and open_ else self.before)(scope, receive, send)


@contextlib.asynccontextmanager
async def serving(
    path: Path, *, world: World, given: Settings, host: str, port: int, tls: tuple[Path, Path] | None = None
) -> AsyncIterator[tuple[str, FirstRun]]:
    """Serve a hall whose first run is not over until the block ends; yields its address and the first run.

    Raises Refused: port_taken, hall_running, what FirstRun.open refuses."""
    first = FirstRun.open(path, world=world)
    serve.check_port(port)
    with folder.held(path):
        stop, door = asyncio.Event(), Doorway(first, application(first))
        going = asyncio.create_task(_open_when_anchored(first, door, stop, given=given), name="first run")
        if first.book.anchored:
            first.anchored.set()
            await asyncio.wait({going, asyncio.create_task(first.opened.wait())}, return_when=asyncio.FIRST_COMPLETED)
        try:
            async with serve.listening(door, host=host, port=port, tls=tls) as address:
                yield address, first
        finally:
            stop.set()
            await going


async def _open_when_anchored(first: FirstRun, door: Doorway, stop: asyncio.Event, *, given: Settings) -> None:
    """Open the hall behind the pages as soon as trust.json is there; it runs until `stop`."""
    waiting = {asyncio.create_task(each.wait()) for each in (first.anchored, stop)}
    _, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    if stop.is_set():
        return
    try:
        running = await open_hall(folder.load(first.path), world=first.world, settings=given)
    except Exception as error:
        # Whoever is at the page must be told; the pages stay.
        log.exception("the hall could not be opened")
        first.trouble = str(error)
        first.opened.set()
        return
    async with serve.working(running) as hall:
        await first.open_behind(running)
        door.hall = hall
        first.opened.set()
        await stop.wait()


def application(first: FirstRun) -> Litestar:
    """The first-run pages as an application of their own."""
    table = words.load(*ROOMS)
    made = Pages(
        cast("Service", Alone(first.world)),
        door=DOOR,
        zh="首次运行",
        en="First run",
        sign=Sign(first.book.hall or "Tradehall", False),
        table=table,
        templates=[pages.TEMPLATES],
        integrity=static.integrity(SHELVES),
    )

    @get("/", include_in_schema=False)
    async def front(request: Requested) -> Response[str]:
        return made.go(request, "/first-run")

    @get("/health", include_in_schema=False)
    async def health() -> Response[dict[str, Any]]:
        told = {"version": VERSION, "now": stamp(first.world.now()), "demo": False}
        return Response({"status": "failing", **told, "failing": ["the first run is not over"]}, status_code=503)

    @get("/trust.json", include_in_schema=False)
    async def trust() -> Response[bytes]:
        return Response(b"{}", media_type=MediaType.JSON)

    def nowhere(request: Requested, refused: Refused) -> Response[Any]:
        """Whatever is not open yet: a person is led to the pages, a program is told to come again."""
        if refused.code not in ("not_found", "method_not_allowed"):
            return made.anywhere()[Refused](request, refused)  # type: ignore[no-any-return]
        if problems.by_browser(request) and request.method == "GET":
            return made.go(request, "/first-run")
        return problems.answer(Refused("hall_not_set_up"), table, status=503)

    def unknown(request: Requested, error: Any) -> Response[Any]:
        if error.status_code in (404, 405):
            return nowhere(request, Refused("not_found"))
        return made.anywhere()[type(error)](request, error)  # type: ignore[no-any-return]

    handlers = {**made.anywhere(), Refused: nowhere, 404: unknown, 405: unknown}
    return Litestar(
        [front, health, trust, *static.routes(SHELVES), *pages.routes(first, made)],
        state=State({"words": table}),
        exception_handlers=handlers,
        openapi_config=None,
        logging_config=None,
        debug=False,
    )
