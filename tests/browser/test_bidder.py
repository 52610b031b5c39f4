"""The bidder's door: a bid prepared, sealed in the browser, handed in, replaced, withdrawn, opened."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from crypto import trust
from crypto.ledger import receipt
from storage.world import instant

if TYPE_CHECKING:
    from playwright.sync_api import Download, Route

    from tests.browser.halls import Account, Hall
    from tests.browser.reader import Reader

    Visit = Callable[..., Reader]

BOTH = [("zh", 1366, "bidder:01"), ("en", 390, "bidder:02")]
PASSPHRASE = "correct horse battery"
FILE_BYTES = 3 << 20
LARGE_BYTES = 24 << 20
LOOKS = 30
SEALED_MS = 120_000  # Argon2id twice, and witnesses, on a machine that is busy.


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


def to_the_lot(reader: Reader) -> None:
    """By the list of own and open tenders."""
    name = reader.hall.get(f"/api/v1/lots/{reader.hall.lot}")["name"]
    reader.page.get_by_role("link", name=name).first.click()
    expect(reader.page.get_by_role("heading", level=1)).to_have_text(name)


def check_roster(reader: Reader, account: Account) -> None:
    """Choose the trust file and read that it proves the tender."""
    reader.field("信任文件 trust.json", "Trust file trust.json").set_input_files(anchors(account))
    reader.reads("名册上的受托人均已由双方认证", "every trustee on the roster is certified by both roots")


def fill_in(reader: Reader, price: str, files: dict[str, bytes]) -> None:
    """The opening list, the required file, the passphrase."""
    reader.field("投标总报价(元)", "Bid price (CNY)", exact=True).fill(price)
    reader.field("工期(日历天)", "Time (calendar days)", exact=True).fill("58")
    reader.field("项目负责人姓名", "Project leader", exact=True).fill("葛云帆")
    reader.field("项目负责人证书编号", "Leader's certificate number", exact=True).fill("冀1132018202224121")
    for label, data in files.items():
        chosen = {"name": "my letter.pdf", "mimeType": "application/pdf", "buffer": data}
        reader.page.get_by_label(label).set_input_files(files=[chosen])
    reader.field("恢复文件口令", "Passphrase of the recovery file", exact=True).fill(PASSPHRASE)
    reader.field("再输入一次口令", "Passphrase once more", exact=True).fill(PASSPHRASE)


def seal_and_hand_in(reader: Reader, into: Path, version: int) -> Path:
    """Seal, save the recovery file, hand in; the receipt's file."""
    reader.button("检查并封标", "Check and seal").click()
    tested = (f"第{version}版已封好,自检通过。尚未递交", f"Version {version} is sealed and tested. It is not handed in")
    expect(reader.page.get_by_text(reader.t(*tested)).first).to_be_visible(timeout=SEALED_MS)
    reader.button("上传并递交", "Upload and hand in").click()
    reader.reads("请先保存恢复文件", "Save the recovery file and tick the box first")
    kept = saved(reader, lambda: reader.link("保存恢复文件", "Save the recovery file").click())
    assert kept.suggested_filename == f"{reader.hall.lot}.v{version}.recovery"
    reader.field("恢复文件已保存好", "I have kept the recovery file").check()
    reader.button("上传并递交", "Upload and hand in").click()
    witnessed = reader.t("投标已递交并已见证", "The bid is submitted and witnessed")
    expect(reader.page.get_by_text(witnessed).first).to_be_visible(timeout=SEALED_MS)
    stages = reader.page.get_by_role("list", name=reader.t("进度", "How far it came")).get_by_role("listitem")
    expect(stages).to_have_text([re.compile(reader.t("完成$", "done$"))] * 4)
    words = [reader.t(*pair) for pair in (("已上传", "Uploaded"), ("已接收", "Received"), ("已递交", "Submitted"))]
    expect(stages).to_contain_text([*words, reader.t("已见证", "Witnessed")])
    file = saved(reader, lambda: reader.link("保存回执文件", "Save the receipt file").click())
    path = into / file.suggested_filename
    file.save_as(path)
    return path


@pytest.fixture(scope="module")
def busy(shared_hall_at: Callable[[str], Hall]) -> Hall:
    """The hall in which four bidders bid, each in its own language and width."""
    return shared_hall_at("published")


@pytest.mark.parametrize(("lang", "width", "who"), BOTH)
def test_a_bidder_prepares_seals_submits_replaces_and_withdraws(
    visit: Visit, busy: Hall, tmp_path: Path, lang: str, width: int, who: str
) -> None:
    account = busy.who(who)
    reader = visit(lang, width, who=who, hall=busy)
    page = reader.page
    make_key(reader)
    to_the_lot(reader)
    reader.button("领取招标文件", "Take the documents").click()
    reader.reads("已登记领取", "Registered: you will be told")
    reader.link("编制并封标投标", "Prepare and seal a bid").click()
    # Nothing may be typed before the roster is proved.
    expect(reader.field("投标总报价(元)", "Bid price (CNY)", exact=True)).not_to_be_visible()
    check_roster(reader, account)
    fingerprint = trust.load(anchors(account).read_bytes()).fingerprint
    reader.reads(f"{fingerprint[:4]} {fingerprint[4:8]}", f"{fingerprint[:4]} {fingerprint[4:8]}")

    # All that is missing is told at once, before sealing.
    reader.field("投标总报价(元)", "Bid price (CNY)", exact=True).fill("9000000.001")
    reader.button("检查并封标", "Check and seal").click()
    checklist = page.get_by_role("list", name=reader.t("检查清单", "Checklist"))
    for zh, en in (("最多两位小数", "at most two decimals"), ("缺少必须提交的文件", "A required file is missing")):
        expect(checklist).to_contain_text(reader.t(zh, en))
    reader.field("投标总报价(元)", "Bid price (CNY)", exact=True).fill("9000000")
    expect(checklist).to_contain_text(reader.t("报价高于最高投标限价", "higher than the max price"))
    fill_in(reader, "7500000.12", {"投标函": b"%PDF-1.7 " + b"a" * FILE_BYTES})
    reader.reads("柒佰伍拾万元壹角贰分", "柒佰伍拾万元壹角贰分")
    reader.reads("7,500,000.12", "7,500,000.12")
    file = seal_and_hand_in(reader, tmp_path, 1)
    proved = receipt.verify(file.read_bytes(), trust.load(anchors(account).read_bytes()))
    assert proved.grade == "B"
    assert (proved.event["public"]["kind"], proved.event["public"]["version"]) == ("submit", 1)

    # The receipt as a page.
    reader.link("查看和打印回执", "Show and print the receipt").click()
    expect(reader.heading("投标回执", "Receipt of a bid")).to_be_visible()
    expect(page.get_by_text(proved.leaf_hash.hex())).to_be_visible()

    # Replaced once.
    reader.link("回到项目", "Back to the tender").click()
    reader.link("修改并替换投标", "Replace my bid").click()
    reader.reads("您已递交第1版", "Version 1 is handed in")
    fill_in(reader, "7400000", {"投标函": b"%PDF-1.7 shorter"})
    seal_and_hand_in(reader, tmp_path, 2)
    reader.link("回到项目", "Back to the tender").click()
    expect(reader.row(reader.t("有效,等待开标", "stands, waits for the opening"))).to_have_count(1)
    expect(reader.row(reader.t("已被新版本替换", "replaced by a later version"))).to_have_count(1)

    # Withdrawn.
    reader.link("撤回投标", "Withdraw my bid").click()
    reader.reads("名册上的受托人均已由双方认证", "every trustee on the roster is certified by both roots")
    reader.button("签名并撤回", "Sign and withdraw").click()
    reader.reads("请先勾选确认", "Tick the box first")
    reader.field("我确认撤回这份投标", "I withdraw this bid").check()
    reader.button("签名并撤回", "Sign and withdraw").click()
    reader.reads("已撤回:账本第", "Withdrawn: ledger record")
    reader.link("回到项目", "Back to the tender").click()
    expect(reader.row(reader.t("已撤回", "withdrawn"))).to_have_count(2)


def test_anchors_that_do_not_prove_the_tender_open_no_form(visit: Visit, busy: Hall, tmp_path: Path) -> None:
    reader = visit("zh", 390, who="bidder:05", hall=busy)
    to_the_lot(reader)
    reader.link("编制并封标投标", "").click()
    told = json.loads(anchors(busy.who("bidder:05")).read_bytes())
    told["trustee_roots"] = dict(zip(told["trustee_roots"], reversed(told["trustee_roots"].values()), strict=True))
    wrong = tmp_path / "trust.json"
    wrong.write_text(json.dumps(told), "utf-8")
    reader.field("信任文件 trust.json", "").set_input_files(wrong)
    expect(reader.page.get_by_role("alert").filter(has_text="核对未通过,请不要投标")).to_contain_text("未经信任根认证")
    expect(reader.field("投标总报价(元)", "", exact=True)).not_to_be_visible()
    broken = tmp_path / "no-json.json"
    broken.write_text("not even json", "utf-8")
    reader.field("信任文件 trust.json", "").set_input_files(broken)
    expect(reader.page.get_by_role("alert").filter(has_text="信任文件无法读取")).to_be_visible()
    expect(reader.field("投标总报价(元)", "", exact=True)).not_to_be_visible()


def test_without_scripts_a_bidder_asks_and_is_pointed_to_the_command_line_before_anything_is_typed(
    visit: Visit, busy: Hall
) -> None:
    reader = visit("en", 1366, who="bidder:05", hall=busy, javascript=False)
    reader.allow(r"\.js: csp$")  # What a page without scripts may not preload.
    to_the_lot(reader)
    reader.link("", "Prepare and seal a bid").click()
    expect(reader.heading("", "This browser cannot seal now")).to_be_visible()
    reader.reads("", "tradehall-bidder --identity ID check LOT")
    expect(reader.field("", "Bid price (CNY)", exact=True)).not_to_be_visible()
    reader.page.get_by_role("main").get_by_role("link").first.click()
    reader.page.get_by_text("Ask the owner").click()
    reader.button("", "Send the question").click()
    reader.reads("", "Fill this in.")
    reader.field("", "Your question").fill("Is the asphalt to be AC-13?")
    reader.button("", "Send the question").click()
    reader.reads("", "Your question has reached the owner.")
    reader.reads("", "Is the asphalt to be AC-13?")


def test_a_line_that_is_cut_while_uploading_loses_nothing(visit: Visit, busy: Hall, tmp_path: Path) -> None:
    reader = visit("en", 1366, who="bidder:03", hall=busy)
    make_key(reader)
    to_the_lot(reader)
    reader.link("", "Prepare and seal a bid").click()
    check_roster(reader, busy.who("bidder:03"))
    fill_in(reader, "7654321", {"投标函": bytes(LARGE_BYTES)})
    reader.allow("^request failed: PUT .*: net::ERR_INTERNET_DISCONNECTED|ERR_INTERNET_DISCONNECTED")
    put: list[str] = []

    def cut(route: Route) -> None:
        put.append(route.request.url)
        if 6 <= len(put) < 12:
            route.abort("internetdisconnected")
        else:
            route.continue_()

    reader.page.route(re.compile("/bidding/uploads/.+/[0-9]+$"), cut)
    seal_and_hand_in(reader, tmp_path, 1)
    segments = len(set(put))
    assert segments > LARGE_BYTES >> 20
    assert len(put) == segments + 6, "only what was cut went twice"


def test_what_was_sealed_in_the_browser_opens_in_the_hall(
    visit: Visit, hall_at: Callable[..., Hall], tmp_path: Path
) -> None:
    hall = hall_at("before_deadline")
    account = hall.who("bidder:01")
    reader = visit("zh", 390, who="bidder:01", hall=hall)
    make_key(reader)
    to_the_lot(reader)
    reader.link("修改并替换投标", "").click()
    check_roster(reader, account)
    fill_in(reader, "7123456.78", {"投标函": b"%PDF-1.7 sealed in a page"})
    seal_and_hand_in(reader, tmp_path, 2)
    reader.link("回到项目", "").click()
    # As the notice says: the box settles for a minute, what was frozen may be challenged for five.
    hall.move_to(instant(hall.get(f"/api/v1/lots/{hall.lot}")["deadline"]) + timedelta(seconds=61))
    hall.until_state("frozen", "opening")
    for _ in range(LOOKS):
        # The time to challenge counts from when the freeze was witnessed: a clock that runs ahead of it must go on.
        if hall.state() == "opened":
            break
        hall.advance(timedelta(seconds=101))
        time.sleep(2)
    hall.until_state("opened")
    # A day later the session is over.
    reader.arrive()
    reader.sign_in(account)
    to_the_lot(reader)
    expect(reader.row("已开启")).to_have_count(1)
    reader.link("开标大厅", "").click()
    expect(reader.row(account.organisation).filter(has_text="7,123,456.78").first).to_be_visible()


@pytest.mark.parametrize(("lang", "width"), [("zh", 1366), ("en", 390)])
def test_papers_stay_in_the_browser_and_are_chosen_for_a_bid(
    visit: Visit, busy: Hall, tmp_path: Path, lang: str, width: int
) -> None:
    reader = visit(lang, width, who="bidder:05", hall=busy)
    page = reader.page
    sent: list[str] = []
    page.on("request", lambda request: sent.append(f"{request.method} {request.post_data or ''}"))
    reader.link("我的资料库", "My papers").click()
    page.get_by_text(reader.t("添加一份资料", "Add a paper")).click()
    reader.button("保存在此浏览器", "Keep in this browser").first.click()
    expect(page.get_by_role("alert").filter(has_text=reader.t("请填写名称", "Give a title"))).to_be_visible()
    reader.field("名称", "Title").fill("市政三级<b>资质</b>")
    reader.field("有效期至", "Valid until").first.fill("2026-03-05")
    paper = {"name": "资质 <img>.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 a licence"}
    reader.field("文件", "File").set_input_files(files=[paper])
    reader.button("保存在此浏览器", "Keep in this browser").first.click()
    expect(reader.row("市政三级<b>资质</b>", "资质 <img>.pdf")).to_contain_text(
        reader.t("30日内到期", "within 30 days")
    )
    page.get_by_text(reader.t("添加项目负责人", "Add a project leader")).click()
    reader.field("姓名", "Name").fill("葛云帆")
    reader.field("证书编号", "Certificate number").fill("冀1132018202224121")
    reader.button("保存在此浏览器", "Keep in this browser").last.click()
    expect(reader.row("葛云帆")).to_be_visible()
    copy = tmp_path / "mine.cabinet"
    saved(reader, lambda: reader.button("另存资料库文件", "Save everything as a file").click()).save_as(copy)

    # Another browser of the same organisation: the file brings everything, a damaged one nothing.
    other = visit(lang, width, who="bidder:05", hall=busy)
    other.link("我的资料库", "My papers").click()
    damaged = tmp_path / "damaged.cabinet"
    damaged.write_bytes(copy.read_bytes()[:-1] + b"!")
    other.field("载入资料库文件", "Load a saved file").set_input_files(damaged)
    expect(
        other.page.get_by_role("alert").filter(has_text=other.t("没有载入任何内容", "nothing was loaded"))
    ).to_be_visible()
    other.field("载入资料库文件", "Load a saved file").set_input_files(copy)
    other.reads("已载入,新增 2 项", "Loaded; 2 new")
    stranger = visit(lang, width, who="bidder:04", hall=busy)
    stranger.link("我的资料库", "My papers").click()
    stranger.field("载入资料库文件", "Load a saved file").set_input_files(copy)
    expect(stranger.page.get_by_role("alert").filter(has_text=busy.cast.of("bidder:05").uscc)).to_be_visible()

    # Chosen where the bid is prepared: the page's own fields are filled.
    make_key(reader)
    to_the_lot(reader)
    reader.link("编制并封标投标", "Prepare and seal a bid").click()
    check_roster(reader, busy.who("bidder:05"))
    kept = page.get_by_label(reader.t("从我的资料库选用", "From my papers"))
    kept.first.select_option(label="葛云帆 冀1132018202224121")
    certificate = reader.field("项目负责人证书编号", "Leader's certificate number", exact=True)
    expect(certificate).to_have_value("冀1132018202224121")
    over = reader.t(" —— 2026-03-05 到期,早于投标截止", " — valid until 2026-03-05 only, before the deadline")
    kept.nth(1).select_option(label=f"市政三级<b>资质</b> (资质 <img>.pdf){over}")
    checklist = page.get_by_role("list", name=reader.t("检查清单", "Checklist"))
    expect(checklist).not_to_contain_text(reader.t("缺少必须提交的文件", "A required file is missing"))
    assert not [each for each in sent if "资质" in each or "a licence" in each], "papers never leave the browser"
