"""An opening watched by two: both see every step and every price come; a reload, or no scripts, loses nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from storage.world import instant
from tests.browser.halls import PATIENCE, Hall
from tests.browser.reader import Reader
from trading.calendar import CHINA

NAME = "北峪县乡道三号线路面修复工程施工"
BIDDERS = ("曙禾路桥有限公司", "石岭交通建设有限公司")
COMES_MS = 60_000 * PATIENCE
_COUNTING = re.compile(r"\d\d:\d\d:\d\d")


def go_in(reader: Reader) -> None:
    """From the front page to the opening hall of the tender: on its day directly, before by its notice."""
    expect(reader.heading("今日开标", "Openings today")).to_be_visible()
    today = reader.link("进入开标大厅", "To the opening hall")
    if today.count():
        today.click()
    else:
        reader.page.get_by_role("link", name=NAME).first.click()
        reader.link("开标大厅", "Opening hall").click()
    expect(reader.heading("开标大厅", "Opening hall")).to_be_visible()


def test_two_watch_an_opening_and_see_it_come(visit: Callable[..., Reader], hall_at: Callable[..., Hall]) -> None:
    hall = hall_at("before_deadline")
    here, there = visit("zh", 1366, hall=hall), visit("en", 390, hall=hall)
    for reader in (here, there):
        go_in(reader)
        reader.reads("等待开标", "Waiting for the opening")
        reader.reads("实时更新中", "Live")
        expect(reader.page.get_by_role("timer")).to_have_text(_COUNTING)
        for name in BIDDERS:
            expect(reader.page.get_by_text(name)).to_have_count(0)
        reader.does_not_read("封存投标", "Bids frozen")
    deadline = instant(hall.get(f"/api/v1/lots/{hall.lot}")["deadline"])
    hall.move_to(deadline + timedelta(seconds=61))
    moment = deadline.astimezone(CHINA)
    for reader in (here, there):
        expect(reader.page.get_by_text(reader.t("封存投标", "Bids frozen"))).to_be_visible(timeout=COMES_MS)
        day = reader.t(f"{moment.year}年{moment.month}月{moment.day}日", f"{moment.day} {moment:%b %Y}")
        rehearsal = reader.page.get_by_role("note").filter(has_text=reader.t("演练时间", "Time in this rehearsal"))
        expect(rehearsal).to_contain_text(re.compile(rf"{re.escape(day)}.* {moment:%H}:\d\d:\d\d"))
    hall.open_bids()
    for reader in (here, there):
        for name in BIDDERS:
            expect(reader.row(name)).to_be_visible(timeout=COMES_MS)
        reader.reads("已开标,记录已公布", "Opened: the record is public")
        expect(reader.page.get_by_role("log")).to_contain_text(reader.t("全部投标封存", "All bids were frozen"))
    # A trustee may still come late: what was told stays, more may be added.
    told = here.page.get_by_role("log").get_by_role("listitem").count()
    here.page.reload()
    expect(here.row(BIDDERS[0])).to_be_visible()
    expect(here.page.get_by_role("log").get_by_role("listitem").nth(told - 1)).to_be_visible()
    still = visit("zh", 390, hall=hall, javascript=False)
    go_in(still)
    expect(still.row(BIDDERS[0])).to_be_visible()
    expect(still.page.get_by_role("log").get_by_role("listitem").nth(told - 1)).to_be_visible()
    here.link("大屏幕页面", "Page for the wall").click()
    expect(here.row(BIDDERS[0])).to_be_visible()
    expect(here.page.get_by_role("button")).to_have_count(0)


@pytest.mark.parametrize(("lang", "javascript"), [("zh", True), ("en", False)])
def test_a_bidder_objects_on_the_spot_and_the_owner_answers(
    visit: Callable[..., Reader], hall_at: Callable[..., Hall], lang: str, javascript: bool
) -> None:
    hall = hall_at("opened", watched=False)
    bidder = visit(lang, 390, hall=hall, who="bidder:01", javascript=javascript)
    bidder.arrive()
    go_in(bidder)
    bidder.link("我是投标人:提出异议", "I am a bidder: object").click()
    bidder.button("提出异议", "Raise the objection").click()
    expect(bidder.page.get_by_role("alert")).to_be_visible()
    bidder.field("对开标的异议", "Your objection to the opening").fill("唱标的工期与我方投标文件不一致。")
    bidder.button("提出异议", "Raise the objection").click()
    bidder.reads("等待招标人当场答复", "waiting for the owner's answer")
    owner = visit(lang, 1366, hall=hall, who="owner", javascript=javascript)
    owner.arrive()
    go_in(owner)
    owner.link("我是招标人:答复", "I am the owner: answer").click()
    expect(owner.page.get_by_text("唱标的工期与我方投标文件不一致。")).to_be_visible()
    owner.field("当场答复", "Your answer on the spot").fill("经核对,与开标一览表一致。")
    owner.button("答复", "Answer").click()
    owner.reads("已当场答复。", "Answered on the spot.")
    bidder.page.reload()
    expect(bidder.page.get_by_text("经核对,与开标一览表一致。")).to_be_visible()
