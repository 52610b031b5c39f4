"""Roles, permissions and separation: the golden matrix, no code no act, pairs that never meet."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import combinations
from pathlib import Path

import pytest

from crypto.refusal import Refused
from trading import powers, roles
from trading.roles import FAMILY, MATRIX, OFFICIALS, Actor, Appointment, Family, Parties, Permission, Role

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
GOLDEN = Path(__file__).parents[1] / "golden"


def actor(role: Role, organisation: str = "A") -> Actor:
    return Actor("p1", organisation, role, "192.0.2.1", "browser")


def test_permission_matrix_is_the_golden_one() -> None:
    assert roles.matrix_text() == (GOLDEN / "permissions.txt").read_text("utf-8")


def test_everything_not_granted_is_denied() -> None:
    for role in Role:
        for permission in Permission:
            if permission not in MATRIX[role]:
                with pytest.raises(Refused) as err:
                    actor(role).must(permission, now=NOW)
                assert err.value.code == "permission_denied"


def test_operators_have_no_verb_of_judging_and_supervisors_none_of_trading() -> None:
    judging = {Permission.BID_REJECT, Permission.SHEET_LOCK, Permission.REPORT_SIGN, Permission.TENDER_AWARD}
    assert not judging & MATRIX[Role.CENTRE]
    assert MATRIX[Role.ADMINISTRATOR] == frozenset()
    for role in (Role.SUPERVISOR, Role.INSPECTOR, Role.AUDITOR):
        own = {Permission.TRUSTEE_CERTIFY, Permission.DRAW_CONTRIBUTE}
        assert all(permission.startswith("supervision.") for permission in MATRIX[role] - own)


def test_every_verb_of_an_official_has_a_power_in_force_and_every_power_a_holder() -> None:
    list_ = powers.load()
    for role in OFFICIALS:
        for permission in MATRIX[role]:
            assert powers.for_verb(list_, role=role, permission=permission, day=date(2026, 3, 2)), (role, permission)
    for power in list_:
        for holder in power.holders:
            assert set(power.permissions) & set(MATRIX[Role(holder)]), power.code
        assert all(Permission(permission) for permission in power.permissions)
        assert power.legal_basis and power.flow


@pytest.mark.parametrize(
    ("power", "code"),
    [
        (None, "power_code_missing"),
        ("", "power_code_missing"),
        ("S-999", "power_code_unknown"),
        ("C-001", "power_code_of_another_role"),
        ("S-004", "power_code_for_another_act"),
    ],
)
def test_no_code_no_act(power: str | None, code: str) -> None:
    with pytest.raises(Refused) as err:
        actor(Role.SUPERVISOR).must(Permission.DIRECTIVE_ISSUE, now=NOW, power=power)
    assert err.value.code == code


def test_power_whose_basis_has_ended_cannot_be_exercised() -> None:
    (power,) = [one for one in powers.load() if one.code == "S-001"]
    ended = powers.from_json({**power.to_json(), "in_force_to": "2026-03-01"})
    with pytest.raises(Refused) as err:
        actor(Role.SUPERVISOR).must(Permission.DIRECTIVE_ISSUE, now=NOW, power="S-001", power_list=[ended])
    assert err.value.code == "power_code_not_in_force"
    exercised = actor(Role.SUPERVISOR).must(Permission.DIRECTIVE_ISSUE, now=NOW, power="S-001")
    assert exercised == power


def test_owner_acts_in_its_own_tender_only() -> None:
    mine, other = Parties("A", None), Parties("B", "C")
    assert actor(Role.OWNER).must(Permission.TENDER_AMEND, now=NOW, parties=mine) is None
    with pytest.raises(Refused) as err:
        actor(Role.OWNER).must(Permission.TENDER_AMEND, now=NOW, parties=other)
    assert err.value.code == "not_this_tender"
    with pytest.raises(Refused) as err:
        actor(Role.AGENT).must(Permission.TENDER_AMEND, now=NOW, parties=mine)
    assert err.value.code == "not_this_tender"


def test_no_person_or_organisation_holds_two_families_that_never_meet() -> None:
    for one, other in combinations(Role, 2):
        pair = frozenset({FAMILY[one], FAMILY[other]})
        for held, new in (
            (Appointment("p1", "A", one), Appointment("p1", "B", other)),
            (Appointment("p1", "A", one, "lot-1"), Appointment("p2", "A", other, "lot-2")),
        ):
            if pair in roles.NEVER_TOGETHER:
                with pytest.raises(Refused) as err:
                    roles.check_appointment([held], new)
                assert err.value.code in ("roles_incompatible", "supervisory_staff_on_panel")


def test_owner_here_may_bid_elsewhere_but_not_in_its_own_lot() -> None:
    held = [Appointment("p1", "A", Role.OWNER, "lot-1")]
    assert roles.check_appointment(held, Appointment("p2", "A", Role.BIDDER, "lot-2"))
    for lot in ("lot-1", None):
        with pytest.raises(Refused) as err:
            roles.check_appointment(held, Appointment("p2", "A", Role.BIDDER, lot))
        assert err.value.code == "roles_incompatible"


@pytest.mark.rule("E-66", "pass")
def test_expert_without_a_supervisory_post_may_sit() -> None:
    held = [Appointment("p1", "UNIVERSITY", Role.EXPERT)]
    new = Appointment("p1", "UNIVERSITY", Role.EXPERT, "lot-1")
    assert roles.check_appointment(held, new) == new


@pytest.mark.rule("E-66", "refuse")
def test_supervisory_staff_may_not_sit_on_a_panel() -> None:
    for watcher in (Role.SUPERVISOR, Role.INSPECTOR, Role.AUDITOR):
        for seat in (Role.EXPERT, Role.OWNER_REPRESENTATIVE):
            with pytest.raises(Refused) as err:
                roles.check_appointment([Appointment("p1", "B", watcher)], Appointment("p1", "U", seat, "lot-1"))
            assert (err.value.code, err.value.rule) == ("supervisory_staff_on_panel", "E-66")


def test_every_role_has_a_family_and_a_row() -> None:
    assert set(FAMILY) == set(Role) == set(MATRIX)
    assert set(FAMILY.values()) == set(Family)


def test_power_list_travels_as_data() -> None:
    assert [powers.from_json(power.to_json()) for power in powers.load()] == list(powers.load())
