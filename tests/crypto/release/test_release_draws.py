"""Draws at the trustees: contributions are opened only as contributions, after the freeze, and nobody changes them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from crypto import contribution, jcs, lottery, release
from crypto.opening import combine
from crypto.refusal import Refused
from crypto.sealing import header


def code(step: Any) -> str:
    return step.code if isinstance(step, release.Waits | release.Refuses) else type(step).__name__


def parsed(given: Any) -> dict[bytes, header.Header]:
    headers = [header.parse_contribution(each.header) for each in given]
    return {each.hash(): each for each in headers}


def opened(world: Any, given: Any, releases: list[combine.ReleaseMade]) -> dict[int, bytes]:
    """r_i as anybody computes them from the releases."""
    headers = parsed(given)
    gathered = combine.open_shares(releases, headers, [], reader="room", key=None)
    found = {}
    for each in given:
        sealed = header.parse_contribution(each.header)
        secrets = combine.secrets_of(sealed.hash(), sealed, gathered, [])
        assert isinstance(secrets, combine.Secrets)
        found[each.contributor], why = contribution.reveal(sealed, world.roster, secrets.secrets)
        assert why is None
    return found


def test_draw_is_opened_with_the_bids_and_gives_the_panel(world: Any) -> None:
    pool, close, given = world.draw()
    world.to_opening()
    world.ready_all()
    assert world.agents[0][0].read().of(world.tender_id)[-1].act["draws"] == [close.leaf.hex()]
    releases = world.release_all()
    r = opened(world, given, releases)
    assert r == {each.contributor: each.r for each in given}
    seed = lottery.seed(bytes.fromhex(pool.act["draw_id"]), pool.leaf, r)
    panel = lottery.seat(world.pool, lottery.draw(world.pool, seed), conflicts=())
    assert [seat.stratum for seat in panel.seats] == [0, 0, 0, 1, 1]


def test_attack_draw_shares_before_the_freeze(world: Any) -> None:
    world.draw()
    for number in range(3):
        world.submit(world.bidder(number))
    world.close()
    assert {code(agent.step()) for agent in world.all_agents()} == {"not_frozen"}


def test_attack_bid_header_handed_in_as_a_draw_contribution(world: Any) -> None:
    for number in range(3):
        world.submit(world.bidder(number))
    rival = world.bids[0].headers[1]
    pool = world.draw_pool()
    draw_id = bytes.fromhex(pool.act["draw_id"])
    honest = [world.contribute(draw_id, i) for i in (2, 3)]
    signature = world.centre.signer.sign(contribution.message(rival.hash()))
    forged = contribution.Contribution(1, rival.encode(), signature, bytes(32), ())
    world.contributions[rival.hash()] = rival.encode()
    close = world.draw_close(pool, [forged, *honest])
    world.after_deadline()
    step = world.agents[0][0].step()
    assert isinstance(step, release.SaysReady)
    assert step.act["draws"] == [] and step.set_aside == {close.leaf.hex(): "body_len"}
    world.ready_all()
    for made in world.release_all():
        value = jcs.loads(made.shares)
        assert value["draws"] == []
        assert rival.hash().hex() not in {each["header"] for each in value["record"]}


def test_attack_bid_dressed_up_as_a_contribution(world: Any) -> None:
    """With its envelope changed it is a contribution in form; its shares were sealed under another name."""
    for number in range(3):
        world.submit(world.bidder(number))
    rival = world.bids[0].headers[1]
    pool = world.draw_pool()
    draw_id = bytes.fromhex(pool.act["draw_id"])
    dressed = replace(
        rival,
        envelope=header.CONTRIBUTION,
        bidder_tag=header.contributor_tag(draw_id, 1, world.centre.spki),
        body_len=0,
        body_root=bytes(32),
        body_prefix=bytes(56),
    )
    world.contributions[dressed.hash()] = dressed.encode()
    signature = world.centre.signer.sign(contribution.message(dressed.hash()))
    forged = contribution.Contribution(1, dressed.encode(), signature, bytes(32), ())
    world.draw_close(pool, [forged, *(world.contribute(draw_id, i) for i in (2, 3))])
    world.after_deadline()
    step = world.agents[0][0].step()
    assert [each["header"] for each in step.act["complaints"]] == [dressed.hash().hex()]


def test_attack_contribution_handed_in_as_a_bid(world: Any) -> None:
    _, _, given = world.draw()
    with pytest.raises(Refused, match="body_len"):
        header.parse(given[0].header)


def test_attack_hall_contributes_in_the_supervisors_place(world: Any) -> None:
    """The tag is public, so the hall can make the header; it cannot sign it."""
    pool = world.draw_pool()
    draw_id = bytes.fromhex(pool.act["draw_id"])
    forged = world.contribute(draw_id, 2, signer=world.centre.signer)
    close = world.draw_close(pool, [world.contribute(draw_id, 1), forged, world.contribute(draw_id, 3)])
    world.to_opening()
    assert world.agents[0][0].step().set_aside == {close.leaf.hex(): "signature"}


@pytest.mark.parametrize("listed", [(1, 2), (1, 3), (2,), (3, 2), (2, 2, 3), (1, 2, 3, 3)])
def test_draw_close_without_supervision_or_owner_or_in_disorder_is_void(world: Any, listed: tuple[int, ...]) -> None:
    pool = world.draw_pool()
    draw_id = bytes.fromhex(pool.act["draw_id"])
    world.draw_close(pool, [world.contribute(draw_id, i) for i in listed])
    world.to_opening()
    step = world.agents[0][0].step()
    assert step.act["draws"] == [] and step.set_aside == {}


def test_attack_second_draw_close_with_other_contributions_is_void(world: Any) -> None:
    pool, close, _ = world.draw()
    draw_id = bytes.fromhex(pool.act["draw_id"])
    world.draw_close(pool, [world.contribute(draw_id, i) for i in (1, 2, 3)])
    world.draw()
    world.to_opening()
    assert world.agents[0][0].step().act["draws"] == [close.leaf.hex()]


def test_attack_contribution_of_another_draw_or_tender(world: Any) -> None:
    pool = world.draw_pool()
    draw_id = bytes.fromhex(pool.act["draw_id"])
    other = world.contribute(lottery.draw_id(world.tender_id, 1), 2)
    close = world.draw_close(pool, [other, world.contribute(draw_id, 3)])
    world.to_opening()
    assert world.agents[0][0].step().set_aside == {close.leaf.hex(): "bidder_tag"}


def test_attack_contributor_reveals_another_r(world: Any) -> None:
    """r is what the header gives; other secrets do not re-derive, and count as nothing."""
    pool = world.draw_pool()
    made = world.contribute(bytes.fromhex(pool.act["draw_id"]), 2)
    sealed = header.parse_contribution(made.header)
    assert contribution.reveal(sealed, world.roster, made.secrets) == (made.r, None)
    other = (bytes(32), *made.secrets[1:])
    assert contribution.reveal(sealed, world.roster, other) == (lottery.VOID_R, "lock_section")


def test_attack_contributor_whose_locks_do_not_re_derive_gives_zeros(world: Any) -> None:
    pool = world.draw_pool()
    draw_id = bytes.fromhex(pool.act["draw_id"])
    made = world.contribute(draw_id, 3)
    sealed = header.parse_contribution(made.header)
    # The ciphertext of one trustee is replaced: the others' shares still combine, and the section shows it.
    shares = list(sealed.locks[1].shares)
    shares[2] = replace(shares[2], ct=bytes(48))
    spoiled = replace(sealed, locks=(sealed.locks[0], replace(sealed.locks[1], shares=tuple(shares))))
    signature = world.owner.signer.sign(contribution.message(spoiled.hash()))
    world.contributions[spoiled.hash()] = spoiled.encode()
    garbage = contribution.Contribution(3, spoiled.encode(), signature, made.r, made.secrets)
    world.draw_close(pool, [world.contribute(draw_id, 2), garbage])
    world.to_opening()
    world.ready_all()
    world.everybody_reads_and_waits(600)
    named = [combine.Complaint(world.agents[1][2].trustee.id, spoiled.hash(), 1, 3)]
    releases = world.release_all()
    gathered = combine.open_shares(releases, {spoiled.hash(): spoiled}, named, reader="room", key=None)
    secrets = combine.secrets_of(spoiled.hash(), spoiled, gathered, named)
    assert isinstance(secrets, combine.Secrets) and gathered.accused == ()
    assert contribution.reveal(spoiled, world.roster, secrets.secrets) == (lottery.VOID_R, "lock_section")


def test_attack_contributor_aborts_by_silence(world: Any) -> None:
    """Nobody is asked to reveal: the trustees open all contributions, whatever their makers do afterwards."""
    _, _, given = world.draw()
    world.to_opening()
    some = [agent for agents in world.agents for agent in agents[:2]]
    world.ready_all(some)
    assert opened(world, given, world.release_all(some)) == {each.contributor: each.r for each in given}
    sealed = header.parse_contribution(given[0].header)
    assert contribution.reveal(sealed, world.roster, None) == (lottery.VOID_R, "unopened")


def test_attack_contributor_grinds_attempts(world: Any) -> None:
    pool, _, _ = world.draw()
    world.draw(attempt=1)
    world.by_supervisor("redraw")
    world.draw(attempt=1)
    world.to_opening()
    assert len(world.agents[0][0].step().act["draws"]) == 1, "attempt 0 was not opened and published"
    world.ready_all()
    world.release_all()
    world.by_duty("draw_result", {"draw_id": pool.act["draw_id"], "seats": [], "r": [], "void": [], "avoided": []})
    world.draw(attempt=1)
    assert code(world.agents[0][0].step()) == "Rests", "no directive after the result"


def test_second_attempt_after_a_directive_is_opened_alone(world: Any) -> None:
    pool, _, _ = world.draw()
    world.to_opening()
    world.ready_all()
    world.release_all()
    world.by_duty("draw_result", {"draw_id": pool.act["draw_id"], "seats": [], "r": [], "void": [], "avoided": []})
    world.by_supervisor("redraw")
    _, close, given = world.draw(attempt=1)
    step = world.agents[0][0].step()
    assert isinstance(step, release.SaysReady)
    assert step.act["draws"] == [close.leaf.hex()] and step.act["complaints"] == []
    world.ready_all(world.all_agents()[:5])
    late = world.all_agents()[5]
    releases = world.release_all(world.all_agents()[:5])
    for made in releases:
        value = jcs.loads(made.shares)
        assert value["record"] == value["documents"] == [] and len(value["draws"]) == 3
    assert opened(world, given, releases) == {each.contributor: each.r for each in given}
    assert isinstance(late.step(), release.SaysReady)


def test_draw_shares_wait_until_enough_trustees_named_the_draw(world: Any) -> None:
    world.to_opening()
    world.ready_all()
    world.draw()
    first = world.agents[0][0]
    step = first.step()
    assert isinstance(step, release.SaysReady)
    first.says(step)
    releases = first.step()
    assert isinstance(releases, release.Releases)
    assert jcs.loads(releases.shares)["draws"] == [] and len(jcs.loads(releases.shares)["record"]) == 3
    first.says(releases)
    assert code(first.step()) == "others_not_ready"


def test_complaint_about_a_contribution_holds_the_draw_and_not_the_bids(world: Any) -> None:
    pool = world.draw_pool()
    draw_id = bytes.fromhex(pool.act["draw_id"])
    made = world.contribute(draw_id, 2)
    sealed = header.parse_contribution(made.header)
    shares = list(sealed.locks[0].shares)
    shares[0] = replace(shares[0], ct=bytes(48))
    spoiled = replace(sealed, locks=(replace(sealed.locks[0], shares=tuple(shares)), *sealed.locks[1:]))
    raw = spoiled.encode()
    world.contributions[hashlib.sha256(raw).digest()] = raw
    signature = world.supervision.signer.sign(contribution.message(spoiled.hash()))
    bad = contribution.Contribution(2, raw, signature, made.r, made.secrets)
    world.draw_close(pool, [bad, world.contribute(draw_id, 3)])
    world.to_opening()
    world.ready_all()
    agent = world.agents[0][1]
    step = agent.step()
    assert isinstance(step, release.Releases) and jcs.loads(step.shares)["draws"] == []
    agent.says(step)
    assert code(agent.step()) == "rescue_window"
    world.everybody_reads_and_waits(600)
    last = agent.step()
    assert isinstance(last, release.Releases) and len(jcs.loads(last.shares)["draws"]) == 2
