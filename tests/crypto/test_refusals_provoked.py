"""Refusals of this room that no other test provokes; the test is named after the code (docs/threats.md)."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from crypto import jcs
from crypto.ledger import merkle, note
from crypto.ledger.whole_log import WholeLog
from crypto.opening import ceremony, combine, examination, frozen
from crypto.refusal import Refused


@pytest.mark.parametrize("name", ["", "two words", "a+b", "tab\there", "\x00"])
def test_key_name(name: str) -> None:
    with pytest.raises(Refused, match="key_name"):
        note.VerifierKey(name, note.LOG_SIGNATURE, bytes(32))


@pytest.mark.parametrize("text", ["", "log", "log+00000000", "log+00000000+AQ==", "log+zz+AQ==", "log+00000000+!"])
def test_verifier_key(text: str) -> None:
    with pytest.raises(Refused, match="verifier_key"):
        note.VerifierKey.parse(text)


def test_node_outside_tree() -> None:
    tree = merkle.Tree(tuple(merkle.leaf_hash(bytes([n])) for n in range(3)))
    for level, number in ((0, 3), (1, 1), (2, 0), (-1, 0), (0, -1)):
        with pytest.raises(Refused, match="node_outside_tree"):
            tree.get_hash(level, number)


@pytest.mark.parametrize(
    "text",
    [None, 5, "", "2026-03-26", "2026-03-26T01:00:00Z", "2026-13-26T01:00:00.000Z", "2026-03-26T01:00:00.000+08:00"],
)
def test_instant(text: object) -> None:
    with pytest.raises(Refused) as err:
        ceremony.instant(text)
    assert err.value.code == "instant"


def test_log_incomplete() -> None:
    """A checkpoint of two leaves, and one leaf given: a trustee reads every leaf or nothing."""
    checkpoint = note.Checkpoint("log", 2, merkle.node_hash(merkle.leaf_hash(b"\2a"), merkle.leaf_hash(b"\2b")))
    with pytest.raises(Refused) as err:
        WholeLog("anybody").advance([b"\2" + bytes(32)], note.Quorum(checkpoint, (), 2))
    assert err.value.code == "log_incomplete"


def test_object_fields() -> None:
    """A rulebook that names nobody for lock 1 seats nobody there."""
    for value in ({}, {"lock_1": [{}]}, {"lock_1": 5}, []):
        data = jcs.dumps(value)
        terms: Any = type("Terms", (), {"rulebook_hash": hashlib.sha256(data).digest()})
        with pytest.raises(Refused) as err:
            examination._lock_1(data, terms)
        assert err.value.code == "object_fields"


@pytest.mark.parametrize("event", [{}, {"version": 0}, {"version": True}, {"version": "1"}, {"version": 2**32}])
def test_submission_fields(event: dict[str, Any]) -> None:
    with pytest.raises(Refused) as err:
        frozen._version(event)
    assert err.value.code == "submission_fields"


@pytest.mark.parametrize(
    "value",
    [
        [],
        {"record": []},
        {"record": [{"header": "00"}], "documents": [], "draws": []},
        {"record": [{"header": "00", "share": "zz"}], "documents": [], "draws": []},
        {"record": [{"header": "00", "share": 5}], "documents": [], "draws": []},
        {"record": 5, "documents": [], "draws": []},
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_shares_fields(value: Any) -> None:
    with pytest.raises(Refused) as err:
        combine._entries(jcs.dumps(value))
    assert err.value.code == "shares_fields"
