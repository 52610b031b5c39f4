"""Many tenders: each hall holds a few of them one after the other, so that keys, logs and witnesses outlive a tender.

A season is one hall; its seed gives everything. A season ends at the first violation, which is told with the seed that
gives it again. Seasons are independent, so several processes may share them.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from portal.simulation import keys, trustees
from portal.simulation.hall import SimulatedHall
from portal.simulation.invariants import Checker
from portal.simulation.setting import set_up
from portal.simulation.story import plan
from portal.simulation.story.plan import Plan
from portal.simulation.story.play import Broken, Play, play
from portal.simulation.tally import Tally

TENDERS_PER_HALL = 3
Draw = Callable[[str], Plan]


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong in a season: its seed, the tender, the step, and the invariants that say so (none: an error)."""

    seed: str
    tender: str
    step: str
    invariants: tuple[str, ...]
    text: str


@dataclass(slots=True)
class Outcome:
    """What one season, or many of them, came to."""

    tally: Tally = field(default_factory=Tally)
    failures: list[Failure] = field(default_factory=list)


def run(*, tenders: int, seed: str, jobs: int, say: Callable[[str], None] = print) -> Outcome:
    """Simulate at least so many tenders in `jobs` processes; `say` is told how far it is and what failed."""
    total, seasons = Outcome(), -(-tenders // TENDERS_PER_HALL)
    seeds = [f"{seed}:{number}" for number in range(seasons)]
    for done, outcome in enumerate(_seasons(seeds, jobs), 1):
        total.tally.add(outcome.tally)
        total.failures += outcome.failures
        for failure in outcome.failures:
            say(f"FAILED season {failure.seed}, tender {failure.tender}, step {failure.step}: {failure.text}")
        if done % 50 == 0:
            say(f"{total.tally.tenders} tenders, {len(total.failures)} failures")
    return total


def one(seed: str, *, tenders: int = TENDERS_PER_HALL, draw: Draw = plan.draw) -> Outcome:
    """One season by its seed."""
    outcome = Outcome()
    asyncio.run(_season(seed, tenders, draw, outcome))
    return outcome


def _seasons(seeds: Sequence[str], jobs: int) -> Iterator[Outcome]:
    if jobs == 1:
        yield from map(one, seeds)
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(one, seeds)


async def _season(seed: str, tenders: int, draw: Draw, outcome: Outcome) -> None:
    everybody, tally = keys.everybody(), outcome.tally
    hall = SimulatedHall(everybody, seed, tally)
    await set_up(hall)
    agents, checker = trustees.agents_of(hall), Checker(everybody)
    for number in range(tenders):
        story = draw(f"{seed}/{number}")
        playing = Play(hall, story, agents, checker)
        tally.tenders += 1
        try:
            tally.endings[await play(playing)] += 1
        except Broken as broken:
            invariants = tuple(each.invariant for each in broken.violations)
            outcome.failures.append(Failure(seed, story.seed, broken.step, invariants, str(broken)))
            return
        except Exception as error:
            # An error in the middle of a story is a finding like any other: told with its seed and place.
            where = traceback.extract_tb(error.__traceback__)[-1]
            text = f"{type(error).__name__}: {error} ({where.name}, line {where.lineno})"
            outcome.failures.append(Failure(seed, story.seed, playing.name, (), text))
            return
