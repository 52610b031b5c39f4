"""`tradehall sim`: simulated tenders with adversaries, invariants after every step, and a table of what occurred."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crypto import terminal
from crypto.refusal import Refused
from portal.simulation import expected, season
from portal.simulation.story import plan

TENDERS = 60
SEED = "1"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--tenders", type=int, default=TENDERS, help="how many tenders, at least")
    parser.add_argument("--seed", default=SEED, help="everything follows from it")
    parser.add_argument("--jobs", type=int, default=2, help="how many processes")
    parser.add_argument("--out", type=Path, help="write the table there as well")
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> Mapping[str, Any]:
    """Simulate, print the table. Raises Refused("simulation_found") when an invariant did not hold."""
    if parsed.tenders < 1 or parsed.jobs < 1:
        raise terminal.Unreadable("--tenders and --jobs are at least 1")
    terminal.say(parsed, f"模拟种子 {parsed.seed}", f"simulation, seed {parsed.seed}")
    outcome = season.run(
        tenders=parsed.tenders,
        seed=parsed.seed,
        jobs=parsed.jobs,
        say=lambda text: terminal.say(parsed, text, text),
    )
    table = f"seed {parsed.seed}\n" + outcome.tally.text(plan.FAULTS, expected.REFUSALS)
    if parsed.out is not None:
        parsed.out.parent.mkdir(parents=True, exist_ok=True)
        parsed.out.write_text(table, "utf-8")
    terminal.say(parsed, table, table)
    if outcome.failures:
        first = outcome.failures[0]
        raise Refused("simulation_found", seed=first.seed, step=first.step, text=first.text)
    zeros = outcome.tally.zeros(plan.FAULTS, expected.REFUSALS)
    if zeros:
        terminal.say(parsed, f"从未出现:{' '.join(zeros)}", f"never occurred: {' '.join(zeros)}")
    return {"seed": parsed.seed, "tenders": outcome.tally.tenders, "checks": outcome.tally.checks, "never": zeros}
