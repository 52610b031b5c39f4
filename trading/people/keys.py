"""The signing keys of an organisation: certificates that name it, of which it may hold several and revoke each itself.

docs/spec/ledger.md §8: one organisation is one code, whatever its name and however many certificates it has; what it
signed with any of them it signed. 法 §45, 电子签名法 §13, §27: a lost key is reported and from then on signs nothing. A
revocation counts from its instant on; acts signed before stay what they were.

Whoever can write the rows of organisations can add a certificate; without one of an authority in trust.json it signs
nothing that a witness or a verifier would take.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crypto import certificates, signing
from crypto.refusal import Refused
from storage.unit import Unit
from storage.world import instant, stamp
from trading.hall import Hall

LABEL_CHARACTERS_MAX = 60
KEYS_MAX = 50


@dataclass(frozen=True, slots=True)
class Key:
    """One certificate: `spki` hex, `certificate` DER, since when the hall knows it, who brought it (person), the words
    by which its people tell it from others, and since when it is revoked ('' while it is not)."""

    spki: str
    certificate: bytes
    since: str
    by: str
    label: str
    revoked: str

    @property
    def until(self) -> datetime:
        """The end of its validity."""
        return certificates.validity(self.certificate)[1]


async def listed(unit: Unit, uscc: str) -> list[Key]:
    """Every key of an organisation, newest first; empty for one that is not known."""
    row = await unit.organisation.read(uscc)
    return [] if row is None else list(reversed(_of(row["body"])))


async def keep(unit: Unit, uscc: str, der: bytes, *, now: datetime, by: str = "", label: str = "") -> Key:
    """Remember a certificate; the newest that is not revoked is the one that draws pin (`spki`, `certificate` of the
    row). The same key again takes the new certificate. Raises Refused: key_revoked, keys_too_many, text_too_long."""
    row = await unit.organisation.read(uscc)
    assert row is not None, "an organisation is registered before its certificate"
    if len(label) > LABEL_CHARACTERS_MAX:
        raise Refused("text_too_long", limit=LABEL_CHARACTERS_MAX)
    made = Key(signing.certificate_spki(der).hex(), der, stamp(now), by, label, "")
    known = _of(row["body"])
    if any(one.spki == made.spki and one.revoked for one in known):
        raise Refused("key_revoked", since=next(one.revoked for one in known if one.spki == made.spki))
    others = [one for one in known if one.spki != made.spki]
    if len(others) >= KEYS_MAX:
        raise Refused("keys_too_many", limit=KEYS_MAX)
    await _write(unit, row, [*others, made])
    return made


async def revoke(unit: Unit, uscc: str, spki: str, *, now: datetime) -> Key:
    """From now on this key signs nothing. Raises Refused: key_unknown, key_revoked."""
    row = await unit.organisation.read(uscc)
    known = _of(row["body"]) if row is not None else []
    found = next((one for one in known if one.spki == spki), None)
    if row is None or found is None:
        raise Refused("key_unknown")
    if found.revoked:
        raise Refused("key_revoked", since=found.revoked)
    over = Key(found.spki, found.certificate, found.since, found.by, found.label, stamp(now))
    await _write(unit, row, [over if one.spki == spki else one for one in known])
    return over


async def check_unrevoked(unit: Unit, uscc: str, certificate: bytes, *, now: datetime) -> None:
    """Raise Refused("key_revoked") if the organisation itself ended this key before now."""
    check_unrevoked_in(await unit.organisation.read(uscc), certificate, now=now)


def check_unrevoked_in(row: Mapping[str, Any] | None, certificate: bytes, *, now: datetime) -> None:
    """The same for an organisation's row that was read already; None for one that is not known."""
    spki = signing.certificate_spki(certificate).hex()
    for one in _of(row["body"]) if row is not None else ():
        if one.spki == spki and one.revoked and instant(one.revoked) <= now:
            raise Refused("key_revoked", since=one.revoked)


async def check_signed(
    unit: Unit, act: Mapping[str, Any], uscc: str, *, hall: Hall, now: datetime, ended: bool = False
) -> None:
    """Every signature of an act is one of this organisation's, under a certificate that is valid now and, unless keys
    that `ended` may sign too, not revoked by the organisation.

    Raises Refused: signer_of_another_organisation, key_revoked, and what certificates.verify_chain refuses."""
    for signer in signing.verify_act(act):
        if signer.certificate is None:
            raise Refused("signer_of_another_organisation", organisation=uscc)
        subject = certificates.verify_chain(signer.certificate, hall.trust.ca_roots, at=now)
        if subject.uscc != uscc:
            raise Refused("signer_of_another_organisation", organisation=uscc)
        if not ended:
            await check_unrevoked(unit, uscc, signer.certificate, now=now)


def _of(body: Mapping[str, Any]) -> list[Key]:
    return [Key(**{**one, "certificate": base64.b64decode(one["certificate"])}) for one in body.get("keys", [])]


async def _write(unit: Unit, row: Mapping[str, Any], held: list[Key]) -> None:
    told = [
        {
            "spki": one.spki,
            "certificate": base64.b64encode(one.certificate).decode(),
            "since": one.since,
            "by": one.by,
            "label": one.label,
            "revoked": one.revoked,
        }
        for one in held
    ]
    living = [one for one in told if not one["revoked"]]
    newest = {name: living[-1][name] if living else "" for name in ("certificate", "spki")}
    body = {**row["body"], **newest, "keys": told}
    await unit.organisation.update({**row, "body": body}, expected_version=row["version"])
