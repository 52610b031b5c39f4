"""A tender that was opened and stopped: replaced, withdrawn, garbage and valid bids, fewer than three of them valid."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from litestar import Litestar
from litestar.datastructures import State

from crypto import words
from crypto.refusal import Refused
from storage.world import stamp
from supervision.door import routes
from trading.counter import problems
from trading.counter.service import Service
from trading.people.tokens import token_hash
from trading.roles import Actor, Role

Doing = Callable[[Any], Awaitable[None]]


def service_of(stage: Any) -> Service:
    """The stage's means as a door has them."""
    return Service(world=stage.world, database=stage.database, ledger=stage.ledger, blobs=stage.blobs, hall=stage.hall)


def garble_all(page: dict[str, Any]) -> None:
    """Both manifests lie about the bidder."""
    page["bidder"]["name"] += "?"


def garble_documents(page: dict[str, Any]) -> None:
    """The manifest of the documents lies."""
    if page["envelope"] == 1:
        page["bidder"]["name"] += "?"


async def bids(stage: Any) -> None:
    """Five bidders: version 2 replaces 1; one withdrawn; two whose manifests lie; one plain."""
    first, second, third, fourth = stage.keys.bidders[:4]
    await stage.hand_in(first, price_fen=510_000_000)
    await stage.sequence()
    await stage.hand_in(first, price_fen=505_000_000, version=2)
    withdrawn = await stage.hand_in(second)
    await stage.hand_in(stage.keys.bidders[4], files={"a.pdf": bytes(3_000_000)})
    await stage.sequence()
    await stage.withdraw(withdrawn)
    await stage.hand_in(third, forge=garble_documents)
    await stage.hand_in(fourth, forge=garble_all)
    await stage.sequence()


async def until_stopped(stage: Any) -> None:
    """From bids to the failure of the tender after its opening."""
    await bids(stage)
    await stage.open()
    for _ in range(3):
        stage.wait(1)
        await stage.tick()


def supervisor(stage: Any) -> Actor:
    """The supervisor whose key the TENDER act pins."""
    actor: Actor = stage.keys.regulator.actor
    return actor


class Door:
    """The supervisors' door over a stage, asked over HTTP as anybody."""

    def __init__(self, stage: Any) -> None:
        self._stage = stage
        app = Litestar(
            routes.routes(service_of(stage), room=stage.room),
            state=State({"words": words.load("crypto", "trading", "bidding", "supervision")}),
            exception_handlers={Refused: problems.on_refused},
            openapi_config=None,
        )
        self._http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hall.example")

    async def token(self, actor: Actor) -> str:
        """A token of this actor."""
        token = f"token of {actor.person} as {actor.role}"
        row = {
            "hash": token_hash(token),
            "person": actor.person,
            "organisation": actor.organisation,
            "expires": stamp(self._stage.now + timedelta(days=100)),
            "body": {"role": actor.role.value},
        }

        async def keep(unit: Any) -> None:
            if await unit.token.read(row["hash"]) is None:
                await unit.token.insert(row)

        await self._stage.database.write(keep)
        return token

    async def get(self, what: str, actor: Actor | None = None, **query: str) -> httpx.Response:
        """GET /api/v1/lots/{lot}/{what}."""
        headers = {"authorization": f"Bearer {await self.token(actor)}"} if actor else {}
        return await self._http.get(f"/api/v1/lots/{self._stage.lot}/{what}", params=query, headers=headers)


def everybody() -> list[Actor]:
    """One actor in every role, and one more who may read."""
    return [Actor(f"somebody-{role.value}", "915101000000009999", role, "192.0.2.1", "test") for role in Role]


def empty(folder: Path) -> bool:
    """Whether nothing was left behind."""
    return not any(folder.glob("tradehall-*"))
