"""The draw at its three doors without a script: sealed by the command line, handed in as a file, then closed."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from bidding.client import bidder
from portal.demo.stage_panel import Panel
from storage.world import SeededEntropy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.portal.halls import Hall

pytestmark = pytest.mark.servers

DOORS = (("owner", "desk"), ("supervisor", "watch"), ("centre", "centre"))


def browser(hall: Hall, login: str) -> httpx.Client:
    """A browser with no script, signed in."""
    rows = json.loads((hall.data / "demo/accounts.json").read_text("utf-8"))
    account = next(row for row in rows if row["login"] == login)
    client = httpx.Client(base_url=hall.url, trust_env=False, timeout=60, follow_redirects=True)
    form = {"login": login, "password": account["password"], "back": ""}
    assert client.post("/account/sign-in", data=form).status_code == 200
    return client


def typed(page: str) -> dict[str, str]:
    """What a page's forms carry by themselves: hidden fields, and the one power that may be chosen."""
    found = dict(re.findall(r'<input type="hidden" name="(csrf|once)" value="([^"]+)"', page))
    powers = re.findall(r'name="(power_\w+)".*?<option value="([A-Z]-\d+)"', page, re.DOTALL)
    return {**found, **dict(powers)}


def seal(hall: Hall, part: str, to: Path) -> Any:
    """`tradehall-bidder contribute` of a party, when the witnesses have seen all that there is."""
    hall.until_witnessed()
    identity = hall.stage.cast.identity(hall.stage.cast.of(part))
    line = ["--server", hall.url, "--identity", str(identity), "contribute", hall.lot, "-o", str(to)]
    return bidder.main(line)


def hand_in(client: httpx.Client, address: str, files: Mapping[str, bytes]) -> httpx.Response:
    fields = typed(client.get(address).text)
    sent = {name: (name, data, "application/json") for name, data in files.items()}
    return client.post(f"{address}/contribute", data=fields, files=sent)


def test_a_trustees_page_says_what_is_due_and_when_to_drill(hall: Hall) -> None:
    for prefix, word in (("", "请在 "), ("/en", "drill on or before")):
        page = hall.http.get(f"{prefix}/trustees/operation-notary")
        assert page.status_code == 200 and word in page.text


def test_three_hand_in_by_file_and_the_centre_closes(
    hall: Hall, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lot, stage = hall.lot, hall.stage
    Panel(stage, None, entropy=SeededEntropy("draw pages")).import_register()  # type: ignore[arg-type]
    stage.move_to(stage.now + timedelta(days=1))
    assert seal(hall, "owner", tmp_path / "early.json") == 1
    assert "现在没有接收随机数的抽取" in capsys.readouterr().err, "no draw is open yet"
    clients = {login: browser(hall, login) for login, _ in DOORS}
    try:
        owner = clients["owner"]
        assert "还没有申请抽取" in owner.get(f"/desk/lots/{lot}/draw").text
        asked = owner.post(f"/desk/lots/{lot}/do/draw", data=typed(owner.get(f"/desk/lots/{lot}/do/draw").text))
        assert asked.status_code == 200 and "已公布专家抽取池" in asked.text

        nonsense = hand_in(owner, f"/desk/lots/{lot}/draw", {"contribution": b"<svg>"})
        assert nonsense.status_code == 422 and "贡献不是规范的" in nonsense.text
        assert hand_in(owner, f"/desk/lots/{lot}/draw", {}).status_code == 422
        with contextlib.closing(browser(hall, "bidder-01")) as stranger:
            assert stranger.get(f"/desk/lots/{lot}/draw").url.path == "/account/sign-in"

        assert seal(hall, "bidder:01", tmp_path / "stranger.json") == 1
        assert "没有把这把密钥列为" in capsys.readouterr().err, "the notice names three keys and no other"
        for login, door in DOORS:
            file = tmp_path / f"{login}.json"
            assert seal(hall, login, file) == 0
            address = f"/{door}/lots/{lot}/draw"
            if login == "supervisor":
                other = hand_in(clients[login], address, {"contribution": (tmp_path / "owner.json").read_bytes()})
                assert other.status_code == 422, "somebody else's number is not this side's"
            if login == "centre":
                page = clients[login].get(address).text
                assert page.count("待提交") == 1
            done = hand_in(clients[login], address, {"contribution": file.read_bytes()})
            assert done.status_code == 200 and "密封随机数已提交" in done.text, done.text
            again = hand_in(clients[login], address, {"contribution": file.read_bytes()})
            assert again.status_code == 422
        public = owner.get(f"/lots/{lot}/draw").text
        assert "接收密封随机数" in public and "待提交" not in public, "who handed in is told at the three doors alone"

        centre = clients["centre"]
        address = f"/centre/lots/{lot}/draw"
        closed = centre.post(f"{address}/close", data=typed(centre.get(address).text))
        assert closed.status_code == 200 and "抽取已截止" in closed.text
        public = owner.get(f"/en/lots/{lot}/draw").text
        assert "closed, to be opened" in public and "supervision" in public
        assert owner.post(f"/desk/lots/{lot}/draw/close", data=typed(owner.get(address).text)).status_code in (
            401,
            403,
            422,
        )
    finally:
        for client in clients.values():
            client.close()
