"""Into the room and out of it: answering an invitation, calls that nobody answered, signing in, withdrawing.

招标投标法 §37; 条例 §46, §48. Rules upheld: who was drawn and nobody else signs in, with both declarations (E-63,
E-67), and only then learns whose project it is (E-65); whoever is tied to a bidder, the owner or supervision stays
out (E-66, E-67); a seat becomes free by its holder's own act or by three logged calls without answer, never by a wish.
The successor is seated by the clock once the act stands in the ledger (experts/due/seating.py).
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec.structs import replace

from crypto import lottery
from crypto.refusal import Refused
from experts import avoidance, panel, room
from experts.commands import draw as draws
from experts.commands import pool as register
from experts.due import seating
from experts.panel import SeatState
from experts.room import SENT, Opened, Seat
from storage.unit import Unit
from trading import fold, journal, lifecycle, tenders
from trading.calendar import legal_day
from trading.hall import Hall
from trading.journal import Outcome
from trading.lifecycle import State
from trading.roles import Actor, Permission, Role
from trading.rules import opening as opening_rules
from trading.tender import Tender

CALLS_MIN = 3
TEXT_CHARACTERS_MAX = 2000


class AnswerInvitation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Accept or decline, by the number of the invitation; the invited does not know the lot yet."""

    invitation: str
    accept: bool
    text: str = ""


class RecordCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Log one call to whoever holds a seat, that was not answered."""

    lot: str
    seat: int
    power: str | None = None


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sign in: an expert by the invitation, the owner's representative by the lot. `no_interest` and `discipline` are
    the two declarations that are signed by coming in."""

    no_interest: bool
    discipline: bool
    invitation: str = ""
    lot: str = ""


class Recuse(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Withdraw from the panel because of a conflict of one's own."""

    lot: str
    text: str


async def answer_invitation(cmd: AnswerInvitation, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """Accept, or decline for good. Returns `state`. Raises Refused: invitation_unknown, panel_seat_step."""
    actor.must(Permission.INVITATION_ANSWER, now=now)
    opened, seat = await _invited(unit, actor, cmd.invitation)
    held = await tenders.load(unit, opened.room.lot)
    to = SeatState.ACCEPTED if cmd.accept else SeatState.DECLINED
    panel.step(opened.room.panel(), seat.seat, to)
    logged = await journal.private_act(
        unit,
        hall=hall,
        lot=held.tender.lot,
        tender_id=held.tender.tender_id,
        kind="accept" if cmd.accept else "decline",
        fields={"masked": seat.masked},
        actor=actor,
        now=now,
        confidential={"text": cmd.text[:TEXT_CHARACTERS_MAX]},
    )
    left = None if cmd.accept else logged.recorded.event
    changed = replace(seat, state=to, left_by=left, why=None if cmd.accept else "declined")
    await room.keep(unit, opened, opened.room.with_seat(changed))
    # The event is the expert's own; its public part names no lot, but its tender_id would be found in the ledger.
    return Outcome(result={"state": to.value})


async def record_call(cmd: RecordCall, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """Log a call; the third frees the seat. Two such seats in one panel are told to supervision. Returns `calls`."""
    power = actor.must(Permission.CALL_RECORD, now=now, power=cmd.power)
    held = await tenders.load(unit, cmd.lot)
    opened = await room.load(unit, cmd.lot)
    seat = opened.room.of(cmd.seat)
    panel.step(opened.room.panel(), seat.seat, SeatState.NO_ANSWER)
    logged = await journal.private_act(
        unit,
        hall=hall,
        lot=cmd.lot,
        tender_id=held.tender.tender_id,
        kind="call",
        fields={"masked": seat.masked, "seat": seat.seat, "number": seat.calls + 1},
        actor=actor,
        now=now,
        power=power.code if power else None,
    )
    changed = replace(seat, calls=seat.calls + 1)
    if changed.calls >= CALLS_MIN:
        changed = replace(changed, state=SeatState.NO_ANSWER, left_by=logged.recorded.event, why="no_answer")
    after = await room.keep(unit, opened, opened.room.with_seat(changed))
    if changed.state is SeatState.NO_ANSWER:
        count = lottery.alarm_no_answers(await _no_answers(unit, held.tender, after))
        if count is not None:
            await seating.find(unit, hall, cmd.lot, "draw_no_answers", {"count": count}, now)
    return Outcome((logged,), result={"calls": changed.calls, "state": after.room.of(cmd.seat).state.value})


async def sign_in(cmd: SignIn, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """Take the seat: unmask, declare, and learn the lot. Returns `lot`, `name`, `seat`.

    Raises Refused: invitation_unknown, sign_in_not_the_drawn_expert (E-63), declaration_not_signed, expert_must_avoid
    (E-67), expert_is_supervisory_staff (E-66), too_few_bids_after_opening (E-57), not_this_tender, and what fold says.
    """
    actor.must(Permission.EXPERT_SIGN_IN, now=now)
    if actor.role is Role.OWNER_REPRESENTATIVE:
        opened = await room.load(unit, cmd.lot)
        held = await tenders.load(unit, cmd.lot)
        seat = _sent(opened, held.tender, actor, hall)
    else:
        opened, seat = await _invited(unit, actor, cmd.invitation)
        held = await tenders.load(unit, opened.room.lot)
    tender = held.tender
    room.check_at_work(tender, State.OPENED, State.EVALUATING)
    opening_rules.check_enough_after_opening(tender)
    if not (cmd.no_interest and cmd.discipline):
        raise Refused("declaration_not_signed", rule="E-67", seat=seat.seat)
    if seat.stratum != SENT:
        seat = await _check_expert(unit, opened, seat, tender, now)
    changed = replace(seat, state=SeatState.SIGNED_IN)
    logged = await journal.private_act(
        unit,
        hall=hall,
        lot=tender.lot,
        tender_id=tender.tender_id,
        kind="sign_in",
        fields={"masked": seat.masked, "declared": True},
        actor=actor,
        now=now,
        rule="E-67",
        confidential={"expert": seat.expert, "name": await _name(unit, actor), "salt": seat.salt},
    )
    await tenders.fold_in(unit, held, logged, now=now)
    known = {each.seat for each in opened.room.seats}
    after = opened.room.with_seat(changed)
    after = after if changed.seat in known else replace(after, seats=(*after.seats, changed))
    await room.keep(unit, opened, after)
    return Outcome((logged,), result={"lot": tender.lot, "name": tender.name, "seat": seat.seat})


async def recuse(cmd: Recuse, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """Leave the panel for good; what was concluded is void. Raises Refused: not_on_this_panel, panel_seat_step,
    seat_was_sent_not_drawn (the owner sends another representative in a new tender only), reason_missing."""
    actor.must(Permission.EXPERT_RECUSE, now=now)
    held = await tenders.load(unit, cmd.lot)
    tender, opened = held.tender, await room.load(unit, cmd.lot)
    mine = next((each for each in opened.room.seats if each.person == actor.person), None)
    if mine is None:
        raise Refused("not_on_this_panel", rule="E-65")
    if mine.stratum == SENT:
        raise Refused("seat_was_sent_not_drawn", rule="E-67", seat=mine.seat)
    fold.check_not_held(tender, "recusal")
    if not lifecycle.ways(tender.state, "recusal"):
        raise Refused("panel_not_at_work", rule="E-65", state=tender.state.value)
    if not 0 < len(cmd.text.strip()) <= TEXT_CHARACTERS_MAX:
        raise Refused("recusal_without_reason", rule="E-67", most=TEXT_CHARACTERS_MAX)
    panel.step(opened.room.panel(), mine.seat, SeatState.RECUSED)
    logged = await journal.private_act(
        unit,
        hall=hall,
        lot=cmd.lot,
        tender_id=tender.tender_id,
        kind="recuse",
        fields={"masked": mine.masked, "why": cmd.text},
        actor=actor,
        now=now,
        rule="E-67",
    )
    changed = replace(mine, state=SeatState.RECUSED, left_by=logged.recorded.event, why="recused")
    await room.keep(unit, opened, opened.room.with_seat(changed))
    return Outcome((logged,), result={"seat": mine.seat})


async def _invited(unit: Unit, actor: Actor, invitation: str) -> tuple[Opened, Seat]:
    """The seat that this person was invited to, while the invitation stands. Raises Refused("invitation_unknown"),
    the same for one that never was, is somebody else's, or is over: a stranger learns nothing by asking."""
    events = await unit.event.find({"leaf_hash": invitation}, limit=1)
    opened = await room.find(unit, events[0]["lot"]) if events and events[0]["kind"] == "invitation" else None
    for seat in opened.room.seats if opened else ():
        if seat.invitation == invitation and seat.person == actor.person:
            assert opened is not None
            return opened, seat
    raise Refused("invitation_unknown", rule="E-63")


def _sent(opened: Opened, tender: Tender, actor: Actor, hall: Hall) -> Seat:
    """A seat behind the drawn ones for a representative of the owner, masked like everybody's."""
    if actor.organisation != tender.owner:
        raise Refused("not_this_tender", role=actor.role.value, organisation=actor.organisation)
    if any(each.person == actor.person for each in opened.room.seats):
        raise Refused("sign_in_of_no_seat", rule="E-63", masked="")
    salt = hall.entropy(32)
    number = max((each.seat for each in opened.room.seats), default=0) + 1
    masked = lottery.mask(salt, actor.person).hex()
    return Seat(seat=number, stratum=SENT, masked=masked, person=actor.person, expert=actor.person, salt=salt.hex())


async def _check_expert(unit: Unit, opened: Opened, seat: Seat, tender: Tender, now: datetime) -> Seat:
    """Judge who comes in against what is known today; coming is answering an invitation that was left open."""
    if seat.state is SeatState.INVITED:
        seat = replace(seat, state=SeatState.ACCEPTED)
    row = await unit.expert.read(seat.expert)
    assert row is not None, "who was drawn stands in the register"
    expert = register.expert_from(row["body"]["versions"][-1]["record"])
    facts = await draws.facts_of(unit, [expert])
    parties = {tender.owner, tender.agent or tender.owner, *await seating.bidders(unit, tender)}
    panel.sign_in(
        opened.room.with_seat(seat).panel(),
        seat.seat,
        expert=expert.id,
        salt=bytes.fromhex(seat.salt),
        declared=True,
        reasons=avoidance.reasons(expert.id, facts, parties, day=legal_day(now)),
    )
    return seat


async def _no_answers(unit: Unit, tender: Tender, opened: Opened) -> list[lottery.Why]:
    """Why seats of this draw became free: those replaced already, and those whose replacement is still owed."""
    waiting: list[lottery.Why] = ["no_answer" for seat in opened.room.seats if seat.state is SeatState.NO_ANSWER]
    rows = await unit.event.find({"lot": tender.lot, "kind": "recusal"})
    return waiting + [row["body"]["why"] for row in rows if row["body"]["draw_id"] == tender.draw_id]


async def _name(unit: Unit, actor: Actor) -> str:
    row = await unit.person.read(actor.person)
    return str(row["body"]["name"]) if row else ""
