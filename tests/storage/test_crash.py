"""kill -9 between any two effects: nothing that was promised is lost, nothing happens twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from storage import crash

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def deaths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What was found after the hall died at each point and was started again."""
    rig = Path(__file__).with_name("crash_rig.py")
    ran = subprocess.run(
        [sys.executable, rig, tmp_path_factory.mktemp("crash")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found | {"stderr": ran.stderr}


def test_there_are_at_least_twelve_points() -> None:
    assert len(crash.POINTS) >= 12


@pytest.mark.parametrize("point", crash.POINTS)
def test_killed_at_a_named_point_the_hall_keeps_every_promise(deaths: dict[str, Any], point: str) -> None:
    found = deaths[point]
    assert found["killed"], "the point was reached and the process died there"
    assert found["started"], deaths["stderr"]
    assert found["promises"] >= 1 and found["lost"] == []
    assert found["effects"] == found["acts"] >= 2
