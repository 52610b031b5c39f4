"""A whole production hall on loopback: real servers, one process a role, nginx in front; started, watched, ended.

The rehearsal's people, keys and clock are those of the demo (portal/demo); every process is `tradehall <name>` as it
would be elsewhere, with its own settings, its own database role and its own keys.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import asyncpg  # type: ignore[import-untyped]
import httpx
from prometheus_client.parser import text_string_to_metric_families

from portal.demo import backstage, rehearsal
from portal.demo.cast import Cast
from portal.demo.stage import Stage
from portal.processes import local, routing, stores
from portal.processes.local import Plan, Production
from portal.settings import Settings
from storage import engine
from storage.unit import Unit
from storage.world import Entropy, SeededEntropy, SharedDemoWorld, stamp
from tests.production import servers
from tests.production.line import Line
from trading.hall import Hall
from trading.lifecycle import State
from trading.roles import Role
from trading.tender import from_json

T = TypeVar("T")
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "road-maintenance"
TRADEHALL = Path(sys.executable).with_name("tradehall")
READY_SECONDS_MAX = 180.0
DOORS = {
    Role.OWNER: "desk",
    Role.AGENT: "desk",
    Role.CENTRE: "centre",
    Role.ADMINISTRATOR: "centre",
    Role.BIDDER: "bidders",
    Role.EXPERT: "experts",
    Role.OWNER_REPRESENTATIVE: "experts",
    Role.SUPERVISOR: "watch",
    Role.INSPECTOR: "watch",
    Role.AUDITOR: "watch",
    Role.TRUSTEE: "trustees",
}


class ProductionHall:
    """A prepared and running hall. `owner_url` is the superuser's address, which no process has."""

    def __init__(self, path: Path, production: Production, cast: Cast, hall: Hall, owner_url: str) -> None:
        self.path = path
        self.production = production
        self.cast = cast
        self.hall = hall
        self.owner_url = owner_url
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.entries: dict[str, str] = {}
        self.secure: dict[str, str] = {}
        self.certificate = path / "tls" / "cert.pem"
        self.clock = SharedDemoWorld(path / "clock")
        self._owner = engine.open_postgres(owner_url, pool_max=1)
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="owner", daemon=True).start()

    def now(self) -> datetime:
        """The rehearsal's time."""
        return self.clock.now()

    # -- processes ----------------------------------------------------------------------------------------------------

    def start(self, *names: str, environment: Mapping[str, str] | None = None) -> None:
        """Start these processes (all without names) and wait until each is ready."""
        plans = [plan for plan in self.production.plans if not names or plan.name in names]
        for plan in plans:
            log = (self.path / f"{plan.name}.log").open("ab")
            told = {key: value for key, value in os.environ.items() if not key.startswith("TRADEHALL_")}
            self.processes[plan.name] = subprocess.Popen(
                [str(TRADEHALL), *plan.arguments],
                stdout=log,
                stderr=log,
                env={**told, **(environment or {})},
                start_new_session=True,
            )
        for plan in plans:
            self.wait_ready(plan)

    def wait_ready(self, plan: Plan) -> None:
        until = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < until:
            assert self.processes[plan.name].poll() is None, f"{plan.name} ended:\n{self.log(plan.name)[-3000:]}"
            if self.status(plan, "/ready") == 200:
                return
            time.sleep(0.2)
        raise TimeoutError(f"{plan.name} is not ready:\n{self.log(plan.name)[-3000:]}")

    def plan(self, name: str) -> Plan:
        return next(plan for plan in self.production.plans if plan.name == name)

    def status(self, plan: Plan, path: str) -> int:
        try:
            return httpx.get(f"http://{plan.inner}{path}", timeout=10, trust_env=False).status_code
        except httpx.HTTPError:
            return 0

    def metric(self, name: str, sample: str, **labels: str) -> float:
        """The sum of a sample's values in a process's /metrics."""
        text = httpx.get(f"http://{self.plan(name).inner}/metrics", timeout=10, trust_env=False).text
        return sum(
            one.value
            for family in text_string_to_metric_families(text)
            for one in family.samples
            if one.name == sample and labels.items() <= one.labels.items()
        )

    def log(self, name: str) -> str:
        path = self.path / f"{name}.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def kill(self, name: str, how: signal.Signals = signal.SIGKILL) -> None:
        """End one process, by its own id, and wait for it."""
        process = self.processes.pop(name)
        process.send_signal(how)
        process.wait(60)

    def stop(self) -> None:
        """Ask everybody to end, and wait."""
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()

    def close(self) -> None:
        """End everything, the owner's own connection too."""
        self.stop()
        asyncio.run_coroutine_threadsafe(self._owner.close(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)

    # -- the stage's backstage: what the superuser sees ----------------------------------------------------------------

    def ask(self, fn: Callable[[Unit], Awaitable[T]]) -> T:
        """A question to the database as its owner, over one connection that is opened again when it broke."""

        async def run() -> T:
            return await self._owner.read(fn)

        for attempt in range(3):
            try:
                return asyncio.run_coroutine_threadsafe(run(), self._loop).result(60)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                if attempt == 2:
                    raise
                time.sleep(0.5)
        raise AssertionError("the last attempt returns or raises")

    def change(self, fn: Callable[[Unit], Awaitable[T]]) -> T:
        """A change that a test plants, as the owner of the tables."""

        async def run() -> T:
            return await self._owner.write(fn)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(60)

    def turn(self) -> int:
        """Wait until the clockwork looked twice and nothing more was logged; how many acts were. While a lot takes bids
        and nothing holds it, nothing can be due: nobody waits."""
        rows = self.ask(lambda unit: unit.tender.find())
        tenders = [from_json(row["body"]["tender"]) for row in rows]
        now = self.now()
        if not tenders or all(
            one.state is State.BIDDING and one.held_by is None and now < one.deadline for one in tenders
        ):
            return 0
        before = self.ask(_events)
        seen = before
        while True:
            turns = self._turns()
            until = time.monotonic() + 30
            while self._turns() < turns + 2 and time.monotonic() < until:
                time.sleep(0.05)
            after = self.ask(_events)
            if after == seen:
                return after - before
            seen = after

    def waiting(self) -> int:
        return self.ask(backstage.waiting)

    def sizes(self) -> tuple[int, int]:
        return self.ask(lambda unit: backstage.sizes(unit, self.hall))

    def seats(self, lot: str) -> backstage.Seats:
        return self.ask(lambda unit: backstage.seats(unit, lot))

    def _turns(self) -> float:
        try:
            return self.metric("clockwork-operation", "tradehall_turns_total", worker="due")
        except httpx.HTTPError:
            return 0.0  # It is being started again.

    # -- people --------------------------------------------------------------------------------------------------------

    @property
    def tokens(self) -> dict[str, str]:
        rows = json.loads((self.cast.home / "accounts.json").read_text("utf-8"))
        return {row["login"]: row["token"] for row in rows}

    @property
    def doors(self) -> dict[Role, str]:
        return {role: self.entries[entry] for role, entry in DOORS.items()}


async def _events(unit: Unit) -> int:
    return await unit.event.count()


@dataclass
class Opened:
    """A running split hall on its own servers, with a stage on which its people act."""

    running: ProductionHall
    postgres: servers.Postgres
    broker: servers.Valkey
    weed: servers.Weed
    line: Line
    stage: Stage


@contextlib.contextmanager
def opened(folder: Path, *processes: str, seed: str, example: Path = EXAMPLE) -> Iterator[Opened]:
    """PostgreSQL, valkey, SeaweedFS, nginx and these processes (all without names) in a fresh folder, ready, with
    nothing published. The store is reached through `line`, which a test may make slow or silent."""
    postgres, broker = servers.Postgres(folder / "postgres"), servers.Valkey(folder / "valkey")
    try:
        with (
            servers.seaweed(folder / "seaweed") as weed,
            Line(weed.port) as line,
            production(
                folder / "hall",
                owner_url=postgres.fresh(),
                blobs=weed.behind(line.port),
                broker_url=broker.url,
                seed=seed,
                example=example,
            ) as hall,
        ):
            hall.start(*processes)
            stage = Stage(
                hall.cast, example, hall.entries["bidders"], folder / "work", hall.tokens, _silent, doors=hall.doors
            )
            yield Opened(hall, postgres, broker, weed, line, stage)
            hall.stop()
    finally:
        broker.stop()
        postgres.stop()


def _silent(*_: object) -> None:
    return None


@contextlib.contextmanager
def production(
    path: Path, *, owner_url: str, blobs: servers.Weed, broker_url: str, seed: str, example: Path = EXAMPLE
) -> Iterator[ProductionHall]:
    """A rehearsal's production hall, prepared and with nginx in front; no process is started yet."""
    entropy = SeededEntropy(seed)
    names = local.port_names()
    ports = dict(zip(names, servers.free_ports(len(names)), strict=True))
    free = servers.free_ports(2 * len(routing.ENTRIES))
    entries = dict(zip(routing.ENTRIES, free, strict=False))
    secure = dict(zip(routing.ENTRIES, free[len(routing.ENTRIES) :], strict=True))
    made = asyncio.run(_make(path, example, owner_url, blobs, broker_url, ports, entropy))
    upstreams: dict[str, list[str]] = {}
    for plan in made.production.plans:
        if plan.listen:
            upstreams.setdefault(plan.process, []).append(plan.listen)
    # The rehearsal's programs speak without TLS to the same servers that people reach over TLS.
    listens = {name: f"127.0.0.1:{port},127.0.0.1:{secure[name]} ssl" for name, port in entries.items()}
    made.certificate, key = servers.certificate(path / "tls")
    made.entries = {name: f"http://127.0.0.1:{port}" for name, port in entries.items()}
    made.secure = {name: f"https://127.0.0.1:{port}" for name, port in secure.items()}
    tls = (str(made.certificate), str(key))
    http = routing.nginx(upstreams, listens, addresses=made.secure, tls=tls, rehearsal=True)
    with servers.nginx(path / "nginx", http):
        try:
            yield made
        finally:
            made.close()


async def _make(
    path: Path,
    example: Path,
    owner_url: str,
    blobs: servers.Weed,
    broker_url: str,
    ports: Mapping[str, int],
    entropy: Entropy,
) -> ProductionHall:
    running, cast = await rehearsal.make(
        path / "hall", example, entropy=entropy, flowing=False, settings=Settings(database_url=owner_url)
    )
    passwords = await local.grant(running.database, entropy=entropy)
    told = local.Servers(owner_url, {name: blobs.url_of(name) for name in stores.RIGHTS}, broker_url, ports)
    made = await local.prepare(running.folder, path, told, passwords=passwords, entropy=entropy)
    await local.share_clock(running.database, path / "clock", offset_ms=0, now=running.world.now())
    hall = running.hall
    assert stamp(running.world.now()), "the clock stands"
    await running.database.close()
    return ProductionHall(path, made, cast, hall, owner_url)
