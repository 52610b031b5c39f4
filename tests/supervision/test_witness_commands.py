"""tradehall-witness from the command line and over HTTP: keys, enrolment, cosignatures, exit codes, silence, floods."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from crypto.ledger import note
from crypto.refusal import Refused
from crypto.terminal import Told, Unreachable
from supervision import witness as witnesses
from supervision.log_links import HttpLog


@pytest.fixture
def hall(log, clock):
    """The same log behind real HTTP."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                if self.path == "/health":
                    told = b'{"now":"2026-03-02T01:00:00.000Z"}'
                else:
                    told = log.fetch(self.path.removeprefix("/log/"))
                self._answer(200, told)
            except LookupError:
                self._answer(404, b"")

        def do_POST(self) -> None:
            log.post(self.rfile.read(int(self.headers["content-length"])).decode())
            self._answer(200, b"{}")

        def _answer(self, status: int, data: bytes) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def _run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any]]:
    code = witnesses.main([*map(str, arguments), "--json"])
    out = capsys.readouterr().out
    return code, json.loads(out.splitlines()[-1]) if out else {}


def test_command_line_from_key_to_cosignature(hall, log, keys, tmp_path, capsys) -> None:
    rehearsal = type(keys)(keys.origin + "/rehearsal")
    log.keys = rehearsal
    log.add(*log.chain(2))
    place = tmp_path / "mine"
    base = ("--log", hall, "--data", place)
    code, told = _run(capsys, *base, "keys", "--name", "notary")
    assert code == 0 and told["key"].startswith("notary+")
    assert _run(capsys, *base, "keys")[1] == told
    assert (place / "key.pem").stat().st_mode & 0o777 == 0o600
    assert _run(capsys, *base, "watch", "--once")[0] == 2
    (tmp_path / "trust.json").write_bytes(rehearsal.trust_bytes)
    assert _run(capsys, *base, "enrol", "--trust", tmp_path / "trust.json")[1]["refused"] == "witness_not_in_trust"
    (place / "key.pem").write_bytes(rehearsal.witnesses["notary"].to_pem())
    code, told = _run(capsys, *base, "enrol", "--trust", tmp_path / "trust.json")
    assert (code, told["name"], told["fingerprint"]) == (0, "notary", rehearsal.trust.fingerprint)
    code, told = _run(capsys, *base, "watch", "--once")
    assert (code, told["size"], told["acts"]) == (0, 2, 2)
    log.accept_lines()
    (cosigned,) = note.verify_cosignatures(log.signed, rehearsal.trust.witnesses)
    assert cosigned.at.isoformat() == "2026-03-02T01:00:00+00:00", "in a rehearsal the hall's clock is asked"


def test_command_line_exit_codes(hall, log, place, capsys) -> None:
    base = ("--data", place, "watch", "--once")
    assert _run(capsys, "--log", "http://127.0.0.1:9", *base)[0] == 3
    log.add(log.chain(2)[0], log.chain(3)[2])
    code, told = _run(capsys, "--log", hall, *base)
    assert (code, told["refused"]) == (1, "chain_gap") and "{" not in told["message"]["zh"]
    with pytest.raises(SystemExit) as caught:
        _run(capsys, "--log", hall, "--data", place)
    assert caught.value.code == 2


def _answering(status: int, **content: Any) -> HttpLog:
    transport = httpx.MockTransport(lambda request: httpx.Response(status, **content))
    return HttpLog("http://hall.example", http=httpx.Client(transport=transport))


def test_problems_silence_and_floods_over_http() -> None:
    problem = {"code": "witness_unknown", "rule": None, "message": {"zh": "", "en": ""}}
    with pytest.raises(Told):
        _answering(422, json=problem).post("line")
    with pytest.raises(LookupError):
        _answering(422, json=problem | {"code": "log_empty"}).fetch("checkpoint")
    with pytest.raises(Unreachable):
        _answering(503, json=problem).fetch("tile/0/000")
    with pytest.raises(Unreachable):
        _answering(200, content=b"?").hall_now()
    with pytest.raises(Refused) as caught:
        _answering(200, content=bytes(17_000_000)).fetch("tile/0/000")
    assert caught.value.code == "log_file_too_large"
