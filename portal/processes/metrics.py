"""Numbers for Prometheus on the inner port: how a process does, and nothing of a tender before its deadline.

Counted are requests by kind of route and status class, jobs, errands, and the log's size, which grows at a constant
rate while a tender takes bids (cover leaves). Requests of bidders (uploads, submissions, withdrawals, downloads) are
not counted at all, nor anything of the process that serves them: their number would tell how many bid (E-20, E-39).
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SILENT = ("/api/v1/bidding/", "/api/v1/trading/download", "/api/v1/trading/ask", "/api/v1/trading/object",
          "/api/v1/trading/enrol", "/api/v1/inbox")  # fmt: skip
"""Requests under these are not counted at all: while bids are taken their number is a bidder's secret."""
QUIET_PROCESSES = frozenset({"bidders"})
"""Processes whose requests are not counted whatever their address, nor their time, memory excepted."""


def tells_of_bids(process: str, path: str) -> bool:
    """Whether the number of such requests is a bidder's secret while bids are taken."""
    return process in QUIET_PROCESSES or path.startswith(SILENT)


class Metrics:
    """The registry of one process."""

    def __init__(self, process: str) -> None:
        self.registry = CollectorRegistry()
        self.process = process
        self._requests = Counter(
            "tradehall_requests", "requests answered", ["process", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "tradehall_request_seconds", "time to the end of the answer", ["process"], registry=self.registry
        )
        self.ready = Gauge(
            "tradehall_ready", "1 while the process can do its work", ["process"], registry=self.registry
        )
        self.turns = Counter("tradehall_turns", "turns of a worker", ["process", "worker"], registry=self.registry)
        self.failures = Counter(
            "tradehall_worker_failures", "turns that failed", ["process", "worker"], registry=self.registry
        )
        self.ledger_size = Gauge("tradehall_ledger_size", "leaves in the log", ["process"], registry=self.registry)

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count a request, unless its number would tell of bids."""
        if tells_of_bids(self.process, path):
            return
        self._requests.labels(self.process, f"{status // 100}xx").inc()
        self._seconds.labels(self.process).observe(seconds)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
