"""The lock on what was submitted: set by the door right after a submission, again for every bid after the freeze.

docs/spec/envelope.md, E-97: a submitted body is kept to the end of the archive period, and where the store has an
object lock (COMPLIANCE) nobody, the hall included, deletes it before. What was never submitted has no lock and goes.
The door locks in the background, seconds after the commit, in a burst at the latest a minute after it: submissions wait
for nothing. `run_due` locks every bid after the freeze and once more when the contract is signed, because only then the
period begins; it is due by query, so a door that died between receipt and lock leaves no gap behind.
Whoever controls the door can leave a lock out until the freeze; the store's keys alone cannot shorten one.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from bidding import commands, uploads
from crypto.refusal import Refused
from storage import eraser
from storage.blobs import Blobs, OpenStore
from storage.ports import AtLeast, Below, Busy, In, Row
from storage.unit import Database, Unit
from storage.world import Entropy, World, instant, stamp
from trading import retention, tenders
from trading.counter.verbs import Verb
from trading.hall import Hall
from trading.journal import Outcome
from trading.lifecycle import AT_REST, State
from trading.roles import Actor, Permission

PAUSES_SECONDS = (0.2, 1.0, 5.0, 15.0)
"""When the door tries to lock: the first pause lets the submission commit."""
QUIET_SECONDS, QUIET_SECONDS_MAX = 1.0, 60.0
"""Locks wait until nobody handed in for so long, a minute at most: a deadline's last seconds belong to the bids."""
KEEPERS = 4
BEFORE_FREEZE = frozenset({State.DRAFT, State.ENTRY_PENDING, State.REGISTERED, State.BIDDING, State.CLOSED})
SWEPT_BACK = timedelta(days=800)
"""How long after its deadline a tender is still looked at for the lock that begins with its contract."""
log = logging.getLogger("tradehall.keeping")


class Keeper:
    """The door's background work on an open store: what was submitted is locked, a few uploads at once."""

    def __init__(self, database: Database, blobs: Blobs, *, pauses: Sequence[float] = PAUSES_SECONDS) -> None:
        self._database = database
        self._blobs = blobs
        self._pauses = pauses
        self._gate = asyncio.Semaphore(KEEPERS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._last = float("-inf")
        self._calm: asyncio.Task[None] | None = None

    def submitted(self, ids: Sequence[str], *, until: datetime, bearer: str) -> None:
        """Lock these uploads soon, if their submission commits."""
        self._last = asyncio.get_running_loop().time()
        # In a context of its own: a task begun inside a transaction would take it for its own.
        task = asyncio.create_task(self._keep(tuple(ids), until, bearer), context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settled(self) -> None:
        """Wait until nothing is under way; for a door that stops."""
        await asyncio.gather(*self._tasks)

    async def _keep(self, ids: tuple[str, ...], until: datetime, bearer: str) -> None:
        left = list(ids)
        for pause in self._pauses:
            await asyncio.sleep(pause)
            if self._calm is None or self._calm.done():
                self._calm = asyncio.create_task(self._quiet())
            await asyncio.shield(self._calm)  # One looks at the clock for all who wait.
            async with self._gate:
                left = [id_ for id_ in left if not await self._locked(id_, until, bearer)]
            if not left:
                return
        # Not a loss: run_due locks every frozen bid. No name of a bid or bidder goes into a log.
        log.warning("%d submitted uploads are not locked yet; the freeze locks them", len(left))

    async def _quiet(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(int(2 * QUIET_SECONDS_MAX / QUIET_SECONDS)):
            if loop.time() - self._last >= QUIET_SECONDS:
                return
            await asyncio.sleep(QUIET_SECONDS / 2)

    async def _locked(self, id_: str, until: datetime, bearer: str) -> bool:
        try:
            return await uploads.keep(self._database, self._blobs, id_, until=until, bearer=bearer) > 0
        except (OSError, Busy, Refused) as error:
            log.info("a lock waits: %s", type(error).__name__)
            return False


def with_store(verbs: Sequence[Verb], *, blobs: Blobs, world: World, keeper: Keeper) -> tuple[Verb, ...]:
    """The same verbs for a door whose store clients reach themselves: before a bid is refused as incomplete the store
    is asked, and afterwards its uploads are locked."""
    if not isinstance(blobs, OpenStore):
        return tuple(verbs)
    store: OpenStore = blobs

    async def submit(cmd: commands.SubmitBid, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
        async def look(rows: Sequence[Row]) -> datetime:
            await uploads.look_again(unit, store, rows, actor=actor)
            # In time means: everything was there at received_at. So the instant is the one after the store's answer.
            return world.now()

        outcome, tender = await commands.take(cmd, actor=actor, now=now, unit=unit, hall=hall, look=look)
        if tender is not None:
            period = retention.of(region=tender.region, market=tender.market)
            keeper.submitted(cmd.uploads, until=period.end(now), bearer=unit.bearer)
        return outcome

    return tuple(
        Verb(verb.permission, verb.command, submit, verb.summary) if verb.permission is Permission.BID_SUBMIT else verb
        for verb in verbs
    )


async def run_due(database: Database, blobs: Blobs, lot: str, *, now: datetime) -> int:
    """Lock the lot's submitted bids when that is due: after the freeze (or an end before it), and when the contract is
    signed. Returns how many segments were locked; a mark in the settings says that it was done."""

    async def wanted(unit: Unit) -> tuple[str, datetime] | None:
        tender = (await tenders.load(unit, lot)).tender
        if tender.state in BEFORE_FREEZE:
            return None
        mark = f"kept {'to the end' if tender.state in AT_REST else 'from the freeze'} {lot}"
        if await unit.setting.read(mark) is not None:
            return None
        return mark, retention.of(region=tender.region, market=tender.market).end(now)

    due = await database.read(wanted)
    if due is None:
        return 0
    mark, until = due
    count = await uploads.keep_locked(database, blobs, lot, until=until)
    body: dict[str, Any] = {"until": stamp(until), "segments": count}

    async def said(unit: Unit) -> None:
        if await unit.setting.read(mark) is None:
            await unit.setting.insert({"name": mark, "body": body})

    await database.write(said)
    return count


async def erase_due(database: Database, blobs: Blobs, *, now: datetime, entropy: Entropy) -> int:
    """Erase every tender whose archive period has ended (E-97); returns how many events and segments went.

    The period runs from the contract, or from the last public act of a tender that ended without one.
    """
    oldest = stamp(retention.deadline_before(now))

    async def ended(unit: Unit) -> list[tuple[str, str, eraser.Basis]]:
        found = []
        at_rest = In(tuple(state.value for state in AT_REST))
        for row in await unit.tender.find({"state": at_rest, "deadline": Below(oldest)}):
            tender = (await tenders.load(unit, row["lot"])).tender
            since = tender.contracted_at
            if since is None:
                last = await unit.event.find({"tender_id": tender.tender_id, "public": 1}, order=("-seq",), limit=1)
                since = instant(last[0]["at"])
            period = retention.of(region=tender.region, market=tender.market)
            if period.end(since) <= now and await eraser.is_due(unit, tender.lot):
                basis = eraser.Basis(period.article, retention.RULE, period.end(since))
                found.append((tender.lot, tender.tender_id, basis))
        return found

    count = 0
    for lot, tender_id, basis in await database.read(ended):
        done = await eraser.erase(database, blobs, lot, tender_id, basis=basis, now=now, entropy=entropy)
        count += done.events + done.segments
        if done.locked:
            log.warning("lot %s: %d segments are still locked by the store", lot, done.locked)
    return count


async def sweep(database: Database, blobs: Blobs, *, now: datetime) -> int:
    """`run_due` for every tender whose deadline passed in the last two years or is still to come, those at rest too;
    returns how many segments were locked."""
    since = AtLeast(stamp(now - SWEPT_BACK))
    lots = await database.read(lambda unit: unit.tender.find({"deadline": since}))
    return sum([await run_due(database, blobs, row["lot"], now=now) for row in lots])
