"""`tradehall serve`: one process, all doors under one port, and everything automatic beside them (architecture §5).

Stops gently: the doors first, so that no request is cut, then the clockwork, the jobs, the sequencer with a last batch,
and the database at the very end, so that nothing accepted is left without its place in the ledger.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import resource
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx
from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from litestar.types import ASGIApp

from bidding.opening_hall import broadcast as opening_hall
from crypto.refusal import Refused
from portal import app, clockwork, scripts
from portal import folder as folders
from portal.alarms import Alarms
from portal.alarms import run as watch
from portal.running import Running
from storage.sequencer import WitnessLatest
from trading.counter.page.language import LanguagePrefix
from trading.counter.unread import EndsUnread

START_SECONDS_MAX = 60.0
CONNECTIONS_MAX = 4096
"""The embedded server's own 128 would leave the 129th bidder of a deadline's last second outside while others idle."""


@contextlib.asynccontextmanager
async def serving(
    running: Running, *, host: str, port: int, tls: tuple[Path, Path] | None = None
) -> AsyncIterator[str]:
    """Serve a hall until the block ends; yields its address once it answers. Raises Refused("port_taken")."""
    check_port(port)
    with folders.held(running.folder.path):
        async with working(running) as doors, listening(doors, host=host, port=port, tls=tls) as address:
            yield address


@contextlib.asynccontextmanager
async def working(running: Running) -> AsyncIterator[ASGIApp]:
    """Everything automatic of a hall, until the block ends; yields its doors, which somebody else listens for."""
    stop = asyncio.Event()
    await running.sequencer.start(seen_by_witnesses(running.folder))
    await running.sequencer.sequence()
    alarms = Alarms(running)
    await alarms.woke()
    tasks = [
        asyncio.create_task(watch(alarms, stop), name="alarms"),
        asyncio.create_task(running.sequencer.run(stop), name="sequencer"),
        asyncio.create_task(clockwork.run(running, stop), name="clockwork"),
        asyncio.create_task(running.courier.run(stop), name="courier"),
        asyncio.create_task(scripts.pin(running.service, stop, release=scripts.listed()), name="scripts"),
    ]
    await running.courier.start()
    try:
        yield app.build(running, trouble=alarms.failing)
    finally:
        stop.set()
        running.wake.set()
        await asyncio.gather(*tasks)
        await running.courier.stop()
        await running.sequencer.sequence()
        await running.database.close()


@contextlib.asynccontextmanager
async def listening(
    doors: ASGIApp, *, host: str, port: int, tls: tuple[Path, Path] | None = None
) -> AsyncIterator[str]:
    """Listen for an application until the block ends; yields the address once it answers. Raises port_taken."""
    _allow_files(2 * CONNECTIONS_MAX)
    server = Server(
        EndsUnread(LanguagePrefix(doors)),
        address="127.0.0.1" if host == "localhost" else host,
        port=port,
        interface=Interfaces.ASGI,
        log_enabled=False,
        backlog=CONNECTIONS_MAX,
        backpressure=CONNECTIONS_MAX,
        websockets=False,
        http1_settings=HTTP1Settings(),
        ssl_cert=tls[0] if tls else None,
        ssl_key=tls[1] if tls else None,
    )
    door = asyncio.create_task(server.serve(), name="doors")
    address = f"{'https' if tls else 'http'}://{host}:{port}"
    try:
        await _until_it_answers(address, door)
        yield address
    finally:
        opening_hall.close_all()
        server.stop()  # type: ignore[no-untyped-call]
        await asyncio.gather(door, return_exceptions=True)


def seen_by_witnesses(folder: folders.Folder) -> Mapping[str, WitnessLatest]:
    """The newest checkpoint that each witness of a rehearsal cosigned, as its own folder has it: a hall restored from
    an old backup refuses to sign behind them. Witnesses of a real hall are elsewhere and stop a fork themselves."""

    def latest(path: Path) -> WitnessLatest:
        return lambda: asyncio.to_thread(path.read_bytes)

    return {path.parent.name: latest(path) for path in folder.demo.glob("witnesses/*/latest")}


def check_tls(host: str, *, tls: bool, demo: bool) -> str:
    """A real hall speaks TLS to everybody but its own machine: tokens and uploads would be readable on the way, and a
    proxy that ends TLS stands on the same machine. Returns the host. Raises Refused("tls_required")."""
    loopback = host == "localhost"
    with contextlib.suppress(ValueError):
        loopback = loopback or ipaddress.ip_address(host).is_loopback
    if not (tls or demo or loopback):
        raise Refused("tls_required", host=host)
    return host


def _allow_files(wanted: int) -> None:
    """A connection is an open file: take what the system's hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def check_port(port: int) -> int:
    """Refuse a port that somebody listens on: the server shares its port with whoever asks, and both would answer."""
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise Refused("port_taken", address=f"localhost:{port}")
    return port


async def until_signal() -> None:
    """Wait for SIGINT or SIGTERM."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, asked.set)
    await asked.wait()


async def _until_it_answers(address: str, door: asyncio.Task[None]) -> None:
    async with httpx.AsyncClient(verify=False, trust_env=False) as client:
        for _ in range(int(START_SECONDS_MAX / 0.05)):
            if door.done():
                raise Refused("port_taken", address=address)
            try:
                await client.get(f"{address}/health")
                return
            except httpx.HTTPError:
                await asyncio.sleep(0.05)
    raise Refused("port_taken", address=address)
