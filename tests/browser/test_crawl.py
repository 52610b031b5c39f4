"""Every page of every door in both languages: no broken link, no word in the wrong language, nothing that the policy
forbids, nothing in the console, no serious finding of axe, and small.

PAGES_TO=folder (`make pages`) also leaves a contact sheet: index.html and a picture of every page at both widths.
"""

from __future__ import annotations

import html
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Response

from tests.browser import crawling
from tests.browser.halls import Hall
from tests.browser.reader import Reader

STAGE = "publicity"
DOORS = {"": "", "desk": "owner", "centre": "centre", "bidder": "bidder:01", "expert": "expert", "watch": "supervisor"}
TAGS = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]
BAD = ("serious", "critical")
BYTES_MAX = 150_000
COUNTED = ("document", "stylesheet", "script")
PAGES_TO = os.environ.get("PAGES_TO", "")
WIDTHS = {"zh": 1366, "en": 390}


def _signed_in(hall: Hall, door: str) -> tuple[httpx.Client, str]:
    """A client with the session of whoever plays the door's part."""
    http = httpx.Client(follow_redirects=True, trust_env=False, timeout=60)
    part = DOORS[door]
    if part == "expert":
        part = next(member.part for member in hall.cast.members if member.part.startswith("expert:"))
    if part:
        account = hall.who(part)
        form = {"login": account.login, "password": account.password, "door": door, "back": "/"}
        answer = http.post(f"{hall.url}/account/sign-in", data=form)
        assert http.cookies, answer.text[:300]
    return http, part


@pytest.fixture(scope="module")
def crawls(shared_hall_at: Callable[[str], Hall]) -> Iterator[dict[tuple[str, str], crawling.Crawl]]:
    """What every door shows, by (door, language); doors whose pages are not there are not started from."""
    hall = shared_hall_at(STAGE)
    made: dict[tuple[str, str], crawling.Crawl] = {}
    public: dict[str, frozenset[str]] = {"zh": frozenset(), "en": frozenset()}
    for door in DOORS:
        http, _ = _signed_in(hall, door)
        for lang in ("zh", "en"):
            crawl = crawling.Crawl(hall.url, lang, http)
            prefix = "/en" if lang == "en" else ""
            starts = [f"{prefix}/{door}", f"{prefix}/account/{door}"] if door else [prefix or "/"]
            crawl.run(starts, but=public[lang])
            made[door, lang] = crawl
            if not door:
                public[lang] = frozenset(crawling.form_of(address) for address in crawl.pages)
    yield made


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("door", DOORS)
def test_every_link_leads_somewhere_and_every_word_is_in_the_pages_language(
    crawls: dict[tuple[str, str], crawling.Crawl], door: str, lang: str
) -> None:
    crawl = crawls[door, lang]
    assert crawl.broken == []
    wrong = {address: sorted(set(read.wrong))[:8] for address, read in crawl.pages.items() if read.wrong}
    assert wrong == {}


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("door", DOORS)
def test_a_browser_finds_nothing_wrong_with_any_page(
    crawls: dict[tuple[str, str], crawling.Crawl], chromium: Browser, door: str, lang: str,
    shared_hall_at: Callable[[str], Hall],
) -> None:  # fmt: skip
    hall, crawl = shared_hall_at(STAGE), crawls[door, lang]
    context = chromium.new_context(viewport={"width": WIDTHS[lang], "height": 844}, locale=lang)
    context.set_default_timeout(30_000)
    for name, value in crawl.http.cookies.items():
        context.add_cookies([{"name": name, "value": value, "url": hall.url}])
    reader = Reader(context.new_page(), lang, hall)
    found: list[str] = []
    try:
        forms: set[str] = set()
        for address in crawl.pages:
            if crawling.form_of(address) in forms:
                continue
            forms.add(crawling.form_of(address))
            found += _look(reader.page, hall.url + address)
            if PAGES_TO:
                _picture(reader.page, door or "public", lang, address)
    finally:
        found += reader.findings
        context.close()
    assert found == []


def _look(page: Page, address: str) -> list[str]:
    sizes: dict[str, int] = {}

    def weigh(response: Response) -> None:
        if response.request.resource_type in COUNTED and response.status == 200:
            sizes[response.url] = int(response.headers.get("content-length") or 0)

    page.on("response", weigh)
    page.goto(address, wait_until="load")
    page.remove_listener("response", weigh)
    found = []
    if sum(sizes.values()) > BYTES_MAX:
        found.append(f"{address}: {sum(sizes.values())} bytes of HTML, CSS and JS")
    options: dict[str, Any] = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}
    for one in Axe().run(page, options=options).response["violations"]:
        if one["impact"] in BAD:
            where = "; ".join(" ".join(map(str, node["target"])) for node in one["nodes"][:3])
            found.append(f"{address}: axe {one['impact']} {one['id']} at {where}")
    return found


def _picture(page: Page, door: str, lang: str, address: str) -> None:
    """A picture at both widths, and the contact sheet written anew."""
    folder = Path(PAGES_TO)
    folder.mkdir(parents=True, exist_ok=True)
    name = "".join(sign if sign.isalnum() else "-" for sign in crawling.form_of(address)).strip("-") or "front"
    for width in (1366, 390):
        page.set_viewport_size({"width": width, "height": 844})
        page.screenshot(path=folder / f"{door}.{lang}.{name[:80]}.{width}.png", full_page=True)
    page.set_viewport_size({"width": WIDTHS[lang], "height": 844})
    cards = "".join(
        f'<figure><a href="{html.escape(one.name)}"><img loading="lazy" src="{html.escape(one.name)}" width="320" '
        f'alt=""></a><figcaption>{html.escape(one.stem)}</figcaption></figure>'
        for one in sorted(folder.glob("*.png"))
    )
    style = "body{font:14px system-ui;display:flex;flex-wrap:wrap;gap:1rem}figure{margin:0;max-width:320px}"
    sheet = f"<!doctype html><meta charset=utf-8><title>Tradehall: pages</title><style>{style}</style>{cards}"
    (folder / "index.html").write_text(sheet, "utf-8")
