"""A bid from the key to the receipt in one page: enrolled, sealed in the worker, sent over a line that is cut, proved.

The hall here is a hundred lines that do what docs/contract.md (Uploads) says and keep the compact log of
tests/crypto/release/conftest.py; it can cut lines and show false receipts, as a real one could.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bidding.door.sealing import scripts
from crypto import certificates, signing
from crypto.ledger import receipt
from crypto.sealing import body, envelope, header, lock, manifest, recovery
from tests.browser import sealing
from tests.browser.sealing import Refusal, ask

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

VECTORS = Path(__file__).parents[1] / "vectors/browser"
MIB = 1_048_576
NAME, USCC = "南岭路桥有限公司", "91440101MA5CTR0001"
PASSPHRASE = "松风水月二〇二六"
OPENING = json.loads((VECTORS / "bids.json").read_text())["opening"]
FILES = [{"name": "技术标（正本）.pdf", "size": 3 * MIB + 7, "seed": 5}, {"name": "空.txt", "size": 0, "seed": 6}]

spec = importlib.util.spec_from_file_location("browser_vectors", VECTORS / "make.py")
assert spec and spec.loader
make = importlib.util.module_from_spec(spec)
sys.modules["browser_vectors"] = make
spec.loader.exec_module(make)


class Hall:
    """One lot's uploads, submissions and log. `cuts` says how many of the next requests end in nothing."""

    def __init__(self) -> None:
        self.made = make.Hall("handed in")
        self.world = self.made.world
        self.uploads: dict[str, dict[str, Any]] = {}
        self.segments: dict[str, bytes] = {}
        self.log: list[tuple[str, str]] = []
        self.cuts = 0
        self.store = False
        self.forget = False
        self.pending = 0
        self.young = 0
        self.witnesses: list[str] | None = []
        self.submission: dict[str, Any] = {}
        self.certificate = b""

    def answer(self, method: str, path: str, data: bytes) -> tuple[int, Any]:
        self.log.append((method, path))
        parts = path.removeprefix("/api/v1/bidding/").split("/")
        match method, parts:
            case "GET", ["lots", _, "evidence"]:
                shown = self.made.shown()
                act = self.made.act(self.made.tender)
                hashes = {"rulebook": act["rulebook"]["hash"], "terms": act["terms_hash"]}
                if self.young > 0:
                    self.young -= 1
                    shown["tender"] = self.made.receipt(self.made.tender, witnesses=["witness-centre"])
                return 200, {"tender": shown["tender"], "hall": shown["hall"], **hashes}
            case "GET", ["lots", _, "own"]:
                return 200, {"bids": []}
            case "GET", ["", "api", "v1", "lots", _, "objects", name]:
                known = (self.world.rulebook, self.made.terms)
                return 200, next(each for each in known if hashlib.sha256(each).hexdigest() == name)
            case "POST", ["uploads"]:
                told = json.loads(data)
                id_ = hashlib.sha256(data).hexdigest()[:16]
                self.uploads.setdefault(id_, told)
                prefix = f"http://{self.host}/store" if self.store else "/api/v1/bidding/uploads"
                targets = [{"index": n, "url": f"{prefix}/{id_}/{n}", "headers": {}} for n in self.missing(id_)]
                return 200, {"id": id_, "targets": targets}
            case "PUT", [*_, id_, number]:
                leaf = self.uploads[id_]["leaves"][int(number)]
                if hashlib.sha256(data).hexdigest() != leaf:
                    return 409, {"code": "segment_hash_differs"}
                there = leaf in self.segments
                self.segments[leaf] = data
                return (412, {}) if self.store and there else (200, {})
            case "GET", ["uploads", id_]:
                return 200, {"missing": self.missing(id_)}
            case "POST", ["submit"]:
                return 200, self.submit(json.loads(data))
            case "GET", ["receipts", _]:
                self.pending -= 1
                return 200, self.told()
        return 404, {"code": "not_found"}

    def missing(self, id_: str) -> list[int]:
        leaves = self.uploads[id_]["leaves"]
        if self.forget:
            # The hall has not looked again yet: the store has them all, and says so to whoever puts them.
            self.forget = False
            return list(range(len(leaves)))
        return [n for n, leaf in enumerate(leaves) if leaf not in self.segments]

    def submit(self, told: dict[str, Any]) -> dict[str, Any]:
        if told != self.submission:
            self.submission = told
            headers = tuple(header.parse(base64.b64decode(each)) for each in told["headers"])
            self.certificate = base64.b64decode(told["certificate"])
            header.check_admission(
                headers,
                tender_id=self.world.tender_id,
                envelopes=(0, 1),
                roster=self.world.roster,
                certificate_spki=signing.certificate_spki(self.certificate),
                salt=bytes.fromhex(told["salt"]),
                submit_signature=bytes.fromhex(told["signature"]),
            )
            bidder = self.world.bidder(7)
            salt = bytes.fromhex(told["salt"])
            self.bid = self.world.hand_in(bidder, headers, salt, headers[0].version, ())
        return {"events": [{"id": "e1"}], "receipt": self.told()}

    def told(self) -> dict[str, Any]:
        if self.pending > 0:
            return {"status": "pending", "event": "e1"}
        return {"status": "sequenced", "event": "e1", "proof": self.proof()}

    def proof(self, **changes: Any) -> str:
        bid = self.bid
        public = {**bid.evidence.event, **changes}
        return receipt.build(
            {"public": public, "confidential": dict(bid.confidential)},
            bid.evidence.salt_p,
            bid.salt_c,
            index=bid.evidence.index,
            proof=self.world.tree.inclusion_proof(bid.evidence.index),
            checkpoint=self.world.checkpoint(witnesses=self.witnesses),
        ).decode()


@pytest.fixture(scope="module")
def hall(chromium: Browser) -> Iterator[tuple[Hall, Page]]:
    """The hall, and a page that enrolled a key there."""
    one = Hall()
    files = {
        **scripts.scripts(),
        "/tests/sealing_page.js": (sealing.HERE / "sealing_page.js").read_bytes(),
        "/": (sealing.HERE / "sealing_page.html").read_bytes(),
    }

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            data = self.rfile.read(int(self.headers.get("content-length") or 0))
            if self.path in files:
                self.reply(200, files[self.path], sealing.TYPES.get(Path(self.path).suffix, sealing.TYPES[".html"]))
                return
            if one.cuts > 0 and self.path.startswith("/api/v1/bidding/") and "lots" not in self.path:
                one.cuts -= 1
                one.log.append(("CUT", self.path))
                self.close_connection = True
                self.connection.close()
                return
            assert not self.path.startswith("/store") or "authorization" not in self.headers, "a token at a store"
            status, told = one.answer(self.command, self.path, data)
            self.reply(status, told if isinstance(told, bytes) else json.dumps(told).encode(), "application/json")

        def reply(self, status: int, data: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(data)))
            self.send_header("content-security-policy", sealing.POLICY)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = handle_any

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    one.host = f"127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    context = chromium.new_context()
    context.set_default_timeout(300_000)
    yield one, sealing.open_page(context, f"http://127.0.0.1:{server.server_port}/")
    context.close()
    server.shutdown()
    server.server_close()


def test_a_bid_from_the_key_to_the_receipt(hall: tuple[Hall, Page]) -> None:
    one, page = hall
    trust = one.made.trust
    # 1. The key is made in the page and stays there; the hall's authority certifies it.
    made = ask(page, "enrol", {"name": NAME, "uscc": USCC})
    request = bytes.fromhex(made["request"])
    subject = certificates.verify_request(request)
    assert (subject.name, subject.uscc, made["same"]) == (NAME, USCC, True)
    issued = one.world.ca.issue(request, serial=99, **make_dates())
    given = {"uscc": USCC, "certificate": issued.hex(), "trust": trust, "at": "2026-03-03T00:00:00.000Z"}
    with pytest.raises(Refusal, match="certificate_not_yet_valid"):
        ask(page, "importCertificate", {**given, "at": "2025-03-03T00:00:00.000Z"})
    with pytest.raises(Refusal, match="certificate_key_differs"):
        ask(page, "importCertificate", {**given, "certificate": one.world.owner.signer.certificate.hex()})
    with pytest.raises(Refusal, match="certificate_issuer_unknown"):
        ask(page, "importCertificate", {**given, "trust": make.Hall("other").trust})
    kept = ask(page, "importCertificate", given)
    assert kept == {"bidder": {"name": NAME, "uscc": USCC}, "exported": False, "all": [{"id": USCC, "enrolled": True}]}
    # 2. An act that the hall shows is signed only if it is the one that is meant.
    act = one.made.act(one.made.tender)
    act = {**act, "signatures": []}
    signed = ask(page, "signAct", {"uscc": USCC, "act": act, "expect": {"lot": act["lot"]}})["signed"]
    assert signing.verify_act(signed)[0].key == issued
    with pytest.raises(Refusal, match="act_not_asked_for"):
        ask(page, "signAct", {"uscc": USCC, "act": act, "expect": {"lot": "another"}})
    # 3. Sealed in the worker; 4. sent while the line is cut again and again; 5. the receipt is proved in the page.
    one.pending, one.witnesses = 2, []
    one.cuts = 4
    told = ask(page, "handIn", {"uscc": USCC, "trust": trust, "lot": make.LOT, "opening": OPENING,
                                "files": FILES, "passphrase": PASSPHRASE})  # fmt: skip
    assert told["stored"] == "files" and set(told["phases"]) == {"reading", "sealing", "recovery", "testing"}
    assert told["stages"] == ["uploaded", "received", "submitted"] and told["stage"] == "submitted"
    assert 0 <= told["least"] <= told["most"] <= 1 and told["sent"] == 1
    assert told["unsaved"] == "recovery_not_saved"
    assert any(method == "CUT" for method, _ in one.log)
    # 6. Trustees open what was handed in; the bidder has the recovery file.
    opened(one, bytes.fromhex(told["recovery"]))
    # 7. Handing in again sends nothing twice; once the witnesses have cosigned, the receipt is of grade B.
    one.log.clear()
    one.witnesses = None
    again = ask(page, "handInAgain", {"trust": trust, "lot": make.LOT})
    assert again["stage"] == "witnessed" and again["d"] == told["d"]
    assert not [path for method, path in one.log if method == "PUT"]
    # 8. An object store gets what is missing and never the token; that it has a segment already (412) is well.
    one.store = True
    one.forget = True
    assert ask(page, "handInAgain", {"trust": trust, "lot": make.LOT})["stage"] == "witnessed"
    assert [path for method, path in one.log if method == "PUT" and path.startswith("/store/")]


def test_attack_hall_shows_the_receipt_of_another_bid(hall: tuple[Hall, Page]) -> None:
    one, page = hall
    honest = one.bid
    other = one.world.submit(one.world.bidder(8))
    one.bid = other
    with pytest.raises(Refusal, match="receipt_of_another_act"):
        ask(page, "handInAgain", {"trust": one.made.trust, "lot": make.LOT})
    one.bid = honest


def test_a_notice_that_witnesses_have_not_seen_yet_is_asked_for_again(hall: tuple[Hall, Page]) -> None:
    one, page = hall
    one.log.clear()
    one.young = 2
    assert ask(page, "checked", {"trust": one.made.trust, "lot": make.LOT}) == {"refused": None}
    assert len([path for _, path in one.log if path.endswith("/evidence")]) == 3


def test_attack_hall_calls_a_notice_young_for_ever(hall: tuple[Hall, Page]) -> None:
    """Patience ends: nothing is believed that no quorum saw, and nothing can be sealed under it."""
    one, page = hall
    one.young = 1_000_000
    told = ask(page, "checked", {"trust": one.made.trust, "lot": make.LOT})
    one.young = 0
    assert told == {"refused": "quorum", "sealed": "tender_not_checked"}


def make_dates() -> dict[str, Any]:
    from datetime import UTC, datetime

    return {"not_before": datetime(2026, 1, 1, tzinfo=UTC), "not_after": datetime(2030, 1, 1, tzinfo=UTC)}


def opened(one: Hall, recovered: bytes) -> None:
    kept = recovery.read(recovered, PASSPHRASE)
    spki = signing.certificate_spki(one.certificate)
    for number, sealed in enumerate(one.bid.headers):
        secrets = []
        for place in (0, 1):
            agents = one.world.agents[place]
            shares = {}
            for index in (2, 3):
                keys = {key.public: key.secret for key in one.world.pre_keys[agents[index - 1].trustee.id]}
                secret = keys[one.world.roster.locks[place].keys[index - 1]]
                shares[index] = lock.share_of(sealed, place, index, secret)
            secrets.append(lock.combine(sealed, place, shares))
        assert tuple(secrets) == kept.secrets[number]
        dek = body.verify_commitment(sealed, lock.verify_lock_section(sealed, one.world.roster, secrets))
        upload = one.uploads[one.submission["uploads"][number]]
        files: dict[int, bytearray] = {}
        told = envelope.open_body(
            sealed,
            dek,
            [one.segments[leaf] for leaf in upload["leaves"]],
            spki=spki,
            lot=make.LOT,
            salt=kept.salt,
            bidder=manifest.Bidder(NAME, USCC),
            write=lambda at, piece, into=files: into.setdefault(at, bytearray()).extend(piece),
        )
        if number:
            assert bytes(files[0]) == make.content(FILES[0]["seed"], FILES[0]["size"])
            assert [entry["name"] for entry in told.manifest["files"]] == [file["name"] for file in FILES]
        else:
            assert told.manifest["opening_list"]["price_fen"] == OPENING["price_fen"]
