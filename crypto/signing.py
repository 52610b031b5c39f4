"""Signatures: ECDSA P-256 for organisations, Ed25519 for the log, trustees, witnesses and roots; how an act is signed.

docs/spec/ledger.md §1 and §2. The rules upheld here:
- every signed message is `label || 0x00 || 32-byte hash`, so a signature for one purpose is worthless for another;
- P-256 signatures are raw r‖s, 64 bytes, made deterministically (RFC 6979); s and n − s are both accepted, nothing is
  identified by its signature;
- who signed an act is decided by the key alone; the word `by` beside it is outside the signed bytes and proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any, Literal, Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from crypto import jcs
from crypto.refusal import Refused

ACT_LABEL = "sealbid/v1 act"
SIGNATURE_BYTES = 64
ED25519_PUBLIC_BYTES = 32
P256_SPKI_BYTES = 91
CERTIFICATE_BYTES_MAX = 8192
CERTIFICATES_KEPT_MAX = 256
"""What one bid presents is read for its chain, its signature and its revocation: parsed once."""
SIGNATURES_MAX = 16

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_P256_SPKI_PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
_ED25519_PRIME = 2**255 - 19
# The y coordinates of the points whose order divides 8: such a key "verifies" signatures that nobody made.
_ED25519_LOW_ORDER_Y = frozenset(
    {
        0,
        1,
        _ED25519_PRIME - 1,
        int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
        int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
    }
)
_ECDSA_SHA256 = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)

Scheme = Literal["ed25519", "p256"]


class Signer(Protocol):
    """Somebody who can sign: `key` is what stands beside the signature, `sign` makes 64 bytes over a whole message."""

    @property
    def key(self) -> bytes:
        """32 bytes of an Ed25519 public key, or the DER of the X.509 certificate of a P-256 key."""
        ...

    def sign(self, message: bytes) -> bytes:
        """A 64-byte signature over `message`."""
        ...


@dataclass(frozen=True, slots=True)
class ProvedSigner:
    """One signature of an act that verified. `by` is only what the signer was called; authority comes from `key`."""

    by: str
    scheme: Scheme
    key: bytes

    @property
    def certificate(self) -> bytes | None:
        """The certificate (DER) of a P-256 signer; its chain is still to be verified (crypto.certificates)."""
        return self.key if self.scheme == "p256" else None


@dataclass(frozen=True, slots=True)
class Ed25519Signer:
    """A signer of the hall's machinery: log, trustee, witness, duty key, root."""

    private: ed25519.Ed25519PrivateKey

    @classmethod
    def generate(cls, *, entropy: Callable[[int], bytes]) -> Ed25519Signer:
        """A new key from 32 bytes of `entropy`."""
        return cls(ed25519.Ed25519PrivateKey.from_private_bytes(entropy(32)))

    @classmethod
    def from_pem(cls, pem: bytes, *, password: bytes | None = None) -> Ed25519Signer:
        """Read a PKCS#8 PEM; Refused("key_file") when it is another kind of key or the password is wrong."""
        private = _load_private(pem, password)
        if not isinstance(private, ed25519.Ed25519PrivateKey):
            raise Refused("key_file", reason="not an Ed25519 key")
        return cls(private)

    def to_pem(self, *, password: bytes | None = None) -> bytes:
        """PKCS#8 PEM, encrypted when a password is given."""
        return _dump_private(self.private, password)

    @property
    def key(self) -> bytes:
        """The 32-byte public key."""
        return self.private.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """RFC 8032 Ed25519, 64 bytes."""
        return sign_ed25519(self.private, message)


@dataclass(frozen=True, slots=True)
class P256Signer:
    """A signer of an organisation: its private key and the certificate that names it."""

    private: ec.EllipticCurvePrivateKey
    certificate: bytes

    def __post_init__(self) -> None:
        if spki(self.private.public_key()) != certificate_spki(self.certificate):
            raise Refused("certificate_key_differs")

    @classmethod
    def from_pem(cls, pem: bytes, *, password: bytes | None = None) -> P256Signer:
        """Read one PEM file that holds the private key and its certificate; Refused("key_file") otherwise."""
        private = _load_private(pem, password)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise Refused("key_file", reason="not a P-256 key")
        try:
            certificates = x509.load_pem_x509_certificates(pem)
        except ValueError as error:
            raise Refused("key_file", reason="no certificate in it") from error
        return cls(private, certificates[0].public_bytes(serialization.Encoding.DER))

    def to_pem(self, *, password: bytes | None = None) -> bytes:
        """The private key (PKCS#8, encrypted when a password is given) and the certificate, one PEM after the other."""
        certificate = x509.load_der_x509_certificate(self.certificate)
        return _dump_private(self.private, password) + certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key(self) -> bytes:
        """The certificate, DER."""
        return self.certificate

    def sign(self, message: bytes) -> bytes:
        """ECDSA P-256 with SHA-256, raw r‖s, 64 bytes."""
        return sign_p256(self.private, message)


def labelled(label: str, digest: bytes) -> bytes:
    """The message that is signed for a purpose: ASCII `label`, one zero byte, a 32-byte hash."""
    assert len(digest) == 32 and "\x00" not in label
    return label.encode("ascii") + b"\x00" + digest


def act_message(act: Mapping[str, Any]) -> bytes:
    """What every signature of an act covers: "sealbid/v1 act\\0" || H(JCS(act without `signatures`))."""
    unsigned = {name: value for name, value in act.items() if name != "signatures"}
    return labelled(ACT_LABEL, sha256(jcs.dumps(unsigned)).digest())


def sign_act(act: Mapping[str, Any], *, signer: Signer, by: str) -> dict[str, Any]:
    """A copy of `act` with one more entry in `signatures`: {"by", "key" hex, "sig" hex}.

    `by` names the role a person reads. Refused("signature_repeated") when this key has signed already.
    """
    signatures = list(act.get("signatures", []))
    key = signer.key.hex()
    if any(each["key"] == key for each in signatures):
        raise Refused("signature_repeated", by=by)
    entry = {"by": by, "key": key, "sig": signer.sign(act_message(act)).hex()}
    return {**act, "signatures": [*signatures, entry]}


def verify_act(act: Mapping[str, Any]) -> list[ProvedSigner]:
    """Verify every signature of an act and return who signed, in the act's order; at least one.

    Raises Refused("act_unsigned" | "act_signatures" | "signature_repeated" | "signature"). Whether these signers may
    do this act is for the caller, who has the roots, the roster and the roles.
    """
    signatures = act.get("signatures")
    if not signatures:
        raise Refused("act_unsigned", kind=act.get("kind"))
    if not isinstance(signatures, list) or len(signatures) > SIGNATURES_MAX:
        raise Refused("act_signatures", kind=act.get("kind"))
    message = act_message(act)
    proved: list[ProvedSigner] = []
    for entry in signatures:
        by, key, signature = _signature_entry(entry)
        if any(each.key == key for each in proved):
            raise Refused("signature_repeated", by=by)
        proved.append(_prove(by, key, signature, message))
    return proved


def sign_p256(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """ECDSA P-256 over SHA-256(message), deterministic (RFC 6979); 64 bytes raw r‖s."""
    r, s = decode_dss_signature(key.sign(message, _ECDSA_SHA256))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def verify_p256(public: bytes | ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> bytes:
    """Verify 64 bytes raw r‖s under a P-256 key (SPKI DER or key object); returns the SPKI DER that signed.

    Raises Refused("signature"), or Refused("key_not_p256") when the key is another kind.
    """
    # A key that was read has one spelling, so what it was read from is its SPKI.
    key, proved = (p256_public(public), public) if isinstance(public, bytes) else (public, spki(public))
    if len(signature) != SIGNATURE_BYTES:
        raise Refused("signature", scheme="p256")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        key.verify(encode_dss_signature(r, s), message, _ECDSA_SHA256)
    except InvalidSignature as error:
        raise Refused("signature", scheme="p256") from error
    return proved


def sign_ed25519(key: ed25519.Ed25519PrivateKey, message: bytes) -> bytes:
    """RFC 8032 Ed25519, 64 bytes."""
    return key.sign(message)


def verify_ed25519(public: bytes, signature: bytes, message: bytes) -> bytes:
    """Verify a 64-byte Ed25519 signature under a 32-byte public key; returns the key. Raises Refused("signature")."""
    key = ed25519_public(public)
    try:
        key.verify(signature, message)
    except InvalidSignature as error:
        raise Refused("signature", scheme="ed25519") from error
    return public


def ed25519_public(public: bytes) -> ed25519.Ed25519PublicKey:
    """A 32-byte key, canonical and not of low order, else Refused("key_not_ed25519")."""
    if len(public) != ED25519_PUBLIC_BYTES:
        raise Refused("key_not_ed25519", key_bytes=len(public))
    y = int.from_bytes(public, "little") & (2**255 - 1)
    if y >= _ED25519_PRIME or y in _ED25519_LOW_ORDER_Y:
        raise Refused("key_not_ed25519", key_bytes=len(public))
    return ed25519.Ed25519PublicKey.from_public_bytes(public)


def p256_public(spki_der: bytes) -> ec.EllipticCurvePublicKey:
    """A SubjectPublicKeyInfo: P-256, named curve, uncompressed, 91 bytes; else Refused("key_not_p256")."""
    if len(spki_der) != P256_SPKI_BYTES or not spki_der.startswith(_P256_SPKI_PREFIX):
        raise Refused("key_not_p256", key_bytes=len(spki_der))
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), spki_der[len(_P256_SPKI_PREFIX) - 1 :])
    except ValueError as error:
        raise Refused("key_not_p256", key_bytes=len(spki_der)) from error


def spki(public: ec.EllipticCurvePublicKey) -> bytes:
    """The 91-byte SubjectPublicKeyInfo DER of a P-256 key; Refused("key_not_p256") for another curve."""
    if not isinstance(public.curve, ec.SECP256R1):
        raise Refused("key_not_p256", curve=public.curve.name)
    return public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


@lru_cache(maxsize=CERTIFICATES_KEPT_MAX)
def load_certificate(certificate: bytes) -> tuple[x509.Certificate, ec.EllipticCurvePublicKey]:
    """An X.509 certificate (DER) of a P-256 key, parsed, and that key; Refused("certificate" | "key_not_p256")."""
    if len(certificate) > CERTIFICATE_BYTES_MAX:
        raise Refused("certificate", certificate_bytes=len(certificate))
    try:
        parsed = x509.load_der_x509_certificate(certificate)
        public = parsed.public_key()
    except ValueError as error:
        raise Refused("certificate", certificate_bytes=len(certificate)) from error
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise Refused("key_not_p256")
    if not isinstance(public.curve, ec.SECP256R1):
        raise Refused("key_not_p256", curve=public.curve.name)
    return parsed, public


def certificate_spki(certificate: bytes) -> bytes:
    """The SPKI DER in an X.509 certificate (DER) of a P-256 key; Refused("certificate" | "key_not_p256")."""
    _, public = load_certificate(certificate)
    return spki(public)


def new_p256(*, entropy: Callable[[int], bytes]) -> ec.EllipticCurvePrivateKey:
    """A new P-256 private key from 48 bytes of `entropy` (FIPS 186-5 A.2.1: extra random bits, bias below 2^-64)."""
    scalar = int.from_bytes(entropy(48), "big") % (_P256_ORDER - 1) + 1
    return ec.derive_private_key(scalar, ec.SECP256R1())


def _prove(by: str, key: bytes, signature: bytes, message: bytes) -> ProvedSigner:
    if len(key) == ED25519_PUBLIC_BYTES:
        verify_ed25519(key, signature, message)
        return ProvedSigner(by, "ed25519", key)
    verify_p256(certificate_spki(key), signature, message)
    return ProvedSigner(by, "p256", key)


def _signature_entry(entry: object) -> tuple[str, bytes, bytes]:
    if not isinstance(entry, dict) or set(entry) != {"by", "key", "sig"}:
        raise Refused("act_signatures")
    by, key, signature = entry["by"], entry["key"], entry["sig"]
    if not (isinstance(by, str) and isinstance(key, str) and isinstance(signature, str)):
        raise Refused("act_signatures")
    try:
        key_bytes, signature_bytes = bytes.fromhex(key), bytes.fromhex(signature)
    except ValueError as error:
        raise Refused("act_signatures", by=by) from error
    # One spelling only: lower case, no spaces. Otherwise the same act would have many leaves.
    if key_bytes.hex() != key or signature_bytes.hex() != signature or not by:
        raise Refused("act_signatures", by=by)
    return by, key_bytes, signature_bytes


def _load_private(pem: bytes, password: bytes | None) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(pem, password)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Refused("key_file", reason="not a private key, or a wrong password") from error


def _dump_private(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey, password: bytes | None) -> bytes:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        encryption = serialization.BestAvailableEncryption(password)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
