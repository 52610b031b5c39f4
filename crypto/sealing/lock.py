"""The lock section of a header: made from the secrets, opened share by share, and made again by everybody.

docs/spec/envelope.md §4. Every byte of it is a function of (S_0 … S_{k−1}, header[0:226], roster). Whoever combined any
`t` shares of each lock recomputes the whole section, the ciphertexts of absent trustees included, and demands equal
bytes: so validity belongs to the header alone and is the same for every subset that answers. No other proof is needed.

A bidder can write a lock section that is invalid; they cannot write one that opens for some trustees and not others
and still passes `verify_lock_section`. A trustee can keep silent or give a wrong share, which `combine` names.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from crypto.refusal import Refused
from crypto.roster import Roster
from crypto.sealing import header as headers
from crypto.sealing import hpke, shamir
from crypto.sealing.header import Header, SealedLock, SealedShare

SECRET_BYTES: Final = 32

_LABEL = b"sealbid/v1 "


@dataclass(frozen=True)
class LockSection:
    """What follows the first 226 bytes of a header: the wrapped DEK (32 bytes) and the locks."""

    wrapped_dek: bytes
    locks: tuple[SealedLock, ...]


def make(head: bytes, roster: Roster, secrets: Sequence[bytes], dek: bytes) -> LockSection:
    """The lock section for header[0:226] = `head`; one secret of 32 bytes per lock, and the 32-byte DEK to wrap."""
    assert len(head) == headers.HEAD_BYTES and len(dek) == SECRET_BYTES
    schedule = _Schedule.of(head, secrets)
    wrapped = _xor(dek, schedule.derive(b"wrap", SECRET_BYTES))
    assert len(secrets) == len(roster.locks)
    locks = []
    for number, lock in enumerate(roster.locks):
        joined = schedule.derive(b"coef" + bytes((number,)), SECRET_BYTES * (lock.t - 1))
        coefficients = [joined[at : at + SECRET_BYTES] for at in range(0, len(joined), SECRET_BYTES)]
        sealed = []
        for index, key in enumerate(lock.keys, 1):
            share = shamir.share(schedule.secrets[number], coefficients, index)
            sealed.append(_seal_share(schedule, number, index, key, share))
        locks.append(SealedLock(lock.t, tuple(sealed)))
    return LockSection(wrapped, tuple(locks))


def share_of(header: Header, lock: int, index: int, sk: bytes) -> bytes:
    """The share (32 bytes) of trustee `index` (from 1) of `lock` (from 0), opened with the one-time key `sk`.

    Raises Refused: share_unopenable (the ciphertext does not open, or does not hold what was committed to). That is the
    ground of a complaint: the bidder named in it may disclose S.
    """
    sealed = header.locks[lock].shares[index - 1]
    try:
        share = hpke.open(sk, sealed.enc, sealed.ct, _info(header.challenge(), lock, index))
    except Refused:
        raise Refused("share_unopenable", lock=lock, trustee=index) from None
    if commitment(header.challenge(), lock, index, share) != sealed.com:
        raise Refused("share_unopenable", lock=lock, trustee=index)
    return share


def check_share(header: Header, lock: int, index: int, share: bytes) -> bytes:
    """A released share is the one committed to; returns it. Raises Refused: share_unknown, share_wrong (by trustee)."""
    if not (0 <= lock < len(header.locks) and 1 <= index <= header.locks[lock].n):
        raise Refused("share_unknown", lock=lock, trustee=index)
    if len(share) != SECRET_BYTES or commitment(header.challenge(), lock, index, share) != (
        header.locks[lock].shares[index - 1].com
    ):
        raise Refused("share_wrong", lock=lock, trustee=index)
    return share


def combine(header: Header, lock: int, shares: Mapping[int, bytes]) -> bytes:
    """S_j from at least t shares {trustee from 1: 32 bytes}; the t lowest are used, all are checked.

    Raises Refused: share_unknown, share_wrong, shares_too_few.
    """
    for index in sorted(shares):
        check_share(header, lock, index, shares[index])
    needed = header.locks[lock].t
    if len(shares) < needed:
        raise Refused("shares_too_few", lock=lock, shares=len(shares), shares_min=needed)
    return shamir.combine({index: shares[index] for index in sorted(shares)[:needed]})


def verify_lock_section(header: Header, roster: Roster, secrets: Sequence[bytes]) -> bytes:
    """Makes the whole lock section again from the secrets and demands equal bytes; returns the DEK (32 bytes).

    Raises Refused: roster (the header is sealed to another), lock_section.
    """
    headers.check_roster(header, roster)
    if len(secrets) != len(header.locks) or any(len(secret) != SECRET_BYTES for secret in secrets):
        raise Refused("lock_section")
    head = header.head()
    dek = _xor(header.wrapped_dek, _Schedule.of(head, secrets).derive(b"wrap", SECRET_BYTES))
    if make(head, roster, secrets, dek) != LockSection(header.wrapped_dek, header.locks):
        raise Refused("lock_section")
    return dek


def commitment(challenge: bytes, lock: int, index: int, share: bytes) -> bytes:
    """com_ji = H("sealbid/v1 com\\0" || ch || j || i || share)."""
    return hashlib.sha256(b"sealbid/v1 com\0" + challenge + bytes((lock, index)) + share).digest()


@dataclass(frozen=True)
class _Schedule:
    """The key schedule of one header: prk, ch and the secrets it came from."""

    prk: bytes
    challenge: bytes
    secrets: tuple[bytes, ...]

    @staticmethod
    def of(head: bytes, secrets: Sequence[bytes]) -> _Schedule:
        assert all(len(secret) == SECRET_BYTES for secret in secrets)
        challenge = hashlib.sha256(head).digest()
        prk = hmac.digest(b"sealbid/v1 root", b"".join(secrets) + challenge, "sha256")
        return _Schedule(prk, challenge, tuple(secrets))

    def derive(self, label: bytes, length: int) -> bytes:
        """d(label, L): RFC 5869 Expand with SHA-256."""
        info = _LABEL + label + self.challenge
        out, block, counter = b"", b"", 0
        while len(out) < length:
            counter += 1
            block = hmac.digest(self.prk, block + info + bytes((counter,)), "sha256")
            out += block
        return out[:length]


def _seal_share(schedule: _Schedule, lock: int, index: int, key: bytes, share: bytes) -> SealedShare:
    ekm = schedule.derive(b"ekm" + bytes((lock, index)), SECRET_BYTES)
    enc, ct = hpke.seal_derand(key, _info(schedule.challenge, lock, index), ekm, share)
    return SealedShare(commitment(schedule.challenge, lock, index, share), enc, ct)


def _info(challenge: bytes, lock: int, index: int) -> bytes:
    return b"sealbid/v1 share\0" + challenge + bytes((lock, index))


def _xor(a: bytes, b: bytes) -> bytes:
    assert len(a) == len(b)
    return bytes(x ^ y for x, y in zip(a, b, strict=True))
