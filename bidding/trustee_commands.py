"""What trustees hand in: one-time keys, READY (or a signed refusal), releases. Their own signature decides, no account.

docs/spec/release.md §5 and §6. The first call answers with the exact act, next in its chain; the trustee signs it only
if every field is what its machine decided (crypto.release.check_draft), and posts it again. The hall judges form and
place; whether to open is decided by the trustees alone.

Whoever runs this door can refuse or delay a trustee's act, and the trustee's own log shows it; they cannot make one.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Literal

import msgspec

from bidding import ceremony, lots
from crypto import signing
from crypto.ledger import acts
from crypto.opening.certified import PRE_KEYS_MAX
from crypto.refusal import Refused
from crypto.release import COMPLAINTS_MAX
from storage.unit import Unit
from storage.world import stamp
from trading import fold, journal, rosters, tenders
from trading.hall import Hall
from trading.journal import Logged, Outcome
from trading.roles import Actor, Permission, Role
from trading.rosters import UNUSED
from trading.trustees import Trustee

Act = dict[str, Any]
BY = "trustee"

Hash = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
TrusteeId = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9._-]{1,64}$")]
Code = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]{0,60}$")]
LockNumber = Annotated[int, msgspec.Meta(ge=0, le=15)]
Index = Annotated[int, msgspec.Meta(ge=1, le=16)]
RELEASE_BYTES_MAX = 8 << 20
"""Shares of 10,000 bids are 5.9 MB (docs/spec/release.md §6)."""


class PreKeysAct(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The fields of a `pre_keys` act, as crypto.sealing.prekeys.act_fields makes them."""

    trustee: TrusteeId
    batch: Annotated[int, msgspec.Meta(ge=0)]
    keys: Annotated[list[Hash], msgspec.Meta(min_length=1, max_length=PRE_KEYS_MAX)]
    kind: Literal["pre_keys"] = "pre_keys"


class Seen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The checkpoint on which a trustee decided."""

    size: Annotated[int, msgspec.Meta(ge=1)]
    root: Hash


class Complains(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A header whose share for this seat does not open."""

    header: Hash
    lock: LockNumber
    index: Index


class ReadyAct(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The fields of a `ready` act, as crypto.release decides them."""

    trustee: TrusteeId
    lock: LockNumber
    index: Index
    freeze: Hash
    checkpoint: Seen
    draws: list[Hash]
    complaints: Annotated[list[Complains], msgspec.Meta(max_length=COMPLAINTS_MAX)]
    refusal: Code | None
    kind: Literal["ready"] = "ready"


class ReleaseAct(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The fields of a `release` act, as crypto.release decides them."""

    trustee: TrusteeId
    lock: LockNumber
    index: Index
    freeze: Hash
    shares_hash: Hash
    kind: Literal["release"] = "release"


class PreKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hand in a batch of one-time keys."""

    act: PreKeysAct
    signed: Act | None = None


class Ready(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Say READY, or refuse with the reason."""

    lot: str
    act: ReadyAct
    signed: Act | None = None


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Release shares: `shares` is the object whose hash the act names (docs/spec/acts.md §5)."""

    lot: str
    act: ReleaseAct
    shares: Act
    signed: Act | None = None


async def pre_keys(cmd: PreKeys, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """Log a batch and keep its keys unused. Raises Refused: trustee_unknown, act_fields, key_used_before."""
    now = journal.instant(cmd.signed, now=now)
    trustee = await _trustee(unit, cmd.act.trustee)
    draft = await _draft(unit, acts.HALL_TENDER_ID, cmd.act, now)
    keys = cmd.act.keys
    if len(set(keys)) != len(keys):
        raise Refused("act_fields", kind="pre_keys", field="keys")
    for key in keys:
        if await unit.prekey.read(key) is not None:
            raise Refused("key_used_before", key=key, trustee=trustee.id)
    if cmd.signed is None:
        return Outcome(sign=draft)
    logged = await _log(unit, draft, cmd.signed, trustee, hall=hall, lot="", actor=actor, now=now)
    for key in keys:
        await unit.prekey.insert(
            {"key": key, "trustee": trustee.id, "tender_id": UNUSED, "body": {"batch": cmd.act.batch}}
        )
    return Outcome((logged,))


async def ready(cmd: Ready, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """Log READY or a refusal of a seated trustee. Raises Refused: not_my_seat, act_of_another_freeze, process_held."""
    now = journal.instant(cmd.signed, now=now)
    held = await tenders.load(unit, cmd.lot)
    trustee = await _seated(unit, held, cmd.act)
    draft = await _draft(unit, held.tender.tender_id, cmd.act, now)
    fold.apply(held.tender, draft, leaf="0" * 64)
    if cmd.signed is None:
        return Outcome(sign=draft)
    logged = await _log(unit, draft, cmd.signed, trustee, hall=hall, lot=cmd.lot, actor=actor, now=now)
    await tenders.fold_in(unit, held, logged, now=now)
    return Outcome((logged,))


async def release(cmd: Release, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """Log a release and keep its shares. Raises Refused: release_before_every_lock_is_ready (E-39),
    release_leaves_a_bid_out and release_of_an_unlisted_header (E-52), object_hash, rescue_window_open."""
    now = journal.instant(cmd.signed, now=now)
    held = await tenders.load(unit, cmd.lot)
    trustee = await _seated(unit, held, cmd.act)
    draft = await _draft(unit, held.tender.tender_id, cmd.act, now)
    fold.apply(held.tender, draft, leaf="0" * 64)
    data = await _shares(unit, held, cmd, trustee, now=now, hall=hall)
    if sha256(data).hexdigest() != cmd.act.shares_hash:
        raise Refused("object_hash", object="shares")
    if cmd.signed is None:
        return Outcome(sign=draft)
    logged = await _log(unit, draft, cmd.signed, trustee, hall=hall, lot=cmd.lot, actor=actor, now=now)
    await journal.keep_object(unit, lot=cmd.lot, kind="shares", data=data, public=True)
    await tenders.fold_in(unit, held, logged, now=now)
    return Outcome((logged,))


async def _shares(
    unit: Unit, held: tenders.Held, cmd: Release, trustee: Trustee, *, now: datetime, hall: Hall
) -> bytes:
    view = await lots.view(unit, held.tender, hall=hall)
    who = ceremony.readiness(view)
    if who.rescue_until is not None and now < who.rescue_until:
        raise Refused("rescue_window_open", until=stamp(who.rescue_until))
    assert view.freeze is not None, "the fold let the release name it"
    listed = await tenders.object_json(unit, cmd.lot, view.freeze.act["list_hash"])
    envelopes = {
        header: envelope
        for row in listed
        for header, envelope in zip(row["headers"], view.terms.envelopes, strict=True)
    }
    out = await _released_before(unit, held, trustee)
    complained = {each.header.hex() for each in who.complaints if each.trustee == trustee.id}
    draws = {hashed.hex() for draw in view.draws for _, hashed, _ in draw.contributions}
    return ceremony.check_release(cmd.shares, listed=envelopes, complained=complained | out, draws=draws)


async def _released_before(unit: Unit, held: tenders.Held, trustee: Trustee) -> set[str]:
    """Headers whose shares this trustee has out already: after a supplementary freeze only the new ones follow."""
    rows = await unit.event.find({"lot": held.tender.lot, "kind": "release"})
    out: set[str] = set()
    for row in rows:
        if row["body"]["trustee"] == trustee.id:
            shares = await tenders.object_json(unit, held.tender.lot, row["body"]["shares_hash"])
            out |= {each["header"] for part in shares.values() for each in part}
    return out


async def _draft(unit: Unit, tender_id: str, fields: PreKeysAct | ReadyAct | ReleaseAct, now: datetime) -> Act:
    """The exact act: what the trustee decided, with the place it takes in its chain."""
    tail = await unit.tail(tender_id)
    return {
        "v": 1,
        "at": stamp(now),
        "role": Role.TRUSTEE.value,
        "power": None,
        "rule": "E-52" if isinstance(fields, ReleaseAct) else None,
        "context": None,
        **msgspec.to_builtins(fields),
        "tender_id": tender_id,
        "seq": tail.seq + 1,
        "prev": tail.leaf_hash,
        "signatures": [],
    }


async def _log(
    unit: Unit, draft: Act, signed: Act, trustee: Trustee, *, hall: Hall, lot: str, actor: Actor, now: datetime
) -> Logged:
    """Log what came back signed: the draft itself, by the trustee's certified key and nobody else."""
    if {**signed, "signatures": []} != draft:
        raise Refused("act_differs", kind=draft["kind"])
    # `by` stands outside the signed bytes; whoever carries the act must not make it read as another's.
    if [(signer.by, signer.key.hex()) for signer in signing.verify_act(signed)] != [(BY, trustee.key)]:
        raise Refused("act_not_signed_by", kind=draft["kind"], uscc=trustee.uscc)
    # The person behind a trustee is the trustee: its agent signs in nowhere.
    self = Actor(trustee.id, trustee.uscc, Role.TRUSTEE, actor.address, actor.device)
    self.must(_PERMISSIONS[draft["kind"]], now=now)
    return await journal.outside_act(unit, signed, hall=hall, lot=lot, actor=self, now=now)


async def _trustee(unit: Unit, id_: str) -> Trustee:
    found = (await rosters.certified(unit)).get(id_)
    if found is None:
        raise Refused("trustee_unknown", trustee=id_[:64])
    return found


async def _seated(unit: Unit, held: tenders.Held, fields: ReadyAct | ReleaseAct) -> Trustee:
    """The trustee, if it sits where it says in this tender. Raises Refused: trustee_unknown, not_my_seat."""
    trustee = await _trustee(unit, fields.trustee)
    terms = await lots.terms(unit, held.tender)
    seats = terms.seats[fields.lock] if fields.lock < len(terms.seats) else ()
    if fields.index > len(seats) or seats[fields.index - 1] != trustee.id:
        raise Refused("not_my_seat", trustee=trustee.id)
    return trustee


async def seated_trustee(unit: Unit, lot: str, id_: str) -> Trustee:
    """A trustee of the lot's roster by its id. Raises Refused: lot_unknown, trustee_unknown, not_my_seat."""
    held = await tenders.load(unit, lot)
    trustee = await _trustee(unit, id_)
    if not any(id_ in seats for seats in (await lots.terms(unit, held.tender)).seats):
        raise Refused("not_my_seat", trustee=id_)
    return trustee


_PERMISSIONS = {
    "pre_keys": Permission.TRUSTEE_KEYS,
    "ready": Permission.TRUSTEE_READY,
    "release": Permission.TRUSTEE_RELEASE,
}
