"""When bids may be opened: at the deadline, with three bids or more, and what happens with fewer afterwards."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from crypto.refusal import Refused
from trading.rules import opening

At = Callable[[str], datetime]


@pytest.mark.rule("E-50", "pass")
def test_bids_close_when_the_deadline_and_the_settle_time_have_passed(play: Any) -> None:
    now = play.tender.deadline + timedelta(seconds=60)
    assert opening.check_closing(play.tender, now=now) is play.tender


@pytest.mark.rule("E-50", "refuse")
def test_bids_do_not_close_one_millisecond_early(play: Any) -> None:
    with pytest.raises(Refused) as err:
        opening.check_closing(play.tender, now=play.tender.deadline + timedelta(seconds=60, milliseconds=-1))
    assert (err.value.code, err.value.rule) == ("close_too_early", "E-50")


@pytest.mark.rule("E-13", "refuse")
def test_deadline_does_not_fire_under_a_hold(play: Any, at: At) -> None:
    play.act("objection", at("2026-03-10 09:00"), name="objection", stage="bidding", text_hash="00" * 32)
    with pytest.raises(Refused) as err:
        opening.check_closing(play.tender, now=play.tender.deadline + timedelta(days=1))
    assert (err.value.code, err.value.rule) == ("process_held", "E-13")


@pytest.mark.rule("E-51", "pass")
def test_three_bids_are_enough(play: Any) -> None:
    assert opening.check_bids_enough(play.tender, 3) == 3


@pytest.mark.rule("E-51", "refuse")
def test_two_bids_are_never_opened(play: Any) -> None:
    with pytest.raises(Refused) as err:
        opening.check_bids_enough(play.tender, 2)
    assert (err.value.code, err.value.rule) == ("too_few_bids", "E-51")


@pytest.mark.rule("E-57", "pass")
def test_two_valid_bids_go_on_where_the_document_says_so(play: Any) -> None:
    assert opening.check_enough_after_opening(replace(play.tender, valid=3)) == 3
    going_on = replace(play.tender, valid=2, stop_if_few_after_opening=False)
    assert opening.check_enough_after_opening(going_on) == 2


@pytest.mark.rule("E-57", "refuse")
def test_two_valid_bids_stop_where_the_document_says_stop(play: Any) -> None:
    with pytest.raises(Refused) as err:
        opening.check_enough_after_opening(replace(play.tender, valid=2))
    assert err.value.rule == "E-57"
