"""Delegation: a person lets a colleague of the same organisation act in its role from one day to another.

20号令 §49 (whose act it was stays known: the colleague acts under its own name, nobody hands a password on). What one
holds by delegation one cannot hand on; experts and owner's representatives judge in person (法 §37, 条例 §48) and
cannot delegate at all. Whoever can write the table of grants can make one up; it shows in the list of whoever gave it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from crypto.refusal import Refused
from storage.unit import Unit
from storage.world import stamp
from trading import roles
from trading.calendar import CHINA
from trading.hall import Hall
from trading.roles import Actor, Appointment, Role

DAYS_MAX = 366
PERSONAL = frozenset({Role.EXPERT, Role.OWNER_REPRESENTATIVE, Role.TRUSTEE, Role.WITNESS, Role.NOTARY})
"""Roles that are exercised in person."""


@dataclass(frozen=True, slots=True)
class Delegation:
    """One delegation: `id`, who gave it, who has it, the role, first and last instant as ledger text."""

    id: str
    giver: str
    holder: str
    role: str
    first: str
    until: str


async def give(unit: Unit, *, actor: Actor, to: str, first: date, last: date, now: datetime, hall: Hall) -> Delegation:
    """Let a colleague act in the actor's role from the first day to the end of the last one (China time).

    Raises Refused: delegation_personal, delegation_dates, delegation_not_colleague, post_not_held (what is delegated
    cannot be handed on), roles_incompatible.
    """
    if actor.role in PERSONAL:
        raise Refused("delegation_personal", role=actor.role.value)
    today = now.astimezone(CHINA).date()
    if not today <= first <= last <= first + timedelta(days=DAYS_MAX):
        raise Refused("delegation_dates", days=DAYS_MAX)
    held = await unit.role_grant.find({"person": actor.person, "organisation": actor.organisation})
    if not any(row["role"] == actor.role.value and "until" not in row["body"] for row in held):
        raise Refused("post_not_held", role=actor.role.value)
    person = await unit.person.read(to)
    if person is None or person["organisation"] != actor.organisation or to == actor.person:
        raise Refused("delegation_not_colleague", login=to)
    theirs = await unit.role_grant.find({"person": to})
    appointed = [Appointment(one["person"], one["organisation"], Role(one["role"])) for one in theirs]
    roles.check_appointment(appointed, Appointment(to, actor.organisation, actor.role))
    begins = datetime.combine(first, time(), CHINA)
    ends = datetime.combine(last + timedelta(days=1), time(), CHINA) - timedelta(milliseconds=1)
    body = {"lot": None, "giver": actor.person, "from": stamp(begins), "until": stamp(ends)}
    id_ = hall.entropy(16).hex()
    row = {"id": id_, "person": to, "organisation": actor.organisation, "role": actor.role.value, "body": body}
    await unit.role_grant.insert(row)
    return Delegation(id_, actor.person, to, actor.role.value, body["from"] or "", body["until"] or "")


async def of(unit: Unit, actor: Actor, *, now: datetime) -> list[Delegation]:
    """What the actor gave or holds and that is not over, by its last day."""
    rows = await unit.role_grant.find({"organisation": actor.organisation})
    found = [_delegation(row) for row in rows if "until" in row["body"] and row["body"]["until"] >= stamp(now)]
    return sorted((one for one in found if actor.person in (one.giver, one.holder)), key=lambda one: one.until)


async def end(unit: Unit, *, actor: Actor, id_: str, now: datetime) -> None:
    """End a delegation now, by either side; the sessions that stand on it end with it.

    Raises Refused("delegation_unknown").
    """
    row = await unit.role_grant.read(id_)
    if row is None or actor.person not in (row["body"].get("giver"), row["person"]) or "until" not in row["body"]:
        raise Refused("delegation_unknown")
    over = {**row["body"], "until": stamp(now - timedelta(milliseconds=1))}
    await unit.role_grant.update({**row, "body": over}, expected_version=row["version"])
    for session in await unit.token.find({"person": row["person"]}):
        stands = session["organisation"] == row["organisation"] and session["body"]["role"] == row["role"]
        if stands and session["body"].get("session"):
            await unit.token.delete(session["hash"])


def _delegation(row: dict[str, Any]) -> Delegation:
    body = row["body"]
    return Delegation(row["id"], body["giver"], row["person"], row["role"], body["from"], body["until"])
