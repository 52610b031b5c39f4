"""What can be asked of the ledger: checkpoints, tiles, entries, proofs, cosignatures, and what is overdue.

RFC 6962 over SHA-256 in C2SP tiles (docs/spec/ledger.md, spec §4). The database holds one row per leaf and one per
full tile (its root); every tile, entry bundle and proof is made from them, so nothing is stored twice and nothing
partial is left lying about. What tiles held once they hold for ever, so those last used are kept in memory.
Whoever controls this can serve an old tree or none; they cannot serve a false one to a reader who checks the proof.
"""

from __future__ import annotations

import asyncio
import contextvars
import re
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from crypto.ledger import merkle, note, tiles
from crypto.refusal import Refused
from storage.ports import Busy, Duplicate, In, Row, Within
from storage.unit import Database, Unit
from storage.world import stamp

TILES_KEPT = 1024
RECENT_CHECKPOINTS = 64
WATCH_SECONDS = 0.05
ROWS_AT_ONCE = 1024
ASKED_AT_ONCE = 256
OVERDUE_SECONDS = 10
_PATH = re.compile(r"tile/(entries|[0-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


@dataclass(frozen=True, slots=True)
class Head:
    """The log's newest checkpoint: `size` leaves under `root`; `note` signed by the log, cosigned by whoever did."""

    size: int
    root: bytes
    note: note.Note
    at: str


@dataclass(frozen=True, slots=True)
class Inclusion:
    """Leaf `index` of an event, its path to the root of `head`, and the leaf itself, as a receipt needs them."""

    index: int
    leaf: bytes
    proof: tuple[bytes, ...]
    head: Head
    awaited: bool = False
    """Whether it got its place while somebody waited for it: then no older checkpoint has it."""


class Ledger:
    """Reads the log of one database. One object per process: it keeps the full tiles it has read."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: OrderedDict[tuple[int, int, int], _Levels] = OrderedDict()
        self._waiting: dict[str, list[asyncio.Future[Inclusion]]] = {}
        self._unasked: list[str] = []
        self._watcher: asyncio.Task[None] | None = None
        self._seen: int | None = None

    async def head(self) -> Head | None:
        """The newest checkpoint with its cosignatures; None while the log is empty."""
        return await self._database.read(newest_head)

    async def checkpoint(self, size: int) -> Head | None:
        """The checkpoint of exactly this size, if the log ever signed one."""
        return await self._database.read(lambda unit: head_at(unit, size))

    async def witnessed(self, anchors: note.Anchors) -> Head | None:
        """The newest checkpoint that a quorum of these anchors' witnesses cosigned; None while there is none. While
        the log grows every second, it is the one before the newest: what a client can believe."""

        return await self._database.read(lambda unit: _witnessed(unit, anchors))

    async def tile(self, path: str) -> bytes | None:
        """The bytes under a tlog-tiles path (`tile/0/000.p/5`, `tile/entries/000`), or None where the log has none.

        Only tiles of trees that a checkpoint covers are given; a partial tile stays readable while the log grows.
        """
        found = _PATH.fullmatch(path)
        if found is None:
            return None
        level, number, width = found[1], _number(found[2]), int(found[3] or tiles.WIDTH)
        if width > tiles.WIDTH or (found[3] and width == tiles.WIDTH):
            return None
        return await self._database.read(lambda unit: self._tile_bytes(unit, level, number, width))

    async def inclusion(self, event: str, *, size: int | None = None) -> Inclusion | None:
        """Where an event stands and the proof of it, under the newest checkpoint or that of `size`.

        None while it is not sequenced, or was not yet at that size. Refuses `checkpoint_unknown`.
        """
        return await self._database.read(lambda unit: self._inclusion(unit, event, size))

    async def best(self, unit: Unit, event: str, anchors: note.Anchors) -> Inclusion | None:
        """Where an event stands, within a unit: under the checkpoint that `witnessed` tells where that has it, else
        under the newest. None while it is not sequenced."""
        placed = await unit.ledger.find({"pending": event}, limit=1)
        if not placed:
            return None
        head = await _witnessed(unit, anchors)
        if head is None or placed[0]["idx"] >= head.size:
            head = await newest_head(unit)
        return await self._prove(unit, placed[0], head) if head and placed[0]["idx"] < head.size else None

    async def wait_for(self, event: str, *, seconds: float) -> Inclusion | None:
        """What a door does after its commit: waits until the event is included, at most `seconds` long.

        All who wait share one look at the log every WATCH_SECONDS, so a burst of receipts costs no burst of questions.
        """
        waiting: asyncio.Future[Inclusion] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(event, []).append(waiting)
        # The next look asks for it by name, those after it see what the log grows by: so nothing falls between.
        self._unasked.append(event)
        if self._watcher is None or self._watcher.done():
            self._seen = None
            self._unasked = list(self._waiting)
            # In a context of its own: it outlives the request that began it.
            self._watcher = asyncio.create_task(self._watch(), context=contextvars.Context())
        try:
            async with asyncio.timeout(seconds):
                return await waiting
        except TimeoutError:
            return await self._database.read(lambda unit: self._inclusion(unit, event, None), ahead=True)
        finally:
            waiting.cancel()
            left = [one for one in self._waiting.pop(event, []) if one is not waiting]
            if left:
                self._waiting[event] = left

    async def consistency(self, old_size: int, size: int) -> tuple[bytes, ...]:
        """The proof that the tree of `size` begins with that of `old_size`; Refused where the log is smaller."""

        async def prove(unit: Unit) -> tuple[bytes, ...]:
            head = await newest_head(unit)
            if head is None or size > head.size:
                raise Refused("tree_smaller_than_before", old_size=size, size=head.size if head else 0)
            if old_size in (0, size):
                return merkle.consistency_proof(old_size, size, _nothing)
            nodes = await self._nodes(unit, old_size - 1, size)
            return merkle.consistency_proof(old_size, size, nodes)

        return await self._database.read(prove)

    async def entries(self, first: int, end: int) -> list[bytes]:
        """The leaves [first, end) in order; fewer where the log ends before."""
        return await self._database.read(lambda unit: _entries(unit, first, end))

    async def find_leaf(self, leaf_hash: bytes) -> list[int]:
        """Every index at which this leaf hash stands (an honest log has at most one)."""
        rows = await self._database.read(lambda unit: unit.ledger.find({"leaf_hash": leaf_hash.hex()}))
        return [row["idx"] for row in rows]

    async def cosign(self, line: str, *, witnesses: Iterable[note.Witness], now: datetime) -> int:
        """Keeps a witness's cosignature line and returns the size it is for; the same line again changes nothing.

        The line does not name its tree, so the newest checkpoints are tried. Refuses `note` for a line that cannot be
        read, `witness_unknown`, and `cosignature` for one that fits none of the last checkpoints.
        """
        parsed = note.SignatureLine.parse(line.rstrip("\n"))
        witness = next((one for one in witnesses if parsed.is_of(one.key)), None)
        if witness is None:
            raise Refused("witness_unknown", witness=parsed.name[:80])

        async def keep(unit: Unit) -> int:
            rows = await unit.checkpoint.find(order=("-size",), limit=RECENT_CHECKPOINTS)
            for row in rows:
                signed = note.Note.parse(row["note"].encode())
                try:
                    note.verify_cosignature(signed.with_line(parsed), witness)
                except Refused:
                    continue
                key = (row["size"], witness.name)
                if await unit.cosignature.read(*key) is None:
                    await unit.cosignature.insert(
                        {"size": key[0], "witness": key[1], "at": stamp(now), "line": str(parsed)}
                    )
                return int(row["size"])
            raise Refused("cosignature", witness=witness.name)

        try:
            return await self._database.write(keep)
        except Duplicate:
            return await self._database.write(keep)

    async def overdue(self, *, now: datetime) -> list[str]:
        """Events that have waited longer than OVERDUE_SECONDS for their place: an incident (docs/spec/acts.md §3)."""
        limit = stamp(now - timedelta(seconds=OVERDUE_SECONDS))

        async def ask(unit: Unit) -> list[str]:
            rows = [
                row for public in (True, False) for row in await unit.session.waiting("", public=public, limit=1000)
            ]
            return [row["id"] for row in rows if row["at"] < limit]

        return await self._database.read(ask)

    async def _watch(self) -> None:
        """While anybody waits: reads what the log grew by and hands out what was waited for."""
        while self._waiting:
            asked, self._unasked = self._unasked, []
            try:
                # Ahead of those who wait for a connection: whose receipts come late asks for them again one by one.
                await self._database.read(lambda unit, asked=asked: self._hand_out(unit, asked), ahead=True)  # type: ignore[misc]
            except Busy:
                # The database is away for a moment: who waits still does, and all of them are asked for anew.
                self._seen, self._unasked = None, list(self._waiting)
            await asyncio.sleep(WATCH_SECONDS)

    async def _hand_out(self, unit: Unit, asked: Sequence[str]) -> None:
        head = await newest_head(unit)
        size, seen = (head.size if head else 0), self._seen
        since = size if seen is None else seen
        for start in range(since, size, ROWS_AT_ONCE):
            for row in await unit.ledger.find({"idx": Within(start, min(size, start + ROWS_AT_ONCE))}):
                if head is not None and row["pending"] in self._waiting:
                    self._give(row["pending"], await self._prove(unit, row, head, awaited=True))
        left = [event for event in asked if event in self._waiting]
        for start in range(0, len(left), ASKED_AT_ONCE):
            for row in await unit.ledger.find({"pending": In(_padded(left[start : start + ASKED_AT_ONCE]))}):
                if head is not None and row["idx"] < size:
                    self._give(row["pending"], await self._prove(unit, row, head))
        self._seen = size

    def _give(self, event: str, found: Inclusion) -> None:
        for one in self._waiting.get(event, ()):
            if not one.done():
                one.set_result(found)

    async def _inclusion(self, unit: Unit, event: str, size: int | None) -> Inclusion | None:
        placed = await unit.ledger.find({"pending": event}, limit=1)
        head = await (newest_head(unit) if size is None else head_at(unit, size))
        if size is not None and head is None:
            raise Refused("checkpoint_unknown", size=size)
        if not placed or head is None or placed[0]["idx"] >= head.size:
            return None
        return await self._prove(unit, placed[0], head)

    async def _prove(self, unit: Unit, placed: Row, head: Head, *, awaited: bool = False) -> Inclusion:
        index = int(placed["idx"])
        nodes = await self._nodes(unit, index, head.size)
        return Inclusion(index, placed["leaf"], merkle.inclusion_proof(index, head.size, nodes), head, awaited)

    async def _nodes(self, unit: Unit, index: int, size: int) -> merkle.GetHash:
        """The perfect nodes that a proof about leaf `index` in the tree of `size` can need: those of the tiles on its
        path, and of the tiles at the right edge."""
        held: dict[tuple[int, int], _Levels] = {}
        level = 0
        while size >> (tiles.HEIGHT * level):
            width = size >> (tiles.HEIGHT * level)
            for number in {(index >> (tiles.HEIGHT * level)) // tiles.WIDTH, width // tiles.WIDTH}:
                here = min(tiles.WIDTH, width - number * tiles.WIDTH)
                if here > 0:
                    held[level, number] = await self._levels(unit, level, number, here)
            level += 1

        def get_hash(tree_level: int, number: int) -> bytes:
            tile_level, within = divmod(tree_level, tiles.HEIGHT)
            tile, offset = divmod(number << within, tiles.WIDTH)
            return held[tile_level, tile].node(within, offset >> within)

        return get_hash

    async def _levels(self, unit: Unit, level: int, number: int, width: int) -> _Levels:
        kept = self._kept.get((level, number, width))
        if kept is not None:
            self._kept.move_to_end((level, number, width))
            return kept
        hashes = await tile_hashes(unit, level, number, width)
        assert len(hashes) == width, f"tile {level}/{number} holds {len(hashes)} of {width} hashes"
        made = self._kept[level, number, width] = _Levels(hashes)
        if len(self._kept) > TILES_KEPT:
            self._kept.popitem(last=False)
        return made

    async def _tile_bytes(self, unit: Unit, level: str, number: int, width: int) -> bytes | None:
        head = await newest_head(unit)
        depth = 0 if level == "entries" else int(level)
        if head is None or number * tiles.WIDTH + width > head.size >> (tiles.HEIGHT * depth):
            return None
        first = number * tiles.WIDTH
        if level == "entries":
            return tiles.join_entries(await _entries(unit, first, first + width))
        return b"".join(await tile_hashes(unit, depth, number, width))


class _Levels:
    """The hashes of one tile and every perfect node above them within it."""

    def __init__(self, hashes: Sequence[bytes]) -> None:
        self._levels = [list(hashes)]
        while len(self._levels[-1]) > 1:
            below = self._levels[-1]
            self._levels.append(
                [merkle.node_hash(below[at], below[at + 1]) for at in range(0, len(below) - len(below) % 2, 2)]
            )

    def node(self, level: int, number: int) -> bytes:
        return self._levels[level][number]


async def newest_head(unit: Unit) -> Head | None:
    """The newest checkpoint within a unit."""
    rows = await unit.checkpoint.find(order=("-size",), limit=1)
    return await _head(unit, rows[0]) if rows else None


async def head_at(unit: Unit, size: int) -> Head | None:
    """The checkpoint of exactly this size within a unit."""
    row = await unit.checkpoint.read(size)
    return await _head(unit, row) if row else None


async def places(unit: Unit, events: Sequence[str]) -> dict[str, int]:
    """The place in the log of every one of these events that has one."""
    found: dict[str, int] = {}
    for start in range(0, len(events), ASKED_AT_ONCE):
        asked = In(tuple(events[start : start + ASKED_AT_ONCE]))
        found |= {row["pending"]: row["idx"] for row in await unit.ledger.find({"pending": asked})}
    return found


async def _witnessed(unit: Unit, anchors: note.Anchors) -> Head | None:
    rows = await unit.cosignature.find(order=("-size",), limit=RECENT_CHECKPOINTS)
    for size in dict.fromkeys(row["size"] for row in rows):
        head = await head_at(unit, size)
        if head is not None and note.is_quorum(note.verify_cosignatures(head.note, anchors.witnesses), anchors.quorum):
            return head
    return None


async def tile_hashes(unit: Unit, level: int, number: int, width: int) -> list[bytes]:
    """The first `width` hashes of a tile: leaf hashes at level 0, roots of full tiles above."""
    first = number * tiles.WIDTH
    if level == 0:
        rows = await unit.ledger.find({"idx": Within(first, first + width)})
        return [bytes.fromhex(row["leaf_hash"]) for row in rows]
    rows = await unit.tile.find({"level": level, "n": Within(first, first + width)})
    return [bytes.fromhex(row["hash"]) for row in rows]


async def _head(unit: Unit, row: Row) -> Head:
    signed = note.Note.parse(row["note"].encode())
    for cosignature in await unit.cosignature.find({"size": row["size"]}):
        signed = signed.with_line(note.SignatureLine.parse(cosignature["line"].rstrip("\n")))
    return Head(row["size"], bytes.fromhex(row["root"]), signed, row["at"])


async def _entries(unit: Unit, first: int, end: int) -> list[bytes]:
    return [row["leaf"] for row in await unit.ledger.find({"idx": Within(first, end)})]


def _padded(names: Sequence[str]) -> tuple[str, ...]:
    """The same names, the last repeated up to a power of two: so that few texts of statements are enough."""
    return (*names, *[names[-1]] * ((1 << (len(names) - 1).bit_length()) - len(names)))


def _number(groups: str) -> int:
    return int(groups.replace("x", "").replace("/", ""))


def _nothing(level: int, number: int) -> bytes:
    raise AssertionError("an empty proof asks for no node")
