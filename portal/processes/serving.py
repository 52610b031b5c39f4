"""One process served: begun, watched, ended gently; the same for all of them.

    GET inner/health   200 while the process runs as it should, 503 with `failing` when a worker fails again and again
    GET inner/ready    200 when it can do its work now (it reached its database), 503 before that and while it ends
    GET inner/metrics  Prometheus

The end (SIGTERM, SIGINT): not ready any more, so that no proxy sends anything new; the requests under way are answered;
workers finish their turn; what must be said last is said; the database goes at the very end.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import resource
import signal
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from litestar import Litestar
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from bidding.opening_hall import broadcast as opening_hall
from crypto import words
from crypto.refusal import Refused
from portal.processes import build, logs
from portal.processes.metrics import Metrics
from portal.processes.settings import Process
from portal.processes.table import Built, Worker
from portal.processes.tracing import Traces
from portal.rooms import ROOMS, VERSION
from storage.ports import Busy
from storage.world import World, new_id
from trading.counter import problems
from trading.counter.page.language import LanguagePrefix
from trading.counter.unread import EndsUnread

FAILURES_MAX = 10
"""A worker that failed so often in a row makes the process unhealthy."""
CONNECTIONS_MAX = 12_000
BEGIN_SECONDS_MAX = 60.0
DRAIN_SECONDS = 0.5
END_SECONDS_MAX = 25.0
BACK_OFF_SECONDS = 1.0
COLLECT_AFTER = (20_000, 20, 50)
"""New objects before the young are looked through, and how many such looks before the older (gc.set_threshold)."""
HEADERS = frozenset({b"x-real-ip", b"x-request-id", b"x-forwarded-proto"})
"""What the reverse proxy tells: who asks, under which number, and whether over TLS. Believed from `proxies` alone, but
for the number, which nobody gains by. X-Forwarded-For is nobody's here: a visitor can write it."""
log = logging.getLogger("tradehall.process")

Scope = MutableMapping[str, Any]
Asgi = Callable[[Scope, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]


class Gate:
    """Every request goes through: it gets an id, its visitor's address, is counted, and is waited for at the end."""

    def __init__(
        self, app: Asgi, metrics: Metrics, world: World, proxies: frozenset[str], traces: Traces | None = None
    ) -> None:
        self._app = app
        self._traces = traces
        self._metrics = metrics
        self._world = world
        self._proxies = proxies
        self.under_way = 0
        self.idle = asyncio.Event()
        self.idle.set()

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name: value for name, value in scope["headers"] if name in HEADERS}
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        id_ = given if 8 <= len(given) <= 64 and given.isalnum() else new_id(self._world.entropy)
        client = scope.get("client")
        if client and client[0] in self._proxies:
            if b"x-real-ip" in headers:
                scope["client"] = (headers[b"x-real-ip"].decode("latin-1"), client[1])
            if headers.get(b"x-forwarded-proto") == b"https":
                scope["scheme"] = "https"
        status = 500

        async def answer(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", id_.encode())]
            await send(message)

        token = logs.request_id.set(id_)
        ended = self._traces.request(scope["method"], scope["path"], id_) if self._traces else None
        began = self._world.monotonic()
        self.under_way += 1
        self.idle.clear()
        try:
            await self._app(scope, receive, answer)
        finally:
            self.under_way -= 1
            if not self.under_way:
                self.idle.set()
            seconds = self._world.monotonic() - began
            self._metrics.request(scope["path"], status, seconds)
            if ended is not None:
                ended(status, seconds)
            logs.request_id.reset(token)


class Pulse:
    """How the process does, as its inner port tells it."""

    def __init__(self, name: str, metrics: Metrics, ready: list[Callable[[], Awaitable[Any]]]) -> None:
        self.name = name
        self.metrics = metrics
        self.failed: dict[str, int] = {}
        self.begun = False
        self.ending = False
        self._ready = ready

    async def answer(self, path: str) -> tuple[int, bytes, str]:
        """Status, body and media type."""
        if path == "/metrics":
            return 200, self.metrics.text(), "text/plain; version=0.0.4"
        if path == "/health":
            failing = [name for name, times in self.failed.items() if times >= FAILURES_MAX]
            return self._told(not failing, {"failing": failing} if failing else {})
        if path == "/ready":
            return self._told(await self.is_ready(), {})
        return 404, b"{}\n", "application/json"

    async def is_ready(self) -> bool:
        """Whether it begun, does not end, and reaches what it needs."""
        fine = self.begun and not self.ending
        try:
            async with asyncio.timeout(5):
                for ask in self._ready if fine else ():
                    await ask()
        except (OSError, TimeoutError, Busy, Refused) as error:
            log.warning("not ready: %s", type(error).__name__)
            fine = False
        except Exception as error:
            log.warning("not ready", exc_info=error)
            fine = False
        self.metrics.ready.labels(self.name).set(int(fine))
        return fine

    def _told(self, fine: bool, more: Mapping[str, Any]) -> tuple[int, bytes, str]:
        told = {"process": self.name, "status": "ok" if fine else "failing", "version": VERSION, **more}
        return (200 if fine else 503), json.dumps(told).encode() + b"\n", "application/json"


async def run(name: str, told: Process) -> None:
    """Run one process until it is asked to end. Raises what building it refuses."""
    _, files_max = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files_max, files_max))
    # Asked for from the start: a signal that comes while the process begins is not lost.
    ended = asyncio.create_task(until_signal())
    built, _, world = await build.build(name, told)
    logs.begin(name, world)
    metrics = Metrics(name)
    traces = Traces(name, told.traces_url, world)
    built.end.append(traces.close)
    pulse = Pulse(name, metrics, built.ready)
    inner = await _inner(told.inner, pulse)
    stop = asyncio.Event()
    try:
        await _begin(built, world)
        tasks = [asyncio.create_task(_work(worker, stop, pulse), name=worker.name) for worker in built.workers]
        listens = bool(getattr(told, "listen", ""))
        doors = _Door(built, told, metrics, world, traces) if built.routes and listens else None
        if doors is not None:
            await doors.open()
        _spare_collections()
        pulse.begun = True
        print(f"ready {name}", flush=True)
        await ended
        pulse.ending = True
        if doors is not None:
            await doors.close()
        stop.set()
        await asyncio.gather(*tasks)
    finally:
        for last in built.end:
            try:
                await last()
            except Exception as error:
                log.error("an end that failed", exc_info=error)
        inner.close()


class _Door:
    """The server of a process's own routes."""

    def __init__(self, built: Built, told: Process, metrics: Metrics, world: World, traces: Traces) -> None:
        listen: str = getattr(told, "listen", "")
        host, _, port = listen.rpartition(":")
        proxies = frozenset(str(getattr(told, "proxies", "127.0.0.1")).split(","))
        pages: Any = EndsUnread(LanguagePrefix(application(built)))
        self.gate = Gate(pages, metrics, world, proxies, traces)
        self._server = Server(
            self.gate,
            address=host,
            port=int(port),
            interface=Interfaces.ASGI,
            log_enabled=False,
            # The embedded server's own 128 would leave the 129th bidder of a deadline's last second outside.
            backlog=CONNECTIONS_MAX,
            backpressure=CONNECTIONS_MAX,
            websockets=False,
            http1_settings=HTTP1Settings(),
        )
        self._host, self._port = host, int(port)
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Serve, and return once the port answers."""
        self._task = asyncio.create_task(self._server.serve(), name="door")
        for _ in range(400):
            if self._task.done():
                raise Refused("port_taken", address=f"{self._host}:{self._port}")
            try:
                _, writer = await asyncio.open_connection(self._host, self._port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return
        raise Refused("port_taken", address=f"{self._host}:{self._port}")

    async def close(self) -> None:
        """Answer what is under way, then close. Streams to those who watch end first: they come back elsewhere."""
        opening_hall.close_all()
        await asyncio.sleep(DRAIN_SECONDS)
        try:
            await asyncio.wait_for(self.gate.idle.wait(), END_SECONDS_MAX)
        except TimeoutError:
            log.error("%d requests did not end in time", self.gate.under_way)
        self._server.stop()  # type: ignore[no-untyped-call]
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)


def application(built: Built) -> Any:
    """The routes of one process with the manners of every door."""
    return Litestar(
        built.routes,
        state=State({"words": words.load(*ROOMS)}),
        exception_handlers=dict(
            built.wrong or {Refused: problems.on_refused, HTTPException: problems.on_http, Exception: problems.on_error}
        ),
        openapi_config=OpenAPIConfig(
            title="Tradehall", version=VERSION, path="/schema", render_plugins=[JsonRenderPlugin(path="/openapi.json")]
        ),
        logging_config=None,
        debug=False,
    )


def _spare_collections() -> None:
    """What a process has when it begins stays: no collection walks over it again. And a burst of requests makes many
    objects that all live until they are answered: looking for cycles among them at Python's own thresholds took a tenth
    of a door's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


async def until_signal() -> None:
    """Wait for SIGINT or SIGTERM."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, asked.set)
    await asked.wait()


async def _begin(built: Built, world: World) -> None:
    """What comes before the first request. A database or a broker that is not up yet is waited for."""
    until = world.monotonic() + BEGIN_SECONDS_MAX
    for first in (*built.ready, *built.begin):
        while True:
            try:
                await first()
                break
            except Refused:
                raise
            except Exception as error:
                if world.monotonic() > until:
                    raise
                log.warning("waiting to begin: %s", type(error).__name__)
                await asyncio.sleep(BACK_OFF_SECONDS)


async def _work(worker: Worker, stop: asyncio.Event, pulse: Pulse) -> None:
    """Turn after turn until the end; a turn that fails is logged and tried again, because what is due is a query."""
    while not stop.is_set():
        done = 0
        pause = worker.every
        try:
            done = await worker.turn()
            pulse.failed[worker.name] = 0
        except Exception as error:
            pulse.failed[worker.name] = pulse.failed.get(worker.name, 0) + 1
            pulse.metrics.failures.labels(pulse.name, worker.name).inc()
            log.error("worker %s failed", worker.name, exc_info=error)
            pause = BACK_OFF_SECONDS
        pulse.metrics.turns.labels(pulse.name, worker.name).inc()
        try:
            await asyncio.wait_for(stop.wait(), 0.001 if done else pause)
        except TimeoutError:
            continue


async def _inner(address: str, pulse: Pulse) -> asyncio.Server:
    """The inner port: a few lines of HTTP, so that a door that hangs still tells that it does."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(10):
                head = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)
                path = head[1].decode("latin-1") if len(head) == 3 else ""
                status, body, kind = await pulse.answer(path.partition("?")[0])
                top = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n"
                writer.write(top.encode() + b"connection: close\r\n\r\n" + body)
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            log.info("an inner request broke off")
        finally:
            writer.close()

    host, _, port = address.rpartition(":")
    return await asyncio.start_server(serve, host, int(port))
