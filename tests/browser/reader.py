"""Somebody who reads a page: knows its words and nothing else, in one language; notes whatever fails behind it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import ConsoleMessage, Locator, Page, Request, Response, expect

from tests.browser.crawling import Read

if TYPE_CHECKING:
    from tests.browser.halls import Account, Hall

PHONE_MAX = 600
TOUR_TO = os.environ.get("TOUR_TO", "")
_TAKEN: set[str] = set()
TOLD_BY_THE_RESPONSE = "Failed to load resource: the server responded with a status of"
EXPECTED_OF_A_FORM = (401, 403, 409, 422)
"""A page that answers a form or an address with a refusal is a page; anything else that fails is a finding."""


class Reader:
    """A page and the language it is read in. Words are given as (Chinese, English); `findings` is what failed."""

    def __init__(self, page: Page, lang: str, hall: Hall) -> None:
        self.page, self.lang, self.hall = page, lang, hall
        self._found: list[str] = []
        self._allowed: list[str] = []
        page.context.on("page", self._watch)
        self._watch(page)

    @property
    def findings(self) -> Sequence[str]:
        """What failed and was not allowed."""
        return [one for one in self._found if not any(re.search(allowed, one) for allowed in self._allowed)]

    def allow(self, pattern: str) -> None:
        """This test means what matches the pattern to fail."""
        self._allowed.append(pattern)

    def t(self, zh: str, en: str) -> str:
        """The words in the reader's language."""
        return zh if self.lang == "zh" else en

    def arrive(self) -> None:
        """Come to the hall's front page, and change to English by its link."""
        self.page.goto(self.hall.url + "/")
        if self.lang == "en":
            self.page.get_by_role("link", name="English", exact=True).click()

    def sign_in(self, account: Account, password: str = "", *, role: str = "") -> None:
        """Sign in by the form of the sign-in page; `role` chooses one of several, by its words."""
        self.link("登录", "Sign in").first.click()
        self.field("用户名", "User name").fill(account.login)
        self.field("密码", "Password").fill(password or account.password)
        if role:
            self.page.get_by_role("radio", name=role).check()
        self.button("登录", "Sign in").click()
        expect(self.button("退出", "Sign out")).to_be_visible()

    def sign_out(self) -> None:
        """Sign out by the button at the top."""
        self.button("退出", "Sign out").click()

    def link(self, zh: str, en: str, *, exact: bool = True) -> Locator:
        """A link by its words."""
        return self.page.get_by_role("link", name=self.t(zh, en), exact=exact)

    def button(self, zh: str, en: str, *, exact: bool = True) -> Locator:
        """A button by its words."""
        return self.page.get_by_role("button", name=self.t(zh, en), exact=exact)

    def field(self, zh: str, en: str, *, exact: bool = False) -> Locator:
        """A field by its label: the words, and what stands behind them (optional, a rule)."""
        if exact:
            return self.page.get_by_label(self.t(zh, en), exact=True)
        return self.page.get_by_label(re.compile("^" + re.escape(self.t(zh, en)) + r"($|[\s((])"))

    def heading(self, zh: str, en: str, *, exact: bool = False) -> Locator:
        """A heading by its words."""
        return self.page.get_by_role("heading", name=self.t(zh, en), exact=exact)

    def row(self, *words: str) -> Locator:
        """The rows of tables that hold all of these words."""
        found = self.page.get_by_role("row")
        for word in words:
            found = found.filter(has_text=word)
        return found

    def reads(self, zh: str, en: str) -> None:
        """These words stand on the page where they can be seen."""
        expect(self.page.get_by_text(self.t(zh, en)).first).to_be_visible()

    def does_not_read(self, zh: str, en: str) -> None:
        """These words stand nowhere on the page."""
        expect(self.page.get_by_text(self.t(zh, en))).to_have_count(0)

    def look(self, name: str, *, phone: bool = False, at: Locator | None = None) -> None:
        """Look at the page as it stands now, which no crawl reaches: words in the wrong language are findings. `make
        tour` also takes its picture under this name (with `at` in sight), the first time it is seen; of a phone where
        that is wanted too."""
        read = Read(self.lang)
        read.feed(self.page.content())
        self._found += [f"in the wrong language at {name}: {words}" for words in sorted(set(read.wrong))]
        narrow = self.page.viewport_size is not None and self.page.viewport_size["width"] < PHONE_MAX
        if not TOUR_TO or (narrow and not phone):
            return
        path = Path(TOUR_TO) / f"{name}{'.phone' if narrow else ''}.png"
        if path.stem not in _TAKEN:
            _TAKEN.add(path.stem)
            path.parent.mkdir(parents=True, exist_ok=True)
            self.page.wait_for_load_state("load")
            if at is not None:
                at.first.evaluate("one => one.scrollIntoView({block: 'start', behavior: 'instant'})")
            self.page.screenshot(path=path, animations="disabled")

    def _watch(self, page: Page) -> None:
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self._found.append(f"error in a script at {page.url}: {error}"))
        page.on("requestfailed", self._on_failed)
        page.on("response", self._on_response)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(TOLD_BY_THE_RESPONSE):
            self._found.append(f"console at {message.location.get('url', '')}: {message.text}")

    def _on_failed(self, request: Request) -> None:
        # Whoever leaves a page before all of it came ends the rest; so does a download that began as a navigation.
        if request.failure != "net::ERR_ABORTED":
            self._found.append(f"request failed: {request.method} {request.url}: {request.failure}")

    def _on_response(self, response: Response) -> None:
        refused = response.request.is_navigation_request() and response.status in EXPECTED_OF_A_FORM
        if response.status >= 400 and not refused:
            self._found.append(f"{response.status}: {response.request.method} {response.url}")
