"""The practice tender: a stranger with a key of nobody seals, hands in, and sees the bid opened; none of it is real."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from bidding.client import bidder
from crypto.refusal import Refused
from portal import settings
from portal.practice import pages, rounds, serving
from portal.practice.rounds import Rounds
from storage.world import SeededEntropy
from tests.portal.setting_up import command
from trading import codes

pytestmark = pytest.mark.servers
ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "tests/examples/other-road"
WAIT_SECONDS_MAX = 300.0


@pytest.fixture(scope="module")
def practised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Rounds, Path]]:
    """A practice hall whose first round is open."""
    home = tmp_path_factory.mktemp("practice")
    with serving.serving(home, EXAMPLE) as (url, played):
        _until(lambda: played.lot != "")
        yield url, played, home


def _until(reached: object) -> float:
    began = time.monotonic()
    while not reached():  # type: ignore[operator]
        assert time.monotonic() - began < WAIT_SECONDS_MAX, "it did not come about"
        time.sleep(0.2)
    return time.monotonic() - began


def test_a_strangers_bid_is_sealed_handed_in_and_opened(practised: tuple[str, Rounds, Path], tmp_path: Path) -> None:
    url, played, home = practised
    lot, number = played.lot, played.number
    page = httpx.get(f"{url}/practice", trust_env=False).text
    assert "练习,无任何法律效力" in page and f"第 {number} 轮" in page
    code = pages.throw_away_code(SeededEntropy(5))
    identity, bid = tmp_path / "me", tmp_path / "bid"
    trust = home / "hall" / "trust.json"
    me = ("--server", url, "--identity", identity)
    command(bidder.main, *me, "enrol", "--name", "练习者", "--uscc", code, "--trust", trust)
    command(bidder.main, *me, "fetch", lot, bid)
    source = EXAMPLE / pages.SAMPLE
    shutil.copytree(source / "files", bid / "files", dirs_exist_ok=True)
    mine = json.loads((source / "bid.json").read_text("utf-8")) | {"name": "练习者", "uscc": code}
    (bid / "bid.json").write_text(json.dumps(mine, ensure_ascii=False), "utf-8")
    (tmp_path / "passphrase").write_text("a passphrase to practise with", "utf-8")
    command(bidder.main, *me, "seal", bid, "-o", tmp_path / "my.bid", "--passphrase-file", tmp_path / "passphrase")
    told = command(bidder.main, *me, "submit", tmp_path / "my.bid")
    assert "index" in told, "the receipt proves a place in the ledger"
    state = lambda: httpx.get(f"{url}/api/v1/lots/{lot}", trust_env=False, timeout=60).json()["state"]  # noqa: E731
    _until(lambda: state() == "opened")
    record = httpx.get(f"{url}/api/v1/lots/{lot}/opening", trust_env=False, timeout=60).json()
    wanted = json.loads((source / "bid.json").read_text("utf-8"))["price_fen"]
    assert wanted in re.findall(r"\d+", json.dumps(record)) or str(wanted) in json.dumps(record)
    assert len(re.findall('"price_fen"', json.dumps(record))) >= 1 + len(rounds.ROBOTS)
    _until(lambda: played.lot != lot)
    assert played.number == number + 1, "the next round is open"


def test_one_button_gives_an_identity_of_nobody(practised: tuple[str, Rounds, Path]) -> None:
    url, _, _ = practised
    client = httpx.Client(base_url=url, trust_env=False, timeout=60)
    answer = client.post("/practice/begin")
    assert answer.status_code in (303, 422)
    if answer.status_code == 303:
        assert answer.headers["location"].startswith("/bidder/lots/")
        assert client.get(answer.headers["location"]).status_code == 200
    again = client.get("/practice/samples.zip")
    assert again.headers["content-type"] == "application/zip" and again.content.startswith(b"PK")


def test_visitors_do_not_move_the_clock_of_a_practice(practised: tuple[str, Rounds, Path]) -> None:
    url, _, _ = practised
    answer = httpx.post(f"{url}/api/v1/demo/clock", json={"advance": "P20D"}, trust_env=False)
    assert answer.status_code in (404, 405)
    trust = httpx.get(f"{url}/trust.json", trust_env=False).json()
    assert trust["log"]["origin"].endswith("/rehearsal"), "no certified key takes its acts"


def test_a_throw_away_code_is_well_formed_and_nobodys() -> None:
    made = {pages.throw_away_code(SeededEntropy(seed)) for seed in range(50)}
    assert len(made) == 50 and all(codes.check_uscc(code).startswith(pages.CODE_BEGINS) for code in made)


def test_a_round_is_dated_from_now_and_says_that_it_is_practice(tmp_path: Path) -> None:
    now = datetime(2029, 5, 6, 7, 8, tzinfo=UTC)
    made = json.loads((rounds.rebased(EXAMPLE, tmp_path / "r", now=now) / "tender.json").read_text("utf-8"))
    assert made["schedule"]["deadline"] == made["schedule"]["opening_at"] == "2029-05-31T01:30:00.000Z"
    assert made["lot"]["name"].startswith("【练习】") and made["sealing"]["plaintext_max"] == rounds.PLAINTEXT_BYTES_MAX


def test_another_halls_folder_is_not_made_anew(tmp_path: Path) -> None:
    (tmp_path / "hall").mkdir()
    (tmp_path / "hall" / "hall.json").write_text("{}")
    with pytest.raises(Refused) as err, serving.serving(tmp_path, EXAMPLE):
        pass
    assert err.value.code == "practice_folder_taken" and (tmp_path / "hall" / "hall.json").exists()


def test_the_address_of_a_practice_is_an_address() -> None:
    assert settings.read({"TRADEHALL_PRACTICE_URL": "https://practice.example"}).practice_url
    for wrong in ("javascript:alert(1)", "practice.example", "file:///etc"):
        with pytest.raises(Refused) as err:
            settings.read({"TRADEHALL_PRACTICE_URL": wrong})
        assert err.value.code == "setting_wrong"
