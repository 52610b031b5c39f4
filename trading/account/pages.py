"""Signing in and out, signing up, and one's own account with its password and sessions.

A session is of one person in one role for one organisation, at one door; it is made anew at every sign-in (the one that
the browser had at that door ends). What was typed when a session was lost is carried through and offered again.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery

from crypto.refusal import Refused
from trading.account import factors_pages, inbox_pages, keys_pages, people_pages
from trading.account.own import own
from trading.account.posts import named
from trading.counter.page import doing, forms, session
from trading.counter.page.forms import Field, Filled
from trading.counter.page.pages import Pages, Requested, inside
from trading.counter.page.session import Visitor
from trading.people import accounts, factors
from trading.people.accounts import Known, Post
from trading.roles import Role

TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"

SIGN_IN = (
    Field("login", "用户名", "User name", autocomplete="username"),
    Field("password", "密码", "Password", "password"),
    Field(
        "totp", "动态口令或恢复码(已启用者填写)", "One-time or recovery code (if you use them)", "code", required=False
    ),
    Field("post", "身份", "Role", "text", required=False),
    Field("door", "", "", "hidden", required=False),
    Field("back", "", "", "hidden", required=False, max=4000),
)
FIRST = ("bidder", *(door for door in session.DOORS if door != "bidder"))
"""Whose account is shown to somebody who is signed in nowhere."""
BROWSERS = (("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (
    ("Windows", "Windows"), ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)  # fmt: skip
PASSWORD = (
    Field("old", "现在的密码", "Present password", "password"),
    Field("new", "新密码", "New password", "new-password", hint=("至少10个字符。", "At least 10 characters.")),
    Field("again", "再输入一次新密码", "New password once more", "new-password"),
)


def routes(pages: Pages) -> list[Any]:
    """The handlers of the account door."""
    service = pages.service
    database, world = service.database, service.world

    @get("/account/sign-in")
    async def sign_in_form(request: Requested, door: FromQuery[str] = "", back: FromQuery[str] = "") -> Response[str]:
        filled = forms.blank(SIGN_IN, {"door": door, "back": back})
        return pages.show(request, "sign_in.html", filled=filled, kept=[], posts=[])

    @post("/account/sign-in", status_code=200)
    async def sign_in(request: Requested) -> Response[str]:
        filled = await forms.read(request, SIGN_IN)
        posted = await request.form()
        kept = [(name, text) for name, text in posted.multi_items() if name.startswith("kept.")]
        if posted.get("show"):
            blank = forms.blank(SIGN_IN, {name: posted.get(name, "") for name in ("door", "back")})
            return pages.show(request, "sign_in.html", filled=blank, kept=kept, posts=[])
        if filled.errors:
            return pages.show(request, "sign_in.html", status=422, filled=filled, kept=kept, posts=[])
        try:
            known = await _proved(request, filled)
            chosen = _chosen(known, filled)
        except Refused as refused:
            filled = filled.refused(pages.told(refused), refused.rule)
            return pages.show(request, "sign_in.html", status=422, filled=filled, kept=kept, posts=[])
        if chosen is None:
            posts = [(f"{one.role}:{one.organisation}", named(one.role), one.organisation) for one in known.posts]
            return pages.show(request, "sign_in.html", filled=filled, kept=kept, posts=posts)
        door = session.door_of(chosen.role)
        token = await begun(request, known.login, chosen, door)
        back = inside(str(filled.values.get("back") or "") or f"/{door}")
        if kept:
            again = [(name.removeprefix("kept."), text) for name, text in kept]
            answer = pages.show(request, "resume.html", kept=again, back=back, new_csrf=session.csrf(token))
        else:
            answer = pages.go(request, back)
        answer.set_cookie(session.cookie(request, door, token))
        return answer

    async def begun(request: Requested, login: str, chosen: Post, door: str) -> str:
        """A new session; the one that this browser had at the door ends."""
        before = request.cookies.get(session.cookie_name(door), "")
        address = request.client.host if request.client else ""
        device = request.headers.get("user-agent", "")[:200]

        async def begin(unit: Any) -> str:
            if before:
                await accounts.end_session(unit, before)
            return await accounts.begin_session(
                unit, login=login, post=chosen, door=door, now=world.now(), hall=service.hall, address=address,
                device=device,
            )  # fmt: skip

        return await database.write(begin)

    async def _proved(request: Requested, filled: Filled) -> Known:
        login, password = str(filled.values["login"]), str(filled.values["password"])
        now = world.now()
        address = request.client.host if request.client else ""
        await database.read(lambda unit: accounts.waiting(unit, login, now=now, address=address))
        phc = await database.read(lambda unit: accounts.password_of(unit, login))
        right = await asyncio.to_thread(accounts.matches, phc, password)
        known = await database.read(lambda unit: accounts.known(unit, login, now=now))
        if right and known.totp:
            code = str(filled.values.get("totp") or "")
            try:
                await database.write(lambda unit: factors.take_code(unit, login, code, now=world.wall()))
            except Refused:
                right = False
        if not right:
            await database.write(lambda unit: accounts.note_failure(unit, login, now=now, address=address))
            raise Refused("sign_in_failed")
        return factors_pages.here(pages, known)

    @post("/account/sign-out", status_code=200)
    async def sign_out(request: Requested) -> Response[str]:
        posted = await request.form()
        door = str(posted.get("door") or "")
        token = request.cookies.get(session.cookie_name(door), "") if door in pages.accounts else ""
        if not token or posted.get("csrf") != session.csrf(token):
            raise Refused("form_not_ours")
        await database.write(lambda unit: accounts.end_session(unit, token))
        answer = pages.go(request, "/", zh="您已退出。", en="You are signed out.")
        answer.set_cookie(session.cookie(request, door, "", ended=True))
        return answer

    @get("/account")
    async def whichever(request: Requested, door: FromQuery[str] = "") -> Response[str]:
        shown = [one for one in FIRST if one in pages.accounts]
        held = [one for one in shown if request.cookies.get(session.cookie_name(one))]
        to = door if door in pages.accounts else (held or shown)[0]
        return pages.go(request, f"/account/{to}")

    @get("/account/{door:str}")
    async def account(request: Requested, door: FromPath[str]) -> Response[str]:
        return await _account(request, await own(pages, request, door), forms.blank(PASSWORD))

    async def _account(request: Requested, visitor: Visitor, filled: Filled, *, status: int = 200) -> Response[str]:
        login = visitor.actor.person
        running = await database.read(lambda unit: accounts.sessions(unit, login, now=world.now()))
        told = [(one, named(Role(one.role))) for one in running]
        return pages.show(
            request, "account.html", visitor=visitor, status=status, filled=filled, sessions=told,
            devices={one.id: _device(one.device) for one in running},
            this=accounts.session_id(visitor.token), role=named(visitor.actor.role),
        )  # fmt: skip

    @post("/account/{door:str}/password", status_code=200)
    async def password(request: Requested, door: FromPath[str]) -> Response[str]:
        visitor = await own(pages, request, door)
        await doing.check_csrf(request, visitor)
        filled = await forms.read(request, PASSWORD)
        if filled.ok and filled.values["new"] != filled.values["again"]:
            filled = filled.with_error("again", "两次输入的新密码不一致。", "The two new passwords differ.")
        if filled.ok:
            login, values, now = visitor.actor.person, filled.values, world.now()

            async def change(unit: Any) -> None:
                await accounts.change_password(unit, login=login, old=values["old"], new=values["new"], now=now)
                # Whoever knew the old password is out everywhere.
                await accounts.end_sessions(unit, login, but=visitor.token)

            try:
                await database.write(change, bearer=visitor.token)
                zh, en = "密码已更改,其他会话已结束。", "Password changed; your other sessions have ended."
                return pages.go(request, f"/account/{door}", zh=zh, en=en)
            except Refused as refused:
                if refused.code == "sign_in_failed":
                    await database.write(lambda unit: accounts.note_failure(unit, login, now=now))
                filled = filled.refused(pages.told(refused))
        return await _account(request, visitor, filled, status=422)

    @post("/account/{door:str}/sessions", status_code=200)
    async def end_sessions(request: Requested, door: FromPath[str]) -> Response[str]:
        visitor = await own(pages, request, door)
        await doing.check_csrf(request, visitor)
        which = str((await request.form()).get("which") or "")
        login = visitor.actor.person
        await database.write(
            lambda unit: accounts.end_sessions(unit, login, which=which, but=visitor.token), bearer=visitor.token
        )
        return pages.go(request, f"/account/{door}", zh="会话已结束。", en="The session has ended.")

    return [
        sign_in_form,
        sign_in,
        sign_out,
        whichever,
        account,
        password,
        end_sessions,
        *factors_pages.routes(pages, begun),
        *keys_pages.routes(pages),
        *people_pages.routes(pages),
        *inbox_pages.routes(pages),
    ]


def _device(agent: str) -> str:
    """A browser and a system as a person names them, of what a browser says of itself."""
    browser = next((name for mark, name in BROWSERS if mark in agent), "")
    system = next((name for mark, name in SYSTEMS if mark in agent), "")
    return " · ".join(one for one in (browser, system) if one) or agent[:40]


def _chosen(known: Known, filled: Filled) -> Post | None:
    """The post to sign in to: the one chosen, the only one, or the only one of the wanted door."""
    asked = str(filled.values.get("post") or "")
    for one in known.posts:
        if asked == f"{one.role}:{one.organisation}":
            return one
    wanted = session.DOORS.get(str(filled.values.get("door") or ""), frozenset[Role]())
    fitting = [one for one in known.posts if one.role in wanted] or list(known.posts)
    return fitting[0] if len(fitting) == 1 else None
