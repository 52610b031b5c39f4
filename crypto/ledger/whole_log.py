"""The whole ledger as one reader has read it, leaf by leaf: what no operator can hide an act from.

docs/spec/release.md §1. The rules upheld:
- the root is computed from the leaves themselves, up to a checkpoint that a quorum cosigned; the frontier of the last
  reading is extended, so the log that was seen before is always a prefix of the one seen now;
- an act outside its chain (a gap, another prev, a second TENDER act) has no effect;
- a one-time key belongs to the tender whose TENDER act named it first;
- the stamps of the checkpoints that brought acts are kept: they say by when an act was witnessed.

Whoever serves the leaves can withhold new ones; they cannot show a log without an act that others see in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from crypto.ledger import acts, merkle, note
from crypto.refusal import Refused
from crypto.roster import Roster


@dataclass(frozen=True, slots=True)
class Logged:
    """A public act with its index in the log and its leaf hash (32 bytes)."""

    index: int
    leaf: bytes
    act: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """The kind of the act."""
        return str(self.act["kind"])


@dataclass(frozen=True, slots=True)
class Stamp:
    """By the instant `at` (UTC) a quorum had cosigned a tree of `size` leaves."""

    size: int
    at: datetime


@dataclass(frozen=True, slots=True)
class WholeLog:
    """Everything read so far. `trustee` is the id whose tenders are kept; "" keeps all tenders.

    `keys` says which tender (hex) a roster key (hex) belongs to; `size` and `root` are of the last checkpoint,
    and a quorum cosigned that one at or after `fresh_at` (UTC, whole seconds).
    """

    trustee: str
    frontier: merkle.Frontier = field(default_factory=merkle.Frontier)
    hall: tuple[Logged, ...] = ()
    tenders: Mapping[str, tuple[Logged, ...]] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    stamps: tuple[Stamp, ...] = ()
    fresh_at: datetime | None = None

    @property
    def size(self) -> int:
        """How many leaves were read."""
        return self.frontier.size

    @property
    def root(self) -> bytes:
        """The root over them, 32 bytes."""
        return self.frontier.root()

    def of(self, tender_id: bytes) -> tuple[Logged, ...]:
        """The public acts of a tender in log order; empty when the tender is not kept."""
        return self.tenders.get(tender_id.hex(), ())

    def advance(self, leaves: Iterable[bytes], quorum: note.Quorum) -> WholeLog:
        """The log after reading `leaves` (raw, from index `size` on) up to a checkpoint that note.verify_quorum proved.

        Raises Refused: log_rolled_back (fewer leaves than read before), log_incomplete (not all leaves were given),
        log_forked (the leaves do not give the checkpoint's root).
        """
        checkpoint = quorum.checkpoint
        if checkpoint.size < self.size:
            raise Refused("log_rolled_back", old_size=self.size, size=checkpoint.size)
        reading = _Reading(self)
        frontier = self.frontier.append(reading.take(leaves))
        if frontier.size != checkpoint.size:
            raise Refused("log_incomplete", size=checkpoint.size, leaves=frontier.size)
        if frontier.root() != checkpoint.root:
            raise Refused("log_forked", old_size=self.size, size=checkpoint.size)
        stamps = self.stamps
        if reading.kept or not stamps:
            stamps = (*stamps, Stamp(checkpoint.size, quorum.complete_at))
        return replace(
            self,
            frontier=frontier,
            hall=reading.hall,
            tenders=reading.tenders,
            keys=reading.keys,
            stamps=stamps,
            fresh_at=_fresh_at(quorum),
        )

    def object(self) -> dict[str, Any]:
        """The reading as a plain value for the agent's own disk."""
        return {
            "trustee": self.trustee,
            "size": self.size,
            "peaks": [peak.hex() for peak in self.frontier.peaks],
            "hall": [[each.index, dict(each.act)] for each in self.hall],
            "tenders": {
                tender_id: [[each.index, dict(each.act)] for each in logged]
                for tender_id, logged in self.tenders.items()
            },
            "keys": dict(self.keys),
            "stamps": [[stamp.size, int(stamp.at.timestamp())] for stamp in self.stamps],
            "fresh_at": None if self.fresh_at is None else int(self.fresh_at.timestamp()),
        }

    @staticmethod
    def of_object(value: Mapping[str, Any]) -> WholeLog:
        """The reading that object() wrote. Whoever can write that file decides what the agent believes it saw."""
        return WholeLog(
            trustee=value["trustee"],
            frontier=merkle.Frontier(value["size"], tuple(bytes.fromhex(peak) for peak in value["peaks"])),
            hall=tuple(_logged(index, act) for index, act in value["hall"]),
            tenders={
                tender_id: tuple(_logged(index, act) for index, act in logged)
                for tender_id, logged in value["tenders"].items()
            },
            keys=dict(value["keys"]),
            stamps=tuple(Stamp(size, datetime.fromtimestamp(at, UTC)) for size, at in value["stamps"]),
            fresh_at=None if value["fresh_at"] is None else datetime.fromtimestamp(value["fresh_at"], UTC),
        )


def verify_stamp(data: bytes, proof: Sequence[bytes], trust: note.Anchors, log: WholeLog) -> Stamp:
    """The stamp of an older cosigned checkpoint note, shown with its proof of consistency to the tree read now.

    Raises Refused: what note.verify_quorum refuses, log_forked.
    """
    quorum = note.verify_quorum(data, trust)
    older = quorum.checkpoint
    note.check_follows(older, note.Checkpoint(older.origin, log.size, log.root), proof)
    return Stamp(older.size, quorum.complete_at)


def witnessed_at(index: int, stamps: Iterable[Stamp]) -> datetime | None:
    """By when the leaf at `index` was witnessed, as far as these stamps show; None when none covers it."""
    return min((stamp.at for stamp in stamps if stamp.size > index), default=None)


def _fresh_at(quorum: note.Quorum) -> datetime:
    """The latest instant at or after which a whole quorum cosigned."""
    ends = range(len(quorum.cosigned))
    return max(quorum.cosigned[at].at for at in ends if note.is_quorum(quorum.cosigned[at:], quorum.threshold))


def _logged(index: int, act: Mapping[str, Any]) -> Logged:
    return Logged(index, merkle.leaf_hash(acts.public_leaf(act)), act)


class _Reading:
    """One pass over new leaves; gives their hashes on and keeps the acts that concern the reader."""

    def __init__(self, before: WholeLog) -> None:
        self.hall = before.hall
        self.tenders = dict(before.tenders)
        self.keys = dict(before.keys)
        self.kept = False
        self._trustee = before.trustee
        self._index = before.size

    def take(self, leaves: Iterable[bytes]) -> Iterable[bytes]:
        """The leaf hashes, in order."""
        for leaf in leaves:
            hashed = merkle.leaf_hash(leaf)
            if leaf[:1] == b"\x01":
                self._read(leaf, hashed)
            self._index += 1
            yield hashed

    def _read(self, leaf: bytes, hashed: bytes) -> None:
        try:
            logged = Logged(self._index, hashed, acts.parse_public(leaf))
            if logged.act["tender_id"] == acts.HALL_TENDER_ID:
                _require_next(self.hall, logged)
                self.hall = (*self.hall, logged)
                self.kept = True
            elif logged.kind == "tender":
                self._begin(logged)
            elif (kept := self.tenders.get(logged.act["tender_id"])) is not None:
                _require_next(kept, logged)
                self.tenders[logged.act["tender_id"]] = (*kept, logged)
                self.kept = True
        except Refused:
            # What is no act, or stands outside its chain, has no effect (acts.md §1); its leaf stays in the tree.
            return

    def _begin(self, logged: Logged) -> None:
        chain = acts.check_chain([logged.act])
        if chain.tender_id in self.tenders:
            raise Refused("chain_begins_otherwise", kind="tender")
        named = _roster_keys(logged.act)
        for key in named:
            self.keys.setdefault(key, chain.tender_id)
        if not self._trustee or self._trustee in _seated(logged.act):
            self.tenders[chain.tender_id] = (logged,)
            self.kept = True


def _require_next(before: Sequence[Logged], logged: Logged) -> None:
    """The act follows the last one of its chain; Refused: chain_gap, chain_prev, chain_begins_otherwise."""
    tender_id = logged.act["tender_id"]
    acts.extend_chain(acts.Chain(tender_id, tuple(each.leaf for each in before)), logged.act)


def _roster_keys(tender_act: Mapping[str, Any]) -> list[str]:
    roster = tender_act.get("roster")
    try:
        locks = Roster.decode(bytes.fromhex(roster if isinstance(roster, str) else "")).locks
    except ValueError:
        raise Refused("length", part="roster", bytes=0) from None
    return [key.hex() for lock in locks for key in lock.keys]


def _seated(tender_act: Mapping[str, Any]) -> set[str]:
    seats = tender_act.get("seats")
    locks = seats if isinstance(seats, list) else []
    return {each for lock in locks if isinstance(lock, list) for each in lock if isinstance(each, str)}
