"""What the simulator itself knows of one tender: who did what and when, beside and apart from what the hall recorded.

Invariants compare the two. The book is kept by the simulated people (portal/simulation/story), never by a command.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from portal.simulation.bidders import Sealed
from portal.simulation.keys import Expert


@dataclass
class Sent:
    """A bid that was handed in and got a receipt: when it was received, and by what name it can be found again."""

    sealed: Sealed
    at: datetime
    leaf: str
    event: str
    sound: bool = True


@dataclass
class Withdrawn:
    """A withdrawal that got a receipt."""

    uscc: str
    version: int
    at: datetime
    leaf: str
    event: str


@dataclass
class Extension:
    """A later deadline as it was signed; `witnessed` when a quorum had cosigned it, None while it had not."""

    deadline: datetime
    at: datetime
    witnessed: datetime | None


@dataclass
class Hold:
    """An objection or a suspension: from when, and until when; None while it lasts."""

    leaf: str
    since: datetime
    until: datetime | None = None

    def covers(self, at: datetime) -> bool:
        """Whether it lasted at an instant; the one that ended it included."""
        return self.since <= at and (self.until is None or at <= self.until)


@dataclass(frozen=True, slots=True)
class Cheat:
    """Something unlawful that left a trace: what it was, and how the evidence must name whoever did it. `check` is the
    verifier's check that may fail for it; None where every check passes and the name stands in what was logged."""

    what: str
    culprit: str
    check: int | None = None


@dataclass
class Book:
    """One tender. `truth` = seat → (bid, item) → points as its expert locked them, in hundredths."""

    lot: str = ""
    tender_id: str = ""
    published: datetime | None = None
    deadlines: list[Extension] = field(default_factory=list)
    settle_s: int = 60
    challenge_s: int = 300
    sent: list[Sent] = field(default_factory=list)
    withdrawn: list[Withdrawn] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    cheats: list[Cheat] = field(default_factory=list)
    experts_seen: dict[str, Expert] = field(default_factory=dict)
    truth: dict[int, dict[tuple[str, str], int]] = field(default_factory=dict)
    mark_texts: list[bytes] = field(default_factory=list)
    receipts: list[bytes] = field(default_factory=list)
    redraw_ordered: bool = False

    @property
    def markers(self) -> list[bytes]:
        """Bytes that stand in a sealed bid of this tender and nowhere else."""
        return [marker for each in self.sent for marker in each.sealed.markers]

    def deadline_at(self, at: datetime) -> datetime:
        """The deadline in force at an instant, from what was signed and witnessed by then: the first one, and every
        later one that a quorum had cosigned before the deadline it replaced, or that came while a hold lasted which
        began before that deadline."""
        in_force = self.deadlines[0].deadline
        for each in self.deadlines[1:]:
            seen = each.witnessed is not None and each.witnessed < in_force
            held = any(hold.since < in_force and hold.covers(each.at) for hold in self.holds)
            if each.at <= at and (seen or held) and in_force < each.deadline:
                in_force = each.deadline
        return in_force

    @property
    def shut_until(self) -> datetime:
        """Nothing opens before the latest deadline that was ever signed."""
        return max(each.deadline for each in self.deadlines)

    def held_at(self, at: datetime) -> bool:
        """Whether an objection or a suspension held the process at an instant."""
        return any(hold.covers(at) and hold.until != at for hold in self.holds)
