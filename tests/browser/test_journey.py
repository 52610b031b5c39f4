"""One tender wholly in the browser: published, bid for, opened, scored, awarded, verified, by people who know only what
the pages say.

The trustees' agents and the witnesses run beside the hall as in every rehearsal, and the hall's clock is moved from day
to day. TRADEHALL_WIDTHS=all adds the other two pairs of language and width to those of `make test`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from crypto.verifier import __main__ as verifier
from portal.demo.backstage import Beside
from storage.world import instant
from tests.browser import steps
from tests.browser.halls import PATIENCE

if TYPE_CHECKING:
    from tests.browser.halls import Hall
    from tests.browser.reader import Reader

    Visit = Callable[..., Reader]

PAIRS = [("zh", 1366), ("en", 390)]
OTHERS = [("zh", 390), ("en", 1366)]
COMBINATIONS = PAIRS + (OTHERS if os.environ.get("TRADEHALL_WIDTHS") == "all" else [])
NAME = "北峪县乡道三号线次年养护工程"
PRICES = {"bidder:01": "7350000.00", "bidder:02": "7123456.78", "bidder:03": "7600000"}
POINTS = {"bidder:01": ("52", "20"), "bidder:02": ("55", "30"), "bidder:03": ("41", "40")}
COMES_MS = 60_000 * PATIENCE
PANEL = 5


@pytest.mark.parametrize(("lang", "width"), COMBINATIONS)
def test_a_tender_from_the_notice_to_the_verdict_in_the_browser_alone(
    visit: Visit, hall_at: Callable[..., Hall], tmp_path: Path, lang: str, width: int
) -> None:
    hall = hall_at("published")
    everybody = visit(lang, width, hall=hall)
    everybody.look("front", phone=True)
    owner, centre = (visit(lang, width, who=who, hall=hall) for who in ("owner", "centre"))
    steps.publish_copy(owner, centre, NAME, tmp_path)
    hall.until_witnessed()  # A bidder's page believes a notice once witnesses have seen it.
    deadline = instant(hall.get(f"/api/v1/lots/{hall.lot}")["deadline"])
    read_notice(everybody)

    for part, price in PRICES.items():
        bidder = visit(lang, width, who=part, hall=hall)
        steps.bid_in_page(bidder, part, price, {"投标函": b"%PDF-1.7 of " + part.encode()}, tmp_path)
        bidder.page.context.close()

    hall.move_to(deadline - timedelta(hours=20))
    supervisor = visit(lang, width, who="supervisor", hall=hall)
    for reader, who in ((owner, "owner"), (centre, "centre")):
        steps.come_in(reader, who)
    steps.draw_the_panel(owner, centre, supervisor, NAME, tmp_path)
    watch_the_opening(everybody, deadline)

    hall.move_to(deadline + timedelta(hours=4))
    experts = evaluate(visit, hall, lang, width)
    hall.until_state("report_draft")
    for expert in experts:
        expert.page.reload()
        expert.button("签署评标报告", "Sign the report").click()
        expert.reads("评标报告已签署", "The report is signed")

    award(owner)
    verify(supervisor, everybody, tmp_path)


def read_notice(reader: Reader) -> None:
    """Anybody finds the notice and its time limits."""
    reader.arrive()
    reader.page.get_by_role("link", name=NAME).first.click()
    limits = reader.heading("法定时限", "Time limits by law")
    expect(limits).to_be_visible()
    reader.look("notice", at=limits)


def watch_the_opening(reader: Reader, deadline: datetime) -> None:
    """Everybody watches: the deadline passes, bids are frozen, trustees come, prices appear."""
    hall = reader.hall
    reader.arrive()
    reader.page.get_by_role("link", name=NAME).first.click()
    reader.link("开标大厅", "Opening hall").first.click()
    reader.reads("等待开标", "Waiting for the opening")
    hall.move_to(deadline + timedelta(seconds=61))
    expect(reader.page.get_by_text(reader.t("封存投标", "Bids frozen"))).to_be_visible(timeout=COMES_MS)
    reader.look("frozen")
    reader.link("受托人与见证人", "Trustees and witnesses").click()
    reader.page.get_by_role("row").filter(has_text="notary").get_by_role("link").click()
    expect(reader.heading("将要办理的事项", "What will be due")).to_be_visible()
    reader.look("trustee")
    reader.page.go_back()
    reader.page.go_back()
    hall.open_bids()
    for part in PRICES:
        expect(reader.row(hall.who(part).organisation)).to_be_visible(timeout=COMES_MS)
    reader.look("opened", phone=True, at=reader.page.get_by_role("table", name=reader.t("开标一览表", "Opening list")))


def evaluate(visit: Visit, hall: Hall, lang: str, width: int) -> list[Reader]:
    """Whoever was drawn signs in, scores and locks; the readers of all of them."""
    names = {hall.who(part).organisation: marks for part, marks in POINTS.items()}
    experts: list[Reader] = []

    def all_invited() -> bool:
        # Seated is not invited yet: that waits for the draw's place in the log.
        return [state for _, _, state in Beside(hall.thread).seats(hall.lot)].count("invited") == PANEL

    hall.until(all_invited)
    for _, login, _ in sorted(Beside(hall.thread).seats(hall.lot)):
        reader = visit(lang, width, hall=hall)
        reader.sign_in(hall.accounts[login])
        steps.sign_in_to_panel(reader, NAME)
        experts.append(reader)
    for reader in experts:
        reader.page.reload()
        steps.score_and_lock(reader, len(names), names)
    return experts


def award(owner: Reader) -> None:
    """The owner reads the report, publishes the candidates, and awards when publicity is over."""
    hall = owner.hall
    hall.until_state("report_submitted")
    hall.move_to(hall.now() + timedelta(hours=15))
    steps.come_in(owner, "owner")
    steps.to_the_lot(owner, NAME)
    owner.link("审阅评标报告", "Read the report").click()
    owner.look("review")
    owner.button("审阅评标报告", "Read the report").click()
    owner.reads("已记录审阅", "The reading is recorded")
    owner.link("公示中标候选人", "Publish the candidates").first.click()
    owner.button("下一步:核对并签名", "Next: check and sign").click()
    steps.sign_here(owner)
    owner.reads("已公示中标候选人", "The candidates are public")
    hall.until_witnessed()  # Periods run from what was witnessed: a witness that looks after the jump stamps it late.
    hall.advance(timedelta(days=6))
    hall.until_state("awardable")
    steps.come_in(owner, "owner")
    steps.to_the_lot(owner, NAME)
    owner.link("定标,发出中标通知书", "Award, and send the award notice").click()
    owner.button("下一步:核对并签名", "Next: check and sign").click()
    steps.sign_here(owner)
    owner.reads("已定标", "Awarded")
    owner.look("awarded")


def verify(supervisor: Reader, reader: Reader, folder: Path) -> None:
    """Supervision verifies behind its button; everybody downloads the bundle and judges it at home."""
    hall = reader.hall
    hall.until_witnessed()
    steps.come_in(supervisor, "supervisor")
    supervisor.page.get_by_role("link", name=NAME).click()
    supervisor.look("story")
    supervisor.button("核验完整卷宗", "Verify the full bundle").click()
    expect(supervisor.heading("核验通过", "Verified", exact=True)).to_be_visible(timeout=COMES_MS)
    supervisor.look("verified")
    reader.arrive()
    reader.page.get_by_role("link", name=NAME).first.click()
    reader.link("自己核验", "Check this tender yourself").click()
    reader.look("check-yourself")
    bundle = steps.saved(reader, lambda: reader.link("下载公开卷宗", "Download the public bundle").click())
    kept = folder / "bundle.zip"
    bundle.save_as(kept)
    assert verifier.main([str(kept), "--trust", str(hall.data / "trust.json"), "--rehearsal"]) == 0
