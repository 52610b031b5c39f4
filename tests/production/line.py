"""The line to a server that a test breaks: refused, answered with 503, silent, or slow; mended, it is itself again."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from types import TracebackType

from tests.cut_line import hang_up

REFUSES, ANSWERS_503, SILENT = "refuses", "answers 503", "silent"
UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
PIECE = 1 << 17


class Line:
    """A TCP proxy on a port of its own that stays the same; whatever changes cuts the connections that are open."""

    def __init__(self, to: int) -> None:
        self._to = ("127.0.0.1", to)
        self._fault = ""
        self._delay = 0.0
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self._listen()

    def __enter__(self) -> Line:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def breaks(self, fault: str, *, delay: float = 0.0) -> None:
        """From now on the server is like this; with '' and a delay it answers so many seconds late."""
        self._close()
        self._fault, self._delay = fault, delay
        if fault != REFUSES:
            self._listener = socket.create_server(self._address, backlog=512)
            self._listen()

    def mend(self) -> None:
        """As before."""
        self.breaks("")

    @property
    def _address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    def _listen(self) -> None:
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _close(self) -> None:
        hang_up([self._listener])  # That wakes the thread that waits in accept().
        with self._lock:
            closing, self._open = self._open, set()
        hang_up(closing)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with self._lock:
            self._open.add(near)
        with contextlib.suppress(OSError):
            if self._fault == SILENT:
                while near.recv(PIECE):
                    continue
            elif self._fault == ANSWERS_503:
                near.recv(PIECE)
                near.sendall(UNAVAILABLE)
                near.shutdown(socket.SHUT_WR)
                while near.recv(PIECE):
                    continue
            else:
                far = socket.create_connection(self._to)
                with self._lock:
                    self._open.add(far)
                threading.Thread(target=self._pipe, args=(far, near, self._delay), daemon=True).start()
                self._pipe(near, far, 0.0)
                return
        self._forget(near)

    def _pipe(self, source: socket.socket, sink: socket.socket, delay: float) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(PIECE):
                time.sleep(delay)
                sink.sendall(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            self._forget(each)

    def _forget(self, one: socket.socket) -> None:
        with self._lock:
            self._open.discard(one)
        one.close()
