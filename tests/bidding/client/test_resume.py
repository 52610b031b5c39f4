"""An upload of 256 MiB through a line that is cut at 30 % and at 70 %: it goes on where it stopped, and is proved."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from bidding.client import bidfile, submitting
from crypto.verifier import __main__ as verifier

PLAINTEXT_BYTES = 256 << 20
SHORT_SECONDS = 0.7


class CutLine:
    """A TCP proxy whose line is cut when `cuts` bytes have gone up; after a cut it is dead until mend(), or for
    `SHORT_SECONDS` where the cut is a short one."""

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        self._to = ("127.0.0.1", where.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.sent = 0
        self.cuts: list[tuple[int, bool]] = []
        self.made = 0
        self._dead = False
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def mend(self) -> None:
        self._dead = False

    def close(self) -> None:
        self._listener.close()
        self._drop()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._dead:
                near.close()
                continue
            far = socket.create_connection(self._to)
            with self._lock:
                self._open |= {near, far}
            threading.Thread(target=self._pipe, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self._pipe, args=(far, near, False), daemon=True).start()

    def _pipe(self, source: socket.socket, sink: socket.socket, up: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 17):
                if up and self._cut(len(data)):
                    return
                sink.sendall(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _cut(self, length: int) -> bool:
        with self._lock:
            self.sent += length
            if not self.cuts or self.sent < self.cuts[0][0]:
                return self._dead
            _, short = self.cuts.pop(0)
            self.made += 1
            self._dead = True
        self._drop()
        if short:
            threading.Timer(SHORT_SECONDS, self.mend).start()
        return True

    def _drop(self) -> None:
        with self._lock:
            closing, self._open = self._open, set()
        for each in closing:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@pytest.fixture
def line(served: Any) -> Iterator[CutLine]:
    made = CutLine(served.url)
    yield made
    made.close()


def grow(path: Path, size: int) -> None:
    """A file of `size` bytes that no compression and no deduplication makes smaller: no two segments are equal."""
    with path.open("wb") as stream:
        for number in range(size >> 20):
            stream.write(number.to_bytes(8, "big") * (1 << 17))


def test_an_upload_cut_at_30_and_70_percent_resumes_and_its_receipt_verifies_offline(
    served: Any, line: CutLine, tmp_path: Path
) -> None:
    folder = served.folder("05")
    with_bid = json.loads((folder / "bid.json").read_text("utf-8"))
    name = with_bid["files"][1]["path"]
    grow(folder / "files" / name, PLAINTEXT_BYTES)
    sealed = folder.with_suffix(".bid")
    told = served.bidder("05", "seal", folder, "-o", sealed)
    assert told.code == 0, told.err
    shutil.rmtree(folder)
    whole = sum(each.size for each in bidfile.read(sealed).envelopes)
    line.cuts = [(int(whole * 0.3), True), (int(whole * 0.7), False)]

    first = served.bidder("05", "submit", sealed, url=line.url)
    assert (first.code, line.made) == (3, 2), first.err
    assert first.json["refused"] == "server_unreachable"
    assert submitting.state(sealed).get("stage") != "submitted"
    line.mend()
    sent = line.sent
    second = served.bidder("05", "submit", sealed, url=line.url)
    assert second.code == 0, second.err
    assert second.json["stage"] in ("submitted", "witnessed")
    assert line.sent - sent < whole * 0.4, "what had arrived was sent again"

    kept = tmp_path / "05.receipt"
    assert served.bidder("05", "receipt", sealed, "-o", kept).code == 0
    trust = served.identity("05") / "trust.json"
    assert verifier.main([str(kept), "--trust", str(trust), "--rehearsal"]) == 0


def test_running_submit_again_changes_nothing(served: Any) -> None:
    sealed = served.sealed("06")
    first = served.bidder("06", "submit", sealed)
    again = served.bidder("06", "submit", sealed)
    assert (first.code, again.code) == (0, 0), again.err
    assert first.json["event"] == again.json["event"]
    sealed.with_name(sealed.name + ".state").write_text("{", "utf-8")
    assert served.bidder("06", "submit", sealed).json["event"] == first.json["event"], "a lost state loses nothing"
