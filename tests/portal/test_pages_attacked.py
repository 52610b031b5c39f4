"""Pages under attack: forged forms, borrowed cookies, ways out of the hall, other people's verbs and receipts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pytest

from trading.counter.page import session

if TYPE_CHECKING:
    from tests.portal.halls import Hall

pytestmark = pytest.mark.servers

WAYS_OUT = (
    "//evil.example",
    "/\\evil.example",
    "https://evil.example/",
    "/\t/evil.example",
    "/\n/evil.example",
    " //evil.example",
    "javascript:alert(1)",
)


@pytest.fixture
def browser(hall: Hall) -> Iterator[httpx.Client]:
    """A browser with a jar of cookies of its own that follows no redirection by itself."""
    with httpx.Client(base_url=hall.url, trust_env=False, timeout=30) as client:
        yield client


def account(hall: Hall, login: str) -> dict[str, str]:
    rows = json.loads((hall.data / "demo/accounts.json").read_text("utf-8"))
    return next(row for row in rows if row["login"] == login)


def sign_in(browser: httpx.Client, hall: Hall, login: str, *, back: str = "") -> httpx.Response:
    form = {"login": login, "password": account(hall, login)["password"], "back": back}
    return browser.post("/account/sign-in", data=form)


def acts(hall: Hall) -> int:
    return len(hall.http.get(f"/api/v1/lots/{hall.lot}/timeline").json()["acts"])


def test_a_page_of_another_site_cannot_use_the_cookie_at_the_api(hall: Hall, browser: httpx.Client) -> None:
    assert sign_in(browser, hall, "owner").status_code == 303
    token = browser.cookies[session.cookie_name("desk")]
    assert browser.get("/api/v1/inbox").status_code == 401, "a cookie alone signs nobody in"
    for forged in ("", "x", session.csrf("another session"), token):
        assert browser.get("/api/v1/inbox", headers={"x-csrf-token": forged}).status_code == 401
    assert browser.get("/api/v1/inbox", headers={"x-csrf-token": session.csrf(token)}).status_code == 200


def test_a_form_that_no_page_of_the_session_made_does_nothing(hall: Hall, browser: httpx.Client) -> None:
    sign_in(browser, hall, "owner")
    before = acts(hall)
    for forged in ({}, {"csrf": ""}, {"csrf": session.csrf("another session")}):
        answer = browser.post(f"/desk/lots/{hall.lot}/do/terminate", data={"reason": "forged", **forged})
        assert answer.status_code == 422 and "您当前登录的页面" in answer.text
    assert acts(hall) == before


@pytest.mark.parametrize("back", WAYS_OUT)
def test_signing_in_leads_nowhere_outside_the_hall(hall: Hall, browser: httpx.Client, back: str) -> None:
    answer = sign_in(browser, hall, "owner", back=back)
    assert answer.status_code == 303
    assert answer.headers["location"] in ("/", "/desk")


@pytest.mark.parametrize("back", WAYS_OUT)
def test_what_was_typed_is_never_offered_to_another_site(hall: Hall, browser: httpx.Client, back: str) -> None:
    """A lost session's form is shown again with a fresh token in it: it must go back to the hall and nowhere else."""
    form = {"login": "owner", "password": account(hall, "owner")["password"], "back": back, "kept.reason": "typed"}
    page = browser.post("/account/sign-in", data=form).text
    assert 'name="reason" value="typed"' in page
    targets = set(re.findall(r'<form[^>]* action="([^"]*)"', page))
    assert targets <= {"/", "/desk", "/account/sign-out"}, targets


def test_the_cookie_of_one_door_opens_no_other_and_an_api_token_is_no_session(
    hall: Hall, browser: httpx.Client
) -> None:
    sign_in(browser, hall, "bidder-01")
    stolen = browser.cookies[session.cookie_name("bidder")]
    for value in (stolen, account(hall, "owner")["token"], "x" * 48):
        answer = httpx.get(hall.url + "/desk", cookies={session.cookie_name("desk"): value}, trust_env=False)
        assert answer.status_code == 303 and answer.headers["location"].startswith("/account/sign-in")


def test_a_session_that_was_ended_is_worth_nothing_to_who_copied_its_cookie(hall: Hall, browser: httpx.Client) -> None:
    sign_in(browser, hall, "owner")
    token = browser.cookies[session.cookie_name("desk")]
    assert browser.get("/desk").status_code == 200
    browser.post("/account/sign-out", data={"door": "desk", "csrf": session.csrf(token)})
    answer = httpx.get(hall.url + "/desk", cookies={session.cookie_name("desk"): token}, trust_env=False)
    assert answer.status_code == 303


def test_the_signing_step_runs_no_verb_of_another_door(hall: Hall, browser: httpx.Client) -> None:
    """A bidder posts the owner's verb, and an owner the supervisor's, where signed acts are taken."""
    before = acts(hall)
    for login, door, verb in (
        ("bidder-01", "bidder", "/trading/terminate"),
        ("owner", "desk", "/supervision/issue_directive"),
    ):
        sign_in(browser, hall, login)
        csrf = session.csrf(browser.cookies[session.cookie_name(door)])
        command = json.dumps({"lot": hall.lot, "reason": "forged", "what": "suspend"})
        form = {"csrf": csrf, "verb": verb, "command": command, "then": "/", "once": "1", "signed": "{}"}
        assert browser.post(f"/{door}/signed", data=form).status_code in (403, 404, 405, 422)
    assert acts(hall) == before


def test_an_expert_who_was_not_drawn_sees_nothing_of_a_room(hall: Hall, browser: httpx.Client) -> None:
    login = next(name for name in (row["login"] for row in rows_of(hall)) if name.startswith("expert-"))
    sign_in(browser, hall, login)
    told = hall.http.get(f"/api/v1/lots/{hall.lot}").json()
    for path in ("", "/sheet", "/bids/" + "0" * 64):
        answer = browser.get(f"/expert/lots/{hall.lot}{path}")
        assert answer.status_code in (403, 422), path
        assert told["name"] not in answer.text and told["notice"]["owner"]["name"] not in answer.text


def rows_of(hall: Hall) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = json.loads((hall.data / "demo/accounts.json").read_text("utf-8"))
    return rows


def test_no_page_goes_compressed(hall: Hall, browser: httpx.Client) -> None:
    """A page holds a session's secret beside what a stranger may have written: its packed length would tell on it."""
    assert sign_in(browser, hall, "owner").status_code == 303
    for path in ("/", f"/lots/{hall.lot}", f"/lots?q={'x' * 200}", "/desk", "/account", "/account/sign-in"):
        answer = browser.get(path, headers={"accept-encoding": "gzip, br"}, follow_redirects=True)
        assert answer.status_code == 200 and len(answer.content) > 1000, path
        assert "content-encoding" not in answer.headers, path
