"""Shares become secrets: what the releases of all trustees give per header, and which trustee lied about what.

docs/spec/release.md §7. The rules upheld:
- a share counts only if it fits its commitment; one that does not names its trustee, whatever the others say;
- any t shares of a lock give the same secret, and the header alone decides whether it is valid (sealing/lock.py);
- a lock fails by complaints only when more than n − t complained; else silence is the cause, not the bidder.

Whoever combines learns the secrets of what was released, and nothing of what was not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from crypto import jcs, release
from crypto.refusal import Refused
from crypto.roster import Roster
from crypto.sealing import hpke, lock
from crypto.sealing.header import CONTRIBUTION, RECORD, Header

Reader = Literal["room", "verifier"]
Shares = Mapping[int, Mapping[int, bytes]]


@dataclass(frozen=True, slots=True)
class ReleaseMade:
    """A release act (signature proved) with its shares object (hash proved, raw)."""

    trustee: str
    lock: int
    index: int
    freeze: bytes
    shares: bytes


@dataclass(frozen=True, slots=True)
class Complaint:
    """A READY act of trustee `index` of `lock` says that the header's share for it does not open."""

    trustee: str
    header: bytes
    lock: int
    index: int


@dataclass(frozen=True, slots=True)
class Accused:
    """A trustee named by the evidence: share_wrong, release_unopenable, share_missing, shares_unreadable."""

    trustee: str
    header: bytes | None
    lock: int
    index: int
    code: str


@dataclass(frozen=True, slots=True)
class Gathered:
    """Per H(header), per lock, per trustee index: shares that fit; and who is accused."""

    shares: Mapping[bytes, Shares]
    accused: tuple[Accused, ...]


@dataclass(frozen=True, slots=True)
class Secrets:
    """Both locks were opened: S_0 … S_{k−1}."""

    secrets: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Unopened:
    """Lock `lock` stayed below t; by complaints (`complainers`: trustee ids), or by silence."""

    lock: int
    cause: Literal["complaints", "silence"]
    complainers: tuple[str, ...] = ()


@dataclass(slots=True)
class _Gathering:
    headers: Mapping[bytes, Header]
    shares: dict[bytes, dict[int, dict[int, bytes]]] = field(default_factory=dict)
    accused: list[Accused] = field(default_factory=list)

    def accuse(self, made: ReleaseMade, header: bytes | None, code: str) -> None:
        found = Accused(made.trustee, header, made.lock, made.index, code)
        if found not in self.accused:
            self.accused.append(found)

    def take(self, made: ReleaseMade, hashed: bytes, share: bytes) -> None:
        try:
            lock.check_share(self.headers[hashed], made.lock, made.index, share)
        except Refused as refused:
            self.accuse(made, hashed, refused.code)
            return
        self.shares.setdefault(hashed, {}).setdefault(made.lock, {})[made.index] = share


def open_shares(
    releases: Iterable[ReleaseMade],
    headers: Mapping[bytes, Header],
    complaints: Iterable[Complaint],
    *,
    reader: Reader,
    key: bytes | None,
) -> Gathered:
    """Every share that fits its commitment, of the `headers` (by H(header)) that these releases were to hold.

    Call it with the headers of the list, and for a draw with its contributions and the releases after its READYs.
    `key` is the reader's secret opening key (32 bytes); None reads only what is in the clear, as the public can. A
    trustee who released something and left a header out that it did not complain of is accused of share_missing; one
    who released nothing is silent and is named by whoever counts (no act of its own accuses it).
    """
    gathering = _Gathering(headers)
    complained = {(each.header, each.lock, each.index) for each in complaints}
    named: dict[tuple[str, int, int], set[bytes]] = {}
    for made in releases:
        listed = named.setdefault((made.trustee, made.lock, made.index), set())
        try:
            entries = _entries(made.shares)
        except Refused:
            gathering.accuse(made, None, "shares_unreadable")
            continue
        for hashed, entry in entries:
            if hashed not in headers:
                continue
            listed.add(hashed)
            share = _share(made, hashed, headers[hashed], entry, reader, key, gathering)
            if share is not None:
                gathering.take(made, hashed, share)
    for (trustee, number, index), listed in named.items():
        for hashed in sorted(set(headers) - listed):
            if (hashed, number, index) not in complained:
                gathering.accused.append(Accused(trustee, hashed, number, index, "share_missing"))
    return Gathered(gathering.shares, tuple(gathering.accused))


def secrets_of(
    hashed: bytes, header: Header, gathered: Gathered, complaints: Iterable[Complaint]
) -> Secrets | Unopened:
    """The secrets of one header, or the first lock that stayed below t and why. They are still to be re-derived."""
    found = []
    complained = [each for each in complaints if each.header == hashed]
    for number, sealed in enumerate(header.locks):
        shares = gathered.shares.get(hashed, {}).get(number, {})
        if len(shares) < sealed.t:
            blamed = {each.index: each.trustee for each in complained if each.lock == number}
            if len(blamed) > sealed.n - sealed.t:
                return Unopened(number, "complaints", tuple(blamed[index] for index in sorted(blamed)))
            return Unopened(number, "silence")
        found.append(lock.combine(header, number, shares))
    return Secrets(tuple(found))


def false_complainers(
    hashed: bytes, header: Header, roster: Roster, secrets: tuple[bytes, ...], complaints: Iterable[Complaint]
) -> tuple[str, ...]:
    """Trustee ids that complained of a header whose lock section re-derives: its share was good, so they lied.

    Empty when it does not re-derive: then the bidder is at fault and a complaint may be honest.
    """
    try:
        lock.verify_lock_section(header, roster, secrets)
    except Refused as refused:
        if refused.code != "lock_section":
            raise
        return ()
    return tuple(sorted({each.trustee for each in complaints if each.header == hashed}))


def _share(
    made: ReleaseMade,
    hashed: bytes,
    header: Header,
    entry: Mapping[str, bytes],
    reader: Reader,
    key: bytes | None,
    gathering: _Gathering,
) -> bytes | None:
    """The share in one entry; None where it cannot be read or is not for this reader."""
    in_clear = header.envelope in (RECORD, CONTRIBUTION)
    if in_clear != ("share" in entry):
        gathering.accuse(made, hashed, "shares_unreadable")
        return None
    if in_clear:
        return entry["share"]
    if key is None:
        return None
    sealed = entry[reader]
    info = release.sealed_info(made.freeze, made.lock, made.index, hashed)
    try:
        return hpke.open(key, sealed[:32], sealed[32:], info)
    except Refused:
        gathering.accuse(made, hashed, "release_unopenable")
        return None


def _entries(data: bytes) -> list[tuple[bytes, dict[str, bytes]]]:
    """(H(header), {"share"} or {"room","verifier"}) of a shares object (acts.md §5). Refused: jcs_*, shares_fields."""
    value: Any = jcs.loads(data)
    fields = {"record": {"share"}, "documents": {"room", "verifier"}, "draws": {"share"}}
    if not isinstance(value, dict) or set(value) != set(fields):
        raise Refused("shares_fields")
    found = []
    for name, expected in fields.items():
        for entry in value[name] if isinstance(value[name], list) else [None]:
            if not isinstance(entry, dict) or set(entry) != expected | {"header"}:
                raise Refused("shares_fields")
            try:
                read = {field_name: bytes.fromhex(text) for field_name, text in entry.items()}
            except (TypeError, ValueError):
                raise Refused("shares_fields") from None
            found.append((read.pop("header"), read))
    return found
