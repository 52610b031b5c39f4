"""How an act gets into the ledger: drafted, signed by whoever must, recorded with the state it explains.

docs/spec/acts.md §1; sealing protocol §4 and §5 (who signs). The rules upheld here:
- every state change records its act in the same transaction (20号令 §49);
- a person's act is first answered with the exact act; the client signs it and posts it again, so that no server ever
  holds a person's key; what comes back must be that act, next in the tender's chain, not older than ten minutes;
- who a person is, where and on what device stands behind a salted hash: in the trail, not in the public log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from crypto import jcs, signing
from crypto.ledger import acts, merkle
from crypto.refusal import Refused
from crypto.signing import Signer
from storage import world
from storage.unit import Beside, Record, Recorded, Unit
from storage.world import stamp
from trading.hall import Hall
from trading.people import keys
from trading.roles import Actor

DRAFT_MINUTES_MAX = 10
SOURCE = "hall"
CONTEXT_LABEL = b"sealbid/v1 context\0"


@dataclass(frozen=True, slots=True)
class Logged:
    """An act in this transaction: the act itself (for a private one its public part, with the confidential one beside
    it) and how it is found again."""

    recorded: Recorded
    act: Mapping[str, Any]
    salt_p: bytes = b""
    salt_c: bytes = b""
    confidential: Mapping[str, Any] | None = None

    @property
    def leaf(self) -> str:
        """The leaf hash in hex: what later acts call this one."""
        return self.recorded.leaf_hash


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a verb answers: the events it logged, the act that still wants a signature, and what else it has to say."""

    events: Sequence[Logged] = ()
    sign: Mapping[str, Any] | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    receipt: bool = False


def instant(signed: Mapping[str, Any] | None, *, now: datetime) -> datetime:
    """The instant at which a verb is judged: that of the signed act, if it is at most ten minutes old, else `now`.

    Raises Refused("act_stale") for an act drafted longer ago, or in the future.
    """
    if signed is None:
        return now
    try:
        at = world.instant(str(signed.get("at")))
    except ValueError as error:
        raise Refused("act_stale", at=signed.get("at")) from error
    if not now - timedelta(minutes=DRAFT_MINUTES_MAX) <= at <= now:
        raise Refused("act_stale", at=signed.get("at"))
    return at


async def hall_act(
    unit: Unit,
    *,
    hall: Hall,
    lot: str,
    tender_id: str,
    kind: str,
    fields: Mapping[str, Any],
    now: datetime,
    rule: str | None = None,
    role: str = "clockwork",
    signers: Sequence[tuple[str, Signer]] = (),
    actor: Actor | None = None,
    power: str | None = None,
) -> Logged:
    """Log an act signed by the hall's own keys: the duty key, unless `signers` says which (by, key) sign."""
    act, context, salt = await _draft(
        unit,
        hall=hall,
        tender_id=tender_id,
        kind=kind,
        fields=fields,
        role=role,
        actor=actor,
        now=now,
        rule=rule,
        power=power,
    )
    for by, signer in signers or (("duty", hall.duty),):
        act = signing.sign_act(act, signer=signer, by=by)
    return await _record(unit, hall, lot, act, context, salt, actor=actor, now=now)


async def person_act(
    unit: Unit,
    *,
    hall: Hall,
    lot: str,
    tender_id: str | None,
    kind: str,
    fields: Mapping[str, Any],
    actor: Actor,
    now: datetime,
    signed: Mapping[str, Any] | None,
    rule: str | None = None,
    power: str | None = None,
    ended_key_signs: bool = False,
) -> Logged | Mapping[str, Any]:
    """Log a person's act once it is signed; before that, return the act that is to be signed.

    `now` is journal.instant(signed, now=…). `tender_id` None only for the TENDER act, which gives it.
    `ended_key_signs`: an act that answers for what a key signed may be signed by it after its end. Raises Refused:
    act_differs (what was signed is not what would be logged), and what keys.check_signed refuses.
    """
    if signed is None:
        act, context, salt = await _draft(
            unit,
            hall=hall,
            tender_id=tender_id,
            kind=kind,
            fields=fields,
            role=actor.role.value,
            actor=actor,
            now=now,
            rule=rule,
            power=power,
        )
        row: dict[str, Any] = {
            "id": _name(act),
            "created": stamp(now),
            "body": {"context": context, "salt": salt.hex()},
        }
        if await unit.draft.read(_name(act)) is None:
            await unit.draft.insert(row)
        return act
    draft = await unit.draft.read(_name(signed))
    if draft is None:
        raise Refused("act_differs", kind=kind)
    context, salt = draft["body"]["context"], bytes.fromhex(draft["body"]["salt"])
    expected, _, _ = await _draft(
        unit,
        hall=hall,
        tender_id=tender_id,
        kind=kind,
        fields=fields,
        role=actor.role.value,
        actor=actor,
        now=now,
        rule=rule,
        power=power,
        opened=(context, salt),
    )
    if {**signed, "signatures": []} != expected or context.get("person") != actor.person:
        raise Refused("act_differs", kind=kind)
    await keys.check_signed(unit, signed, actor.organisation, hall=hall, now=now, ended=ended_key_signs)
    await unit.draft.delete(draft["id"])
    return await _record(unit, hall, lot, dict(signed), context, salt, actor=actor, now=now)


async def outside_act(
    unit: Unit, act: Mapping[str, Any], *, hall: Hall, lot: str, actor: Actor, now: datetime
) -> Logged:
    """Log an act that came complete from outside (a trustee's, a root's); it must be the next in its chain.

    Raises Refused("act_place_taken") when another act took its place: fetch the tail, sign anew.
    """
    tail = await unit.tail(act["tender_id"])
    if (act["seq"], act["prev"]) != (tail.seq + 1, tail.leaf_hash):
        raise Refused("act_place_taken", seq=tail.seq + 1, prev=tail.leaf_hash)
    signing.verify_act(act)
    return await _record(unit, hall, lot, dict(act), {}, b"", actor=actor, now=now)


async def private_act(
    unit: Unit,
    *,
    hall: Hall,
    lot: str,
    tender_id: str,
    kind: str,
    fields: Mapping[str, Any],
    actor: Actor,
    now: datetime,
    rule: str | None = None,
    power: str | None = None,
    confidential: Mapping[str, Any] | None = None,
    role: str | None = None,
    beside: Beside | None = None,
) -> Logged:
    """Log a private act: its public part and its confidential part, each behind its own salt; and the facts `beside`
    it, which name it, in the same statement."""
    part = {
        "v": 1,
        "kind": kind,
        "tender_id": tender_id,
        "at": stamp(now),
        "prev": await unit.tail_of(tender_id, actor.person),
        "role": role or actor.role.value,
        "power": power,
        "rule": rule,
        **fields,
    }
    hidden = {**_context(actor), **(confidential or {})}
    salt_p, salt_c = hall.entropy(acts.SALT_BYTES), hall.entropy(acts.SALT_BYTES)
    leaf = acts.private_leaf(part, hidden, salt_p=salt_p, salt_c=salt_c)
    recorded = await unit.record(
        Record(
            id=hall.entropy(16).hex(),
            lot=lot,
            tender_id=tender_id,
            kind=kind,
            actor=actor.person,
            at=now,
            public=part,
            confidential=hidden,
            salt_p=salt_p.hex(),
            salt_c=salt_c.hex(),
            leaf=leaf,
            leaf_hash=merkle.leaf_hash(leaf).hex(),
            prev=part["prev"],
        ),
        beside=beside,
    )
    return Logged(recorded, part, salt_p, salt_c, hidden)


async def keep_object(unit: Unit, *, lot: str, kind: str, data: bytes, public: bool) -> str:
    """Keep what an act names by hash (docs/spec/acts.md §5) and return the hash in hex. The same bytes stay once."""
    name = sha256(data).hexdigest()
    if await unit.object.read(lot, name) is None:
        view = "public" if public else "full"
        await unit.object.insert({"lot": lot, "hash": name, "kind": kind, "view": view, "data": data})
    return name


async def _draft(
    unit: Unit,
    *,
    hall: Hall,
    tender_id: str | None,
    kind: str,
    fields: Mapping[str, Any],
    role: str,
    actor: Actor | None,
    now: datetime,
    rule: str | None,
    power: str | None,
    opened: tuple[Mapping[str, Any], bytes] | None = None,
) -> tuple[dict[str, Any], Mapping[str, Any], bytes]:
    """The unsigned act, its context in the clear and the salt of the context."""
    if opened is not None:
        context, salt = opened
    elif actor is not None:
        context, salt = _context(actor), hall.entropy(acts.SALT_BYTES)
    else:
        context, salt = {}, b""
    hashed = sha256(CONTEXT_LABEL + salt + jcs.dumps(context)).hexdigest() if context else None
    act: dict[str, Any] = {
        "v": 1,
        "kind": kind,
        "at": stamp(now),
        "role": role,
        "power": power,
        "rule": rule,
        "context": hashed,
        **fields,
    }
    if tender_id is None:
        act |= {"tender_id": acts.tender_id(act).hex(), "seq": 0, "prev": acts.FIRST_PREV}
    else:
        tail = await unit.tail(tender_id)
        act |= {"tender_id": tender_id, "seq": tail.seq + 1, "prev": tail.leaf_hash}
    return {**act, "signatures": []}, context, salt


async def _record(
    unit: Unit,
    hall: Hall,
    lot: str,
    act: dict[str, Any],
    context: Mapping[str, Any],
    salt: bytes,
    *,
    actor: Actor | None,
    now: datetime,
) -> Logged:
    leaf = acts.public_leaf(act)
    recorded = await unit.record(
        Record(
            id=hall.entropy(16).hex(),
            lot=lot,
            tender_id=act["tender_id"],
            kind=act["kind"],
            actor=actor.person if actor else "clockwork",
            at=now,
            public=act,
            confidential=context or None,
            salt_c=salt.hex(),
            leaf=leaf,
            leaf_hash=merkle.leaf_hash(leaf).hex(),
            seq=act["seq"],
            prev=act["prev"],
        )
    )
    return Logged(recorded, act, b"", salt)


def _context(actor: Actor) -> dict[str, Any]:
    return {
        "person": actor.person,
        "organisation": actor.organisation,
        "address": actor.address,
        "device": actor.device,
        "source": SOURCE,
    }


def _name(act: Mapping[str, Any]) -> str:
    """The hash under which a draft waits for its signature."""
    return sha256(signing.act_message(act)).hexdigest()
