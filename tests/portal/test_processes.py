"""The table of processes, their settings, their logs and numbers, and errands: who is believed."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bidding import verbs as bidding_verbs
from crypto.refusal import Refused
from experts import verbs as expert_verbs
from portal.processes import logs, routing, serving, settings, table
from portal.processes.metrics import Metrics
from portal.processes.tracing import Traces
from storage import memory
from storage.unit import Database, Unit
from storage.world import DemoWorld, SeededEntropy, SharedDemoWorld, stamp
from supervision import verbs as watch_verbs
from trading import verbs as trading_verbs
from trading.counter.errands import Errands, Runner
from trading.counter.verbs import Verb
from trading.journal import Outcome
from trading.people.tokens import token_hash
from trading.roles import Actor, Permission, Role

EVERY = (
    *trading_verbs.DESK,
    *trading_verbs.CENTRE,
    *trading_verbs.BIDDERS,
    *bidding_verbs.VERBS,
    *expert_verbs.VERBS,
    *watch_verbs.VERBS,
)


def test_every_verb_of_the_hall_stands_at_a_door() -> None:
    served = {verb.path for verbs in table.SERVED.values() for verb in verbs}
    assert {verb.path for verb in EVERY} <= served
    assert served >= table.HANDED_OVER
    assert set(table.ROLES) == set(settings.CLASSES)


def test_no_door_is_told_a_key_and_each_key_one_process() -> None:
    holders: dict[str, list[str]] = {}
    for name, kind in settings.CLASSES.items():
        for field in kind.__dataclass_fields__:
            if field.endswith("key_file"):
                holders.setdefault(field, []).append(name)
    assert holders == {
        "room_key_file": ["opening"],
        "verifier_key_file": ["verifier"],
        "duty_key_file": ["clockwork-operation"],
        "log_key_file": ["sequencer"],
    }


def test_a_settings_file_is_read_strictly_and_the_environment_wins(tmp_path: Path) -> None:
    file = tmp_path / "centre.toml"
    file.write_text(
        'papers = "/p"\ndatabase_url = "postgresql://a@b/c"\nlisten = "127.0.0.1:1"\nbroker_url = "redis://x"\n'
    )
    read = settings.read("centre", file, {"TRADEHALL_PAPERS": "/q", "PATH": "/bin", "TRADEHALL_POOL_MAX": "7"})
    assert (read.papers, read.pool_max) == ("/q", 7)
    for wrong, code in (
        ({"TRADEHALL_LOG_KEY_FILE": "x"}, "setting_unknown"),
        ({"TRADEHALL_POOL_MAX": "many"}, "setting_wrong"),
    ):
        with pytest.raises(Refused, match=code):
            settings.read("centre", file, wrong)
    with pytest.raises(Refused, match="setting_missing"):
        settings.read("centre", None, {})
    with pytest.raises(Refused, match="settings_unreadable"):
        settings.read("centre", tmp_path / "none.toml", {})


def test_a_log_line_is_json_with_its_request_and_no_secret() -> None:
    lines = logs.Lines("desk", DemoWorld(flowing=False))
    record = logging.LogRecord("x", logging.INFO, "", 0, "Bearer %s at postgresql://u:geheim@h", ("ab" * 24,), None)
    told = json.loads(lines.format(record))
    assert told["process"] == "desk" and told["at"] == "2026-03-02T01:00:00.000Z"
    assert "geheim" not in told["message"] and "abab" not in told["message"]


def test_metrics_count_nothing_of_bidders() -> None:
    metrics = Metrics("bidders")
    metrics.request("/api/v1/bidding/submit", 200, 0.1)
    assert b"tradehall_requests_total{" not in metrics.text()
    public = Metrics("public")
    public.request("/api/v1/bidding/uploads/x/0", 200, 0.1)
    assert b"tradehall_requests_total{" not in public.text()
    public.request("/api/v1/lots", 200, 0.1)
    assert b'tradehall_requests_total{process="public",status="2xx"} 1.0' in public.text()


def test_the_proxy_sends_every_entry_to_its_own_door() -> None:
    upstreams, entries = {"public": ["a:1"], "desk": ["b:2"]}, {"desk": "127.0.0.1:9"}
    text = routing.nginx(upstreams, entries, addresses={"desk": "https://d"}, tls=None, rehearsal=False)
    assert "server b:2" in text and "proxy_pass http://desk" in text and "demo/clock" not in text


@pytest.mark.parametrize(
    ("asked_from", "client", "scheme"), [("10.0.0.2", "198.51.100.7", "https"), ("10.0.0.3", "10.0.0.3", "http")]
)
def test_only_the_proxy_says_who_asks_and_whether_over_tls(asked_from: str, client: str, scheme: str) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["client"][0], scope["scheme"]))

    gate = serving.Gate(app, Metrics("desk"), DemoWorld(flowing=False), frozenset({"10.0.0.2"}))
    said = (("x-real-ip", "198.51.100.7"), ("x-forwarded-for", "192.0.2.1"), ("x-forwarded-proto", "https"))
    headers = [(name.encode(), value.encode()) for name, value in said]
    scope = {"type": "http", "path": "/", "headers": headers, "client": (asked_from, 1), "scheme": "http"}
    asyncio.run(gate(scope, None, None))
    assert seen == [(client, scheme)]


def test_a_shared_rehearsal_clock_is_one_clock_and_never_goes_back(tmp_path: Path) -> None:
    from datetime import timedelta

    one, other = SharedDemoWorld(tmp_path / "clock"), SharedDemoWorld(tmp_path / "clock")
    moved = one.advance(timedelta(hours=1))
    assert other.now() == one.now() == moved
    (tmp_path / "clock").write_text("0")
    assert other.now() == moved, "a file put back does not turn back a process that has seen the later time"


class Say(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A command that answers who it was run as."""

    text: str


async def say(cmd: Say, *, actor: Actor, now: Any, unit: Unit, hall: Any) -> Outcome:
    if cmd.text == "no":
        raise Refused("objection_unknown", rule="E-80", objection="x")
    return Outcome(result={"person": actor.person, "role": actor.role.value})


SAY = Verb(Permission.OBJECTION_FILE, Say, say, "Say", name="trading.say")


async def asked(database: Database, world: DemoWorld, text: str, *, claim: Role, token: str, verb: Verb = SAY) -> Any:
    runner = Runner(database, (verb,), world=world, hall=None, answer=lambda done: dict(done.result))  # type: ignore[arg-type]
    actor = Actor("somebody else", "", claim, "10.0.0.1", "test")
    waiting = asyncio.create_task(
        Errands(frozenset({verb.path}), 5).ask(
            database, world, verb.path, Say(text), actor=actor, bearer=token, key="once"
        )
    )
    for _ in range(50):
        await asyncio.sleep(0.01)
        if await runner.run_waiting():
            break
    return await waiting


async def signed_in(database: Database, world: DemoWorld, role: Role) -> None:
    row = {"hash": token_hash("secret"), "person": "wang", "organisation": "A", "body": {"role": role.value}}
    expires = stamp(world.now().replace(year=2027))
    await database.write(lambda unit: unit.token.insert({**row, "expires": expires}))


def test_an_errand_is_run_as_the_session_says_whatever_the_door_claims() -> None:
    async def scenario() -> None:
        database, world = memory.open_memory(), DemoWorld(flowing=False, entropy=SeededEntropy("errands"))
        await signed_in(database, world, Role.BIDDER)
        told = await asked(database, world, "yes", claim=Role.SUPERVISOR, token="secret")
        assert told["answer"] == {"person": "wang", "role": "bidder"}
        again = await Errands(frozenset({SAY.path}), 1).ask(
            database, world, SAY.path, Say("yes"), bearer="secret", key="once",
            actor=Actor("somebody else", "", Role.BIDDER, "", ""),
        )  # fmt: skip
        assert again == told, "the same key is the same errand"
        assert await database.read(lambda unit: unit.errand.count()) == 1

    asyncio.run(scenario())


@pytest.mark.rule("E-80", "refuse")
def test_what_the_command_refuses_the_door_refuses() -> None:
    async def scenario() -> None:
        database, world = memory.open_memory(), DemoWorld(flowing=False, entropy=SeededEntropy("errands"))
        await signed_in(database, world, Role.BIDDER)
        with pytest.raises(Refused, match="objection_unknown") as refused:
            await asked(database, world, "no", claim=Role.BIDDER, token="secret")
        assert refused.value.rule == "E-80"

    asyncio.run(scenario())


@pytest.mark.parametrize(("role", "token", "code"), [
    (Role.EXPERT, "secret", "permission_denied"),
    (Role.BIDDER, "guess", "token_unknown"),
    (Role.BIDDER, "", "permission_denied"),
])  # fmt: skip
def test_an_errand_of_nobody_or_of_another_role_is_refused(role: Role, token: str, code: str) -> None:
    async def scenario() -> None:
        database, world = memory.open_memory(), DemoWorld(flowing=False, entropy=SeededEntropy("errands"))
        await signed_in(database, world, role)
        with pytest.raises(Refused, match=code):
            await asked(database, world, "yes", claim=Role.BIDDER, token=token)

    asyncio.run(scenario())


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """An OpenTelemetry collector that keeps what it is sent: its address, and the bodies."""
    got: list[bytes] = []

    class Collect(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["content-length"]))
            got.append(gzip.decompress(data) if self.headers.get("content-encoding") == "gzip" else data)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return None

    server = HTTPServer(("127.0.0.1", 0), Collect)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/traces", got
    server.shutdown()
    server.server_close()
    thread.join()


def test_traces_say_how_long_it_took_and_nothing_of_whom_or_which_tender(
    collector: tuple[str, list[bytes]],
) -> None:
    url, got = collector

    async def ask(process: str, path: str) -> None:
        traces = Traces(process, url, DemoWorld(flowing=False))
        gate = serving.Gate(answered, Metrics(process), DemoWorld(flowing=False), frozenset(), traces)
        scope = {"type": "http", "method": "POST", "path": path, "client": ("198.51.100.7", 1), "scheme": "http"}
        secret = [
            (b"traceparent", b"00-" + b"ab" * 16 + b"-" + b"cd" * 8 + b"-01"),
            (b"cookie", b"tradehall_desk=geheim"),
        ]
        await gate({**scope, "headers": [*secret, (b"x-request-id", b"number1234")]}, None, _taken)
        await traces.close()

    async def answered(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 422})

    asyncio.run(ask("desk", "/desk/lots/E1399000001000001001001/do/award"))
    told = b"".join(got)
    for word in (b"tradehall-desk", b"POST", b"4xx", b"number1234"):
        assert word in told
    for word in (b"E1399", b"award", b"geheim", b"198.51.100.7", b"\xab" * 16):
        assert word not in told
    got.clear()
    asyncio.run(ask("bidders", "/bidder"))
    asyncio.run(ask("desk", "/api/v1/inbox"))
    assert not got, "what tells how many bid leaves no span"


def test_without_a_collector_no_trace_is_made() -> None:
    ended = Traces("desk", "", DemoWorld(flowing=False)).request("GET", "/desk", "x")
    ended(200, 0.1)
    assert settings.Desk.traces_url == ""


async def _taken(message: Any) -> None:
    return None
