"""docs/threats.md names a test for every attack and every refusal of the box, and those tests are there."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "threats.md"
BOX = ("box", "commands", "uploads", "ceremony", "opening", "announcement", "reading", "objections", "trustee_commands")
"""Where bids are taken and opened; pages refuse in their own words (bidding/door)."""
ATTACKS = (
    "two polynomials, {1,2,3} → S and {3,4,5} → S'",
    "garbage share to a colluding trustee",
    "invisible salamander",
    *(f"swapped {what}" for what in ("tender", "envelope", "bidder", "version", "roster")),
    *(f"{how} body" for how in ("truncated", "reordered", "extended")),
    "n_locks 0, flags, trailing bytes",
    "duplicate, low-order and non-canonical keys",
    "trustee's wrong share",
    "trustee's false complaint",
    "hidden extension",
    "extension after close",
    "one S for two envelopes",
    "bid header handed in as a draw contribution",
    *(
        f"release {how}"
        for how in ("under a hold", "with two bids", "with a stale checkpoint", "from a forked log", "one second early")
    ),
    "sham tender",
    "late bid slipped into the freeze",
    "dropped bid",
    "resurrected withdrawn bid",
    "bidder counting the others by prev, ids or sizes",
    *(f"contributor who {how}" for how in ("reveals another r", "aborts", "grinds attempts")),
    "puppet roster",
    "drill as oracle",
    "rolled-back sequencer",
    "two sequencers",
    "operator reading losing documents from database and blobs",
    "operator reading losing documents from queue and logs",
)


def table(heading: str) -> dict[str, list[tuple[str, str]]]:
    """First cell of each row → (path, test) of each test in its second."""
    section = PAGE.read_text("utf-8").split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| (.+?) \| (`tests/.+`) \|$", section, re.MULTILINE)
    return {
        first.strip("`"): [(path, name) for path, name in re.findall(r"`([\w/]+\.py):(test_\w+)`", second)]
        for first, second in rows
    }


def names_of(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def codes(room: str) -> set[str]:
    return set(tomllib.loads((ROOT / room / "refusals.toml").read_text("utf-8")))


def test_every_attack_has_a_test_that_exists() -> None:
    rows = table("Attacks, each with its test")
    assert set(ATTACKS) <= set(rows)
    missing = [(path, name) for tests in rows.values() for path, name in tests if name not in names_of(path)]
    assert missing == [] and all(rows.values())


def test_every_refusal_of_the_box_has_a_test_that_names_it() -> None:
    rows = table("Refusals of the box, each with its test")
    raised = {code for name in BOX for code in re.findall(r'"(\w+)"', (ROOT / f"bidding/{name}.py").read_text("utf-8"))}
    assert (codes("bidding") & raised) - set(rows) == set(), "without a row"
    order = re.findall(r"`(\w+)`", (ROOT / "bidding/box.py").read_text("utf-8").split('"""')[1].split("Whoever")[0])
    assert set(order) - {"received_at"} - set(rows) == set(), "in the order of the box, without a row"
    for code, tests in rows.items():
        for path, name in tests:
            assert name in names_of(path), (code, path, name)
            assert re.search(rf"\b{code}\b", (ROOT / path).read_text("utf-8")), f"{path} never says {code}"


def test_every_refusal_of_crypto_is_provoked_by_name() -> None:
    texts = [
        path.read_text("utf-8", "replace")
        for ending in ("py", "json")
        for path in (ROOT / "tests").rglob(f"*.{ending}")
        if path != Path(__file__)
    ]
    said = set(re.findall(r"[a-z][a-z0-9_]+", "\n".join(texts)))
    assert codes("crypto") - said == set()
