"""The score sheet as pages: one bid at a time, every item with its criterion, documents beside it, by keyboard alone.

条例 §49; E-69. What is typed is saved as a draft (a script saves while one types; the button does it without), wrong
marks are told at their fields while right ones are kept, and nothing is final before the lock. Marks that were saved
in another tab since are never overwritten unseen: the page then shows both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from crypto.refusal import Refused
from experts import queries, scores_file
from experts.commands import scoring
from experts.verbs import PANEL
from trading.counter import verbs
from trading.counter.page import doing
from trading.counter.page.pages import Pages, Requested
from trading.counter.page.session import Visitor

SAVE = next(verb for verb in PANEL if verb.command is scoring.SaveSheet)

Errors = Mapping[str, tuple[str, str]]


def routes(pages: Pages) -> list[Any]:
    """The handlers of the score sheet."""
    database = pages.service.database

    async def inside(lot: str, visitor: Visitor) -> dict[str, Any]:
        return await database.read(lambda unit: queries.inside(unit, lot, actor=visitor.actor), bearer=visitor.token)

    @get("/expert/lots/{lot:str}/sheet")
    async def first(request: Requested, lot: FromPath[str]) -> Response[str]:
        room = await inside(lot, await pages.visitor(request))
        if not room["bids"]:
            raise NotFoundException
        given = {(mark["bid"], mark["item"]) for mark in room["sheet"]["marks"]}
        open_ = [row for row in room["bids"] if any((row["bid"], item["code"]) not in given for item in room["items"])]
        return pages.go(request, f"/expert/lots/{lot}/sheet/{(open_ or room['bids'])[0]['bid']}")

    @get("/expert/lots/{lot:str}/sheet/{bid:str}")
    async def sheet(request: Requested, lot: FromPath[str], bid: FromPath[str]) -> Response[str]:
        visitor = await pages.visitor(request)
        return _show(pages, request, visitor, await inside(lot, visitor), bid)

    @post("/expert/lots/{lot:str}/sheet/{bid:str}", status_code=200)
    async def save(request: Requested, lot: FromPath[str], bid: FromPath[str]) -> Response[str]:
        visitor = await pages.visitor(request)
        await doing.check_csrf(request, visitor)
        room = await inside(lot, visitor)
        posted = await request.form()
        typed = {item["code"]: str(posted.get(f"points.{item['code']}") or "").strip() for item in room["items"]}
        marks, errors = _understood(room, bid, typed)
        revision = str(posted.get("revision") or "0")
        number = int(revision) if revision.isdigit() else 0
        try:
            command = scoring.SaveSheet(lot, number, marks)
            actor, token = visitor.actor, visitor.token
            await verbs.perform(pages.service, SAVE, command, actor=actor, bearer=token, key=None)
        except Refused as refused:
            told = pages.told(refused)
            return _show(pages, request, visitor, room, bid, typed=typed, errors=errors, refused=told, status=422)
        if errors:
            room = await inside(lot, visitor)
            return _show(pages, request, visitor, room, bid, typed=typed, errors=errors, status=422)
        order = [row["bid"] for row in room["bids"]]
        after = order[order.index(bid) + 1 :][:1]
        then = f"/expert/lots/{lot}/sheet/{after[0]}" if after else f"/expert/lots/{lot}"
        return pages.go(request, then, zh="已保存。", en="Saved.")

    return [first, sheet, save]


def _understood(
    room: Mapping[str, Any], bid: str, typed: Mapping[str, str]
) -> tuple[list[scoring.SavedMark], dict[str, tuple[str, str]]]:
    """The marks that are right, and what is wrong with the others, by item."""
    marks: list[scoring.SavedMark] = []
    errors: dict[str, tuple[str, str]] = {}
    for item in room["items"]:
        text = typed[item["code"]]
        if not text:
            marks.append(scoring.SavedMark(bid, item["code"], None))
            continue
        try:
            value = scores_file.hundredths(text, "points")
            most, step = scores_file.hundredths(item["max"], "max"), scores_file.hundredths(item["step"], "step")
        except Refused:
            errors[item["code"]] = ("请填写数字,至多两位小数。", "Give a number with at most two decimals.")
            continue
        if not 0 <= value <= most:
            errors[item["code"]] = (f"应在 0 到 {item['max']} 分之间。", f"Between 0 and {item['max']} points.")
        elif value % step:
            errors[item["code"]] = (f"应为 {item['step']} 分的整数倍。", f"A multiple of {item['step']} points.")
        else:
            marks.append(scoring.SavedMark(bid, item["code"], scores_file.two_places(value)))
    return marks, errors


def _show(
    pages: Pages,
    request: Requested,
    visitor: Visitor,
    room: Mapping[str, Any],
    bid: str,
    *,
    typed: Mapping[str, str] | None = None,
    errors: Errors | None = None,
    refused: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response[str]:
    row = next((each for each in room["bids"] if each["bid"] == bid), None)
    if row is None:
        raise Refused("bid_unknown_to_panel", rule="E-70", bid=bid[:64])
    saved = {(mark["bid"], mark["item"]): mark["points"] for mark in room["sheet"]["marks"]}
    progress = [
        {
            "bid": each["bid"],
            "name": each["bidder"]["name"],
            "missing": sum((each["bid"], item["code"]) not in saved for item in room["items"]),
        }
        for each in room["bids"]
    ]
    return pages.show(
        request,
        "expert_sheet.html",
        visitor=visitor,
        status=status,
        room=room,
        row=row,
        progress=progress,
        typed=typed or {item["code"]: saved.get((bid, item["code"]), "") for item in room["items"]},
        errors=errors or {},
        refused=refused,
    )
