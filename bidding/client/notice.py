"""A tender as the ledger proves it: the owner's notice, the certified roster, what was changed since, the deadline.

docs/spec/release.md §2 and §3, judged on the bidder's machine from the whole ledger and trust.json before a byte is
sealed: a puppet roster, a notice of somebody else's, a hidden extension end here and not after the opening. The hall
only carries objects, each of which must have the hash that the notice names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bidding.client.server import Server
from crypto import jcs
from crypto.ledger import note
from crypto.ledger.whole_log import Logged, WholeLog
from crypto.opening import ceremony as ceremonies
from crypto.opening import certified
from crypto.opening.ceremony import Ceremony, Terms
from crypto.refusal import Refused
from crypto.trust import Trust


@dataclass(frozen=True, slots=True)
class Notice:
    """What a bidder must know of a lot: `act` is the TENDER act, `document` the structured tender document, `view` what
    the acts say so far, `acts` all of them in log order. `document` is empty where only the acts were read."""

    terms: Terms
    act: Mapping[str, Any]
    document: Mapping[str, Any]
    view: Ceremony
    acts: Sequence[Logged]

    @property
    def lot(self) -> str:
        """The 标段 code."""
        return self.terms.lot

    @property
    def seen(self) -> int:
        """The number of the last act that was read."""
        return int(self.acts[-1].act["seq"])

    @property
    def documents(self) -> list[Mapping[str, Any]]:
        """The files in force: those of the notice, or of its last amendment."""
        named = [each.act["documents"] for each in self.acts if each.kind in ("tender", "amendment")]
        return list(named[-1])

    def amendments(self, after: int = 0) -> list[Mapping[str, Any]]:
        """The amendments with a number above `after`."""
        return [each.act for each in self.acts if each.kind == "amendment" and each.act["seq"] > after]


def find(log: WholeLog, lot: str) -> bytes:
    """The tender_id of a lot in the reading. Raises Refused: lot_not_in_log, lot_twice_in_log."""
    found = [tender_id for tender_id, logged in log.tenders.items() if logged[0].act.get("lot") == lot]
    if not found:
        raise Refused("lot_not_in_log", lot=lot)
    if len(found) > 1:
        raise Refused("lot_twice_in_log", lot=lot)
    return bytes.fromhex(found[0])


def prove(log: WholeLog, lot: str, trust: Trust, *, rulebook: bytes, document: bytes) -> Notice:
    """Judge a lot's acts as a trustee would; `rulebook` and `document` are the raw objects that the notice names.

    Raises Refused: lot_not_in_log, object_hash, act_not_signed_by, rehearsal_not_declared, key_not_certified,
    contributors_not_anchored, trustee_not_certified, roster_key_unknown, roster_seats, key_used_by_another_tender.
    """
    tender_id = find(log, lot)
    logged = log.of(tender_id)
    hall = certified.read(log.hall, trust)
    terms = ceremonies.verify_terms(logged[0], trust, hall)
    for lock in terms.roster.locks:
        for key in lock.keys:
            if log.keys.get(key.hex()) != tender_id.hex():
                raise Refused("key_used_by_another_tender", key=key.hex())
    check_object("rulebook", rulebook, logged[0].act["rulebook"]["hash"])
    check_object("terms", document, logged[0].act["terms_hash"])
    seated = certified.check_roster(
        terms.roster,
        terms.seats,
        hall,
        tender_index=terms.index,
        outside_lock_1=terms.owners,
        lock_1=_lock_1(rulebook),
    )
    effective = ceremonies.effective(logged, terms, trust, hall, seated)
    view = ceremonies.ceremony(terms, effective, log.stamps)
    value = jcs.loads(document)
    if not isinstance(value, dict):
        raise Refused("object_hash", object="terms")
    # The acts of the opening are judged for their signers above; an amendment that is not the owner's has no effect.
    lawful = {each.leaf for each in effective}
    acts = [each for each in logged if each.kind not in ("amendment", "deadline") or each.leaf in lawful]
    return Notice(terms, logged[0].act, value, view, acts)


def fetch(server: Server, log: WholeLog, lot: str, trust: Trust) -> tuple[Notice, bytes, bytes]:
    """The proved notice with the raw rulebook and tender document, fetched from the hall."""
    act = log.of(find(log, lot))[0].act
    try:
        names = str(act["rulebook"]["hash"]), str(act["terms_hash"])
    except (KeyError, TypeError) as error:
        raise Refused("act_fields", kind="tender", field="terms_hash") from error
    rulebook, document = (object_of(server, lot, name) for name in names)
    return prove(log, lot, trust, rulebook=rulebook, document=document), rulebook, document


def object_of(server: Server, lot: str, name: str) -> bytes:
    """A public object by its hash, believed only if it has that hash. Raises Refused("object_hash")."""
    if len(name) != 64 or set(name) - set("0123456789abcdef"):
        raise Refused("object_hash", object=name[:80])
    return check_object(name, server.fetch(f"/api/v1/lots/{lot}/objects/{name}"), name)


def check_object(what: str, data: bytes, name: str) -> bytes:
    """The bytes themselves when they have the hash that an act names. Raises Refused("object_hash")."""
    if hashlib.sha256(data).hexdigest() != name:
        raise Refused("object_hash", object=what)
    return data


def text(at: datetime) -> str:
    """An instant as the ledger spells it."""
    return ceremonies.instant_text(at)


def rehearsal_line(trust: Trust) -> tuple[str, str] | None:
    """What must stand first wherever a rehearsal is shown, in Chinese and English; None for a real hall."""
    if not note.is_rehearsal(trust.origin):
        return None
    return "【演练】本大厅为演练环境，不是真实交易。", "REHEARSAL: this is a demo hall, not a real tender."


def _lock_1(rulebook: bytes) -> frozenset[str]:
    """The organisations (USCC) that the pinned rulebook seats in lock 1; empty when it names none."""
    try:
        value = json.loads(rulebook)
        rows: Iterable[Any] = value.get("lock_1", [])
        return frozenset(str(uscc) for row in rows for uscc in row.get("organisations", []))
    except (ValueError, AttributeError, TypeError) as error:
        raise Refused("object_hash", object="rulebook") from error
