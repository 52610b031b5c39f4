"""The public pages: today, notices, one tender, its changes, its check; nothing here needs an account.

20号令 §17, §20, §32, §41; 10号令 §5, §8. Every page asks the database for one page of rows. What a person typed into a
filter and cannot be understood is told and kept; the list is then shown without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from litestar import Response, get
from litestar.params import FromPath
from markupsafe import Markup

from crypto.refusal import Refused
from portal.front import reading_pages, wording
from portal.front.report import Fetch, Reports
from storage.unit import Unit
from storage.world import instant, stamp
from trading import queries
from trading.calendar import CHINA
from trading.counter.page import language
from trading.counter.page.language import Lang
from trading.counter.page.pages import Pages, Requested
from trading.published import changes, listing, reading
from trading.published.changes import Change
from trading.published.listing import Wanted

TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"
REGION_DIGITS_MAX = 6


def routes(pages: Pages, *, bundles: Fetch | None = None) -> list[Any]:
    """The handlers of the public door; `bundles` gives public bundles where this process may not make one."""
    service = pages.service
    pages.environment.globals["end"] = end
    database, world, reports = service.database, service.world, Reports(service, bundles)

    @get("/")
    async def today(request: Requested) -> Response[str]:
        told = await database.read(lambda unit: listing.today(unit, now=world.now()))
        return pages.show(request, "front.html", today=told)

    @get("/lots")
    async def lots(request: Requested) -> Response[str]:
        typed = {name: request.query_params.get(name, "").strip() for name in _FILTERS}
        wanted, wrong = _understood(typed, markets=[book.market.code for book in service.hall.rulebooks])
        number = request.query_params.get("page", "1")
        page = int(number) if number.isdecimal() and len(number) < 6 else 1
        found = await database.read(lambda unit: listing.find(unit, wanted, page=page, now=world.now()))
        kept = {name: text for name, text in typed.items() if text}
        return pages.show(
            request,
            "lots.html",
            found=found,
            typed=typed,
            wrong=wrong,
            stages=wording.STAGES,
            markets=[(book.market.code, book.market.name_zh, book.market.name_en) for book in service.hall.rulebooks],
            turned=lambda to: "/lots?" + urlencode({**kept, "page": to}),
        )

    @get("/lots/{lot:str}")
    async def lot(request: Requested, lot: FromPath[str]) -> Response[str]:
        shown = await database.read(lambda unit: reading.show(unit, lot, now=world.now()))
        return pages.show(request, "lot.html", shown=shown, w=wording, doc=shown.document)

    @get("/lots/{lot:str}/changes/{version:int}")
    async def change(request: Requested, lot: FromPath[str], version: FromPath[int]) -> Response[str]:
        shown = await database.read(lambda unit: reading.show(unit, lot, now=world.now()))
        found = next((each for each in shown.changes if each.version == version), None)
        if found is None:
            raise Refused("not_found")
        texts = {}
        for file, other in found.files:
            before = next((one for one in _before(shown.acts, found) if one["name"] == other), None)
            if before is not None and changes.comparable(file) and changes.comparable(before):
                old, new = await _text(lot, before), await _text(lot, file)
                if old is not None and new is not None:
                    texts[file["sha256"]] = changes.marked_lines(old, new)
        return pages.show(
            request, "change.html", shown=shown, change=found, texts=texts, marked=_marked_times(request, found)
        )

    @get("/lots/{lot:str}/check")
    async def check(request: Requested, lot: FromPath[str]) -> Response[str]:
        shown = await database.read(lambda unit: reading.show(unit, lot, now=world.now()))
        ended = shown.state in ("failed", "terminated")
        public = shown.tender.publicity_from is not None or ended
        report = reports.of(lot, acts=len(shown.acts), at=stamp(world.now())) if public else None
        head = await service.ledger.head()
        seen = await service.ledger.witnessed(service.hall.trust)
        return pages.show(
            request,
            "lot_check.html",
            shown=shown,
            public=public,
            report=report,
            head=head,
            seen=seen,
            trust=service.hall.trust,
            base=base(request),
            w=wording,
        )

    async def _text(lot: str, file: Mapping[str, Any]) -> str | None:
        """The words of a file that a lot published; None for one that has none or is not there."""

        async def segments(unit: Unit) -> list[str]:
            row = await unit.object.read("", file["sha256"])
            return [] if row is None else queries.segments_of(row)

        data = bytearray()
        for name in await database.read(segments):
            piece = await service.blobs.read(name)
            if piece is None or len(data) > changes.bytes_max(file):
                return None
            data += piece
        # Taking a package apart takes a while of one core; others are answered meanwhile.
        return await asyncio.to_thread(changes.text_of, file, bytes(data))

    return [today, lots, lot, change, check, *reading_pages.routes(pages)]


def end(lang: Lang, text: str) -> Markup:
    """The end of a time limit as people say it: midnight is the end of the day before, not the begin of the next."""
    at = instant(text).astimezone(CHINA)
    if (at.hour, at.minute) != (0, 0):
        return language.moment(lang, text)
    last = language.day(lang, at.date() - timedelta(days=1)).striptags()
    return Markup('<time datetime="{}">{} 24:00</time>').format(at.isoformat(), last)


def base(request: Requested) -> str:
    """The hall's own address as this reader reached it."""
    return f"{request.url.scheme}://{request.url.netloc}"


_FILTERS = ("q", "market", "region", "stage", "since", "until")


def _understood(typed: Mapping[str, str], *, markets: list[str]) -> tuple[Wanted, dict[str, tuple[str, str]]]:
    """What is wanted, and what of it was not understood, by field."""
    wrong: dict[str, tuple[str, str]] = {}
    days: dict[str, date | None] = {}
    for name in ("since", "until"):
        try:
            days[name] = date.fromisoformat(typed[name]) if typed[name] else None
        except ValueError:
            days[name] = None
            wrong[name] = ("请按 2026-03-24 的格式填写日期。", "Give a date such as 2026-03-24.")
    since, until = days["since"], days["until"]
    if since and until and until < since:
        wrong["until"] = ("结束日期早于开始日期。", "The last day is before the first.")
    region = typed["region"]
    if region and not (region.isascii() and region.isdecimal() and len(region) <= REGION_DIGITS_MAX):
        wrong["region"] = (
            "请填写行政区划代码的前几位数字,例如 1399。",
            "Give the first digits of a region's code, such as 1399.",
        )
        region = ""
    market = typed["market"] if typed["market"] in markets else ""
    stage = typed["stage"] if typed["stage"] in listing.STAGES else ""
    return Wanted(typed["q"], market or None, region or None, stage or None, since, until), wrong


def _before(acts: list[dict[str, Any]], change: Change) -> list[Mapping[str, Any]]:
    """The files in force before an amendment."""
    files: list[Mapping[str, Any]] = []
    for each in acts:
        if each["leaf"] == change.leaf:
            return files
        if each["act"]["kind"] in ("tender", "amendment"):
            files = each["act"]["documents"]
    return files


def _marked_times(request: Requested, change: Change) -> list[changes.Piece]:
    """The old and the new deadline as a reader reads them, marked."""
    if change.deadline is None:
        return []
    lang = language.of(request.scope)
    was, is_ = (language.moment(lang, text).striptags() for text in change.deadline)
    return changes.marked(was, is_)
