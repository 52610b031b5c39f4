"""Pages in Chromium: halls at every stage, signed-in readers, and a guard that lets no page fail quietly.

A test knows only what the page says: it asks a `Reader` for links, buttons, fields and headings by their words in the
reader's language. Any console error, violated Content-Security-Policy, failed request, error in a script or broken link
fails the test, unless the test said before that it means it (`reader.allow`).
"""

from __future__ import annotations

import itertools
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.halls import Hall, Stages
    from tests.browser.reader import Reader

    Visit = Callable[..., Reader]

CHROMIUM = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--font-render-hinting=none",
]  # fmt: skip
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first is the same engine without the window that no test needs: half of the time of every page."""
WIDTHS = {1366: 768, 390: 844}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever lies in this folder is of the browser's part."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The system's Chromium (tests/packages.py brings it)."""
    from playwright.sync_api import expect, sync_playwright

    from tests.browser.halls import PATIENCE

    expect.set_options(timeout=45_000 * PATIENCE)
    program = next((found for found in map(shutil.which, NAMES) if found), None)
    assert program, "no Chromium: python3 tests/packages.py installs it or says the line that does"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def stages(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Stages]:
    """The stages of one performance, made when first asked for; processes of one run (`-n 2`) share them."""
    from tests.browser.halls import Stages

    one_of_several = hasattr(request.config, "workerinput")
    base = tmp_path_factory.getbasetemp()
    made = Stages((base.parent if one_of_several else base) / "stages", shared=one_of_several)
    yield made
    made.close()


@pytest.fixture(scope="session")
def _copies() -> Iterator[int]:
    return itertools.count()


@pytest.fixture
def hall_at(stages: Stages, tmp_path_factory: pytest.TempPathFactory, _copies: Iterator[int]) -> Iterator[
    Callable[..., Hall]
]:  # fmt: skip
    """`hall_at(stage, watched=True)`: a copy of the hall at a stage (tests/browser/halls.py STAGES) for this test
    alone; it ends with the test. `watched`: witnesses and trustees look beside it."""
    opened: list[Hall] = []

    def open_(stage: str, *, watched: bool = True) -> Hall:
        into = tmp_path_factory.getbasetemp() / "halls" / f"{stage}-{next(_copies)}"
        opened.append(stages.open(stage, into, watched=watched))
        return opened[-1]

    yield open_
    for hall in opened:
        hall.close()


@pytest.fixture(scope="session")
def shared_hall_at(
    stages: Stages, tmp_path_factory: pytest.TempPathFactory, _copies: Iterator[int]
) -> Iterator[Callable[[str], Hall]]:
    """`shared_hall_at(stage)`: one copy for the whole session, for tests that only look. Nobody watches it: witnesses
    and trustees who look on and on would cost more than what is tested."""
    opened: dict[str, Hall] = {}

    def open_(stage: str) -> Hall:
        if stage not in opened:
            into = tmp_path_factory.getbasetemp() / "halls" / f"{stage}-shared-{next(_copies)}"
            opened[stage] = stages.open(stage, into, watched=False)
        return opened[stage]

    yield open_
    for hall in opened.values():
        hall.close()


@pytest.fixture(scope="module")
def watched_hall(stages: Stages, tmp_path_factory: pytest.TempPathFactory, _copies: Iterator[int]) -> Iterator[Hall]:
    """A hall open for bids with its witnesses and trustees, for one module whose tests each take their own bidder."""
    opened = stages.open("published", tmp_path_factory.getbasetemp() / "halls" / f"watched-{next(_copies)}")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def hall(shared_hall_at: Callable[[str], Hall]) -> Hall:
    """A rehearsal with its tender open for bids, shared by every test that does not mind what others leave there."""
    return shared_hall_at("published")


@pytest.fixture
def visit(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """`visit(lang, width, who="", hall=None, javascript=True)` → a Reader at the front page, signed in as a part of the
    script when `who` names one ("owner", "bidder:02" …). Without `hall` it is the shared one."""
    from tests.browser import halls
    from tests.browser import reader as reader_module
    from tests.browser.reader import Reader

    readers: list[Reader] = []

    def visit_(
        lang: str = "zh",
        width: int = 1366,
        *,
        who: str = "",
        hall: Hall | None = None,
        javascript: bool = True,
        dark: bool = False,
    ) -> Reader:
        where: Hall = hall or request.getfixturevalue("hall")
        context = chromium.new_context(
            viewport={"width": width, "height": WIDTHS.get(width, 768)},
            # A tour's pictures of a wide page are small ones.
            device_scale_factor=0.7 if reader_module.TOUR_TO and width > 600 else 1,
            locale="zh-CN" if lang == "zh" else "en-GB",
            timezone_id="Asia/Shanghai",
            java_script_enabled=javascript,
            color_scheme="dark" if dark else "light",
            accept_downloads=True,
        )
        context.set_default_timeout(45_000 * halls.PATIENCE)
        reader = Reader(context.new_page(), lang, where)
        readers.append(reader)
        reader.arrive()
        if who:
            reader.sign_in(where.who(who))
        return reader

    yield visit_
    found = [finding for reader in readers for finding in reader.findings]
    for reader in readers:
        reader.page.context.close()
    assert not found, "\n".join(found)
