"""The main job through separate processes, on real servers, while things break; the tests follow each other.

No accepted bid lost, no receipt broken, no double effect: the bundle that the last test verifies is the one that all
faults before it had a hand in.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import httpx
import pytest

from bidding.client.server import Server
from crypto import trust
from crypto.verifier import __main__ as verifier
from portal.processes import settings
from storage import crash
from storage.unit import Unit
from storage.world import stamp
from tests.production.conftest import Played
from tests.production.hall import TRADEHALL

pytestmark = pytest.mark.production
ROOT = Path(__file__).resolve().parents[2]
SEQUENCER_POINTS = ("batch_read", "ledger_inserted", "checkpoint_signed", "checkpoint_inserted", "checkpoint_committed")


BIDS = (
    "SELECT count(*) FROM submission",
    "SELECT count(*) FROM withdrawal",
    "SELECT count(*) FROM upload",
    "SELECT count(*) FROM segment",
    "SELECT count(*) FROM event WHERE public = 0 AND kind IN ('submit', 'withdraw', 'upload', 'download')",
)
"""What must give nothing before the deadline, whoever asks without a bidder's live session."""
SUBMITTED = "SELECT id FROM upload WHERE state = 'submitted'"
TO_ERASER = {
    "SELECT count(*) FROM upload": f"SELECT count(*) FROM ({SUBMITTED}) AS bids",
    "SELECT count(*) FROM segment": f"SELECT count(*) FROM segment WHERE upload IN ({SUBMITTED})",
}
"""The eraser is shown what was begun seven days ago and never became a bid; of bids it is shown nothing either."""


def settings_of(played: Played, name: str) -> list[str]:
    return played.hall.plan(name).arguments


def test_the_tender_is_published_through_its_doors(played: Played) -> None:
    played.until("submit")
    assert played.stage.lot
    assert Server(played.hall.entries["public"]).get(f"/api/v1/lots/{played.stage.lot}")["state"] == "bidding"


def test_a_replica_killed_while_receiving_loses_no_accepted_bid(played: Played) -> None:
    stop = threading.Event()

    def kill_and_start() -> None:
        stop.wait(1.0)
        played.hall.kill("bidders-1")
        played.hall.start("bidders-1")

    killer = threading.Thread(target=kill_and_start)
    killer.start()
    played.take()
    killer.join()
    assert played.show.handed[-1]["status"] == "submitted"


def test_a_database_restarted_while_receiving_is_waited_for(played: Played) -> None:
    restarter = threading.Thread(target=lambda: (time.sleep(0.5), played.postgres.restart()))
    restarter.start()
    try:
        played.take()
    except Exception:
        # "Try again" is a true answer while the database is away; the same step is taken again, and counts once.
        restarter.join()
        played.take()
    restarter.join()
    for plan in played.hall.production.plans:
        played.hall.wait_ready(plan)
    assert played.show.handed[-1]["status"] == "submitted"
    assert len({(row["bidder"], row["version"]) for row in played.show.handed}) == len(played.show.handed)


def test_notices_wait_for_a_broker_that_is_away_and_come_once(played: Played) -> None:
    played.broker.stop()
    member = played.stage.cast.of("agent")
    deadline = Server(played.stage.url).get(f"/api/v1/lots/{played.stage.lot}")["deadline"]
    body: dict[str, Any] = {"lot": played.stage.lot, "text": {"zh": "说明", "en": "note"}, "affects_bids": False}
    server = played.stage.server(member)
    server.act("trading/amend", body, signer=played.stage.cast.signer(member), by=member.role.value)
    assert Server(played.stage.url).get(f"/api/v1/lots/{played.stage.lot}")["deadline"] == deadline
    time.sleep(3)
    played.broker.start()
    bidder = played.stage.cast.of("bidder:03")
    told: list[Any] = []
    until = time.monotonic() + 90
    while time.monotonic() < until:
        told = [row for row in played.stage.server(bidder).get("/api/v1/inbox") if row["what"] == "amendment"]
        if told:
            break
        time.sleep(0.5)
    assert len(told) == 1


@pytest.mark.parametrize("point", SEQUENCER_POINTS)
def test_a_sequencer_killed_at_a_point_goes_on_where_it_stood(played: Played, point: str) -> None:
    assert point in crash.POINTS
    if "sequencer" in played.hall.processes:
        played.hall.kill("sequencer", signal.SIGTERM)
    size = played.hall.sizes()[0]
    arguments = [sys.executable, "-m", "tests.production.crashing", settings_of(played, "sequencer")[-1], point]
    died = subprocess.run(arguments, cwd=ROOT, check=False, capture_output=True, timeout=120)
    assert died.returncode == 9, died.stderr.decode()[-2000:]
    played.hall.start("sequencer")
    until = time.monotonic() + 60
    while played.hall.sizes()[0] <= size and time.monotonic() < until:
        time.sleep(0.2)
    assert played.hall.sizes()[0] > size


def test_two_sequencers_by_mistake_do_not_fork_the_log(played: Played) -> None:
    port = played.hall.plan("eraser").listen or "127.0.0.1:0"
    other = subprocess.Popen(
        [str(TRADEHALL), *settings_of(played, "sequencer")],
        env={"TRADEHALL_INNER": port, "PATH": "/usr/bin:/bin"},
        stdout=subprocess.DEVNULL,
    )
    try:
        time.sleep(12)
        assert other.poll() is None
    finally:
        other.terminate()
        other.wait(60)
    rows = played.hall.ask(lambda unit: unit.checkpoint.find(order=("size",)))
    assert [row["previous"] for row in rows] == [0, *[row["size"] for row in rows][:-1]]
    count = played.hall.ask(lambda unit: unit.ledger.count())
    assert count == rows[-1]["size"]


def test_a_restored_sequencer_that_is_behind_its_witnesses_refuses_to_sign(played: Played) -> None:
    """An old checkpoint restored: the database as it was, the witnesses as they are."""
    old = played.postgres.copy_log(played.hall.owner_url, leaves=2)
    told = subprocess.run(
        [str(TRADEHALL), *settings_of(played, "sequencer")],
        env={"TRADEHALL_DATABASE_URL": old, "TRADEHALL_INNER": "127.0.0.1:0", "PATH": "/usr/bin:/bin"},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert told.returncode == 1
    assert "落后于见证人" in told.stderr


def test_before_the_deadline_no_credential_of_any_process_shows_who_bid(played: Played) -> None:
    """With each process's own password: no row of a bid or an upload, and no private act of a bidder."""
    assert played.hall.ask(lambda unit: unit.submission.count()) >= 2

    async def tried() -> None:
        for plan in played.hall.production.plans:
            connection = await asyncpg.connect(settings.read(plan.process, plan.settings, {}).database_url)
            for question in BIDS:
                asked = TO_ERASER.get(question, question) if plan.process == "eraser" else question
                try:
                    assert await connection.fetchval(asked) == 0, (plan.name, asked)
                except asyncpg.InsufficientPrivilegeError:
                    continue
            await connection.close()

    asyncio.run(tried())


def test_one_silent_witness_stops_nobody_and_is_told_to_supervision(played: Played) -> None:
    played.show.watchers.silent.add("notary")
    before = played.hall.sizes()[0]
    played.until("request_draw")
    assert all(row["status"] != "lost" for row in played.show.handed)
    until = time.monotonic() + 60
    while played.hall.sizes()[1] <= before and time.monotonic() < until:
        time.sleep(0.2)
    assert played.hall.sizes()[1] > before, "a quorum of two still cosigns"
    found: list[Any] = []
    while time.monotonic() < until and not any(row["body"]["witness"] == "notary" for row in found):
        found = played.hall.ask(lambda unit: unit.finding.find({"kind": "witness_silent"}))
        time.sleep(0.5)
    # The clock jumps days ahead here: a witness that a busy machine kept waiting at that moment is told of as well.
    assert "notary" in {row["body"]["witness"] for row in found}
    played.show.watchers.silent.clear()


def test_dead_jobs_are_seen_and_replayed(played: Played) -> None:
    operation = settings_of(played, "clockwork-operation")[-1]

    async def one(unit: Unit) -> None:
        rows = await unit.job.find({"state": "done"}, limit=1)
        dead = {**rows[0], "state": "dead", "body": {**rows[0]["body"], "error": "ValueError: planted"}}
        await unit.job.update(dead, expected_version=rows[0]["version"])

    played.hall.change(one)
    run = [str(TRADEHALL), "jobs", "list", "--settings", operation, "--json"]
    listed = json.loads(subprocess.run(run, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    assert [job["error"] for job in listed["dead"]] == ["ValueError: planted"]
    replay = [str(TRADEHALL), "jobs", "replay", "--settings", operation]
    subprocess.run(replay, check=True, capture_output=True)
    assert played.hall.ask(lambda unit: unit.job.count({"state": "dead"})) == 0


def test_a_door_that_ends_cuts_nobodys_request(played: Played) -> None:
    """One replica is asked to end: what it had begun to hear it hears to the end and answers; whoever asks through the
    proxy meanwhile notices nothing."""
    host, port = played.hall.plan("bidders-2").listen.split(":")
    begun = [socket.create_connection((host, int(port)), timeout=30) for _ in range(4)]
    form = b"login=nobody&password=nothing"
    head = f"POST /account/sign-in HTTP/1.1\r\nhost: {host}:{port}\r\nconnection: close\r\n"
    head += f"content-type: application/x-www-form-urlencoded\r\ncontent-length: {len(form)}\r\n\r\n"
    for line in begun:
        line.sendall(head.encode() + form[:9])
    answers: list[int] = []
    cut: list[httpx.HTTPError] = []
    over = threading.Event()

    def ask() -> None:
        with httpx.Client(trust_env=False, timeout=30) as client:
            while not over.is_set():
                try:
                    answers.append(client.get(f"{played.hall.entries['bidders']}/api/v1/inbox").status_code)
                except httpx.HTTPError as error:
                    cut.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    played.hall.processes["bidders-2"].send_signal(signal.SIGTERM)
    time.sleep(0.5)
    told = []
    for line in begun:
        line.sendall(form[9:])
        with line.makefile("rb") as heard:
            told.append(heard.read())
        line.close()
    played.hall.processes.pop("bidders-2").wait(60)
    over.set()
    for thread in threads:
        thread.join()
    # Refused, as nobody has that password: with the whole page, from the first line to the last.
    assert [(one[:13], one.strip()[-7:]) for one in told] == [(b"HTTP/1.1 422 ", b"</html>")] * len(begun)
    assert not cut and answers and set(answers) == {401}
    assert '"level": "error"' not in played.hall.log("bidders-2")
    played.hall.start("bidders-2")


def test_the_whole_tender_is_played_and_its_bundles_verify(played: Played) -> None:
    while played.steps:
        played.take()
    lot, stage = played.stage.lot, played.stage
    public, full = played.folder / "bundle.zip", played.folder / "bundle-full.zip"
    public.write_bytes(Server(stage.url).fetch(f"/api/v1/lots/{lot}/bundle"))
    with (
        full.open("wb") as file,
        stage.server(stage.cast.of("supervisor")).stream(f"/api/v1/lots/{lot}/bundle?view=full") as pieces,
    ):
        file.writelines(pieces)
    anchors = trust.load((played.hall.path / "hall" / "trust.json").read_bytes())
    for bundle in (public, full):
        judged = verifier.verify(bundle, anchors, rehearsal=True)
        assert judged.exit == 0, judged.to_json()
    rows = played.hall.ask(lambda unit: unit.submission.find({"lot": lot}))
    assert len(rows) == len([row for row in played.show.handed if row["status"] != "late"]), "no accepted bid is lost"
    events = played.hall.ask(lambda unit: unit.event.find({"lot": lot, "public": 1}, order=("seq",)))
    assert [row["seq"] for row in events] == list(range(len(events))), "no double effect"
    assert stamp(played.hall.now())


def test_logs_hold_no_secret_and_metrics_nothing_of_bids(played: Played) -> None:
    tokens = set(played.stage.tokens.values()) | set(played.hall.production.passwords.values())
    for plan in played.hall.production.plans:
        text = played.hall.log(plan.name)
        assert not [token for token in tokens if token in text], plan.name
        for line in text.splitlines():
            if not line.startswith("ready "):
                assert json.loads(line)["process"] == plan.process
    told = httpx.get(f"http://{played.hall.plan('bidders-1').inner}/metrics", trust_env=False).text
    assert "tradehall_requests_total{" not in told and "tradehall_request_seconds_count{" not in told
    assert played.hall.metric("public", "tradehall_requests_total") > 0
