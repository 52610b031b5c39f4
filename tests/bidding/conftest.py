"""The small hall of tests/bidding/stage.py, with a published tender."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.bidding.people import Keys
from tests.bidding.stage import Stage


@pytest.fixture(scope="session")
def keys() -> Keys:
    return Keys()


@pytest.fixture
def play(keys: Keys, tmp_path: Path) -> Callable[[Callable[[Stage], Awaitable[None]]], None]:
    """Runs a scenario on a fresh stage with a published tender."""

    def run(scenario: Callable[[Stage], Awaitable[None]], **sealing: Any) -> None:
        async def whole() -> None:
            stage = Stage(keys, tmp_path)
            await stage.set_up()
            await stage.publish(**sealing)
            await scenario(stage)
            await stage.database.close()

        asyncio.run(whole())

    return run


@pytest.fixture(scope="session")
def stage_class() -> type[Stage]:
    """For tests that bring their own database."""
    return Stage
