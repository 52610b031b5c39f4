"""The legal schedule and the guards on its days: extensions, objections and answers, limits passed with a reason."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from crypto.refusal import Refused
from trading import calendar
from trading.rulebook import Rulebook
from trading.rules import schedule
from trading.tender import Objection, Tender
from trading.tender_document import TenderDocument

At = Callable[[str], datetime]


@pytest.fixture
def tender(play: Any) -> Tender:
    """Published on 2 March 2026, deadline 26 March 09:00."""
    found: Tender = play.tender
    return found


def test_schedule_names_day_rule_and_article_of_every_step(
    document: TenderDocument, rulebook: Rulebook, at: At
) -> None:
    steps = schedule.planned(document, published=at("2026-03-02 09:00"), rulebook=rulebook)
    told = [(step.what, step.bound, step.day.isoformat(), step.rule) for step in steps]
    assert told == [
        ("documents_until", "earliest", "2026-03-07", "E-06"),
        ("clarification_without_extension", "latest", "2026-03-11", "E-09"),
        ("objection_to_document", "latest", "2026-03-16", "E-12"),
        ("deadline", "earliest", "2026-03-22", "E-07"),
    ]
    assert all(step.article and not step.provisional for step in steps)
    after = schedule.after_report(
        received=at("2026-04-01 17:00"), publicity_from=at("2026-04-03 09:00"), rulebook=rulebook
    )
    # 3 days from 1 April end on 4 April, which is Qingming: the limit to act moves to 7 April, the minimum does not.
    assert [(step.what, step.day.isoformat()) for step in after] == [
        ("publicity", "2026-04-07"),
        ("publicity_until", "2026-04-06"),
    ]
    award = schedule.after_award(awarded=at("2026-04-08 09:00"), rulebook=rulebook)
    assert [(step.what, step.day.isoformat()) for step in award] == [
        ("regulator_report", "2026-04-23"),
        ("contract", "2026-05-08"),
    ]


@pytest.mark.rule("E-09", "pass")
def test_amendment_fifteen_days_before_the_deadline_needs_no_extension(
    tender: Tender, rulebook: Rulebook, at: At
) -> None:
    now = at("2026-03-11 23:59")
    assert (
        schedule.check_amendment(tender, now=now, affects_bids=True, new_deadline=None, rulebook=rulebook)
        == tender.deadline
    )
    new = at("2026-04-01 09:00")
    now = at("2026-03-16 09:00")
    assert schedule.check_amendment(tender, now=now, affects_bids=True, new_deadline=new, rulebook=rulebook) == new
    assert schedule.check_amendment(tender, now=now, affects_bids=False, new_deadline=None, rulebook=rulebook)


@pytest.mark.rule("E-09", "refuse")
def test_amendment_fourteen_days_before_is_refused_with_the_earliest_new_deadline(
    tender: Tender, rulebook: Rulebook, at: At
) -> None:
    for new in (None, at("2026-03-26 18:00")):
        with pytest.raises(Refused) as err:
            schedule.check_amendment(
                tender, now=at("2026-03-12 00:00"), affects_bids=True, new_deadline=new, rulebook=rulebook
            )
        assert (err.value.code, err.value.rule) == ("amendment_too_late", "E-09")
        assert err.value.facts["earliest"] == "2026-03-27"


@pytest.mark.rule("E-09", "refuse")
def test_deadline_never_moves_earlier_nor_after_it_has_passed(tender: Tender, rulebook: Rulebook, at: At) -> None:
    cases = [("2026-03-12 09:00", "2026-03-25 09:00"), ("2026-03-26 09:00", "2026-04-20 09:00")]
    for now, new in cases:
        with pytest.raises(Refused) as err:
            schedule.check_amendment(tender, now=at(now), affects_bids=False, new_deadline=at(new), rulebook=rulebook)
        assert err.value.rule == "E-09"
        with pytest.raises(Refused) as err:
            schedule.check_extension(tender, now=at(now), new_deadline=at(new))
        assert err.value.rule == "E-09"
    assert schedule.check_extension(tender, now=at("2026-03-12 09:00"), new_deadline=at("2026-03-27 09:00"))


@pytest.mark.rule("E-12", "pass")
def test_objection_on_the_tenth_day_before_the_deadline_is_in_time(tender: Tender, rulebook: Rulebook, at: At) -> None:
    last = schedule.check_objection_to_document(tender, received=at("2026-03-16 23:59"), rulebook=rulebook)
    assert last.isoformat() == "2026-03-16"


@pytest.mark.rule("E-12", "refuse")
def test_objection_nine_days_before_the_deadline_is_too_late(tender: Tender, rulebook: Rulebook, at: At) -> None:
    with pytest.raises(Refused) as err:
        schedule.check_objection_to_document(
            tender, received=at("2026-03-17 00:00"), sent=at("2026-03-16 23:59"), rulebook=rulebook
        )
    assert (err.value.code, err.value.rule) == ("objection_too_late", "E-12")


@pytest.mark.rule("T-06", "refuse")
def test_objection_received_at_the_deadline_counts_by_receipt_not_by_sending(
    tender: Tender, rulebook: Rulebook, at: At
) -> None:
    with pytest.raises(Refused) as err:
        schedule.check_objection_to_document(
            tender, received=tender.deadline, sent=at("2026-03-02 10:00"), rulebook=rulebook
        )
    assert err.value.rule == "T-06"


@pytest.mark.rule("E-13", "pass")
def test_answer_on_the_third_day_is_in_time_and_later_needs_a_reason(rulebook: Rulebook, at: At) -> None:
    objection = Objection("aa", "bidding", at("2026-03-05 18:00"))
    # The third day is Sunday 8 March: the limit to act ends on Monday.
    last = schedule.check_answer(objection, now=at("2026-03-09 23:59"), rulebook=rulebook)
    assert last.isoformat() == "2026-03-09"
    assert schedule.check_answer(objection, now=at("2026-03-10 00:00"), rulebook=rulebook, late_because="系统故障")


@pytest.mark.rule("E-13", "refuse")
def test_late_answer_without_a_reason_is_refused(rulebook: Rulebook, at: At) -> None:
    objection = Objection("aa", "bidding", at("2026-03-05 18:00"))
    for reason in (None, " "):
        with pytest.raises(Refused) as err:
            schedule.check_answer(objection, now=at("2026-03-10 00:00"), rulebook=rulebook, late_because=reason)
        assert (err.value.code, err.value.rule) == ("answer_late", "E-13")


@pytest.mark.rule("E-80", "refuse")
def test_late_answer_to_a_result_objection_without_a_reason_is_refused(rulebook: Rulebook, at: At) -> None:
    objection = Objection("aa", "publicity", at("2026-04-07 18:00"))
    with pytest.raises(Refused) as err:
        schedule.check_answer(objection, now=at("2026-04-11 09:00"), rulebook=rulebook)
    assert (err.value.code, err.value.rule) == ("answer_late", "E-80")


def test_deadline_after_a_hold_leaves_what_was_left(play: Any, at: At) -> None:
    ref = "aa" * 32
    when = at("2026-03-10 09:00")
    play.act("hold", when, ref=ref, reason="directive", stage="bidding", left_s=int(timedelta(days=16).total_seconds()))
    now = at("2026-03-28 09:00")
    with pytest.raises(Refused) as err:
        schedule.check_extension(play.tender, now=now, new_deadline=at("2026-04-13 08:59"))
    assert (err.value.code, err.value.rule) == ("deadline_after_hold_too_early", "E-13")
    assert schedule.check_extension(play.tender, now=now, new_deadline=at("2026-04-13 09:00"))


def test_step_counted_through_a_year_without_notice_is_provisional(
    document: TenderDocument, rulebook: Rulebook, at: At
) -> None:
    steps = schedule.after_award(awarded=at("2026-12-20 09:00"), rulebook=rulebook)
    assert [step.provisional for step in steps] == [True, True]
    assert calendar.legal_day(at("2026-12-20 09:00")).year == 2026
