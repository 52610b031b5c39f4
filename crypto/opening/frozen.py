"""The freeze list as a pure function of submissions and withdrawals, and the evidence that one of them is what it says.

docs/spec/release.md §4. The rules upheld:
- in time means received before the deadline in force and logged before *close*, never one without the other;
- versions of one organisation strictly increase, withdrawn ones count; a withdrawal voids all up to its own for ever;
- tender, envelopes and roster are those of this tender's acts, never the header's word for them.

Whoever gives the evidence can leave something out, which a receipt shows; they cannot add, alter or revive a bid.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeGuard

from crypto import certificates, jcs, signing
from crypto.ledger import acts, merkle
from crypto.opening import ceremony as ceremonies
from crypto.opening.ceremony import Terms
from crypto.refusal import Refused
from crypto.sealing import envelope as envelopes
from crypto.sealing import header as headers
from crypto.sealing.header import Header

_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class PrivateEvidence:
    """A private act as it is shown after the freeze: public part, salt_p, H(salt_c || JCS(confidential)), its place."""

    event: Mapping[str, Any]
    salt_p: bytes
    confidential_hash: bytes
    index: int
    proof: tuple[bytes, ...]

    def leaf(self) -> bytes:
        """The leaf hash that other acts name it by. Raises what acts.leaf_of_parts refuses."""
        opened = acts.Opened(self.event, self.salt_p)
        return merkle.leaf_hash(acts.leaf_of_parts(opened, self.confidential_hash))

    def verify_in(self, *, size: int, root: bytes) -> bytes:
        """The leaf hash, proved to stand at `index` under (size, root). Raises Refused: inclusion_proof, …"""
        leaf = self.leaf()
        merkle.verify_inclusion(leaf, self.index, size, self.proof, root)
        return leaf


@dataclass(frozen=True, slots=True)
class Submission:
    """The evidence of a *submit* act: raw headers, certificate (DER), salt32, submit signature."""

    private: PrivateEvidence
    headers: tuple[bytes, ...]
    certificate: bytes
    salt: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The evidence of a *withdraw* act and the certificate (DER) that signed it."""

    private: PrivateEvidence
    certificate: bytes


@dataclass(frozen=True, slots=True)
class Submitted:
    """A submission that was proved and judged admissible; `organisation` is a USCC, `headers` are H(header)."""

    leaf: bytes
    index: int
    at: datetime
    organisation: str
    version: int
    bid: bytes
    headers: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A withdrawal that was proved: it voids this organisation's versions up to `version`, for ever."""

    leaf: bytes
    index: int
    at: datetime
    organisation: str
    version: int


def freeze_list(
    submissions: Iterable[Submitted], withdrawals: Iterable[Withdrawn], *, close_index: int, deadline: datetime
) -> tuple[Submitted, ...]:
    """The bids to be opened, ascending by bid: per organisation the highest counted version, unless withdrawn."""
    highest: dict[str, Submitted] = {}
    for each in sorted(submissions, key=lambda submitted: submitted.index):
        before = highest.get(each.organisation)
        rising = before is None or each.version > before.version
        if each.index < close_index and each.at < deadline and rising:
            highest[each.organisation] = each
    void: dict[str, int] = {}
    for withdrawn in withdrawals:
        if withdrawn.index < close_index and withdrawn.at < deadline:
            void[withdrawn.organisation] = max(void.get(withdrawn.organisation, 0), withdrawn.version)
    standing = (each for each in highest.values() if each.version > void.get(each.organisation, 0))
    return tuple(sorted(standing, key=lambda submitted: submitted.bid))


def list_object(frozen: Iterable[Submitted]) -> bytes:
    """The object of `list_hash`: JCS of [{"bid","submission","headers"}]."""
    return jcs.dumps(
        [
            {"bid": each.bid.hex(), "submission": each.leaf.hex(), "headers": [hashed.hex() for hashed in each.headers]}
            for each in frozen
        ]
    )


def verify_submission(
    shown: Submission, terms: Terms, *, ca_roots: Sequence[bytes], size: int, root: bytes
) -> tuple[Submitted, tuple[Header, ...]]:
    """Prove a submission: in the log, of this tender, admissible by envelope.md §3; returns it and its headers.

    Shown without headers (a replaced or withdrawn version, which nobody needs to open) its organisation is proved by
    the signature over `d`, and no header is returned. Whether it is in time and counts is for freeze_list.
    Raises Refused: inclusion_proof, submission_fields (`field`), submit_signature, plaintext_too_long, what
    certificates.verify_chain refuses, and the admission codes.
    """
    leaf = shown.private.verify_in(size=size, root=root)
    event = shown.private.event
    at = ceremonies.instant(event["at"])
    _require_fields(event, {"kind": "submit", "tender_id": terms.tender_id.hex(), "lot": terms.lot})
    subject = certificates.verify_chain(shown.certificate, ca_roots, at=at)
    if not shown.headers:
        return _verify_unopened(shown, leaf, at, subject), ()
    parsed = tuple(headers.parse(raw) for raw in shown.headers)
    admitted = headers.check_admission(
        parsed,
        tender_id=terms.tender_id,
        envelopes=terms.envelopes,
        roster=terms.roster,
        certificate_spki=subject.spki,
        salt=shown.salt,
        submit_signature=shown.signature,
    )
    hashes = tuple(each.hash() for each in parsed)
    said: dict[str, object] = {
        "headers": [hashed.hex() for hashed in hashes],
        "version": admitted.version,
        "d": admitted.digest.hex(),
        "bid": admitted.bid_id.hex(),
    }
    _require_fields(event, said)
    for each in parsed:
        if each.plaintext_len() > terms.plaintext_max:
            raise Refused("plaintext_too_long", length=each.plaintext_len(), length_max=terms.plaintext_max)
    submitted = Submitted(leaf, shown.private.index, at, subject.uscc, admitted.version, admitted.bid_id, hashes)
    return submitted, parsed


def _verify_unopened(shown: Submission, leaf: bytes, at: datetime, subject: certificates.Subject) -> Submitted:
    event = shown.private.event
    digest, bid = _hex(event, "d", 32), _hex(event, "bid", 32)
    try:
        signing.verify_p256(subject.spki, shown.signature, signing.labelled(headers.SUBMIT_LABEL, digest))
    except Refused:
        raise Refused("submit_signature") from None
    listed = event.get("headers")
    hashes = tuple(bytes.fromhex(each) for each in listed) if _are_hashes(listed) else ()
    return Submitted(leaf, shown.private.index, at, subject.uscc, _version(event), bid, hashes)


def verify_withdrawal(
    shown: Withdrawal, terms: Terms, *, ca_roots: Sequence[bytes], size: int, root: bytes
) -> Withdrawn:
    """Prove a withdrawal: in the log, of this tender, signed by the certificate's holder.

    Raises Refused: inclusion_proof, submission_fields, withdraw_signature, what certificates.verify_chain refuses.
    """
    leaf = shown.private.verify_in(size=size, root=root)
    event = shown.private.event
    at = ceremonies.instant(event["at"])
    _require_fields(event, {"kind": "withdraw", "tender_id": terms.tender_id.hex()})
    subject = certificates.verify_chain(shown.certificate, ca_roots, at=at)
    version = _version(event)
    digest, signature = _hex(event, "d", 32), _hex(event, "signature", signing.SIGNATURE_BYTES)
    envelopes.verify_withdraw(
        spki=subject.spki, signature=signature, tender_id=terms.tender_id, version=version, digest=digest
    )
    return Withdrawn(leaf, shown.private.index, at, subject.uscc, version)


def verify_list(data: bytes, list_hash: str, expected: Sequence[Submitted]) -> tuple[Submitted, ...]:
    """The freeze list equals what the evidence gives. Raises Refused: object_hash, freeze_list_differs (`bid`)."""
    if hashlib.sha256(data).hexdigest() != list_hash:
        raise Refused("object_hash", object="freeze list")
    if data == list_object(expected):
        return tuple(expected)
    listed = _bids(jcs.loads(data))
    right = {each.bid.hex() for each in expected}
    for bid in sorted(set(listed) ^ right):
        raise Refused("freeze_list_differs", bid=bid, problem="dropped" if bid in right else "added")
    raise Refused("freeze_list_differs", bid=listed[0] if listed else "", problem="altered")


def _bids(value: object) -> list[str]:
    entries = value if isinstance(value, list) else []
    return [str(entry.get("bid")) for entry in entries if isinstance(entry, dict)]


def _version(event: Mapping[str, Any]) -> int:
    version = event.get("version")
    if type(version) is not int or not 1 <= version < 2**32:
        raise Refused("submission_fields", field="version")
    return version


def _require_fields(event: Mapping[str, Any], said: Mapping[str, object]) -> None:
    for name, right in said.items():
        given = event.get(name)
        if type(given) is not type(right) or given != right:
            raise Refused("submission_fields", field=name)


def _are_hashes(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(each, str) and _HASH.fullmatch(each) for each in value)


def _hex(event: Mapping[str, Any], name: str, length: int) -> bytes:
    text = event.get(name)
    try:
        value = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        value = b""
    if len(value) != length or value.hex() != text:
        raise Refused("submission_fields", field=name)
    return value
