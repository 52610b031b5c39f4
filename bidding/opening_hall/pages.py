"""The pages of the opening hall: for everybody, for the wall, and on the spot for the bidders and the owner of the lot.

20号令 §29 to §32, 条例 §44. Everybody's pages and the events behind them need no account and hold no form. A bidder
objects, and the owner answers, at their own doors (E-60), where the same hall stands beside the form.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Stream

from bidding import objections
from bidding.opening_hall import parts
from bidding.opening_hall import scene as scenes
from bidding.opening_hall.broadcast import Broadcaster
from bidding.opening_hall.scene import Scene
from bidding.verbs import VERBS as ALL_VERBS
from crypto import jcs
from crypto.refusal import Refused
from storage.unit import Unit
from storage.world import stamp
from trading import tenders
from trading.counter.page import doing, forms, language
from trading.counter.page.forms import Field, Filled
from trading.counter.page.language import Lang
from trading.counter.page.pages import Pages, Requested
from trading.counter.page.session import Visitor
from trading.counter.service import Service
from trading.roles import Permission

TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"
VERBS = {verb.permission: verb for verb in ALL_VERBS}
STREAM = {"cache-control": "no-store", "x-accel-buffering": "no", "x-content-type-options": "nosniff"}

OBJECTION = (
    Field(
        "text",
        "对开标的异议",
        "Your objection to the opening",
        "area",
        max=objections.TEXT_CHARACTERS_MAX,
        rule="条例 §44",
        hint=("当场提出,招标人当场答复,双方均记录在案。", "Raised and answered on the spot; both are recorded."),
    ),
)
ANSWER = (
    Field("objection", "", "", "hidden"),
    Field("text", "当场答复", "Your answer on the spot", "area", max=objections.TEXT_CHARACTERS_MAX, rule="条例 §44"),
)


def broadcaster(pages: Pages) -> Broadcaster:
    """The one broadcaster of a process that shows these pages."""
    service = pages.service

    def render(scene: Scene, lang: Lang) -> Mapping[str, str]:
        # What an event says must not change with the clock alone: the time itself is a message of its own.
        return parts.render(pages.environment, scene, lang, now="")

    return Broadcaster(service.database, world=service.world, hall=service.hall, render=render)


def public_routes(pages: Pages) -> list[Any]:
    """The hall for everybody: the page, the page for the wall, and the events."""
    watching = broadcaster(pages)

    @get("/lots/{lot:str}/opening")
    async def hall(request: Requested, lot: FromPath[str]) -> Response[str]:
        return pages.show(request, "hall.html", **await _shown(pages, request, lot))

    @get("/lots/{lot:str}/opening/kiosk")
    async def kiosk(request: Requested, lot: FromPath[str]) -> Response[str]:
        return pages.show(request, "hall_kiosk.html", **await _shown(pages, request, lot))

    @get("/lots/{lot:str}/opening/events", media_type="text/event-stream")
    async def events(request: Requested, lot: FromPath[str]) -> Stream:
        tender_id = await watching.check(lot)
        last = request.headers.get("last-event-id", "") or request.query_params.get("last", "")
        told = watching.listen(lot, tender_id, language.of(request.scope), last)
        return Stream(told, media_type="text/event-stream; charset=utf-8", headers=STREAM)

    return [hall, kiosk, events]


def bidder_routes(pages: Pages) -> list[Any]:
    """On the spot, at the bidders' door: the hall and the form for an objection."""
    database = pages.service.database

    @get("/bidder/opening/{lot:str}")
    async def spot(request: Requested, lot: FromPath[str]) -> Response[str]:
        return await _spot(request, await pages.visitor(request), lot, forms.blank(OBJECTION))

    @post("/bidder/opening/{lot:str}", status_code=200)
    async def object_(request: Requested, lot: FromPath[str]) -> Response[str]:
        visitor = await pages.visitor(request)
        filled = await forms.read(request, OBJECTION)
        if filled.ok:
            try:
                return await doing.act(
                    pages,
                    request,
                    visitor,
                    VERBS[Permission.OPENING_OBJECT],
                    {"lot": lot, **filled.values},
                    then=f"/bidder/opening/{lot}",
                    zh="异议已提出,已记录在案。",
                    en="Your objection is recorded.",
                )
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
        return await _spot(request, visitor, lot, filled, status=422)

    async def _spot(
        request: Requested, visitor: Visitor, lot: str, filled: Filled, *, status: int = 200
    ) -> Response[str]:
        async def mine(unit: Unit) -> list[dict[str, Any]]:
            rows = await unit.objection.find({"lot": lot, "organisation": visitor.actor.organisation})
            return await _texts(unit, lot, [row for row in rows if row["body"].get("stage") == objections.STAGE])

        raised = await database.read(mine, bearer=visitor.token)
        state = await _state(pages, lot)
        shown = await _shown(pages, request, lot)
        return pages.show(
            request,
            "hall_bidder.html",
            visitor=visitor,
            status=status,
            form=filled,
            raised=raised,
            open_now=state in objections.ON_THE_SPOT,
            **shown,
        )

    return [spot, object_]


def desk_routes(pages: Pages) -> list[Any]:
    """On the spot, at the owners' door: the hall, and an answer to every objection."""
    database = pages.service.database

    @get("/desk/opening/{lot:str}")
    async def spot(request: Requested, lot: FromPath[str]) -> Response[str]:
        return await _spot(request, await pages.visitor(request), lot, forms.blank(ANSWER))

    @post("/desk/opening/{lot:str}", status_code=200)
    async def answer(request: Requested, lot: FromPath[str]) -> Response[str]:
        visitor = await pages.visitor(request)
        filled = await forms.read(request, ANSWER)
        if filled.ok:
            try:
                return await doing.act(
                    pages,
                    request,
                    visitor,
                    VERBS[Permission.OPENING_ANSWER],
                    {"lot": lot, **filled.values},
                    then=f"/desk/opening/{lot}",
                    zh="已当场答复。",
                    en="Answered on the spot.",
                )
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
        return await _spot(request, visitor, lot, filled, status=422)

    async def _spot(
        request: Requested, visitor: Visitor, lot: str, filled: Filled, *, status: int = 200
    ) -> Response[str]:
        async def all_(unit: Unit) -> list[dict[str, Any]]:
            held = await tenders.load(unit, lot)
            if visitor.actor.organisation not in (held.tender.owner, held.tender.agent):
                raise Refused("not_this_tender", role=visitor.actor.role.value, organisation=visitor.actor.organisation)
            rows = await unit.objection.find({"lot": lot})
            return await _texts(unit, lot, [row for row in rows if row["body"].get("stage") == objections.STAGE])

        raised = await database.read(all_, bearer=visitor.token)
        state = await _state(pages, lot)
        shown = await _shown(pages, request, lot)
        return pages.show(
            request,
            "hall_desk.html",
            visitor=visitor,
            status=status,
            form=filled,
            raised=raised,
            open_now=state in objections.ON_THE_SPOT,
            **shown,
        )

    return [spot, answer]


async def _shown(pages: Pages, request: Requested, lot: str) -> dict[str, Any]:
    """What a page of the hall is made of: the scene, its parts, and the address of its events."""
    service: Service = pages.service
    lang, now = language.of(request.scope), service.world.now()
    scene = await service.database.read(lambda unit: scenes.draw(unit, lot, now=now, hall=service.hall))
    drawn = parts.render(pages.environment, scene, lang, now=stamp(now))
    return {"scene": scene, "parts": drawn, "events": language.address(f"/lots/{lot}/opening/events", lang)}


async def _state(pages: Pages, lot: str) -> Any:
    held = await pages.service.database.read(lambda unit: tenders.load(unit, lot))
    return held.tender.state


async def _texts(unit: Unit, lot: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Objections with their texts, oldest first; a text that this process may not read is left empty."""
    told = []
    for row in sorted(rows, key=lambda one: one["body"]["at"]):
        body = row["body"]
        told.append(
            {
                "id": row["id"],
                "at": body["at"],
                "state": row["state"],
                "answered_at": body.get("answered_at"),
                "text": await _text(unit, lot, body["text_hash"]),
                "answer": await _text(unit, lot, body["answer_hash"]) if body.get("answer_hash") else "",
            }
        )
    return told


async def _text(unit: Unit, lot: str, name: str) -> str:
    row = await unit.object.read(lot, name)
    return str(jcs.loads(bytes(row["data"]))["text"]) if row else ""
