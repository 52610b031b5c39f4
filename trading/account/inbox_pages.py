"""The inbox: every notice to a person or its organisation, unread ones marked; and where copies of them are sent.

20号令 §22: the inbox is the effective notice, mail and text messages are copies.
"""

from __future__ import annotations

import re
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from crypto.refusal import Refused
from storage.unit import Unit
from trading.account.own import own
from trading.counter.page import doing, forms, terms
from trading.counter.page.forms import Field, Filled
from trading.counter.page.pages import Pages, Requested
from trading.counter.page.session import Visitor

ROWS_MAX = 200
NOTICES: dict[str, tuple[str, str]] = {
    "objection": ("收到一项异议", "an objection was filed"),
    "answer": ("异议已答复", "an objection is answered"),
    "result": ("招标结果", "result of the tender"),
    "outage": ("系统故障,期限顺延", "outage: time limits move"),
}
"""What notices say that are not named after an act of the log."""
REACH = (
    Field("email", "电子邮箱", "E-mail", "email", required=False),
    Field("phone", "手机号码", "Mobile number", max=20, required=False),
)


def routes(pages: Pages) -> list[Any]:
    """The handlers."""
    database = pages.service.database

    @get("/account/{door:str}/inbox")
    async def inbox(request: Requested, door: FromPath[str]) -> Response[str]:
        visitor = await own(pages, request, door)
        return await _show(request, visitor, await _reach(visitor))

    @post("/account/{door:str}/inbox/read", status_code=200)
    async def read(request: Requested, door: FromPath[str]) -> Response[str]:
        visitor = await own(pages, request, door)
        await doing.check_csrf(request, visitor)

        async def mark(unit: Unit) -> None:
            for row in await _mine(unit, visitor):
                if row["state"] == "unread":
                    await unit.inbox.update({**row, "state": "read"}, expected_version=row["version"])

        await database.write(mark, bearer=visitor.token)
        return pages.go(request, f"/account/{door}/inbox", zh="已全部标为已读。", en="All are marked as read.")

    @post("/account/{door:str}/inbox/reach", status_code=200)
    async def reach(request: Requested, door: FromPath[str]) -> Response[str]:
        visitor = await own(pages, request, door)
        await doing.check_csrf(request, visitor)
        filled = await forms.read(request, REACH)
        phone = filled.values.get("phone") or ""
        if phone and not re.fullmatch(r"\+?[0-9 -]{6,20}", phone):
            filled = filled.with_error("phone", "请填写手机号码,只含数字。", "Give a number of digits only.")
        if not filled.ok:
            return await _show(request, visitor, filled, status=422)

        async def keep(unit: Unit) -> None:
            row = await unit.account.read(visitor.actor.person)
            if row is None:
                raise Refused("not_found")
            body = {**row["body"], "email": filled.values.get("email") or "", "phone": phone}
            await unit.account.update({**row, "body": body}, expected_version=row["version"])

        await database.write(keep, bearer=visitor.token)
        return pages.go(request, f"/account/{door}/inbox", zh="已保存。", en="Saved.")

    async def _reach(visitor: Visitor) -> Filled:
        row = await database.read(lambda unit: unit.account.read(visitor.actor.person))
        body = row["body"] if row else {}
        return forms.blank(REACH, {"email": body.get("email", ""), "phone": body.get("phone", "")})

    async def _show(request: Requested, visitor: Visitor, filled: Filled, *, status: int = 200) -> Response[str]:
        rows = await database.read(lambda unit: _mine(unit, visitor), bearer=visitor.token)
        unread = sum(row["state"] == "unread" for row in rows)
        told = [(row, NOTICES.get(row["body"]["what"]) or terms.act(row["body"]["what"])) for row in rows]
        return pages.show(
            request, "inbox.html", visitor=visitor, status=status, filled=filled, rows=told, unread=unread
        )

    return [inbox, read, reach]


async def _mine(unit: Unit, visitor: Visitor) -> list[dict[str, Any]]:
    """Newest first."""
    newest = ("-created",)
    rows = await unit.inbox.find({"person": visitor.actor.person}, order=newest, limit=ROWS_MAX)
    if visitor.actor.organisation:
        rows += await unit.inbox.find({"organisation": visitor.actor.organisation}, order=newest, limit=ROWS_MAX)
    return sorted({row["id"]: row for row in rows}.values(), key=lambda row: row["created"], reverse=True)[:ROWS_MAX]
