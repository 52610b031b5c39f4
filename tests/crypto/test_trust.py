"""trust.json: what is written can be read, and each way to weaken it is refused."""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from crypto import certificates, signing, trust
from crypto.ledger import note
from crypto.refusal import Refused


def seeded(seed: str) -> Callable[[int], bytes]:
    return lambda length: hashlib.shake_256(seed.encode()).digest(length)


def ed25519(seed: str) -> bytes:
    return signing.Ed25519Signer.generate(entropy=seeded(seed)).key


def p256(seed: str) -> bytes:
    return signing.spki(signing.new_p256(entropy=seeded(seed)).public_key())


def root() -> bytes:
    return certificates.Authority.create(
        "演练证书机构",
        key=signing.new_p256(entropy=seeded("authority")),
        serial=1,
        not_before=datetime(2026, 1, 1, tzinfo=UTC),
        not_after=datetime(2036, 1, 1, tzinfo=UTC),
    ).certificate


def witness(name: str, group: note.Group) -> note.Witness:
    return note.Witness(name, group, note.VerifierKey(name, note.COSIGNATURE, ed25519(name)))


def parts(**changes: Any) -> dict[str, Any]:
    given = {
        "hall": "演练交易中心",
        "log": note.VerifierKey("hall.example/ledger/rehearsal", note.LOG_SIGNATURE, ed25519("log")),
        "witnesses": (
            witness("centre", "operation"),
            witness("regulator", "supervision"),
            witness("notary", "independent"),
        ),
        "quorum": 2,
        "trustee_roots": {"centre": ed25519("root centre"), "supervision": ed25519("root supervision")},
        "ca_roots": (root(),),
        "contributors": {"centre": p256("centre"), "supervision": p256("supervision")},
    }
    return {**given, **changes}


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    value = json.loads(trust.dump(**parts()))
    change(value)
    return json.dumps(value, ensure_ascii=False).encode()


def test_what_is_written_is_read() -> None:
    loaded = trust.load(trust.dump(**parts()))
    given = parts()
    assert {name: getattr(loaded, name) for name in given} == given
    assert loaded.origin == "hall.example/ledger/rehearsal" and loaded.rehearsal


def test_fingerprint_is_of_the_value_not_of_its_spaces() -> None:
    first, second = trust.load(trust.dump(**parts())), trust.load(changed(lambda value: None))
    assert first == second
    other = trust.load(changed(lambda value: value.update(quorum=3)))
    assert other.fingerprint != first.fingerprint and len(first.fingerprint) == 64


@pytest.mark.parametrize("quorum", [0, 1, 4, -1])
def test_quorum_that_one_side_could_reach_or_nobody_could_is_refused(quorum: int) -> None:
    with pytest.raises(Refused, match="trust_quorum"):
        trust.dump(**parts(quorum=quorum))


@pytest.mark.parametrize("groups", [("operation", "independent"), ("supervision", "independent")])
def test_witnesses_without_one_of_each_side_are_refused(groups: tuple[note.Group, note.Group]) -> None:
    with pytest.raises(Refused, match="trust_quorum"):
        trust.dump(**parts(witnesses=(witness("a", groups[0]), witness("b", groups[1]))))


def test_one_machine_cannot_count_as_two_parties() -> None:
    twin = note.Witness("twin", "supervision", note.VerifierKey("twin", note.COSIGNATURE, ed25519("centre")))
    for change in (
        {"witnesses": (witness("centre", "operation"), twin)},
        {"witnesses": (witness("a", "operation"), witness("a", "supervision"))},
        {"trustee_roots": dict.fromkeys(("centre", "supervision"), ed25519("root"))},
        {"trustee_roots": {"centre": ed25519("log"), "supervision": ed25519("root")}},
        {"contributors": dict.fromkeys(("centre", "supervision"), p256("one"))},
    ):
        with pytest.raises(Refused) as err:
            trust.dump(**parts(**change))
        assert err.value.code == "trust_keys_repeated"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda value: value.update(v=2), "v"),
        (lambda value: value.update(v=True), "v"),
        (lambda value: value.update(hall=""), "hall"),
        (lambda value: value.update(more=1), "trust.json"),
        (lambda value: value.pop("contributors"), "trust.json"),
        (lambda value: value["log"].update(origin="another.example"), "log.key"),
        (lambda value: value["log"].update(key=value["witnesses"][0]["key"]), "log.key"),
        (lambda value: value["witnesses"][0].update(name="other"), "witnesses.key"),
        (lambda value: value["witnesses"][0].update(group="friends"), "witnesses.group"),
        (lambda value: value.update(witnesses={}), "witnesses"),
        (lambda value: value.update(quorum="2"), "quorum"),
        (lambda value: value.update(quorum=True), "quorum"),
        (lambda value: value.update(ca_roots=[]), "ca_roots"),
        (lambda value: value.update(ca_roots=["no certificate"]), "ca_roots"),
        (lambda value: value["trustee_roots"].update(centre="AB" * 32), "trustee_roots.centre"),
        (lambda value: value["trustee_roots"].update(centre="0g"), "trustee_roots.centre"),
        (lambda value: value["contributors"].update(owner="00"), "contributors"),
    ],
)
def test_wrong_field_is_named(change: Callable[[dict[str, Any]], object], field: str) -> None:
    with pytest.raises(Refused) as err:
        trust.load(changed(change))
    assert (err.value.code, err.value.facts["field"]) == ("trust_fields", field)


def test_cosignature_key_is_no_log_key_and_the_other_way_round() -> None:
    """Same name, same bytes, another type: what the one signs is not what the other means."""
    as_log = str(note.VerifierKey("centre", note.LOG_SIGNATURE, ed25519("centre")))
    as_witness = str(note.VerifierKey("hall.example/ledger/rehearsal", note.COSIGNATURE, ed25519("log")))
    for change, field in (
        (lambda value: value["log"].update(key=as_witness), "log.key"),
        (lambda value: value["witnesses"][0].update(key=as_log), "witnesses.key"),
    ):
        with pytest.raises(Refused) as err:
            trust.load(changed(change))
        assert (err.value.code, err.value.facts["field"]) == ("trust_fields", field)


def test_keys_of_the_wrong_kind_are_refused() -> None:
    with pytest.raises(Refused, match="key_not_ed25519"):
        trust.dump(**parts(trustee_roots={"centre": bytes(32), "supervision": ed25519("s")}))
    with pytest.raises(Refused, match="key_not_p256"):
        trust.dump(**parts(contributors={"centre": ed25519("c"), "supervision": p256("s")}))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[" * 5000,
        b'{"v":1,"v":1}',
        b'{"v":1.0}',
        b'{"v":NaN}',
        b'{"v":' + b"9" * 5000 + b"}",
        b" " * 300_000,
        "﻿{}".encode(),
    ],
)
def test_unreadable_file_is_refused_without_a_crash(data: bytes) -> None:
    with pytest.raises(Refused) as err:
        trust.load(data)
    assert err.value.code == "trust_unreadable"
