"""Certificates of organisations: an honest chain, and expired, revoked, borrowed, foreign and ambiguous ones."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from crypto import certificates, signing
from crypto.refusal import Refused

SHANGHAI = timezone(timedelta(hours=8))
NOT_BEFORE, NOT_AFTER = datetime(2026, 3, 2, 9, tzinfo=SHANGHAI), datetime(2027, 3, 2, 9, tzinfo=SHANGHAI)
AT = datetime(2026, 4, 1, tzinfo=UTC)
NAME, USCC = "南岭路桥有限公司", "91440101MA5CTR0001"


def seeded(seed: str) -> Callable[[int], bytes]:
    return lambda length: hashlib.shake_256(seed.encode()).digest(length)


def key(seed: str) -> ec.EllipticCurvePrivateKey:
    return signing.new_p256(entropy=seeded(seed))


def authority(seed: str = "authority", **changes: Any) -> certificates.Authority:
    given = {"serial": 1, "not_before": NOT_BEFORE, "not_after": NOT_AFTER + timedelta(days=999), **changes}
    return certificates.Authority.create("演练证书机构", key=key(seed), **given)


def issued(by: certificates.Authority | None = None, seed: str = "bidder", **changes: Any) -> bytes:
    request = certificates.request(NAME, USCC, key=key(seed))
    given = {"serial": 7, "not_before": NOT_BEFORE, "not_after": NOT_AFTER, **changes}
    return (by or authority()).issue(request, **given)


def handmade(
    attributes: list[tuple[x509.ObjectIdentifier, str]], *, extensions: Any = None, public: Any = None
) -> bytes:
    """A certificate the authority of this project would not write."""
    ca = authority()
    issuer = x509.load_der_x509_certificate(ca.certificate)
    builder = x509.CertificateBuilder(
        issuer_name=issuer.subject,
        subject_name=x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes]),
        public_key=public or key("bidder").public_key(),
        serial_number=9,
        not_valid_before=NOT_BEFORE,
        not_valid_after=NOT_AFTER,
    )
    for extension, critical in USUAL if extensions is None else extensions:
        builder = builder.add_extension(extension, critical=critical)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.private.public_key()), critical=False
    )
    return builder.sign(ca.private, hashes.SHA256()).public_bytes(Encoding.DER)


def usage(**changes: bool) -> x509.KeyUsage:
    names = "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign"
    flags = dict.fromkeys([*names.split(), "crl_sign", "encipher_only", "decipher_only"], False)
    return x509.KeyUsage(**{**flags, "digital_signature": True, **changes})


SUBJECT = [(NameOID.ORGANIZATION_NAME, NAME), (NameOID.SERIAL_NUMBER, USCC)]
USUAL = [(x509.BasicConstraints(False, None), True), (usage(), True)]


def test_enrolled_organisation_is_proved_by_its_certificate() -> None:
    subject = certificates.verify_chain(issued(), [authority().certificate], at=AT)
    assert subject == certificates.Subject(NAME, USCC, signing.spki(key("bidder").public_key()))
    assert len(subject.spki) == 91
    assert certificates.verify_chain(handmade(SUBJECT), [authority().certificate], at=AT) == subject
    assert issued() == issued(), "same arguments, same bytes"


def test_one_of_several_roots_is_enough() -> None:
    roots = [authority("another").certificate, authority().certificate]
    assert certificates.verify_chain(issued(), roots, at=AT).uscc == USCC


def test_certificate_of_an_unknown_or_namesake_authority_is_refused() -> None:
    for roots in ([authority("another").certificate], []):
        with pytest.raises(Refused) as err:
            certificates.verify_chain(issued(), roots, at=AT)
        assert err.value.code == "certificate_issuer_unknown"


def test_validity_ends_are_inclusive_and_outside_is_refused() -> None:
    roots = [authority().certificate]
    for at in (NOT_BEFORE, NOT_AFTER):
        assert certificates.verify_chain(issued(), roots, at=at).uscc == USCC
    with pytest.raises(Refused, match="certificate_not_yet_valid"):
        certificates.verify_chain(issued(), roots, at=NOT_BEFORE - timedelta(seconds=1))
    with pytest.raises(Refused, match="certificate_expired"):
        certificates.verify_chain(issued(), roots, at=NOT_AFTER + timedelta(seconds=1))


def test_authority_that_has_expired_certifies_nobody() -> None:
    short = authority(not_after=AT - timedelta(days=1))
    with pytest.raises(Refused, match="certificate_issuer_unknown"):
        certificates.verify_chain(issued(short), [short.certificate], at=AT)


def revocations(ca: certificates.Authority, since: datetime, **changes: Any) -> bytes:
    given = {"number": 1, "at": AT, "next_update": AT + timedelta(days=30), **changes}
    return ca.crl({7: since, 8: AT}, **given)


def test_revoked_certificate_is_refused_from_that_instant_on() -> None:
    ca, since = authority(), AT + timedelta(days=3)
    crl = revocations(ca, since)
    assert certificates.serial_number(issued()) == 7
    assert certificates.verify_chain(issued(), [ca.certificate], at=since - timedelta(seconds=1), crl=crl).uscc == USCC
    for at in (since, since + timedelta(days=9)):
        with pytest.raises(Refused) as err:
            certificates.verify_chain(issued(), [ca.certificate], at=at, crl=crl)
        assert err.value.code == "certificate_revoked"
    assert certificates.verify_chain(issued(serial=6), [ca.certificate], at=since, crl=crl).uscc == USCC


def test_stale_foreign_or_broken_revocation_list_is_refused() -> None:
    ca = authority()
    good = revocations(ca, AT)
    altered = good[:-1] + bytes([good[-1] ^ 1])
    late = AT + timedelta(days=31)
    for crl, at, code in (
        (good, late, "crl_stale"),
        (revocations(authority("another"), AT), AT, "crl_issuer"),
        (altered, AT, "crl_issuer"),
        (b"", AT, "crl_unreadable"),
        (issued(), AT, "crl_unreadable"),
    ):
        with pytest.raises(Refused) as err:
            certificates.verify_chain(issued(), [ca.certificate], at=at, crl=crl)
        assert err.value.code == code


@pytest.mark.parametrize(
    "subject",
    [
        SUBJECT[:1],
        SUBJECT[1:],
        [*SUBJECT, (NameOID.SERIAL_NUMBER, "91440101MA5CTR0002")],
        [*SUBJECT, (NameOID.ORGANIZATION_NAME, "别家公司")],
        [SUBJECT[0], (NameOID.SERIAL_NUMBER, "91440101MA5CTR000")],
        [SUBJECT[0], (NameOID.SERIAL_NUMBER, "91440101ma5ctr0001")],
        [SUBJECT[0], (NameOID.SERIAL_NUMBER, "91440101MAIOSVZ001")],
    ],
)
def test_subject_names_exactly_one_organisation(subject: list[tuple[x509.ObjectIdentifier, str]]) -> None:
    with pytest.raises(Refused) as err:
        certificates.verify_chain(handmade(subject), [authority().certificate], at=AT)
    assert err.value.code == "certificate_subject"


@pytest.mark.parametrize(
    "extensions",
    [
        [],
        [(x509.BasicConstraints(False, None), True)],
        [(x509.BasicConstraints(True, None), True), (usage(key_cert_sign=True), True)],
        [(x509.BasicConstraints(True, None), True), (usage(), True)],
        [(x509.BasicConstraints(False, None), True), (usage(key_cert_sign=True), True)],
        [(x509.BasicConstraints(False, None), True), (usage(digital_signature=False, key_agreement=True), True)],
        [*USUAL, (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)],
    ],
)
def test_certificate_that_is_not_for_signing_is_refused(extensions: list[tuple[x509.ExtensionType, bool]]) -> None:
    with pytest.raises(Refused) as err:
        certificates.verify_chain(handmade(SUBJECT, extensions=extensions), [authority().certificate], at=AT)
    assert err.value.code == "certificate_usage"


def test_organisation_cannot_certify_others() -> None:
    """A bidder's own certificate used as an authority for a made-up company."""
    borrowed = certificates.Authority(key("bidder"), issued())
    with pytest.raises(Refused, match="certificate_issuer_unknown"):
        certificates.verify_chain(
            issued(borrowed, seed="puppet"), [authority().certificate], at=AT, intermediates=[issued()]
        )


def test_root_itself_is_no_organisation() -> None:
    with pytest.raises(Refused, match="certificate_subject"):
        certificates.verify_chain(authority().certificate, [authority().certificate], at=AT)


def test_keys_of_other_kinds_are_refused() -> None:
    other_keys = (ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)), ec.generate_private_key(ec.SECP384R1()))
    for other in other_keys:
        with pytest.raises(Refused, match="key_not_p256"):
            certificates.verify_chain(handmade(SUBJECT, public=other.public_key()), [authority().certificate], at=AT)


def test_altered_certificate_is_refused() -> None:
    good = issued()
    altered = good.replace(USCC.encode(), b"91440101MA5CTR0009")
    with pytest.raises(Refused, match="certificate_issuer_unknown"):
        certificates.verify_chain(altered, [authority().certificate], at=AT)
    with pytest.raises(Refused, match="certificate"):
        certificates.verify_chain(good[:-1], [authority().certificate], at=AT)


def test_request_proves_its_key_and_an_altered_one_does_not() -> None:
    request = certificates.request(NAME, USCC, key=key("bidder"))
    assert certificates.verify_request(request).spki == signing.spki(key("bidder").public_key())
    for bad in (request.replace(USCC.encode(), b"91440101MA5CTR0009"), request[:-1], b""):
        with pytest.raises(Refused, match="certificate_request"):
            authority().issue(bad, serial=1, not_before=NOT_BEFORE, not_after=NOT_AFTER)
    for name, uscc in ((NAME, "123"), ("", USCC), ("  ", USCC), ("长" * 65, USCC)):
        with pytest.raises(Refused, match="certificate_subject"):
            certificates.request(name, uscc, key=key("bidder"))
