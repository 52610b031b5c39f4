"""Every page of every door in both languages: no broken link, no word in the wrong language, nothing that the policy
forbids, nothing in the console, no serious finding of axe, and small. build/crawl.txt says what was looked at.

PAGES_TO=folder (`make pages`) also leaves a contact sheet: index.html and a picture of every page at both widths.
"""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Response, expect

from bidding.client.server import Server
from portal.demo.backstage import Beside
from tests.browser import crawling
from tests.browser.halls import EXAMPLE, PATIENCE, Hall, Stages
from tests.browser.reader import Reader

PARTS = {"": "", "desk": "owner", "centre": "centre", "bidder": "bidder:01", "expert": "expert", "watch": "supervisor"}
WHOLE = "publicity"
"""The stage in which every page of every door is followed; in the others those of the one tender."""
VISITS = [
    *((WHOLE, door) for door in PARTS),
    ("published", ""), ("published", "desk"), ("published", "centre"), ("published", "bidder"),
    ("opened", ""), ("opened", "expert"),
    ("evaluating", "desk"), ("evaluating", "expert"),
    ("report", "expert"), ("report", "desk"),
    ("contracted", ""), ("contracted", "bidder"),
]  # fmt: skip
TAGS = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]
BAD = ("serious", "critical")
BYTES_MAX = 150_000
SEALING_BYTES_MAX = 200_000
"""What seals is served as it is written, for whoever audits it, and counted apart from the page that carries it."""
COUNTED = ("document", "stylesheet", "script")
TABLE = Path(__file__).parents[2] / "build/crawl.txt"
PAGES_TO = os.environ.get("PAGES_TO", "")
EVERYTHING = bool(PAGES_TO) or os.environ.get("TRADEHALL_WIDTHS") == "all"
"""In `make test` a browser looks at the English pages of one stage alone, at links and words in every one."""
WIDTHS = {"zh": 1366, "en": 390}
CSRF = re.compile(r'name="csrf" value="([^"]+)"')


def _signed_in(hall: Hall, door: str) -> httpx.Client:
    """A client with the session of whoever plays the door's part."""
    http = httpx.Client(follow_redirects=True, trust_env=False, timeout=60)
    part = PARTS[door]
    if part == "expert":
        part = _expert(hall)
    if part:
        account = hall.who(part)
        form = {"login": account.login, "password": account.password, "door": door, "back": "/"}
        answer = http.post(f"{hall.url}/account/sign-in", data=form)
        assert http.cookies, answer.text[:300]
    return http


def _expert(hall: Hall) -> str:
    """Somebody who sits on the panel, where there is one."""
    seats = sorted(Beside(hall.thread).seats(hall.lot))
    parts = {member.login: member.part for member in hall.cast.members}
    return parts[seats[0][1]] if seats else next(part for part in parts.values() if part.startswith("expert:"))


def _furnish(hall: Hall, door: str, http: httpx.Client) -> None:
    """What only a form makes: a draft at the desk, and another that waits for the centre."""
    if door == "desk":
        csrf = CSRF.search(http.get(f"{hall.url}/desk").text)
        assert csrf, "a form of the desk has its token"
        answer = http.post(f"{hall.url}/desk/drafts", data={"csrf": csrf[1], "copy": hall.lot})
        assert answer.status_code == 200, answer.text[:300]
        owner = Server(hall.url, token=hall.who("owner").token, device="crawl")
        document = json.loads((EXAMPLE / "tender.json").read_text("utf-8"))
        owner.verb("trading/enter_tender", {"document": document, "documents": []})


@dataclass
class Crawls:
    """What every visit finds, found when first asked for. One hall is open at a time: each costs while it is open."""

    hall_at: Callable[[str], Hall]
    made: dict[tuple[str, str, str], crawling.Crawl] = field(default_factory=dict)
    table: dict[tuple[str, str, str], tuple[int, int, int]] = field(default_factory=dict)
    open: dict[str, Hall] = field(default_factory=dict)
    visitors: dict[str, httpx.Client] = field(default_factory=dict)

    def hall(self, stage: str) -> Hall:
        """The hall at a stage; the one of another stage is closed."""
        if stage not in self.open:
            self.close()
            self.open[stage] = self.hall_at(stage)
        return self.open[stage]

    def close(self) -> None:
        """Close the hall that is open."""
        for hall in self.open.values():
            hall.close()
        self.open.clear()
        self.visitors.clear()

    def at(self, stage: str, door: str, lang: str) -> crawling.Crawl:
        """The crawl of one door at one stage in one language. Public pages are those of nobody's visit alone."""
        if (stage, door, lang) not in self.made:
            seen = list(self.at(WHOLE, "", lang).pages) if door else []
            if door and stage != WHOLE:
                seen += [page for page in self.at(WHOLE, door, lang).pages if "/account/" in page]
            hall = self.hall(stage)
            if door not in self.visitors:
                self.visitors[door] = _signed_in(hall, door)
                if stage == "published":
                    _furnish(hall, door, self.visitors[door])
            prefix = "/en" if lang == "en" else ""
            starts = [f"{prefix}/{door}", f"{prefix}/account/{door}"] if door else [prefix or "/"]
            if stage != WHOLE:
                starts = [f"{prefix}/{door}"] if door else [f"{prefix}/lots/{hall.lot}", f"{prefix}/check"]
            crawl = crawling.Crawl(hall.url, lang, self.visitors[door])
            whole = stage == WHOLE or (stage, door) in (("published", "desk"), ("published", "centre"))
            crawl.run(starts, but=frozenset(map(crawling.form_of, seen)), only="" if whole else hall.lot)
            self.made[stage, door, lang] = crawl
        return self.made[stage, door, lang]

    def tell(self) -> None:
        """Write the table of what was looked at and found."""
        lines = ["stage        door     language  pages  in the browser  findings"]
        for (stage, door, lang), (pages, looked, found) in self.table.items():
            lines.append(f"{stage:12} {door or 'public':8} {lang:8} {pages:6} {looked:15} {found:9}")
        TABLE.parent.mkdir(exist_ok=True)
        TABLE.write_text("\n".join(lines) + "\n", "utf-8")


@pytest.fixture(scope="module")
def crawls(stages: Stages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crawls]:
    """What every visitor finds; build/crawl.txt is its table."""
    made = Crawls(lambda stage: stages.open(stage, tmp_path_factory.mktemp("crawl") / stage, watched=False))
    yield made
    made.close()
    made.tell()


@pytest.mark.parametrize(
    ("stage", "door", "lang"),
    [
        pytest.param(stage, door, lang, id=f"{stage}-{door or 'public'}-{lang}")
        for stage, door in VISITS
        for lang in ("zh", "en")
    ],
)
def test_links_lead_somewhere_words_are_in_the_pages_language_and_a_browser_finds_nothing_wrong(
    crawls: Crawls, chromium: Browser, stage: str, door: str, lang: str
) -> None:
    crawl = crawls.at(stage, door, lang)
    hall = crawls.hall(stage)
    assert crawl.pages, "there is something to see"
    found = list(crawl.broken)
    for address, read in crawl.pages.items():
        found += [f"{address}: in the wrong language: {words}" for words in sorted(set(read.wrong))]
    context = chromium.new_context(viewport={"width": WIDTHS[lang], "height": 844}, locale=lang)
    context.set_default_timeout(30_000 * PATIENCE)
    for name, value in crawl.http.cookies.items():
        context.add_cookies([{"name": name, "value": value, "url": hall.url}])
    reader = Reader(context.new_page(), lang, hall)
    forms: set[str] = set()
    try:
        for address in crawl.pages if lang == "zh" or stage == WHOLE or EVERYTHING else ():
            if crawling.form_of(address) in forms:
                continue
            forms.add(crawling.form_of(address))
            found += _look(reader.page, hall.url + address, contrast=lang == "zh")
            if PAGES_TO:
                _picture(reader.page, f"{door or 'public'}.{stage}.{lang}", address)
    finally:
        found += reader.findings
        context.close()
        crawls.table[stage, door, lang] = (len(crawl.pages), len(forms), len(found))
    assert found == []


def test_the_page_of_a_practice_hall(stages: Stages, tmp_path: Path, chromium: Browser) -> None:
    """In both languages: what it is, the round that takes bids, and the way in."""
    hall = stages.open("published", tmp_path / "practice", watched=False, practising=True)
    try:
        for lang, words in (("zh", "以临时身份练习"), ("en", "Practise under a throw-away identity")):
            context = chromium.new_context(viewport={"width": WIDTHS[lang], "height": 844}, locale=lang)
            context.set_default_timeout(30_000 * PATIENCE)
            reader = Reader(context.new_page(), lang, hall)
            reader.arrive()
            reader.link("练习投标", "Practice bidding").click()
            expect(reader.page.get_by_role("button", name=words)).to_be_visible()
            reader.look("practice")
            found = _look(reader.page, reader.page.url, contrast=lang == "zh")
            if PAGES_TO:
                _picture(reader.page, f"practice.published.{lang}", "/practice")
            context.close()
            assert found + list(reader.findings) == []
    finally:
        hall.close()


def _look(page: Page, address: str, *, contrast: bool) -> list[str]:
    """What is wrong with a page. Contrast, four fifths of axe's time, is judged in one language: colours are one."""
    sizes: dict[str, int] = {}

    def weigh(response: Response) -> None:
        if response.request.resource_type in COUNTED and response.status == 200:
            sizes[response.url] = int(response.headers.get("content-length") or 0)

    page.on("response", weigh)
    page.goto(address, wait_until="load")
    page.remove_listener("response", weigh)
    found = []
    sealing = sum(size for one, size in sizes.items() if urlsplit(one).path.startswith("/sealing/"))
    if sealing > SEALING_BYTES_MAX or sum(sizes.values()) - sealing > BYTES_MAX:
        found.append(f"{address}: {sum(sizes.values())} bytes of HTML, CSS and JS, {sealing} of them to seal")
    options: dict[str, Any] = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}
    options["rules"] = {"color-contrast": {"enabled": contrast}}
    for one in Axe().run(page, options=options).response["violations"]:
        if one["impact"] in BAD:
            where = "; ".join(" ".join(map(str, node["target"])) for node in one["nodes"][:3])
            found.append(f"{address}: axe {one['impact']} {one['id']} at {where}")
    return found


def _picture(page: Page, whose: str, address: str) -> None:
    """A picture at both widths."""
    folder = Path(PAGES_TO)
    folder.mkdir(parents=True, exist_ok=True)
    name = "".join(sign if sign.isalnum() else "-" for sign in crawling.form_of(address)).strip("-") or "front"
    before = page.viewport_size
    assert before is not None, "a window has a size"
    for width in (1366, 390):
        page.set_viewport_size({"width": width, "height": 844})
        page.screenshot(path=folder / f"{whose}.{name[:80]}.{width}.png", full_page=True)
    page.set_viewport_size(before)


@pytest.fixture(scope="module", autouse=True)
def _contact_sheet() -> Iterator[None]:
    """All pictures on one page, by door and stage."""
    yield
    if not PAGES_TO:
        return
    groups: dict[str, list[str]] = {}
    for one in sorted(Path(PAGES_TO).glob("*.png")):
        name = html.escape(one.name)
        groups.setdefault(" ".join(one.stem.split(".")[:3]), []).append(
            f'<figure><a href="{name}"><img loading="lazy" src="{name}" width="320" alt=""></a>'
            f"<figcaption>{html.escape(one.stem)}</figcaption></figure>"
        )
    cards = "".join(f"<h2>{group}</h2><div>{''.join(shown)}</div>" for group, shown in groups.items())
    style = "body{font:14px system-ui}div{display:flex;flex-wrap:wrap;gap:1rem}figure{margin:0;max-width:320px}"
    sheet = f"<!doctype html><meta charset=utf-8><title>Tradehall: pages</title><style>{style}</style>{cards}"
    (Path(PAGES_TO) / "index.html").write_text(sheet, "utf-8")
