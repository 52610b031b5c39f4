"""Whole tenders with adversaries: every invariant after every step, every planted defect found by the right one.

The seeds that once failed stand in failing_seeds.txt and are played again each time. `tradehall sim --tenders 2000` is
the long run, with the table of faults and refusals.
"""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from portal.simulation import season
from portal.simulation.story import plan

HERE = Path(__file__).resolve().parent
SEED = "ci"
TENDERS = 18
PROCESSES = 2
AGAIN = "again:0"
FAILED_ONCE = [line.split("#")[0].strip() for line in (HERE / "failing_seeds.txt").read_text("utf-8").splitlines()]
DEFECTS = {
    "accept_at_the_deadline": "I4",
    "drop_a_frozen_bid": "I5",
    "release_before_settle": "I3",
    "ignore_an_extension": "I3",
    "redraw": "I8",
    "count_a_withdrawn_bid": "I5",
    "float_mean": "I8",
    "skip_a_hold": "I13",
    "lose_an_outbox_job": "I14",
    "reuse_a_one_time_key": "I2",
    "leak_a_score_before_lock": "I12",
    "award_outside_the_candidates": "I13",
    # Beyond the twelve.
    "alter_a_signed_leaf": "I6",
    "write_another_state": "I7",
    "act_without_a_power": "I9",
    "clarify_too_late": "I10",
    "seat_a_bidders_expert": "I11",
}
pytestmark = pytest.mark.simulation
Found = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def hunts() -> dict[str, Future[Found]]:
    """Every defect planted in a process of its own, two at a time."""
    pool = ThreadPoolExecutor(PROCESSES)
    return {name: pool.submit(_hunt, name) for name in DEFECTS}


@pytest.fixture(scope="module")
def replays() -> Iterator[Mapping[str, Sequence[Future[season.Outcome]]]]:
    """The seeds that once failed, and one seed twice, two at a time."""
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        played = {seed: [pool.submit(season.one, seed)] for seed in FAILED_ONCE}
        yield played | {AGAIN: [pool.submit(season.one, AGAIN, tenders=1, draw=plan.honest) for _ in range(2)]}


@pytest.mark.parametrize("name", DEFECTS)
def test_planted_defect_is_found_by_the_invariant_that_names_it(name: str, hunts: dict[str, Future[Found]]) -> None:
    done = hunts[name].result()
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    print(f"{name}: {told['found']} after {told['tenders']} tenders: {told['text']}")
    assert told["found"] == DEFECTS[name], told
    assert told["tenders"] <= 300


def test_every_invariant_holds_after_every_step_of_many_tenders() -> None:
    print(f"seed {SEED}")
    outcome = season.run(tenders=TENDERS, seed=SEED, jobs=PROCESSES)
    print(outcome.tally.text(plan.FAULTS, ()))
    assert outcome.failures == []
    assert outcome.tally.tenders >= TENDERS
    assert outcome.tally.endings["contracted"] > TENDERS // 4


@pytest.mark.parametrize("seed", FAILED_ONCE)
def test_seed_that_once_failed_holds(seed: str, replays: Mapping[str, Sequence[Future[season.Outcome]]]) -> None:
    assert replays[seed][0].result().failures == []


def test_the_same_seed_gives_the_same_tenders(replays: Mapping[str, Sequence[Future[season.Outcome]]]) -> None:
    first, second = (each.result() for each in replays[AGAIN])
    assert first == second


def _hunt(name: str) -> Found:
    return subprocess.run([sys.executable, str(HERE / "defects.py"), name], capture_output=True, text=True, check=False)
