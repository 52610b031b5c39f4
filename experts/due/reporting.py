"""The report as it is composed from what was scored, and logged once every member stands in it (A21).

12号令 §27, §42; 条例 §53. Rules upheld: candidates in the order of the ranking, three at most (E-75); fewer than three
valid bids need the panel's reasoned word, and where it finds competition lacking the tender fails (E-73); the report is
handed in when every member signed, dissented in writing or refused (E-76).
"""

from __future__ import annotations

from dataclasses import replace as replaced
from datetime import datetime

from msgspec.structs import replace

from crypto import jcs
from experts import report, room
from experts.commands import review
from experts.due import counting
from experts.due.seating import Done, duty_act
from experts.report import CANDIDATES_MAX, VALID_MIN, Competition, Ranked, Report, Signature, Verdict
from experts.room import Opened
from storage.unit import Unit
from trading import journal, tenders
from trading.hall import Hall
from trading.lifecycle import State
from trading.tender import Tender
from trading.tenders import Held


async def draft_due(unit: Unit, held: Held, opened: Opened, *, now: datetime, hall: Hall) -> Done:
    """Compose the report when it can be: with few valid bids only after the panel's word, which may end the tender."""
    tender = held.tender
    if tender.state is not State.REPORT_DRAFT or opened.room.report_salt is not None:
        return held, opened, ()
    _, result = await counting.result_of(unit, tender)
    valid = len(result["ranking"])
    if valid < VALID_MIN and _competition(opened) is None:
        return held, opened, ()
    composed = await compose(unit, tender, opened)
    if composed.verdict is Verdict.RETENDER:
        fields = {"reason": "all_rejected", "n": valid}
        held, logged = await duty_act(unit, held, "failed", fields, rule="E-73", now=now, hall=hall)
        return held, opened, (logged,)
    salted = replace(opened.room, report_salt=hall.entropy(report.SALT_BYTES).hex())
    return held, await room.keep(unit, opened, salted), ()


async def report_due(unit: Unit, held: Held, opened: Opened, *, now: datetime, hall: Hall) -> Done:
    """Log `report` once the stance of every member is in it."""
    tender, before = held.tender, opened.room
    owed = tender.state is State.REPORT_DRAFT and before.report_salt is not None
    if not owed or {str(seat.seat) for seat in before.seats} != set(before.stances):
        return held, opened, ()
    composed = await compose(unit, tender, opened)
    assert before.report_salt is not None
    written = report.report_object(composed, salt=bytes.fromhex(before.report_salt))
    report_hash = await journal.keep_object(unit, lot=tender.lot, kind="report", data=jcs.dumps(written), public=False)
    fields = {"report_hash": report_hash}
    held, logged = await duty_act(unit, held, "report", fields, rule="E-76", now=now, hall=hall)
    return held, opened, (logged,)


async def compose(unit: Unit, tender: Tender, opened: Opened) -> Report:
    """The report as it stands now, with the stances taken so far. Raises Refused as experts/report.py says."""
    document = await tenders.terms(unit, tender)
    scores_hash, result = await counting.result_of(unit, tender)
    record = await review.record_of(unit, tender)
    composed = report.compose(
        tender_id=tender.tender_id,
        seats=[seat.seat for seat in opened.room.seats],
        scores_hash=scores_hash,
        rejections=review.rejections(opened.room.motions, opened.room, document),
        ranking=[
            Ranked(rank, bid, record[bid]["price_fen"], result["totals"][bid])
            for rank, bid in enumerate(result["ranking"], 1)
        ],
        competition=_competition(opened),
        candidates_wanted=min(document.candidates_max, CANDIDATES_MAX),
        clarifications=[
            text
            for question in opened.room.questions
            if question.text_hash is not None
            for text in (question.text_hash, *question.replies)
        ],
    )
    stances = {
        int(seat): Signature(report.Stance(held.stance), held.text) for seat, held in opened.room.stances.items()
    }
    return replaced(composed, signatures=stances)


def _competition(opened: Opened) -> Competition | None:
    """What more than half of all members say; None while there is no majority either way."""
    members = room.members_of(opened.room)
    for lacking in (True, False):
        words = [each.reasoning for each in opened.room.opinions.values() if each.lacking is lacking]
        if 2 * len(words) > members:
            return Competition(lacking, "\n".join(words))
    return None
