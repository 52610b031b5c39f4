"""tradehall-bidder against a served hall: fetch, seal, submit, replace, withdraw, recover, and what is refused."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bidding.client import bidder, bidfile, identity, ledger, notice
from bidding.client.server import Server
from crypto import signing, trust
from crypto.ledger import note
from crypto.refusal import Refused


def test_a_bid_is_fetched_checked_sealed_submitted_and_proved(served: Any, tmp_path: Path) -> None:
    folder = served.folder("02")
    assert {path.name for path in folder.iterdir()} >= {"lot.json", "terms.json", "rulebook.json", "documents", "files"}
    assert [path.name for path in (folder / "documents").iterdir()]
    checked = served.bidder("02", "check", folder)
    assert (checked.code, checked.json["problems"]) == (0, []), checked.err
    sealed = folder.with_suffix(".bid")
    assert served.bidder("02", "seal", folder, "-o", sealed).json["version"] == 1
    before = served.bidder("02", "receipt", sealed, "-o", tmp_path / "r")
    assert (before.code, before.json["refused"]) == (1, "bid_not_handed_in")
    told = served.bidder("02", "submit", sealed)
    assert told.code == 0, told.err
    assert told.json["stage"] in ("submitted", "witnessed") and told.json["index"] > 0
    standing = served.bidder("02", "status", served.lot)
    assert [(row["version"], row["stage"]) for row in standing.json["bids"]] == [(1, told.json["stage"])], standing.err


def test_a_second_version_is_numbered_by_itself_and_both_are_withdrawn_for_ever(served: Any) -> None:
    first = served.sealed("03")
    assert served.bidder("03", "submit", first).code == 0
    second = served.sealed("03", "again")
    assert bidfile.read(second).version == 2
    assert served.bidder("03", "submit", second).code == 0
    told = served.bidder("03", "withdraw", served.lot)
    assert (told.code, told.json["version"], told.json["stage"]) == (0, 2, "withdrawn"), told.err
    stages = [row["stage"] for row in served.bidder("03", "status", served.lot).json["bids"]]
    assert stages == ["withdrawn", "withdrawn"]
    third = served.sealed("03", "third", version=2)
    again = served.bidder("03", "submit", third)
    assert (again.code, again.json["refused"]) == (1, "bid_version_withdrawn")


def test_nothing_is_withdrawn_that_was_not_handed_in(served: Any) -> None:
    told = served.bidder("01", "withdraw", served.lot)
    assert (told.code, told.json["refused"]) == (1, "nothing_to_withdraw")


def test_the_recovery_file_gives_back_every_byte(served: Any, tmp_path: Path) -> None:
    folder = served.folder("04")
    sealed = folder.with_suffix(".bid")
    assert served.bidder("04", "seal", folder, "-o", sealed).code == 0
    told = served.bidder("04", "recover", sealed.with_suffix(".recovery"), "--to", tmp_path / "back")
    assert told.code == 0, told.err
    for path in (folder / "files").iterdir():
        assert (tmp_path / "back" / "files" / path.name).read_bytes() == path.read_bytes()
    sealed_as = json.loads((tmp_path / "back" / "bid.json").read_text("utf-8"))
    assert sealed_as == json.loads((folder / "bid.json").read_text("utf-8"))
    assert served.bidder("04", "recover", sealed, "--to", tmp_path / "back").json["refused"] == "folder_not_empty"


def test_a_wrong_passphrase_recovers_nothing(served: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sealed = served.sealed("04", "other")
    monkeypatch.setenv("TRADEHALL_PASSPHRASE", "not the passphrase")
    told = served.bidder("04", "recover", sealed, "--to", tmp_path / "back")
    assert (told.code, told.json["refused"]) == (1, "recovery_passphrase")
    assert not (tmp_path / "back").exists()


def test_a_sealed_bid_is_never_written_over(served: Any) -> None:
    folder = served.folder("06")
    sealed = folder.with_suffix(".bid")
    assert served.bidder("06", "seal", folder, "-o", sealed).code == 0
    before = sealed.read_bytes()
    told = served.bidder("06", "seal", folder, "-o", sealed)
    assert (told.code, told.json["refused"]) == (1, "bid_file_exists")
    assert sealed.read_bytes() == before


def test_a_clarification_after_the_fetch_stops_the_sealing(served: Any) -> None:
    folder = served.folder("07")
    agent = served.stage.cast.of("agent")
    text = {"zh": "答疑", "en": "clarification"}
    body = {"lot": served.lot, "text": text, "affects_bids": False, "deadline": None, "documents": []}
    served.stage._act(agent, "trading/amend", body)
    for _ in range(40):
        told = served.bidder("07", "seal", folder, "-o", folder.with_suffix(".bid"))
        if told.code:
            break
        folder.with_suffix(".bid").unlink()
        folder.with_suffix(".recovery").unlink()
    assert (told.code, told.json["refused"]) == (1, "clarified_since_fetch")
    again = served.folder("07")
    assert json.loads((again / "clarifications" / "01.json").read_text("utf-8"))["zh"] == "答疑"
    assert served.bidder("07", "seal", again, "-o", again.with_suffix(".bid")).code == 0


def test_a_silent_hall_does_not_stop_sealing_but_stops_submitting(served: Any) -> None:
    folder = served.folder("08")
    nobody = "http://127.0.0.1:9"
    told = served.bidder("08", "seal", folder, "-o", folder.with_suffix(".bid"), url=nobody)
    assert told.code == 0, told.err
    assert "does not answer" in told.err
    assert served.bidder("08", "tenders", url=nobody).code == 3


def test_trust_is_never_taken_from_the_platform(served: Any, tmp_path: Path) -> None:
    bare = tmp_path / "identity"
    shutil.copytree(served.identity("09"), bare)
    (bare / "trust.json").unlink()
    with pytest.raises(Refused) as refused:
        identity.load(bare)
    assert refused.value.code == "trust_missing"
    assert not (bare / "trust.json").exists()


def test_another_halls_anchors_refuse_this_halls_log(served: Any) -> None:
    me = identity.load(served.identity("09"))
    other = signing.Ed25519Signer.generate(entropy=lambda n: bytes(range(n)))
    forged = json.loads((me.folder / "trust.json").read_text("utf-8"))
    forged["log"]["key"] = str(note.VerifierKey(me.trust.origin, note.LOG_SIGNATURE, other.key))
    with pytest.raises(Refused) as refused:
        ledger.cosigned(Server(served.url), trust.load(json.dumps(forged).encode()))
    assert refused.value.code in ("signature", "note_not_signed")


def test_a_puppet_roster_is_refused_before_sealing(served: Any) -> None:
    """Anchors under which the trustees' roots are others: the same notice is then made of puppets."""
    me = identity.load(served.identity("09"))
    server = Server(served.url)
    log = ledger.read(server, me.trust, ledger.WholeLog(""))
    forged = json.loads((me.folder / "trust.json").read_text("utf-8"))
    other = signing.Ed25519Signer.generate(entropy=lambda n: bytes(range(n)))
    forged["trustee_roots"]["supervision"] = other.key.hex()
    with pytest.raises(Refused) as refused:
        notice.fetch(server, log, served.lot, trust.load(json.dumps(forged).encode()))
    assert refused.value.code in ("key_not_certified", "trustee_not_certified")


def test_enrolment_keeps_key_certificate_and_token(served: Any, command: Any, tmp_path: Path) -> None:
    home, given = tmp_path / "new", served.identity("01") / "trust.json"
    start = ("--server", served.url, "--identity", home, "--json", "enrol")
    without = command(bidder.main, *start, "--name", "新来的建设有限公司", "--uscc", "91139900MA7WJFFQ14")
    assert (without.code, without.json["refused"]) == (1, "trust_missing")
    nameless = command(bidder.main, *start, "--trust", given)
    assert (nameless.code, nameless.json["refused"]) == (1, "name_missing")
    wrong = command(bidder.main, *start, "--name", "新来的建设有限公司", "--uscc", "91139900MA7WJFFQ15")
    assert wrong.code == 1, "the check character is wrong"
    told = command(bidder.main, *start, "--name", "新来的建设有限公司", "--uscc", "91510100MA6CXYTH3D")
    assert told.code == 0, told.err
    me = identity.load(home)
    assert me.token and (home / "token").stat().st_mode & 0o077 == 0
    assert (home / "identity.pem").stat().st_mode & 0o077 == 0 and not (home / "key.pem").exists()


def test_a_late_bid_is_refused_with_its_rule_and_the_state_says_so(served: Any) -> None:
    sealed = served.sealed("10")
    served.advance(timedelta(days=23))
    told = served.bidder("10", "submit", sealed)
    assert (told.code, told.json["refused"], told.json["rule"]) == (1, "bid_received_after_deadline", "E-36")
    assert set(told.json["message"]) == {"zh", "en"}
