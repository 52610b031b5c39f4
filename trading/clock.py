"""What the clock alone does to a tender in this room: holds, resumptions, failures that are nobody's discretion, and
the tally of a tender that rests.

lifecycle.due says what is owed; this file logs it with the duty key. Closing and freezing belong to bidding. A restart
loses nothing, because what is due is a query and each act changes the state that made it due.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from storage.unit import Unit
from trading import journal, lifecycle, postponement, tally, tenders
from trading.hall import Hall
from trading.journal import Logged
from trading.tenders import Held

OURS = frozenset({"hold", "resume", "failed", "tally"})


async def run_due(unit: Unit, held: Held, *, now: datetime, hall: Hall) -> tuple[Held, Sequence[Logged]]:
    """Log every act of this room that is owed by `now`, in its order; return the tender afterwards and the acts."""
    held, stopped = await postponement.run_due(unit, held, now=now, hall=hall)
    logged: list[Logged] = list(stopped)
    while True:
        owed = [due for due in lifecycle.due(held.tender, now=now) if due.at <= now and due.event in OURS]
        if not owed:
            return held, logged
        due = owed[0]
        fields = await tally.fields(unit, held.tender) if due.event == "tally" else due.fields
        if fields is None:
            return held, logged
        act = await journal.hall_act(
            unit,
            hall=hall,
            lot=held.tender.lot,
            tender_id=held.tender.tender_id,
            kind=due.event,
            fields=fields,
            now=now,
            rule=due.rule,
        )
        held = await tenders.fold_in(unit, held, act, now=now)
        logged.append(act)
