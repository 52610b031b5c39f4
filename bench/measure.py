"""Measured rows, each with a ratio to something public measured in the same run, kept as build/bench/NAME.json.

    python bench/NAME.py [--small]

`--small` takes sizes at which everything runs in seconds, to see that a table still works; its numbers mean nothing
and are not kept.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "bench"
MIB = 1 << 20


@dataclass
class Row:
    """`value` in `unit`; `ratio` is value to `beside_value`, of `beside`; `goal` is what `value` should stay under."""

    what: str
    value: float
    unit: str
    beside: str = ""
    beside_value: float | None = None
    goal: float | None = None

    @property
    def ratio(self) -> float | None:
        return self.value / self.beside_value if self.beside_value else None

    @property
    def met(self) -> bool | None:
        return None if self.goal is None else self.value <= self.goal


@dataclass
class Table:
    """One table of docs/benchmarks.md: what was measured and how."""

    name: str
    title: str
    how: str
    rows: list[Row] = field(default_factory=list)

    def add(self, what: str, value: float, unit: str, **more: Any) -> Row:
        """Add a row and print it."""
        row = Row(what, value, unit, **more)
        self.rows.append(row)
        print(f"  {line(row)}", flush=True)
        return row


class Clock:
    """How long a block took: `seconds` after it."""

    seconds = 0.0


@contextmanager
def timed() -> Iterator[Clock]:
    """Times a block by the wall."""
    clock, began = Clock(), time.perf_counter()
    yield clock
    clock.seconds = time.perf_counter() - began


def per_second(count: int, act: Callable[[], object]) -> float:
    """How many a second, when `act` does `count` of them."""
    with timed() as clock:
        act()
    return count / clock.seconds


def memory() -> tuple[int, int]:
    """(bytes now, bytes at most since the last `forget_peak`) of this process that are in memory."""
    status = Path("/proc/self/status").read_text()
    now, peak = (int(re.findall(rf"{name}:\s+(\d+) kB", status)[0]) << 10 for name in ("VmRSS", "VmHWM"))
    return now, peak


def forget_peak() -> None:
    """Let the peak start anew from what is in memory now."""
    Path("/proc/self/clear_refs").write_text("5")


def apart(script: str, *arguments: object) -> dict[str, Any]:
    """Run `script` of this folder in a process of its own; the JSON on its last line."""
    command = [sys.executable, str(ROOT / "bench" / script), *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


def line(row: Row) -> str:
    """One row in words."""
    text = f"{row.what}: {number(row.value)} {row.unit}"
    if row.ratio is not None and row.beside_value is not None:
        text += f"; {row.beside}: {number(row.beside_value)} {row.unit}; ratio {row.ratio:.2f}"
    if row.goal is not None:
        text += f"; goal ≤ {number(row.goal)}: {'met' if row.met else 'MISSED'}"
    return text


def number(value: float) -> str:
    """A number as a person reads it."""
    if value == int(value) or value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 100 else f"{value:.1f}"


def main(make: Callable[[bool], Table]) -> None:
    """Make one table and keep it."""
    small = "--small" in sys.argv
    OUT.mkdir(parents=True, exist_ok=True)
    table = make(small)
    if small:
        print("small sizes: nothing kept")
        return
    keep(table)


def keep(table: Table, *, machine: str = "") -> None:
    """Keep a table for docs/benchmarks.md; run.py writes the machine down where it is not told."""
    OUT.mkdir(parents=True, exist_ok=True)
    told = asdict(table) | ({"machine": machine} if machine else {})
    for row, given in zip(told["rows"], table.rows, strict=True):
        row |= {"ratio": given.ratio, "met": given.met}
    (OUT / f"{table.name}.json").write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", "utf-8")
