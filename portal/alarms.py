"""What went wrong with the hall itself: seen while it runs and when it comes back, and written down as incidents.

20号令 §49; docs/spec/acts.md §3 (`incident`). Three things are watched: that the hall was running at all (a heartbeat
in the database; the gap after a stop is an outage), that what was accepted gets its place in the log within ten
seconds, and that a lot closes when it is due. What follows for deadlines is decided elsewhere (trading/incidents.py).

Whoever owns the machine can stop the hall and with it this watch; then receivers of receipts and witnesses see the
silence, and the gap is written down by whoever starts the hall again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from datetime import timedelta

from crypto.refusal import Refused
from portal.running import Running
from storage.blobs import FileBlobs
from storage.ledger import OVERDUE_SECONDS
from storage.ports import Busy, Conflict, In
from storage.unit import Unit
from storage.world import instant, stamp
from trading import incidents, tenders
from trading.lifecycle import State

HEARTBEAT = "heartbeat"
BEAT_SECONDS = 10
LOOK_SECONDS = 2.0
OUTAGE_SECONDS = 60
"""A hall that was away for longer was out; a shorter stop is a restart."""
BELL_SECONDS = 30.0
"""How long the clockwork may leave its bell unanswered before health says that it stands still."""
CLOSED = In(tuple(state.value for state in (State.CLOSED, State.SHORT, State.FROZEN, State.OPENING, State.OPENED)))
log = logging.getLogger("tradehall.alarms")


@dataclass(slots=True)
class Alarms:
    """What one running hall has seen: leaves that wait (by event, since which real second), its last heartbeat, and
    since when the clockwork's bell rings unanswered."""

    running: Running
    waiting: dict[str, float] = field(default_factory=dict)
    beaten: float | None = None
    ringing: float | None = None

    async def woke(self) -> int:
        """On the start: a heartbeat older than OUTAGE_SECONDS was an outage. Returns how many tenders it touched."""
        hall, now = self.running.hall, self.running.world.now()

        async def work(unit: Unit) -> int:
            row = await unit.setting.read(HEARTBEAT)
            if row is None:
                return 0
            last = instant(row["body"]["at"])
            if hall.rehearsal:
                last = max(last, await incidents.jumped_to(unit))
            if now - last > timedelta(seconds=OUTAGE_SECONDS):
                await incidents.begin(unit, what=incidents.OUTAGE, at=last, text="the hall was not running")
            return len(await incidents.finish(unit, what=incidents.OUTAGE, at=now, hall=hall, now=now))

        touched = await self.running.database.write(work)
        await self.beat()
        return touched

    async def look(self) -> None:
        """One look at everything."""
        if self.beaten is None or self.running.world.monotonic() - self.beaten >= BEAT_SECONDS:
            await self.beat()
        await self.leaves()
        await self.closes()
        self.ring()

    async def beat(self) -> None:
        """Write down that the hall is running."""
        at = stamp(self.running.world.now())

        async def work(unit: Unit) -> None:
            row = await unit.setting.read(HEARTBEAT)
            if row is None:
                await unit.setting.insert({"name": HEARTBEAT, "body": {"at": at}})
            else:
                await unit.setting.update({**row, "body": {"at": at}}, expected_version=row["version"])

        await self.running.database.write(work)
        self.beaten = self.running.world.monotonic()

    async def leaves(self) -> None:
        """Begin an incident when a leaf waits longer than ten seconds, and log it once none does. A rehearsal's clock
        may jump over a leaf that waits since a moment ago; there real seconds are counted too."""
        running, world = self.running, self.running.world
        late = await running.ledger.overdue(now=world.now())
        for event in set(self.waiting) - set(late):
            del self.waiting[event]
        since = world.monotonic() - (OVERDUE_SECONDS if running.hall.rehearsal else 0)
        overdue = [event for event in late if self.waiting.setdefault(event, world.monotonic()) <= since]
        now, hall = world.now(), running.hall

        async def work(unit: Unit) -> None:
            if overdue:
                rows = await unit.pending.find({"id": In(tuple(overdue))}, order=("at",), limit=1)
                at = instant(rows[0]["at"]) if rows else now
                text = f"leaves waited longer than {OVERDUE_SECONDS} s for their place in the log"
                await incidents.begin(unit, what=incidents.PENDING, at=at, text=text)
            elif not late:
                await incidents.finish(unit, what=incidents.PENDING, at=now, hall=hall, now=now)

        async def begun(unit: Unit) -> bool:
            return await incidents.is_open(unit, incidents.PENDING)

        is_open = await running.database.read(begun)
        if overdue or is_open:
            await running.database.write(work)

    async def closes(self) -> None:
        """Log every close that came late, once."""
        running = self.running

        async def due(unit: Unit) -> list[str]:
            return [row["lot"] for row in await unit.tender.find({"state": CLOSED})]

        for lot in await running.database.read(due):

            async def work(unit: Unit, lot: str = lot) -> None:
                held = await tenders.load(unit, lot)
                await incidents.run_due(unit, held, now=running.world.now(), hall=running.hall)

            await running.database.write(work)

    def ring(self) -> None:
        """Ring the clockwork's bell and see since when it was not answered (the clockwork clears it on every turn)."""
        if not self.running.wake.is_set():
            self.ringing = None
            self.running.wake.set()
        elif self.ringing is None:
            self.ringing = self.running.world.monotonic()

    @property
    def clockwork_stands_still(self) -> bool:
        return self.ringing is not None and self.running.world.monotonic() - self.ringing > BELL_SECONDS

    async def failing(self) -> list[str]:
        """What is wrong now, in words for /health: database, segments, clockwork."""
        found = []
        try:
            await self.running.database.read(lambda unit: unit.setting.read(HEARTBEAT))
        except Exception as error:
            # Whatever the driver raises, the database did not answer; health says so instead of failing itself.
            found.append(f"the database does not answer ({type(error).__name__})")
        try:
            await _probe(self.running)
        except (OSError, Refused) as error:
            found.append(f"segments cannot be written ({type(error).__name__})")
        if self.clockwork_stands_still:
            found.append("the clockwork stands still")
        return found


async def run(alarms: Alarms, stop: asyncio.Event) -> None:
    """Look every two seconds until stopped. What cannot be written down now is written at the next look."""
    while not stop.is_set():
        try:
            await alarms.look()
        except (Refused, Conflict, Busy) as error:
            log.info("alarms wait: %s", error)
        except Exception:
            # A database that is away ends no watch; health says so meanwhile.
            log.exception("the alarms' look broke off")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK_SECONDS)


async def _probe(running: Running) -> None:
    blobs = running.service.blobs
    await blobs.size("0" * 64)
    if isinstance(blobs, FileBlobs):
        await asyncio.to_thread(_touch, running)


def _touch(running: Running) -> None:
    probe = running.folder.blobs / ".writable"
    probe.write_bytes(b"")
    probe.unlink(missing_ok=True)  # Another asking at the same time takes it away as well.
