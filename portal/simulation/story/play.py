"""One tender played from notice to contract: the acts in order, people in between, invariants after every step.

Each part of the story stands in its own module: bidding, opening, evaluation, award. Whatever was tried that must be
refused, and was not, is a violation of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from crypto.refusal import Refused
from portal.simulation.book import Book
from portal.simulation.hall import SimulatedHall
from portal.simulation.invariants import Checker, Violation
from portal.simulation.story import bidding_time, evaluation_time, opening_time, result_time
from portal.simulation.story.plan import Plan
from portal.simulation.trustees import Agent
from storage import crash
from trading.journal import Outcome
from trading.lifecycle import State
from trading.roles import Actor
from trading.tender import Tender

CRASH_POINTS = tuple(
    point
    for point in crash.POINTS
    if not point.startswith("blob_") or point in (crash.Point.BLOB_OPENED, crash.Point.BLOB_STORED)
)


class Broken(Exception):
    """An invariant does not hold: which, at which step of which tender."""

    def __init__(self, violations: list[Violation], *, seed: str, step: str) -> None:
        super().__init__(f"{seed} at {step}: " + "; ".join(str(each) for each in violations))
        self.violations, self.seed, self.step = violations, seed, step


@dataclass
class Play:
    """One tender being played."""

    hall: SimulatedHall
    plan: Plan
    agents: dict[str, Agent]
    checker: Checker
    book: Book = field(default_factory=Book)
    steps: int = 0
    away: set[str] = field(default_factory=set)
    liars: set[str] = field(default_factory=set)
    complained: str = ""
    name: str = "begin"

    @property
    def keys(self) -> Any:
        return self.hall.keys

    def did(self, fault: str) -> None:
        """Count a fault that took place."""
        assert self.plan.has(fault)
        self.hall.tally.faults[fault] += 1

    async def tender(self) -> Tender:
        return await self.hall.tender(self.book.lot)

    async def step(self, name: str, *, witnesses: bool = True) -> None:
        """The clock, the log, the jobs; then every invariant."""
        self.name = name
        self._arm()
        await self.hall.tick(self.book.lot, witnesses=witnesses)
        if self.plan.has("job_twice") and self.hall.disk.rows("job"):
            await self._job_twice()
        self.steps += 1
        self.hall.tally.checks += 1
        found = self.checker.check(self.hall.disk, self.book)
        if found:
            raise Broken(found, seed=self.plan.seed, step=name)

    async def expect_refused(
        self, fault: str, run: Callable[..., Awaitable[Outcome]], cmd: Any, actor: Actor, *codes: str
    ) -> None:
        """Try what a rule forbids. Let through, it is left to the invariants: they name what came of it."""
        self.did(fault)
        code = await self.hall.refused(run, cmd, actor)
        as_meant = code is None or not codes or code in codes or self.too_late(code)
        assert as_meant, f"{fault} was refused as {code}, not as {codes}"

    async def attempt(self, fault: str, work: Awaitable[Any], *codes: str) -> bool:
        """The same for a longer attempt; True when it was let through."""
        self.did(fault)
        try:
            await work
        except Refused as refused:
            as_meant = not codes or refused.code in codes or self.too_late(refused.code)
            assert as_meant, f"{fault} was refused as {refused.code}, not as {codes}"
            return False
        return True

    def too_late(self, code: str) -> bool:
        """Refused because the deadline is over: one that a hold or an unwitnessed extension left standing may have
        passed in the meantime."""
        return code in bidding_time.LATE and self.hall.now >= self.book.deadline_at(self.hall.now)

    def _arm(self) -> None:
        dice = self.plan.dice(f"crash {self.steps}")
        if self.plan.has("crash") and dice.random() < 0.2 and not self.hall.bomb.point:
            self.hall.bomb.point = dice.choice(CRASH_POINTS)
            self.hall.bomb.after = dice.randrange(3)

    async def _job_twice(self) -> None:
        done = [row for row in self.hall.disk.rows("job") if row["state"] == "done"]
        if done:
            self.did("job_twice")
            await self.hall.outbox.perform(self.plan.dice(f"job {self.steps}").choice(done)["id"])


async def play(play_: Play) -> str:
    """The whole story; returns how it ended: the tender's last state. Raises Broken."""
    went_off = play_.hall.bomb.went_off
    try:
        await _acts(play_)
    finally:
        play_.hall.bomb.point = ""
    play_.hall.tally.faults["crash"] += play_.hall.bomb.went_off - went_off
    found = await play_.checker.finish(play_.hall, play_.book)
    if found:
        raise Broken(found, seed=play_.plan.seed, step="end")
    return (await play_.tender()).state.value if play_.book.lot else "never_published"


async def _acts(play_: Play) -> None:
    for part in (
        bidding_time.publish,
        bidding_time.bid,
        opening_time.open_,
        evaluation_time.evaluate,
        result_time.award,
    ):
        await part(play_)
        state = (await play_.tender()).state
        if state in (State.FAILED, State.TERMINATED) or not await _goes_on(play_, state):
            return


async def _goes_on(play_: Play, state: State) -> bool:
    """A tender that hangs in a hold nobody lifts, or that lacks trustees, is left where it stands."""
    tender = await play_.tender()
    return tender.held_by is None or state in (State.PUBLICITY,)
