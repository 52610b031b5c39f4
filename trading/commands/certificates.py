"""Signing keys of an organisation, by its own people: one more certificate, and the end of one.

docs/spec/ledger.md §8; 电子签名法 §13, §15, §27. An organisation that is registered brings the certificate of a further
key: in a real hall one that a licensed authority issued, in a rehearsal its own authority issues it. The request proves
possession of the key, the session proves for whom it is asked. Whoever steals a session at a rehearsal gets a key of
that organisation; at a real hall they would need the authority too.
"""

from __future__ import annotations

import base64
from datetime import datetime

import msgspec

from crypto import certificates
from crypto.refusal import Refused
from storage.unit import Unit
from trading.commands import parties
from trading.hall import Hall
from trading.journal import Outcome
from trading.people import keys
from trading.roles import Actor, Permission


class AddCertificate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A further key: PKCS#10 `request` (base64 DER), the licensed `certificate` for it (base64 DER; absent only in a
    rehearsal), and a `label` by which its people know it ("notebook in the office")."""

    request: str
    certificate: str | None = None
    label: str = ""


class RevokeCertificate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The end of a key, by its SPKI (hex)."""

    spki: str


async def add_certificate(cmd: AddCertificate, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """Keep a further certificate of the actor's organisation. Returns `certificate` (base64 DER) and `spki` (hex).

    Raises Refused: signer_of_another_organisation, key_revoked, keys_too_many, and what parties.certified refuses."""
    actor.must(Permission.CERTIFICATE_ADD, now=now)
    subject = certificates.verify_request(parties.unbase64(cmd.request))
    row = await unit.organisation.read(actor.organisation)
    # The name too: a certificate of this code under another name would stand in acts as another organisation.
    if row is None or (subject.uscc, subject.name) != (actor.organisation, row["body"]["name"]):
        raise Refused("signer_of_another_organisation", organisation=actor.organisation)
    der = parties.certified(subject, cmd.request, cmd.certificate, now=now, hall=hall)
    made = await keys.keep(unit, actor.organisation, der, now=now, by=actor.person, label=cmd.label.strip())
    return Outcome(result={"certificate": base64.b64encode(der).decode(), "spki": made.spki})


async def revoke_certificate(cmd: RevokeCertificate, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """End a key of the actor's organisation at once. Raises Refused: key_unknown, key_revoked."""
    actor.must(Permission.CERTIFICATE_REVOKE, now=now)
    over = await keys.revoke(unit, actor.organisation, cmd.spki, now=now)
    return Outcome(result={"spki": over.spki, "revoked": over.revoked})
