"""Questions and objections: asked and answered through the platform alone (A6, A7, A24; 条例 §22, §54; 20号令 §39).

An objection holds the process until it is answered: the hold is logged in the same transaction, so there is no instant
in which a deadline could fire over it. Under a hold bids are still received. Who asks or objects is told to the owner
after the freeze at the earliest; the text reaches it at once.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from crypto import jcs
from crypto.refusal import Refused
from storage.unit import Unit
from storage.world import stamp
from trading import clock, inbox, journal, rosters, tenders
from trading.hall import Hall
from trading.journal import Outcome
from trading.lifecycle import State
from trading.roles import Actor, Permission
from trading.rules import schedule

TEXT_CHARACTERS_MAX = 20_000


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ask about the documents. The answer goes to everybody, by an amendment."""

    lot: str
    text: str


class Object(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Object to the documents (before the deadline) or to the result (during publicity)."""

    lot: str
    text: str


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Answer an objection, named by the leaf of its act; a late answer says why it is late."""

    lot: str
    objection: str
    text: str
    late_because: str | None = None


async def ask(cmd: Ask, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """Keep a question for the owner; the ledger holds its salted hash."""
    held = await tenders.load(unit, cmd.lot)
    tender = held.tender
    actor.must(Permission.QUESTION_ASK, now=now)
    if tender.state is not State.BIDDING or now >= tender.deadline:
        raise Refused("question_too_late", deadline=stamp(tender.deadline))
    text_hash = await _keep(unit, hall, cmd.lot, "question", cmd.text)
    logged = await journal.private_act(
        unit,
        hall=hall,
        lot=cmd.lot,
        tender_id=tender.tender_id,
        kind="question",
        fields={"text_hash": text_hash},
        actor=actor,
        now=now,
    )
    row = {"id": logged.leaf, "lot": cmd.lot, "organisation": actor.organisation, "state": "open"}
    await unit.question.insert({**row, "body": {"text_hash": text_hash, "at": stamp(now)}})
    return Outcome((logged,))


async def object_(cmd: Object, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """A6, A24: log the objection and the hold it brings."""
    held = await tenders.load(unit, cmd.lot)
    tender = held.tender
    actor.must(Permission.OBJECTION_FILE, now=now)
    if tender.publicity_from is None:
        book = await rosters.pinned_rulebook(unit, tender)
        schedule.check_objection_to_document(tender, received=now, rulebook=book)
        stage, rule = "bidding", "E-12"
    else:
        schedule.check_objection_to_result(tender, received=now)
        stage, rule = "publicity", "E-80"
    text_hash = await _keep(unit, hall, cmd.lot, "objection", cmd.text)
    logged = await journal.private_act(
        unit,
        hall=hall,
        lot=cmd.lot,
        tender_id=tender.tender_id,
        kind="objection",
        fields={"stage": stage, "text_hash": text_hash},
        actor=actor,
        now=now,
        rule=rule,
    )
    held = await tenders.fold_in(unit, held, logged, now=now)
    body = {"stage": stage, "text_hash": text_hash, "at": stamp(now), "answer_hash": None}
    row = {"id": logged.leaf, "lot": cmd.lot, "organisation": actor.organisation, "state": "open", "body": body}
    await unit.objection.insert(row)
    await inbox.notify(unit, "parties", lot=cmd.lot, what="objection", leaf=logged.leaf, now=now, hall=hall)
    _, held_acts = await clock.run_due(unit, held, now=now, hall=hall)
    return Outcome((logged, *held_acts))


async def answer(cmd: Answer, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """A7, A24: answer within three days; what held the process is lifted when nothing else holds it."""
    held = await tenders.load(unit, cmd.lot)
    tender = held.tender
    actor.must(Permission.OBJECTION_ANSWER, now=now, parties=tender.parties)
    row = await unit.objection.read(cmd.objection)
    open_ = {objection.leaf: objection for objection in tender.open_objections}
    if row is None or row["lot"] != cmd.lot or cmd.objection not in open_:
        raise Refused("objection_unknown", objection=cmd.objection)
    book = await rosters.pinned_rulebook(unit, tender)
    schedule.check_answer(open_[cmd.objection], now=now, rulebook=book, late_because=cmd.late_because)
    text_hash = await _keep(unit, hall, cmd.lot, "answer", cmd.text)
    logged = await journal.private_act(
        unit,
        hall=hall,
        lot=cmd.lot,
        tender_id=tender.tender_id,
        kind="answer",
        fields={"objection": cmd.objection, "text_hash": text_hash},
        actor=actor,
        now=now,
        rule="E-13" if row["body"]["stage"] == "bidding" else "E-80",
        confidential={"late_because": cmd.late_because},
    )
    held = await tenders.fold_in(unit, held, logged, now=now)
    body = {**row["body"], "answer_hash": text_hash, "answered_at": stamp(now)}
    await unit.objection.update({**row, "state": "answered", "body": body}, expected_version=row["version"])
    await inbox.notify(
        unit, "objector", lot=cmd.lot, what="answer", leaf=logged.leaf, now=now, hall=hall, ref=cmd.objection
    )
    _, resumed = await clock.run_due(unit, held, now=now, hall=hall)
    return Outcome((logged, *resumed))


async def _keep(unit: Unit, hall: Hall, lot: str, kind: str, text: str) -> str:
    """Keep a text that is not public, with a salt so that its hash gives nothing away."""
    if not text.strip():
        raise Refused("text_missing")
    if len(text) > TEXT_CHARACTERS_MAX:
        raise Refused("text_too_long", limit=TEXT_CHARACTERS_MAX)
    data = jcs.dumps({"text": text, "salt": hall.entropy(32).hex()})
    return await journal.keep_object(unit, lot=lot, kind=kind, data=data, public=False)
