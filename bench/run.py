"""`make bench`: every table in a process of its own, then docs/benchmarks.md from what they kept.

    python bench/run.py [NAME …] [--small]

With names only these tables are made anew; the page always shows all that were kept in build/bench.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sqlite3
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import measure

NAMES = (
    "sealing",
    "browser_sealing",
    "upload",
    "opening",
    "ledger",
    "draw",
    "scoring",
    "verifying",
    "burst",
    "statements",
    "pages",
)
PRODUCTION = ("production_burst", "production_burst_10000", "production_closing", "production_viewers",
              "production_pages", "production_statements")  # fmt: skip
"""Tables that bench/production.py makes; the page shows them after the others."""
PAGE = measure.ROOT / "docs" / "benchmarks.md"
PACKAGES = ("cryptography", "pyrage", "granian", "litestar", "piccolo", "asyncpg", "pandas")
LOOP = """import json, time
told = {str(n): [n] * 5 for n in range(300)}
for _ in range(500):
    json.loads(json.dumps(told))
    sum(n * n for n in range(1500))
print(time.process_time())
"""
HEAD = """# Benchmarks

Made by `make bench` and, for the split processes, `make bench-production`; do not edit. Every number stands beside
something public that was measured in the same run on the same machine, and the ratio is what travels to another
machine. To repeat: `make bench` on a machine that does nothing else, or one table with `.venv/bin/python bench/run.py
NAME`; `make bench-production PARTS="burst viewers"` for parts of the other. The raw numbers lie in
`build/bench/*.json`.
"""


def main(arguments: list[str]) -> int:
    """Make the tables; 1 if one could not be made. A missed goal is told in the page, it is no failure of the run."""
    unknown = set(arguments) - {*NAMES, "--small"}
    if unknown:
        print(f"unknown: {' '.join(sorted(unknown))}; known: {' '.join(NAMES)} --small")
        return 2
    chosen = [name for name in arguments if not name.startswith("-")] or list(NAMES)
    small = [each for each in arguments if each == "--small"]
    failed = []
    for name in chosen:
        print(f"== {name}", flush=True)
        here = machine()
        script = measure.ROOT / "bench" / f"{name}.py"
        if subprocess.run([sys.executable, str(script), *small], check=False).returncode != 0:
            failed.append(name)
        elif not small:
            kept = measure.OUT / f"{name}.json"
            told = json.loads(kept.read_text("utf-8"))
            kept.write_text(json.dumps({**told, "machine": here}, ensure_ascii=False, indent=1) + "\n", "utf-8")
    if not small:
        PAGE.write_text(page(), "utf-8")
        print(f"written: {PAGE.relative_to(measure.ROOT)}")
    if failed:
        print(f"could not be made: {' '.join(failed)}")
    return 1 if failed else 0


def page() -> str:
    """docs/benchmarks.md from everything that was kept."""
    parts = [HEAD]
    for name in (*NAMES, *PRODUCTION):
        kept = measure.OUT / f"{name}.json"
        if kept.exists():
            parts.append(_section(json.loads(kept.read_text("utf-8"))))
    return "\n".join(parts)


def _section(told: dict[str, Any]) -> str:
    lines = [f"## {told['title']}", "", told["how"], ""]
    lines += ["| what | measured | beside it, same run | ratio | goal |", "|---|---|---|---|---|"]
    for row in told["rows"]:
        measured = f"{measure.number(row['value'])} {row['unit']}".strip()
        beside, ratio, goal = "", "", ""
        if row["beside_value"] is not None:
            beside = f"{row['beside']}: {measure.number(row['beside_value'])} {row['unit']}".strip()
        if row["ratio"] is not None:
            ratio = f"{row['ratio']:.2f}"
        if row["goal"] is not None:
            met = "met" if row["met"] else "**missed**"
            goal = f"≤ {measure.number(row['goal'])} {row['unit']}".strip() + f": {met}"
        lines.append(f"| {row['what']} | {measured} | {beside} | {ratio} | {goal} |")
    return "\n".join([*lines, "", f"*{told['machine']}*", ""])


def machine() -> str:
    """The machine and the versions, how busy it was before the table was begun, and how fast: a machine that shares
    its processors with others is half as fast at times."""
    cpu = re.findall(r"model name\s+: (.*)", Path("/proc/cpuinfo").read_text())
    kib = int(re.findall(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[0])
    there = {each.metadata["Name"].lower() for each in metadata.distributions()}
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES if name in there)
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} cores ({cpu[0] if cpu else platform.machine()}), {kib / (1 << 20):.0f} GiB, "
        f"Linux {platform.release()}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {versions}; "
        f"before the table: load average {load:.1f}, a fixed loop of Python on every core {_pace():.2f} s"
    )


def _pace() -> float:
    """Seconds of processor time that LOOP takes, the mean of all cores at once."""
    runs = [
        subprocess.Popen([sys.executable, "-S", "-c", LOOP], stdout=subprocess.PIPE) for _ in range(os.cpu_count() or 1)
    ]
    return sum(float(each.communicate()[0]) for each in runs) / len(runs)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
