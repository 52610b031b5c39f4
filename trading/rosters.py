"""Which trustees and which one-time keys a tender gets, and that no key is ever given twice (sealing §5 Roots, Keys).

Seats come from the document's locks; for each seat the certified trustee with an unused pre-key is taken, in the order
of their ids, so that the draft and the signed act name the same. The opening room and supervision's verifier give a
one-time opening key each. trustees.check_roster judges the whole; the clients judge it again from trust.json.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from crypto.refusal import Refused
from crypto.roster import Lock, Roster
from storage.unit import Unit
from trading import rulebook, tenders, trustees
from trading.hall import Hall
from trading.people import graphs
from trading.roles import Parties
from trading.rulebook import Rulebook
from trading.tender import Tender
from trading.tender_document import TenderDocument
from trading.trustees import PreKey, Trustee

ROOM, VERIFIER = "room", "verifier"
UNUSED = ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The keys of one tender: its roster, who sits where, and the opening keys with the verdict keys beside them."""

    roster: Roster
    seats: Sequence[Sequence[str]]
    opening_keys: Mapping[str, str]
    verdict_keys: Mapping[str, str]

    def fields(self) -> dict[str, Any]:
        """The fields of the TENDER act."""
        return {
            "roster": self.roster.encode().hex(),
            "seats": [list(lock) for lock in self.seats],
            "opening_keys": dict(self.opening_keys),
            "verdict_keys": dict(self.verdict_keys),
        }

    @property
    def keys(self) -> list[str]:
        """Every one-time key that is used up by this tender."""
        return [key.hex() for lock in self.roster.locks for key in lock.keys] + list(self.opening_keys.values())


async def choose(unit: Unit, *, document: TenderDocument, rulebook: Rulebook, hall: Hall) -> Chosen:
    """Seats and keys for a document. Raises Refused: seat_without_trustee, opening_key_missing, and what
    trustees.check_roster refuses."""
    known = await certified(unit)
    seats: list[list[str]] = []
    locks: list[Lock] = []
    used: dict[str, PreKey] = {}
    for number, lock in enumerate(document.sealing.locks):
        ids: list[str] = []
        keys: list[bytes] = []
        for seat in lock.seats:
            group = trustees.GROUP_OF_LOCK[number]
            own = {"owner": document.owner.uscc, "centre": hall.uscc}.get(seat)
            taken = {one for row in [*seats, ids] for one in row}
            trustee, key = await _seat(unit, known, seat, group, own=own, taken=taken)
            ids.append(trustee.id)
            keys.append(bytes.fromhex(key))
            used[key] = PreKey(key, trustee.id)
        seats.append(ids)
        locks.append(Lock(lock.threshold, tuple(keys)))
    roster = Roster(tuple(locks))
    trustees.check_roster(
        roster,
        seats,
        tender_id=None,
        document=document,
        trustees=known,
        pre_keys=used,
        graph=await graphs.load(unit),
        parties=Parties(document.owner.uscc, document.agent.uscc if document.agent else None),
        centre=hall.uscc,
        rulebook=rulebook,
    )
    opening = {name: await _unused(unit, name) for name in (ROOM, VERIFIER)}
    if None in opening.values():
        raise Refused("opening_key_missing")
    signers = await unit.setting.read("verdict_keys")
    assert signers is not None, "the opening room and the verifier have told their keys"
    return Chosen(roster, seats, {name: str(key) for name, key in opening.items()}, signers["body"])


async def check_keys_elsewhere(unit: Unit, chosen: Chosen, *, hall: Hall) -> Chosen:
    """A real hall holds no key of its roster: with it whoever owns the machine is that trustee, and nobody can tell.

    A rehearsal says of itself that it holds them all. Raises Refused("roster_key_held_by_the_hall").
    """
    if hall.rehearsal:
        return chosen
    here, known = hall.trustees_here(), await certified(unit)
    for id_ in (each for lock in chosen.seats for each in lock):
        if id_ in here or known[id_].key in here:
            raise Refused("roster_key_held_by_the_hall", trustee=id_)
    return chosen


async def take(unit: Unit, chosen: Chosen, *, tender_id: str) -> None:
    """Mark the keys as used by this tender; Conflict when another tender took one of them in between."""
    for key in chosen.keys:
        row = await unit.prekey.read(key)
        assert row is not None and row["tender_id"] == UNUSED, "a chosen key is unused"
        await unit.prekey.update({**row, "tender_id": tender_id}, expected_version=row["version"])


async def certified(unit: Unit) -> dict[str, Trustee]:
    """Every trustee whose act both roots signed, by id."""
    rows = await unit.trustee.find({"state": "certified"})
    return {row["id"]: trustees.trustee(row["body"]["act"]) for row in rows}


async def pinned_rulebook(unit: Unit, tender: Tender) -> Rulebook:
    """The edition in force when the tender was published (T-07): the object, never today's table."""
    return rulebook.from_json(msgspec.json.decode(await tenders.object_bytes(unit, tender.lot, tender.rulebook)))


async def owner_contributor(unit: Unit, uscc: str) -> str:
    """The owner's key for the draw: hex SPKI of its enrolled certificate. Raises Refused("owner_not_enrolled")."""
    found = await unit.organisation.find({"uscc": uscc})
    spki = found[0]["body"].get("spki") if found else None
    if not spki:
        raise Refused("owner_not_enrolled", uscc=uscc)
    return str(spki)


async def _seat(
    unit: Unit, known: Mapping[str, Trustee], seat: str, group: str, *, own: str | None, taken: set[str]
) -> tuple[Trustee, str]:
    for trustee in sorted(known.values(), key=lambda one: one.id):
        fits = (trustee.seat, trustee.group) == (seat, group) and own in (None, trustee.uscc)
        if fits and trustee.id not in taken:
            key = await _unused(unit, trustee.id)
            if key is not None:
                return trustee, key
    raise Refused("seat_without_trustee", seat=seat, group=group)


async def _unused(unit: Unit, trustee: str) -> str | None:
    found = await unit.prekey.find({"trustee": trustee, "tender_id": UNUSED}, order=("key",), limit=1)
    return str(found[0]["key"]) if found else None
