"""The pages of every door, over one hall: which templates, which navigation, which words.

In the embedded hall all doors stand under one address; in production each process shows its own door and the sign-in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import Router
from litestar.handlers import BaseRouteHandler

from bidding.door import reading_pages
from bidding.opening_keys import Desk
from crypto import words
from experts.door import pages as expert
from experts.verbs import DRAW
from portal import preview
from portal.front import pages as front
from trading.account import pages as account
from trading.counter.page import static
from trading.counter.page.pages import Link, Pages, Sign
from trading.counter.service import Service
from trading.desk import pages as desk

SHELVES = {"kit": static.KIT, "expert": expert.STATIC}


def routes(
    service: Service, sign: Sign, table: Mapping[str, words.Sentence], *, room: Desk
) -> list[Router | BaseRouteHandler]:
    """Every page of the embedded hall; `room` reads opened bids for those whom the law lets read."""
    common: dict[str, Any] = {"sign": sign, "table": table}
    public = Pages(service, door="public", zh="公开信息", en="Public", templates=[front.TEMPLATES], **common)
    accounts = Pages(service, door="account", zh="账户", en="Account", templates=[account.TEMPLATES], **common)
    owners = Pages(
        service,
        door="desk",
        zh="招标人",
        en="Owners and agents",
        templates=[desk.TEMPLATES, reading_pages.TEMPLATES],
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
    return [
        *static.routes(SHELVES),
        public.router(front.routes(public)),
        accounts.router(account.routes(accounts)),
        owners.router([*desk.routes(owners, preview=preview.sample, draw=DRAW), *reading_pages.routes(owners, room)]),
        experts.router([*expert.routes(experts), *reading_pages.routes(experts, room)]),
    ]
