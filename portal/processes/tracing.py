"""Traces for whoever runs an OpenTelemetry collector: how long requests take. Off unless a setting names a collector.

A span says process, method, status class and the number under which the request stands in the log; no address, no
visitor, no lot. Requests whose number would tell of bids leave no span at all (metrics.py has the same list), nor do
workers, whose turns have work when bids come (E-20, E-39). What a visitor says about traces of its own is not believed.

Whoever controls the collector learns when requests come that tell nothing of bids; they learn nothing of a tender.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from portal.processes import metrics
from portal.rooms import VERSION

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

    from storage.world import World

EXPORT_SECONDS_MAX = 5
Ended = Callable[[int, float], None]
"""Told the status of an answer and how many seconds it took."""


def _nothing(status: int, seconds: float) -> None:
    return None


class Traces:
    """The spans of one process; without a collector it makes none, and the library that would is not loaded."""

    def __init__(self, process: str, url: str, world: World) -> None:
        self._process, self._world = process, world
        self._provider = _provider(process, url) if url else None
        self._tracer = self._provider.get_tracer("tradehall", VERSION) if self._provider else None

    def request(self, method: str, path: str, request: str) -> Ended:
        """A request that begins now; what is returned ends it."""
        if self._tracer is None or metrics.tells_of_bids(self._process, path):
            return _nothing
        began = int(self._world.wall().timestamp() * 1e9)
        told = {"tradehall.process": self._process, "http.request.method": method, "tradehall.request": request}
        span = self._tracer.start_span(self._process, attributes=told, start_time=began)

        def ended(status: int, seconds: float) -> None:
            span.set_attribute("http.response.status_class", f"{status // 100}xx")
            span.end(began + int(seconds * 1e9))

        return ended

    async def close(self) -> None:
        """Send what is left; a collector that is away is not waited for long."""
        if self._provider is not None:
            await asyncio.to_thread(self._provider.shutdown)


def _provider(process: str, url: str) -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON

    # Not Resource.create: it would add what the environment says of the machine.
    resource = Resource({"service.name": f"tradehall-{process}", "service.version": VERSION})
    provider = TracerProvider(resource=resource, sampler=ALWAYS_ON, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=url, timeout=EXPORT_SECONDS_MAX, headers={})
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider
