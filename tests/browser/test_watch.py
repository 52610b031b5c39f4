"""The supervisor's door: every tender at a glance, its story, its trail, and the verifier behind a button."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.browser.halls import Hall
    from tests.browser.reader import Reader

    Visit = Callable[..., Reader]


@pytest.mark.parametrize(
    ("lang", "width", "javascript"), [("zh", 1366, True), ("en", 1366, False), ("zh", 390, False), ("en", 390, True)]
)
def test_a_supervisor_reads_the_story_and_the_trail_and_verifies_the_bundle(
    visit: Visit, shared_hall_at: Callable[[str], Hall], lang: str, width: int, javascript: bool
) -> None:
    hall = shared_hall_at("awardable")
    told = hall.get(f"/api/v1/lots/{hall.lot}")
    reader = visit(lang, width, who="supervisor", hall=hall, javascript=javascript)
    page = reader.page
    page.get_by_role("link", name=told["name"]).click()
    reader.reads("公示中标候选人", "The candidates are in publicity")
    with page.expect_download() as paper:
        reader.link("项目经过(PDF)", "The story as PDF").click()
    assert paper.value.path().read_bytes().startswith(b"%PDF-")
    reader.link("全过程记录", "Audit trail").click()
    reader.field("事项", "Kind").select_option(label=reader.t("投标封存", "bids frozen"))
    reader.button("筛选", "Filter").click()
    expect(page.get_by_role("row")).to_have_count(2)
    with page.expect_download() as lines:
        reader.link("导出 JSON Lines", "Export as JSON Lines").click()
    assert lines.value.path().read_bytes().count(b'"kind":"freeze"') == 1
    page.get_by_role("link", name=told["name"]).click()
    reader.button("核验完整卷宗", "Verify the full bundle").click()
    expect(reader.heading("核验通过", "Verified", exact=True)).to_be_visible(timeout=60_000)
    expect(page.get_by_role("row").filter(has_text="ledger")).to_contain_text(reader.t("通过", "passed"))


def test_a_directive_is_refused_without_a_power_and_nothing_typed_is_lost(
    visit: Visit, shared_hall_at: Callable[[str], Hall]
) -> None:
    hall = shared_hall_at("awardable")
    reader = visit("zh", who="supervisor", hall=hall, javascript=False)
    reader.page.get_by_role("link", name=hall.get(f"/api/v1/lots/{hall.lot}")["name"]).click()
    reader.field("理由(将公开)", "Reason (will be public)").fill("核实群众反映的问题")
    reader.button("下一步:核对并签名", "Next: check and sign").click()
    expect(reader.page.get_by_role("alert")).to_contain_text("行使的权力")
    expect(reader.field("理由(将公开)", "Reason (will be public)")).to_have_value("核实群众反映的问题")


@pytest.mark.parametrize(("lang", "width"), [("zh", 390), ("en", 1366)])
def test_a_supervisor_confirms_the_owners_report_and_reads_the_draw(
    visit: Visit, hall_at: Callable[..., Hall], lang: str, width: int
) -> None:
    hall = hall_at("contracted", watched=False)
    reader = visit(lang, width, who="supervisor", hall=hall, javascript=False)
    name = hall.get(f"/api/v1/lots/{hall.lot}")["name"]
    reader.page.get_by_role("link", name=name).click()
    reader.reads("尚未确认", "not yet")
    reader.button("确认收到", "Confirm that it arrived").click()
    reader.reads("已确认收到书面报告", "The written report is confirmed as received")
    expect(reader.button("确认收到", "Confirm that it arrived")).to_have_count(0)
    reader.link("评标专家抽取", "Draw of the panel").click()
    reader.reads("席位(掩码)", "Seats (masks)")
    expect(reader.row(reader.t("市政", "municipal")).first).to_be_visible()
