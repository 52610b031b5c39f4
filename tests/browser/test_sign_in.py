"""Signing in, being refused, losing a session: what everybody meets at every door."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

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
