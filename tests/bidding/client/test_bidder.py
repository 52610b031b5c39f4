"""tradehall-bidder from enrolment to receipt, against a served hall."""

from __future__ import annotations

from typing import Any


def test_a_bid_is_fetched_sealed_submitted_and_proved(served: Any) -> None:
    bid = served.sealed("02")
    told = served.bidder("02", "submit", bid)
    assert told.code == 0, told.err
    assert told.json["stage"] in ("submitted", "witnessed")
