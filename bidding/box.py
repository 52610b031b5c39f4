"""The box: whether a sealed bid is taken, replaced, withdrawn, or refused with the reason. Pure: values in, values out.

条例 §36, 20号令 §26 and §27; docs/spec/envelope.md §3. A bid is refused for the first of these that applies:

 1. `bid_received_after_deadline` (E-36)            received_at is not before the deadline in force
 2. `bidding_not_open` (E-36)                       the lot takes no bids (closed, terminated, failed)
 3. `bid_not_sealed` (E-36)                         a header does not parse: not sealed, that is, not encrypted
 4. `bid_for_another_lot`                           sealed to the acts of another tender
 5. `envelope`                                      not exactly the envelopes that the TENDER act names
 6. `bid_sealed_to_another_roster`                  another roster, or other thresholds
 7. `bid_certificate_of_another_organisation`       the certificate is not the sender's; before it what
                                                    certificates.verify_chain refuses: expired, revoked, unknown issuer
 8. `bidder_tag` `mixed_bid` `submit_signature`     the envelopes are not one bid of this signer
 9. `bid_too_large`                                 padded plaintext over the notice's limit
10. `bid_version_withdrawn`                         a withdrawal voided this version for ever
11. `bid_version_not_higher`                        versions of one organisation strictly increase
12. `bid_upload_incomplete` (E-37)                  not every segment of every envelope arrived
13. `bid_upload_differs`                            the bytes uploaded are not those the header commits to
14. `prefix`                                        the body does not begin as the header says

Whoever runs the box can refuse a bid, and the refusal has words; they cannot read it, and what they took has a receipt.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from crypto import certificates
from crypto.certificates import Subject
from crypto.opening.ceremony import Terms
from crypto.refusal import Refused
from crypto.sealing import envelope
from crypto.sealing import header as headers
from crypto.sealing.header import Admission, Header
from storage.world import stamp
from trading.lifecycle import State
from trading.people import organisations
from trading.people.organisations import Graph


@dataclass(frozen=True, slots=True)
class Offer:
    """A bid as it is handed in: raw headers in ascending order of envelope, submit signature, salt32, certificate."""

    headers: tuple[bytes, ...]
    signature: bytes
    salt: bytes
    certificate: bytes


@dataclass(frozen=True, slots=True)
class Lot:
    """What a bid is judged against: this tender's acts, its state, and the deadline in force."""

    terms: Terms
    state: State
    deadline: datetime


@dataclass(frozen=True, slots=True)
class History:
    """The highest version this organisation submitted, and up to which it withdrew; 0 for none."""

    submitted: int
    withdrawn: int


@dataclass(frozen=True, slots=True)
class Stored:
    """An upload as the store holds it: announced bytes, root over its leaves, whether all is here, first 56 bytes."""

    size: int
    root: bytes
    complete: bool
    prefix: bytes


@dataclass(frozen=True, slots=True)
class Certified:
    """By what a certificate is judged: roots (DER) of trust.json, the issuer's revocation list (DER) if any."""

    ca_roots: tuple[bytes, ...]
    crl: bytes | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A bid that is taken: its parsed headers, what admission proved, and whose certificate signed."""

    headers: tuple[Header, ...]
    admission: Admission
    subject: Subject

    def fields(self, lot: str) -> dict[str, object]:
        """The fields of the `submit` act (docs/spec/acts.md §4)."""
        return {
            "lot": lot,
            "version": self.admission.version,
            "headers": [each.hash().hex() for each in self.headers],
            "d": self.admission.digest.hex(),
            "bid": self.admission.bid_id.hex(),
        }


def accept(
    offer: Offer,
    *,
    lot: Lot,
    organisation: str,
    history: History,
    stored: Sequence[Stored | None],
    trusted: Certified,
    now: datetime,
    sealed: tuple[Header, ...] | None = None,
) -> Accepted:
    """Take a bid, or raise the first refusal of the list above. `now` is received_at, one reading of the clock.
    `sealed` is what `parse` made of the offer's headers, where that was asked before."""
    check_open(lot, now=now)
    sealed = parse(offer.headers) if sealed is None else sealed
    for each in sealed:
        if each.tender_id != lot.terms.tender_id:
            raise Refused("bid_for_another_lot", tender_id=each.tender_id.hex(), expected=lot.terms.tender_id.hex())
    found = tuple(each.envelope for each in sealed)
    if found != lot.terms.envelopes:
        raise Refused("envelope", envelopes=list(found), expected=list(lot.terms.envelopes))
    for each in sealed:
        _check_roster(each, lot.terms)
    subject = check_certificate(offer.certificate, organisation=organisation, trusted=trusted, now=now)
    admission = headers.check_admission(
        sealed,
        tender_id=lot.terms.tender_id,
        envelopes=lot.terms.envelopes,
        roster=lot.terms.roster,
        certificate_spki=subject.spki,
        salt=offer.salt,
        submit_signature=offer.signature,
    )
    for each in sealed:
        if each.plaintext_len() > lot.terms.plaintext_max:
            raise Refused("bid_too_large", bytes=each.plaintext_len(), bytes_max=lot.terms.plaintext_max)
    check_version(admission.version, history)
    check_stored(sealed, stored)
    return Accepted(sealed, admission, subject)


def check_open(lot: Lot, *, now: datetime) -> datetime:
    """Return the deadline in force if bids are taken at `now`. Raises bid_received_after_deadline, bidding_not_open."""
    if now >= lot.deadline:
        raise Refused("bid_received_after_deadline", rule="E-36", deadline=stamp(lot.deadline), received_at=stamp(now))
    if lot.state is not State.BIDDING:
        raise Refused("bidding_not_open", rule="E-36", state=lot.state.value)
    return lot.deadline


def parse(raw: Sequence[bytes]) -> tuple[Header, ...]:
    """The headers of a bid. Raises bid_not_sealed with the layout's own code in `problem`; envelope."""
    parsed = []
    for data in raw:
        try:
            parsed.append(headers.parse(data))
        except Refused as refused:
            if refused.code == "envelope":
                raise
            raise Refused("bid_not_sealed", rule="E-36", problem=refused.code) from refused
    if not parsed:
        raise Refused("bid_not_sealed", rule="E-36", problem="length")
    return tuple(parsed)


def parsed(raw: Sequence[bytes]) -> tuple[Header, ...] | None:
    """The same, None where they do not parse: what is refused is told when its turn comes."""
    try:
        return parse(raw)
    except Refused:
        return None


def digest_of(sealed: Sequence[Header] | None) -> bytes | None:
    """D of these headers, by which the same bid handed in again is known; None where they did not parse."""
    return None if sealed is None else headers.submit_digest(sealed)


def check_certificate(certificate: bytes, *, organisation: str, trusted: Certified, now: datetime) -> Subject:
    """The certificate is valid now and names the sender's organisation (USCC)."""
    subject = certificates.verify_chain(certificate, trusted.ca_roots, at=now, crl=trusted.crl)
    if subject.uscc != organisation:
        raise Refused("bid_certificate_of_another_organisation", uscc=subject.uscc, organisation=organisation)
    return subject


def check_version(version: int, history: History) -> int:
    """Versions of one organisation strictly increase; withdrawn ones count (envelope.md §6)."""
    if version <= history.withdrawn:
        raise Refused("bid_version_withdrawn", version=version, withdrawn=history.withdrawn)
    if version <= history.submitted:
        raise Refused("bid_version_not_higher", version=version, highest=history.submitted)
    return version


def check_stored(sealed: Sequence[Header], stored: Sequence[Stored | None]) -> None:
    """Every envelope's body is here, whole, as its header commits to it (20号令 §27: incomplete is withdrawn)."""
    if len(stored) != len(sealed) or None in stored:
        raise Refused("bid_upload_incomplete", rule="E-37", envelopes=len(sealed), uploads=len(stored))
    for each, upload in zip(sealed, stored, strict=True):
        assert upload is not None
        if not upload.complete:
            raise Refused("bid_upload_incomplete", rule="E-37", envelopes=len(sealed), uploads=len(stored))
        if (upload.size, upload.root) != (each.body_len, each.body_root):
            raise Refused("bid_upload_differs", envelope=each.envelope)
        headers.check_prefix(each, upload.prefix)


def withdraw(
    *,
    lot: Lot,
    organisation: str,
    version: int,
    digest: bytes | None,
    signature: bytes,
    certificate: bytes,
    trusted: Certified,
    now: datetime,
) -> Subject:
    """Take a withdrawal of all versions up to `version`; `digest` is D of that version, None if there is none.

    Raises, in this order: withdrawal_after_deadline, bidding_not_open, withdrawal_of_unknown_version, what
    check_certificate refuses, withdraw_signature.
    """
    if now >= lot.deadline:
        raise Refused("withdrawal_after_deadline", deadline=stamp(lot.deadline), received_at=stamp(now))
    check_open(lot, now=now)
    if digest is None:
        raise Refused("withdrawal_of_unknown_version", version=version)
    subject = check_certificate(certificate, organisation=organisation, trusted=trusted, now=now)
    envelope.verify_withdraw(
        spki=subject.spki, signature=signature, tender_id=lot.terms.tender_id, version=version, digest=digest
    )
    return subject


def check_bidder(graph: Graph, bidder: str, *, agent: str | None) -> str:
    """E-31 (条例 §13): no kin of the agent; E-32 (20号令 §23): no kin of the operator. `graph` holds at least the
    organisations below these three. Judged for one bidder alone, so that it tells nothing of the others."""
    return organisations.check_bidder(graph, bidder, agent=agent)


def unbase64(text: str, field: str) -> bytes:
    """The bytes of a base64 field. Raises Refused("bid_field_malformed")."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused("bid_field_malformed", field=field) from error


def unhex(text: str, field: str) -> bytes:
    """The bytes of a lower-case hex field. Raises Refused("bid_field_malformed")."""
    try:
        data = bytes.fromhex(text)
    except ValueError as error:
        raise Refused("bid_field_malformed", field=field) from error
    if data.hex() != text:
        raise Refused("bid_field_malformed", field=field)
    return data


def _check_roster(sealed: Header, terms: Terms) -> None:
    try:
        headers.check_roster(sealed, terms.roster)
    except Refused as refused:
        raise Refused("bid_sealed_to_another_roster", envelope=sealed.envelope) from refused
