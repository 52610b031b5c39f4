"""The embedded hall's doors under one port: every room's routes, one way to refuse, an OpenAPI document.

In production each door is a process of its own with its own database role; here they share one application, and the
same guards (role × verb) stand in front of the same commands.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from litestar import Litestar
from litestar.datastructures import State
from litestar.handlers import BaseRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from bidding.door import evidence_routes as evidence
from bidding.door import reading_routes as readers
from bidding.door import routes as bidders
from bidding.trustee_door import routes as trustees
from crypto import words
from experts.door import routes as experts
from portal import certifying, demo_clock, doors, public, scripts
from portal.doors import Means
from portal.first_run import book as books
from portal.first_run import pages as first_run
from portal.practice import pages as practice
from portal.practice.round import MARK
from portal.rooms import ROOMS
from portal.running import VERSION, Running
from supervision.door import routes as watch
from trading import verbs as trading_verbs
from trading.counter.page.pages import Sign
from trading.counter.verbs import Verb, routes
from trading.desk import routes as desk


def verbs() -> tuple[Verb, ...]:
    """Every verb of the hall."""
    return (*trading_verbs.DESK, *trading_verbs.CENTRE, *trading_verbs.KEYS, *trading_verbs.BIDDERS)


def build(running: Running, *, trouble: public.Trouble | None = None) -> Litestar:
    """The application over one running hall; `trouble` is what its alarms say, for /health."""
    handlers: list[Any] = [
        *public.routes(running, trouble=trouble),
        public.file_route(running),
        *routes(verbs(), running.service),
        *rooms(running),
    ]
    table = words.load(*ROOMS)
    card = running.folder.card
    practising = (running.folder.demo / MARK).exists()
    sign = Sign(card.name, card.demo, "/practice" if practising else running.practice)
    means = Means(running.service, sign, table, running.room)
    handlers += doors.routes(means)
    handlers += scripts.routes(running.service, release=scripts.listed())
    if practising:
        # No visitor moves the clock of a practice hall: its rounds do.
        pages = means.front(practice.TEMPLATES)
        example = Path((running.folder.demo / "example").read_text("utf-8"))
        handlers.append(pages.router(practice.routes(pages, example)))
    elif running.folder.card.demo:
        handlers += demo_clock.routes(running)
    else:
        handlers += certifying.routes(running.service, certifying.own_keys(running))
    if not running.folder.card.demo and books.begun(running.folder.path):
        over = means.pages("public", "公开信息", "Public", first_run.TEMPLATES)
        handlers += first_run.over_route(over, running.folder.path, running.hall.trust.fingerprint)
    return Litestar(
        handlers,
        state=State({"words": table}),
        exception_handlers=means.front().anywhere(),
        openapi_config=OpenAPIConfig(
            title="Tradehall", version=VERSION, path="/schema", render_plugins=[JsonRenderPlugin(path="/openapi.json")]
        ),
        logging_config=None,
        debug=False,
    )


def rooms(running: Running) -> Sequence[BaseRouteHandler]:
    """The doors of the rooms above trading."""
    service = running.service
    return [
        *desk.routes(service),
        *bidders.routes(service),
        *evidence.routes(service),
        *readers.routes(service, running.room),
        *trustees.routes(service),
        *experts.routes(service),
        *watch.routes(service, room=running.room),
    ]
