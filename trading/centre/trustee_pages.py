"""Trustees at the centre's desk: a card is put up for certification; whether it holds is the two roots' to say.

docs/spec/release.md §2; 管办分离: the centre proposes under its power and certifies nobody. Every owner needs a trustee
of its own in the operation lock, so cards come for as long as a hall lives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from litestar import Response, get, post

from crypto.refusal import Refused
from storage.unit import Unit
from trading import rosters
from trading.counter import strict
from trading.counter.page import doing, forms, terms
from trading.counter.page.forms import Field, Filled, Upload
from trading.counter.page.pages import Pages, Requested
from trading.counter.page.session import Visitor
from trading.people import certification
from trading.roles import Permission

CARD = (Field("card", "受托人登记卡(enrolment.json)", "A trustee's card (enrolment.json)", "file", accept=".json"),)
SEATS: Mapping[str, tuple[str, str]] = {
    "owner": ("招标人", "owner"),
    "centre": ("交易中心", "trading centre"),
    "notary": ("公证机构", "notary"),
    "regulator": ("行业监管部门", "regulator"),
    "inspector": ("审计或监察机构", "inspector"),
    "independent": ("独立机构", "independent body"),
}
Powered = Callable[[Visitor, Permission], Field]


def routes(pages: Pages, powered: Powered) -> list[Any]:
    """The handlers."""
    service = pages.service
    database, world, hall = service.database, service.world, service.hall

    def fields(visitor: Visitor) -> tuple[Field, ...]:
        return (*CARD, powered(visitor, Permission.TRUSTEE_CERTIFY))

    @get("/centre/trustees")
    async def trustees(request: Requested) -> Response[str]:
        visitor = await pages.visitor(request)
        power = fields(visitor)[-1]
        first = {"power": power.choices[0][0]} if power.choices else {}
        return await _show(request, visitor, forms.blank(fields(visitor), first))

    @post("/centre/trustees", status_code=200)
    async def propose(request: Requested) -> Response[str]:
        visitor = await pages.visitor(request)
        await doing.check_csrf(request, visitor)
        filled = await forms.read(request, fields(visitor))
        given = filled.values.get("card")
        if filled.ok and isinstance(given, Upload):
            try:
                card = _read(given.data)
                now = world.now()

                async def work(unit: Unit) -> str:
                    visitor.actor.must(Permission.TRUSTEE_CERTIFY, now=now, power=filled.values["power"])
                    return await certification.propose(unit, card, by=visitor.actor.person, now=now, hall=hall)

                await database.write(work, bearer=visitor.token)
                zh, en = "登记卡已收下,等待两个根签署。", "Taken in; both roots must sign it."
                return pages.go(request, "/centre/trustees", zh=zh, en=en)
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
        return await _show(request, visitor, filled, status=422)

    @post("/centre/trustees/remove", status_code=200)
    async def remove(request: Requested) -> Response[str]:
        visitor = await pages.visitor(request)
        await doing.check_csrf(request, visitor)
        posted = await request.form()
        id_, power = str(posted.get("trustee") or ""), str(posted.get("power") or "")

        async def work(unit: Unit) -> None:
            visitor.actor.must(Permission.TRUSTEE_CERTIFY, now=world.now(), power=power)
            await certification.withdraw(unit, id_)

        await database.write(work, bearer=visitor.token)
        return pages.go(request, "/centre/trustees", zh="登记卡已撤回。", en="The card is taken back.")

    async def _show(request: Requested, visitor: Visitor, filled: Filled, *, status: int = 200) -> Response[str]:
        async def look(unit: Unit) -> dict[str, Any]:
            known = sorted((await rosters.certified(unit)).values(), key=lambda one: one.id)
            rows = {row["id"]: row["body"]["act"]["organisation"]["name"] for row in await unit.trustee.find(
                {"state": "certified"}
            )}  # fmt: skip
            unused = {one.id: await unit.prekey.count({"trustee": one.id, "tender_id": ""}) for one in known}
            return {
                "certified": [(one, rows[one.id], unused[one.id]) for one in known],
                "cards": await certification.proposed(unit),
            }

        told = await database.read(look, bearer=visitor.token)
        power = fields(visitor)[-1]
        return pages.show(
            request,
            "centre_trustees.html",
            visitor=visitor,
            status=status,
            filled=filled,
            seats=SEATS,
            groups=terms.GROUPS,
            power=power.choices[0][0] if power.choices else "",
            address=str(request.base_url).rstrip("/"),
            **told,
        )

    return [trustees, propose, remove]


def _read(data: bytes) -> Mapping[str, Any]:
    try:
        return strict.parse(data.removeprefix(b"\xef\xbb\xbf"))
    except Refused as error:
        raise Refused("trustee_card_malformed") from error
