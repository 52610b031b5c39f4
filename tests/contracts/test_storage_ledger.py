"""The ledger and its sequencer on every engine: everything sequenced once, in order, provable, and never forked."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crypto import signing
from crypto.ledger import acts, merkle, note, tiles
from crypto.refusal import Refused
from storage.ledger import Ledger
from storage.ports import Busy
from storage.sequencer import Batch, Sequencer
from storage.unit import NO_HASH, Database, Record, Unit
from storage.world import DemoWorld, SeededEntropy, new_id

Hall = Callable[[Callable[[Database], Any]], Any]
ORIGIN = "hall.example/log/rehearsal"
SIGNER = signing.Ed25519Signer.generate(entropy=SeededEntropy("log key"))
LOG_KEY = note.VerifierKey(ORIGIN, note.LOG_SIGNATURE, SIGNER.key)
WITNESS_SIGNER = signing.Ed25519Signer.generate(entropy=SeededEntropy("witness key"))
WITNESS = note.Witness(
    "witness.example/w1", "supervision", note.VerifierKey("witness.example/w1", note.COSIGNATURE, WITNESS_SIGNER.key)
)


class Bench:
    """A log with a clock whose seconds the test moves."""

    def __init__(self, db: Database, *, seed: str = "bench") -> None:
        self.db = db
        self.seconds = 0.0
        self.open = False
        self.world = DemoWorld(flowing=False, entropy=SeededEntropy(seed), monotonic=lambda: self.seconds)
        self.ledger = Ledger(db)
        self.sequencer = self.another()

    def another(self) -> Sequencer:
        async def open_for_bids(unit: Unit) -> bool:
            return self.open

        return Sequencer(
            self.db,
            world=self.world,
            origin=ORIGIN,
            signer=SIGNER,
            cover_secret=bytes(32),
            open_for_bids=open_for_bids,
        )

    async def record(self, count: int = 1, *, at: datetime | None = None) -> list[str]:
        ids = []
        for _ in range(count):
            made = private(self.world, at or self.world.now())
            ids.append(made.id)
            await self.db.write(lambda unit, made=made: unit.record(made))
        return ids

    async def turn(self, seconds: float) -> Batch | None:
        self.seconds += seconds
        return await self.sequencer.turn()

    async def verify_whole(self) -> int:
        """What a stranger does with the published files alone."""
        head = await self.ledger.head()
        assert head is not None
        checkpoint = note.verify_checkpoint(head.note.encode(), LOG_KEY)
        files: dict[str, bytes] = {}
        for tile in tiles.tiles_of(checkpoint.size):
            data = await self.ledger.tile(tile.path)
            assert data is not None, tile.path
            files[tile.path] = data
        for number in range(-(-checkpoint.size // tiles.WIDTH)):
            path = tiles.entries_path(number, min(tiles.WIDTH, checkpoint.size - number * tiles.WIDTH))
            data = await self.ledger.tile(path)
            assert data is not None, path
            files[path] = data
        reader = tiles.Reader(files.__getitem__, size=checkpoint.size, root=checkpoint.root)
        assert len(reader.entries(0, checkpoint.size)) == checkpoint.size
        return checkpoint.size


def private(world: DemoWorld, at: datetime) -> Record:
    leaf = b"\x02" + world.entropy(32)
    return Record(
        id=new_id(world.entropy),
        lot="L",
        tender_id="t",
        kind="submit",
        actor="A",
        at=at,
        public={},
        leaf=leaf,
        leaf_hash=merkle.leaf_hash(leaf).hex(),
    )


def public(world: DemoWorld, seq: int, *, at: datetime, tender_id: str = "t") -> Record:
    leaf = b"\x01" + f"{tender_id} {seq}".encode()
    return Record(
        id=new_id(world.entropy),
        lot="L",
        tender_id=tender_id,
        kind="deadline",
        actor="A",
        at=at,
        public={"seq": seq},
        leaf=leaf,
        leaf_hash=merkle.leaf_hash(leaf).hex(),
        seq=seq,
        prev=NO_HASH,
    )


def test_everything_recorded_is_sequenced_once_and_provable(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        bench = Bench(db)
        ids: list[str] = []
        for count in (1, 3, 260, 7):
            ids += await bench.record(count)
            assert await bench.sequencer.sequence() == Batch(len(ids), count, 0)
            assert await bench.sequencer.sequence() is None, "nothing waits, nothing is signed"
        assert await bench.verify_whole() == 271
        seen = set()
        for event in (ids[0], ids[3], ids[255], ids[256], ids[270]):
            found = await bench.ledger.inclusion(event)
            assert found is not None
            seen.add(found.index)
            root = merkle.verify_inclusion(
                merkle.leaf_hash(found.leaf), found.index, found.head.size, found.proof, found.head.root
            )
            assert root == found.head.root
            assert await bench.ledger.find_leaf(merkle.leaf_hash(found.leaf)) == [found.index]
        assert len(seen) == 5

    hall(scenario)


def test_every_two_checkpoints_are_consistent(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        bench = Bench(db)
        for count in (5, 1, 251, 2):
            await bench.record(count)
            await bench.sequencer.sequence()
        sizes = (5, 6, 257, 259)
        for old in sizes:
            for new in (size for size in sizes if size >= old):
                before, after = await bench.ledger.checkpoint(old), await bench.ledger.checkpoint(new)
                assert before is not None and after is not None
                proof = await bench.ledger.consistency(old, new)
                merkle.verify_consistency(old, before.root, new, after.root, proof)
        with pytest.raises(Refused, match="tree_smaller_than_before"):
            await bench.ledger.consistency(5, 300)
        found = await bench.ledger.inclusion((await bench.record())[0])
        assert found is None, "not yet sequenced"

    hall(scenario)


def test_a_row_that_commits_late_is_found_all_the_same(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        bench = Bench(db)
        await bench.record()
        await bench.sequencer.sequence()
        await bench.record(at=bench.world.now() - timedelta(minutes=5))
        assert (await bench.turn(0.2)) == Batch(2, 1, 0)
        # Older than the window between sweeps: the next sweep takes it.
        await bench.record(at=bench.world.now() - timedelta(days=1))
        assert (await bench.turn(0.2)) is None
        assert (await bench.turn(61)) == Batch(3, 1, 0)

    hall(scenario)


def test_public_acts_of_a_tender_keep_the_order_of_their_chain(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        bench = Bench(db)
        now = bench.world.now()
        for seq, seconds in ((0, 9), (1, 5), (2, 7)):
            act = public(bench.world, seq, at=now + timedelta(seconds=seconds))
            await db.write(lambda unit, act=act: unit.record(act))
        other = public(bench.world, 0, at=now + timedelta(seconds=6), tender_id="u")
        await db.write(lambda unit: unit.record(other))
        await bench.sequencer.sequence()
        assert await bench.ledger.entries(0, 9) == [b"\x01t 0", b"\x01u 0", b"\x01t 1", b"\x01t 2"]

    hall(scenario)


def test_while_bids_are_taken_a_quiet_second_looks_like_one_with_a_bid(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        bench = Bench(db)
        bench.open = True
        assert await bench.turn(0) is None
        assert await bench.turn(1.0) == Batch(2, 2, 2)
        await bench.record()
        assert await bench.turn(0.5) is None, "a bid waits for the whole second"
        assert await bench.turn(0.5) == Batch(4, 2, 1)
        await bench.record(3)
        assert await bench.turn(1.0) == Batch(8, 4, 1)
        assert await bench.turn(2.0) == Batch(12, 4, 4), "a late turn makes up for the seconds it missed"
        # Two public acts fill c leaves, yet one private place is left: no second says that nobody handed in a bid.
        now = bench.world.now()
        for seq in (0, 1):
            act = public(bench.world, seq, at=now)
            await db.write(lambda unit, act=act: unit.record(act))
        assert await bench.turn(1.0) == Batch(16, 4, 2)
        bench.world.advance(timedelta(days=20))
        assert await bench.turn(1.0) == Batch(18, 2, 2), "a jump of the clock adds none"
        bench.open = False
        assert await bench.turn(1.0) is None
        assert await bench.verify_whole() == 18

    hall(scenario)


def test_every_cover_leaf_can_be_shown_to_be_cover(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        bench = Bench(db)
        await bench.record()
        await bench.sequencer.sequence(leaves_min=8)
        leaves = await bench.ledger.entries(0, 8)
        seed = bench.sequencer.cover_seed("2026-03-02")
        cover = [index for index, leaf in enumerate(leaves) if leaf == acts.cover_leaf(seed, index)]
        assert len(cover) == 7
        assert {len(leaf) for leaf in leaves} == {acts.PRIVATE_LEAF_BYTES}
        assert bench.sequencer.cover_seed("2026-03-03") != seed

    hall(scenario)


def test_two_sequencers_by_mistake_cannot_fork_the_log(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        bench = Bench(db)
        both = [bench.sequencer, bench.another()]
        ids = []
        for _ in range(6):
            ids += await bench.record(4)
            await asyncio.gather(*(one.sequence() for one in both))
            await both[1].sequence(leaves_min=2)
        size = await bench.verify_whole()
        rows = await db.read(lambda unit: unit.checkpoint.find())
        assert [row["previous"] for row in rows] == [0, *(row["size"] for row in rows[:-1])], "one line, no branch"
        assert size == 24 + 6 * 2
        assert all([await bench.ledger.inclusion(event) for event in ids])

    hall(scenario)


def test_a_sequencer_behind_a_witness_signs_nothing(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        bench = Bench(db)
        await bench.record(3)
        await bench.sequencer.sequence()
        head = await bench.ledger.head()
        assert head is not None

        def witness(size: int, root: bytes) -> Callable[[], Any]:
            async def latest() -> bytes:
                return note.sign_checkpoint(note.Checkpoint(ORIGIN, size, root), signer=SIGNER).encode()

            return latest

        async def new() -> None:
            return None

        async def away() -> bytes:
            raise OSError("no route")

        good = {"same": witness(3, head.root), "new": new, "away": away}
        assert await bench.another().start(good) == ["same", "new"]
        for size, root in ((4, b"r" * 32), (3, b"r" * 32), (2, b"r" * 32)):
            with pytest.raises(Refused, match="log_behind_witness"):
                await bench.another().start({"w": witness(size, root)})

        async def foreign() -> bytes:
            stranger = signing.Ed25519Signer.generate(entropy=SeededEntropy("stranger"))
            return note.sign_checkpoint(note.Checkpoint(ORIGIN, 3, head.root), signer=stranger).encode()

        with pytest.raises(Refused, match="note_not_signed"):
            await bench.another().start({"w": foreign})

    hall(scenario)


def test_cosignatures_are_kept_with_the_checkpoint_they_are_for(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        bench = Bench(db)
        now = datetime(2026, 3, 2, 1, tzinfo=UTC)
        heads = []
        for _ in range(2):
            await bench.record()
            await bench.sequencer.sequence()
            heads.append(await bench.ledger.head())
        assert heads[0] is not None and heads[1] is not None
        line = str(note.cosign(heads[0].note, name=WITNESS.name, signer=WITNESS_SIGNER, at=now))
        for _ in range(2):
            assert await bench.ledger.cosign(line, witnesses=[WITNESS], now=now) == 1
        first = await bench.ledger.checkpoint(1)
        assert first is not None and note.verify_cosignature(first.note, WITNESS) is not None
        latest = await bench.ledger.head()
        assert latest is not None and note.verify_cosignature(latest.note, WITNESS) is None
        with pytest.raises(Refused, match="witness_unknown"):
            await bench.ledger.cosign(line, witnesses=[], now=now)
        other = str(note.cosign(note.sign_checkpoint(note.Checkpoint(ORIGIN, 2, b"r" * 32), signer=SIGNER),
                                name=WITNESS.name, signer=WITNESS_SIGNER, at=now))  # fmt: skip
        with pytest.raises(Refused, match="cosignature"):
            await bench.ledger.cosign(other, witnesses=[WITNESS], now=now)
        with pytest.raises(Refused, match="note"):
            await bench.ledger.cosign("nonsense", witnesses=[WITNESS], now=now)

    hall(scenario)


def test_paths_outside_the_log_give_nothing(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        bench = Bench(db)
        assert await bench.ledger.tile("tile/0/000") is None
        await bench.record(3)
        await bench.sequencer.sequence()
        assert len(await bench.ledger.tile("tile/0/000.p/2") or b"") == 64
        for path in (
            "tile/0/000",
            "tile/0/000.p/4",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/001.p/1",
            "tile/1/000.p/1",
            "tile/64/000",
            "tile/0/0",
            "tile/0/../../etc/passwd",
            "tile/entries/000.p/4",
            "checkpoint",
        ):
            assert await bench.ledger.tile(path) is None, path

    hall(scenario)


def test_a_pending_row_older_than_ten_seconds_is_reported(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        bench = Bench(db)
        now = bench.world.now()
        old = await bench.record(at=now - timedelta(seconds=11))
        await bench.record(at=now - timedelta(seconds=9))
        assert await bench.ledger.overdue(now=now) == old
        await bench.sequencer.sequence()
        assert await bench.ledger.overdue(now=now + timedelta(hours=1)) == []

    hall(scenario)


def test_the_door_waits_for_inclusion_and_gives_up(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        bench = Bench(db)
        (event,) = await bench.record()
        assert await bench.ledger.wait_for(event, seconds=0.05) is None
        stop = asyncio.Event()
        running = asyncio.create_task(bench.sequencer.run(stop))
        found = await bench.ledger.wait_for(event, seconds=5)
        stop.set()
        await running
        assert found is not None and found.index == 0

    hall(scenario)


def test_who_waits_gets_the_receipt_though_the_database_was_away_meanwhile(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look at the log that meets a server which starts again is no end of the looks for all who wait."""
    away = [True, True]

    async def scenario(db: Database) -> None:
        bench = Bench(db)
        look = bench.ledger._hand_out

        async def sometimes(unit: Unit, asked: Any) -> None:
            if away:
                away.pop()
                raise Busy("the server starts again")
            await look(unit, asked)

        monkeypatch.setattr(bench.ledger, "_hand_out", sometimes)
        unheard: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, told: unheard.append(told))
        events = await bench.record(2)
        waiting = [asyncio.create_task(bench.ledger.wait_for(event, seconds=5)) for event in events]
        await asyncio.sleep(0.2)
        await bench.sequencer.sequence()
        found = [await each for each in waiting]
        assert not away and sorted(one.index for one in found if one) == [0, 1]
        assert all(one.awaited for one in found if one), "found by the watch, not asked for when patience ended"
        del waiting
        gc.collect()
        assert not unheard

    hall(scenario)
