"""The supervisors' door: verbs, the audit trail; and the bundles, of which the public one is anybody's.

A power that the role holds for the asked reading is named for the asker when the request names none; it is recorded
with the reading either way. Files are made beside the database, streamed, and removed.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from litestar import Request, get
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Stream

from bidding.opening_keys import Desk
from supervision import bundle, trail, verbs
from trading import powers
from trading.calendar import legal_day
from trading.counter import identity
from trading.counter.service import Service
from trading.counter.verbs import routes as verb_routes
from trading.roles import Actor, Permission

Requested = Request[Any, Any, Any]
EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def routes(service: Service, *, room: Desk | bundle.Room | None) -> list[BaseRouteHandler]:
    """The handlers; `room` is the opening room (full bundles need it): its desk, or the process that holds it."""

    @get(
        "/api/v1/lots/{lot:str}/bundle",
        summary="Everything from which a stranger judges the tender; full: for supervisors",
        operation_id="supervision_bundle",
    )
    async def get_bundle(
        request: Requested,
        lot: FromPath[str],
        view: FromQuery[Literal["public", "full"]] = "public",
        power: FromQuery[str | None] = None,
    ) -> Stream:
        actor = await identity.of(request, service, anonymous=True)
        if view == "full":
            identity.must_hold(actor, Permission.FULL_BUNDLE_EXPORT)
            power = power or _power(service, actor, Permission.FULL_BUNDLE_EXPORT)
        beside = tempfile.TemporaryDirectory(prefix="tradehall-bundle-")
        try:
            path = await bundle.make(
                service,
                lot,
                view,
                folder=Path(beside.name),
                actor=actor,
                power=power,
                now=service.world.now(),
                room=room,
                bearer=identity.bearer(request),
            )
        except BaseException:
            beside.cleanup()
            raise
        return _file(path, beside.cleanup, "application/zip", f"{lot}-{view}.zip")

    @get(
        "/api/v1/lots/{lot:str}/trail",
        summary="Who did what, when, from where, under which power",
        operation_id="supervision_trail",
    )
    async def get_trail(
        request: Requested,
        lot: FromPath[str],
        form: Annotated[Literal["jsonl", "xlsx"], QueryParameter(name="format")] = "jsonl",
        person: FromQuery[str | None] = None,
        kind: FromQuery[str | None] = None,
        since: Annotated[str | None, QueryParameter(name="from")] = None,
        until: Annotated[str | None, QueryParameter(name="to")] = None,
        power: FromQuery[str | None] = None,
    ) -> Stream:
        actor = await identity.of(request, service)
        identity.must_hold(actor, Permission.TRAIL_READ)
        wanted = trail.Filter.of({"person": person, "kind": kind, "from": since, "to": until})
        power = power or _power(service, actor, Permission.TRAIL_READ)
        return await trail_file(service, lot, form, wanted, actor=actor, power=power, bearer=identity.bearer(request))

    return [get_bundle, get_trail, *verb_routes(verbs.VERBS, service)]


async def trail_file(
    service: Service,
    lot: str,
    form: Literal["jsonl", "xlsx"],
    wanted: trail.Filter,
    *,
    actor: Actor,
    power: str | None,
    bearer: str,
) -> Stream:
    """The trail as a file to hand over; the reading is logged. Raises what trail.read refuses."""
    now = service.world.now()
    told = await trail.read(service, lot, wanted, actor=actor, power=power, now=now, bearer=bearer)
    if form == "jsonl":
        return Stream(_lines(told), media_type="application/jsonl", headers=_named(f"{lot}-trail.jsonl"))
    beside = tempfile.TemporaryDirectory(prefix="tradehall-trail-")
    path = Path(beside.name) / "trail.xlsx"
    trail.write_excel(path, told, now=now)
    return _file(path, beside.cleanup, EXCEL, f"{lot}-trail.xlsx")


def _power(service: Service, actor: Actor, permission: Permission) -> str | None:
    """The code of the power that this role holds for a reading today."""
    found = powers.for_verb(
        powers.load(), role=actor.role.value, permission=permission.value, day=legal_day(service.world.now())
    )
    return found.code if found else None


async def _lines(told: list[dict[str, Any]]) -> AsyncIterator[bytes]:
    for line in trail.as_lines(told):
        yield line


def _file(path: Path, done: Callable[[], None], media_type: str, name: str) -> Stream:
    return Stream(bundle.stream(path, done), media_type=media_type, headers=_named(name))


def _named(name: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{name}"'}
