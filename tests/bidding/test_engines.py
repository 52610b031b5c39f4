"""The same chain on a real file, and many bids at one instant on one tender: no conflict, nothing lost."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from storage import engine, migrate
from trading.lifecycle import State


@pytest.fixture
def on_sqlite(keys: Any, tmp_path: Path, stage_class: Any) -> Any:
    def run(scenario: Any) -> None:
        async def whole() -> None:
            database = engine.open_sqlite(tmp_path / "hall.db")
            await migrate.migrate(database)
            stage = stage_class(keys, tmp_path, database=database)
            await stage.set_up()
            await stage.publish()
            try:
                await scenario(stage)
            finally:
                await database.close()

        asyncio.run(whole())

    return run


def test_from_the_box_to_the_announcement_on_a_file(on_sqlite: Any) -> None:
    async def scenario(stage: Any) -> None:
        bids = [await stage.hand_in(one) for one in stage.keys.bidders[:3]]
        await stage.withdraw(bids[0])
        bids[0] = await stage.hand_in(stage.keys.bidders[0], version=2)
        tender = await stage.open(absent=("t-notary",))
        assert tender.state is State.OPENED
        assert set(await stage.record()) == {each.bid for each in bids}

    on_sqlite(scenario)


def test_many_bids_at_one_instant_on_one_tender_are_all_taken(on_sqlite: Any) -> None:
    async def scenario(stage: Any) -> None:
        bids = []
        for version in range(1, 6):
            for one in stage.keys.bidders:
                sealed = await stage.seal(one, version=version)
                await stage.upload(sealed)
                bids.append(sealed)
        last = bids[-len(stage.keys.bidders) :]
        await asyncio.gather(*(stage.submit(each) for each in last), *(stage.submit(each) for each in last))
        await stage.freeze()
        assert (await stage.act("freeze"))["n"] == len(stage.keys.bidders)

    on_sqlite(scenario)
