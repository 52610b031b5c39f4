"""Segments on a filesystem: write-once, by hash, never half there."""

from __future__ import annotations

import asyncio
import stat
from hashlib import sha256
from pathlib import Path

import pytest

from crypto.refusal import Refused
from storage import blobs, crash

DATA = b"segment" * 1000
NAME = sha256(DATA).hexdigest()


async def _names(store: blobs.Blobs) -> list[str]:
    return [name async for name in store.names()]


def test_a_segment_comes_back_and_is_stored_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = blobs.FileBlobs(tmp_path)
        assert await store.read(NAME) is None and await store.size(NAME) is None
        await asyncio.gather(*(store.put(NAME, bytes(DATA)) for _ in range(5)))
        assert await store.read(NAME) == DATA and await _names(store) == [NAME]
        mode = (tmp_path / NAME[:2] / NAME[2:]).stat().st_mode
        assert stat.S_IMODE(mode) == 0o400
        assert await store.delete(NAME) and not await store.delete(NAME)
        assert await _names(store) == []

    asyncio.run(scenario())


def test_bytes_that_do_not_match_their_name_are_refused(tmp_path: Path) -> None:
    store = blobs.FileBlobs(tmp_path)
    with pytest.raises(Refused, match="segment_hash_differs"):
        asyncio.run(store.put(NAME, DATA + b"x"))
    big = bytes(blobs.SEGMENT_BYTES_MAX + 1)
    with pytest.raises(Refused, match="segment_too_large"):
        asyncio.run(store.put(sha256(big).hexdigest(), big))


@pytest.mark.parametrize("name", ["../../etc/passwd", NAME.upper(), NAME[:-1], "", NAME + "0"])
def test_a_name_is_never_a_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(AssertionError):
        asyncio.run(blobs.FileBlobs(tmp_path).read(name))


def test_a_segment_changed_on_disk_is_found_out(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = blobs.FileBlobs(tmp_path)
        await store.put(NAME, DATA)
        path = tmp_path / NAME[:2] / NAME[2:]
        path.chmod(0o600)
        path.write_bytes(DATA[:-1] + b"!")
        with pytest.raises(Refused, match="segment_damaged"):
            await store.read(NAME)

    asyncio.run(scenario())


def test_a_full_disk_refuses_uploads(tmp_path: Path) -> None:
    store = blobs.FileBlobs(tmp_path, free_bytes_min=1 << 60)
    assert store.room() == 0
    with pytest.raises(Refused, match="store_full"):
        asyncio.run(store.put(NAME, DATA))


@pytest.mark.parametrize("point", [p for p in crash.POINTS if p.startswith("blob_")])
def test_a_crash_while_storing_leaves_all_or_nothing(tmp_path: Path, point: str) -> None:
    def hook(at: str) -> None:
        if at == point:
            raise crash.Crashed(at)

    with pytest.raises(crash.Crashed):
        asyncio.run(blobs.FileBlobs(tmp_path, hook=hook).put(NAME, DATA))

    store = blobs.FileBlobs(tmp_path)
    assert list(tmp_path.glob("*/*.new")) == [], "leftovers are swept at start"

    async def after() -> None:
        assert await store.read(NAME) in (None, DATA)
        await store.put(NAME, DATA)
        assert await store.read(NAME) == DATA

    asyncio.run(after())
