"""What bidders do with sealed bids: submit, replace, withdraw, and disclose S when a trustee complained.

20号令 §26 and §27; docs/spec/envelope.md §3 and §6, release.md §6. A bid shares its lot and locks nothing that another
bid writes; what it costs in statements does not depend on how many bids are there. The receipt is fetched after the
commit; the same headers again give the same event (E-38).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from cryptography import x509

from bidding import box, ceremony, lots, uploads
from bidding.box import Certified, History, Offer
from crypto import certificates, signing
from crypto.refusal import Refused
from storage.ports import In, Row
from storage.unit import Recorded, Unit
from storage.world import instant, stamp
from trading import journal, tenders
from trading.hall import Hall
from trading.journal import Logged, Outcome
from trading.people import keys
from trading.people.organisations import Edge, Graph, Organisation
from trading.roles import Actor, Permission, Role
from trading.tender import Tender

REVOCATIONS = "revocations"
ENVELOPES_MAX = 3


class SubmitBid(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hand in a sealed bid: one header and one upload per envelope, ascending; headers and certificate base64 (DER),
    signature (64 bytes) and salt (32 bytes) hex."""

    headers: list[str]
    signature: str
    salt: str
    certificate: str
    uploads: list[str]


class WithdrawBid(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Withdraw all versions up to `version`, for ever; signature hex, certificate base64 (DER)."""

    lot: str
    version: int
    signature: str
    certificate: str


class Disclose(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Disclose the secrets of a header that a trustee complained of, sealed to both opening keys: per key one
    hex(enc || ct) a lock, info "sealbid/v1 rescue\\0" || freeze leaf || u8 j || H(header)."""

    lot: str
    header: str
    room: list[str]
    verifier: list[str]
    signed: dict[str, Any] | None = None


Look = Callable[[Sequence[Row]], Awaitable[datetime]]
"""Asks the store what of these uploads arrived meanwhile; the instant after its answer."""


async def submit(cmd: SubmitBid, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """A8: take a bid, or say why not (bidding/box.py has the order). `now` is received_at."""
    outcome, _ = await take(cmd, actor=actor, now=now, unit=unit, hall=hall)
    return outcome


async def take(
    cmd: SubmitBid, *, actor: Actor, now: datetime, unit: Unit, hall: Hall, look: Look | None = None
) -> tuple[Outcome, Tender | None]:
    """The same, with the tender for a bid that is new. `look` is asked before a bid is refused as incomplete; in time
    then means that everything was there at the instant it gives.

    What it costs is counted (bench/statements.py): everything is asked once, in one statement however many envelopes
    there are, because a deadline's last second pays for each.
    """
    actor.must(Permission.BID_SUBMIT, now=now)
    offer = _offer(cmd)
    sealed = box.parsed(offer.headers)
    digest = box.digest_of(sealed)
    rows = await uploads.owned(unit, cmd.uploads, actor=actor) if len(cmd.uploads) <= ENVELOPES_MAX else []
    if not rows or len(rows) != len(cmd.uploads):
        known = await _known(unit, digest, actor)
        if known is not None:
            return Outcome((known,), receipt=True), None
        if not 1 <= len(cmd.uploads) <= ENVELOPES_MAX:
            raise Refused("bid_upload_incomplete", rule="E-37", envelopes=len(cmd.headers), uploads=len(cmd.uploads))
        ids = {row["id"] for row in rows}
        raise Refused("upload_unknown", upload=next(each for each in cmd.uploads if each not in ids))
    lot = rows[0]["lot"]
    complete = await uploads.complete(unit, rows)
    if look is not None and not all(complete.values()):
        now = await look(rows)
        rows = await uploads.owned(unit, cmd.uploads, actor=actor)
        complete = await uploads.complete(unit, rows)
    # Whoever freezes the lot seizes it: no bid slips in behind, and bids do not wait for each other.
    await unit.share(lot)
    there, newest, withdrawn, revocations = await unit.firsts(
        ("tender", {"lot": lot}, ()),
        ("submission", _own(lot, actor), ("-bid_version",)),
        ("withdrawal", _own(lot, actor), ("-bid_version",)),
        ("setting", {"name": REVOCATIONS}, ()),
    )
    if newest is not None:
        known = await _known(unit, digest, actor)
        if known is not None:
            return Outcome((known,), receipt=True), None
    held = tenders.held(there, lot)
    terms = await lots.terms(unit, held.tender)
    deadline = (await lots.deadlines(unit, held.tender, terms, now=now, hall=hall)).deadline
    accepted = box.accept(
        offer,
        lot=box.Lot(terms, held.tender.state, deadline),
        organisation=actor.organisation,
        history=History(*(found["bid_version"] if found else 0 for found in (newest, withdrawn))),
        stored=[uploads.stored(row, complete[row["id"]]) if row["lot"] == lot else None for row in rows],
        trusted=_trusted(revocations, hall, offer.certificate),
        now=now,
        sealed=sealed,
    )
    around = await _around(unit, hall, actor.organisation, held.tender.agent)
    keys.check_unrevoked_in(around.get(actor.organisation), offer.certificate, now=now)
    box.check_bidder(_graph(around, hall, actor.organisation), actor.organisation, agent=held.tender.agent)
    admitted = accepted.admission
    row = {
        "lot": lot,
        "organisation": actor.organisation,
        "bid_version": admitted.version,
        "received_at": stamp(now),
        "digest": admitted.digest.hex(),
    }
    told = {
        "bid": admitted.bid_id.hex(),
        "headers": cmd.headers,
        "signature": cmd.signature,
        "salt": cmd.salt,
        "certificate": cmd.certificate,
        "uploads": cmd.uploads,
    }
    logged = await journal.private_act(
        unit,
        hall=hall,
        lot=lot,
        tender_id=held.tender.tender_id,
        kind="submit",
        fields=accepted.fields(lot),
        actor=actor,
        now=now,
        rule="E-36",
        beside=lambda act: {"submission": {"id": act.event, **row, "body": {"leaf": act.leaf_hash, **told}}},
    )
    await uploads.submitted(unit, rows)
    return Outcome((logged,), receipt=True, result={"bid": told["bid"], "version": admitted.version}), held.tender


async def withdraw(cmd: WithdrawBid, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """A8: void all own versions up to one, for ever. The same withdrawal again gives the same event."""
    actor.must(Permission.BID_WITHDRAW, now=now)
    own = {"lot": cmd.lot, "organisation": actor.organisation}
    before = await unit.withdrawal.find({**own, "bid_version": cmd.version}, limit=1)
    if before:
        return Outcome((await logged_event(unit, before[0]["id"]),), receipt=True)
    await unit.share(cmd.lot)
    held = await tenders.load(unit, cmd.lot)
    terms = await lots.terms(unit, held.tender)
    deadline = (await lots.deadlines(unit, held.tender, terms, now=now, hall=hall)).deadline
    found = await unit.submission.find({**own, "bid_version": cmd.version}, limit=1)
    certificate = box.unbase64(cmd.certificate, "certificate")
    box.withdraw(
        lot=box.Lot(terms, held.tender.state, deadline),
        organisation=actor.organisation,
        version=cmd.version,
        digest=bytes.fromhex(found[0]["digest"]) if found else None,
        signature=box.unhex(cmd.signature, "signature"),
        certificate=certificate,
        trusted=_trusted(await unit.setting.read(REVOCATIONS), hall, certificate),
        now=now,
    )
    fields = {"version": cmd.version, "d": found[0]["digest"], "bid": found[0]["body"]["bid"]}
    logged = await journal.private_act(
        unit,
        hall=hall,
        lot=cmd.lot,
        tender_id=held.tender.tender_id,
        kind="withdraw",
        fields={**fields, "signature": cmd.signature},
        actor=actor,
        now=now,
    )
    row = {"id": logged.recorded.event, **own, "bid_version": cmd.version, "at": stamp(now)}
    await unit.withdrawal.insert({**row, "body": {"leaf": logged.leaf, "certificate": cmd.certificate}})
    return Outcome((logged,), receipt=True)


async def disclose(cmd: Disclose, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """A11: a bidder whose header a trustee complained of hands its secrets to the opening room and the verifier.

    Raises Refused: rescue_not_needed, rescue_window_closed, rescue_malformed, bid_not_own, act_differs.
    """
    now = journal.instant(cmd.signed, now=now)
    actor.must(Permission.BID_DISCLOSE, now=now)
    held = await tenders.load(unit, cmd.lot)
    view = await lots.view(unit, held.tender, hall=hall)
    ceremony.check_rescue(view, header=cmd.header, now=now)
    rows = await unit.submission.find({"lot": cmd.lot, "organisation": actor.organisation})
    mine = [row for row in rows if cmd.header in _hashes(row)]
    if not mine:
        raise Refused("bid_not_own", header=cmd.header)
    sealed = {"room": cmd.room, "verifier": cmd.verifier}
    ceremony.check_sealed_secrets(sealed, locks=len(view.terms.roster.locks))
    if cmd.signed is not None:
        certificate = base64.b64decode(mine[0]["body"]["certificate"])
        if [(signer.by, signer.key) for signer in signing.verify_act(cmd.signed)] != [("bidder", certificate)]:
            raise Refused("bid_not_own", header=cmd.header)
    logged = await journal.person_act(
        unit,
        hall=hall,
        lot=cmd.lot,
        tender_id=held.tender.tender_id,
        kind="rescue",
        fields={"header": cmd.header, "sealed": sealed},
        actor=actor,
        now=now,
        ended_key_signs=True,
        signed=cmd.signed,
    )
    if not isinstance(logged, Logged):
        return Outcome(sign=logged)
    await tenders.fold_in(unit, held, logged, now=now)
    return Outcome((logged,))


async def logged_event(unit: Unit, event: str) -> Logged:
    """An event of the past as the command that made it answered it."""
    row = await unit.event.read(event)
    assert row is not None, "what names an event was written with it"
    recorded = Recorded(row["id"], row["leaf_hash"], instant(row["at"]))
    hidden = json.loads(row["confidential"]) if row["confidential"] else None
    return Logged(recorded, row["body"], bytes.fromhex(row["salt_p"]), bytes.fromhex(row["salt_c"]), hidden)


async def _known(unit: Unit, digest: bytes | None, actor: Actor) -> Logged | None:
    """The event of the same headers handed in before by the same organisation."""
    if digest is None:
        return None
    found = await unit.submission.find({"digest": digest.hex(), "organisation": actor.organisation}, limit=1)
    return await logged_event(unit, found[0]["id"]) if found else None


def _own(lot: str, actor: Actor) -> dict[str, str]:
    return {"lot": lot, "organisation": actor.organisation}


def _trusted(row: Row | None, hall: Hall, certificate: bytes) -> Certified:
    """The roots, and of the hall's revocation lists (the setting of that name) that of the certificate's issuer."""
    if row is None:
        return Certified(hall.trust.ca_roots)
    certificates.read_subject(certificate)
    issuer = x509.load_der_x509_certificate(certificate).issuer
    for text in row["body"]["lists"]:
        der = base64.b64decode(text)
        if x509.load_der_x509_crl(der).issuer == issuer:
            return Certified(hall.trust.ca_roots, der)
    return Certified(hall.trust.ca_roots)


async def _around(unit: Unit, hall: Hall, bidder: str, agent: str | None) -> dict[str, Row]:
    """The rows of bidder, agent and operator and of everything below them in the organisation graph: enough to see
    whether they are linked, and its cost does not grow with the number of bidders."""
    waiting = {bidder, hall.uscc} | ({agent} if agent else set())
    found: dict[str, Row] = {}
    while waiting:
        rows = await unit.organisation.find({"uscc": In(tuple(sorted(waiting)))})
        found |= {row["uscc"]: row for row in rows}
        waiting = {edge["child"] for row in rows for edge in row["body"].get("edges", [])} - set(found)
    return found


def _graph(around: Mapping[str, Row], hall: Hall, bidder: str) -> Graph:
    known = tuple(
        Organisation(uscc, "", roles=frozenset({Role.CENTRE} if uscc == hall.uscc else ()))
        for uscc in sorted({*around, bidder, hall.uscc})
    )
    edges = frozenset(
        Edge(uscc, edge["child"], edge["kind"]) for uscc, row in around.items() for edge in row["body"].get("edges", [])
    )
    return Graph(known, edges)


def _offer(cmd: SubmitBid) -> Offer:
    return Offer(
        tuple(box.unbase64(each, "headers") for each in cmd.headers),
        box.unhex(cmd.signature, "signature"),
        box.unhex(cmd.salt, "salt"),
        box.unbase64(cmd.certificate, "certificate"),
    )


def _hashes(row: Row) -> list[str]:
    return [each.hash().hex() for each in box.parse([base64.b64decode(text) for text in row["body"]["headers"]])]
