"""dramatiq, as the messenger of the job table: it carries ids, in process or through Redis or RabbitMQ.

What it loses the sweep finds again in the table; what it repeats finds its job done. Never a delay of dramatiq's own
for anything legal: when a job is due stands in its row. Embedded, the worker threads hand each job to the loop of the
process they live in, where the database is.
Whoever controls the broker can delay jobs until the next sweep; they learn random ids and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from urllib.parse import urlsplit

import dramatiq
from dramatiq.brokers.stub import StubBroker

from crypto.refusal import Refused
from storage import crash
from storage.outbox import Outbox
from storage.world import World

QUEUE = "jobs"
log = logging.getLogger("tradehall.broker")
WORKER_THREADS = 4
SWEEP_SECONDS = 1.0
RESEND_SECONDS = 30.0


def open_broker(url: str = "") -> dramatiq.Broker:
    """The broker at `url`: "" in process, `redis://…`, or `amqp://…`. Refuses `broker_unknown`."""
    match urlsplit(url).scheme:
        case "":
            return StubBroker(middleware=[])
        case "redis" | "rediss":
            from dramatiq.brokers.redis import RedisBroker

            redis: dramatiq.Broker = RedisBroker(url=url, middleware=[])  # type: ignore[no-untyped-call]
            return redis
        case "amqp" | "amqps":
            from dramatiq.brokers.rabbitmq import RabbitmqBroker

            return RabbitmqBroker(url=url, middleware=[], confirm_delivery=True)
        case other:
            raise Refused("broker_unknown", scheme=other)


class Courier:
    """Sends ids to the broker, and performs in this process those that come back."""

    def __init__(
        self,
        outbox: Outbox,
        *,
        world: World,
        broker: dramatiq.Broker,
        queue: str = QUEUE,
        hook: crash.Hook = crash.never,
    ) -> None:
        self._outbox = outbox
        self._world = world
        self._broker = broker
        self._hook = hook
        self._sent: dict[str, float] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._worker: dramatiq.Worker | None = None
        self._actor = dramatiq.actor(actor_name=f"perform_{queue}", queue_name=queue, broker=broker)(self._perform)

    async def send(self, ids: Sequence[str]) -> None:
        """Hands ids to the broker; give it to Database.after_commit. A broker that is away is the sweep's business."""
        for id in ids:
            self._sent[id] = self._world.monotonic()
        try:
            await asyncio.to_thread(self._send_all, list(ids))
        except Exception as error:
            # Each broker's client has errors of its own; whatever it was, the rows are there and the sweep finds them.
            log.warning("the broker did not take %d jobs: %s", len(ids), type(error).__name__)
            for id in ids:
                self._sent.pop(id, None)
        self._hook(crash.Point.JOB_SENT)

    async def send_soon(self, ids: Sequence[str]) -> None:
        """Like `send`, but nobody waits for the broker: a request is answered while the broker is away."""
        task = asyncio.create_task(self.send(ids))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def start(self, *, threads: int = WORKER_THREADS) -> None:
        """Begins to perform jobs on the loop that is running now."""
        assert self._worker is None, "started once"
        self._loop = asyncio.get_running_loop()
        self._worker = dramatiq.Worker(self._broker, worker_threads=threads, worker_timeout=100)
        await asyncio.to_thread(self._worker.start)

    async def stop(self) -> None:
        """Lets the jobs under way end and stops the threads; the loop keeps serving them meanwhile."""
        if self._worker is not None:
            await asyncio.to_thread(self._worker.stop)
            self._worker = None

    async def sweep(self) -> int:
        """Sends every job that is due and was not sent lately; how many."""
        now = self._world.monotonic()
        self._sent = {id: at for id, at in self._sent.items() if now - at < RESEND_SECONDS}
        ids = [id for id in await self._outbox.due() if id not in self._sent]
        await self.send(ids)
        return len(ids)

    async def run(self, stop: asyncio.Event) -> None:
        """Sweeps every second until `stop` is set: a restart loses nothing, what is due is a query."""
        while not stop.is_set():
            await self.sweep()
            try:
                await asyncio.wait_for(stop.wait(), SWEEP_SECONDS)
            except TimeoutError:
                continue

    def _send_all(self, ids: list[str]) -> None:
        for id in ids:
            self._actor.send(id)

    def _perform(self, id: str) -> None:
        assert self._loop is not None, "a worker runs beside a loop"
        asyncio.run_coroutine_threadsafe(self._outbox.perform(id), self._loop).result()
        # Whatever came of it stands in the row, which may be due again soon.
        self._sent.pop(id, None)
