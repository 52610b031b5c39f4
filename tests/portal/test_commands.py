"""The command `tradehall`: exit codes 0, 1, 2 and 3, one JSON object as the last line, `ready http://localhost:PORT`.

Run as processes of their own, as a clerk or a service manager would, but for what ends before it begins.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from portal import commands
from portal.demo.hall_thread import free_port

if TYPE_CHECKING:
    from tests.portal.halls import Hall

pytestmark = pytest.mark.servers

TRADEHALL = Path(sys.executable).with_name("tradehall")
USCC = "12139900259796191P"
INIT = ("init", "--hall", "青岚市公共资源交易中心", "--uscc", USCC, "--region", "139900")
START_SECONDS_MAX = 120.0


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code, its last line as JSON (None without output), standard error."""

    exit: int
    told: dict[str, Any] | None
    err: str


def tradehall(*arguments: Any, json_: bool = True, **environment: str) -> Ended:
    """Run one command to its end."""
    command = [str(TRADEHALL), *map(str, arguments), *(["--json"] if json_ else [])]
    env = {**{name: value for name, value in os.environ.items() if not name.startswith("TRADEHALL_")}, **environment}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=env, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    lines = done.stdout.strip().splitlines()
    return Ended(done.returncode, json.loads(lines[-1]) if lines and json_ else None, done.stderr)


def at_once(*arguments: str) -> Ended:
    """Run one command in this process: for what ends before it begins."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = commands.main(arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
    lines = out.getvalue().strip().splitlines()
    return Ended(code, json.loads(lines[-1]) if lines else None, err.getvalue())


def expect_refused(ended: Ended, exit_: int, code: str | None = None) -> None:
    """The shape of every refusal (contract: Commands)."""
    assert ended.exit == exit_, ended
    assert ended.err.strip(), "the reason stands on standard error"
    assert ended.told is not None and set(ended.told) == {"refused", "rule", "message"}, ended
    assert set(ended.told["message"]) == {"zh", "en"}
    assert code is None or ended.told["refused"] == code


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a real hall, made by `tradehall init`."""
    data = tmp_path_factory.mktemp("real") / "data"
    ended = tradehall(*INIT, "--data", data)
    assert ended.exit == 0 and ended.told is not None and ended.told["data"] == str(data)
    assert ended.told["log_key"].startswith(f"tradehall/{USCC}")
    return data


def test_init_makes_a_hall_without_demo_accounts_and_with_private_keys(made: Path) -> None:
    assert not (made / "demo").exists()
    assert {path.name for path in (made / "keys").iterdir()} == {"log.pem", "duty.pem", "room.pem", "verifier.pem"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in (made / "keys").iterdir())
    card = json.loads((made / "hall.json").read_text("utf-8"))
    assert not card["origin"].endswith("/rehearsal")


def test_init_refuses_a_second_hall_and_a_wrong_code(made: Path, tmp_path: Path) -> None:
    expect_refused(tradehall(*INIT, "--data", made), 1, "hall_exists")
    wrong = [USCC[:-1] + "Q" if part == USCC else part for part in INIT]
    expect_refused(tradehall(*wrong, "--data", tmp_path / "x"), 1)
    assert not (tmp_path / "x" / "hall.json").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("no-such-command",),
        ("init",),
        ("root", "--keys", "x", "make"),
        ("serve",),
        ("serve", "--data", "x", "--port", "many"),
        ("clock", "backwards"),
        ("clock", "advance"),
        ("bundle",),
        ("bundle", "L", "--view", "secret", "-o", "x"),
        ("serve", "--dat", "x"),
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...]) -> None:
    ended = at_once(*arguments)
    assert ended.exit == 2 and ended.err.strip(), ended


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_refusal_is_a_sentence_in_the_language_asked_for(made: Path, lang: str) -> None:
    ended = tradehall(*INIT, "--data", made, "--lang", lang, json_=False)
    assert ended.exit == 1
    assert ("已经有一个" in ended.err) == (lang == "zh"), ended.err


@pytest.mark.parametrize(
    "arguments", [("clock", "show"), ("clock", "advance", "1d"), ("bundle", "L", "-o", "nowhere.zip")], ids=" ".join
)
def test_a_server_that_does_not_answer_ends_with_3(arguments: tuple[str, ...], tmp_path: Path) -> None:
    named = [str(tmp_path / each) if each.endswith(".zip") else each for each in arguments]
    asked = at_once(*named, "--server", f"http://localhost:{free_port()}", "--json")
    expect_refused(asked, 3, "server_unreachable")
    assert not list(tmp_path.glob("*.zip")), "nothing half made is left under the name asked for"


def test_serving_refuses_a_folder_that_is_no_hall_or_whose_anchors_nobody_confirmed(made: Path, tmp_path: Path) -> None:
    expect_refused(tradehall("serve", "--data", tmp_path / "nothing", "--port", free_port()), 1, "hall_missing")
    swapped = tmp_path / "swapped"
    shutil.copytree(made, swapped)
    (swapped / "trust.json").write_text("{}", "utf-8")
    expect_refused(tradehall("serve", "--data", swapped, "--port", free_port()), 1)
    over = tmp_path / "over"
    shutil.copytree(made, over)
    (over / "first-run.json").unlink()
    expect_refused(tradehall("serve", "--data", over, "--port", free_port()), 1, "hall_without_anchors")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "hall.json").write_text("{", "utf-8")
    expect_refused(tradehall("serve", "--data", broken, "--port", free_port()), 1, "hall_unreadable")
    half_tls = tradehall("serve", "--data", made, "--tls-cert", "x")
    expect_refused(half_tls, 2)


def test_a_setting_that_nobody_knows_is_refused(made: Path) -> None:
    ended = tradehall("serve", "--data", made, TRADEHALL_DATABSE_URL="postgresql://x")
    expect_refused(ended, 1, "setting_unknown")


def test_clock_shows_and_moves_a_rehearsal_forward_only(hall: Hall) -> None:
    shown = tradehall("clock", "show", "--server", hall.url)
    assert shown.exit == 0 and shown.told is not None and shown.told["now"].endswith("Z")
    moved = tradehall("clock", "advance", "1h30m", "--server", hall.url)
    assert moved.exit == 0 and moved.told is not None and moved.told["now"] > shown.told["now"]
    for by in ("soon", "0d", "-1d", "99999d"):
        ended = tradehall("clock", "advance", "--server", hall.url, "--", by)
        assert ended.exit in (1, 2), (by, ended)
    assert tradehall("clock", "show", "--server", hall.url).told == moved.told


def test_bundle_is_refused_before_publicity_and_the_full_one_without_a_token(hall: Hall, tmp_path: Path) -> None:
    out = tmp_path / "b.zip"
    asked = ("bundle", hall.lot, "-o", out, "--server", hall.url)
    expect_refused(tradehall(*asked), 1, "bundle_not_public_yet")
    expect_refused(tradehall(*asked, "--view", "full"), 1, "permission_denied")
    expect_refused(tradehall(*asked, "--view", "full", TRADEHALL_TOKEN="wrong"), 1, "token_unknown")
    expect_refused(tradehall("bundle", "NOLOT", "-o", out, "--server", hall.url), 1)
    expect_refused(tradehall(*asked, "--token-file", tmp_path / "none"), 2)
    assert not out.exists()


def test_a_backup_comes_back_and_a_damaged_one_does_not(hall: Hall, tmp_path: Path) -> None:
    file, again = tmp_path / "hall.backup", tmp_path / "again"
    kept = tradehall("backup", "--data", hall.data, "-o", file)
    assert kept.exit == 0 and kept.told is not None and kept.told["ledger_size"] > 0
    expect_refused(tradehall("backup", "--data", hall.data, "-o", file), 2)
    expect_refused(tradehall("backup", "--data", tmp_path / "nothing", "-o", tmp_path / "other"), 2)
    back = tradehall("restore", file, "--data", again)
    assert back.exit == 0 and back.told is not None and back.told["ledger_size"] == kept.told["ledger_size"]
    assert (again / "hall.db").exists() and (again / "hall.json").read_bytes() == (hall.data / "hall.json").read_bytes()
    expect_refused(tradehall("restore", file, "--data", again), 1, "restore_target_not_empty")
    data = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as archive:
        at = archive.getinfo("hall.db").header_offset
    data[at + 5000] ^= 1
    (tmp_path / "damaged").write_bytes(data)
    expect_refused(tradehall("restore", tmp_path / "damaged", "--data", tmp_path / "third"), 1, "backup_not_readable")
    (tmp_path / "junk").write_bytes(b"junk")
    assert tradehall("restore", tmp_path / "junk", "--data", tmp_path / "third").exit in (1, 2)
    assert not (tmp_path / "third").exists(), "nothing is left of what was not whole"


@dataclass
class Served:
    """A `tradehall serve --demo` and the first line that it printed."""

    process: subprocess.Popen[str]
    data: Path
    port: int
    first: str


def serve(data: Path, port: int) -> Served:
    """Start serving and wait for the first line."""
    command = [str(TRADEHALL), "serve", "--demo", "--data", str(data), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return Served(process, data, port, process.stdout.readline().strip())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A rehearsal as `make serve` starts it."""
    running = serve(tmp_path_factory.mktemp("served") / "data", free_port())
    yield running
    running.process.kill()
    running.process.wait()


def test_serve_says_ready_when_it_answers_and_leaves_what_a_visitor_needs(served: Served) -> None:
    assert served.first == f"ready http://localhost:{served.port}"
    health = httpx.get(f"http://localhost:{served.port}/health", trust_env=False).json()
    assert {"status", "version", "now", "demo", "database", "ledger_size", "checkpoint_age_s"} <= set(health)
    assert health["demo"] is True and health["status"] == "ok"
    assert health["now"].startswith("2026-03-02T01:"), "demo worlds start on 2026-03-02 09:00 +08:00"
    world = json.loads((served.data / "demo/world.json").read_text("utf-8"))
    assert set(world) == {"base_url", "open_lot", "deadline"}
    assert world["base_url"] == f"http://localhost:{served.port}"
    lot = httpx.get(f"{world['base_url']}/api/v1/lots/{world['open_lot']}", trust_env=False).json()
    assert lot["state"] == "bidding" and lot["deadline"] == world["deadline"]
    accounts = json.loads((served.data / "demo/accounts.json").read_text("utf-8"))
    fields = {"role", "organisation", "name", "login", "password", "token", "identity"}
    assert all(set(row) == fields for row in accounts)
    assert {"owner", "centre", "supervisor", "bidder", "expert"} <= {row["role"] for row in accounts}
    for row in accounts[:3]:
        asked = {"authorization": f"Bearer {row['token']}"}
        assert httpx.get(f"{world['base_url']}/api/v1/inbox", headers=asked, trust_env=False).status_code == 200


def test_a_taken_port_is_refused_and_the_first_hall_goes_on(served: Served, tmp_path: Path) -> None:
    ended = tradehall("serve", "--demo", "--data", tmp_path / "second", "--port", served.port)
    expect_refused(ended, 1, "port_taken")
    assert httpx.get(f"http://localhost:{served.port}/health", trust_env=False).status_code == 200


def test_stopped_gently_it_ends_with_0_and_goes_on_where_it_stood(served: Served) -> None:
    assert tradehall("clock", "advance", "2d", "--server", f"http://localhost:{served.port}").exit == 0
    before = httpx.get(f"http://localhost:{served.port}/health", trust_env=False).json()
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(timeout=60) == 0
    again = serve(served.data, served.port)
    try:
        assert again.first == f"ready http://localhost:{served.port}"
        until = time.monotonic() + START_SECONDS_MAX
        health = httpx.get(f"http://localhost:{served.port}/health", trust_env=False).json()
        assert health["now"] >= before["now"] and health["ledger_size"] >= before["ledger_size"]
        assert health["now"].startswith("2026-03-04T") and time.monotonic() < until
    finally:
        again.process.send_signal(signal.SIGTERM)
        assert again.process.wait(timeout=60) == 0
