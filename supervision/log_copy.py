"""A witness's own copy of the log: tiles and entry bundles under its own roof (docs/spec/ledger.md §6).

The same files as the log's, so that anybody can be served from it when the hall loses or hides its own. A file is
written beside its place, synced and moved; a partial tile goes when a longer one stands. What lies beyond the size
that the witness remembers was never verified and is written again.

Whoever controls this folder can make its witness stop: a copy that no longer gives the root it remembers is refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from crypto.ledger import merkle, tiles

CHUNK = 16 * tiles.WIDTH
"""Leaves held in memory at once: at most 16 bundles."""


class LogCopy:
    """The files below one folder, by their tlog-tiles paths."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, path: str) -> bytes:
        """The bytes of a file; LookupError where there is none."""
        try:
            return (self._folder / path).read_bytes()
        except FileNotFoundError as error:
            raise LookupError(path) from error

    def append(self, size: int, leaves: Sequence[bytes]) -> list[bytes]:
        """Write the tiles and entries that `leaves` add to a copy of `size`; return their leaf hashes.

        `size` decides where they go, so that writing again after a crash or a refusal writes the same places.
        """
        hashes = [merkle.leaf_hash(leaf) for leaf in leaves]
        for path, data in (tiles.grow(size, hashes, self.read) | tiles.grow_entries(size, leaves, self.read)).items():
            write(self._folder / path, data)
        return hashes

    def drop_partials(self, size: int, *kept: int) -> None:
        """Remove the partial files of the tree of `size` that no tree of the sizes `kept` has."""
        still = {path for other in kept for path in _partials(other)}
        for path in _partials(size):
            if path not in still:
                (self._folder / path).unlink(missing_ok=True)

    def chunks(self, first: int, end: int) -> Iterator[list[bytes]]:
        """The leaves [first, end), in order, at most CHUNK at a time; LookupError or Refused("tile") for a bad copy."""
        for number in range(first // tiles.WIDTH, -(-end // tiles.WIDTH)):
            start = number * tiles.WIDTH
            width = min(tiles.WIDTH, end - start)
            yield tiles.split_entries(self.read(tiles.entries_path(number, width)), width)[max(first - start, 0) :]


def write(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file whole or not at all, on the disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _partials(size: int) -> Iterator[str]:
    """The partial files of a tree: one entry bundle and one hash tile a level at most."""
    for tile in tiles.tiles_of(size):
        if tile.width < tiles.WIDTH:
            yield tile.path
            if tile.level == 0:
                yield tiles.entries_path(tile.number, tile.width)
