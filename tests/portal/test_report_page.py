"""The rehearsal's page: shows what report.json holds, escapes what strangers wrote, loads nothing from elsewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jinja2
import pytest

from portal.demo import report_page

GOLDEN = Path(__file__).parents[1] / "golden/road-maintenance.json"
STORY = [
    {"at": "2026-03-02T02:00:00.000Z", "zh": "发布招标公告", "en": "the notice is published"},
    {"at": "2026-03-29T23:30:00+08:00", "zh": "递交", "en": "a bid is handed in"},
    {"at": "2026-03-29T16:30:00.000Z", "zh": "次日", "en": "the next day in Shanghai"},
]


def report(**changed: Any) -> dict[str, Any]:
    held = json.loads(GOLDEN.read_text("utf-8"))
    base = {name: held[name] for name in ("opening", "benchmark", "ranking", "awarded_to")}
    forgery = {"exit": 1, "expected_check": 5, "found_check": 5, "event": "ab" * 32, "culprit": "platform"}
    return {
        **base,
        "lot": "E1399000001000001001001",
        "draw": {"panel": ["11" * 32], "replaced": [{"out": "22" * 32, "in": "11" * 32, "why": "recused"}]},
        "verify": {"exit": 0, "checks": [{"id": n, "name": "x", "result": "passed"} for n in range(10)]},
        "forgeries": [{"file": "forged/01.zip", **forgery}],
        "seconds": 100,
        **changed,
    }


def page(told: dict[str, Any], names: dict[str, str] | None = None) -> str:
    return report_page.render(told, narrative=STORY, title="道路", names=names or {}, command="tradehall-verify F")


def test_prices_benchmark_and_totals_stand_as_in_the_report() -> None:
    shown = page(report())
    for text in ("26,118,477.25", "24,390,646.39", "95.10", "+1.98 %", "-6.17 %", "逾期拒收", "1 / 1"):
        assert text in shown, text
    assert shown.index("2026-03-02") < shown.index("2026-03-29") < shown.index("2026-03-30"), (
        "days are those of Shanghai"
    )


def test_a_name_with_markup_is_escaped() -> None:
    shown = page(report(), {"02": '<script>alert("02")</script>'})
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown


def test_nothing_is_loaded_from_elsewhere() -> None:
    assert re.findall(r"(?:src|href|url\(|@import|https?:)", page(report())) == []


def test_a_forgery_that_was_not_caught_and_a_failed_check_are_told() -> None:
    missed = {
        "file": "forged/01.zip",
        "exit": 0,
        "expected_check": 5,
        "found_check": None,
        "event": None,
        "culprit": None,
    }
    shown = page(report(forgeries=[missed], verify={"exit": 1, "checks": [{"id": 5, "name": "x", "result": "failed"}]}))
    assert "未识破" in shown
    assert "0 / 1" in shown
    assert "不通过 exit 1" in shown


def test_a_report_that_lacks_a_field_is_not_shown_half() -> None:
    told = report()
    del told["seconds"]
    with pytest.raises(jinja2.UndefinedError):
        page(told)
