"""Signatures and how acts are signed: round trips, one spelling only, and every way to pass off another's signature."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from crypto import certificates, jcs, signing
from crypto.refusal import Refused

NOT_BEFORE, NOT_AFTER = datetime(2026, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC)
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
PRIME = 2**255 - 19
ACT: dict[str, Any] = {"v": 1, "kind": "deadline", "deadline": "2026-04-01T01:00:00.000Z", "reason": "extension"}


def seeded(seed: str) -> Callable[[int], bytes]:
    return lambda length: hashlib.shake_256(seed.encode()).digest(length)


def trustee(seed: str = "trustee") -> signing.Ed25519Signer:
    return signing.Ed25519Signer.generate(entropy=seeded(seed))


def organisation(seed: str = "owner", name: str = "某某公路局") -> signing.P256Signer:
    key = signing.new_p256(entropy=seeded("demo authority"))
    authority = certificates.Authority.create("演练", key=key, serial=1, not_before=NOT_BEFORE, not_after=NOT_AFTER)
    private = signing.new_p256(entropy=seeded(seed))
    request = certificates.request(name, "91440101MA5CTR0001", key=private)
    return signing.P256Signer(private, authority.issue(request, serial=2, not_before=NOT_BEFORE, not_after=NOT_AFTER))


def test_message_of_an_act_leaves_out_signatures_only() -> None:
    message = signing.act_message({**ACT, "signatures": [{"by": "x"}]})
    assert message == b"sealbid/v1 act\x00" + hashlib.sha256(jcs.dumps(ACT)).digest()
    assert signing.act_message({**ACT, "reason": "hold"}) != message


def test_act_signed_by_an_organisation_and_a_root_proves_both_in_order() -> None:
    owner, root = organisation(), trustee("root")
    signed = signing.sign_act(signing.sign_act(ACT, signer=owner, by="owner"), signer=root, by="root_centre")
    first, second = signing.verify_act(signed)
    assert (first.by, first.scheme, first.certificate) == ("owner", "p256", owner.certificate)
    assert (second.by, second.scheme, second.key, second.certificate) == ("root_centre", "ed25519", root.key, None)
    assert "signatures" not in ACT


def test_signatures_are_deterministic() -> None:
    owner, root = organisation(), trustee()
    assert owner.sign(b"m") == owner.sign(b"m") and len(owner.sign(b"m")) == 64
    assert root.sign(b"m") == root.sign(b"m")
    assert organisation().certificate == owner.certificate


def test_p256_accepts_both_s_and_its_complement_and_proves_the_same_key() -> None:
    owner = organisation()
    signature = owner.sign(b"m")
    s = int.from_bytes(signature[32:], "big")
    twin = signature[:32] + (ORDER - s).to_bytes(32, "big")
    spki = signing.certificate_spki(owner.certificate)
    assert signing.verify_p256(spki, signature, b"m") == signing.verify_p256(spki, twin, b"m") == spki


@pytest.mark.parametrize(
    "signature",
    [b"", bytes(64), bytes(63), bytes(65), b"\xff" * 64, ORDER.to_bytes(32, "big") + (1).to_bytes(32, "big")],
)
def test_signature_out_of_range_or_length_is_refused(signature: bytes) -> None:
    with pytest.raises(Refused) as err:
        signing.verify_p256(signing.certificate_spki(organisation().certificate), signature, b"m")
    assert err.value.code == "signature"
    with pytest.raises(Refused) as err:
        signing.verify_ed25519(trustee().key, signature, b"m")
    assert err.value.code == "signature"


def test_der_signature_is_refused_where_raw_is_meant() -> None:
    owner = organisation()
    der = owner.private.sign(b"m", ec.ECDSA(hashes.SHA256()))
    with pytest.raises(Refused, match="signature"):
        signing.verify_p256(signing.certificate_spki(owner.certificate), der, b"m")


def test_altered_act_is_refused() -> None:
    signed = signing.sign_act(ACT, signer=organisation(), by="owner")
    with pytest.raises(Refused) as err:
        signing.verify_act({**signed, "deadline": "2026-05-01T01:00:00.000Z"})
    assert err.value.code == "signature"


def test_signature_moved_to_another_key_is_refused() -> None:
    signed = signing.sign_act(ACT, signer=trustee(), by="trustee")
    for other in (trustee("other").key, organisation().key):
        with pytest.raises(Refused) as err:
            signing.verify_act({**signed, "signatures": [{**signed["signatures"][0], "key": other.hex()}]})
        assert err.value.code == "signature"


def test_role_beside_a_signature_is_not_proved_by_it() -> None:
    signed = signing.sign_act(ACT, signer=trustee(), by="trustee")
    renamed = {**signed, "signatures": [{**signed["signatures"][0], "by": "root_supervision"}]}
    (proved,) = signing.verify_act(renamed)
    assert proved.key == trustee().key, "authority is the key's; the word is free"


def test_one_key_counts_once() -> None:
    signed = signing.sign_act(ACT, signer=trustee(), by="trustee")
    with pytest.raises(Refused, match="signature_repeated"):
        signing.sign_act(signed, signer=trustee(), by="root_centre")
    with pytest.raises(Refused, match="signature_repeated"):
        signing.verify_act({**signed, "signatures": signed["signatures"] * 2})


def test_unsigned_act_is_refused() -> None:
    for signatures in ({}, {"signatures": []}):
        with pytest.raises(Refused, match="act_unsigned"):
            signing.verify_act({**ACT, **signatures})


@pytest.mark.parametrize(
    "change",
    [
        {"key": "AB" * 32},
        {"sig": "0g"},
        {"sig": 1},
        {"by": ""},
        {"key": "ab " * 32},
        {"extra": ""},
    ],
)
def test_signature_entry_has_one_spelling(change: dict[str, Any]) -> None:
    signed = signing.sign_act(ACT, signer=trustee(), by="trustee")
    with pytest.raises(Refused) as err:
        signing.verify_act({**signed, "signatures": [{**signed["signatures"][0], **change}]})
    assert err.value.code == "act_signatures"


def test_upper_case_signature_is_another_spelling_and_refused() -> None:
    signed = signing.sign_act(ACT, signer=trustee(), by="trustee")
    entry = signed["signatures"][0]
    with pytest.raises(Refused, match="act_signatures"):
        signing.verify_act({**signed, "signatures": [{**entry, "sig": entry["sig"].upper()}]})


def test_signature_without_its_leading_zero_is_refused() -> None:
    owner = organisation()
    spki = signing.certificate_spki(owner.certificate)
    message = next(each for each in map(bytes, ([n >> 8, n & 255] for n in range(65_536))) if owner.sign(each)[32] == 0)
    signature = owner.sign(message)
    assert signing.verify_p256(spki, signature, message) == spki
    with pytest.raises(Refused, match="signature"):
        signing.verify_p256(spki, signature[:32] + signature[33:], message)


def test_signature_entries_that_are_no_list_of_objects_are_refused() -> None:
    for signatures in ("text", {"by": "x"}, [1], [["by"]], [{}] * 17):
        with pytest.raises(Refused, match="act_signatures"):
            signing.verify_act({**ACT, "signatures": signatures})


def scaled(y: int, x: int, times: int) -> tuple[int, int]:
    """Point multiplication on edwards25519 by doubling; `times` is a power of two."""
    d = -121665 * pow(121666, -1, PRIME) % PRIME
    while times > 1:
        t = d * x * x * y * y % PRIME
        x, y = 2 * x * y * pow(1 + t, -1, PRIME) % PRIME, (y * y + x * x) * pow(1 - t, -1, PRIME) % PRIME
        times //= 2
    return y, x


def test_low_order_and_non_canonical_ed25519_keys_are_refused() -> None:
    """Under such a key a signature of somebody else, or of nobody, may verify."""
    d = -121665 * pow(121666, -1, PRIME) % PRIME
    low = sorted(signing._ED25519_LOW_ORDER_Y)
    for y in low:
        square = (y * y - 1) * pow(d * y * y + 1, -1, PRIME) % PRIME
        x = pow(square, (PRIME + 3) // 8, PRIME)
        x = x if x * x % PRIME == square else x * pow(2, (PRIME - 1) // 4, PRIME) % PRIME
        assert x * x % PRIME == square and scaled(y, x, 8) == (1, 0), "the constant is of low order indeed"
        for sign in (0, 1 << 255):
            with pytest.raises(Refused, match="key_not_ed25519"):
                signing.verify_ed25519((y | sign).to_bytes(32, "little"), bytes(64), b"m")
    for y in (PRIME, PRIME + 1, 2**255 - 1):
        with pytest.raises(Refused, match="key_not_ed25519"):
            signing.ed25519_public(y.to_bytes(32, "little"))
    with pytest.raises(Refused, match="key_not_ed25519"):
        signing.ed25519_public(bytes(31))


def test_keys_of_other_curves_and_forms_are_refused() -> None:
    other = ec.generate_private_key(ec.SECP384R1()).public_key()
    with pytest.raises(Refused, match="key_not_p256"):
        signing.spki(other)
    p256 = signing.new_p256(entropy=seeded("k")).public_key()
    good = signing.spki(p256)
    assert signing.spki(signing.p256_public(good)) == good and len(good) == 91
    compressed = p256.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    for bad in (
        good[:-1],
        good[:-32] + bytes(32),
        b"\x30\x39" + good[2:26] + compressed,
        good[:26] + b"\x06" + good[27:],
    ):
        with pytest.raises(Refused, match="key_not_p256"):
            signing.p256_public(bad)


def test_key_files_come_back_and_wrong_ones_are_refused() -> None:
    owner, root = organisation(), trustee()
    for password in (None, b"secret"):
        assert signing.P256Signer.from_pem(owner.to_pem(password=password), password=password).key == owner.key
        assert signing.Ed25519Signer.from_pem(root.to_pem(password=password), password=password).key == root.key
    for read, pem, password in (
        (signing.Ed25519Signer.from_pem, owner.to_pem(), None),
        (signing.P256Signer.from_pem, root.to_pem(), None),
        (signing.Ed25519Signer.from_pem, root.to_pem(password=b"secret"), b"wrong"),
        (signing.Ed25519Signer.from_pem, root.to_pem(password=b"secret"), None),
        (signing.Ed25519Signer.from_pem, b"no key", None),
        (signing.P256Signer.from_pem, owner.to_pem().split(b"-----BEGIN CERT")[0], None),
    ):
        with pytest.raises(Refused, match="key_file"):
            read(pem, password=password)


def test_certificate_of_another_key_is_no_signer() -> None:
    with pytest.raises(Refused, match="certificate_key_differs"):
        signing.P256Signer(signing.new_p256(entropy=seeded("thief")), organisation().certificate)
    for bad in (b"", b"not a certificate", bytes(9000)):
        with pytest.raises(Refused, match="certificate"):
            signing.certificate_spki(bad)


def test_label_ends_at_its_zero_byte() -> None:
    assert signing.labelled("sealbid/v1 act", bytes(32)) == b"sealbid/v1 act" + bytes(33)
