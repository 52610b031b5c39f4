"""The pages of every door, over one hall: which templates, which navigation, which words.

In the embedded hall all doors stand under one address; in production each process shows its own door and the sign-in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import Router
from litestar.handlers import BaseRouteHandler

from bidding.desk import pages as bidder
from bidding.door import reading_pages
from bidding.door.sealing import scripts
from bidding.opening_hall import pages as opening_hall
from bidding.opening_keys import Desk
from bidding.trustee_door import pages as trustees
from crypto import words
from experts.door import draw_pages
from experts.door import pages as expert
from experts.verbs import BIDDERS as PANEL_QUESTIONS
from experts.verbs import DRAW
from portal import preview
from portal.front import pages as front
from supervision.door import pages as watch
from trading.account import pages as account
from trading.centre import pages as centre
from trading.counter.page import static
from trading.counter.page.pages import Link, Pages, Sign
from trading.counter.service import Service
from trading.desk import pages as desk

SHELVES = {
    "kit": static.KIT,
    "account": account.STATIC,
    "front": front.STATIC,
    "hall": opening_hall.STATIC,
    "expert": expert.STATIC,
    "bidder": bidder.STATIC,
}


def routes(
    service: Service, sign: Sign, table: Mapping[str, words.Sentence], *, room: Desk
) -> list[Router | BaseRouteHandler]:
    """Every page of the embedded hall; `room` reads opened bids for those whom the law lets read."""
    common: dict[str, Any] = {"sign": sign, "table": table, "integrity": static.integrity(SHELVES)}
    public = Pages(
        service,
        door="public",
        zh="公开信息",
        en="Public",
        templates=[front.TEMPLATES, opening_hall.TEMPLATES, trustees.TEMPLATES, expert.TEMPLATES],
        nav=front.NAV,
        **common,
    )
    on_the_spot = {"zh": "开标大厅", "en": "Opening hall", "templates": [opening_hall.TEMPLATES], **common}
    owners_spot = Pages(service, door="desk", **on_the_spot)
    bidders = Pages(
        service,
        door="bidder",
        zh="投标人",
        en="Bidders",
        templates=[bidder.TEMPLATES, opening_hall.TEMPLATES],
        nav=[
            Link("/bidder", "我的投标", "My bids"),
            Link("/bidder/papers", "我的资料库", "My papers"),
            Link("/account/bidder/inbox", "消息", "Inbox"),
            Link("/account/bidder/keys", "签名密钥", "Signing keys"),
        ],
        **common,
    )
    accounts = Pages(service, door="account", zh="账户", en="Account", templates=[account.TEMPLATES], **common)
    centres = Pages(
        service,
        door="centre",
        zh="交易中心",
        en="Trading centre",
        templates=[centre.TEMPLATES, desk.TEMPLATES, expert.TEMPLATES],
        nav=centre.NAV,
        **common,
    )
    owners = Pages(
        service,
        door="desk",
        zh="招标人",
        en="Owners and agents",
        templates=[desk.TEMPLATES, reading_pages.TEMPLATES, expert.TEMPLATES],
        nav=[Link("/desk", "我的招标项目", "My tenders")],
        **common,
    )
    experts = Pages(
        service,
        door="expert",
        zh="评标专家",
        en="Experts",
        templates=[expert.TEMPLATES, reading_pages.TEMPLATES],
        nav=[Link("/expert", "我的评标邀请", "My invitations")],
        **common,
    )
    supervisors = Pages(
        service,
        door="watch",
        zh="监督部门",
        en="Supervision",
        templates=[watch.TEMPLATES, reading_pages.TEMPLATES, expert.TEMPLATES],
        nav=[Link("/watch", "全部项目", "All tenders")],
        **common,
    )
    return [
        *static.routes(SHELVES),
        *scripts.routes(),
        public.router(
            [
                *front.routes(public),
                *opening_hall.public_routes(public),
                *draw_pages.public_routes(public),
                *trustees.routes(public),
            ]
        ),
        bidders.router([*bidder.routes(bidders, panel=PANEL_QUESTIONS), *opening_hall.bidder_routes(bidders)]),
        owners_spot.router(opening_hall.desk_routes(owners_spot)),
        accounts.router(account.routes(accounts)),
        centres.router([*centre.routes(centres, experts=DRAW), *draw_pages.routes(centres)]),
        owners.router(
            [
                *desk.routes(owners, preview=preview.sample, draw=DRAW),
                *draw_pages.routes(owners),
                *reading_pages.routes(owners, room),
            ]
        ),
        supervisors.router(
            [
                *watch.routes(supervisors, room),
                *draw_pages.routes(supervisors),
                *reading_pages.routes(supervisors, room),
            ]
        ),
        experts.router([*expert.routes(experts), *reading_pages.routes(experts, room)]),
    ]
