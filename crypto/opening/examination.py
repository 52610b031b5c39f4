"""What a trustee examines before it says anything: roots, roster, its own seat, the list, the receipts, the headers.

docs/spec/release.md §2 and §4. Everything is judged against the whole log and trust.json; the rules upheld:
- the roster is made of certified pre-keys, each used by this tender only, in the log and in the agent's memory;
- the freeze list equals what the evidence gives; a receipt whose act is not among the evidence blocks;
- a bid is opened only as a bid of the list, a contribution only as a contribution of a closed draw.

Whoever shows the evidence can make a trustee refuse; they cannot make it hold a header for what it is not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from crypto import contribution, jcs
from crypto.ledger import note, receipt
from crypto.ledger.whole_log import Logged, Stamp, WholeLog
from crypto.opening import ceremony as ceremonies
from crypto.opening import certified, frozen
from crypto.opening.ceremony import Ceremony, Terms
from crypto.opening.frozen import Submission, Withdrawal
from crypto.refusal import Refused
from crypto.sealing import lock
from crypto.sealing.header import Header


class Trust(ceremonies.Anchors, note.Anchors, Protocol):
    """All that a trustee is judged by and judges by; crypto.trust.Trust is one."""


@dataclass(frozen=True, slots=True)
class Trustee:
    """Who the agent is: its id, and its one-time keys, public (hex) to secret (32 bytes)."""

    id: str
    secrets: Mapping[str, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Released:
    """A release that was made: for which tender, under which shares_hash, of which headers (all hex)."""

    tender_id: str
    shares_hash: str
    headers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Memory:
    """What the agent keeps for ever beside the log: which tender used which key (hex), and what it released."""

    keys: Mapping[str, str] = field(default_factory=dict)
    released: tuple[Released, ...] = ()

    def object(self) -> dict[str, Any]:
        """The memory as a plain value."""
        return {
            "keys": dict(self.keys),
            "released": [[each.tender_id, each.shares_hash, list(each.headers)] for each in self.released],
        }

    @staticmethod
    def of_object(value: Mapping[str, Any]) -> Memory:
        """The memory that object() wrote."""
        released = tuple(Released(tender, hashed, tuple(listed)) for tender, hashed, listed in value["released"])
        return Memory(dict(value["keys"]), released)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the hall shows after the freeze, to be judged against the log.

    `rulebook` and `freeze_list` are raw objects, the list None while there is none; `receipts` were presented by
    bidders to the trustee itself; `contributions` are raw headers by H(header); `stamps` come from
    whole_log.verify_stamp.
    """

    rulebook: bytes
    freeze_list: bytes | None = None
    submissions: tuple[Submission, ...] = ()
    withdrawals: tuple[Withdrawal, ...] = ()
    receipts: tuple[bytes, ...] = ()
    contributions: Mapping[bytes, bytes] = field(default_factory=dict)
    stamps: tuple[Stamp, ...] = ()


@dataclass(frozen=True, slots=True)
class Seat:
    lock: int
    index: int
    key: str


@dataclass(frozen=True, slots=True)
class OwnShares:
    """Own shares by H(header), for bids and per draw, and the headers of which none was there (complaints)."""

    bids: Mapping[bytes, tuple[Header, bytes]]
    draws: Mapping[str, Mapping[bytes, bytes]]
    complaints: tuple[bytes, ...]
    draw_complaints: Mapping[str, tuple[bytes, ...]]
    set_aside: Mapping[str, str]


def view(
    trustee: Trustee, tender_id: bytes, log: WholeLog, evidence: Evidence, memory: Memory, trust: Trust
) -> tuple[Ceremony, Seat]:
    """release.md §2 and §3: the roots, the roster, the agent's own seat, and what the acts say."""
    logged = log.of(tender_id)
    if not logged:
        raise Refused("tender_not_in_log", tender_id=tender_id.hex())
    hall = certified.read(log.hall, trust)
    terms = ceremonies.verify_terms(logged[0], trust, hall)
    for roster_lock in terms.roster.locks:
        for key in roster_lock.keys:
            if log.keys.get(key.hex()) != tender_id.hex():
                raise Refused("key_used_by_another_tender", key=key.hex())
    seated = certified.check_roster(
        terms.roster,
        terms.seats,
        hall,
        tender_index=terms.index,
        outside_lock_1=terms.owners,
        lock_1=_lock_1(evidence.rulebook, terms),
    )
    seat = _own_seat(trustee, terms)
    if memory.keys.get(seat.key, tender_id.hex()) != tender_id.hex():
        raise Refused("key_used_by_another_tender", key=seat.key)
    acts = ceremonies.effective(logged, terms, trust, hall, seated)
    found = ceremonies.ceremony(terms, acts, (*log.stamps, *evidence.stamps))
    return replace(found, ready=tuple(each for each in found.ready if _is_well_formed(each))), seat


def _is_well_formed(ready: Logged) -> bool:
    """A trustee may sign what it likes; a READY of another shape says nothing, and stops nobody else."""
    draws, complaints = ready.act.get("draws"), ready.act.get("complaints")
    if not isinstance(draws, list) or not isinstance(complaints, list) or "refusal" not in ready.act:
        return False
    return all(isinstance(leaf, str) for leaf in draws) and all(isinstance(each, dict) for each in complaints)


def _lock_1(rulebook: bytes, terms: Terms) -> frozenset[str]:
    """The organisations (USCC) that the pinned rulebook seats in lock 1, over all sectors."""
    if hashlib.sha256(rulebook).digest() != terms.rulebook_hash:
        raise Refused("object_hash", object="rulebook")
    value = jcs.loads(rulebook)
    try:
        return frozenset(str(uscc) for row in value["lock_1"] for uscc in row["organisations"])
    except (KeyError, TypeError):
        raise Refused("object_fields", object="rulebook") from None


def _own_seat(trustee: Trustee, terms: Terms) -> Seat:
    for number, ids in enumerate(terms.seats):
        if trustee.id in ids:
            index = ids.index(trustee.id) + 1
            key = terms.roster.locks[number].keys[index - 1].hex()
            if key in trustee.secrets:
                return Seat(number, index, key)
    raise Refused("not_my_seat", trustee=trustee.id)


def frozen_bids(
    view: Ceremony, freeze: Logged, log: WholeLog, evidence: Evidence, memory: Memory, trust: Trust
) -> dict[bytes, Header]:
    """release.md §4: every header of the list by its hash, in the list's order, all evidence judged."""
    close = view.deadlines.close
    assert close is not None
    place: dict[str, Any] = {"ca_roots": trust.ca_roots, "size": log.size, "root": log.root}
    shown = {each.private.leaf(): each for each in evidence.submissions}
    withdrawn = [frozen.verify_withdrawal(each, view.terms, **place) for each in evidence.withdrawals]
    _require_receipts(view, close, {*shown, *(each.leaf for each in withdrawn)}, evidence, trust)
    submitted, parsed = [], {}
    for each in shown.values():
        # The door judged it before it was logged; evidence that fails now is the hall's doing, so it blocks.
        fact, opened = frozen.verify_submission(each, view.terms, **place)
        submitted.append(fact)
        parsed[fact.leaf] = opened
    expected = frozen.freeze_list(submitted, withdrawn, close_index=close.index, deadline=view.deadlines.deadline)
    if evidence.freeze_list is None:
        raise Refused("object_missing", object="freeze list")
    frozen.verify_list(evidence.freeze_list, str(freeze.act.get("list_hash")), expected)
    for fact in expected:
        if not parsed[fact.leaf]:
            raise Refused("object_missing", object=f"headers of bid {fact.bid.hex()}")
    if len(expected) < view.terms.bids_min or freeze.act.get("n") != len(expected):
        raise Refused("fewer_than_bids_min", n=len(expected), bids_min=view.terms.bids_min)
    bids = {header.hash(): header for fact in expected for header in parsed[fact.leaf]}
    _require_released_kept(view, bids, memory)
    return bids


def _require_receipts(view: Ceremony, close: Logged, leaves: set[bytes], evidence: Evidence, trust: Trust) -> None:
    for data in evidence.receipts:
        try:
            proved = receipt.verify(data, trust)
        except Refused:
            # What does not verify against the log's key is no receipt; anybody could block an opening with it.
            continue
        public = proved.event.get("public", {})
        if public.get("tender_id") != view.terms.tender_id.hex() or proved.index >= close.index:
            continue
        if public.get("kind") in ("submit", "withdraw") and proved.leaf_hash not in leaves:
            raise Refused("receipt_left_out", kind=public["kind"], leaf=proved.leaf_hash.hex())


def _require_released_kept(view: Ceremony, bids: Mapping[bytes, Header], memory: Memory) -> None:
    named = {str(each.act.get("shares_hash")) for each in view.releases}
    draws = {hashed for draw in view.draws for _, hashed, _ in draw.contributions}
    for each in memory.released:
        if each.tender_id == view.terms.tender_id.hex() and each.shares_hash in named:
            for header in map(bytes.fromhex, each.headers):
                if header not in bids and header not in draws:
                    raise Refused("freeze_drops_released_bid", header=header.hex())


def own_shares(
    trustee: Trustee, seat: Seat, view: Ceremony, bids: Mapping[bytes, Header], evidence: Evidence
) -> OwnShares:
    """Own shares of every bid in the list and of every contribution of a closed draw."""
    secret = trustee.secrets[seat.key]
    shares, complaints = _shares(bids, seat, secret)
    draws, draw_complaints, set_aside = {}, {}, {}
    for draw in view.draws:
        leaf = draw.close.leaf.hex()
        try:
            listed = _contributions(draw, view.terms, evidence)
        except Refused as refused:
            set_aside[leaf] = refused.code
            continue
        draws[leaf], draw_complaints[leaf] = _shares(listed, seat, secret)
    with_headers = {hashed: (bids[hashed], share) for hashed, share in shares.items()}
    return OwnShares(with_headers, draws, complaints, draw_complaints, set_aside)


def _shares(listed: Mapping[bytes, Header], seat: Seat, secret: bytes) -> tuple[dict[bytes, bytes], tuple[bytes, ...]]:
    shares, complaints = {}, []
    for hashed, header in listed.items():
        try:
            shares[hashed] = lock.share_of(header, seat.lock, seat.index, secret)
        except Refused:
            complaints.append(hashed)
    return shares, tuple(complaints)


def _contributions(draw: ceremonies.Draw, terms: Terms, evidence: Evidence) -> dict[bytes, Header]:
    listed = {}
    for i, hashed, signature in draw.contributions:
        raw = evidence.contributions.get(hashed, b"")
        listed[hashed] = contribution.verify(
            raw,
            signature,
            draw_id=draw.draw_id,
            tender_id=terms.tender_id,
            contributor=i,
            roster=terms.roster,
            spki=terms.contributors[i],
        )
        if hashlib.sha256(raw).digest() != hashed:
            raise Refused("object_hash", object="contribution")
    return listed
