"""The witnesses and trustees of a rehearsal, run beside the hall as the programs they would be elsewhere.

They speak to the hall over HTTP only, with their own keys and folders; that one process plays them all is what makes
it a rehearsal.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence

from bidding.client import keys
from bidding.client.agent import Agent, Machine, Report
from bidding.client.server import Server
from crypto import release
from crypto.refusal import Refused
from crypto.terminal import Told, Unreachable
from portal.demo.cast import WITNESSES, Cast
from storage.world import Entropy
from supervision.log_links import HttpLog
from supervision.witness import Witness

WITNESS_SECONDS = 0.4
TRUSTEE_SECONDS = 1.0
PATIENCE_SECONDS = 3.0
log = logging.getLogger("tradehall.rehearsal")


def witnesses(cast: Cast, url: str) -> Sequence[Witness]:
    """The three witnesses of a rehearsal, stamping by the hall's clock."""
    made = []
    for name, _ in WITNESSES:
        link = HttpLog(url)
        made.append(Witness.open(cast.home / "witnesses" / name, link=link, clock=link.hall_now))
    return made


def agents(cast: Cast, url: str, *, entropy: Entropy, machines: Mapping[str, Machine]) -> Sequence[Agent]:
    """The six trustees' agents; `machines` gives a trustee of this id another machine than the honest one."""
    return [
        Agent(
            Server(url, device="tradehall-trustee"),
            keys.load(cast.trustee_home(seat)),
            entropy=entropy,
            machine=machines.get(seat.id, release.next_step),
        )
        for seat in cast.trustees
    ]


class Watchers:
    """Witnesses and trustees, each group in a thread of its own; the demo asks the trustees itself, step by step.

    `absent` trustees and `silent` witnesses are not asked. `reports` holds what each trustee said last.
    """

    def __init__(
        self, cast: Cast, url: str, *, entropy: Entropy, machines: Mapping[str, Machine] | None = None
    ) -> None:
        self._witnesses = witnesses(cast, url)
        self._agents = agents(cast, url, entropy=entropy, machines=machines or {})
        self.absent: set[str] = set()
        self.silent: set[str] = set()
        self.reports: dict[str, Report] = {}
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, *, trustees: bool) -> None:
        """Begin to look: the witnesses, and with `trustees` the trustees too."""
        looks: list[tuple[str, Callable[[], object], float]] = [("witnesses", self.witness, WITNESS_SECONDS)]
        looks += [("trustees", self.poll, TRUSTEE_SECONDS)] if trustees else []
        for name, look, every in looks:
            thread = threading.Thread(target=self._again, args=(look, every), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Stop looking and wait for the last look to end."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def poll(self) -> bool:
        """One look by the trustees; True if one said something. Who cannot go on is logged and asked again."""
        said = False
        for agent in self._agents:
            if agent.id in self.absent:
                continue
            try:
                for report in agent.turn(patience_s=PATIENCE_SECONDS):
                    said |= report.said
                    self.reports[agent.id] = report
            except (Refused, Told, Unreachable) as error:
                log.info("trustee %s waits: %s", agent.id, error)
        return said

    def witness(self) -> None:
        """One look by the witnesses."""
        for witness in self._witnesses:
            if witness.name in self.silent:
                continue
            try:
                witness.poll()
            except (Refused, Told, Unreachable, LookupError) as error:
                log.info("witness %s waits: %s", witness.name, error)

    def _again(self, look: Callable[[], object], every: float) -> None:
        while not self._stop.wait(every):
            look()
