"""A hall in memory that people act in: its clock stands until it is moved, its log is cosigned, its process may die.

Commands are called as the doors call them, one unit of work each; what the clock owes is done by portal/clockwork.
A crash is raised at a named point (storage/crash.py): the process is then built anew over the same rows, as after a
kill, and whoever asked asks again. Every refusal is counted under its code.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from bidding.opening_keys import Desk
from crypto import signing
from crypto.ledger import merkle, note
from crypto.refusal import Refused
from portal import clockwork, jobs
from portal.folder import Card, Folder
from portal.running import Running, open_for_bids
from portal.simulation.keys import CENTRE, ORIGIN, REGION, START, Keys
from portal.simulation.stores import Disk, MemoryBlobs, MemoryVault
from portal.simulation.tally import Tally
from portal.simulation.witnesses import SimulatedWitness
from storage import crash
from storage.broker import Courier, open_broker
from storage.ledger import Ledger
from storage.memory import MemoryEngine
from storage.outbox import Job, Outbox
from storage.sequencer import Sequencer
from storage.unit import Database, Unit
from storage.world import DemoWorld, SeededEntropy
from trading import codes, tenders
from trading.counter.service import Service
from trading.hall import Hall
from trading.journal import Outcome
from trading.markets.construction import NATIONAL
from trading.roles import Actor
from trading.tender import Tender

Run = Callable[..., Awaitable[Outcome]]
ROUNDS_MAX = 12


@dataclass
class Bomb:
    """The crash hook: raises at the `point` that was armed, the `after`-th time it is passed."""

    point: str = ""
    after: int = 0
    went_off: int = 0

    def __call__(self, point: str) -> None:
        if self.point and point == self.point:
            if self.after:
                self.after -= 1
                return
            self.point = ""
            self.went_off += 1
            raise crash.Crashed(point)


class SimulatedHall:
    """One hall over one engine; `open` builds everything that a dead process loses."""

    def __init__(self, keys: Keys, seed: str, tally: Tally) -> None:
        self.keys, self.tally = keys, tally
        self._ticks = [0.0]
        self.world = DemoWorld(
            start=START, flowing=False, entropy=SeededEntropy(seed), monotonic=lambda: self._ticks[0]
        )
        self.bomb = Bomb()
        self.engine = MemoryEngine()
        self.disk = Disk(self.engine)
        self.blobs = MemoryBlobs(self.bomb)
        self.room = Desk("room", keys.room, MemoryVault())
        self.verifier = Desk("verifier", keys.verifier, MemoryVault())
        self.crashes = 0
        self.hall = Hall(
            name="模拟大厅",
            uscc=CENTRE,
            region=REGION,
            platform=codes.platform(REGION, 1),
            origin=ORIGIN,
            duty=keys.duty,
            trust=keys.trust,
            rulebooks=(NATIONAL,),
            entropy=self.world.entropy,
            authority=keys.authority,
        )
        self.open()
        self.witnesses = [SimulatedWitness(each, keys.witnesses[each.name]) for each in keys.trust.witnesses]

    def open(self) -> None:
        """Start the process: everything here is built from the rows."""
        self.database = Database(self.engine, hook=self.bomb)
        self.ledger = Ledger(self.database)
        self.sequencer = Sequencer(
            self.database,
            world=self.world,
            origin=ORIGIN,
            signer=self.keys.log,
            cover_secret=bytes(32),
            open_for_bids=open_for_bids,
            hook=self.bomb,
        )
        handlers = {**jobs.handlers(self.hall), "send_notice": _send_and_count}
        self.outbox = Outbox(self.database, world=self.world, handlers=handlers, hook=self.bomb)
        service = Service(
            world=self.world, database=self.database, ledger=self.ledger, blobs=self.blobs, hall=self.hall
        )
        self.running = Running(
            folder=Folder(Path("."), Card("模拟大厅", CENTRE, REGION, self.hall.platform, ORIGIN)),
            world=self.world,
            database=self.database,
            ledger=self.ledger,
            sequencer=self.sequencer,
            service=service,
            courier=Courier(self.outbox, world=self.world, broker=open_broker()),
            room=self.room,
            verifier=self.verifier,
            wake=asyncio.Event(),
        )

    @property
    def now(self) -> datetime:
        return self.world.now()

    def until(self, at: datetime) -> None:
        """Move the clock to an instant, if it is not there yet."""
        if at > self.now:
            self._ticks[0] += (at - self.now).total_seconds()
            self.world.advance(at - self.now)

    def wait(self, **span: float) -> None:
        """Move the clock by a span (arguments of timedelta)."""
        self.until(self.now + timedelta(**span))

    async def do(self, run: Run, cmd: Any, actor: Actor) -> Outcome:
        """One command in one unit of work. After a crash it is asked again, unless its effect is there."""
        before = len(self.engine.tables["event"].rows)
        try:
            return await self._once(run, cmd, actor)
        except crash.Crashed:
            await self.restart()
            if len(self.engine.tables["event"].rows) > before and not _may_be_asked_again(cmd):
                return Outcome()
            return await self._once(run, cmd, actor)

    async def _once(self, run: Run, cmd: Any, actor: Actor) -> Outcome:
        try:
            return await self.database.write(
                lambda unit: run(cmd, actor=actor, now=self.now, unit=unit, hall=self.hall)
            )
        except Refused as refused:
            self.tally.refusals[refused.code] += 1
            raise

    async def sign(self, run: Run, cmd: Any, actor: Actor, signer: signing.Signer, by: str) -> Outcome:
        """A verb whose act a person signs: asked, signed, posted again."""
        asked = await self.do(run, cmd, actor)
        assert asked.sign is not None, "a person's act is answered with the act first"
        signed = signing.sign_act(asked.sign, signer=signer, by=by)
        return await self.do(run, msgspec.structs.replace(cmd, signed=signed), actor)

    async def refused(self, run: Run, cmd: Any, actor: Actor) -> str | None:
        """Try what ought to be refused; the code, or None when it was let through. An act that comes back to be signed
        is signed with the owner's key and posted."""
        try:
            outcome = await self.do(run, cmd, actor)
            if outcome.sign is not None:
                signed = signing.sign_act(outcome.sign, signer=self.keys.owner.signer, by="owner")
                await self.do(run, msgspec.structs.replace(cmd, signed=signed), actor)
        except Refused as refused:
            return refused.code
        return None

    async def read(self, fn: Callable[[Unit], Awaitable[Any]]) -> Any:
        return await self.database.read(fn)

    async def tender(self, lot: str) -> Tender:
        found: Tender = (await self.database.read(lambda unit: tenders.load(unit, lot))).tender
        return found

    async def tick(self, lot: str, *, witnesses: bool = True) -> None:
        """Let the clock do what is due, the log grow and the jobs run, until nothing is left."""
        for _ in range(ROUNDS_MAX):
            acts = await self.survive(lambda: self._settle(lot))
            grown = await self.grow(witnesses=witnesses)
            if not acts and not grown:
                break
        while await self.survive(self.outbox.perform_due):
            pass
        self.disk.refresh()

    async def grow(self, *, witnesses: bool = True, leaves_min: int = 0) -> bool:
        """A batch for whatever waits, cosigned; whether anything was added."""
        batch = await self.survive(lambda: self.sequencer.sequence(leaves_min=leaves_min))
        if witnesses:
            await self.cosign()
        return batch is not None

    async def cosign(self) -> None:
        """Every witness looks at the log and hands in its line."""
        head = await self.ledger.head()
        if head is None:
            return
        for witness in self.witnesses:
            if witness.size < head.size:
                leaves = await self.ledger.entries(witness.size, head.size)
                line = witness.look(head.note, leaves, log=self.keys.trust.log, now=self.now)
                await self.ledger.cosign(str(line), witnesses=self.keys.trust.witnesses, now=self.now)

    async def restart(self) -> None:
        """A new process over the same rows: it asks the witnesses before it signs anything."""
        self.crashes += 1
        self.open()
        seen = {witness.name: _asked(witness.latest) for witness in self.witnesses}
        await self.sequencer.start(seen)
        self.disk.refresh()

    async def _settle(self, lot: str) -> int:
        try:
            await self.running.restock()
            return await clockwork.settle(clockwork.steps(self.running), lot) if lot else 0
        except Refused as refused:
            # As in clockwork.turn: not ready for what was tried, the next turn asks again.
            self.tally.refusals[refused.code] += 1
            return 0

    async def survive(self, work: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return await work()
        except crash.Crashed:
            await self.restart()
            # A job that was claimed when the process died is claimable again when its lease is over.
            self.wait(seconds=61)
            return await work()


async def _send_and_count(job: Job, *, unit: Unit, now: datetime) -> None:
    """The real handler, and beside it, in the same transaction, a count of how often it took effect."""
    await jobs.send_notice(job, unit=unit, now=now)
    row = await unit.inbox.read(job.args["inbox"])
    assert row is not None
    body = {**row["body"], "sent_times": 1 + int(row["body"].get("sent_times", 0))}
    await unit.inbox.update({**row, "body": body}, expected_version=row["version"])


def _may_be_asked_again(cmd: Any) -> bool:
    """Commands that give the same event again when they are repeated."""
    return type(cmd).__name__ in ("SubmitBid", "WithdrawBid", "BeginUpload")


def _asked(latest: bytes | None) -> Callable[[], Awaitable[bytes | None]]:
    async def answer() -> bytes | None:
        return latest

    return answer


def fork(signer: signing.Signer, size: int, root: bytes) -> note.Note:
    """A checkpoint as an equivocating operator would sign it."""
    return note.sign_checkpoint(note.Checkpoint(ORIGIN, size, root), signer=signer)


def kinds(outcome: Outcome) -> list[str]:
    """The kinds of the acts an outcome logged."""
    return [str(each.act["kind"]) for each in outcome.events]


def leaf_hashes(leaves: list[bytes]) -> list[bytes]:
    return [merkle.leaf_hash(leaf) for leaf in leaves]


Told = Mapping[str, Any]
