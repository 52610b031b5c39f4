"""One-time pre-keys of a trustee, in batches from a seed, and the drill that proves a key still opens.

docs/spec/release.md §8. The rules upheld:
- each batch has a fresh seed; a key is used in one tender only (its bids and its draws) and deleted after the archive
  decision, so the seed is destroyed once its keys are stored one by one;
- a drill has an info of its own and answers a hash: it opens nothing of a bid and gives back nothing it opened.

Whoever holds a batch's seed holds all its keys.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from crypto.opening.certified import PRE_KEYS_MAX
from crypto.refusal import Refused
from crypto.sealing import hpke

SEED_BYTES: Final = 32
NONCE_BYTES: Final = 32
DRILL_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class PreKey:
    """A one-time key: batch, number in it, public key, and the secret scalar (32 bytes each)."""

    batch: int
    number: int
    public: bytes
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Drill:
    """A challenge to one key: where it sits (0, 0 outside a tender), nonce32, and what was sealed to it."""

    lock: int
    index: int
    nonce: bytes
    enc: bytes
    ct: bytes


def derive(seed: bytes, batch: int, count: int) -> tuple[PreKey, ...]:
    """The keys 0 … count − 1 of a batch; 1 ≤ count ≤ 500. Refused("pre_keys_count")."""
    assert len(seed) == SEED_BYTES and 0 <= batch < 2**32
    if not 1 <= count <= PRE_KEYS_MAX:
        raise Refused("pre_keys_count", count=count, count_max=PRE_KEYS_MAX)
    made = []
    for number in range(count):
        label = b"sealbid/v1 pre-key\0" + batch.to_bytes(4, "big") + number.to_bytes(4, "big")
        secret, public = hpke.derive_key_pair(hmac.digest(seed, label, "sha256"))
        made.append(PreKey(batch, number, public, secret))
    return tuple(made)


def act_fields(trustee: str, keys: tuple[PreKey, ...]) -> dict[str, Any]:
    """The fields of the `pre_keys` act of one batch."""
    (batch,) = {key.batch for key in keys}
    return {"kind": "pre_keys", "trustee": trustee, "batch": batch, "keys": [key.public.hex() for key in keys]}


def secrets_of(keys: tuple[PreKey, ...]) -> Mapping[str, bytes]:
    """public (hex) → secret, as release.Trustee holds them."""
    return {key.public.hex(): key.secret for key in keys}


def make_drill(
    public: bytes, *, origin: str, lock: int = 0, index: int = 0, entropy: Callable[[int], bytes]
) -> tuple[Drill, bytes]:
    """A challenge to a public key under a log's origin, and the answer that only its holder can give."""
    nonce, plaintext = entropy(NONCE_BYTES), entropy(DRILL_BYTES)
    enc, ct = hpke.seal_derand(public, _info(origin, lock, index, nonce), entropy(32), plaintext)
    return Drill(lock, index, nonce, enc, ct), _answer(plaintext)


def answer_drill(secret: bytes, drill: Drill, *, origin: str) -> bytes:
    """The holder's answer, 32 bytes. Refused("drill") for anything that was not sealed as a drill to this key."""
    if len(drill.nonce) != NONCE_BYTES:
        raise Refused("drill")
    try:
        plaintext = hpke.open(secret, drill.enc, drill.ct, _info(origin, drill.lock, drill.index, drill.nonce))
    except Refused:
        raise Refused("drill") from None
    if len(plaintext) != DRILL_BYTES:
        raise Refused("drill")
    return _answer(plaintext)


def _info(origin: str, lock: int, index: int, nonce: bytes) -> bytes:
    hall = hashlib.sha256(origin.encode("utf-8")).digest()
    return b"sealbid/v1 drill\0" + hall + bytes((lock, index)) + nonce


def _answer(plaintext: bytes) -> bytes:
    return hashlib.sha256(b"sealbid/v1 drill answer\0" + plaintext).digest()
