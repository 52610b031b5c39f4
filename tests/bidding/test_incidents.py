"""Incidents: an outage, a leaf that waits, a late close stand in the public chain of every tender they touched."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from portal.alarms import BELL_SECONDS, Alarms
from storage.world import instant
from trading import incidents, tenders

Play = Callable[..., None]


async def said(stage: Any) -> list[dict[str, Any]]:
    rows = await stage.database.read(
        lambda unit: unit.event.find({"lot": stage.lot, "kind": "incident"}, order=("seq",))
    )
    return [{name: row["body"][name] for name in ("what", "from", "to")} for row in rows]


def running_of(stage: Any, clock: list[float], *, rehearsal: bool = False) -> Any:
    """What the alarms see of a hall: a real one, unless a rehearsal is asked for; its real seconds are `clock`."""
    hall = SimpleNamespace(**{name: getattr(stage.hall, name) for name in stage.hall.__dataclass_fields__})
    hall.rehearsal = rehearsal
    world = SimpleNamespace(now=lambda: stage.now, monotonic=lambda: clock[0])
    service = SimpleNamespace(blobs=stage.blobs)
    folder = SimpleNamespace(blobs=stage.blobs._folder)
    return SimpleNamespace(
        hall=hall,
        world=world,
        database=stage.database,
        ledger=stage.ledger,
        service=service,
        folder=folder,
        wake=asyncio.Event(),
    )


def test_an_outage_has_a_start_an_end_and_the_tenders_it_touched(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        begun = stage.now

        async def begin(unit: Any) -> bool:
            return await incidents.begin(unit, what="outage", at=stage.now, text="power")

        assert await stage.database.write(begin)
        assert not await stage.database.write(begin), "the first beginning counts"
        stage.wait(3600)
        done = await stage.database.write(
            lambda unit: incidents.finish(unit, what="outage", at=stage.now, hall=stage.hall, now=stage.now)
        )
        assert [each.act["tender_id"] for each in done] == [(await stage.tender()).tender_id]
        (row,) = await said(stage)
        assert (row["what"], instant(row["to"]) - instant(row["from"])) == ("outage", timedelta(hours=1))
        assert instant(row["from"]) == begun
        again = await stage.database.write(
            lambda unit: incidents.finish(unit, what="outage", at=stage.now, hall=stage.hall, now=stage.now)
        )
        assert again == ()
        stage.wait(60)
        assert await stage.database.write(begin), "another one may follow"

    play(scenario)


def test_a_hall_that_was_away_writes_it_down_when_it_wakes(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        alarms = Alarms(running_of(stage, [0.0]))
        assert await alarms.woke() == 0, "nothing is known of a first start"
        stage.wait(59)
        assert await alarms.woke() == 0, "a restart is no outage"
        stage.wait(1800)
        assert await Alarms(running_of(stage, [0.0])).woke() == 1
        (row,) = await said(stage)
        assert (row["what"], instant(row["to"]) - instant(row["from"])) == ("outage", timedelta(minutes=30))

    play(scenario)


def test_a_leaf_that_waits_longer_than_ten_seconds_is_never_silence(play: Play) -> None:
    """The act stands in every tender open for bids and does not say whose leaf it was (E-20)."""

    async def scenario(stage: Any) -> None:
        alarms = Alarms(running_of(stage, [0.0]))
        sealed = await stage.seal(stage.keys.bidders[0])
        await stage.upload(sealed)
        stage.wait(9)
        await alarms.leaves()
        stage.wait(2)
        await alarms.leaves()
        assert await said(stage) == [], "not over yet"
        assert await stage.database.read(lambda unit: incidents.is_open(unit, "pending_leaf"))
        await stage.sequence()
        await alarms.leaves()
        (row,) = await said(stage)
        assert row["what"] == "pending_leaf" and (instant(row["to"]) - instant(row["from"])).total_seconds() == 11
        act = await stage.act("incident")
        assert sealed.company.uscc not in str(act) and "1 " not in act["text"].split("10 s")[0]
        await stage.sequence()
        await alarms.leaves()
        assert len(await said(stage)) == 1

    play(scenario)


def test_a_rehearsals_clock_that_jumps_over_a_leaf_is_no_incident(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        clock = [0.0]
        alarms = Alarms(running_of(stage, clock, rehearsal=True))
        await stage.upload(await stage.seal(stage.keys.bidders[0]))
        stage.wait(86_400)
        await alarms.leaves()
        assert not await stage.database.read(lambda unit: incidents.is_open(unit, "pending_leaf"))
        clock[0] = 11.0
        await alarms.leaves()
        assert await stage.database.read(lambda unit: incidents.is_open(unit, "pending_leaf"))

    play(scenario)


def test_a_close_that_comes_late_is_written_down_once(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        alarms = Alarms(running_of(stage, [0.0]))
        for company in stage.keys.bidders[:3]:
            await stage.hand_in(company)
        stage.until((await stage.tender()).deadline + timedelta(seconds=60 + 11))
        await stage.tick()
        await alarms.closes()
        await alarms.closes()
        (row,) = await said(stage)
        assert row["what"] == "late_close" and (instant(row["to"]) - instant(row["from"])).total_seconds() == 11
        held = await stage.database.read(lambda unit: tenders.load(unit, stage.lot))
        assert held.tender.closed_at is not None

    play(scenario)


def test_a_close_in_time_and_one_that_a_rehearsals_clock_jumped_over_are_no_incidents(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        stage.until((await stage.tender()).deadline + timedelta(seconds=60 + 9))
        await stage.tick()
        await Alarms(running_of(stage, [0.0])).closes()
        assert await said(stage) == []

    async def jumped(stage: Any) -> None:
        stage.until((await stage.tender()).deadline + timedelta(days=2))
        advance = {"advance": "P2D", "now": stage_text(stage)}
        await stage.database.write(lambda unit: stage._hall_act(unit, "clock", advance, [("duty", stage.keys.duty)]))
        await stage.tick()
        await Alarms(running_of(stage, [0.0], rehearsal=True)).closes()
        assert await said(stage) == []

    play(scenario)
    play(jumped)


def stage_text(stage: Any) -> str:
    return str(stage.now.strftime("%Y-%m-%dT%H:%M:%S.000Z"))


def test_health_names_what_stands_still(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        clock = [0.0]
        running = running_of(stage, clock)
        alarms = Alarms(running)
        assert await alarms.failing() == []
        at_once = await asyncio.gather(*(alarms.failing() for _ in range(40)))
        assert at_once == [[]] * 40, "who asks for the health at the same time is told the same"
        alarms.ring()
        clock[0] = 1.0
        alarms.ring()
        clock[0] = 1.0 + BELL_SECONDS + 1
        assert await alarms.failing() == ["the clockwork stands still"]
        running.wake.clear()
        alarms.ring()
        assert await alarms.failing() == []
        running.folder.blobs = running.folder.blobs / "gone"
        assert (await alarms.failing())[0].startswith("segments cannot be written")

    play(scenario)
