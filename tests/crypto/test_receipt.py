"""Receipts: both grades, each kind of event, and every word or salt that may be changed in one."""

import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crypto import jcs, signing
from crypto.ledger import acts, merkle, note, receipt
from crypto.refusal import Refused

ANSWERS = json.loads((Path(__file__).parent.parent / "vectors" / "ledger" / "answers.json").read_text())
ORIGIN = "hall.example/ledger/rehearsal"
RECEIVED = datetime(2026, 3, 23, 3, 59, 59, tzinfo=UTC)
SALT_P, SALT_C = bytes(range(32)), bytes(range(32, 64))
PUBLIC = {
    "v": 1,
    "kind": "submit",
    "tender_id": "ab" * 32,
    "at": "2026-03-23T03:59:58.123Z",
    "prev": "0" * 64,
    "role": "bidder",
    "power": None,
    "rule": None,
    "version": 1,
}
PERSON = {"person": "李四", "organisation": {"name": "南岭路桥有限公司", "uscc": "91440101MA5CTR0001"}}
EVENT = {"public": PUBLIC, "confidential": PERSON}
SIDES: dict[str, note.Group] = {"centre": "operation", "regulator": "supervision", "notary": "independent"}


def signer(seed: str) -> signing.Ed25519Signer:
    return signing.Ed25519Signer.generate(entropy=lambda length: hashlib.shake_256(seed.encode()).digest(length))


@dataclass(frozen=True)
class Anchors:
    log: note.VerifierKey
    witnesses: tuple[note.Witness, ...]
    quorum: int


TRUST = Anchors(
    note.VerifierKey(ORIGIN, note.LOG_SIGNATURE, signer("log").key),
    tuple(
        note.Witness(name, group, note.VerifierKey(name, note.COSIGNATURE, signer(name).key))
        for name, group in SIDES.items()
    ),
    2,
)


def public_act() -> dict[str, Any]:
    base = {"v": 1, "kind": "clock", "tender_id": acts.HALL_TENDER_ID, "seq": 0, "prev": acts.FIRST_PREV}
    rest = {"at": "2026-03-02T01:00:00.000Z", "role": "clockwork", "power": None, "rule": None, "context": None}
    return signing.sign_act({**base, **rest, "advance": "P20D"}, signer=signer("duty"), by="duty")


def made(
    event: dict[str, Any] = EVENT,
    salt_p: bytes | None = SALT_P,
    salt_c: bytes | None = SALT_C,
    *,
    leaf: bytes | None = None,
    witnesses: tuple[str, ...] = (),
    context: dict[str, Any] | None = None,
) -> bytes:
    """A receipt as a hall gives it: the leaf as number 5 of 12, cosigned by these witnesses."""
    logged = leaf or acts.private_leaf(PUBLIC, PERSON, SALT_P, SALT_C)
    leaves = [acts.cover_leaf(bytes(32), number) for number in range(12)]
    leaves[5] = logged
    tree = merkle.Tree(map(merkle.leaf_hash, leaves))
    signed = note.sign_checkpoint(note.Checkpoint(ORIGIN, 12, tree.root()), signer=signer("log"))
    for name in witnesses:
        signed = signed.with_line(note.cosign(signed, name=name, signer=signer(name), at=RECEIVED))
    return receipt.build(
        event, salt_p, salt_c, index=5, proof=tree.inclusion_proof(5), checkpoint=signed, context=context
    )


def altered(data: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    parsed, extra = receipt.parse(data)
    change(extra)
    return replace(parsed, extra=jcs.dumps(extra)).encode()


def test_grade_a_is_the_log_and_grade_b_is_the_quorum() -> None:
    first = receipt.verify(made(), TRUST)
    assert (first.grade, first.index, first.event, first.cosigned) == ("A", 5, EVENT, ())
    assert first.leaf_hash == merkle.leaf_hash(acts.private_leaf(PUBLIC, PERSON, SALT_P, SALT_C))
    assert first.rehearsal
    whole = receipt.verify(made(witnesses=("centre", "regulator")), TRUST)
    assert (whole.grade, len(whole.cosigned)) == ("B", 2)


def test_missing_witness_or_side_keeps_grade_a() -> None:
    for witnesses in (("centre",), ("centre", "notary"), ("regulator", "notary")):
        assert receipt.verify(made(witnesses=witnesses), TRUST).grade == "A"


def test_receipt_of_a_public_act_has_no_salts() -> None:
    act = public_act()
    data = made({"act": act}, None, None, leaf=acts.public_leaf(act))
    proved = receipt.verify(data, TRUST)
    assert proved.event == {"act": act} and proved.leaf == acts.public_leaf(act)
    for salts in ((SALT_P, None), (None, SALT_C), (SALT_P, SALT_C)):
        with pytest.raises(Refused, match="receipt"):
            made({"act": act}, *salts, leaf=acts.public_leaf(act))


def test_receipt_may_keep_the_confidential_part_back() -> None:
    event = {"public": PUBLIC, "confidential_hash": acts.part_hash(PERSON, SALT_C).hex()}
    proved = receipt.verify(made(event, SALT_P, None), TRUST)
    assert proved.event == event
    assert "李四" not in base64.b64decode(made(event, SALT_P, None).split(b"\n")[1][6:]).decode()


@pytest.mark.parametrize(
    "change",
    [
        lambda extra: extra["event"]["public"].update(at="2026-03-23T03:59:58.124Z"),
        lambda extra: extra["event"]["confidential"].update(person="王五"),
        lambda extra: extra.update(salt_p=extra["salt_c"][:-2] + "ff"),
        lambda extra: extra.update(salt_c="00" * 32),
        lambda extra: extra.update(salt_p=extra["salt_c"], salt_c=extra["salt_p"]),
    ],
)
def test_altered_word_or_swapped_salt_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(Refused) as err:
        receipt.verify(altered(made(), change), TRUST)
    assert err.value.code == "inclusion_proof"


@pytest.mark.parametrize(
    "change",
    [
        lambda extra: extra.update(kind="draw"),
        lambda extra: extra.update(more=1),
        lambda extra: extra.update(event=[]),
        lambda extra: extra.update(context="text"),
        lambda extra: extra["event"].update(more={}),
        lambda extra: extra["event"].update(public=[]),
        lambda extra: extra.update(salt_p="ab"),
        lambda extra: extra.update(salt_p="AB" * 32),
        lambda extra: extra.update(salt_p=7),
        lambda extra: extra.pop("salt_c"),
    ],
)
def test_malformed_extra_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(Refused) as err:
        receipt.verify(altered(made(), change), TRUST)
    assert err.value.code == "receipt"


def test_context_is_shown_but_proved_by_nothing() -> None:
    data = made(context={"lot": "E4401000001001"})
    renamed = altered(data, lambda extra: extra.update(context={"lot": "another"}))
    assert receipt.verify(data, TRUST).context == {"lot": "E4401000001001"}
    assert receipt.verify(renamed, TRUST).context == {"lot": "another"}
    assert receipt.verify(made(), TRUST).context == {}


def test_hidden_extension_has_no_receipt() -> None:
    with pytest.raises(Refused, match="act_hidden"):
        made({"public": {**PUBLIC, "kind": "deadline"}, "confidential": PERSON})


def test_receipt_of_another_log_index_or_tree_is_refused() -> None:
    parsed, _ = receipt.parse(made(witnesses=("centre", "regulator")))
    other_log = replace(TRUST, log=note.VerifierKey(ORIGIN, note.LOG_SIGNATURE, signer("thief").key))
    with pytest.raises(Refused, match="note_not_signed"):
        receipt.verify(parsed.encode(), other_log)
    for wrong in (replace(parsed, index=4), replace(parsed, proof=parsed.proof[:-1]), replace(parsed, index=12)):
        with pytest.raises(Refused, match="inclusion_proof"):
            receipt.verify(wrong.encode(), TRUST)


def test_false_cosignature_refuses_even_a_grade_a_receipt() -> None:
    parsed, _ = receipt.parse(made(witnesses=("centre",)))
    line = parsed.checkpoint.signatures[1]
    false = note.SignatureLine(line.name, line.key_id, bytes(72))
    with pytest.raises(Refused, match="cosignature"):
        receipt.verify(replace(parsed, checkpoint=parsed.checkpoint.with_line(false)).encode(), TRUST)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: data.replace(b"@v1", b"@v2"),
        lambda data: data.replace(b"index 5", b"index 05"),
        lambda data: data.replace(b"index 5", b"index -5"),
        lambda data: data.replace(b"index 5", b"index 99999999999999999999"),
        lambda data: data.replace(b"index 5", "index ٥".encode()),
        lambda data: data.replace(b"index 5\n", b""),
        lambda data: data.replace(b"index 5\n", b"index 5\nindex 5\n"),
        lambda data: data.replace(b"extra ", b"extra  "),
        lambda data: data.replace(b"extra ", b"Extra "),
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data + b"\n",
        lambda data: data.partition(b"\n\n")[0],
        lambda data: data.replace(b"index 5\n", b"index 5\n" + b"A" * 43 + b"=\n" * 70),
        lambda data: b"\n".join(line for line in data.split(b"\n") if not line.startswith(b"extra")),
        lambda data: data + b"x" * 600_000,
    ],
)
def test_receipt_has_one_spelling(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(Refused):
        receipt.verify(change(made()), TRUST)


def test_parsing_and_encoding_are_inverse() -> None:
    data = made(witnesses=("centre", "regulator"), context={"lot": "E4401000001001"})
    parsed, _ = receipt.parse(data)
    assert parsed.encode() == data
    bare = replace(parsed, extra=None)
    assert receipt.TlogProof.parse(bare.encode()) == bare


def test_known_answers_of_the_project_have_not_changed() -> None:
    """tests/vectors/ledger: any implementation of docs/spec/ledger.md gives these bytes."""
    leaf = acts.private_leaf(PUBLIC, PERSON, SALT_P, SALT_C)
    act = public_act()
    whole = made(witnesses=("centre", "regulator"), context={"lot": "E4401000001001"})
    assert {
        "act": act,
        "act_message": signing.act_message(act).hex(),
        "public_leaf_hash": merkle.leaf_hash(acts.public_leaf(act)).hex(),
        "tender_id": acts.tender_id({"kind": "tender", "v": 1, "lot": "E4401000001001", "seq": 0}).hex(),
        "private_event": EVENT,
        "private_leaf": leaf.hex(),
        "private_leaf_hash": merkle.leaf_hash(leaf).hex(),
        "cover_leaf": acts.cover_leaf(bytes(32), 5).hex(),
        "log_key": str(TRUST.log),
        "witness_keys": [str(each.key) for each in TRUST.witnesses],
        "receipt": whole.decode(),
    } == ANSWERS


def test_reading_a_receipt_needs_only_the_standard_library_and_cryptography() -> None:
    program = (
        "import sys; from crypto import certificates, trust; from crypto.ledger import receipt, tiles; "
        "print(*sorted({name.split('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name for name in ran.stdout.split() if not name.startswith("_")}
    assert loaded <= {"cryptography", "crypto", "cffi", "sitecustomize", "usercustomize"}, loaded
