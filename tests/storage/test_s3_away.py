"""A store that is away is busy, whatever is asked of it: refused connections, 5xx with and without words, 507 full."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from crypto.refusal import Refused
from storage import s3
from storage.ports import Busy
from storage.world import RealWorld

DATA = b"a segment"
NAME = sha256(DATA).hexdigest()
SLOW_DOWN = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>later</Message></Error>"
ASKED: dict[str, Callable[[s3.S3Blobs], Awaitable[object]]] = {
    "put": lambda blobs: blobs.put(NAME, DATA),
    "read": lambda blobs: blobs.read(NAME),
    "size": lambda blobs: blobs.size(NAME),
    "first": lambda blobs: blobs.first(NAME, 4),
    "keep": lambda blobs: blobs.keep(NAME, RealWorld().now()),
    "delete": lambda blobs: blobs.delete(NAME),
    "check": lambda blobs: blobs.check(entropy=RealWorld().entropy),
}


class Refusing(ThreadingHTTPServer):
    """Answers everything with one status and body."""

    status, body, daemon_threads = 503, b"", True


class Answer(BaseHTTPRequestHandler):
    """One refusal."""

    server: Refusing

    def _refuse(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(self.server.status)
        self.send_header("content-type", "application/xml")
        self.send_header("content-length", str(len(self.server.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(self.server.body)

    do_GET = do_PUT = do_HEAD = do_DELETE = _refuse

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test tells what was answered."""


@pytest.fixture(scope="module")
def server() -> Iterator[Refusing]:
    with Refusing(("127.0.0.1", 0), Answer) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def blobs_at(port: int) -> s3.S3Blobs:
    return s3.S3Blobs(s3.Store(f"127.0.0.1:{port}", "key", "secret", "segments", secure=False))


@pytest.mark.parametrize("what", ASKED)
def test_a_store_that_nobody_reaches_is_busy(what: str) -> None:
    with pytest.raises(Busy):
        asyncio.run(_awaited(ASKED[what](blobs_at(1))))


@pytest.mark.parametrize("body", [b"", SLOW_DOWN], ids=["wordless", "slow down"])
@pytest.mark.parametrize("what", ASKED)
def test_a_store_that_answers_503_is_busy(server: Refusing, what: str, body: bytes) -> None:
    server.status, server.body = 503, body
    with pytest.raises(Busy):
        asyncio.run(_awaited(ASKED[what](blobs_at(server.server_port))))


def test_a_full_store_is_full_and_not_busy(server: Refusing) -> None:
    server.status, server.body = 507, b""
    with pytest.raises(Refused, match="store_full"):
        asyncio.run(blobs_at(server.server_port).put(NAME, DATA))


async def _awaited(asked: Awaitable[object]) -> object:
    return await asked
