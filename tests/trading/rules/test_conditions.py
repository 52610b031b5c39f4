"""Forbidden conditions are found by their words, and what every lawful document says is not mistaken for one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from trading import tender_document
from trading.rules import conditions
from trading.tender_document import TenderDocument

ROOT = Path(__file__).parents[3]
EXAMPLES = (ROOT / "examples/road-maintenance/tender.json", ROOT / "tests/examples/other-road/tender.json")


def example(path: Path = EXAMPLES[0]) -> TenderDocument:
    return tender_document.parse(json.dumps(json.loads(path.read_text("utf-8"))).encode())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_a_lawful_document_holds_no_forbidden_condition(path: Path) -> None:
    assert conditions.findings(example(path)) == ()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("投标报价不得低于最高投标限价的85%", "min_price"),
        ("设最低投标限价", "min_price"),
        ("注册资本不少于5000万元", "scale"),
        ("上一年度营业收入不低于1亿元", "scale"),
        ("从业人员300人以上", "scale"),
        ("投标人须为本市注册企业", "region"),
        ("在本地设立分公司", "region"),
        ("具有本省业绩的加2分", "region"),
        ("外地企业须办理备案", "region"),
        ("沥青必须采用某某品牌", "brand"),
        ("提供原厂授权", "brand"),
        ("国有企业优先", "ownership"),
        ("仅限国有企业", "ownership"),
        ("获得本行业奖项的加3分", "award_or_record_of_a_trade"),
        ("投标人须现场报名", "precondition"),
        ("法定代表人必须亲自到场", "precondition"),
        ("组织部分投标人现场考察", "visit"),
        ("通过摇号确定中标人", "lot"),
    ],
)
def test_a_forbidden_condition_is_found_wherever_it_stands(words: str, code: str) -> None:
    document = example()
    lot = replace(document, lot=replace(document.lot, scope=f"道路养护。{words}。"))
    item = replace(document, items=(replace(document.items[0], criterion=words), *document.items[1:]))
    for field, changed in (("lot.scope", lot), ("items[0].criterion", item)):
        assert code in {one.condition.code for one in conditions.findings(changed) if one.field == field}


def test_every_condition_names_its_article_in_both_languages() -> None:
    assert all((one.zh and one.en and "§" in one.article) or "1117" in one.article for one in conditions.CONDITIONS)
