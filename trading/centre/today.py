"""Today at the trading centre: what is due in which tender, who must act and by when; what waits at the centre.

Queries over the states of tenders and their clocks (trading/lifecycle.py); nothing here is kept, so nothing here can
be out of date. The centre reminds and serves; none of it is the centre's to decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from storage.ports import In
from storage.unit import Unit
from trading import calendar, lifecycle, rosters
from trading.desk import tasks
from trading.desk.tasks import Task
from trading.lifecycle import State
from trading.tender import Tender, from_json

ENDED = frozenset({State.CONTRACTED, *lifecycle.TERMINAL})
RUNNING = tuple(state.value for state in State if state not in ENDED)
SHOWN_MAX = 300


@dataclass(frozen=True, slots=True)
class Owed:
    """One task of one tender."""

    lot: str
    name: str
    state: str
    task: Task


@dataclass(frozen=True, slots=True)
class Today:
    """Tasks by how near they are: late, today, within three days, later or without a day; openings of today."""

    late: Sequence[Owed]
    today: Sequence[Owed]
    soon: Sequence[Owed]
    later: Sequence[Owed]
    openings: Sequence[Tender]
    held: Sequence[Tender]


async def look(unit: Unit, *, now: datetime) -> Today:
    """Everything that is owed in the hall."""
    rows = await unit.tender.find({"state": In(RUNNING)}, order=("deadline",), limit=SHOWN_MAX)
    found: list[Owed] = []
    openings: list[Tender] = []
    held: list[Tender] = []
    for row in rows:
        tender = from_json(row["body"]["tender"])
        book = await rosters.pinned_rulebook(unit, tender)
        state = lifecycle.at_instant(tender, now).state
        found += [Owed(tender.lot, tender.name, state.value, one) for one in tasks.of(tender, now=now, rulebook=book)]
        if calendar.legal_day(tender.deadline) == calendar.legal_day(now):
            openings.append(tender)
        if tender.held_by is not None:
            held.append(tender)
    midnight = calendar.end_of(calendar.legal_day(now))
    found.sort(key=lambda one: (one.task.until is None, one.task.until or now))

    def between(start: datetime | None, end: datetime | None) -> list[Owed]:
        return [
            one
            for one in found
            if one.task.until is not None
            and (start is None or one.task.until > start)
            and (end is None or one.task.until <= end)
        ]

    return Today(
        late=between(None, now),
        today=between(now, midnight),
        soon=between(midnight, midnight + timedelta(days=3)),
        later=[*between(midnight + timedelta(days=3), None), *(one for one in found if one.task.until is None)],
        openings=openings,
        held=held,
    )


async def entries(unit: Unit) -> list[dict[str, Any]]:
    """Entries that wait to be registered, the oldest first."""
    rows = await unit.project.find({"state": "entry_pending"}, limit=SHOWN_MAX)
    told = [{"entry": row["code"], **row["body"]} for row in rows]
    return sorted(told, key=lambda one: str(one["entered_at"]))
