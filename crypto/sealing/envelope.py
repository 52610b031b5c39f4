"""A sealed envelope as a whole: sealing one, signing a bid, opening one, and the verdict on one.

docs/spec/envelope.md §6 to §8. A verdict is decided in one order: admission (crypto.header), shares (the ceremony),
lock section, commitment, body_root, length, prefix, chunks, plaintext. The header alone decides the first four, so an
invalid header is *invalid* even when its bytes are lost; bytes that do not give body_root are *lost*, the platform's
fault; bytes that do and then fail are *invalid*, the bidder's.

S_j, DEK and the Cobblestone salt are fresh for every envelope of every version: one S for two envelopes would let the
published record open the confidential documents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from cryptography.hazmat.primitives.asymmetric import ec

from crypto import jcs, signing
from crypto.refusal import Refused
from crypto.roster import Roster
from crypto.sealing import body, header, lock, manifest
from crypto.sealing.header import Header, submit_digest, verify_submit
from crypto.sealing.manifest import Bidder, FileSource

__all__ = [
    "Opened",
    "Sealed",
    "Verdict",
    "open_body",
    "seal",
    "sign_submit",
    "sign_withdraw",
    "submit_digest",
    "verdict",
    "verdict_of_bid",
    "verify_submit",
    "verify_withdraw",
    "withdraw_digest",
]

MANIFEST_LABEL: Final = "sealbid/v1 manifest"
WITHDRAW_LABEL: Final = "sealbid/v1 withdraw"

Signer = ec.EllipticCurvePrivateKey | Callable[[bytes], bytes]
Entropy = Callable[[int], bytes]

_READ_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Sealed:
    """A sealed envelope. `leaves` are the d_k of its segments; `secrets` (S_0 …) open it: they belong to the bidder
    alone, in the recovery file, until a rescue."""

    header: Header
    leaves: tuple[bytes, ...]
    secrets: tuple[bytes, ...]

    @property
    def body_root(self) -> bytes:
        return self.header.body_root

    @property
    def body_len(self) -> int:
        return self.header.body_len


@dataclass(frozen=True)
class Opened:
    """What `open_body` proved: the bytes give the header's root, the manifest is signed, every file is as it says."""

    manifest: dict[str, Any]
    manifest_bytes: bytes
    signature: bytes


@dataclass(frozen=True)
class Verdict:
    """`code` names the reason unless the envelope is valid; `opened` is there only if it is."""

    kind: Literal["valid", "lost", "invalid"]
    code: str | None = None
    opened: Opened | None = None


def seal(
    *,
    tender_id: bytes,
    envelope: int,
    roster: Roster,
    signer: Signer,
    spki: bytes,
    salt: bytes,
    bid_nonce: bytes,
    version: int,
    manifest: Mapping[str, Any],
    files: Sequence[FileSource],
    entropy: Entropy,
    sink: Callable[[bytes], object],
) -> Sealed:
    """Seals one envelope, streaming: `sink` gets the body in segments of 1 MiB, in order, and must keep them.

    `files` are in the manifest's order; `salt` (32) and `bid_nonce` (16) are fresh for the version and equal in its
    envelopes. Entropy is drawn as S_0, S_1, …, DEK, Cobblestone salt.
    Raises Refused: manifest_fields, manifest_ids, file_place, plaintext_too_long, and file_hash when a file is no
    longer the one the manifest describes; nothing that was given to `sink` may then be used.
    """
    page, page_bytes, length = _first_page(manifest, envelope, salt, len(files))
    padded_len = header.padded(length)
    if padded_len > header.PLAINTEXT_BYTES_MAX:
        raise Refused("plaintext_too_long", length=length, length_max=header.PLAINTEXT_BYTES_MAX)
    secrets = tuple(entropy(lock.SECRET_BYTES) for _ in roster.locks)
    dek, body_salt = entropy(lock.SECRET_BYTES), entropy(body.SALT_BYTES)
    assert len({*secrets, dek}) == len(secrets) + 1, "entropy repeats itself"
    fields: dict[str, Any] = {
        "tender_id": tender_id,
        "envelope": envelope,
        "bidder_tag": header.bidder_tag(salt, spki),
        "bid_nonce": bid_nonce,
        "version": version,
        "roster_hash": roster.hash(),
        "body_len": header.body_len_of(padded_len),
    }
    # The first 94 bytes, all the body's context needs, do not depend on the root and prefix that the body will give.
    first_bytes = header.encode_head(**fields, body_root=bytes(32), body_prefix=bytes(header.PREFIX_BYTES))
    keys = body.derive_keys(dek, body_salt, header.body_context(first_bytes))
    sealer = body.Sealer(keys, salt=body_salt, padded_len=padded_len, sink=sink)
    signature = _sign(signer, signing.labelled(MANIFEST_LABEL, hashlib.sha256(page_bytes).digest()))
    sealer.write(len(page_bytes).to_bytes(4, "big") + page_bytes + signature)
    for entry, source in zip(page["files"], files, strict=True):
        _seal_file(entry, source, sealer)
    sealer.pad()
    tree = sealer.finish()
    assert tree.length == fields["body_len"]
    fields |= {"body_root": tree.root(), "body_prefix": sealer.prefix}
    section = lock.make(header.encode_head(**fields), roster, secrets, dek)
    sealed = Header(**fields, wrapped_dek=section.wrapped_dek, locks=section.locks)
    return Sealed(header=sealed, leaves=tuple(tree.leaves), secrets=secrets)


def sign_submit(signer: Signer, headers: Sequence[Header]) -> bytes:
    """The bidder's 64-byte signature over all headers of a version."""
    return _sign(signer, signing.labelled(header.SUBMIT_LABEL, submit_digest(headers)))


def withdraw_digest(*, tender_id: bytes, version: int, digest: bytes) -> bytes:
    """H(tender_id || u32 version || D), D being that of version `version`."""
    return hashlib.sha256(tender_id + version.to_bytes(4, "big") + digest).digest()


def sign_withdraw(signer: Signer, *, tender_id: bytes, version: int, digest: bytes) -> bytes:
    """The bidder's 64-byte signature that voids all its versions up to `version`, for ever."""
    message = withdraw_digest(tender_id=tender_id, version=version, digest=digest)
    return _sign(signer, signing.labelled(WITHDRAW_LABEL, message))


def verify_withdraw(*, spki: bytes, signature: bytes, tender_id: bytes, version: int, digest: bytes) -> bytes:
    """The signer of `spki` withdrew; returns the withdraw digest. Raises Refused: withdraw_signature."""
    message = withdraw_digest(tender_id=tender_id, version=version, digest=digest)
    try:
        signing.verify_p256(spki, signature, signing.labelled(WITHDRAW_LABEL, message))
    except Refused:
        raise Refused("withdraw_signature") from None
    return message


def open_body(
    sealed: Header,
    dek: bytes,
    segments: Iterable[bytes],
    *,
    spki: bytes,
    lot: str,
    salt: bytes,
    bidder: Bidder | None = None,
    write: Callable[[int, bytes], object] | None = None,
) -> Opened:
    """Opens a body, streaming, and checks everything that the plaintext claims.

    `segments` in order (1 MiB, the last shorter); `write(number of the file, piece)` gets the files' bytes as they
    come: they are authentic but not yet proved to be the signed ones, so what was written is dropped when this raises.
    Raises Refused, the first in the verdict's order: body_root (lost), then body_len prefix chunk manifest_length jcs
    manifest_fields manifest_signature manifest_ids file_place file_hash padding (invalid).
    """
    tree = body.SegmentTree()
    stored = _Stored(segments, tree, body_len=sealed.body_len)
    opened: Opened | None = None
    failed: Refused | None = None
    try:
        pieces = body.decrypt(iter(stored), dek=dek, context=sealed.body_context(), body_len=sealed.body_len)
        reader = _Reader(pieces)
        opened = _read_plaintext(reader, sealed, spki=spki, lot=lot, salt=salt, bidder=bidder, write=write)
    except Refused as refused:
        failed = refused
    # Who is at fault depends on the bytes as stored: the root is judged over all of them before anything they say.
    stored.drain()
    tree.verify_root(sealed.body_root)
    if tree.length != sealed.body_len:
        raise Refused("body_len", body_len=sealed.body_len, bytes=tree.length)
    header.check_prefix(sealed, stored.first)
    if failed is not None:
        raise failed
    assert opened is not None
    return opened


def verdict(
    sealed: Header,
    *,
    roster: Roster,
    secrets: Sequence[bytes],
    segments: Iterable[bytes],
    spki: bytes,
    lot: str,
    salt: bytes,
    bidder: Bidder | None = None,
    write: Callable[[int, bytes], object] | None = None,
) -> Verdict:
    """Judges an admitted envelope whose locks were combined; `segments` are read only if the header holds.

    Arguments as `open_body`. Codes of *invalid*: lock_section commitment body_len prefix chunk manifest_length jcs
    manifest_fields manifest_signature manifest_ids file_place file_hash padding; of *lost*: body_root.
    An error of the store that gives the segments is no verdict: it passes through.
    """
    try:
        dek = body.verify_commitment(sealed, lock.verify_lock_section(sealed, roster, secrets))
        opened = open_body(sealed, dek, segments, spki=spki, lot=lot, salt=salt, bidder=bidder, write=write)
    except Refused as refused:
        return Verdict("lost" if refused.code == "body_root" else "invalid", refused.code)
    return Verdict("valid", opened=opened)


def verdict_of_bid(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict of a bid is that of its first envelope that is not valid; of the record if all are."""
    return next((each for each in verdicts if each.kind != "valid"), verdicts[0])


def _first_page(
    given: Mapping[str, Any], envelope: int, salt: bytes, file_count: int
) -> tuple[dict[str, Any], bytes, int]:
    """The manifest, its bytes and L, refused here as the reader would refuse it."""
    page = manifest.check_fields(dict(given))
    manifest.check_ids(page, lot=page["lot"], envelope=envelope, salt=salt)
    if file_count != len(page["files"]):
        raise Refused("file_place", files=file_count, expected=len(page["files"]))
    page_bytes = jcs.dumps(page)
    if len(page_bytes) > manifest.MANIFEST_BYTES_MAX:
        raise Refused("manifest_length", bytes=len(page_bytes), bytes_max=manifest.MANIFEST_BYTES_MAX)
    length = 4 + len(page_bytes) + manifest.SIGNATURE_BYTES + sum(entry["size"] for entry in page["files"])
    manifest.check_places(page, manifest_len=len(page_bytes), padded_len=header.padded(length))
    return page, page_bytes, length


def _seal_file(entry: Mapping[str, Any], source: FileSource, sealer: body.Sealer) -> None:
    digest, left = hashlib.sha256(), entry["size"]
    with manifest.open_source(source) as stream:
        while piece := stream.read(_READ_BYTES):
            left -= len(piece)
            if left < 0:
                break
            digest.update(piece)
            sealer.write(piece)
    if left != 0 or digest.hexdigest() != entry["sha256"]:
        raise Refused("file_hash", file=entry["name"])


def _sign(signer: Signer, message: bytes) -> bytes:
    if isinstance(signer, ec.EllipticCurvePrivateKey):
        return signing.sign_p256(signer, message)
    return signer(message)


def _read_plaintext(
    reader: _Reader,
    sealed: Header,
    *,
    spki: bytes,
    lot: str,
    salt: bytes,
    bidder: Bidder | None,
    write: Callable[[int, bytes], object] | None,
) -> Opened:
    padded_len = sealed.plaintext_len()
    manifest_len = int.from_bytes(reader.take(4), "big")
    room = min(manifest.MANIFEST_BYTES_MAX, padded_len - 4 - manifest.SIGNATURE_BYTES)
    if not 0 < manifest_len <= room:
        raise Refused("manifest_length", bytes=manifest_len, bytes_max=room)
    page_bytes = reader.take(manifest_len)
    signature = reader.take(manifest.SIGNATURE_BYTES)
    try:
        value = jcs.loads(page_bytes)
    except Refused as refused:
        raise Refused("jcs", problem=refused.code) from None
    page = manifest.check_fields(value)
    try:
        signing.verify_p256(spki, signature, signing.labelled(MANIFEST_LABEL, hashlib.sha256(page_bytes).digest()))
    except Refused:
        raise Refused("manifest_signature") from None
    manifest.check_ids(page, lot=lot, envelope=sealed.envelope, salt=salt, bidder=bidder)
    manifest.check_places(page, manifest_len=manifest_len, padded_len=padded_len)
    for number, entry in enumerate(page["files"]):
        digest = hashlib.sha256()
        for piece in reader.stream(entry["size"]):
            digest.update(piece)
            if write is not None:
                write(number, piece)
        if digest.hexdigest() != entry["sha256"]:
            raise Refused("file_hash", file=entry["name"])
    if any(piece.count(0) != len(piece) for piece in reader.rest()):
        raise Refused("padding")
    return Opened(manifest=page, manifest_bytes=page_bytes, signature=signature)


class _Stored:
    """The segments as the store gives them, each put on the tree as it passes; `first` keeps the body's beginning."""

    def __init__(self, segments: Iterable[bytes], tree: body.SegmentTree, *, body_len: int) -> None:
        self.first = b""
        self._length_max = body_len + header.SEGMENT_BYTES
        self._segments = iter(segments)
        self._tree = tree

    def __iter__(self) -> Iterator[bytes]:
        for segment in self._segments:
            self._tree.add(segment)
            self.first = self.first or segment[: header.PREFIX_BYTES]
            yield segment
            # No door takes an upload longer than body_len; a store that never ends must not hold the opening up.
            if self._tree.length > self._length_max:
                return

    def drain(self) -> None:
        for _ in self:
            pass


class _Reader:
    """Takes a plaintext apart that arrives in pieces of any size."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._have = b""

    def take(self, length: int) -> bytes:
        return b"".join(self.stream(length))

    def stream(self, length: int) -> Iterator[bytes]:
        while length:
            if not self._have:
                # The length of the body was checked to hold P bytes, or the pieces end with a refusal of their own.
                self._have = next(self._pieces)
            piece, self._have = self._have[:length], self._have[length:]
            length -= len(piece)
            if piece:
                yield piece

    def rest(self) -> Iterator[bytes]:
        if self._have:
            yield self._have
        yield from self._pieces
