"""Close and freeze: what is in, what is refused by name, what waits for the sequencer; the list is a pure function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from bidding import ceremony, clock, lots
from crypto import signing
from crypto.opening.frozen import Submitted, Withdrawn
from trading import journal, tenders
from trading.commands import notice
from trading.lifecycle import State

Play = Callable[..., None]
NOON = datetime(2026, 3, 26, 1, tzinfo=UTC)


async def due(stage: Any) -> list[str]:
    async def work(unit: Any) -> list[str]:
        _, acts = await clock.run_due(unit, await tenders.load(unit, stage.lot), now=stage.now, hall=stage.hall)
        return [each.act["kind"] for each in acts]

    found: list[str] = await stage.database.write(work)
    return found


async def listed(stage: Any) -> list[str]:
    return [row["bid"] for row in await stage.object((await stage.act("freeze"))["list_hash"])]


def test_close_waits_for_the_settle_time_and_freeze_for_the_log(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        bids = [await stage.hand_in(one) for one in stage.keys.bidders[:3]]
        deadline = (await stage.tender()).deadline
        stage.until(deadline + timedelta(seconds=59, milliseconds=999))
        assert await due(stage) == []
        stage.wait(0.001)
        assert await due(stage) == ["close"], "the submissions and the close wait for their places"
        assert await due(stage) == []
        await stage.sequence()
        assert await due(stage) == ["freeze"]
        assert await due(stage) == []
        assert await listed(stage) == sorted(each.bid for each in bids)
        assert (await stage.tender()).state is State.FROZEN

    play(scenario)


def test_freeze_waits_for_a_row_that_committed_late(play: Play) -> None:
    """Whatever was recorded before *close* stands in the log before anything is counted."""

    async def scenario(stage: Any) -> None:
        for one in stage.keys.bidders[:3]:
            await stage.hand_in(one)
        stage.until((await stage.tender()).deadline + timedelta(seconds=60))
        await due(stage)
        await stage.sequence()
        company = stage.keys.bidders[0]

        async def late(unit: Any) -> None:
            await journal.private_act(
                unit,
                hall=stage.hall,
                lot=stage.lot,
                tender_id=(await tenders.load(unit, stage.lot)).tender.tender_id,
                kind="question",
                fields={"text_hash": "00" * 32},
                actor=company.actor,
                now=stage.now - timedelta(seconds=30),
            )

        await stage.database.write(late)
        assert await due(stage) == []
        await stage.sequence()
        assert await due(stage) == ["freeze"]

    play(scenario)


def test_a_replaced_and_a_withdrawn_bid_are_not_in_the_list(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        companies = stage.keys.bidders
        await stage.hand_in(companies[0], version=1)
        replaced = await stage.hand_in(companies[0], version=2)
        withdrawn = await stage.hand_in(companies[1])
        await stage.withdraw(withdrawn)
        back = await stage.hand_in(companies[2])
        await stage.withdraw(back)
        back = await stage.hand_in(companies[2], version=2)
        third = await stage.hand_in(companies[3])
        await stage.freeze()
        assert await listed(stage) == sorted(each.bid for each in (replaced, back, third))

    play(scenario)


def test_resurrected_withdrawn_bid_is_not_in_the_list() -> None:
    """Neither by a later copy of its act, nor by an order in which the withdrawal comes first."""
    bid = submitted(version=1, index=5)
    gone = Withdrawn(b"w" * 32, 4, NOON - timedelta(hours=1), "A", 1)
    again = replace(bid, index=9, leaf=b"x" * 32)
    found = ceremony.freeze([bid, again], [gone], close_index=20, deadline=NOON)
    assert found.bids == ()
    assert found.refused == ((again.leaf.hex(), "bid_version_not_higher"),)


def test_late_bid_slipped_into_the_freeze_is_refused_by_name() -> None:
    late = submitted(organisation="L", index=3, at=NOON)
    after = submitted(organisation="M", index=21)
    right = submitted(organisation="A", index=2)
    found = ceremony.freeze([late, after, right], [], close_index=20, deadline=NOON)
    assert found.bids == (right,)
    assert found.refused == (
        (late.leaf.hex(), "bid_received_after_deadline"),
        (after.leaf.hex(), "bid_logged_after_close"),
    )


def test_every_submission_is_frozen_withdrawn_replaced_or_refused() -> None:
    """Invariant I1 over all small cases."""
    times = (NOON - timedelta(milliseconds=1), NOON)
    for index in (1, 30):
        for at in times:
            for version in (1, 2, 3):
                one = submitted(version=2, index=0)
                other = submitted(version=version, index=index, at=at)
                found = ceremony.freeze([one, other], [], close_index=20, deadline=NOON)
                named = {leaf for leaf, _ in found.refused}
                for each in (one, other):
                    replaced = any(bid.version > each.version for bid in found.bids)
                    assert (each in found.bids) != (each.leaf.hex() in named or replaced)


def test_a_refused_act_names_the_submission_and_the_code(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        for one in stage.keys.bidders[:3]:
            await stage.hand_in(one)
        slipped = await stage.hand_in(stage.keys.bidders[3])

        async def past(unit: Any) -> None:
            # A door that lied about the hour: the row says after the deadline.
            rows = await unit.submission.find({"organisation": slipped.company.uscc})
            table = stage.database.engine.tables["submission"]
            key = (rows[0]["id"],)
            table.rows[key]["received_at"] = "2026-03-26T01:00:00.000Z"

        await stage.database.write(past)
        await stage.freeze()
        assert slipped.bid not in await listed(stage)
        act = await stage.act("refused")
        assert act["code"] == "bid_received_after_deadline"
        rows = await stage.database.read(lambda unit: unit.submission.find({"organisation": slipped.company.uscc}))
        assert act["submission"] == rows[0]["body"]["leaf"]

    play(scenario)


def test_fewer_than_three_bids_fail_and_no_share_ever_leaves(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        for one in stage.keys.bidders[:2]:
            await stage.hand_in(one)
        assert (await stage.freeze()).state is State.FAILED
        assert (await stage.act("failed"))["reason"] == "fewer_than_bids_min"
        stage.wait(3600)
        await stage.sequence()
        for id_ in stage.agents:
            step = await stage.trustee(id_)
            assert step.code in ("tender_failed",), step

    play(scenario)


def test_a_bid_after_close_finds_the_lot_closed(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        from crypto.refusal import Refused

        late = await stage.seal(stage.keys.bidders[5])
        await stage.upload(late)
        for one in stage.keys.bidders[:3]:
            await stage.hand_in(one)
        await stage.freeze()
        with pytest.raises(Refused) as error:
            await stage.submit(late)
        assert error.value.rule == "E-36"

    play(scenario)


def test_an_extension_keeps_bids_sealed_and_admits_later_ones(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        first = await stage.hand_in(stage.keys.bidders[0])
        later = NOON + timedelta(days=5)
        await extend(stage, later)
        await stage.sequence()
        stage.until(NOON + timedelta(days=1))
        assert await due(stage) == []
        others = [await stage.hand_in(one) for one in stage.keys.bidders[1:3]]
        tender = await stage.open()
        assert tender.state is State.OPENED
        assert set(await stage.record()) == {each.bid for each in (first, *others)}

    play(scenario)


def test_hidden_extension_admits_no_later_bid(play: Play) -> None:
    """An extension that no quorum witnessed before the deadline it replaces: the box keeps to the old deadline."""

    async def scenario(stage: Any) -> None:
        from crypto.refusal import Refused

        late = await stage.seal(stage.keys.bidders[0])
        await stage.upload(late)
        await extend(stage, NOON + timedelta(days=5))
        stage.until(NOON + timedelta(seconds=1))
        await stage.sequence()
        with pytest.raises(Refused) as error:
            await stage.submit(late)
        assert error.value.code == "bid_received_after_deadline" and error.value.facts["deadline"].startswith(
            "2026-03-26T01:00"
        )

    play(scenario)


def test_dropped_bid_gives_a_supplementary_freeze_once_its_row_is_back(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        bids = [await stage.hand_in(one) for one in stage.keys.bidders[:4]]
        dropped = bids[3]
        table = stage.database.engine.tables["submission"]
        (key,) = [key for key, row in table.rows.items() if row["organisation"] == dropped.company.uscc]
        row = table.take(key)
        await stage.freeze()
        assert dropped.bid not in await listed(stage)
        table.put(row)

        async def correct(unit: Any) -> list[str]:
            held = await tenders.load(unit, stage.lot)
            _, acts = await clock.correct(unit, held, now=stage.now, hall=stage.hall)
            return [each.act["kind"] for each in acts]

        first = await stage.act("freeze")
        assert await stage.database.write(correct) == ["freeze"]
        await stage.sequence()
        assert await stage.database.write(correct) == [], "the list in force is right now"
        second = await stage.act("freeze")
        assert second["supplements"] != first["supplements"] and dropped.bid in await listed(stage)
        await stage.trustees()
        await stage.tick()
        assert (await stage.tender()).state is State.OPENED
        assert dropped.bid in await stage.record()

    play(scenario)


def test_what_happens_next_is_told_from_the_acts_alone(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        async def phase() -> str:
            async def ask(unit: Any) -> str:
                tender = (await tenders.load(unit, stage.lot)).tender
                view = await lots.view(unit, tender, hall=stage.hall)
                return ceremony.what_next(view, now=stage.now).phase.value

            found: str = await stage.database.read(ask)
            return found

        for one in stage.keys.bidders[:3]:
            await stage.hand_in(one)
        seen = [await phase()]
        stage.until((await stage.tender()).deadline)
        seen.append(await phase())
        stage.wait(60)
        await stage.tick()
        seen.append(await phase())
        await stage.tick()
        seen.append(await phase())
        stage.wait(300)
        await stage.sequence()
        seen.append(await phase())
        for id_ in stage.agents:
            await stage.trustee(id_)
        seen.append(await phase())
        assert seen == ["bidding", "settling", "closed", "challenge", "readying", "releasing"]

    play(scenario)


async def extend(stage: Any, until: datetime) -> None:
    owner = stage.keys.owner
    cmd = notice.ExtendDeadline(stage.lot, until.strftime("%Y-%m-%dT%H:%M:%S.000Z"))
    asked = await stage.do(notice.extend_deadline, cmd, owner.actor)
    signed = signing.sign_act(asked.sign, signer=owner.signer, by="owner")
    await stage.do(notice.extend_deadline, msgspec.structs.replace(cmd, signed=signed), owner.actor)


def submitted(
    *, organisation: str = "A", version: int = 1, index: int = 1, at: datetime = NOON - timedelta(hours=2)
) -> Submitted:
    name = f"{organisation}{version}{index}".encode()
    return Submitted(
        name.ljust(32, b"l"), index, at, organisation, version, name.ljust(32, b"b"), (name.ljust(32, b"h"),)
    )
