"""tradehall-verify from the outside: exit codes, first lines, other kinds of file, and no traceback on any input."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from crypto import jcs
from crypto.ledger import note, receipt
from crypto.sealing import lock
from crypto.sealing.header import parse_contribution
from crypto.verifier.__main__ import main

if TYPE_CHECKING:
    from tests.crypto.verifier.world import World


def run(*arguments: object) -> int:
    return main([str(each) for each in arguments])


def test_without_trust_nothing_is_anchored_and_never_exit_0(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder / "public.zip", "--lang", "en") == 1
    told = capsys.readouterr().out
    assert "not anchored" in told and "log localhost/verifier-tests" in told and "root_centre" in told


def test_rehearsal_is_said_in_the_first_line_and_must_be_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.crypto.verifier.world import World

    world = World(rehearsal=True).run()
    world.bundle(tmp_path / "b.zip", "public")
    (tmp_path / "trust.json").write_bytes(world.hall.trust())
    given = (tmp_path / "b.zip", "--trust", tmp_path / "trust.json", "--lang", "en")
    assert run(*given) == 1
    assert capsys.readouterr().out.startswith("REHEARSAL")
    assert run(*given, "--rehearsal") == 0
    assert capsys.readouterr().out.startswith("REHEARSAL")


def test_json_output_holds_ten_numbered_results(folder: Path, tmp_path: Path) -> None:
    assert run(folder / "full.zip", "--trust", folder / "trust.json", "--json", tmp_path / "out.json") == 0
    out = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert out["exit"] == 0 and [check["id"] for check in out["checks"]] == list(range(10))
    assert set(out["checks"][0]) == {"id", "name", "result", "detail", "event", "culprit"}


def test_runs_with_nothing_but_cryptography(folder: Path) -> None:
    program = (
        "import sys; sys.modules.update(dict.fromkeys(('msgspec','httpx','litestar','piccolo','rich','pandas'), None));"
        "from crypto.verifier.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    given = [sys.executable, "-c", program, str(folder / "public.zip"), "--trust", str(folder / "trust.json")]
    ended = subprocess.run(given, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize(
    "data",
    [b"", b"PK", b"PK\3\4" + bytes(100), b"{", b"[]", b'{"kind":"x"}', b"\xff\xfe", b"[" * 100_000, b'{"a":1,"a":1}'],
)
def test_unreadable_input_is_exit_2_with_a_sentence(
    data: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "f").write_bytes(data)
    assert run(tmp_path / "f", "--lang", "en") == 2
    assert "cannot be read" in capsys.readouterr().err


def test_missing_file_and_broken_trust_are_exit_2(folder: Path, tmp_path: Path) -> None:
    assert run(tmp_path / "none.zip") == 2
    (tmp_path / "trust.json").write_text("{}")
    assert run(folder / "public.zip", "--trust", tmp_path / "trust.json") == 2


def tlog_proof(world: World, index: int, extra: bytes | None = None) -> bytes:
    shown = note.Note.parse(world.hall.notes[max(world.hall.notes)])
    return receipt.TlogProof(extra, index, tuple(world.hall.tree.inclusion_proof(index)), shown).encode()


def test_receipt_verifies_and_a_changed_word_does_not(honest: World, folder: Path, tmp_path: Path) -> None:
    event = honest.bids[0].event
    assert event is not None
    data = receipt.build(
        {"public": event.public, "confidential": event.confidential},
        event.salt_p,
        event.salt_c,
        index=event.index,
        proof=honest.hall.tree.inclusion_proof(event.index),
        checkpoint=note.Note.parse(honest.hall.notes[max(honest.hall.notes)]),
    )
    (tmp_path / "r").write_bytes(data)
    assert run(tmp_path / "r", "--trust", folder / "trust.json") == 0
    assert run(tmp_path / "r") == 1
    extra, rest = data.split(b"\n", 2)[1:]
    changed = jcs.loads(base64.b64decode(extra.removeprefix(b"extra ")))
    changed["event"]["public"]["version"] += 1
    other = b"extra " + base64.b64encode(jcs.dumps(changed))
    (tmp_path / "r").write_bytes(data.split(b"\n", 1)[0] + b"\n" + other + b"\n" + rest)
    assert run(tmp_path / "r", "--trust", folder / "trust.json") == 1


def draw_file(world: World) -> dict[str, Any]:
    wanted = ("tender", "draw_pool", "draw_close", "draw_result", "recusal")
    shown = [row for row in world.hall.acts if row.act["kind"] in wanted]
    pool = jcs.loads(world.objects[world.pool.act["pool_hash"]])
    seats = [{"seat": n, "stratum": s, "masked": m} for n, (s, m) in enumerate(world.seating.seats, 1)]
    r = []
    for each in world.contributions:
        assert lock.verify_lock_section(parse_contribution(each.header), world.hall.roster(), each.secrets) == each.r
        row = {"i": each.contributor, "r": each.r.hex(), "header": each.header.hex()}
        r.append({**row, "secrets": [secret.hex() for secret in each.secrets]})
    return {
        "kind": "draw",
        "acts": [{"act": row.act, "object": pool if row.act["kind"] == "draw_pool" else None} for row in shown],
        "proofs": [tlog_proof(world, row.index).decode() for row in shown],
        "r": r,
        "result": {"seats": seats},
    }


def test_draw_json_is_drawn_again(honest: World, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "draw.json"
    path.write_bytes(jcs.dumps(draw_file(honest)))
    assert run(path, "--trust", folder / "trust.json") == 0
    assert run(path) == 1


@pytest.mark.parametrize("what", ["seat", "r", "secret", "pool", "act", "proof", "field"])
def test_draw_json_with_one_thing_changed_fails(honest: World, folder: Path, tmp_path: Path, what: str) -> None:
    data = jcs.loads(jcs.dumps(draw_file(honest)))
    match what:
        case "seat":
            seats = data["result"]["seats"]
            seats[0]["masked"], seats[1]["masked"] = seats[1]["masked"], seats[0]["masked"]
        case "r":
            data["r"][0]["r"] = "00" * 32
        case "secret":
            data["r"][0]["secrets"][0] = "00" * 32
        case "pool":
            data["acts"][1]["object"]["strata"][0]["masked"].pop()
        case "act":
            data["acts"][3]["act"]["seats"][0]["seat"] = 9
        case "proof":
            data["proofs"][2] = data["proofs"][3]
        case _:
            data["more"] = 1
    (tmp_path / "draw.json").write_bytes(jcs.dumps(data))
    assert run(tmp_path / "draw.json", "--trust", folder / "trust.json") == 1


def test_scores_json_needs_no_trust(honest: World, tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    path.write_text(json.dumps(honest.scores, ensure_ascii=False, indent=1), "utf-8")
    assert run(path) == 0
    honest_base = honest.scores["result"]["base"]
    path.write_text(json.dumps(honest.scores).replace(f'"{honest_base}"', '"1.00"'), "utf-8")
    assert run(path) == 1


def test_a_file_that_is_not_there_is_told_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--lang", "en", "no-such-bundle.zip") == 2
    assert "cannot open the file no-such-bundle.zip: check its path" in capsys.readouterr().err
