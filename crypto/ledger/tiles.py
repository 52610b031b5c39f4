"""The ledger as static files: C2SP tlog-tiles, written by the sequencer, read and verified by everybody else.

docs/spec/ledger.md §6. A tile is up to 256 hashes of one level of the tree (every eighth level), an entry bundle up to
256 leaves. The rules upheld here:
- what is written once never changes: a growing tree only adds full tiles and new partial ones;
- nothing that was fetched is believed before it hashes up to the root of a checkpoint.

`fetch(path)` gives the bytes of a file below the log's address and raises LookupError where there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from crypto.ledger import merkle
from crypto.refusal import Refused

WIDTH = 256
HEIGHT = 8
ENTRY_BYTES_MAX = 65_535

Fetch = Callable[[str], bytes]
# The hashes of a tile, and above them the perfect nodes they give, level by level: pyramid[0] is the tile itself.
_Pyramid = list[list[bytes]]


@dataclass(frozen=True, slots=True)
class Tile:
    """The address of a tile: `level` counts tiles, not tree levels; `number` from 0; `width` 1…256 hashes."""

    level: int
    number: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """`tile/<L>/<N>` with `.p/<W>` for a partial one."""
        return f"tile/{self.level}/{_numbered(self.number, self.width)}"


def tile_path(level: int, number: int, width: int = WIDTH) -> str:
    """The path of a hash tile, for example tile/0/x001/x234/067.p/8."""
    return Tile(level, number, width).path


def entries_path(number: int, width: int = WIDTH) -> str:
    """The path of an entry bundle, for example tile/entries/000.p/3."""
    return f"tile/entries/{_numbered(number, width)}"


def tiles_of(size: int, old_size: int = 0) -> Iterator[Tile]:
    """The tiles of a tree of `size` leaves that the tree of `old_size` did not have, lowest level first."""
    level = 0
    while size >> (HEIGHT * level):
        now, before = size >> (HEIGHT * level), old_size >> (HEIGHT * level)
        for number in range(before // WIDTH, now // WIDTH):
            yield Tile(level, number)
        if now % WIDTH and now != before:
            yield Tile(level, now // WIDTH, now % WIDTH)
        level += 1


def grow(old_size: int, leaf_hashes: Sequence[bytes], fetch: Fetch) -> dict[str, bytes]:
    """The tiles to write when `leaf_hashes` (32 bytes each) are appended to a tree of `old_size`: path → bytes.

    Reads at most one partial tile per level, the sequencer's own; the caller compares the new root with its frontier.
    """
    written: dict[str, bytes] = {}
    level, before, added = 0, old_size, list(leaf_hashes)
    while added:
        number, kept = divmod(before, WIDTH)
        hashes = split_tile(fetch(tile_path(level, number, kept)), kept) if kept else []
        hashes.extend(added)
        tiles = [hashes[at : at + WIDTH] for at in range(0, len(hashes), WIDTH)]
        for offset, tile in enumerate(tiles):
            written[tile_path(level, number + offset, len(tile))] = b"".join(tile)
        added = [merkle.root(tile) for tile in tiles if len(tile) == WIDTH]
        level, before = level + 1, before // WIDTH
    return written


def grow_entries(old_size: int, entries: Sequence[bytes], fetch: Fetch) -> dict[str, bytes]:
    """The entry bundles to write when `entries` (leaves, at most 65,535 bytes each) are appended: path → bytes."""
    if not entries:
        return {}
    number, kept = divmod(old_size, WIDTH)
    together = split_entries(fetch(entries_path(number, kept)), kept) if kept else []
    together.extend(entries)
    bundles = [together[at : at + WIDTH] for at in range(0, len(together), WIDTH)]
    return {entries_path(number + offset, len(bundle)): join_entries(bundle) for offset, bundle in enumerate(bundles)}


def split_tile(data: bytes, width: int) -> list[bytes]:
    """The `width` hashes of a tile; Refused("tile") when it has another length."""
    if len(data) != width * merkle.HASH_BYTES:
        raise Refused("tile", bytes=len(data), width=width)
    return [data[at : at + merkle.HASH_BYTES] for at in range(0, len(data), merkle.HASH_BYTES)]


def join_entries(entries: Sequence[bytes]) -> bytes:
    """An entry bundle: each leaf after its length as u16; Refused("leaf_too_large")."""
    for entry in entries:
        if len(entry) > ENTRY_BYTES_MAX:
            raise Refused("leaf_too_large", kind="", bytes=len(entry), bytes_max=ENTRY_BYTES_MAX)
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def split_entries(data: bytes, width: int) -> list[bytes]:
    """The `width` leaves of an entry bundle; Refused("tile") for missing or trailing bytes."""
    entries: list[bytes] = []
    at = 0
    for _ in range(width):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if at + 2 > len(data) or end > len(data):
            raise Refused("tile", bytes=len(data), width=width)
        entries.append(data[at + 2 : end])
        at = end
    if at != len(data):
        raise Refused("tile", bytes=len(data), width=width)
    return entries


class Reader:
    """Reads hashes, leaves and proofs of one tree from tiles, each verified up to the root that was given.

    Made from a checkpoint that was verified before. Opening it fetches the right edge (one partial tile a level) and
    refuses with "tile_root" when that does not give the root. Verified tiles are kept, so a reader serves one tree.
    """

    def __init__(self, fetch: Fetch, *, size: int, root: bytes) -> None:
        self.size = size
        self._fetch = fetch
        self._verified = {(tile.level, tile.number): self._read(tile) for tile in _edge(size)}
        if self.frontier().root() != root:
            self._verified.clear()
            raise Refused("tile_root", size=size)

    def frontier(self) -> merkle.Frontier:
        """The compact right edge of the tree, with which a sequencer goes on appending."""
        levels = [level for level in range(self.size.bit_length()) if self.size >> level & 1]
        peaks = [self.get_hash(level, (self.size >> level) - 1) for level in reversed(levels)]
        return merkle.Frontier(self.size, tuple(peaks))

    def get_hash(self, level: int, number: int) -> bytes:
        """The perfect node (level, number) of the tree, verified; Refused("node_outside_tree" | "tile_root")."""
        if level < 0 or number < 0 or (number + 1) << level > self.size:
            raise Refused("node_outside_tree", level=level, number=number)
        tile_level, within = divmod(level, HEIGHT)
        per_tile = WIDTH >> within
        return self._tile(tile_level, number // per_tile)[within][number % per_tile]

    def leaf_hash(self, index: int) -> bytes:
        """The leaf hash at `index`, verified."""
        return self.get_hash(0, index)

    def inclusion_proof(self, index: int) -> tuple[bytes, ...]:
        """The inclusion proof of leaf `index` in this tree."""
        return merkle.inclusion_proof(index, self.size, self.get_hash)

    def consistency_proof(self, old_size: int) -> tuple[bytes, ...]:
        """The consistency proof from `old_size` to this tree."""
        return merkle.consistency_proof(old_size, self.size, self.get_hash)

    def entries(self, first: int, end: int) -> list[bytes]:
        """The leaves [first, end), each verified against its leaf hash; Refused("entry_hash", index=…)."""
        if not 0 <= first <= end <= self.size:
            raise Refused("leaf_outside_tree", index=end, size=self.size)
        found: list[bytes] = []
        for number in range(first // WIDTH, -(-end // WIDTH)):
            start = number * WIDTH
            width = min(WIDTH, self.size - start)
            bundle = split_entries(*self._either(entries_path(number, width), entries_path(number), width))[:width]
            for offset, (entry, expected) in enumerate(zip(bundle, self._tile(0, number)[0], strict=True)):
                if merkle.leaf_hash(entry) != expected:
                    raise Refused("entry_hash", index=start + offset)
            found.extend(bundle[max(first - start, 0) : end - start])
        return found

    def _tile(self, level: int, number: int) -> _Pyramid:
        """A verified tile. The right edge is known already; any other is full, and its parent tile holds its root."""
        known = self._verified.get((level, number))
        if known is not None:
            return known
        parent = self._tile(level + 1, number // WIDTH)
        pyramid = self._read(Tile(level, number))
        if pyramid[HEIGHT][0] != parent[0][number % WIDTH]:
            raise Refused("tile_root", size=self.size, level=level, number=number)
        self._verified[level, number] = pyramid
        return pyramid

    def _read(self, tile: Tile) -> _Pyramid:
        data, width = self._either(tile.path, tile_path(tile.level, tile.number), tile.width)
        pyramid = [split_tile(data, width)[: tile.width]]
        while len(pyramid[-1]) > 1:
            below = pyramid[-1]
            pyramid.append([merkle.node_hash(below[at], below[at + 1]) for at in range(0, len(below) - 1, 2)])
        return pyramid

    def _either(self, path: str, full_path: str, width: int) -> tuple[bytes, int]:
        """The file and its width; a log may drop a partial file once the full one is there (tlog-tiles)."""
        try:
            return self._fetch(path), width
        except LookupError:
            if path == full_path:
                raise
            return self._fetch(full_path), WIDTH


def _edge(size: int) -> Iterator[Tile]:
    """The partial tiles of a tree of `size`, one a level at most: they hold every hash that no other tile holds."""
    for level in range(0, size.bit_length(), HEIGHT):
        number, width = divmod(size >> level, WIDTH)
        if width:
            yield Tile(level // HEIGHT, number, width)


def _numbered(number: int, width: int) -> str:
    assert number >= 0 and 1 <= width <= WIDTH
    groups = [f"{number % 1000:03d}"]
    while number >= 1000:
        number //= 1000
        groups.insert(0, f"x{number % 1000:03d}")
    return "/".join(groups) + (f".p/{width}" if width < WIDTH else "")
