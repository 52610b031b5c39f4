"""Everything automatic, on one page: for every tender that owes something, each room does what it owes.

What is due is a query over the tenders' rows, so a restart loses nothing and two clockworks do no harm: each act moves
the state that made it due, and whoever comes second finds nothing. Rooms talk through the ledger; this table is the
only place where their order stands.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bidding import announcement, keeping, uploads
from bidding import clock as bids
from crypto.refusal import Refused
from experts import clock as panels
from storage.blobs import Blobs
from storage.ports import Conflict, In, Not
from storage.unit import Database, Unit
from storage.world import World
from trading import clock, lifecycle, tenders
from trading.counter import verbs
from trading.hall import Hall

if TYPE_CHECKING:
    from portal.running import Running

Step = Callable[[str], Awaitable[int]]

TICK_SECONDS = 0.5
TIDY_EVERY = timedelta(hours=1)
ROUNDS_MAX = 50
log = logging.getLogger("tradehall.clockwork")

AT_REST = frozenset(state.value for state in lifecycle.AT_REST)


async def run(running: Running, stop: asyncio.Event) -> None:
    """Look what is due, every half second or when woken, until stopped."""
    tidied: datetime | None = None
    while not stop.is_set():
        running.wake.clear()
        try:
            await turn(running)
            if tidied is None or running.world.now() - tidied >= TIDY_EVERY:
                await tidy(running)
                tidied = running.world.now()
        except Exception:
            # A clock that stopped would stop every tender of the hall; whatever it was, the next turn asks again.
            log.exception("the clockwork's turn broke off")
        try:
            await asyncio.wait_for(running.wake.wait(), TICK_SECONDS)
        except TimeoutError:
            continue


async def tidy(running: Running) -> None:
    """Once an hour: drop uploads that were abandoned and answers that were kept for retries."""
    database, now = running.database, running.world.now()
    dropped = await uploads.drop_abandoned(database, running.service.blobs, now=now)
    await keeping.sweep(database, running.service.blobs, now=now)
    await keeping.erase_due(database, running.service.blobs, now=now, entropy=running.world.entropy)
    forgotten = await database.write(lambda unit: verbs.forget_answers(unit, now=now))
    if dropped or forgotten:
        log.info("dropped %d abandoned uploads, forgot %d answers", dropped, forgotten)


async def turn(running: Running) -> int:
    """Do everything that is due now, for every tender; returns how many acts were logged."""
    async with running.turning:
        await running.restock()
        return await turn_all(running.database, steps(running))


async def turn_all(database: Database, work: Sequence[Step]) -> int:
    """The same with the steps of whichever process asks."""
    lots = await database.read(_alive)
    done = 0
    for lot in lots:
        try:
            done += await settle(work, lot)
        except Refused as refused:
            # A refusal here means the tender is not ready for what was tried; the next turn asks again.
            log.info("lot %s waits: %s", lot, refused)
        except Exception:
            # One tender's trouble is not another's: the others go on, this one is asked again.
            log.exception("lot %s: its automatic work broke off", lot)
    return done


async def settle(work: Sequence[Step], lot: str) -> int:
    """Let one tender do what it owes until it owes nothing; returns how many acts were logged."""
    done = 0
    for _ in range(ROUNDS_MAX):
        acts, overtaken = 0, False
        for step in work:
            try:
                acts += await step(lot)
            except Conflict:
                overtaken = True
        done += acts
        if not acts and not overtaken:
            break
    return done


def steps(running: Running) -> Sequence[Step]:
    """The rooms' automatic work, in order: each takes a lot and returns how many acts it logged."""
    database, world, hall = running.database, running.world, running.hall
    trading, bidding, experts = plain_steps(database, world, hall)

    async def opening(lot: str) -> int:
        logged = await announcement.run_due(
            database,
            lot,
            now=world.now(),
            hall=hall,
            blobs=running.service.blobs,
            room=running.room,
            verifier=running.verifier,
        )
        return len(logged)

    return (trading, bidding, lock_step(database, running.service.blobs, world), opening, experts)


def plain_steps(database: Database, world: World, hall: Hall) -> tuple[Step, Step, Step]:
    """The automatic work of trading, bidding and experts that needs no key but the duty key."""

    async def trading(lot: str) -> int:
        async def work(unit: Unit) -> int:
            _, logged = await clock.run_due(unit, await tenders.load(unit, lot), now=world.now(), hall=hall)
            return len(logged)

        return await database.write(work)

    async def bidding(lot: str) -> int:
        async def work(unit: Unit) -> int:
            _, logged = await bids.run_due(unit, await tenders.load(unit, lot), now=world.now(), hall=hall)
            return len(logged)

        return await database.write(work)

    async def experts(lot: str) -> int:
        async def work(unit: Unit) -> int:
            _, logged = await panels.run_due(unit, await tenders.load(unit, lot), now=world.now(), hall=hall)
            return len(logged)

        return await database.write(work)

    return (trading, bidding, experts)


def lock_step(database: Database, blobs: Blobs, world: World) -> Step:
    """The lock on what was submitted: work of whoever reads bids after the close and may write to the store; no act."""

    async def locks(lot: str) -> int:
        await keeping.run_due(database, blobs, lot, now=world.now())
        return 0

    return locks


async def _alive(unit: Unit) -> list[str]:
    rows = await unit.tender.find({"state": Not(lifecycle.State.FAILED.value)})
    owing = await unit.tender.find({"state": In(tuple(sorted(AT_REST))), "due": Not("")})
    return [row["lot"] for row in rows if row["state"] not in AT_REST] + [row["lot"] for row in owing]
