"""How a witness reaches the log: over HTTP, or in the same process (demo halls only).

A link carries bytes and believes nothing; what it brings is verified by the witness. `fetch` gives a file below /log
and raises LookupError where there is none; silence and "busy" are Unreachable (exit code 3).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar

import httpx

from crypto.ledger import note, tiles
from crypto.refusal import Refused
from crypto.terminal import Told, Unreachable
from storage.ledger import Ledger
from storage.world import instant

TIMEOUT_SECONDS: Final = 30.0
FILE_BYTES_MAX: Final = tiles.WIDTH * (2 + tiles.ENTRY_BYTES_MAX)
"""An entry bundle of the longest leaves; every other file of a log is smaller."""
NEAR_SECONDS_MAX: Final = 30.0

T = TypeVar("T")


class Link(Protocol):
    """One log, as a witness needs it."""

    def fetch(self, path: str) -> bytes:
        """The file at `path` below /log. Raises LookupError, Unreachable, Refused("log_file_too_large")."""
        ...

    def post(self, line: str) -> None:
        """Hand in one cosignature line. Raises Told or Refused when the log does not take it, Unreachable."""
        ...


class HttpLog:
    """The log of the hall at `url`. Not for use by several threads at once."""

    def __init__(self, url: str, *, http: httpx.Client | None = None) -> None:
        self._url = url.rstrip("/")
        self._http = http or httpx.Client(
            timeout=TIMEOUT_SECONDS, trust_env=False, headers={"user-agent": "tradehall-witness"}
        )

    def fetch(self, path: str) -> bytes:
        return self._get(f"/log/{path}")

    def post(self, line: str) -> None:
        try:
            response = self._http.post(f"{self._url}/log/cosignature", content=line.encode())
        except httpx.HTTPError as error:
            raise self._silent(error) from error
        self._check(response.status_code, response)

    def hall_now(self) -> datetime:
        """The hall's clock, for a rehearsal only (contract: Demo hall)."""
        try:
            response = self._http.get(f"{self._url}/health")
            return instant(response.json()["now"])
        except httpx.HTTPError as error:
            raise self._silent(error) from error
        except (ValueError, KeyError, TypeError) as error:
            raise Unreachable(f"{self._url}: /health tells no time") from error

    def _get(self, path: str) -> bytes:
        try:
            with self._http.stream("GET", self._url + path) as response:
                data = bytearray()
                for block in response.iter_bytes():
                    data += block
                    if len(data) > FILE_BYTES_MAX:
                        raise Refused("log_file_too_large", path=path, bytes_max=FILE_BYTES_MAX)
        except httpx.HTTPError as error:
            raise self._silent(error) from error
        if response.status_code == 404 or (response.status_code == 422 and path.endswith("/checkpoint")):
            raise LookupError(path)
        self._check(response.status_code, httpx.Response(response.status_code, content=bytes(data)))
        return bytes(data)

    def _check(self, status: int, response: httpx.Response) -> None:
        if status < 400:
            return
        try:
            problem = response.json()
        except ValueError:
            problem = None
        if status < 500 and isinstance(problem, dict) and "code" in problem:
            raise Told(problem)
        raise Unreachable(f"{self._url}: HTTP {status}")

    def _silent(self, error: Exception) -> Unreachable:
        return Unreachable(f"{self._url}: {error or type(error).__name__}")


class NearLog:
    """The log of a hall in this process, asked from another thread than that of its loop."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        witnesses: Iterable[note.Witness],
        clock: Callable[[], datetime],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._ledger = ledger
        self._witnesses = tuple(witnesses)
        self._clock = clock
        self._loop = loop

    def fetch(self, path: str) -> bytes:
        data = self._ask(self._read(path))
        if data is None:
            raise LookupError(path)
        return data

    def post(self, line: str) -> None:
        self._ask(self._ledger.cosign(line, witnesses=self._witnesses, now=self._clock()))

    async def _read(self, path: str) -> bytes | None:
        if path == "checkpoint":
            head = await self._ledger.head()
            return head.note.encode() if head else None
        return await self._ledger.tile(path)

    def _ask(self, asked: Coroutine[Any, Any, T]) -> T:
        try:
            return asyncio.run_coroutine_threadsafe(asked, self._loop).result(NEAR_SECONDS_MAX)
        except TimeoutError as error:
            raise Unreachable("the hall's loop does not answer") from error
