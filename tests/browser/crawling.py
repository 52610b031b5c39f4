"""Finding every page: links followed with each door's session, one address for each form of address, texts judged.

Pages are found over plain HTTP, which is fast; what a browser must see (policy, console, axe, size) is looked at once
for each form of address by the test.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin, urlsplit

import httpx

CJK = re.compile(r"[㐀-鿿豈-﫿]")
ENGLISH = re.compile(r"(?:\b[A-Za-z][a-z']+[,;]?\s+){4,}[A-Za-z][a-z']+")
SILENT = frozenset({"script", "style", "code", "pre", "kbd", "samp", "title", "textarea", "svg", "head"})
VOID = frozenset({"meta", "link", "input", "br", "hr", "img", "source", "wbr", "area", "base", "col", "embed", "track"})
SAID = ("alt", "aria-label", "placeholder", "title")
NO_PAGE = ("/api/", "/log/", "/static/", "/sealing/", "/schema/")
NO_PAGES = frozenset({"/trust.json", "/release.json", "/health"})
CHANGING = re.compile(r"[0-9a-f]{16,}|(?<=/)[A-Z]\d{10,}|(?<=/)[0-9A-Z]{17,}|(?<=[/=])\d+(?=[/&?]|$)|(?<==)[^&]+")
OF_A_FORM_MAX = 2


@dataclass
class Read(HTMLParser):
    """A page read: its links, and the texts that stand in the wrong language for `lang`."""

    lang: str
    links: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[tuple[str, str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        above, silent = (self._open[-1][1], self._open[-1][2]) if self._open else (self.lang, False)
        lang = given.get("lang", above)[:2]
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        for name in SAID:
            self._judge(given.get(name, ""), lang)
        if tag not in VOID:
            self._open.append((tag, lang, silent or tag in SILENT))

    def handle_endtag(self, tag: str) -> None:
        while self._open and tag not in VOID:
            if self._open.pop()[0] == tag:
                break

    def handle_data(self, data: str) -> None:
        if self._open and not self._open[-1][2]:
            self._judge(data, self._open[-1][1])

    def _judge(self, text: str, lang: str) -> None:
        found = CJK.search(text) if lang == "en" else ENGLISH.search(text)
        if found and lang == self.lang:
            self.wrong.append(text.strip()[:80])


@dataclass
class Crawl:
    """Everything one visitor reaches in one language. `pages` is address → text, `broken` what led nowhere."""

    base: str
    lang: str
    http: httpx.Client
    pages: dict[str, Read] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def run(self, starts: list[str], *, but: frozenset[str] = frozenset(), only: str = "") -> None:
        """Follow every link from these addresses; forms of address in `but` were seen by another visitor. With `only`,
        follow but addresses that contain it: the pages of one tender."""
        waiting = [(one, "start") for one in starts]
        seen: set[str] = set()
        forms: dict[str, int] = {}
        while waiting:
            address, came_from = waiting.pop(0)
            form = form_of(address)
            if address in seen or form in but or forms.get(form, 0) >= OF_A_FORM_MAX:
                continue
            seen.add(address)
            forms[form] = forms.get(form, 0) + 1
            answer = self.http.get(self.base + address, headers={"accept": "text/html,*/*"})
            where = f"{address} (from {came_from})"
            if answer.status_code >= 400:
                self.broken.append(f"{answer.status_code} {where}")
                continue
            if not answer.headers.get("content-type", "").startswith("text/html"):
                continue
            landed = urlsplit(str(answer.url))
            here = landed.path + (f"?{landed.query}" if landed.query else "")
            read = Read(self.lang)
            read.feed(answer.text)
            self.pages[here] = read
            waiting += [(link, here) for link in self._inside(read.links, here) if only in link]

    def _inside(self, links: list[str], here: str) -> Iterator[str]:
        for link in links:
            whole = urlsplit(urldefrag(urljoin(self.base + here, link)).url)
            if whole.netloc != urlsplit(self.base).netloc or whole.scheme not in ("http", "https"):
                continue
            english = whole.path == "/en" or whole.path.startswith("/en/")
            page = not whole.path.startswith(NO_PAGE) and whole.path not in NO_PAGES
            if not page or english == (self.lang == "en"):
                yield whole.path + (f"?{whole.query}" if whole.query else "")


def form_of(address: str) -> str:
    """The form of an address: what changes from tender to tender, and what was asked for, taken out."""
    return CHANGING.sub("*", address.removeprefix("/en"))
