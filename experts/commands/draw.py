"""The draw of a panel: asked for by the owner's side, fed by three contributors, closed by the centre (A14).

docs/spec/lottery.md; 招标投标法 §37, 条例 §46. Rules upheld: odd, at least five, two thirds experts (E-61); of the
profession and qualified, from a pool too large to be foreseen (E-62, E-63); whoever belongs to the owner, the agent,
the trustees, the centre or supervision never enters the pool (E-66, E-67). What decides the draw is fixed before the
seed exists: pool, register of the day before, facts of avoidance; without owner and supervision there is no draw.
Whoever runs the hall can ask for a draw; they cannot foresee it, nor try again without a directive.
"""

from __future__ import annotations

import base64
import binascii
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from crypto import contribution, jcs, lottery
from crypto.refusal import Refused
from crypto.roster import Roster
from experts import avoidance, notices, panel, pool, room, specialties
from experts.avoidance import Fact, Facts, Tie
from experts.commands import pool as register
from experts.pool import Expert
from experts.room import Attempt, Contribution, Opened, Room
from storage.unit import Unit
from storage.world import instant, stamp
from trading import fold, journal, lifecycle, queries, rosters, tenders
from trading.calendar import legal_day
from trading.hall import Hall
from trading.journal import Logged, Outcome
from trading.people import graphs
from trading.roles import Actor, Permission, Role
from trading.rulebook import Rulebook
from trading.tender import Tender
from trading.tender_document import TenderDocument

CONTRIBUTOR = {Role.CENTRE: lottery.CENTRE, Role.SUPERVISOR: lottery.SUPERVISOR, Role.OWNER: lottery.OWNER}
STARTS_AFTER_DEADLINE = timedelta(hours=4)
SUPERVISING = frozenset({Role.SUPERVISOR, Role.INSPECTOR, Role.AUDITOR})
TEXT_CHARACTERS_MAX = 200


class RequestDraw(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ask for the draw of the panel that the tender document names; `starts` (instant), `place` and `contact` are what
    the drawn are told: by default four hours after the deadline, at the trading centre."""

    lot: str
    starts: str | None = None
    place: str | None = None
    contact: str | None = None
    power: str | None = None


class ContributeToDraw(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hand in a sealed random number: the raw header (base64) and the contributor's P-256 signature over it (hex)."""

    lot: str
    header: str
    signature: str
    power: str | None = None


class RunDraw(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Close the draw: no contribution is taken any more, and trustees may open them after the freeze."""

    lot: str
    power: str | None = None


async def request_draw(cmd: RequestDraw, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """Fix pool, register and facts, and log `draw_pool`. Returns `draw_id`, `attempt`, `measures`.

    Raises Refused: draw_attempt, panel_* (E-61), draw_pool_too_small, draw_too_predictable (E-63),
    invitation_names_the_project (E-65), and what fold refuses.
    """
    held = await tenders.load(unit, cmd.lot)
    tender = held.tender
    actor.must(Permission.DRAW_REQUEST, now=now, parties=tender.parties, power=cmd.power)
    document, book = await tenders.terms(unit, tender), await rosters.pinned_rulebook(unit, tender)
    market, wanted = book.market, document.panel
    panel.check_shape(
        wanted.members,
        wanted.experts,
        members_min=market.panel_members_min.value,
        thirds_min=market.panel_expert_thirds_min.value,
    )
    opened = await room.find(unit, cmd.lot)
    base = opened.room if opened else _begun(cmd, document, hall)
    _check_invitation(base, document)
    today = legal_day(now)
    experts = await register.day_before(unit, today)
    facts = await facts_of(unit, experts)
    strata, masks = await _strata(unit, hall, tender, document, experts, facts, today)
    pool_object = lottery.Pool.make(strata)
    measures = _measured(pool_object, wanted.experts, book, await _earlier_panels(unit, cmd.lot))
    fixed = avoidance.avoidance_object(
        {expert: masked for masked, (expert, _) in masks.items()}, facts, day=today, salt=hall.entropy(32)
    )
    snapshot = {
        "salt": hall.entropy(32).hex(),
        "day": (today - timedelta(days=1)).isoformat(),
        "experts": [register.record(expert) for expert in experts],
    }
    number = len(base.attempts)
    fields: dict[str, Any] = {
        "draw_id": lottery.draw_id(bytes.fromhex(tender.tender_id), number).hex(),
        "purpose": lottery.PURPOSE_PANEL,
        "attempt": number,
        "pool_hash": await _object(unit, cmd.lot, "pool", pool_object.encode(), public=True),
        # The register travels beside a bundle, not in it: it belongs to the hall, not to the lot.
        "registry_hash": await _object(unit, "", "registry", jcs.dumps(snapshot), public=False),
        "avoidance_hash": await _object(unit, cmd.lot, "avoidance", jcs.dumps(fixed), public=False),
        "measures": measures.object(),
    }
    said = [one["act"] for one in await queries.public_acts(unit, tender)]
    lottery.check_attempt(said, {**fields, "tender_id": tender.tender_id})
    logged = await _duty_act(unit, held, "draw_pool", fields, actor=actor, now=now, hall=hall, power=cmd.power)
    attempt = Attempt(
        draw_id=fields["draw_id"],
        pool_leaf=logged.leaf,
        pool_hash=fields["pool_hash"],
        avoidance_hash=fields["avoidance_hash"],
        masks=masks,
    )
    changed = replace(base, attempts=(*base.attempts, attempt))
    await (room.keep(unit, opened, changed) if opened else room.begin(unit, changed))
    return Outcome((logged,), result={name: fields[name] for name in ("draw_id", "attempt", "measures")})


async def contribute_to_draw(cmd: ContributeToDraw, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """Keep one contribution until the draw is closed. Returns `i` and `header`, its hash.

    Raises Refused: draw_not_open, contribution_given_already, and what crypto.contribution refuses (a bid, another
    draw's, another roster's, another signer's).
    """
    held = await tenders.load(unit, cmd.lot)
    tender = held.tender
    power = actor.must(Permission.DRAW_CONTRIBUTE, now=now, parties=tender.parties, power=cmd.power)
    opened = await _open_draw(unit, tender)
    attempt, number = opened.room.attempt, CONTRIBUTOR[actor.role]
    if str(number) in attempt.contributions:
        raise Refused("contribution_given_already", contributor=number)
    raw, signature = _base64(cmd.header), _hex(cmd.signature)
    header = contribution.verify(
        raw,
        signature,
        draw_id=bytes.fromhex(attempt.draw_id),
        tender_id=bytes.fromhex(tender.tender_id),
        contributor=number,
        roster=Roster.decode(bytes.fromhex(tender.roster)),
        spki=await _contributor_key(unit, tender, number),
    )
    name = await _object(unit, cmd.lot, "contribution", raw, public=True)
    assert name == header.hash().hex(), "a header is named by its hash"
    logged = await journal.private_act(
        unit,
        hall=hall,
        lot=cmd.lot,
        tender_id=tender.tender_id,
        kind="contribution",
        fields={"draw_id": attempt.draw_id, "i": number, "header": name},
        actor=actor,
        now=now,
        power=power.code if power else None,
    )
    given = {**attempt.contributions, str(number): Contribution(name, cmd.signature)}
    await room.keep(unit, opened, opened.room.with_attempt(replace(attempt, contributions=given)))
    return Outcome((logged,), result={"i": number, "header": name})


async def run_draw(cmd: RunDraw, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """Log `draw_close` with the contributions handed in. Raises Refused: draw_not_open, draw_contributors."""
    held = await tenders.load(unit, cmd.lot)
    actor.must(Permission.DRAW_RUN, now=now, power=cmd.power)
    opened = await _open_draw(unit, held.tender)
    attempt = opened.room.attempt
    listed = sorted(int(number) for number in attempt.contributions)
    if not {lottery.SUPERVISOR, lottery.OWNER} <= set(listed):
        raise Refused("draw_contributors", contributors=listed)
    fields = {
        "draw_id": attempt.draw_id,
        "pool": attempt.pool_leaf,
        "contributions": [{"i": i, **msgspec.to_builtins(attempt.contributions[str(i)])} for i in listed],
    }
    logged = await _duty_act(unit, held, "draw_close", fields, actor=actor, now=now, hall=hall, power=cmd.power)
    await room.keep(unit, opened, opened.room.with_attempt(replace(attempt, close=logged.leaf)))
    return Outcome((logged,))


async def facts_of(unit: Unit, experts: list[Expert]) -> Facts:
    """What the register and the organisation graph say of ties, now."""
    graph = await graphs.load(unit)
    return Facts(
        tuple(Fact(expert.id, expert.employer_uscc, Tie.EMPLOYER) for expert in experts),
        control=frozenset((edge.parent, edge.child) for edge in graph.edges if edge.kind != "subordinate"),
        state=frozenset(one.uscc for one in graph.organisations if one.government),
        supervisors=frozenset(one.uscc for one in graph.organisations if one.roles & SUPERVISING),
    )


def _begun(cmd: RequestDraw, document: TenderDocument, hall: Hall) -> Room:
    starts = document.schedule.at("deadline") + STARTS_AFTER_DEADLINE
    if cmd.starts is not None:
        try:
            starts = instant(cmd.starts)
        except ValueError as error:
            raise Refused("invitation_time_malformed", text=cmd.starts[:40]) from error
    place, contact = cmd.place or hall.name, cmd.contact or hall.name
    if max(len(place), len(contact)) > TEXT_CHARACTERS_MAX:
        raise Refused("invitation_text_too_long", most=TEXT_CHARACTERS_MAX)
    return Room(lot=cmd.lot, starts=stamp(starts), place=place, contact=contact)


def _check_invitation(base: Room, document: TenderDocument) -> None:
    """What would name the project is refused while somebody can mend it, not when the clock comes to invite."""
    starts = instant(base.starts)
    notices.invitation(
        starts=starts,
        place=base.place,
        answer_until=starts - timedelta(minutes=1),
        contact=base.contact,
        forbidden=forbidden_names(document),
    )


def forbidden_names(document: TenderDocument) -> list[str]:
    """What an invitation must not say (E-65)."""
    agent = [document.agent.name] if document.agent else []
    return [document.project.name, document.lot.name, document.owner.name, *agent]


async def _strata(
    unit: Unit,
    hall: Hall,
    tender: Tender,
    document: TenderDocument,
    experts: list[Expert],
    facts: Facts,
    today: date,
) -> tuple[list[tuple[str, int, list[bytes]]], dict[str, tuple[str, str]]]:
    """(specialty, seats, masked ids) in the document's order, and what undoes the masks."""
    table = specialties.load()
    barred = {tender.owner, tender.agent or tender.owner, hall.uscc, *await _trustees(unit, tender)}
    out = avoidance.excluded_before((expert.id for expert in experts), facts, barred, day=today)
    hidden: dict[str, bytes] = {}
    masks: dict[str, tuple[str, str]] = {}
    strata = []
    for stratum in document.panel.strata:
        table.of(stratum.specialty)
        found = [one.id for one in pool.eligible(experts, stratum.specialty) if one.id not in out]
        for expert in found:
            if expert not in hidden:
                salt = hall.entropy(32)
                hidden[expert] = lottery.mask(salt, expert)
                masks[hidden[expert].hex()] = (expert, salt.hex())
        strata.append((stratum.specialty, stratum.seats, [hidden[expert] for expert in found]))
    return strata, masks


async def _trustees(unit: Unit, tender: Tender) -> set[str]:
    """The organisations that hold the locks: independent bodies do not sit on the panel (I9)."""
    acts = await queries.public_acts(unit, tender)
    seated = {name for lock in acts[0]["act"]["seats"] for name in lock}
    return {row["organisation"] for row in await unit.trustee.find() if row["id"] in seated}


def _measured(made: lottery.Pool, seats: int, book: Rulebook, earlier: list[set[str]]) -> lottery.Measures:
    """The measures, at or above the rulebook's floor; it has none for entropy and repeats, which are told only."""
    measures = lottery.measure(made, earlier)
    floor = book.market.draw_candidates_per_seat_min
    return lottery.require_unpredictable(
        measures,
        pool_min=floor.value * seats,
        entropy_bits_min=0,
        repeat_pairs_max=measures.repeat_pairs,
        rule=floor.rule,
    )


async def _earlier_panels(unit: Unit, lot: str) -> list[set[str]]:
    rows = await unit.panel.find({"state": "scored"})
    return [{seat["expert"] for seat in row["body"]["seats"] if seat["expert"]} for row in rows if row["lot"] != lot]


async def _open_draw(unit: Unit, tender: Tender) -> Opened:
    """The room of a lot whose latest draw takes contributions. Raises Refused("draw_not_open"): closed, replaced, or of
    a tender that has ended."""
    opened = await room.load(unit, tender.lot)
    fold.check_not_held(tender, "draw_close")
    attempt = opened.room.attempt
    over = not lifecycle.ways(tender.state, "draw_close")
    if over or attempt.close is not None or tender.draw_pool != attempt.pool_leaf:
        raise Refused("draw_not_open", lot=tender.lot)
    return opened


async def _contributor_key(unit: Unit, tender: Tender, number: int) -> bytes:
    acts = await queries.public_acts(unit, tender)
    return bytes.fromhex(acts[0]["act"]["contributors"][str(number)])


async def _object(unit: Unit, lot: str, kind: str, data: bytes, *, public: bool) -> str:
    return await journal.keep_object(unit, lot=lot, kind=kind, data=data, public=public)


async def _duty_act(
    unit: Unit,
    held: tenders.Held,
    kind: str,
    fields: dict[str, Any],
    *,
    actor: Actor,
    now: datetime,
    hall: Hall,
    power: str | None,
) -> Logged:
    """An act of the draw under the duty key; its context says who asked, and the centre acts under its power."""
    official = actor.role is Role.CENTRE
    logged = await journal.hall_act(
        unit,
        hall=hall,
        lot=held.tender.lot,
        tender_id=held.tender.tender_id,
        kind=kind,
        fields=fields,
        now=now,
        rule="E-63",
        role="centre" if official else "clockwork",
        actor=actor,
        power=power if official else None,
    )
    await tenders.fold_in(unit, held, logged, now=now)
    return logged


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused("contribution_malformed", encoding="base64") from error


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise Refused("contribution_malformed", encoding="hex") from error
