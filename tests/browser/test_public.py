"""Everybody: finds a notice, reads its line of time limits, its opening and result, and learns how to check it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.halls import Hall
from tests.browser.reader import Reader

BOTH = pytest.mark.parametrize("lang", ["zh", "en"])
NAME = "北峪县乡道三号线路面修复工程施工"
WINNER = "曙禾路桥有限公司"


@BOTH
@pytest.mark.parametrize("width", [1366, 390])
def test_somebody_finds_a_notice_by_two_characters_and_reads_its_time_limits(
    visit: Callable[..., Reader], lang: str, width: int
) -> None:
    reader = visit(lang, width)
    reader.field("查找招标公告", "Find notices").fill("路面")
    reader.button("查找", "Find").click()
    expect(reader.heading("招标公告", "Notices", exact=True)).to_be_visible()
    reader.page.get_by_role("link", name=NAME).click()
    expect(reader.page.get_by_role("heading", name=NAME)).to_be_visible()
    limits = reader.page.get_by_role("listitem").filter(has_text=reader.t("投标截止", "Deadline for bids")).first
    expect(limits).to_contain_text("法 §24")
    expect(limits).to_contain_text(reader.t("依法不早于", "by law not before"))
    asked = reader.page.get_by_role("listitem").filter(has_text=reader.t("提出异议的最后一天", "Last day to object"))
    expect(asked.first).to_contain_text("条例 §22")
    reader.reads("对招标文件的异议", "An objection to the documents")
    with reader.page.expect_download() as given:
        reader.page.get_by_role("link", name="招标公告.pdf").click()
    assert given.value.suggested_filename == "招标公告.pdf"
    link = reader.link("加入日历", "Add to calendar")
    with reader.page.expect_download() as given:
        link.click()
    assert given.value.suggested_filename.endswith(".ics")


@BOTH
def test_words_that_are_nowhere_and_filters_that_are_nonsense_are_told(visit: Callable[..., Reader], lang: str) -> None:
    reader = visit(lang, 390)
    reader.link("招标公告", "Notices").first.click()
    reader.field("关键词", "Words").fill("路道")
    reader.field("行政区划代码", "Region code").fill("北京")
    reader.button("查找", "Find").click()
    reader.reads("没有找到符合条件的公告", "Nothing fits")
    reader.reads("请填写行政区划代码的前几位数字", "Give the first digits")
    expect(reader.field("关键词", "Words")).to_have_value("路道")
    expect(reader.field("行政区划代码", "Region code")).to_have_value("北京")
    reader.field("行政区划代码", "Region code").fill("1399")
    reader.field("关键词", "Words").fill("乡道")
    reader.field("阶段", "Stage").select_option(label=reader.t("正在投标", "open for bids"))
    reader.button("查找", "Find").click()
    expect(reader.page.get_by_role("link", name=NAME)).to_be_visible()


@BOTH
def test_result_objections_and_the_verifiers_report_stand_on_the_page_without_scripts(
    visit: Callable[..., Reader], shared_hall_at: Callable[[str], Hall], lang: str
) -> None:
    reader = visit(lang, 1366, hall=shared_hall_at("publicity"), javascript=False)
    reader.page.get_by_role("link", name=NAME).first.click()
    expect(reader.row(WINNER).first).to_be_visible()
    reader.reads("对评标结果的异议", "An objection to the result")
    reader.link("自己核验", "Check this tender yourself").click()
    reader.reads("不要只从本平台取得信任文件", "Do not take the trust file from this platform alone")
    expect(reader.page.get_by_text("python -m crypto.verifier bundle.zip --trust trust.json")).to_be_visible()
    for _ in range(40):
        if reader.page.get_by_text(reader.t("没有发现问题", "nothing failed")).count():
            break
        reader.page.wait_for_timeout(1000)
        reader.page.reload()
    reader.reads("没有发现问题", "nothing failed")
    expect(reader.row(reader.t("账本", "ledger")).first).to_contain_text(reader.t("通过", "passed"))


@BOTH
@pytest.mark.parametrize("width", [1366, 390])
def test_powers_guides_calendar_and_downloads_can_be_read(visit: Callable[..., Reader], lang: str, width: int) -> None:
    reader = visit(lang, width)
    reader.link("权责清单", "Power list").first.click()
    expect(reader.page.get_by_role("heading", name="S-001")).to_be_visible()
    expect(reader.row("A26").first).to_contain_text(reader.t("已定标", "awarded"))
    reader.link("办事指南", "Guides").first.click()
    reader.link("投标人办事指南", "For bidders").click()
    expect(reader.heading("怎么做", "Step by step")).to_be_visible()
    reader.link("开标日历", "Calendar").click()
    expect(reader.page.get_by_role("link", name=re.compile(r"3月25日|25 Mar")).first).to_be_visible()
    expect(reader.page.get_by_role("link", name=NAME)).to_be_visible()
    reader.link("下载", "Downloads").click()
    expect(reader.page.get_by_text("tradehall-bidder")).to_be_visible()
    wide = reader.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width, "nothing sticks out of the page"
