"""From the trustees' shares to a panel: the draw's outcome, invitations, and who takes a seat that became free.

docs/spec/lottery.md §4, §5; release.md §6, §7. Rules upheld: nobody is drawn before the freeze, nobody is passed over
but by facts fixed before the seed (E-63, E-67); the invited do not learn whose project it is (E-65); a free seat goes
to the next of its stratum, once the holder's own act stands in the ledger, and what the holder concluded is void.
Whoever runs the clock can delay this; anybody who has the acts computes the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from crypto import contribution, lottery
from crypto.opening import combine
from crypto.refusal import Refused
from crypto.roster import Roster
from crypto.sealing import header as headers
from crypto.sealing.header import Header
from experts import avoidance, notices, panel, room
from experts.commands import draw as draws
from experts.commands import pool as register
from experts.panel import LEFT, SeatState
from experts.room import SENT, Attempt, Opened, Room, Seat
from storage.unit import Unit
from storage.world import instant, stamp
from trading import inbox, journal, lifecycle, tenders
from trading.hall import Hall
from trading.journal import Logged
from trading.lifecycle import State
from trading.roles import Actor, Role
from trading.tender import Tender
from trading.tenders import Held

CLOCKWORK = Actor("clockwork", "", Role.CLOCKWORK, "", "")
NOTICE_MIN = timedelta(hours=1)
"""An invitation leaves at least this long until the evaluation starts, half of it to answer."""

Done = tuple[Held, Opened, Sequence[Logged]]


@dataclass(frozen=True, slots=True)
class Numbers:
    """What the contributions opened to: r by contributor, and which counted as zero and why."""

    r: dict[int, bytes]
    void: dict[int, str]


async def result_due(unit: Unit, held: Held, opened: Opened, *, now: datetime, hall: Hall) -> Done:
    """Log `draw_result` once the lot is frozen and t trustees of each lock have released the contributions' shares."""
    tender, attempt = held.tender, opened.room.attempt
    owed = attempt.close is not None and attempt.seed is None and tender.draw_close == attempt.close
    if not owed or tender.freeze is None or not lifecycle.ways(tender.state, "draw_result"):
        return held, opened, ()
    numbers = await _numbers(unit, tender, attempt)
    if numbers is None:
        return held, opened, ()
    drawn_pool = lottery.Pool.parse(await tenders.object_bytes(unit, tender.lot, attempt.pool_hash))
    seed = lottery.seed(bytes.fromhex(attempt.draw_id), bytes.fromhex(attempt.pool_leaf), numbers.r)
    fixed = await tenders.object_json(unit, tender.lot, attempt.avoidance_hash)
    conflicts = avoidance.conflicted(fixed, await bidders(unit, tender))
    try:
        seated = lottery.seat(drawn_pool, lottery.draw(drawn_pool, seed), conflicts=conflicts)
    except Refused as refused:
        if refused.code != "draw_stratum_exhausted":
            raise
        # The attempt failed; it is published all the same, so that a second one can be told from the first.
        seated = lottery.Panel((), tuple(map(bytes.fromhex, cast(list[str], refused.facts["avoided"]))))
    avoided = tuple(masked.hex() for masked in seated.avoided)
    fields = {
        "draw_id": attempt.draw_id,
        "close": attempt.close,
        "seed": seed.hex(),
        "r": [{"i": i, "r": value.hex()} for i, value in sorted(numbers.r.items())],
        "void": [{"i": i, "why": why} for i, why in sorted(numbers.void.items())],
        "seats": [each.object() for each in seated.seats],
        "avoided": list(avoided),
    }
    held, logged = await duty_act(unit, held, "draw_result", fields, rule="E-63", now=now, hall=hall)
    if not seated.seats:
        await find(unit, hall, tender.lot, "draw_failed", {"attempt": len(opened.room.attempts) - 1}, now)
    kept = replace(attempt, seed=seed.hex(), conflicts=tuple(sorted(masked.hex() for masked in conflicts)))
    accounts = await register.persons(unit, {expert for expert, _ in attempt.masks.values()})
    changed = replace(
        opened.room.with_attempt(kept),
        seats=tuple(_seat(each, attempt, accounts, logged) for each in seated.seats),
        avoided=avoided,
        left=(),
        void=(*opened.room.void, *((seat.seat, seat.masked) for seat in opened.room.seats)),
        motions=(),
        questions=(),
        opinions={},
    )
    return held, await room.keep(unit, opened, changed), (logged,)


async def draw_failure_due(unit: Unit, held: Held, opened: Opened, *, now: datetime, hall: Hall) -> Done:
    """Log `failed` (draw_failed, E-61) when the last attempt allowed gave no full panel, or lost a seat for good."""
    tender, found = held.tender, opened.room
    drawn = len(found.attempts) >= lottery.ATTEMPTS_MAX and found.attempt.seed is not None
    whole = bool(found.seats) and not any(seat.vacant for seat in found.seats)
    if not drawn or whole or tender.state not in (State.OPENED, State.EVALUATING):
        return held, opened, ()
    fields = {"reason": "draw_failed", "n": tender.valid or 0}
    held, logged = await duty_act(unit, held, "failed", fields, rule="E-61", now=now, hall=hall)
    return held, opened, (logged,)


async def invitations_due(unit: Unit, held: Held, opened: Opened, *, now: datetime, hall: Hall) -> Done:
    """Invite everybody who holds a seat and was not invited: a private act, and a notice without the lot's name.

    Only once the seating stands in the ledger, so that a sign-in can never come before it.
    """
    if all(seat.state is not SeatState.DRAWN for seat in opened.room.seats):
        return held, opened, ()
    document = await tenders.terms(unit, held.tender)
    changed, logged = opened.room, []
    for seat in opened.room.seats:
        if seat.state is not SeatState.DRAWN or not await sequenced(unit, seat.seated_by):
            continue
        starts = max(instant(changed.starts), now + NOTICE_MIN)
        answer_until = now + (starts - now) / 2
        text = notices.invitation(
            starts=starts,
            place=changed.place,
            answer_until=answer_until,
            contact=changed.contact,
            forbidden=draws.forbidden_names(document),
        )
        act = await _private(unit, held.tender, "invitation", {"masked": seat.masked}, rule="E-65", now=now, hall=hall)
        invited = replace(
            seat,
            state=SeatState.INVITED,
            invitation=act.leaf,
            zh=text.zh,
            en=text.en,
            answer_until=stamp(answer_until),
        )
        changed = changed.with_seat(invited)
        # Neither lot nor organisation: whoever reads the expert's inbox learns nothing of the project.
        await inbox.tell(
            unit, "", lot="", what="invitation", leaf=act.leaf, now=now, entropy=hall.entropy, person=seat.person
        )
        logged.append(act)
    return held, await room.keep(unit, opened, changed), logged


async def replacements_due(unit: Unit, held: Held, opened: Opened, *, now: datetime, hall: Hall) -> Done:
    """Give every seat whose holder left to the next in order, once the act by which they left is in the ledger."""
    logged: list[Logged] = []
    for seat in opened.room.seats:
        owed = seat.state in LEFT and seat.left_by is not None and not seat.vacant and seat.stratum != SENT
        if not owed or not lifecycle.ways(held.tender.state, "recusal"):
            continue
        if held.tender.draw_id != opened.room.attempt.draw_id or not await sequenced(unit, str(seat.left_by)):
            continue
        held, opened, acts = await _replace(unit, held, opened, seat, now=now, hall=hall)
        logged += acts
    return held, opened, logged


async def bidders(unit: Unit, tender: Tender) -> set[str]:
    """The organisations (uscc) whose bids stand in the freeze list in force."""
    freeze = next(row["body"] for row in await _events(unit, tender, "freeze") if row["leaf_hash"] == tender.freeze)
    found = set()
    for row in await tenders.object_json(unit, tender.lot, freeze["list_hash"]):
        events = await unit.event.find({"leaf_hash": row["submission"]}, limit=1)
        found.add(str(msgspec.json.decode(events[0]["confidential"])["organisation"]))
    return found


async def sequenced(unit: Unit, event: str) -> bool:
    """Whether an event has its place in the ledger: what comes after it in the log cannot then come before it."""
    return await unit.ledger.count({"pending": event}) > 0


async def duty_act(
    unit: Unit, held: Held, kind: str, fields: dict[str, Any], *, rule: str, now: datetime, hall: Hall
) -> tuple[Held, Logged]:
    """Log an act of the clock and fold it."""
    tender = held.tender
    logged = await journal.hall_act(
        unit, hall=hall, lot=tender.lot, tender_id=tender.tender_id, kind=kind, fields=fields, now=now, rule=rule
    )
    return await tenders.fold_in(unit, held, logged, now=now), logged


async def find(unit: Unit, hall: Hall, lot: str, kind: str, facts: dict[str, Any], now: datetime) -> None:
    """Tell supervision of something that is no refusal and yet must not pass unseen."""
    row = {"id": hall.entropy(16).hex(), "lot": lot, "kind": kind, "at": stamp(now)}
    await unit.finding.insert({**row, "body": facts})


async def _replace(unit: Unit, held: Held, opened: Opened, seat: Seat, *, now: datetime, hall: Hall) -> Done:
    attempt, before = opened.room.attempt, opened.room
    assert attempt.seed is not None, "a seat follows a draw"
    drawn_pool = lottery.Pool.parse(await tenders.object_bytes(unit, held.tender.lot, attempt.pool_hash))
    orders = lottery.draw(drawn_pool, bytes.fromhex(attempt.seed))
    conflicts = {bytes.fromhex(masked) for masked in attempt.conflicts}
    try:
        members = panel.replacement(before.panel(), seat.seat, orders, conflicts=conflicts)
    except Refused as refused:
        if refused.code != "draw_stratum_exhausted":
            raise
        await find(unit, hall, before.lot, "draw_exhausted", {"seat": seat.seat}, now)
        return held, await room.keep(unit, opened, before.with_seat(replace(seat, vacant=True))), ()
    avoided = tuple(masked.hex() for masked in members.drawn.avoided)
    successor = members.of(seat.seat).masked
    fields = {
        "draw_id": attempt.draw_id,
        "seat": seat.seat,
        "out": seat.masked,
        "in": successor,
        "why": seat.why,
        "avoided": list(avoided[len(before.avoided) :]),
    }
    held, logged = await duty_act(unit, held, "recusal", fields, rule="E-67", now=now, hall=hall)
    accounts = await register.persons(unit, {attempt.masks[successor][0]})
    changed = replace(
        before.with_seat(_seat(members.drawn.of(seat.seat), attempt, accounts, logged)),
        avoided=avoided,
        left=tuple(sorted(masked.hex() for masked in members.drawn.left)),
        void=tuple(sorted(members.void)),
    )
    return held, await room.keep(unit, opened, without_votes(changed, seat.seat)), (logged,)


def without_votes(before: Room, seat: int) -> Room:
    """The room without the votes of one seat: conclusions of who left are void (条例 §48)."""
    number = str(seat)

    def rest(votes: dict[str, Any]) -> dict[str, Any]:
        return {key: vote for key, vote in votes.items() if key != number}

    return replace(
        before,
        motions=tuple(replace(each, votes=rest(each.votes)) for each in before.motions),
        questions=tuple(replace(each, votes=rest(each.votes)) for each in before.questions),
        opinions=rest(before.opinions),
    )


async def _numbers(unit: Unit, tender: Tender, attempt: Attempt) -> Numbers | None:
    """r of every contribution; None while shares are still missing that may come."""
    roster = Roster.decode(bytes.fromhex(tender.roster))
    listed: dict[int, Header] = {}
    for number, given in attempt.contributions.items():
        raw = await tenders.object_bytes(unit, tender.lot, given.header)
        listed[int(number)] = headers.parse_contribution(raw)
    complaints = [
        combine.Complaint(row["body"]["trustee"], bytes.fromhex(each["header"]), each["lock"], each["index"])
        for row in await _events(unit, tender, "ready")
        if attempt.close in row["body"]["draws"] and row["body"]["refusal"] is None
        for each in row["body"]["complaints"]
    ]
    released = []
    for row in await _events(unit, tender, "release"):
        act = row["body"]
        shares = await tenders.object_bytes(unit, tender.lot, act["shares_hash"])
        freeze = bytes.fromhex(act["freeze"])
        released.append(combine.ReleaseMade(act["trustee"], act["lock"], act["index"], freeze, shares))
    by_hash = {each.hash(): each for each in listed.values()}
    gathered = combine.open_shares(released, by_hash, complaints, reader="room", key=None)
    r: dict[int, bytes] = {}
    void: dict[int, str] = {}
    for i, header in listed.items():
        found = combine.secrets_of(header.hash(), header, gathered, complaints)
        if isinstance(found, combine.Unopened) and found.cause == "silence":
            return None
        secrets = found.secrets if isinstance(found, combine.Secrets) else None
        r[i], why = contribution.reveal(header, roster, secrets)
        if why is not None:
            void[i] = why
    return Numbers(r, void)


def _seat(drawn: lottery.Seat, attempt: Attempt, accounts: dict[str, str], by: Logged) -> Seat:
    expert, salt = attempt.masks[drawn.masked.hex()]
    return Seat(
        seat=drawn.seat,
        stratum=drawn.stratum,
        masked=drawn.masked.hex(),
        person=accounts[expert],
        expert=expert,
        salt=salt,
        seated_by=by.recorded.event,
    )


async def _private(
    unit: Unit, tender: Tender, kind: str, fields: dict[str, Any], *, rule: str, now: datetime, hall: Hall
) -> Logged:
    return await journal.private_act(
        unit,
        hall=hall,
        lot=tender.lot,
        tender_id=tender.tender_id,
        kind=kind,
        fields=fields,
        actor=CLOCKWORK,
        now=now,
        rule=rule,
    )


async def _events(unit: Unit, tender: Tender, kind: str) -> list[dict[str, Any]]:
    return await unit.event.find({"lot": tender.lot, "kind": kind}, order=("seq",))
