"""The tables of `make bench-production` at small sizes: each part still finishes, and loses nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.production
ROOT = Path(__file__).resolve().parents[2]
NOTHING = ("refused", "accepted without a receipt", "accepted and not in the tables", "rolled back for a conflict",
           "viewers lost", "not answered with 200", "tenders not frozen")  # fmt: skip


def test_every_part_finishes_at_a_small_size_and_loses_nothing() -> None:
    command = [sys.executable, str(ROOT / "bench" / "production.py"), "--small"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    for what in NOTHING:
        rows = [line for line in done.stdout.splitlines() if what in line]
        assert rows, f"no row tells of {what}"
        assert all(re.search(r": 0 [^;]*; goal ≤ 0", row) for row in rows), rows


def test_a_part_that_does_not_exist_is_named() -> None:
    command = [sys.executable, str(ROOT / "bench" / "production.py"), "bursts"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "bursts" in done.stdout
