"""The desk of owners and agents: their tenders, and what they may do with each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from crypto.refusal import Refused
from storage.unit import Unit
from trading import queries
from trading.counter.page import doing, forms
from trading.counter.page.forms import Field, Filled
from trading.counter.page.pages import Pages, Requested
from trading.counter.page.session import Visitor
from trading.roles import Permission
from trading.verbs import DESK

TEMPLATES = Path(__file__).parent / "templates"
VERBS = {verb.permission: verb for verb in DESK}

EXTEND = (
    Field("deadline", "新的投标截止时间", "New deadline", "instant", hint=("北京时间。", "China time."), rule="E-13"),
)
TERMINATE = (Field("reason", "终止招标的原因(将公开)", "Why the tender ends (will be public)", "area", max=2000),)


def routes(pages: Pages) -> list[Any]:
    """The handlers of the desk."""
    database, world = pages.service.database, pages.service.world

    @get("/desk")
    async def home(request: Requested) -> Response[str]:
        visitor = await pages.visitor(request)

        async def mine(unit: Unit) -> list[dict[str, Any]]:
            every = await queries.lots(unit, state=None, q=None, now=world.now())
            return [one for one in every if visitor.actor.organisation in (one["owner"], one["agent"])]

        lots = await database.read(mine, bearer=visitor.token)
        return pages.show(request, "desk_home.html", visitor=visitor, lots=lots)

    @get("/desk/lots/{lot:str}")
    async def lot(request: Requested, lot: FromPath[str]) -> Response[str]:
        visitor = await pages.visitor(request)
        return await _lot(request, visitor, lot, forms.blank(EXTEND), forms.blank(TERMINATE))

    @post("/desk/lots/{lot:str}/extend", status_code=200)
    async def extend(request: Requested, lot: FromPath[str]) -> Response[str]:
        visitor = await pages.visitor(request)
        filled = await forms.read(request, EXTEND)
        if filled.ok:
            try:
                fields = {"lot": lot, **filled.values}
                then = f"/desk/lots/{lot}"
                verb = VERBS[Permission.DEADLINE_EXTEND]
                return await doing.act(pages, request, visitor, verb, fields, then=then, zh="已延期。", en="Extended.")
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
        return await _lot(request, visitor, lot, filled, forms.blank(TERMINATE), status=422)

    @post("/desk/lots/{lot:str}/terminate", status_code=200)
    async def terminate(request: Requested, lot: FromPath[str]) -> Response[str]:
        visitor = await pages.visitor(request)
        filled = await forms.read(request, TERMINATE)
        if filled.ok:
            try:
                fields = {"lot": lot, **filled.values}
                then = f"/desk/lots/{lot}"
                verb = VERBS[Permission.TENDER_TERMINATE]
                return await doing.act(pages, request, visitor, verb, fields, then=then, zh="已终止。", en="Ended.")
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
        return await _lot(request, visitor, lot, forms.blank(EXTEND), filled, status=422)

    async def _lot(
        request: Requested, visitor: Visitor, lot: str, extension: Filled, termination: Filled, *, status: int = 200
    ) -> Response[str]:
        told = await database.read(lambda unit: queries.lot(unit, lot, now=world.now()), bearer=visitor.token)
        if visitor.actor.organisation not in (told["owner"], told["agent"]):
            raise Refused("not_this_tender", role=visitor.actor.role.value, organisation=visitor.actor.organisation)
        return pages.show(
            request, "desk_lot.html", visitor=visitor, status=status, lot=told, extend=extension, terminate=termination
        )

    return [home, lot, extend, terminate, *doing.signing(pages, DESK)]
