"""Headers: every refusal of the bytes, and every swap that admission must see."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import signing
from crypto.refusal import Refused
from crypto.roster import Lock, Roster
from crypto.sealing import envelope, header, hpke

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/sealbid/header.json").read_text())


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: vector["name"])
def test_header_refused(vector: dict[str, str]) -> None:
    with pytest.raises(Refused) as err:
        header.parse(bytes.fromhex(vector["header"]))
    assert err.value.code == vector["code"]


def test_known_answer() -> None:
    data = bytes.fromhex(VECTORS["header"])
    parsed = header.parse(data)
    assert len(data) == 939
    assert parsed.encode() == data
    assert parsed.head() == data[:226]
    assert parsed.hash().hex() == VECTORS["header_hash"]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 938), st.integers(0, 255))
def test_every_header_read_is_written_again_byte_for_byte(at: int, value: int) -> None:
    data = bytearray(bytes.fromhex(VECTORS["header"]))
    data[at] = value
    try:
        assert header.parse(bytes(data)).encode() == bytes(data)
    except Refused as refused:
        assert refused.code in header.__doc__


def test_body_lengths_and_padding() -> None:
    mib = 1024 * 1024
    pairs = {1: 65536, 65536: 65536, 65537: 131072, mib: mib, mib - 1: mib, mib + 1: 2 * mib, 2 * mib: 2 * mib}
    for length, padded in pairs.items():
        assert header.padded(length) == padded
        assert header.padded_of_body(header.body_len_of(padded)) == padded
    assert header.padded_of_body(header.body_len_of(2048 * mib)) == 2048 * mib


def test_an_honest_bid_is_admitted(sealing: Any) -> None:
    boxes = [sealing.seal(0, {}), sealing.seal(1)]
    admitted = sealing.admission(boxes)
    assert admitted.bid_id == boxes[0].header.bid_id()
    assert admitted.digest == envelope.submit_digest([box.header for box in boxes])
    assert admitted.version == 1


def refusal(sealing: Any, boxes: list[Any], **changes: Any) -> str:
    with pytest.raises(Refused) as err:
        sealing.admission(boxes, **changes)
    return err.value.code


def test_bid_of_another_tender_is_refused(sealing: Any) -> None:
    assert refusal(sealing, [sealing.seal(0, {}, tender_id=bytes(32)), sealing.seal(1, tender_id=bytes(32))]) == (
        "tender"
    )


def test_missing_repeated_or_foreign_envelopes_are_refused(sealing: Any) -> None:
    record, documents = sealing.seal(0, {}), sealing.seal(1)
    for boxes in ([record], [documents], [], [record, record], [documents, record], [record, documents, documents]):
        assert refusal(sealing, boxes) == "envelope"
    assert refusal(sealing, [record, documents], envelopes=(0, 1, 2)) == "envelope"


def test_bid_sealed_to_another_roster_is_refused(sealing: Any) -> None:
    lock0, lock1 = sealing.roster.locks
    puppet = hpke.generate(entropy=sealing.entropy)[1]
    for other in (
        Roster((Lock(2, (puppet, *lock0.keys[1:])), lock1)),
        Roster((lock1, lock0)),
        Roster((lock0, Lock(3, (*lock1.keys, puppet)))),
    ):
        boxes = [sealing.seal(0, {}, roster=other), sealing.seal(1, roster=other)]
        assert refusal(sealing, boxes) == "roster"


def test_header_with_another_threshold_than_the_roster_is_refused(sealing: Any) -> None:
    """The roster's hash alone is not enough: the lock section has a t of its own."""
    puppets = [hpke.generate(entropy=sealing.entropy)[1] for _ in range(2)]
    wide = Roster(tuple(Lock(3, (*each.keys, key)) for each, key in zip(sealing.roster.locks, puppets, strict=True)))
    boxes = [sealing.seal(0, {}, roster=wide), sealing.seal(1, roster=wide)]
    lying = [replace(box, header=replace(box.header, roster_hash=sealing.roster.hash())) for box in boxes]
    assert refusal(sealing, lying) == "roster"


def test_swapped_bidder_is_refused(sealing: Any) -> None:
    """A stolen header handed in under another's certificate, or with another salt."""
    boxes = [sealing.seal(0, {}), sealing.seal(1)]
    thief = signing.new_p256(entropy=sealing.entropy)
    stolen = envelope.sign_submit(thief, [box.header for box in boxes])
    spki = signing.spki(thief.public_key())
    assert refusal(sealing, boxes, certificate_spki=spki, submit_signature=stolen) == "bidder_tag"
    assert refusal(sealing, boxes, salt=bytes(32)) == "bidder_tag"
    assert refusal(sealing, boxes, salt=b"") == "bidder_tag"


def test_envelopes_of_two_versions_are_refused(sealing: Any) -> None:
    first = [sealing.seal(0, {}), sealing.seal(1)]
    assert refusal(sealing, [first[0], sealing.seal(1, version=2)]) == "mixed_bid"
    assert refusal(sealing, [first[0], sealing.seal(1, bid_nonce=bytes(16))]) == "mixed_bid"


def test_submit_signature_over_other_headers_is_refused(sealing: Any) -> None:
    first = [sealing.seal(0, {}), sealing.seal(1)]
    second = [first[0], sealing.seal(1)]
    signature = envelope.sign_submit(sealing.private, [box.header for box in first])
    assert refusal(sealing, second, submit_signature=signature) == "submit_signature"
    for wrong in (b"", bytes(64), signature[:63], signature + b"\0"):
        assert refusal(sealing, first, submit_signature=wrong) == "submit_signature"


def test_manifest_signature_is_no_submit_signature(sealing: Any) -> None:
    boxes = [sealing.seal(0, {}), sealing.seal(1)]
    digest = envelope.submit_digest([box.header for box in boxes])
    other_purpose = signing.sign_p256(sealing.private, signing.labelled(envelope.MANIFEST_LABEL, digest))
    assert refusal(sealing, boxes, submit_signature=other_purpose) == "submit_signature"


def test_codes_come_in_the_order_of_the_specification(sealing: Any) -> None:
    """Everything wrong at once gives the first code; mending the causes one by one gives the others in order."""
    alien = {"tender_id": bytes(32), "roster": Roster(sealing.roster.locks[::-1]), "salt": bytes(32)}
    boxes = [sealing.seal(1), sealing.seal(0, {}, version=2)]
    wrong: dict[str, Any] = alien | {"submit_signature": bytes(64)}
    seen = []
    for mended in ("tender_id", "envelope", "roster", "salt", "mixed", "submit_signature"):
        seen.append(refusal(sealing, boxes, **wrong))
        wrong.pop(mended, None)
        if mended == "envelope":
            boxes = boxes[::-1]
        if mended == "mixed":
            boxes[0] = sealing.seal(0, {})
    assert seen == ["tender", "envelope", "roster", "bidder_tag", "mixed_bid", "submit_signature"]
    sealing.admission(boxes)


def contribution(sealing: Any, **changes: Any) -> header.Header:
    draw_id = b"d" * 32
    fields: dict[str, Any] = {
        "envelope": header.CONTRIBUTION,
        "bidder_tag": header.contributor_tag(draw_id, 2, sealing.spki),
        "body_len": 0,
        "body_root": bytes(32),
        "body_prefix": bytes(56),
    }
    draft = replace(sealing.forge(b"").header, **(fields | changes))
    return sealing.relock(draft, [], b"r" * 32).header


def test_contribution_is_read_and_belongs_to_its_draw(sealing: Any) -> None:
    sealed = contribution(sealing)
    parsed = header.parse_contribution(sealed.encode())
    given: dict[str, Any] = {
        "tender_id": sealing.tender_id,
        "roster": sealing.roster,
        "draw_id": b"d" * 32,
        "contributor": 2,
        "spki": sealing.spki,
    }
    assert header.check_contribution(parsed, **given) == sealed.hash()
    for change, code in (
        ({"tender_id": bytes(32)}, "tender"),
        ({"roster": Roster(sealing.roster.locks[::-1])}, "roster"),
        ({"draw_id": b"e" * 32}, "bidder_tag"),
        ({"contributor": 1}, "bidder_tag"),
    ):
        with pytest.raises(Refused) as err:
            header.check_contribution(parsed, **(given | change))
        assert err.value.code == code


def test_contribution_is_never_a_bid(sealing: Any) -> None:
    with pytest.raises(Refused) as err:
        header.parse(contribution(sealing).encode())
    assert err.value.code == "body_len"


def test_bid_header_handed_in_as_a_draw_contribution_is_refused(sealing: Any) -> None:
    for number in (0, 1):
        with pytest.raises(Refused) as err:
            header.parse_contribution(sealing.seal(number, {}).header.encode())
        assert err.value.code == "body_len"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"version": 2}, "version"),
        ({"body_len": 67_144}, "body_len"),
        ({"body_root": b"r" * 32}, "body_root"),
        ({"body_prefix": b"p" * 56}, "prefix"),
    ],
)
def test_contribution_with_anything_of_a_bid_is_refused(sealing: Any, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as err:
        header.parse_contribution(contribution(sealing, **changes).encode())
    assert err.value.code == code


def test_contribution_under_a_bid_envelope_is_refused(sealing: Any) -> None:
    plain = contribution(sealing)
    with pytest.raises(Refused) as err:
        header.parse_contribution(replace(plain, envelope=0).encode())
    assert err.value.code == "envelope"


def test_prefix_of_another_body_is_refused(sealing: Any) -> None:
    box = sealing.seal(1)
    header.check_prefix(box.header, box.segments[0])
    for start in (box.segments[0][1:], b"", box.segments[0][:55]):
        with pytest.raises(Refused) as err:
            header.check_prefix(box.header, start)
        assert err.value.code == "prefix"
