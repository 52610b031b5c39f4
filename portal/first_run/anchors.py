"""What two administrators bring for trust.json, judged one by one: authorities, roots, certificates, witnesses.

docs/spec/ledger.md §8, §9. Everything that comes in is public and is shown again with its fingerprint before both
confirm it; a file that holds a private key is refused and not kept. trust.json itself is judged by crypto/trust.py.

Whoever brings a false root or witness is found by comparing the fingerprint with what the supervisor and the witnesses
publish; nothing in this program can compare for people.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from crypto import certificates, jcs, signing, trust
from crypto.ledger import note
from crypto.refusal import Refused
from portal import folder
from portal.first_run.book import SIDES, Administrator, Book, Side, Witness
from trading.counter import strict

UPLOAD_BYTES_MAX = 64 * 1024
AUTHORITIES_MAX = 50
RSA_BITS_MIN = 2048
ROOT_LABEL = "tradehall/v1 root card"
QUORUM = 2
SUBJECT_CHARACTERS_SHOWN = 200
_BROKEN = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)


@dataclass(frozen=True, slots=True)
class Shown:
    """A certificate as a person compares it: names, validity, key, SHA-256 of its DER in pairs."""

    subject: str
    issuer: str
    since: datetime
    until: datetime
    key: str
    fingerprint: str


def authorities(data: bytes, known: Sequence[str], *, now: datetime) -> tuple[list[str], list[Refused]]:
    """The authorities' certificates in an upload (PEM, one or more), and everything that is wrong with it; none is to
    be taken while anything is wrong.

    Codes: upload_over_limit, upload_private_key, authority_unreadable, authority_key, authority_not_ca,
    authority_expired, authority_not_yet_valid, authority_known, authorities_too_many.
    """
    try:
        found = _pem(data)
    except Refused as refused:
        return [], [refused]
    wrong: list[Refused] = []
    taken: list[str] = []
    for each in found:
        text = each.public_bytes(Encoding.PEM).decode()
        try:
            _check_authority(each, now=now)
            if text in known or text in taken:
                raise Refused("authority_known", name=_name(each.subject))
        except Refused as refused:
            wrong.append(refused)
        taken.append(text)
    if len(known) + len(taken) > AUTHORITIES_MAX:
        wrong.append(Refused("authorities_too_many", limit=AUTHORITIES_MAX))
    return taken, wrong


def shown(pem: str) -> Shown:
    """A certificate as a person compares it; it was judged when it came."""
    one = x509.load_pem_x509_certificate(pem.encode())
    print_ = sha256(one.public_bytes(Encoding.DER)).hexdigest().upper()
    return Shown(
        _name(one.subject),
        _name(one.issuer),
        one.not_valid_before_utc,
        one.not_valid_after_utc,
        _key_words(one),
        ":".join(print_[at : at + 2] for at in range(0, len(print_), 2)),
    )


def own_certificate(data: bytes, who: Administrator, ca_roots: Sequence[str], *, now: datetime) -> str:
    """The signing certificate of an administrator's organisation (PEM or DER), as PEM.

    Raises Refused: authorities_first (no authority to judge by), upload_over_limit, upload_private_key,
    authority_unreadable, certificate_of_another, and what certificates.verify_chain refuses."""
    if not ca_roots:
        raise Refused("authorities_first")
    if data.lstrip().startswith(b"-----"):
        der = _pem(data)[0].public_bytes(Encoding.DER)
    elif len(data) > signing.CERTIFICATE_BYTES_MAX:
        raise Refused("upload_over_limit", limit=signing.CERTIFICATE_BYTES_MAX)
    else:
        der = data
    subject = certificates.verify_chain(der, [_der(each) for each in ca_roots], at=now)
    if (subject.uscc, subject.name) != (who.uscc, who.organisation):
        raise Refused("certificate_of_another", name=subject.name, uscc=subject.uscc)
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()


def root_card(side: str, signer: signing.Ed25519Signer) -> bytes:
    """What a root's own machine hands over: its public key, and a signature that proves it has the other half."""
    card = {"kind": "root", "side": side, "key": signer.key.hex()}
    proof = signer.sign(signing.labelled(ROOT_LABEL, sha256(jcs.dumps(card)).digest())).hex()
    return (json.dumps({**card, "proof": proof}, indent=1) + "\n").encode()


def read_root_card(data: bytes, side: Side) -> str:
    """The key (hex) in a root's card. Raises Refused: upload_over_limit, upload_private_key, root_card_unreadable,
    root_card_of_the_other_side, key_not_ed25519, signature."""
    card = _object(data, "root_card_unreadable", {"kind", "side", "key", "proof"})
    if card["kind"] != "root":
        raise Refused("root_card_unreadable")
    if card["side"] != side:
        raise Refused("root_card_of_the_other_side")
    try:
        key, proof = bytes.fromhex(card["key"]), bytes.fromhex(card["proof"])
    except ValueError as error:
        raise Refused("root_card_unreadable") from error
    told = {name: card[name] for name in ("kind", "side", "key")}
    signing.verify_ed25519(key, proof, signing.labelled(ROOT_LABEL, sha256(jcs.dumps(told)).digest()))
    return key.hex()


def witness(text: str, group: str, *, book: Book, by: Side) -> Witness:
    """A witness by its printed key. Raises Refused: verifier_key, witness_key_is_no_witness, witness_known,
    witness_of_the_other_side (each side brings its own; an independent one either), witnesses_too_many."""
    key = note.VerifierKey.parse(text)
    if key.kind != note.COSIGNATURE:
        raise Refused("witness_key_is_no_witness")
    side_of: Mapping[str, Side] = {"operation": "centre", "supervision": "supervision"}
    if side_of.get(group, by) != by:
        raise Refused("witness_of_the_other_side")
    if any(one.name == key.name or public_of(one) == key.public for one in book.witnesses):
        raise Refused("witness_known", name=key.name)
    if len(book.witnesses) >= trust.WITNESSES_MAX:
        raise Refused("witnesses_too_many", limit=trust.WITNESSES_MAX)
    for known in note.GROUPS:
        if group == known:
            return Witness(name=key.name, group=known, key=str(key), by=by)
    raise Refused("witness_key_is_no_witness")


def public_of(one: Witness) -> bytes:
    """A witness's key, 32 bytes."""
    return note.VerifierKey.parse(one.key).public


def trust_bytes(book: Book, hall: folder.Folder, *, now: datetime) -> bytes:
    """trust.json of a book in which nothing lacks. Raises what trust.load, certificates and own_certificate refuse: an
    authority that was taken out again may have been the one behind a certificate."""
    for side in SIDES:
        own_certificate(book.side(side).certificate.encode(), book.administrator(side), book.ca_roots, now=now)
    return trust.dump(
        hall=book.hall,
        log=hall.verifier_key(),
        witnesses=tuple(
            note.Witness(one.name, one.group, note.VerifierKey.parse(one.key))
            for one in sorted(book.witnesses, key=lambda each: each.name)
        ),
        quorum=QUORUM,
        trustee_roots={side: bytes.fromhex(book.side(side).root) for side in SIDES},
        ca_roots=tuple(_der(each) for each in book.ca_roots),
        contributors={side: signing.certificate_spki(_der(book.side(side).certificate)) for side in SIDES},
    )


def digest(book: Book, card: folder.Card, data: bytes) -> str:
    """What a confirmation names: trust.json, the hall's card and the calendar, all as they stand."""
    told = {
        "trust": trust.load(data).fingerprint,
        "hall": [card.name, card.uscc, card.region, card.platform, card.origin],
        "calendar": book.calendar,
    }
    return sha256(jcs.dumps(told)).hexdigest()


def read_object(data: bytes, code: str, fields: set[str]) -> dict[str, object]:
    """One strict JSON object of exactly these fields. Raises Refused: upload_over_limit, upload_private_key, `code`."""
    _check_upload(data)
    try:
        value = strict.parse(data.removeprefix(b"\xef\xbb\xbf"))
    except Refused as error:
        raise _refused(code) from error
    if set(value) != fields:
        raise _refused(code)
    return value


def _object(data: bytes, code: str, fields: set[str]) -> dict[str, str]:
    """The same where every value is a text."""
    value = read_object(data, code, fields)
    if not all(isinstance(each, str) for each in value.values()):
        raise _refused(code)
    return {name: str(each) for name, each in value.items()}


def _refused(code: str) -> Refused:
    return Refused(code)


def _check_upload(data: bytes) -> None:
    if len(data) > UPLOAD_BYTES_MAX:
        raise Refused("upload_over_limit", limit=UPLOAD_BYTES_MAX)
    if b"PRIVATE KEY" in data:
        raise Refused("upload_private_key")


def _pem(data: bytes) -> list[x509.Certificate]:
    _check_upload(data)
    try:
        return x509.load_pem_x509_certificates(data)
    except _BROKEN as error:
        raise Refused("authority_unreadable") from error


def _check_authority(one: x509.Certificate, *, now: datetime) -> None:
    name = _name(one.subject)
    try:
        public = one.public_key()
        extensions = one.extensions
        basic = extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound as error:
        raise Refused("authority_not_ca", name=name) from error
    except _BROKEN as error:
        raise Refused("authority_key", name=name) from error
    curves = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
    strong = isinstance(public, rsa.RSAPublicKey) and public.key_size >= RSA_BITS_MIN
    if not strong and not (isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, curves)):
        raise Refused("authority_key", name=name)
    if not basic.ca or not usage.key_cert_sign:
        raise Refused("authority_not_ca", name=name)
    if now > one.not_valid_after_utc:
        raise Refused("authority_expired", name=name, until=one.not_valid_after_utc.date())
    if now < one.not_valid_before_utc:
        raise Refused("authority_not_yet_valid", name=name, since=one.not_valid_before_utc.date())


def _name(name: x509.Name) -> str:
    try:
        told = name.rfc4514_string({NameOID.SERIAL_NUMBER: "serialNumber"})
        return told[:SUBJECT_CHARACTERS_SHOWN]
    except _BROKEN:
        return "?"


def _key_words(one: x509.Certificate) -> str:
    public = one.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        return f"RSA {public.key_size}"
    return f"ECDSA {public.curve.name}" if isinstance(public, ec.EllipticCurvePublicKey) else type(public).__name__


def _der(pem: str) -> bytes:
    return x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)
