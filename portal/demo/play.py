"""`tradehall demo`: one whole tender from a folder, played, bundled, verified, forged, reported (contract: Files).

Two rehearsals are played side by side: the one that is told, and the same folder with other keys, which becomes the
sixth forgery. Everything that is written can be judged by somebody else with tradehall-verify.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from bidding.client.server import Server
from crypto import jcs, trust
from crypto.refusal import Refused
from crypto.verifier import __main__ as verifier
from crypto.verifier import archive
from portal import exports
from portal import folder as folders
from portal.demo import forgeries, rehearsal, report_page, script
from portal.demo.backstage import Beside
from portal.demo.cast import Cast
from portal.demo.forgeries import Forgery
from portal.demo.hall_thread import HallThread
from portal.demo.performance import Performance
from portal.demo.stage import Stage
from portal.running import Running
from portal.settings import Settings
from storage.world import SeededEntropy, stamp
from trading.calendar import CHINA

Tell = Callable[[str, str], None]
OTHER_KEYS = "06.zip"
OTHER_KEYS_SECONDS_MAX = 600.0


class Played:
    """A finished rehearsal: where it lies, its lot, what was handed in, what was told."""

    def __init__(self, home: Path, cast: Cast) -> None:
        self.home = home
        self.cast = cast
        self.lot = ""
        self.handed: list[dict[str, Any]] = []
        self.story: list[dict[str, str]] = []


def play(example: Path, home: Path, *, seed: int, tell: Tell, grow: bool = True) -> Played:
    """Play a folder in a fresh hall under `home` and leave bundle.zip, bundle-full.zip and trust.json there."""
    if home.exists():
        shutil.rmtree(home)
    casts: list[Cast] = []
    entropy = SeededEntropy(f"demo {seed}")

    async def open_hall() -> Running:
        running, cast = await rehearsal.make(
            home / "hall", example, entropy=entropy, flowing=False, settings=Settings()
        )
        casts.append(cast)
        return running

    steps = script.load(example)
    if not grow:
        steps = [script.without(step, "grow") for step in steps]
    hall = HallThread(open_hall)
    url = hall.start()
    try:
        played = Played(home, casts[0])

        def narrate(at: datetime, zh: str, en: str) -> None:
            played.story.append({"at": stamp(at), "zh": zh, "en": en})
            tell(f"{at.astimezone(CHINA):%m-%d %H:%M} {zh}", f"{at.astimezone(CHINA):%m-%d %H:%M} {en}")

        accounts = json.loads((home / "hall" / "demo" / "accounts.json").read_text("utf-8"))
        tokens = {row["login"]: row["token"] for row in accounts}
        stage = Stage(casts[0], example, url, home / "work", tokens, narrate)
        show = Performance(stage, Beside(hall), steps, entropy=SeededEntropy(f"demo people {seed}"))
        show.play()
        played.lot, played.handed = stage.lot, show.handed
        _download(stage, home)
    finally:
        hall.stop()
    shutil.copyfile(home / "hall" / "trust.json", home / "trust.json")
    shutil.rmtree(home / "work")
    return played


def run(example: Path, out: Path, *, seed: int, tell: Tell) -> Mapping[str, Any]:
    """The whole demo; returns report.json. Raises what a step refuses; a result that does not verify is told."""
    started = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    other = _other_keys(example, out, seed + 1)
    try:
        played = play(example, out / "rehearsal", seed=seed, tell=tell)
        for name in ("bundle.zip", "bundle-full.zip", "trust.json"):
            shutil.move(played.home / name, out / name)
        folders.write(out / "draw.json", exports.draw(out / "bundle.zip"))
        folders.write(out / "scores.json", exports.scores(out / "bundle.zip"))
        tell("核验公开卷宗", "verifying the public bundle")
        anchors = trust.load((out / "trust.json").read_bytes())
        judged = verifier.verify(out / "bundle.zip", anchors, rehearsal=True)
        forged = out / "forged"
        shutil.rmtree(forged, ignore_errors=True)
        forged.mkdir()
        hall = folders.load(out / "rehearsal" / "hall")
        made = forgeries.make(out / "bundle.zip", out / "bundle-full.zip", cast=played.cast, folder=hall, out=forged)
        _wait(other)
        shutil.move(out / "other" / "bundle.zip", forged / OTHER_KEYS)
    finally:
        if other.poll() is None:
            other.kill()
    shutil.rmtree(out / "other", ignore_errors=True)
    made.append(Forgery(forged / OTHER_KEYS, 1, "整个项目用另一套密钥重做", "the whole tender re-made with other keys"))
    report = _report(out, played, judged, [_judge(one, anchors) for one in made])
    report["seconds"] = round(time.monotonic() - started, 1)
    folders.write(out / "report.json", (json.dumps(report, ensure_ascii=False, indent=1) + "\n").encode())
    names = {member.part.partition(":")[2]: member.organisation for member in played.cast.members if ":" in member.part}
    command = f"tradehall-verify {out}/bundle.zip --trust {out}/trust.json --rehearsal"
    title = json.loads((example / "tender.json").read_text("utf-8"))["lot"]["name"]
    page = report_page.render(report, narrative=played.story, title=title, names=names, command=command)
    folders.write(out / "report.html", page.encode())
    return report


def _download(stage: Stage, home: Path) -> None:
    """Both bundles, as anybody and as the supervisor get them."""
    path = f"/api/v1/lots/{stage.lot}/bundle"
    folders.write(home / "bundle.zip", Server(stage.url).fetch(path))
    supervisor = stage.server(stage.cast.of("supervisor"))
    with (home / "bundle-full.zip").open("wb") as file, supervisor.stream(f"{path}?view=full") as pieces:
        file.writelines(pieces)


def _report(out: Path, played: Played, judged: verifier.Report, forged: list[dict[str, Any]]) -> dict[str, Any]:
    read = archive.read(out / "bundle.zip")
    lines = [jcs.loads(line)["act"] for line in read.read("log/acts.jsonl").splitlines()]
    acts = {act["kind"]: act for act in lines}

    def named(name: str) -> Any:
        return jcs.loads(read.read(f"objects/{name}"))

    numbers = {row["bid"]: row["bidder"] for row in played.handed}
    verdicts = {row["bid"]: row for row in named(acts["verdict"]["verdicts_hash"])}
    record = {row["bid"]: row for row in named(acts["opened"]["record_hash"])}
    result = named(acts["scores_locked"]["scores_hash"])["result"]
    seats = json.loads((out / "draw.json").read_bytes())["result"]["seats"]
    unmasking = jcs.loads(archive.read(out / "bundle-full.zip").read("private/unmasking.json"))
    experts = {row["masked"]: row["expert"] for row in unmasking}
    return {
        "lot": played.lot,
        "opening": sorted(
            (_row(row, verdicts, record) for row in played.handed), key=lambda row: (row["bidder"], row["version"])
        ),
        "benchmark": result.get("base"),
        "draw": {
            "panel": [experts[seat["masked"]] for seat in seats],
            "replaced": [
                {"out": experts[act["out"]], "in": experts[act["in"]], "why": act["why"]}
                for act in lines
                if act["kind"] == "recusal"
            ],
        },
        "ranking": [
            {"rank": rank, "bidder": numbers[bid], "total": result["totals"][bid]}
            for rank, bid in enumerate(result["ranking"], start=1)
        ],
        "awarded_to": numbers[acts["award"]["bid"]],
        "verify": {
            "exit": judged.exit,
            "checks": [{name: row[name] for name in ("id", "name", "result")} for row in _rows(judged)],
        },
        "forgeries": forged,
    }


def _row(row: Mapping[str, Any], verdicts: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """One version handed in: what became of it."""
    status = row["status"]
    if status == "submitted":
        verdict = verdicts[row["bid"]]["verdict"]
        status = "opened" if verdict == "valid" else verdict
    price = record[row["bid"]]["price_fen"] if status == "opened" else None
    return {"bidder": row["bidder"], "version": row["version"], "status": status, "price_fen": price}


def _judge(forgery: Forgery, anchors: trust.Trust) -> dict[str, Any]:
    """What the verifier says of a forgery."""
    judged = verifier.verify(forgery.file, anchors, rehearsal=True)
    first: Mapping[str, Any] = next((row for row in _rows(judged) if row["result"] == "failed"), {})
    return {
        "file": f"forged/{forgery.file.name}",
        "exit": judged.exit,
        "expected_check": forgery.expected_check,
        "found_check": first.get("id"),
        "event": first.get("event"),
        "culprit": first.get("culprit"),
    }


def _rows(judged: verifier.Report) -> list[dict[str, Any]]:
    """The numbered checks as plain values."""
    rows: list[dict[str, Any]] = judged.to_json()["checks"]
    return rows


def _other_keys(example: Path, out: Path, seed: int) -> subprocess.Popen[bytes]:
    """Play the same folder with other keys in a process of its own."""
    arguments = [sys.executable, "-m", "portal.demo.play", str(example), str(out / "other"), str(seed)]
    return subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _wait(other: subprocess.Popen[bytes]) -> None:
    _, errors = other.communicate(timeout=OTHER_KEYS_SECONDS_MAX)
    if other.returncode != 0:
        raise Refused("second_rehearsal_failed", why=errors.decode("utf-8", "replace")[-400:])


def main(arguments: Sequence[str]) -> int:
    """Play one folder silently: what the sixth forgery is made of. The attachment is not grown."""
    example, home, seed = arguments
    play(Path(example), Path(home), seed=int(seed), tell=lambda zh, en: None, grow=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
