"""The reverse proxy: the configuration of deploy/nginx.conf over ports of the loopback interface, with TLS.

Two replicas of the bidders' door stand behind it. No door is asked directly here: what it believes is the proxy's word.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.production.conftest import Played
from tests.production.reader import Reader
from trading.people.tokens import token_hash

pytestmark = pytest.mark.production
ELSEWHERE = "203.0.113.9"
CLAIMS = {"x-forwarded-for": ELSEWHERE, "x-real-ip": ELSEWHERE, "forwarded": f"for={ELSEWHERE}",
          "x-forwarded-proto": "http"}  # fmt: skip
TOO_MANY_BYTES = 400 << 20


@pytest.fixture(scope="module")
def hall(played: Played) -> Played:
    """The hall with a tender in it."""
    if played.steps and not played.stage.lot:
        played.until("submit")
    return played


def password_of(played: Played, login: str) -> str:
    rows = json.loads((played.hall.cast.home / "accounts.json").read_text("utf-8"))
    return next(str(row["password"]) for row in rows if row["login"] == login)


def trusted(played: Played) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(played.hall.certificate))


def test_over_tls_cookies_are_secure_and_the_host_is_strict(hall: Played) -> None:
    login = hall.hall.cast.of("bidder:01").login
    reader = Reader(hall.hall.secure["bidders"], hall.hall.certificate)
    told = {"login": login, "password": password_of(hall, login)}
    answer = reader.http.post("/account/sign-in", data=told)
    assert answer.status_code == 303
    begun = next(one for one in answer.headers.get_list("set-cookie") if one.startswith("tradehall_bidder="))
    assert {"secure", "httponly", "samesite=lax"} <= {part.strip().lower() for part in begun.split(";")}
    for path in ("/bidder", "/lots", "/api/v1/lots/none", "/static/kit/none"):
        assert reader.http.get(path).headers["strict-transport-security"] == "max-age=31536000"
    plain = httpx.get(f"{hall.hall.entries['bidders']}/lots", trust_env=False)
    assert "strict-transport-security" not in plain.headers, "a word over plain HTTP binds nobody (RFC 6797 §7.2)"


def test_who_asks_from_where_is_the_proxys_word_and_not_the_visitors(hall: Played) -> None:
    login = hall.hall.cast.of("bidder:01").login
    reader = Reader(hall.hall.secure["bidders"], hall.hall.certificate, headers=CLAIMS)
    page = reader.sign_in(login, password_of(hall, login))
    token = reader.cookies()["tradehall_bidder"]
    row = hall.hall.ask(lambda unit: unit.token.read(token_hash(token)))
    assert row is not None and row["body"]["address"] == "127.0.0.1"
    assert ELSEWHERE not in reader.open("/account/bidder").text
    assert urlsplit(page.url).scheme == "https"
    public = Reader(hall.hall.secure["public"], hall.hall.certificate, headers=CLAIMS)
    assert hall.hall.secure["public"] in public.open("/check").text, "its own address as the reader reached it"


def test_events_of_the_opening_hall_pass_as_they_come(hall: Played) -> None:
    """The first event is here while the answer goes on; nothing waits for a buffer to fill."""
    lot = hall.stage.lot
    began = time.monotonic()
    with (
        httpx.Client(verify=trusted(hall), trust_env=False, timeout=30) as client,
        client.stream("GET", f"{hall.hall.secure['bidders']}/lots/{lot}/opening/events") as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        seen = ""
        for piece in answer.iter_text():
            seen += piece
            if "event: scene" in seen:
                break
    assert seen.startswith("retry: ") and time.monotonic() - began < 20


def refused_by_length(hall: Played, entry: str, path: str) -> tuple[int, str, str]:
    """What is answered to a request that says it will send far too much: status, media type, text."""
    to = urlsplit(hall.hall.secure[entry])
    with (
        socket.create_connection((str(to.hostname), int(to.port or 0)), timeout=30) as plain,
        trusted(hall).wrap_socket(plain, server_hostname=to.hostname) as wire,
    ):
        head = f"POST {path} HTTP/1.1\r\nHost: {to.netloc}\r\nContent-Length: {TOO_MANY_BYTES}\r\n"
        wire.sendall(f"{head}Content-Type: application/octet-stream\r\nConnection: close\r\n\r\n".encode())
        answer = http.client.HTTPResponse(wire)
        answer.begin()
        return answer.status, answer.getheader("content-type", ""), answer.read().decode()


@pytest.mark.parametrize(
    ("entry", "path"), [("bidders", "/api/v1/bidding/submit"), ("public", "/api/v1/lots"), ("desk", "/desk/drafts")]
)
def test_a_body_above_the_limit_is_refused_with_words(hall: Played, entry: str, path: str) -> None:
    status, kind, text = refused_by_length(hall, entry, path)
    assert status == 413 and "300 MiB" in text and "减小文件" in text
    if path.startswith("/api/"):
        told = json.loads(text)
        assert kind == "application/problem+json" and told["code"] == "body_too_large" and told["message"]["en"]
    else:
        assert kind == "text/html; charset=utf-8"


def test_a_replica_dies_and_the_other_goes_on_and_both_away_is_told_in_words(hall: Played) -> None:
    login = hall.hall.cast.of("bidder:01").login
    reader = Reader(hall.hall.secure["bidders"], hall.hall.certificate)
    reader.sign_in(login, password_of(hall, login))
    answers: list[int] = []
    done = threading.Event()

    def read() -> None:
        cookies = reader.cookies()
        with httpx.Client(verify=trusted(hall), trust_env=False, timeout=60, cookies=cookies) as client:
            while not done.is_set():
                answers.append(client.get(f"{hall.hall.secure['bidders']}/bidder").status_code)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for one in readers:
        one.start()
    try:
        while len(answers) < 5:
            time.sleep(0.05)
        hall.hall.kill("bidders-1")
        count = len(answers)
        until = time.monotonic() + 60
        while len(answers) < count + 10 and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        done.set()
        for one in readers:
            one.join()
    assert len(answers) >= count + 10 and set(answers) == {200}, "the session counts at the other replica"
    hall.hall.kill("bidders-2")
    page = reader.http.get("/bidder")
    told: Any = reader.http.get("/api/v1/inbox")
    assert page.status_code == told.status_code == 503
    assert "请稍后再试" in page.text and page.headers["content-type"] == "text/html; charset=utf-8"
    assert told.json()["code"] == "busy_try_again"
    hall.hall.start("bidders-1", "bidders-2")
    until = time.monotonic() + 30
    while reader.http.get("/bidder").status_code != 200 and time.monotonic() < until:
        time.sleep(0.3)
    assert reader.http.get("/bidder").status_code == 200
