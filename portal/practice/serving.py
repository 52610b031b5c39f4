"""`tradehall practice`: a practice hall for itself, made anew at every start, on the loopback interface.

docs/decisions/0023-practice-tender.md. A real hall names it by TRADEHALL_PRACTICE_URL and shares nothing with it: no
database, no key, no log, no account. A reverse proxy on the same machine gives it a host name of its own.

Whoever runs it holds every key of it, trustees' too, and says so on every page: it proves nothing, it teaches.
"""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crypto.refusal import Refused
from portal import folder
from portal.demo import rehearsal
from portal.demo.cast import Cast
from portal.demo.hall_thread import HallThread
from portal.practice.round import MARK
from portal.practice.rounds import Rounds
from portal.running import Running
from portal.settings import Settings
from storage.world import RealWorld


@contextmanager
def serving(data: Path, example: Path, *, port: int = 0) -> Iterator[tuple[str, Rounds]]:
    """Serve a fresh practice hall until the block ends; yields its address and its rounds.

    Raises Refused: practice_folder_taken (the folder holds something else), port_taken."""
    home, entropy = data / "hall", RealWorld().entropy
    if home.exists() and not (home / "demo" / MARK).exists():
        raise Refused("practice_folder_taken", folder=str(data))
    shutil.rmtree(home, ignore_errors=True)
    casts: list[Cast] = []

    async def open_() -> Running:
        running, cast = await rehearsal.make(home, example, entropy=entropy, flowing=True, settings=Settings())
        folder.write(running.folder.demo / MARK, b"")
        casts.append(cast)
        return running

    thread = HallThread(open_, port=port)
    address = thread.start()
    try:
        rounds = Rounds(casts[0], example, address, thread, entropy=entropy)
        rounds.start()
        try:
            yield address, rounds
        finally:
            rounds.stop()
    finally:
        thread.stop()


def until_signal() -> None:
    """Wait for SIGINT or SIGTERM in the main thread."""
    asked = threading.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: asked.set())
    while not asked.wait(1.0):
        pass
