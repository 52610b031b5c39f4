"""Tiles against the tree they are cut from, the worked examples of tlog-tiles, and a server that lies."""

import json
import random
from pathlib import Path

import pytest

from crypto.ledger import merkle, tiles
from crypto.refusal import Refused

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "c2sp" / "notes.json").read_text())
SEED = 20260302


def written(sizes: list[int], store: dict[str, bytes]) -> tuple[merkle.Tree, list[bytes]]:
    """A log grown to each size in turn, every file put into `store`; the whole tree in memory beside it."""
    tree, entries, frontier = merkle.Tree(), [], merkle.Frontier()
    for size in sizes:
        batch = [b"leaf %d" % number for number in range(frontier.size, size)]
        hashes = [merkle.leaf_hash(entry) for entry in batch]
        new = tiles.grow(frontier.size, hashes, store.__getitem__)
        assert set(new) == {tile.path for tile in tiles.tiles_of(size, frontier.size)}
        assert not any(path in store and store[path] != data for path, data in new.items()), "a file changed"
        store.update(new)
        store.update(tiles.grow_entries(frontier.size, batch, store.__getitem__))
        frontier = frontier.append(hashes)
        tree.extend(hashes)
        entries.extend(batch)
        reader = tiles.Reader(store.__getitem__, size=size, root=frontier.root())
        assert reader.frontier() == frontier
    return tree, entries


def test_paths_of_the_specification() -> None:
    for level, number, width, path in VECTORS["tile_paths"]:
        assert tiles.tile_path(level, number, width) == path
    assert tiles.entries_path(1_234_067, 8) == "tile/entries/x001/x234/067.p/8"


def test_tree_of_seventy_thousand_has_the_tiles_the_specification_counts() -> None:
    found: dict[str, list[int]] = {}
    for tile in tiles.tiles_of(70_000):
        full, partial = found.setdefault(str(tile.level), [0, 0])
        found[str(tile.level)] = [full + (tile.width == 256), partial + tile.width % 256]
    assert found == VECTORS["tiles_70000"]
    assert [tile.path for tile in tiles.tiles_of(256)] == ["tile/0/000", "tile/1/000.p/1"]
    assert list(tiles.tiles_of(0)) == []


def test_reader_gives_the_same_proofs_as_the_tree() -> None:
    rng = random.Random(SEED)
    store: dict[str, bytes] = {}
    tree, entries = written([1, 2, 255, 256, 257, 300, 1000, 65_535, 65_536, 66_000], store)
    reader = tiles.Reader(store.__getitem__, size=tree.size, root=tree.root())
    for index in [0, 255, 256, 65_535, 65_536, tree.size - 1, *(rng.randrange(tree.size) for _ in range(40))]:
        assert reader.inclusion_proof(index) == tree.inclusion_proof(index)
        assert reader.consistency_proof(index) == tree.consistency_proof(index)
        assert reader.leaf_hash(index) == tree.get_hash(0, index)
    assert reader.entries(200, 1100) == entries[200:1100]
    assert reader.entries(65_900, 66_000) == entries[65_900:]
    assert reader.entries(7, 7) == []


def test_older_tree_is_read_when_its_partial_tiles_were_dropped_for_full_ones() -> None:
    store: dict[str, bytes] = {}
    tree, entries = written([300, 600], store)
    for path in [path for path in store if ".p/44" in path]:
        del store[path]
    reader = tiles.Reader(store.__getitem__, size=300, root=tree.root(300))
    assert reader.inclusion_proof(299) == tree.inclusion_proof(299, 300)
    assert reader.entries(290, 300) == entries[290:300]


def test_server_cannot_show_tiles_of_another_tree() -> None:
    store: dict[str, bytes] = {}
    tree, _ = written([70_000], store)
    for path in ("tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"):
        forged = {**store, path: bytes(32) + store[path][32:]}
        with pytest.raises(Refused, match="tile_root"):
            tiles.Reader(forged.__getitem__, size=70_000, root=tree.root())
    for path in ("tile/0/017", "tile/1/000"):
        forged = {**store, path: store[path][:-32] + bytes(32)}
        reader = tiles.Reader(forged.__getitem__, size=70_000, root=tree.root())
        with pytest.raises(Refused, match="tile_root"):
            reader.inclusion_proof(17 * 256 + 3)


def test_server_cannot_swap_an_entry() -> None:
    store: dict[str, bytes] = {}
    tree, entries = written([10], store)
    path = tiles.entries_path(0, 10)
    forged = {**store, path: tiles.join_entries([*entries[:4], b"swapped", *entries[5:]])}
    reader = tiles.Reader(forged.__getitem__, size=10, root=tree.root())
    with pytest.raises(Refused) as err:
        reader.entries(0, 10)
    assert (err.value.code, err.value.facts["index"]) == ("entry_hash", 4)
    for bad in (store[path] + b"\0", store[path][:-1], b""):
        reader = tiles.Reader({**store, path: bad}.__getitem__, size=10, root=tree.root())
        with pytest.raises(Refused, match="tile"):
            reader.entries(0, 10)


def test_missing_file_is_a_lookup_error_not_a_refusal() -> None:
    with pytest.raises(LookupError):
        tiles.Reader({}.__getitem__, size=3, root=bytes(32))


def test_truncated_tile_and_too_large_leaf_are_refused() -> None:
    with pytest.raises(Refused, match="tile"):
        tiles.split_tile(bytes(63), 2)
    with pytest.raises(Refused, match="leaf_too_large"):
        tiles.join_entries([bytes(65_536)])
    with pytest.raises(Refused, match="leaf_outside_tree"):
        tiles.Reader({}.__getitem__, size=0, root=merkle.EMPTY_ROOT).entries(0, 1)
