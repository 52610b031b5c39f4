"""Bidders on the stage: each runs tradehall-bidder in a folder of its own, as it would at home.

What a script calls garbage is made here and nowhere else: a lawful header around a body that opens to nothing.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bidding.client import bidder, bidfile
from crypto import terminal
from crypto.terminal import Told, Unreachable
from portal.demo import mischief
from portal.demo.cast import Member
from portal.demo.script import Step
from portal.demo.stage import Stage

PASSPHRASE = "rehearsal passphrase, not a secret"
PIECE = 1 << 20


class Bidders:
    """The bidders of one performance."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.handed: list[dict[str, Any]] = []
        passphrase = stage.work / "passphrase"
        passphrase.parent.mkdir(parents=True, exist_ok=True)
        passphrase.write_text(PASSPHRASE, "utf-8")
        self._passphrase = passphrase

    def download(self, step: Step) -> None:
        """Take the documents: `tradehall-bidder fetch`."""
        self._fetch(step)
        self._stage.narrate(
            self._stage.now,
            "一名潜在投标人下载招标文件(谁、多少,任何人不得而知)",
            "a bidder downloads; who, nobody learns",
        )

    def submit(self, step: Step) -> None:
        """Seal and hand in: `check`, `seal`, `submit`."""
        self.hand_in(step, self.sealed(step))

    def sealed(self, step: Step) -> Path:
        """The file that is handed in: `check`, `seal`."""
        member = self._stage.bidder(step)
        folder = self._prepare(step)
        sealed = folder.with_suffix(".bid")
        self._run(member, "check", str(folder))
        self._run(member, "seal", str(folder), "-o", str(sealed), "--passphrase-file", str(self._passphrase))
        garbage = step.fields.get("garbage")
        if garbage is not None:
            identity = self._stage.cast.identity(member)
            mischief.spoil(sealed, identity, envelope=garbage["envelope"], how=garbage["how"])
        return sealed

    def hand_in(self, step: Step, sealed: Path) -> None:
        """Hand a sealed file in: `submit`, once it is known what it is."""
        file = bidfile.read(sealed)
        row = {"bidder": step.number, "version": file.version, "bid": file.bid_id.hex(), "status": "late"}
        self.handed.append(row)
        told = self._run(self._stage.bidder(step), "submit", str(sealed))
        for earlier in self.handed:
            if earlier["bidder"] == step.number and earlier["status"] == "submitted":
                earlier["status"] = "replaced"
        row["status"] = "submitted"
        self._stage.narrate(
            self._stage.now,
            f"收到一份密封投标,回执已核验(账本第 {told.get('index', '—')} 号)",
            f"a sealed bid is received; its receipt verifies (leaf {told.get('index', '—')})",
        )

    def withdraw(self, step: Step) -> None:
        """Withdraw the highest version, and by it every earlier one."""
        self._run(self._stage.bidder(step), "withdraw", self._stage.lot)
        for row in self.handed:
            if row["bidder"] == step.number and row["status"] == "submitted":
                row["status"] = "withdrawn"
        self._stage.narrate(self._stage.now, "一名投标人在截止前撤回投标", "a bidder withdraws before the deadline")

    def _fetch(self, step: Step) -> Path:
        folder = self._stage.work / step.number / "lot"
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._run(self._stage.bidder(step), "fetch", self._stage.lot, str(folder))
        return folder

    def _prepare(self, step: Step) -> Path:
        """A folder for this version: fetched anew, so that every clarification is in it, with the bid's own files."""
        source = self._stage.example / str(step.fields.get("folder", f"bidders/{step.number}"))
        fetched = self._fetch(step)
        folder = self._stage.work / step.number / source.name
        if folder.exists():
            shutil.rmtree(folder)
        shutil.copytree(fetched, folder)
        shutil.rmtree(folder / "files", ignore_errors=True)
        shutil.copytree(source / "files", folder / "files")
        shutil.copyfile(source / "bid.json", folder / "bid.json")
        grow = step.fields.get("grow")
        if grow is not None:
            _grow(folder / "files" / grow["file"], grow["bytes"])
        return folder

    def _run(self, member: Member, *arguments: str) -> dict[str, Any]:
        identity = self._stage.cast.identity(member)
        return run(bidder.main, ["--server", self._stage.url, "--identity", str(identity), "--json", *arguments])


def run(main: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> dict[str, Any]:
    """Run a command line in this process; its last line of output as JSON. Raises Told or Unreachable as it exits."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments)
    lines = out.getvalue().strip().splitlines()
    told: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    if code == terminal.DONE:
        return told
    if code == terminal.REFUSED and "refused" in told:
        raise Told({"code": told["refused"], "rule": told.get("rule"), "message": told["message"]})
    raise Unreachable(f"{' '.join(arguments[5:])}: {code} {err.getvalue().strip()}")


def _grow(path: Path, size: int) -> None:
    """Repeat a file's own content until it has `size` bytes."""
    content = path.read_bytes()
    block = content * max(1, PIECE // len(content))
    with path.open("wb") as file:
        left = size
        while left:
            piece = block[:left]
            file.write(piece)
            left -= len(piece)
