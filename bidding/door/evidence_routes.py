"""What a page of sealing is shown so that it can prove a tender's roster for itself, under the person's own anchors.

docs/spec/release.md §2; bidding/door/sealing/ledger/certified.js judges it. Receipts of the TENDER act, of the acts
that certify the seated trustees and their one-time keys, and of the hall's keys; all of them public acts. Nothing here
is believed by who reads it: an act that is left out or not witnessed yet makes the page refuse.
"""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response, get
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath

from crypto.ledger import acts
from crypto.refusal import Refused
from crypto.roster import Roster
from storage.ports import AtLeast, In
from storage.unit import Unit
from trading import tenders
from trading.counter.service import RECEIPT_SECONDS_MAX, Service

CERTIFYING = ("trustee", "pre_keys", "key", "rotate")


def routes(service: Service) -> list[BaseRouteHandler]:
    """The handler of the evidence."""

    @get(
        "/api/v1/bidding/lots/{lot:str}/evidence",
        summary="Receipts that prove the roster",
        operation_id="bidding_evidence",
    )
    async def evidence(lot: FromPath[str]) -> Response[bytes]:
        first, hall = await service.database.read(lambda unit: _events(unit, lot))
        act = first["body"]
        told = {
            "tender": await _proof(service, first["id"]),
            "hall": [await _proof(service, event) for event in hall],
            "rulebook": act["rulebook"]["hash"],
            "terms": act["terms_hash"],
        }
        return Response(msgspec.json.encode(told), media_type="application/json")

    return [evidence]


async def _events(unit: Unit, lot: str) -> tuple[dict[str, Any], list[str]]:
    """The row of the TENDER act, and the ids of the hall's acts that its roster rests on, in their order."""
    held = await tenders.load(unit, lot)
    rows = await unit.event.find({"tender_id": held.tender.tender_id, "seq": 0}, limit=1)
    assert rows, "a tender begins with its act"
    act = rows[0]["body"]
    seated = {trustee for places in act["seats"] for trustee in places}
    keys = {key.hex() for lock in Roster.decode(bytes.fromhex(act["roster"])).locks for key in lock.keys}
    hall = await unit.event.find(
        {"tender_id": acts.HALL_TENDER_ID, "seq": AtLeast(0), "kind": In(CERTIFYING)}, order=("seq",)
    )
    return dict(rows[0]), [row["id"] for row in hall if _matters(row["body"], seated, keys)]


def _matters(act: dict[str, Any], seated: set[str], keys: set[str]) -> bool:
    match act["kind"]:
        case "trustee":
            return act["trustee"] in seated
        case "pre_keys":
            return act["trustee"] in seated and not keys.isdisjoint(act["keys"])
        case _:
            return True


async def _proof(service: Service, event: str) -> str:
    """The receipt of a public act; one of a moment ago is waited for as a receipt is. Raises
    Refused("evidence_not_sequenced") where the sequencer does not come."""
    told = await service.receipt_of(event)
    if told["status"] != "sequenced" and await service.ledger.wait_for(event, seconds=RECEIPT_SECONDS_MAX):
        told = await service.receipt_of(event)
    if told["status"] != "sequenced":
        raise Refused("evidence_not_sequenced", event=event)
    return str(told["proof"])
