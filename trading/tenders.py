"""Tenders as rows: read, fold one more act in, keep (the row is a fast copy of what the ledger says, invariant I7).

An act and the row it changes are written in one transaction. A row that moved in between gives Conflict, and the
command decides anew; bids never write it, so a deadline with a thousand bids has no queue.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from crypto.refusal import Refused
from storage.ports import Row
from storage.unit import Unit
from storage.world import stamp
from trading import fold, lifecycle, tender_document
from trading.journal import Logged
from trading.tender import Tender, from_json
from trading.tender_document import TenderDocument


@dataclass(frozen=True, slots=True)
class Held:
    """A tender as it was read, with the version its row had."""

    tender: Tender
    version: int


async def load(unit: Unit, lot: str) -> Held:
    """The tender of this lot. Raises Refused("lot_unknown")."""
    return held(await unit.tender.read(lot), lot)


def held(row: Row | None, lot: str) -> Held:
    """The same of a row that was read. Raises Refused("lot_unknown")."""
    if row is None or "tender" not in row["body"]:
        raise Refused("lot_unknown", lot=lot)
    return Held(from_json(row["body"]["tender"]), row["version"])


async def begin(unit: Unit, tender: Tender, *, now: datetime) -> Held:
    """Keep a tender that its TENDER act has just begun."""
    await unit.tender.insert(_row(tender, now))
    return Held(tender, 1)


async def fold_in(unit: Unit, held: Held, logged: Logged, *, now: datetime) -> Held:
    """Apply one logged act and keep the result. Raises what fold.apply refuses."""
    return await keep(unit, held, fold.apply(held.tender, logged.act, leaf=logged.leaf), now=now)


async def keep(unit: Unit, held: Held, tender: Tender, *, now: datetime) -> Held:
    """Write the row of a tender; Conflict when somebody else wrote it since it was read."""
    await unit.tender.update(_row(tender, now), expected_version=held.version)
    return Held(tender, held.version + 1)


async def terms(unit: Unit, tender: Tender) -> TenderDocument:
    """The structured tender document that the TENDER act pinned."""
    return tender_document.parse(await object_bytes(unit, tender.lot, tender.terms))


async def object_bytes(unit: Unit, lot: str, name: str) -> bytes:
    """The bytes of an object of this lot; an object that an act names is always there."""
    row = await unit.object.read(lot, name)
    if row is None:
        raise Refused("object_unknown", lot=lot, hash=name)
    return bytes(row["data"])


async def object_json(unit: Unit, lot: str, name: str) -> Any:
    """The JSON value of an object of this lot."""
    return msgspec.json.decode(await object_bytes(unit, lot, name))


def _row(tender: Tender, now: datetime) -> dict[str, Any]:
    due = lifecycle.due(tender, now=now)
    return {
        "lot": tender.lot,
        "state": tender.state.value,
        "deadline": stamp(tender.deadline),
        "due": stamp(due[0].at) if due else "",
        "region": tender.region,
        "market": tender.market,
        "tender_id": tender.tender_id,
        "owner": tender.owner,
        "body": {"tender": tender.to_json()},
    }
