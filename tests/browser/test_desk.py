"""The owner's main job without a script: a tender from last year's copy to its publication, a clarification, the award.

Everything is done by what the page says, in both languages and on both widths; the acts are signed by the command
line's own code, as a person without a script does it. The trading centre registers in between, at its own desk.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pypdf
import pytest
from playwright.sync_api import expect

from tests.browser.steps import go_on, sign

if TYPE_CHECKING:
    from tests.browser.halls import Hall
    from tests.browser.reader import Reader

    Visit = Callable[..., Reader]

COMBINATIONS = [("zh", 1366), ("en", 390)]
HOSTILE = "次年道路养护<b>工程</b>{{ 7*7 }}"
OTHERS = [("en", 1366), ("zh", 390)]


@pytest.mark.parametrize(("lang", "width"), COMBINATIONS)
def test_an_owner_copies_a_tender_publishes_it_and_clarifies(
    visit: Visit, hall_at: Callable[..., Hall], tmp_path: Path, lang: str, width: int
) -> None:
    hall = hall_at("published", watched=False)
    reader = visit(lang, width, who="owner", hall=hall, javascript=False)
    reader.button("复制为新的招标项目", "Copy as a new tender", exact=False).first.click()
    expect(reader.heading("编制招标项目", "New tender")).to_be_visible()
    reader.field("项目名称", "Project").fill("")
    go_on(reader)
    expect(reader.page.get_by_role("alert")).to_contain_text(reader.t("请填写此项", "Fill this in"))
    reader.field("项目名称", "Project").fill(HOSTILE)
    go_on(reader)
    reader.field("招标范围和规模", "Scope and scale").fill("道路养护,投标人须为本市注册企业。")
    go_on(reader)
    go_on(reader)
    reader.button("试算", "Preview").click()
    expect(reader.row(reader.t("报价得分", "Price points"))).to_be_visible()
    expect(reader.page.get_by_role("status").last).to_contain_text(reader.t("评标基准价", "Benchmark"))
    go_on(reader)
    deadline = reader.field("投标截止(同时开标)", "Deadline (and opening)")
    deadline.fill(f"{hall.now():%Y-%m-%d}T09:30")
    go_on(reader)
    expect(reader.page.get_by_role("alert")).to_contain_text(reader.t("依照法 §24,最早为", "The earliest day is"))
    reader.button("填入最早的合法日期", "Set the earliest lawful days").click()
    expect(reader.row(reader.t("签订合同", "Contract"))).to_contain_text(reader.t("法 §46", "法 §46"))
    go_on(reader)
    go_on(reader)
    document = tmp_path / "招标文件.txt"
    document.write_text("招标文件正文", "utf-8")
    reader.field("添加文件", "Add files").set_input_files(document)
    go_on(reader)
    reader.reads("可能构成禁止条件的文字", "Words that may shut bidders out")
    reader.reads(HOSTILE, HOSTILE)
    reader.button("提交进场登记", "Hand in for entry").click()
    expect(reader.page.get_by_role("alert").first).to_contain_text(
        reader.t("请修改提示之处", "Mend what is pointed out")
    )
    reader.field("对上述提示的说明", "Why these words do not shut anybody out").fill("已核实,不构成限制。")
    reader.button("提交进场登记", "Hand in for entry").click()
    reader.reads("等待交易中心登记", "waits for the trading centre")
    entry = reader.page.url

    centre = visit(lang, width, who="centre", hall=hall, javascript=False)
    centre.link("进场登记", "Entries").click()
    centre.page.get_by_role("article").get_by_role("link").first.click()
    centre.button("登记并赋码", "Register and give codes").click()
    centre.reads("没有待登记的申请", "Nothing waits")

    reader.page.goto(entry)
    reader.button("发布:核对并签名", "Publish: check and sign").click()
    sign(reader, "owner", tmp_path)
    reader.reads("招标公告已发布", "The notice is published")
    expect(reader.heading("接下来", "What comes next")).to_be_visible()

    reader.link("提问与澄清", "Questions and clarifications", exact=False).click()
    reader.field("澄清或修改的内容", "Text of the clarification (Chinese)").fill("工期以日历天计。")
    reader.field("原文", "Wording before").fill("工期九十日")
    reader.field("改为", "Wording after").fill("工期九十日历天")
    reader.field("可能影响投标文件编制", "May affect how bids are prepared").select_option(label=reader.t("否", "no"))
    reader.button("预览", "Preview").click()
    expect(reader.page.get_by_role("region", name=reader.t("将要公布的内容", "What will be published"))).to_be_visible()
    reader.button("发布:核对并签名", "Publish: check and sign").click()
    sign(reader, "owner", tmp_path)
    reader.reads("澄清已发布", "Published; everybody who downloaded is told")
    expect(reader.page.get_by_role("insertion").first).to_be_visible()


@pytest.mark.parametrize(("lang", "width"), OTHERS)
def test_an_owner_awards_and_keeps_two_pages_that_say_why(
    visit: Visit, hall_at: Callable[..., Hall], tmp_path: Path, lang: str, width: int
) -> None:
    hall = hall_at("awardable", watched=False)
    reader = visit(lang, width, who="owner", hall=hall, javascript=False)
    reader.page.get_by_role("article").get_by_role("link").first.click()
    reader.link("定标,发出中标通知书", "Award, and send the award notice").click()
    expect(reader.page.get_by_role("table")).to_be_visible()
    reader.button("下一步:核对并签名", "Next: check and sign").click()
    sign(reader, "owner", tmp_path)
    reader.reads("已定标", "Awarded")
    reader.link("签订合同并备案", "Sign and file the contract").click()
    reader.field("合同价(元)", "Contract price (yuan)").fill("1.00")
    paper = tmp_path / "contract.txt"
    paper.write_text("合同", "utf-8")
    reader.field("已签订的合同(文件)", "The signed contract (file)").set_input_files(paper)
    reader.button("下一步:核对并签名", "Next: check and sign").click()
    expect(reader.page.get_by_role("alert")).to_contain_text("E-88")
    reader.page.get_by_role("main").get_by_role("link").first.click()
    for zh, en in (
        ("为什么是它中标(PDF,两页)", "Why this winner (PDF, two pages)"),
        ("中标通知书(PDF)", "Award notice (PDF)"),
        ("招标公告(PDF)", "Notice (PDF)"),
    ):
        with reader.page.expect_download() as saved:
            reader.link(zh, en).click()
        read = pypdf.PdfReader(io.BytesIO(Path(saved.value.path()).read_bytes()))
        if "why" in en.lower():
            assert len(read.pages) == 2
        assert hall.lot in read.pages[0].extract_text()


def test_the_centre_has_rooms_that_two_never_share_and_records_what_it_saw(
    visit: Visit, hall_at: Callable[..., Hall]
) -> None:
    hall = hall_at("published", watched=False)
    reader = visit("zh", 1366, who="centre", hall=hall, javascript=False)
    reader.link("场地", "Rooms").click()
    reader.field("房间", "Room").fill("开标一室")
    reader.field("用途", "Use").select_option(label="开标")
    reader.field("座位", "Seats").fill("40")
    reader.button("登记房间", "Add the room").click()
    day = f"{hall.now():%Y-%m-%d}"
    for start, end, said in (("09:00", "11:00", "场地已预订"), ("10:00", "12:00", "已被预订")):
        slot = reader.page.get_by_role("main")
        slot.get_by_label("房间", exact=True).first.select_option(label="开标一室")
        slot.get_by_label("用途", exact=True).first.select_option(label="开标")
        reader.field("开始", "From").fill(f"{day}T{start}")
        reader.field("结束", "To").fill(f"{day}T{end}")
        reader.button("预订", "Book").click()
        reader.reads(said, said)
    reader.link("今日", "Today").click()
    expect(reader.page.get_by_text("开标一室")).to_be_visible()
    reader.page.get_by_role("listitem").filter(has_text="投标截止").get_by_role("link").first.click()
    reader.field("环节", "Stage").select_option(label="开标")
    reader.field("所见情况", "What was seen").fill("设备正常,三名见证人员到场。")
    reader.button("记入账本", "Put into the ledger").click()
    reader.reads("见证记录已记入账本", "The record is in the ledger")
    reader.reads("三名见证人员到场", "三名见证人员到场")
