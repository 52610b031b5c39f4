"""What the tests of the command lines share: a rehearsal hall served over HTTP, its witnesses, a published tender."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bidding.client import bidder, trustee
from bidding.client.server import Server
from crypto.refusal import Refused
from crypto.terminal import Told as Terminal
from crypto.terminal import Unreachable
from portal import durations
from portal.demo import rehearsal
from portal.demo.cast import Cast
from portal.demo.hall_thread import HallThread
from portal.demo.script import Step
from portal.demo.stage import Stage
from portal.demo.watchers import witnesses
from portal.running import Running
from portal.settings import Settings
from storage.world import SeededEntropy, instant

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples" / "road-maintenance"
PASSPHRASE = "正确 马 电池 订书钉"


@dataclass(frozen=True)
class Told:
    """How a command line ended: exit code, the last line of its output as JSON, what it said."""

    code: int
    json: dict[str, Any]
    out: str
    err: str


def run(main: Callable[[Sequence[str]], int], *arguments: object) -> Told:
    """Run a command line in this process, as a shell would see it."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(each) for each in arguments])
        except SystemExit as ended:
            code = int(ended.code or 0)
    lines = out.getvalue().strip().splitlines()
    try:
        told = json.loads(lines[-1]) if lines else {}
    except ValueError:
        told = {}
    assert "Traceback" not in err.getvalue()
    return Told(code, told if isinstance(told, dict) else {}, out.getvalue(), err.getvalue())


@dataclass
class Town:
    """A hall at `url` with its people, one lot open for bids, and somebody's folder to work in."""

    url: str
    cast: Cast
    hall: HallThread
    stage: Stage
    work: Path

    @property
    def lot(self) -> str:
        return self.stage.lot

    def identity(self, number: str) -> Path:
        return self.cast.identity(self.cast.of(f"bidder:{number}"))

    def bidder(self, number: str, *arguments: object, url: str | None = None) -> Told:
        """tradehall-bidder as bidder NN, with --json."""
        return run(bidder.main, "--server", url or self.url, "--identity", self.identity(number), "--json", *arguments)

    def trustee(self, id_: str, *arguments: object) -> Told:
        folder = self.cast.home / "trustees" / id_
        return run(trustee.main, "--server", self.url, "--keys", folder, "--json", *arguments)

    def folder(self, number: str, name: str = "lot") -> Path:
        """A fetched folder with the example's bid in it."""
        folder = self.work / number / name
        told = self.bidder(number, "fetch", self.lot, folder)
        assert told.code == 0, told.err
        source = EXAMPLE / "bidders" / number
        shutil.rmtree(folder / "files")
        shutil.copytree(source / "files", folder / "files")
        shutil.copyfile(source / "bid.json", folder / "bid.json")
        return folder

    def sealed(self, number: str, name: str = "lot", *, version: int | None = None) -> Path:
        folder = self.folder(number, name)
        bid = folder.with_suffix(".bid")
        more = [] if version is None else ["--version", version]
        told = self.bidder(number, "seal", folder, "-o", bid, *more)
        assert told.code == 0, told.err
        return bid

    def advance(self, by: timedelta) -> datetime:
        told = Server(self.url).post("/api/v1/demo/clock", {"advance": durations.iso(by)})
        self.stage.now = instant(told["now"])
        return self.stage.now


class Looking:
    """The witnesses of a rehearsal, polled by a thread of their own until stopped."""

    def __init__(self, cast: Cast, url: str) -> None:
        self._witnesses = witnesses(cast, url)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            for witness in self._witnesses:
                with contextlib.suppress(Refused, Terminal, Unreachable, LookupError):
                    witness.poll()


@contextlib.contextmanager
def town(data: Path, work: Path, example: Path = EXAMPLE) -> Iterator[Town]:
    """A rehearsal hall in a thread of its own, with witnesses that poll, and the example's tender published."""
    kept: list[Cast] = []

    async def open_() -> Running:
        running, cast = await rehearsal.make(
            data, example, entropy=SeededEntropy(b"client"), flowing=True, settings=Settings()
        )
        kept.append(cast)
        return running

    hall = HallThread(open_)
    url = hall.start()
    cast = kept[0]
    tokens = {row["login"]: row["token"] for row in json.loads((cast.home / "accounts.json").read_text("utf-8"))}
    looking = Looking(cast, url)
    looking.start()
    try:
        stage = Stage(cast, example, url, work, tokens, lambda at, zh, en: None)
        stage.now = instant(Server(url).now())
        stage.publish_tender(Step(stage.now, "agent", "publish_tender", {}, None, None))
        yield Town(url, cast, hall, stage, work)
    finally:
        looking.stop()
        hall.stop()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """One town for a whole module; every test takes a bidder of its own."""
    home = tmp_path_factory.mktemp("town")
    with town(home / "hall", home / "work") as made:
        yield made


@pytest.fixture
def command() -> Callable[..., Told]:
    """Runs a command line: command(main, *arguments)."""
    return run


@pytest.fixture(autouse=True, scope="module")
def environment() -> Iterator[None]:
    """What the command lines take from the environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRADEHALL_PASSPHRASE", PASSPHRASE)
        patch.delenv("TRADEHALL_TOKEN", raising=False)
        patch.setenv("LANG", "en_US.UTF-8")
        patch.setenv("COLUMNS", "100")
        yield
