"""Halls for pages in a browser: tests/examples/other-road is performed once, its folder copied at every stage, and
copies are served as often as tests ask.

A copy flows with the real seconds from where its stage stood; its witnesses and trustees look beside it, and its clock
moves by `advance`. HALL_STAGES names a folder in which the stages of an earlier run are kept and used again, for
whoever looks at pages all day; it is stale as soon as what made it changes.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx

from portal import durations
from portal.demo import rehearsal, script
from portal.demo.backstage import Beside, until_witnessed
from portal.demo.cast import Cast
from portal.demo.hall_thread import HallThread
from portal.demo.performance import Performance
from portal.demo.script import Step
from portal.demo.stage import Stage
from portal.demo.watchers import Watchers
from portal.practice import round as practice
from portal.running import Running
from portal.settings import Settings
from storage.world import RealWorld, SeededEntropy, instant

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "tests/examples/other-road"
PATIENCE = int(os.environ.get("TRADEHALL_PATIENCE", "1"))
"""How many times longer a test waits than on a quiet machine of two cores; what never comes still fails."""
STAGE_SECONDS_MAX = 300 * PATIENCE
WAIT_SECONDS_MAX = 60.0 * PATIENCE
CHALLENGED = timedelta(seconds=301)
OPENING_LOOKS = 8
OPENING_PATIENCE_SECONDS = 15.0 * PATIENCE
DONE = "done"
LOCK = "playing"
BUSY = 75
SNAPSHOT_TRIES = 10
T = TypeVar("T")

STAGES: Mapping[str, tuple[str, str]] = {
    "empty": ("before", "publish_tender"),
    "published": ("after", "publish_tender"),
    "submitted": ("after", "submit"),
    "before_deadline": ("after", "run_draw"),
    "opened": ("before", "sign_in"),
    "evaluating": ("after", "sign_in"),
    "locked": ("after", "lock_sheet"),
    "report": ("after", "sign_report"),
    "reviewed": ("after", "review_report"),
    "publicity": ("after", "publicise"),
    "awardable": ("before", "award"),
    "awarded": ("after", "award"),
    "contracted": ("after", "file_contract"),
}
"""Stage → when, and the step of tests/examples/other-road/script.json (the last one of its kind):

empty no tender yet · published open for bids · submitted five bids are in · before_deadline and the experts' draw is
closed · opened prices are public, the panel has not come · evaluating the panel signed in, no sheet locked · locked
scores are shown · report it is signed · reviewed by the owner · publicity of the candidates · awardable publicity is
over · awarded · contracted."""


@dataclass
class Account:
    """One row of accounts.json."""

    role: str
    organisation: str
    name: str
    login: str
    password: str
    token: str
    identity: Path | None


@dataclass
class Hall:
    """A served copy of a stage. `who` gives an account by its part in the script: owner, agent, centre, supervisor,
    bidder:01 … bidder:05, expert:…"""

    url: str
    data: Path
    lot: str
    thread: HallThread
    watchers: Watchers
    cast: Cast
    accounts: Mapping[str, Account]

    def who(self, part: str) -> Account:
        """The account that plays a part."""
        return self.accounts[self.cast.of(part).login]

    def now(self) -> datetime:
        """The hall's clock."""
        told = httpx.get(f"{self.url}/api/v1/demo/clock", trust_env=False).json()
        return instant(told["now"])

    def advance(self, by: timedelta) -> None:
        """Move the hall's clock forward."""
        body = {"advance": durations.iso(by)}
        answer = httpx.post(f"{self.url}/api/v1/demo/clock", json=body, trust_env=False, timeout=30 * PATIENCE)
        assert answer.status_code == 200, answer.text

    def move_to(self, at: datetime) -> None:
        """Move the hall's clock forward to an instant."""
        if at > (now := self.now()):
            self.advance(at - now)

    def state(self) -> str:
        """The tender's state."""
        return str(self.get(f"/api/v1/lots/{self.lot}")["state"])

    def get(self, path: str, who: str = "") -> Any:
        """What the API answers, to nobody or to a part of the script."""
        headers = {"authorization": f"Bearer {self.who(who).token}"} if who else {}
        return httpx.get(self.url + path, headers=headers, trust_env=False, timeout=30 * PATIENCE).json()

    def until(self, reached: Callable[[], bool]) -> None:
        """Wait until something is so; the hall works by itself meanwhile."""
        end = time.monotonic() + WAIT_SECONDS_MAX
        while not reached():
            assert time.monotonic() < end, "it did not come about"
            time.sleep(0.1)

    def until_state(self, *states: str) -> None:
        """Wait until the tender is in one of these states."""
        self.until(lambda: self.state() in states)

    def until_witnessed(self) -> None:
        """Wait until the witnesses have signed what the log has now: the time to compare runs from their signature."""
        assert until_witnessed(Beside(self.thread), seconds_max=WAIT_SECONDS_MAX)

    def open_bids(self) -> None:
        """Go on from the freeze: it is witnessed, the time to challenge it passes, the trustees release. A clock that
        ran ahead of the witnesses must go on, so it does until the bids are open."""
        for _ in range(OPENING_LOOKS):
            self.until_witnessed()
            self.advance(CHALLENGED)
            end = time.monotonic() + OPENING_PATIENCE_SECONDS
            while time.monotonic() < end:
                if self.state() == "opened":
                    return
                time.sleep(0.1)
        raise AssertionError(f"the bids are not open: {self.state()}")

    def call(self, act: Callable[[Running], Awaitable[T]]) -> T:
        """Run `act(running)` in the hall's own loop."""
        return self.thread.call(act)

    def close(self) -> None:
        """End the witnesses and trustees, then the hall."""
        self.watchers.stop()
        self.thread.stop()


class Stages:
    """The stages, made in a process of their own as soon as the first is asked for; `at` waits for the one it wants.

    Several test processes may share one `home`: whoever comes first lets the performance play, all of them wait.
    """

    def __init__(self, home: Path, *, shared: bool = False) -> None:
        self.home = Path(os.environ.get("HALL_STAGES") or home)
        self._shared = shared
        self._process: subprocess.Popen[bytes] | None = None

    def at(self, stage: str) -> Path:
        """The folder of a stage, not to be opened itself."""
        kept = self.home / stage
        end = time.monotonic() + STAGE_SECONDS_MAX
        while not (kept / DONE).exists():
            if self._process is None and not playing(self.home):
                command = [sys.executable, "-m", "tests.browser.halls", str(self.home)]
                self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            if self._process is not None and self._process.poll() is not None and not (kept / DONE).exists():
                assert self._process.stderr is not None, "asked for"
                told = self._process.stderr.read().decode()[-3000:]
                assert self._process.returncode == BUSY, f"the performance ended: {told}"
                self._process = None
            assert time.monotonic() < end, f"the stage {stage} is not reached"
            time.sleep(0.05)
        return kept

    def close(self) -> None:
        """End a performance that still goes on, unless another test process may wait for its stages."""
        if self._process is not None and self._process.poll() is None:
            if not self._shared:
                self._process.kill()
            self._process.wait()

    def open(self, stage: str, into: Path, *, watched: bool = True, practising: bool = False) -> Hall:
        """Serve a fresh copy of a stage; without `watched` nobody witnesses and no trustee looks. `practising`: as a
        practice hall whose round is the stage's own tender."""
        shutil.copytree(self.at(stage), into, ignore=shutil.ignore_patterns(DONE))
        if practising:
            (into / "demo" / practice.MARK).touch()
        casts: list[Cast] = []

        async def open_() -> Running:
            running, cast = await rehearsal.reopen(into, entropy=RealWorld().entropy, settings=Settings())
            casts.append(cast)
            return running

        thread = HallThread(open_)
        url = thread.start()
        cast = casts[0]
        watchers = Watchers(cast, url, entropy=RealWorld().entropy)
        if watched:
            watchers.start(trustees=True)
        lots = httpx.get(f"{url}/api/v1/lots", trust_env=False).json()
        if practising:
            thread.call(lambda running: begin_practice(running, lots[0]["lot"]))
        return Hall(url, into, lots[0]["lot"] if lots else "", thread, watchers, cast, accounts(into))


async def begin_practice(running: Running, lot: str) -> None:
    """Let this tender be the practice's first round."""
    await running.database.write(lambda unit: practice.begin(unit, lot=lot, number=1))


def playing(home: Path) -> bool:
    """Whether a process performs into this folder now."""
    if not (home / LOCK).exists():
        return False
    with (home / LOCK).open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def perform(home: Path) -> None:
    """Perform the example and leave every stage under `home`; ends with BUSY where somebody else does."""
    home.mkdir(parents=True, exist_ok=True)
    held = (home / LOCK).open("w")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(BUSY)
    work = home / "performance"
    shutil.rmtree(work, ignore_errors=True)
    casts: list[Cast] = []

    async def open_() -> Running:
        running, cast = await rehearsal.make(
            work / "hall", EXAMPLE, entropy=SeededEntropy("pages"), flowing=False, settings=Settings()
        )
        casts.append(cast)
        return running

    steps = script.load(EXAMPLE)
    last = {step.does: number for number, step in enumerate(steps)}
    hall = HallThread(open_)
    url = hall.start()
    try:
        tokens = {login: one.token for login, one in accounts(work / "hall").items()}
        stage = Stage(casts[0], EXAMPLE, url, work / "work", tokens, lambda at, zh, en: None)
        show = Performance(stage, Beside(hall), steps, entropy=SeededEntropy("pages people"))

        def seen(when: str, step: Step) -> None:
            for name, (wanted, does) in STAGES.items():
                if (when, step.does) == (wanted, does) and steps.index(step) == last[does]:
                    snapshot(work / "hall", home / name)

        show.play(seen=seen)
    finally:
        hall.stop()


def snapshot(hall: Path, into: Path) -> None:
    """Copy the folder of a hall that is running: what witnesses saw first, the database after it, so that no witness of
    the copy is ahead of it. A tile that a witness replaces meanwhile is gone when its turn comes: then all is copied
    again."""
    for left in reversed(range(SNAPSHOT_TRIES)):
        shutil.rmtree(into, ignore_errors=True)
        try:
            shutil.copytree(hall, into, ignore=shutil.ignore_patterns("hall.db*", "lock", "*.new"))
            break
        except shutil.Error:
            if not left:
                raise
    with (
        contextlib.closing(sqlite3.connect(hall / "hall.db")) as there,
        contextlib.closing(sqlite3.connect(into / "hall.db")) as here,
    ):
        there.backup(here)
    (into / DONE).touch()


def accounts(data: Path) -> dict[str, Account]:
    """Everybody of a rehearsal's folder by login, with the folder's own identities."""
    rows = json.loads((data / "demo" / "accounts.json").read_text("utf-8"))
    found = {}
    for row in rows:
        identity = data / "demo" / "identities" / Path(row["identity"]).name if row["identity"] else None
        found[row["login"]] = Account(**{**row, "identity": identity})
    return found


if __name__ == "__main__":
    perform(Path(sys.argv[1]))
