"""The identity folder: who the bidder is, by which key, and whom its program believes.

docs/spec/ledger.md §8 (certificates) and §9 (trust.json). The folder holds
    identity.pem   the P-256 key and its certificate          trust.json   the anchors, never taken from the platform
    token          what the hall knows the person by           profile.json name and 统一社会信用代码
    log.json       the ledger as far as this program read it   bids/        what was sealed and handed in, with receipts
A key that waits for its certificate lies in key.pem.

Whoever can write this folder can bid in the organisation's name and decide what its program believes; the hall cannot.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from bidding.client import files
from bidding.client.server import Server
from crypto import certificates, signing, terminal, trust
from crypto.refusal import Refused
from crypto.sealing.manifest import Bidder
from crypto.signing import P256Signer
from crypto.terminal import Unreadable
from crypto.trust import Trust

TOKEN_VARIABLE = "TRADEHALL_TOKEN"
PEM_BYTES_MAX = 64 * 1024
ACT_BYTES_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class Identity:
    """An opened identity folder."""

    folder: Path
    signer: P256Signer
    trust: Trust
    token: str | None

    @property
    def bidder(self) -> Bidder:
        """Name and 统一社会信用代码 as the certificate says them: what every manifest must say too."""
        subject = certificates.read_subject(self.signer.certificate)
        return Bidder(subject.name, subject.uscc)

    @property
    def spki(self) -> bytes:
        """The public key, SPKI DER, 91 bytes."""
        return signing.certificate_spki(self.signer.certificate)


def load(folder: Path) -> Identity:
    """Open an identity folder. Raises Refused: identity_missing, trust_missing, key_file, what trust.load refuses."""
    pem = folder / "identity.pem"
    if not pem.is_file():
        raise Refused("identity_missing", folder=folder)
    signer = P256Signer.from_pem(files.read(pem, bytes_max=PEM_BYTES_MAX))
    return Identity(folder, signer, load_trust(folder), token_of(folder))


def load_trust(folder: Path) -> Trust:
    """The anchors in a folder. Raises Refused("trust_missing"): they come with the program or from the hall's printed
    page, the supervisor or a witness, and are never asked of the platform that they are to judge."""
    path = folder / "trust.json"
    if not path.is_file():
        raise Refused("trust_missing", folder=folder)
    return trust.load(files.read(path, bytes_max=trust.TRUST_BYTES_MAX))


def token_of(folder: Path) -> str | None:
    """The token in the folder, else that of TRADEHALL_TOKEN, else None."""
    path = folder / "token"
    if path.is_file():
        return files.read(path, bytes_max=4096).decode("utf-8", "replace").strip()
    return os.environ.get(TOKEN_VARIABLE) or None


def bring_trust(folder: Path, given: Path | None) -> Trust:
    """Copy the anchors that a person brings into the folder, once. Raises Refused: trust_missing, trust_differs."""
    if given is not None:
        data = files.read(given, bytes_max=trust.TRUST_BYTES_MAX)
        brought = trust.load(data)
        if not (folder / "trust.json").exists():
            files.write(folder / "trust.json", data)
        elif load_trust(folder).fingerprint != brought.fingerprint:
            raise Refused("trust_differs", folder=folder, given=given)
    return load_trust(folder)


def enrol(
    server: Server,
    folder: Path,
    *,
    name: str | None,
    uscc: str | None,
    certificate: bytes | None,
    now: datetime,
    entropy: Callable[[int], bytes],
) -> Identity:
    """Enrol the organisation at a hall, with the key in the folder or a new one; keeps certificate and token.

    `certificate` (DER) is the one that a licensed authority issued for this key; only a rehearsal's hall issues one
    itself. A run that was cut goes on with the same key. Raises Refused: trust_missing, name_missing,
    certificate_key_differs, what certificates and the hall refuse.
    """
    anchors = load_trust(folder)
    pem = folder / "identity.pem"
    if pem.is_file():
        known = load(folder)
        key, certificate = known.signer.private, certificate or known.signer.certificate
        name, uscc = known.bidder.name, known.bidder.uscc
    else:
        key = _waiting_key(folder, entropy=entropy)
    if not name or not uscc:
        raise Refused("name_missing")
    body: dict[str, Any] = {"request": _base64(certificates.request(name, uscc, key=key))}
    if certificate is not None:
        body["certificate"] = _base64(certificate)
    der, token = _enrolled(server.verb("trading/enrol", body))
    signer = P256Signer(key, der)
    subject = certificates.verify_chain(der, anchors.ca_roots, at=now)
    if (subject.name, subject.uscc) != (name, uscc):
        raise Refused("certificate_subject", name=subject.name, uscc=subject.uscc)
    files.write_secret(pem, signer.to_pem())
    files.write_secret(folder / "token", token.encode())
    files.write_json(folder / "profile.json", {"name": name, "uscc": uscc})
    (folder / "key.pem").unlink(missing_ok=True)
    return load(folder)


def sign_file(me: Identity, act: Path, out: Path) -> dict[str, Any]:
    """Sign the act that a page of the hall showed, from its file into another; returns it.

    Only an act of a known form is signed, never any text at all; what is signed is its canonical form
    (docs/spec/acts.md §1). Raises Refused("act_not_asked_for"), Unreadable.
    """
    told = files.read_json(act, bytes_max=ACT_BYTES_MAX)
    fields = [told.get(name) for name in ("kind", "tender_id", "at", "role")]
    if told.get("signatures") or not all(isinstance(one, str) for one in fields):
        raise Refused("act_not_asked_for", verb=str(act))
    signed = signing.sign_act(told, signer=me.signer, by=told["role"])
    files.write_json(out, signed)
    return signed


def run_sign(arguments: argparse.Namespace) -> Mapping[str, Any]:
    """The command `sign act.json -o signed.json`."""
    signed = sign_file(load(arguments.identity), arguments.act, arguments.out)
    told = {name: signed[name] for name in ("kind", "tender_id", "at", "role")}
    terminal.say(arguments, f"已签署：{told}，写入 {arguments.out}", f"signed: {told}, written to {arguments.out}")
    return {**told, "file": str(arguments.out)}


def read_certificate(path: Path) -> bytes:
    """A certificate file, PEM or DER, as DER. Raises Unreadable."""
    data = files.read(path, bytes_max=PEM_BYTES_MAX)
    try:
        if data.startswith(b"-----"):
            return x509.load_pem_x509_certificate(data).public_bytes(Encoding.DER)
        return x509.load_der_x509_certificate(data).public_bytes(Encoding.DER)
    except ValueError as error:
        raise Unreadable(f"{path}：不是证书 / no certificate") from error


def _waiting_key(folder: Path, *, entropy: Callable[[int], bytes]) -> ec.EllipticCurvePrivateKey:
    path = folder / "key.pem"
    if path.is_file():
        try:
            key = load_pem_private_key(files.read(path, bytes_max=PEM_BYTES_MAX), None)
        except (ValueError, TypeError) as error:
            raise Refused("key_file", reason="key.pem") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise Refused("key_file", reason="key.pem")
        return key
    made = signing.new_p256(entropy=entropy)
    files.write_secret(path, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return made


def _enrolled(answer: Mapping[str, Any]) -> tuple[bytes, str]:
    result = answer.get("result") if isinstance(answer, Mapping) else None
    try:
        assert isinstance(result, Mapping)
        return base64.b64decode(result["certificate"], validate=True), str(result["token"])
    except (AssertionError, KeyError, TypeError, binascii.Error) as error:
        raise Refused("answer_unexpected", verb="trading/enrol") from error


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
