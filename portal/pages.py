"""Two plain public pages: what is open in this hall, and one tender with its ledger (the doors come after them).

No script, no third party, Chinese first. In a rehearsal every page says so and in which time it lives.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import MediaType, Response, get
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery

from portal.demo.report_page import yuan
from portal.running import Running
from storage.world import instant, stamp
from trading import queries
from trading.calendar import CHINA

SECURITY = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
STATES = {
    "bidding": ("投标中", "open for bids"),
    "closed": ("已截止", "closed"),
    "short": ("投标人不足", "too few bids"),
    "frozen": ("已封存,待开标", "frozen, before opening"),
    "opening": ("开标中", "opening"),
    "opened": ("已开标", "opened"),
    "evaluating": ("评标中", "evaluating"),
    "committed": ("评分已锁定", "scores committed"),
    "report_draft": ("评标报告签署中", "report being signed"),
    "report_submitted": ("评标报告已提交", "report submitted"),
    "reviewed": ("报告已审阅", "report reviewed"),
    "publicity": ("中标候选人公示", "candidates in publicity"),
    "awardable": ("公示期满", "publicity over"),
    "awarded": ("已定标", "awarded"),
    "contracted": ("已签合同", "contracted"),
    "failed": ("流标", "failed"),
    "terminated": ("已终止", "terminated"),
}


def routes(running: Running) -> list[BaseRouteHandler]:
    """The handlers of the public pages."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "pages_html"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["local"] = local
    environment.filters["yuan"] = yuan
    database, world = running.database, running.world

    def page(name: str, **facts: Any) -> Response[str]:
        card = running.folder.card
        text = environment.get_template(name).render(
            hall=card.name, rehearsal=card.demo, now=stamp(world.now()), states=STATES, **facts
        )
        return Response(text, media_type=MediaType.HTML, headers=SECURITY)

    @get("/", include_in_schema=False)
    async def front(q: FromQuery[str | None] = None) -> Response[str]:
        lots = await database.read(lambda unit: queries.lots(unit, state=None, q=q, now=world.now()))
        return page("front.html", lots=lots, q=q or "")

    @get("/lots/{lot:str}", include_in_schema=False)
    async def lot(lot: FromPath[str]) -> Response[str]:
        told = await database.read(lambda unit: queries.lot(unit, lot, now=world.now()))
        line = await database.read(lambda unit: queries.timeline(unit, lot, now=world.now()))
        record: list[dict[str, Any]] = []
        if any(one["act"]["kind"] == "opened" for one in line["acts"]):
            record = (await database.read(lambda unit: queries.opening(unit, lot)))["record"]
        return page("lot.html", lot=told, acts=line["acts"], owed=line["owed"], record=record)

    @get("/style.css", include_in_schema=False, media_type="text/css")
    async def style() -> bytes:
        return (Path(__file__).parent / "pages_html" / "style.css").read_bytes()

    return [front, lot, style]


def local(text: str) -> str:
    """An instant as people here read it: 2026-03-24 09:30:00 (Asia/Shanghai)."""
    return f"{instant(text).astimezone(CHINA):%Y-%m-%d %H:%M:%S}"
