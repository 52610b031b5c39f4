"""Organisations and people: enrolment of a bidder, registration by the centre, the organisation graph, trustees.

20号令 §9, §20, §24 (registration is free and nothing but verification); 条例 §5, 法 §14 (who may not stand under whom).
A change of the graph is judged against the roles held in running tenders, so that no incompatible pair arises later.
Whoever registers people can let somebody in; they cannot give one hand two incompatible roles.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from crypto import certificates, signing
from crypto.refusal import Refused
from storage.unit import Unit
from trading import codes, journal, roles
from trading.hall import Hall
from trading.journal import Outcome
from trading.people import graphs, keys, organisations, tokens
from trading.people.organisations import Edge, Organisation
from trading.roles import Actor, Appointment, Permission, Role

CERTIFICATE_DAYS = 1825


class Enrol(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Enrol an organisation as a bidder. `request` proves possession of the key (PKCS#10, base64 DER); `certificate`
    is the one a licensed authority issued for it, absent only in a rehearsal, whose own authority issues one."""

    request: str
    certificate: str | None = None


class RegisterOrganisation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Register an organisation with the roles it may take in this hall."""

    name: str
    uscc: str
    roles: list[str]
    responsible: str | None = None
    government: bool = False
    power: str | None = None


class RegisterPerson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Register a natural person in one role for one organisation; `lot` where the role holds in one lot only."""

    login: str
    name: str
    organisation: str
    role: str
    lot: str | None = None
    power: str | None = None


class GraphEdge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`parent` controls, manages or stands administratively above `child`."""

    parent: str
    child: str
    kind: Literal["control", "manage", "subordinate"]


class EditOrganisationGraph(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Add and remove edges of the organisation graph."""

    add: list[GraphEdge] = []
    remove: list[GraphEdge] = []
    power: str | None = None


class CertifyTrustee(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Log a TRUSTEE act that both roots have signed."""

    act: dict[str, Any]
    power: str | None = None


async def enrol(cmd: Enrol, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """Take in a bidder and give it a token. Raises Refused: what certificates and codes refuse, certificate_missing,
    certificate_key_differs, operator_linked_to_bidder (E-32), roles_incompatible."""
    subject = certificates.verify_request(unbase64(cmd.request))
    codes.check_uscc(subject.uscc)
    der = certified(subject, cmd.request, cmd.certificate, now=now, hall=hall)
    graph = await graphs.load(unit)
    known = next((one for one in graph.organisations if one.uscc == subject.uscc), None)
    roles_now = (known.roles if known else frozenset()) | {Role.BIDDER}
    taken_in = Organisation(subject.uscc, subject.name, roles=frozenset(roles_now))
    graph = organisations.changed(graph, organisations=[taken_in])
    organisations.check_bidder(graph, subject.uscc, agent=None)
    await graphs.keep(unit, graph)
    await keys.keep(unit, subject.uscc, der, now=now)
    login = f"bidder-{subject.uscc}-{hall.entropy(4).hex()}"
    token = await appoint(
        unit, login=login, name=subject.name, organisation=subject.uscc, role=Role.BIDDER, lot=None, now=now, hall=hall
    )
    certificate = base64.b64encode(der).decode()
    return Outcome(result={"certificate": certificate, "token": token, "login": login})


def certified(
    subject: certificates.Subject, request: str, certificate: str | None, *, now: datetime, hall: Hall
) -> bytes:
    """The certificate (DER) for a proved request: the one that was brought, proved under trust.json, or one that a
    rehearsal's own authority issues. Raises Refused: certificate_missing, certificate_key_differs, what certificates
    refuses."""
    if certificate is not None:
        der = unbase64(certificate)
        if certificates.verify_chain(der, hall.trust.ca_roots, at=now) != subject:
            raise Refused("certificate_key_differs")
        return der
    if hall.authority is None:
        raise Refused("certificate_missing")
    serial = int.from_bytes(hall.entropy(16), "big") >> 1
    # A certificate reaches back a little, because clocks differ.
    since, until = now - timedelta(days=1), now + timedelta(days=CERTIFICATE_DAYS)
    return hall.authority.issue(unbase64(request), serial=serial, not_before=since, not_after=until)


async def register_organisation(
    cmd: RegisterOrganisation, *, actor: Actor, now: datetime, unit: Unit, hall: Hall
) -> Outcome:
    """Put an organisation into the graph, or give it more roles."""
    actor.must(Permission.ORGANISATION_REGISTER, now=now, power=cmd.power)
    codes.check_uscc(cmd.uscc)
    one = Organisation(
        cmd.uscc, cmd.name, cmd.responsible, cmd.government, frozenset(_role(each) for each in cmd.roles)
    )
    graph = organisations.changed(await graphs.load(unit), organisations=[one], appointments=await appointments(unit))
    await graphs.keep(unit, graph)
    return Outcome(result={"uscc": cmd.uscc})


async def register_person(cmd: RegisterPerson, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """Appoint a person to a role; returns the token the person signs in with."""
    actor.must(Permission.PERSON_REGISTER, now=now, power=cmd.power)
    graph = await graphs.load(unit)
    role = _role(cmd.role)
    if role not in graph.find(cmd.organisation).roles:
        graph = organisations.with_role(graph, cmd.organisation, role)
        await graphs.keep(unit, graph)
    token = await appoint(
        unit,
        login=cmd.login,
        name=cmd.name,
        organisation=cmd.organisation,
        role=role,
        lot=cmd.lot,
        now=now,
        hall=hall,
    )
    return Outcome(result={"login": cmd.login, "token": token})


async def edit_organisation_graph(
    cmd: EditOrganisationGraph, *, actor: Actor, now: datetime, unit: Unit, hall: Hall
) -> Outcome:
    """Change control edges; what would make two incompatible roles meet is refused."""
    actor.must(Permission.ORGANISATION_GRAPH_EDIT, now=now, power=cmd.power)
    graph = organisations.changed(
        await graphs.load(unit),
        edges=[Edge(edge.parent, edge.child, edge.kind) for edge in cmd.add],
        removed=[Edge(edge.parent, edge.child, edge.kind) for edge in cmd.remove],
        appointments=await appointments(unit),
    )
    await graphs.keep(unit, graph)
    return Outcome(result={"edges": len(graph.edges)})


async def certify_trustee(cmd: CertifyTrustee, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """Log the TRUSTEE act. Raises Refused("trustee_not_certified") unless both roots of trust.json signed it."""
    actor.must(Permission.TRUSTEE_CERTIFY, now=now, power=cmd.power)
    proved = {signer.key for signer in signing.verify_act(cmd.act)}
    trusted = set(hall.trust.trustee_roots.values())
    if cmd.act.get("kind") != "trustee" or not trusted <= proved:
        raise Refused("trustee_not_certified", trustee=cmd.act.get("trustee"))
    logged = await journal.outside_act(unit, cmd.act, hall=hall, lot="", actor=actor, now=now)
    act = logged.act
    await unit.trustee.insert(
        {
            "id": act["trustee"],
            "organisation": act["organisation"]["uscc"],
            "state": "certified",
            "body": {"act": dict(act)},
        }
    )
    return Outcome((logged,))


async def appoint(
    unit: Unit,
    *,
    login: str,
    name: str,
    organisation: str,
    role: Role,
    lot: str | None,
    now: datetime,
    hall: Hall,
) -> str:
    """Give a person a role and a token. Raises Refused: roles_incompatible, supervisory_staff_on_panel (E-66)."""
    new = Appointment(login, organisation, role, lot)
    held = await unit.role_grant.find({"person": login})
    same_organisation = await unit.role_grant.find({"organisation": organisation})
    roles.check_appointment([_appointment(row) for row in (*held, *same_organisation)], new)
    if await unit.person.read(login) is None:
        await unit.person.insert({"id": login, "login": login, "organisation": organisation, "body": {"name": name}})
    grant = {"person": login, "organisation": organisation, "role": role.value, "body": {"lot": lot}}
    await unit.role_grant.insert({"id": hall.entropy(16).hex(), **grant})
    return await tokens.give(unit, login=login, organisation=organisation, role=role, now=now, hall=hall)


async def keep_certificate(unit: Unit, uscc: str, der: bytes) -> None:
    """Remember a certificate that an organisation brought when it was registered."""
    await keys.keep(unit, uscc, der, now=certificates.validity(der)[0])


async def appointments(unit: Unit) -> list[Appointment]:
    """Every role that somebody holds."""
    return [_appointment(row) for row in await unit.role_grant.find()]


def _appointment(row: dict[str, Any]) -> Appointment:
    return Appointment(row["person"], row["organisation"], Role(row["role"]), row["body"].get("lot"))


def _role(name: str) -> Role:
    try:
        return Role(name)
    except ValueError as error:
        raise Refused("role_unknown", role=name) from error


def unbase64(text: str) -> bytes:
    """Bytes of base64 text. Raises Refused("base64_malformed")."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused("base64_malformed") from error
