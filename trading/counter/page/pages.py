"""Pages of one door: templates rendered in the reader's language, who is signed in, and redirections after an act.

A door makes one `Pages` and hangs its handlers under `Pages.router`. Everything a page needs comes through `show`:
`t`, `url`, `moment`, `money` … (language.py), the visitor, the hall, what time it is in a rehearsal, and one word that
the last act left behind. The Content-Security-Policy allows our own scripts and styles by address and nothing inline.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from litestar import MediaType, Request, Response, Router
from litestar.datastructures import Cookie
from litestar.exceptions import HTTPException
from markupsafe import Markup

from crypto import words
from crypto.refusal import Refused
from storage.ports import Busy
from storage.world import stamp
from trading.counter import problems
from trading.counter.page import language, session, terms
from trading.counter.page.language import Lang
from trading.counter.page.session import SignedOut, Visitor
from trading.counter.service import Service

SECURITY = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; worker-src 'self'; frame-src 'self'; manifest-src 'self'; base-uri 'none'; "
        "form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
ADDRESS = "/?&=%#:@!$'()*+,;~-._[]"
SAID = "tradehall_said"
FORM_BYTES_MAX = 32 << 20
KIT = Path(__file__).parent / "templates"

Requested = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Link:
    """One entry of a door's navigation: address, Chinese, English."""

    path: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Sign:
    """What stands over every page of this hall: its name, whether it is a rehearsal, and where people practise."""

    name: str
    rehearsal: bool
    practice: str = ""


class Pages:
    """The pages of one door. `templates` are the door's own folders of templates, before the kit's; `integrity` the
    hashes of what pages load (static.integrity); `accounts` the doors at which these pages let people sign in."""

    def __init__(
        self,
        service: Service,
        *,
        door: str,
        zh: str,
        en: str,
        sign: Sign,
        table: Mapping[str, words.Sentence],
        templates: Sequence[Path] = (),
        nav: Sequence[Link] = (),
        integrity: Mapping[str, str] | None = None,
        accounts: frozenset[str] = frozenset(),
    ) -> None:
        self.integrity = integrity or {}
        self.accounts = accounts
        self.service, self.door, self.names, self.sign, self.table = service, door, (zh, en), sign, table
        self.nav = nav
        self.environment = Environment(
            loader=ChoiceLoader([FileSystemLoader(folder) for folder in (*templates, KIT)]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.filters["capitals"] = language.capitals
        self.environment.filters["points"] = language.points

    def __deepcopy__(self, _: dict[int, Any]) -> Pages:
        # Litestar copies a router with its exception handlers; the door they belong to stays one.
        return self

    def router(self, handlers: Sequence[Any]) -> Router:
        """The handlers of this door with its way to refuse: a page that says what is wrong."""
        return Router(
            path="/",
            route_handlers=list(handlers),
            include_in_schema=False,
            request_max_body_size=FORM_BYTES_MAX,
            exception_handlers={
                SignedOut: self._signed_out,
                Refused: self._refused,
                HTTPException: self._http,
                Exception: self._error,
            },
        )

    async def visitor(self, request: Requested, door: str = "") -> Visitor:
        """Who is signed in at this door, or at another one for the pages that every door shares. Raises SignedOut,
        which leads to the sign-in page and back again; what was typed is carried through and offered again, files
        excepted."""
        try:
            return await session.visitor(request, self.service, door or self.door)
        except SignedOut as out:
            if request.method == "POST":
                posted = (await request.form()).multi_items()
                out.kept = [(name, text) for name, text in posted if isinstance(text, str) and name != "csrf"]
            raise

    def show(
        self, request: Requested, template: str, *, visitor: Visitor | None = None, status: int = 200, **facts: Any
    ) -> Response[str]:
        """Render one page."""
        lang = language.of(request.scope)
        said = _said(request)
        text = self.environment.get_template(template).render(
            **self._manners(request, lang), visitor=visitor, csrf=visitor.csrf if visitor else "", said=said, **facts
        )
        answer = Response(text, media_type=MediaType.HTML, status_code=status, headers=dict(SECURITY))
        if said is not None:
            answer.set_cookie(Cookie(key=SAID, value="", path="/", max_age=0, httponly=True, samesite="lax"))
        return answer

    def go(self, request: Requested, path: str, *, zh: str = "", en: str = "") -> Response[str]:
        """Lead to another page after an act (303), which will show this word once."""
        to = quote(language.address(inside(path), language.of(request.scope)), safe=ADDRESS)
        answer = Response("", status_code=303, headers={"location": to, "cache-control": "no-store"})
        if zh:
            word = quote(json.dumps([zh, en], ensure_ascii=False))
            answer.set_cookie(Cookie(key=SAID, value=word, path="/", max_age=60, httponly=True, samesite="lax"))
        return answer

    def told(self, refused: Refused) -> dict[str, str]:
        """A refusal in both languages."""
        return words.tell(refused, self.table)

    def _module(self, address: str) -> Markup:
        """The element that runs a script of ours, held to its hash."""
        return Markup('<script type="module" src="{}"{}></script>').format(address, self._held(address))

    def _stylesheet(self, address: str) -> Markup:
        return Markup('<link rel="stylesheet" href="{}"{}>').format(address, self._held(address))

    def _held(self, address: str) -> Markup:
        sri = self.integrity.get(address)
        return Markup(' integrity="{}"').format(sri) if sri else Markup("")

    def anywhere(self) -> dict[Any, Any]:
        """Exception handlers for the whole application: to a browser pages of this door, to programs problems."""

        def on_http(request: Requested, error: HTTPException) -> Response[Any]:
            return self._http(request, error) if problems.by_browser(request) else problems.on_http(request, error)

        def on_refused(request: Requested, refused: Refused) -> Response[Any]:
            shown = problems.by_browser(request)
            return self._refused(request, refused) if shown else problems.on_refused(request, refused)

        def on_error(request: Requested, error: Exception) -> Response[Any]:
            return self._error(request, error) if problems.by_browser(request) else problems.on_error(request, error)

        return {HTTPException: on_http, Refused: on_refused, Exception: on_error}

    def _manners(self, request: Requested, lang: Lang) -> dict[str, Any]:
        here = request.scope["path"]
        query = request.scope.get("query_string", b"").decode("latin-1")
        other: Lang = "en" if lang == "zh" else "zh"
        return {
            "lang": lang,
            "t": lambda zh, en, **facts: language.translated(lang, zh, en, **facts),
            "pick": lambda pair: pair[0] if lang == "zh" else pair[1],
            "spoken": lambda text, of="zh": language.said(lang, text, of),
            "mixed": lambda text: language.mixed(lang, text),
            "url": lambda path: language.address(path, lang),
            "moment": lambda text, **how: language.moment(lang, text, **how),
            "day": lambda text: language.day(lang, text),
            "module": self._module,
            "stylesheet": self._stylesheet,
            "money": lambda fen: language.money(lang, fen),
            "state_words": terms.state,
            "act_words": terms.act,
            "other_language": language.address(_again(request, here, query), other),
            "here": here,
            "hall": self.sign,
            "door": self.door,
            "door_name": self.names[0] if lang == "zh" else self.names[1],
            "nav": self.nav,
            "now": stamp(self.service.world.now()),
            "once": self.service.world.entropy(12).hex(),
        }

    def _signed_out(self, request: Requested, out: SignedOut) -> Response[str]:
        query = request.scope.get("query_string", b"").decode("latin-1")
        back = request.scope["path"] + (f"?{query}" if query else "")
        if not out.kept:
            return self.go(request, f"/account/sign-in?door={out.door}&back={quote(back, safe='')}")
        return self.show(request, "lost_session.html", status=401, back=back, kept=out.kept, out=out.door)

    def _refused(self, request: Requested, refused: Refused) -> Response[str]:
        status = problems.STATUS.get(refused.code, 422)
        return self.show(request, "refused.html", status=status, told=self.told(refused), rule=refused.rule)

    def _http(self, request: Requested, error: HTTPException) -> Response[str]:
        match error.status_code:
            case 404:
                refused = Refused("not_found")
            case 405:
                refused = Refused("method_not_allowed")
            case 413:
                refused = Refused("body_too_large", limit=f"{FORM_BYTES_MAX >> 20} MiB")
            case _:
                refused = Refused("body_malformed", why=str(error.detail))
        told = self.told(refused)
        return self.show(request, "refused.html", status=error.status_code, told=told, rule=None)

    def _error(self, request: Requested, error: Exception) -> Response[str]:
        if isinstance(error, Busy):
            problems.log.warning("busy at %s: %s", request.method, error)
            told = self.told(Refused("busy_try_again"))
            return self.show(request, "refused.html", status=503, told=told, rule=None)
        problems.log.error("unforeseen error at %s %s", request.method, request.url.path, exc_info=error)
        return self.show(request, "refused.html", status=500, told=self.told(Refused("internal_error")), rule=None)


def _again(request: Requested, here: str, query: str) -> str:
    """The address at which this page is read again: what answers a form is no address, the page of the form is."""
    if request.method == "GET":
        return here + (f"?{query}" if query else "")
    before = urlsplit(request.headers.get("referer", ""))
    if before.netloc != request.headers.get("host", ""):
        return "/"
    path = before.path.removeprefix(language.PREFIX) or "/"
    return path + (f"?{before.query}" if before.query else "")


def inside(path: str) -> str:
    """An address that came through a form or a query, if it stays inside this hall, else the front page.

    Browsers drop tabs and line ends and read a backslash as a slash (URL Standard): slash, tab, slash leads away too.
    """
    return path if re.fullmatch(r"/(?![/\\])[^\x00-\x20\x7f\\]*", path) else "/"


def _said(request: Requested) -> tuple[str, str] | None:
    raw = request.cookies.get(SAID, "")
    try:
        zh, en = json.loads(unquote(raw)) if raw else (None, None)
    except ValueError:
        return None
    return (str(zh), str(en)) if zh else None
