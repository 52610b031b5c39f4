"""A line that is cut on its way, and files that are large: for tests of uploads that go on where they stopped."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

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
        hang_up(closing)


def hang_up(lines: Iterable[socket.socket]) -> None:
    """End these connections, whoever waits in them."""
    for each in lines:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


def grow(path: Path, size: int) -> None:
    """A file of `size` bytes that no compression and no deduplication makes smaller: no two segments are equal."""
    with path.open("wb") as stream:
        for number in range(size >> 20):
            stream.write(number.to_bytes(8, "big") * (1 << 17))
