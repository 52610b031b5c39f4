"""A trustee complains falsely; the bidder clears itself in the browser, with its recovery file, and its bid opens."""

from __future__ import annotations

import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from bidding import box
from crypto import release
from crypto.release import SaysReady
from portal.demo.watchers import Watchers
from storage.world import RealWorld, instant
from tests.browser.steps import PASSPHRASE, check_roster, fill_in, make_key, saved, to_the_lot

if TYPE_CHECKING:
    from portal.running import Running
    from tests.browser.halls import Hall
    from tests.browser.reader import Reader

    Visit = Callable[..., Reader]

LIAR = "operation-owner"
SEALED_MS = 120_000
LOOKS = 40


@pytest.fixture
def lying(hall_at: Callable[..., Hall]) -> Iterator[tuple[Hall, list[str]]]:
    """A hall before its deadline, one of whose trustees will complain of the headers that a test names."""
    hall, targets = hall_at("before_deadline", watched=False), []

    def complains(*given: Any, **named: Any) -> release.Step:
        step = release.next_step(*given, **named)
        if not isinstance(step, SaysReady):
            return step
        rows = [{"header": each, "lock": step.act["lock"], "index": step.act["index"]} for each in targets]
        return replace(step, act={**step.act, "complaints": rows})

    watchers = Watchers(hall.cast, hall.url, entropy=RealWorld().entropy, machines={LIAR: complains})
    watchers.start(trustees=True)
    yield hall, targets
    watchers.stop()


def newest_record(hall: Hall, uscc: str) -> str:
    """H(header) of the opening list of an organisation's newest bid: what nobody but its trustees could read here."""

    async def look(running: Running) -> list[Any]:
        where = {"lot": hall.lot, "organisation": uscc}
        return list(await running.database.read(lambda unit: unit.submission.find(where, order=("-bid_version",))))

    newest = hall.thread.call(look)[0]
    return box.parse([b64decode(text) for text in newest["body"]["headers"]])[0].hash().hex()


def test_a_bidder_clears_itself_in_the_browser(visit: Visit, lying: tuple[Hall, list[str]], tmp_path: Path) -> None:
    hall, targets = lying
    account = hall.who("bidder:01")
    reader = visit("en", 390, who="bidder:01", hall=hall)
    make_key(reader)
    to_the_lot(reader)
    reader.link("", "Replace my bid").click()
    check_roster(reader, account)
    fill_in(reader, "7123456.78", {"投标函": b"%PDF-1.7 sealed in a page"})
    reader.button("", "Check and seal").click()
    expect(reader.page.get_by_text("is sealed and tested").first).to_be_visible(timeout=SEALED_MS)
    recovery = tmp_path / "mine.recovery"
    saved(reader, lambda: reader.link("", "Save the recovery file").click()).save_as(recovery)
    reader.field("", "I have kept the recovery file").check()
    reader.button("", "Upload and hand in").click()
    expect(reader.page.get_by_text("The bid is submitted").first).to_be_visible(timeout=SEALED_MS)

    targets.append(newest_record(hall, hall.cast.of("bidder:01").uscc))
    reader.link("", "Back to the tender").click()
    hall.move_to(instant(hall.get(f"/api/v1/lots/{hall.lot}")["deadline"]) + timedelta(seconds=61))
    hall.until_state("frozen", "opening")
    for _ in range(LOOKS):
        if hall.get(f"/api/v1/bidding/lots/{hall.lot}/stage")["phase"] == "rescue":
            break
        hall.advance(timedelta(seconds=60))
        time.sleep(1)
    reader.arrive()
    reader.sign_in(account)
    to_the_lot(reader)
    reader.reads("", "Act now: a trustee says it cannot open your bid")
    reader.link("", "Disclose my secrets").click()
    reader.reads("", "every trustee on the roster is certified by both roots")
    reader.button("", "Prove and disclose").click()
    reader.reads("", "Choose the recovery file and give its passphrase")
    reader.field("", "Recovery file (.recovery)").set_input_files(recovery)
    reader.field("", "Passphrase of the recovery file").fill("not the passphrase")
    reader.button("", "Prove and disclose").click()
    expect(reader.page.get_by_role("alert").filter(has_text="passphrase")).to_be_visible(timeout=SEALED_MS)
    reader.field("", "Passphrase of the recovery file").fill(PASSPHRASE)
    reader.button("", "Prove and disclose").click()
    expect(reader.page.get_by_text("Disclosed 1 envelope")).to_be_visible(timeout=SEALED_MS)
    for _ in range(LOOKS):
        if hall.state() == "opened":
            break
        hall.advance(timedelta(seconds=101))
        time.sleep(1)
    hall.until_state("opened")
    verdicts = hall.get(f"/api/v1/lots/{hall.lot}/opening")["verdicts"]
    assert [row["complainers"] for row in verdicts if row["complainers"]] == [[LIAR]]
    assert {row["verdict"] for row in verdicts} == {"valid"}
