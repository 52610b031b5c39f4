"""Signing in, being refused, losing a session: what everybody meets at every door."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.halls import Hall
from tests.browser.reader import Reader

BOTH = pytest.mark.parametrize("lang", ["zh", "en"])


@BOTH
@pytest.mark.parametrize("width", [1366, 390])
def test_a_person_signs_in_sees_its_door_and_signs_out(visit: Callable[..., Reader], lang: str, width: int) -> None:
    reader = visit(lang, width, who="owner")
    expect(reader.page.get_by_role("navigation").first).to_be_visible()
    reader.link("我的账户", "My account").click()
    expect(reader.heading("我的账户", "My account")).to_be_visible()
    reader.sign_out()
    reader.reads("您已退出。", "You are signed out.")


@BOTH
def test_a_wrong_password_is_told_and_the_name_is_kept(visit: Callable[..., Reader], lang: str) -> None:
    reader = visit(lang)
    reader.link("登录", "Sign in").click()
    reader.field("用户名", "User name").fill("supervisor")
    reader.field("密码", "Password").fill("quite wrong, I fear")
    reader.button("登录", "Sign in").click()
    expect(reader.page.get_by_role("alert")).to_be_visible()
    expect(reader.field("用户名", "User name")).to_have_value("supervisor")
    expect(reader.field("密码", "Password")).to_have_value("")


def test_the_guard_sees_what_fails_behind_a_page(visit: Callable[..., Reader]) -> None:
    reader = visit("zh")
    reader.page.evaluate("""() => {
        console.error("planted in the console");
        setTimeout(() => { throw new Error("planted in a script"); });
        const style = document.createElement("style"); style.textContent = "p {}"; document.head.append(style);
        const image = document.createElement("img"); image.src = "/static/kit/none.svg"; document.body.append(image);
        return fetch("/static/kit/none.js").then(() => null);
    }""")
    reader.page.wait_for_timeout(300)
    found = "\n".join(reader.findings)
    for planted in ("planted in the console", "planted in a script", "Content Security Policy", "none.svg", "none.js"):
        assert planted in found
    reader.allow(".")


@BOTH
def test_a_lost_session_keeps_what_was_typed_and_goes_on_after_signing_in(
    visit: Callable[..., Reader], lang: str
) -> None:
    reader = visit(lang, 390, who="owner", javascript=False)
    page, reason = reader.page, "资金未落实 <b>&"
    page.get_by_role("article").get_by_role("link").first.click()
    reader.link("终止招标", "End the tender").click()
    reader.field("终止招标的原因", "Why the tender ends").fill(reason)
    page.context.clear_cookies()
    reader.button("下一步:核对并签名", "Next: check and sign").click()
    reader.reads("登录已过期", "Your session is over")
    reader.button("去登录", "Sign in").click()
    account = reader.hall.who("owner")
    reader.field("用户名", "User name").fill(account.login)
    reader.field("密码", "Password").fill(account.password)
    reader.button("登录", "Sign in").click()
    reader.button("继续提交", "Go on").click()
    # The act that is to be signed holds what was typed before the session was lost.
    expect(reader.field("文书全文", "The act in full")).to_have_value(re.compile("资金未落实"))


@BOTH
def test_an_address_that_leads_nowhere_is_a_page_in_the_readers_language(
    visit: Callable[..., Reader], lang: str
) -> None:
    reader = visit(lang)
    reader.allow("^404")
    reader.page.goto(f"{reader.hall.url}{reader.t('', '/en')}/nowhere/at/all")
    reader.reads("没有这个地址", "There is nothing at this address")
    expect(reader.link("登录", "Sign in").first).to_be_visible()
    reader.link("回到首页", "To the front page").click()
    expect(reader.page.get_by_role("main")).to_be_visible()


def test_a_program_gets_a_problem_where_a_person_gets_a_page(hall: Hall) -> None:
    for path in ("/api/v1/nowhere", "/nowhere"):
        answer = httpx.get(hall.url + path, headers={"accept": "application/json"}, trust_env=False)
        assert answer.status_code == 404 and answer.json()["code"] == "not_found"


def test_the_first_key_leads_over_the_head_of_the_page(visit: Callable[..., Reader]) -> None:
    page = visit("en", who="owner").page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
