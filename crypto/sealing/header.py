"""The header of an envelope: its bytes, and whether it may be admitted to a tender.

docs/spec/envelope.md §3. A header is detached from its body, commits to every byte of it, and is refused with the
first of these codes, in this order: length magic suite flags version n_locks lock_type threshold lock_reserved body_len
key_not_canonical key_low_order key_repeated tender envelope roster bidder_tag mixed_bid submit_signature prefix.
The first thirteen need the bytes alone (`parse`), the others the tender's acts and the signer (`check_admission`),
the last the first 56 bytes of the body (`check_prefix`).

Whoever writes headers can make a bid that is refused or invalid; they cannot make one that opens to two contents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from crypto import roster as rosters
from crypto import signing
from crypto.refusal import Refused
from crypto.roster import Roster

MAGIC: Final = b"SEALBID1"
SUITE: Final = 1
HEAD_BYTES: Final = 226
FIXED_BYTES: Final = 259
HEADER_BYTES_MAX: Final = 8192
PREFIX_BYTES: Final = 56
SEGMENT_BYTES: Final = 1_048_576
PAD_SMALL: Final = 65_536
PLAINTEXT_BYTES_MAX: Final = 2 * 1024**3

RECORD: Final = 0
DOCUMENTS: Final = 1
PRICE_DOCUMENTS: Final = 2
BID_ENVELOPES: Final = (RECORD, DOCUMENTS, PRICE_DOCUMENTS)
CONTRIBUTION: Final = 0x0100

SUBMIT_LABEL: Final = "sealbid/v1 submit"

_SHARE_BYTES = 112


@dataclass(frozen=True)
class SealedShare:
    """One trustee's place in a lock: commitment (32), HPKE enc (32) and ciphertext (48)."""

    com: bytes
    enc: bytes
    ct: bytes

    def __post_init__(self) -> None:
        assert (len(self.com), len(self.enc), len(self.ct)) == (32, 32, 48)


@dataclass(frozen=True)
class SealedLock:
    """`shares[i − 1]` belongs to trustee i; any `t` of them give the lock's secret."""

    t: int
    shares: tuple[SealedShare, ...]

    @property
    def n(self) -> int:
        return len(self.shares)


@dataclass(frozen=True)
class Header:
    """All fields but the constant ones (magic, suite 1, flags 0). Lengths in bytes as in docs/spec/envelope.md §3."""

    tender_id: bytes
    envelope: int
    bidder_tag: bytes
    bid_nonce: bytes
    version: int
    roster_hash: bytes
    body_len: int
    body_root: bytes
    body_prefix: bytes
    wrapped_dek: bytes
    locks: tuple[SealedLock, ...]

    def __post_init__(self) -> None:
        assert len(self.tender_id) == len(self.bidder_tag) == len(self.roster_hash) == len(self.body_root) == 32
        assert len(self.bid_nonce) == 16 and len(self.body_prefix) == PREFIX_BYTES and len(self.wrapped_dek) == 32

    def encode(self) -> bytes:
        """The canonical bytes; `parse(header.encode()) == header`."""
        parts = [self.head(), self.wrapped_dek, bytes((len(self.locks),))]
        for lock in self.locks:
            parts.append(bytes((rosters.LOCK_TYPE, lock.t, lock.n, 0)))
            parts.extend(share.com + share.enc + share.ct for share in lock.shares)
        return b"".join(parts)

    def head(self) -> bytes:
        """The first 226 bytes: everything of which the lock section is a function, besides secrets and roster."""
        return self._head

    @cached_property
    def _head(self) -> bytes:
        return encode_head(
            tender_id=self.tender_id,
            envelope=self.envelope,
            bidder_tag=self.bidder_tag,
            bid_nonce=self.bid_nonce,
            version=self.version,
            roster_hash=self.roster_hash,
            body_len=self.body_len,
            body_root=self.body_root,
            body_prefix=self.body_prefix,
        )

    def hash(self) -> bytes:
        """H(header bytes), 32 bytes: what the submit signature covers, and a contributor's commitment."""
        return self._hash

    @cached_property
    def _hash(self) -> bytes:
        return hashlib.sha256(self.encode()).digest()

    def challenge(self) -> bytes:
        """ch = H(header[0:226])."""
        return self._challenge

    @cached_property
    def _challenge(self) -> bytes:
        # Asked for with every share: a verifier of a thousand bids does that some ten thousand times.
        return hashlib.sha256(self._head).digest()

    def body_context(self) -> bytes:
        """The Cobblestone context: label and H(header[0:94])."""
        return body_context(self.head())

    def bid_id(self) -> bytes:
        """H(header[0:94]) of the record envelope: the name of one version of one bid."""
        assert self.envelope == RECORD, "only the record envelope names the bid"
        return hashlib.sha256(self.head()[:94]).digest()

    def plaintext_len(self) -> int:
        """P, the padded length of the plaintext, bytes."""
        return padded_of_body(self.body_len)


@dataclass(frozen=True)
class Admission:
    """What `check_admission` proved: these headers are one bid of this signer for this tender and roster."""

    bid_id: bytes
    digest: bytes
    bidder_tag: bytes
    version: int


def encode_head(
    *,
    tender_id: bytes,
    envelope: int,
    bidder_tag: bytes,
    bid_nonce: bytes,
    version: int,
    roster_hash: bytes,
    body_len: int,
    body_root: bytes,
    body_prefix: bytes,
) -> bytes:
    """header[0:226]; the first 94 bytes do not depend on what follows bid_nonce."""
    return b"".join(
        (
            MAGIC,
            SUITE.to_bytes(2, "big"),
            bytes(2),
            tender_id,
            envelope.to_bytes(2, "big"),
            bidder_tag,
            bid_nonce,
            version.to_bytes(4, "big"),
            roster_hash,
            body_len.to_bytes(8, "big"),
            body_root,
            body_prefix,
        )
    )


def body_context(head: bytes) -> bytes:
    """The Cobblestone context of the envelope whose header begins with `head` (at least 94 bytes)."""
    return b"sealbid/v1 body\0" + hashlib.sha256(head[:94]).digest()


def bidder_tag(salt: bytes, spki: bytes) -> bytes:
    """Names the signer to who knows the salt (32 bytes), and nobody to who does not."""
    return hashlib.sha256(b"sealbid/v1 bidder\0" + salt + spki).digest()


def contributor_tag(draw_id: bytes, contributor: int, spki: bytes) -> bytes:
    """The tag of contributor i (1 centre, 2 supervisor, 3 owner) of a draw; never equal to a bidder's."""
    return hashlib.sha256(b"draw/v1 contributor\0" + draw_id + bytes((contributor,)) + spki).digest()


def padded(length: int) -> int:
    """P for L = `length`: up to a multiple of 64 KiB below 1 MiB, of 1 MiB above; nothing added to a multiple."""
    unit = PAD_SMALL if length <= SEGMENT_BYTES else SEGMENT_BYTES
    return -(-length // unit) * unit


def body_len_of(padded_len: int) -> int:
    """Length of a Cobblestone-256 body over P bytes: 56 before, a tag of 16 per 16 KiB, one empty last chunk."""
    return 72 + padded_len + padded_len // 1024


def padded_of_body(body_len: int) -> int:
    """P of a body length. Raises Refused: body_len, when no padded length up to 2 GiB gives it."""
    padded_len = (body_len - 72) * 1024 // 1025
    wrong = body_len_of(padded_len) != body_len or padded(padded_len) != padded_len
    if wrong or not PAD_SMALL <= padded_len <= PLAINTEXT_BYTES_MAX:
        raise Refused("body_len", body_len=body_len)
    return padded_len


def parse(data: bytes) -> Header:
    """The header of a bid's envelope.

    Raises Refused: length … key_repeated of the order above (keys: the 32-byte enc of every share), and envelope for
    any number but 0, 1, 2: a draw's contribution is never a bid.
    """
    header = _read(data)
    padded_of_body(header.body_len)
    rosters.check_keys([share.enc for lock in header.locks for share in lock.shares])
    if header.envelope not in BID_ENVELOPES:
        raise Refused("envelope", envelope=header.envelope)
    return header


def parse_contribution(data: bytes) -> Header:
    """The body-less header by which a contributor to a draw commits to its DEK.

    Raises Refused as `parse`; besides version (not 1), body_len (not 0), envelope (not 0x0100), body_root and prefix
    (not all zero): a rival's bid handed in as a contribution ends here.
    """
    header = _read(data)
    if header.version != 1:
        raise Refused("version", version=header.version)
    if header.body_len != 0:
        raise Refused("body_len", body_len=header.body_len)
    rosters.check_keys([share.enc for lock in header.locks for share in lock.shares])
    if header.envelope != CONTRIBUTION:
        raise Refused("envelope", envelope=header.envelope)
    if header.body_root != bytes(32):
        raise Refused("body_root")
    if header.body_prefix != bytes(PREFIX_BYTES):
        raise Refused("prefix")
    return header


def check_admission(
    headers: Sequence[Header],
    *,
    tender_id: bytes,
    envelopes: Sequence[int],
    roster: Roster,
    certificate_spki: bytes,
    salt: bytes,
    submit_signature: bytes,
) -> Admission:
    """Judges the headers of one bid against the tender's acts (tender_id, envelopes, roster) and the signer.

    Raises Refused: tender envelope roster bidder_tag mixed_bid submit_signature, the first that applies to any header.
    """
    for header in headers:
        _check_tender(header, tender_id)
    if not headers or [header.envelope for header in headers] != sorted(envelopes):
        raise Refused("envelope", envelopes=[header.envelope for header in headers], expected=sorted(envelopes))
    for header in headers:
        check_roster(header, roster)
    if len(salt) != 32 or any(header.bidder_tag != bidder_tag(salt, certificate_spki) for header in headers):
        raise Refused("bidder_tag")
    if len({(header.bid_nonce, header.version) for header in headers}) != 1:
        raise Refused("mixed_bid")
    digest = verify_submit(headers, spki=certificate_spki, signature=submit_signature)
    first = headers[0]
    bid_id = hashlib.sha256(first.head()[:94]).digest()
    return Admission(bid_id=bid_id, digest=digest, bidder_tag=first.bidder_tag, version=first.version)


def submit_digest(headers: Sequence[Header]) -> bytes:
    """D = H(H(header_a) || H(header_b) …) in ascending order of envelope, 32 bytes."""
    ordered = sorted(headers, key=lambda header: header.envelope)
    return hashlib.sha256(b"".join(header.hash() for header in ordered)).digest()


def verify_submit(headers: Sequence[Header], *, spki: bytes, signature: bytes) -> bytes:
    """The signer of `spki` handed in exactly these headers; returns D. Raises Refused: submit_signature."""
    digest = submit_digest(headers)
    try:
        signing.verify_p256(spki, signature, signing.labelled(SUBMIT_LABEL, digest))
    except Refused:
        raise Refused("submit_signature") from None
    return digest


def check_contribution(
    header: Header, *, tender_id: bytes, roster: Roster, draw_id: bytes, contributor: int, spki: bytes
) -> bytes:
    """Judges a parsed contribution against its draw; returns its hash. Raises Refused: tender, roster, bidder_tag."""
    _check_tender(header, tender_id)
    check_roster(header, roster)
    if header.bidder_tag != contributor_tag(draw_id, contributor, spki):
        raise Refused("bidder_tag")
    return header.hash()


def check_roster(header: Header, roster: Roster) -> None:
    """The header is sealed to exactly this roster. Raises Refused: roster."""
    shape = [(lock.t, lock.n) for lock in header.locks]
    if header.roster_hash != roster.hash() or shape != [(lock.t, lock.n) for lock in roster.locks]:
        raise Refused("roster")


def check_prefix(header: Header, body_start: bytes) -> None:
    """The body begins with salt and key commitment as the header says. Raises Refused: prefix."""
    if body_start[:PREFIX_BYTES] != header.body_prefix:
        raise Refused("prefix")


def _check_tender(header: Header, tender_id: bytes) -> None:
    if header.tender_id != tender_id:
        raise Refused("tender", tender_id=header.tender_id.hex(), expected=tender_id.hex())


def _read(data: bytes) -> Header:
    """Everything that the layout alone decides: length … lock_reserved."""
    if not FIXED_BYTES <= len(data) <= HEADER_BYTES_MAX:
        raise Refused("length", part="header", bytes=len(data))
    if data[0:8] != MAGIC:
        raise Refused("magic")
    if int.from_bytes(data[8:10], "big") != SUITE:
        raise Refused("suite", suite=int.from_bytes(data[8:10], "big"))
    if data[10:12] != bytes(2):
        raise Refused("flags", flags=data[10:12].hex())
    version = int.from_bytes(data[94:98], "big")
    if version == 0:
        raise Refused("version", version=version)
    rosters.check_lock_count(data[258])
    locks = _read_locks(data)
    return Header(
        tender_id=data[12:44],
        envelope=int.from_bytes(data[44:46], "big"),
        bidder_tag=data[46:78],
        bid_nonce=data[78:94],
        version=version,
        roster_hash=data[98:130],
        body_len=int.from_bytes(data[130:138], "big"),
        body_root=data[138:170],
        body_prefix=data[170:226],
        wrapped_dek=data[226:258],
        locks=locks,
    )


def _read_locks(data: bytes) -> tuple[SealedLock, ...]:
    starts, at = [], FIXED_BYTES
    for _ in range(data[258]):
        if at + 4 > len(data):
            raise Refused("length", part="header", bytes=len(data))
        starts.append(at)
        at += 4 + data[at + 2] * _SHARE_BYTES
    if at != len(data):
        raise Refused("length", part="header", bytes=len(data), bytes_expected=at)
    for number, start in enumerate(starts):
        if data[start] != rosters.LOCK_TYPE:
            raise Refused("lock_type", lock=number, lock_type=data[start])
    for start in starts:
        rosters.check_threshold(data[start + 1], data[start + 2])
    for number, start in enumerate(starts):
        if data[start + 3] != 0:
            raise Refused("lock_reserved", lock=number)
    return tuple(SealedLock(data[start + 1], _read_shares(data, start + 4, data[start + 2])) for start in starts)


def _read_shares(data: bytes, start: int, count: int) -> tuple[SealedShare, ...]:
    ats = range(start, start + count * _SHARE_BYTES, _SHARE_BYTES)
    return tuple(SealedShare(data[at : at + 32], data[at + 32 : at + 64], data[at + 64 : at + 112]) for at in ats)
