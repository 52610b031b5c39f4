"""Papers: the same data gives the same bytes, what people type stays text, Chinese needs no font of the machine."""

from __future__ import annotations

import io
from typing import Any

import pypdf
import pytest

from trading.papers import papers

COMMON: dict[str, Any] = {
    "lang": "zh",
    "title": "招标公告",
    "hall": "青岚市公共资源交易中心",
    "rehearsal": True,
    "printed": "2026年3月2日 10:00",
    "code": "E1399000001000001001001",
    "leaf": "0" * 64,
}
NOTICE = {
    **COMMON,
    "subtitle": "第一标段",
    "sections": [
        {
            "title": "项目概况",
            "facts": [["项目名称", "城市道路大中修工程"]],
            "items": ["以工程量清单为准。"],
            "table": {"head": ["编号", "名称"], "rows": [["F1", "投标函"]], "columns": [1, 4], "numbers": []},
        }
    ],
    "closing": ["青岚市城市道路管理处"],
}


def read(data: bytes) -> str:
    return "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages)


def test_the_same_data_gives_the_same_bytes() -> None:
    assert papers.render(papers.NOTICE, NOTICE) == papers.render(papers.NOTICE, dict(reversed(NOTICE.items())))


def test_chinese_is_readable_text_and_a_rehearsal_says_so() -> None:
    told = read(papers.render(papers.NOTICE, NOTICE))
    assert "城市道路大中修工程" in told
    assert "不具法律效力" in told


@pytest.mark.parametrize("name", ['#read("/etc/passwd")', "*bold* $x$ <label> @ref", '"#panic()"'])
def test_what_people_type_never_becomes_markup(name: str) -> None:
    section = {**NOTICE["sections"][0], "facts": [["项目名称", name]]}
    told = read(papers.render(papers.NOTICE, {**NOTICE, "sections": [section]}))
    assert name in told.replace("\n", "")
