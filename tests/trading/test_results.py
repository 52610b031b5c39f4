"""What is asked for too early is refused with what is missing, not with the name of an act."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from crypto.refusal import Refused
from storage import memory
from trading import results
from trading.lifecycle import State


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("opened", "lot_not_opened_yet"),
        ("scores_locked", "evaluation_not_finished"),
        ("report", "panel_report_missing"),
    ],
)
def test_too_early_says_what_is_not_done_yet(kind: str, code: str) -> None:
    tender: Any = SimpleNamespace(lot="E5101000001", state=State.BIDDING)

    async def scenario() -> None:
        database = memory.open_memory()
        with pytest.raises(Refused) as err:
            await database.read(lambda unit: results.act_of(unit, tender, kind))
        assert (err.value.code, err.value.facts) == (code, {"state": "bidding"})
        await database.close()

    asyncio.run(scenario())
