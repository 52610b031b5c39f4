"""What an outage does to a deadline: the clause that moves it, the hold that stops it, the earliest new one.

濮阳市公共资源交易管理条例 §21, 宁波市公共资源交易管理条例 §25 (trading stops, then resumes); numbers are the hall's
configuration (postponement.toml). The rules:
- an outage that touches the last 24 hours before a deadline, or the deadline itself, stops that tender at once: the
  clockwork logs a `hold` with reason `outage` whose `ref` is the leaf of the `incident` act, so no deadline fires, and
  everybody who took the documents is told;
- the new deadline is signed by the owner, as every deadline is (docs/spec/acts.md); one that leaves bidders less than
  the clause gives is refused; the clockwork resumes once it stands;
- what was postponed, by which clause, is recomputed from public acts by anybody (`certificate` prints it).
Whoever holds the duty key can stop a tender by an incident that never was; they cannot move its deadline, and the owner
ends the hold by one signature.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from typing import Any

from crypto.refusal import Refused
from storage.ports import AtLeast
from storage.unit import Unit
from storage.world import instant, stamp
from trading import inbox, journal, lifecycle, tenders
from trading.hall import Hall
from trading.journal import Logged
from trading.lifecycle import State
from trading.tender import Tender
from trading.tenders import Held

REASON = "outage"
RULE = "E-50"
TOLD: tuple[inbox.To, ...] = ("downloaders", "parties")


@dataclass(frozen=True, slots=True)
class Clause:
    """One row of postponement.toml: `article` and its words beside the numbers it stands for."""

    region: str
    market: str
    window_hours: int
    minutes_min: int
    hours_min: int
    article: str
    zh: str
    en: str

    def moves(self, deadline: datetime, *, begun: datetime, ended: datetime) -> bool:
        """Whether an outage from `begun` to `ended` postpones this deadline."""
        if begun <= deadline <= ended:
            return True
        touches = begun <= deadline and ended >= deadline - timedelta(hours=self.window_hours)
        return touches and ended - begun >= timedelta(minutes=self.minutes_min)

    def earliest(self, deadline: datetime, *, begun: datetime, ended: datetime) -> datetime:
        """The earliest new deadline: after the outage as much is left as when it began, and at least `hours_min`."""
        return ended + max(deadline - begun, timedelta(hours=self.hours_min))


@dataclass(frozen=True, slots=True)
class Outage:
    """An `incident` act that moves the tender's deadline: its leaf, its ends, the deadline it moves, and by what."""

    leaf: str
    begun: datetime
    ended: datetime
    was: datetime
    clause: Clause

    @property
    def earliest(self) -> datetime:
        """The earliest new deadline."""
        return self.clause.earliest(self.was, begun=self.begun, ended=self.ended)


@cache
def clauses() -> tuple[Clause, ...]:
    """Every row of the table."""
    rows = tomllib.loads(resources.files("trading").joinpath("postponement.toml").read_text("utf-8"))["clause"]
    return tuple(Clause(**row) for row in rows)


def clause_of(*, region: str, market: str) -> Clause:
    """The most exact row for a tender of this region (GB/T 2260) and market."""
    fitting = [
        one
        for one in clauses()
        if one.market in ("*", market) and (one.region == "000000" or region.startswith(one.region))
    ]
    return max(fitting, key=lambda one: (one.region != "000000", len(one.region), one.market != "*"))


async def outages(unit: Unit, tender: Tender) -> list[Outage]:
    """Every logged outage that moved a deadline of this tender, in order; pure over its public acts."""
    rows = await unit.event.find({"tender_id": tender.tender_id, "seq": AtLeast(0)}, order=("seq",))
    given = {one.leaf: one.deadline for one in tender.deadlines}
    clause = clause_of(region=tender.region, market=tender.market)
    found = []
    was = tender.deadlines[0].deadline
    for row in rows:
        # What an incident moves is the deadline that stood when it was logged.
        was, act = given.get(row["leaf_hash"], was), row["body"]
        if row["kind"] != "incident" or act["what"] != REASON:
            continue
        begun, ended = instant(act["from"]), instant(act["to"])
        if clause.moves(was, begun=begun, ended=ended):
            found.append(Outage(row["leaf_hash"], begun, ended, was, clause))
    return found


async def run_due(unit: Unit, held: Held, *, now: datetime, hall: Hall) -> tuple[Held, Sequence[Logged]]:
    """Stop a tender that takes bids for every outage that moves its deadline and has not stopped it yet."""
    if held.tender.state is not State.BIDDING or held.tender.closed_at is not None:
        return held, ()
    moved = await outages(unit, held.tender)
    if not moved:
        return held, ()
    rows = await unit.event.find({"tender_id": held.tender.tender_id, "kind": "hold", "public": 1})
    stopped = {row["body"]["ref"] for row in rows}
    logged = []
    for outage in moved:
        # A deadline that has moved since the incident needs no stop for it.
        if outage.leaf in stopped or held.tender.deadline >= outage.earliest:
            continue
        lot = held.tender.lot
        left_s = lifecycle.left_s(held.tender, now)
        fields = {"reason": REASON, "ref": outage.leaf, "stage": "bidding", "left_s": left_s}
        act = await journal.hall_act(
            unit,
            hall=hall,
            lot=lot,
            tender_id=held.tender.tender_id,
            kind="hold",
            fields=fields,
            now=now,
            rule=RULE,
        )
        held = await tenders.fold_in(unit, held, act, now=now)
        for to in TOLD:
            await inbox.notify(unit, to, lot=lot, what="outage", leaf=act.leaf, now=now, hall=hall)
        logged.append(act)
    return held, logged


async def check_extension(unit: Unit, tender: Tender, *, new_deadline: datetime) -> datetime:
    """A deadline moved while an outage holds the tender leaves what the clause gives. Returns the new deadline.

    Raises Refused("deadline_after_outage_too_early") with the earliest and the article.
    """
    held = {hold.ref for hold in tender.holds if hold.reason == REASON}
    for outage in await outages(unit, tender) if held else ():
        if outage.leaf in held and new_deadline < outage.earliest:
            raise Refused(
                "deadline_after_outage_too_early",
                rule=RULE,
                given=stamp(new_deadline),
                earliest=stamp(outage.earliest),
                article=outage.clause.article,
            )
    return new_deadline


async def certified(unit: Unit, incident: str) -> Mapping[str, Any]:
    """What a certificate of one outage says, as JSON: start, end, and every tender it moved, by which clause.

    `incident` is the leaf of any of its acts, which were logged at one instant. Raises incident_unknown.
    """
    rows = await unit.event.find({"leaf_hash": incident, "kind": "incident", "public": 1}, limit=1)
    if not rows or rows[0]["body"]["what"] != REASON:
        raise Refused("incident_unknown", incident=incident)
    same = await unit.event.find({"kind": "incident", "public": 1, "at": rows[0]["at"]}, order=("lot",))
    same = [row for row in same if row["body"]["what"] == REASON]
    moved = [await _moved(unit, str(row["lot"]), row["leaf_hash"]) for row in same]
    # Where a deadline fell into it, an act names only the part without any witness's stamp (trading/incidents.py).
    ends = {"from": min(row["body"]["from"] for row in same), "to": max(row["body"]["to"] for row in same)}
    return {
        "v": 1,
        "kind": "outage",
        **ends,
        "logged_at": rows[0]["at"],
        "text": rows[0]["body"]["text"],
        "seconds": int((instant(ends["to"]) - instant(ends["from"])).total_seconds()),
        "tenders": moved,
    }


async def _moved(unit: Unit, lot: str, leaf: str) -> dict[str, Any]:
    """One tender in a certificate: the acts by their leaves, so that each can be found in the log."""
    tender = (await tenders.load(unit, lot)).tender
    outage = next((one for one in await outages(unit, tender) if one.leaf == leaf), None)
    told: dict[str, Any] = {"lot": lot, "name": tender.name, "incident": leaf, "moved": outage is not None}
    if outage is None:
        return told | {"was": stamp(tender.deadline)}
    holds = await unit.event.find({"tender_id": tender.tender_id, "kind": "hold", "public": 1})
    hold = next((row["leaf_hash"] for row in holds if row["body"]["ref"] == leaf), None)
    later = next(
        (one for one in tender.deadlines if one.deadline >= outage.earliest and one.given_at >= outage.ended), None
    )
    return told | {
        "was": stamp(outage.was),
        "earliest": stamp(outage.earliest),
        "hold": hold,
        "deadline": None if later is None else {"leaf": later.leaf, "deadline": stamp(later.deadline)},
        "clause": {"article": outage.clause.article, "zh": outage.clause.zh, "en": outage.clause.en},
    }
