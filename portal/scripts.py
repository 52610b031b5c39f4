"""The scripts that this hall's pages run: their list, the act that pins it in the log, and the proof of that act.

docs/spec/bundle.md §8, acts.md §2 (`scripts`), docs/decisions/0019. The rules upheld here:
- every script that any page can load stands in /release.json with its SHA-256, as it was read when the process began;
- another list than the last act named is logged, under the duty key, as soon as the roots have certified that key.

Whoever runs the hall can log an evil list, and everybody can see it for ever; they cannot serve scripts outside the
list unseen by who compares (`tradehall-verify --page`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from litestar import Response, get
from litestar.handlers import BaseRouteHandler

import bidding
import experts
import portal
import trading
from bidding.door.sealing import scripts as sealing
from crypto import jcs
from crypto.ledger import acts
from crypto.refusal import Refused
from portal.rooms import VERSION
from storage.ports import AtLeast, In
from storage.unit import Database, Unit
from storage.world import World
from trading import journal
from trading.counter.page import static
from trading.counter.service import Service
from trading.hall import Hall

KIND = "scripts"
CERTIFYING = ("key", "rotate")
LOOK_SECONDS = 1.0
SHELVES: Final[Mapping[str, Path]] = {
    "kit": static.KIT,
    "account": Path(trading.__file__).parent / "account" / "static",
    "front": Path(portal.__file__).parent / "front" / "static",
    "hall": Path(bidding.__file__).parent / "opening_hall" / "static",
    "expert": Path(experts.__file__).parent / "door" / "static",
    "bidder": Path(bidding.__file__).parent / "desk" / "static",
}
"""Scripts, styles and pictures of every door's pages: whoever shows pages serves them all under its own address."""


def listed(shelves: Mapping[str, Path] = SHELVES) -> bytes:
    """/release.json: JCS of {"v":1,"version","scripts":{address: SHA-256}} over the sealing modules and the scripts on
    the shelves of the page kit (`/static/<shelf>/<file>`)."""
    served = sealing.scripts()
    for shelf, folder in shelves.items():
        served |= {f"/static/{shelf}/{path.name}": path.read_bytes() for path in folder.glob("*.js")}
    return jcs.dumps({"v": 1, "version": VERSION, "scripts": sealing.hashes(served)})


async def announce(database: Database, *, release: bytes, version: str, world: World, hall: Hall) -> bool:
    """Log the act that pins the list, unless the last one names it; returns whether the log pins it now. False while no
    root has certified the duty key: an act of an uncertified key would be nobody's."""
    digest = sealing.hashes({"": release})[""]
    if await database.read(lambda unit: _pinned(unit, digest)):
        return True

    async def log(unit: Unit) -> bool:
        if not await _certified(unit) or await _pinned(unit, digest):
            return await _pinned(unit, digest)
        await journal.hall_act(
            unit,
            hall=hall,
            lot="",
            tender_id=acts.HALL_TENDER_ID,
            kind=KIND,
            fields={"version": version, "release": digest},
            now=world.now(),
        )
        return True

    return await database.write(log)


async def pin(service: Service, stop: asyncio.Event, *, release: bytes) -> None:
    """Announce the list as soon as that is possible, then end."""
    database, world, hall = service.database, service.world, service.hall
    while not stop.is_set():
        if await announce(database, release=release, version=VERSION, world=world, hall=hall):
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK_SECONDS)


async def _pinned(unit: Unit, digest: str) -> bool:
    last = await unit.event.find({"tender_id": acts.HALL_TENDER_ID, "kind": KIND}, order=("-seq",), limit=1)
    return bool(last) and last[0]["body"]["release"] == digest


async def _certified(unit: Unit) -> bool:
    rows = await unit.event.find({"tender_id": acts.HALL_TENDER_ID, "kind": "key"})
    return any(row["body"]["purpose"] == "duty" for row in rows)


def routes(service: Service, *, release: bytes) -> list[BaseRouteHandler]:
    """/release.json and /release.proof."""
    digest = sealing.hashes({"": release})[""]

    @get("/release.json", media_type="application/json", summary="The scripts of this hall's pages, by SHA-256")
    async def release_list() -> Response[bytes]:
        return Response(release, media_type="application/json", headers={"cache-control": "no-cache"})

    @get(
        "/release.proof",
        media_type="application/json",
        summary="Receipts of the act that pins the list, and of its key",
    )
    async def proof() -> Response[bytes]:
        async def look(unit: Unit) -> list[str]:
            keys = await unit.event.find(
                {"tender_id": acts.HALL_TENDER_ID, "seq": AtLeast(0), "kind": In(CERTIFYING)}, order=("seq",)
            )
            pins = await unit.event.find({"tender_id": acts.HALL_TENDER_ID, "kind": KIND}, order=("-seq",), limit=1)
            return [row["id"] for row in (*keys, *(row for row in pins if row["body"]["release"] == digest))]

        receipts = []
        for event in await service.database.read(look):
            told = await service.receipt_of(event)
            if told["status"] != "sequenced":
                raise Refused("not_found")
            receipts.append(told["proof"])
        text = json.dumps({"v": 1, "receipts": receipts}, ensure_ascii=False)
        return Response(text.encode(), media_type="application/json", headers={"cache-control": "no-cache"})

    return [release_list, proof]
