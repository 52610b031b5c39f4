"""Who the roots certified: trustees, their one-time keys, the hall's keys; and whether a roster is made of them.

docs/spec/release.md §2. The rules upheld:
- a trustee is one whose act both roots signed, the centre's and supervision's; a pre-key is one its trustee signed;
- lock 0 is the operation group, lock 1 the supervision group;
  no organisation sits twice, owner and agent never in lock 1;
- what stands here counts from its place in the log on: keys made up after a tender began are not in its roster.

Whoever holds one root alone can certify nobody; a roster of puppets needs both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from crypto import signing
from crypto.ledger.whole_log import Logged
from crypto.refusal import Refused
from crypto.roster import Roster

Group = Literal["operation", "supervision"]
GROUP_OF_LOCK: Final[Mapping[int, Group]] = {0: "operation", 1: "supervision"}
PRE_KEYS_MAX: Final = 500


class Roots(Protocol):
    """What certificates of trustees and keys are judged by; crypto.trust.Trust is one."""

    @property
    def trustee_roots(self) -> Mapping[str, bytes]:
        """Ed25519 keys of "centre" and "supervision"."""
        ...


@dataclass(frozen=True, slots=True)
class CertifiedTrustee:
    """A trustee that both roots signed: id, organisation's USCC, seat, group, Ed25519 key, index of its act."""

    trustee: str
    uscc: str
    seat: str
    group: str
    key: bytes
    index: int


@dataclass(frozen=True, slots=True)
class Hall:
    """What the acts of the hall certify. `pre_keys` maps an X25519 key (hex) to (trustee id, index of its act)."""

    trustees: Mapping[str, CertifiedTrustee] = field(default_factory=dict)
    pre_keys: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    keys: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)
    successors: Mapping[bytes, bytes] = field(default_factory=dict)

    def certified(self, purpose: str, key: bytes) -> bytes:
        """The key itself when it is certified for "duty", "room" or "verifier"; Refused("key_not_certified")."""
        if key not in self.keys.get(purpose, ()):
            raise Refused("key_not_certified", purpose=purpose, key=key.hex())
        return key

    def with_rotations(self, key: bytes) -> frozenset[bytes]:
        """The key and all that it was rotated to."""
        found = {key}
        while (key := self.successors.get(key, key)) not in found:
            found.add(key)
        return frozenset(found)


def read(hall: Iterable[Logged], roots: Roots) -> Hall:
    """What the acts of the hall certify, in log order; an act that is not signed as acts.md demands has no effect."""
    trustees: dict[str, CertifiedTrustee] = {}
    pre_keys: dict[str, tuple[str, int]] = {}
    keys: dict[str, tuple[bytes, ...]] = {}
    successors: dict[bytes, bytes] = {}
    for logged in hall:
        try:
            signers = {each.key for each in signing.verify_act(logged.act)}
            match logged.kind:
                case "trustee":
                    trustee = _trustee(logged, signers, roots)
                    # One id keeps one key: a second act under the same name could take a seat over.
                    trustees.setdefault(trustee.trustee, trustee)
                case "pre_keys":
                    for key in _pre_keys(logged.act, signers, trustees):
                        pre_keys.setdefault(key, (str(logged.act["trustee"]), logged.index))
                case "key":
                    purpose, key_bytes = _key(logged.act, signers, roots)
                    keys[purpose] = (*keys.get(purpose, ()), key_bytes)
                case "rotate":
                    purpose, old, new = _rotation(logged.act, signers, roots)
                    if old in keys.get(purpose, ()):
                        keys[purpose] = (*keys[purpose], new)
                        successors.setdefault(old, new)
                case _:
                    continue
        except Refused:
            continue
    return Hall(trustees, pre_keys, keys, successors)


def check_roster(
    roster: Roster,
    seats: Sequence[Sequence[str]],
    hall: Hall,
    *,
    tender_index: int,
    outside_lock_1: Collection[str],
    lock_1: Collection[str],
) -> tuple[tuple[CertifiedTrustee, ...], ...]:
    """The certified trustee of every place in the roster, per lock.

    `tender_index` is where the TENDER act stands; `outside_lock_1` the USCC of owner and agent; `lock_1` the USCC that
    the rulebook seats in lock 1 (empty when it names none). Raises Refused: roster_seats, trustee_not_certified,
    roster_key_unknown.
    """
    if [len(lock) for lock in seats] != [lock.n for lock in roster.locks]:
        raise Refused("roster_seats", reason="places")
    seated = []
    for number, (lock, ids) in enumerate(zip(roster.locks, seats, strict=True)):
        places = []
        for index, (key, trustee_id) in enumerate(zip(lock.keys, ids, strict=True), 1):
            trustee = hall.trustees.get(trustee_id)
            if trustee is None or trustee.index > tender_index:
                raise Refused("trustee_not_certified", trustee=trustee_id)
            owner, at = hall.pre_keys.get(key.hex(), ("", tender_index))
            if owner != trustee_id or at >= tender_index:
                raise Refused("roster_key_unknown", trustee=trustee_id, lock=number, index=index)
            places.append(trustee)
        seated.append(tuple(places))
    _check_separation(seated, outside_lock_1, lock_1)
    return tuple(seated)


def _check_separation(
    seated: Sequence[Sequence[CertifiedTrustee]], outside_lock_1: Collection[str], lock_1: Collection[str]
) -> None:
    organisations = [trustee.uscc for places in seated for trustee in places]
    if len(set(organisations)) != len(organisations):
        raise Refused("roster_seats", reason="one organisation twice")
    for number, places in enumerate(seated):
        group = GROUP_OF_LOCK.get(number)
        for trustee in places:
            if group is not None and trustee.group != group:
                raise Refused("roster_seats", reason=f"{trustee.trustee} is not of the group of lock {number}")
            if number == 1 and trustee.uscc in outside_lock_1:
                raise Refused("roster_seats", reason=f"{trustee.trustee} is owner or agent and sits in lock 1")
            if number == 1 and lock_1 and trustee.uscc not in lock_1:
                raise Refused("roster_seats", reason=f"{trustee.trustee} is not seated in lock 1 by the rulebook")


def _trustee(logged: Logged, signers: Collection[bytes], roots: Roots) -> CertifiedTrustee:
    act = logged.act
    if not {roots.trustee_roots["centre"], roots.trustee_roots["supervision"]} <= set(signers):
        raise Refused("trustee_not_certified", trustee=_text(act, "trustee"))
    organisation = act.get("organisation")
    uscc = organisation.get("uscc") if isinstance(organisation, dict) else None
    if not isinstance(uscc, str) or not uscc:
        raise Refused("act_fields", kind="trustee", field="organisation")
    key = _hex32(act, "key")
    return CertifiedTrustee(_text(act, "trustee"), uscc, _text(act, "seat"), _text(act, "group"), key, logged.index)


def _pre_keys(
    act: Mapping[str, Any], signers: Collection[bytes], trustees: Mapping[str, CertifiedTrustee]
) -> list[str]:
    trustee = trustees.get(_text(act, "trustee"))
    if trustee is None or trustee.key not in signers:
        raise Refused("trustee_not_certified", trustee=_text(act, "trustee"))
    keys = act.get("keys")
    if not isinstance(keys, list) or len(keys) > PRE_KEYS_MAX or not all(isinstance(key, str) for key in keys):
        raise Refused("act_fields", kind="pre_keys", field="keys")
    return list(keys)


def _root_of(purpose: str, roots: Roots) -> bytes:
    match purpose:
        case "duty" | "room":
            return roots.trustee_roots["centre"]
        case "verifier":
            return roots.trustee_roots["supervision"]
        case _:
            raise Refused("act_fields", kind="key", field="purpose")


def _key(act: Mapping[str, Any], signers: Collection[bytes], roots: Roots) -> tuple[str, bytes]:
    purpose, key = _text(act, "purpose"), _hex32(act, "key")
    if _root_of(purpose, roots) not in signers:
        raise Refused("key_not_certified", purpose=purpose, key=key.hex())
    return purpose, key


def _rotation(act: Mapping[str, Any], signers: Collection[bytes], roots: Roots) -> tuple[str, bytes, bytes]:
    purpose, old, new = _text(act, "purpose"), _hex32(act, "old"), _hex32(act, "new")
    if not {old, _root_of(purpose, roots)} <= set(signers):
        raise Refused("key_not_certified", purpose=purpose, key=new.hex())
    return purpose, old, new


def _text(act: Mapping[str, Any], name: str) -> str:
    value = act.get(name)
    if not isinstance(value, str) or not value:
        raise Refused("act_fields", kind=act.get("kind"), field=name)
    return value


def _hex32(act: Mapping[str, Any], name: str) -> bytes:
    text = _text(act, name)
    try:
        value = bytes.fromhex(text)
    except ValueError:
        raise Refused("act_fields", kind=act.get("kind"), field=name) from None
    if len(value) != 32 or value.hex() != text:
        raise Refused("act_fields", kind=act.get("kind"), field=name)
    return value
