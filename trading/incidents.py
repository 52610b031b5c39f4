"""Incidents: an outage of the hall with its start and end, leaves that waited too long, a close that came late.

docs/spec/acts.md §3 (`incident`); 20号令 §49: what went wrong is recorded, never silent. The rules:
- an outage is kept from the moment it is seen (`begin`), and logged as one public act for every tender it touched, with
  `from` and `to`, once it is over (`finish`); a crash in between loses nothing;
- which tenders were touched is told from their states and deadlines alone, never from whose leaves waited: a public act
  must not say that somebody was handing in a bid just then (E-20);
- what follows from an outage (whether a deadline moves) is decided in trading/postponement.py, at once.

Whoever holds the duty key can claim an outage that never was; one that lets a later bid in must show no witness's stamp
between its ends (docs/spec/release.md §3), and stamps are not the hall's to withhold.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from crypto.ledger import acts
from storage.unit import Unit
from storage.world import instant, stamp
from trading import inbox, journal, lifecycle, postponement, tenders
from trading.hall import Hall
from trading.journal import Logged
from trading.lifecycle import State
from trading.tenders import Held

OUTAGE = "outage"
LATE_CLOSE = "late_close"
PENDING = "pending_leaf"
OPEN = "incident "
"""What is open is a setting of this name and the incident's word; its body is empty when it is over."""
COSIGNATURES_LOOKED_AT = 16
MILLISECOND = timedelta(milliseconds=1)
LATE_SECONDS = 10
"""How late a close may come before it is an incident; the same as for a leaf (docs/spec/ledger.md)."""


async def begin(unit: Unit, *, what: str, at: datetime, text: str) -> bool:
    """Keep that an incident has begun at `at`; False when one of this kind is open already."""
    row = await unit.setting.read(OPEN + what)
    body = {"from": stamp(at), "text": text}
    if row is None:
        await unit.setting.insert({"name": OPEN + what, "body": body})
    elif row["body"]:
        return False
    else:
        await unit.setting.update({**row, "body": body}, expected_version=row["version"])
    return True


async def is_open(unit: Unit, what: str) -> bool:
    """Whether an incident of this kind has begun and is not over."""
    row = await unit.setting.read(OPEN + what)
    return row is not None and bool(row["body"])


async def finish(unit: Unit, *, what: str, at: datetime, hall: Hall, now: datetime) -> Sequence[Logged]:
    """Log an open incident as over at `at`, for every tender it touched; empty when none is open."""
    row = await unit.setting.read(OPEN + what)
    if row is None or not row["body"]:
        return ()
    begun, text = instant(row["body"]["from"]), str(row["body"]["text"])
    await unit.setting.update({**row, "body": {}}, expected_version=row["version"])
    logged = []
    for lot in await affected(unit, begun=begun, ended=at):
        held = await tenders.load(unit, lot)
        over = what == OUTAGE and begun <= held.tender.deadline <= at
        first, last = await silence(unit, begun, at) if over else (begun, at)
        held, act = await log(unit, held, what=what, begun=first, ended=last, text=text, hall=hall, now=now)
        # In the same transaction, so that no deadline fires between an outage and the stop that it causes.
        await postponement.run_due(unit, held, now=now, hall=hall)
        logged.append(act)
    return logged


async def silence(unit: Unit, begun: datetime, ended: datetime) -> tuple[datetime, datetime]:
    """The part of an outage in which no witness stamped this log: from after the last cosignature kept to before the
    second of `ended`, because stamps count whole seconds. Only that part admits bids after a deadline that fell into
    it (docs/spec/release.md §3); a hall beats every ten seconds and may be cosigned after its last beat."""
    rows = await unit.cosignature.find(order=("-size",), limit=COSIGNATURES_LOOKED_AT)
    after = max((instant(row["at"]) for row in rows), default=begun - MILLISECOND) + MILLISECOND
    before = ended.replace(microsecond=0) - MILLISECOND
    begun_ = max(begun, after)
    return (begun_, before) if begun_ < before else (begun, ended)


async def affected(unit: Unit, *, begun: datetime, ended: datetime) -> list[str]:
    """The lots that an outage from `begun` to `ended` touched: those that took bids then, and those of which the clock
    owed an act between the two."""
    found = []
    for row in await unit.tender.find(order=("lot",)):
        state = State(row["state"])
        if "tender" not in row["body"] or not lifecycle.ways(state, "incident"):
            continue
        owed = bool(row["due"]) and row["due"] <= stamp(ended)
        taking = state is State.BIDDING or stamp(begun) <= row["deadline"] <= stamp(ended)
        if taking or owed:
            found.append(str(row["lot"]))
    return found


async def log(
    unit: Unit, held: Held, *, what: str, begun: datetime, ended: datetime, text: str, hall: Hall, now: datetime
) -> tuple[Held, Logged]:
    """Log one incident of one tender with the duty key and tell owner and agent."""
    act = await journal.hall_act(
        unit,
        hall=hall,
        lot=held.tender.lot,
        tender_id=held.tender.tender_id,
        kind="incident",
        fields={"what": what, "from": stamp(begun), "to": stamp(ended), "text": text},
        now=now,
    )
    held = await tenders.fold_in(unit, held, act, now=now)
    await inbox.notify(unit, "parties", lot=held.tender.lot, what="incident", leaf=act.leaf, now=now, hall=hall)
    return held, act


async def run_due(unit: Unit, held: Held, *, now: datetime, hall: Hall) -> tuple[Held, Sequence[Logged]]:
    """Log a close that came late, once. In a rehearsal the time that its clock jumped over does not count."""
    tender = held.tender
    if tender.closed_at is None or not lifecycle.ways(tender.state, "incident"):
        return held, ()
    due = tender.deadline + timedelta(seconds=tender.settle_s)
    ready = max(due, await jumped_to(unit)) if hall.rehearsal else due
    if tender.closed_at - ready <= timedelta(seconds=LATE_SECONDS):
        return held, ()
    said = await unit.event.find({"lot": tender.lot, "kind": "incident"})
    if any(row["body"]["what"] == LATE_CLOSE for row in said):
        return held, ()
    late = int((tender.closed_at - due).total_seconds())
    held, act = await log(
        unit,
        held,
        what=LATE_CLOSE,
        begun=due,
        ended=tender.closed_at,
        text=f"closed {late} s after deadline and settling time",
        hall=hall,
        now=now,
    )
    return held, (act,)


async def jumped_to(unit: Unit) -> datetime:
    """To when a rehearsal's clock was moved last; long ago when it never was."""
    rows = await unit.event.find({"tender_id": acts.HALL_TENDER_ID, "kind": "clock"}, order=("-seq",), limit=1)
    return instant(rows[0]["body"]["now"]) if rows else instant("2000-01-01T00:00:00.000Z")
