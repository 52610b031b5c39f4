"""Check 7 on a draw that failed: it passes when a stratum really ran out, and never when seats could be filled."""

from __future__ import annotations

from typing import Any

import pytest

from crypto import lottery
from crypto.refusal import Refused
from crypto.verifier import draw
from crypto.verifier.findings import Failed

SEED = bytes(range(32))
STRATA: list[dict[str, Any]] = [
    {"specialty": "A", "k": 1, "masked": sorted(f"{n:064x}" for n in range(4))},
    {"specialty": "B", "k": 2, "masked": sorted(f"{n:064x}" for n in range(16, 19))},
]
IN_CONFLICT = {STRATA[1]["masked"][0], STRATA[1]["masked"][2]}


class Result(dict[str, Any]):
    leaf = "ab" * 32


def published() -> tuple[draw.Seating, Result]:
    """The failure as the hall publishes it (crypto.lottery), and the verifier's own order."""
    pool = lottery.Pool.make(
        [(str(row["specialty"]), int(row["k"]), [bytes.fromhex(each) for each in row["masked"]]) for row in STRATA]
    )
    with pytest.raises(Refused) as err:
        lottery.seat(pool, lottery.draw(pool, SEED), conflicts={bytes.fromhex(each) for each in IN_CONFLICT})
    assert err.value.code == "draw_stratum_exhausted"
    told = err.value.facts["avoided"]
    return draw.Seating(draw.orders(STRATA, SEED)), Result(seats=[], avoided=told)


@pytest.mark.parametrize("view", ["full", "public"])
def test_a_lawful_failed_attempt_verifies(view: str) -> None:
    seating, result = published()
    out = IN_CONFLICT if view == "full" else set(result["avoided"])
    found = draw._replay_failed(seating, STRATA, result, out)  # type: ignore[arg-type]
    assert found.seats == [] and found.avoided == result["avoided"]


def test_attack_a_panel_nobody_liked_is_called_a_failed_draw() -> None:
    """Whoever runs the clock cannot throw a panel away by publishing no seats."""
    seating, _ = published()
    with pytest.raises(Failed, match="drawn again it fills its seats"):
        draw._replay_failed(seating, STRATA, Result(seats=[], avoided=[]), set())  # type: ignore[arg-type]


@pytest.mark.parametrize("avoided", [[], ["ff" * 32]])
def test_attack_a_failed_draw_hides_whom_it_passed_over(avoided: list[str]) -> None:
    seating, _ = published()
    with pytest.raises(Failed):
        draw._replay_failed(seating, STRATA, Result(seats=[], avoided=avoided), IN_CONFLICT)  # type: ignore[arg-type]
