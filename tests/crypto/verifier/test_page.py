"""tradehall-verify --page: scripts not in the list of the log, not from here, no files, or not as the page says."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from crypto import jcs, trust
from crypto.ledger import receipt
from crypto.verifier.__main__ import main
from tests.crypto.release.conftest import World

SCRIPTS = {
    "/seal.js": b'import { x } from "./lib/bytes.js";\nnew Worker(new URL("./worker.js", import.meta.url));',
    "/lib/bytes.js": b"export const x = 1;",
    "/worker.js": b'import "./lib/bytes.js";',
}


def sri(data: bytes) -> str:
    return "sha384-" + base64.b64encode(hashlib.sha384(data).digest()).decode()


TAG = f'<script type="module" src="/seal.js" integrity="{sri(SCRIPTS["/seal.js"])}"></script>'
PRELOAD = f'<link rel="modulepreload" href="/lib/bytes.js" integrity="{sri(SCRIPTS["/lib/bytes.js"])}">'
PAGE = f'<!doctype html><html lang="zh"><head>{PRELOAD}{TAG}</head><body><p>封标</p></body></html>'


class Site:
    """A hall's pages as a map of address → bytes, and the log that pins its list."""

    def __init__(self) -> None:
        self.world = World("pages")
        self.list = jcs.dumps({"v": 1, "version": "1", "scripts": self.hashes(SCRIPTS)})
        self.pinned = self.pin(self.list)
        self.files: dict[str, bytes] = {}
        self.reset()

    def reset(self) -> None:
        self.files = {**SCRIPTS, "/": PAGE.encode(), "/release.json": self.list}
        self.files["/release.proof"] = self.proof(self.pinned)

    @staticmethod
    def hashes(scripts: Mapping[str, bytes]) -> dict[str, str]:
        return {address: hashlib.sha256(data).hexdigest() for address, data in scripts.items()}

    def pin(self, listed: bytes, signers: Any = None) -> int:
        fields = {"version": "1", "release": hashlib.sha256(listed).hexdigest()}
        return self.world.hall("scripts", fields, signers or [("duty", self.world.duty)]).index

    def proof(self, *pinned: int, witnesses: list[str] | None = None, keys: bool = True) -> bytes:
        acts = [(at, jcs.loads(leaf[1:])) for at, leaf in enumerate(self.world.leaves) if leaf[0] == 1]
        shown = [(at, act) for at, act in acts if at in pinned or (keys and act["kind"] == "key")]
        receipts = [
            receipt.build(
                {"act": act},
                None,
                None,
                index=at,
                proof=self.world.tree.inclusion_proof(at),
                checkpoint=self.world.checkpoint(witnesses=witnesses),
            ).decode()
            for at, act in shown
        ]
        return json.dumps({"v": 1, "receipts": receipts}).encode()

    def trust(self, folder: Path) -> Path:
        held = self.world.trust
        names = ("hall", "log", "witnesses", "quorum", "trustee_roots", "ca_roots", "contributors")
        path = folder / "trust.json"
        path.write_bytes(trust.dump(**{name: getattr(held, name) for name in names}))
        return path


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Site, str]]:
    site = Site()

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = site.files.get(self.path)
            self.send_response(404 if data is None else 200)
            text = self.path.endswith("/")
            self.send_header("content-type", "text/html; charset=utf-8" if text else "text/javascript")
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield site, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture
def site(served: tuple[Site, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """`site.verify()` → (exit code, what was printed in English); its files are whole again for each test."""
    hall, address = served
    hall.reset()
    anchors = hall.trust(tmp_path)

    def verify(*, trusted: bool = True) -> tuple[int, str]:
        given = ("--trust", str(anchors)) if trusted else ()
        code = main(["--page", address, "--lang", "en", *given])
        return code, capsys.readouterr().out

    hall.verify = verify  # type: ignore[attr-defined]
    yield hall


def test_a_page_whose_scripts_the_log_pins_is_exit_0(site: Any) -> None:
    code, told = site.verify()
    assert code == 0, told
    assert all(f"same {address}" in told for address in SCRIPTS) and "stands in the log" in told


def test_without_anchors_no_page_is_exit_0(site: Any) -> None:
    code, told = site.verify(trusted=False)
    assert code == 1 and "no anchors" in told


@pytest.mark.parametrize("address", sorted(SCRIPTS))
def test_attack_tampered_script(site: Any, address: str) -> None:
    site.files[address] += b"\n/* and one line more */"
    code, told = site.verify()
    assert code == 1 and f"DIFFERENT {address}: not as listed" in told


def test_attack_tampered_script_with_its_own_list_and_integrity(site: Any) -> None:
    evil = {**SCRIPTS, "/seal.js": b"steal()"}
    site.files |= evil
    site.files["/release.json"] = jcs.dumps({"v": 1, "version": "1", "scripts": site.hashes(evil)})
    site.files["/"] = PAGE.replace(sri(SCRIPTS["/seal.js"]), sri(b"steal()")).encode()
    code, told = site.verify()
    assert code == 1 and "not proved by the log: release_not_in_log" in told


def test_attack_list_pinned_by_a_key_that_no_root_certified(site: Any) -> None:
    other = site.pin(site.list, [("duty", site.world.room)])
    site.files["/release.proof"] = site.proof(other)
    code, told = site.verify()
    assert code == 1 and "key_not_certified" in told
    site.files["/release.proof"] = site.proof(site.pinned, keys=False)
    assert "key_not_certified" in site.verify()[1]


def test_attack_list_pinned_in_a_tree_that_no_supervision_saw(site: Any) -> None:
    site.files["/release.proof"] = site.proof(site.pinned, witnesses=["witness-centre", "witness-notary"])
    code, told = site.verify()
    assert code == 1 and "not proved by the log: quorum" in told


@pytest.mark.parametrize(
    ("added", "word"),
    [
        ("<script>steal()</script>", "an inline script"),
        ('<script src="/seal.js"></script>', "no integrity"),
        ('<img src="x" onerror="steal()">', "a script in the page"),
        ('<a href="java&#10;script:steal()">a</a>', "an address that is a script"),
        ('<iframe src="/other"></iframe>', "a page in the page"),
        ('<base href="http://evil.example/">', "changes all addresses"),
        ('<meta http-equiv="refresh" content="0;url=/other">', "leads to another page"),
        (f'<script src="http://127.0.0.1:1/seal.js" integrity="{sri(b"")}"></script>', "from elsewhere"),
        (f'<script src="/seal.js?x=1" integrity="{sri(SCRIPTS["/seal.js"])}"></script>', "with a query"),
        (f'<script src="/seal.js" integrity="{sri(b"")}"></script>', "another integrity"),
        (f'<script src="/unknown.js" integrity="{sri(b"")}"></script>', "HTTP 404"),
        (f'<script type="importmap" src="/map.js" integrity="{sri(b"")}"></script>', "HTTP 404"),
        ("<!--><script>steal()</script>-->", "DIFFERENT"),
        ("<!-- <script>steal()</script> -->", "read in two ways"),
        ("<title><script>steal()</script></title>", "DIFFERENT"),
    ],
)
def test_attack_page_that_runs_something_else(site: Any, added: str, word: str) -> None:
    site.files["/"] = PAGE.replace("<p>", added + "<p>").encode()
    code, told = site.verify()
    assert code == 1 and word in told, told


def test_attack_module_that_imports_what_nobody_listed(site: Any) -> None:
    evil = b'export * from "./evil.js";'
    site.files |= {"/lib/bytes.js": evil, "/lib/evil.js": b"steal()"}
    listed = jcs.dumps({"v": 1, "version": "1", "scripts": site.hashes({**SCRIPTS, "/lib/bytes.js": evil})})
    site.files["/release.json"] = listed
    site.files["/release.proof"] = site.proof(site.pin(listed))
    site.files["/"] = PAGE.replace(sri(SCRIPTS["/lib/bytes.js"]), sri(evil)).encode()
    code, told = site.verify()
    assert code == 1 and "DIFFERENT /lib/evil.js: not as listed" in told


@pytest.mark.parametrize(
    "wrong", [b"", b"[]", b"{}", b'{"scripts":[],"v":1,"version":"1"}', b'{"scripts":{"/a":1},"v":1,"version":""}']
)
def test_a_list_that_is_none_is_exit_1(site: Any, wrong: bytes) -> None:
    site.files["/release.json"] = wrong
    assert site.verify()[0] == 1
    del site.files["/release.json"]
    assert site.verify()[0] == 1


@pytest.mark.parametrize("wrong", [b"", b"[]", b'{"receipts":[1]}', b'{"receipts":["x"]}', b'{"receipts":{}}'])
def test_a_proof_that_is_none_is_exit_1(site: Any, wrong: bytes) -> None:
    site.files["/release.proof"] = wrong
    assert site.verify()[0] == 1


def test_a_page_in_another_encoding_is_not_good(site: Any) -> None:
    site.files["/"] = PAGE.encode("utf-16")
    code, told = site.verify()
    assert code == 1 and "read in two ways" in told


def test_a_page_that_does_not_answer_is_exit_3(tmp_path: Path, site: Any) -> None:
    anchors = str(site.trust(tmp_path))
    assert main(["--page", "http://127.0.0.1:1/", "--trust", anchors]) == 3
    assert main(["--page", "file:///etc/passwd", "--trust", anchors]) == 3
