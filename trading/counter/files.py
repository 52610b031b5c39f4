"""Files of a tender: put by owners and agents before the entry, read by everybody after the notice (20号令 §18, §20).

A file is streamed in both directions in segments of 1 MiB, each a write-once blob named by its hash; what the ledger
names is the SHA-256 of the whole. A file that is not complete leaves segments behind and no name.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from hashlib import sha256
from urllib.parse import quote

from litestar.response import Stream

from crypto.refusal import Refused
from storage.blobs import SEGMENT_BYTES_MAX, Blobs
from storage.unit import Unit

FILE_BYTES_MAX = 256 << 20


async def take(chunks: AsyncIterator[bytes], *, blobs: Blobs) -> tuple[str, bytes]:
    """Store a stream; return the SHA-256 of the whole in hex and the description kept as its object.

    Raises Refused: file_too_large, file_empty, and what the blobs refuse.
    """
    whole, size, waiting = sha256(), 0, bytearray()
    segments: list[str] = []

    async def store(length: int) -> None:
        data = bytes(waiting[:length])
        del waiting[:length]
        name = sha256(data).hexdigest()
        await blobs.put(name, data)
        segments.append(name)

    async for chunk in chunks:
        size += len(chunk)
        if size > FILE_BYTES_MAX:
            raise Refused("file_too_large", limit=FILE_BYTES_MAX)
        whole.update(chunk)
        waiting += chunk
        while len(waiting) >= SEGMENT_BYTES_MAX:
            await store(SEGMENT_BYTES_MAX)
    if size == 0:
        raise Refused("file_empty")
    if waiting:
        await store(len(waiting))
    described = json.dumps({"segments": segments, "size": size}, separators=(",", ":"), sort_keys=True)
    return whole.hexdigest(), described.encode()


async def keep(unit: Unit, name: str, described: bytes) -> None:
    """Remember a stored file under its hash; the same file again changes nothing."""
    if await unit.object.read("", name) is None:
        await unit.object.insert({"lot": "", "hash": name, "kind": "file", "view": "public", "data": described})


def give(segments: Sequence[str], *, blobs: Blobs, name: str) -> Stream:
    """Stream the segments of a file as an attachment."""

    async def read() -> AsyncIterator[bytes]:
        for segment in segments:
            data = await blobs.read(segment)
            if data is None:
                raise Refused("segment_damaged", segment=segment)
            yield data

    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    return Stream(read(), media_type="application/octet-stream", headers=headers)
