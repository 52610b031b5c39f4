"""A running hall pins the list of its pages' scripts, and shows a page of sealing what proves the roster."""

from __future__ import annotations

import base64
import hashlib
import time
from typing import TYPE_CHECKING

from bidding.door.sealing import scripts
from crypto import jcs
from crypto.ledger import receipt
from crypto.ledger.whole_log import Logged
from crypto.opening import ceremony, certified
from crypto.verifier.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path

    from pytest import CaptureFixture

    from tests.portal.halls import Hall

WAIT_SECONDS = 30


def test_every_sealing_module_is_listed_as_it_is_served(hall: Hall) -> None:
    listed = jcs.loads(hall.http.get("/release.json").content)
    assert listed["v"] == 1 and set(listed["scripts"]) >= set(scripts.scripts())
    for address, digest in listed["scripts"].items():
        answer = hall.http.get(address)
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/javascript")
        assert hashlib.sha256(answer.content).hexdigest() == digest, address
    assert hall.http.get("/sealing/../seal.js").status_code == 404
    assert hall.http.get("/sealing/scripts.py").status_code == 404
    for address, integrity in scripts.tags():
        assert (
            integrity == "sha384-" + base64.b64encode(hashlib.sha384(hall.http.get(address).content).digest()).decode()
        )


def test_the_front_page_compares_with_the_log(hall: Hall, tmp_path: Path, capsys: CaptureFixture[str]) -> None:
    anchors = tmp_path / "trust.json"
    anchors.write_bytes(hall.http.get("/trust.json").content)
    told, code = "", 1
    for _ in range(WAIT_SECONDS):
        code = main(["--page", hall.url + "/", "--trust", str(anchors), "--lang", "en"])
        told = capsys.readouterr().out
        if code == 0:
            break
        # The act is logged at the start and cosigned a moment later.
        time.sleep(1)
    assert code == 0, told
    assert "stands in the log" in told


def test_the_evidence_proves_the_roster_under_the_anchors(hall: Hall) -> None:
    hall.until_witnessed()
    trust = hall.thread.running.hall.trust
    shown = hall.http.get(f"/api/v1/bidding/lots/{hall.lot}/evidence").json()
    assert set(shown) == {"tender", "hall", "rulebook", "terms"}
    proved = [receipt.verify(text.encode(), trust) for text in (shown["tender"], *shown["hall"])]
    assert {each.grade for each in proved} == {"B"}
    logged = [Logged(each.index, each.leaf_hash, dict(each.event["act"])) for each in proved]
    known = certified.read(sorted(logged[1:], key=lambda each: each.index), trust)
    terms = ceremony.verify_terms(logged[0], trust, known)
    seated = certified.check_roster(
        terms.roster, terms.seats, known, tender_index=terms.index, outside_lock_1=terms.owners, lock_1=()
    )
    assert [len(places) for places in seated] == [lock.n for lock in terms.roster.locks]
    assert terms.lot == hall.lot
    assert hall.http.get("/api/v1/bidding/lots/NONE/evidence").json()["code"] == "lot_unknown"
