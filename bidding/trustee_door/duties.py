"""What a trustee will have to do and has done, per tender, from public acts alone; and who holds a seat in this hall.

docs/spec/release.md. Before the deadline a trustee has nothing to do but keep its keys; nothing here tells a number of
bids, because nothing here knows one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bidding import ceremony, lots
from bidding.ceremony import Phase
from storage.unit import Unit
from storage.world import stamp
from trading import lifecycle, rosters, tenders
from trading.hall import Hall
from trading.lifecycle import State
from trading.trustees import Trustee

PAST = frozenset({State.DRAFT, State.ENTRY_PENDING, State.REGISTERED})
LOTS_LOOKED_AT = 200


@dataclass(frozen=True, slots=True)
class Duty:
    """One tender in which a trustee holds a seat: `step` is nothing, ready, release, done, or waiting."""

    lot: str
    name: str
    state: str
    deadline: str
    lock: int
    index: int
    step: str
    until: str | None


@dataclass(frozen=True, slots=True)
class Seat:
    """A certified trustee: who, for which side, and how many one-time keys no tender has used yet."""

    trustee: Trustee
    name: str
    unused: int


async def seats(unit: Unit) -> list[Seat]:
    """Every certified trustee of this hall."""
    found = []
    for id_, trustee in sorted((await rosters.certified(unit)).items()):
        row = await unit.trustee.read(id_)
        name = str(row["body"]["act"]["organisation"]["name"]) if row else id_
        unused = await unit.prekey.count({"trustee": id_, "tender_id": rosters.UNUSED})
        found.append(Seat(trustee, name, unused))
    return found


async def of(unit: Unit, trustee: str, *, now: datetime, hall: Hall) -> list[Duty]:
    """The tenders in which this trustee is seated and whose opening is not behind it, soonest first."""
    rows = await unit.tender.find({}, order=("-deadline",), limit=LOTS_LOOKED_AT)
    found = []
    for row in rows:
        held = await tenders.load(unit, row["lot"])
        tender = held.tender
        if tender.state in PAST or tender.state in lifecycle.TERMINAL:
            continue
        terms = await lots.terms(unit, tender)
        place = _place(terms.seats, trustee)
        if place is None:
            continue
        view = await lots.view(unit, tender, hall=hall)
        coming = ceremony.what_next(view, now=now)
        done = await unit.release.count({"lot": tender.lot, "trustee": trustee}) > 0
        ready = await unit.ready.count({"lot": tender.lot, "trustee": trustee}) > 0
        found.append(
            Duty(
                tender.lot,
                tender.name,
                lifecycle.at_instant(tender, now).state.value,
                stamp(view.deadlines.deadline),
                place[0],
                place[1],
                _step(coming.phase, ready=ready, done=done, opened=tender.opened_at is not None),
                stamp(coming.at) if coming.at else None,
            )
        )
    return sorted(found, key=lambda each: each.deadline)


def _place(seated: Sequence[Sequence[str]], trustee: str) -> tuple[int, int] | None:
    for lock, ids in enumerate(seated):
        if trustee in ids:
            return lock, ids.index(trustee) + 1
    return None


def _step(phase: Phase, *, ready: bool, done: bool, opened: bool) -> str:
    if done or opened:
        return "done"
    if phase in (Phase.READYING, Phase.RESCUE, Phase.CHALLENGE, Phase.CLOSED):
        return "waiting" if ready or phase in (Phase.CHALLENGE, Phase.CLOSED) else "ready"
    return "release" if phase is Phase.RELEASING else "nothing"
