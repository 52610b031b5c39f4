"""The verbs of supervision: a directive, and the receipt of a written report. Nothing here changes a tender otherwise.

20号令 §52 (a directive is executed by the operation's side), 法 §7, §47. The rules upheld:
- no code, no act: without a power in force that is made for the verb nothing is logged;
- a directive is public, signed by the supervisor whose key the TENDER act pinned, and says why;
- what has no meaning is refused: lifting a suspension that does not stand, drawing again where nothing was drawn.

Whoever holds the supervisor's key can stop a tender in public; they can neither open a bid nor award.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from crypto import signing
from crypto.refusal import Refused
from storage.unit import Unit
from storage.world import stamp
from trading import journal, lifecycle, tenders
from trading.hall import Hall
from trading.journal import Logged, Outcome
from trading.roles import Actor, Permission
from trading.tender import Tender

REASON_CHARACTERS_MAX = 4000
What = Literal["suspend", "resume", "provide", "correct", "redraw"]


class IssueDirective(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Direct the operation's side: suspend, resume, provide information, correct something, draw the panel again."""

    lot: str
    what: What
    reason: str
    power: str | None = None
    signed: dict[str, Any] | None = None


class ReceiveReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Confirm that the written report on a tender arrived (法 §47)."""

    lot: str
    power: str | None = None


async def issue_directive(cmd: IssueDirective, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """A32: log a directive once the supervisor has signed it.

    Raises Refused: permission_denied, power_code_…, lot_unknown, directive_reason, directive_to_ended_tender,
    directive_nothing_to_resume, directive_nothing_drawn, directive_key_not_pinned, act_differs, act_stale.
    """
    now = journal.instant(cmd.signed, now=now)
    actor.must(Permission.DIRECTIVE_ISSUE, now=now, power=cmd.power)
    held = await tenders.load(unit, cmd.lot)
    check_directive(held.tender, cmd.what, cmd.reason)
    if cmd.signed is not None:
        await _check_key(unit, held.tender, cmd.signed)
    logged = await journal.person_act(
        unit,
        hall=hall,
        lot=cmd.lot,
        tender_id=held.tender.tender_id,
        kind="directive",
        fields={"what": cmd.what, "reason": cmd.reason},
        actor=actor,
        now=now,
        signed=cmd.signed,
        power=cmd.power,
    )
    if not isinstance(logged, Logged):
        return Outcome(sign=logged)
    await tenders.fold_in(unit, held, logged, now=now)
    row = {"id": logged.recorded.event, "lot": cmd.lot, "at": stamp(now)}
    await unit.directive.insert({**row, "body": {"leaf": logged.leaf, "what": cmd.what, "reason": cmd.reason}})
    return Outcome((logged,))


async def receive_report(cmd: ReceiveReport, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """A29: the regulator confirms the owner's written report..

    Raises Refused: permission_denied, power_code_…, lot_unknown, report_not_handed_in.
    """
    actor.must(Permission.REPORT_RECEIVE, now=now, power=cmd.power)
    tender = (await tenders.load(unit, cmd.lot)).tender
    reports = await unit.event.find({"lot": cmd.lot, "kind": "regulator_report"}, order=("at", "id"))
    if not reports:
        raise Refused("report_not_handed_in", lot=cmd.lot)
    report = reports[-1]
    logged = await journal.private_act(
        unit,
        hall=hall,
        lot=cmd.lot,
        tender_id=tender.tender_id,
        kind="report_received",
        fields={"report": report["leaf_hash"], "hash": report["body"]["hash"]},
        actor=actor,
        now=now,
        power=cmd.power,
    )
    return Outcome((logged,), receipt=True)


def check_directive(tender: Tender, what: str, reason: str) -> Tender:
    """Refuse a directive without meaning: directive_reason, directive_to_ended_tender, directive_nothing_to_resume,
    directive_nothing_drawn."""
    if not 1 <= len(reason.strip()) <= REASON_CHARACTERS_MAX or reason != reason.strip():
        raise Refused("directive_reason", characters_max=REASON_CHARACTERS_MAX)
    if tender.state in lifecycle.TERMINAL:
        raise Refused("directive_to_ended_tender", lot=tender.lot, state=tender.state.value)
    if what == "resume" and not tender.suspended:
        raise Refused("directive_nothing_to_resume", lot=tender.lot)
    if what == "redraw" and tender.draw_pool is None:
        raise Refused("directive_nothing_drawn", lot=tender.lot)
    return tender


async def _check_key(unit: Unit, tender: Tender, signed: dict[str, Any]) -> None:
    """The one signature is by the supervisor's key that the TENDER act pinned (contributor 2)."""
    rows = await unit.event.find({"tender_id": tender.tender_id, "seq": 0}, limit=1)
    pinned = bytes.fromhex(rows[0]["body"]["contributors"]["2"])
    proved = signing.verify_act(signed)
    keys = [signing.certificate_spki(each.certificate) for each in proved if each.certificate is not None]
    if len(proved) != 1 or keys != [pinned] or proved[0].by != "supervisor":
        raise Refused("directive_key_not_pinned", lot=tender.lot)
