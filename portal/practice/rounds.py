"""Rounds of practice: publish, take sealed bids, open them within a minute, and begin again.

docs/decisions/0023-practice-tender.md. A practice is a rehearsal (docs/contract.md, Demo hall): same pages, same
sealing, same release by six trustees and three witnesses, and a log whose origin says `/rehearsal`, so that nothing of
it can be taken for a real act. What is its own is the clock: once a visitor's bid is in, it lingers for a moment, so
that others may join and the receipt can be read, and then moves past the deadline and on until the record is there.
Two bidders of the example bid in every round, because the law wants three bids (E-51) and a visitor comes alone.
"""

from __future__ import annotations

import json
import logging
import shutil
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from crypto.terminal import Told, Unreachable
from portal import demo_clock, durations
from portal.demo import script
from portal.demo.cast import Cast
from portal.demo.hall_thread import HallThread
from portal.demo.stage import Stage
from portal.demo.stage_bids import Bidders
from portal.demo.watchers import Watchers
from portal.practice import round as round_
from portal.running import Running
from storage.world import Entropy, instant, stamp
from trading.calendar import CHINA
from trading.lifecycle import State

ROBOTS = ("01", "02")
LOOK_SECONDS = 0.5
TICK = timedelta(seconds=30)
OPENING_ROUNDS_MAX = 600
DAYS_OPEN = 25
PLAINTEXT_BYTES_MAX = 32 << 20
"""Anybody may hand in here, so a practice bid is small."""
BUSY = frozenset(one.value for one in (State.BIDDING, State.CLOSED, State.FROZEN, State.OPENING))
log = logging.getLogger("tradehall.practice")


class Rounds:
    """The rounds of one practice hall, in a thread of their own. `lot` is the one that takes bids now."""

    def __init__(self, cast: Cast, example: Path, address: str, hall: HallThread, *, entropy: Entropy) -> None:
        self._cast, self._example, self._address, self._hall = cast, example, address, hall
        self._watchers = Watchers(cast, address, entropy=entropy)
        self._tokens: Mapping[str, str] = {
            row["login"]: row["token"] for row in json.loads((cast.home / "accounts.json").read_text("utf-8"))
        }
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="practice", daemon=True)
        self.lot = ""
        self.number = 0

    def start(self) -> None:
        """Begin to look and to publish."""
        self._watchers.start(trustees=True)
        self._thread.start()

    def stop(self) -> None:
        """End after what is under way."""
        self._stop.set()
        self._thread.join()
        self._watchers.stop()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._round()
            except (Told, Unreachable, OSError):
                # A round that broke off is left as it is; the next one is a new tender.
                log.exception("a round of practice broke off")
                self._stop.wait(round_.LINGER_SECONDS)

    def _round(self) -> None:
        """One tender from its notice to its opening record."""
        self.number += 1
        now = self._hall.call(_now)
        example = rebased(self._example, self._cast.home / "rounds" / str(self.number), now=now)
        stage = Stage(
            self._cast,
            example,
            self._address,
            self._cast.home / "work" / str(self.number),
            self._tokens,
            _silent,
            now=now,
        )
        first = next(step for step in script.load(self._example) if step.does == "publish_tender")
        stage.publish_tender(first)
        bidders = Bidders(stage)
        for robot in ROBOTS:
            bidders.submit(script.Step(now, f"bidder:{robot}", "submit", None, None, {}))
        lot = stage.lot
        self._hall.call(lambda running: _keep(running, lot=lot, number=self.number))
        self.lot = lot
        if not self._until_somebody_bids(lot):
            return
        self._stop.wait(round_.LINGER_SECONDS)
        self._open(stage)
        shutil.rmtree(stage.work, ignore_errors=True)
        shutil.rmtree(example, ignore_errors=True)

    def _until_somebody_bids(self, lot: str) -> bool:
        robots = {self._cast.of(f"bidder:{robot}").uscc for robot in ROBOTS}
        while not self._stop.wait(LOOK_SECONDS):
            if self._hall.call(lambda running: _visitors(running, lot, robots)):
                return True
        return False

    def _open(self, stage: Stage) -> None:
        """Move the clock past the deadline and on, until the record is there. Nobody is hurried: a step is a step of
        the clock, and everybody looks in between."""
        lot = stage.anybody.get(f"/api/v1/lots/{stage.lot}")
        closing = instant(lot["deadline"]) + timedelta(seconds=lot["notice"]["settle_s"] + 1)
        ahead = closing - self._hall.call(_now)
        self._hall.call(lambda running: _move(running, max(ahead, TICK)))
        for _ in range(OPENING_ROUNDS_MAX):
            if self._stop.wait(LOOK_SECONDS):
                return
            state = stage.anybody.get(f"/api/v1/lots/{stage.lot}")["state"]
            if state not in BUSY:
                return
            self._hall.call(lambda running: _move(running, TICK))


def rebased(example: Path, into: Path, *, now: datetime) -> Path:
    """A copy of an example folder whose deadline lies DAYS_OPEN days from `now`, at half past nine in the morning."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    for name in ("documents", "bidders"):
        (into / name).symlink_to((example / name).resolve())
    document: dict[str, Any] = json.loads((example / "tender.json").read_text("utf-8"))
    day = (now + timedelta(days=DAYS_OPEN)).astimezone(CHINA)
    deadline = stamp(day.replace(hour=9, minute=30, second=0, microsecond=0))
    for name in ("documents_until", "deadline", "opening_at"):
        document["schedule"][name] = deadline
    document["sealing"]["plaintext_max"] = PLAINTEXT_BYTES_MAX
    document["notice"]["title"] = f"【练习】{document['notice']['title']}"
    document["lot"]["name"] = f"【练习】{document['lot']['name']}"
    (into / "tender.json").write_text(json.dumps(document, ensure_ascii=False), "utf-8")
    return into


async def _now(running: Running) -> datetime:
    return running.world.now()


async def _keep(running: Running, *, lot: str, number: int) -> None:
    await running.database.write(lambda unit: round_.begin(unit, lot=lot, number=number))


async def _move(running: Running, by: timedelta) -> None:
    await demo_clock.move(running, durations.iso(by))


async def _visitors(running: Running, lot: str, robots: set[str]) -> bool:
    rows = await running.database.read(lambda unit: unit.submission.find({"lot": lot}))
    return any(row["organisation"] not in robots for row in rows)


def _silent(at: datetime, zh: str, en: str) -> None:
    return None
