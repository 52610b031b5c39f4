"""A store away, silent or slow, a full disk, a clock that steps, a replica that slept: on the hall of all tests here.

What is handed in here are first versions; the tender is played afterwards with later ones, and the bundle that is
verified at its end holds both. Every bidder here is the program it would be at home: it verified its receipt when it
says *submitted*.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import httpx
import pytest

from bidding.client import bidfile, submitting
from bidding.client.server import Server
from crypto import trust
from crypto.terminal import Unreachable
from portal.demo.script import Step
from portal.processes import stores
from portal.settings import s3_store
from storage.blobs import FREE_BYTES_MIN
from storage.s3 import READ_SECONDS, S3Blobs
from storage.world import instant
from tests.production import line, servers
from tests.production.conftest import Played
from tests.production.hall import TRADEHALL

pytestmark = pytest.mark.production
HOUR = timedelta(hours=1)
UPLOADS = "/api/v1/bidding/uploads"
ROOM = 8 << 20
"""What the small disk takes before a door refuses uploads."""
INODES = 40
FULL = """
CREATE FUNCTION planted_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER planted_full BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION planted_full();
"""
EMPTIED = "DROP TRIGGER planted_full ON event; DROP FUNCTION planted_full();"


@pytest.fixture(scope="module")
def hall(played: Played) -> Iterator[Played]:
    """The hall with a tender that takes bids; afterwards nothing accepted is lost and nothing is there twice."""
    if not played.stage.lot:
        played.until("submit")
    yield played
    handed = played.show.handed
    assert handed and {row["status"] for row in handed} <= {"submitted", "replaced"}
    rows = played.hall.ask(lambda unit: unit.submission.find({"lot": played.stage.lot}))
    assert sorted(row["body"]["bid"] for row in rows) == sorted(row["bid"] for row in handed)
    uploads = played.hall.ask(lambda unit: unit.upload.find({"state": "submitted"}))
    store = S3Blobs(s3_store(played.weed.url_of(stores.ADMINISTRATOR)))

    async def sizes() -> list[int | None]:
        return [await store.size(leaf) for row in uploads for leaf in row["body"]["leaves"]]

    assert all(asyncio.run(sizes()))


async def owned(hall: Played, script: str) -> None:
    """Run a script as the owner of the tables."""
    owner = await asyncpg.connect(hall.hall.owner_url)
    await owner.execute(script)
    await owner.close()


def sealed(hall: Played, who: str) -> tuple[Step, Path]:
    """A bid of this bidder in a sealed file, made at home."""
    step = Step(hall.hall.now(), who, "submit", None, None)
    file = hall.show.bidders.sealed(step)
    aside = hall.stage.work / f"{step.number} of the faults {len(hall.show.handed)}"
    file.parent.rename(aside)  # The script's own bids find an empty folder.
    return step, aside / file.name


def door(hall: Played, who: str, address: str) -> Server:
    return Server(address, token=hall.stage.tokens[hall.stage.cast.of(who).login])


def listening(hall: Played, name: str) -> str:
    return f"http://{hall.hall.plan(name).listen}"


def handed_at(hall: Played, address: str, step: Step, file: Path) -> submitting.Handed:
    """Hand in at one door and not at the proxy; the receipt is verified under the hall's own anchors."""
    anchors = trust.load((hall.hall.path / "hall" / "trust.json").read_bytes())
    done = submitting.submit(door(hall, step.who, address), file, anchors)
    bid = bidfile.read(file)
    row = {"bidder": step.number, "version": bid.version, "bid": bid.bid_id.hex(), "status": "submitted"}
    if row["bid"] not in {one["bid"] for one in hall.show.handed}:
        for earlier in hall.show.handed:
            if earlier["bidder"] == step.number:
                earlier["status"] = "replaced"
        hall.show.handed.append(row)
    return done


def count(hall: Played) -> int:
    return hall.hall.ask(lambda unit: unit.submission.count())


def begun(hall: Played, server: Server, file: Path) -> str:
    """The id of an upload that is announced, of which nothing is there."""
    bid = bidfile.read(file)
    first = bid.envelopes[0]
    told = server.post(UPLOADS, {"lot": bid.lot, "size": first.size, "leaves": [leaf.hex() for leaf in first.leaves]})
    return str(told["id"])


def asked(hall: Played, who: str, method: str, url: str, data: bytes | None = None) -> httpx.Response:
    token = hall.stage.tokens[hall.stage.cast.of(who).login]
    headers = {"authorization": f"Bearer {token}"}
    return httpx.request(method, url, content=data, headers=headers, timeout=60, trust_env=False)


def busy_in_words(answer: httpx.Response) -> bool:
    told = answer.json()
    return (
        (answer.status_code, told["code"]) == (503, "busy_try_again")
        and "重试" in told["message"]["zh"]
        and "try again" in told["message"]["en"]
    )


def health(hall: Played) -> dict[str, Any]:
    told: dict[str, Any] = httpx.get(f"{hall.hall.entries['public']}/health", timeout=30, trust_env=False).json()
    return told


def test_a_store_that_is_away_is_told_in_words_and_the_bid_goes_on_when_it_is_back(hall: Played) -> None:
    step, file = sealed(hall, "bidder:01")
    before = count(hall)
    hall.store.breaks(line.REFUSES)
    try:
        with pytest.raises(Unreachable) as told:
            hall.show.bidders.hand_in(step, file)
        hall.show.handed.pop()
        assert "请稍后再次运行同一命令" in str(told.value) and "run the same command again" in str(told.value)
        open_ = hall.hall.ask(lambda unit: unit.upload.find({"state": "open"}))
        assert busy_in_words(asked(hall, step.who, "GET", f"{hall.stage.url}{UPLOADS}/{open_[0]['id']}"))
        assert count(hall) == before
        hall.store.breaks(line.ANSWERS_503)
        threading.Timer(1.5, hall.store.mend).start()
        hall.show.bidders.hand_in(step, file)
    finally:
        hall.store.mend()
    assert hall.show.handed[-1]["status"] == "submitted" and count(hall) == before + 1


def test_a_silent_store_keeps_nobody_from_anything_else_and_a_slow_one_only_takes_longer(hall: Played) -> None:
    """More questions wait for the store than a process has threads; what needs no store is answered meanwhile."""
    step, file = sealed(hall, "bidder:03")
    address = listening(hall, "bidders-1")
    id_ = begun(hall, door(hall, step.who, address), file)
    given = hall.show.handed[-1]
    earlier = next(hall.stage.work.glob(f"{given['bidder']} of the faults */*.bid"))
    answers: list[tuple[float, bool]] = []

    def ask() -> None:
        began = time.monotonic()
        answer = asked(hall, step.who, "GET", f"{address}{UPLOADS}/{id_}")
        answers.append((time.monotonic() - began, busy_in_words(answer)))

    hall.store.breaks(line.SILENT)
    try:
        threads = [threading.Thread(target=ask) for _ in range(12)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        before, began = count(hall), time.monotonic()
        # A bid whose segments are there, handed in again as after a cut line: answered, and counted once.
        body = resubmitted(earlier, hall)
        again = door(hall, f"bidder:{given['bidder']}", address).verb("bidding/submit", body)
        assert again["events"] and count(hall) == before
        assert not answers, "the questions to the store still wait"
        assert time.monotonic() - began < READ_SECONDS
        for thread in threads:
            thread.join()
        assert len(answers) == 12 and all(said for _, said in answers)
        assert max(seconds for seconds, _ in answers) < 3 * READ_SECONDS
        hall.store.breaks("", delay=0.5)
        hall.show.bidders.hand_in(step, file)
    finally:
        hall.store.mend()
    assert hall.show.handed[-1]["status"] == "submitted"


def resubmitted(file: Path, hall: Played) -> dict[str, Any]:
    """The submission of a sealed file as its program posted it."""
    bid = bidfile.read(file)
    rows = hall.hall.ask(lambda unit: unit.submission.find({"lot": bid.lot}))
    return {
        name: value
        for row in rows
        if row["body"]["bid"] == bid.bid_id.hex()
        for name, value in row["body"].items()
        if name in ("headers", "signature", "salt", "certificate", "uploads")
    }


@contextlib.contextmanager
def small_disk(hall: Played) -> Iterator[tuple[str, Path]]:
    """One more replica of the bidders' door that keeps segments in a folder on a small disk of its own, in a mount
    namespace that ends with it; its address, and the disk as it sees it."""
    listen, inner = servers.free_ports(2)
    folder = hall.folder / "small"
    folder.mkdir()
    mount = f"mount -t tmpfs -o size={FREE_BYTES_MIN + ROOM},nr_inodes={INODES} tmpfs {folder}"
    alone = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    run: Sequence[str] = [str(TRADEHALL), "bidders", "--settings", str(hall.hall.plan("bidders-1").settings)]
    told = {name: value for name, value in os.environ.items() if not name.startswith("TRADEHALL_")}
    told |= {
        "TRADEHALL_BLOBS_URL": str(folder),
        "TRADEHALL_LISTEN": f"127.0.0.1:{listen}",
        "TRADEHALL_INNER": f"127.0.0.1:{inner}",
    }
    log = hall.folder / "small.log"
    with servers.running([*alone, "sh", "-c", f'{mount} && exec "$@"', "sh", *run], log, environment=told) as process:
        until = time.monotonic() + 60
        while servers_status(inner) != 200:
            assert process.poll() is None and time.monotonic() < until, log.read_text()[-2000:]
            time.sleep(0.2)
        yield f"http://127.0.0.1:{listen}", Path(f"/proc/{process.pid}/root{folder}")


def servers_status(port: int) -> int:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/ready", timeout=10, trust_env=False).status_code
    except httpx.HTTPError:
        return 0


def test_a_full_disk_of_segments_refuses_uploads_in_words_and_takes_submissions(hall: Played) -> None:
    given = hall.show.handed[-1]
    step, file = sealed(hall, "bidder:07")
    bid = bidfile.read(file)
    with file.open("rb") as stream:
        data = bid.segment(stream, bid.envelopes[0], 0)
    with small_disk(hall) as (address, disk):
        put = f"{address}{UPLOADS}/{begun(hall, door(hall, step.who, address), file)}/0"

        def full() -> None:
            answer = asked(hall, step.who, "PUT", put, data)
            told = answer.json()
            assert (answer.status_code, told["code"]) == (507, "store_full"), answer.text
            assert "请稍后再传" in told["message"]["zh"] and "Try again later" in told["message"]["en"]

        # Near the end of its bytes: uploads are refused, submissions, which are small, are not.
        (disk / "ballast").write_bytes(bytes(ROOM))
        full()
        before = count(hall)
        earlier = next(hall.stage.work.glob(f"{given['bidder']} of the faults */*.bid"))
        again = door(hall, f"bidder:{given['bidder']}", address).verb("bidding/submit", resubmitted(earlier, hall))
        assert again["events"] and count(hall) == before
        # And at its very end, when the system itself says that there is no space left on the device.
        (disk / "ballast").unlink()
        with contextlib.suppress(OSError):
            for number in range(INODES):
                (disk / f"ballast {number}").touch()
        full()
        for left in disk.glob("ballast*"):
            left.unlink()
        assert asked(hall, step.who, "PUT", put, data).status_code == 200, "by itself, once there is room"
    # The door's word that the segment is there is the small disk's, so this upload is left and dropped after its days.


def test_a_database_without_space_is_told_as_busy_and_gone_on_from(hall: Played) -> None:
    step, file = sealed(hall, "bidder:05")
    before = count(hall)
    asyncio.run(owned(hall, FULL))
    emptied = threading.Timer(1.5, lambda: asyncio.run(owned(hall, EMPTIED)))
    try:
        with pytest.raises(Unreachable, match="nothing was changed; try again"):
            begun(hall, door(hall, step.who, hall.stage.url), file)
        assert count(hall) == before
    finally:
        emptied.start()
    hall.show.bidders.hand_in(step, file)
    emptied.join()
    assert hall.show.handed[-1]["status"] == "submitted" and count(hall) == before + 1


def test_a_replica_that_slept_while_others_took_bids_knows_what_they_took(hall: Played) -> None:
    """It sleeps with a request in its hand and its connections die meanwhile; it does not act on what it knew."""
    step, file = sealed(hall, "bidder:07")
    before = count(hall)
    sleeper, awake = listening(hall, "bidders-2"), listening(hall, "bidders-1")
    process = hall.hall.processes["bidders-2"]
    late: list[submitting.Handed] = []
    process.send_signal(signal.SIGSTOP)
    try:
        first = handed_at(hall, awake, step, file)
        # The same bid once more, as after a cut line, to the one that sleeps.
        other = threading.Thread(target=lambda: late.append(handed_at(hall, sleeper, step, file)))
        other.start()
        hall.postgres.restart()
    finally:
        process.send_signal(signal.SIGCONT)
    other.join(60)
    for plan in hall.hall.production.plans:
        hall.hall.wait_ready(plan)
    assert first.proved is not None and late and late[0].event == first.event
    assert count(hall) == before + 1
    own = [door(hall, step.who, at).get(f"/api/v1/bidding/lots/{hall.stage.lot}/own") for at in (sleeper, awake)]
    assert own[0] == own[1]


def test_a_clock_that_steps_an_hour_ahead_and_is_put_right_loses_no_bid(hall: Played) -> None:
    """The rehearsal's shared clock stands for the machine's. Whoever runs never goes back; a replica that is started
    after the clock was put right is an hour behind the others, and what it takes has its place in the log all the same.
    """
    clock = hall.hall.path / "clock"
    right = int(clock.read_text("ascii"))
    first, one = sealed(hall, "bidder:03")
    second, two = sealed(hall, "bidder:05")

    def step_to(milliseconds: int) -> None:
        beside = clock.with_name("clock.stepped")
        beside.write_text(str(milliseconds), "ascii")
        beside.replace(clock)

    def now() -> datetime:
        return instant(health(hall)["now"])

    began = now()
    step_to(right + HOUR // timedelta(milliseconds=1))
    assert now() >= began + HOUR
    hall.show.bidders.hand_in(first, one)
    step_to(right)
    assert now() >= began + HOUR, "nobody who runs goes back"
    for name in ("bidders-2", "sequencer"):
        hall.hall.kill(name, signal.SIGTERM)
    hall.hall.start("bidders-2", "sequencer")
    done = handed_at(hall, listening(hall, "bidders-2"), second, two)
    assert done.proved is not None, "its place in the log is proved"
    rows = hall.hall.ask(lambda unit: unit.submission.find({"lot": hall.stage.lot}, order=("-received_at",)))
    assert instant(rows[0]["received_at"]) - began >= HOUR
    behind = next(row for row in rows if row["body"]["bid"] == bidfile.read(two).bid_id.hex())
    assert instant(behind["received_at"]) < began + HOUR
    assert health(hall)["status"] == "ok"
    heads = hall.hall.ask(lambda unit: unit.checkpoint.find(order=("size",)))
    assert [row["previous"] for row in heads] == [0, *[row["size"] for row in heads][:-1]]
