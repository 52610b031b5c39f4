"""Signing up, colleagues, and delegations: who may act for an organisation."""

from __future__ import annotations

from datetime import date
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from crypto.refusal import Refused
from storage.unit import Unit
from trading.account.own import own
from trading.account.posts import named
from trading.counter.page import doing, forms
from trading.counter.page.forms import Field, Filled
from trading.counter.page.pages import Pages, Requested
from trading.counter.page.session import Visitor
from trading.people import delegations, sign_up
from trading.people.sign_up import Applicant
from trading.roles import Role

PERSON = (
    Field("name", "您的姓名", "Your name", max=60, autocomplete="name"),
    Field(
        "login",
        "用户名",
        "User name",
        max=40,
        autocomplete="username",
        hint=("3至40个小写字母、数字、点或横线。", "3 to 40 small letters, digits, dots or dashes."),
    ),
    Field("password", "密码", "Password", "new-password", hint=("至少10个字符。", "At least 10 characters.")),
    Field("again", "再输入一次密码", "Password once more", "new-password"),
    Field("email", "电子邮箱", "E-mail", "email", required=False, hint=("仅用于通知。", "For notices only.")),
)  # fmt: skip
SIGN_UP = (
    Field("organisation", "单位名称(与营业执照一致)", "Organisation (as on its licence)", max=64),
    Field("uscc", "统一社会信用代码", "Unified social credit code", "uscc", max=18, rule="GB 32100"),
    *PERSON,
)
COLLEAGUE = (
    Field("name", "同事姓名", "Colleague's name", max=60),
    Field("login", "同事的用户名", "Colleague's user name", max=40),
    Field("password", "初始密码(请同事登录后更改)", "First password (to be changed by the colleague)", "new-password"),
)
DELEGATE = (
    Field("to", "受托同事的用户名", "Colleague's user name", max=40),
    Field("first", "起日", "From", "date"),
    Field("last", "止日(含当日)", "To (that day included)", "date"),
)


def routes(pages: Pages) -> list[Any]:
    """The handlers."""
    service = pages.service
    database, world, hall = service.database, service.world, service.hall

    @get("/account/sign-up")
    async def sign_up_form(request: Requested) -> Response[str]:
        return pages.show(request, "sign_up.html", filled=forms.blank(SIGN_UP))

    @post("/account/sign-up", status_code=200)
    async def signed_up(request: Requested) -> Response[str]:
        filled = await forms.read(request, SIGN_UP)
        values, now = filled.values, world.now()
        if values.get("password") and values["password"] != values.get("again"):
            filled = filled.with_error("again", "两次输入的密码不一致。", "The two passwords differ.")
        if filled.ok:
            who = Applicant(values["login"], values["name"], values["password"], values.get("email") or "")
            try:
                await database.write(
                    lambda unit: sign_up.sign_up(
                        unit, who, uscc=values["uscc"], organisation=values["organisation"], now=now, hall=hall
                    )
                )
                zh = "注册完成,请登录。投标前请在“我的账户”中登记签名密钥。"
                en = "You are registered: sign in. Register a signing key under My account before you bid."
                return pages.go(request, "/account/sign-in?door=bidder", zh=zh, en=en)
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
        return pages.show(request, "sign_up.html", status=422, filled=filled)

    @get("/account/{door:str}/people")
    async def people(request: Requested, door: FromPath[str]) -> Response[str]:
        visitor = await own(pages, request, door)
        return await _people(request, visitor, forms.blank(COLLEAGUE), forms.blank(DELEGATE))

    @post("/account/{door:str}/people/add", status_code=200)
    async def add(request: Requested, door: FromPath[str]) -> Response[str]:
        visitor = await own(pages, request, door)
        await doing.check_csrf(request, visitor)
        filled, now = await forms.read(request, COLLEAGUE), world.now()
        if filled.ok:
            values = filled.values
            who = Applicant(values["login"], values["name"], values["password"])
            try:
                await database.write(
                    lambda unit: sign_up.add_colleague(unit, who, actor=visitor.actor, now=now, hall=hall),
                    bearer=visitor.token,
                )
                zh, en = "已添加同事。", "Your colleague is added."
                return pages.go(request, f"/account/{door}/people", zh=zh, en=en)
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
        return await _people(request, visitor, filled, forms.blank(DELEGATE), status=422)

    @post("/account/{door:str}/people/delegate", status_code=200)
    async def delegate(request: Requested, door: FromPath[str]) -> Response[str]:
        visitor = await own(pages, request, door)
        await doing.check_csrf(request, visitor)
        filled, now = await forms.read(request, DELEGATE), world.now()
        if filled.ok:
            values = filled.values
            first, last = date.fromisoformat(values["first"]), date.fromisoformat(values["last"])
            try:
                await database.write(
                    lambda unit: delegations.give(
                        unit, actor=visitor.actor, to=values["to"], first=first, last=last, now=now, hall=hall
                    ),
                    bearer=visitor.token,
                )
                zh, en = "委托已登记。", "The delegation is registered."
                return pages.go(request, f"/account/{door}/people", zh=zh, en=en)
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
        return await _people(request, visitor, forms.blank(COLLEAGUE), filled, status=422)

    @post("/account/{door:str}/people/end", status_code=200)
    async def end(request: Requested, door: FromPath[str]) -> Response[str]:
        visitor = await own(pages, request, door)
        await doing.check_csrf(request, visitor)
        which, now = str((await request.form()).get("which") or ""), world.now()
        await database.write(
            lambda unit: delegations.end(unit, actor=visitor.actor, id_=which, now=now), bearer=visitor.token
        )
        return pages.go(request, f"/account/{door}/people", zh="委托已结束。", en="The delegation has ended.")

    async def _people(
        request: Requested, visitor: Visitor, colleague: Filled, delegation: Filled, *, status: int = 200
    ) -> Response[str]:
        async def look(unit: Unit) -> tuple[dict[str, str], list[tuple[str, str]], list[delegations.Delegation]]:
            organisation = visitor.actor.organisation
            rows = await unit.person.find({"organisation": organisation}) if organisation else []
            names = {row["id"]: row["body"]["name"] for row in rows}
            grants = await unit.role_grant.find({"organisation": organisation}) if organisation else []
            held = sorted({(row["person"], row["role"]) for row in grants if "until" not in row["body"]})
            return names, held, await delegations.of(unit, visitor.actor, now=world.now())

        names, held, given = await database.read(look, bearer=visitor.token)
        told = [(names.get(person, person), person, named(Role(role))) for person, role in held]
        return pages.show(
            request, "people.html", visitor=visitor, status=status, colleague=colleague, delegation=delegation,
            people=told, names=names, given=[(one, named(Role(one.role))) for one in given],
            may_add=visitor.actor.role is Role.BIDDER, may_delegate=visitor.actor.role not in delegations.PERSONAL,
        )  # fmt: skip

    # Bidders alone register themselves; where theirs are shown.
    signing_up = [sign_up_form, signed_up] if "bidder" in pages.accounts else []
    return [*signing_up, people, add, delegate, end]
