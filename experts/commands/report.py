"""The evaluation report: each member signs, dissents in writing, or refuses and is deemed to agree (A21, E-76).

条例 §53; 12号令 §42. The report is composed by the clock from what was scored; a member adds a stance and nothing else.
Whoever dissents is in the report with the words given; nobody can leave a dissent out unnoticed, because the private
act carries its salted hash.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from crypto.refusal import Refused
from experts import report, room
from experts.commands import review
from experts.due import reporting
from experts.room import Stance
from storage.unit import Unit
from trading import journal
from trading.hall import Hall
from trading.journal import Outcome
from trading.lifecycle import State
from trading.roles import Actor, Permission


class SignReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sign the report; with `dissent`, in the member's words; or refuse to do either (`stance` "refused")."""

    lot: str
    stance: Literal["signed", "refused"] = "signed"
    dissent: str | None = None


async def sign_report(cmd: SignReport, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """Take a member's stance. Returns `stance`. Raises Refused: report_not_composed, report_signed_already,
    dissent_empty, competition_reasoning_missing (E-73)."""
    actor.must(Permission.REPORT_SIGN, now=now)
    tender, opened, seat = await review.at_work(unit, cmd.lot, actor, State.REPORT_DRAFT)
    if opened.room.report_salt is None:
        raise Refused("report_not_composed", rule="E-76", lot=cmd.lot)
    composed = await reporting.compose(unit, tender, opened)
    if cmd.stance == "refused" and cmd.dissent is None:
        stood = report.refuse_to_sign(composed, seat.seat)
    else:
        stood = report.sign(composed, seat.seat, dissent=cmd.dissent)
    stance = stood.signatures[seat.seat]
    dissent_hash = None
    if stance.text:
        dissent_hash = await review.keep_text(unit, hall, cmd.lot, "dissent", stance.text)
    logged = await journal.private_act(
        unit,
        hall=hall,
        lot=cmd.lot,
        tender_id=tender.tender_id,
        kind="sheet_signed",
        fields={"seat": seat.seat, "dissent_hash": dissent_hash},
        actor=actor,
        now=now,
        rule="E-76",
    )
    stances = {**opened.room.stances, str(seat.seat): Stance(stance.stance.value, stance.text)}
    await room.keep(unit, opened, replace(opened.room, stances=stances))
    return Outcome((logged,), result={"stance": stance.stance.value})
