"""The desk's pure parts: a draft goes into the form and back, the schedule is the law's, a change is marked."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.world import instant
from trading import calendar, tender_document
from trading.counter.page import forms
from trading.desk import changes, notices
from trading.desk.drafts import checking, drafting, plan, steps
from trading.desk.drafts import step as one_step
from trading.desk.drafts.step import Step
from trading.markets.construction import NATIONAL
from trading.rules import publication

ROOT = Path(__file__).parents[2]
EXAMPLES = (ROOT / "examples/road-maintenance/tender.json", ROOT / "tests/examples/other-road/tender.json")


def typed_again(step: Step, draft: dict[str, Any]) -> forms.Filled:
    """A step as a browser would send it back untouched."""
    shown, _ = one_step.shown(step, drafting.view(step, draft, "2026-03-02"))
    values: dict[str, Any] = {}
    for one in shown.fields:
        values[one.name] = forms.understood(one, shown.typed.get(one.name, ""))
    return forms.Filled(shown.fields, shown.typed, values)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
@pytest.mark.parametrize("step", steps.STEPS[:6], ids=lambda step: step.name)
def test_a_step_that_is_sent_back_untouched_changes_nothing(path: Path, step: Step) -> None:
    draft = json.loads(path.read_text("utf-8"))
    after, filled = drafting.apply(step, typed_again(step, draft), draft)
    assert filled.ok
    was, _ = checking.read_document(draft)
    now, _ = checking.read_document(after)
    assert was is not None and now is not None
    assert now == was


def test_a_half_filled_draft_is_kept_and_tells_what_is_missing() -> None:
    document, broken = checking.read_document({"v": 1, "project": {"name": "x"}})
    assert document is None and broken is not None
    assert broken.code == "document_field_missing"


def test_a_copy_of_last_years_tender_has_no_days() -> None:
    draft = json.loads(EXAMPLES[0].read_text("utf-8"))
    copied = drafting.copied(draft, hall=type("Hall", (), {"rehearsal": False})())
    assert set(copied["schedule"]) == {"validity_days", "publicity_days"}
    assert copied["rehearsal"] is False


def test_the_proposed_deadline_is_the_earliest_that_may_be_published() -> None:
    draft = json.loads(EXAMPLES[0].read_text("utf-8"))
    notice = date(2026, 3, 3)
    draft["schedule"] |= plan.proposed(notice, NATIONAL)
    document = tender_document.from_json(draft)
    assert publication.defects(document, now=calendar.start_of(notice), rulebook=NATIONAL) == ()
    assert calendar.legal_day(instant(draft["schedule"]["deadline"])) == date(2026, 3, 23)


def test_a_day_before_the_proposed_deadline_is_refused_by_the_law() -> None:
    draft = json.loads(EXAMPLES[0].read_text("utf-8"))
    early = "2026-03-22T01:30:00.000Z"
    draft["schedule"] |= {"documents_until": early, "deadline": early, "opening_at": early}
    found = publication.defects(
        tender_document.from_json(draft), now=calendar.start_of(date(2026, 3, 3)), rulebook=NATIONAL
    )
    assert [err.rule for err in found] == ["E-07"]


@given(st.dates(date(2025, 1, 1), date(2026, 6, 30)), st.integers(20, 90), st.integers(1, 30))
@settings(max_examples=40)
def test_every_day_of_the_schedule_has_an_article_and_follows_the_notice(notice: date, days: int, shown: int) -> None:
    deadline = notice + days * calendar.ONE_DAY
    lines = plan.lines(notice, deadline, publicity_days=shown, rulebook=NATIONAL)
    assert all(line.article and line.rule and line.day >= notice for line in lines if line.bound != "latest")
    publicity = next(line for line in lines if line.what[0] == "公示期最早届满")
    award = next(line for line in lines if line.what[0] == "最早可以定标")
    assert deadline < publicity.day < award.day


@given(st.text(max_size=60), st.text(max_size=60))
@settings(max_examples=50)
def test_marked_changes_make_both_texts_again(old: str, new: str) -> None:
    pieces = list(changes.marked(old, new))
    assert "".join(text for kind, text in pieces if kind != "new") == old
    assert "".join(text for kind, text in pieces if kind != "gone") == new


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_a_notice_names_price_deadline_and_method_in_both_languages(path: Path) -> None:
    document = tender_document.from_json(json.loads(path.read_text("utf-8")))
    assert isinstance(instant(document.schedule.deadline), datetime)
    for lang in ("zh", "en"):
        told = json.dumps(notices.sections(document, [], lang), ensure_ascii=False)  # type: ignore[arg-type]
        assert document.lot.name in told
        assert notices.moment(lang, document.schedule.deadline) in told  # type: ignore[arg-type]
        assert document.remedies.complaint in told
