"""The verifier's report on a tender, made by the same command that a stranger runs, in a process of its own.

It proves nothing to somebody who does not trust this hall, and the page says so; it saves others the waiting and shows
what to expect. One at a time, once for each state of the ledger; a page never waits for it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import httpx

from crypto import trust as trusts
from crypto.refusal import Refused
from supervision import bundle
from trading.counter import identity
from trading.counter.service import Service
from trading.roles import Actor, Role

KEPT = 500
SECONDS_MAX = 600

Fetch = Callable[[str, Path], Awaitable[Path]]
"""Puts the public bundle of a lot into an empty folder."""

log = logging.getLogger("tradehall.front")


@dataclass(slots=True)
class Made:
    """A report: `acts` counts the public acts it judged; `told` is what `tradehall-verify --json` wrote."""

    acts: int
    state: Literal["making", "ready", "failed"]
    told: dict[str, Any] = field(default_factory=dict)
    at: str = ""


class Reports:
    """The reports of one process. A restart forgets them and makes them again when somebody asks."""

    def __init__(self, service: Service, fetch: Fetch | None = None) -> None:
        self._service = service
        self._fetch = fetch or self._bundle
        self._made: dict[str, Made] = {}
        self._one = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def of(self, lot: str, *, acts: int, at: str) -> Made:
        """The report of a lot as far as it is; begins to make it where it is older than the ledger."""
        made = self._made.get(lot)
        if made is None or (made.acts != acts and made.state != "making"):
            made = self._made[lot] = Made(acts, "making", made.told if made else {}, at)
            while len(self._made) > KEPT:
                del self._made[next(iter(self._made))]
            task = asyncio.create_task(self._make(lot, made), name=f"report {lot}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return made

    async def _make(self, lot: str, made: Made) -> None:
        try:
            async with self._one:
                made.told = await self._judge(lot)
            made.state = "ready"
        except Refused as refused:
            log.info("no report on %s: %s", lot, refused)
            made.state = "failed"
        except Exception:
            log.exception("the report on %s could not be made", lot)
            made.state = "failed"

    async def _judge(self, lot: str) -> dict[str, Any]:
        service = self._service
        with tempfile.TemporaryDirectory(prefix="tradehall-report-") as beside:
            folder = Path(beside)
            into = folder / "bundle"
            into.mkdir()
            path = await self._fetch(lot, into)
            anchors = service.hall.trust
            fields = {name: getattr(anchors, name) for name in ("hall", "log", "witnesses", "quorum")}
            roots = {name: getattr(anchors, name) for name in ("trustee_roots", "ca_roots", "contributors")}
            (folder / "trust.json").write_bytes(trusts.dump(**fields, **roots))
            out = folder / "report.json"
            command = ["-m", "crypto.verifier", str(path), "--trust", str(folder / "trust.json"), "--json", str(out)]
            # Beside doors that answer people: one processor.
            command += ["--processes", "1"]
            rehearsal = ["--rehearsal"] if service.hall.rehearsal else []
            process = await asyncio.create_subprocess_exec(
                sys.executable, *command, *rehearsal, stdout=asyncio.subprocess.DEVNULL
            )
            try:
                await asyncio.wait_for(process.wait(), SECONDS_MAX)
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
            told: dict[str, Any] = json.loads(await asyncio.to_thread(out.read_bytes))
            return {**told, "bytes": path.stat().st_size}

    async def _bundle(self, lot: str, into: Path) -> Path:
        service, anonymous = self._service, Actor(identity.ANONYMOUS, "", Role.PUBLIC, "", "")
        return await bundle.make(
            service, lot, "public", folder=into, actor=anonymous, power=None, now=service.world.now(), room=None
        )


def fetched_from(url: str) -> Fetch:
    """Bundles from the process that makes them; for one whose database role may not read what goes into them."""

    async def fetch(lot: str, into: Path) -> Path:
        path = into / "bundle.zip"
        try:
            async with (
                httpx.AsyncClient(timeout=SECONDS_MAX, trust_env=False) as client,
                client.stream("GET", f"{url}/api/v1/lots/{quote(lot, safe='')}/bundle") as answer,
            ):
                if not answer.is_success:
                    raise Refused("busy_try_again")
                with await asyncio.to_thread(path.open, "wb") as file:
                    async for piece in answer.aiter_bytes():
                        await asyncio.to_thread(file.write, piece)
        except httpx.HTTPError as error:
            raise Refused("busy_try_again") from error
        return path

    return fetch
