"""The pages that follow the anchors: trustees and what the roots sign, the first people of both sides, and the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from litestar import Response, get, post

from crypto.refusal import Refused
from portal.first_run import anchors, finishing
from portal.first_run import book as books
from portal.first_run.anchor_pages import CONFIRM
from portal.first_run.book import SIDES, Person, Side
from portal.first_run.desk import WHO, FirstRun
from portal.first_run.finishing import Standing
from portal.running import Running
from trading.account.posts import named
from trading.centre.trustee_pages import SEATS
from trading.counter.page import doing, forms, terms
from trading.counter.page.forms import Field, Filled, Upload
from trading.counter.page.pages import Pages, Requested
from trading.people import accounts, certification

CARD = (Field("card", "受托人登记卡(enrolment.json)", "A trustee's card (enrolment.json)", "file", accept=".json"),)
OFFICER = (
    Field("name", "姓名", "Name", max=60),
    Field("login", "用户名", "User name", max=40, hint=("小写字母、数字、点、横线。", "Small letters, digits, . _ -")),
    Field(
        "password", "密码(请本人输入)", "Password (typed by that person)", "new-password",
        hint=("至少10个字符。", "At least 10 characters."),
    ),
    Field("again", "再输入一次密码", "Repeat the password", "new-password"),
)  # fmt: skip
PURPOSES: dict[str, tuple[str, str]] = {
    "duty": ("值守密钥", "duty key"),
    "room": ("开标室密钥", "opening room's key"),
    "verifier": ("核验密钥", "verifier's key"),
}
Steps = Callable[[FirstRun], Sequence[Any]]


def waits(first: FirstRun, now: Standing | None) -> Sequence[Side]:
    """Who has still to end the first run; nobody while something lacks."""
    if now is None or now.lacks:
        return ()
    return first.waits_for("finish", finishing.digest(first.book, now))


def routes(first: FirstRun, pages: Pages, steps: Steps) -> list[Any]:
    """The handlers."""

    def running_() -> Running:
        if first.running is None:
            raise Refused("first_run_not_anchored", why=first.trouble)
        return first.running

    async def show(request: Requested, template: str, *, status: int = 200, **facts: Any) -> Response[str]:
        side, visitor = first.visitor(request)
        now = await finishing.standing(running_(), first.book)
        return pages.show(
            request,
            template,
            visitor=visitor,
            status=status,
            side=side,
            first=first,
            steps=steps(first),
            now_=now,
            address=str(request.base_url).rstrip("/"),
            who=WHO,
            **facts,
        )

    async def posted(request: Requested, fields: Sequence[Field]) -> tuple[Side, Filled]:
        side, visitor = first.visitor(request)
        await doing.check_csrf(request, visitor)
        return side, await forms.read(request, fields)

    @get("/first-run/trustees")
    async def trustees(request: Requested) -> Response[str]:
        return await _trustees(request, forms.blank(CARD))

    @post("/first-run/trustees", status_code=200)
    async def add_trustee(request: Requested) -> Response[str]:
        side, filled = await posted(request, CARD)
        given = filled.values.get("card")
        if filled.ok and isinstance(given, Upload):
            try:
                card = anchors.read_object(given.data, "trustee_card_malformed", set(certification.CARD_FIELDS))
                of = {"operation": "centre", "supervision": "supervision"}.get(str(card["group"]), side)
                if of != side:
                    raise Refused("first_run_other_side")
                running, by = running_(), first.book.administrator(side).login
                now, hall = running.world.now(), running.hall
                id_ = await running.database.write(
                    lambda unit: certification.propose(unit, card, by=by, now=now, hall=hall)
                )
                zh, en = f"登记了受托人 {id_}。", f"brought the trustee {id_}."
                first.keep(books.noted(first.book, side, zh, en, now=now))
                return pages.go(request, "/first-run/trustees", zh="登记卡已收下,等待两个根签署。", en="Taken in.")
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
        return await _trustees(request, filled, status=422)

    @post("/first-run/trustees/remove", status_code=200)
    async def remove_trustee(request: Requested) -> Response[str]:
        side, _ = await posted(request, ())
        id_, database = str((await request.form()).get("trustee") or ""), running_().database
        cards = {one["trustee"]: one for one in await database.read(certification.proposed)}
        group = {"centre": "operation", "supervision": "supervision"}[side]
        if id_ in cards and cards[id_]["group"] != group:
            raise Refused("first_run_other_side")
        await database.write(lambda unit: certification.withdraw(unit, id_))
        return pages.go(request, "/first-run/trustees", zh="登记卡已撤回。", en="The card is taken back.")

    async def _trustees(request: Requested, filled: Filled, *, status: int = 200) -> Response[str]:
        first.visitor(request)
        cards = await running_().database.read(certification.proposed)
        return await show(
            request,
            "first_run_trustees.html",
            status=status,
            filled=filled,
            cards=cards,
            seats=SEATS,
            groups=terms.GROUPS,
            purposes=PURPOSES,
            fingerprint=first.fingerprint(),
        )

    @get("/first-run/officers")
    async def officers(request: Requested) -> Response[str]:
        return await _officers(request, forms.blank(OFFICER))

    @post("/first-run/officers", status_code=200)
    async def add_officer(request: Requested) -> Response[str]:
        side, filled = await posted(request, OFFICER)
        value = filled.values
        if value.get("password") and value.get("password") != value.get("again"):
            filled = filled.with_error("again", "两次输入的密码不一致。", "The two passwords differ.")
        if filled.ok:
            try:
                running_()
                phc = accounts.hashed(value["password"])
                officer = Person(login=value["login"], name=value["name"], password=phc)
                book = books.with_officer(first.book, side, officer)
                zh, en = f"登记了首位人员 {officer.name}。", "named its first officer."
                first.keep(books.noted(book, side, zh, en, now=first.world.now()))
                return pages.go(request, "/first-run/officers", zh="已登记。", en="Entered.")
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
        return await _officers(request, filled, status=422)

    async def _officers(request: Requested, filled: Filled, *, status: int = 200) -> Response[str]:
        told = {side: (named(finishing.ROLE[side]), first.book.side(side).officer) for side in SIDES}
        return await show(request, "first_run_officers.html", status=status, filled=filled, told=told)

    @get("/first-run/finish")
    async def finish_form(request: Requested) -> Response[str]:
        return await _finish(request, None)

    @post("/first-run/finish", status_code=200)
    async def finish(request: Requested) -> Response[str]:
        side, filled = await posted(request, CONFIRM)
        if filled.ok:
            try:
                await first.check_password(side, filled.values["password"])
                running = running_()
                now = await finishing.standing(running, first.book)
                if now.lacks:
                    raise Refused("first_run_incomplete")
                digest = finishing.digest(first.book, now)
                if filled.values["digest"] != digest:
                    raise Refused("first_run_changed")
                zh, en = "确认首次运行结束。", "ended the first run."
                if not first.confirm(side, "finish", digest, zh=zh, en=en):
                    return pages.go(request, "/first-run/finish", zh="您已确认。", en="You have confirmed.")
                await finishing.finish(running, first.book)
                first.keep(books.forgotten(first.book, now=first.world.now()))
                return pages.go(request, "/first-run", zh="大厅已建成。", en="The hall is set up.")
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
        return await _finish(request, filled, status=422)

    async def _finish(request: Requested, given: Filled | None, *, status: int = 200) -> Response[str]:
        first.visitor(request)
        now = await finishing.standing(running_(), first.book)
        digest = finishing.digest(first.book, now)
        blank = forms.blank(CONFIRM, {"digest": digest})
        filled = Filled(blank.fields, blank.typed, blank.values, given.errors, given.wrong) if given else blank
        return await show(
            request,
            "first_run_finish.html",
            status=status,
            filled=filled,
            lacks=[finishing.LACKS[name] for name in now.lacks],
            waits=waits(first, now),
            told={side: (named(finishing.ROLE[side]), first.book.side(side).officer) for side in SIDES},
            fingerprint=first.fingerprint(),
        )

    return [trustees, add_trustee, remove_trustee, officers, add_officer, finish_form, finish]
