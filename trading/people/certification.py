"""Certification: the hall's keys and its trustees, proposed here and signed elsewhere by the roots, one act at a time.

docs/spec/acts.md §2 (`key`, `trustee`), docs/spec/release.md §2; 管办分离: a trustee's act is signed by the centre's
root and by supervision's, a key's by the root of its purpose. Acts of the hall form one chain, so the hall drafts just
the next one; each root signs it on its own machine (`tradehall root certify`) and hands it in; with the last signature
it is logged and the next is drafted. The signature is the authority: nobody has to be signed in.

Whoever can write the rows of `trustee` can propose anybody; without both roots nobody is certified.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from crypto import signing
from crypto.ledger import acts
from crypto.refusal import Refused
from storage.unit import Unit
from storage.world import stamp
from trading import codes, journal, rotation
from trading.hall import Hall
from trading.people import graphs, organisations
from trading.people.organisations import Organisation
from trading.roles import Actor

PURPOSES: tuple[rotation.Purpose, ...] = ("duty", "room", "verifier")
SEATS: Mapping[str, frozenset[str]] = {
    "owner": frozenset({"operation"}),
    "centre": frozenset({"operation"}),
    "notary": frozenset({"operation", "supervision"}),
    "regulator": frozenset({"supervision"}),
    "inspector": frozenset({"supervision"}),
    "independent": frozenset({"supervision"}),
}
"""Seats and the groups in which they stand (docs/spec/acts.md §2)."""
CARD_FIELDS = frozenset({"kind", "trustee", "organisation", "seat", "group", "key"})
NAME_CHARACTERS_MAX = 200
PROPOSED, WITHDRAWN = "proposed", "withdrawn"
BOTH = ("centre", "supervision")
DRAFT = "certifying"
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One act that waits for the roots: its kind, the fields of its kind, and the sides that must sign."""

    kind: str
    fields: Mapping[str, Any]
    sides: Sequence[str]


@dataclass(frozen=True, slots=True)
class Next:
    """The act to sign now (None when nothing is left), the sides whose signature it still lacks, how many acts are
    left with it, and the event of the act that was logged just now, if one was."""

    act: Mapping[str, Any] | None
    lacks: Sequence[str]
    left: int
    logged: str | None = None


async def propose(unit: Unit, card: Mapping[str, Any], *, by: str, now: datetime, hall: Hall) -> str:
    """Put a trustee's enrolment card (`tradehall-trustee … enrol`) up for certification; returns the trustee's id.

    Raises Refused: trustee_card_malformed, uscc_wrong, trustee_seat_wrong, trustee_id_taken, trustee_key_taken,
    key_not_ed25519, roster_key_held_by_the_hall (a key in this machine's folder is no trustee's).
    """
    told = _card(card)
    id_, key = str(told["trustee"]), str(told["key"])
    if told["group"] not in SEATS.get(str(told["seat"]), frozenset()):
        raise Refused("trustee_seat_wrong", seat=told["seat"], group=told["group"])
    if told["seat"] == "centre" and told["organisation"]["uscc"] != hall.uscc:
        raise Refused("trustee_seat_wrong", seat="centre", group=told["group"])
    signing.ed25519_public(bytes.fromhex(key))
    if not hall.rehearsal and {id_, key} & hall.trustees_here():
        raise Refused("roster_key_held_by_the_hall", trustee=id_)
    known = {row["id"]: row for row in await unit.trustee.find()}
    row = known.get(id_)
    if row is not None and row["state"] != WITHDRAWN:
        raise Refused("trustee_id_taken", trustee=id_)
    others = [one for one in known.values() if one["id"] != id_ and one["state"] != WITHDRAWN]
    used = {str(_told(one)["key"]) for one in others} | {each.hex() for each in hall.trust.trustee_roots.values()}
    if key in used | {each.key.public.hex() for each in hall.trust.witnesses}:
        raise Refused("trustee_key_taken", trustee=id_)
    body = {"card": told, "by": by, "at": stamp(now)}
    if row is None:
        uscc = told["organisation"]["uscc"]
        await unit.trustee.insert({"id": id_, "organisation": uscc, "state": PROPOSED, "body": body})
    else:
        changed = {**row, "organisation": told["organisation"]["uscc"], "state": PROPOSED, "body": body}
        await unit.trustee.update(changed, expected_version=row["version"])
    return id_


async def withdraw(unit: Unit, trustee: str) -> None:
    """Take back a card that no root has certified. Raises Refused("trustee_unknown")."""
    row = await unit.trustee.read(trustee)
    if row is None or row["state"] != PROPOSED:
        raise Refused("trustee_unknown", trustee=trustee)
    await unit.trustee.update({**row, "state": WITHDRAWN}, expected_version=row["version"])


async def proposed(unit: Unit) -> list[Mapping[str, Any]]:
    """The cards that wait for the roots, in the order in which they are certified."""
    rows = await unit.trustee.find({"state": PROPOSED})
    return [row["body"]["card"] for row in sorted(rows, key=lambda row: (row["body"]["at"], row["id"]))]


async def wanted(unit: Unit, keys: Mapping[str, bytes]) -> list[Wanted]:
    """Everything that waits for the roots: the hall's own `keys` (public, by purpose) first, then trustees."""
    found: list[Wanted] = []
    for purpose in PURPOSES:
        if await rotation.in_use(unit, purpose) is None:
            fields = {"purpose": purpose, "key": keys[purpose].hex()}
            found.append(Wanted("key", fields, (rotation.ROOT[purpose],)))
    for card in await proposed(unit):
        found.append(Wanted("trustee", {name: card[name] for name in sorted(CARD_FIELDS - {"kind"})}, BOTH))
    return found


async def upcoming(unit: Unit, keys: Mapping[str, bytes], *, now: datetime, hall: Hall) -> Next:
    """The act to be signed next, drafted once and kept until it is logged or its place is taken by another act."""
    waiting = await wanted(unit, keys)
    if not waiting:
        return Next(None, (), 0)
    first = waiting[0]
    tail = await unit.tail(acts.HALL_TENDER_ID)
    row = await unit.setting.read(DRAFT)
    kept = row["body"]["act"] if row is not None else None
    said = {"kind": first.kind, "seq": tail.seq + 1, "prev": tail.leaf_hash, **first.fields}
    if kept is None or any(kept.get(name) != value for name, value in said.items()):
        kept = {
            "v": 1,
            "tender_id": acts.HALL_TENDER_ID,
            "at": stamp(now),
            "role": "root",
            "power": None,
            "rule": None,
            "context": None,
            **said,
            "signatures": [],
        }
        await _keep(unit, kept)
    return Next(kept, _lacks(kept, first, hall), len(waiting))


async def hand_in(
    unit: Unit, act: Mapping[str, Any], keys: Mapping[str, bytes], *, hall: Hall, actor: Actor, now: datetime
) -> Next:
    """Take a root's signature under the act that is next; with the last one it is logged. Returns what is next then.

    Raises Refused: act_place_taken (another act came in between: ask again), not_a_root (signed by a key that this act
    does not want), and what signing.verify_act refuses.
    """
    now_ = await upcoming(unit, keys, now=now, hall=hall)
    if now_.act is None or {**act, "signatures": []} != {**now_.act, "signatures": []}:
        raise Refused("act_place_taken", seq=now_.act["seq"] if now_.act else 0, prev="")
    first = (await wanted(unit, keys))[0]
    right = {hall.trust.trustee_roots[side]: f"root_{side}" for side in first.sides}
    proved = {one.key: one.by for one in signing.verify_act(act)}
    if any(right.get(key) != by for key, by in proved.items()):
        raise Refused("not_a_root")
    there = {str(entry["key"]) for entry in now_.act["signatures"]}
    entries = [*now_.act["signatures"], *(entry for entry in act["signatures"] if entry["key"] not in there)]
    signed = {**now_.act, "signatures": entries}
    if _lacks(signed, first, hall):
        await _keep(unit, signed)
        return await upcoming(unit, keys, now=now, hall=hall)
    logged = await journal.outside_act(unit, signed, hall=hall, lot="", actor=actor, now=now)
    await _keep(unit, None)
    await _admitted(unit, signed)
    return replace(await upcoming(unit, keys, now=now, hall=hall), logged=logged.recorded.event)


async def _admitted(unit: Unit, act: Mapping[str, Any]) -> None:
    """What follows from a certified act: the trustee may be seated, later tenders pin the verdict keys."""
    if act["kind"] == "trustee":
        row = await unit.trustee.read(act["trustee"])
        assert row is not None, "it was proposed"
        body = {**row["body"], "act": dict(act)}
        await unit.trustee.update({**row, "state": "certified", "body": body}, expected_version=row["version"])
        graph, of = await graphs.load(unit), act["organisation"]
        if all(one.uscc != of["uscc"] for one in graph.organisations):
            one = Organisation(of["uscc"], of["name"])
            await graphs.keep(unit, organisations.changed(graph, organisations=[one]))
        return
    found = {purpose: await rotation.in_use(unit, purpose) for purpose in ("room", "verifier")}
    told = {purpose: key.hex() for purpose, key in found.items() if key is not None}
    if len(told) == len(found) and await unit.setting.read("verdict_keys") is None:
        await unit.setting.insert({"name": "verdict_keys", "body": told})


async def _keep(unit: Unit, act: Mapping[str, Any] | None) -> None:
    row = await unit.setting.read(DRAFT)
    body = {"act": dict(act) if act is not None else None}
    if row is None:
        await unit.setting.insert({"name": DRAFT, "body": body})
    else:
        await unit.setting.update({**row, "body": body}, expected_version=row["version"])


def _lacks(act: Mapping[str, Any], first: Wanted, hall: Hall) -> list[str]:
    signed = {str(entry["key"]) for entry in act["signatures"]}
    return [side for side in first.sides if hall.trust.trustee_roots[side].hex() not in signed]


def _card(card: Mapping[str, Any]) -> dict[str, Any]:
    """A card as it will stand in the act; nothing but text of a bounded length is in it."""
    of = card.get("organisation")
    if set(card) != CARD_FIELDS or card["kind"] != "trustee" or not isinstance(of, dict) or set(of) != {"name", "uscc"}:
        raise Refused("trustee_card_malformed")
    texts = [card["trustee"], card["seat"], card["group"], card["key"], of["name"], of["uscc"]]
    if not all(isinstance(text, str) for text in texts):
        raise Refused("trustee_card_malformed")
    name = str(of["name"])
    printable = name.strip() == name and name.isprintable() and 0 < len(name) <= NAME_CHARACTERS_MAX
    if not (printable and _ID.fullmatch(card["trustee"]) and _HASH.fullmatch(card["key"])):
        raise Refused("trustee_card_malformed")
    codes.check_uscc(str(of["uscc"]))
    return {**card, "organisation": {"name": name, "uscc": of["uscc"]}}


def _told(row: Mapping[str, Any]) -> Mapping[str, Any]:
    told: Mapping[str, Any] = row["body"].get("act") or row["body"]["card"]
    return told
