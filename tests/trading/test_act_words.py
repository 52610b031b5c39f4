"""An act in words: whoever signs reads what they sign; nothing is left out in silence, nothing typed becomes markup."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from crypto import jcs
from trading.counter.page import act_words
from trading.counter.page.language import Lang

KIND = ("定标", "award")
AWARD: dict[str, Any] = {
    "v": 1,
    "kind": "award",
    "tender_id": "a" * 64,
    "seq": 21,
    "prev": "b" * 64,
    "at": "2026-03-24T01:30:00.000Z",
    "role": "owner",
    "power": None,
    "rule": "E-83",
    "context": "c" * 64,
    "signatures": [],
    "rank": 1,
    "bid": "d" * 64,
    "bidder": {"name": "青岚路桥有限公司", "uscc": "91139900MA00000001"},
    "price_fen": 2439064639,
    "notice_hash": "e" * 64,
}


def said(act: dict[str, Any], lang: Lang, typed: dict[str, Any] | None = None) -> dict[str, str]:
    told = act_words.tell(act, typed or {}, lang, kind=KIND)
    return {row.label[0]: str(row.value) for row in told.rows}


def test_money_and_instants_are_told_as_people_here_read_them() -> None:
    chinese, english = said(AWARD, "zh"), said(AWARD, "en")
    assert chinese["价款"] == "24,390,646.39 元(大写:贰仟肆佰叁拾玖万零陆佰肆拾陆元叁角玖分)"
    assert "2026年3月24日(周二) 09:30:00" in chinese["文书时间"]
    assert "CNY 24,390,646.39" in english["价款"] and '<span lang="zh">贰仟' in english["价款"]
    assert chinese["签名身份"] == "招标人" and english["签名身份"] == "owner"


def test_what_only_programs_read_is_named_and_never_left_out_in_silence() -> None:
    told = act_words.tell(AWARD, {}, "zh", kind=KIND)
    shown = {label for label, words in act_words.LABELS.items() if words in [row.label for row in told.rows]}
    assert set(told.rest) == {"context", "prev", "tender_id"}
    empty = {"power"}
    assert set(AWARD) == shown | set(told.rest) | act_words.UNTOLD | empty


def test_a_field_nobody_foresaw_is_named() -> None:
    assert "surprise" in act_words.tell({**AWARD, "surprise": 1}, {}, "zh", kind=KIND).rest


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_text_is_shown_only_if_it_is_the_one_that_the_act_names(lang: Lang) -> None:
    text = {"zh": "第三章改为混凝土C40。\n原文:C30\n改为:C40", "en": "Chapter 3: C40."}
    act = {"kind": "amendment", "text_hash": sha256(jcs.dumps(text)).hexdigest()}
    assert "C40" in said(act, lang, {"text": text})["内容"]
    assert "C40" not in said(act, lang, {"text": {**text, "zh": text["zh"] + "!"}})["内容"]


def test_names_with_markup_are_shown_as_text() -> None:
    act = {**AWARD, "bidder": {"name": "<script>alert(1)</script>公司", "uscc": "<b>"}}
    for lang in ("zh", "en"):
        value = said(act, lang)["中标人"]  # type: ignore[arg-type]
        assert "<script>" not in value and "<b>" not in value and "&lt;script&gt;" in value


def test_candidates_are_told_one_by_one_with_price_and_leader() -> None:
    row = {
        "rank": 2,
        "bid": "d" * 64,
        "bidder": AWARD["bidder"],
        "price_fen": 100,
        "period_days": 90,
        "quality": "合格",
        "leader": {"name": "李工", "certificate": "京123"},
        "total": "91.20",
    }
    chinese = said({"kind": "publicity", "candidates": [row]}, "zh")["中标候选人"]
    assert "第 2 名:青岚路桥有限公司" in chinese and "壹元整" in chinese and "总分或评审价 91.20" in chinese
    english = said({"kind": "publicity", "candidates": [row]}, "en")["中标候选人"]
    assert "No. 2: " in english and 'lang="zh">青岚路桥有限公司' in english
