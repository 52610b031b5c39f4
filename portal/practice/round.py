"""The round of practice that is open now, as the practice hall's database knows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storage.unit import Unit

MARK = "practice"
"""The file under DATA/demo that makes a rehearsal a practice hall."""
LINGER_SECONDS = 15.0
"""How long a round stays open after the first visitor's bid."""
SETTING = "practice"


async def current(unit: Unit) -> Mapping[str, Any] | None:
    """The round that takes bids now: {"lot","number"}, None before the first."""
    row = await unit.setting.read(SETTING)
    return row["body"] if row is not None else None


async def begin(unit: Unit, *, lot: str, number: int) -> None:
    """Remember that this round takes bids from now on."""
    row = await unit.setting.read(SETTING)
    body = {"lot": lot, "number": number}
    if row is None:
        await unit.setting.insert({"name": SETTING, "body": body})
    else:
        await unit.setting.update({**row, "body": body}, expected_version=row["version"])
