"""The ten checks: an honest tender passes them all, and each named cheat fails at the check that names it."""

from __future__ import annotations

import ast
import string
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crypto import trust
from crypto.verifier import __main__ as command

if TYPE_CHECKING:
    from tests.crypto.verifier.world import World

SOURCES = Path(command.__file__).parent

# cheat → (view that shows it, first check that fails, culprit named)
CHEATS = {
    "puppet_roster": ("public", 1, "owner"),
    "hidden_act": ("full", 2, "platform"),
    "early_tally": ("full", 2, "clockwork"),
    "short_tally": ("full", 2, "clockwork"),
    "second_tally": ("full", 2, "platform"),
    "tally_while_bids_come": ("public", 3, "platform"),
    "short_notice": ("public", 3, "owner"),
    "backdated_notice": ("public", 3, "owner"),
    "late_clarification": ("public", 3, "owner"),
    "unwitnessed_extension": ("public", 3, "owner"),
    "early_close": ("public", 3, "clockwork"),
    "stale_checkpoint": ("public", 3, "platform"),
    "early_release": ("public", 3, "trustee t-centre"),
    "short_publicity": ("public", 3, "owner"),
    "award_under_hold": ("public", 3, "platform"),
    "early_award": ("public", 3, "owner"),
    "late_contract": ("public", 3, "owner"),
    "no_power": ("public", 4, "supervisor"),
    "late_bid": ("public", 5, "platform"),
    "two_bids": ("public", 5, "clockwork"),
    "dropped_bid": ("full", 5, "clockwork"),
    "resurrected_bid": ("full", 5, "clockwork"),
    "not_all_ready": ("public", 6, "trustee t-centre"),
    "changed_price": ("public", 6, "room"),
    "killed_bid": ("full", 6, "room"),
    "other_r": ("public", 7, "clockwork"),
    "redraw": ("public", 7, "clockwork"),
    "designated_replacement": ("public", 7, "clockwork"),
    "changed_sheet": ("full", 8, "expert seat 1"),
    "out_of_range": ("public", 8, "expert seat 1"),
    "other_method": ("public", 8, "platform"),
    "wrong_ranking": ("public", 8, "platform"),
    "second_candidate": ("public", 9, "owner"),
    "other_contract": ("public", 9, "owner"),
}


@pytest.mark.parametrize("view", ["public", "full"])
def test_honest_tender_passes_all_ten_checks(folder: Path, view: str) -> None:
    anchors = trust.load((folder / "trust.json").read_bytes())
    report = command.verify(folder / f"{view}.zip", anchors)
    assert [(result.id, result.outcome) for result in report.results] == [(n, "passed") for n in range(10)]
    assert report.exit == 0


@pytest.mark.parametrize("cheat", CHEATS)
def test_cheat_is_found_at_its_check_and_its_culprit_named(cheat: str, tmp_path: Path) -> None:
    from tests.crypto.verifier.world import World

    view, check, culprit = CHEATS[cheat]
    world = World(cheat=cheat).run()
    report = command.verify(world.bundle(tmp_path / "b.zip", view), trust.load(world.hall.trust()))
    failed = [result for result in report.results if result.outcome == "failed"]
    assert report.exit == 1
    assert (failed[0].id, failed[0].detail.culprit) == (check, culprit), failed[0].detail.en
    assert failed[0].detail.event
    assert not [result for result in failed if result.detail.en.startswith("unexpected")]


def test_whole_tender_made_again_with_other_keys_fails_at_the_anchors(folder: Path, tmp_path: Path) -> None:
    from tests.crypto.verifier.world import World

    other = World(seed="2").run().bundle(tmp_path / "other.zip", "public")
    report = command.verify(other, trust.load((folder / "trust.json").read_bytes()))
    assert next(result.id for result in report.results if result.outcome == "failed") == 1


def test_an_act_left_out_breaks_the_chain(folder: Path, tmp_path: Path) -> None:
    from tests.crypto.verifier import bundles

    parts, top = bundles.unpack(folder / "public.zip")
    lines = parts["log/acts.jsonl"].splitlines(keepends=True)
    parts["log/acts.jsonl"] = b"".join(lines[:2] + lines[3:])
    report = command.verify(
        bundles.pack(tmp_path / "b.zip", parts, top), trust.load((folder / "trust.json").read_bytes())
    )
    first = next(result for result in report.results if result.outcome == "failed")
    assert (first.id, first.detail.culprit) == (2, "platform")


def test_private_part_in_a_public_bundle_is_a_leak(honest: World, folder: Path, tmp_path: Path) -> None:
    from tests.crypto.verifier import bundles

    parts, top = bundles.unpack(folder / "public.zip")
    secret, _ = bundles.unpack(folder / "full.zip")
    parts["private/events.jsonl"] = secret["private/events.jsonl"]
    report = command.verify(
        bundles.pack(tmp_path / "b.zip", parts, top), trust.load((folder / "trust.json").read_bytes())
    )
    assert report.results[0].outcome == "failed"
    assert "private part" in report.results[0].detail.en


def test_public_bundle_holds_no_confidential_word(honest: World, folder: Path) -> None:
    data = (folder / "public.zip").read_bytes()
    for bid in honest.bids:
        for secret in bid.secrets[1]:
            assert secret.hex().encode() not in data
    assert b"p-alpha" not in data and b"expert-" not in data


def test_every_sentence_exists_is_used_and_gets_its_facts() -> None:
    table = tomllib.loads((SOURCES / "findings.toml").read_text("utf-8"))
    used: set[str] = set()
    for path in SOURCES.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            place = _place_of_code(node)
            if place is None or not isinstance(node, ast.Call):
                continue
            named = node.args[place]
            if not isinstance(named, ast.Constant):
                continue
            code = str(named.value)
            used.add(code)
            given = {keyword.arg for keyword in node.keywords}
            for language in ("zh", "en"):
                wanted = {name for _, name, _, _ in string.Formatter().parse(table[code][language]) if name}
                assert wanted <= given, f"{path.name}:{node.lineno} {code} lacks {wanted - given}"
    assert used == set(table)


def _place_of_code(node: ast.AST) -> int | None:
    if not isinstance(node, ast.Call):
        return None
    match node.func:
        case ast.Name(id="need" | "judge"):
            return 1
        case ast.Name(id="fail" | "finding"):
            return 0
        case ast.Attribute(attr="add", value=ast.Name(id="remarks")):
            return 0
    return None
