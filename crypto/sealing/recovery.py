"""The recovery file: what a bidder needs to read its own sealed bid again, or to disclose S, under a passphrase.

docs/spec/envelope.md §9. It holds the headers, the secrets of every lock and the submit signature; the bodies stay on
the platform. Key: Argon2id (RFC 9106 §4, second recommendation: 3 passes, 4 lanes, 64 MiB), then AES-256-GCM. The
parameters belong to the magic; there is nothing to configure.

Whoever has the file and the passphrase can open the bid at any time. Whoever has the file alone must guess the
passphrase at the price of 64 MiB and a tenth of a second each.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from crypto import jcs
from crypto.refusal import Refused
from crypto.sealing import header, lock
from crypto.sealing.header import Header

MAGIC: Final = b"SEALREC1"
PASSPHRASE_LENGTH_MIN: Final = 8
FILE_BYTES_MAX: Final = 64 * 1024

_SALT_BYTES = 16
_NONCE_BYTES = 12
_TAG_BYTES = 16
_PASSES = 3
_LANES = 4
_MEMORY_KIB = 64 * 1024
_FIELDS = {"v", "lot", "salt", "submit_signature", "envelopes"}


@dataclass(frozen=True)
class Recovery:
    """One version of a bid: `secrets[k]` are S_0, S_1, … of `headers[k]`; salt 32 bytes, submit_signature 64."""

    lot: str
    salt: bytes
    submit_signature: bytes
    headers: tuple[Header, ...]
    secrets: tuple[tuple[bytes, ...], ...]

    def __post_init__(self) -> None:
        assert len(self.headers) == len(self.secrets)


def write(recovery: Recovery, passphrase: str, *, entropy: Callable[[int], bytes]) -> bytes:
    """magic 8 || salt 16 || nonce 12 || AES-256-GCM of the contents (JCS). Raises Refused: passphrase_short."""
    if len(passphrase) < PASSPHRASE_LENGTH_MIN:
        raise Refused("passphrase_short", length_min=PASSPHRASE_LENGTH_MIN)
    salt, nonce = entropy(_SALT_BYTES), entropy(_NONCE_BYTES)
    contents = jcs.dumps(
        {
            "v": 1,
            "lot": recovery.lot,
            "salt": recovery.salt.hex(),
            "submit_signature": recovery.submit_signature.hex(),
            "envelopes": [
                {"header": each.encode().hex(), "secrets": [secret.hex() for secret in secrets]}
                for each, secrets in zip(recovery.headers, recovery.secrets, strict=True)
            ],
        }
    )
    start = MAGIC + salt + nonce
    return start + AESGCM(_key(passphrase, salt)).encrypt(nonce, contents, start)


def read(data: bytes, passphrase: str) -> Recovery:
    """Raises Refused: recovery_file (not one, or cut short), recovery_passphrase (wrong, or the file was changed)."""
    first = len(MAGIC) + _SALT_BYTES + _NONCE_BYTES
    if not first + _TAG_BYTES < len(data) <= FILE_BYTES_MAX or data[: len(MAGIC)] != MAGIC:
        raise Refused("recovery_file")
    salt, nonce = data[len(MAGIC) : len(MAGIC) + _SALT_BYTES], data[first - _NONCE_BYTES : first]
    try:
        contents = AESGCM(_key(passphrase, salt)).decrypt(nonce, data[first:], data[:first])
    except InvalidTag:
        raise Refused("recovery_passphrase") from None
    return _contents(jcs.loads(contents))


def _contents(value: Any) -> Recovery:
    """Only the bidder's own program wrote what authenticates; it is still read strictly."""
    try:
        if set(value) != _FIELDS or value["v"] != 1:
            raise Refused("recovery_file")
        envelopes = value["envelopes"]
        read_back = Recovery(
            lot=value["lot"],
            salt=bytes.fromhex(value["salt"]),
            submit_signature=bytes.fromhex(value["submit_signature"]),
            headers=tuple(header.parse(bytes.fromhex(each["header"])) for each in envelopes),
            secrets=tuple(tuple(bytes.fromhex(secret) for secret in each["secrets"]) for each in envelopes),
        )
    except (KeyError, TypeError, ValueError):
        raise Refused("recovery_file") from None
    if any(len(secret) != lock.SECRET_BYTES for secrets in read_back.secrets for secret in secrets):
        raise Refused("recovery_file")
    return read_back


def _key(passphrase: str, salt: bytes) -> bytes:
    # NFC, so that the same words typed on another system are the same key.
    words = unicodedata.normalize("NFC", passphrase).encode("utf-8", "surrogatepass")
    return Argon2id(salt=salt, length=32, iterations=_PASSES, lanes=_LANES, memory_cost=_MEMORY_KIB).derive(words)
