"""The opening hall: nothing told too early, everything told to everybody, one look for all who watch."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bidding.opening_hall import broadcast, chart, pages, parts, scene
from bidding.opening_hall.broadcast import Broadcaster
from crypto.refusal import Refused
from storage.world import stamp
from trading import queries
from trading.counter.page import language
from trading.published import listing, reading
from trading.published.listing import Wanted

Play = Callable[..., None]


def environment() -> Environment:
    made = Environment(loader=FileSystemLoader(pages.TEMPLATES), autoescape=True, undefined=StrictUndefined)
    made.filters["capitals"] = language.capitals
    return made


def render(drawn: scene.Scene, lang: language.Lang) -> Mapping[str, str]:
    return parts.render(environment(), drawn, lang, now="")


async def drawn(stage: Any) -> scene.Scene:
    found: scene.Scene = await stage.database.read(
        lambda unit: scene.draw(unit, stage.lot, now=stage.now, hall=stage.hall)
    )
    return found


async def three(stage: Any) -> list[Any]:
    return [await stage.hand_in(one, price_fen=500_000_000 + n) for n, one in enumerate(stage.keys.bidders[:3])]


@pytest.mark.rule("E-39", "pass")
def test_before_the_freeze_bids_that_come_change_nothing_in_the_hall(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        before = render(await drawn(stage), "zh")
        await three(stage)
        await stage.sequence()
        after = render(await drawn(stage), "zh")
        assert after == before, "whoever watches cannot tell that bids came"
        assert not any("投标人0有限公司" in text for text in after.values())
        stage.until((await stage.tender()).deadline + timedelta(seconds=60))
        await stage.tick()
        closed = await drawn(stage)
        assert closed.phase == "closed" and closed.n is None

    play(scenario)


def test_the_hall_tells_each_trustee_and_each_bid_as_they_come(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        await three(stage)
        await stage.freeze()
        frozen = await drawn(stage)
        assert (frozen.n, frozen.phase, frozen.record) == (3, "challenge", ())
        assert [mark for _, mark, _ in frozen.steps] == ["done", "done", "done", "now", "coming", "coming"]
        await stage.trustees()
        released = await drawn(stage)
        silent = {seat.trustee for seat in released.seats if not seat.ready_at}
        assert silent == {"t-notary", "t-independent"}
        assert sum(bool(seat.released_at) for seat in released.seats) == 4
        await stage.tick()
        opened = await drawn(stage)
        assert opened.phase == "opened" and len(opened.record) == 3 and opened.settled
        for lang in ("zh", "en"):
            told = render(opened, lang)
            assert all(f"投标人{n}有限公司" in told["board"] for n in range(3))
            assert opened.record_hash in told["signed"]
            assert told["story"].count("data-id") == len(opened.happenings)
        kinds = [one.kind for one in opened.happenings]
        assert kinds.index("freeze") < kinds.index("ready") < kinds.index("release") < kinds.index("verdict")

    play(scenario)


def test_five_thousand_watchers_share_one_look_and_a_returning_one_misses_nothing(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        await three(stage)
        hall = Broadcaster(stage.database, world=stage.world, hall=stage.hall, render=render)
        tender_id = await hall.check(stage.lot)
        seen: list[list[str]] = [[] for _ in range(5000)]
        arrived: asyncio.Queue[int] = asyncio.Queue()

        async def watch(number: int) -> None:
            lang: language.Lang = "en" if number % 2 else "zh"
            async for data in hall.listen(stage.lot, tender_id, lang, ""):
                seen[number] += ids(data)
                arrived.put_nowait(number)

        watchers = [asyncio.create_task(watch(number)) for number in range(5000)]
        while not all(seen):
            await arrived.get()
        statements, polls = stage.database.statements, hall.polls
        await asyncio.sleep(3 * broadcast.POLL_SECONDS)
        looked = hall.polls - polls
        assert 1 <= looked <= 5
        assert stage.database.statements - statements <= looked * 3, "what a look asks does not grow with the crowd"
        await stage.freeze()
        first = seen[0][0]
        while any(len(one) < 2 for one in seen):
            await arrived.get()
        assert len({one[1] for one in seen}) == 1, "all saw the same, whatever their language"
        back = hall.listen(stage.lot, tender_id, "zh", first)
        assert await anext(back) == broadcast.RETRY
        assert ids(await anext(back)) != [first], "what came since is told, what was seen is not"
        await back.aclose()
        for one in watchers:
            one.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)
        assert hall.listeners == 0
        asked = hall.polls
        await asyncio.sleep(2 * broadcast.POLL_SECONDS)
        assert hall.polls <= asked + 1, "nobody listens, nobody looks"

    play(scenario)


def test_a_server_that_stops_need_not_wait_for_those_who_watch(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        hall = Broadcaster(stage.database, world=stage.world, hall=stage.hall, render=render)
        listening = hall.listen(stage.lot, await hall.check(stage.lot), "zh", "")
        assert [await anext(listening), bool(ids(await anext(listening)))] == [broadcast.RETRY, True]
        told: list[bytes] = []
        waiting = asyncio.create_task(collect(listening, told))
        await asyncio.sleep(0)
        broadcast.close_all()
        await asyncio.wait_for(waiting, 5)
        assert hall.listeners == 0

    play(scenario)


async def collect(listening: Any, told: list[bytes]) -> None:
    async for data in listening:
        told.append(data)


def ids(data: bytes) -> list[str]:
    """The scene that a message leads to, if it does."""
    lines = data.decode().splitlines()
    for line in lines:
        if line.startswith("data: "):
            json.loads(line[6:])
    return [line[4:] for line in lines if line.startswith("id: ")]


def test_a_full_hall_is_refused_and_a_lot_that_is_none(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        hall = Broadcaster(stage.database, world=stage.world, hall=stage.hall, render=render)
        with pytest.raises(Refused) as refused:
            await hall.check("E0000000000000000000000")
        assert refused.value.code == "lot_unknown"
        listening = hall.listen(stage.lot, await hall.check(stage.lot), "zh", "")
        await anext(listening)
        small = Broadcaster(stage.database, world=stage.world, hall=stage.hall, render=render, listeners_max=0)
        with pytest.raises(Refused) as refused:
            await small.check(stage.lot)
        assert refused.value.code == "opening_hall_full"
        with contextlib.suppress(StopAsyncIteration):
            await listening.aclose()

    play(scenario)


def test_a_notice_is_found_by_two_characters_and_by_its_stage(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        async def found(wanted: Wanted) -> list[str]:
            told = await stage.database.read(lambda unit: listing.find(unit, wanted, now=stage.now))
            assert told.total == len(told.rows)
            return [row["lot"] for row in told.rows]

        for q in ("道路", "道路养护", "路", "青溪县 养护", stage.lot[:6], stage.lot.lower(), "第一标段", ""):
            assert await found(Wanted(q=q)) == [stage.lot], q
        for q in ("桥梁", "路道", "道路桥梁"):
            assert await found(Wanted(q=q)) == [], q
        assert await found(Wanted(stage="open", region="5101", market="construction")) == [stage.lot]
        assert await found(Wanted(stage="publicity")) == [] and await found(Wanted(region="44")) == []
        day = stage.now.date()
        assert await found(Wanted(since=day, until=day)) == [stage.lot]
        assert await found(Wanted(until=day - timedelta(days=1))) == []
        rows = await stage.database.read(lambda unit: queries.lots(unit, state=None, q="道路", now=stage.now))
        assert [row["lot"] for row in rows] == [stage.lot]

    play(scenario)


def test_every_notice_is_on_exactly_one_page_from_whichever_end_it_is_read(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        model = await stage.database.read(lambda unit: unit.tender.read(stage.lot))

        async def fill(unit: Any) -> None:
            for number in range(70):
                lot = f"E{number:022d}"
                row = {name: value for name, value in model.items() if name != "version"}
                body = {"tender": {**model["body"]["tender"], "lot": lot}}
                await unit.tender.insert({**row, "lot": lot, "body": body})
                published = stamp(stage.now - timedelta(hours=number // 3))
                fields = {"published": published, "market": "construction", "region": "510100"}
                await unit.notice.insert({"lot": lot, **fields})

        await stage.database.write(fill)
        seen: list[str] = []
        for page in range(1, 5):
            told = await stage.database.read(lambda unit, p=page: listing.find(unit, Wanted(), page=p, now=stage.now))
            assert (told.total, told.pages) == (71, 4)
            seen += [row["lot"] for row in told.rows]
        ordered = await stage.database.read(lambda unit: unit.notice.find({}, order=("-published",)))
        assert seen == [row["lot"] for row in ordered]

    play(scenario)


def test_a_lots_line_has_every_limit_with_its_article(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        shown = await stage.database.read(lambda unit: reading.show(unit, stage.lot, now=stage.now))
        told = {step.what: step for step in shown.steps}
        assert told["notice"].status == "done" and told["deadline"].article == "法 §24"
        assert told["deadline"].bound == ("earliest", "2026-03-22") and told["deadline"].at == stamp(
            (await stage.tender()).deadline
        )
        assert told["objection_to_document"].day == "2026-03-16" and told["objection_to_document"].rule == "E-12"
        assert [step.status for step in shown.steps].count("next") == 1
        assert all(step.article for step in shown.steps)
        assert shown.objection is not None and shown.objection[0] == "document"
        today = await stage.database.read(lambda unit: listing.today(unit, now=stage.now))
        assert today["open"] == 1 and today["newest"][0]["lot"] == stage.lot and not today["openings"]

    play(scenario)


def test_the_chart_marks_the_maximum_price_and_stays_inside_its_frame() -> None:
    rows = [(1, 700_000_000), (2, 712_345_600), (3, 799_999_999)]
    drawn_ = str(chart.prices(rows, ceiling=800_000_000, lang="zh", width=350))
    assert drawn_.count("<circle") == 3 and "最高投标限价 800.00万元" in drawn_ and 'aria-hidden="true"' in drawn_
    places = [float(one.split('"')[0]) for one in drawn_.split('cx="')[1:]]
    assert places == sorted(places) and places[0] > 0 and places[-1] < 350
    assert str(chart.prices([], ceiling=None, lang="en", width=350)) == ""
    assert "CNY" not in str(chart.prices([(1, 5)], ceiling=None, lang="en", width=720)), "one bid draws as well"
