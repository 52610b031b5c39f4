"""Rotating the hall's own keys: a new duty, room or verifier key takes over, and what the old one signed stays good.

docs/spec/acts.md §2 (`rotate`): signed by the old key and by the root of that purpose, which is never on the hall's
machine. So it takes two steps: `proposed` gives the act signed by the old key, the root signs it elsewhere, `admitted`
logs it. Trustees and the verifier take acts of the new key from there on, in tenders that pinned the old one too.
Whoever has stolen an old key cannot rotate it without the root; until a rotation is logged they can sign as it.
A trustee's key is not rotated: one id keeps one key, so it enrols again under a new id (docs/operations.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from crypto import signing
from crypto.ledger import acts
from crypto.refusal import Refused
from crypto.signing import Signer
from storage.ports import In
from storage.unit import Unit
from storage.world import stamp
from trading import journal
from trading.hall import Hall
from trading.journal import Logged
from trading.roles import Actor

Purpose = Literal["duty", "room", "verifier"]
ROOT: Mapping[str, str] = {"duty": "centre", "room": "centre", "verifier": "supervision"}


async def proposed(unit: Unit, *, purpose: Purpose, old: Signer, new: bytes, now: datetime) -> dict[str, Any]:
    """The `rotate` act that is next in the hall's chain, signed by the old key; its root signs it next.

    `new` is an Ed25519 public key, 32 bytes. Raises Refused("rotation_of_unknown_key") when the old one is not in use.
    """
    await _require_in_use(unit, purpose, old.key)
    tail = await unit.tail(acts.HALL_TENDER_ID)
    act = {
        "v": 1,
        "kind": "rotate",
        "tender_id": acts.HALL_TENDER_ID,
        "seq": tail.seq + 1,
        "prev": tail.leaf_hash,
        "at": stamp(now),
        "role": "root",
        "power": None,
        "rule": None,
        "context": None,
        "purpose": purpose,
        "old": old.key.hex(),
        "new": new.hex(),
        "signatures": [],
    }
    return signing.sign_act(act, signer=old, by=purpose)


async def admitted(unit: Unit, act: Mapping[str, Any], *, hall: Hall, actor: Actor, now: datetime) -> Logged:
    """Log a `rotate` act that both have signed; the new key is in use from here on.

    Raises Refused: act_fields, rotation_of_unknown_key, key_not_certified (the old key's or the root's signature is
    missing or another's), act_place_taken (propose anew), and what signing.verify_act refuses.
    """
    purpose = str(act.get("purpose"))
    if act.get("kind") != "rotate" or purpose not in ROOT or act.get("tender_id") != acts.HALL_TENDER_ID:
        raise Refused("act_fields", kind=act.get("kind"), field="purpose")
    try:
        old, new = bytes.fromhex(str(act.get("old"))), bytes.fromhex(str(act.get("new")))
    except ValueError as error:
        raise Refused("act_fields", kind="rotate", field="new") from error
    await _require_in_use(unit, purpose, old)
    signers = {signer.key for signer in signing.verify_act(act)}
    if len(new) != 32 or new == old or not {old, hall.trust.trustee_roots[ROOT[purpose]]} <= signers:
        raise Refused("key_not_certified", purpose=purpose, key=new.hex())
    logged = await journal.outside_act(unit, act, hall=hall, lot="", actor=actor, now=now)
    await _told(unit, purpose, new)
    return logged


async def in_use(unit: Unit, purpose: str) -> bytes | None:
    """The key of this purpose that the hall's acts say is in use; None before the first."""
    rows = await unit.event.find({"tender_id": acts.HALL_TENDER_ID, "kind": In(("key", "rotate"))}, order=("seq",))
    found = None
    for row in rows:
        act = row["body"]
        if act["purpose"] == purpose:
            found = act["new"] if act["kind"] == "rotate" else act["key"]
    return None if found is None else bytes.fromhex(found)


async def _require_in_use(unit: Unit, purpose: str, old: bytes) -> None:
    if await in_use(unit, purpose) != old:
        raise Refused("rotation_of_unknown_key", purpose=purpose, key=old.hex())


async def _told(unit: Unit, purpose: str, new: bytes) -> None:
    """Later tenders pin the new verdict key."""
    row = await unit.setting.read("verdict_keys")
    if row is not None and purpose in row["body"]:
        body = {**row["body"], purpose: new.hex()}
        await unit.setting.update({**row, "body": body}, expected_version=row["version"])
