"""Rosters: who may sit in a lock, and every puppet that is turned away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from crypto.refusal import Refused
from crypto.roster import Lock, Roster
from trading import trustees
from trading.people import organisations
from trading.people.organisations import Edge, Graph, Organisation
from trading.roles import Parties
from trading.rulebook import Rulebook
from trading.tender_document import TenderDocument
from trading.trustees import PreKey, Trustee

SEATS = (("owner", "centre", "notary"), ("regulator", "inspector", "independent"))
GROUPS = ("operation", "supervision")


def key(lock: int, index: int) -> bytes:
    return bytes([9 + lock * 3 + index, *range(1, 32)])


class Case:
    """A lawful roster that a test then spoils."""

    def __init__(self, document: TenderDocument, rulebook: Rulebook) -> None:
        self.roster = Roster(tuple(Lock(2, tuple(key(lock, index) for index in range(3))) for lock in (0, 1)))
        self.seats = [[f"t{lock}{index}" for index in range(3)] for lock in (0, 1)]
        places = [(lock, index, SEATS[lock][index]) for lock in (0, 1) for index in range(3)]
        self.trustees = {
            f"t{lock}{index}": Trustee(f"t{lock}{index}", seat.upper(), seat, GROUPS[lock], "k")
            for lock, index, seat in places
        }
        self.pre_keys = {
            key(lock, index).hex(): PreKey(key(lock, index).hex(), f"t{lock}{index}")
            for lock in (0, 1)
            for index in range(3)
        }
        everybody = ("OWNER", "CENTRE", "NOTARY", "REGULATOR", "INSPECTOR", "INDEPENDENT", "HOLDING")
        self.graph = Graph(tuple(Organisation(uscc, uscc) for uscc in everybody))
        self.document = document
        self.rulebook = rulebook

    def check(self, **changed: Any) -> Roster:
        asked = {
            "tender_id": None,
            "document": self.document,
            "trustees": self.trustees,
            "pre_keys": self.pre_keys,
            "graph": self.graph,
            "parties": Parties("OWNER", None),
            "centre": "CENTRE",
            "rulebook": self.rulebook,
        }
        return trustees.check_roster(self.roster, self.seats, **{**asked, **changed})

    def refused(self, **changed: Any) -> str:
        with pytest.raises(Refused) as err:
            self.check(**changed)
        return err.value.code


@pytest.fixture
def case(document: TenderDocument, rulebook: Rulebook) -> Case:
    return Case(document, rulebook)


def test_lawful_roster_is_accepted(case: Case) -> None:
    assert case.check() is case.roster


def test_roster_of_another_shape_is_refused(case: Case) -> None:
    case.roster = Roster((case.roster.locks[0], Lock(2, (*case.roster.locks[1].keys, key(1, 5)))))
    assert case.refused() == "roster_shape_wrong"


def test_one_trustee_in_two_seats_is_refused(case: Case) -> None:
    case.seats[1][2] = "t00"
    assert case.refused() == "roster_shape_wrong"


def test_puppet_that_no_root_certified_is_refused(case: Case) -> None:
    case.seats[1][2] = "puppet"
    assert case.refused() == "trustee_unknown"
    act = {
        "trustee": "t",
        "organisation": {"name": "x", "uscc": "X"},
        "seat": "notary",
        "group": "operation",
        "key": "k",
        "signatures": [{"by": "root_centre"}, {"by": "root_supervision"}],
    }
    assert trustees.trustee(act) == Trustee("t", "X", "notary", "operation", "k")
    for signers in (["root_centre"], ["root_supervision"], ["root_centre", "root_centre"], []):
        with pytest.raises(Refused) as err:
            trustees.trustee({**act, "signatures": [{"by": by} for by in signers]})
        assert err.value.code == "trustee_not_certified"


def test_operation_trustee_in_the_supervision_lock_is_refused(case: Case) -> None:
    case.trustees["t12"] = replace(case.trustees["t12"], group="operation")
    assert case.refused() == "seat_wrong"
    case.trustees["t12"] = replace(case.trustees["t12"], group="supervision", seat="notary")
    assert case.refused() == "seat_wrong"


def test_key_that_is_nobodys_or_somebody_elses_pre_key_is_refused(case: Case) -> None:
    taken = case.pre_keys.pop(key(0, 0).hex())
    assert case.refused() == "key_not_a_pre_key"
    case.pre_keys[key(0, 0).hex()] = replace(taken, trustee="t01")
    assert case.refused() == "key_not_a_pre_key"


def test_key_used_in_another_tender_is_refused(case: Case) -> None:
    case.pre_keys[key(1, 1).hex()] = replace(case.pre_keys[key(1, 1).hex()], used_by="ab" * 32)
    assert case.refused() == "key_used_before"
    assert case.check(tender_id="ab" * 32) is case.roster


@pytest.mark.parametrize(
    "edges",
    [
        [Edge("NOTARY", "INDEPENDENT", "control")],
        [Edge("HOLDING", "NOTARY", "control"), Edge("HOLDING", "INDEPENDENT", "control")],
        [Edge("OWNER", "HOLDING", "manage"), Edge("HOLDING", "INSPECTOR", "control")],
    ],
)
def test_organisation_that_reaches_into_two_locks_is_refused(case: Case, edges: list[Edge]) -> None:
    assert case.refused(graph=organisations.changed(case.graph, edges=edges)) == "organisation_in_two_locks"


def test_same_organisation_in_two_locks_is_refused(case: Case) -> None:
    case.trustees["t12"] = replace(case.trustees["t12"], uscc="NOTARY")
    assert case.refused() == "organisation_in_two_locks"


def test_owner_agent_or_centre_in_the_supervision_lock_is_refused(case: Case) -> None:
    case.trustees["t12"] = replace(case.trustees["t12"], uscc="HOLDING")
    assert case.refused(parties=Parties("OWNER", "HOLDING")) == "lock_1_has_a_party"
    assert case.refused(centre="HOLDING") == "lock_1_has_a_party"
    agent_above = organisations.changed(
        case.graph, edges=[Edge("NOBODY", "HOLDING", "control")], organisations=[Organisation("NOBODY", "NOBODY")]
    )
    assert case.refused(graph=agent_above, parties=Parties("OWNER", "NOBODY")) == "lock_1_has_a_party"
    graph = organisations.changed(
        Graph((*case.graph.organisations, Organisation("SUB", "SUB"))), edges=[Edge("HOLDING", "SUB", "control")]
    )
    assert case.refused(graph=graph, parties=Parties("OWNER", "SUB")) == "lock_1_has_a_party"


def test_supervision_seats_come_from_the_rulebook_not_from_the_owner(case: Case) -> None:
    named = replace(case.rulebook, lock_1=(("transport", ("REGULATOR", "INSPECTOR", "INDEPENDENT")),))
    assert case.check(rulebook=named) is case.roster
    other = replace(case.rulebook, lock_1=(("transport", ("REGULATOR", "INSPECTOR", "HOLDING")),))
    assert case.refused(rulebook=other) == "lock_1_seat_not_named"
