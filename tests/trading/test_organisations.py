"""The organisation graph: operators, agents, supervisors and bidders stay apart, also after an edit of the graph."""

from __future__ import annotations

import pytest

from crypto.refusal import Refused
from trading.people import organisations
from trading.people.organisations import Edge, Graph, Organisation
from trading.roles import Appointment, Parties, Role


def organisation(uscc: str, *roles: Role, responsible: str | None = None, government: bool = False) -> Organisation:
    return Organisation(uscc, uscc, responsible, government, frozenset(roles))


GRAPH = organisations.check(
    Graph(
        (
            organisation("CENTRE", Role.CENTRE),
            organisation("REGULATOR", Role.SUPERVISOR, government=True),
            organisation("CITY", government=True),
            organisation("OWNER", Role.OWNER),
            organisation("AGENT", Role.AGENT),
            organisation("HOLDING"),
            organisation("B1", Role.BIDDER, responsible="li"),
            organisation("B2", Role.BIDDER, responsible="li"),
            organisation("B3", Role.BIDDER, responsible="wang"),
            organisation("B4", Role.BIDDER, responsible="zhao"),
        ),
        frozenset({Edge("CITY", "CENTRE", "subordinate"), Edge("REGULATOR", "OWNER", "subordinate")}),
    )
)


def refused(*edges: Edge, appointments: tuple[Appointment, ...] = ()) -> Refused:
    with pytest.raises(Refused) as err:
        organisations.changed(GRAPH, edges=edges, appointments=appointments)
    return err.value


@pytest.mark.rule("E-32", "pass")
def test_bidder_without_ties_to_the_operator_may_bid() -> None:
    assert organisations.check_bidder(GRAPH, "B3", agent="AGENT") == "B3"


@pytest.mark.rule("E-32", "refuse")
@pytest.mark.parametrize(
    "edges",
    [
        (Edge("CENTRE", "B3", "control"),),
        (Edge("B3", "CENTRE", "manage"),),
        (Edge("CENTRE", "HOLDING", "control"), Edge("HOLDING", "B3", "control")),
    ],
)
def test_operator_and_those_it_controls_may_not_bid(edges: tuple[Edge, ...]) -> None:
    assert refused(*edges).rule == "E-32"
    graph = Graph(GRAPH.organisations, GRAPH.edges | set(edges))
    with pytest.raises(Refused) as err:
        organisations.check_bidder(graph, "B3", agent=None)
    assert err.value.rule == "E-32"


@pytest.mark.rule("E-31", "pass")
def test_agent_of_another_tender_may_bid_here() -> None:
    assert organisations.check_bidder(GRAPH, "AGENT", agent=None) == "AGENT"


@pytest.mark.rule("E-31", "refuse")
def test_agent_or_its_subsidiary_may_not_bid_in_its_own_tender() -> None:
    with pytest.raises(Refused) as err:
        organisations.check_bidder(GRAPH, "AGENT", agent="AGENT")
    assert err.value.rule == "E-31"
    lot = (Appointment("p", "AGENT", Role.AGENT, "lot"), Appointment("q", "B3", Role.BIDDER, "lot"))
    assert refused(Edge("AGENT", "B3", "control"), appointments=lot).rule == "E-31"


@pytest.mark.parametrize(
    ("edge", "code"),
    [
        (Edge("REGULATOR", "CENTRE", "subordinate"), "centre_under_a_supervisor"),
        (Edge("REGULATOR", "CITY", "subordinate"), "centre_under_a_supervisor"),
        (Edge("CITY", "AGENT", "control"), "agent_under_government"),
        (Edge("CENTRE", "AGENT", "control"), "agent_of_the_centre"),
        (Edge("CENTRE", "NOBODY", "control"), "edge_to_unknown_organisation"),
        (Edge("B1", "B1", "control"), "edge_to_unknown_organisation"),
    ],
)
def test_edit_of_the_graph_may_not_make_a_forbidden_pair_arise(edge: Edge, code: str) -> None:
    assert refused(edge).code == code


def test_role_that_the_graph_forbids_cannot_be_added_later() -> None:
    for uscc, role, code in (
        ("CENTRE", Role.SUPERVISOR, "roles_incompatible"),
        ("CENTRE", Role.BIDDER, "roles_incompatible"),
        ("CITY", Role.SUPERVISOR, "centre_under_a_supervisor"),
    ):
        with pytest.raises(Refused) as err:
            organisations.with_role(GRAPH, uscc, role)
        assert err.value.code == code


def test_related_bidders_are_found_by_head_and_by_control() -> None:
    graph = organisations.changed(GRAPH, edges=[Edge("B3", "HOLDING", "control"), Edge("HOLDING", "B4", "control")])
    assert organisations.related_bidders(graph, ["B1", "B2", "B3", "B4"]) == (("B1", "B2"), ("B3", "B4"))


def test_parties_are_registered_and_never_the_centre() -> None:
    assert organisations.check_party(GRAPH, Parties("OWNER", "AGENT"))
    for parties in (Parties("CENTRE", None), Parties("OWNER", "B1"), Parties("OWNER", "NOBODY")):
        with pytest.raises(Refused):
            organisations.check_party(GRAPH, parties)


def test_control_in_a_circle_ends() -> None:
    graph = organisations.changed(GRAPH, edges=[Edge("B3", "B4", "control"), Edge("B4", "B3", "control")])
    assert graph.below("B3") == {"B4"}
