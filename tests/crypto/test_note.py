"""Notes, checkpoints, quorums: the checkpoint of a public log with four witnesses, and the attacks."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crypto import signing
from crypto.ledger import merkle, note
from crypto.refusal import Refused

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "c2sp" / "notes.json").read_text())
ORIGIN = "hall.example/ledger"
NOON = datetime(2026, 3, 23, 4, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def seeded(seed: str) -> Callable[[int], bytes]:
    return lambda length: hashlib.shake_256(seed.encode()).digest(length)


def signer(seed: str) -> signing.Ed25519Signer:
    return signing.Ed25519Signer.generate(entropy=seeded(seed))


LOG = signer("log")
TREE = merkle.Tree([merkle.leaf_hash(bytes([number])) for number in range(40)])
SIDES: dict[str, note.Group] = {"centre": "operation", "regulator": "supervision", "notary": "independent"}


def witness(name: str) -> note.Witness:
    return note.Witness(name, SIDES[name], note.VerifierKey(name, note.COSIGNATURE, signer(name).key))


@dataclass(frozen=True)
class Anchors:
    log: note.VerifierKey
    witnesses: tuple[note.Witness, ...]
    quorum: int


TRUST = Anchors(note.VerifierKey(ORIGIN, note.LOG_SIGNATURE, LOG.key), tuple(witness(name) for name in SIDES), 2)


def checkpoint(size: int = 40, tree: merkle.Tree = TREE, origin: str = ORIGIN) -> note.Note:
    return note.sign_checkpoint(note.Checkpoint(origin, size, tree.root(size)), signer=LOG)


def cosigned(*names: str, at: Sequence[datetime] = (), size: int = 40) -> note.Note:
    signed = checkpoint(size)
    for number, name in enumerate(names):
        stamp = at[number] if at else NOON
        signed = signed.with_line(note.cosign(signed, name=name, signer=signer(name), at=stamp))
    return signed


def test_example_of_the_specification_verifies() -> None:
    example = VECTORS["signed_note"]
    key = note.VerifierKey.parse(example["key"])
    parsed = note.Note.parse(example["note"].encode())
    assert note.verify_note(parsed, key) == "This is an example message.\n"
    assert parsed.encode() == example["note"].encode() and str(key) == example["key"]


def test_checkpoint_of_a_public_log_with_four_public_witnesses_verifies() -> None:
    published = VECTORS["public_checkpoint"]
    parsed = note.Note.parse(published["note"].encode())
    keys = [note.VerifierKey.parse(each) for each in published["witnesses"]]
    witnesses = [note.Witness(key.name, "independent", key) for key in keys]
    found = note.verify_checkpoint(parsed, note.VerifierKey.parse(published["log"]))
    assert found.size == published["size"]
    stamps = {each.at.timestamp() for each in note.verify_cosignatures(parsed, witnesses)}
    assert stamps == {published["stamp_s"]}
    altered = note.Note.parse(published["note"].replace("1432088532", "1432088533").encode())
    with pytest.raises(Refused, match="cosignature"):
        note.verify_cosignatures(altered, witnesses)
    with pytest.raises(Refused, match="signature"):
        note.verify_checkpoint(altered, note.VerifierKey.parse(published["log"]))


def test_cosignature_line_of_the_specification_has_its_stamp() -> None:
    line = note.SignatureLine.parse(VECTORS["cosignature_line"]["line"])
    assert int.from_bytes(line.signature[:8], "big") == VECTORS["cosignature_line"]["stamp_s"]
    assert str(line) == VECTORS["cosignature_line"]["line"] + "\n"


def test_quorum_of_both_sides_is_proved_with_its_stamps() -> None:
    signed = cosigned("regulator", "centre", at=[NOON + 5 * SECOND, NOON])
    quorum = note.verify_quorum(note.Note.parse(signed.encode()), TRUST)
    assert [each.witness.name for each in quorum.cosigned] == ["centre", "regulator"]
    assert quorum.complete_at == NOON + 5 * SECOND
    assert [each.at for each in quorum.cosigned][:: len(quorum.cosigned) - 1] == [NOON, NOON + 5 * SECOND]
    assert quorum.checkpoint == note.Checkpoint(ORIGIN, 40, TREE.root())


def test_third_witness_that_comes_late_does_not_move_the_instant_of_the_quorum() -> None:
    late = NOON + timedelta(hours=3)
    quorum = note.verify_quorum(cosigned("centre", "regulator", "notary", at=[NOON, NOON + SECOND, late]), TRUST)
    assert (quorum.complete_at, quorum.cosigned[-1].at) == (NOON + SECOND, late)


def test_too_few_witnesses_are_no_quorum() -> None:
    for names in ((), ("centre",), ("regulator",)):
        with pytest.raises(Refused) as err:
            note.verify_quorum(cosigned(*names), TRUST)
        assert err.value.code == "quorum"


@pytest.mark.parametrize(
    ("names", "group"), [(("centre", "notary"), "supervision"), (("regulator", "notary"), "operation")]
)
def test_quorum_without_supervision_or_operation_is_none(names: tuple[str, ...], group: str) -> None:
    with pytest.raises(Refused) as err:
        note.verify_quorum(cosigned(*names), TRUST)
    assert (err.value.code, err.value.facts["group"]) == ("quorum_group", group)


def test_extension_witnessed_after_the_deadline_it_replaces_admits_nothing() -> None:
    quorum = note.verify_quorum(cosigned("centre", "regulator", at=[NOON - SECOND, NOON]), TRUST)
    with pytest.raises(Refused, match="quorum_not_before"):
        quorum.stamped_before(NOON)
    assert len(quorum.stamped_before(NOON + SECOND)) == 2


def test_checkpoint_witnessed_one_second_early_is_stale_for_a_trustee() -> None:
    quorum = note.verify_quorum(cosigned("centre", "regulator", "notary", at=[NOON, NOON - SECOND, NOON]), TRUST)
    with pytest.raises(Refused, match="quorum_not_from"):
        quorum.stamped_from(NOON)
    assert len(quorum.stamped_from(NOON - SECOND)) == 3


def test_tampered_cosignature_spoils_the_checkpoint() -> None:
    signed = cosigned("centre", "regulator", "notary")
    for number in range(1, 4):
        line = signed.signatures[number]
        for at in (7, 8, 71):
            raw = bytearray(line.signature)
            raw[at] ^= 1
            spoilt = signed.with_line(note.SignatureLine(line.name, line.key_id, bytes(raw)))
            with pytest.raises(Refused, match="cosignature"):
                note.verify_quorum(spoilt, TRUST)
        for length in (0, 8, 64, 71, 73):
            cut = note.SignatureLine(line.name, line.key_id, (line.signature * 2)[:length])
            with pytest.raises(Refused, match="cosignature"):
                note.verify_cosignatures(signed.with_line(cut), TRUST.witnesses)


def test_cosignature_of_another_checkpoint_or_another_witness_is_refused() -> None:
    other, here = cosigned("regulator", size=39), cosigned("centre")
    with pytest.raises(Refused, match="cosignature"):
        note.verify_quorum(here.with_line(other.signatures[1]), TRUST)
    stolen = cosigned("notary").signatures[1].signature
    line = note.SignatureLine("regulator", witness("regulator").key.key_id, stolen)
    with pytest.raises(Refused, match="cosignature"):
        note.verify_quorum(here.with_line(line), TRUST)


def test_stamp_of_zero_or_beyond_every_calendar_is_refused() -> None:
    signed = checkpoint()
    regulator, key = signer("regulator"), witness("regulator").key
    for stamp in (0, 2**63, 2**64 - 1):
        message = f"cosignature/v1\ntime {stamp}\n{signed.text}".encode()
        line = note.SignatureLine("regulator", key.key_id, stamp.to_bytes(8, "big") + regulator.sign(message))
        with pytest.raises(Refused, match="cosignature"):
            note.verify_cosignatures(signed.with_line(line), TRUST.witnesses)
    with pytest.raises(Refused, match="stamp"):
        note.cosign(signed, name="regulator", signer=regulator, at=datetime.fromtimestamp(0, UTC))


def test_witness_key_used_as_a_log_key_and_the_other_way_round_is_ignored() -> None:
    signed = cosigned("centre", "regulator")
    as_log = note.VerifierKey("centre", note.LOG_SIGNATURE, signer("centre").key)
    with pytest.raises(Refused, match="note_not_signed"):
        note.verify_checkpoint(signed, as_log)
    plain = note.SignatureLine("centre", witness("centre").key.key_id, signer("centre").sign(signed.text.encode()))
    with pytest.raises(Refused, match="note_not_signed"):
        note.verify_note(note.Note(signed.text, (plain,)), witness("centre").key)
    as_witness = note.Witness(ORIGIN, "operation", note.VerifierKey(ORIGIN, note.COSIGNATURE, LOG.key))
    assert note.verify_cosignatures(signed, [as_witness]) == ()


def test_unknown_signatures_are_ignored_and_a_repeated_known_one_is_not() -> None:
    signed = cosigned("centre", "regulator")
    stranger = signed.with_line(note.cosign(signed, name="stranger", signer=signer("stranger"), at=NOON))
    assert len(note.verify_quorum(stranger, TRUST).cosigned) == 2
    twice = note.Note(signed.text, (*signed.signatures, signed.signatures[1]))
    with pytest.raises(Refused, match="signature_repeated"):
        note.verify_quorum(twice, TRUST)


def test_checkpoint_not_signed_by_the_log_or_for_another_origin_is_refused() -> None:
    forged = note.sign_checkpoint(note.Checkpoint(ORIGIN, 40, TREE.root()), signer=signer("thief"))
    with pytest.raises(Refused, match="note_not_signed"):
        note.verify_checkpoint(forged, TRUST.log)
    text = note.Checkpoint("another.example/ledger", 40, TREE.root()).encode()
    with pytest.raises(Refused, match="origin"):
        note.verify_checkpoint(note.sign_note(text, name=ORIGIN, signer=LOG), TRUST.log)


def test_rolled_back_log_is_named() -> None:
    old, new = (note.verify_checkpoint(checkpoint(size), TRUST.log) for size in (40, 30))
    with pytest.raises(Refused) as err:
        note.check_follows(old, new, ())
    assert err.value.code == "log_rolled_back"


def test_forked_log_is_named() -> None:
    old = note.Checkpoint(ORIGIN, 20, TREE.root(20))
    forked = merkle.Tree([*(TREE.get_hash(0, number) for number in range(19)), *(bytes([9]) * 32 for _ in range(21))])
    for size, proof in ((40, forked.consistency_proof(20)), (20, ()), (40, TREE.consistency_proof(20))):
        with pytest.raises(Refused) as err:
            note.check_follows(old, note.Checkpoint(ORIGIN, size, forked.root(size)), proof)
        assert err.value.code == "log_forked"
    honest = note.Checkpoint(ORIGIN, 40, TREE.root())
    assert note.check_follows(old, honest, TREE.consistency_proof(20)) == honest
    with pytest.raises(Refused, match="origin"):
        note.check_follows(old, note.Checkpoint("x", 40, TREE.root()), TREE.consistency_proof(20))


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1],
        lambda data: data + b"\n",
        lambda data: data.replace(b"\n\n", b"\n"),
        lambda data: data.replace("— ".encode(), b"- "),
        lambda data: data.replace("— ".encode(), "—  ".encode()),
        lambda data: data.replace(b"hall.example/ledger\n40", b"hall.example/ledger\r\n40"),
        lambda data: data.replace(b"=\n", b"\n"),
        lambda data: data.replace(b"hall", b"h\xff"),
        lambda data: data + b"x" * 65_536,
        lambda data: data + data.split(b"\n\n")[1] * 65,
        lambda data: b"",
    ],
)
def test_note_has_one_spelling(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(Refused):
        note.verify_checkpoint(change(checkpoint().encode()), TRUST.log)


def test_note_of_sixty_four_signatures_is_read_and_one_more_is_not() -> None:
    line = str(checkpoint().signatures[0]).encode()
    text = checkpoint().text.encode() + b"\n"
    assert len(note.Note.parse(text + line * 64).signatures) == 64
    with pytest.raises(Refused) as err:
        note.Note.parse(text + line * 65)
    assert err.value.code == "note"


@pytest.mark.parametrize(
    "text",
    [
        "o\n05\n{root}\n",
        "o\n+5\n{root}\n",
        "o\n٥\n{root}\n",
        "o\n5\n{root}\nextension\n",
        "o\n5\n{root}",
        "\n5\n{root}\n",
        "o p\n5\n{root}\n",
        "o\n5\nAAAA\n",
        "o\n5\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n",
        "o\n0\n{root}\n",
        "o\n99999999999999999999\n{root}\n",
        "o\n5\n",
    ],
)
def test_checkpoint_has_three_lines_and_one_spelling(text: str) -> None:
    with pytest.raises(Refused):
        note.Checkpoint.parse(text.replace("{root}", "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="))


def test_empty_log_has_the_empty_root() -> None:
    empty = note.Checkpoint(ORIGIN, 0, merkle.EMPTY_ROOT)
    assert note.Checkpoint.parse(empty.encode()) == empty


@pytest.mark.parametrize(
    "text",
    [
        "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/bar+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2",
        "example.com/foo+530d903a",
        "rekor.sigstore.dev+12345678+AwEB",
        "rekor.sigstore.dev+12345678+THIS_IS_NOT_BASE64!",
        "",
    ],
)
def test_verifier_key_has_one_spelling(text: str) -> None:
    with pytest.raises(Refused):
        note.VerifierKey.parse(text)


def test_base64_of_a_verifier_key_may_hold_a_plus_sign() -> None:
    keys = [note.VerifierKey(f"log{number}", 1, signer(f"log{number}").key) for number in range(40)]
    assert any("+" in str(key).split("+", 2)[2] for key in keys)
    assert [note.VerifierKey.parse(str(key)) for key in keys] == keys


def test_origin_of_a_demo_hall_is_known_by_its_end() -> None:
    assert note.is_rehearsal("hall.example/ledger/rehearsal")
    assert not note.is_rehearsal("hall.example/rehearsal/ledger")
