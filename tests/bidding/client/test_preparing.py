"""Checking a bid before it is sealed: every mistake a bidder makes is told, all at once, before it costs the bid."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bidding.client import files, preparing
from crypto import words
from crypto.sealing.manifest import Bidder
from crypto.terminal import Unreadable

ME = Bidder("澄川路桥工程有限公司", "91139900MA7WJFFQ14")
DOCUMENT: dict[str, Any] = {
    "lot": {"quality": "合格", "period_days_max": 120},
    "price": {"max_price_fen": 2_860_000_000},
    "sealing": {"envelopes": [0, 1], "plaintext_max": 1 << 20},
    "requirements": [
        {"code": "F1", "name": "投标函", "envelope": 1, "file": "投标函.pdf", "mandatory": True},
        {"code": "Q1", "name": "业绩", "envelope": 1, "file": "业绩.pdf", "mandatory": False},
        {"code": "R1", "name": "工期", "envelope": 0, "file": "period_days", "mandatory": True},
    ],
}
BID: dict[str, Any] = {
    "name": ME.name,
    "uscc": ME.uscc,
    "price_fen": 2_487_472_607,
    "period_days": 112,
    "quality": "合格",
    "leader": {"name": "钱思源", "certificate": "冀1132021201409876"},
    "files": [{"path": "投标函.pdf", "envelope": 1}],
}


def folder(at: Path, bid: Any) -> Path:
    (at / "files").mkdir()
    (at / "files" / "投标函.pdf").write_bytes(b"%PDF-1.7")
    (at / "bid.json").write_text(bid if isinstance(bid, str) else json.dumps(bid), "utf-8")
    return at


def codes(found: preparing.Prepared) -> list[str]:
    return [each.code for each in found.problems]


def test_a_whole_bid_has_no_problem(tmp_path: Path) -> None:
    found = preparing.check(folder(tmp_path, BID), DOCUMENT, ME)
    assert (codes(found), list(found.warnings)) == ([], [])
    assert [item.state for item in found.items] == ["ok", "optional", "ok"]
    assert found.opening is not None and found.opening.price_fen == 2_487_472_607


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"price_fen": 0}, "bid_price_wrong"),
        ({"price_fen": True}, "bid_price_wrong"),
        ({"price_fen": "2487472607"}, "bid_price_wrong"),
        ({"price_fen": None}, "bid_price_wrong"),
        ({"price_fen": 2_860_000_001}, "bid_price_over_max_price"),
        ({"period_days": 121}, "bid_period_too_long"),
        ({"period_days": -1}, "bid_period_wrong"),
        ({"quality": " "}, "bid_text_wrong"),
        ({"quality": "合格\u202e"}, "bid_text_wrong"),
        ({"leader": {"name": "钱思源"}}, "bid_leader_wrong"),
        ({"leader": "钱思源"}, "bid_leader_wrong"),
        ({"name": "别人有限公司"}, "bid_names_another_bidder"),
        ({"uscc": "91139900MA7WJFFQ15"}, "bid_names_another_bidder"),
        ({"price": 5}, "bid_field_unknown"),
        ({"files": [{"path": "投标函.pdf", "envelope": 0}]}, "required_file_in_wrong_envelope"),
        ({"files": []}, "required_item_missing"),
        ({"files": "投标函.pdf"}, "bid_files_wrong"),
        ({"files": [{"path": "投标函.pdf", "envelope": 2}]}, "bid_file_envelope_wrong"),
        ({"files": [{"path": "投标函.pdf", "envelope": True}]}, "bid_file_envelope_wrong"),
        ({"files": [{"path": "../bid.json", "envelope": 1}]}, "file_name_path"),
        ({"files": [{"path": "C:投标函.pdf", "envelope": 1}]}, "file_name_path"),
        ({"files": [{"path": "Í¶±êº¯\ufffd.pdf", "envelope": 1}]}, "file_name_encoding"),
        ({"files": [{"path": "投标函.pdf\u0000", "envelope": 1}]}, "file_name_characters"),
        ({"files": [{"path": "没有.pdf", "envelope": 1}]}, "bid_file_missing"),
        ({"files": [{"path": "投标函.pdf"}]}, "bid_file_entry_wrong"),
        ({"files": [{"path": "投标函.pdf", "envelope": 1}, {"path": "投标函.PDF", "envelope": 1}]}, "bid_file_missing"),
        ({"files": [{"path": "投标函.pdf", "envelope": 1}] * 2}, "bid_file_twice"),
    ],
)
def test_a_mistake_is_told_by_its_name(tmp_path: Path, change: dict[str, Any], code: str) -> None:
    found = preparing.check(folder(tmp_path, {**BID, **change}), DOCUMENT, ME)
    assert code in codes(found)
    told = words.load("crypto", "bidding.client")
    for each in (*found.problems, *found.warnings):
        message = words.tell(each, told)
        assert message["zh"] != each.code and "{" not in message["zh"].replace('{"name"', "")


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    wrong = {**BID, "price_fen": 0, "period_days": 999, "files": []}
    assert set(codes(preparing.check(folder(tmp_path, wrong), DOCUMENT, ME))) >= {
        "bid_price_wrong",
        "bid_period_too_long",
        "required_item_missing",
    }


def test_a_link_is_not_followed_out_of_the_folder(tmp_path: Path) -> None:
    made = folder(tmp_path, {**BID, "files": [*BID["files"], {"path": "业绩.pdf", "envelope": 1}]})
    (made / "files" / "业绩.pdf").symlink_to("/etc/hostname")
    assert "bid_file_not_regular" in codes(preparing.check(made, DOCUMENT, ME))


def test_an_empty_file_and_one_too_large_are_told(tmp_path: Path) -> None:
    made = folder(tmp_path, {**BID, "files": [*BID["files"], {"path": "业绩.pdf", "envelope": 1}]})
    (made / "files" / "业绩.pdf").touch()
    assert "bid_file_empty" in codes(preparing.check(made, DOCUMENT, ME))
    (made / "files" / "业绩.pdf").write_bytes(bytes(1 << 20))
    assert "bid_envelope_too_large" in codes(preparing.check(made, DOCUMENT, ME))


def test_a_file_that_is_not_listed_is_pointed_out(tmp_path: Path) -> None:
    made = folder(tmp_path, BID)
    (made / "files" / "忘记.pdf").write_bytes(b"x")
    assert [each.code for each in preparing.check(made, DOCUMENT, ME).warnings] == ["file_not_in_the_bid"]


def test_a_template_cannot_be_sealed_as_it_stands(tmp_path: Path) -> None:
    found = preparing.check(folder(tmp_path, preparing.template(DOCUMENT, ME)), DOCUMENT, ME)
    assert found.opening is None and found.problems


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"price_fen": 1, "price_fen": 2}',
        '{"price_fen": 1.5}',
        '{"price_fen": NaN}',
        '{"price_fen": 1e9}',
        '{"price_fen": 99999999999999999999}',
        "[" * 100_000,
        '{"a":' * 40 + "1" + "}" * 40,
    ],
)
def test_what_is_no_strict_json_is_unreadable(tmp_path: Path, text: str) -> None:
    with pytest.raises(Unreadable):
        preparing.check(folder(tmp_path, text), DOCUMENT, ME)


def test_gbk_is_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "bid.json").write_bytes('{"name":"澄川"}'.encode("gbk"))
    with pytest.raises(Unreadable, match="GBK"):
        files.read_json(tmp_path / "bid.json")


def test_what_is_written_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "token"
    files.write_secret(path, b"first")
    assert path.stat().st_mode & 0o777 == 0o600
    stopped: Callable[[int], None]

    def stopped(descriptor: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", stopped)
    with pytest.raises(OSError):
        files.write_secret(path, b"second")
    assert path.read_bytes() == b"first"
