"""The desk of a first run: who is signed in, what lacks, and the two moments at which both must have said yes.

管办分离, 20号令 §15: every change names the side that made it, trust.json is written when both sides have confirmed the
very same contents with their passwords, and the first run ends when both end it. Sessions live in this process alone;
after a restart everybody signs in again. Five wrong passwords, or twenty wrong secrets from one address, within a
quarter of an hour close the door for that long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from litestar.datastructures import Cookie
from msgspec import structs

from crypto.ledger import note
from crypto.refusal import Refused
from crypto.trust import load as load_trust
from portal import folder
from portal.first_run import anchors, finishing
from portal.first_run import book as books
from portal.first_run.book import OTHER, SIDES, Administrator, Book, Side, Step
from storage.world import World, stamp
from trading.counter.page.pages import Requested
from trading.counter.page.session import Visitor
from trading.people import accounts
from trading.people.tokens import token_hash
from trading.roles import Actor, Role

if TYPE_CHECKING:
    from portal.running import Running

COOKIE = "tradehall_first_run"
DOOR = "first-run"
SESSION_HOURS = 4
ATTEMPTS_MAX = 5
SECRETS_TRIED_MAX = 20
ATTEMPT_MINUTES = 15


class NotIn(Exception):
    """The page is for an administrator who is signed in."""


class Over(Exception):
    """The first run of this hall is over; none of its pages is there any more."""


@dataclass(slots=True)
class FirstRun:
    """One hall's first run in this process. `anchored` is set once trust.json is written, `opened` once the hall runs
    under it; `running` is that hall, `trouble` why it could not be opened."""

    path: Path
    world: World
    book: Book
    running: Running | None = None
    trouble: str = ""
    anchored: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    _sessions: dict[str, tuple[Side, datetime]] = field(default_factory=dict)
    _failures: dict[str, list[datetime]] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path, *, world: World) -> FirstRun:
        """The first run of a folder, as far as it came. Raises Refused: first_run_unreadable, trust_not_confirmed (the
        trust.json in the folder is not the one that both confirmed)."""
        made = cls(path, world, books.load(path))
        if made.book.done:
            return made
        there = path / "trust.json"
        if there.exists():
            hall = folder.load(path)
            digest = anchors.digest(made.book, hall.card, there.read_bytes())
            if not made.book.by_both("anchors", digest):
                raise Refused("trust_not_confirmed", folder=str(path))
            if not made.book.anchored:
                made.keep(structs.replace(made.book, anchored=stamp(world.now())))
        return made

    def keep(self, book: Book) -> None:
        """Put a changed book on the disk, then go on with it."""
        books.save(self.path, book)
        self.book = book

    async def open_behind(self, running: Running) -> None:
        """Go on before a hall that runs now; if its database says that the first run ended, it is over."""
        self.running = running
        if await finishing.is_over(running):
            self.keep(books.forgotten(self.book, now=self.world.now()))

    # -- who is at the desk

    def sign_up(self, secret: str, who: Administrator, *, address: str, signed_in: Side | None) -> Side:
        """Take in the administrator of the side whose secret this is. Raises Refused: what book.side_of_secret and
        book.signed_up refuse, first_run_same_browser (the other one is signed in here), sign_in_wait."""
        self._waiting(f"secret {address}", SECRETS_TRIED_MAX)
        try:
            side = books.side_of_secret(self.book, secret)
        except Refused:
            self._failed(f"secret {address}")
            raise
        if signed_in is not None and signed_in != side:
            raise Refused("first_run_same_browser")
        self.keep(books.signed_up(self.book, side, who, now=self.world.now()))
        return side

    async def sign_in(self, login: str, password: str) -> Side:
        """The side of the administrator with this password. Raises Refused: sign_in_wait, sign_in_failed."""
        found = next((s for s in SIDES if (a := self.book.side(s).administrator) and a.login == login), None)
        counted = f"login {login}" if found else "login of nobody"
        self._waiting(counted, ATTEMPTS_MAX)
        phc = self.book.administrator(found).password if found else ""
        if not await asyncio.to_thread(accounts.matches, phc, password) or found is None:
            self._failed(counted)
            raise Refused("sign_in_failed")
        return found

    async def check_password(self, side: Side, password: str) -> None:
        """Raise Refused: sign_in_wait, first_run_password_wrong, unless it is this administrator's own."""
        who = self.book.administrator(side)
        self._waiting(f"login {who.login}", ATTEMPTS_MAX)
        if not await asyncio.to_thread(accounts.matches, who.password, password):
            self._failed(f"login {who.login}")
            raise Refused("first_run_password_wrong")

    def begin_session(self, side: Side) -> str:
        """A new session of a side's administrator; the token is nowhere else in the clear."""
        token = self.world.entropy(24).hex()
        until = self.world.now() + timedelta(hours=SESSION_HOURS)
        self._sessions[token_hash(token)] = (side, until)
        return token

    def end_session(self, request: Requested) -> None:
        """Forget the session of a request."""
        self._sessions.pop(token_hash(request.cookies.get(COOKIE, "")), None)

    def signed_in(self, request: Requested) -> Side | None:
        """The side whose administrator asks; None for anybody else."""
        side, until = self._sessions.get(token_hash(request.cookies.get(COOKIE, "")), (None, self.world.now()))
        return side if until > self.world.now() else None

    def visitor(self, request: Requested) -> tuple[Side, Visitor]:
        """The side and the person who asks. Raises Over, NotIn."""
        if self.book.done:
            raise Over
        side = self.signed_in(request)
        if side is None:
            raise NotIn
        who = self.book.administrator(side)
        address = request.client.host if request.client else ""
        device = request.headers.get("user-agent", "")[:200]
        actor = Actor(who.login, who.uscc, Role.ADMINISTRATOR, address, device)
        return side, Visitor(actor, request.cookies[COOKIE], DOOR, who.name, who.organisation)

    def cookie(self, request: Requested, token: str, *, ended: bool = False) -> Cookie:
        """The cookie that begins a session, or ends it."""
        return Cookie(
            key=COOKIE,
            value=token,
            path="/",
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
            max_age=0 if ended else None,
        )

    # -- what is entered

    def change(self, side: Side, change: Callable[[Book], Book], *, zh: str, en: str) -> None:
        """One change of what trust.json will say. Raises Refused("first_run_anchored") once both have confirmed it, and
        what the change refuses."""
        if self.book.anchored:
            raise Refused("first_run_anchored")
        self.keep(books.noted(change(self.book), side, zh, en, now=self.world.now()))

    def lacking(self) -> Sequence[str]:
        """What is missing before trust.json can be made, by the names of LACKS."""
        book = self.book
        groups = {one.group for one in book.witnesses}
        told = {
            "administrator_centre": book.centre.administrator,
            "administrator_supervision": book.supervision.administrator,
            "hall": book.hall and book.region,
            "calendar": book.calendar == books.calendar_digest(),
            "authorities": book.ca_roots,
            "root_centre": book.centre.root,
            "root_supervision": book.supervision.root,
            "certificate_centre": book.centre.certificate,
            "certificate_supervision": book.supervision.certificate,
            "witness_operation": "operation" in groups,
            "witness_supervision": "supervision" in groups,
        }
        return [name for name, there in told.items() if not there]

    def card(self) -> folder.Card:
        """The hall's card as the book has it."""
        return folder.card_of(name=self.book.hall, uscc=self.book.uscc, region=self.book.region, demo=False)

    def trust(self) -> tuple[bytes, str]:
        """trust.json and the digest that a confirmation names. Raises Refused: first_run_incomplete, and what
        anchors.trust_bytes refuses."""
        there = self.path / "trust.json"
        if self.book.anchored and there.exists():
            data = there.read_bytes()
            return data, anchors.digest(self.book, folder.load(self.path).card, data)
        if self.lacking():
            raise Refused("first_run_incomplete")
        card = self.card()
        data = anchors.trust_bytes(self.book, folder.Folder(self.path, card), now=self.world.now())
        return data, anchors.digest(self.book, card, data)

    def confirm_anchors(self, side: Side, digest: str) -> bool:
        """A side's yes to trust.json as it was shown; returns whether both have said it, and then it is written.

        Raises Refused: first_run_changed (it is not what was shown any more), first_run_anchored."""
        if self.book.anchored:
            raise Refused("first_run_anchored")
        data, now_ = self.trust()
        if digest != now_:
            raise Refused("first_run_changed")
        book = books.confirmed(self.book, side, "anchors", digest)
        self.keep(books.noted(book, side, "确认了信任锚。", "confirmed the anchors.", now=self.world.now()))
        if not self.book.by_both("anchors", digest):
            return False
        folder.write_card(self.path, self.card())
        folder.write(self.path / "trust.json", data)
        self.keep(structs.replace(self.book, anchored=stamp(self.world.now())))
        self.anchored.set()
        return True

    def confirm(self, side: Side, step: Step, digest: str, *, zh: str, en: str) -> bool:
        """A side's yes to these contents; returns whether both have said it."""
        self.keep(books.noted(books.confirmed(self.book, side, step, digest), side, zh, en, now=self.world.now()))
        return self.book.by_both(step, digest)

    def waits_for(self, step: Step, digest: str) -> Sequence[Side]:
        """Who has not said yes to these contents yet."""
        return [side for side in SIDES if self.book.side(side).confirmed.get(step) != digest]

    def fingerprint(self) -> str:
        """The fingerprint of the trust.json in the folder."""
        return load_trust((self.path / "trust.json").read_bytes()).fingerprint

    def log_key(self) -> str:
        """The log's public key as anchors name it, '' before the hall has its code."""
        if not self.book.uscc:
            return ""
        key = folder.Folder(self.path, folder.Card("", self.book.uscc, "", "", f"tradehall/{self.book.uscc}"))
        return str(note.VerifierKey(key.card.origin, note.LOG_SIGNATURE, key.key("log").key))

    # -- how often it was tried

    def _waiting(self, who: str, most: int) -> None:
        since = self.world.now() - timedelta(minutes=ATTEMPT_MINUTES)
        recent = [at for at in self._failures.get(who, []) if at > since]
        if len(recent) >= most:
            raise Refused("sign_in_wait", until=stamp(recent[0] + timedelta(minutes=ATTEMPT_MINUTES)))
        self._failures[who] = recent

    def _failed(self, who: str) -> None:
        self._failures.setdefault(who, []).append(self.world.now())


def others_words(side: Side) -> tuple[str, str]:
    """How the other side's administrator is called."""
    return WHO[OTHER[side]]


WHO: dict[Side, tuple[str, str]] = {
    "centre": ("交易中心一方的管理员", "the centre's administrator"),
    "supervision": ("监督一方的管理员", "the supervision's administrator"),
}
LACKS: dict[str, tuple[str, str, str]] = {
    "administrator_centre": (
        "/first-run", "交易中心一方的管理员尚未注册", "the centre's administrator has not signed up",
    ),
    "administrator_supervision": (
        "/first-run", "监督一方的管理员尚未注册", "the supervision's administrator has not signed up",
    ),
    "hall": ("/first-run/hall", "大厅名称和行政区划代码未填", "the hall's name and division code are not given"),
    "calendar": ("/first-run/hall", "日历未确认", "the calendar is not acknowledged"),
    "authorities": ("/first-run/authorities", "没有证书机构的根证书", "no certification authority is trusted yet"),
    "root_centre": ("/first-run/roots", "缺中心根的登记卡", "the centre's root card is missing"),
    "root_supervision": ("/first-run/roots", "缺监督根的登记卡", "the supervision's root card is missing"),
    "certificate_centre": ("/first-run/roots", "缺交易中心的签名证书", "the centre's signing certificate is missing"),
    "certificate_supervision": (
        "/first-run/roots", "缺监督部门的签名证书", "the supervision's signing certificate is missing",
    ),
    "witness_operation": ("/first-run/witnesses", "缺运行方见证人", "a witness of the operation is missing"),
    "witness_supervision": ("/first-run/witnesses", "缺监督方见证人", "a witness of the supervision is missing"),
}  # fmt: skip
