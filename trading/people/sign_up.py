"""Signing up: a bidder's organisation with its first person, and that person's colleagues.

20号令 §24: registration costs nothing and asks for nothing but what is needed to know who acts: the organisation's name
and unified social credit code, the person's name, and how to reach it if it likes. No qualification, no deposit, no
branch office. The code's check character is verified (GB 32100-2015); that the organisation is meant is proved by its
signing certificate, without which no bid is taken (docs/spec/ledger.md §8).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from crypto.refusal import Refused
from storage.unit import Unit
from trading import codes
from trading.commands import parties
from trading.hall import Hall
from trading.people import accounts, graphs, organisations
from trading.people.organisations import Organisation
from trading.roles import Actor, Role


@dataclass(frozen=True, slots=True)
class Applicant:
    """Who signs up: login, name, password, and how to be reached ('' for not at all)."""

    login: str
    name: str
    password: str
    email: str = ""
    phone: str = ""


async def sign_up(unit: Unit, who: Applicant, *, uscc: str, organisation: str, now: datetime, hall: Hall) -> None:
    """Take in a bidder's organisation with its first person.

    Raises Refused: uscc_wrong, organisation_known (its own people let further ones in), login_wrong, account_exists,
    password_too_short, password_too_long, operator_linked_to_bidder (E-32), roles_incompatible.
    """
    codes.check_uscc(uscc)
    graph = await graphs.load(unit)
    if any(one.uscc == uscc for one in graph.organisations):
        raise Refused("organisation_known", uscc=uscc)
    taken_in = Organisation(uscc, organisation, roles=frozenset({Role.BIDDER}))
    graph = organisations.changed(graph, organisations=[taken_in])
    organisations.check_bidder(graph, uscc, agent=None)
    await graphs.keep(unit, graph)
    await _let_in(unit, who, uscc=uscc, role=Role.BIDDER, now=now, hall=hall)


async def add_colleague(unit: Unit, who: Applicant, *, actor: Actor, now: datetime, hall: Hall) -> None:
    """Let a colleague of the same organisation act in the actor's own role, with an account of its own.

    Raises Refused: colleague_by_the_centre (who is not a bidder is registered by the centre), login_wrong,
    account_exists, password_too_short.
    """
    if actor.role is not Role.BIDDER:
        raise Refused("colleague_by_the_centre")
    await _let_in(unit, who, uscc=actor.organisation, role=actor.role, now=now, hall=hall)


async def _let_in(unit: Unit, who: Applicant, *, uscc: str, role: Role, now: datetime, hall: Hall) -> None:
    accounts.check_login(who.login)
    if await unit.account.read(who.login) is not None or await unit.person.read(who.login) is not None:
        raise Refused("account_exists", login=who.login)
    token = await parties.appoint(
        unit, login=who.login, name=who.name, organisation=uscc, role=role, lot=None, now=now, hall=hall
    )
    # A person who signs up by a page gets no token for programs; one is made when it asks.
    await accounts.end_session(unit, token)
    await accounts.open_account(unit, login=who.login, password=who.password)
    row = await unit.account.read(who.login)
    assert row is not None, "just opened"
    body = {**row["body"], "email": who.email, "phone": who.phone}
    await unit.account.update({**row, "body": body}, expected_version=row["version"])
