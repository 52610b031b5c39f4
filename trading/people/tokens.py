"""Bearer tokens: one person in one role for one organisation, known to the hall by their SHA-256 alone.

Whoever reads the table can see who may act; they cannot act. A token is given by whoever registers the person.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256

from storage.unit import Unit
from storage.world import stamp
from trading.hall import Hall
from trading.roles import Role

TOKEN_DAYS = 365


def token_hash(token: str) -> str:
    """The name under which a token is kept."""
    return sha256(token.encode()).hexdigest()


async def give(unit: Unit, *, login: str, organisation: str, role: Role, now: datetime, hall: Hall) -> str:
    """A new bearer token for one person in one role; only its hash is kept."""
    token = hall.entropy(24).hex()
    row = {"hash": token_hash(token), "person": login, "organisation": organisation}
    expires = stamp(now + timedelta(days=TOKEN_DAYS))
    await unit.token.insert({**row, "expires": expires, "body": {"role": role.value}})
    return token
