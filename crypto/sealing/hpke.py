"""HPKE base mode (RFC 9180), single message, suite 1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.

Opening is the library's. Sealing is written out here because the protocol derives the ephemeral key
(docs/spec/envelope.md §4): everybody who holds the secrets must be able to make every ciphertext again, and the
library takes no chosen ephemeral key. Held to RFC 9180's vectors (tests/vectors/rfc9180).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from crypto.refusal import Refused

KEY_BYTES: Final = 32
TAG_BYTES: Final = 16
RECIPIENTS_KEPT_MAX: Final = 256

_FIELD = 2**255 - 19
# The points of small order and their one non-canonical spelling below 2^255 (RFC 7748 §6.1, docs/spec/envelope.md §2):
# a Diffie-Hellman with them gives zero, whatever the other key is.
_LOW_ORDER = frozenset(
    {
        0,
        1,
        _FIELD - 1,
        int.from_bytes(bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"), "little"),
        int.from_bytes(bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"), "little"),
    }
)
_LIBRARY = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_KEM_ID = b"KEM" + (0x0020).to_bytes(2, "big")
_SUITE_ID = b"HPKE" + b"".join(number.to_bytes(2, "big") for number in (0x0020, 0x0001, 0x0002))


def check_public_key(public_key: bytes) -> None:
    """A trustee's or an ephemeral X25519 key: canonical and not of low order.

    Raises Refused: key_not_canonical (not 32 bytes, bit 255 set, or ≥ 2^255 − 19), key_low_order.
    """
    if len(public_key) != KEY_BYTES or int.from_bytes(public_key, "little") >= _FIELD:
        raise Refused("key_not_canonical", key=public_key.hex())
    if int.from_bytes(public_key, "little") in _LOW_ORDER:
        raise Refused("key_low_order", key=public_key.hex())


def generate(*, entropy: Callable[[int], bytes]) -> tuple[bytes, bytes]:
    """A fresh key pair (secret scalar, public key), 32 bytes each."""
    return derive_key_pair(entropy(KEY_BYTES))


def derive_key_pair(ekm: bytes) -> tuple[bytes, bytes]:
    """RFC 9180 §7.1.3 DeriveKeyPair: input keying material → (sk, pk), 32 bytes each."""
    sk = _derive_scalar(ekm)
    return sk, public_key(sk)


def seal_derand(pk: bytes, info: bytes, ekm: bytes, plaintext: bytes) -> tuple[bytes, bytes]:
    """SealBase with the ephemeral key DeriveKeyPair(ekm), empty aad → (enc 32 bytes, ct = plaintext + 16 bytes).

    Raises Refused: key_not_canonical, key_low_order.
    """
    ephemeral = X25519PrivateKey.from_private_bytes(_derive_scalar(ekm))
    enc = ephemeral.public_key().public_bytes_raw()
    dh = ephemeral.exchange(_recipient(pk))
    shared = _labeled_expand(
        _KEM_ID, _labeled_extract(_KEM_ID, b"", b"eae_prk", dh), b"shared_secret", enc + pk, KEY_BYTES
    )
    key, nonce = _schedule(shared, info)
    return enc, AESGCM(key).encrypt(nonce, plaintext, b"")


def open(sk: bytes, enc: bytes, ct: bytes, info: bytes) -> bytes:
    """OpenBase, empty aad → the plaintext. Raises Refused: hpke_unopenable."""
    key = X25519PrivateKey.from_private_bytes(sk)
    try:
        return _LIBRARY.decrypt(enc + ct, key, info=info)
    except (InvalidTag, ValueError):
        raise Refused("hpke_unopenable") from None


def public_key(sk: bytes) -> bytes:
    """The public key (32 bytes) of a secret scalar."""
    return X25519PrivateKey.from_private_bytes(sk).public_key().public_bytes_raw()


@lru_cache(maxsize=RECIPIENTS_KEPT_MAX)
def _recipient(pk: bytes) -> X25519PublicKey:
    """A checked key, read once: all bids of a tender are sealed to the same few. Raises as check_public_key."""
    check_public_key(pk)
    return X25519PublicKey.from_public_bytes(pk)


def _derive_scalar(ekm: bytes) -> bytes:
    prk = _labeled_extract(_KEM_ID, b"", b"dkp_prk", ekm)
    return _labeled_expand(_KEM_ID, prk, b"sk", b"", KEY_BYTES)


def _schedule(shared: bytes, info: bytes) -> tuple[bytes, bytes]:
    """RFC 9180 §5.1 KeySchedule in base mode → (key 32 bytes, base nonce 12 bytes)."""
    context = b"\0" + _EMPTY_PSK_ID_HASH
    context += _labeled_extract(_SUITE_ID, b"", b"info_hash", info)
    secret = _labeled_extract(_SUITE_ID, shared, b"secret", b"")
    return _labeled_expand(_SUITE_ID, secret, b"key", context, 32), _labeled_expand(
        _SUITE_ID, secret, b"base_nonce", context, 12
    )


def _labeled_extract(suite: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + ikm, "sha256")


def _labeled_expand(suite: bytes, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    assert length <= 32
    return hmac.digest(prk, length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info + b"\x01", "sha256")[:length]


_EMPTY_PSK_ID_HASH = _labeled_extract(_SUITE_ID, b"", b"psk_id_hash", b"")
