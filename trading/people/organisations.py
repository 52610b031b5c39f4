"""The organisation graph: who controls, manages or stands above whom, and what that forbids.

20号令 §23 (the operator and those it controls or manages, or that control or manage it, do not bid on its platform:
E-32), 条例 §13 (the agent and its kin do not bid in its tender: E-31), 条例 §34 (one responsible person, or control or
management, between two bidders of one lot), 条例 §5 (no supervisor above the trading centre), 法 §14 (no government
body above an agent), 39号令 (the centre runs no agency). An edit of the graph is judged as a whole: it may not make a
forbidden pair arise.

Whoever registers organisations can leave an edge out; they cannot add a role that the edges present forbid.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

from crypto.refusal import Refused
from trading.roles import FAMILY, NEVER_TOGETHER, Appointment, Family, Parties, Role

EdgeKind = Literal["control", "manage", "subordinate"]


@dataclass(frozen=True)
class Organisation:
    """A legal entity by its unified social credit code. `responsible` is the person id of its 单位负责人; `government`
    marks an administrative body."""

    uscc: str
    name: str
    responsible: str | None = None
    government: bool = False
    roles: frozenset[Role] = frozenset()


@dataclass(frozen=True)
class Edge:
    """`parent` controls (控股), manages (管理) or stands administratively above (隶属) `child`."""

    parent: str
    child: str
    kind: EdgeKind


@dataclass(frozen=True)
class Graph:
    """Organisations and edges. A graph that exists keeps the rules of `check`: use `changed` to edit it."""

    organisations: tuple[Organisation, ...] = ()
    edges: frozenset[Edge] = frozenset()

    def find(self, uscc: str) -> Organisation:
        """The organisation of a code. Raises organisation_unknown."""
        found = next((one for one in self.organisations if one.uscc == uscc), None)
        if found is None:
            raise Refused("organisation_unknown", uscc=uscc)
        return found

    def below(self, uscc: str, kinds: frozenset[str] = frozenset({"control", "manage"})) -> frozenset[str]:
        """Everybody whom the organisation controls or manages, directly or through others; not itself."""
        reached: set[str] = set()
        waiting = [uscc]
        while waiting:
            parent = waiting.pop()
            for edge in self.edges:
                if edge.parent == parent and edge.kind in kinds and edge.child not in reached:
                    reached.add(edge.child)
                    waiting.append(edge.child)
        return frozenset(reached - {uscc})

    def with_kin(self, uscc: str) -> frozenset[str]:
        """The organisation and those it controls or manages."""
        return self.below(uscc) | {uscc}

    def linked(self, one: str, other: str) -> bool:
        """Whether they are the same, or one controls or manages the other (directly or through others)."""
        return one == other or other in self.below(one) or one in self.below(other)


_ANY = frozenset({"control", "manage", "subordinate"})


def changed(
    graph: Graph,
    *,
    organisations: Iterable[Organisation] = (),
    edges: Iterable[Edge] = (),
    removed: Iterable[Edge] = (),
    appointments: Iterable[Appointment] = (),
) -> Graph:
    """The graph with organisations put in (or replaced), edges added and removed; raises what `check` raises."""
    new = {one.uscc: one for one in (*graph.organisations, *organisations)}
    edited = Graph(tuple(new.values()), (graph.edges | frozenset(edges)) - frozenset(removed))
    return check(edited, appointments=appointments)


def with_role(graph: Graph, uscc: str, role: Role) -> Graph:
    """The graph where the organisation holds one role more; raises what `check` raises."""
    found = graph.find(uscc)
    return changed(graph, organisations=[replace(found, roles=found.roles | {role})])


def check(graph: Graph, *, appointments: Iterable[Appointment] = ()) -> Graph:
    """Return the graph, or raise: edge_to_unknown_organisation, roles_incompatible, centre_under_a_supervisor (条例
    §5), agent_under_government (法 §14), agent_of_the_centre (39号令), operator_linked_to_bidder (E-32),
    agent_linked_to_bidder (E-31). `appointments` are roles in lots of tenders still running."""
    known = {one.uscc for one in graph.organisations}
    for edge in graph.edges:
        if not {edge.parent, edge.child} <= known or edge.parent == edge.child:
            raise Refused("edge_to_unknown_organisation", parent=edge.parent, child=edge.child)
    for one in graph.organisations:
        _check_own_roles(one)
        _check_above(graph, one)
    held = tuple(appointments)
    for bidder in (one for one in held if one.role is Role.BIDDER and one.lot is not None):
        agent = next((one for one in held if one.role is Role.AGENT and one.lot == bidder.lot), None)
        check_bidder(graph, bidder.organisation, agent=None if agent is None else agent.organisation)
    return graph


def check_bidder(graph: Graph, bidder: str, *, agent: str | None) -> str:
    """Return the bidder, or raise operator_linked_to_bidder (E-32), agent_linked_to_bidder (E-31). Judged when a bid's
    organisation enrols for a lot, never by showing who the other bidders are."""
    for centre in (one.uscc for one in graph.organisations if Role.CENTRE in one.roles):
        if graph.linked(centre, bidder):
            raise Refused("operator_linked_to_bidder", rule="E-32", bidder=bidder, operator=centre)
    if agent is not None and graph.linked(agent, bidder):
        raise Refused("agent_linked_to_bidder", rule="E-31", bidder=bidder, agent=agent)
    return bidder


def check_party(graph: Graph, parties: Parties) -> Parties:
    """An agent is registered as one, and neither the owner nor the agent is the centre."""
    if parties.agent is not None and Role.AGENT not in graph.find(parties.agent).roles:
        raise Refused("agent_not_registered", uscc=parties.agent)
    for uscc in (parties.owner, parties.agent):
        if uscc is not None and Role.CENTRE in graph.find(uscc).roles:
            raise Refused("roles_incompatible", who=uscc, role=Role.CENTRE.value, new_role=Role.OWNER.value)
    return parties


def related_bidders(graph: Graph, bidders: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Pairs of bidders of one lot with one responsible person or with control or management between them (条例 §34),
    for the panel and the supervisor, after the freeze only."""
    pairs = []
    for one, other in combinations(sorted(set(bidders)), 2):
        heads = {graph.find(one).responsible, graph.find(other).responsible}
        if graph.linked(one, other) or (len(heads) == 1 and None not in heads):
            pairs.append((one, other))
    return tuple(pairs)


def _check_own_roles(one: Organisation) -> None:
    for role, other in combinations(sorted(one.roles), 2):
        if frozenset({FAMILY[role], FAMILY[other]}) in NEVER_TOGETHER:
            raise Refused("roles_incompatible", who=one.uscc, role=role.value, new_role=other.value)


def _check_above(graph: Graph, above: Organisation) -> None:
    """What may not stand below an organisation, through any chain of control, management and subordination."""
    watches = above.government or any(FAMILY[role] is Family.SUPERVISION for role in above.roles)
    supervises = any(FAMILY[role] is Family.SUPERVISION for role in above.roles)
    for uscc in sorted(graph.below(above.uscc, _ANY)):
        below = graph.find(uscc)
        if supervises and Role.CENTRE in below.roles:
            raise Refused("centre_under_a_supervisor", centre=uscc, supervisor=above.uscc)
        if watches and Role.AGENT in below.roles:
            raise Refused("agent_under_government", agent=uscc, government=above.uscc)
        if Role.CENTRE in above.roles and Role.AGENT in below.roles:
            raise Refused("agent_of_the_centre", agent=uscc, centre=above.uscc)
        if frozenset({Role.CENTRE, Role.BIDDER}) <= above.roles | below.roles and graph.linked(above.uscc, uscc):
            raise Refused("operator_linked_to_bidder", rule="E-32", bidder=uscc, operator=above.uscc)
