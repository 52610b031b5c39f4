"""A real hall from nothing, as two people do it: the centre's reads Chinese on a laptop, the supervision's English on a
phone; their programs and those of roots, witnesses and trustees run as the page says, from `tradehall init` to a hall
that can publish."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.reader import Reader
from tests.portal.setting_up import CENTRE, SUPERVISION, TRUSTEES, WITNESSES, Outsiders, Served, init

PICTURES = os.environ.get("PAGES_TO", "")


@pytest.fixture
def made(tmp_path: Path) -> Iterator[tuple[str, Path, dict[str, str]]]:
    """What one gets from `tradehall init` and `tradehall serve`: the address, the folder, the two secrets."""
    data = tmp_path / "hall"
    secrets = init(data)["first_run"]
    served = Served(data)
    yield served.start(), data, secrets
    served.stop()


class Administrator:
    """One of the two, at a page of their own."""

    def __init__(self, reader: Reader, side: str, name: str, organisation: tuple[str, str]) -> None:
        self.reader, self.side, self.name, self.organisation = reader, side, name, organisation
        self.password = f"{side} types this alone"

    def sign_up(self, secret: str) -> None:
        self.reader.link("管理员注册", "Sign up as administrator").click()
        for zh, en, text in (
            ("一次性口令", "One-time secret", secret),
            ("姓名", "Name", self.name),
            ("单位名称(与签名证书一致)", "Organisation (as in its signing certificate)", self.organisation[0]),
            ("统一社会信用代码", "Unified social credit code", self.organisation[1]),
            ("用户名", "User name", f"{self.side}.admin"),
            ("密码", "Password", self.password),
            ("再输入一次密码", "Repeat the password", self.password),
        ):
            self.reader.field(zh, en).fill(text)
        self.reader.button("注册", "Sign up").click()
        self.reader.reads("您已注册。", "You are signed up.")

    def step(self, zh: str, en: str) -> None:
        self.reader.page.get_by_role("navigation", name=self.reader.t("步骤", "Steps")).get_by_role(
            "link", name=self.reader.t(zh, en)
        ).click()

    def upload(self, zh: str, en: str, file: Path, button: tuple[str, str]) -> None:
        self.reader.field(zh, en).set_input_files(file)
        self.reader.button(*button).click()

    def confirm(self, zh: str, en: str) -> None:
        self.reader.field("您的密码", "Your password").fill(self.password)
        self.reader.button(zh, en).click()

    def picture(self, name: str) -> None:
        """What it looks like, for whoever looks at pages; and nothing serious found by axe."""
        page = self.reader.page
        page.wait_for_load_state("load")  # a heading can be read before the styles are there
        if PICTURES:
            page.screenshot(path=f"{PICTURES}/first-run-{name}-{self.reader.lang}.png", full_page=True)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} is wider than the screen by {wide}"
        found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
        bad = [one["id"] for one in found.response["violations"] if one["impact"] in ("serious", "critical")]
        assert bad == [], (name, bad)


def test_two_administrators_make_a_hall_that_can_publish(
    visit: Callable[..., Reader], made: tuple[str, Path, dict[str, str]], tmp_path: Path
) -> None:
    url, data, secrets = made
    out = Outsiders(tmp_path / "out")
    hall: Any = SimpleNamespace(url=url)
    centre = Administrator(visit("zh", 1366, hall=hall), "centre", "林静", CENTRE)
    watch = Administrator(visit("en", 390, hall=hall), "supervision", "周正", SUPERVISION)
    both = (centre, watch)
    for each in both:
        each.reader.heading("这个交易大厅正在建立", "This hall is being set up")
        each.picture("welcome")
        each.sign_up(secrets[each.side])
    centre.step("大厅与日历", "Hall and calendar")
    centre.reader.field("交易大厅名称", "Name of the hall").fill("青岚市公共资源交易平台")
    centre.reader.field("行政区划代码", "Division code").fill("510100")
    centre.reader.button("保存", "Save").click()
    centre.reader.reads("四川省成都市", "四川省成都市")
    centre.picture("hall")
    watch.step("大厅与日历", "Hall and calendar")
    watch.picture("hall")
    watch.reader.button("确认日历", "Acknowledge the calendar").click()
    # The calendar leads on to the authorities. What is no authority is refused with words, and can be mended.
    no_authority = out.certificate_file(*CENTRE)
    files = ("证书文件(PEM,可含多张)", "Certificates (PEM, one or more)")
    watch.upload(*files, no_authority, ("加入", "Add"))
    watch.reader.reads("不是证书机构的证书", "is not an authority's")
    watch.upload(*files, out.authority_file(), ("加入", "Add"))
    watch.reader.reads("已加入。", "Added.")
    watch.picture("authorities")
    for each in both:
        each.step("根与证书", "Roots and certificates")
        each.upload("根的登记卡(root.json)", "The root's card (root.json)", out.root_card(each.side),
                    ("登记根", "Enter the root"))  # fmt: skip
        each.reader.reads("根已登记。", "The root is entered.")
        each.upload("本单位签名证书(PEM 或 DER)", "Your organisation's signing certificate (PEM or DER)",
                    out.certificate_file(*each.organisation), ("登记证书", "Enter the certificate"))  # fmt: skip
        each.reader.reads("证书已登记。", "The certificate is entered.")
    centre.picture("roots")
    for each, (name, _), group in zip(
        both, WITNESSES, (("运行方", "operation"), ("监督方", "supervision")), strict=True
    ):
        each.step("见证人", "Witnesses")
        each.reader.field("属于", "Side").select_option(label=each.reader.t(*group))
        each.reader.field("见证人公钥", "The witness's key").fill(out.witness_key(name))
        each.reader.button("登记", "Enter").click()
        each.reader.reads("见证人已登记。", "The witness is entered.")
    watch.picture("witnesses")
    for each in both:
        each.step("信任锚", "Anchors")
        each.picture("anchors")
    with centre.reader.page.expect_download() as download:
        centre.reader.link("下载 trust.json", "Download trust.json").click()
    trust = tmp_path / "trust.json"
    download.value.save_as(trust)
    centre.confirm("确认信任锚", "Confirm the anchors")
    centre.reader.reads("您已确认。", "You have confirmed.")
    assert not (data / "trust.json").exists(), "one alone writes nothing"
    watch.confirm("确认信任锚", "Confirm the anchors")
    watch.reader.reads("双方已确认", "Both have confirmed")
    assert (data / "trust.json").read_bytes() == trust.read_bytes()
    # Everybody else's machines, with what the page said.
    centre.reader.link("还缺什么", "What is missing").click()
    centre.picture("missing")
    centre.step("受托人", "Trustees")
    for row in TRUSTEES:
        each = centre if row[4] == "operation" else watch
        card = ("受托人登记卡(enrolment.json)", "A trustee's card (enrolment.json)")
        each.upload(*card, out.trustee_card(row, trust), ("登记", "Enter"))
        each.reader.reads("登记卡已收下", "Taken in.")
    watch.picture("trustees-waiting")
    out.certify(url, trust)
    out.witnesses_look(url, trust)
    for row in TRUSTEES:
        out.hand_in_keys(url, row[0], 3)
    for each, who in zip(both, ("陈经办", "吴科长"), strict=True):
        each.step("首位人员", "First people")
        for zh, en, text in (
            ("姓名", "Name", who),
            ("用户名", "User name", f"{each.side}.first"),
            ("密码(请本人输入)", "Password (typed by that person)", "typed by that person"),
            ("再输入一次密码", "Repeat the password", "typed by that person"),
        ):
            each.reader.field(zh, en).fill(text)
        each.reader.button("登记", "Enter").click()
        each.reader.reads("已登记。", "Entered.")
    centre.step("受托人", "Trustees")
    centre.picture("trustees")
    for each in both:
        each.step("完成", "Finish")
        each.picture("finish")
        each.confirm("确认完成", "Confirm the end")
    watch.reader.heading("大厅已建成", "The hall is set up")
    watch.picture("over")
    # The hall is there: its first clerk signs in, and nothing of the first run answers any more.
    centre.reader.page.goto(url)
    account: Any = SimpleNamespace(login="centre.first", password="typed by that person")
    centre.reader.sign_in(account)
    expect(centre.reader.link("进场登记", "Entries")).to_be_visible()
    ready = httpx.get(f"{url}/health", trust_env=False).json()
    assert (ready["status"], ready["demo"]) == ("ok", False)
    assert httpx.get(f"{url}/first-run/sign-up", trust_env=False).status_code == 404
