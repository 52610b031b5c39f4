"""When a trustee may open: clocks, holds, stale and forked logs, extensions hidden, late or invented."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from crypto import release
from crypto.ledger import merkle, note, whole_log
from crypto.opening import ceremony
from crypto.refusal import Refused

SECOND = timedelta(seconds=1)


def code(step: Any) -> str:
    """What a step says: the code it waits or refuses with, else its name."""
    return step.code if isinstance(step, release.Waits | release.Refuses) else type(step).__name__


def agent_of(world: Any) -> Any:
    return world.agents[1][0]


# Time, holds, and what the log shows.


def test_attack_release_one_second_early(world: Any) -> None:
    world.to_opening()
    agent = agent_of(world)
    deadline = ceremony.instant("2026-03-23T01:00:00.000Z")
    assert code(agent.step(now=deadline - timedelta(milliseconds=1))) == "deadline_not_reached"
    assert code(agent.step(now=world.now - SECOND)) == "challenge_window"
    assert code(agent.step()) == "SaysReady"


def test_hall_that_closes_before_the_deadline_and_settle_has_not_closed(world: Any) -> None:
    for number in range(3):
        world.submit(world.bidder(number))
    world.close(at=ceremony.instant("2026-03-23T01:00:59.000Z"))
    world.freeze()
    world.now += timedelta(hours=1)
    assert code(agent_of(world).step()) == "not_closed"


def test_hall_that_stamps_close_with_a_later_time_than_it_was_logged_is_seen(world: Any) -> None:
    for number in range(3):
        world.submit(world.bidder(number))
    early = world.now
    world.by_duty("close", {"deadline": "2026-03-23T01:00:00.000Z"}, at="2026-03-23T01:01:00.000Z")
    agent = agent_of(world)
    agent.read()
    assert agent.log.stamps[-1].at == early
    world.now = ceremony.instant("2026-03-23T03:00:00.000Z")
    assert code(agent.step()) == "not_closed"


def test_attack_release_under_a_hold(world: Any) -> None:
    world.to_opening()
    hold = world.by_duty("hold", {"reason": "objection", "ref": "3" * 64, "stage": "bidding", "left_s": 0})
    assert code(agent_of(world).step()) == "on_hold"
    world.by_duty("resume", {"ref": "4" * 64, "until": "2026-03-23T01:00:00.000Z"})
    assert code(agent_of(world).step()) == "on_hold", "another hold's resume does not lift this one"
    world.by_duty("resume", {"ref": hold.act["ref"], "until": "2026-03-23T01:00:00.000Z"})
    assert code(agent_of(world).step()) == "SaysReady"


def test_attack_release_under_a_hold_that_came_after_ready(world: Any) -> None:
    world.to_opening()
    world.ready_all()
    world.by_duty("hold", {"reason": "objection", "ref": "3" * 64, "stage": "bidding", "left_s": 0})
    assert {code(agent.step()) for agent in world.all_agents()} == {"on_hold"}


def test_attack_release_under_a_suspension_lifted_by_the_hall_alone(world: Any) -> None:
    world.to_opening()
    directive = world.by_supervisor("suspend")
    world.by_duty("hold", {"reason": "directive", "ref": directive.leaf.hex(), "stage": "bidding", "left_s": 0})
    world.by_duty("resume", {"ref": directive.leaf.hex(), "until": "2026-03-23T01:00:00.000Z"})
    forged = world.draft("directive", {"what": "resume", "reason": "", "power": "P-1"}, role="supervisor")
    world.log_act(forged, [("supervisor", world.duty)])
    assert code(agent_of(world).step()) == "suspended"
    world.by_supervisor("resume")
    assert code(agent_of(world).step()) == "SaysReady"


def test_attack_release_after_termination(world: Any) -> None:
    world.to_opening()
    world.ready_all()
    world.by_owner("terminate", {"reason": "取消"})
    assert {code(agent.step()) for agent in world.all_agents()} == {"tender_terminated"}


def test_attack_release_with_two_bids(world: Any) -> None:
    world.to_opening(bids=2)
    step = agent_of(world).step()
    assert isinstance(step, release.Refuses) and step.code == "fewer_than_bids_min"
    logged = agent_of(world).says(step)
    assert logged.act["refusal"] == "fewer_than_bids_min"
    again = agent_of(world).step()
    assert isinstance(again, release.Refuses) and again.act is None, "a refusal is logged once"


def test_attack_release_with_a_stale_checkpoint(world: Any) -> None:
    world.to_opening()
    before = world.checkpoint(at=ceremony.instant("2026-03-23T00:59:59.000Z"))
    assert code(agent_of(world).step(checkpoint=before)) == "checkpoint_stale"
    old = world.checkpoint()
    world.now += timedelta(hours=1, seconds=1)
    assert code(agent_of(world).step(checkpoint=old)) == "checkpoint_stale"
    assert code(agent_of(world).step()) == "SaysReady"


def test_one_fresh_witness_beside_stale_ones_is_no_quorum(world: Any) -> None:
    world.to_opening()
    stale = world.checkpoint(at=ceremony.instant("2026-03-23T00:59:59.000Z"), witnesses=["witness-centre"])
    fresh = world.checkpoint(witnesses=["witness-regulator"])
    mixed = stale.with_line(fresh.signatures[-1])
    assert code(agent_of(world).step(checkpoint=mixed)) == "checkpoint_stale"


def test_checkpoint_of_the_operators_side_alone_is_refused(world: Any) -> None:
    world.to_opening()
    alone = world.checkpoint(witnesses=["witness-centre", "witness-notary"])
    with pytest.raises(Refused, match="quorum_group"):
        agent_of(world).step(checkpoint=alone)


def test_attack_release_from_a_forked_log(world: Any) -> None:
    world.to_opening()
    agent = agent_of(world)
    agent.read()
    world.leaves[-1] = world.leaves[-1][:-2] + b"}}"
    world.tree = merkle.Tree(merkle.leaf_hash(leaf) for leaf in world.leaves)
    world.append(b"\x02" + bytes(32))
    with pytest.raises(Refused, match="log_forked"):
        agent.read()


def test_attack_rolled_back_log(world: Any) -> None:
    world.to_opening()
    agent = agent_of(world)
    agent.read()
    with pytest.raises(Refused, match="log_rolled_back"):
        agent.read(world.checkpoint(len(world.leaves) - 1))


def test_attack_leaf_held_back_from_the_trustee(world: Any) -> None:
    world.to_opening()
    quorum = note.verify_quorum(world.checkpoint(), world.trust)
    hold = len(world.leaves) - 1
    for leaves in (world.leaves[:hold], [*world.leaves[:hold], b"\x02" + bytes(32)]):
        with pytest.raises(Refused, match=r"log_incomplete|log_forked"):
            whole_log.WholeLog("").advance(leaves, quorum)


# Extensions.


def extend(world: Any, deadline: str, **common: Any) -> Any:
    was = "2026-03-23T01:00:00.000Z"
    return world.by_owner("deadline", {"deadline": deadline, "was": was, "reason": "extension"}, **common)


def test_extension_keeps_everything_shut_and_admits_later_bids(world: Any) -> None:
    for number in range(3):
        world.submit(world.bidder(number))
    extend(world, "2026-03-30T01:00:00.000Z")
    for agent in world.all_agents():
        agent.read()
    world.now = ceremony.instant("2026-03-25T01:00:00.000Z")
    assert code(agent_of(world).step()) == "deadline_not_reached"
    world.submit(world.bidder(3))
    world.close(deadline=ceremony.instant("2026-03-30T01:00:00.000Z"))
    world.freeze()
    agent_of(world).read()
    world.now += timedelta(seconds=300)
    assert code(agent_of(world).step()) == "SaysReady"


def test_attack_hidden_extension(world: Any) -> None:
    """The hall logs the owner's extension, then closes at the old deadline as if it had never been."""
    for number in range(3):
        world.submit(world.bidder(number))
    extend(world, "2026-03-30T01:00:00.000Z")
    agent_of(world).read()
    world.after_deadline()
    assert code(agent_of(world).step()) == "deadline_not_reached"
    world.now = ceremony.instant("2026-03-30T02:00:00.000Z")
    assert code(agent_of(world).step()) == "not_closed", "a close that quotes the old deadline is void"


def test_attack_hidden_extension_as_a_private_act(world: Any) -> None:
    with pytest.raises(Refused, match="act_hidden"):
        world.private("deadline", {"deadline": "2026-03-30T01:00:00.000Z"}, by=world.owner)


def test_attack_hidden_extension_by_withholding_stamps(world: Any) -> None:
    """A trustee that was shown no early checkpoint waits for the extension all the same, and admits nobody by it."""
    for number in range(3):
        world.submit(world.bidder(number))
    extension = extend(world, "2026-03-30T01:00:00.000Z")
    size = extension.index + 1
    in_time = world.checkpoint(size)
    world.submit(world.bidder(3), at=ceremony.instant("2026-03-25T01:00:00.000Z"))
    world.close(deadline=ceremony.instant("2026-03-30T01:00:00.000Z"))
    world.freeze()
    world.now += timedelta(seconds=300)
    agent = agent_of(world)
    assert code(agent.step(now=ceremony.instant("2026-03-24T01:00:00.000Z"))) == "deadline_not_reached"
    assert code(agent.step()) == "not_closed", "not shown to be witnessed in time: the old deadline admits"
    log = agent.read()
    stamp = whole_log.verify_stamp(in_time.encode(), world.tree.consistency_proof(size), world.trust, log)
    world.now += timedelta(seconds=300)
    assert code(agent.step(stamps=(stamp,))) == "SaysReady"


def test_attack_stamp_of_a_fork_proves_nothing(world: Any) -> None:
    world.to_opening()
    log = agent_of(world).read()
    forged = note.sign_checkpoint(note.Checkpoint(log_origin(world), 5, b"\x07" * 32), signer=world.log_key)
    for name, signer in world.witness_keys.items():
        forged = forged.with_line(note.cosign(forged, name=name, signer=signer, at=world.now))
    with pytest.raises(Refused, match="log_forked"):
        whole_log.verify_stamp(forged.encode(), world.tree.consistency_proof(5), world.trust, log)


def log_origin(world: Any) -> str:
    return str(world.trust.log.name)


def test_attack_extension_after_close(world: Any) -> None:
    world.to_opening()
    extend(world, "2026-03-30T01:00:00.000Z", at="2026-03-22T01:00:00.000Z")
    assert code(agent_of(world).step()) == "SaysReady", "void after close, whatever time it claims"


def test_attack_extension_by_the_hall_or_by_a_bidder(world: Any) -> None:
    stranger = world.bidder(9)
    fields = {"deadline": "2026-03-30T01:00:00.000Z", "was": "2026-03-23T01:00:00.000Z", "reason": "extension"}
    world.log_act(world.draft("deadline", fields), [("owner", world.duty)])
    world.log_act(world.draft("deadline", fields, role="owner"), [("owner", stranger.signer)])
    world.to_opening()
    assert code(agent_of(world).step()) == "SaysReady"


def test_attack_extension_outside_the_chain_has_no_effect(world: Any) -> None:
    fields = {"deadline": "2026-03-30T01:00:00.000Z", "was": "2026-03-23T01:00:00.000Z", "reason": "extension"}
    world.log_act(world.draft("deadline", fields, role="owner", seq=9), [("owner", world.owner.signer)], chained=False)
    world.to_opening()
    assert code(agent_of(world).step()) == "SaysReady"


def test_extension_under_a_hold_that_was_witnessed_before_the_deadline_admits(world: Any) -> None:
    """Under a hold no deadline fires: what is given later replaces one that never was, however late it comes."""
    for number in range(2):
        world.submit(world.bidder(number))
    hold = world.by_duty("hold", {"reason": "directive", "ref": "3" * 64, "stage": "bidding", "left_s": 60})
    for agent in world.all_agents():
        agent.read()
    world.now = ceremony.instant("2026-03-24T01:00:00.000Z")
    extend(world, "2026-03-30T01:00:00.000Z")
    world.by_duty("resume", {"ref": hold.act["ref"], "until": "2026-03-30T01:00:00.000Z"})
    world.submit(world.bidder(2))
    world.close(deadline=ceremony.instant("2026-03-30T01:00:00.000Z"))
    world.freeze()
    agent_of(world).read()
    world.now += timedelta(seconds=300)
    assert code(agent_of(world).step()) == "SaysReady"


def test_attack_hold_made_up_after_the_deadline_admits_nobody(world: Any) -> None:
    for number in range(3):
        world.submit(world.bidder(number))
    world.now = ceremony.instant("2026-03-24T01:00:00.000Z")
    ref = "3" * 64
    world.by_duty("hold", {"reason": "directive", "ref": ref, "stage": "bidding", "left_s": 60}, at=LONG_BEFORE)
    extend(world, "2026-03-30T01:00:00.000Z", at=LONG_BEFORE)
    world.by_duty("resume", {"ref": ref, "until": "2026-03-30T01:00:00.000Z"})
    world.submit(world.bidder(3))
    world.close(deadline=ceremony.instant("2026-03-30T01:00:00.000Z"))
    world.freeze()
    agent_of(world).read()
    world.now += timedelta(seconds=300)
    assert code(agent_of(world).step()) == "not_closed", "nobody saw the hold before the deadline"


LONG_BEFORE = "2026-03-22T01:00:00.000Z"


def outage(world: Any, begun: str, ended: str) -> None:
    world.by_duty("incident", {"what": "outage", "from": begun, "to": ended, "text": "witnesses unreachable"})


def test_extension_in_an_outage_of_the_witnesses_admits(world: Any) -> None:
    for number in range(2):
        world.submit(world.bidder(number))
    agent_of(world).read()
    world.now = ceremony.instant("2026-03-23T00:30:00.000Z")
    extend(world, "2026-03-30T01:00:00.000Z")
    world.now = ceremony.instant("2026-03-23T02:30:00.000Z")
    outage(world, "2026-03-23T00:15:00.000Z", "2026-03-23T02:15:00.000Z")
    world.submit(world.bidder(2))
    agent_of(world).read()
    world.close(deadline=ceremony.instant("2026-03-30T01:00:00.000Z"))
    world.freeze()
    agent_of(world).read()
    world.now += timedelta(seconds=300)
    assert code(agent_of(world).step()) == "SaysReady"


def over_the_deadline(world: Any, *, reason: str = "outage") -> None:
    """The hall was away over the deadline: back, it logs the outage and stops the tender; then the owner signs."""
    for number in range(2):
        world.submit(world.bidder(number))
    agent_of(world).read()
    world.now = ceremony.instant("2026-03-23T02:20:00.000Z")
    ends = {"from": "2026-03-23T00:15:00.000Z", "to": "2026-03-23T02:15:00.000Z"}
    incident = world.by_duty("incident", {"what": "outage", **ends, "text": "the hall was not running"})
    ref = incident.leaf.hex()
    world.by_duty("hold", {"reason": reason, "ref": ref, "stage": "bidding", "left_s": 0})
    extend(world, "2026-03-30T01:00:00.000Z")
    world.by_duty("resume", {"ref": ref, "until": "2026-03-30T01:00:00.000Z"})
    world.submit(world.bidder(2))
    world.close(deadline=ceremony.instant("2026-03-30T01:00:00.000Z"))
    world.freeze()


def test_extension_after_an_outage_over_the_deadline_admits_under_its_hold(world: Any) -> None:
    over_the_deadline(world)
    agent_of(world).read()
    world.now += timedelta(seconds=300)
    assert code(agent_of(world).step()) == "SaysReady"


def test_attack_outage_over_the_deadline_while_witnesses_were_stamping(world: Any) -> None:
    size = agent_of(world).read().size
    stamp = whole_log.Stamp(size, ceremony.instant("2026-03-23T01:20:00.000Z"))
    over_the_deadline(world)
    agent_of(world).read()
    world.now += timedelta(seconds=300)
    assert code(agent_of(world).step(stamps=(stamp,))) == "not_closed"


def test_attack_outage_over_the_deadline_with_a_hold_for_something_else(world: Any) -> None:
    over_the_deadline(world, reason="directive")
    agent_of(world).read()
    world.now += timedelta(seconds=300)
    assert code(agent_of(world).step()) == "not_closed"


def test_attack_outage_invented_while_witnesses_were_stamping(world: Any) -> None:
    for number in range(2):
        world.submit(world.bidder(number))
    world.now = ceremony.instant("2026-03-23T01:20:00.000Z")
    log = agent_of(world).read()
    stamp = whole_log.Stamp(log.size, ceremony.instant("2026-03-23T01:20:00.000Z"))
    extend(world, "2026-03-30T01:00:00.000Z", at="2026-03-23T00:30:00.000Z")
    outage(world, "2026-03-23T00:15:00.000Z", "2026-03-23T02:15:00.000Z")
    world.submit(world.bidder(2))
    world.close(deadline=ceremony.instant("2026-03-30T01:00:00.000Z"))
    world.freeze()
    agent_of(world).read()
    world.now += timedelta(seconds=300)
    assert code(agent_of(world).step(stamps=(stamp,))) == "not_closed"


def test_deadline_in_force_needs_no_signatures_when_they_were_proved(world: Any) -> None:
    terms = ceremony.terms(world_log(world).of(world.tender_id)[0])
    found = ceremony.deadline_in_force(terms, (), ())
    assert found.deadline == found.shut_until == terms.deadline and found.close is None


def world_log(world: Any) -> whole_log.WholeLog:
    quorum = note.verify_quorum(world.checkpoint(), world.trust)
    return whole_log.WholeLog("").advance(world.leaves, quorum)
