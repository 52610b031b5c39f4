"""What strangers send: nonsense, attacks on parsers, replays, wrong tokens, path tricks. Each is answered by a problem
document (RFC 9457) with a code and a sentence in both languages; nothing ends in 500, nothing takes effect twice.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

if TYPE_CHECKING:
    from portal.running import Running
    from tests.portal.halls import Hall

ASK = "/api/v1/trading/ask"
JSON = {"content-type": "application/json"}
SCHEMATHESIS_SECONDS_MAX = 30.0
EXAMPLES = 3
CJK = re.compile(r"[一-鿿]")


def problem(response: httpx.Response) -> dict[str, Any]:
    """The problem document of an answer; fails unless it is one that a person can act on."""
    assert 400 <= response.status_code < 500, (response.request.url, response.status_code, response.text)
    assert response.headers["content-type"].startswith("application/problem+json"), response.text
    told: dict[str, Any] = response.json()
    assert {"type", "title", "status", "detail", "code", "rule", "message"} <= set(told)
    assert told["status"] == response.status_code and set(told["message"]) == {"zh", "en"}
    zh, en = told["message"]["zh"], told["message"]["en"]
    assert CJK.search(zh) and len(en) > 10 and told["code"] not in (zh, en), "both sentences say something"
    assert "Traceback" not in response.text and 'File "' not in response.text
    assert not re.search(r"\{[a-z_]+\}", zh + en), f"a placeholder stayed empty: {zh} {en}"
    return told


def send(hall: Hall, body: bytes, *, path: str = ASK, who: str = "bidder", **headers: str) -> httpx.Response:
    """One POST of raw bytes."""
    return hall.ask("POST", path, who=who, content=body, headers={**JSON, **headers})


BODIES: dict[str, tuple[bytes, str]] = {
    "NaN": (b'{"lot":"L","text":NaN}', "body_not_a_number"),
    "infinity": (b'{"lot":"L","text":-Infinity}', "body_not_a_number"),
    "a name twice": (b'{"lot":"L","text":"a","text":"b"}', "body_duplicate_name"),
    "a name twice, escaped": (b'{"lot":"L","text":"a","te\\u0078t":"b"}', "body_duplicate_name"),
    "a name twice, deep inside": (b'{"lot":"L","text":{"a":[{"b":1,"b":2}]}}', "body_duplicate_name"),
    "unknown field": (b'{"lot":"L","text":"a","admin":true}', "body_malformed"),
    "field missing": (b'{"lot":"L"}', "body_malformed"),
    "wrong type": (b'{"lot":"L","text":{"$ne":null}}', "body_malformed"),
    "number for a text": (b'{"lot":1,"text":"a"}', "body_malformed"),
    "null": (b'{"lot":null,"text":"a"}', "body_malformed"),
    "an array": (b'[{"lot":"L","text":"a"}]', "body_malformed"),
    "a bare text": (b'"lot"', "body_malformed"),
    "nothing": (b"", "body_malformed"),
    "cut off": (b'{"lot":"L","text":"a', "body_malformed"),
    "two documents": (b'{"lot":"L","text":"a"}{"lot":"L"}', "body_malformed"),
    "a comment": (b'{"lot":"L","text":"a"/**/}', "body_malformed"),
    "byte order mark": (b'\xef\xbb\xbf{"lot":"L","text":"a"}', "body_malformed"),
    "GBK": ('{"lot":"L","text":"招标"}'.encode("gb18030"), "body_not_utf8"),
    "UTF-16": ('{"lot":"L","text":"招标"}'.encode("utf-16"), "body_not_utf8"),
    "overlong UTF-8": (b'{"lot":"L","text":"\xc0\xaf"}', "body_not_utf8"),
    "deep": (b'{"lot":"L","text":' + b"[" * 5000 + b"]" * 5000 + b"}", "body_too_deep"),
    "deep, never closed": (b'{"a":' * 100_000, "body_too_deep"),
    "a number of 10,000 digits": (b'{"lot":"L","text":' + b"9" * 10_000 + b"}", "body_malformed"),
    "a float without end": (b'{"lot":"L","text":1e999}', "body_malformed"),
    "huge": (b'{"lot":"L","text":"' + b"x" * (2 << 20) + b'"}', "body_too_large"),
    "a form": (b"lot=L&text=a", "body_malformed"),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_nonsense_is_refused_with_the_reason(hall: Hall, name: str) -> None:
    body, code = BODIES[name]
    assert problem(send(hall, body))["code"] == code


@pytest.mark.parametrize(
    "text",
    ["\\ud800", "\\u0000", "x" * 500_000, "", "\\u202e" * 50],
    ids=["lone surrogate", "NUL", "long", "empty", "bidi override"],
)
def test_a_text_that_is_no_text_never_ends_in_an_error(hall: Hall, text: str) -> None:
    answer = send(hall, f'{{"lot":"{hall.lot}","text":"{text}"}}'.encode())
    assert answer.status_code == 200 or problem(answer)["code"]


def test_every_route_with_a_body_refuses_doubled_names_nan_depth_and_lists(hall: Hall) -> None:
    """Signed in as whoever may: the body is read before anything is done, at every door alike."""
    seen = 0
    for method, path in hall.routes():
        if method != "POST" or "requestBody" not in hall.document["paths"][path]["post"]:
            continue
        seen += 1
        for body, code in (
            (b'{"x":1,"x":2}', "body_duplicate_name"),
            (b'{"x":NaN}', "body_not_a_number"),
            (b"[]", "body_malformed"),
            (b'{"x":' + b"[" * 100 + b"]" * 100 + b"}", "body_too_deep"),
            ('{"x":"招"}'.encode("gb18030"), "body_not_utf8"),
        ):
            told = problem(send(hall, body, path=path, who="centre"))
            assert told["code"] == code, (path, body[:40], told)
    assert seen > 40


def test_every_route_refuses_fields_of_the_wrong_type_and_unknown_ones(hall: Hall) -> None:
    for method, path in hall.routes():
        if method != "POST" or "requestBody" not in hall.document["paths"][path]["post"]:
            continue
        asked = hall.request(method, path)
        for body in ({**asked["json"], "no_such_field": 1}, {name: [[]] for name in asked["json"]} or {"x": 1}):
            answer = send(hall, json.dumps(body).encode(), path=path, who="centre")
            assert problem(answer)["code"] in ("body_malformed", "permission_denied"), (path, answer.text)


PATHS = [
    "/api/v1/lots/..%2f..%2fhall.db",
    "/api/v1/lots/%00",
    "/api/v1/lots/x%0d%0aset-cookie:a=b",
    "/api/v1/lots/' OR '1'='1",
    "/api/v1/lots/" + "9" * 4000,
    "/api/v1/lots/%f0%9f%92%a9/timeline",
    "/api/v1/lots/%b1%ea%b6%ce",  # GBK
    "/api/v1/lots/L/files/..%2f..%2fkeys%2flog.pem",
    "/api/v1/lots/L/files/" + "0" * 64,
    "/api/v1/lots/L/objects/" + "F" * 64,
    "/api/v1/chains/x",
    "/log/tile/../../hall.db",
    "/log/tile/%2e%2e/%2e%2e/hall.db",
    "/log/tile/..%2f..%2fkeys%2flog.pem",
    "/log/tile/0/x999/x999/999",
    "/log/tile/-1/000",
    "/log/tile/99999999999999999999/000",
    "/log/tile/0/٠٠٠",
    "/log/tile/entries/000.p/0",
    "/log/tile/0/000.p/999999999999",
    "/static/../hall.json",
    "/../hall.json",
    "//etc/passwd",
    "/keys/log.pem",
    "/api/v1/nothing",
]


@pytest.mark.parametrize("path", PATHS)
def test_path_tricks_find_nothing(hall: Hall, path: str) -> None:
    told = problem(raw(hall, path))
    assert told["code"] in {
        "not_found", "lot_unknown", "file_unknown", "object_unknown", "body_malformed", "tile_path", "text_malformed"
    }, told  # fmt: skip


def raw(hall: Hall, path: str) -> httpx.Response:
    """GET with the path as written: no client in between that tidies it."""
    where = urlsplit(hall.url)
    assert where.port is not None
    target = path.encode("utf-8", "surrogateescape").replace(b" ", b"%20")
    with socket.create_connection(("127.0.0.1", where.port), timeout=30) as line:
        line.sendall(b"GET " + target + b" HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        data = b""
        while piece := line.recv(1 << 16):
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    headers = [(name, value.strip()) for name, _, value in (each.partition(":") for each in rest)]
    if any(name.lower() == "transfer-encoding" for name, _ in headers):
        body = b"".join(re.findall(rb"(?s)[0-9a-f]+\r\n(.*?)\r\n(?=[0-9a-f]+\r\n)", body))
        headers = [one for one in headers if one[0].lower() != "transfer-encoding"]
    return httpx.Response(int(first.split()[1]), headers=headers, content=body, request=httpx.Request("GET", hall.url))


def test_another_method_is_told_as_such(hall: Hall) -> None:
    for method, path in (("DELETE", "/api/v1/lots"), ("GET", ASK), ("PATCH", "/trust.json"), ("PUT", ASK)):
        answer = hall.ask(method, path)
        assert (answer.status_code, problem(answer)["code"]) == (405, "method_not_allowed")


def test_an_expired_token_and_an_unknown_one_sign_in_nobody(hall: Hall) -> None:
    async def expire(running: Running) -> None:
        from trading.people.tokens import token_hash

        async def work(unit: Any) -> None:
            row = await unit.token.read(token_hash(hall.tokens["notary"]))
            await unit.token.update({**row, "expires": "2026-03-01T00:00:00.000Z"}, expected_version=row["version"])

        await running.database.write(work)

    assert hall.ask("GET", "/api/v1/inbox", who="notary").status_code == 200
    hall.thread.call(expire)
    assert problem(hall.ask("GET", "/api/v1/inbox", who="notary"))["code"] == "token_expired"
    headers = {"authorization": "Bearer " + "0" * 64}
    assert problem(hall.http.get("/api/v1/inbox", headers=headers))["code"] == "token_unknown"
    for scheme in ("Basic", "bearer", "Bearer Bearer"):
        answer = hall.http.get("/api/v1/inbox", headers={"authorization": f"{scheme} {hall.tokens['owner']}"})
        assert answer.status_code in (200, 401)
        assert answer.status_code == 200 or problem(answer)["code"] in ("token_missing", "token_unknown")


def questions(hall: Hall) -> int:
    """How many questions the owner sees."""
    return len(hall.ask("GET", f"/api/v1/lots/{hall.lot}/questions", who="owner").json())


def test_a_replayed_request_gives_the_same_answer_and_has_one_effect(hall: Hall) -> None:
    before = questions(hall)
    body = json.dumps({"lot": hall.lot, "text": "图纸第三页是否有误?"}).encode()
    answers = [send(hall, body, **{"idempotency-key": "click-1"}) for _ in range(3)]
    assert [each.status_code for each in answers] == [200] * 3
    assert len({json.dumps(each.json()["events"]) for each in answers}) == 1
    assert questions(hall) == before + 1
    other = json.dumps({"lot": hall.lot, "text": "另一个问题"}).encode()
    assert problem(send(hall, other, **{"idempotency-key": "click-1"}))["code"] == "idempotency_key_reused"
    assert questions(hall) == before + 1
    rival = send(hall, body, who="bidder-02", **{"idempotency-key": "click-1"})
    assert rival.status_code == 200 and rival.json()["events"] != answers[0].json()["events"], "keys are a person's own"


def test_a_double_click_at_the_same_instant_has_one_effect(hall: Hall) -> None:
    before = questions(hall)
    body = json.dumps({"lot": hall.lot, "text": "保证金形式?"}).encode()
    headers = {**JSON, "authorization": f"Bearer {hall.tokens['bidder-03']}", "idempotency-key": "double"}

    def click(_: int) -> httpx.Response:
        return httpx.post(hall.url + ASK, content=body, headers=headers, timeout=60, trust_env=False)

    with ThreadPoolExecutor(6) as hands:
        answers = list(hands.map(click, range(6)))
    assert {each.status_code for each in answers} <= {200, 503}, [each.text for each in answers]
    assert len({json.dumps(each.json()["events"]) for each in answers if each.status_code == 200}) == 1
    assert questions(hall) == before + 1


@pytest.mark.parametrize("key", ["", "k" * 201])
def test_a_malformed_idempotency_key_is_refused(hall: Hall, key: str) -> None:
    body = json.dumps({"lot": hall.lot, "text": "?"}).encode()
    assert problem(send(hall, body, **{"idempotency-key": key}))["code"] == "idempotency_key_malformed"


def test_a_published_notice_cannot_be_published_again(hall: Hall) -> None:
    answer = hall.ask("POST", "/api/v1/trading/publish_tender", who="owner", json={"lot": hall.lot})
    assert problem(answer)["code"] == "tender_published_already"


def test_files_of_strangers_are_limited_and_named(hall: Hall) -> None:
    empty = hall.ask("PUT", "/api/v1/trading/files", who="owner", content=b"")
    assert problem(empty)["code"] == "file_empty"
    segment = hall.ask("PUT", "/api/v1/bidding/uploads/nothing/0", who="bidder", content=b"x" * (3 << 20))
    assert problem(segment)["code"] in ("body_too_large", "upload_unknown")
    for name in ("../../x.csv", "x.exe", "专家\u202evsc.csv", "con.csv", "x" * 5000 + ".csv"):
        power = {"power": hall.power_of(_centre(), "experts.import_pool"), "name": name}
        answer = hall.ask("PUT", "/api/v1/experts/register", who="centre", params=power, content=b"PK\x03\x04junk")
        problem(answer)


def _centre() -> Any:
    from trading.roles import Role

    return Role.CENTRE


def test_a_request_that_is_no_http_does_not_stop_the_hall(hall: Hall) -> None:
    where = urlsplit(hall.url)
    for junk in (
        b"\0" * 4096,
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST " + ASK.encode() + b" HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
    ):
        with (
            socket.create_connection(("127.0.0.1", where.port or 0), timeout=10) as line,
            contextlib.suppress(OSError),  # The server may hang up at any byte of the junk.
        ):
            line.sendall(junk)
            line.shutdown(socket.SHUT_WR)
            line.settimeout(5)
            line.recv(1 << 16)
    assert hall.http.get("/health").status_code == 200


def test_the_rest_of_a_body_that_was_refused_early_is_no_request(hall: Hall) -> None:
    """What looks like a request inside an unread body is answered by nobody; the one answer says that the line ends."""
    where = urlsplit(hall.url)
    inside = b"GET /trust.json HTTP/1.1\r\nhost: a\r\n\r\n"
    body = inside * ((3 << 20) // len(inside))
    head = f"PUT /api/v1/bidding/uploads/nothing/0 HTTP/1.1\r\nhost: {where.netloc}\r\n"
    head += f"authorization: Bearer {hall.tokens['bidder']}\r\ncontent-length: {len(body)}\r\n\r\n"
    for there in (0, 1, 1000, 100_000, 1_000_000, len(body) - 1) * 2:  # How much has come when the hall answers.
        heard = b""
        with (
            socket.create_connection(("127.0.0.1", where.port or 0), timeout=10) as line,
            contextlib.suppress(OSError),  # The hall hangs up while this still sends.
        ):
            line.sendall(head.encode() + body[:there])
            while part := line.recv(1 << 16):
                heard += part
                line.sendall(body[there:])
        first, _, rest = heard.partition(b"\r\n\r\n")
        assert first.startswith(b"HTTP/1.1 422 "), first
        assert b"\r\nconnection: close" in first.lower(), there
        assert heard.count(b"HTTP/1.1 ") == 1 and b'"witnesses"' not in rest


def test_whatever_fits_the_document_never_ends_in_an_error(hall: Hall) -> None:
    """schemathesis over the OpenAPI document, as an expert in every role at once would try: no 5xx anywhere."""
    import hypothesis
    import schemathesis

    schema = schemathesis.openapi.from_dict(hall.document)
    schema.config.update(base_url=hall.url)
    started, seen, errors = time.monotonic(), 0, []
    who = ["owner", "bidder", "centre", "expert", "supervisor"]
    for operation in schema.get_all_operations():
        described = operation.ok()
        if described.path.endswith("/demo/clock") and described.method == "post":
            continue
        if time.monotonic() - started > SCHEMATHESIS_SECONDS_MAX:
            break

        @hypothesis.settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(case=described.as_strategy())
        def attempt(case: Any) -> None:
            nonlocal seen
            seen += 1
            asker = who[seen % len(who)]
            answer = case.call(headers={"authorization": f"Bearer {hall.tokens[asker]}"}, timeout=30)
            if answer.status_code >= 500:
                errors.append((case.method, case.formatted_path, asker, answer.status_code, case.body))

        attempt()
    assert errors == []
    assert seen > 60
