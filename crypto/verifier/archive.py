"""The archive of a bundle: a ZIP file in one canonical form, written and read (docs/spec/bundle.md §1).

Stored members back to back, no time, no comment, no extra field but ZIP64's. The reader rebuilds every structure byte
from names, sizes and CRCs and demands equality, so that no byte of the file is left unread; nothing is unpacked to
disk, and a member cannot be larger than the file it lies in.
"""

from __future__ import annotations

import hashlib
import io
import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

MEMBERS_MAX: Final = 200_000
NAME_BYTES_MAX: Final = 200
READ_BYTES: Final = 1 << 20

_ZIP64 = 0xFFFFFFFF
_ZIP64_COUNT = 0xFFFF
_DATE = 0x0021
_MADE_BY = 0x0314
_ATTRIBUTES = 0o100644 << 16
_NAME = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*")
_CENTRAL_BYTES = 46
_END_BYTES = 22
_END64_BYTES = 56 + 20


class Unreadable(Exception):
    """The file is not an archive of this form: nothing in it can be judged (exit 2)."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh = zh
        self.en = en


@dataclass(frozen=True, slots=True)
class Member:
    """One member: where its bytes begin in the file, how many they are, their CRC-32 and SHA-256 (hex)."""

    name: str
    offset: int
    size: int
    crc: int
    sha256: str = ""


class Archive:
    """An archive read whole once (every byte hashed); members are then read again by name."""

    def __init__(self, path: Path, members: Iterable[Member]) -> None:
        self.path = path
        self.members = {member.name: member for member in members}

    def __contains__(self, name: object) -> bool:
        return name in self.members

    def read(self, name: str) -> bytes:
        """All bytes of a member. Raises KeyError for a name that is not there."""
        member = self.members[name]
        with self.path.open("rb") as stream:
            stream.seek(member.offset)
            return stream.read(member.size)

    def only(self, names: Iterable[str]) -> Archive:
        """These members alone, for whoever judges no others. Raises KeyError for a name that is not there."""
        return Archive(self.path, [self.members[name] for name in names])

    def open(self, name: str) -> BinaryIO:
        """A member as a binary stream that ends with it. Raises KeyError for a name that is not there."""
        member = self.members[name]
        return io.BufferedReader(_Slice(self.path, member.offset, member.size), min(READ_BYTES, max(member.size, 1)))


def write(path: Path, members: Iterable[tuple[str, bytes | Path]]) -> None:
    """Write an archive of (name, bytes or the file that holds them) in the order given.

    Raises ValueError for a name that is not allowed, a name given twice, or a member of 4 GiB.
    """
    listed: list[Member] = []
    seen: set[str] = set()
    with path.open("wb") as out:
        for name, content in members:
            if not _is_name(name) or name.lower() in seen:
                raise ValueError(f"member name not allowed: {name[:80]!r}")
            seen.add(name.lower())
            size, crc = _measure(content)
            if size >= _ZIP64:
                raise ValueError(f"member too large: {name}")
            offset = out.tell()
            out.write(_local(name, size, crc))
            for block in _blocks(content):
                out.write(block)
            listed.append(Member(name, offset, size, crc))
        out.write(_directory(listed, out.tell()))


def read(path: Path) -> Archive:
    """Read and hash a whole archive. Raises Unreadable, and OSError when the file itself cannot be read."""
    total = path.stat().st_size
    with path.open("rb") as stream:
        start, count = _find_directory(stream, total)
        stream.seek(start)
        listed = _parse_directory(stream.read(total - start), count)
        if stream.tell() != total or _directory(listed, start) != _tail(stream, start):
            raise Unreadable("压缩包目录不是规定格式", "the archive's directory is not in the canonical form")
        return Archive(path, list(_read_members(stream, listed, start)))


def _find_directory(stream: BinaryIO, total: int) -> tuple[int, int]:
    """(offset of the central directory, number of members), from the end record."""
    if total < _END_BYTES:
        raise Unreadable("文件过短,不是压缩包", "the file is too short for an archive")
    stream.seek(total - _END_BYTES)
    signature, _, _, _, count, size, start, comment = struct.unpack("<IHHHHIIH", stream.read(_END_BYTES))
    if signature != 0x06054B50 or comment:
        raise Unreadable("找不到压缩包的结尾记录", "the archive's end record is missing")
    if _ZIP64 in (size, start) or count == _ZIP64_COUNT:
        if total < _END_BYTES + _END64_BYTES:
            raise Unreadable("找不到 ZIP64 结尾记录", "the archive's ZIP64 end record is missing")
        stream.seek(total - _END_BYTES - _END64_BYTES)
        count, size, start = struct.unpack_from("<QQQ", stream.read(_END64_BYTES), 32)
    if count > MEMBERS_MAX or not 0 <= start < total or size > total:
        raise Unreadable("压缩包目录超出限制", "the archive's directory is out of bounds")
    return start, count


def _parse_directory(data: bytes, count: int) -> list[Member]:
    """Names, sizes and CRCs only; everything else is rebuilt and compared."""
    listed, at, offset = [], 0, 0
    seen: set[str] = set()
    for _ in range(count):
        if at + _CENTRAL_BYTES > len(data):
            raise Unreadable("压缩包目录被截断", "the archive's directory is cut off")
        crc, size, _, name_len, extra_len = struct.unpack_from("<IIIHH", data, at + 16)
        raw = data[at + _CENTRAL_BYTES : at + _CENTRAL_BYTES + name_len]
        name = raw.decode("latin-1")
        if not _is_name(name) or name.lower() in seen:
            raise Unreadable(f"文件名不允许或重复:{name[:80]!r}", f"member name not allowed or repeated: {name[:80]!r}")
        seen.add(name.lower())
        listed.append(Member(name, offset, size, crc))
        offset += 30 + name_len + size
        at += _CENTRAL_BYTES + name_len + extra_len
    return listed


def _read_members(stream: BinaryIO, listed: list[Member], end: int) -> Iterator[Member]:
    """Every local header compared, every member hashed."""
    stream.seek(0)
    for member in listed:
        head = _local(member.name, member.size, member.crc)
        if stream.tell() != member.offset or stream.read(len(head)) != head:
            raise Unreadable(f"文件头不是规定格式:{member.name}", f"local header not canonical: {member.name}")
        left, crc, digest = member.size, 0, hashlib.sha256()
        while left:
            block = stream.read(min(left, READ_BYTES))
            if not block:
                raise Unreadable(f"内容被截断:{member.name}", f"member cut off: {member.name}")
            crc = zlib.crc32(block, crc)
            digest.update(block)
            left -= len(block)
        if crc != member.crc:
            raise Unreadable(f"校验和不符:{member.name}", f"CRC does not match: {member.name}")
        yield Member(member.name, member.offset + len(head), member.size, crc, digest.hexdigest())
    if stream.tell() != end:
        raise Unreadable("成员之间有多余内容", "bytes between the members and the directory")


def _local(name: str, size: int, crc: int) -> bytes:
    raw = name.encode("ascii")
    return struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, 0, 0, 0, _DATE, crc, size, size, len(raw), 0) + raw


def _directory(listed: list[Member], start: int) -> bytes:
    """Central directory and end records for members that begin (with their local headers) at `offset`."""
    parts = []
    for member in listed:
        raw, large = member.name.encode("ascii"), member.offset >= _ZIP64
        extra = struct.pack("<HHQ", 1, 8, member.offset) if large else b""
        parts.append(
            struct.pack(
                "<IHHHHHHIIIHHHHHII",
                *(0x02014B50, _MADE_BY, 45 if large else 20, 0, 0, 0, _DATE, member.crc, member.size, member.size),
                *(len(raw), len(extra), 0, 0, 0, _ATTRIBUTES, _ZIP64 if large else member.offset),
            )
            + raw
            + extra
        )
    central = b"".join(parts)
    count, size = len(listed), len(central)
    if start >= _ZIP64 or size >= _ZIP64 or count >= _ZIP64_COUNT:
        parts.append(
            struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, _MADE_BY, 45, 0, 0, count, count, size, start)
            + struct.pack("<IIQI", 0x07064B50, 0, start + size, 1)
        )
    few = min(count, _ZIP64_COUNT)
    parts.append(struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, few, few, min(size, _ZIP64), min(start, _ZIP64), 0))
    return b"".join(parts)


def _tail(stream: BinaryIO, start: int) -> bytes:
    stream.seek(start)
    return stream.read()


def _is_name(name: str) -> bool:
    return (
        len(name) <= NAME_BYTES_MAX
        and _NAME.fullmatch(name) is not None
        and not any(part in (".", "..") for part in name.split("/"))
    )


def _measure(content: bytes | Path) -> tuple[int, int]:
    size = crc = 0
    for block in _blocks(content):
        size += len(block)
        crc = zlib.crc32(block, crc)
    return size, crc


def _blocks(content: bytes | Path) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as stream:
        while block := stream.read(READ_BYTES):
            yield block


class _Slice(io.RawIOBase):
    """`size` bytes of a file from `start` on, as a raw stream of its own."""

    def __init__(self, path: Path, start: int, size: int) -> None:
        super().__init__()
        self._stream = path.open("rb", buffering=0)
        self._stream.seek(start)
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed: WriteableBuffer
        block = self._stream.read(min(len(buffer), self._left)) or b""
        buffer[: len(block)] = block
        self._left -= len(block)
        return len(block)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()
