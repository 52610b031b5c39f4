"""The evaluation room of one lot as a row: its draws, its seats, its motions and questions, its report.

The row is a fast copy, for people, of what the acts of the draw and the private acts of the panel say; marks stand in
the sheets' own rows. Rules upheld: whoever is not signed in has no say (E-65), and what a replaced member concluded is
void (E-67). Before sign-in a seat holds a masked id; the masks are undone by `Attempt.masks`, so whoever can read this
table knows the names and could tell them; they cannot change who was drawn, nor learn a mark from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from crypto import lottery
from crypto.lottery import Seat as DrawnSeat
from crypto.refusal import Refused
from experts import panel
from experts.panel import Held as HeldSeat
from experts.panel import Panel, SeatState
from storage.unit import Unit
from trading.roles import Actor, Role
from trading.tender import Tender

SENT = -1
"""The stratum of a seat that nobody drew: a representative whom the owner sent."""


class Contribution(Struct, frozen=True):
    """A contributor's sealed number: H(header) and signature, hex."""

    header: str
    signature: str


class Attempt(Struct, frozen=True, kw_only=True):
    """One draw. `masks`: masked id → (expert id, salt), all hex but the id; `conflicts`: masked ids in conflict."""

    draw_id: str
    pool_leaf: str
    pool_hash: str
    avoidance_hash: str
    masks: dict[str, tuple[str, str]]
    contributions: dict[str, Contribution] = {}
    close: str | None = None
    seed: str | None = None
    conflicts: tuple[str, ...] = ()


class Seat(Struct, frozen=True, kw_only=True):
    """One seat. `person` is the account of its holder, `salt` the mask's; `seated_by` and `left_by` are the events by
    which a holder came and left, `why` as in the recusal act; `vacant` when nobody is left to take it."""

    seat: int
    stratum: int
    masked: str
    person: str
    expert: str
    salt: str
    seated_by: str = ""
    state: SeatState = SeatState.DRAWN
    invitation: str | None = None
    zh: str = ""
    en: str = ""
    answer_until: str = ""
    calls: int = 0
    left_by: str | None = None
    why: str | None = None
    vacant: bool = False


class Motion(Struct, frozen=True, kw_only=True):
    """A motion to reject a bid; `votes`: seat → for."""

    bid: str
    reason: str
    clause: str
    reasoning: str
    votes: dict[str, bool]


class Question(Struct, frozen=True, kw_only=True):
    """What the panel would ask a bidder; `asked` is the leaf of the act once most members want it asked."""

    id: str
    bid: str
    ground: str
    place: str
    text: str
    answer_until: str
    votes: dict[str, bool]
    asked: str | None = None
    text_hash: str | None = None
    replies: tuple[str, ...] = ()


class Opinion(Struct, frozen=True):
    """A member's word on whether competition is plainly lacking (E-73)."""

    lacking: bool
    reasoning: str


class Stance(Struct, frozen=True):
    """What a member did with the report: signed, dissented, deemed_agreed; the dissent in words."""

    stance: str
    text: str = ""


class Room(Struct, frozen=True, kw_only=True):
    """Everything about one lot's panel but the marks. Seats ascending; keys of votes are seat numbers as text."""

    lot: str
    starts: str
    place: str
    contact: str
    attempts: tuple[Attempt, ...] = ()
    seats: tuple[Seat, ...] = ()
    avoided: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    void: tuple[tuple[int, str], ...] = ()
    motions: tuple[Motion, ...] = ()
    questions: tuple[Question, ...] = ()
    opinions: dict[str, Opinion] = {}
    abnormal: dict[str, dict[str, bool]] = {}
    scored: bool = False
    report_salt: str | None = None
    stances: dict[str, Stance] = {}

    @property
    def attempt(self) -> Attempt:
        """The latest draw. Raises Refused("draw_not_requested")."""
        if not self.attempts:
            raise Refused("draw_not_requested", lot=self.lot)
        return self.attempts[-1]

    def of(self, number: int) -> Seat:
        """Seat `number`. Raises Refused("panel_seat_unknown")."""
        for each in self.seats:
            if each.seat == number:
                return each
        raise Refused("panel_seat_unknown", seat=number)

    def with_seat(self, changed: Seat) -> Room:
        """The same room with one seat changed."""
        return replace(self, seats=tuple(changed if each.seat == changed.seat else each for each in self.seats))

    def with_attempt(self, changed: Attempt) -> Room:
        """The same room with its latest draw changed."""
        return replace(self, attempts=(*self.attempts[:-1], changed))

    def panel(self) -> Panel:
        """The panel as experts/panel.py judges it; sent representatives stand behind the drawn seats."""
        drawn = lottery.Panel(
            tuple(
                DrawnSeat(each.seat, each.stratum, bytes.fromhex(each.masked))
                for each in self.seats
                if each.stratum != SENT
            ),
            tuple(bytes.fromhex(masked) for masked in self.avoided),
            frozenset(bytes.fromhex(masked) for masked in self.left),
        )
        shown = (SeatState.SIGNED_IN, SeatState.RECUSED)
        seats = tuple(
            HeldSeat(
                each.seat, each.stratum, each.masked, each.state, each.expert or None if each.state in shown else None
            )
            for each in self.seats
        )
        sent = tuple(each.person for each in self.seats if each.stratum == SENT)
        return Panel(drawn, seats, sent, frozenset(self.void))


@dataclass(frozen=True, slots=True)
class Opened:
    """A room as it was read, with the version its row had."""

    room: Room
    version: int


async def find(unit: Unit, lot: str) -> Opened | None:
    """The room of a lot, or None before a draw was requested."""
    row = await unit.panel.read(lot)
    return None if row is None else Opened(msgspec.convert(row["body"], Room), row["version"])


async def load(unit: Unit, lot: str) -> Opened:
    """The room of a lot. Raises Refused("draw_not_requested")."""
    found = await find(unit, lot)
    if found is None:
        raise Refused("draw_not_requested", lot=lot)
    return found


async def begin(unit: Unit, room: Room) -> Opened:
    """Keep a room that the first request of a draw made."""
    await unit.panel.insert(_row(room))
    return Opened(room, 1)


async def keep(unit: Unit, opened: Opened, room: Room) -> Opened:
    """Write the room; Conflict when somebody else wrote it since it was read."""
    if room == opened.room:
        return opened
    await unit.panel.update(_row(room), expected_version=opened.version)
    return Opened(room, opened.version + 1)


def seat_of(room: Room, actor: Actor) -> Seat:
    """The seat that this person holds signed in. Raises Refused: not_on_this_panel (E-65), conclusions_void (E-67)."""
    mine = [each for each in room.seats if each.person == actor.person]
    if not mine:
        gone = any(expert == expert_id(actor) for expert in _experts_gone(room))
        code, rule = ("conclusions_void", "E-67") if gone else ("not_on_this_panel", "E-65")
        raise Refused(code, rule=rule, seat=0) if gone else Refused(code, rule=rule)
    panel.require_current(room.panel(), mine[0].seat, mine[0].masked)
    return mine[0]


def expert_id(actor: Actor) -> str:
    """The register's id behind an account of the form expert-ID; '' for any other account."""
    return actor.person.removeprefix("expert-") if actor.role is Role.EXPERT else ""


def check_at_work(tender: Tender, *states: str) -> Tender:
    """Raise Refused("panel_not_at_work") unless the lot stands in one of these states."""
    if tender.state.value not in states:
        raise Refused("panel_not_at_work", rule="E-65", state=tender.state.value)
    return tender


def members_of(room: Room) -> int:
    """How many sit on the panel now."""
    return len(room.seats)


def votes_of(votes: Mapping[str, Any]) -> dict[int, Any]:
    """Votes by seat number; the row keeps them by its text."""
    return {int(seat): vote for seat, vote in votes.items()}


def _experts_gone(room: Room) -> set[str]:
    masks = {masked: held for attempt in room.attempts for masked, held in attempt.masks.items()}
    return {masks[masked][0] for _, masked in room.void if masked in masks}


def _row(room: Room) -> dict[str, Any]:
    state = "scored" if room.scored else "seated" if room.seats else "drawing"
    return {"lot": room.lot, "state": state, "body": msgspec.to_builtins(room)}
