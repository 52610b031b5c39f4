"""What the clock does for a panel, in order: draw, invite, replace, fail, commit, publish scores, draft, report.

Every step is a query over the lot's room and the ledger: a restart loses nothing, doing it twice changes nothing, and
nothing moves while a hold or a suspension stands. What rests on an act being in the ledger (a replacement on a decline,
scores on their commitments) waits for its place there, so that the log's order is the order in which things happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from experts import room
from experts.due import counting, reporting, seating
from storage.unit import Unit
from trading.hall import Hall
from trading.journal import Logged
from trading.tenders import Held

STEPS = (
    seating.result_due,
    seating.invitations_due,
    seating.replacements_due,
    seating.invitations_due,
    seating.draw_failure_due,
    counting.failure_due,
    counting.commitments_due,
    counting.scores_due,
    reporting.draft_due,
    reporting.report_due,
)


async def run_due(unit: Unit, held: Held, *, now: datetime, hall: Hall) -> tuple[Held, Sequence[Logged]]:
    """Log what this room owes by `now`; return the tender afterwards and the acts. Before a draw: nothing."""
    opened = await room.find(unit, held.tender.lot)
    logged: list[Logged] = []
    for step in STEPS if opened is not None else ():
        if held.tender.held_by is not None:
            break
        assert opened is not None
        held, opened, acts = await step(unit, held, opened, now=now, hall=hall)
        logged += acts
    return held, logged
