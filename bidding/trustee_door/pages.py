"""Trustees' and witnesses' pages: who they are, what will be due, what they did, in words a notary understands.

A trustee acts with its own program and its own keys, never with a page: no page of this hall could be trusted with a
key that opens bids. So these pages explain, show and count, and give the command; they are open to everybody.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from bidding.opening_hall import wording
from bidding.trustee_door import duties
from crypto.refusal import Refused
from storage.unit import Unit
from trading.counter.page.pages import Pages, Requested

TEMPLATES = Path(__file__).parent / "templates"
DEEDS: dict[str, tuple[str, str]] = {
    "ready": ("声明就绪", "said that it is ready"),
    "complained": ("声明就绪,并声明有份额打不开", "said that it is ready, and that a share does not open"),
    "refused": ("拒绝放出", "refused"),
    "released": ("放出份额", "released its shares"),
}


def routes(pages: Pages) -> list[Any]:
    """The handlers of trustees and witnesses; nobody signs in."""
    service = pages.service
    database, world = service.database, service.world

    def why(code: str) -> tuple[str, str]:
        """Why a trustee refused, in words where the sentence needs no fact of the case."""
        told = pages.told(Refused(code))
        return (code, code) if "{" in told["en"] + told["zh"] else (told["zh"], told["en"])

    @get("/trustees")
    async def everybody(request: Requested) -> Response[str]:
        seats = await database.read(duties.seats)
        trust = service.hall.trust

        async def seen(unit: Unit) -> dict[str, dict[str, Any]]:
            newest = {}
            for witness in trust.witnesses:
                rows = await unit.cosignature.find({"witness": witness.name}, order=("-size",), limit=1)
                if rows:
                    newest[witness.name] = rows[0]
            return newest

        newest = await database.read(seen)
        head = await service.ledger.head()
        return pages.show(
            request,
            "trustees.html",
            w=wording,
            seats=seats,
            witnesses=trust.witnesses,
            quorum=trust.quorum,
            newest=newest,
            size=head.size if head else 0,
        )

    @get("/trustees/{trustee:str}")
    async def one(request: Requested, trustee: FromPath[str]) -> Response[str]:
        seats = await database.read(duties.seats)
        seat = next((each for each in seats if each.trustee.id == trustee), None)
        if seat is None:
            raise Refused("not_found")
        due = await database.read(lambda unit: duties.of(unit, trustee, now=world.now(), hall=service.hall))
        address = str(request.base_url).rstrip("/")
        day = duties.drill_by(due)
        return pages.show(
            request,
            "trustee.html",
            w=wording,
            seat=seat,
            duties=due,
            address=address,
            drill_by=day,
            deeds=DEEDS,
            why=why,
        )

    return [everybody, one]
