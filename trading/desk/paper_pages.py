"""The desk's papers as files: notice, award notice, and "why this winner", as PDF in the reader's language."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from litestar import Response, get
from litestar.params import FromPath

from crypto.refusal import Refused
from storage.unit import Unit
from storage.world import stamp
from trading.counter.page import language
from trading.counter.page.pages import Pages, Requested
from trading.desk import papers_of, reading, why_paper
from trading.papers import papers


def routes(pages: Pages) -> list[Any]:
    """The handlers of papers."""
    database, world = pages.service.database, pages.service.world

    @get("/desk/lots/{code:str}/papers/{name:str}")
    async def paper(request: Requested, code: FromPath[str], name: FromPath[str]) -> Response[bytes]:
        visitor = await pages.visitor(request)
        lang = language.of(request.scope)
        now = world.now()

        async def read(unit: Unit) -> tuple[reading.Lot, dict[str, Any] | None]:
            lot = await reading.lot(unit, code, visitor.actor, now=now)
            return lot, await reading.result(unit, lot) if name == "why.pdf" else None

        lot, result = await database.read(read, bearer=visitor.token)
        template: Path
        match name:
            case "notice.pdf":
                template, data = papers.NOTICE, papers_of.notice(lot, pages.sign, lang, now=stamp(now))
            case "award.pdf" if lot.tender.award is not None:
                template, data = papers.AWARD, papers_of.award(lot, pages.sign, lang, now=stamp(now))
            case "why.pdf" if lot.act("publicity") and result:
                template, data = papers.WHY, why_paper.why(lot, result, pages.sign, lang, now=stamp(now))
            case _:
                raise Refused("not_found")
        return answer(await papers.made(template, data), f"{data['title']}-{code}.pdf")

    return [paper]


def answer(made: bytes, name: str) -> Response[bytes]:
    """A PDF as a download of that name."""
    headers = {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(name)}",
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
    }
    return Response(made, media_type="application/pdf", headers=headers)
