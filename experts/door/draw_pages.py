"""The pages of a draw: for everybody how the panel came about, and at three doors the contributors' sealed numbers.

docs/spec/lottery.md §3, 条例 §46. Centre, supervision and owner each hand in one random number, sealed to the tender's
trustees on their own machine and signed with the key that the notice pins: in the page with the key in the browser, or
with the command line as a file. The centre closes the draw and logs calls that nobody answered. The number itself is
made and sealed before anything is sent; the hall gets the header and cannot read it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from crypto.refusal import Refused
from experts.commands.room import CALLS_MIN
from experts.door import draw_reading
from experts.door.draw_reading import Draw, Inside, ReadInside
from experts.verbs import DRAW
from storage.unit import Unit
from trading.calendar import legal_day
from trading.centre.pages import power_field
from trading.counter import strict
from trading.counter.page import doing, forms
from trading.counter.page.forms import Field, Filled, Upload
from trading.counter.page.pages import Pages, Requested
from trading.counter.page.session import Visitor
from trading.roles import MATRIX, OFFICIALS, Permission, Role

VERBS = {verb.permission: verb for verb in DRAW}
PARTS = frozenset({"lot", "draw_id", "i", "header", "signature"})
"""The fields of a contribution file, as `tradehall-bidder contribute` and the page's script write it."""
FILE_BYTES_MAX = 64 * 1024
TEMPLATES = Path(__file__).parent / "templates"

HANDED = (
    Field("made", "", "", "hidden", required=False, max=FILE_BYTES_MAX),
    Field(
        "contribution",
        "密封随机数(文件)",
        "Sealed number (file)",
        "file",
        required=False,
        accept=".json,application/json",
    ),
)
POWER = {
    Permission.DRAW_CONTRIBUTE: "power_to_contribute",
    Permission.DRAW_RUN: "power_to_close",
    Permission.CALL_RECORD: "power_to_call",
}
CALL = Field("seat", "席位", "Seat", "choice", rule="条例 §46")


def public_routes(pages: Pages) -> list[Any]:
    """How a panel was drawn, for everybody."""
    database = pages.service.database

    @get("/lots/{lot:str}/draw")
    async def drawn(request: Requested, lot: FromPath[str]) -> Response[str]:
        told = await database.read(lambda unit: draw_reading.draw(unit, lot))
        return pages.show(request, "expert_draw_public.html", draw=told, **_words())

    return [drawn]


def routes(pages: Pages, *, inside: ReadInside = draw_reading.inside) -> list[Any]:
    """The draw at one door: of the owner, the centre or supervision; `inside` reads what those three alone are told."""
    database, world = pages.service.database, pages.service.world
    here = f"/{pages.door}/lots"

    @get(here + "/{lot:str}/draw")
    async def shown(request: Requested, lot: FromPath[str]) -> Response[str]:
        visitor = await pages.visitor(request)
        return await _show(request, visitor, lot, {})

    @post(here + "/{lot:str}/draw/contribute", status_code=200)
    async def contribute(request: Requested, lot: FromPath[str]) -> Response[str]:
        visitor = await pages.visitor(request)
        filled = await forms.read(request, _handed(visitor))
        if filled.ok:
            try:
                fields = {"lot": lot, **contribution(filled, lot)}
                return await _run(
                    request,
                    visitor,
                    lot,
                    Permission.DRAW_CONTRIBUTE,
                    fields,
                    filled,
                    ("密封随机数已提交。", "The sealed number is handed in."),
                )
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
        return await _show(request, visitor, lot, {"contribute": filled}, status=422)

    @post(here + "/{lot:str}/draw/close", status_code=200)
    async def close(request: Requested, lot: FromPath[str]) -> Response[str]:
        visitor = await pages.visitor(request)
        filled = await forms.read(request, _power(visitor, Permission.DRAW_RUN))
        if filled.ok:
            try:
                said = (
                    "抽取已截止,投标封存后由受托人共同揭示。",
                    "The draw is closed; the trustees open it together after the freeze.",
                )
                return await _run(request, visitor, lot, Permission.DRAW_RUN, {"lot": lot}, filled, said)
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
        return await _show(request, visitor, lot, {"close": filled}, status=422)

    @post(here + "/{lot:str}/draw/call", status_code=200)
    async def call(request: Requested, lot: FromPath[str]) -> Response[str]:
        visitor = await pages.visitor(request)
        seats = await database.read(lambda unit: inside(unit, lot), bearer=visitor.token)
        filled = await forms.read(request, _call(visitor, seats))
        if filled.ok:
            try:
                said = ("已记录一次无人接听。", "A call without answer is recorded.")
                fields = {"lot": lot, "seat": int(filled.values["seat"])}
                return await _run(request, visitor, lot, Permission.CALL_RECORD, fields, filled, said)
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
        return await _show(request, visitor, lot, {"call": filled}, status=422)

    async def _run(
        request: Requested,
        visitor: Visitor,
        lot: str,
        permission: Permission,
        fields: Mapping[str, Any],
        filled: Filled,
        said: tuple[str, str],
    ) -> Response[str]:
        named = {**fields, "power": filled.values.get(POWER[permission])}
        then = f"{here}/{lot}/draw"
        return await doing.act(pages, request, visitor, VERBS[permission], named, then=then, zh=said[0], en=said[1])

    async def _show(
        request: Requested, visitor: Visitor, lot: str, given: Mapping[str, Filled], *, status: int = 200
    ) -> Response[str]:
        async def read(unit: Unit) -> tuple[Draw, Inside]:
            told = await draw_reading.draw(unit, lot)
            if visitor.actor.role in (Role.OWNER, Role.AGENT) and visitor.actor.organisation not in (
                told.tender.owner,
                told.tender.agent,
            ):
                raise Refused("not_this_tender", role=visitor.actor.role.value, organisation=visitor.actor.organisation)
            return told, await inside(unit, lot)

        told, seats = await database.read(read, bearer=visitor.token)
        may = MATRIX[visitor.actor.role]
        number = draw_reading.NUMBER.get(visitor.actor.role) if Permission.DRAW_CONTRIBUTE in may else None
        blank = {
            "contribute": _handed(visitor),
            "close": _power(visitor, Permission.DRAW_RUN),
            "call": _call(visitor, seats),
        }
        filled = {name: given.get(name, forms.blank(fields, _first(fields))) for name, fields in blank.items()}
        return pages.show(
            request,
            "expert_draw.html",
            visitor=visitor,
            status=status,
            draw=told,
            inside=seats,
            mine=number,
            filled=filled,
            may_close=Permission.DRAW_RUN in may,
            may_call=Permission.CALL_RECORD in may,
            place=f"{here}/{lot}/draw",
            back=f"{here}/{lot}",
            address=f"{request.url.scheme}://{request.url.netloc}",
            calls_min=CALLS_MIN,
            **_words(),
        )

    def _power(visitor: Visitor, permission: Permission) -> tuple[Field, ...]:
        """The choice of a power, for who must name one; named by its form, since a page may hold two."""
        if visitor.actor.role not in OFFICIALS:
            return ()
        field = power_field(permission, visitor.actor.role.value, legal_day(world.now()))
        return (dataclasses.replace(field, name=POWER[permission]),)

    def _handed(visitor: Visitor) -> tuple[Field, ...]:
        return (*HANDED, *_power(visitor, Permission.DRAW_CONTRIBUTE))

    def _call(visitor: Visitor, seats: Inside) -> tuple[Field, ...]:
        choices = [(str(seat), f"第 {seat} 席", f"seat {seat}") for seat, _ in seats.called]
        return (dataclasses.replace(CALL, choices=choices), *_power(visitor, Permission.CALL_RECORD))

    return [shown, contribute, close, call]


def contribution(filled: Filled, lot: str) -> dict[str, Any]:
    """Header and signature of what was handed in, by the script or as a file.

    Raises Refused: contribution_missing, contribution_malformed, contribution_of_another_lot.
    """
    given = filled.values.get("contribution")
    data = given.data if isinstance(given, Upload) else str(filled.values.get("made") or "").encode()
    if not data:
        raise Refused("contribution_missing")
    if len(data) > FILE_BYTES_MAX:
        raise Refused("contribution_malformed", encoding="JSON")
    try:
        told = strict.parse(data)
    except Refused as refused:
        raise Refused("contribution_malformed", encoding="JSON") from refused
    if not told.keys() >= {"header", "signature"} or not told.keys() <= PARTS:
        raise Refused("contribution_malformed", encoding="JSON")
    if told.get("lot", lot) != lot:
        raise Refused("contribution_of_another_lot", lot=str(told["lot"])[:40])
    return {"header": str(told["header"]), "signature": str(told["signature"])}


def _first(fields: tuple[Field, ...]) -> dict[str, Any]:
    """The only power there is to choose is chosen."""
    return {one.name: one.choices[0][0] for one in fields if one.name in POWER.values() and len(one.choices) == 1}


def _words() -> dict[str, Any]:
    return {"contributors": draw_reading.CONTRIBUTORS, "why": draw_reading.WHY}
