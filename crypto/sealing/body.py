"""The body of an envelope: Cobblestone-256 (C2SP chunked-encryption, AES-256-GCM) in segments of 1 MiB.

docs/spec/envelope.md §5. body = salt24 || commitment32 || chunks of 16 KiB, the last one empty. Decryption is the
library's. Encryption is written out here because the salt comes from the caller's entropy, as every random byte of the
protocol does, and the library draws its own; it is held to the library's decryptor and to tests/vectors/sealbid.

The tree over the segments is RFC 6962 with leaf k over the 32 bytes d_k = H(segment k). Both directions stream: a few
MiB of memory for a body of 2 GiB.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from cryptography.cobblestone import Cobblestone256Decryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from crypto.ledger import merkle
from crypto.refusal import Refused
from crypto.sealing import header
from crypto.sealing.header import Header

SALT_BYTES: Final = 24
CHUNK_BYTES: Final = 16_384
TAG_BYTES: Final = 16

_LABEL = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0"
_BATCH_BYTES = 64 * CHUNK_BYTES


def prefix(dek: bytes, salt: bytes, context: bytes) -> bytes:
    """The first 56 bytes of the body: salt24 || key commitment."""
    return salt + derive_keys(dek, salt, context).commitment


def derive_keys(dek: bytes, salt: bytes, context: bytes) -> Keys:
    """Cobblestone-256: HKDF-Expand with SHA-512 from the DEK (32 bytes) under `key_info`."""
    assert len(dek) == 32
    derived = HKDFExpand(algorithm=SHA512(), length=76, info=key_info(salt, context)).derive(dek)
    return Keys(key=derived[:32], nonce=derived[32:44], commitment=derived[44:])


def key_info(salt: bytes, context: bytes) -> bytes:
    """The info of C2SP chunked-encryption for AES-256-GCM."""
    return _LABEL + salt + context


def verify_commitment(envelope_header: Header, dek: bytes) -> bytes:
    """This DEK is the only one the header's prefix can open to; returns it. Raises Refused: commitment.

    Key-committing: no two keys give one prefix, so no body reads as two bids (the invisible salamander).
    """
    salt = envelope_header.body_prefix[:SALT_BYTES]
    if prefix(dek, salt, envelope_header.body_context()) != envelope_header.body_prefix:
        raise Refused("commitment")
    return dek


@dataclass(frozen=True)
class Keys:
    """What C2SP chunked-encryption derives for one message: key (32), base nonce (12), commitment (32)."""

    key: bytes
    nonce: bytes
    commitment: bytes


class SegmentTree:
    """The digests d_k of the segments that passed, in order, and the root over them."""

    def __init__(self) -> None:
        self.leaves: list[bytes] = []
        self.length = 0
        self._complete = False
        self._whole = True

    def add(self, segment: bytes) -> None:
        """One more segment: 1 MiB, only the last shorter, none empty; anything else spoils the tree."""
        if self._complete or not 0 < len(segment) <= header.SEGMENT_BYTES:
            self._whole = False
        self._complete = len(segment) != header.SEGMENT_BYTES
        self.leaves.append(hashlib.sha256(segment).digest())
        self.length += len(segment)

    def root(self) -> bytes:
        """RFC 6962 root over the d_k, 32 bytes."""
        return root_of(self.leaves)

    def verify_root(self, body_root: bytes) -> bytes:
        """The segments are the ones the header commits to; returns the root. Raises Refused: body_root."""
        root = self.root()
        if not self._whole or root != body_root:
            raise Refused("body_root", bytes=self.length)
        return root


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The body_root of the digests d_k (32 bytes each), as an upload announces them."""
    return merkle.root([merkle.leaf_hash(digest) for digest in leaves])


class Sealer:
    """Encrypts a plaintext of a length known before, and hands the body out in segments of 1 MiB."""

    def __init__(self, keys: Keys, *, salt: bytes, padded_len: int, sink: Callable[[bytes], object]) -> None:
        assert len(salt) == SALT_BYTES and padded_len % CHUNK_BYTES == 0
        self.prefix = salt + keys.commitment
        self.tree = SegmentTree()
        self._cipher = AESGCM(keys.key)
        self._nonce = int.from_bytes(keys.nonce, "big")
        self._chunk = 0
        self._left = padded_len
        self._sink = sink
        self._plain = bytearray()
        self._body = bytearray(header.SEGMENT_BYTES + _BATCH_BYTES + 64 * TAG_BYTES)
        self._body[: len(self.prefix)] = self.prefix
        self._filled = len(self.prefix)

    def write(self, data: bytes) -> None:
        """More plaintext; never more than `padded_len` altogether."""
        assert len(data) <= self._left, "the plaintext is longer than announced"
        self._left -= len(data)
        self._plain += data
        while len(self._plain) >= _BATCH_BYTES:
            self._seal_batch(_BATCH_BYTES)

    def pad(self) -> None:
        """Zero bytes up to the announced length."""
        while self._left:
            self.write(bytes(min(self._left, _BATCH_BYTES)))

    def finish(self) -> SegmentTree:
        """Seals what is left and the empty last chunk; returns the tree over all segments."""
        assert self._left == 0, "the plaintext is shorter than announced"
        self._seal_batch(len(self._plain))
        self._seal_chunk(b"")
        self._emit_whole_segments()
        if self._filled:
            self._emit(self._filled)
        return self.tree

    def _seal_batch(self, length: int) -> None:
        with memoryview(self._plain) as plain:
            for at in range(0, length, CHUNK_BYTES):
                self._seal_chunk(plain[at : at + CHUNK_BYTES])
        del self._plain[:length]
        self._emit_whole_segments()

    def _seal_chunk(self, chunk: bytes | memoryview) -> None:
        nonce = (self._nonce ^ self._chunk).to_bytes(12, "big")
        end = self._filled + len(chunk) + TAG_BYTES
        with memoryview(self._body) as body:
            self._cipher.encrypt_into(nonce, chunk, None, body[self._filled : end])
        self._filled = end
        self._chunk += 1

    def _emit_whole_segments(self) -> None:
        while self._filled >= header.SEGMENT_BYTES:
            self._emit(header.SEGMENT_BYTES)

    def _emit(self, length: int) -> None:
        segment = bytes(memoryview(self._body)[:length])
        rest = self._filled - length
        self._body[:rest] = self._body[length : self._filled]
        self._filled = rest
        self.tree.add(segment)
        self._sink(segment)


def decrypt(segments: Iterable[bytes], *, dek: bytes, context: bytes, body_len: int) -> Iterator[bytes]:
    """The plaintext of a body, piece by piece; every piece is authentic before it is given.

    The end is authentic too, but only once the iterator is exhausted. Raises Refused: body_len (more bytes or fewer
    than announced), chunk (a chunk, the commitment or the end does not authenticate).
    """
    decryptor = Cobblestone256Decryptor(dek, context)
    length = 0
    for segment in segments:
        length += len(segment)
        if length > body_len:
            raise Refused("body_len", body_len=body_len)
        try:
            yield decryptor.update(segment)
        except (InvalidTag, ValueError):
            raise Refused("chunk", before=length) from None
    if length != body_len:
        raise Refused("body_len", body_len=body_len, bytes=length)
    try:
        yield decryptor.finalize()
    except (InvalidTag, ValueError):
        raise Refused("chunk", before=length) from None
