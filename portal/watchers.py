"""The witnesses and trustees of a rehearsal, run beside the hall as the programs they would be elsewhere.

They speak to the hall over HTTP only, with their own keys and folders; that one process plays them all is what makes
it a rehearsal.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from crypto.refusal import Refused
from crypto.terminal import Told, Unreachable
from portal.cast import WITNESSES, Cast
from supervision.log_links import HttpLog
from supervision.witness import Witness

POLL_SECONDS = 1.0
log = logging.getLogger("tradehall.rehearsal")


def witnesses(cast: Cast, url: str) -> Sequence[Witness]:
    """The three witnesses of a rehearsal, stamping by the hall's clock."""
    made = []
    for name, _ in WITNESSES:
        link = HttpLog(url)
        made.append(Witness.open(cast.home / "witnesses" / name, link=link, clock=link.hall_now))
    return made


class Watchers:
    """Polls everybody until stopped, in a thread of its own."""

    def __init__(self, cast: Cast, url: str) -> None:
        self._witnesses = witnesses(cast, url)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchers", daemon=True)

    def start(self) -> None:
        """Begin polling."""
        self._thread.start()

    def stop(self) -> None:
        """Stop polling and wait for the last look to end."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            self.poll()

    def poll(self) -> None:
        """One look by everybody; who cannot go on is logged and asked again."""
        for witness in self._witnesses:
            try:
                witness.poll()
            except (Refused, Told, Unreachable, LookupError) as error:
                log.info("witness %s waits: %s", witness.name, error)
