"""The trustee's machine on an honest tender, and against every attack on an opening, by name."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from crypto import jcs, release
from crypto.ledger import acts, note, whole_log
from crypto.opening import combine, frozen
from crypto.opening.examination import Memory, OwnShares
from crypto.refusal import Refused
from crypto.sealing import hpke, lock

SECOND = timedelta(seconds=1)


def code(step: Any) -> str:
    """What a step says: the code it waits or refuses with, else its name."""
    return step.code if isinstance(step, release.Waits | release.Refuses) else type(step).__name__


def agent_of(world: Any) -> Any:
    return world.agents[1][0]


def test_honest_tender_opens(world: Any) -> None:
    world.to_opening()
    world.ready_all()
    releases = world.release_all()
    gathered = combine.open_shares(releases, world.headers(), [], reader="room", key=world.room_key[0])
    assert gathered.accused == ()
    for bid in world.bids:
        for header, secrets in zip(bid.headers, bid.secrets, strict=True):
            assert combine.secrets_of(header.hash(), header, gathered, []) == combine.Secrets(secrets)
            lock.verify_lock_section(header, world.roster, secrets)
    assert code(agent_of(world).step()) == "Rests"


def test_opens_without_one_trustee_of_each_lock(world: Any) -> None:
    world.to_opening()
    some = [agent for agents in world.agents for agent in agents[1:]]
    world.ready_all(some)
    gathered = combine.open_shares(
        world.release_all(some), world.headers(), [], reader="verifier", key=world.verifier_key[0]
    )
    for bid in world.bids:
        for header, secrets in zip(bid.headers, bid.secrets, strict=True):
            assert combine.secrets_of(header.hash(), header, gathered, []) == combine.Secrets(secrets)


def test_documents_are_sealed_to_the_opening_keys_alone(world: Any) -> None:
    world.to_opening()
    world.ready_all()
    releases = world.release_all()
    public = combine.open_shares(releases, world.headers(), [], reader="room", key=None)
    records = {bid.headers[0].hash() for bid in world.bids}
    assert set(public.shares) == records and public.accused == ()
    for made in releases:
        assert not any(
            share.hex().encode() in made.shares
            for bid in world.bids
            for share in _shares_of(world, bid.headers[1], made.lock, made.index)
        )
    # The verifier's key does not open what was sealed to the room.
    wrong = combine.open_shares(releases, world.headers(), [], reader="room", key=world.verifier_key[0])
    assert {each.code for each in wrong.accused} == {"release_unopenable"}


def _shares_of(world: Any, header: Any, number: int, index: int) -> list[bytes]:
    agent = world.agents[number][index - 1]
    key = world.roster.locks[number].keys[index - 1].hex()
    return [lock.share_of(header, number, index, agent.trustee.secrets[key])]


def world_log(world: Any) -> whole_log.WholeLog:
    quorum = note.verify_quorum(world.checkpoint(), world.trust)
    return whole_log.WholeLog("").advance(world.leaves, quorum)


# READY, complaints, release.


def test_no_share_leaves_before_every_lock_has_t_ready(world: Any) -> None:
    world.to_opening()
    world.ready_all([*world.agents[0], world.agents[1][0]])
    assert code(agent_of(world).step()) == "others_not_ready"
    assert code(world.agents[0][0].step()) == "others_not_ready"
    world.ready_all([world.agents[1][1]])
    assert code(agent_of(world).step()) == "Releases"


def test_ready_acts_of_strangers_do_not_count(world: Any) -> None:
    world.to_opening()
    world.ready_all([*world.agents[0], world.agents[1][0]])
    step = world.agents[1][1].step()
    fields = dict(step.act)
    fields.pop("kind")
    for signer in (world.duty, world.agents[0][0].signer, world.agents[1][0].signer):
        world.log_act(world.draft("ready", fields, role="trustee"), [("trustee", signer)])
    assert code(agent_of(world).step()) == "others_not_ready"


def test_attack_ready_of_another_shape_stops_nobody(world: Any) -> None:
    """A trustee signs nonsense, rightly seated and rightly signed."""
    world.to_opening()
    liar = world.agents[0][2]
    fields = {name: value for name, value in liar.step().act.items() if name != "kind"}
    for change in ({"draws": [[]]}, {"draws": None}, {"complaints": ["x"]}, {"complaints": 7}, {"lock": "0"}):
        world.log_act(world.draft("ready", {**fields, **change}, role="trustee"), [("trustee", liar.signer)])
    del fields["refusal"]
    world.log_act(world.draft("ready", fields, role="trustee"), [("trustee", liar.signer)])
    honest = [agent for agent in world.all_agents() if agent is not liar]
    world.ready_all(honest)
    assert {code(agent.step()) for agent in honest} == {"Releases"}


def test_refusal_after_ready_takes_it_back(world: Any) -> None:
    world.to_opening()
    world.ready_all([*world.agents[0][:2], *world.agents[1][:2]])
    hidden = world.bids.pop()
    shown = (world.receipt(hidden.evidence, hidden.salt_c, hidden.confidential),)
    agent = agent_of(world)
    refusal = agent.step(receipts=shown, bids=world.bids)
    assert code(refusal) == "receipt_left_out"
    agent.says(refusal)
    world.bids.append(hidden)
    assert code(world.agents[0][0].step()) == "others_not_ready"


def test_ready_names_the_checkpoint_and_the_freeze(world: Any) -> None:
    world.to_opening()
    agent = agent_of(world)
    step = agent.step()
    assert step.act["checkpoint"] == {"size": agent.log.size, "root": agent.log.root.hex()}
    assert step.act["freeze"] == world.frozen.leaf.hex()
    assert step.act["complaints"] == [] and step.act["refusal"] is None


def test_attack_hall_alters_the_act_it_gives_to_sign(world: Any) -> None:
    world.to_opening()
    step = agent_of(world).step()
    fields = {name: value for name, value in step.act.items() if name != "kind"}
    honest = world.draft("ready", fields, role="trustee")
    assert release.check_draft(step, world.tender_id, honest) == honest
    changes: tuple[dict[str, Any], ...] = (
        {"freeze": "0" * 64},
        {"tender_id": "0" * 64},
        {"kind": "release"},
        {"draws": ["0" * 64]},
        {"shares_hash": "0" * 64},
        {"role": "owner"},
    )
    for change in changes:
        with pytest.raises(Refused, match="act_draft_differs"):
            release.check_draft(step, world.tender_id, {**honest, **change})
    del honest["complaints"]
    with pytest.raises(Refused, match="act_draft_differs"):
        release.check_draft(step, world.tender_id, honest)


def spoiled_share(number: int, index: int) -> Any:
    """A bidder seals garbage to one trustee."""

    def spoil(header: Any) -> Any:
        locks = list(header.locks)
        shares = list(locks[number].shares)
        shares[index - 1] = replace(shares[index - 1], ct=bytes(48))
        locks[number] = replace(locks[number], shares=tuple(shares))
        return replace(header, locks=tuple(locks))

    return spoil


def test_attack_garbage_share_to_one_trustee_is_complained_of_and_waits_for_rescue(world: Any) -> None:
    bad = world.submit(world.bidder(0), spoil=spoiled_share(1, 1))
    world.submit(world.bidder(1))
    world.submit(world.bidder(2))
    world.after_deadline()
    step = agent_of(world).step()
    assert [each["header"] for each in step.act["complaints"]] == sorted(each.hash().hex() for each in bad.headers)
    agent_of(world).says(step)
    world.ready_all([*world.agents[0], *world.agents[1][1:]])
    waiting = agent_of(world).step()
    assert code(waiting) == "rescue_window"
    world.everybody_reads_and_waits(600)
    complaints = [combine.Complaint(agent_of(world).trustee.id, header.hash(), 1, 1) for header in bad.headers]
    gathered = combine.open_shares(
        world.release_all(), world.headers(), complaints, reader="room", key=world.room_key[0]
    )
    assert gathered.accused == (), "who complained need not release"
    header = bad.headers[0]
    found = combine.secrets_of(header.hash(), header, gathered, complaints)
    assert isinstance(found, combine.Secrets)
    with pytest.raises(Refused, match="lock_section"):
        lock.verify_lock_section(header, world.roster, found.secrets)
    assert combine.false_complainers(header.hash(), header, world.roster, found.secrets, complaints) == ()


def test_attack_trustees_wrong_share_is_named(world: Any) -> None:
    world.to_opening()
    world.ready_all()
    releases = world.release_all()
    liar = releases[3]
    value = jcs.loads(liar.shares)
    lied = world.bids[0].headers[0].hash().hex()
    for entry in value["record"]:
        if entry["header"] == lied:
            entry["share"] = "00" * 32
    releases[3] = replace(liar, shares=jcs.dumps(value))
    gathered = combine.open_shares(releases, world.headers(), [], reader="room", key=world.room_key[0])
    assert gathered.accused == (
        combine.Accused(liar.trustee, bytes.fromhex(lied), liar.lock, liar.index, "share_wrong"),
    )
    header = world.bids[0].headers[0]
    assert combine.secrets_of(header.hash(), header, gathered, []) == combine.Secrets(world.bids[0].secrets[0])


def test_attack_trustees_wrong_sealed_share_is_named(world: Any) -> None:
    world.to_opening()
    world.ready_all()
    releases = world.release_all()
    liar = releases[0]
    value = jcs.loads(liar.shares)
    hashed = bytes.fromhex(value["documents"][0]["header"])
    info = release.sealed_info(liar.freeze, liar.lock, liar.index, hashed)
    enc, ct = hpke.seal_derand(world.room_key[1], info, b"\x01" * 32, b"\x02" * 32)
    value["documents"][0]["room"] = (enc + ct).hex()
    value["documents"].pop()
    releases[0] = replace(liar, shares=jcs.dumps(value))
    gathered = combine.open_shares(releases, world.headers(), [], reader="room", key=world.room_key[0])
    assert {(each.trustee, each.code) for each in gathered.accused} == {
        (liar.trustee, "share_wrong"),
        (liar.trustee, "share_missing"),
    }


def test_attack_unreadable_shares_object_is_named(world: Any) -> None:
    world.to_opening()
    world.ready_all()
    releases = world.release_all()
    for data in (b"not json", b"[]", b'{"documents":[],"draws":[],"record":[{"header":"zz","share":"00"}]}'):
        bad = [replace(releases[0], shares=data), *releases[1:]]
        gathered = combine.open_shares(bad, world.headers(), [], reader="room", key=world.room_key[0])
        assert "shares_unreadable" in {each.code for each in gathered.accused}
        header = world.bids[0].headers[1]
        assert isinstance(combine.secrets_of(header.hash(), header, gathered, []), combine.Secrets)


def test_attack_trustees_false_complaint_is_named(world: Any) -> None:
    world.to_opening()
    world.ready_all()
    liar = agent_of(world)
    header = world.bids[0].headers[1]
    complaints = [combine.Complaint(liar.trustee.id, header.hash(), 1, 1)]
    releases = world.release_all([agent for agent in world.all_agents() if agent is not liar])
    gathered = combine.open_shares(releases, world.headers(), complaints, reader="room", key=world.room_key[0])
    found = combine.secrets_of(header.hash(), header, gathered, complaints)
    assert isinstance(found, combine.Secrets)
    named = combine.false_complainers(header.hash(), header, world.roster, found.secrets, complaints)
    assert named == (liar.trustee.id,)


def test_lock_below_t_by_silence_is_not_by_complaints(world: Any) -> None:
    world.to_opening()
    world.ready_all()
    header = world.bids[0].headers[0]
    releases = [made for made in world.release_all() if (made.lock, made.index) not in ((1, 1), (1, 2))]
    one = [combine.Complaint("regulator-1", header.hash(), 1, 1)]
    two = [*one, combine.Complaint("inspector-1", header.hash(), 1, 2)]
    gathered = combine.open_shares(releases, world.headers(), two, reader="room", key=None)
    assert combine.secrets_of(header.hash(), header, gathered, one) == combine.Unopened(1, "silence")
    expected = combine.Unopened(1, "complaints", ("regulator-1", "inspector-1"))
    assert combine.secrets_of(header.hash(), header, gathered, two) == expected


def test_release_that_was_lost_on_the_way_is_made_again_and_never_twice(world: Any) -> None:
    world.to_opening()
    world.ready_all()
    agent = agent_of(world)
    lost = agent.step()
    agent.memory = lost.memory
    again = agent.step()
    assert isinstance(again, release.Releases)
    agent.says(again)
    assert code(agent.step()) == "Rests"


def test_memory_and_log_survive_the_agents_disk(world: Any) -> None:
    world.to_opening()
    world.ready_all()
    agent = agent_of(world)
    agent.says(agent.step())
    log = agent.read()
    assert whole_log.WholeLog.of_object(jcs.loads(jcs.dumps(log.object()))) == log
    assert Memory.of_object(jcs.loads(jcs.dumps(agent.memory.object()))) == agent.memory
    agent.log = whole_log.WholeLog.of_object(log.object())
    agent.memory = Memory.of_object(agent.memory.object())
    assert code(agent.step()) == "Rests"


def test_reading_step_by_step_is_reading_at_once(world: Any) -> None:
    world.to_opening()
    whole = world_log(world)
    stepwise = whole_log.WholeLog("")
    for size in range(1, len(world.leaves) + 1, 3):
        quorum = note.verify_quorum(world.checkpoint(size), world.trust)
        stepwise = stepwise.advance(world.leaves[stepwise.size : size], quorum)
    quorum = note.verify_quorum(world.checkpoint(), world.trust)
    stepwise = stepwise.advance(world.leaves[stepwise.size :], quorum)
    assert (stepwise.tenders, stepwise.hall, stepwise.keys, stepwise.root) == (
        whole.tenders,
        whole.hall,
        whole.keys,
        whole.root,
    )


def test_supplementary_freeze_opens_the_omitted_bid_and_only_it(world: Any) -> None:
    for number in range(4):
        world.submit(world.bidder(number))
    omitted = world.bids.pop()
    world.after_deadline()
    world.ready_all()
    world.release_all()
    world.bids.append(omitted)
    world.freeze(supplements=world.frozen)
    world.everybody_reads_and_waits(300)
    world.ready_all()
    step = agent_of(world).step()
    assert isinstance(step, release.Releases)
    listed = jcs.loads(step.shares)
    assert [each["header"] for each in listed["record"]] == [omitted.headers[0].hash().hex()]
    assert [each["header"] for each in listed["documents"]] == [omitted.headers[1].hash().hex()]


def test_supplementary_freeze_that_drops_a_released_bid_is_refused(world: Any) -> None:
    world.to_opening(bids=4)
    world.ready_all()
    world.release_all()
    dropped = world.bids.pop()
    world.freeze(supplements=world.frozen)
    world.everybody_reads_and_waits(300)
    assert code(agent_of(world).step()) == "freeze_drops_released_bid"
    assert dropped.headers[0].hash().hex() in agent_of(world).memory.released[0].headers


def test_freeze_that_supplements_nothing_is_void(world: Any) -> None:
    world.to_opening()
    first = world.frozen
    world.freeze(world.bids[:2])
    world.list_hash = first.act["list_hash"]
    step = agent_of(world).step()
    assert code(step) == "SaysReady" and step.act["freeze"] == first.leaf.hex()


def test_sealed_share_of_one_release_is_worthless_in_another(world: Any) -> None:
    """The info binds freeze, seat and header."""
    world.to_opening()
    world.ready_all()
    made = world.release_all()[0]
    moved = replace(made, freeze=hashlib.sha256(b"another freeze").digest())
    gathered = combine.open_shares([moved], world.headers(), [], reader="room", key=world.room_key[0])
    assert {each.code for each in gathered.accused} == {"release_unopenable"}


def test_public_kinds_that_the_machine_reads_are_public(world: Any) -> None:
    read = {"deadline", "close", "freeze", "hold", "resume", "terminate", "directive", "ready", "release", "incident"}
    assert read <= acts.PUBLIC_KINDS
    assert frozen.list_object(()) == b"[]"


def test_attack_a_thousand_garbage_seals_do_not_silence_a_trustee() -> None:
    """What does not fit into one READY is said in the next, each of them fits a leaf, and nothing is said twice."""
    complaints = tuple(hashlib.sha256(f"header {number}".encode()).digest() for number in range(900))
    opened = OwnShares({}, {"aa" * 32: {}}, complaints, {"aa" * 32: (bytes(32),)}, {})
    seat: Any = SimpleNamespace(lock=0, index=1, key="ab" * 32)
    trustee: Any = SimpleNamespace(id="t-owner")
    log: Any = SimpleNamespace(size=7, root=bytes(32))
    draft = release._Draft(trustee, seat, SimpleNamespace(leaf=bytes(32)), log)  # type: ignore[arg-type]
    view: Any = SimpleNamespace(ready=[], terms=SimpleNamespace(tender_id=bytes(32)))
    said: list[list[str]] = []
    while (step := release._ready(draft, view, opened, Memory())) is not None:
        assert len(jcs.dumps(step.act)) < acts.LEAF_BYTES_MAX - 2000
        said.append([row["header"] for row in step.act["complaints"]])
        view.ready.append(SimpleNamespace(act=step.act, index=len(said)))
    assert [len(each) for each in said] == [400, 400, 101]
    assert sorted(header for each in said for header in each) == sorted(each.hex() for each in (*complaints, bytes(32)))
