"""The opening ceremony as a pure machine: what is frozen, who is ready, how long a rescue lasts, what comes next.

docs/spec/release.md §4 to §7; 20号令 §29 to §31. Everything is computed from the acts and from places in the log, never
from a state table, with the functions the trustees and the verifier use. The rules upheld:
- the freeze list is what submissions and withdrawals before *close* give, nothing else (invariant I5);
- a submission that got a receipt and does not count is refused by name, with a code (invariant I1);
- nobody decides about a rescue after having seen a price: the window ends before the first share leaves;
- every bid is judged, though others failed (E-56), and nothing is announced before the last verdict (E-58).

Whoever runs this computes what anybody can compute again; they cannot choose.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from crypto import jcs
from crypto.ledger.whole_log import Logged
from crypto.opening import ceremony as ceremonies
from crypto.opening import frozen
from crypto.opening.ceremony import Ceremony
from crypto.opening.combine import Complaint
from crypto.opening.frozen import Submitted, Withdrawn
from crypto.refusal import Refused
from crypto.sealing import hpke
from storage.world import stamp

RESCUE_INFO = b"sealbid/v1 rescue\0"
SEALED_BYTES = 32 + 32 + hpke.TAG_BYTES
OPENING_MINUTES = 60
"""How long silent trustees are waited for after the first release (the decryption window, E-53): then what lacks
shares stays unopened, and the silent ones are named."""


class Phase(StrEnum):
    """Where the ceremony stands, as a page would say it."""

    BIDDING = "bidding"
    SETTLING = "settling"
    CLOSED = "closed"
    CHALLENGE = "challenge"
    READYING = "readying"
    RESCUE = "rescue"
    RELEASING = "releasing"
    HELD = "held"
    SUSPENDED = "suspended"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Frozen:
    """What a close freezes: the bids to be opened, the list object (JCS), and who is refused: (leaf, code)."""

    bids: tuple[Submitted, ...]
    data: bytes
    refused: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Readiness:
    """Who said READY for the freeze in force, per lock; who complained of what; `complete` is the READY with which
    every lock had its threshold; `rescue_until` ends the rescue window, None while none runs."""

    ready: tuple[frozenset[int], ...]
    refusals: Mapping[str, str]
    complaints: tuple[Complaint, ...]
    complete: Logged | None
    rescue_until: datetime | None


@dataclass(frozen=True, slots=True)
class Next:
    """What happens next: the phase, and from when something may happen without anybody acting; None if others must."""

    phase: Phase
    at: datetime | None


def freeze(
    submitted: Iterable[Submitted], withdrawn: Iterable[Withdrawn], *, close_index: int, deadline: datetime
) -> Frozen:
    """Freeze what came before *close* (E-52: every bid, by the system, none chosen)."""
    listed = tuple(submitted)
    bids = frozen.freeze_list(listed, withdrawn, close_index=close_index, deadline=deadline)
    return Frozen(bids, frozen.list_object(bids), refusals(listed, close_index=close_index, deadline=deadline))


def refusals(submitted: Iterable[Submitted], *, close_index: int, deadline: datetime) -> tuple[tuple[str, str], ...]:
    """(leaf, code) of every submission that does not count, in log order: late, after close, version not higher."""
    found = []
    highest: dict[str, int] = {}
    for each in sorted(submitted, key=lambda one: one.index):
        if each.at >= deadline:
            found.append((each.leaf.hex(), "bid_received_after_deadline"))
        elif each.index >= close_index:
            found.append((each.leaf.hex(), "bid_logged_after_close"))
        elif each.version <= highest.get(each.organisation, 0):
            found.append((each.leaf.hex(), "bid_version_not_higher"))
        else:
            highest[each.organisation] = each.version
    return tuple(found)


def readiness(view: Ceremony) -> Readiness:
    """Who is ready, from the `ready` acts of the freeze in force: each seat's last word counts."""
    last = {(each.act["lock"], each.act["index"]): each for each in view.ready}
    standing = [each for each in view.ready if last[each.act["lock"], each.act["index"]].act["refusal"] is None]
    readies = [each for each in standing if each.act["refusal"] is None]
    ready: list[set[int]] = [set() for _ in view.terms.roster.locks]
    complete: Logged | None = None
    for each in readies:
        ready[each.act["lock"]].add(each.act["index"])
        enough = all(len(there) >= lock.t for there, lock in zip(ready, view.terms.roster.locks, strict=True))
        complete = complete or (each if enough else None)
    complaints = tuple(
        Complaint(each.act["trustee"], bytes.fromhex(row["header"]), row["lock"], row["index"])
        for each in readies
        for row in each.act["complaints"]
    )
    until = None
    if complete is not None and complaints:
        until = ceremonies.instant(complete.act["at"]) + timedelta(seconds=view.terms.rescue_s)
    said_no = {each.act["trustee"]: each.act["refusal"] for each in last.values() if each.act["refusal"] is not None}
    return Readiness(tuple(frozenset(there) for there in ready), said_no, complaints, complete, until)


def what_next(view: Ceremony, *, now: datetime) -> Next:
    """The phase and its end. Only what the clock brings has an instant; trustees are waited for."""
    if view.ended is not None:
        return Next(Phase.ENDED, None)
    if view.holds:
        return Next(Phase.HELD, None)
    if view.suspended:
        return Next(Phase.SUSPENDED, None)
    closing = view.deadlines.shut_until + timedelta(seconds=view.terms.settle_s)
    if view.deadlines.close is None:
        bidding = now < view.deadlines.deadline
        return Next(Phase.BIDDING if bidding else Phase.SETTLING, view.deadlines.deadline if bidding else closing)
    if view.freeze is None:
        return Next(Phase.CLOSED, None)
    challenged = ceremonies.instant(view.freeze.act["at"]) + timedelta(seconds=view.terms.challenge_s)
    if now < challenged:
        return Next(Phase.CHALLENGE, challenged)
    who = readiness(view)
    if who.complete is None:
        return Next(Phase.READYING, None)
    if who.rescue_until is not None and now < who.rescue_until:
        return Next(Phase.RESCUE, who.rescue_until)
    return Next(Phase.RELEASING, patience(view))


def patience(view: Ceremony) -> datetime | None:
    """Until when silent trustees are waited for; None before the first release for the freeze in force."""
    assert view.freeze is not None
    first = next((each for each in view.releases if each.act["freeze"] == view.freeze.leaf.hex()), None)
    return None if first is None else ceremonies.instant(first.act["at"]) + timedelta(minutes=OPENING_MINUTES)


def worth_judging(view: Ceremony, *, now: datetime) -> bool:
    """Whether as many seats as each lock needs have released, or patience is over: before that no share is counted."""
    until = patience(view)
    if until is None:
        return False
    released: list[set[int]] = [set() for _ in view.terms.roster.locks]
    for each in view.releases:
        released[each.act["lock"]].add(each.act["index"])
    enough = all(len(there) >= lock.t for there, lock in zip(released, view.terms.roster.locks, strict=True))
    return enough or now >= until


def check_rescue(view: Ceremony, *, header: str, now: datetime) -> datetime | None:
    """The end of the window in which this header's secrets may be disclosed; None while not every lock is ready.

    Raises Refused: rescue_not_needed (nobody complained of it), rescue_window_closed.
    """
    who = readiness(view)
    if view.freeze is None or header not in {each.header.hex() for each in who.complaints}:
        raise Refused("rescue_not_needed", header=header)
    over = who.rescue_until is not None and now >= who.rescue_until
    released = any(each.act["freeze"] == view.freeze.leaf.hex() for each in view.releases)
    if over or released:
        until = None if who.rescue_until is None else stamp(who.rescue_until)
        raise Refused("rescue_window_closed", until=until)
    return who.rescue_until


def check_sealed_secrets(sealed: Mapping[str, Sequence[str]], *, locks: int) -> None:
    """One hex(enc || ct) of a 32-byte secret per lock, for each opening key. Raises Refused("rescue_malformed")."""
    for reader, each in sealed.items():
        for text in each:
            if len(text) != 2 * SEALED_BYTES or set(text) - set("0123456789abcdef"):
                raise Refused("rescue_malformed", reader=reader)
        if len(each) != locks:
            raise Refused("rescue_malformed", reader=reader)


def rescue_info(freeze: bytes, lock: int, header: bytes) -> bytes:
    """HPKE info of a disclosed secret; `freeze` is the leaf hash of the freeze act, `header` H(header)."""
    return RESCUE_INFO + freeze + bytes((lock,)) + header


def check_release(shares: Any, *, listed: Mapping[str, int], complained: Iterable[str], draws: Iterable[str]) -> bytes:
    """The shares object of a release names every header of the freeze list, except those this trustee complained of, in
    its place, and nothing else; returns its bytes. `listed` maps H(header) to its envelope, `draws` are contributions.

    The system extracts every bid, none is chosen (E-52). Raises Refused: shares_fields, release_leaves_a_bid_out and
    release_of_an_unlisted_header (E-52).
    """
    if not isinstance(shares, dict) or set(shares) != {"record", "documents", "draws"}:
        raise Refused("shares_fields")
    named = {part: [_header_of(row) for row in shares[part]] for part in shares}
    if any(names != sorted(set(names)) for names in named.values()):
        raise Refused("shares_fields")
    due = {header: envelope for header, envelope in listed.items() if header not in set(complained)}
    said = dict.fromkeys(named["record"], 0) | dict.fromkeys(named["documents"], 1)
    if said or not named["draws"]:
        left_out = sorted(set(due) - set(said))
        if left_out:
            raise Refused("release_leaves_a_bid_out", rule="E-52", header=left_out[0])
    strange = sorted(
        header for header, part in said.items() if header not in due or (due[header] == 0) != (part == 0)
    ) + sorted(set(named["draws"]) - set(draws))
    if strange:
        raise Refused("release_of_an_unlisted_header", rule="E-52", header=strange[0])
    return jcs.dumps(shares)


def check_record(verdicts: Sequence[Mapping[str, Any]], record: Sequence[Mapping[str, Any]]) -> int:
    """What may be announced: every valid bid although others failed (E-56), no other (E-54, E-55). Returns how many.

    Raises Refused: valid_bid_left_out (E-56), bid_not_opened (E-54 or E-55, by the verdict's consequence).
    """
    announced = {row["bid"] for row in record}
    for row in verdicts:
        if row["verdict"] == "valid" and row["bid"] not in announced:
            raise Refused("valid_bid_left_out", rule="E-56", bid=row["bid"])
        if row["bid"] in announced:
            check_opened(row)
    return len(record)


def check_opened(verdict: Mapping[str, Any]) -> str:
    """A bid may be announced, read and evaluated only if it was opened; returns its id. Raises bid_not_opened: under
    E-54 where it is deemed revoked (the bidder's cause), under E-55 where it is deemed withdrawn (another cause)."""
    if verdict["consequence"] != "opened":
        rule = "E-54" if verdict["consequence"] == "deemed_revoked" else "E-55"
        raise Refused("bid_not_opened", rule=rule, bid=verdict["bid"], verdict=verdict["verdict"])
    return str(verdict["bid"])


def _header_of(row: Any) -> str:
    header = row.get("header") if isinstance(row, dict) else None
    if not isinstance(header, str):
        raise Refused("shares_fields")
    return header
