"""Rosters: what can be checked from the bytes alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crypto.refusal import Refused
from crypto.roster import Roster

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/sealbid/roster.json").read_text())


def test_known_answer() -> None:
    data = bytes.fromhex(VECTORS["roster"])
    roster = Roster.decode(data)
    assert roster.encode() == data
    assert roster.hash().hex() == VECTORS["hash"]
    assert [(lock.t, lock.n) for lock in roster.locks] == [(2, 3), (2, 3)]


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: vector["name"])
def test_roster_refused(vector: dict[str, str]) -> None:
    with pytest.raises(Refused) as err:
        Roster.decode(bytes.fromhex(vector["roster"]))
    assert err.value.code == vector["code"]
