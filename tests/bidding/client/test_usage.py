"""Command lines as a stranger meets them: help, refusals and nonsense, in golden transcripts; never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests" / "golden" / "cli"
NOBODY = "http://127.0.0.1:9"
BIDDER = ("bidding.client.bidder", "--server", NOBODY, "--identity", "HOME")
TRUSTEE = ("bidding.client.trustee", "--server", NOBODY, "--keys", "HOME")
TRANSCRIPTS = {
    "bidder_help": ("bidding.client.bidder", "--help"),
    "bidder_seal_help": (*BIDDER, "seal", "--help"),
    "bidder_no_identity": (*BIDDER, "submit", "x.bid"),
    "bidder_no_identity_en": (*BIDDER, "--lang", "en", "submit", "x.bid"),
    "bidder_no_trust_json": (*BIDDER, "enrol", "--name", "甲", "--uscc", "X", "--json"),
    "bidder_no_command": BIDDER,
    "bidder_unknown_command": (*BIDDER, "steal"),
    "bidder_recover_nonsense": (*BIDDER, "recover", "nonsense.recovery", "--to", "out"),
    "trustee_help": ("bidding.client.trustee", "--help"),
    "trustee_no_keys": (*TRUSTEE, "watch", "--once"),
    "trustee_no_keys_json": (*TRUSTEE, "--json", "drill"),
    "trustee_bad_count": (*TRUSTEE, "keys", "--count", "many"),
}


def play(folder: Path, arguments: tuple[str, ...]) -> str:
    """One command in a folder of its own: what it printed on both streams, and how it ended."""
    environment = {
        "PATH": os.environ["PATH"],
        "LANG": "zh_CN.UTF-8",
        "PYTHONUTF8": "1",
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "PYTHONPATH": str(ROOT),
        "TRADEHALL_PASSPHRASE": "a long enough passphrase",
    }
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )
    shown = " ".join(("tradehall-" + arguments[0].rsplit(".", 1)[1], *arguments[1:]))
    return f"$ {shown}\n{done.stdout}{done.stderr}[{done.returncode}]\n"


@pytest.mark.parametrize("name", sorted(TRANSCRIPTS))
def test_transcript(name: str, tmp_path: Path) -> None:
    (tmp_path / "nonsense.recovery").write_bytes(b"SEALREC1 but not really")
    told = play(tmp_path, TRANSCRIPTS[name])
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("TRADEHALL_GOLDEN") == "write":
        golden.write_text(told, "utf-8")
    assert "Traceback" not in told
    assert spelt(told) == spelt(golden.read_text("utf-8"))


def spelt(told: str) -> str:
    """Without line breaks and quotes: argparse sets them differently from one Python to the next."""
    return " ".join(told.replace("'", "").split())


@pytest.mark.parametrize(
    "arguments",
    [
        (*BIDDER, "submit", "."),
        (*BIDDER, "check", "nowhere"),
        (*BIDDER, "seal", "/dev/null", "-o", "/dev/full"),
        (*BIDDER, "withdraw", "../../etc"),
        (*BIDDER, "status", ""),
        (*BIDDER, "recover", "\udcff", "--to", "."),
        (*BIDDER, "tenders", "-q", "\udcff"),
        (*BIDDER, "seal", "x", "-o", "y", "--version", "0"),
        ("bidding.client.bidder", "--server", "not a url", "--identity", "HOME", "tenders"),
        ("bidding.client.bidder", "--server", "http://[", "--identity", "HOME", "tenders"),
        ("bidding.client.bidder", "--server", "ftp://x", "--identity", "HOME", "tenders"),
        (*TRUSTEE, "release", "x"),
        (*TRUSTEE, "watch", "--every", "nan"),
        (*TRUSTEE, "enrol", "--trustee", "", "--name", "", "--uscc", "", "--seat", "notary"),
    ],
)
def test_nonsense_never_gives_a_traceback(arguments: tuple[str, ...], tmp_path: Path) -> None:
    told = play(tmp_path, arguments)
    assert "Traceback" not in told, told
    assert told.rstrip()[-3:] in ("[1]", "[2]", "[3]"), told
