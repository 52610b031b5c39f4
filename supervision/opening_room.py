"""The opening room as another process: supervision asks it for what only its key opens, and gets it under a grant.

docs/spec/bundle.md §3; sealing rules §5 (Opening room). The rules upheld: the room judges the supervisor's session,
role and power itself, and logs its grant before the first secret leaves; who makes the bundle holds no key.

Whoever controls the asking process can use a supervisor's live session; they cannot ask without one.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
from litestar import Request, Response, post
from litestar.handlers import BaseRouteHandler
from litestar.params import JSONBody

from bidding import opening
from bidding.opening_keys import Desk
from crypto.refusal import Refused
from supervision.bundle import RoomSecrets, log_grant
from trading import tenders
from trading.counter import identity
from trading.counter.service import Service
from trading.roles import Permission

PATH = "/inner/secrets"
TOKEN_HEADER = "x-tradehall-inner"
SECONDS_MAX = 120.0
Requested = Request[Any, Any, Any]


class AskSecrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The secrets of a lot's opened bids, for a full bundle."""

    lot: str
    power: str | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """What the room gave: S of every lock by bid, and what bidders disclosed by header (hex)."""

    by_bid: Mapping[str, Sequence[bytes]]
    by_header: Mapping[str, Sequence[bytes]]

    def documents(self, bid: str) -> Sequence[bytes]:
        """S of every lock of the documents envelope of a bid that was opened."""
        return self.by_bid[bid]

    def rescued(self, header: str) -> Sequence[bytes]:
        """What a bidder disclosed for the header of this hash."""
        return self.by_header[header]


@dataclass(frozen=True, slots=True)
class OpeningRoom:
    """The room's inner door, for the process that makes bundles; `token` is what that process shows there."""

    url: str
    token: str

    async def secrets(self, lot: str, *, bearer: str, power: str | None) -> Given:
        """Raises what the room refuses, and Refused("busy_try_again") when it does not answer."""
        headers = {"authorization": f"Bearer {bearer}", TOKEN_HEADER: self.token}
        try:
            async with httpx.AsyncClient(timeout=SECONDS_MAX, trust_env=False) as client:
                answer = await client.post(self.url + PATH, json={"lot": lot, "power": power}, headers=headers)
        except httpx.HTTPError as error:
            raise Refused("busy_try_again") from error
        told = answer.json()
        if not answer.is_success:
            raise Refused(str(told.get("code", "busy_try_again")), rule=told.get("rule"))
        return Given(_bytes(told["documents"]), _bytes(told["rescued"]))


def secrets_route(service: Service, room: Desk, token: str) -> BaseRouteHandler:
    """The room's side; it stands on a network that only the asking process shares."""

    @post(PATH, status_code=200, summary="Secrets of opened bids, for a full bundle", include_in_schema=False)
    async def secrets(request: Requested, data: JSONBody[AskSecrets]) -> Response[bytes]:
        if not hmac.compare_digest(request.headers.get(TOKEN_HEADER, ""), token):
            raise Refused("token_unknown")
        actor = await identity.of(request, service)
        now = service.world.now()
        actor.must(Permission.FULL_BUNDLE_EXPORT, now=now, power=data.power)
        tender = (await service.database.read(lambda unit: tenders.load(unit, data.lot))).tender
        if tender.report_at is None and tender.ended_because is None:
            raise Refused("bundle_full_not_yet", rule="E-65", lot=data.lot, state=tender.state.value)
        case = await service.database.read(lambda unit: opening.case(unit, data.lot, hall=service.hall))
        found = await asyncio.to_thread(_found, case, room)
        await log_grant(service, tender, actor=actor, now=now)
        return Response(msgspec.json.encode(found), media_type="application/json")

    return secrets


def _found(case: opening.Case, room: Desk) -> dict[str, dict[str, list[str]]]:
    secrets = RoomSecrets.of(case, room)
    documents = {}
    for bid in case.bids:
        try:
            documents[bid.bid] = [each.hex() for each in secrets.documents(bid.bid)]
        except Refused:
            continue  # It was never opened: the bundle shows none either.
    rescued = {header.hex(): [each.hex() for each in secrets.rescued(header.hex())] for header in case.rescues}
    return {"documents": documents, "rescued": rescued}


def _bytes(told: Mapping[str, Sequence[str]]) -> dict[str, list[bytes]]:
    return {name: [bytes.fromhex(each) for each in values] for name, values in told.items()}
