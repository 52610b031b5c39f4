"""The sequencer: gives pending leaves their places in the ledger and signs what it made. Sole holder of the log key.

Spec §4. It takes rows by anti-join, never by a watermark on a serial; it knows of a leaf when it came and, for a
public act, its place in the tender's chain, which the order of the log keeps. One transaction holds the whole batch:
places, full tiles, signed checkpoint. The checkpoint names the size it extends, and only one may extend each size, so
two sequencers started by mistake cannot fork the log. At start it refuses to sign when a witness holds more than it
has, or something else.
While a tender is open for bids the log grows by c leaves (default 2) every second of the monotonic clock, or by the
next multiple of c, filled with cover leaves: a quiet second looks like one with a bid.
Whoever controls this can delay or refuse leaves, and pending rows older than ten seconds become an incident; they
cannot alter, drop or reorder what was sequenced without a witness or a receipt showing it.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from crypto import signing
from crypto.ledger import acts, merkle, note, tiles
from crypto.refusal import Refused
from storage import crash
from storage.ledger import newest_head, tile_hashes
from storage.ports import Conflict, Row
from storage.unit import Database, Unit
from storage.world import World, new_id, stamp

BATCH_SECONDS = 0.2
COVER_PER_SECOND = 2
OWED_SECONDS_MAX = 60
"""A machine that slept does not fill the log with the cover of a whole night."""
SLACK = timedelta(minutes=10)
SWEEP_SECONDS = 60
BATCH_LEAVES_MAX = 20_000

OpenForBids = Callable[[Unit], Awaitable[bool]]
WitnessLatest = Callable[[], Awaitable[bytes | None]]
"""Asks a witness for the latest checkpoint note it cosigned; None when it never saw this log."""


async def never_open(unit: Unit) -> bool:
    """For a log without tenders: no cover is ever needed."""
    return False


@dataclass(frozen=True, slots=True)
class Batch:
    """What one round added: `size` of the log after it, how many leaves, how many of them cover."""

    size: int
    leaves: int
    cover: int


@dataclass(frozen=True, slots=True)
class _Edge:
    """The right edge of the log between batches: its size, peaks, and the hashes of each level's unfinished tile."""

    frontier: merkle.Frontier
    unfinished: tuple[tuple[bytes, ...], ...]


class Sequencer:
    """One per log. `start` first, then `run` until stopped; tests and the simulator call `sequence` themselves."""

    def __init__(
        self,
        database: Database,
        *,
        world: World,
        origin: str,
        signer: signing.Signer,
        cover_secret: bytes,
        open_for_bids: OpenForBids = never_open,
        cover_per_second: int = COVER_PER_SECOND,
        hook: crash.Hook = crash.never,
    ) -> None:
        assert cover_per_second >= 1 and len(cover_secret) == 32
        self.origin = origin
        self._database = database
        self._world = world
        self._signer = signer
        self._cover_secret = cover_secret
        self._open_for_bids = open_for_bids
        self._cover = cover_per_second
        self._hook = hook
        self._edge: _Edge | None = None
        self._was_open = False
        self._second = world.monotonic()
        self._swept: float | None = None
        self._floor = ""

    async def start(self, witnesses: Mapping[str, WitnessLatest]) -> list[str]:
        """Asks every witness for the newest checkpoint it has seen; returns the names of those that answered.

        Refuses `log_behind_witness` when one holds a tree this log never signed: then nothing may be signed.
        """
        answered = []
        for name, latest in witnesses.items():
            try:
                seen = await latest()
            except (OSError, TimeoutError):
                continue
            answered.append(name)
            if seen is None:
                continue
            key = note.VerifierKey(self.origin, note.LOG_SIGNATURE, self._signer.key)
            checkpoint = note.verify_checkpoint(seen, key)
            ours = await self._database.read(lambda unit, size=checkpoint.size: unit.checkpoint.read(size))  # type: ignore[misc]
            if checkpoint.size and (ours is None or ours["root"] != checkpoint.root.hex()):
                head = await self._database.read(newest_head)
                raise Refused("log_behind_witness", witness=name, seen=checkpoint.size, size=head.size if head else 0)
        return answered

    async def run(self, stop: asyncio.Event) -> None:
        """Takes a turn every BATCH_SECONDS until `stop` is set. Another sequencer's progress is taken over."""
        while not stop.is_set():
            try:
                await self.turn()
            except Conflict:
                # Somebody else sequenced the same rows first; the next turn starts from what is there.
                self._edge = None
            try:
                await asyncio.wait_for(stop.wait(), BATCH_SECONDS)
            except TimeoutError:
                continue

    async def turn(self) -> Batch | None:
        """One round by the clock: at once while no bids are taken, once a whole second with cover while they are."""
        now = self._world.monotonic()
        # Ahead of those who wait for a connection: all of them want the receipts that a turn makes.
        is_open = await self._database.read(self._open_for_bids, ahead=True)
        if is_open and not self._was_open:
            self._second = now
        self._was_open = is_open
        if not is_open:
            return await self.sequence()
        owed = int(now - self._second)
        if owed < 1:
            return None
        self._second += owed
        return await self.sequence(leaves_min=self._cover * min(owed, OWED_SECONDS_MAX))

    async def sequence(self, *, leaves_min: int = 0) -> Batch | None:
        """Places everything that waits, filled with cover up to `leaves_min` and to the next multiple of c.

        Without `leaves_min` there is no cover, and with nothing waiting nothing is signed: None.
        """
        monotonic, now = self._world.monotonic(), self._world.now()
        sweep = self._swept is None or monotonic - self._swept >= SWEEP_SECONDS
        since = "" if sweep else self._floor
        done = await self._database.write(lambda unit: self._place(unit, since, leaves_min, now), ahead=True)
        if sweep:
            self._swept = monotonic
        # Between full sweeps only rows of the last minutes are looked at; a row that commits later than that is
        # found by the next sweep. The bound follows the clock doors stamp with, not the order of arrival.
        self._floor = stamp(now - SLACK)
        if done is None:
            return None
        batch, self._edge = done
        self._hook(crash.Point.CHECKPOINT_COMMITTED)
        return batch

    def cover_seed(self, day: str) -> bytes:
        """The seed of a day's cover leaves (`2026-03-02`); given out later, it proves that each of them was cover."""
        return hmac.digest(self._cover_secret, b"cover of " + day.encode(), "sha256")

    async def _place(self, unit: Unit, since: str, leaves_min: int, now: datetime) -> tuple[Batch, _Edge] | None:
        head = await newest_head(unit)
        size = head.size if head else 0
        edge = self._edge if self._edge and self._edge.frontier.size == size else await _load_edge(unit, size)
        assert edge.frontier.root() == (head.root if head else merkle.EMPTY_ROOT), "the rows give the signed root"
        waiting = [
            row
            for public in (True, False)
            for row in await unit.session.waiting(since, public=public, limit=BATCH_LEAVES_MAX)
        ]
        self._hook(crash.Point.BATCH_READ)
        cover = self._cover_count(waiting, leaves_min) if leaves_min else 0
        rows = self._with_cover(_in_order(waiting), cover, size, now)
        if not rows:
            return None
        hashes = [merkle.leaf_hash(row["leaf"]) for row in rows]
        placed = [
            {"idx": size + at, "pending": row["id"], "leaf_hash": leaf_hash.hex(), "leaf": row["leaf"]}
            for at, (row, leaf_hash) in enumerate(zip(rows, hashes, strict=True))
        ]
        known = {row["id"] for row in waiting}
        await unit.pending.insert_all([row for row in rows if row["id"] not in known])
        await unit.ledger.insert_all(placed)
        self._hook(crash.Point.LEDGER_INSERTED)
        grown, full = _grow(edge, hashes)
        await unit.tile.insert_all(full)
        self._hook(crash.Point.TILES_INSERTED)
        root = grown.frontier.root()
        signed = note.sign_checkpoint(note.Checkpoint(self.origin, size + len(rows), root), signer=self._signer)
        self._hook(crash.Point.CHECKPOINT_SIGNED)
        await unit.checkpoint.insert(
            {
                "size": size + len(rows),
                "previous": size,
                "root": root.hex(),
                "at": stamp(now),
                "note": signed.encode().decode(),
            }
        )
        self._hook(crash.Point.CHECKPOINT_INSERTED)
        return Batch(size + len(rows), len(rows), cover), grown

    def _cover_count(self, waiting: list[Row], leaves_min: int) -> int:
        """At least one leaf of every batch is private, so that not even a second full of public acts says "no bid"."""
        public = sum(1 for row in waiting if row["chain"])
        least = max(leaves_min, public + max(1, len(waiting) - public))
        return -(-least // self._cover) * self._cover - len(waiting)

    def _with_cover(self, rows: list[Row], cover: int, size: int, now: datetime) -> list[Row]:
        """Puts cover leaves at random places among the rows; the order of the others stays."""
        total = len(rows) + cover
        places = list(range(total))
        for at in range(cover):
            other = at + int.from_bytes(self._world.entropy(8), "big") % (total - at)
            places[at], places[other] = places[other], places[at]
        covered = set(places[:cover])
        seed = self.cover_seed(f"{now:%Y-%m-%d}") if cover else b""
        others = iter(rows)
        return [
            {
                "id": new_id(self._world.entropy),
                "at": stamp(now),
                "chain": "",
                "rank": 0,
                "leaf": acts.cover_leaf(seed, size + place),
            }
            if place in covered
            else next(others)
            for place in range(total)
        ]


async def _load_edge(unit: Unit, size: int) -> _Edge:
    """Reads the unfinished tiles back: at most 255 hashes a level."""
    unfinished = []
    level = 0
    while size >> (tiles.HEIGHT * level):
        number, width = divmod(size >> (tiles.HEIGHT * level), tiles.WIDTH)
        unfinished.append(tuple(await tile_hashes(unit, level, number, width)) if width else ())
        level += 1
    peaks: list[bytes] = []
    for hashes in reversed(unfinished):
        for bit in range(tiles.HEIGHT - 1, -1, -1):
            if len(hashes) >> bit & 1:
                first = len(hashes) >> (bit + 1) << (bit + 1)
                peaks.append(merkle.root(hashes[first : first + (1 << bit)]))
    return _Edge(merkle.Frontier(size, tuple(peaks)), tuple(unfinished))


def _grow(edge: _Edge, leaf_hashes: list[bytes]) -> tuple[_Edge, list[Row]]:
    """The edge after these leaves, and a row for every tile that became full."""
    unfinished, rows = list(edge.unfinished), []
    added, level, start = leaf_hashes, 0, edge.frontier.size
    while added:
        if level == len(unfinished):
            unfinished.append(())
        hashes = [*unfinished[level], *added]
        number, start = divmod(start, tiles.WIDTH)[0], start // tiles.WIDTH
        whole = len(hashes) // tiles.WIDTH
        added = [merkle.root(hashes[at * tiles.WIDTH : (at + 1) * tiles.WIDTH]) for at in range(whole)]
        rows += [{"level": level + 1, "n": number + at, "hash": root.hex()} for at, root in enumerate(added)]
        unfinished[level] = tuple(hashes[whole * tiles.WIDTH :])
        level += 1
    return _Edge(edge.frontier.append(leaf_hashes), tuple(unfinished)), rows


def _in_order(waiting: list[Row]) -> list[Row]:
    """By time, but the public acts of one tender in the order of their chain, whatever their requests' clocks said."""
    rows = sorted(waiting, key=lambda row: (row["at"], row["id"]))
    chains: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        if row["chain"]:
            chains.setdefault(row["chain"], []).append(place)
    for places in chains.values():
        acts_in_order = sorted((rows[place] for place in places), key=lambda row: row["rank"])
        for place, row in zip(places, acts_in_order, strict=True):
            rows[place] = row
    return rows
