"""One lot from notice to contract: a frozen value that is the fold of its acts, and nothing else (invariant I7).

trading/fold.py makes it. Flags (holds, objections, suspension) stand beside the state. Whoever can write the row of a
tender can make pages lie; they cannot change what the fold of the ledger gives, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from trading.lifecycle import State
from trading.roles import Parties


class Deadline(Struct, frozen=True):
    """One deadline as it was given: when, by which act."""

    deadline: datetime
    given_at: datetime
    leaf: str


class Hold(Struct, frozen=True):
    """Something that holds the process: an open objection or a directive. `left_s`: seconds that were left."""

    ref: str
    reason: str
    stage: str
    at: datetime
    left_s: int


class Objection(Struct, frozen=True):
    """An objection by the leaf of its private act; `answered_at` None while it is open."""

    leaf: str
    stage: str
    at: datetime
    answered_at: datetime | None = None


class Candidate(Struct, frozen=True):
    """A published candidate (中标候选人)."""

    rank: int
    bid: str
    uscc: str
    price_fen: int
    period_days: int
    quality: str


class Award(Struct, frozen=True):
    """The award in force."""

    rank: int
    bid: str
    uscc: str
    price_fen: int
    at: datetime


class Tender(Struct, frozen=True, kw_only=True):
    """The state of one lot. Instants are aware UTC, money fen, leaves and bids lower-case hex."""

    tender_id: str
    lot: str
    name: str
    owner: str
    agent: str | None
    market: str
    region: str
    rehearsal: bool
    rulebook: str
    terms: str
    state: State
    published_at: datetime
    deadlines: tuple[Deadline, ...]
    bids_min: int
    settle_s: int
    challenge_s: int
    rescue_s: int
    max_price_fen: int | None
    roster: str
    thresholds: tuple[int, ...]
    panel_members: int
    stop_if_few_after_opening: bool
    state_controlled: bool
    amendments: int = 0
    holds: tuple[Hold, ...] = ()
    objections: tuple[Objection, ...] = ()
    suspended: tuple[tuple[str, datetime], ...] = ()
    closed_at: datetime | None = None
    freeze: str | None = None
    frozen_at: datetime | None = None
    bids: int | None = None
    ready: tuple[tuple[int, int], ...] = ()
    verdicts: str | None = None
    valid: int | None = None
    opened_at: datetime | None = None
    draw_id: str | None = None
    draw_pool: str | None = None
    draw_close: str | None = None
    seats: tuple[str, ...] = ()
    signed_in: tuple[str, ...] = ()
    report_at: datetime | None = None
    publicity_from: datetime | None = None
    publicity_until: datetime | None = None
    candidates: tuple[Candidate, ...] = ()
    passed_over: tuple[int, ...] = ()
    award: Award | None = None
    contracted_at: datetime | None = None
    regulator_report_at: datetime | None = None
    ended_because: str | None = None
    ended_at: datetime | None = None
    tallied_at: datetime | None = None

    @property
    def deadline(self) -> datetime:
        """The deadline in force: that of the last act that gave one."""
        return self.deadlines[-1].deadline

    @property
    def rests_since(self) -> datetime | None:
        """When the last act was done that the tender's end asks for: contract or report of a contracted one, the end of
        another. None while it goes on, and where it ended before the freeze: then nobody may count its bids."""
        if self.freeze is None:
            return None
        if self.contracted_at is not None:
            return max(self.contracted_at, self.regulator_report_at or self.contracted_at)
        return self.ended_at

    @property
    def parties(self) -> Parties:
        """Who owns the tender, for Actor.must."""
        return Parties(self.owner, self.agent)

    @property
    def open_objections(self) -> tuple[Objection, ...]:
        """Objections not yet answered."""
        return tuple(objection for objection in self.objections if objection.answered_at is None)

    @property
    def held_by(self) -> str | None:
        """The leaf of what holds the process now, or None: a hold, an open objection, a suspension, in this order."""
        refs = [hold.ref for hold in self.holds] + [objection.leaf for objection in self.open_objections]
        return next(iter([*refs, *(ref for ref, _ in self.suspended)]), None)

    @property
    def locks_ready(self) -> bool:
        """Whether every lock has as many READY as its threshold."""
        return all(
            sum(lock == number for lock, _ in self.ready) >= threshold
            for number, threshold in enumerate(self.thresholds)
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; instants as RFC 3339 text."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain


def from_json(plain: Mapping[str, Any]) -> Tender:
    """The inverse of Tender.to_json."""
    return msgspec.convert(plain, Tender)
