"""The sealed bid as one file: bodies first, then an index with headers, digests of the segments, and the signature.

docs/spec/bidfile.md. Written and read as a stream, so that 2 GiB need no more memory than 1 MiB does. Nothing in it is
secret: without the recovery file or the trustees it opens to nobody. A reader believes nothing: the index is canonical,
the digests give each header's body_root, the lengths add up to the file's, the signature is the certificate's.

Whoever can change this file can spoil it, and is found out before it is sent; they cannot make it another bid.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from crypto import jcs, signing
from crypto.refusal import Refused
from crypto.roster import Roster
from crypto.sealing import body, header
from crypto.sealing.header import SEGMENT_BYTES, Header
from crypto.terminal import Unreadable

MAGIC = b"SEALBIDF"
END = b"FDIBLAES"
INDEX_BYTES_MAX = 4 << 20
DIGEST_BYTES = 32
TAIL_BYTES = DIGEST_BYTES + 4 + len(END)
FIELDS = frozenset({"v", "lot", "tender_id", "roster", "salt", "signature", "certificate", "envelopes"})


@dataclass(frozen=True, slots=True)
class Envelope:
    """One envelope in the file: its header, the SHA-256 of its segments (32 bytes each), where its body begins."""

    header: Header
    leaves: tuple[bytes, ...]
    offset: int

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return self.header.body_len


@dataclass(frozen=True, slots=True)
class BidFile:
    """A sealed bid whose index was judged; the bodies are judged segment by segment, where they go."""

    path: Path
    lot: str
    tender_id: bytes
    roster: Roster
    salt: bytes
    signature: bytes
    certificate: bytes
    envelopes: tuple[Envelope, ...]

    @property
    def headers(self) -> tuple[Header, ...]:
        """The headers, ascending by envelope."""
        return tuple(each.header for each in self.envelopes)

    @property
    def version(self) -> int:
        """The version of the bid."""
        return self.envelopes[0].header.version

    @property
    def digest(self) -> bytes:
        """D: what the submit signature covers, and by which the hall knows the same bid again."""
        return header.submit_digest(self.headers)

    @property
    def bid_id(self) -> bytes:
        """The name of this version of this bid."""
        return self.headers[0].bid_id()

    def segment(self, stream: BinaryIO, envelope: Envelope, number: int) -> bytes:
        """One segment, if it still is the one in the index. Raises Refused("bid_file_changed")."""
        stream.seek(envelope.offset + number * SEGMENT_BYTES)
        data = stream.read(min(SEGMENT_BYTES, envelope.size - number * SEGMENT_BYTES))
        if sha256(data).digest() != envelope.leaves[number]:
            raise Refused("bid_file_changed", file=self.path, envelope=envelope.header.envelope, segment=number)
        return data

    def segments(self, envelope: Envelope) -> Iterator[bytes]:
        """All segments of an envelope, in order."""
        with self.path.open("rb") as stream:
            for number in range(len(envelope.leaves)):
                yield self.segment(stream, envelope, number)


class Writer:
    """Writes a bid file: bodies as they are sealed, the index at the end. Until finish() it is no bid."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: BinaryIO = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        self._stream.write(MAGIC)

    def sink(self, moved: Callable[[int], object]) -> Callable[[bytes], object]:
        """What takes the segments of one envelope after the other; `moved` is told how many bytes went through."""

        def take(segment: bytes) -> None:
            self._stream.write(segment)
            moved(len(segment))

        return take

    def finish(
        self,
        *,
        lot: str,
        tender_id: bytes,
        roster: Roster,
        salt: bytes,
        signature: bytes,
        certificate: bytes,
        envelopes: Sequence[tuple[Header, Sequence[bytes]]],
    ) -> None:
        """Write the index and put everything on the disk."""
        index = jcs.dumps(
            {
                "v": 1,
                "lot": lot,
                "tender_id": tender_id.hex(),
                "roster": roster.encode().hex(),
                "salt": salt.hex(),
                "signature": signature.hex(),
                "certificate": certificate.hex(),
                "envelopes": [
                    {"header": sealed.encode().hex(), "leaves": [leaf.hex() for leaf in leaves]}
                    for sealed, leaves in envelopes
                ],
            }
        )
        self._stream.write(index + sha256(index).digest() + len(index).to_bytes(4, "big") + END)
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self.close()

    def close(self) -> None:
        """Close the file; what has no index is no bid."""
        self._stream.close()


def read(path: Path) -> BidFile:
    """Open a bid file and judge its index.

    Raises Unreadable for what is no bid file or cut short; Refused: bid_file_index, bid_file_length, body_root,
    bidder_tag, roster, tender, mixed_bid, submit_signature, and the header's own codes.
    """
    index, bodies_end = _index(path)
    try:
        if set(index) != FIELDS or index["v"] != 1 or not isinstance(index["lot"], str):
            raise Refused("bid_file_index", file=path)
        lot, rows = index["lot"], index["envelopes"]
        tender_id, salt = bytes.fromhex(index["tender_id"]), bytes.fromhex(index["salt"])
        roster = Roster.decode(bytes.fromhex(index["roster"]))
        signature, certificate = bytes.fromhex(index["signature"]), bytes.fromhex(index["certificate"])
        raw = [bytes.fromhex(row["header"]) for row in rows]
        leaves = [tuple(bytes.fromhex(leaf) for leaf in row["leaves"]) for row in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise Refused("bid_file_index", file=path) from error
    envelopes, offset = [], len(MAGIC)
    for data, digests in zip(raw, leaves, strict=True):
        parsed = header.parse(data)
        if len(digests) != -(-parsed.body_len // SEGMENT_BYTES) or any(len(each) != 32 for each in digests):
            raise Refused("bid_file_index", file=path)
        if body.root_of(digests) != parsed.body_root:
            raise Refused("body_root", bytes=parsed.body_len)
        envelopes.append(Envelope(parsed, digests, offset))
        offset += parsed.body_len
    if not envelopes or offset != bodies_end:
        raise Refused("bid_file_length", file=path, bytes=bodies_end, expected=offset)
    found = BidFile(path, lot, tender_id, roster, salt, signature, certificate, tuple(envelopes))
    _check(found)
    return found


def _check(found: BidFile) -> None:
    """The headers are one bid of the certificate in the file."""
    spki = signing.certificate_spki(found.certificate)
    tag = header.bidder_tag(found.salt, spki)
    if any(each.bidder_tag != tag for each in found.headers):
        raise Refused("bidder_tag")
    for each in found.headers:
        header.check_roster(each, found.roster)
    if any(each.tender_id != found.tender_id for each in found.headers):
        raise Refused("tender", tender_id=found.headers[0].tender_id.hex(), expected=found.tender_id.hex())
    numbers = [each.envelope for each in found.headers]
    if numbers != sorted(set(numbers)) or len({(each.bid_nonce, each.version) for each in found.headers}) != 1:
        raise Refused("mixed_bid")
    header.verify_submit(found.headers, spki=spki, signature=found.signature)


def _index(path: Path) -> tuple[dict[str, Any], int]:
    """The index and where the bodies end."""
    if not path.is_file():
        raise Unreadable(f"{path}：没有这个文件 / no such file")
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        magic = stream.read(len(MAGIC))
        stream.seek(max(0, size - TAIL_BYTES))
        tail = stream.read(TAIL_BYTES)
        length = int.from_bytes(tail[DIGEST_BYTES : -len(END)], "big")
        bodies_end = size - TAIL_BYTES - length
        whole = (
            magic == MAGIC and tail[-len(END) :] == END and 0 < length <= INDEX_BYTES_MAX and bodies_end >= len(MAGIC)
        )
        if not whole:
            raise Unreadable(
                f"{path}：不是封好的投标文件，或文件不完整；请重新运行 seal / "
                "no sealed bid, or cut short; run seal again"
            )
        stream.seek(bodies_end)
        index = stream.read(length)
    # Lot and certificate are bound by nothing else in the file: what decayed is told here and not by the hall.
    if sha256(index).digest() != tail[:DIGEST_BYTES]:
        raise Refused("bid_file_index", file=path)
    try:
        value = jcs.loads(index, bytes_max=INDEX_BYTES_MAX)
    except Refused as refused:
        raise Refused("bid_file_index", file=path) from refused
    if not isinstance(value, dict):
        raise Refused("bid_file_index", file=path)
    return value, bodies_end
