"""A hall served from a thread of its own, for whoever drives it from outside: the demo, and tests of whole tenders."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from portal import serve
from portal.running import Running

T = TypeVar("T")
START_SECONDS_MAX = 180.0


class ServingThread(abc.ABC):
    """A thread that serves something on a free port until `stop`. Who inherits opens it in `_opened`."""

    def __init__(self, *, port: int = 0) -> None:
        self.port = port or free_port()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._started: Future[str] = Future()
        self._thread = threading.Thread(target=self._main, name="hall", daemon=True)

    def start(self) -> str:
        """Start serving; returns the address. Raises what opening and serving raise."""
        self._thread.start()
        return self._started.result(timeout=START_SECONDS_MAX)

    def stop(self) -> None:
        """Stop gently and wait for the end."""
        if self._loop is not None and self._ending is not None:
            self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()

    @abc.abstractmethod
    def _opened(self) -> contextlib.AbstractAsyncContextManager[str]:
        """Opens and serves; gives the address."""

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def _serve(self) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        async with self._opened() as address:
            self._started.set_result(address)
            await self._ending.wait()


class HallThread(ServingThread):
    """Serves one hall until `stop`. `call` runs a coroutine function in the hall's own loop and waits for it."""

    def __init__(self, open_: Callable[[], Awaitable[Running]], *, port: int = 0) -> None:
        super().__init__(port=port)
        self._open = open_
        self.running: Running | None = None

    def call(self, act: Callable[[Running], Awaitable[T]]) -> T:
        """Run `act(running)` in the hall's loop and return its result."""
        assert self._loop is not None and self.running is not None, "started"
        running = self.running

        async def run() -> T:
            return await act(running)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    @contextlib.asynccontextmanager
    async def _opened(self) -> AsyncIterator[str]:
        self.running = await self._open()
        async with serve.serving(self.running, host="localhost", port=self.port) as address:
            yield address


def free_port() -> int:
    """A port of the loopback interface that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: Any = probe.getsockname()[1]
    return int(port)
