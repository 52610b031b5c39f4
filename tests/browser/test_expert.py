"""The expert's door: invited without a name, signed in with both declarations, scored and locked by keyboard alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.browser.halls import Hall
    from tests.browser.reader import Reader

    Visit = Callable[..., Reader]

COMBINATIONS = [("zh", 1366, True), ("en", 1366, False), ("zh", 390, False), ("en", 390, True)]


def seated(hall: Hall) -> list[str]:
    """The logins of whoever holds a seat, in the order of the seats; the tests sign each in once."""
    found = {}
    for login, account in hall.accounts.items():
        if account.role == "expert":
            for one in hall.get("/api/v1/experts/own", who=f"expert:{login.removeprefix('expert-')}"):
                if one["state"] in ("accepted", "invited", "signed_in"):
                    found[one.get("seat", len(found))] = login
    return [login for _, login in sorted(found.items())]


@pytest.mark.parametrize(("lang", "width", "javascript"), COMBINATIONS)
def test_an_expert_scores_and_locks_by_keyboard_alone(
    visit: Visit, shared_hall_at: Callable[[str], Hall], lang: str, width: int, javascript: bool
) -> None:
    hall = shared_hall_at("evaluating")
    login = seated(hall)[COMBINATIONS.index((lang, width, javascript))]
    reader = visit(lang, width, hall=hall, javascript=javascript)
    reader.sign_in(hall.accounts[login])
    page = reader.page

    def type_marks(first: str, others: str) -> None:
        """Into every field of the sheet, and on. Without a script Enter sends the form, so Tab leads to the next."""
        marks.first.focus()
        last = marks.count() - 1
        for number in range(last + 1):
            page.keyboard.press("Control+A")
            page.keyboard.type(first if number == 0 else others)
            page.keyboard.press("Enter" if javascript or number == last else "Tab")

    reader.link("进入评标室", "Into the review room").click()
    reader.link("去评分", "Score").click()
    first = page.get_by_role("heading", level=1).inner_text()
    marks = page.get_by_role("textbox")
    type_marks("999", "10")
    reader.reads("以下评分有误,其余已保存", "These marks are wrong; the others are saved")
    expect(marks.first).to_have_value("999")
    page.get_by_role("alert").get_by_role("link").first.focus()
    page.keyboard.press("Enter")
    if javascript:
        expect(marks.first).to_be_focused()
    type_marks("10", "10")
    for _ in range(1, len(hall.get(f"/api/v1/lots/{hall.lot}/opening")["record"])):
        expect(page.get_by_role("heading", level=1)).not_to_have_text(first)
        first = page.get_by_role("heading", level=1).inner_text()
        type_marks("10", "10")
    lock = reader.button("签署并锁定评分表", "Sign and lock my sheet")
    lock.focus()
    page.keyboard.press("Enter")
    reader.reads("已签署并锁定", "Signed and locked")


def test_an_invitation_names_no_project_and_signing_in_needs_both_declarations(
    visit: Visit, hall_at: Callable[..., Hall]
) -> None:
    hall = hall_at("opened", watched=False)
    told = hall.get(f"/api/v1/lots/{hall.lot}")
    reader = visit("zh", 390, hall=hall, javascript=False)
    reader.sign_in(hall.accounts[seated(hall)[0]])
    reader.does_not_read(told["name"], told["name"])
    reader.does_not_read(told["notice"]["owner"]["name"], told["notice"]["owner"]["name"])
    page = reader.page
    page.get_by_role("checkbox").first.check()
    reader.button("声明并签到", "Declare and sign in").first.click()
    expect(page.get_by_role("alert")).to_contain_text("E-67")
    for box in page.get_by_role("checkbox").all():
        box.check()
    reader.button("声明并签到", "Declare and sign in").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(told["name"])


def test_what_is_typed_is_saved_while_one_types_and_survives_a_crash(
    visit: Visit, shared_hall_at: Callable[[str], Hall]
) -> None:
    hall = shared_hall_at("evaluating")
    reader = visit("zh", hall=hall)
    reader.sign_in(hall.accounts[seated(hall)[4]])
    page = reader.page
    reader.link("进入评标室", "Into the review room").click()
    reader.link("去评分", "Score").click()
    page.get_by_role("textbox").nth(1).fill("10")
    expect(page.get_by_role("status").filter(has_text="已自动保存")).to_be_visible()
    page.reload()
    expect(page.get_by_role("textbox").nth(1)).to_have_value("10.00")
