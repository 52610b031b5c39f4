"""Certificates of organisations: X.509 with ECDSA P-256 that name an organisation and its 统一社会信用代码 (USCC).

docs/spec/ledger.md §8. The rules upheld here:
- subject = C CN, O and CN the organisation's name, serialNumber (2.5.4.5) its USCC of 18 characters; one organisation
  is one USCC, whatever its name and however many certificates it has;
- the key is P-256, a named curve, uncompressed: its SPKI is 91 bytes (docs/spec/envelope.md);
- a chain is validated by the path validator of `cryptography` (RFC 5280) at the instant that is judged, to a root of
  trust.json; a revocation counts from its date on, so an old signature stays judged as it was;
- nothing here reads a clock: serial numbers and validity are arguments.

A real hall takes certificates of licensed certification authorities; `Authority` serves demo halls and tests.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import verification
from cryptography.x509.oid import NameOID

from crypto import signing
from crypto.refusal import Refused

# GB 32100-2015: digits and capital letters without I, O, S, V, Z. Registration checks the check digit.
_USCC = re.compile(r"[0-9A-HJ-NP-RT-UW-Y]{18}")
INTERMEDIATES_MAX = 2
CRL_BYTES_MAX = 16 * 1024 * 1024
NAME_CHARACTERS_MAX = 64
STORES_KEPT_MAX = 8

_SIGNING_ONLY = x509.KeyUsage(
    digital_signature=True,
    content_commitment=True,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
_CERTIFYING_ONLY = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True, slots=True)
class Subject:
    """The organisation a certificate names: name, USCC (18 characters), public key (SPKI DER, 91 bytes)."""

    name: str
    uscc: str
    spki: bytes


@dataclass(frozen=True, slots=True)
class Authority:
    """A certification authority of a demo hall: its key and its self-signed certificate (DER)."""

    private: ec.EllipticCurvePrivateKey
    certificate: bytes

    @classmethod
    def create(
        cls, name: str, *, key: ec.EllipticCurvePrivateKey, serial: int, not_before: datetime, not_after: datetime
    ) -> Authority:
        """A root that may issue organisations' certificates directly (path length 0)."""
        subject = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"), _attribute(NameOID.COMMON_NAME, name)])
        public = key.public_key()
        builder = (
            _builder(subject, subject, public, serial, not_before, not_after)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_CERTIFYING_ONLY, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )
        return cls(key, _sign(builder, key))

    def issue(self, request: bytes, *, serial: int, not_before: datetime, not_after: datetime) -> bytes:
        """The certificate (DER) for a request made by request(); the caller has checked who asks.

        Raises what verify_request raises.
        """
        subject = verify_request(request)
        public = signing.p256_public(subject.spki)
        issuer = x509.load_der_x509_certificate(self.certificate)
        builder = (
            _builder(_name(subject.name, subject.uscc), issuer.subject, public, serial, not_before, not_after)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_SIGNING_ONLY, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.private.public_key()), critical=False
            )
        )
        return _sign(builder, self.private)

    def crl(self, revoked: Mapping[int, datetime], *, number: int, at: datetime, next_update: datetime) -> bytes:
        """The revocation list (DER) of this authority: serial number → instant of revocation, made `at`."""
        issuer = x509.load_der_x509_certificate(self.certificate)
        builder = x509.CertificateRevocationListBuilder(issuer.subject, at, next_update)
        for serial, since in sorted(revoked.items()):
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder(serial, since.replace(microsecond=0)).build()
            )
        builder = builder.add_extension(x509.CRLNumber(number), critical=False).add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.private.public_key()), critical=False
        )
        return builder.sign(self.private, hashes.SHA256(), ecdsa_deterministic=True).public_bytes(Encoding.DER)


def request(name: str, uscc: str, *, key: ec.EllipticCurvePrivateKey) -> bytes:
    """A PKCS#10 request (DER) that proves possession of `key` and asks for `name` and `uscc`."""
    signing.spki(key.public_key())
    builder = x509.CertificateSigningRequestBuilder(_name(name, uscc))
    return builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True).public_bytes(Encoding.DER)


def verify_request(der: bytes) -> Subject:
    """Prove that whoever made a request has its key; returns what it asks for.

    Raises Refused: certificate_request, certificate_subject, key_not_p256.
    """
    try:
        parsed = x509.load_der_x509_csr(der)
        valid = parsed.is_signature_valid
        public = parsed.public_key()
    except ValueError as error:
        raise Refused("certificate_request", request_bytes=len(der)) from error
    if not valid:
        raise Refused("certificate_request", request_bytes=len(der))
    return _subject(parsed.subject, public)


def read_subject(certificate: bytes) -> Subject:
    """What a certificate (DER) says, nothing verified.

    Raises Refused: certificate, certificate_subject, key_not_p256.
    """
    parsed, public = signing.load_certificate(certificate)
    return _subject(parsed.subject, public)


def verify_chain(
    certificate: bytes,
    ca_roots: Sequence[bytes],
    *,
    at: datetime,
    crl: bytes | None = None,
    intermediates: Sequence[bytes] = (),
) -> Subject:
    """Prove that `certificate` (DER) was valid at the instant `at` under one of `ca_roots` (DER); returns its subject.

    1. the key is P-256 and the subject complete; 2. `at` lies in the validity; 3. a path over at most two
    intermediates leads to a root, every signature, name constraint and usage checked; 4. if a `crl` (DER) of the issuer
    is given: it is signed by the issuer, still current at `at`, and does not revoke the certificate at or before `at`.
    Raises Refused: certificate, certificate_subject, key_not_p256, certificate_not_yet_valid, certificate_expired,
    certificate_usage, certificate_issuer_unknown, crl_unreadable, crl_issuer, crl_stale, certificate_revoked.
    """
    parsed, public = signing.load_certificate(certificate)
    subject = _subject(parsed.subject, public)
    if at < parsed.not_valid_before_utc:
        raise Refused("certificate_not_yet_valid", name=subject.name, since=parsed.not_valid_before_utc)
    if at > parsed.not_valid_after_utc:
        raise Refused("certificate_expired", name=subject.name, until=parsed.not_valid_after_utc)
    _require_signing(parsed, subject.name)
    chain = _path(parsed, ca_roots, intermediates, at, subject.name)
    if crl is not None:
        _require_unrevoked(parsed, chain[1], crl, at, subject.name)
    return subject


def validity(certificate: bytes) -> tuple[datetime, datetime]:
    """From when to when a certificate (DER) says it is valid, aware UTC. Raises Refused: certificate, key_not_p256."""
    parsed, _ = signing.load_certificate(certificate)
    return parsed.not_valid_before_utc, parsed.not_valid_after_utc


def serial_number(certificate: bytes) -> int:
    """The serial number of a certificate (DER), as a revocation list names it."""
    parsed, _ = signing.load_certificate(certificate)
    return parsed.serial_number


def _path(
    certificate: x509.Certificate, ca_roots: Sequence[bytes], intermediates: Sequence[bytes], at: datetime, name: str
) -> list[x509.Certificate]:
    """The validated path, leaf first, root last."""
    # The validator's own profile for leaves wants the name of a web server; organisations have none. What a leaf must
    # have is checked in _require_signing, what an issuer must have by the validator's profile for authorities.
    policy = verification.ExtensionPolicy.permit_all()
    try:
        verifier = (
            verification.PolicyBuilder()
            .store(_store(tuple(ca_roots)))
            .time(at)
            .max_chain_depth(INTERMEDIATES_MAX)
            .extension_policies(ca_policy=verification.ExtensionPolicy.webpki_defaults_ca(), ee_policy=policy)
            .build_client_verifier()
        )
        between = [x509.load_der_x509_certificate(each) for each in intermediates]
        return verifier.verify(certificate, between).chain
    except (verification.VerificationError, ValueError) as error:
        raise Refused("certificate_issuer_unknown", name=name, reason=str(error)[:200]) from error


@lru_cache(maxsize=STORES_KEPT_MAX)
def _store(ca_roots: tuple[bytes, ...]) -> verification.Store:
    """The roots as the validator wants them; a hall has one set of them, a verifier one for thousands of bids."""
    return verification.Store([x509.load_der_x509_certificate(root) for root in ca_roots])


def _require_signing(certificate: x509.Certificate, name: str) -> None:
    """A leaf: no authority, may sign, and has no critical extension that nobody here understands."""
    understood = {x509.BasicConstraints.oid, x509.KeyUsage.oid}
    try:
        extensions = certificate.extensions
        basic = extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except (ValueError, x509.ExtensionNotFound) as error:
        raise Refused("certificate_usage", name=name) from error
    unknown = [each.oid.dotted_string for each in extensions if each.critical and each.oid not in understood]
    if basic.ca or not usage.digital_signature or usage.key_cert_sign or unknown:
        raise Refused("certificate_usage", name=name)


def _require_unrevoked(
    certificate: x509.Certificate, issuer: x509.Certificate, crl: bytes, at: datetime, name: str
) -> None:
    if len(crl) > CRL_BYTES_MAX:
        raise Refused("crl_unreadable", bytes=len(crl))
    try:
        parsed = x509.load_der_x509_crl(crl)
    except ValueError as error:
        raise Refused("crl_unreadable", bytes=len(crl)) from error
    public = issuer.public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey | rsa.RSAPublicKey) or parsed.issuer != certificate.issuer:
        raise Refused("crl_issuer", name=name)
    if not parsed.is_signature_valid(public):
        raise Refused("crl_issuer", name=name)
    # A list that was to be replaced before `at` says nothing about `at`; a later one says when each was revoked.
    if parsed.next_update_utc is None or parsed.next_update_utc < at:
        raise Refused("crl_stale", next_update=parsed.next_update_utc)
    entry = parsed.get_revoked_certificate_by_serial_number(certificate.serial_number)
    if entry is not None and entry.revocation_date_utc <= at:
        raise Refused("certificate_revoked", name=name, since=entry.revocation_date_utc)


def _subject(name: x509.Name, public: object) -> Subject:
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise Refused("key_not_p256")
    organisation, uscc = _one(name, NameOID.ORGANIZATION_NAME), _one(name, NameOID.SERIAL_NUMBER)
    if not _USCC.fullmatch(uscc):
        raise Refused("certificate_subject", field="serialNumber")
    return Subject(organisation, uscc, signing.spki(public))


def _one(name: x509.Name, oid: x509.ObjectIdentifier) -> str:
    """The one value of an attribute: with two, two readers could see two organisations."""
    values = name.get_attributes_for_oid(oid)
    if len(values) != 1 or not isinstance(values[0].value, str) or not values[0].value.strip():
        raise Refused("certificate_subject", field=oid.dotted_string)
    return values[0].value


def _name(name: str, uscc: str) -> x509.Name:
    if not _USCC.fullmatch(uscc):
        raise Refused("certificate_subject", field="serialNumber")
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            _attribute(NameOID.ORGANIZATION_NAME, name),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, uscc),
            _attribute(NameOID.COMMON_NAME, name),
        ]
    )


def _attribute(oid: x509.ObjectIdentifier, name: str) -> x509.NameAttribute[str]:
    if not 0 < len(name.strip()) <= len(name) <= NAME_CHARACTERS_MAX:
        raise Refused("certificate_subject", field=oid.dotted_string)
    return x509.NameAttribute(oid, name)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    serial: int,
    not_before: datetime,
    not_after: datetime,
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=public,
        serial_number=serial,
        not_valid_before=not_before.replace(microsecond=0),
        not_valid_after=not_after.replace(microsecond=0),
    )


def _sign(builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> bytes:
    return builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True).public_bytes(Encoding.DER)
