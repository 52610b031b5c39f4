"""Public pages of the split hall under load, through nginx: requests a second and how long each takes.

With wrk where it is installed (Debian: `apt-get install wrk`), else with a client of our own, and the table says so; it
shares the machine's cores with what it measures.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import time
from urllib.parse import urlsplit

import measure
from production_hall import Split

CONNECTIONS = 32
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


def table(split: Split, seconds: int) -> measure.Table:
    """Each page under load for `seconds`."""
    wrk = shutil.which("wrk")
    told = measure.Table(
        "production_pages",
        "Production: public pages under load",
        f"{CONNECTIONS} connections ask one page again and again for {seconds} s, one process `public` behind nginx on "
        f"PostgreSQL; asked by {'wrk' if wrk else 'a client of our own in Python (wrk is not installed)'} on the "
        "same machine. Beside it: the style sheet.",
    )
    lot = split.publish()
    base = split.entries["public"]
    pages = {
        "the style sheet": "/static/kit/style.css", "today": "/", "notices": "/lots", "a tender": f"/lots/{lot}",
        "its opening hall": f"/lots/{lot}/opening", "the newest checkpoint (API)": "/log/checkpoint",
    }  # fmt: skip
    beside = None
    for name, path in pages.items():
        rate, times, wrong = _wrk(wrk, base + path, seconds) if wrk else _own(base, path, seconds)
        told.add(name, rate, "requests/s", beside="the style sheet" if beside else "", beside_value=beside)
        beside = beside or rate
        for part, value in times.items():
            told.add(f"{name}: {part}", value, "ms")
        told.add(f"{name}: not answered with 200", wrong, "requests", goal=0)
    return told


def _wrk(program: str, url: str, seconds: int) -> tuple[float, dict[str, float], int]:
    command = [program, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", url]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    times = {f"p{part}": float(value) * UNITS[unit] for part, value, unit in
             re.findall(r"^\s+(50|90|99)%\s+([0-9.]+)(us|ms|s|m)$", said, re.MULTILINE)}  # fmt: skip
    wrong = re.findall(r"Non-2xx or 3xx responses: (\d+)", said)
    errors = re.findall(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    lost = int(wrong[0]) if wrong else 0
    return float(re.findall(r"Requests/sec:\s+([0-9.]+)", said)[0]), times, lost + sum(map(int, sum(errors, ())))


def _own(base: str, path: str, seconds: int) -> tuple[float, dict[str, float], int]:
    import uvloop

    where = urlsplit(base)
    request = f"GET {path} HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode()
    times: list[float] = []
    wrong = 0

    async def ask(until: float) -> None:
        nonlocal wrong
        reader, writer = await asyncio.open_connection("127.0.0.1", where.port)
        while time.perf_counter() < until:
            began = time.perf_counter()
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = re.search(rb"content-length: (\d+)", head)
            if length:
                await reader.readexactly(int(length[1]))
            else:
                while size := int(await reader.readline(), 16):
                    await reader.readexactly(size + 2)
                await reader.readline()
            wrong += b" 200 " not in head.split(b"\r\n")[0] + b" "
            times.append((time.perf_counter() - began) * 1000)
        writer.close()

    async def run() -> float:
        began = time.perf_counter()
        await asyncio.gather(*(ask(began + seconds) for _ in range(CONNECTIONS)))
        return time.perf_counter() - began

    took = uvloop.run(run())
    found = sorted(times)
    parts = {f"p{part}": found[min(len(found) - 1, len(found) * part // 100)] for part in (50, 90, 99)}
    return len(found) / took, parts, wrong
