"""What a tender's public acts say about its opening: terms, deadline in force, close, freeze, holds, draws, readies.

docs/spec/release.md §3. Pure functions of acts in log order; who may sign what is judged by `effective`. The rules:
- an extension shuts everything until the new deadline by its signature alone, and admits later bids only if it was
  witnessed before the deadline it replaces (or a hold was that lasts, or an outage left no stamp); after close void;
- close counts when it quotes the deadline in force and waited settle_s; a freeze when it names that close;
- holds, suspension and termination are read from acts, never from a state table.

Whoever holds the duty key can delay; they cannot move a deadline, nor open under a hold or a suspension.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol, TypeVar

from crypto import certificates, lottery, signing
from crypto.ledger import acts, whole_log
from crypto.ledger.whole_log import Logged, Stamp
from crypto.opening import certified
from crypto.refusal import Refused
from crypto.roster import Roster

OUTAGE: Final = "outage"
_Value = TypeVar("_Value")
_Outage = tuple[int, str, datetime, datetime]
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z")
_OWNERS_KINDS: Final = frozenset({"tender", "amendment", "deadline", "terminate"})
_TRUSTEES_KINDS: Final = frozenset({"ready", "release"})
_DUTY_KINDS: Final = frozenset(
    ["hold", "resume", "incident", "close", "freeze", "refused", "failed", "draw_pool", "draw_close", "draw_result"]
)


class Anchors(certified.Roots, Protocol):
    """What signers are judged by; crypto.trust.Trust is one."""

    @property
    def ca_roots(self) -> Sequence[bytes]:
        """Certificates (DER) of the authorities that certify organisations."""

    @property
    def contributors(self) -> Mapping[str, bytes]:
        """SPKI DER of "centre" and "supervision"."""

    @property
    def rehearsal(self) -> bool:
        """Whether the log is that of a demo hall."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the TENDER act fixes for the opening; durations in seconds, keys as bytes, `plaintext_max` in bytes."""

    tender_id: bytes
    lot: str
    index: int
    deadline: datetime
    envelopes: tuple[int, ...]
    bids_min: int
    settle_s: int
    challenge_s: int
    rescue_s: int
    plaintext_max: int
    roster: Roster
    seats: tuple[tuple[str, ...], ...]
    opening_keys: Mapping[str, bytes]
    verdict_keys: Mapping[str, bytes]
    duty_key: bytes
    contributors: Mapping[int, bytes]
    owners: frozenset[str]
    rehearsal: bool
    rulebook_hash: bytes


@dataclass(frozen=True, slots=True)
class Deadlines:
    """`deadline` is in force and admits bids received before it; nothing opens before `shut_until`."""

    deadline: datetime
    shut_until: datetime
    close: Logged | None


@dataclass(frozen=True, slots=True)
class Draw:
    """A draw that was closed: its id, pool and close acts, and its contributions (i, H(header), signature)."""

    draw_id: bytes
    pool: Logged
    close: Logged
    contributions: tuple[tuple[int, bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Ceremony:
    """The state of an opening as its acts tell it. `ended` is a refusal code, or None; `holds` are refs of holds."""

    terms: Terms
    deadlines: Deadlines
    freezes: tuple[Logged, ...]
    holds: tuple[str, ...]
    suspended: bool
    ended: str | None
    draws: tuple[Draw, ...]
    ready: tuple[Logged, ...]
    releases: tuple[Logged, ...]

    @property
    def freeze(self) -> Logged | None:
        """The freeze in force."""
        return self.freezes[-1] if self.freezes else None


def instant(text: object) -> datetime:
    """An instant of the ledger, YYYY-MM-DDTHH:MM:SS.mmmZ, as aware UTC; Refused("instant")."""
    if not isinstance(text, str) or not _INSTANT.fullmatch(text):
        raise Refused("instant", text=str(text)[:40])
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    except ValueError:
        raise Refused("instant", text=text) from None


def instant_text(at: datetime) -> str:
    """The ledger's spelling of an aware instant, milliseconds cut off."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def terms(tender: Logged) -> Terms:
    """The terms in a TENDER act. Raises Refused: act_fields, instant, and what Roster.decode refuses."""
    act = tender.act
    try:
        owners = {act["owner"]["uscc"]} | ({act["agent"]["uscc"]} if act["agent"] is not None else set())
        return Terms(
            tender_id=acts.tender_id(act),
            lot=_typed(act["lot"], str),
            index=tender.index,
            deadline=instant(act["deadline"]),
            envelopes=tuple(sorted(_typed(each, int) for each in act["envelopes"])),
            bids_min=_typed(act["bids_min"], int),
            settle_s=_typed(act["settle_s"], int),
            challenge_s=_typed(act["challenge_s"], int),
            rescue_s=_typed(act["rescue_s"], int),
            plaintext_max=_typed(act["plaintext_max"], int),
            roster=Roster.decode(bytes.fromhex(act["roster"])),
            seats=tuple(tuple(_typed(each, str) for each in lock) for lock in act["seats"]),
            opening_keys={name: _key32(act["opening_keys"][name]) for name in ("room", "verifier")},
            verdict_keys={name: _key32(act["verdict_keys"][name]) for name in ("room", "verifier")},
            duty_key=_key32(act["duty_key"]),
            contributors={i: bytes.fromhex(act["contributors"][str(i)]) for i in lottery.CONTRIBUTORS},
            owners=frozenset(_typed(each, str) for each in owners),
            rehearsal=_typed(act["rehearsal"], bool),
            rulebook_hash=_key32(act["rulebook"]["hash"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Refused("act_fields", kind="tender", field=str(error)[:80]) from None


def verify_terms(tender: Logged, trust: Anchors, hall: certified.Hall) -> Terms:
    """The terms of a TENDER act that its owner or agent signed and whose keys the roots certified.

    Raises Refused: act_not_signed_by, rehearsal_not_declared, key_not_certified, contributors_not_anchored, and what
    `terms` refuses. The roster is judged by certified.check_roster.
    """
    found = terms(tender)
    _require_organisation(tender.act, found.owners, trust)
    if trust.rehearsal and not found.rehearsal:
        raise Refused("rehearsal_not_declared", lot=found.lot)
    hall.certified("duty", found.duty_key)
    for purpose, key in found.verdict_keys.items():
        hall.certified(purpose, key)
    anchored = {lottery.CENTRE: "centre", lottery.SUPERVISOR: "supervision"}
    for i, side in anchored.items():
        if found.contributors[i] != trust.contributors[side]:
            raise Refused("contributors_not_anchored", contributor=side)
    return found


def effective(
    logged: Iterable[Logged],
    terms: Terms,
    trust: Anchors,
    hall: certified.Hall,
    seated: Sequence[Sequence[certified.CertifiedTrustee]],
) -> tuple[Logged, ...]:
    """The acts about the opening that are signed by whom acts.md demands; the others have no effect."""
    duty = hall.with_rotations(terms.duty_key)
    kept = []
    for each in logged:
        try:
            _require_signer(each, terms, trust, duty, seated)
            _require_instants(each)
        except Refused:
            continue
        kept.append(each)
    return tuple(kept)


def deadline_in_force(terms: Terms, logged: Sequence[Logged], stamps: Collection[Stamp]) -> Deadlines:
    """The deadline in force, the instant before which nothing opens, and the close act, from effective acts in log
    order and the stamps known (size, instant)."""
    outages = [
        (each.index, each.leaf.hex(), *_outage(each)) for each in logged if each.kind == "incident" and _is_outage(each)
    ]
    in_force = shut_until = terms.deadline
    for place, each in enumerate(logged):
        if each.kind == "close":
            waited = instant(each.act["at"]) >= in_force + timedelta(seconds=terms.settle_s)
            witnessed = whole_log.witnessed_at(each.index, stamps)
            early = witnessed is not None and witnessed < in_force
            if each.act.get("deadline") == instant_text(in_force) and waited and not early:
                return Deadlines(in_force, shut_until, each)
        elif each.kind in ("amendment", "deadline") and each.act.get("deadline") is not None:
            later = instant(each.act["deadline"])
            shut_until = max(shut_until, later)
            if later > in_force and _admits((each, *_holds(logged[:place]).values()), in_force, stamps, outages):
                in_force = later
    return Deadlines(in_force, shut_until, None)


def ceremony(terms: Terms, logged: Sequence[Logged], stamps: Collection[Stamp]) -> Ceremony:
    """Everything the effective acts of a tender say about its opening."""
    deadlines = deadline_in_force(terms, logged, stamps)
    freezes = _freezes(logged, deadlines.close)
    current = freezes[-1].leaf.hex() if freezes else None
    return Ceremony(
        terms=terms,
        deadlines=deadlines,
        freezes=freezes,
        holds=tuple(_holds(logged)),
        suspended=_suspended(logged),
        ended=_ended(logged),
        draws=_draws(logged),
        ready=tuple(each for each in logged if each.kind == "ready" and each.act.get("freeze") == current),
        releases=tuple(each for each in logged if each.kind == "release"),
    )


def _require_signer(
    each: Logged,
    terms: Terms,
    trust: Anchors,
    duty: Collection[bytes],
    seated: Sequence[Sequence[certified.CertifiedTrustee]],
) -> None:
    """Raises Refused: act_not_signed_by, and what signing.verify_act refuses."""
    kind, act = each.kind, each.act
    if kind in _OWNERS_KINDS:
        _require_organisation(act, terms.owners, trust)
        return
    signers = signing.verify_act(act)
    match kind:
        case _ if kind in _DUTY_KINDS:
            allowed = any(signer.key in duty for signer in signers)
        case "directive":
            supervisor = terms.contributors[lottery.SUPERVISOR]
            held = [signer.certificate for signer in signers if signer.certificate is not None]
            allowed = any(signing.certificate_spki(certificate) == supervisor for certificate in held)
        case _ if kind in _TRUSTEES_KINDS:
            place = _place(act, seated)
            allowed = place.trustee == act.get("trustee") and any(signer.key == place.key for signer in signers)
        case _:
            allowed = False
    if not allowed:
        raise Refused("act_not_signed_by", kind=kind, index=each.index)


def _require_instants(each: Logged) -> None:
    names = {"amendment": ("deadline",), "deadline": ("deadline",), "incident": ("from", "to")}.get(each.kind, ())
    for text in (each.act["at"], *(each.act.get(name) for name in names)):
        if text is not None:
            instant(text)


def _place(
    act: Mapping[str, Any], seated: Sequence[Sequence[certified.CertifiedTrustee]]
) -> certified.CertifiedTrustee:
    lock, index = act.get("lock"), act.get("index")
    if type(lock) is not int or type(index) is not int:
        raise Refused("act_fields", kind=act["kind"], field="lock")
    if not (0 <= lock < len(seated) and 1 <= index <= len(seated[lock])):
        raise Refused("not_my_seat", lock=lock, index=index)
    return seated[lock][index - 1]


def _require_organisation(act: Mapping[str, Any], uscc: Collection[str], trust: Anchors) -> None:
    """One signer is a certificate of one of these organisations, valid when the act was made."""
    at = instant(act["at"])
    for signer in signing.verify_act(act):
        if signer.certificate is None:
            continue
        try:
            if certificates.verify_chain(signer.certificate, trust.ca_roots, at=at).uscc in uscc:
                return
        except Refused:
            continue
    raise Refused("act_not_signed_by", kind=act["kind"], uscc=sorted(uscc))


def _admits(signs: Sequence[Logged], replaced: datetime, stamps: Collection[Stamp], outages: Iterable[_Outage]) -> bool:
    """`signs`: the extension, then the holds that last; under a hold that was seen in time no deadline fires."""
    if any(at and at < replaced for at in (whole_log.witnessed_at(sign.index, stamps) for sign in signs)):
        return True
    silent = [
        (index, leaf)
        for index, leaf, begun, ended in outages
        if begun <= replaced <= ended and not any(begun <= stamp.at <= ended for stamp in stamps)
    ]
    if any((sign.act.get("ref"), sign.act.get("reason")) == (leaf, OUTAGE) for sign in signs[1:] for _, leaf in silent):
        # The deadline fell into the outage: nobody could sign before it, and the hold says so before anything closed.
        return True
    return instant(signs[0].act["at"]) < replaced and any(index > signs[0].index for index, _ in silent)


def _is_outage(each: Logged) -> bool:
    return each.act.get("what") == OUTAGE and each.act.get("from") is not None and each.act.get("to") is not None


def _outage(each: Logged) -> tuple[datetime, datetime]:
    return instant(each.act["from"]), instant(each.act["to"])


def _freezes(logged: Iterable[Logged], close: Logged | None) -> tuple[Logged, ...]:
    found: tuple[Logged, ...] = ()
    for each in logged:
        if close is None or each.kind != "freeze" or each.act.get("close") != close.leaf.hex():
            continue
        if each.index > close.index and each.act.get("supplements") == (found[-1].leaf.hex() if found else None):
            found = (*found, each)
    return found


def _holds(logged: Iterable[Logged]) -> Mapping[str, Logged]:
    active: dict[str, Logged] = {}
    for each in logged:
        if each.kind == "hold":
            active[str(each.act.get("ref"))] = each
        elif each.kind == "resume":
            active.pop(str(each.act.get("ref")), None)
    return active


def _suspended(logged: Iterable[Logged]) -> bool:
    suspended = False
    for each in logged:
        if each.kind == "directive" and each.act.get("what") in ("suspend", "resume"):
            suspended = each.act["what"] == "suspend"
    return suspended


def _ended(logged: Iterable[Logged]) -> str | None:
    codes = {"terminate": "tender_terminated", "failed": "tender_failed"}
    return next((codes[each.kind] for each in logged if each.kind in codes), None)


def _draws(logged: Sequence[Logged]) -> tuple[Draw, ...]:
    """Every draw that was closed: the first pool of its id, rightly attempted, and the first close of that pool."""
    found: list[Draw] = []
    pools: dict[str, Logged] = {}
    for at, each in enumerate(logged):
        try:
            if each.kind == "draw_pool":
                lottery.check_attempt([before.act for before in logged[:at]], each.act)
                pools[each.leaf.hex()] = each
            elif each.kind == "draw_close":
                pool = pools.pop(str(each.act.get("pool")), None)
                if pool is not None:
                    found.append(_draw(pool, each))
        except (Refused, KeyError, TypeError, ValueError):
            continue
    return tuple(found)


def _draw(pool: Logged, close: Logged) -> Draw:
    entries = tuple(
        (_typed(entry["i"], int), _key32(entry["header"]), bytes.fromhex(entry["signature"]))
        for entry in close.act["contributions"]
    )
    listed = [i for i, _, _ in entries]
    supervised = {lottery.SUPERVISOR, lottery.OWNER} <= set(listed) <= set(lottery.CONTRIBUTORS)
    if close.act["draw_id"] != pool.act["draw_id"] or listed != sorted(set(listed)) or not supervised:
        raise Refused("draw_contributors", contributors=listed)
    return Draw(bytes.fromhex(pool.act["draw_id"]), pool, close, entries)


def _typed(value: object, kind: type[_Value]) -> _Value:
    if type(value) is not kind:
        raise TypeError(f"{kind.__name__} expected")
    return value


def _key32(text: object) -> bytes:
    value = bytes.fromhex(_typed(text, str))
    if len(value) != 32 or value.hex() != text:
        raise ValueError("32 bytes in lower-case hex expected")
    return value
