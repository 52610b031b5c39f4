"""The draw of a panel in the browser: three sides hand in their sealed numbers, the centre closes, anybody reads it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from bidding.client import bidder
from portal.demo import script
from portal.demo.stage import Stage
from portal.demo.stage_panel import Panel
from storage.world import SeededEntropy
from tests.browser.halls import EXAMPLE

if TYPE_CHECKING:
    from tests.browser.halls import Hall
    from tests.browser.reader import Reader

    Visit = Callable[..., Reader]

SEALED_MS = 60_000


def stage_of(hall: Hall, work: Path) -> Stage:
    """The rehearsal's own hands, for what is not this test's matter."""
    tokens = {login: one.token for login, one in hall.accounts.items()}
    return Stage(hall.cast, EXAMPLE, hall.url, work, tokens, lambda at, zh, en: None, lot=hall.lot, now=hall.now())


def with_a_register(stage: Stage) -> None:
    """The register of experts is there since yesterday."""
    Panel(stage, None, entropy=SeededEntropy("draw in a browser")).import_register()  # type: ignore[arg-type]
    stage.move_to(stage.now + timedelta(days=1))


def to_the_draw(reader: Reader, lot: str) -> None:
    """From the door's front page by the lot's name."""
    name = reader.hall.get(f"/api/v1/lots/{lot}")["name"]
    reader.page.get_by_role("link", name=name).first.click()
    reader.link("评标专家抽取", "Draw of the panel").click()
    expect(reader.heading("评标专家抽取", "Draw of the panel", exact=True)).to_be_visible()


def by_file(reader: Reader, part: str, folder: Path) -> None:
    """Sealed by the command line, handed in as a file."""
    own = reader.hall.who(part).identity
    assert own is not None, f"{part} has an identity"
    file = folder / f"{part}.json"
    line = ["--server", reader.hall.url, "--identity", str(own), "contribute", reader.hall.lot, "-o", str(file)]
    reader.hall.until_witnessed()  # The program believes what witnesses have seen.
    assert bidder.main(line) == 0
    reader.page.get_by_text(reader.t("用命令行(不需要脚本)", "With the command line (no script needed)")).click()
    reader.field("密封随机数(文件)", "Sealed number (file)").set_input_files(file)
    reader.button("提交密封随机数", "Hand in the sealed number").click()
    reader.reads("您这一方已提交,不能再改", "Your side has handed in; it cannot be changed")


@pytest.mark.parametrize(("lang", "width"), [("zh", 390), ("en", 1366)])
def test_three_sides_hand_in_and_the_centre_closes(
    visit: Visit, hall_at: Callable[..., Hall], tmp_path: Path, lang: str, width: int
) -> None:
    hall = hall_at("published")
    with_a_register(stage_of(hall, tmp_path))
    owner = visit(lang, width, who="owner", hall=hall, javascript=False)
    owner.page.get_by_role("link", name=hall.get(f"/api/v1/lots/{hall.lot}")["name"]).first.click()
    owner.link("申请抽取评标专家", "Ask for the draw of the panel").last.click()
    owner.button("申请抽取评标专家", "Ask for the draw of the panel").click()
    owner.link("评标专家抽取", "Draw of the panel").click()
    owner.page.get_by_text(owner.t("用命令行(不需要脚本)", "With the command line (no script needed)")).click()
    owner.field("密封随机数(文件)", "Sealed number (file)").set_input_files(
        files=[{"name": "<b>.json", "mimeType": "application/json", "buffer": b"{}"}]
    )
    owner.button("提交密封随机数", "Hand in the sealed number").click()
    expect(owner.page.get_by_role("alert")).to_contain_text(owner.t("贡献不是规范的", "not proper"))
    owner.link(hall.get(f"/api/v1/lots/{hall.lot}")["name"], hall.get(f"/api/v1/lots/{hall.lot}")["name"]).click()
    owner.link("评标专家抽取", "Draw of the panel").click()
    by_file(owner, "owner", tmp_path)
    supervisor = visit(lang, width, who="supervisor", hall=hall, javascript=False)
    to_the_draw(supervisor, hall.lot)
    by_file(supervisor, "supervisor", tmp_path)
    centre = visit(lang, width, who="centre", hall=hall, javascript=False)
    to_the_draw(centre, hall.lot)
    by_file(centre, "centre", tmp_path)
    centre.button("截止抽取", "Close the draw").click()
    anybody = visit(lang, width, hall=hall, javascript=False)
    to_the_draw(anybody, hall.lot)
    anybody.reads("已截止,待揭示", "closed, to be opened")


def test_an_owner_gives_its_number_with_the_key_in_its_browser(
    visit: Visit, hall_at: Callable[..., Hall], tmp_path: Path
) -> None:
    hall = hall_at("empty")
    owner = visit("zh", 1366, who="owner", hall=hall)
    owner.page.get_by_role("link", name="我的账户").click()
    owner.link("签名密钥", "Signing keys").first.click()
    owner.button("在此浏览器中生成签名密钥", "Make a signing key in this browser").click()
    owner.reads("此浏览器中已有本单位的签名密钥", "This browser holds a signing key of your organisation")
    # The notice pins the newest key of its owner: the one in this browser.
    stage = stage_of(hall, tmp_path)
    stage.publish_tender(next(step for step in script.load(EXAMPLE) if step.does == "publish_tender"))
    hall.lot = stage.lot
    with_a_register(stage)
    stage.official(stage.cast.of("owner"), "experts/request_draw", {"lot": hall.lot})
    # A day later the session is over; the key in the browser is not.
    owner.arrive()
    owner.sign_in(hall.who("owner"))
    to_the_draw(owner, hall.lot)
    owner.reads("此浏览器中就有这把密钥", "This browser holds that key")
    owner.button("生成、密封、签名并提交", "Make, seal, sign and hand in").click()
    expect(owner.page.get_by_text("请先选择信任文件 trust.json。")).to_be_visible()
    own = hall.who("owner").identity
    assert own is not None
    owner.field("信任文件 trust.json", "Trust file trust.json").set_input_files(own / "trust.json")
    owner.button("生成、密封、签名并提交", "Make, seal, sign and hand in").click()
    expect(owner.page.get_by_text("您这一方已提交,不能再改")).to_be_visible(timeout=SEALED_MS)
