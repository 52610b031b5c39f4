"""Leaves and chains: what may stand in the clear, what must not, and every way to hide, drop or reorder an act."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from crypto import jcs, signing
from crypto.ledger import acts, merkle
from crypto.refusal import Refused

SALT_P, SALT_C = bytes(range(32)), bytes(range(32, 64))
AT = "2026-03-02T01:00:00.000Z"


def seeded(seed: str) -> Callable[[int], bytes]:
    return lambda length: hashlib.shake_256(seed.encode()).digest(length)


OWNER = signing.Ed25519Signer.generate(entropy=seeded("owner"))


def act(kind: str, **fields: Any) -> dict[str, Any]:
    base = {"v": 1, "kind": kind, "at": AT, "role": "owner", "power": None, "rule": None, "context": None}
    return {**base, **fields}


def chained(*drafts: dict[str, Any], tender_id: str | None = None) -> list[dict[str, Any]]:
    """The drafts numbered, linked and signed as a platform would record them."""
    name = tender_id or acts.tender_id(drafts[0]).hex()
    chain = acts.Chain(name, ())
    recorded = []
    for draft in drafts:
        numbered = {**draft, "tender_id": name, "seq": chain.next_seq, "prev": chain.next_prev}
        recorded.append(signing.sign_act(numbered, signer=OWNER, by="owner"))
        chain = acts.extend_chain(chain, recorded[-1])
    return recorded


def lot(*later: dict[str, Any]) -> list[dict[str, Any]]:
    return chained(act("tender", lot="E4401000001001", rehearsal=True), *later)


def private(kind: str = "download", **fields: Any) -> dict[str, Any]:
    base = {"v": 1, "kind": kind, "tender_id": "ab" * 32, "at": AT, "prev": acts.FIRST_PREV, "role": "bidder"}
    return {**base, "power": None, "rule": None, **fields}


PERSON = {"person": "李四", "organisation": None, "address": "10.1.2.3", "device": "", "source": "page"}


def test_public_leaf_is_the_act_itself() -> None:
    (tender,) = lot()
    leaf = acts.public_leaf(tender)
    assert leaf == b"\x01" + jcs.dumps(tender)
    assert acts.parse_public(leaf) == tender


def test_chain_of_a_lot_is_proved() -> None:
    recorded = lot(act("amendment", version=1), act("close", deadline=AT))
    chain = acts.check_chain(recorded)
    assert chain.tender_id == acts.tender_id(recorded[0]).hex()
    assert chain.leaf_hashes[-1] == merkle.leaf_hash(acts.public_leaf(recorded[-1]))
    assert (chain.next_seq, chain.next_prev) == (3, chain.leaf_hashes[-1].hex())


def test_hidden_act_shows_as_a_gap() -> None:
    recorded = lot(act("deadline", deadline=AT), act("close", deadline=AT))
    with pytest.raises(Refused) as err:
        acts.check_chain([recorded[0], recorded[2]])
    assert (err.value.code, err.value.facts["expected"]) == ("chain_gap", 1)


def test_hidden_act_cannot_be_papered_over_by_renumbering() -> None:
    recorded = lot(act("deadline", deadline=AT), act("close", deadline=AT))
    renumbered = {**recorded[2], "seq": 1}
    with pytest.raises(Refused, match="chain_prev"):
        acts.check_chain([recorded[0], renumbered])


def test_replaced_act_breaks_the_link_of_the_next() -> None:
    recorded = lot(act("deadline", deadline=AT), act("close", deadline=AT))
    other = lot(act("deadline", deadline="2026-09-01T01:00:00.000Z"))
    with pytest.raises(Refused, match="chain_prev"):
        acts.check_chain([recorded[0], other[1], recorded[2]])


def test_hidden_extension_as_a_commitment_is_refused() -> None:
    for kind in sorted(acts.PUBLIC_KINDS):
        with pytest.raises(Refused, match="act_hidden"):
            acts.private_leaf(private(kind), PERSON, SALT_P, SALT_C)
    part = private("deadline")
    leaf = (
        b"\x02"
        + hashlib.sha256(
            b"sealbid/v1 private\x00" + acts.part_hash(part, SALT_P) + acts.part_hash(PERSON, SALT_C)
        ).digest()
    )
    with pytest.raises(Refused, match="act_hidden"):
        acts.verify_private(leaf, acts.Opened(part, SALT_P), acts.part_hash(PERSON, SALT_C))


def test_private_kind_in_the_clear_is_refused() -> None:
    for kind in ("submit", "objection", "ranking", "reading_grant"):
        with pytest.raises(Refused, match="act_private"):
            acts.public_leaf({**lot()[0], "kind": kind})


def test_swapped_terms_change_the_tender_id() -> None:
    recorded = lot(act("close", deadline=AT))
    swapped = {**recorded[0], "rehearsal": False}
    with pytest.raises(Refused, match="chain_tender_id"):
        acts.check_chain([swapped, recorded[1]])


def test_tender_id_leaves_out_what_the_platform_adds() -> None:
    (tender,) = lot()
    draft = {name: value for name, value in tender.items() if name not in ("tender_id", "seq", "prev", "signatures")}
    expected = hashlib.sha256(b"sealbid/v1 tender\x00" + jcs.dumps(draft)).digest()
    assert acts.tender_id(tender) == acts.tender_id(draft) == expected
    with pytest.raises(Refused, match="act_kind"):
        acts.tender_id(act("close"))


def test_second_tender_act_and_chain_without_one_are_refused() -> None:
    recorded = lot(act("close", deadline=AT))
    with pytest.raises(Refused, match="chain_begins_otherwise"):
        lot(act("tender", lot="E4401000001001", rehearsal=True))
    with pytest.raises(Refused, match="chain_begins_otherwise"):
        acts.check_chain(recorded[1:])
    with pytest.raises(Refused, match="chain_empty"):
        acts.check_chain([])


def test_act_of_another_lot_in_the_chain_is_refused() -> None:
    other = chained(act("tender", lot="E4401000001002", rehearsal=True), act("close", deadline=AT))
    with pytest.raises(Refused, match="chain_tender_id"):
        acts.check_chain([*lot(), other[1]])


def test_hall_has_its_own_chain() -> None:
    recorded = chained(act("trustee", trustee="a"), act("clock", advance="P20D"), tender_id=acts.HALL_TENDER_ID)
    assert acts.check_chain(recorded).next_seq == 2
    with pytest.raises(Refused, match="act_outside_its_chain"):
        chained(act("tender", lot="x"), tender_id=acts.HALL_TENDER_ID)
    with pytest.raises(Refused, match="act_outside_its_chain"):
        lot(act("pre_keys"))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"v": 2}, "act_fields"),
        ({"v": True}, "act_fields"),
        ({"seq": -1}, "act_fields"),
        ({"seq": True}, "act_fields"),
        ({"seq": "0"}, "act_fields"),
        ({"prev": "00"}, "act_fields"),
        ({"prev": "AB" * 32}, "act_fields"),
        ({"tender_id": None}, "act_fields"),
        ({"at": "2026-03-02T01:00:00Z"}, "act_fields"),
        ({"at": "2026-03-02T09:00:00.000+08:00"}, "act_fields"),
        ({"kind": "Tender"}, "act_kind"),
        ({"kind": None}, "act_kind"),
        ({"signatures": []}, "act_unsigned"),
        ({"terms": "字" * 22_000}, "leaf_too_large"),
    ],
)
def test_malformed_public_act_is_refused(change: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as err:
        acts.public_leaf({**lot()[0], **change})
    assert err.value.code == code


def test_public_act_without_a_field_of_every_act_is_refused() -> None:
    (tender,) = lot()
    for field in ("v", "tender_id", "seq", "prev", "at", "role", "power", "rule", "context", "signatures"):
        with pytest.raises(Refused) as err:
            acts.public_leaf({name: value for name, value in tender.items() if name != field})
        assert (err.value.code, err.value.facts["field"]) == ("act_fields", field)


def test_leaf_bytes_that_are_not_canonical_are_refused() -> None:
    leaf = acts.public_leaf(lot()[0])
    for bad, code in (
        (b"\x01 " + leaf[1:], "jcs_not_canonical"),
        (b"\x02" + leaf[1:], "leaf_kind"),
        (b"", "leaf_kind"),
    ):
        with pytest.raises(Refused) as err:
            acts.parse_public(bad)
        assert err.value.code == code
    with pytest.raises(Refused, match="act_fields"):
        acts.parse_public(b"\x01[]")


def test_private_leaf_is_proved_with_either_part_kept_back() -> None:
    leaf = acts.private_leaf(private(), PERSON, SALT_P, SALT_C)
    assert len(leaf) == 33 and leaf[0] == 2
    public, confidential = acts.Opened(private(), SALT_P), acts.Opened(PERSON, SALT_C)
    assert acts.verify_private(leaf, public, confidential).confidential == PERSON
    shown = acts.verify_private(leaf, public, acts.part_hash(PERSON, SALT_C))
    assert (shown.public, shown.confidential) == (private(), None)
    assert acts.verify_private(leaf, acts.part_hash(private(), SALT_P), confidential).public is None


def test_swapped_salt_part_or_order_is_refused() -> None:
    leaf = acts.private_leaf(private(), PERSON, SALT_P, SALT_C)
    hash_p, hash_c = acts.part_hash(private(), SALT_P), acts.part_hash(PERSON, SALT_C)
    for public, confidential in (
        (acts.Opened(private(), SALT_C), hash_c),
        (acts.Opened(private(), SALT_C), acts.Opened(PERSON, SALT_P)),
        (acts.Opened(private(at="2026-03-02T01:00:00.001Z"), SALT_P), hash_c),
        (acts.Opened(private(), SALT_P), hash_p),
        (hash_p, acts.Opened({**PERSON, "person": "王五"}, SALT_C)),
        (acts.Opened(private(), SALT_P), hash_c[:31]),
    ):
        with pytest.raises(Refused) as err:
            acts.verify_private(leaf, public, confidential)
        assert err.value.code == "private_act"
    with pytest.raises(Refused, match="nothing_opened"):
        acts.verify_private(leaf, hash_p, hash_c)
    for bad in (leaf[:-1], leaf + b"\0", b"\x01" + leaf[1:]):
        with pytest.raises(Refused, match="leaf_kind"):
            acts.verify_private(bad, acts.Opened(private(), SALT_P), hash_c)


def test_salts_are_of_thirty_two_bytes_and_differ() -> None:
    with pytest.raises(Refused, match="salt_repeated"):
        acts.private_leaf(private(), PERSON, SALT_P, SALT_P)
    with pytest.raises(Refused, match="salt_length"):
        acts.private_leaf(private(), PERSON, SALT_P[:16], SALT_C)


def test_cover_looks_like_any_private_leaf_and_is_proved_by_the_seed() -> None:
    seed = bytes(range(64, 96))
    first, second = acts.cover_leaf(seed, 0), acts.cover_leaf(seed, 1)
    assert len(first) == 33 and first[0] == 2 and first != second
    assert acts.cover_leaf(seed, 1) == second, "whoever has the seed can make the leaf again"
    with pytest.raises(Refused, match="salt_length"):
        acts.cover_leaf(seed[:31], 0)


def test_actor_chain_names_its_own_acts_only() -> None:
    """A bidder that follows prev sees its own acts; other bidders' acts in between leave no trace."""
    first = private("download")
    first_leaf = acts.private_leaf(first, PERSON, SALT_P, SALT_C)
    second = private("submit", prev=merkle.leaf_hash(first_leaf).hex())
    second_leaf = acts.private_leaf(second, PERSON, SALT_P, SALT_C)
    last = acts.check_actor_chain([(first_leaf, first), (second_leaf, second)])
    assert last == merkle.leaf_hash(second_leaf)
    for broken in ([(second_leaf, second)], [(first_leaf, first), (first_leaf, first)]):
        with pytest.raises(Refused, match="chain_prev"):
            acts.check_actor_chain(broken)
    with pytest.raises(Refused, match="chain_tender_id"):
        acts.check_actor_chain([(first_leaf, first), (second_leaf, {**second, "tender_id": "cd" * 32})])
    with pytest.raises(Refused, match="chain_empty"):
        acts.check_actor_chain([])
