"""Lists of published lots: found by words, market, region, stage and day; openings by day; what is worth knowing today.

20号令 §17, 条例 §16: notices are for everybody. Every question here asks an index for a page of rows, never for a whole
table: it costs the same with ten thousand notices as with ten. Nothing here shows a number of bids or a bidder.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from storage.ports import Among, AtLeast, Below, Condition, In, Where, Within
from storage.unit import Unit
from storage.world import stamp
from trading import calendar, lifecycle
from trading.lifecycle import State
from trading.published import words
from trading.tender import Tender, from_json
from trading.tender_document import TenderDocument

PAGE = 20
PAGES_MAX = 500
DAY_MAX = 100
SEARCHED_PUBLICITY_MAX = 200

STAGES: dict[str, tuple[State, ...]] = {
    "open": (State.BIDDING,),
    "opening": (State.CLOSED, State.SHORT, State.FROZEN, State.OPENING, State.OPENED),
    "evaluation": (State.EVALUATING, State.COMMITTED, State.REPORT_DRAFT, State.REPORT_SUBMITTED, State.REVIEWED),
    "publicity": (State.PUBLICITY, State.AWARDABLE),
    "awarded": (State.AWARDED, State.CONTRACTED),
    "ended": (State.FAILED, State.TERMINATED),
}
"""Stages as a reader filters by them, each the states it covers."""

_PUBLISHED = In(tuple(state.value for states in STAGES.values() for state in states))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody looks for. `region` is the beginning of a code; the days bound the publication, both inclusive."""

    q: str = ""
    market: str | None = None
    region: str | None = None
    stage: str | None = None
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One page of a list; `total` counts all that was found."""

    rows: list[dict[str, Any]]
    total: int
    page: int
    pages: int


async def keep(unit: Unit, tender: Tender, document: TenderDocument, *, unified_code: str) -> None:
    """Make a published lot findable; in the transaction of its TENDER act."""
    row = {"lot": tender.lot, "published": stamp(tender.published_at), "market": tender.market}
    await unit.notice.insert({**row, "region": tender.region})
    agent = document.agent.name if document.agent else ""
    texts = (tender.name, document.project.name, document.owner.name, agent, document.lot.place)
    found = words.words_of(*texts, tender.lot, unified_code)
    await unit.notice_word.insert_all([{"word": word, "lot": tender.lot} for word in found])


async def find(unit: Unit, wanted: Wanted, *, page: int = 1, now: datetime) -> Found:
    """One page of what is wanted, newest first."""
    where = _where(wanted)
    total = await unit.notice.count(where)
    pages = max(1, min(PAGES_MAX, -(-total // PAGE)))
    page = max(1, min(page, pages))
    before = (page - 1) * PAGE
    if before <= total // 2:
        rows = (await unit.notice.find(where, order=("-published",), limit=before + PAGE))[before:]
    else:
        # The far half is read from its end, so that the last page costs no more than the first.
        behind = await unit.notice.find(where, order=("published", "-lot"), limit=total - before)
        rows = behind[::-1][:PAGE]
    lots = [row["lot"] for row in rows]
    return Found(await summaries(unit, lots, now=now), total, page, pages)


async def newest(unit: Unit, *, limit: int, now: datetime, stage: str | None = None) -> list[dict[str, Any]]:
    """The newest notices, of one stage or of all."""
    rows = await unit.notice.find(_where(Wanted(stage=stage)), order=("-published",), limit=limit)
    return await summaries(unit, [row["lot"] for row in rows], now=now)


async def summaries(unit: Unit, lots: list[str], *, now: datetime) -> list[dict[str, Any]]:
    """What a list shows of these lots, in this order."""
    rows = await unit.tender.find({"lot": In(tuple(lots))}) if lots else []
    told = {row["lot"]: summary(from_json(row["body"]["tender"]), now) for row in rows}
    return [told[lot] for lot in lots if lot in told]


async def openings(unit: Unit, since: datetime, until: datetime, *, limit: int, now: datetime) -> list[dict[str, Any]]:
    """Lots whose deadline, which is their opening (E-50), falls into this time, soonest first."""
    where: Where = {"state": _PUBLISHED, "deadline": Within(stamp(since), stamp(until))}
    rows = await unit.tender.find(where, order=("deadline",), limit=limit)
    return [summary(from_json(row["body"]["tender"]), now) for row in rows]


async def openings_by_day(unit: Unit, first: date, last: date) -> dict[date, int]:
    """How many openings every day has, both ends included."""
    found = {}
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        span = Within(stamp(_begins(day)), stamp(_begins(day + timedelta(days=1))))
        found[day] = await unit.tender.count({"state": _PUBLISHED, "deadline": span})
    return found


async def today(unit: Unit, *, now: datetime) -> dict[str, Any]:
    """What the front page shows: openings of this legal day, what closes next, the newest notices, and candidates in
    publicity by the end of the time in which one may object."""
    day = calendar.legal_day(now)
    soon = await unit.tender.find(
        {"state": State.BIDDING.value, "deadline": AtLeast(stamp(now))}, order=("deadline",), limit=6
    )
    public = await unit.tender.find({"state": State.PUBLICITY.value}, limit=SEARCHED_PUBLICITY_MAX)
    ending = sorted(
        (told for row in public if (told := summary(from_json(row["body"]["tender"]), now))["state"] == "publicity"),
        key=lambda one: one["publicity_until"],
    )
    return {
        "day": day.isoformat(),
        "openings": await openings(unit, _begins(day), _begins(day + timedelta(days=1)), limit=12, now=now),
        "open": await unit.tender.count({"state": State.BIDDING.value}),
        "closing": [summary(from_json(row["body"]["tender"]), now) for row in soon],
        "newest": await newest(unit, limit=6, now=now),
        "publicity": ending[:6],
        "in_publicity": len(ending),
    }


def summary(tender: Tender, now: datetime) -> dict[str, Any]:
    """What everybody may see of a lot in a list."""
    until = tender.publicity_until
    return {
        "lot": tender.lot,
        "tender_id": tender.tender_id,
        "name": tender.name,
        "owner": tender.owner,
        "agent": tender.agent,
        "market": tender.market,
        "region": tender.region,
        "rehearsal": tender.rehearsal,
        "state": lifecycle.at_instant(tender, now).state.value,
        "held": tender.held_by is not None,
        "published_at": stamp(tender.published_at),
        "deadline": stamp(tender.deadline),
        "max_price_fen": tender.max_price_fen,
        "publicity_until": None if until is None else stamp(until),
    }


def _where(wanted: Wanted) -> Where:
    lot: list[Condition] = list(words.asked(wanted.q))
    if wanted.stage:
        states = tuple(state.value for state in STAGES[wanted.stage])
        lot.append(Among("tender", "lot", {"state": In(states)}))
    where: dict[str, Condition] = words.every(lot)
    if wanted.market:
        where["market"] = wanted.market
    if wanted.region:
        where["region"] = Within(wanted.region, wanted.region + words.LAST)
    since = stamp(_begins(wanted.since)) if wanted.since else ""
    until = stamp(_begins(wanted.until + timedelta(days=1))) if wanted.until else ""
    if since and until:
        where["published"] = Within(since, until)
    elif since or until:
        where["published"] = AtLeast(since) if since else Below(until)
    return where


def _begins(day: date) -> datetime:
    return calendar.start_of(day)
