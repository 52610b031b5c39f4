"""The door of this room: its verbs, a large register as a file, and what may be read (contract: HTTP).

Everything here is behind a bearer token but the published table. Judged in the queries, not here: who may see what.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from litestar import Request, get, put
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery

from experts import pool_files, queries
from experts.commands import pool
from experts.verbs import VERBS
from trading.counter import identity, verbs
from trading.counter.service import Service
from trading.journal import Outcome
from trading.roles import Permission

Requested = Request[Any, Any, Any]


def routes(service: Service, served: Sequence[verbs.Verb] = VERBS, *, register: bool = True) -> list[BaseRouteHandler]:
    """The handlers of this room: these verbs, what may be read, and the register where this door takes it."""

    @get("/api/v1/experts/own", summary="My invitations and seats")
    async def own(request: Requested) -> list[dict[str, Any]]:
        actor = await identity.of(request, service)
        bearer = identity.bearer(request)
        return await service.database.read(lambda unit: queries.own(unit, actor=actor), bearer=bearer)

    @get("/api/v1/lots/{lot:str}/room", summary="The evaluation room, for who is signed in")
    async def inside(request: Requested, lot: FromPath[str]) -> dict[str, Any]:
        actor = await identity.of(request, service)
        bearer = identity.bearer(request)
        return await service.database.read(lambda unit: queries.inside(unit, lot, actor=actor), bearer=bearer)

    @get("/api/v1/lots/{lot:str}/table", summary="The scores as published")
    async def table(lot: FromPath[str]) -> dict[str, Any]:
        return await service.database.read(lambda unit: queries.table(unit, lot))

    taken = [register_route(service)] if register else []
    return [*verbs.routes(served, service), *taken, own, inside, table]


def register_route(service: Service) -> BaseRouteHandler:
    """The handler that imports a large register of experts."""

    @put(
        "/api/v1/experts/register",
        status_code=200,
        request_max_body_size=pool_files.FILE_BYTES_MAX,
        summary="Import the register of experts from a file",
    )
    async def register(request: Requested, name: FromQuery[str], power: FromQuery[str | None] = None) -> dict[str, Any]:
        actor = await identity.of(request, service)
        identity.must_hold(actor, Permission.POOL_IMPORT)
        data, now = await request.body(), service.world.now()

        async def work(unit: Any) -> Outcome:
            return await pool.import_file(data, name, power, actor=actor, now=now, unit=unit, hall=service.hall)

        outcome = await service.database.write(work, bearer=identity.bearer(request))
        return dict(outcome.result)

    return register
