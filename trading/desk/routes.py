"""What owners, agents and bidders read of their own at the desk: objections, questions, inbox."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, get
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath

from crypto.refusal import Refused
from storage.unit import Unit
from trading import tenders
from trading.counter import identity
from trading.counter.service import Service
from trading.roles import Permission, Role

Requested = Request[Any, Any, Any]
PARTIES = frozenset({Role.OWNER, Role.AGENT})


def routes(service: Service) -> list[BaseRouteHandler]:
    """The handlers of the desk."""
    database = service.database

    @get("/api/v1/lots/{lot:str}/objections", summary="Objections of a lot: the owner's all, a bidder's own")
    async def objections(request: Requested, lot: FromPath[str]) -> list[dict[str, Any]]:
        return await _texts(request, lot, "objection", Permission.OBJECTION_ANSWER)

    @get("/api/v1/lots/{lot:str}/questions", summary="Questions about a lot: the owner's all, a bidder's own")
    async def questions(request: Requested, lot: FromPath[str]) -> list[dict[str, Any]]:
        return await _texts(request, lot, "question", Permission.TENDER_AMEND)

    async def _texts(request: Requested, lot: str, kind: str, all_: Permission) -> list[dict[str, Any]]:
        actor = await identity.of(request, service)

        async def read(unit: Unit) -> list[dict[str, Any]]:
            tender = (await tenders.load(unit, lot)).tender
            if actor.role in PARTIES:
                actor.must(all_, now=service.world.now(), parties=tender.parties)
                where = {"lot": lot}
            elif actor.role is Role.BIDDER:
                where = {"lot": lot, "organisation": actor.organisation}
            else:
                raise Refused("permission_denied", permission=f"read.{kind}", role=actor.role.value)
            rows = await unit.store(kind).find(where)
            told = []
            for row in sorted(rows, key=lambda one: one["body"]["at"]):
                text = msgspec.json.decode((await unit.object.read(lot, row["body"]["text_hash"]) or {})["data"])[
                    "text"
                ]
                # Who asked or objected is told to nobody here: the owner answers what was said, not who said it.
                told.append({kind: row["id"], "state": row["state"], "at": row["body"]["at"], "text": text})
            return told

        return await database.read(read, bearer=identity.bearer(request))

    return [objections, questions, inbox_route(service)]


def inbox_route(service: Service) -> BaseRouteHandler:
    """The handler of everybody's own notices."""

    @get("/api/v1/inbox", summary="My notices, newest first")
    async def inbox(request: Requested) -> list[dict[str, Any]]:
        actor = await identity.of(request, service)

        async def read(unit: Unit) -> list[dict[str, Any]]:
            mine = await unit.inbox.find({"person": actor.person}, order=("-created",), limit=200)
            if actor.organisation:
                mine += await unit.inbox.find({"organisation": actor.organisation}, order=("-created",), limit=200)
            return [
                {"lot": row["lot"], "created": row["created"], "state": row["state"], **row["body"]} for row in mine
            ]

        return await service.database.read(read, bearer=identity.bearer(request))

    return inbox
