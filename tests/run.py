"""Run the tests part by part, and say at the end how long each part took and what it may take.

    python3 tests/run.py all      what CI runs
    python3 tests/run.py quick    no servers, no demo, under three minutes
    python3 tests/run.py browser production    these parts alone

Each part has a purse in seconds; a part over its purse is named in the table. Only the standard library is used,
because the first part installs everything else.
"""

from __future__ import annotations

import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
REPORTS = ROOT / "build" / "test"


@dataclass
class Part:
    """One part: its commands run in order; a pytest command is recognised and its counts are added up."""

    name: str
    purse_s: int
    commands: list[list[str]]
    quick: bool = False
    seconds: float = 0.0
    failed: bool = False
    counts: dict[str, int] = field(default_factory=lambda: {"passed": 0, "failed": 0, "skipped": 0})


def pytest(name: str, *arguments: str) -> list[str]:
    """A pytest command that leaves its counts in build/test/NAME.xml."""
    return [str(BIN / "python"), "-m", "pytest", "-q", f"--junitxml={REPORTS / name}.xml", *arguments]


BROWSER = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
PARTS = [
    Part("packages", 120, [[sys.executable, "tests/packages.py"]]),
    Part("install", 180, [["make", "--no-print-directory", ".venv/.test"]], quick=True),
    Part(
        "static",
        120,
        [
            [str(BIN / "ruff"), "format", "--check", "--quiet", "."],
            [str(BIN / "ruff"), "check", "--quiet", "."],
            [str(BIN / "mypy")],
            [str(BIN / "lint-imports"), "--no-cache"],
        ],
        quick=True,
    ),
    Part(
        "unit",
        480,
        [
            pytest(
                "unit",
                "-n",
                "2",
                "-m",
                "not servers and not demo and not simulation and not browser and not production",
            ),
            [str(BIN / "python"), "tests/rules.py", str(REPORTS / "unit.xml")],
        ],
        quick=True,
    ),
    Part("servers", 480, [pytest("servers", "-m", "servers")]),
    Part("production", 600, [pytest("production", "-m", "production")]),
    Part("simulation", 240, [pytest("simulation", "-m", "simulation")]),
    # Each file in one process, so that what a file shares is made once; in their order, so that no long one comes last.
    Part("browser", 600, [pytest("browser", *BROWSER, "tests/browser")]),
    Part("demo", 480, [pytest("demo", "-m", "demo")]),
]
NEEDED = ("packages", "install")
"""Without these nothing else can run."""


def main(which: list[str]) -> int:
    """Run the chosen parts in order, stop at nothing, and return 1 if any failed."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    known = {"all", "quick", *(part.name for part in PARTS)}
    if set(which) - known:
        print(f"no such part: {', '.join(sorted(set(which) - known))}; there are {', '.join(sorted(known))}")
        return 2
    wanted = {part.name for part in PARTS if "all" in which or part.name in which or ("quick" in which and part.quick)}
    chosen = [part for part in PARTS if part.name in wanted]
    for part in chosen:
        print(f"== {part.name}", flush=True)
        started = time.monotonic()
        for command in part.commands:
            code = subprocess.run(command, cwd=ROOT, check=False).returncode
            empty = code == 5 and "pytest" in command
            part.failed |= code != 0 and not empty
        part.seconds = time.monotonic() - started
        _count(part)
        if part.failed and part.name in NEEDED:
            break
    _table(chosen)
    skipped = sum(part.counts["skipped"] for part in chosen)
    if skipped:
        print(f"{skipped} tests were skipped; none may be", flush=True)
    return 1 if skipped or any(part.failed for part in chosen) else 0


def _count(part: Part) -> None:
    report = REPORTS / f"{part.name}.xml"
    if not report.exists():
        return
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        total, bad, skipped = (
            int(suite.get("tests", 0)),
            int(suite.get("failures", 0)) + int(suite.get("errors", 0)),
            int(suite.get("skipped", 0)),
        )
        part.counts["passed"] += total - bad - skipped
        part.counts["failed"] += bad
        part.counts["skipped"] += skipped
    report.unlink()


def _table(parts: list[Part]) -> None:
    print("\npart         seconds  purse  passed failed skipped")
    for part in parts:
        counts, note = part.counts, ""
        if part.seconds > part.purse_s:
            note = "  OVER ITS PURSE"
        if part.failed:
            note += "  FAILED"
        print(
            f"{part.name:<12} {part.seconds:7.1f} {part.purse_s:6d}  "
            f"{counts['passed']:6d} {counts['failed']:6d} {counts['skipped']:7d}{note}"
        )
    total = {key: sum(part.counts[key] for part in parts) for key in ("passed", "failed", "skipped")}
    broken = sum(1 for part in parts if part.failed and not part.counts["failed"])
    print(f"\n{total['passed']} passed, {total['failed'] + broken} failed, {total['skipped']} skipped", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["all"]))
