"""Who may sit in the locks of a tender: the roster is judged before the notice, and refused rather than repaired.

docs/spec/release.md; 管办分离: lock 0 is the operation group, lock 1 the supervision group, and no organisation, with
those it controls, reaches into both. Every key comes from a pre-key act of a trustee whose own act both roots signed,
and was never used before. Lock 1's seats come from the rulebook (region, sector), never from the owner. What the bytes
of a roster must be (thresholds, canonical and distinct keys) crypto/roster.py has already checked.

Whoever certifies trustees can put a friend into a seat; they need the other root's signature to do it, and the log
shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from crypto.refusal import Refused
from crypto.roster import Roster
from trading.people.organisations import Graph
from trading.roles import Parties
from trading.rulebook import Rulebook
from trading.tender_document import TenderDocument

GROUP_OF_LOCK: tuple[Literal["operation"], Literal["supervision"]] = ("operation", "supervision")


@dataclass(frozen=True)
class Trustee:
    """A trustee as its act in the ledger certifies it: both roots signed. `key` signs (Ed25519, hex)."""

    id: str
    uscc: str
    seat: str
    group: str
    key: str


@dataclass(frozen=True)
class PreKey:
    """A one-time key from a trustee's pre-key act; `used_by` = the tender_id that took it, or None."""

    key: str
    trustee: str
    used_by: str | None = None


def trustee(act: Mapping[str, Any]) -> Trustee:
    """The trustee of a TRUSTEE act; raises trustee_not_certified unless both roots are among its signers. Signatures
    themselves are verified by crypto/signing.py."""
    signers = {entry["by"] for entry in act["signatures"]}
    if not {"root_centre", "root_supervision"} <= signers:
        raise Refused("trustee_not_certified", trustee=act["trustee"])
    return Trustee(act["trustee"], act["organisation"]["uscc"], act["seat"], act["group"], act["key"])


def check_roster(
    roster: Roster,
    seats: Sequence[Sequence[str]],
    *,
    tender_id: str | None,
    document: TenderDocument,
    trustees: Mapping[str, Trustee],
    pre_keys: Mapping[str, PreKey],
    graph: Graph,
    parties: Parties,
    centre: str,
    rulebook: Rulebook,
) -> Roster:
    """Return the roster if these seats may hold it. `seats[lock][i]` is the id of the trustee whose key stands at index
    i + 1 of the lock. Raises, in this order: roster_shape_wrong, trustee_unknown, seat_wrong, key_not_a_pre_key,
    key_used_before, organisation_in_two_locks, lock_1_has_a_party, lock_1_seat_not_named."""
    _check_shape(roster, seats, document)
    for lock, ids in enumerate(seats):
        for index, id_ in enumerate(ids):
            _check_seat(lock, index, _trustee(trustees, id_), document)
            _check_key(roster.locks[lock].keys[index].hex(), id_, pre_keys, tender_id)
    organisations = [{_trustee(trustees, id_).uscc for id_ in ids} for ids in seats]
    _check_apart(organisations, graph)
    for uscc in sorted(organisations[1]):
        parted = graph.with_kin(uscc) & {parties.owner, parties.agent, centre}
        kin = {one for one in (parties.owner, parties.agent, centre) if one and uscc in graph.with_kin(one)}
        if parted or kin:
            raise Refused("lock_1_has_a_party", uscc=uscc, party=sorted(one for one in parted | kin if one)[0])
    named = rulebook.lock_1_organisations(document.project.sector)
    strange = sorted(organisations[1] - set(named)) if named else []
    if strange:
        raise Refused("lock_1_seat_not_named", uscc=strange[0], named=list(named))
    return roster


def _check_shape(roster: Roster, seats: Sequence[Sequence[str]], document: TenderDocument) -> None:
    wanted = [(lock.threshold, len(lock.seats)) for lock in document.sealing.locks]
    given = [(lock.t, lock.n) for lock in roster.locks]
    if given != wanted or [len(ids) for ids in seats] != [n for _, n in wanted]:
        raise Refused("roster_shape_wrong", given=given, wanted=wanted)
    everybody = [id_ for ids in seats for id_ in ids]
    if len(set(everybody)) != len(everybody):
        raise Refused("roster_shape_wrong", given=everybody, wanted="each trustee once")


def _check_seat(lock: int, index: int, found: Trustee, document: TenderDocument) -> None:
    wanted = document.sealing.locks[lock].seats[index]
    group = GROUP_OF_LOCK[lock] if lock < len(GROUP_OF_LOCK) else found.group
    if found.seat != wanted or found.group != group:
        raise Refused("seat_wrong", lock=lock, trustee=found.id, seat=found.seat, wanted=wanted, group=group)


def _check_key(key: str, id_: str, pre_keys: Mapping[str, PreKey], tender_id: str | None) -> None:
    found = pre_keys.get(key)
    if found is None or found.trustee != id_:
        raise Refused("key_not_a_pre_key", key=key, trustee=id_)
    if found.used_by is not None and found.used_by != tender_id:
        raise Refused("key_used_before", key=key, trustee=id_)


def _check_apart(organisations: Sequence[set[str]], graph: Graph) -> None:
    """No organisation, with those it controls, sits in two locks; that holds for one controlling both seats too."""
    reach = [{one for uscc in lock for one in graph.with_kin(uscc)} | _heads(lock, graph) for lock in organisations]
    for number, lock in enumerate(reach):
        for other in reach[number + 1 :]:
            if lock & other:
                raise Refused("organisation_in_two_locks", uscc=sorted(lock & other)[0])


def _heads(lock: set[str], graph: Graph) -> set[str]:
    """Whoever controls a seat of the lock."""
    return {one.uscc for one in graph.organisations if graph.below(one.uscc) & lock}


def _trustee(trustees: Mapping[str, Trustee], id_: str) -> Trustee:
    found = trustees.get(id_)
    if found is None:
        raise Refused("trustee_unknown", trustee=id_)
    return found
