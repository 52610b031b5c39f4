"""Public pages without a browser: charts from the lifecycle's table, guides, feeds, marked changes."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from portal.front import feeds, flowcharts, guides, pages, wording
from trading import powers
from trading.counter.page import terms
from trading.lifecycle import CAUSED_BY, TRANSITIONS, State
from trading.published import changes, words

LOT: dict[str, Any] = {
    "lot": "E1399000001000001001001",
    "tender_id": "ab" * 32,
    "name": "道路 <script>alert(1)</script> & 桥",
    "published_at": "2026-03-02T01:00:00.000Z",
    "deadline": "2026-03-24T01:30:00.000Z",
}


def test_every_state_and_every_way_of_the_table_is_on_the_chart_or_in_its_words() -> None:
    for lang, at in (("zh", 0), ("en", 1)):
        drawn = str(flowcharts.lifecycle(lang))  # type: ignore[arg-type]
        plain = "".join(re.findall(r">([^<>]+)</text>", drawn)).replace(" ", "")
        for state in State:
            assert terms.state(state)[at].replace(" ", "") in plain, state
        assert "style=" not in drawn, "the page's policy allows no inline style"
    rows = {(row.row, row.event): row for row in flowcharts.table()}
    for way in TRANSITIONS:
        row = rows[way.row, way.event]
        assert way.frm in row.frm and way.to in row.to and set(way.rules) <= set(row.rules)
    assert all(wording.event(kind) != (kind, kind) for kind in CAUSED_BY), "every event has words"
    assert all(wording.role(name) != (name, name) for roles in CAUSED_BY.values() for name in roles)


def test_the_main_line_goes_from_the_draft_to_the_contract_and_only_forward() -> None:
    line = flowcharts.main_line()
    assert (line[0], line[-1]) == (State.DRAFT, State.CONTRACTED)
    assert {State(state) for state in State} - set(line) == {State.SHORT, State.FAILED, State.TERMINATED}


def test_every_power_has_a_chain_of_its_steps() -> None:
    for power in powers.load():
        drawn = str(flowcharts.steps(power.flow, "en"))
        assert drawn.count("<rect") == len(power.flow.split("→"))
        ends = [float(x) + float(w) for x, w in re.findall(r'<rect[^>]* x="([\d.]+)"[^>]* width="([\d.]+)"', drawn)]
        assert max(ends) <= 420, "the chain stays inside its frame"


def test_guides_are_in_both_languages_and_for_every_kind_of_person() -> None:
    slugs = [guide.slug for guide in guides.GUIDES]
    assert len(set(slugs)) == len(slugs) >= 7
    for guide in guides.GUIDES:
        for zh, en in (guide.title, guide.lead, *guide.needs, *guide.steps, *guide.good):
            assert re.search("[\\u4e00-\\u9fff]", zh) and not re.search("[\\u3000-\\u9fff]", en), en


def test_the_feed_is_xml_whatever_a_name_holds_and_the_calendar_has_every_opening() -> None:
    data = feeds.atom([LOT], name="大厅 & <b>", base="https://hall.example", lang="en", now=LOT["published_at"])
    feed = ElementTree.fromstring(data)
    entry = feed.find("{http://www.w3.org/2005/Atom}entry")
    assert entry is not None and entry.findtext("{http://www.w3.org/2005/Atom}title") == LOT["name"]
    made = feeds.calendar([LOT], name="大厅", base="https://hall.example", lang="zh", now=LOT["published_at"])
    event = next(iter(Calendar.from_ical(made).walk("VEVENT")))
    assert str(event["SUMMARY"]) == f"开标:{LOT['name']}"
    assert event["DTSTART"].dt.isoformat() == "2026-03-24T01:30:00+00:00"


def test_midnight_is_the_end_of_the_day_before() -> None:
    assert "3月30日" in pages.end("zh", "2026-03-30T16:00:00.000Z") and "24:00" in pages.end(
        "en", "2026-03-30T16:00:00.000Z"
    )
    assert "09:30" in pages.end("zh", "2026-03-24T01:30:00.000Z")


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_marked_pieces_give_back_both_texts(before: str, after: str) -> None:
    pieces = changes.marked(before, after)
    assert "".join(text for kind, text in pieces if kind != "ins") == before
    assert "".join(text for kind, text in pieces if kind != "del") == after


@pytest.mark.parametrize(
    ("name", "others", "like"),
    [
        ("工程量清单(修改1).txt", ["招标文件.pdf", "工程量清单.txt"], "工程量清单.txt"),
        ("工程量清单(修改1).txt", ["工程量清单.xlsx"], None),
        ("澄清文件第1号.pdf", ["招标公告.pdf", "招标文件.pdf"], None),
    ],
)
def test_a_new_file_is_compared_with_the_one_it_is_like(name: str, others: list[str], like: str | None) -> None:
    assert changes.likest(name, others) == like


def test_changed_lines_are_marked_inside_and_the_rest_left_out() -> None:
    before = "\n".join(f"第{n}条 沥青软化点不低于{60 + n}℃" for n in range(20))
    after = before.replace("第9条 沥青软化点不低于69℃", "第9条 沥青软化点不低于70℃")
    lines = changes.marked_lines(before, after)
    assert len(lines) == 5 and ("del", "69") in lines[2] and ("ins", "70") in lines[2]


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet="道路桥梁养护 A2,。", min_size=2, max_size=30))
def test_every_part_of_a_text_is_found_by_its_pairs(text: str) -> None:
    kept = set(words.words_of(text))
    for run in words.runs(text):
        for start in range(len(run) - 1):
            for condition in words.asked(run[start:]):
                asked = condition.where["word"]  # type: ignore[union-attr]
                assert asked in kept or any(one.startswith(getattr(asked, "low", "?")) for one in kept)
