"""The first-run pages: signing up and in, what still lacks, the hall's name, region and calendar, and what is left.

Two administrators use them at the same time, each for its own side; every page says what only the other can do. Nothing
of it answers once the first run is over. anchor_pages.py holds what goes into trust.json, later_pages.py what follows.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from litestar import Response, Router, get, post
from litestar.handlers import BaseRouteHandler
from msgspec import structs

from crypto.refusal import Refused
from portal.first_run import anchor_pages, desk, finishing, later_pages
from portal.first_run import book as books
from portal.first_run.book import SIDES, Administrator
from portal.first_run.desk import FirstRun, NotIn, Over
from trading import calendar
from trading.calendar import legal_day
from trading.counter.page import doing, forms
from trading.counter.page.forms import Field, Filled
from trading.counter.page.pages import Pages, Requested
from trading.people import accounts

TEMPLATES = Path(__file__).parent / "templates"
LONG_ENOUGH = ("至少10个字符。", "At least 10 characters.")
SIGN_UP = (
    Field(
        "secret",
        "一次性口令",
        "One-time secret",
        max=60,
        hint=("tradehall init 为您这一方打印的六组字符。", "The six groups that tradehall init printed for your side."),
    ),
    Field("name", "姓名", "Name", max=60),
    Field("organisation", "单位名称(与签名证书一致)", "Organisation (as in its signing certificate)", max=64),
    Field("uscc", "统一社会信用代码", "Unified social credit code", "uscc"),
    Field("login", "用户名", "User name", max=40, hint=("小写字母、数字、点、横线。", "Small letters, digits, . _ -")),
    Field("password", "密码", "Password", "new-password", hint=LONG_ENOUGH),
    Field("again", "再输入一次密码", "Repeat the password", "new-password"),
)
SIGN_IN = (
    Field("login", "用户名", "User name", autocomplete="username", max=40),
    Field("password", "密码", "Password", "password"),
)
HALL = (
    Field("hall", "交易大厅名称", "Name of the hall", max=60),
    Field(
        "region",
        "行政区划代码",
        "Division code",
        max=6,
        hint=("GB/T 2260 六位数字,例如 510100。", "Six digits of GB/T 2260, such as 510100."),
    ),
)


def routes(first: FirstRun, pages: Pages) -> list[Router | BaseRouteHandler]:
    """Every handler of the first run."""

    @get("/first-run")
    async def state(request: Requested) -> Response[str]:
        side = first.signed_in(request)
        if side is None:
            free = [each for each in SIDES if first.book.side(each).administrator is None]
            return pages.show(request, "first_run_welcome.html", first=first, free=free, steps=[], side=None)
        side, visitor = first.visitor(request)
        running = first.running
        now = await finishing.standing(running, first.book) if running else None
        lacks = [desk.LACKS[name] for name in first.lacking()] if not first.book.anchored else []
        lacks += [finishing.LACKS[name] for name in now.lacks] if now else []
        waits = anchor_pages.waits(first) if not first.book.anchored else later_pages.waits(first, now)
        return pages.show(
            request,
            "first_run_state.html",
            visitor=visitor,
            side=side,
            first=first,
            steps=steps(first),
            lacks=lacks,
            waits=[desk.WHO[each] for each in waits],
            who=desk.WHO,
        )

    @get("/first-run/sign-up")
    async def sign_up_form(request: Requested) -> Response[str]:
        return _sign_up(request, forms.blank(SIGN_UP))

    @post("/first-run/sign-up", status_code=200)
    async def sign_up(request: Requested) -> Response[str]:
        filled = await forms.read(request, SIGN_UP)
        value = filled.values
        if filled.values.get("password") and value.get("password") != value.get("again"):
            filled = filled.with_error("again", "两次输入的密码不一致。", "The two passwords differ.")
        if filled.ok:
            try:
                who = Administrator(
                    login=value["login"],
                    name=value["name"],
                    organisation=value["organisation"],
                    uscc=value["uscc"],
                    password=accounts.hashed(value["password"]),
                )
                address = request.client.host if request.client else ""
                side = first.sign_up(value["secret"], who, address=address, signed_in=first.signed_in(request))
                answer = pages.go(request, "/first-run", zh="您已注册。", en="You are signed up.")
                answer.set_cookie(first.cookie(request, first.begin_session(side)))
                return answer
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
        return _sign_up(request, filled, status=422)

    def _sign_up(request: Requested, filled: Filled, *, status: int = 200) -> Response[str]:
        return pages.show(
            request, "first_run_sign_up.html", status=status, filled=filled, first=first, steps=[], side=None
        )

    @get("/first-run/sign-in")
    async def sign_in_form(request: Requested) -> Response[str]:
        return _sign_in(request, forms.blank(SIGN_IN))

    @post("/first-run/sign-in", status_code=200)
    async def sign_in(request: Requested) -> Response[str]:
        filled = await forms.read(request, SIGN_IN)
        if filled.ok:
            try:
                side = await first.sign_in(filled.values["login"], filled.values["password"])
                first.end_session(request)
                answer = pages.go(request, "/first-run")
                answer.set_cookie(first.cookie(request, first.begin_session(side)))
                return answer
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
        return _sign_in(request, filled, status=422)

    def _sign_in(request: Requested, filled: Filled, *, status: int = 200) -> Response[str]:
        return pages.show(
            request, "first_run_sign_in.html", status=status, filled=filled, first=first, steps=[], side=None
        )

    @post("/first-run/sign-out", status_code=200)
    async def sign_out(request: Requested) -> Response[str]:
        _, visitor = first.visitor(request)
        await doing.check_csrf(request, visitor)
        first.end_session(request)
        answer = pages.go(request, "/first-run", zh="您已退出。", en="You are signed out.")
        answer.set_cookie(first.cookie(request, "", ended=True))
        return answer

    @get("/first-run/hall")
    async def hall(request: Requested) -> Response[str]:
        return _hall(request, forms.blank(HALL, {"hall": first.book.hall, "region": first.book.region}))

    @post("/first-run/hall", status_code=200)
    async def save_hall(request: Requested) -> Response[str]:
        side, visitor = first.visitor(request)
        await doing.check_csrf(request, visitor)
        filled = await forms.read(request, HALL)
        if filled.ok:
            try:
                if side != "centre":
                    raise Refused("first_run_other_side")
                name, region = filled.values["hall"], filled.values["region"]
                books.check_region(region)
                first.change(
                    side,
                    lambda book: structs.replace(book, hall=name, region=region),
                    zh=f"填写了大厅名称“{name}”和区划代码 {region}。",
                    en=f"gave the hall's name and the division code {region}.",
                )
                return pages.go(request, "/first-run/hall", zh="已保存。", en="Saved.")
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
        return _hall(request, filled, status=422)

    @post("/first-run/calendar", status_code=200)
    async def save_calendar(request: Requested) -> Response[str]:
        side, visitor = first.visitor(request)
        await doing.check_csrf(request, visitor)
        digest = books.calendar_digest()
        if str((await request.form()).get("calendar") or "") != digest:
            raise Refused("first_run_changed")
        first.change(
            side,
            lambda book: structs.replace(book, calendar=digest),
            zh="确认了日历。",
            en="acknowledged the calendar.",
        )
        return pages.go(request, "/first-run/authorities", zh="日历已确认。", en="The calendar is acknowledged.")

    def _hall(request: Requested, filled: Filled, *, status: int = 200) -> Response[str]:
        side, visitor = first.visitor(request)
        years = sorted(calendar.load().years.values(), key=lambda one: one.year)
        today: date = legal_day(first.world.now())
        known = {one.year for one in years if not one.provisional}
        return pages.show(
            request,
            "first_run_hall.html",
            visitor=visitor,
            status=status,
            side=side,
            first=first,
            steps=steps(first),
            filled=filled,
            region=books.region_name(first.book.region) if first.book.region else "",
            years=years,
            without=[year for year in (today.year, today.year + 1) if year not in known],
            digest=books.calendar_digest(),
        )

    def not_in(request: Requested, _: NotIn) -> Response[str]:
        return pages.go(request, "/first-run/sign-in", zh="请先登录。", en="Sign in first.")

    def over(request: Requested, _: Over) -> Response[str]:
        return pages.show(request, "first_run_over.html", status=410, trust="", at=first.book.done, steps=[], side=None)

    handlers = [state, sign_up_form, sign_up, sign_in_form, sign_in, sign_out, hall, save_hall, save_calendar]
    inner = pages.router(
        [*handlers, *anchor_pages.routes(first, pages, steps), *later_pages.routes(first, pages, steps)]
    )
    return [Router(path="/", route_handlers=[inner], exception_handlers={NotIn: not_in, Over: over})]


def steps(first: FirstRun) -> list[tuple[str, str, str, bool]]:
    """The steps in order: address, names, whether nothing of it lacks."""
    lacks = {address for address, _, _ in (desk.LACKS[name] for name in first.lacking())}
    anchored = first.book.anchored != ""
    told = [
        ("/first-run/hall", "大厅与日历", "Hall and calendar", anchored or "/first-run/hall" not in lacks),
        ("/first-run/authorities", "证书机构", "Authorities", anchored or "/first-run/authorities" not in lacks),
        ("/first-run/roots", "根与证书", "Roots and certificates", anchored or "/first-run/roots" not in lacks),
        ("/first-run/witnesses", "见证人", "Witnesses", anchored or "/first-run/witnesses" not in lacks),
        ("/first-run/anchors", "信任锚", "Anchors", anchored),
    ]
    if anchored:
        officers = all(first.book.side(side).officer for side in SIDES)
        told += [
            ("/first-run/trustees", "受托人", "Trustees", False),
            ("/first-run/officers", "首位人员", "First people", officers),
            ("/first-run/finish", "完成", "Finish", False),
        ]
    return told


def over_route(pages: Pages, path: Path, fingerprint: str) -> list[BaseRouteHandler | Router]:
    """What a hall that is set up answers at the address of its first run."""

    @get("/first-run")
    async def over(request: Requested) -> Response[str]:
        done = books.load(path).done
        return pages.show(request, "first_run_over.html", trust=fingerprint, at=done, steps=[], side=None)

    return [pages.router([over])]
