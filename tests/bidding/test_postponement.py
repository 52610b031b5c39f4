"""An outage near a deadline stops the tender, tells whoever took the documents, and is certified on paper."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pypdf
import pytest

from crypto.refusal import Refused
from storage.world import stamp
from trading import inbox, incidents, postponement
from trading.commands import notice
from trading.lifecycle import State
from trading.papers import outage

Play = Callable[..., None]
HOUR = timedelta(hours=1)


async def away(stage: Any, begun: datetime, ended: datetime) -> str:
    """The hall is not running from `begun` to `ended`; back, it writes the incident. Returns its leaf."""
    stage.until(begun)
    stage.until(ended)

    async def work(unit: Any) -> str:
        assert await incidents.begin(unit, what=incidents.OUTAGE, at=begun, text="the hall was not running")
        logged = await incidents.finish(unit, what=incidents.OUTAGE, at=ended, hall=stage.hall, now=stage.now)
        return str(logged[0].leaf)

    return str(await stage.database.write(work))


async def extend(stage: Any, deadline: datetime) -> Any:
    owner = stage.keys.owner
    cmd = notice.ExtendDeadline(stage.lot, stamp(deadline), "outage")
    done = await stage.sign(notice.extend_deadline, cmd, owner.actor, owner.signer, "owner")
    await stage.sequence()
    return done


async def told(stage: Any) -> set[tuple[str, str]]:
    """Does what the queue owes, then who has which notice."""
    jobs = await stage.database.read(lambda unit: unit.job.find({"kind": "fill_inboxes", "state": "due"}))
    for job in jobs:
        args = job["body"]["args"]
        if args["what"] == "outage":
            await stage.database.write(lambda unit, args=args: inbox.fill(unit, args, entropy=stage.hall.entropy))
    rows = await stage.database.read(lambda unit: unit.inbox.find())
    return {(row["organisation"], row["body"]["what"]) for row in rows}


def test_an_outage_in_the_last_day_stops_the_tender_until_the_owner_gives_the_time_back(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        was = (await stage.tender()).deadline
        for one in stage.keys.bidders[:3]:
            await stage.do(notice.download, notice.Download(stage.lot), one.actor)
            await stage.hand_in(one)
        incident = await away(stage, was - 5 * HOUR, was - 3 * HOUR)
        assert await stage.tick() == [] and await stage.tick() == [], "it was stopped with the incident, once"
        hold = await stage.act("hold")
        assert (hold["reason"], hold["ref"], hold["left_s"]) == ("outage", incident, 3 * 3600)
        assert {(one.uscc, "outage") for one in stage.keys.bidders[:3]} <= await told(stage), "everybody who downloaded"
        stage.until(was + HOUR)
        assert await stage.tick() == [], "no deadline fires"
        back, asked = was - 3 * HOUR, stage.now + 3 * HOUR
        with pytest.raises(Refused, match="deadline_after_outage_too_early") as early:
            await extend(stage, asked)
        assert early.value.rule == "E-50" and early.value.facts["earliest"] == stamp(back + 24 * HOUR)
        new = back + 26 * HOUR
        await extend(stage, new)
        assert await stage.tick() == ["resume"]
        late = await stage.hand_in(stage.keys.bidders[3])
        assert late.uploads, "after the first deadline, before the new one"
        tender = await stage.open()
        assert tender.state is State.OPENED and len(await stage.record()) == 4

    play(scenario)


def test_an_outage_over_the_deadline_itself_moves_it_and_the_trustees_agree(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        was = (await stage.tender()).deadline
        for one in stage.keys.bidders[:2]:
            await stage.hand_in(one)
        await stage.sequence()
        await away(stage, was - timedelta(minutes=2), was + timedelta(minutes=4))
        assert await stage.tick() == [], "stopped before anything closes"
        await extend(stage, was + 30 * HOUR)
        assert await stage.tick() == ["resume"]
        await stage.hand_in(stage.keys.bidders[2])
        tender = await stage.open()
        assert tender.state is State.OPENED and len(await stage.record()) == 3

    play(scenario)


def test_an_outage_long_before_or_a_short_one_moves_nothing(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        was = (await stage.tender()).deadline
        await away(stage, was - 60 * HOUR, was - 50 * HOUR)
        assert await stage.tick() == []
        await away(stage, was - 5 * HOUR, was - 5 * HOUR + timedelta(minutes=9))
        assert await stage.tick() == []

    play(scenario)


def test_the_certificate_names_times_clause_and_acts_in_json_and_on_paper(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        was = (await stage.tender()).deadline
        incident = await away(stage, was - 5 * HOUR, was - 3 * HOUR)
        await stage.tick()
        await extend(stage, was + 30 * HOUR)
        said = await stage.database.read(lambda unit: postponement.certified(unit, incident))
        (one,) = said["tenders"]
        assert said["seconds"] == 7200 and one["moved"] and one["was"] == stamp(was)
        assert one["deadline"]["deadline"] == stamp(was + 30 * HOUR) and one["clause"]["article"]
        leaves = [one["incident"], one["hold"], one["deadline"]["leaf"]]
        rows = await stage.database.read(lambda unit: unit.event.find({"lot": stage.lot}))
        assert {*leaves} <= {row["leaf_hash"] for row in rows}
        msgspec.json.encode(said)
        pdf = await stage.database.read(
            lambda unit: outage.certificate(unit, incident, hall=stage.hall, printed="2026-03-26 10:00")
        )
        text = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)
        for part in (stage.lot, one["clause"]["article"][:6], *leaves):
            assert part in text.replace("\n", ""), part
        with pytest.raises(Refused, match="incident_unknown"):
            await stage.database.read(lambda unit: postponement.certified(unit, one["hold"]))

    play(scenario)


@pytest.mark.parametrize(("region", "article"), [("410900", "濮阳"), ("330200", "宁波"), ("510100", "本交易大厅")])
def test_local_practice_is_configuration(region: str, article: str) -> None:
    clause = postponement.clause_of(region=region, market="construction")
    assert clause.article.startswith(article)
