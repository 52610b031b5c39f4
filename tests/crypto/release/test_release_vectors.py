"""Known answers for the opening: bytes that are sealed to, freeze lists, deadlines in force."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crypto import release
from crypto.ledger import whole_log
from crypto.opening import ceremony, frozen
from crypto.sealing import hpke, prekeys

CASES = json.loads((Path(__file__).parents[2] / "vectors" / "release" / "release.json").read_text("utf-8"))


def test_bytes() -> None:
    info = CASES["bytes"]["sealed_info"]
    freeze, header = bytes.fromhex(info["freeze"]), bytes.fromhex(info["header"])
    assert release.sealed_info(freeze, info["lock"], info["index"], header).hex() == info["info"]
    for case in CASES["bytes"]["pre_key_ekm"]:
        key = prekeys.derive(bytes.fromhex(case["seed"]), case["batch"], case["number"] + 1)[-1]
        assert (key.secret, key.public) == hpke.derive_key_pair(bytes.fromhex(case["ekm"]))


def test_drill() -> None:
    case = CASES["bytes"]["drill"]
    (key,) = prekeys.derive(bytes(32), 0, 1)
    enc, ct = hpke.seal_derand(key.public, bytes.fromhex(case["info"]), bytes(32), bytes.fromhex(case["plaintext"]))
    drill = prekeys.Drill(case["lock"], case["index"], bytes.fromhex(case["nonce"]), enc, ct)
    assert prekeys.answer_drill(key.secret, drill, origin=case["origin"]).hex() == case["answer"]


@pytest.mark.parametrize("case", CASES["freeze_lists"], ids=lambda case: case["name"])
def test_freeze_list(case: dict[str, Any]) -> None:
    submitted = [
        frozen.Submitted(
            bytes.fromhex(each["submission"]),
            each["index"],
            ceremony.instant(each["at"]),
            each["organisation"],
            each["version"],
            bytes.fromhex(each["bid"]),
            tuple(bytes.fromhex(header) for header in each["headers"]),
        )
        for each in case["submissions"]
    ]
    withdrawn = [
        frozen.Withdrawn(b"", each["index"], ceremony.instant(each["at"]), each["organisation"], each["version"])
        for each in case["withdrawals"]
    ]
    deadline = ceremony.instant(case["deadline"])
    found = frozen.freeze_list(submitted, withdrawn, close_index=case["close_index"], deadline=deadline)
    assert [each.bid.hex() for each in found] == case["bids"]
    assert hashlib.sha256(frozen.list_object(found)).hexdigest() == case["list_hash"]


@pytest.mark.parametrize("case", CASES["deadlines"], ids=lambda case: case["name"])
def test_deadline_in_force(world: Any, case: dict[str, Any]) -> None:
    terms = replace(
        ceremony.terms(world.agents[0][0].read().of(world.tender_id)[0]),
        deadline=ceremony.instant(case["first"]),
        settle_s=case["settle_s"],
    )
    logged = [whole_log.Logged(each["index"], bytes([each["index"]]) * 32, each["act"]) for each in case["acts"]]
    stamps = [whole_log.Stamp(size, ceremony.instant(at)) for size, at in case["stamps"]]
    found = ceremony.deadline_in_force(terms, logged, stamps)
    assert ceremony.instant_text(found.deadline) == case["deadline"]
    assert ceremony.instant_text(found.shut_until) == case["shut_until"]
    assert (found.close.index if found.close else None) == case["close"]
