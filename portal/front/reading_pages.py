"""Public pages to read and to take away: calendar, feeds, powers and flow charts, guides, downloads, checking."""

from __future__ import annotations

import calendar as months
from datetime import date, timedelta
from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from crypto.refusal import Refused
from portal.front import feeds, flowcharts, guides, wording
from storage.unit import Unit
from storage.world import stamp
from trading import powers
from trading.calendar import legal_day, start_of
from trading.counter.page import language
from trading.counter.page.pages import Pages, Requested
from trading.published import listing

FEED_MAX = 50
CALENDAR_MAX = 100
MADE_MAX = 16
CHECKABLE = 10
CALENDAR_DAYS = 120
FIRST_YEAR, LAST_YEAR = 2000, 2199
READ = {"cache-control": "public, max-age=60", "x-content-type-options": "nosniff"}


def routes(pages: Pages) -> list[Any]:
    """The handlers."""
    service = pages.service
    database, world = service.database, service.world
    made: dict[tuple[str, str, str], bytes] = {}

    @get("/calendar")
    async def calendar(request: Requested) -> Response[str]:
        today = legal_day(world.now())
        month = _month(request.query_params.get("month", ""), today)
        day = _day(request.query_params.get("day", ""), month, today)
        last = month.replace(day=months.monthrange(month.year, month.month)[1])

        async def look(unit: Unit) -> tuple[date, dict[date, int], list[dict[str, Any]]]:
            counts, shown = await listing.openings_by_day(unit, month, last), day
            if not request.query_params.get("day") and not counts[day]:
                # Nothing was chosen: show the first day that has something.
                shown = next((one for one, count in counts.items() if count and one >= day), day)
            begins, ends = start_of(shown), start_of(shown + timedelta(days=1))
            there = await listing.openings(unit, begins, ends, limit=listing.DAY_MAX, now=world.now())
            return shown, counts, there

        chosen, counts, there = await database.read(look)
        weeks = months.Calendar().monthdatescalendar(month.year, month.month)
        return pages.show(
            request,
            "calendar.html",
            weeks=weeks,
            month=month,
            chosen=chosen,
            today=today,
            counts=counts,
            openings=there,
            before=(month - timedelta(days=1)).replace(day=1),
            after=last + timedelta(days=1),
        )

    @get("/calendar.ics", media_type="text/calendar")
    async def calendar_file(request: Requested) -> Response[bytes]:
        now = world.now()
        # Programs ask for this file again and again: it is made once a minute for each address and language.
        key = (_base(request), language.of(request.scope), stamp(now)[:16])
        if key in made:
            return _ics(made[key], "openings.ics")
        until = now + timedelta(days=CALENDAR_DAYS)
        there = await database.read(
            lambda unit: listing.openings(unit, now - timedelta(days=1), until, limit=CALENDAR_MAX, now=now)
        )
        if len(made) >= MADE_MAX:
            made.clear()
        made[key] = _calendar(request, there)
        return _ics(made[key], "openings.ics")

    @get("/lots/{lot:str}/opening.ics", media_type="text/calendar")
    async def opening_file(request: Requested, lot: FromPath[str]) -> Response[bytes]:
        there = await database.read(lambda unit: listing.summaries(unit, [lot], now=world.now()))
        if not there:
            raise Refused("lot_unknown", lot=lot)
        return _ics(_calendar(request, there), f"{lot}.ics")

    @get("/feed.atom", media_type="application/atom+xml")
    async def feed(request: Requested) -> Response[bytes]:
        now, lang = world.now(), language.of(request.scope)
        newest = await database.read(lambda unit: listing.newest(unit, limit=FEED_MAX, now=now))
        data = feeds.atom(newest, name=pages.sign.name, base=_base(request), lang=lang, now=stamp(now))
        return Response(data, media_type="application/atom+xml; charset=utf-8", headers=READ)

    @get("/powers")
    async def power_list(request: Requested) -> Response[str]:
        lang = language.of(request.scope)
        listed = powers.load()
        return pages.show(
            request,
            "powers.html",
            powers=listed,
            flows={power.code: flowcharts.steps(power.flow, lang) for power in listed},
            chart=flowcharts.lifecycle(lang),
            rows=flowcharts.table(),
            today=legal_day(world.now()),
            w=wording,
        )

    @get("/guides")
    async def guide_list(request: Requested) -> Response[str]:
        return pages.show(request, "guides.html", guides=guides.GUIDES)

    @get("/guides/{slug:str}")
    async def guide(request: Requested, slug: FromPath[str]) -> Response[str]:
        found = guides.find(slug)
        if found is None:
            raise Refused("not_found")
        return pages.show(request, "guide.html", guide=found, guides=guides.GUIDES)

    @get("/downloads")
    async def downloads(request: Requested) -> Response[str]:
        return pages.show(request, "downloads.html", trust=service.hall.trust, base=_base(request))

    @get("/check")
    async def check(request: Requested) -> Response[str]:
        head = await service.ledger.head()
        seen = await service.ledger.witnessed(service.hall.trust)
        awarded = await database.read(
            lambda unit: listing.newest(unit, limit=CHECKABLE, now=world.now(), stage="awarded")
        )
        return pages.show(
            request,
            "check.html",
            head=head,
            seen=seen,
            trust=service.hall.trust,
            base=_base(request),
            lots=awarded,
            w=wording,
        )

    def _calendar(request: Requested, there: list[dict[str, Any]]) -> bytes:
        lang = language.of(request.scope)
        return feeds.calendar(there, name=pages.sign.name, base=_base(request), lang=lang, now=stamp(world.now()))

    return [calendar, calendar_file, opening_file, feed, power_list, guide_list, guide, downloads, check]


def _ics(data: bytes, name: str) -> Response[bytes]:
    headers = {**READ, "content-disposition": f'attachment; filename="{name}"'}
    return Response(data, media_type="text/calendar; charset=utf-8", headers=headers)


def _base(request: Requested) -> str:
    return f"{request.url.scheme}://{request.url.netloc}"


def _month(text: str, today: date) -> date:
    """The first day of a month `2026-03`; this month for anything else."""
    try:
        found = date.fromisoformat(f"{text}-01")
    except ValueError:
        return today.replace(day=1)
    return found if FIRST_YEAR <= found.year <= LAST_YEAR else today.replace(day=1)


def _day(text: str, month: date, today: date) -> date:
    """The chosen day: the one asked for, else today in this month, else the first of the month."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = today
    return found if (found.year, found.month) == (month.year, month.month) else month
