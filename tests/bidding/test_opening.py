"""From the box to the announcement, with real trustees, witnesses and a real log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from trading.lifecycle import State

Play = Callable[..., None]


@pytest.mark.rule("E-52", "pass")
def test_every_bid_of_the_list_is_opened_and_the_record_says_what_was_sealed(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        bids = [await stage.hand_in(one, price_fen=500_000_000 + n) for n, one in enumerate(stage.keys.bidders[:3])]
        tender = await stage.open()
        assert tender.state is State.OPENED
        verdicts, record = await stage.verdicts(), await stage.record()
        assert set(verdicts) == set(record) == {each.bid for each in bids}
        assert all(row["verdict"] == "valid" for row in verdicts.values())
        for n, each in enumerate(bids):
            assert record[each.bid]["price_fen"] == 500_000_000 + n
            assert record[each.bid]["bidder"] == {"name": each.company.name, "uscc": each.company.uscc}
            assert record[each.bid]["secrets"] == [secret.hex() for secret in each.secrets[0]]

    play(scenario)
