"""What a trustee will have to do and has done, per tender, from public acts alone; and who holds a seat in this hall.

docs/spec/release.md. Before the deadline a trustee has nothing to do but keep its keys; nothing here tells a number of
bids, because nothing here knows one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from bidding import ceremony, lots
from bidding.ceremony import Phase
from crypto.opening.ceremony import Ceremony
from storage.unit import Unit
from storage.world import instant, stamp
from trading import calendar, lifecycle, rosters, tenders
from trading.hall import Hall
from trading.lifecycle import State
from trading.trustees import Trustee

PAST = frozenset({State.DRAFT, State.ENTRY_PENDING, State.REGISTERED})
LOTS_LOOKED_AT = 200


@dataclass(frozen=True, slots=True)
class Said:
    """One act of a trustee: `kind` is ready, refused (with its `code`), complained or released."""

    kind: str
    at: str
    leaf: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Duty:
    """One tender in which a trustee holds a seat: `step` is nothing, ready, release, done, or waiting; `said` are its
    own acts there, oldest first."""

    lot: str
    name: str
    state: str
    deadline: str
    lock: int
    index: int
    step: str
    until: str | None
    said: Sequence[Said] = ()


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
        said = _said(view, trustee)
        released = any(each.kind == "released" for each in said)
        found.append(
            Duty(
                tender.lot,
                tender.name,
                lifecycle.at_instant(tender, now).state.value,
                stamp(view.deadlines.deadline),
                place[0],
                place[1],
                _step(coming.phase, ready=bool(said), done=released, opened=tender.opened_at is not None),
                stamp(coming.at) if coming.at else None,
                said,
            )
        )
    return sorted(found, key=lambda each: each.deadline)


def drill_by(duties: Sequence[Duty]) -> date | None:
    """The last legal day before the next opening of this trustee, to prove its keys on; None where none is ahead."""
    ahead = [instant(each.deadline) for each in duties if each.step == "nothing"]
    return calendar.legal_day(min(ahead)) - timedelta(days=1) if ahead else None


def _said(view: Ceremony, trustee: str) -> list[Said]:
    found = []
    for each in view.ready:
        if each.act["trustee"] == trustee:
            refusal, complained = each.act["refusal"], each.act["complaints"]
            kind = "refused" if refusal else "complained" if complained else "ready"
            found.append(Said(kind, each.act["at"], each.leaf.hex(), refusal or ""))
    found += [
        Said("released", each.act["at"], each.leaf.hex()) for each in view.releases if each.act["trustee"] == trustee
    ]
    return sorted(found, key=lambda one: one.at)


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
