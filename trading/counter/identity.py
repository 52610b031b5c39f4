"""Who is asking: a bearer token names one person in one role for one organisation (no shared accounts).

The database holds only the SHA-256 of a token. Whoever reads the table can see who is signed in; they cannot sign in.
"""

from __future__ import annotations

from typing import Any

from litestar import Request

from crypto.refusal import Refused
from storage.unit import Unit
from storage.world import stamp
from trading.counter.page import session
from trading.counter.service import Service
from trading.people.tokens import token_hash
from trading.roles import MATRIX, Actor, Permission, Role

ANONYMOUS = "anonymous"
DEVICE_CHARACTERS_MAX = 200

Requested = Request[Any, Any, Any]


def bearer(request: Requested) -> str:
    """The token in the clear, '' when there is none: a bearer's, or that of a page's session whose script asks."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else session.token_by_script(request)


async def of(request: Requested, service: Service, *, anonymous: bool = False) -> Actor:
    """The actor behind a request. Raises Refused: token_missing (unless `anonymous`), token_unknown, token_expired."""
    address = request.client.host if request.client else ""
    device = request.headers.get("user-agent", "")[:DEVICE_CHARACTERS_MAX]
    token = bearer(request)
    if not token:
        if not anonymous:
            raise Refused("token_missing")
        return Actor(ANONYMOUS, "", Role.PUBLIC, address, device)

    async def look(unit: Unit) -> dict[str, Any] | None:
        return await unit.token.read(token_hash(token))

    row = await service.database.glance(look)
    if row is None:
        raise Refused("token_unknown")
    if row["expires"] <= stamp(service.world.now()):
        raise Refused("token_expired")
    return Actor(row["person"], row["organisation"], Role(row["body"]["role"]), address, device)


def must_hold(actor: Actor, permission: Permission) -> None:
    """Raise Refused("permission_denied") unless the actor's role has the verb at all; the command judges the rest."""
    if permission not in MATRIX[actor.role]:
        raise Refused("permission_denied", permission=permission.value, role=actor.role.value)
