"""One's own account: signing up, one-time codes, passkeys, sessions, delegation, a signing key in the browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

import pyotp
import pytest
from playwright.sync_api import expect

from storage.world import RealWorld
from tests.browser.halls import Hall
from tests.browser.reader import Reader

Visit = Callable[..., Reader]
BOTH = pytest.mark.parametrize(("lang", "width"), [("zh", 1366), ("en", 390)])
USCC = {"zh": "91510100MA6CGUGA1W", "en": "91330106MA2CCTL915"}


@BOTH
def test_a_bidder_signs_up_and_adds_a_colleague_who_acts_for_it(visit: Visit, lang: str, width: int) -> None:
    reader = visit(lang, width)
    reader.link("登录", "Sign in").first.click()
    reader.link("自行注册", "register themselves").click()
    login = f"lin.{lang}"
    reader.field("单位名称", "Organisation").fill("青溪建设有限公司")
    reader.field("统一社会信用代码", "Unified social credit code").fill("91510100MA6CGUGA1X")
    reader.field("您的姓名", "Your name").fill("林工")
    reader.field("用户名", "User name").fill("林")
    reader.field("密码", "Password", exact=True).fill("quite long enough")
    reader.field("再输入一次密码", "Password once more").fill("not the same at all")
    reader.button("注册", "Register").click()
    # All defects at once, at their fields, and nothing typed is lost but passwords.
    reader.reads("校验码不符", "its check character does not fit")
    reader.reads("两次输入的密码不一致", "The two passwords differ")
    expect(reader.field("您的姓名", "Your name")).to_have_value("林工")
    reader.field("统一社会信用代码", "Unified social credit code").fill(USCC[lang])
    reader.field("用户名", "User name").fill(login)
    for zh, en in (("密码", "Password"), ("再输入一次密码", "Password once more")):
        reader.field(zh, en, exact=True).fill("quite long enough")
    reader.button("注册", "Register").click()
    reader.field("用户名", "User name").fill(login)
    reader.field("密码", "Password").fill("quite long enough")
    reader.button("登录", "Sign in").click()
    reader.link("我的账户", "My account").click()
    reader.link("人员与委托", "People and delegations").click()
    reader.page.get_by_text(reader.t("添加同事", "Add a colleague")).first.click()
    reader.field("同事姓名", "Colleague's name").fill("王工")
    reader.field("同事的用户名", "Colleague's user name").last.fill(f"wang.{lang}")
    reader.field("初始密码", "First password").fill("another long one")
    reader.button("添加同事", "Add the colleague").click()
    reader.reads("已添加同事", "Your colleague is added")
    reader.page.get_by_text(reader.t("委托同事", "Let a colleague")).first.click()
    reader.field("受托同事的用户名", "Colleague's user name").first.fill(f"wang.{lang}")
    day = f"{reader.hall.now():%Y-%m-%d}"
    reader.field("起日", "From").fill(day)
    reader.field("止日", "To").fill(day)
    reader.button("登记委托", "Register the delegation").click()
    reader.reads("委托已登记", "The delegation is registered")
    reader.button("结束委托", "End the delegation").click()
    reader.reads("委托已结束", "The delegation has ended")


@BOTH
def test_one_time_codes_are_set_up_wanted_at_sign_in_and_replaced_by_a_recovery_code(
    visit: Visit, hall_at: Callable[..., Hall], lang: str, width: int
) -> None:
    who = {"zh": "owner", "en": "supervisor"}[lang]
    reader = visit(lang, width, who=who, hall=hall_at("empty", watched=False))
    reader.link("我的账户", "My account").click()
    reader.link("动态口令与通行密钥", "Codes and passkeys").click()
    reader.button("开始设置", "Set them up").click()
    secret = reader.page.locator("code").filter(has_text=re.compile("^[A-Z2-7]{32}$")).inner_text()
    reader.field("验证器上的六位数字", "Six digits").fill("000000")
    reader.button("启用动态口令", "Turn one-time codes on").click()
    reader.reads("动态口令不正确", "The one-time code is wrong")
    reader.field("验证器上的六位数字", "Six digits").fill(pyotp.TOTP(secret).at(_wall()))
    reader.button("启用动态口令", "Turn one-time codes on").click()
    recovery = reader.page.get_by_role("listitem").get_by_text("-").first.inner_text()
    reader.sign_out()
    account = reader.hall.who(who)
    reader.link("登录", "Sign in").click()
    for code, words in (("", None), (recovery, ("退出", "Sign out"))):
        reader.field("用户名", "User name").fill(account.login)
        reader.field("密码", "Password").fill(account.password)
        reader.field("动态口令或恢复码", "One-time or recovery code").fill(code)
        reader.button("登录", "Sign in").click()
        if words:
            expect(reader.button(*words)).to_be_visible()
        else:
            expect(reader.page.get_by_role("alert")).to_be_visible()


def test_a_passkey_is_made_and_signs_in_without_a_password(visit: Visit) -> None:
    reader = visit("zh", who="supervisor")
    device = reader.page.context.new_cdp_session(reader.page)
    device.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    told = {**options, "isUserVerified": True, "automaticPresenceSimulation": True}
    device.send("WebAuthn.addVirtualAuthenticator", {"options": told})
    reader.link("我的账户", "My account").click()
    reader.link("动态口令与通行密钥", "Codes and passkeys").click()
    reader.field("名称", "Name").fill("办公室笔记本")
    reader.button("在此设备上创建通行密钥", "Make a passkey on this device").click()
    reader.reads("办公室笔记本", "办公室笔记本")
    reader.sign_out()
    reader.link("登录", "Sign in").click()
    reader.button("用通行密钥登录", "Use a passkey").click()
    expect(reader.button("退出", "Sign out")).to_be_visible()


@BOTH
def test_a_key_made_in_the_browser_signs_an_act_of_the_organisation(
    visit: Visit, hall_at: Callable[..., Hall], lang: str, width: int
) -> None:
    reader = visit(lang, width, who="owner", hall=hall_at("published", watched=False))
    reader.link("我的账户", "My account").click()
    reader.link("签名密钥", "Signing keys").click()
    reader.field("名称", "Name").first.fill("窗口电脑")
    reader.button("在此浏览器中生成签名密钥", "Make a signing key in this browser").click()
    reader.reads("此浏览器中已有本单位的签名密钥", "This browser holds a signing key of your organisation")
    expect(reader.row("窗口电脑").get_by_text(reader.t("在此浏览器中", "in this browser"))).to_be_visible()
    signed = _sign_something(reader)
    assert signed["by"] == "owner"
    # An ended key signs no more, and the page says so before anybody tries.
    reader.page.goto(reader.hall.url + reader.t("", "/en") + "/account/desk/keys")
    row = reader.row("窗口电脑")
    row.get_by_text(reader.t("停用", "End it"), exact=True).click()
    row.get_by_role("button", name=reader.t("停用此密钥", "End this key")).click()
    reader.reads("该密钥已停用", "The key has ended")
    expect(reader.button("在此浏览器中生成签名密钥", "Make a signing key in this browser")).to_be_visible()


def _sign_something(reader: Reader) -> dict[str, str]:
    """End the tender by the sign step of a page: the act is shown, signed by the browser's key, and logged."""
    hall = reader.hall
    page = reader.page
    page.goto(hall.url + reader.t("", "/en") + f"/desk/lots/{hall.lot}")
    reader.link("终止招标", "End the tender").click()
    reader.field("终止招标的原因", "Why the tender ends").fill("资金未落实")
    reader.button("下一步:核对并签名", "Next: check and sign").click()
    reader.button("用此浏览器中的密钥签名并提交", "Sign with the key in this browser and submit").click()
    reader.reads("已终止招标", "The tender is ended")
    acts = hall.get(f"/api/v1/lots/{hall.lot}/timeline")["acts"]
    act = next(one["act"] for one in acts if one["act"]["kind"] == "terminate")
    return dict(act["signatures"][0])


def _wall() -> datetime:
    """The clock that a phone counts by."""
    return RealWorld().wall()
