"""Why this winner: two pages for either method, every figure from the published scores."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any, cast

import pypdf
import pytest

from trading import tender_document
from trading.counter.page.pages import Sign
from trading.desk import why_paper
from trading.desk.reading import Lot
from trading.papers import papers

SIGN = Sign("青溪县公共资源交易中心", rehearsal=True)
NOW = "2026-04-02T01:00:00.000Z"
BIDS = {
    "a" * 64: ("甲路桥有限公司", 740_000_00),
    "b" * 64: ("乙市政有限公司", 735_000_00),
    "c" * 64: ("丙建工", 760_000_00),
}


def lot(draft: dict[str, Any], candidates: list[str]) -> Lot:
    """As much of a lot as the paper looks at."""
    acts = [
        {"leaf": "1" * 64, "act": {"kind": "scores_locked", "at": NOW, "rule": "E-69"}},
        {"leaf": "2" * 64, "act": {"kind": "publicity", "at": NOW, "candidates": [{"bid": bid} for bid in candidates]}},
    ]
    tender = SimpleNamespace(lot="E5101", name="第一标段", award=None, max_price_fen=1_200_000_00, tender_id="f" * 64)
    document = tender_document.from_json(draft)
    return Lot(cast(Any, tender), "publicity", cast(Any, None), document, acts, [], [], [], [])


def lowest() -> dict[str, Any]:
    """The published comparison table: 乙 is lowest after an adjustment; 甲's price alone would not tell."""
    found = []
    for bid, adjustment in (("b" * 64, 0), ("a" * 64, 1_000_00), ("c" * 64, -10_000_00)):
        price = BIDS[bid][1]
        row = {"bid": bid, "price_fen": price, "correction_fen": 0, "adjustment_fen": adjustment}
        found.append({**row, "evaluated_fen": price + adjustment})
    rows = [
        {"bid": row["bid"], "price_score": "0", "points": "0", "total": "0", "rank": rank, "name": BIDS[row["bid"]][0]}
        | {"price_fen": row["price_fen"]}
        for rank, row in enumerate(found, 1)
    ]
    scores = {"kind": "lowest_evaluated", "rows": found, "result": {"ranking": [row["bid"] for row in found]}}
    return {"rows": rows, "items": [], "scores": scores, "rejected": []}


@pytest.fixture
def document(draft: dict[str, Any]) -> dict[str, Any]:
    draft["method"] = {"name": "lowest_evaluated", "adjustments": ["PAY"], "ties": ["price", "draw"]}
    draft["items"] = []
    return draft


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_lowest_price_is_two_pages_with_the_comparison_table(document: dict[str, Any], lang: Any) -> None:
    data = why_paper.why(lot(document, ["b" * 64]), lowest(), SIGN, lang, now=NOW)
    assert data["answer"].count("735,000.00") == 1 and "6,000.00" in data["answer"]
    assert [row[5] for row in data["scores"]["rows"]] == ["735,000.00", "741,000.00", "750,000.00"]
    assert data["scores"]["rows"][2][4] == "-10,000.00", "an adjustment may lower a price"
    pdf = pypdf.PdfReader(io.BytesIO(papers.render(papers.WHY, data)))
    assert len(pdf.pages) == 2
    text = "".join(page.extract_text() for page in pdf.pages)
    assert "乙市政有限公司" in text.replace("\n", "") and "PAY" in text


def test_a_winner_that_is_not_the_lowest_is_explained_by_law_and_not_by_price(document: dict[str, Any]) -> None:
    data = why_paper.why(lot(document, ["a" * 64]), lowest(), SIGN, "zh", now=NOW)
    assert "依法未能中标" in data["answer"] and data["scores"]["marked"] == 1


def test_equal_prices_say_that_the_document_orders_them(document: dict[str, Any]) -> None:
    result = lowest()
    result["scores"]["rows"][1]["evaluated_fen"] = result["scores"]["rows"][0]["evaluated_fen"]
    data = why_paper.why(lot(document, ["b" * 64]), result, SIGN, "zh", now=NOW)
    assert "按招标文件规定的办法排序" in data["answer"]
