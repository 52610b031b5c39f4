"""The pages of every door, over one hall: which templates, which navigation, which words; and which process shows them.

In the embedded hall all doors stand under one address (`routes`). In production each process shows its own door and
the accounts of those who go in by it (`of`), and a test holds both to the same pages. What a process does not show it
does not load: rooms are imported where they are wired.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from litestar import Router
from litestar.handlers import BaseRouteHandler

from crypto import words
from portal.front import wording
from portal.scripts import SHELVES
from trading.counter.page import session, static
from trading.counter.page.pages import Link, Pages, Sign
from trading.counter.service import Service

if TYPE_CHECKING:
    from bidding.opening_keys import Desk
    from experts.door.draw_reading import ReadInside
    from portal.front.report import Fetch
    from supervision.bundle import Room

Handlers = list[Router | BaseRouteHandler]


@dataclass(frozen=True, slots=True)
class Means:
    """What pages are made with. `room` is the opening room, or who asks it; `bundles` gives a public bundle where the
    process that shows the front cannot make one, `drawing` who handed in a draw's number where a door may read no
    panel."""

    service: Service
    sign: Sign
    table: Mapping[str, words.Sentence]
    room: Desk | Room | None = None
    bundles: Fetch | None = None
    drawing: ReadInside | None = None

    def pages(
        self,
        door: str,
        zh: str,
        en: str,
        *templates: Path,
        nav: Sequence[Link] = (),
        accounts: frozenset[str] = frozenset(),
    ) -> Pages:
        """The pages of one door; `accounts` are the doors whose accounts it shows."""
        return Pages(
            self.service,
            door=door,
            zh=zh,
            en=en,
            sign=self.sign,
            table=self.table,
            templates=templates,
            nav=nav,
            accounts=accounts,
            integrity=static.integrity(SHELVES),
        )

    def front(self, *templates: Path) -> Pages:
        """Pages that everybody reads."""
        return self.pages("public", "公开信息", "Public", *templates, nav=wording.NAV)


def public(means: Means) -> Handlers:
    """Everybody's pages, and the opening hall for those who watch."""
    from bidding.opening_hall import pages as opening_hall
    from experts.door import draw_pages
    from portal.front import pages as front

    pages = means.front(front.TEMPLATES, opening_hall.TEMPLATES, draw_pages.TEMPLATES)
    watching = [*opening_hall.public_routes(pages), *draw_pages.public_routes(pages)]
    return [pages.router([*front.routes(pages, bundles=means.bundles), *watching])]


def choosing(means: Means) -> Handlers:
    """Where nobody signs in: the way to the door at which one does."""
    from portal.front import choosing as choice

    pages = means.front(choice.TEMPLATES)
    return [pages.router(choice.routes(pages))]


def trustees(means: Means) -> Handlers:
    """What trustees and witnesses owe and did, for everybody."""
    from bidding.trustee_door import pages as trustee

    pages = means.front(trustee.TEMPLATES)
    return [pages.router(trustee.routes(pages))]


def account(means: Means, *doors: str) -> Handlers:
    """Signing in and one's own account, at these doors."""
    from trading.account import pages as accounts

    shown = frozenset(doors)
    pages = means.pages("account", "账户", "Account", accounts.TEMPLATES, accounts=shown)
    return [pages.router(accounts.routes(pages))]


def desk(means: Means) -> Handlers:
    """Owners and agents, and their opening hall on the spot."""
    from bidding.opening_hall import pages as opening_hall
    from experts.door import draw_pages
    from experts.verbs import DRAW
    from portal import preview
    from trading.desk import pages as owners

    pages = _desk(means, owners.TEMPLATES, draw_pages.TEMPLATES)
    on_the_spot = means.pages("desk", "开标大厅", "Opening hall", opening_hall.TEMPLATES)
    return [
        pages.router([*owners.routes(pages, preview=preview.sample, draw=DRAW), *_draw(means, pages)]),
        on_the_spot.router(opening_hall.desk_routes(on_the_spot)),
    ]


def centre(means: Means) -> Handlers:
    """The trading centre's staff."""
    from experts.door import draw_pages
    from experts.verbs import DRAW
    from trading.centre import pages as centres
    from trading.desk import pages as owners

    templates = (centres.TEMPLATES, owners.TEMPLATES, draw_pages.TEMPLATES)
    pages = means.pages("centre", "交易中心", "Trading centre", *templates, nav=centres.NAV)
    return [pages.router([*centres.routes(pages, experts=DRAW), *_draw(means, pages)])]


def bidders(means: Means) -> Handlers:
    """Bidders, with the scripts that seal and their opening hall on the spot."""
    from bidding.desk import pages as bidder
    from bidding.door.sealing import scripts
    from bidding.opening_hall import pages as opening_hall
    from experts.verbs import BIDDERS

    pages = means.pages(
        "bidder",
        "投标人",
        "Bidders",
        bidder.TEMPLATES,
        opening_hall.TEMPLATES,
        nav=[
            Link("/bidder", "我的投标", "My bids"),
            Link("/bidder/papers", "我的资料库", "My papers"),
            Link("/account/bidder/inbox", "消息", "Inbox"),
            Link("/account/bidder/keys", "签名密钥", "Signing keys"),
        ],
    )
    handlers = [*bidder.routes(pages, panel=BIDDERS), *opening_hall.bidder_routes(pages)]
    return [*scripts.routes(), pages.router(handlers)]


def experts(means: Means) -> Handlers:
    """The panel's members."""
    from experts.door import pages as expert

    pages = _expert(means, expert.TEMPLATES)
    return [pages.router(expert.routes(pages))]


def watch(means: Means) -> Handlers:
    """Supervisors."""
    from experts.door import draw_pages
    from supervision.door import pages as watched

    pages = _watch(means, watched.TEMPLATES, draw_pages.TEMPLATES)
    return [pages.router([*watched.routes(pages, means.room), *_draw(means, pages)])]


def reading(means: Means) -> Handlers:
    """Opened bids at the doors of those who may read them, by the process that holds the room's keys."""
    from bidding.door import reading_pages
    from bidding.opening_keys import Desk

    assert isinstance(means.room, Desk), "only the room itself reads"
    doors = [make(means, reading_pages.TEMPLATES) for make in (_desk, _expert, _watch)]
    return [pages.router(reading_pages.routes(pages, means.room)) for pages in doors]


def _draw(means: Means, pages: Pages) -> list[BaseRouteHandler]:
    from experts.door import draw_pages, draw_reading

    return list(draw_pages.routes(pages, inside=means.drawing or draw_reading.inside))


def _desk(means: Means, *templates: Path) -> Pages:
    nav = [Link("/desk", "我的招标项目", "My tenders")]
    return means.pages("desk", "招标人", "Owners and agents", *templates, nav=nav)


def _expert(means: Means, templates: Path) -> Pages:
    return means.pages(
        "expert", "评标专家", "Experts", templates, nav=[Link("/expert", "我的评标邀请", "My invitations")]
    )


def _watch(means: Means, *templates: Path) -> Pages:
    return means.pages("watch", "监督部门", "Supervision", *templates, nav=[Link("/watch", "全部项目", "All tenders")])


DOORS: Mapping[str, str] = {
    "desk": "desk",
    "centre": "centre",
    "bidders": "bidder",
    "trustees": "trustee",
    "experts": "expert",
    "watch": "watch",
}
"""The door of each process at which people sign in: the first part of its pages' addresses, the name of its session."""
WIRED: Mapping[str, tuple[Callable[[Means], Handlers], ...]] = {
    "public": (public, choosing),
    "desk": (desk,),
    "centre": (centre,),
    "bidders": (bidders,),
    "trustees": (trustees,),
    "experts": (experts,),
    "watch": (watch,),
    "opening": (reading,),
}
"""The pages of each process, accounts and shelves aside."""


def of(process: str, means: Means) -> Handlers:
    """Every page of one process of a hall whose doors have roles of their own."""
    handlers = static.routes(SHELVES) if process != "opening" else []
    made = [one for wired in WIRED[process] for one in wired(means)]
    return [*handlers, *made, *(account(means, DOORS[process]) if process in DOORS else [])]


def routes(means: Means) -> Handlers:
    """Every page of the embedded hall; the room reads opened bids for those whom the law lets read."""
    doors = (public, trustees, bidders, desk, centre, watch, experts, reading)
    return [*static.routes(SHELVES), *(one for door in doors for one in door(means)), *account(means, *session.DOORS)]
