"""What people do at the doors, step by step, for the tests that do it: a bid sealed, an act signed, a tender published.

Like the tests, nothing here knows more than what the page says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from bidding.client import bidder, identity
from tests.browser.halls import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Download, FilePayload, Locator

    from tests.browser.halls import Account
    from tests.browser.reader import Reader

PASSPHRASE = "correct horse battery"
SEALED_MS = 120_000 * PATIENCE  # Argon2id twice, and witnesses.


def anchors(account: Account) -> Path:
    """The trust.json that the organisation has from elsewhere."""
    assert account.identity is not None, "a bidder has an identity"
    return account.identity / "trust.json"


def saved(reader: Reader, act: Callable[[], None]) -> Download:
    """The file that an act saves."""
    with reader.page.expect_download() as caught:
        act()
    return caught.value


def make_key(reader: Reader) -> None:
    """The organisation's signing key, made in this browser."""
    reader.link("签名密钥", "Signing keys").first.click()
    reader.button("在此浏览器中生成签名密钥", "Make a signing key in this browser").click()
    reader.reads("此浏览器中已有本单位的签名密钥", "This browser holds a signing key of your organisation")
    reader.link("回到我的栏目", "Back to my door").click()


def to_the_lot(reader: Reader, name: str = "") -> None:
    """By the list of own and open tenders, to the one of this name or the hall's own."""
    name = name or reader.hall.get(f"/api/v1/lots/{reader.hall.lot}")["name"]
    reader.page.get_by_role("link", name=name).first.click()
    expect(reader.page.get_by_role("heading", level=1)).to_have_text(name)


def check_roster(reader: Reader, account: Account) -> None:
    """Choose the trust file and read that it proves the tender."""
    reader.field("信任文件 trust.json", "Trust file trust.json").set_input_files(anchors(account))
    reader.reads("名册上的受托人均已由双方认证", "every trustee on the roster is certified by both roots")


def fill_in(reader: Reader, price: str, files: Mapping[str, bytes | Path]) -> None:
    """The opening list, the required file (what is in it, or where it lies), the passphrase."""
    reader.field("投标总报价(元)", "Bid price (CNY)", exact=True).fill(price)
    reader.field("工期(日历天)", "Time (calendar days)", exact=True).fill("58")
    reader.field("项目负责人姓名", "Project leader", exact=True).fill("葛云帆")
    reader.field("项目负责人证书编号", "Leader's certificate number", exact=True).fill("冀1132018202224121")
    for label, data in files.items():
        if isinstance(data, Path):
            reader.page.get_by_label(label).set_input_files(data)
            continue
        chosen: FilePayload = {"name": "my letter.pdf", "mimeType": "application/pdf", "buffer": data}
        reader.page.get_by_label(label).set_input_files(files=[chosen])
    reader.field("恢复文件口令", "Passphrase of the recovery file", exact=True).fill(PASSPHRASE)
    reader.field("再输入一次口令", "Passphrase once more", exact=True).fill(PASSPHRASE)


def seal_and_hand_in(reader: Reader, into: Path, version: int, *, patience_ms: int = SEALED_MS) -> Path:
    """Seal, save the recovery file, hand in; the receipt's file."""
    reader.button("检查并封标", "Check and seal").click()
    tested = (f"第{version}版已封好,自检通过。尚未递交", f"Version {version} is sealed and tested. It is not handed in")
    expect(reader.page.get_by_text(reader.t(*tested)).first).to_be_visible(timeout=patience_ms)
    reader.button("上传并递交", "Upload and hand in").click()
    reader.reads("请先保存恢复文件", "Save the recovery file and tick the box first")
    kept = saved(reader, lambda: reader.link("保存恢复文件", "Save the recovery file").click())
    assert kept.suggested_filename == f"{reader.hall.lot}.v{version}.recovery"
    reader.field("恢复文件已保存好", "I have kept the recovery file").check()
    reader.button("上传并递交", "Upload and hand in").click()
    witnessed = reader.t("投标已递交并已见证", "The bid is submitted and witnessed")
    expect(reader.page.get_by_text(witnessed).first).to_be_visible(timeout=patience_ms)
    stages = reader.page.get_by_role("list", name=reader.t("进度", "How far it came")).get_by_role("listitem")
    expect(stages).to_have_text([re.compile(reader.t("完成$", "done$"))] * 4)
    words = [reader.t(*pair) for pair in (("已上传", "Uploaded"), ("已接收", "Received"), ("已递交", "Submitted"))]
    expect(stages).to_contain_text([*words, reader.t("已见证", "Witnessed")])
    file = saved(reader, lambda: reader.link("保存回执文件", "Save the receipt file").click())
    path = into / file.suggested_filename
    file.save_as(path)
    return path


def sign(reader: Reader, part: str, folder: Path) -> None:
    """Save the act, sign it with `tradehall-bidder sign`, hand the signed file in: no script."""
    page = reader.page
    expect(reader.heading("核对并签名", "Check and sign")).to_be_visible()
    # In words, before anything is signed.
    expect(reader.heading("您将签署的内容", "What you are about to sign")).to_be_visible()
    reader.reads("签名身份", "Signed as")
    page.get_by_text(
        reader.t("用命令行签名(不需要脚本)", "Sign with the command line (no script needed)"), exact=True
    ).click()
    with page.expect_download() as saved:
        reader.button("保存文书 act.json", "Save the act as act.json").click()
    act, signed = folder / "act.json", folder / "signed.json"
    saved.value.save_as(act)
    own = reader.hall.who(part).identity
    assert own is not None, f"{part} has an identity"
    signed.unlink(missing_ok=True)
    identity.sign_file(identity.load(own), act, signed)
    reader.field("已签名的文书(文件)", "Signed act (file)").set_input_files(signed)
    reader.button("提交已签名的文书", "Submit the signed act").click()


def go_on(reader: Reader) -> None:
    """To the next step."""
    reader.button("保存,下一步", "Keep and go on").last.click()


def sign_here(reader: Reader) -> None:
    """Sign the act that the page shows, with the organisation's key in this browser."""
    expect(reader.heading("核对并签名", "Check and sign")).to_be_visible()
    reader.button("用此浏览器中的密钥签名并提交", "Sign with the key in this browser and submit").click()


def come_in(reader: Reader, part: str) -> None:
    """Sign in anew: a session does not last from one day to the next."""
    reader.arrive()
    reader.sign_in(reader.hall.who(part))


def copy_tender(reader: Reader, name: str, folder: Path) -> None:
    """Copy the last tender under another name, with the earliest lawful days and one file, and hand it in for entry."""
    reader.button("复制为新的招标项目", "Copy as a new tender", exact=False).first.click()
    reader.field("项目名称", "Project").fill(name)
    go_on(reader)
    reader.field("标段名称", "Name of the lot").fill(name)
    reader.field("招标公告标题", "Title of the notice").fill(f"{name}招标公告")
    go_on(reader)
    go_on(reader)
    reader.button("试算", "Preview").click()
    expect(reader.row(reader.t("报价得分", "Price points"))).to_be_visible()
    reader.look("method", at=reader.page.get_by_role("table"))
    go_on(reader)
    reader.button("填入最早的合法日期", "Set the earliest lawful days").click()
    expect(reader.row(reader.t("签订合同", "Contract"))).to_be_visible()
    reader.look("schedule", at=reader.page.get_by_role("table"))
    go_on(reader)
    go_on(reader)
    document = folder / "招标文件.txt"
    document.write_text("招标文件正文", "utf-8")
    reader.field("添加文件", "Add files").set_input_files(document)
    go_on(reader)
    reader.reads("法定条件全部满足", "Everything the law asks is there")
    reader.look("check")
    reader.button("提交进场登记", "Hand in for entry").click()
    reader.reads("等待交易中心登记", "waits for the trading centre")


def register_entry(reader: Reader, name: str) -> None:
    """The trading centre registers what was handed in."""
    reader.link("进场登记", "Entries").first.click()
    reader.page.get_by_role("link", name=name).click()
    reader.look("entry")
    reader.button("登记并赋码", "Register and give codes").click()
    reader.reads("没有待登记的申请", "Nothing waits")


def publish_copy(owner: Reader, centre: Reader, name: str, folder: Path) -> None:
    """From last year's tender to the notice: the owner prepares, the centre registers, the owner signs in the page."""
    owner.link("我的账户", "My account").click()
    make_key(owner)
    copy_tender(owner, name, folder)
    register_entry(centre, name)
    owner.page.reload()
    owner.button("发布:核对并签名", "Publish: check and sign").click()
    owner.look("sign")
    sign_here(owner)
    owner.reads("招标公告已发布", "The notice is published")
    told = owner.hall.get("/api/v1/lots")
    owner.hall.lot = next(one["lot"] for one in told if one["name"] == name)


def bid_in_page(reader: Reader, part: str, price: str, files: Mapping[str, bytes | Path], folder: Path) -> None:
    """A bidder's whole bid: the key, the documents, the roster proved, sealed, handed in, witnessed."""
    make_key(reader)
    to_the_lot(reader)
    reader.button("领取招标文件", "Take the documents").click()
    reader.reads("已登记领取", "Registered: you will be told")
    reader.link("编制并封标投标", "Prepare and seal a bid").click()
    check_roster(reader, reader.hall.who(part))
    reader.look("roster")
    fill_in(reader, price, files)
    seal_and_hand_in(reader, folder, 1)
    reader.look("receipt", phone=True)


def sign_in_to_panel(reader: Reader, name: str) -> None:
    """An expert accepts where it was not done yet, declares twice and sees whose project it is."""
    reader.does_not_read(name, name)
    reader.look("invitation", phone=True)
    accept = reader.field("您的答复", "Your answer")
    if accept.count():
        accept.first.select_option(label=reader.t("接受", "Accept"))
        reader.button("提交答复", "Send the answer").click()
        reader.reads("已接受", "Accepted")
    for box in reader.page.get_by_role("checkbox").all():
        box.check()
    reader.button("声明并签到", "Declare and sign in").click()
    expect(reader.page.get_by_role("heading", level=1)).to_contain_text(name)


def score_and_lock(reader: Reader, bids: int, points: Mapping[str, Sequence[str]]) -> None:
    """Give every bidder its points (by the bidder's name, in the sheet's order), look once more, sign and lock."""
    reader.link("去评分", "Score").click()
    for _ in range(bids):
        heading = reader.page.get_by_role("heading", level=1)
        told = heading.inner_text()
        given = next(marks for bidder, marks in points.items() if bidder in told)
        for mark, value in zip(reader.page.get_by_role("textbox").all(), given, strict=True):
            mark.fill(value)
        beside = reader.page.get_by_title(reader.t("投标文件", "Documents of the bid")).content_frame
        expect(beside.get_by_role("heading", level=1)).to_be_visible()
        reader.look("score", phone=True)
        reader.button("保存,到下一个投标人", "Save and go to the next bidder").click()
        expect(heading).not_to_have_text(told)
    reader.button("签署并锁定评分表", "Sign and lock my sheet").click()
    reader.reads("已签署并锁定", "Signed and locked")


def draw_the_panel(owner: Reader, centre: Reader, supervisor: Reader, name: str, folder: Path) -> None:
    """The owner asks for the draw and hands in a number from its browser; supervision and the centre, whose keys are
    elsewhere, hand in what the command line made; the centre closes the draw."""
    to_the_lot(owner, name)
    owner.link("申请抽取评标专家", "Ask for the draw of the panel").first.click()
    owner.button("申请抽取评标专家", "Ask for the draw of the panel").click()
    owner.reads("已公布专家抽取池", "The pool is published")
    owner.link("评标专家抽取", "Draw of the panel").click()
    owner.field("信任文件 trust.json", "Trust file trust.json").set_input_files(anchors(owner.hall.who("owner")))
    owner.button("生成、密封、签名并提交", "Make, seal, sign and hand in").click()
    expect(given(owner)).to_be_visible(timeout=SEALED_MS)
    owner.look("draw", at=owner.heading("谁已提交", "Who has handed in"))
    for reader, part in ((supervisor, "supervisor"), (centre, "centre")):
        reader.page.get_by_role("link", name=name).first.click()
        reader.link("评标专家抽取", "Draw of the panel").click()
        made, own = folder / f"{part}.json", reader.hall.who(part).identity
        line = ["--server", reader.hall.url, "--identity", str(own), "contribute", reader.hall.lot, "-o", str(made)]
        reader.hall.until_witnessed()  # The program believes what witnesses have seen.
        assert bidder.main(line) == 0
        reader.reads("此浏览器中没有这把密钥", "This browser does not hold that key")
        reader.field("密封随机数(文件)", "Sealed number (file)").set_input_files(made)
        reader.button("提交密封随机数", "Hand in the sealed number").click()
        expect(given(reader)).to_be_visible()
    centre.button("截止抽取", "Close the draw").click()
    centre.reads("抽取已截止", "The draw is closed")


def given(reader: Reader) -> Locator:
    """The page's word that a side handed in its number."""
    return reader.page.get_by_text(reader.t("您这一方已提交,不能再改", "Your side has handed in; it cannot be changed"))
