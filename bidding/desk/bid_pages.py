"""The page on which a bid is prepared, sealed in the browser and handed in; withdrawing one; the words both speak.

docs/spec/bidfile.md, docs/spec/manifest.md. Nothing that is typed here reaches the hall before it is sealed: the form
has no address to go to and its fields have no names. The page names the hash of every script it loads and holds each
of them to it; who runs the hall could still serve another page, which `tradehall-verify --page` shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from bidding.desk import reading, requirements, wording
from bidding.desk.reading import Own
from bidding.door.sealing import scripts
from bidding.opening_hall import wording as opening_wording
from trading import calendar
from trading.counter.page import language
from trading.counter.page.pages import Pages, Requested
from trading.counter.page.session import Visitor
from trading.lifecycle import State
from trading.roles import Permission

SCRIPTS = "/static/bidder/"
TOGETHER = ("telling.js", "trust.js", "keyring.js")
CABINET = ("cabinet.js",)
BID = ("bid.js", "check.js", "reuse.js", *CABINET, *TOGETHER)
PAPERS = ("papers.js", "telling.js", *CABINET)
WITHDRAW = ("withdraw.js", *TOGETHER)
"""The scripts that each page runs besides the sealing modules."""
STATIC = Path(__file__).parent / "static"
# Read when the process begins, as the files that are served are.
HASHES = scripts.hashes({f"{SCRIPTS}{path.name}": path.read_bytes() for path in STATIC.glob("*.js")})


def routes(pages: Pages) -> list[Any]:
    """The handlers."""
    database, world = pages.service.database, pages.service.world
    sentences = wording.table()

    @get("/bidder/lots/{lot:str}/bid")
    async def bid(request: Requested, lot: FromPath[str]) -> Response[str]:
        visitor, own = await _load(request, lot)
        document = own.shown.document
        return pages.show(
            request,
            "bidder_bid.html",
            visitor=visitor,
            own=own,
            document=document,
            wanted=requirements.files(document),
            answers=requirements.fields(document),
            **await means(pages, request, visitor, BID),
        )

    @get("/bidder/lots/{lot:str}/withdraw")
    async def withdraw(request: Requested, lot: FromPath[str]) -> Response[str]:
        visitor, own = await _load(request, lot)
        standing = own.standing
        digest = ""
        if standing is not None:
            event = standing["event"]
            digest = await database.read(lambda unit: reading.digest_of(unit, event), bearer=visitor.token)
        return pages.show(
            request,
            "bidder_withdraw.html",
            visitor=visitor,
            own=own,
            digest=digest,
            **await means(pages, request, visitor, WITHDRAW),
        )

    @get("/bidder/papers")
    async def papers(request: Requested) -> Response[str]:
        visitor = await pages.visitor(request)
        told = await means(pages, request, visitor, PAPERS)
        today = calendar.legal_day(world.now()).isoformat()
        return pages.show(request, "bidder_papers.html", visitor=visitor, today=today, kinds=wording.PAPERS, **told)

    @get("/bidder/words.json")
    async def said(request: Requested) -> Response[bytes]:
        lang = language.of(request.scope)
        told = {code: one.zh if lang == "zh" else one.en for code, one in sorted(sentences.items())}
        headers = {"cache-control": "public, max-age=300", "x-content-type-options": "nosniff"}
        return Response(msgspec.json.encode(told), media_type="application/json", headers=headers)

    async def _load(request: Requested, lot: str) -> tuple[Visitor, Own]:
        visitor = await pages.visitor(request)
        visitor.actor.must(Permission.BID_SUBMIT, now=world.now())
        now = world.now()
        return visitor, await database.read(
            lambda unit: reading.lot(unit, lot, visitor.actor, now=now), bearer=visitor.token
        )

    return [bid, withdraw, papers, said]


async def means(pages: Pages, request: Requested, visitor: Visitor, own: Sequence[str]) -> dict[str, Any]:
    """What a page needs that works with the sealing modules: `own` are the scripts of its own shelf."""
    living = await pages.service.database.read(
        lambda unit: reading.living_keys(unit, visitor.actor.organisation), bearer=visitor.token
    )
    addresses = [SCRIPTS + name for name in own]
    return {
        "living": living,
        "loaded": [*scripts.tags(), *((address, pages.integrity[address]) for address in addresses)],
        "hashes": {**scripts.hashes(scripts.scripts()), **{address: HASHES[address] for address in addresses}},
        "address": base(request),
        "open_now": State.BIDDING.value,
        "w": wording,
        "seats": opening_wording.SEATS,
        "locks": opening_wording.LOCKS,
    }


def base(request: Requested) -> str:
    """This hall's address, as commands name it."""
    return f"{request.url.scheme}://{request.url.netloc}"
