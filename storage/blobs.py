"""Write-once segments by the hash of their bytes: the port, and the filesystem that holds it in an embedded hall.

A segment is named by SHA-256 of its content (lower-case hex), so whoever reads it can tell that it is the right one.
It is written to a temporary file beside its place, synced, made read-only, moved, and the folder synced: after `put`
returns, a power cut does not lose it (docs/spec/envelope.md §5). Near the end of the disk uploads
are refused while submissions, which are small, still go through.
Whoever controls the folder can delete or withhold segments; they cannot change one unnoticed. A filesystem is not WORM
storage; production keeps segments under an object lock (storage/s3.py).
"""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Protocol, runtime_checkable

from crypto.refusal import Refused
from storage import crash

SEGMENT_BYTES_MAX = 1 << 20
FREE_BYTES_MIN = 256 << 20
_HEX = frozenset("0123456789abcdef")
_WRITERS = itertools.count()


class Blobs(Protocol):
    """Where segments are kept."""

    async def put(self, name: str, data: bytes) -> None:
        """Stores `data` under its hash, for ever; storing it again changes nothing.

        Refuses `segment_hash_differs`, `segment_too_large`, `store_full`.
        """
        ...

    async def read(self, name: str) -> bytes | None:
        """The bytes, checked against the name, or None. Refuses `segment_damaged` when they are no longer the same."""
        ...

    async def size(self, name: str) -> int | None:
        """How many bytes a stored segment has, or None; the cheap way to ask whether it is there."""
        ...

    async def keep(self, name: str, until: datetime) -> None:
        """Locks a stored segment until an instant (a submitted bid: to the end of its retention), where there is a
        lock to set; a lock is only ever lengthened. Refuses `segment_missing`."""
        ...

    async def delete(self, name: str) -> bool:
        """For the eraser alone: removes a segment whose retention ended or whose upload was abandoned."""
        ...

    def names(self) -> AsyncIterator[str]:
        """Every segment's name, in order."""
        ...


@dataclass(frozen=True, slots=True)
class Direct:
    """One request with which a client itself stores one segment: PUT to `url` with `headers`."""

    url: str
    headers: Mapping[str, str]


@runtime_checkable
class OpenStore(Protocol):
    """A store that clients reach themselves; what it holds is then asked of it and not remembered by a door."""

    def direct(self, name: str, size: int) -> Direct:
        """Where a client PUTs exactly the `size` bytes with this hash; 412 says that they are there already."""
        ...

    async def size(self, name: str) -> int | None:
        """How many bytes the store holds whose SHA-256 it computed to be the name, or None."""
        ...

    async def first(self, name: str, count: int) -> bytes | None:
        """The first `count` bytes of a segment, or None."""
        ...


class FileBlobs:
    """Segments as read-only files `ab/cd…` in one folder."""

    def __init__(self, folder: Path, *, free_bytes_min: int = FREE_BYTES_MIN, hook: crash.Hook = crash.never) -> None:
        self._folder = folder
        self._free_bytes_min = free_bytes_min
        self._hook = hook
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob("*/*.new"):
            # What a crash left half written was never promised to anybody.
            left.unlink()

    async def put(self, name: str, data: bytes) -> None:
        checked(name, data)
        await asyncio.to_thread(self._put, name, data)

    async def read(self, name: str) -> bytes | None:
        data = await asyncio.to_thread(_read, self._path(name))
        if data is not None and sha256(data).hexdigest() != name:
            raise Refused("segment_damaged", segment=name)
        return data

    async def size(self, name: str) -> int | None:
        try:
            return self._path(name).stat().st_size
        except FileNotFoundError:
            return None

    async def keep(self, name: str, until: datetime) -> None:
        """A filesystem has no lock to set; the file stays read-only."""
        if await self.size(name) is None:
            raise Refused("segment_missing", segment=name)

    async def delete(self, name: str) -> bool:
        path = self._path(name)
        if not path.is_file():
            return False
        path.unlink()
        _sync_folder(path.parent)
        return True

    async def names(self) -> AsyncIterator[str]:
        for folder in sorted(self._folder.iterdir()):
            for path in sorted(folder.iterdir()):
                if not path.name.endswith(".new"):
                    yield folder.name + path.name

    def room(self) -> int:
        """Bytes that may still be stored before uploads are refused; 0 when the floor is reached."""
        return max(0, shutil.disk_usage(self._folder).free - self._free_bytes_min)

    def _put(self, name: str, data: bytes) -> None:
        path = self._path(name)
        if path.is_file():
            return
        if self.room() < len(data):
            raise Refused("store_full", needed=len(data))
        # The same segment may arrive twice at once: each writer has its own temporary file, the moves agree.
        temporary = path.with_name(f"{path.name}.{os.getpid()}-{next(_WRITERS)}.new")
        try:
            if not path.parent.is_dir():
                path.parent.mkdir(exist_ok=True)
                _sync_folder(self._folder)
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                self._hook(crash.Point.BLOB_OPENED)
                view = memoryview(data)
                while view:
                    view = view[os.write(handle, view) :]
                self._hook(crash.Point.BLOB_WRITTEN)
                os.fsync(handle)
                os.fchmod(handle, 0o400)
            finally:
                os.close(handle)
            self._hook(crash.Point.BLOB_SYNCED)
            temporary.rename(path)
            self._hook(crash.Point.BLOB_RENAMED)
            _sync_folder(path.parent)
        except OSError as error:
            if path.parent.is_dir():
                temporary.unlink(missing_ok=True)
            if error.errno in (28, 122):  # ENOSPC, EDQUOT
                raise Refused("store_full", needed=len(data)) from error
            raise
        self._hook(crash.Point.BLOB_STORED)

    def _path(self, name: str) -> Path:
        require_name(name)
        return self._folder / name[:2] / name[2:]


def require_name(name: str) -> str:
    """Asserts that `name` is 64 lower-case hex digits: a name is a hash and never a path."""
    assert is_name(name), "a segment's name is the SHA-256 of its bytes in lower-case hex"
    return name


def is_name(name: str) -> bool:
    """Whether a text has the form of a segment's name."""
    return len(name) == 64 and set(name) <= _HEX


def checked(name: str, data: bytes) -> None:
    """Refuses data that is not what its name says: `segment_too_large`, `segment_hash_differs`."""
    require_name(name)
    if len(data) > SEGMENT_BYTES_MAX:
        raise Refused("segment_too_large", bytes=len(data), bytes_max=SEGMENT_BYTES_MAX)
    found = sha256(data).hexdigest()
    if found != name:
        raise Refused("segment_hash_differs", expected=name, found=found)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
