"""`make production-local`: a rehearsal's production hall on loopback, until Ctrl-C.

python -m tests.production.local FOLDER      settings, logs, keys and data under FOLDER; begun afresh every time
"""

from __future__ import annotations

import shutil
import sys
import threading
from pathlib import Path

from portal.demo.watchers import Watchers
from storage.world import RealWorld
from tests.production import servers
from tests.production.hall import production


def main(folder: Path) -> int:
    """Start everything, say where it is, and wait."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    postgres, broker = servers.Postgres(folder / "postgres"), servers.Valkey(folder / "valkey")
    try:
        with (
            servers.seaweed(folder / "seaweed") as blobs,
            production(
                folder / "hall", owner_url=postgres.fresh(), blobs=blobs, broker_url=broker.url, seed="local"
            ) as hall,
        ):
            hall.start()
            watchers = Watchers(hall.cast, hall.entries["trustees"], entropy=RealWorld().entropy)
            watchers.start(trustees=True)
            for entry, address in hall.secure.items():
                print(f"{entry:<10} {address}")
            print(f"certificate of all of them, made now and signed by nobody else: {hall.certificate}")
            print(f"accounts   {hall.cast.home / 'accounts.json'}\nready; Ctrl-C ends everything", flush=True)
            try:
                threading.Event().wait()
            except KeyboardInterrupt:
                watchers.stop()
    finally:
        broker.stop()
        postgres.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
