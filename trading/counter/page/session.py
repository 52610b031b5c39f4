"""Sessions in a browser: one cookie per door, a token against forged requests, and what is kept when one is lost.

A cookie is HttpOnly and SameSite=Lax; it is Secure wherever the door is reached over TLS. Every form carries
`csrf`, derived from the session's own secret, so a page of another site can neither read nor guess it; a script of
ours sends the same value as `x-csrf-token` and may then use the API. A session is one person in one role at one door.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from litestar import Request
from litestar.datastructures import Cookie

from crypto.refusal import Refused
from storage.unit import Unit
from storage.world import stamp
from trading.counter.service import Service
from trading.people.tokens import token_hash
from trading.roles import Actor, Role

DOORS: Mapping[str, frozenset[Role]] = {
    "desk": frozenset({Role.OWNER, Role.AGENT}),
    "centre": frozenset({Role.CENTRE, Role.ADMINISTRATOR}),
    "bidder": frozenset({Role.BIDDER}),
    "expert": frozenset({Role.EXPERT, Role.OWNER_REPRESENTATIVE}),
    "watch": frozenset({Role.SUPERVISOR, Role.INSPECTOR, Role.AUDITOR}),
    "trustee": frozenset({Role.TRUSTEE, Role.WITNESS, Role.NOTARY}),
}
"""Which roles go in by which door; the door is also the first part of its pages' addresses."""

Requested = Request[Any, Any, Any]


class SignedOut(Exception):
    """The page needs somebody who is signed in at this door; `kept` is what was typed."""

    def __init__(self, door: str) -> None:
        super().__init__(door)
        self.door = door
        self.kept: list[tuple[str, str]] = []


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody signed in at a door: who acts, under which session, and the names to greet with."""

    actor: Actor
    token: str
    door: str
    name: str
    organisation: str

    @property
    def csrf(self) -> str:
        """What every form of this session carries."""
        return csrf(self.token)


def door_of(role: Role) -> str:
    """The door of a role. Raises Refused("role_has_no_door")."""
    for door, roles in DOORS.items():
        if role in roles:
            return door
    raise Refused("role_has_no_door", role=role.value)


def cookie_name(door: str) -> str:
    """The cookie that holds the session of a door."""
    return f"tradehall_{door}"


def csrf(token: str) -> str:
    """The value that proves a request comes from a page of this session."""
    return sha256(b"tradehall csrf\0" + token.encode()).hexdigest()[:40]


def cookie(request: Requested, door: str, token: str, *, ended: bool = False) -> Cookie:
    """The cookie that begins a session, or ends it."""
    return Cookie(
        key=cookie_name(door),
        value=token,
        path="/",
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
        max_age=0 if ended else None,
    )


async def visitor(request: Requested, service: Service, door: str) -> Visitor:
    """Who is signed in at this door. Raises SignedOut."""
    token = request.cookies.get(cookie_name(door), "")
    if not token:
        raise SignedOut(door)

    async def look(unit: Unit) -> tuple[dict[str, Any] | None, str, str]:
        row = await unit.token.read(token_hash(token))
        if row is None or row["expires"] <= stamp(service.world.now()):
            return None, "", ""
        person, organisation = await unit.person.read(row["person"]), await unit.organisation.read(row["organisation"])
        return (
            row,
            person["body"]["name"] if person else row["person"],
            organisation["body"]["name"] if organisation else "",
        )

    row, name, organisation = await service.database.read(look, bearer=token)
    if row is None or row["body"].get("session") != door:
        raise SignedOut(door)
    address = request.client.host if request.client else ""
    device = request.headers.get("user-agent", "")[:200]
    actor = Actor(row["person"], row["organisation"], Role(row["body"]["role"]), address, device)
    return Visitor(actor, token, door, name, organisation)


def token_by_script(request: Requested) -> str:
    """The session of a request that a script of ours sent to the API: a cookie whose csrf value came as a header."""
    proof = request.headers.get("x-csrf-token", "")
    for door in DOORS if proof else ():
        token = request.cookies.get(cookie_name(door), "")
        if token and csrf(token) == proof:
            return token
    return ""
