"""What the clock alone does to bids: close at the deadline, freeze, refuse by name what came too late.

法 §34, §36; 条例 §44; docs/spec/release.md §3 and §4. Every step is a query over the ledger, so a restart loses nothing
and doing it twice changes nothing. The rules upheld:
- *close* seizes the lot: a bid that began before is in, one that begins after finds the lot closed;
- *freeze* waits until *close* and everything recorded before it stand in the log: then places are facts;
- a receipt is honoured: what was received and does not count is refused with a code (invariant I1);
- an omission found later gives a supplementary freeze, in public.

Whoever holds the duty key can delay these acts; anybody can compute what they had to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bidding import box, ceremony, lots
from crypto.opening.ceremony import Terms
from crypto.opening.frozen import Submitted, Withdrawn
from storage import ledger
from storage.ports import Row
from storage.unit import Unit
from storage.world import instant, stamp
from trading import journal, lifecycle, tenders
from trading.hall import Hall
from trading.journal import Logged
from trading.lifecycle import State
from trading.rules import opening as rules
from trading.tenders import Held

PENDING_LOOKED_AT = 20_000
CORRECTABLE = frozenset({State.FROZEN, State.OPENING, State.OPENED})


async def run_due(unit: Unit, held: Held, *, now: datetime, hall: Hall) -> tuple[Held, Sequence[Logged]]:
    """Log what this room owes by `now`, one after the other; return the tender afterwards and the acts."""
    logged: list[Logged] = []
    for step in (_close, _freeze):
        held, done = await step(unit, held, now, hall)
        logged += done
    if held.tender.state in CORRECTABLE and await unit.object.count({"lot": held.tender.lot, "kind": lots.PRESENTED}):
        held, done = await correct(unit, held, now=now, hall=hall)
        logged += done
    return held, logged


async def correct(unit: Unit, held: Held, *, now: datetime, hall: Hall) -> tuple[Held, Sequence[Logged]]:
    """Log a supplementary freeze if the list in force is not what the ledger gives: an omission, found by a receipt or
    by recomputing. Does nothing while they agree."""
    view = await lots.view(unit, held.tender, hall=hall)
    if held.tender.state not in CORRECTABLE or view.freeze is None:
        return held, ()
    again = await frozen_now(unit, held, hall=hall)
    before = view.freeze.act
    if again is None or before["list_hash"] == await _keep_list(unit, held, again):
        return held, ()
    return await _log_freeze(unit, held, again, before["close"], view.freeze.leaf.hex(), now, hall)


async def frozen_now(unit: Unit, held: Held, *, hall: Hall) -> ceremony.Frozen | None:
    """What the ledger gives as the freeze of this lot; None before *close* and all before it are sequenced."""
    closing = await lots.acts(unit, held.tender, "close")
    if not closing or await _waiting(unit, closing[0].act["at"]):
        return None
    terms = await lots.terms(unit, held.tender)
    in_force = await lots.deadlines(unit, held.tender, terms, now=instant(closing[0].act["at"]), hall=hall)
    submitted = await submissions(unit, held.tender.lot, terms)
    withdrawn = await withdrawals(unit, held.tender.lot)
    return ceremony.freeze(submitted, withdrawn, close_index=closing[0].index, deadline=in_force.deadline)


async def submissions(unit: Unit, lot: str, terms: Terms) -> tuple[Submitted, ...]:
    """Every submission of the lot that has its place in the log, as the box judged it when it came."""
    rows = await unit.submission.find({"lot": lot})
    places = await ledger.places(unit, [row["id"] for row in rows])
    return tuple(_submitted(row, places[row["id"]]) for row in rows if row["id"] in places)


async def withdrawals(unit: Unit, lot: str) -> tuple[Withdrawn, ...]:
    """Every withdrawal of the lot that has its place in the log."""
    rows = await unit.withdrawal.find({"lot": lot})
    places = await ledger.places(unit, [row["id"] for row in rows])
    return tuple(
        Withdrawn(
            bytes.fromhex(row["body"]["leaf"]),
            places[row["id"]],
            instant(row["at"]),
            row["organisation"],
            row["bid_version"],
        )
        for row in rows
        if row["id"] in places
    )


async def _close(unit: Unit, held: Held, now: datetime, hall: Hall) -> tuple[Held, Sequence[Logged]]:
    owed = [due for due in lifecycle.due(held.tender, now=now) if due.event == "close" and due.at <= now]
    if not owed:
        return held, ()
    await unit.seize(held.tender.lot)
    rules.check_closing(held.tender, now=now)
    # An extension that no witness saw in time shuts the lot until then and admits nobody: the deadline stays the old.
    terms = await lots.terms(unit, held.tender)
    in_force = await lots.deadlines(unit, held.tender, terms, now=now, hall=hall)
    act = await journal.hall_act(
        unit,
        hall=hall,
        lot=held.tender.lot,
        tender_id=held.tender.tender_id,
        kind="close",
        fields={"deadline": stamp(in_force.deadline)},
        now=now,
        rule="E-50",
    )
    return await tenders.fold_in(unit, held, act, now=now), (act,)


async def _freeze(unit: Unit, held: Held, now: datetime, hall: Hall) -> tuple[Held, Sequence[Logged]]:
    if held.tender.state is not State.CLOSED or held.tender.held_by is not None:
        return held, ()
    found = await frozen_now(unit, held, hall=hall)
    if found is None:
        return held, ()
    (closing,) = await lots.acts(unit, held.tender, "close")
    return await _log_freeze(unit, held, found, closing.leaf.hex(), None, now, hall)


async def _log_freeze(
    unit: Unit,
    held: Held,
    found: ceremony.Frozen,
    close: str,
    supplements: str | None,
    now: datetime,
    hall: Hall,
) -> tuple[Held, Sequence[Logged]]:
    """The freeze and, in the same transaction, one `refused` act for every submission that does not count."""
    fields = {
        "close": close,
        "n": len(found.bids),
        "list_hash": await _keep_list(unit, held, found),
        "supplements": supplements,
    }
    told = {row["body"]["submission"] for row in await unit.event.find({"lot": held.tender.lot, "kind": "refused"})}
    owed = [("freeze", fields, "E-52")]
    owed += [
        ("refused", {"submission": leaf, "code": code}, "E-36") for leaf, code in found.refused if leaf not in told
    ]
    logged = []
    for kind, said, rule in owed:
        act = await journal.hall_act(
            unit,
            hall=hall,
            lot=held.tender.lot,
            tender_id=held.tender.tender_id,
            kind=kind,
            fields=said,
            now=now,
            rule=rule,
        )
        held = await tenders.fold_in(unit, held, act, now=now)
        logged.append(act)
    return held, logged


async def _keep_list(unit: Unit, held: Held, found: ceremony.Frozen) -> str:
    return await journal.keep_object(unit, lot=held.tender.lot, kind="freeze_list", data=found.data, public=True)


async def _waiting(unit: Unit, until: str) -> bool:
    """Whether anything recorded by this instant still waits for its place in the log."""
    for public in (True, False):
        rows = await unit.session.waiting("", public=public, limit=PENDING_LOOKED_AT)
        if any(row["at"] <= until for row in rows):
            return True
    return False


def _submitted(row: Row, index: int) -> Submitted:
    told = row["body"]
    hashes = tuple(each.hash() for each in box.parse([box.unbase64(text, "headers") for text in told["headers"]]))
    leaf, bid = bytes.fromhex(told["leaf"]), bytes.fromhex(told["bid"])
    return Submitted(leaf, index, instant(row["received_at"]), row["organisation"], row["bid_version"], bid, hashes)
