"""Who may know the downloaders, the number of bids and the panel's names, and from when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from msgspec.structs import replace

from crypto.refusal import Refused
from trading.roles import Role
from trading.rules.secrecy import Secret, check_may_know
from trading.tender import Award, Tender

At = Callable[[str], datetime]


@pytest.mark.rule("E-20", "pass")
def test_owner_learns_the_downloaders_after_the_freeze(play: Any) -> None:
    frozen: Tender = replace(play.tender, freeze="ab" * 32)
    assert check_may_know(Secret.DOWNLOADERS, role=Role.OWNER, tender=frozen)
    assert check_may_know(Secret.BID_COUNT, role=Role.PUBLIC, tender=frozen)


@pytest.mark.rule("E-20", "refuse")
def test_nobody_learns_downloaders_or_the_number_of_bids_before_the_freeze(play: Any) -> None:
    for role in Role:
        for secret in (Secret.DOWNLOADERS, Secret.BID_COUNT):
            with pytest.raises(Refused) as err:
                check_may_know(secret, role=role, tender=play.tender)
            assert err.value.rule == "E-20"


@pytest.mark.rule("E-20", "refuse")
def test_the_downloaders_never_become_public(play: Any) -> None:
    frozen = replace(play.tender, freeze="ab" * 32)
    for role in (Role.PUBLIC, Role.BIDDER, Role.CENTRE, Role.ADMINISTRATOR, Role.EXPERT):
        with pytest.raises(Refused) as err:
            check_may_know(Secret.DOWNLOADERS, role=role, tender=frozen)
        assert err.value.rule == "E-20"


def panel(tender: Tender, signed_in: int) -> Tender:
    seats = tuple(f"{number:064x}" for number in range(5))
    return replace(tender, seats=seats, signed_in=seats[:signed_in])


@pytest.mark.rule("E-65", "pass")
def test_panel_and_supervisor_see_names_after_sign_in_and_all_after_the_award(play: Any, at: At) -> None:
    seated = panel(play.tender, 5)
    assert check_may_know(Secret.PANEL_NAMES, role=Role.EXPERT, tender=seated)
    assert check_may_know(Secret.PANEL_NAMES, role=Role.SUPERVISOR, tender=seated)
    awarded = replace(seated, award=Award(1, "aa", "B1", 1, at("2026-04-10 09:00")))
    assert check_may_know(Secret.PANEL_NAMES, role=Role.PUBLIC, tender=awarded)


@pytest.mark.rule("E-65", "refuse")
def test_panel_is_secret_before_sign_in_and_for_owner_and_bidders_until_the_result(play: Any) -> None:
    for signed_in, roles in ((4, tuple(Role)), (5, (Role.OWNER, Role.AGENT, Role.BIDDER, Role.PUBLIC, Role.CENTRE))):
        for role in roles:
            with pytest.raises(Refused) as err:
                check_may_know(Secret.PANEL_NAMES, role=role, tender=panel(play.tender, signed_in))
            assert err.value.rule == "E-65"
