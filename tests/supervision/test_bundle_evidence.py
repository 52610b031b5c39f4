"""What full bundles show of trouble: disclosed secrets, draws, rows that somebody changed in the database."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crypto import jcs
from crypto.ledger import note
from crypto.verifier import archive
from storage import engine, migrate
from supervision import bundle
from tests.bidding import test_complaints as lied
from tests.bidding.stage import Stage
from tests.supervision import played
from tests.supervision.test_bundle import made, results
from trading import journal

Play = Callable[..., None]
LIARS = ("t-regulator", "t-inspector")


def failed(path: Path, stage: Any) -> dict[int, str]:
    """The checks that failed, with what they found."""
    return {number: each.detail.en for number, (told, each) in results(path, stage).items() if told == "failed"}


async def rescued(stage: Any, secrets: Callable[[Any], Any]) -> Any:
    """Two trustees of one lock complain of an honest bid, its bidder discloses; two bids valid at most."""
    bids = [await stage.hand_in(one) for one in stage.keys.bidders[:2]]
    await stage.hand_in(stage.keys.bidders[2], forge=played.garble_all)
    await stage.freeze()
    await lied.complaints(stage, bids[0], LIARS)
    await lied.disclose(stage, bids[0], secrets(bids[0]))
    await lied.releases(stage, bids[0], LIARS)
    await stage.tick()
    assert (await stage.tender()).state.value == "failed"
    return bids[0]


@pytest.mark.parametrize("honest", [True, False])
def test_a_rescue_is_shown_in_the_full_view_and_judged_again(play: Play, tmp_path: Path, honest: bool) -> None:
    async def scenario(stage: Any) -> None:
        bid = await rescued(stage, lambda bid: bid.secrets[1] if honest else [bytes(32), bytes(32)])
        verdict = (await stage.verdicts())[bid.bid]
        assert verdict["verdict"] == ("valid" if honest else "unopened")
        public, full = [await made(stage, view, tmp_path / view) for view in ("public", "full")]
        assert failed(public, stage) == failed(full, stage) == {}
        shown = jcs.loads(archive.read(full).read("private/rescues.json"))
        assert shown[0]["secrets"] == [each.hex() for each in (bid.secrets[1] if honest else [bytes(32)] * 2)]
        assert (f"bids/{bid.bid}/secrets.json" in archive.read(full)) == honest
        assert "private/rescues.json" not in archive.read(public)

    play(scenario)


def test_a_disclosure_that_cannot_be_opened_is_shown_as_none(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        await rescued(stage, lambda bid: bid.secrets[1])
        from bidding import opening

        case = await stage.database.read(lambda unit: opening.case(unit, stage.lot, hall=stage.hall))
        (hashed,) = case.rescues
        case.rescues[hashed]["room"] = (bytes(80), bytes(80))
        assert bundle.RoomSecrets.of(case, stage.room).rescued(hashed.hex()) == [bytes(32), bytes(32)]

    play(scenario)


def test_objects_of_the_full_view_are_not_in_the_public_one(play: Play, tmp_path: Path) -> None:
    async def scenario(stage: Any) -> None:
        tender = await stage.tender()

        async def draw(unit: Any) -> dict[str, str]:
            kept = {
                name: await journal.keep_object(unit, lot=stage.lot, kind=name, data=data, public=name == "pool_hash")
                for name, data in (("pool_hash", b'{"strata":[]}'), ("avoidance_hash", b'{"facts":[]}'))
            }
            fields = {"draw_id": "ab" * 32, "purpose": 1, "attempt": 0, "registry_hash": "cd" * 32, **kept}
            fields["measures"] = {"pool": 0, "entropy_bits": 0, "repeat_pairs": 0}
            place = {"lot": stage.lot, "tender_id": tender.tender_id, "kind": "draw_pool"}
            await journal.hall_act(unit, hall=stage.hall, fields=fields, now=stage.now, **place)
            return kept

        kept = await stage.database.write(draw)
        await played.until_stopped(stage)
        for view in ("public", "full"):
            read = archive.read(await made(stage, view, tmp_path / view))
            assert f"objects/{kept['pool_hash']}" in read
            assert (f"objects/{kept['avoidance_hash']}" in read) == (view == "full")

    play(scenario)


def test_what_came_after_the_last_quorum_is_left_out(play: Play, tmp_path: Path) -> None:
    async def scenario(stage: Any) -> None:
        await played.until_stopped(stage)
        seen = (await stage.ledger.head()).size
        await made(stage, "full", tmp_path / "first")
        # The reading just logged is sequenced, and one witness alone has seen it.
        await stage.sequencer.sequence()
        head = await stage.ledger.head()
        line = note.cosign(head.note, name="operation", signer=stage.keys.witnesses["operation"], at=stage.now)
        await stage.ledger.cosign(str(line), witnesses=stage.keys.trust.witnesses, now=stage.now)
        path = await made(stage, "full", tmp_path / "second")
        events = [json.loads(line) for line in archive.read(path).read("private/events.jsonl").splitlines()]
        assert max(each["index"] for each in events) < seen < head.size
        assert failed(path, stage) == {}

    play(scenario)


def test_a_row_changed_by_who_owns_the_file_is_found_by_check_2(people: Any, tmp_path: Path) -> None:
    """Triggers refuse; who drops them changes what the bundle shows, and the ledger says no."""
    file = tmp_path / "hall.db"

    async def play_it(work: Callable[[Any], Any]) -> Any:
        stage = Stage(people, tmp_path / "stage", database=engine.open_sqlite(file))
        await migrate.migrate(stage.database)
        try:
            return await work(stage)
        finally:
            await stage.database.close()

    async def honest(stage: Any) -> tuple[str, timedelta]:
        await stage.set_up()
        await stage.publish()
        await played.until_stopped(stage)
        assert failed(await made(stage, "full", tmp_path / "honest"), stage) == {}
        return stage.lot, stage.world.offset

    async def again(stage: Any) -> dict[int, str]:
        stage.lot = lot
        stage.world.advance(offset)
        return failed(await made(stage, "full", tmp_path / "changed"), stage)

    lot, offset = asyncio.run(play_it(honest))
    change = "UPDATE event SET confidential = replace(confidential, '192.0.2.7', '192.0.2.8') WHERE kind = 'withdraw'"
    with sqlite3.connect(file) as database:
        with pytest.raises(sqlite3.Error, match="event"):
            database.execute(change)
        database.execute("DROP TRIGGER event_only_emptied")
        assert database.execute(change).rowcount == 1
    assert set(asyncio.run(play_it(again))) == {2}


def test_the_file_is_removed_also_when_the_reader_goes_away(tmp_path: Path) -> None:
    file = tmp_path / "bundle.zip"
    file.write_bytes(bytes(3 << 20))
    removed: list[bool] = []

    async def leave() -> None:
        pieces = bundle.stream(file, lambda: removed.append(True))
        assert len(await anext(pieces)) == archive.READ_BYTES and not removed
        await pieces.aclose()

    asyncio.run(leave())
    assert removed == [True]
