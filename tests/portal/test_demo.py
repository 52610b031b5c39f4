"""`tradehall demo` from its two example folders: the report as the contract has it, the results computed by hand, and
everything judged again by tradehall-verify where nothing but Python and `cryptography` can be imported.

TRADEHALL_DEMO names a folder that a demo left, to judge it without playing again; TRADEHALL_MUTATIONS=full tries every
change of every kind of field and 2,000 byte flips, of both bundles, instead of a seeded share of one (make mutations).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.demo

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests/golden"
TRADEHALL = Path(sys.executable).with_name("tradehall")
DEMO_SECONDS_MAX = 600
GROWN_BYTES = 200_000_000
CRYPTOGRAPHY = ("cryptography", "cffi", "pycparser", "_cffi_backend*")
BARE = (
    "import importlib.util, sys; sys.path[:0] = sys.argv[1].split(':'); "
    "assert not [n for n in ('msgspec', 'httpx', 'litestar', 'storage') if importlib.util.find_spec(n)]; "
    "from crypto.verifier.__main__ import main; sys.exit(main(sys.argv[2:]))"
)
FULL = os.environ.get("TRADEHALL_MUTATIONS") == "full"
MUTATED = ("bundle.zip", "bundle-full.zip") if FULL else ("bundle.zip",)
Verify = Callable[..., subprocess.CompletedProcess[str]]


def play(example: Path, out: Path) -> dict[str, Any]:
    """Run `tradehall demo` as anybody would; its last line."""
    command = [str(TRADEHALL), "demo", "--input", str(example), "--out", str(out), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=DEMO_SECONDS_MAX, check=False)
    assert done.returncode == 0, (done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    assert "now try: make serve" in done.stdout
    last: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return last


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo of examples/road-maintenance, played once."""
    kept = os.environ.get("TRADEHALL_DEMO")
    if kept:
        return Path(kept)
    out = tmp_path_factory.mktemp("road") / "demo"
    told = play(ROOT / "examples/road-maintenance", out)
    assert told["exit"] == 0 and told["out"] == str(out)
    return out


@pytest.fixture(scope="module")
def report(road: Path) -> dict[str, Any]:
    """Its report.json."""
    told: dict[str, Any] = json.loads((road / "report.json").read_text("utf-8"))
    return told


@pytest.fixture(scope="module")
def verify(tmp_path_factory: pytest.TempPathFactory) -> Verify:
    """tradehall-verify where only the standard library, `cryptography` and the folder crypto/ can be imported."""
    bare = tmp_path_factory.mktemp("bare")
    installed = Path(sysconfig.get_paths()["purelib"])
    for pattern in CRYPTOGRAPHY:
        for found in installed.glob(pattern):
            (bare / found.name).symlink_to(found)
    (bare / "crypto").symlink_to(ROOT / "crypto")

    def run(*arguments: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", "-S", "-c", BARE, str(bare), *map(str, arguments), "--lang", "en"]
        return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    return run


def test_the_report_has_exactly_the_fields_of_the_contract(report: dict[str, Any]) -> None:
    assert set(report) == {
        "lot", "opening", "benchmark", "draw", "ranking", "awarded_to", "verify", "forgeries", "seconds"
    }  # fmt: skip
    assert re.fullmatch(r"[0-9A-Z]{23}", report["lot"])
    statuses = {"opened", "replaced", "withdrawn", "late", "lost", "unopened", "invalid"}
    for row in report["opening"]:
        assert set(row) == {"bidder", "version", "status", "price_fen"} and row["status"] in statuses
        assert isinstance(row["price_fen"], int) == (row["status"] == "opened")
    assert set(report["draw"]) == {"panel", "replaced"}
    assert all(set(row) == {"out", "in", "why"} for row in report["draw"]["replaced"])
    assert all(set(row) == {"rank", "bidder", "total"} for row in report["ranking"])
    assert [row["rank"] for row in report["ranking"]] == list(range(1, len(report["ranking"]) + 1))
    assert all(re.fullmatch(r"\d+(\.\d+)?", row["total"]) for row in report["ranking"]), "scores are decimal strings"
    assert set(report["verify"]) == {"exit", "checks"}
    assert all(set(row) == {"id", "name", "result"} for row in report["verify"]["checks"])
    assert [row["id"] for row in report["verify"]["checks"]] == list(range(10))
    wanted = {"file", "exit", "expected_check", "found_check", "event", "culprit"}
    assert all(set(row) == wanted for row in report["forgeries"])
    assert isinstance(report["seconds"], int | float) and not isinstance(report["seconds"], bool)


@pytest.mark.parametrize("field", ["opening", "benchmark", "ranking", "awarded_to"])
def test_the_result_is_the_one_computed_by_hand(report: dict[str, Any], field: str) -> None:
    golden = json.loads((GOLDEN / "road-maintenance.json").read_text("utf-8"))
    assert report[field] == golden[field]


def test_everything_of_the_script_happened(road: Path, report: dict[str, Any]) -> None:
    """Replaced, withdrawn, late, garbage; a panel of five with one avoidance and one replacement; 200 MB."""
    assert {row["status"] for row in report["opening"]} == {"opened", "replaced", "withdrawn", "late", "invalid"}
    assert len(report["draw"]["panel"]) == 5
    assert {row["why"] for row in report["draw"]["replaced"]} == {"declined", "recused"}
    assert (road / "bundle-full.zip").stat().st_size > GROWN_BYTES
    kinds = {act["kind"] for act in acts(road)}
    assert {"amendment", "hold", "resume", "publicity", "award", "contract"} <= kinds
    extended = [act["deadline"] for act in acts(road) if act["kind"] == "amendment" and act["deadline"]]
    assert len(extended) == 1, "the clarification moved the deadline"
    page = (road / "report.html").read_text("utf-8")
    assert report["lot"] in page and not re.search(r"""(?:src|href)=["']https?:""", page)


def test_an_absent_and_a_lying_trustee_did_not_stop_the_opening(road: Path) -> None:
    said = [act for act in acts(road) if act["kind"] == "release"]
    assert {(act["lock"], act["trustee"]) for act in said if act["lock"] == 0} == {
        (0, "operation-owner"),
        (0, "operation-notary"),
    }
    assert len([act for act in said if act["lock"] == 1]) == 3


def acts(road: Path) -> list[dict[str, Any]]:
    """The public acts in the bundle."""
    import zipfile

    with zipfile.ZipFile(road / "bundle.zip") as archive:
        return [json.loads(line)["act"] for line in archive.read("log/acts.jsonl").splitlines()]


@pytest.mark.parametrize("name", ["bundle.zip", "bundle-full.zip"])
def test_a_stranger_verifies_the_bundle_with_nothing_but_cryptography(
    road: Path, verify: Verify, name: str, tmp_path: Path
) -> None:
    told = tmp_path / "told.json"
    done = verify(road / name, "--trust", road / "trust.json", "--rehearsal", "--json", told)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    checks = json.loads(told.read_text("utf-8"))["checks"]
    assert [row["id"] for row in checks] == list(range(10))
    lawful = {"passed"} if "full" in name else {"passed", "not_shown"}
    assert {row["result"] for row in checks} <= lawful, checks
    for number in range(10):
        assert re.search(rf"^{number} ", done.stdout, re.MULTILINE), "each check has its line"


@pytest.mark.parametrize("name", ["bundle.zip", "bundle-full.zip"])
def test_without_anchors_or_without_saying_rehearsal_nothing_is_valid(road: Path, verify: Verify, name: str) -> None:
    for options in ((), ("--rehearsal",), ("--trust", road / "trust.json")):
        done = verify(road / name, *options)
        assert done.returncode == 1, (options, done.stdout)
        assert "Traceback" not in done.stderr
    unanchored = verify(road / name, "--rehearsal").stdout
    assert re.search(r"not anchored.*fingerprints found.* [0-9a-f]{8}", unanchored), unanchored


def test_the_verifier_says_2_for_what_it_cannot_read(road: Path, verify: Verify, tmp_path: Path) -> None:
    broken = tmp_path / "broken.zip"
    broken.write_bytes((road / "bundle.zip").read_bytes()[:-100])
    for file in (broken, road / "report.html", tmp_path / "nowhere"):
        done = verify(file, "--trust", road / "trust.json", "--rehearsal")
        assert done.returncode == 2 and "Traceback" not in done.stderr, (file, done.stderr)


def test_draw_and_scores_are_judged_alone(road: Path, verify: Verify, tmp_path: Path) -> None:
    drawn = verify(road / "draw.json", "--trust", road / "trust.json", "--rehearsal")
    assert drawn.returncode == 0, drawn.stdout
    scored = verify(road / "scores.json")
    assert scored.returncode == 0, scored.stdout
    for name, options in (("draw.json", ("--trust", road / "trust.json", "--rehearsal")), ("scores.json", ())):
        told = json.loads((road / name).read_text("utf-8"))
        if name == "draw.json":
            seats = told["result"]["seats"]
            seats[0]["masked"], seats[1]["masked"] = seats[1]["masked"], seats[0]["masked"]
        else:
            told["result"]["ranking"] = told["result"]["ranking"][::-1]
        (tmp_path / name).write_text(json.dumps(told), "utf-8")
        assert verify(tmp_path / name, *options).returncode == 1, f"a changed {name} is not valid"


def test_six_forgeries_are_found_each_at_the_check_expected(
    road: Path, report: dict[str, Any], verify: Verify, tmp_path: Path
) -> None:
    assert [row["file"] for row in report["forgeries"]] == [f"forged/{number:02d}.zip" for number in range(1, 7)]
    assert [row["exit"] for row in report["forgeries"]] == [1] * 6
    assert [row["found_check"] for row in report["forgeries"]] == [row["expected_check"] for row in report["forgeries"]]
    assert len({row["expected_check"] for row in report["forgeries"]}) == 6, "six different cheats"
    for row in report["forgeries"]:
        told = tmp_path / "told.json"
        done = verify(road / row["file"], "--trust", road / "trust.json", "--rehearsal", "--json", told)
        assert done.returncode == 1 and "Traceback" not in done.stderr
        failed = [each for each in json.loads(told.read_text("utf-8"))["checks"] if each["result"] == "failed"]
        assert failed[0]["id"] == row["expected_check"], (row["file"], failed)
        assert row["culprit"] and row["culprit"] == failed[0]["culprit"], "the culprit is named"


def test_the_sixth_is_an_honest_tender_of_another_hall(road: Path, verify: Verify) -> None:
    """Whole and consistent with itself; only whose keys they are tells it from the real one."""
    done = verify(road / "forged/06.zip", "--rehearsal")
    assert done.returncode == 1 and "FAILED" not in re.sub(r"(?m)^1 .*$", "", done.stdout), done.stdout


@pytest.mark.parametrize("name", MUTATED)
def test_no_mutation_of_the_bundle_survives(road: Path, name: str) -> None:
    """Every member removed, JSON fields changed, dropped and doubled, bytes flipped: each found by a check."""
    from tests.crypto.verifier import mutations

    amount = {"sample": 2, "flips": 2000, "share": 1.0} if FULL else {"sample": 1, "flips": 40, "share": 0.06}
    done = mutations.tally(road / name, road / "trust.json", **amount)
    print(f"{name}: {sum(done.found.values())} changes, found by {dict(sorted(done.found.items()))}")
    assert done.survivors == []
    assert sum(done.found.values()) > 40 and len(done.found) > 2


def test_another_folder_gives_another_result(tmp_path: Path) -> None:
    played = tmp_path / "other"
    play(ROOT / "tests/examples/other-road", played)
    told = json.loads((played / "report.json").read_text("utf-8"))
    golden = json.loads((GOLDEN / "other-road.json").read_text("utf-8"))
    assert {name: told[name] for name in ("opening", "benchmark", "ranking", "awarded_to")} == {
        name: golden[name] for name in ("opening", "benchmark", "ranking", "awarded_to")
    }
    assert told["verify"]["exit"] == 0
