"""The only clock: forward, restorable, to the millisecond."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crypto.refusal import Refused
from storage import world


def test_a_stepped_clock_moves_only_when_told() -> None:
    seconds = [0.0]
    clock = world.DemoWorld(flowing=False, monotonic=lambda: seconds[0])
    seconds[0] = 100
    assert clock.now() == datetime(2026, 3, 2, 1, tzinfo=UTC)
    assert clock.advance(timedelta(days=20)) == clock.now() == datetime(2026, 3, 22, 1, tzinfo=UTC)
    assert clock.monotonic() == 100, "the monotonic clock does not jump"


def test_a_flowing_clock_runs_beside_the_seconds_and_survives_a_restart() -> None:
    seconds = [5.0]
    clock = world.DemoWorld(monotonic=lambda: seconds[0])
    seconds[0] = 6.2345
    assert clock.now() == world.DEMO_START + timedelta(milliseconds=1234)
    clock.advance(timedelta(hours=1))
    seconds[0] = 0.0
    again = world.DemoWorld(offset=clock.offset + timedelta(seconds=6), monotonic=lambda: seconds[0])
    assert again.now() >= world.DEMO_START + timedelta(hours=1)


def test_no_clock_runs_backwards() -> None:
    with pytest.raises(Refused, match="clock_moves_forward_only"):
        world.DemoWorld(flowing=False).advance(timedelta(seconds=-1))


def test_stamps_sort_as_instants_do_and_no_other_form_is_read() -> None:
    at = datetime(2026, 3, 2, 9, 0, 0, 7000, tzinfo=world.UTC)
    assert world.stamp(at) == "2026-03-02T09:00:00.007Z"
    assert world.instant("2026-03-02T09:00:00.007Z") == at
    for bad in ("2026-03-02T09:00:00Z", "2026-03-02T09:00:00.0070Z", "2026-3-02T09:00:00.007Z", "2026-03-02"):
        with pytest.raises(ValueError):
            world.instant(bad)
    assert world.stamp(at) < world.stamp(at + timedelta(milliseconds=1))


def test_seeded_entropy_follows_from_its_seed() -> None:
    one, two = world.SeededEntropy(1), world.SeededEntropy(1)
    assert one(5) + one(70) == two(75)
    assert world.SeededEntropy(2)(75) != one(75)


def test_the_real_world_keeps_whole_milliseconds() -> None:
    real = world.RealWorld()
    assert real.now().microsecond % 1000 == 0 and real.now().tzinfo is UTC
    assert len(real.entropy(32)) == 32 and real.monotonic() <= real.monotonic()
