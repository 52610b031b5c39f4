"""One-time codes and passkeys of one's own account, and signing in with a passkey.

The QR code is an SVG of the hall itself (segno); no other place learns the secret. Passkeys want a script and a secure
address (https, or http://localhost); the password stays possible without either.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pyotp
import segno
from litestar import MediaType, Response, get, post
from litestar.datastructures import Cookie
from litestar.params import FromPath

from crypto.refusal import Refused
from trading.account.own import own
from trading.counter import strict
from trading.counter.page import doing, forms, session
from trading.counter.page.forms import Field, Filled
from trading.counter.page.pages import Pages, Requested
from trading.counter.page.session import Visitor
from trading.people import accounts, factors
from trading.people.accounts import Known, Post

ASKED = "tradehall_asked"
CODE = (
    Field("code", "验证器上的六位数字", "Six digits that the app shows", "code", autocomplete="one-time-code", max=12),
)
PROVE = (Field("old", "现在的密码", "Present password", "password"),)
Begun = Callable[[Requested, str, Post, str], Awaitable[str]]


def routes(pages: Pages, begun: Begun) -> list[Any]:
    """The handlers of codes and passkeys; `begun` begins a session."""
    service = pages.service
    database, world = service.database, service.world

    @get("/account/{door:str}/codes")
    async def codes(request: Requested, door: FromPath[str]) -> Response[str]:
        return await _codes(request, await own(pages, request, door), forms.blank(CODE), forms.blank(PROVE))

    @post("/account/{door:str}/codes/begin", status_code=200)
    async def begin(request: Requested, door: FromPath[str]) -> Response[str]:
        visitor = await own(pages, request, door)
        await doing.check_csrf(request, visitor)
        login = visitor.actor.person
        await database.write(lambda unit: factors.begin_totp(unit, login, entropy=world.entropy))
        return pages.go(request, f"/account/{door}/codes")

    @post("/account/{door:str}/codes/confirm", status_code=200)
    async def confirm(request: Requested, door: FromPath[str]) -> Response[str]:
        visitor = await own(pages, request, door)
        await doing.check_csrf(request, visitor)
        filled, login = await forms.read(request, CODE), visitor.actor.person
        if filled.ok:
            code = str(filled.values["code"])
            try:
                given = await database.write(
                    lambda unit: factors.confirm_totp(unit, login, code, now=world.wall(), entropy=world.entropy)
                )
                return pages.show(request, "recovery_codes.html", visitor=visitor, codes=given)
            except Refused as refused:
                filled = filled.refused(pages.told(refused))
        return await _codes(request, visitor, filled, forms.blank(PROVE), status=422)

    @post("/account/{door:str}/codes/end", status_code=200)
    async def end(request: Requested, door: FromPath[str]) -> Response[str]:
        visitor = await own(pages, request, door)
        await doing.check_csrf(request, visitor)
        filled = await forms.read(request, PROVE)
        if filled.ok:
            try:
                await _prove(visitor, str(filled.values["old"]))
                await database.write(lambda unit: factors.end_totp(unit, visitor.actor.person))
                return pages.go(request, f"/account/{door}/codes", zh="动态口令已停用。", en="One-time codes are off.")
            except Refused as refused:
                filled = filled.refused(pages.told(refused))
        return await _codes(request, visitor, forms.blank(CODE), filled, status=422)

    async def _prove(visitor: Visitor, password: str) -> None:
        login, now = visitor.actor.person, world.now()
        await database.read(lambda unit: accounts.waiting(unit, login, now=now))
        phc = await database.read(lambda unit: accounts.password_of(unit, login))
        if not await asyncio.to_thread(accounts.matches, phc, password):
            await database.write(lambda unit: accounts.note_failure(unit, login, now=now))
            raise Refused("sign_in_failed")

    async def _codes(
        request: Requested, visitor: Visitor, filled: Filled, prove: Filled, *, status: int = 200
    ) -> Response[str]:
        login = visitor.actor.person
        secret = await database.read(lambda unit: factors.waiting_totp(unit, login))
        known = await database.read(lambda unit: accounts.known(unit, login, now=world.now()))
        qr = ""
        if secret:
            uri = pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=pages.sign.name)
            qr = segno.make(uri, error="m").svg_data_uri(scale=5, border=3, light="#fff")
        keys = await database.read(lambda unit: factors.passkeys(unit, login))
        return pages.show(
            request, "factors.html", visitor=visitor, status=status, filled=filled, prove=prove, secret=secret, qr=qr,
            on=bool(known.totp), passkeys=keys, passkeys_possible=_place(request).host != "127.0.0.1",
        )  # fmt: skip

    @post("/account/{door:str}/passkeys/options", status_code=200)
    async def passkey_options(request: Requested, door: FromPath[str]) -> Response[str]:
        visitor = await own(pages, request, door)
        _by_script(request, visitor)
        login, at = visitor.actor.person, _place(request)
        known = await database.read(lambda unit: factors.passkeys(unit, login))
        asked = factors.challenge(now=world.now(), entropy=world.entropy)
        ids = [one["id"] for one in known]
        told = factors.registration(login, visitor.name, asked, ids, at=at, hall=pages.sign.name)
        return _asking(request, told, asked)

    @post("/account/{door:str}/passkeys/add", status_code=200)
    async def passkey_add(request: Requested, door: FromPath[str]) -> Response[dict[str, Any]]:
        visitor = await own(pages, request, door)
        _by_script(request, visitor)
        login, now, at, asked = visitor.actor.person, world.now(), _place(request), _asked(request)
        told = strict.parse(await request.body())
        name = str(told.get("name") or "")
        try:
            await database.write(
                lambda unit: factors.add_passkey(unit, login, told["credential"], asked, name=name, at=at, now=now)
            )
        except Refused as refused:
            return Response({"message": pages.told(refused)}, status_code=422)
        return Response({"to": f"/account/{door}/codes"})

    @post("/account/{door:str}/passkeys/end", status_code=200)
    async def passkey_end(request: Requested, door: FromPath[str]) -> Response[str]:
        visitor = await own(pages, request, door)
        await doing.check_csrf(request, visitor)
        which = str((await request.form()).get("which") or "")
        await database.write(lambda unit: factors.end_passkey(unit, visitor.actor.person, which))
        return pages.go(request, f"/account/{door}/codes", zh="通行密钥已删除。", en="The passkey is removed.")

    @post("/account/passkey/options", status_code=200)
    async def sign_in_options(request: Requested) -> Response[str]:
        asked = factors.challenge(now=world.now(), entropy=world.entropy)
        return _asking(request, factors.request(asked, at=_place(request)), asked)

    @post("/account/passkey", status_code=200)
    async def sign_in(request: Requested) -> Response[dict[str, Any]]:
        told = strict.parse(await request.body())
        now, at, asked = world.now(), _place(request), _asked(request)
        try:
            login = await database.write(
                lambda unit: factors.use_passkey(unit, told["credential"], asked, at=at, now=now)
            )
            known = here(pages, await database.read(lambda unit: accounts.known(unit, login, now=now)))
        except Refused as refused:
            return Response({"message": pages.told(refused)}, status_code=422)
        wanted = session.DOORS.get(str(told.get("door") or ""), frozenset())
        post_ = next((one for one in known.posts if one.role in wanted), known.posts[0])
        door = session.door_of(post_.role)
        token = await begun(request, login, post_, door)
        back = str(told.get("back") or "")
        inside = back.startswith("/") and not back.startswith(("//", "/\\"))
        answer = Response({"to": back if inside else f"/{door}"})
        answer.set_cookie(session.cookie(request, door, token))
        answer.set_cookie(Cookie(key=ASKED, value="", path="/account", max_age=0, httponly=True, samesite="strict"))
        return answer

    return [
        codes, begin, confirm, end, passkey_options, passkey_add, passkey_end, sign_in_options, sign_in,
    ]  # fmt: skip


def here(pages: Pages, known: Known) -> Known:
    """Who signs in, with the posts of these pages' doors. Raises Refused: no_post, post_at_another_door."""
    if not known.posts:
        raise Refused("no_post")
    elsewhere = {role for door, roles in session.DOORS.items() if door not in pages.accounts for role in roles}
    posts = [one for one in known.posts if one.role not in elsewhere]
    if not posts:
        raise Refused("post_at_another_door")
    return replace(known, posts=posts)


def _by_script(request: Requested, visitor: Visitor) -> None:
    if request.headers.get("x-csrf-token") != visitor.csrf:
        raise Refused("form_not_ours")


def _place(request: Requested) -> factors.Place:
    host = request.url.hostname or ""
    return factors.Place(host, f"{request.url.scheme}://{request.url.netloc}")


def _asking(request: Requested, told: str, asked: bytes) -> Response[str]:
    answer = Response(json.dumps(json.loads(told)), media_type=MediaType.JSON, headers={"cache-control": "no-store"})
    value = base64.urlsafe_b64encode(asked).decode()
    secure = request.url.scheme == "https"
    answer.set_cookie(
        Cookie(key=ASKED, value=value, path="/account", max_age=300, httponly=True, samesite="strict", secure=secure)
    )
    return answer


def _asked(request: Requested) -> bytes:
    try:
        return base64.urlsafe_b64decode(request.cookies.get(ASKED, ""))
    except ValueError as error:
        raise Refused("passkey_wrong", why="challenge") from error
