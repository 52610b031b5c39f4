"""What may be asked of this room: a bidder's own bids, its own events, and where a ceremony stands.

E-20, E-39: before the freeze a bidder learns of its own bids alone, and nobody learns a number. The ceremony's state is
built from public acts only, so that it shows nothing that the ledger does not show to everybody.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bidding import ceremony, lots
from crypto.refusal import Refused
from storage.unit import Unit
from storage.world import stamp
from trading import tenders
from trading.hall import Hall
from trading.roles import Actor


async def own(unit: Unit, lot: str, *, actor: Actor) -> dict[str, Any]:
    """The organisation's own bids in a lot, by version: bid, event, received_at, and what became of each.

    `status`: `standing` (before the freeze, the version that counts), `replaced`, `withdrawn`, `frozen`, `refused`;
    after the verdict `opened`, `deemed_withdrawn`, `deemed_revoked`.
    """
    held = await tenders.load(unit, lot)
    where = {"lot": lot, "organisation": actor.organisation}
    bids = await unit.submission.find(where, order=("bid_version",))
    withdrawn = max((row["bid_version"] for row in await unit.withdrawal.find(where)), default=0)
    highest = max((row["bid_version"] for row in bids), default=0)
    public = await _said_of(unit, held.tender.tender_id, lot)
    told = []
    for row in bids:
        bid, leaf = row["body"]["bid"], row["body"]["leaf"]
        status = "standing"
        if leaf in public["refused"]:
            status = "refused"
        elif row["bid_version"] <= withdrawn:
            status = "withdrawn"
        elif row["bid_version"] < highest:
            status = "replaced"
        elif bid in public["frozen"]:
            status = public["consequences"].get(bid, "frozen")
        entry = {"version": row["bid_version"], "bid": bid, "event": row["id"], "received_at": row["received_at"]}
        told.append({**entry, "status": status, "why": public["refused"].get(leaf)})
    return {"lot": lot, "state": held.tender.state.value, "bids": told}


async def own_event(unit: Unit, event: str, *, actor: Actor) -> str:
    """The id of an event if its actor, or another person of the same organisation for a bid, asks; else
    Refused("receipt_unknown"), the same for an event that is another's as for none."""
    row = await unit.event.read(event)
    if row is not None and row["actor"] == actor.person:
        return event
    for store in (unit.submission, unit.withdrawal):
        found = await store.read(event)
        if found is not None and actor.organisation and found["organisation"] == actor.organisation:
            return event
    raise Refused("receipt_unknown", rule="E-38", event=event)


async def stage(unit: Unit, lot: str, *, now: datetime, hall: Hall) -> dict[str, Any]:
    """Where the ceremony stands, from public acts: phase, when it goes on by itself, who is ready and who refused."""
    held = await tenders.load(unit, lot)
    view = await lots.view(unit, held.tender, hall=hall)
    coming = ceremony.what_next(view, now=now)
    told: dict[str, Any] = {
        "lot": lot,
        "phase": coming.phase.value,
        "until": stamp(coming.at) if coming.at else None,
        "deadline": stamp(view.deadlines.deadline),
        "shut_until": stamp(view.deadlines.shut_until),
    }
    if view.freeze is not None:
        who = ceremony.readiness(view)
        silent = [
            trustee
            for number, seats in enumerate(view.terms.seats)
            for index, trustee in enumerate(seats, start=1)
            if index not in who.ready[number] and trustee not in who.refusals
        ]
        told |= {
            "n": view.freeze.act["n"],
            "ready": [sorted(there) for there in who.ready],
            "refusals": dict(who.refusals),
            "silent": silent,
            "complaints": [{"trustee": each.trustee, "header": each.header.hex()} for each in who.complaints],
            "rescue_until": stamp(who.rescue_until) if who.rescue_until else None,
        }
    return told


async def _said_of(unit: Unit, tender_id: str, lot: str) -> dict[str, Any]:
    """Bids in the list in force, refusals by leaf, consequences by bid, as far as they are public."""
    rows = await unit.event.find({"tender_id": tender_id, "public": 1}, order=("seq",))
    frozen: set[str] = set()
    refused: dict[str, str] = {}
    consequences: dict[str, str] = {}
    for row in rows:
        act = row["body"]
        match row["kind"]:
            case "freeze":
                frozen = {each["bid"] for each in await tenders.object_json(unit, lot, act["list_hash"])}
            case "refused":
                refused[act["submission"]] = act["code"]
            case "verdict":
                verdicts = await tenders.object_json(unit, lot, act["verdicts_hash"])
                consequences = {each["bid"]: each["consequence"] for each in verdicts}
            case _:
                continue
    return {"frozen": frozen, "refused": refused, "consequences": consequences}
