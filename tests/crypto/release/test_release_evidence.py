"""What a hall shows a trustee after the freeze: sham tenders, slipped, dropped, revived and doubled bids; puppets."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crypto import jcs, release, roster, signing
from crypto.opening import ceremony, certified, frozen
from crypto.opening.examination import Memory
from crypto.refusal import Refused
from crypto.sealing import prekeys


def code(step: Any) -> str:
    return step.code if isinstance(step, release.Waits | release.Refuses) else type(step).__name__


def look(world: Any, **changes: Any) -> str:
    """What an agent of the supervision lock says, once it has read the log."""
    return code(world.agents[1][0].step(**changes))


def three(world: Any) -> list[Any]:
    return [world.submit(world.bidder(number)) for number in range(3)]


# The list.


def test_attack_late_bid_slipped_into_the_freeze_by_its_time(world: Any) -> None:
    three(world)
    friend = world.submit(world.bidder(7), at=ceremony.instant("2026-03-23T01:00:00.000Z"))
    world.close()
    world.freeze(world.bids)
    world.everybody_reads_and_waits(300)
    step = world.agents[1][0].step()
    assert code(step) == "freeze_list_differs"
    assert step.facts["bid"] == friend.bid.hex() and step.facts["problem"] == "added"


def test_attack_late_bid_slipped_into_the_freeze_after_close(world: Any) -> None:
    three(world)
    world.close()
    world.submit(world.bidder(7), at=ceremony.instant("2026-03-23T00:59:59.999Z"))
    world.freeze(world.bids)
    world.everybody_reads_and_waits(300)
    assert look(world) == "freeze_list_differs", "the index says that it came after close, whatever its time says"


def test_bid_one_millisecond_before_the_deadline_counts(world: Any) -> None:
    three(world)
    world.submit(world.bidder(7), at=ceremony.instant("2026-03-23T00:59:59.999Z"))
    world.after_deadline()
    assert look(world) == "SaysReady"


def test_attack_dropped_bid_that_the_evidence_shows(world: Any) -> None:
    three(world)
    world.submit(world.bidder(3))
    world.close()
    world.freeze(world.bids[1:])
    world.everybody_reads_and_waits(300)
    step = world.agents[1][0].step()
    assert code(step) == "freeze_list_differs" and step.facts["problem"] == "dropped"


def test_attack_dropped_bid_blocks_when_its_receipt_is_presented(world: Any) -> None:
    three(world)
    dropped = world.submit(world.bidder(3))
    receipt = world.receipt(dropped.evidence, dropped.salt_c, dropped.confidential)
    world.bids.remove(dropped)
    world.after_deadline()
    assert look(world) == "SaysReady", "nobody can see what nobody shows"
    step = world.agents[1][0].step(receipts=(receipt,))
    assert code(step) == "receipt_left_out" and step.facts["leaf"] == dropped.evidence.leaf().hex()
    # A corrected freeze, with the evidence, lifts it.
    world.bids.append(dropped)
    world.freeze(supplements=world.frozen)
    world.everybody_reads_and_waits(300)
    assert look(world, receipts=(receipt,)) == "SaysReady"


def test_attack_dropped_bid_behind_spoiled_evidence(world: Any) -> None:
    """The hall cannot make a receipted bid 'not count' by showing a wrong certificate, signature, salt or proof."""
    bids = [*three(world), world.submit(world.bidder(3))]
    world.close()
    world.freeze(bids[1:])
    world.everybody_reads_and_waits(300)
    agent = world.agents[1][0]
    honest = world.evidence(agent.read()).submissions
    for change, expected in (
        ({"signature": bytes(64)}, "submit_signature"),
        ({"salt": bytes(32)}, "bidder_tag"),
        ({"certificate": bids[1].bidder.signer.certificate}, "bidder_tag"),
        ({"certificate": b"\x30\x00"}, "certificate"),
        ({"headers": honest[1].headers}, "bidder_tag"),
        ({"private": replace(honest[0].private, proof=())}, "inclusion_proof"),
    ):
        spoiled = (replace(honest[0], **change), *honest[1:])
        assert code(agent.step(submissions=spoiled)) == expected
    unopened = (replace(honest[0], headers=(), signature=bytes(64)), *honest[1:])
    assert code(agent.step(submissions=unopened)) == "submit_signature"


def test_receipts_that_prove_nothing_block_nothing(world: Any) -> None:
    bid = three(world)[0]
    receipt = world.receipt(bid.evidence, bid.salt_c, bid.confidential)
    world.after_deadline()
    late = world.submit(world.bidder(8))
    after_close = world.receipt(late.evidence, late.salt_c, late.confidential)
    other_tender = dict(bid.evidence.event) | {"tender_id": "5" * 64}
    foreign, salt_c, confidential = world.private("submit", {**other_tender, "kind": "submit"}, by=world.bidder(9))
    elsewhere = world.receipt(foreign, salt_c, confidential)
    world.bids.remove(late)
    assert look(world, receipts=(receipt, after_close, elsewhere, b"rubbish", receipt[:-9])) == "SaysReady"


def test_withdrawn_bid_is_not_opened_and_its_headers_need_not_be_shown(world: Any) -> None:
    bids = [*three(world), world.submit(world.bidder(3))]
    world.withdraw(bids[3])
    world.after_deadline()
    assert len(jcs.loads(world.objects[world.list_hash])) == 3
    assert look(world) == "SaysReady"
    assert look(world, unopened=(bids[3],)) == "SaysReady"
    assert look(world, unopened=(bids[0],)) == "object_missing"


def test_attack_resurrected_withdrawn_bid(world: Any) -> None:
    bids = [*three(world), world.submit(world.bidder(3))]
    withdrawal, salt_c, confidential = world.withdraw(bids[3])
    receipt = world.receipt(withdrawal.private, salt_c, confidential)
    world.close()
    world.freeze(bids)
    world.everybody_reads_and_waits(300)
    step = world.agents[1][0].step()
    assert code(step) == "freeze_list_differs" and step.facts["bid"] == bids[3].bid.hex()
    assert look(world, withdrawals=[]) == "SaysReady", "the withdrawal was withheld, and its bidder is silent"
    assert look(world, withdrawals=[], receipts=(receipt,)) == "receipt_left_out"


def test_attack_bid_withdrawn_by_somebody_else(world: Any) -> None:
    bids = three(world)
    stranger = world.bidder(8)
    forged, _, _ = world.withdraw(replace(bids[0], bidder=stranger))
    world.withdrawals[:] = [frozen.Withdrawal(forged.private, bids[0].bidder.signer.certificate)]
    world.close()
    world.freeze(bids)
    world.everybody_reads_and_waits(300)
    assert look(world) == "withdraw_signature"
    world.withdrawals[:] = [forged]
    assert look(world) == "SaysReady", "signed by a stranger it voids the stranger's bids"


def test_withdrawal_after_the_deadline_voids_nothing(world: Any) -> None:
    bids = three(world)
    world.withdraw(bids[0], at=ceremony.instant("2026-03-23T01:00:00.000Z"))
    world.close()
    world.freeze(bids)
    world.everybody_reads_and_waits(300)
    assert look(world) == "SaysReady"


def test_replaced_bid_and_two_bids_of_one_organisation(world: Any) -> None:
    first = three(world)[0]
    second = world.submit(first.bidder, 2)
    world.close()
    world.freeze(world.bids)
    world.everybody_reads_and_waits(300)
    step = world.agents[1][0].step()
    assert code(step) == "freeze_list_differs" and step.facts["bid"] == first.bid.hex()
    world.freeze(world.bids[1:], supplements=world.frozen)
    world.everybody_reads_and_waits(300)
    assert second in world.bids[1:] and look(world) == "SaysReady"


def test_attack_second_certificate_of_one_organisation(world: Any) -> None:
    """One organisation is one USCC, however many certificates it has: the second bid needs a higher version."""
    bids = three(world)
    again = world.bidder(0)
    assert again.uscc == bids[0].bidder.uscc and again.spki != bids[0].bidder.spki
    world.submit(again, 1)
    world.close()
    world.freeze(world.bids)
    world.everybody_reads_and_waits(300)
    assert look(world) == "freeze_list_differs"


def test_attack_lower_version_after_a_withdrawal(world: Any) -> None:
    bids = [*three(world), world.submit(world.bidder(3), 5)]
    world.withdraw(bids[3])
    world.submit(bids[3].bidder, 4)
    world.close()
    world.freeze([*bids[:3], world.bids[-1]])
    world.everybody_reads_and_waits(300)
    assert look(world) == "freeze_list_differs"


def test_freeze_list_is_a_pure_function_of_its_entries() -> None:
    at = datetime(2026, 3, 22, tzinfo=UTC)
    deadline = datetime(2026, 3, 23, tzinfo=UTC)

    def entry(index: int, organisation: str, version: int, when: datetime = at) -> frozen.Submitted:
        bid = bytes([index]) * 32
        return frozen.Submitted(bid, index, when, organisation, version, bid, (bid,))

    entries = [
        entry(9, "a", 1),
        entry(3, "b", 1),
        entry(7, "b", 2),
        entry(8, "b", 2),
        entry(5, "c", 1),
        entry(6, "d", 1, deadline),
        entry(20, "e", 1),
        entry(4, "f", 3),
        entry(10, "f", 2),
    ]
    gone = [frozen.Withdrawn(b"", 11, at, "c", 1), frozen.Withdrawn(b"", 21, at, "a", 1)]
    found = frozen.freeze_list(reversed(entries), gone, close_index=20, deadline=deadline)
    assert [(each.organisation, each.version, each.index) for each in found] == [
        ("f", 3, 4),
        ("b", 2, 7),
        ("a", 1, 9),
    ]
    kept = frozen.freeze_list(entries, [frozen.Withdrawn(b"", 1, at, "b", 1)], close_index=20, deadline=deadline)
    assert [each.version for each in kept if each.organisation == "b"] == [2]


# Sham tenders and puppet rosters.


def test_attack_sham_tender_opens_a_competitors_bid(world: Any) -> None:
    """A second tender with the same roster, in which the competitor's sealed headers are handed in."""
    rival = three(world)[0]
    world.after_deadline()
    world.bids.clear()
    world.begin(name="假标段", roster=world.roster)
    world.now = ceremony.instant("2026-03-02T02:00:00.000Z")
    world.hand_in(rival.bidder, rival.headers, rival.salt, 1, rival.secrets)
    world.after_deadline()
    assert look(world) == "key_used_by_another_tender"


def test_attack_sham_tender_with_fresh_keys_holds_a_foreign_header(world: Any) -> None:
    rival = three(world)[0]
    world.bids.clear()
    world.begin(name="假标段", key_number=1)
    three(world)
    world.hand_in(rival.bidder, rival.headers, rival.salt, 1, rival.secrets)
    world.after_deadline()
    assert look(world) == "tender"


def test_attack_key_used_before_even_if_the_log_forgot(world: Any) -> None:
    world.to_opening()
    agent = world.agents[1][0]
    key = world.roster.locks[1].keys[0].hex()
    agent.memory = Memory(keys={key: "6" * 64})
    assert code(agent.step()) == "key_used_by_another_tender"
    agent.memory = Memory(keys={key: world.tender_id.hex()})
    assert code(agent.step()) == "SaysReady"


def test_attack_puppet_roster_of_keys_nobody_certified(world: Any) -> None:
    puppets = prekeys.derive(world.entropy(32), 0, 3)
    locks = world.roster.locks
    world.begin(roster=roster.Roster((roster.Lock(2, tuple(key.public for key in puppets)), locks[1])))
    world.to_opening()
    assert look(world) == "key_used_by_another_tender", "lock 1's keys belong to the first tender"
    keys = tuple(world.pre_keys[agent.trustee.id][2].public for agent in world.agents[1])
    world.bids.clear()
    more = prekeys.derive(world.entropy(32), 0, 3)
    world.begin(
        roster=roster.Roster((roster.Lock(2, tuple(key.public for key in more)), roster.Lock(2, keys))), name="二"
    )
    world.to_opening()
    assert look(world) == "roster_key_unknown"


def seat(world: Any, number: int, index: int, agent: Any) -> None:
    """Puts another trustee into a seat of a new tender."""
    world.agents[number][index - 1] = agent
    world.bids.clear()
    world.begin(key_number=1, name="换人")


@pytest.mark.parametrize("missing", ["centre", "supervision"])
def test_attack_puppet_trustee_certified_by_one_root_alone(world: Any, missing: str) -> None:
    alone = [(f"root_{side}", signer) for side, signer in world.roots.items() if side != missing]
    seat(world, 0, 1, world.enrol("puppet", "owner", 0, 7, signers=alone))
    world.to_opening()
    assert look(world) == "trustee_not_certified"


def test_attack_puppet_trustee_of_the_wrong_group_or_organisation(world: Any) -> None:
    from_other_side = world.enrol("defector", "notary", 0, 8)
    seat(world, 1, 2, from_other_side)
    world.to_opening()
    step = world.agents[1][0].step()
    assert code(step) == "roster_seats" and "group" in step.facts["reason"]


@pytest.mark.parametrize(
    ("uscc", "reason"),
    [
        ("91440100000000101", "twice"),
        ("91440100000000001", "owner"),
        ("91440100000000999", "rulebook"),
    ],
)
def test_attack_lock_1_seat_for_the_owner_a_double_or_a_stranger(world: Any, uscc: str, reason: str) -> None:
    padded = "9144010" + uscc[-11:].rjust(11, "0")
    organisation = {"name": "友好单位", "uscc": padded}
    seat(world, 1, 2, world.enrol("friend", "independent", 1, 9, fields={"organisation": organisation}))
    world.to_opening()
    step = world.agents[1][0].step()
    assert code(step) == "roster_seats" and reason in step.facts["reason"]


def test_attack_pre_keys_signed_by_somebody_else(world: Any) -> None:
    stranger = signing.Ed25519Signer.generate(entropy=world.entropy)
    seat(world, 0, 1, world.enrol("robbed", "owner", 0, 7, pre_key_signer=stranger))
    world.to_opening()
    assert look(world) == "roster_key_unknown"


def test_second_act_under_a_trustees_name_changes_nothing(world: Any) -> None:
    before = certified.read(world.agents[0][0].read().hall, world.trust)
    tender = world.tender_id
    world.enrol("centre-0", "centre", 0, 2)
    world.tender_id = tender
    after = certified.read(world.agents[0][0].read().hall, world.trust)
    assert after.trustees["centre-0"] == before.trustees["centre-0"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"rehearsal": False}, "rehearsal_not_declared"),
        ({"duty_key": "07" * 32}, "key_not_certified"),
        ({"verdict_keys": {"room": "07" * 32, "verifier": "08" * 32}}, "key_not_certified"),
        ({"owner": {"name": "别人", "uscc": "914401000000000099"}}, "act_not_signed_by"),
        ({"roster": None, "rulebook": {"id": "x", "hash": "0" * 64}}, "object_hash"),
        ({"seats": [["owner-0"], ["regulator-1"]]}, "roster_seats"),
    ],
)
def test_attack_tender_with_made_up_keys_or_owner(world: Any, change: dict[str, Any], expected: str) -> None:
    world.begin(key_number=1, **change)
    world.to_opening()
    agent = world.agents[1][0]
    agent.trustee = release.Trustee(agent.trustee.id, agent.trustee.secrets)
    assert look(world) == expected


def test_attack_tender_with_a_contributor_of_the_owners_choice(world: Any) -> None:
    spki = {str(i): world.owner.spki.hex() for i in (1, 2, 3)}
    world.begin(key_number=1, contributors=spki)
    world.to_opening()
    assert look(world) == "contributors_not_anchored"


def test_trustee_that_is_not_seated_says_nothing(world: Any) -> None:
    stranger = world.enrol("stranger", "independent", 1, 9)
    world.begin(key_number=1)
    world.to_opening()
    assert code(stranger.step()) == "tender_not_in_log"
    lost = world.agents[1][0]
    lost.trustee = release.Trustee(lost.trustee.id, {})
    assert code(lost.step()) == "not_my_seat"


def test_terms_with_a_field_of_another_type_are_refused(world: Any) -> None:
    logged = world.agents[1][0].read().of(world.tender_id)[0]
    for name, value in (("bids_min", "3"), ("bids_min", True), ("settle_s", None), ("roster", "zz"), ("owner", "x")):
        with pytest.raises(Refused):
            ceremony.terms(replace(logged, act={**logged.act, name: value}))


def test_rotated_duty_key_goes_on_and_the_old_one_too(world: Any) -> None:
    for number in range(3):
        world.submit(world.bidder(number))
    tender, new = world.tender_id, signing.Ed25519Signer.generate(entropy=world.entropy)
    fields = {"purpose": "duty", "old": world.duty.key.hex(), "new": new.key.hex()}
    world.hall("rotate", fields, [("duty", world.duty), ("root_centre", world.roots["centre"])])
    world.tender_id, world.duty = tender, new
    world.after_deadline()
    assert look(world) == "SaysReady"
    world.now += timedelta(seconds=1)
