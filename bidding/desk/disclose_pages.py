"""The page on which a bidder answers a trustee's complaint: its secrets, sealed to the opening keys, from its own file.

docs/spec/release.md §6, acts.md (`rescue`). A trustee that says a share does not open leaves the bid to its bidder:
whoever discloses secrets that make the header again was not at fault. The recovery file is read in the page and its
passphrase never leaves it; what leaves are secrets sealed to the opening room and to supervision's verifier, whose keys
the notice pins. The page proves freeze and complaint before it seals anything; this module only hands it the receipts.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from bidding import box, ceremony, lots
from bidding.desk import bid_pages, reading
from crypto import signing
from crypto.refusal import Refused
from storage.unit import Unit
from storage.world import stamp
from trading import tenders
from trading.counter.page.pages import Pages, Requested
from trading.hall import Hall
from trading.lifecycle import State
from trading.roles import Actor

SCRIPTS = ("disclose.js", *bid_pages.TOGETHER)


@dataclass(frozen=True, slots=True)
class Complained:
    """One own header that trustees complained of: its hash, version, envelope, who complained, the key (SPKI, hex) that
    signed the bid, and whether it was disclosed."""

    header: str
    version: int
    envelope: int
    trustees: Sequence[str]
    spki: str
    disclosed: bool


@dataclass(frozen=True, slots=True)
class Rescue:
    """What trustees say of own bids in the freeze in force. `until` (instant) ends the window, '' while it has not
    begun; `freeze` and `ready` are the events whose receipts prove it."""

    headers: Sequence[Complained]
    until: str
    over: bool
    freeze: str
    ready: Sequence[str]

    @property
    def owed(self) -> bool:
        """Whether something can still be disclosed."""
        return not self.over and any(not one.disclosed for one in self.headers)


NOTHING = Rescue((), "", False, "", ())


async def rescue(unit: Unit, lot: str, actor: Actor, *, now: datetime, hall: Hall) -> Rescue:
    """Complaints of own headers; NOTHING where there is none. Raises Refused("lot_unknown")."""
    held = await tenders.load(unit, lot)
    if held.tender.state not in (State.FROZEN, State.OPENING):
        return NOTHING
    view = await lots.view(unit, held.tender, hall=hall)
    if view.freeze is None:
        return NOTHING
    who = ceremony.readiness(view)
    said: dict[str, list[str]] = {}
    for each in who.complaints:
        said.setdefault(each.header.hex(), []).append(each.trustee)
    done = {each.act["header"] for each in await lots.acts(unit, held.tender, "rescue")}
    found = []
    for row in await unit.submission.find({"lot": lot, "organisation": actor.organisation}):
        spki = signing.certificate_spki(base64.b64decode(row["body"]["certificate"])).hex()
        for header in box.parse([base64.b64decode(text) for text in row["body"]["headers"]]):
            name = header.hash().hex()
            if name in said:
                told = Complained(name, row["bid_version"], header.envelope, sorted(said[name]), spki, name in done)
                found.append(told)
    if not found:
        return NOTHING
    names = {one.header for one in found}
    leaves = [each.leaf.hex() for each in view.ready if names & {row["header"] for row in each.act["complaints"]}]
    released = any(each.act["freeze"] == view.freeze.leaf.hex() for each in view.releases)
    return Rescue(
        found,
        stamp(who.rescue_until) if who.rescue_until else "",
        released or (who.rescue_until is not None and now >= who.rescue_until),
        await _event(unit, view.freeze.leaf.hex()),
        [await _event(unit, leaf) for leaf in leaves],
    )


def routes(pages: Pages) -> list[Any]:
    """The page, and the receipts that it proves."""
    service = pages.service
    database, world = service.database, service.world

    @get("/bidder/lots/{lot:str}/disclose")
    async def shown(request: Requested, lot: FromPath[str]) -> Response[str]:
        visitor = await pages.visitor(request)
        now = world.now()
        own = await database.read(lambda unit: reading.lot(unit, lot, visitor.actor, now=now), bearer=visitor.token)
        told = await _rescue(lot, visitor.actor, visitor.token)
        means = await bid_pages.means(pages, request, visitor, SCRIPTS)
        return pages.show(request, "bidder_disclose.html", visitor=visitor, own=own, rescue=told, **means)

    @get("/bidder/lots/{lot:str}/disclosure.json")
    async def evidence(request: Requested, lot: FromPath[str]) -> Response[bytes]:
        visitor = await pages.visitor(request)
        told = await _rescue(lot, visitor.actor, visitor.token)
        if not told.headers:
            raise Refused("not_found")
        proofs: Mapping[str, Any] = {
            "freeze": await _proof(told.freeze),
            "ready": [await _proof(event) for event in told.ready],
        }
        headers = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
        return Response(msgspec.json.encode(proofs), media_type="application/json", headers=headers)

    async def _rescue(lot: str, actor: Actor, bearer: str) -> Rescue:
        now, hall = world.now(), service.hall
        return await database.read(lambda unit: rescue(unit, lot, actor, now=now, hall=hall), bearer=bearer)

    async def _proof(event: str) -> str:
        told = await service.receipt_of(event)
        if told["status"] != "sequenced":
            raise Refused("receipt_not_sequenced", event=event)
        return str(told["proof"])

    return [shown, evidence]


async def _event(unit: Unit, leaf: str) -> str:
    rows = await unit.event.find({"leaf_hash": leaf}, limit=1)
    assert rows, "what the acts say was logged"
    return str(rows[0]["id"])
