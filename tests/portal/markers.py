"""Planted secrets and how to find them again: plain, encoded, compressed, in archives and in wide characters."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import urllib.parse
import zipfile
import zlib
from collections.abc import Iterable, Iterator

from crypto import amount

DEPTH_MAX = 3
ZLIB_STARTS = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
GZIP_START = b"\x1f\x8b\x08"
ZIP_START = b"PK\x03\x04"
BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{24,}={0,2}")
HEX = re.compile(rb"(?:[0-9A-Fa-f]{2}){12,}")
STREAMS_MAX = 200
STREAM_BYTES_MAX = 1 << 20
HASH_BYTES = 32
"""What is as long as this when decoded is a hash or a key, and holds nothing further."""


def spellings(secret: str) -> frozenset[bytes]:
    """A secret as it may be written: UTF-8, UTF-16, UTF-32, GB18030; hex, base64 in its three phases, percent, JSON
    and XML escapes."""
    found: set[bytes] = set()
    for name in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "gb18030"):
        raw = secret.encode(name)
        found |= {raw, raw.hex().encode(), raw.hex().upper().encode()}
        for phase in range(3):
            # The characters that depend on neighbours are cut off.
            coded = base64.b64encode(b"\0" * phase + raw)
            core = coded[(0, 2, 3)[phase] : len(coded) - 4]
            if len(core) >= 8:
                found |= {core, core.replace(b"+", b"-").replace(b"/", b"_")}
    found.add(urllib.parse.quote(secret).encode())
    found.add(json.dumps(secret)[1:-1].encode())
    found.add("".join(f"&#{ord(each)};" for each in secret).encode())
    return frozenset(found)


def price_spellings(fen: int) -> frozenset[str]:
    """A price as people and programs write it: fen, yuan, with separators, in words."""
    yuan = f"{fen // 100}.{fen % 100:02d}"
    return frozenset({str(fen), yuan, f"{fen:,}", f"{fen // 100:,}.{fen % 100:02d}", amount.words(fen)})


def layers(data: bytes, depth: int = 0) -> Iterator[bytes]:
    """The bytes, and what they hold: compressed streams at any place, members of archives, long base64 and hex runs."""
    yield data
    if depth >= DEPTH_MAX or (depth and len(data) == HASH_BYTES):
        return
    for inner in _inside(data):
        yield from layers(inner, depth + 1)


def _inside(data: bytes) -> Iterator[bytes]:
    view = memoryview(data)
    for start, bits in [(each, zlib.MAX_WBITS) for each in ZLIB_STARTS] + [(GZIP_START, 16 + zlib.MAX_WBITS)]:
        at, seen = data.find(start), 0
        while at >= 0 and seen < STREAMS_MAX:
            try:
                yield zlib.decompressobj(bits).decompress(view[at : at + STREAM_BYTES_MAX], 16 << 20)
                seen += 1
            except zlib.error:
                pass
            at = data.find(start, at + 1)
    if ZIP_START in data:
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for name in archive.namelist():
                    yield name.encode()
                    yield archive.read(name)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError):
            pass
    if len(data) <= 32 << 20:
        for run in BASE64.findall(data):
            body = run.rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
            try:
                yield base64.b64decode(body[: len(body) // 4 * 4])
            except ValueError:
                continue
        for run in HEX.findall(data):
            yield bytes.fromhex(run[: len(run) // 2 * 2].decode())


def find(data: bytes, wanted: Iterable[bytes]) -> list[bytes]:
    """Which of the wanted spellings lie in the data or in what it holds."""
    wanted = list(wanted)
    shortest = min(map(len, wanted))
    found: set[bytes] = set()
    seen: set[bytes] = set()
    for layer in layers(data):
        if len(layer) < shortest or layer in seen:
            continue
        seen.add(layer)
        found |= {each for each in wanted if each in layer}
    return sorted(found)


def disguises(secret: str) -> dict[str, bytes]:
    """One secret in every disguise that `find` must see through: what the tests of the finder itself use."""
    raw = secret.encode()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("inside.txt", raw * 3)
    return {
        "plain": b"..." + raw + b"...",
        "hex": b'{"a":"' + raw.hex().encode() + b'"}',
        "base64": b'{"a":"' + base64.b64encode(b"ab" + raw + b"c") + b'"}',
        "utf-16": secret.encode("utf-16-le"),
        "gbk": secret.encode("gb18030"),
        "json": json.dumps(secret).encode(),
        "zlib": b"junk" + zlib.compress(raw * 3) + b"junk",
        "gzip": gzip.compress(raw * 3),
        "zip": archive.getvalue(),
        "base64 of zlib": base64.b64encode(zlib.compress(raw * 3)),
        "hex of base64": base64.b64encode(raw).hex().encode(),
    }
