"""The panel (评标委员会): its shape, its seats from draw to sign-in, and who may know the names.

Rules upheld: odd, at least five, experts at least two thirds (招标投标法 §37, E-61); seats go to whom the draw gives
and to nobody designated (条例 §46, E-63); names are secret until the result is fixed, and unknown to everybody before
sign-in (招标投标法 §37, E-65); who has an interest leaves, and a replaced member's conclusions are void and made anew
by the successor (条例 §46, §48, E-67). Who left never returns (docs/spec/lottery.md §5).
Before sign-in a seat holds a masked id only; whoever reads this state learns no name from it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from crypto import lottery
from crypto.refusal import Refused
from experts import avoidance
from experts.avoidance import Reason
from trading.roles import Role

MEMBERS_MIN = 5
EXPERT_THIRDS_MIN = 2


class SeatState(StrEnum):
    """Where the holder of a seat stands."""

    DRAWN = "drawn"
    INVITED = "invited"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    NO_ANSWER = "no_answer"
    SIGNED_IN = "signed_in"
    RECUSED = "recused"


TRANSITIONS: dict[SeatState, frozenset[SeatState]] = {
    SeatState.DRAWN: frozenset({SeatState.INVITED}),
    SeatState.INVITED: frozenset({SeatState.ACCEPTED, SeatState.DECLINED, SeatState.NO_ANSWER}),
    SeatState.ACCEPTED: frozenset({SeatState.SIGNED_IN, SeatState.DECLINED, SeatState.NO_ANSWER, SeatState.RECUSED}),
    SeatState.SIGNED_IN: frozenset({SeatState.RECUSED}),
    # The three below end a holder's time; only a replacement follows, by the next in order.
    SeatState.DECLINED: frozenset(),
    SeatState.NO_ANSWER: frozenset(),
    SeatState.RECUSED: frozenset(),
}
LEFT = frozenset({SeatState.DECLINED, SeatState.NO_ANSWER, SeatState.RECUSED})

# Who may know the names once everybody signed in, and before the result is fixed (domain rule E-65): never the bidders,
# never the public. The centre's staff see seats, not names.
KNOW_AFTER_SIGN_IN = frozenset(
    {Role.EXPERT, Role.OWNER_REPRESENTATIVE, Role.OWNER, Role.AGENT, Role.SUPERVISOR, Role.INSPECTOR, Role.AUDITOR}
)


@dataclass(frozen=True, slots=True)
class Shape:
    """Members in all, and how many of them are drawn experts; the others represent the owner."""

    members: int
    experts: int


@dataclass(frozen=True, slots=True)
class Held:
    """One seat: number from 1, stratum of the draw, masked id (hex), state, and the expert's id from sign-in on."""

    seat: int
    stratum: int
    masked: str
    state: SeatState
    expert: str | None = None

    def __post_init__(self) -> None:
        unmasked = self.state is SeatState.SIGNED_IN or (self.state is SeatState.RECUSED)
        assert self.expert is None or unmasked, "a name before sign-in"


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel in being: `drawn` is the draw's own record, `seats` ascending, `void` = (seat, masked) of who left.

    `representatives` are persons the owner sent with written authorisation; they hold no drawn seat.
    """

    drawn: lottery.Panel
    seats: tuple[Held, ...]
    representatives: tuple[str, ...] = ()
    void: frozenset[tuple[int, str]] = frozenset()

    def of(self, seat: int) -> Held:
        """Seat `seat`; Refused `panel_seat_unknown`."""
        for held in self.seats:
            if held.seat == seat:
                return held
        raise Refused("panel_seat_unknown", seat=seat)


def experts_min(members: int, *, thirds_min: int = EXPERT_THIRDS_MIN) -> int:
    """The least number of experts among `members`: two thirds, rounded up (5 → 4, 7 → 5, 9 → 6)."""
    return -(-thirds_min * members // 3)


def check_shape(
    members: int, experts: int, *, members_min: int = MEMBERS_MIN, thirds_min: int = EXPERT_THIRDS_MIN
) -> Shape:
    """Return the lawful shape; the limits come from the pinned rulebook. Raises Refused under E-61."""
    if members < members_min:
        raise Refused("panel_members_too_few", rule="E-61", members=members, least=members_min)
    if members % 2 == 0:
        raise Refused("panel_not_odd", rule="E-61", members=members)
    least = experts_min(members, thirds_min=thirds_min)
    if not least <= experts <= members:
        raise Refused("panel_too_few_experts", rule="E-61", members=members, experts=experts, least=least)
    return Shape(members, experts)


def form(
    drawn: lottery.Panel,
    *,
    representatives: Sequence[str] = (),
    members_min: int = MEMBERS_MIN,
    thirds_min: int = EXPERT_THIRDS_MIN,
) -> Panel:
    """The panel as the draw gave it, every seat DRAWN. Raises Refused under E-61."""
    members = len(drawn.seats) + len(set(representatives))
    check_shape(members, len(drawn.seats), members_min=members_min, thirds_min=thirds_min)
    seats = tuple(Held(each.seat, each.stratum, each.masked.hex(), SeatState.DRAWN) for each in drawn.seats)
    assert len({held.masked for held in seats}) == len(seats), "the draw seats nobody twice"
    return Panel(drawn, seats, tuple(representatives))


def step(panel: Panel, seat: int, to: SeatState) -> Panel:
    """Move one seat along TRANSITIONS; sign-in has its own function. Raises Refused `panel_seat_step`."""
    held = panel.of(seat)
    if to is SeatState.SIGNED_IN or to not in TRANSITIONS[held.state]:
        raise Refused("panel_seat_step", seat=seat, state=held.state.value, to=to.value)
    return _with(panel, replace(held, state=to))


def sign_in(panel: Panel, seat: int, *, expert: str, salt: bytes, declared: bool, reasons: Sequence[Reason]) -> Panel:
    """Unmask one seat: the person proves to be the one drawn, has signed both declarations, and has nothing to avoid.

    `expert` is the authenticated id, `salt` its mask's 32 bytes, `reasons` what experts/avoidance.py finds now that the
    bidders are known. Raises Refused `sign_in_not_the_drawn_expert` (E-63), `declaration_not_signed` and
    `expert_must_avoid` (E-67), `expert_is_supervisory_staff` (E-66), `panel_seat_step`.
    """
    held = panel.of(seat)
    if SeatState.SIGNED_IN not in TRANSITIONS[held.state]:
        raise Refused("panel_seat_step", seat=seat, state=held.state.value, to=SeatState.SIGNED_IN.value)
    if lottery.mask(salt, expert).hex() != held.masked:
        raise Refused("sign_in_not_the_drawn_expert", rule="E-63", seat=seat)
    if not declared:
        raise Refused("declaration_not_signed", rule="E-67", seat=seat)
    avoidance.refuse_for(reasons)
    return _with(panel, replace(held, state=SeatState.SIGNED_IN, expert=expert))


def replacement(
    panel: Panel,
    seat: int,
    orders: Sequence[Sequence[bytes]],
    *,
    conflicts: Collection[bytes],
    proposed: bytes | None = None,
) -> Panel:
    """Fill a seat whose holder left, with the next of the draw's order; the conclusions of who left become void.

    `proposed` is who somebody asks for: only the next in order is accepted, anybody else is a designation. Raises
    Refused `panel_seat_not_free`, `expert_designated` (E-63), and the draw's `draw_stratum_exhausted`.
    """
    held = panel.of(seat)
    if held.state not in LEFT:
        raise Refused("panel_seat_not_free", rule="E-63", seat=seat, state=held.state.value)
    drawn = lottery.fill(panel.drawn, orders, seat, conflicts=conflicts)
    successor = drawn.of(seat).masked
    if proposed is not None and proposed != successor:
        raise Refused("expert_designated", rule="E-63", seat=seat)
    gone = {(held.seat, held.masked), *panel.void}
    assert successor.hex() not in {masked for _, masked in gone}, "who left never returns"
    fresh = Held(held.seat, held.stratum, successor.hex(), SeatState.DRAWN)
    return replace(_with(panel, fresh), drawn=drawn, void=frozenset(gone))


def require_current(panel: Panel, seat: int, masked: str) -> Held:
    """The seat, if `masked` holds it signed in: only then do marks, votes and signatures count.

    Raises Refused `conclusions_void` (E-67) for who was replaced or has left, `expert_not_signed_in` for who is not
    there yet.
    """
    held = panel.of(seat)
    if (seat, masked) in panel.void or held.masked != masked or held.state in LEFT:
        raise Refused("conclusions_void", rule="E-67", seat=seat)
    if held.state is not SeatState.SIGNED_IN:
        raise Refused("expert_not_signed_in", rule="E-65", seat=seat)
    return held


def complete(panel: Panel) -> bool:
    """Whether every drawn seat is signed in: the evaluation may start and names unlock."""
    return all(held.state is SeatState.SIGNED_IN for held in panel.seats)


def names(panel: Panel, viewer: Role, *, result_fixed: bool) -> dict[int, str]:
    """Seat → expert id, for those who may know it. Raises Refused `panel_names_secret` (E-65)."""
    if not complete(panel):
        raise Refused("panel_names_masked", rule="E-65")
    if viewer not in KNOW_AFTER_SIGN_IN and not result_fixed:
        raise Refused("panel_names_secret", rule="E-65", role=viewer.value)
    return {held.seat: held.expert for held in panel.seats if held.expert is not None}


def _with(panel: Panel, held: Held) -> Panel:
    return replace(panel, seats=tuple(held if each.seat == held.seat else each for each in panel.seats))
