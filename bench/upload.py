"""Submitting a bid of 1 GiB with tradehall-bidder through a line that is cut at 30 % and at 70 %.

Beside it: the same bid submitted through the same proxy without a cut; and httpx putting the same bytes, 1 MiB at a
time, into a bare server that only hashes them.
"""

from __future__ import annotations

import contextlib
import http.server
import io
import json
import os
import shutil
import sys
import tempfile
import threading
from hashlib import sha256
from pathlib import Path

import httpx
import measure

sys.path.insert(0, str(measure.ROOT))

from bidding.client import bidfile
from crypto.verifier import __main__ as verifier
from tests.bidding.client.conftest import EXAMPLE, PASSPHRASE, Town, town
from tests.bidding.client.test_resume import CutLine, grow

PLAINTEXT_MAX = 2 << 30


class Bare(http.server.BaseHTTPRequestHandler):
    """Takes what is put, hashes it, keeps nothing."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        sha256(self.rfile.read(int(self.headers["content-length"]))).digest()
        self.send_response(204)
        self.end_headers()

    def log_message(self, *words: object) -> None:
        """Silent."""


def table(small: bool) -> measure.Table:
    """Seconds from the first byte to a receipt that verifies."""
    size = (8 if small else 1024) * measure.MIB
    told = measure.Table(
        "upload",
        "Upload through a broken line",
        "A proxy cuts the line when 30 % and 70 % have gone up: the first cut is short and the client goes on by "
        "itself, after the second the line is dead until it is run again. The hall checks and syncs every segment; "
        "at the end the receipt is verified offline.",
    )
    os.environ["TRADEHALL_PASSPHRASE"] = PASSPHRASE
    with tempfile.TemporaryDirectory(dir=measure.ROOT / "build") as folder:
        home = Path(folder)
        with town(home / "hall", home / "work", _roomy(home / "example")) as made:
            whole, smooth = _submit(made, "05", size, cuts=())
            sent, cut = _submit(made, "06", size, cuts=(0.3, 0.7))
            for number in ("05", "06"):
                _receipt(made, number, home)
    plain = _bare(size)
    told.add(
        f"submit {size // measure.MIB:,} MiB, line cut twice", cut, "s", beside="without a cut", beside_value=smooth
    )
    told.add("submit without a cut", smooth, "s", beside="httpx into a bare server", beside_value=plain)
    told.add("bytes sent with two cuts", sent / measure.MIB, "MiB", beside="without", beside_value=whole / measure.MIB)
    return told


def _roomy(target: Path) -> Path:
    """The example with a tender that takes bids as large as a tender may allow."""
    shutil.copytree(EXAMPLE, target)
    file = target / "tender.json"
    tender = json.loads(file.read_text("utf-8"))
    tender["sealing"]["plaintext_max"] = PLAINTEXT_MAX
    file.write_text(json.dumps(tender, ensure_ascii=False), "utf-8")
    return target


def _submit(made: Town, number: str, size: int, *, cuts: tuple[float, ...]) -> tuple[int, float]:
    """Bytes that went up and seconds it took; the folder and the bid file are dropped, the receipt stays."""
    folder = made.folder(number)
    name = json.loads((folder / "bid.json").read_text("utf-8"))["files"][1]["path"]
    grow(folder / "files" / name, size)
    sealed = folder.with_suffix(".bid")
    told = made.bidder(number, "seal", folder, "-o", sealed)
    assert told.code == 0, told.err
    shutil.rmtree(folder)
    line = CutLine(made.url)
    whole = sum(each.size for each in bidfile.read(sealed).envelopes)
    line.cuts = [(int(whole * at), place == 0) for place, at in enumerate(cuts)]
    with measure.timed() as clock:
        for _ in range(2 if cuts else 1):
            line.mend()
            told = made.bidder(number, "submit", sealed, url=line.url)
    assert told.code == 0 and line.made == len(cuts), told.err
    line.close()
    assert made.bidder(number, "receipt", sealed, "-o", made.work / f"{number}.receipt").code == 0
    sealed.unlink()
    return line.sent, clock.seconds


def _receipt(made: Town, number: str, home: Path) -> None:
    trust = made.identity(number) / "trust.json"
    with contextlib.redirect_stdout(io.StringIO()):
        code = verifier.main([str(made.work / f"{number}.receipt"), "--trust", str(trust), "--rehearsal"])
    assert code == 0


def _bare(size: int) -> float:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bare)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with httpx.Client(trust_env=False) as client, measure.timed() as clock:
        for number in range(size // measure.MIB):
            piece = number.to_bytes(8, "big") * (measure.MIB // 8)
            client.put(f"http://127.0.0.1:{server.server_address[1]}/", content=piece)
    server.shutdown()
    return clock.seconds


if __name__ == "__main__":
    measure.main(table)
