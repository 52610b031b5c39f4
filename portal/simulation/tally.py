"""What happened in a simulation, counted: every fault that was played, every refusal that was given.

A row that stays at zero says that the simulator does not try it: the table prints zeros, and the long run has none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """Counters that add up over processes."""

    faults: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)
    checks: int = 0
    tenders: int = 0

    def add(self, other: Tally) -> None:
        """Add another process's counters to these."""
        self.faults.update(other.faults)
        self.refusals.update(other.refusals)
        self.endings.update(other.endings)
        self.checks += other.checks
        self.tenders += other.tenders

    def zeros(self, faults: Iterable[str], refusals: Iterable[str]) -> list[str]:
        """The names that never occurred."""
        return [name for name in faults if not self.faults[name]] + [
            name for name in refusals if not self.refusals[name]
        ]

    def text(self, faults: Iterable[str], refusals: Iterable[str]) -> str:
        """The table: how often each fault, each refusal and each ending occurred."""
        rows = [f"tenders {self.tenders}, invariants checked after {self.checks} steps", "", "faults"]
        rows += _table(self.faults, faults)
        rows += ["", "refusals"]
        rows += _table(self.refusals, refusals)
        rows += ["", "endings"]
        rows += _table(self.endings, ())
        return "\n".join(rows) + "\n"


def _table(counted: Counter[str], expected: Iterable[str]) -> list[str]:
    names = sorted({*counted, *expected})
    width = max((len(name) for name in names), default=0)
    return [f"  {name:<{width}}  {counted[name]:>7}" for name in names]
