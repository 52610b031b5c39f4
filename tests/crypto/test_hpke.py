"""HPKE: RFC 9180's vectors, agreement with the library, and keys that must be refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto.refusal import Refused
from crypto.sealing import hpke

VECTORS = Path(__file__).parents[1] / "vectors"
P = 2**255 - 19


def rfc9180() -> dict[str, str]:
    entries = json.loads((VECTORS / "rfc9180/base-x25519-p256-aes256gcm.json").read_text())
    return next(entry for entry in entries if entry["kem_id"] == 0x0020)


def test_rfc9180_derive_key_pair() -> None:
    vector = rfc9180()
    for material, secret, public in (("ikmE", "skEm", "pkEm"), ("ikmR", "skRm", "pkRm")):
        sk, pk = hpke.derive_key_pair(bytes.fromhex(vector[material]))
        assert (sk.hex(), pk.hex()) == (vector[secret], vector[public])


def test_rfc9180_sealing_gives_enc_and_key_schedule_of_the_vector() -> None:
    vector = rfc9180()
    enc, ct = hpke.seal_derand(
        bytes.fromhex(vector["pkRm"]), bytes.fromhex(vector["info"]), bytes.fromhex(vector["ikmE"]), b"message"
    )
    assert enc.hex() == vector["enc"]
    # The vector's messages carry an aad, ours never do: its key and nonce must open ours.
    aead = AESGCM(bytes.fromhex(vector["key"]))
    assert aead.decrypt(bytes.fromhex(vector["base_nonce"]), ct, b"") == b"message"
    first = vector["encryptions"][0]
    assert aead.encrypt(bytes.fromhex(first["nonce"]), bytes.fromhex(first["pt"]), bytes.fromhex(first["aad"])) == (
        bytes.fromhex(first["ct"])
    )


def test_library_opens_what_we_seal_and_only_under_the_same_info() -> None:
    sk, pk = hpke.derive_key_pair(b"trustee" * 5)
    enc, ct = hpke.seal_derand(pk, b"info", b"e" * 32, b"share")
    assert hpke.open(sk, enc, ct, b"info") == b"share"
    other, _ = hpke.derive_key_pair(b"another" * 5)
    for key, info, sealed in (
        (sk, b"INFO", ct),
        (other, b"info", ct),
        (sk, b"info", ct[:-1] + bytes([ct[-1] ^ 1])),
        (sk, b"info", ct[:3]),
    ):
        with pytest.raises(Refused) as err:
            hpke.open(key, enc, sealed, info)
        assert err.value.code == "hpke_unopenable"


def test_low_order_enc_is_unopenable_not_a_crash() -> None:
    sk, _ = hpke.derive_key_pair(b"trustee" * 5)
    with pytest.raises(Refused) as err:
        hpke.open(sk, bytes(32), bytes(48), b"info")
    assert err.value.code == "hpke_unopenable"


def bad_keys() -> list[tuple[bytes, str]]:
    entries = json.loads((VECTORS / "sealbid/keys.json").read_text())
    return [(bytes.fromhex(entry["key"]), entry["code"]) for entry in entries["refused"]]


@pytest.mark.parametrize(("key", "code"), bad_keys())
def test_public_key_refused(key: bytes, code: str) -> None:
    with pytest.raises(Refused) as err:
        hpke.check_public_key(key)
    assert err.value.code == code
    if code == "key_low_order":
        with pytest.raises(Refused):
            hpke.seal_derand(key, b"", b"e" * 32, b"share")


def test_every_low_order_key_gives_a_zero_shared_secret_with_any_key() -> None:
    """The table is complete and right: the library itself refuses each of its keys."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    refused = [key for key, code in bad_keys() if code == "key_low_order"]
    assert len(refused) == 5
    for key in refused:
        with pytest.raises(ValueError):
            X25519PrivateKey.from_private_bytes(b"s" * 32).exchange(X25519PublicKey.from_public_bytes(key))


def test_generated_keys_are_accepted() -> None:
    sk, pk = hpke.generate(entropy=lambda length: b"\x05" * length)
    hpke.check_public_key(pk)
    assert hpke.public_key(sk) == pk
