"""`make bench-production`: the split processes under load, each part a table of docs/benchmarks.md.

    python bench/production.py [burst | burst10000 | viewers | pages | statements | closing …] [--small]

Without names all but burst10000. Each part has its own published tender; one hall serves them all. `--small` takes
sizes at which everything runs in seconds, to see that a part still works; nothing of it is kept.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import measure
import production_burst
import production_closing
import production_hall
import production_pages
import production_statements
import production_viewers
import run

Part = Callable[[production_hall.Split, bool], measure.Table]
PARTS: dict[str, Part] = {
    "burst": lambda split, small: production_burst.table(split, 20 if small else 1000),
    "burst10000": lambda split, small: production_burst.table(split, 30 if small else 10_000),
    "viewers": lambda split, small: production_viewers.table(split, 50 if small else 5000),
    "pages": lambda split, small: production_pages.table(split, 1 if small else 10),
    "statements": lambda split, small: production_statements.table(
        split, (10, 20) if small else (10, 100, 1_000, 10_000)
    ),
    # The last, because it moves the clock past everybody's deadline.
    "closing": lambda split, small: production_closing.table(split, 2 if small else 100),
}
EXTRA = frozenset({"burst10000"})


def main(arguments: list[str]) -> int:
    """Make the parts; 1 if one could not be made. A missed goal is told in the page, it is no failure of the run."""
    small = "--small" in arguments
    named = [name for name in arguments if name != "--small"]
    unknown = set(named) - set(PARTS)
    if unknown:
        print(f"unknown: {' '.join(sorted(unknown))}; known: {' '.join(PARTS)}")
        return 2
    chosen = [name for name in PARTS if (name in named if named else name not in EXTRA)]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    measure.OUT.mkdir(parents=True, exist_ok=True)
    failed = []
    with (
        tempfile.TemporaryDirectory(dir=measure.ROOT / "build", ignore_cleanup_errors=True) as folder,
        production_hall.opened(Path(folder)) as split,
    ):
        for name in chosen:
            print(f"== production {name}", flush=True)
            machine = run.machine()
            try:
                table = PARTS[name](split, small)
            except Exception:
                traceback.print_exc()
                failed.append(name)
                continue
            if not small:
                measure.keep(table, machine=machine)
    if not small:
        run.PAGE.write_text(run.page(), "utf-8")
        print(f"written: {run.PAGE.relative_to(measure.ROOT)}")
    if failed:
        print(f"could not be made: {' '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
