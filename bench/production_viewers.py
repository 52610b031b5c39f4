"""Many watch one opening hall over server-sent events: until all have the scene, and until a word is told.

Each viewer is a connection of its own, through nginx, to the process `public`. The word is the clock's: the rehearsal's
clock is moved, and every viewer is told what time it is, over the same path as a scene that changed.
"""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import measure
from production_hall import Split

CONNECT_AT_ONCE = 100
WORDS = 5
PATIENCE_SECONDS = 180.0
GOAL_SECONDS = 2.0


def table(split: Split, count: int) -> measure.Table:
    """One opening hall with `count` viewers."""
    import uvloop

    told = measure.Table(
        "production_viewers",
        f"Production: {count:,} viewers of an opening hall",
        f"{count:,} connections with server-sent events from one process `public` behind nginx; the viewers run on the "
        f"same machine. A word is told {WORDS} times; the times are from the moment the clock was moved.",
    )
    lot = split.publish()
    watched = uvloop.run(_watch(split, lot, count))
    told.add(f"all {count:,} connected and shown the scene", watched["scene"], "s")
    for part in (50, 95, 99, 100):
        times = watched["told"]
        name = "the last viewer is told" if part == 100 else f"told, p{part}"
        value = times[min(len(times) - 1, len(times) * part // 100)] if times else PATIENCE_SECONDS
        told.add(name, value, "s", goal=GOAL_SECONDS if part == 100 else None)
    told.add("viewers lost", watched["lost"], "", goal=0)
    told.add("memory of the process with all of them", watched["memory"] / measure.MIB, "MiB")
    told.add("memory of the process before", watched["memory_before"] / measure.MIB, "MiB")
    told.add("transactions while a word was told, per viewer", watched["transactions"] / (WORDS * count), "")
    return told


class Viewer:
    """One connection; `arrived` are the times of the clock's words, `seen` is set with the first scene."""

    def __init__(self) -> None:
        self.seen = asyncio.Event()
        self.arrived: list[float] = []
        self.lost = False

    async def watch(self, where: str, port: int, path: str, gate: asyncio.Semaphore) -> None:
        try:
            async with gate:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {where}\r\nAccept: text/event-stream\r\n\r\n".encode())
                await reader.readuntil(b"\r\n\r\n")
                while not (await reader.readline()).startswith(b"event: scene"):
                    pass
            self.seen.set()
            while line := await reader.readline():
                if line.startswith(b"event: clock"):
                    self.arrived.append(time.perf_counter())
            self.lost = True
        except (OSError, asyncio.IncompleteReadError):
            self.lost = True
            self.seen.set()


async def _watch(split: Split, lot: str, count: int) -> dict[str, float | list[float]]:
    where = urlsplit(split.entries["public"])
    assert where.port is not None
    process = split.running.processes["public"].pid
    before = _memory(process)
    gate, viewers = asyncio.Semaphore(CONNECT_AT_ONCE), [Viewer() for _ in range(count)]
    began = time.perf_counter()
    path = f"/lots/{lot}/opening/events"
    tasks = [asyncio.create_task(one.watch(where.netloc, where.port, path, gate)) for one in viewers]
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*(one.seen.wait() for one in viewers))
    scene = time.perf_counter() - began
    async with asyncio.timeout(PATIENCE_SECONDS):
        # The first word comes with the first look or ten seconds later; then only when the clock is moved.
        await _all_told(viewers)
    times: list[float] = []
    commits = await asyncio.to_thread(_commits, split)
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        for _ in range(WORDS):
            for one in viewers:
                one.arrived.clear()
            started = time.perf_counter()
            # Far enough to be told at once: this clock stands, so between two words it falls behind real seconds.
            answer = await client.post(split.entries["public"] + "/api/v1/demo/clock", json={"advance": "PT10S"})
            assert answer.status_code == 200, answer.text
            async with asyncio.timeout(PATIENCE_SECONDS):
                await _all_told(viewers)
            times += [one.arrived[0] - started for one in viewers if one.arrived]
            await asyncio.sleep(1)
    memory = _memory(process)
    lost = sum(one.lost for one in viewers)
    spent = await asyncio.to_thread(_commits, split) - commits
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    found: dict[str, float | list[float]] = {"scene": scene, "told": sorted(times), "lost": lost, "memory": memory}
    return {**found, "memory_before": before, "transactions": spent}


async def _all_told(viewers: list[Viewer]) -> None:
    for one in viewers:
        while not one.arrived and not one.lost:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def _commits(split: Split) -> int:
    from production_burst import _statistics

    return int(split.running.ask(_statistics)["xact_commit"])


def _memory(process: int) -> int:
    """Bytes of a process and of those it started that are in memory."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) << 10
