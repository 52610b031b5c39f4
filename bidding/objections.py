"""Objections to the opening, raised and answered on the spot, and recorded (条例 §44; E-60).

A bidder of the lot may object from the opening on until evaluation begins; owner or agent answers at once. Nothing is
held by it: the law has it answered there and then, and the record shows both. Texts are not public.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from crypto import jcs
from crypto.refusal import Refused
from storage.unit import Unit
from storage.world import stamp
from trading import inbox, journal, tenders
from trading.hall import Hall
from trading.journal import Outcome
from trading.lifecycle import State
from trading.roles import Actor, Permission

TEXT_CHARACTERS_MAX = 20_000
ON_THE_SPOT = (State.OPENING, State.OPENED)
STAGE = "opening"


class ObjectToOpening(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Object to the opening while it goes on."""

    lot: str
    text: str


class AnswerAtOpening(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Answer an objection to the opening, named by the leaf of its act."""

    lot: str
    objection: str
    text: str


async def object_(cmd: ObjectToOpening, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """Raises Refused: opening_objection_too_late (E-60), opening_objection_of_a_stranger, text_missing."""
    held = await tenders.load(unit, cmd.lot)
    actor.must(Permission.OPENING_OBJECT, now=now)
    _check_on_the_spot(held.tender.state)
    if not await unit.submission.count({"lot": cmd.lot, "organisation": actor.organisation}):
        raise Refused("opening_objection_of_a_stranger", organisation=actor.organisation)
    text_hash = await _keep(unit, hall, cmd.lot, "opening_objection", cmd.text)
    logged = await journal.private_act(
        unit,
        hall=hall,
        lot=cmd.lot,
        tender_id=held.tender.tender_id,
        kind="opening_objection",
        fields={"text_hash": text_hash},
        actor=actor,
        now=now,
        rule="E-60",
    )
    body = {"stage": STAGE, "text_hash": text_hash, "at": stamp(now), "answer_hash": None}
    row = {"id": logged.leaf, "lot": cmd.lot, "organisation": actor.organisation, "state": "open"}
    await unit.objection.insert({**row, "body": body})
    await inbox.notify(unit, "parties", lot=cmd.lot, what="objection", leaf=logged.leaf, now=now, hall=hall)
    return Outcome((logged,), result={"objection": logged.leaf})


async def answer(cmd: AnswerAtOpening, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """Raises Refused: opening_objection_too_late (E-60), objection_unknown, text_missing."""
    held = await tenders.load(unit, cmd.lot)
    actor.must(Permission.OPENING_ANSWER, now=now, parties=held.tender.parties)
    _check_on_the_spot(held.tender.state)
    row = await unit.objection.read(cmd.objection)
    if row is None or row["lot"] != cmd.lot or row["body"].get("stage") != STAGE or row["state"] != "open":
        raise Refused("objection_unknown", objection=cmd.objection)
    text_hash = await _keep(unit, hall, cmd.lot, "opening_answer", cmd.text)
    logged = await journal.private_act(
        unit,
        hall=hall,
        lot=cmd.lot,
        tender_id=held.tender.tender_id,
        kind="opening_answer",
        fields={"objection": cmd.objection, "text_hash": text_hash},
        actor=actor,
        now=now,
        rule="E-60",
    )
    body = {**row["body"], "answer_hash": text_hash, "answered_at": stamp(now)}
    await unit.objection.update({**row, "state": "answered", "body": body}, expected_version=row["version"])
    await inbox.notify(
        unit, "objector", lot=cmd.lot, what="answer", leaf=logged.leaf, now=now, hall=hall, ref=cmd.objection
    )
    return Outcome((logged,))


def _check_on_the_spot(state: State) -> None:
    if state not in ON_THE_SPOT:
        raise Refused("opening_objection_too_late", rule="E-60", state=state.value)


async def _keep(unit: Unit, hall: Hall, lot: str, kind: str, text: str) -> str:
    """Keep a text that is not public, with a salt so that its hash gives nothing away."""
    if not text.strip():
        raise Refused("text_missing")
    if len(text) > TEXT_CHARACTERS_MAX:
        raise Refused("text_too_long", limit=TEXT_CHARACTERS_MAX)
    data = jcs.dumps({"text": text, "salt": hall.entropy(32).hex()})
    return await journal.keep_object(unit, lot=lot, kind=kind, data=data, public=False)
