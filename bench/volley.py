"""A crowd that submits at one instant: a connection for each bidder, its request written, its receipt waited for."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import uvloop

CONNECT_AT_ONCE = 50
ASK_AGAIN_SECONDS = 0.3
PATIENCE_SECONDS = 300.0
VERB = "/api/v1/bidding/submit"


@dataclass
class Answer:
    """What one bidder was told: when it was answered and when it had its receipt, in seconds after the start."""

    accepted: float = 0.0
    receipt: float = 0.0
    status: int = 0
    body: dict[str, Any] = field(default_factory=dict)


def fire(url: str, requests: list[dict[str, Any]]) -> list[Answer]:
    """Send all requests {token, body} of submissions at once to the hall at `url`; what each was told, in order."""
    return list(uvloop.run(_fire(url, requests)))


async def _fire(url: str, requests: list[dict[str, Any]]) -> list[Answer]:
    where = urlsplit(url)
    gate = asyncio.Semaphore(CONNECT_AT_ONCE)

    async def connect(request: dict[str, Any]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
        body = json.dumps(request["body"]).encode()
        head = (
            f"POST {VERB} HTTP/1.1\r\nHost: {where.netloc}\r\nAuthorization: Bearer {request['token']}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", where.port, limit=1 << 20)
        return reader, writer, head.encode() + body

    lines = await asyncio.gather(*(connect(request) for request in requests))
    began = time.perf_counter()
    for _, writer, data in lines:
        writer.write(data)
    work = (
        _answer(reader, writer, request["token"], where.netloc, began)
        for (reader, writer, _), request in zip(lines, requests, strict=True)
    )
    found = list(await asyncio.gather(*work))
    for _, writer, _ in lines:
        writer.close()
    return found


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str, host: str, began: float
) -> Answer:
    answer = Answer()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            answer.status, answer.body = await _read(reader)
            if answer.status != 200:
                return answer
            answer.accepted = time.perf_counter() - began
            told = answer.body["receipt"]
            while told["status"] != "sequenced":
                await asyncio.sleep(ASK_AGAIN_SECONDS)
                path = f"/api/v1/bidding/receipts/{told['event']}"
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
                status, body = await _read(reader)
                told = body if status == 200 else told
            answer.body["receipt"] = told
            answer.receipt = time.perf_counter() - began
    except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
        answer.body = {"code": type(error).__name__, **answer.body}
    return answer


async def _read(reader: asyncio.StreamReader) -> tuple[int, dict[str, Any]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    status = int(head.split(" ")[1])
    if "content-length:" in head:
        data = await reader.readexactly(int(head.split("content-length:")[1].split("\r\n")[0]))
    else:
        data = b""
        while size := int(await reader.readline(), 16):
            data += await reader.readexactly(size + 2)
            data = data[:-2]
        await reader.readline()
    try:
        told: dict[str, Any] = json.loads(data)
    except ValueError:
        told = {"code": f"http {status}"}
    return status, told
