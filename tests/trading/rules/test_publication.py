"""What the law asks of a document at publication: each rule once kept and once broken, all defects told at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from crypto.refusal import Refused
from trading import tender_document
from trading.rulebook import Rulebook
from trading.rules import publication
from trading.tender_document import Panel, Stratum, TenderDocument

At = Callable[[str], datetime]
Draft = dict[str, Any]


def read(draft: Draft) -> TenderDocument:
    return tender_document.parse(json.dumps(draft).encode())


def refused(draft: Draft, now: datetime, rulebook: Rulebook) -> Refused:
    with pytest.raises(Refused) as err:
        publication.check(read(draft), now=now, rulebook=rulebook)
    return err.value


@pytest.mark.rule("E-06", "pass")
@pytest.mark.rule("E-07", "pass")
@pytest.mark.rule("E-17", "pass")
@pytest.mark.rule("E-19", "pass")
@pytest.mark.rule("E-22", "pass")
@pytest.mark.rule("E-50", "pass")
@pytest.mark.rule("E-69", "pass")
def test_lawful_document_may_be_published(document: TenderDocument, rulebook: Rulebook, at: At) -> None:
    assert publication.defects(document, now=at("2026-03-02 09:00"), rulebook=rulebook) == ()
    assert publication.check(document, now=at("2026-03-02 09:00"), rulebook=rulebook) is document


@pytest.mark.rule("E-06", "refuse")
def test_documents_available_for_four_days_are_refused(draft: Draft, rulebook: Rulebook, at: At) -> None:
    draft["schedule"]["documents_until"] = "2026-03-06T09:00:00.000Z"
    wrong = refused(draft, at("2026-03-02 09:00"), rulebook)
    assert (wrong.code, wrong.rule) == ("documents_withdrawn_too_early", "E-06")
    assert wrong.facts["earliest"] == "2026-03-07"


@pytest.mark.rule("E-07", "refuse")
def test_deadline_on_the_nineteenth_day_is_refused(draft: Draft, rulebook: Rulebook, at: At) -> None:
    """Worked example X16: issued 1 March, 20 days end on 21 March; 20 March is one day short."""
    for day, lawful in (("2026-03-20", False), ("2026-03-21", True)):
        draft["schedule"]["deadline"] = draft["schedule"]["opening_at"] = f"{day}T01:00:00.000Z"
        if lawful:
            assert publication.check(read(draft), now=at("2026-03-01 09:00"), rulebook=rulebook)
            continue
        wrong = refused(draft, at("2026-03-01 09:00"), rulebook)
        assert (wrong.code, wrong.rule) == ("deadline_too_early", "E-07")
        assert wrong.facts["earliest"] == "2026-03-21"


@pytest.mark.rule("E-17", "refuse")
@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("media", ["某报"], "notice_not_in_designated_media"),
        ("media", [], "notice_not_in_designated_media"),
        ("fee_fen", 50_000, "notice_costs_money"),
    ],
)
def test_notice_outside_designated_media_or_for_a_fee_is_refused(
    field: str, value: object, code: str, draft: Draft, rulebook: Rulebook, at: At
) -> None:
    draft["notice"][field] = value
    wrong = refused(draft, at("2026-03-02 09:00"), rulebook)
    assert (wrong.code, wrong.rule) == (code, "E-17")


@pytest.mark.rule("E-17", "refuse")
def test_notice_that_reads_otherwise_in_another_medium_is_refused() -> None:
    assert publication.check_identical({"platform": "aa", "paper": "aa"})
    with pytest.raises(Refused) as err:
        publication.check_identical({"platform": "aa", "paper": "ab"})
    assert err.value.rule == "E-17"


@pytest.mark.rule("E-19", "refuse")
def test_registration_before_the_download_is_refused(draft: Draft, rulebook: Rulebook, at: At) -> None:
    draft["notice"]["preconditions"] = ["投标报名"]
    assert refused(draft, at("2026-03-02 09:00"), rulebook).rule == "E-19"


@pytest.mark.rule("E-22", "refuse")
def test_minimum_price_and_missing_ceiling_are_refused(draft: Draft, rulebook: Rulebook, at: At) -> None:
    draft["price"]["min_price_fen"] = 1_000_000_000
    wrong = refused(draft, at("2026-03-02 09:00"), rulebook)
    assert (wrong.code, wrong.rule) == ("min_price_forbidden", "E-22")
    draft["price"] = {"max_price_fen": None, "max_price_method": None}
    wrong = refused(draft, at("2026-03-02 09:00"), rulebook)
    assert (wrong.code, wrong.rule) == ("max_price_not_stated", "E-22")
    draft["price"]["max_price_method"] = "开标前15日公布"
    assert publication.check(read(draft), now=at("2026-03-02 09:00"), rulebook=rulebook)


@pytest.mark.rule("E-50", "refuse")
def test_opening_an_hour_after_the_deadline_is_refused(draft: Draft, rulebook: Rulebook, at: At) -> None:
    draft["schedule"]["opening_at"] = "2026-03-26T02:00:00.000Z"
    assert refused(draft, at("2026-03-02 09:00"), rulebook).rule == "E-50"


def panel(members: int, representatives: int, experts: int) -> Panel:
    return Panel(
        members=members, owner_representatives=representatives, strata=(Stratum(specialty="A08", seats=experts),)
    )


@pytest.mark.parametrize(("members", "experts"), [(5, 4), (7, 5), (9, 6)])
def test_two_thirds_of_the_panel_are_experts_rounded_up(members: int, experts: int, rulebook: Rulebook) -> None:
    """Worked example X18."""
    assert publication.experts_min(members, rulebook) == experts


@pytest.mark.rule("E-61", "pass")
@pytest.mark.parametrize("shape", [(5, 1, 4), (5, 0, 5), (7, 2, 5), (9, 3, 6)])
def test_lawful_panel_passes(shape: tuple[int, int, int], rulebook: Rulebook) -> None:
    assert publication.check_panel(panel(*shape), rulebook)


@pytest.mark.rule("E-61", "refuse")
@pytest.mark.parametrize(
    ("shape", "code"),
    [
        ((6, 1, 5), "panel_even"),
        ((3, 1, 2), "panel_too_small"),
        ((5, 2, 3), "panel_has_too_few_experts"),
        ((7, 3, 4), "panel_has_too_few_experts"),
        ((5, 1, 5), "panel_does_not_add_up"),
    ],
)
def test_panel_even_small_or_short_of_experts_is_refused(
    shape: tuple[int, int, int], code: str, rulebook: Rulebook
) -> None:
    with pytest.raises(Refused) as err:
        publication.check_panel(panel(*shape), rulebook)
    assert (err.value.code, err.value.rule) == (code, "E-61")


@pytest.mark.rule("E-69", "refuse")
@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        (("items",), [], "method_without_items"),
        (("method",), {"name": "lowest_evaluated", "adjustments": [], "ties": ["price"]}, "method_scores_nothing"),
        (("items", 0, "step"), "0.3", "item_step_does_not_divide_max"),
        (("items", 0, "step"), "0", "item_step_does_not_divide_max"),
        (("method", "drop"), [[2, 0, 0]], "drop_table_has_gaps"),
        (("method", "drop"), [[1, 0, 0], [1, 1, 1]], "drop_table_has_gaps"),
        (("method", "drop"), [[1, 0, 0], [2, 1, 1]], "drop_table_drops_every_bid"),
        (("method", "weights"), {"price": "0.6", "points": "0.5"}, "weights_do_not_add_up"),
        (("method", "weights"), {"price": "1.6", "points": "-0.6"}, "weights_do_not_add_up"),
        (("method", "ties"), ["draw", "price"], "ties_wrong"),
        (("method", "ties"), ["price", "price"], "ties_wrong"),
    ],
)
def test_method_that_leaves_something_open_is_refused(
    path: tuple[Any, ...], value: object, code: str, draft: Draft, rulebook: Rulebook, at: At
) -> None:
    container: Any = draft
    for step in path[:-1]:
        container = container[step]
    container[path[-1]] = value
    wrong = refused(draft, at("2026-03-02 09:00"), rulebook)
    assert (wrong.code, wrong.rule) == (code, "E-69")


@pytest.mark.rule("E-69", "refuse")
def test_panel_may_not_score_what_the_document_does_not_name(document: TenderDocument) -> None:
    assert publication.check_criteria(document, frozenset({"T1", "T2"}), "benchmark")
    for items, method in (({"T1", "T2", "T9"}, "benchmark"), ({"T1"}, "benchmark"), ({"T1", "T2"}, "lowest_evaluated")):
        with pytest.raises(Refused) as err:
            publication.check_criteria(document, frozenset(items), method)
        assert err.value.rule == "E-69"


@pytest.mark.parametrize(
    ("path", "value", "code", "rule"),
    [
        (("sealing", "bids_min"), 2, "bids_min_too_small", "E-51"),
        (("candidates_max",), 4, "too_many_candidates", "E-75"),
        (("schedule", "publicity_days"), 2, "publicity_too_short", "E-79"),
        (("sealing", "settle_s"), 0, "window_too_short", "E-52"),
        (("sealing", "rescue_s"), 5, "window_too_short", "E-54"),
        (("sealing", "envelopes"), [1, 0], "envelopes_wrong", None),
        (("sealing", "locks", 1, "seats"), ["owner", "inspector", "notary"], "lock_seats_wrong", None),
        (("sealing", "locks", 1, "threshold"), 3, "lock_seats_wrong", None),
        (("opening_list",), [{"field": "quality", "label": "质量"}], "opening_list_without_price", "E-58"),
        (("requirements", 0, "file"), "../etc/passwd", "requirement_without_a_file", None),
        (("requirements", 0, "file"), "/etc/passwd", "requirement_without_a_file", None),
        (("requirements", 1, "file"), "colour", "requirement_without_a_file", None),
        (("owner", "uscc"), "125101004500000010", "uscc_wrong", None),
        (("agent",), {"name": "x", "uscc": "12510100450000001E"}, "agent_is_the_owner", None),
    ],
)
def test_other_defects_are_named(
    path: tuple[Any, ...], value: object, code: str, rule: str | None, draft: Draft, rulebook: Rulebook, at: At
) -> None:
    container: Any = draft
    for step in path[:-1]:
        container = container[step]
    container[path[-1]] = value
    wrong = refused(draft, at("2026-03-02 09:00"), rulebook)
    assert (wrong.code, wrong.rule) == (code, rule)


def test_all_defects_are_told_at_once(draft: Draft, rulebook: Rulebook, at: At) -> None:
    draft["notice"]["preconditions"] = ["报名"]
    draft["panel"]["members"] = 6
    draft["schedule"]["publicity_days"] = 1
    found = publication.defects(read(draft), now=at("2026-03-02 09:00"), rulebook=rulebook)
    assert [defect.code for defect in found] == ["download_has_preconditions", "panel_even", "publicity_too_short"]
    assert refused(draft, at("2026-03-02 09:00"), rulebook).facts["defects"] == [defect.code for defect in found]
