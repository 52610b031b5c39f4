"""From the deadline to the announcement: close, freeze, challenge, READY, rescue, release, opening; and the draw.

Trustees may be away, lie about a share, or complain of one that opens; the operator may try to release early or to
lose a segment. The draw's contributions are opened together with the bids.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from bidding import ceremony, commands, evidence, trustee_commands
from crypto import contribution, lottery, release
from crypto.roster import Roster
from crypto.sealing import header as headers
from crypto.sealing import hpke, lock
from crypto.sealing.header import Header
from experts.commands import draw as draws
from portal.simulation import trustees
from portal.simulation.book import Cheat, Sent
from portal.simulation.keys import Company
from portal.simulation.story import disturbances
from portal.simulation.trustees import ANYBODY, Agent
from trading.lifecycle import TERMINAL, State

if TYPE_CHECKING:
    from portal.simulation.story.play import Play

CENTRE_POWER, SUPERVISOR_POWER = "C-003", "S-004"


async def open_(play: Play) -> None:
    """From the deadline to `opened`, as far as the trustees let it come."""
    if (await play.tender()).held_by is not None:
        await play.step("held")
        return
    if play.plan.dice("draw").random() < 0.5:
        await draw(play)
    await _close(play)
    tender = await play.tender()
    if tender.state is not State.FROZEN:
        return
    if tender.draw_pool is None:
        await draw(play)
    await _in_the_challenge_window(play)
    play.hall.wait(seconds=tender.challenge_s + 1)
    await play.hall.grow(leaves_min=1)
    if play.plan.has("segment_lost"):
        _lose_a_segment(play)
    if not await _ready(play):
        await play.step("not enough trustees")
        return
    await _release(play)
    if (await play.tender()).state is State.OPENING:
        # Whoever is silent is waited for; then what lacks shares stays unopened.
        play.hall.wait(minutes=ceremony.OPENING_MINUTES + 1)
        await play.step("patience")


async def draw(play: Play) -> None:
    """Ask for a panel, contribute, close."""
    plan, keys, lot = play.plan, play.keys, play.book.lot
    await play.hall.do(draws.request_draw, draws.RequestDraw(lot), keys.owner.actor)
    await play.step("draw requested")
    if (await play.tender()).state in TERMINAL:
        return  # The deadline came meanwhile, and too few had bid.
    if plan.has("bid_as_contribution") and play.book.sent:
        raw = play.book.sent[0].sealed.headers[0].encode()
        cmd = draws.ContributeToDraw(lot, base64.b64encode(raw).decode(), "00" * 64)
        await play.expect_refused("bid_as_contribution", draws.contribute_to_draw, cmd, keys.owner.actor)
    contributors: list[tuple[int, Company, str | None]] = [
        (lottery.CENTRE, keys.centre, CENTRE_POWER),
        (lottery.SUPERVISOR, keys.supervisor, SUPERVISOR_POWER),
        (lottery.OWNER, keys.owner, None),
    ]
    if plan.has("centre_absent_from_draw"):
        play.did("centre_absent_from_draw")
        del contributors[0]
    if plan.has("draw_by_the_owner_alone"):
        await _contribute(play, *contributors.pop())
        run = draws.RunDraw(lot, CENTRE_POWER)
        await play.expect_refused(
            "draw_by_the_owner_alone", draws.run_draw, run, keys.centre.actor, "draw_contributors"
        )
    for each in contributors:
        await _contribute(play, *each)
    if plan.has("contribution_twice"):
        i, company, power = contributors[0]
        await play.attempt("contribution_twice", _contribute(play, i, company, power), "contribution_given_already")
    await play.hall.do(draws.run_draw, draws.RunDraw(lot, CENTRE_POWER), keys.centre.actor)
    await play.step("draw closed")
    if plan.has("redraw_attempt"):
        again = draws.RequestDraw(lot)
        await play.expect_refused("redraw_attempt", draws.request_draw, again, keys.owner.actor, "draw_attempt")


async def _contribute(play: Play, i: int, company: Company, power: str | None) -> None:
    tender = await play.tender()
    pool = next(each for each in reversed(play.hall.disk.of_lot[tender.lot]) if each.kind == "draw_pool")
    made = contribution.make(
        draw_id=bytes.fromhex(pool.body["draw_id"]),
        tender_id=bytes.fromhex(tender.tender_id),
        contributor=i,
        roster=Roster.decode(bytes.fromhex(tender.roster)),
        signer=company.signer,
        spki=company.spki,
        entropy=play.hall.world.entropy,
    )
    if play.plan.has("contribution_void") and i == lottery.OWNER:
        made = _spoilt(made, company)
        play.did("contribution_void")
    header = base64.b64encode(made.header).decode()
    cmd = draws.ContributeToDraw(tender.lot, header, made.signature.hex(), power)
    await play.hall.do(draws.contribute_to_draw, cmd, company.actor)


def _spoilt(made: contribution.Contribution, company: Company) -> contribution.Contribution:
    """A contribution whose locks do not follow from its secrets: it counts as zeros, and its maker is named."""
    header = headers.parse_contribution(made.header)
    raw = replace(header, wrapped_dek=bytes(byte ^ 1 for byte in header.wrapped_dek)).encode()
    signature = company.signer.sign(contribution.message(hashlib.sha256(raw).digest()))
    return replace(made, header=raw, signature=signature)


async def _close(play: Play) -> None:
    tender = await play.tender()
    shut = max(tender.deadline, play.book.shut_until)
    if play.plan.has("clock_jump"):
        play.hall.until(shut + timedelta(days=3))
        play.did("clock_jump")
    play.hall.until(shut + timedelta(seconds=1))
    await play.step("settling")
    if play.plan.has("early_release") and (await play.tender()).frozen_at is None:
        await _before_the_freeze(play)
    if play.plan.has("extension_after_close"):
        await _extend_after_close(play)
    play.hall.until(shut + timedelta(seconds=tender.settle_s))
    away = play.plan.has("witness_away")
    if away:
        play.did("witness_away")
        await play.step("close, no witness", witnesses=False)
        play.hall.wait(minutes=5)
    await play.step("close")


async def _before_the_freeze(play: Play) -> None:
    """A trustee who asks before the freeze is shown nothing, and its machine releases nothing."""
    step = await trustees.step(play.hall, play.book.lot, next(iter(play.agents.values())))
    if isinstance(step, release.SaysReady | release.Releases):
        play.checker.blame("I3", f"a trustee's machine did {type(step).__name__} before the freeze")


async def _extend_after_close(play: Play) -> None:
    await play.attempt("extension_after_close", disturbances.extend(play, days=5))


async def _in_the_challenge_window(play: Play) -> None:
    """What is tried between the freeze and the first READY."""
    plan = play.plan
    tender = await play.tender()
    assert tender.frozen_at is not None
    # Where witnesses or the clock were away, the window may be over before anybody comes.
    if plan.has("early_release") and play.hall.now < tender.frozen_at + timedelta(seconds=tender.challenge_s):
        await _early_release(play)
    if plan.has("coalition") and play.book.sent:
        await _coalition(play)
    if plan.has("receipt_presented") and play.book.sent:
        told = await play.hall.running.service.receipt_of(play.book.sent[0].event)
        data = str(told["proof"]).encode()
        lot = play.book.lot
        await play.hall.database.write(lambda unit: evidence.present(unit, lot, data, hall=play.hall.hall))
        play.did("receipt_presented")


async def _early_release(play: Play) -> None:
    """A trustee who will not wait is refused by the hall; its own machine waits."""
    agent = next(iter(play.agents.values()))
    step = await trustees.step(play.hall, play.book.lot, agent)
    if not isinstance(step, release.Waits):
        play.checker.blame("I3", f"a trustee's machine did {type(step).__name__} in the challenge window")
    tender = await play.tender()
    empty = b'{"documents":[],"draws":[],"record":[]}'
    act = trustee_commands.ReleaseAct(
        agent.seat.id,
        agent.seat.lock,
        next(i for i, seat in enumerate(_seats(tender.roster, agent), 1) if seat),
        str(tender.freeze),
        hashlib.sha256(empty).hexdigest(),
    )
    cmd = trustee_commands.Release(play.book.lot, act, msgspec.json.decode(empty))
    await play.expect_refused(
        "early_release",
        trustee_commands.release,
        cmd,
        ANYBODY,
        "release_before_every_lock_is_ready",
        "act_out_of_turn",
    )


def _seats(roster: str, agent: Agent) -> list[bool]:
    lock_ = Roster.decode(bytes.fromhex(roster)).locks[agent.seat.lock]
    return [key.hex() in agent.trustee.secrets for key in lock_.keys]


async def _coalition(play: Play) -> None:
    """All of lock 0 and one of lock 1 put their shares together; the header must stay shut."""
    play.did("coalition")
    tender = await play.tender()
    header = play.book.sent[0].sealed.headers[0]
    roster = Roster.decode(bytes.fromhex(tender.roster))
    shares: list[dict[int, bytes]] = [{}, {}]
    for agent in play.agents.values():
        index = _seats(tender.roster, agent).index(True) + 1
        key = roster.locks[agent.seat.lock].keys[index - 1].hex()
        secret = agent.trustee.secrets[key]
        if agent.seat.lock == 0 or not shares[1]:
            shares[agent.seat.lock][index] = lock.share_of(header, agent.seat.lock, index, secret)
    whole = lock.combine(header, 0, shares[0])
    ((_, lone),) = shares[1].items()
    await play.attempt("coalition", _try(header, roster, [whole, lone]), "lock_section")
    play.hall.tally.faults["coalition"] -= 1


async def _try(header: Header, roster: Roster, secrets: list[bytes]) -> None:
    lock.verify_lock_section(header, roster, secrets)


def _lose_a_segment(play: Play) -> None:
    victim = _listed(play)
    if victim is not None:
        play.did("segment_lost")
        play.hall.blobs.held.pop(hashlib.sha256(victim.sealed.bodies[1][0]).hexdigest(), None)


def _listed(play: Play) -> Sent | None:
    """A bid of the freeze list in force."""
    freeze = next((each for each in reversed(play.hall.disk.of_lot[play.book.lot]) if each.kind == "freeze"), None)
    listed = play.hall.disk.object(play.book.lot, freeze.body["list_hash"]) if freeze else []
    leaves = {row["submission"] for row in listed}
    return next((each for each in play.book.sent if each.leaf in leaves), None)


async def _ready(play: Play) -> bool:
    """READY of everybody who is there; False when a lock stays below its threshold."""
    plan, lot = play.plan, play.book.lot
    away = _away(play)
    victim = _listed(play)
    header = victim.sealed.headers[0].hash().hex() if victim else ""
    liars = {"supervision-inspector"} if plan.has("trustee_lies_complaint") else set()
    if plan.has("complaints_close_a_lock"):
        liars = {"supervision-inspector", "supervision-independent"}
        play.did("complaints_close_a_lock")
    elif liars:
        play.did("trustee_lies_complaint")
    liars -= away
    for id_, agent in play.agents.items():
        if id_ in away:
            continue
        twist = trustees.false_complaint(header) if id_ in liars else None
        step = await trustees.step(play.hall, lot, agent, twist=twist)
        if not isinstance(step, release.SaysReady):
            play.checker.blame("I1", f"{id_} does not say READY on an honest freeze but {step}")
            return False
        await play.step(f"ready {id_}")
    if not (await play.tender()).locks_ready:
        return False
    if liars:
        play.book.cheats += [Cheat("false complaint", f"trustee {id_}") for id_ in sorted(liars)]
        if plan.has("complaint_rescued") and victim is not None:
            await _rescue(play, victim)
            play.did("complaint_rescued")
        play.hall.wait(seconds=(await play.tender()).rescue_s + 61)
        await play.hall.grow(leaves_min=1)
    play.liars, play.away, play.complained = liars, away, header
    return True


def _away(play: Play) -> set[str]:
    away: set[str] = set()
    if play.plan.has("lock_absent"):
        away = {"operation-owner", "operation-notary"}
        play.did("lock_absent")
    elif play.plan.has("trustee_absent"):
        dice = play.plan.dice("absent")
        by_lock = [[id_ for id_, each in play.agents.items() if each.seat.lock == lock_] for lock_ in (0, 1)]
        away = {dice.choice(ids) for ids in by_lock if dice.random() < 0.7} or {by_lock[0][0]}
        play.did("trustee_absent")
    elif play.plan.dice("enough").random() < 0.5:
        # Two of each lock are enough, and the third often has nothing to do.
        away = {"operation-notary", "supervision-regulator"}
    if not play.plan.has("lock_absent"):
        away -= set(play.keys.lock_1) if _needs_lock_1(play) else set()
    return away


def _needs_lock_1(play: Play) -> bool:
    return any(
        play.plan.has(fault) for fault in ("complaints_close_a_lock", "trustee_lies_complaint", "trustee_lies_share")
    )


async def _rescue(play: Play, victim: Sent) -> None:
    """The bidder named in a complaint discloses its secrets, sealed to both opening keys."""
    tender = await play.tender()
    act = next(each.body for each in play.hall.disk.of_lot[tender.lot] if each.kind == "tender")
    hashed = victim.sealed.headers[0].hash()
    sealed = {
        reader: [
            b"".join(
                hpke.seal_derand(
                    bytes.fromhex(act["opening_keys"][reader]),
                    ceremony.rescue_info(bytes.fromhex(str(tender.freeze)), number, hashed),
                    play.hall.world.entropy(32),
                    secret,
                )
            ).hex()
            for number, secret in enumerate(victim.sealed.secrets[0])
        ]
        for reader in ("room", "verifier")
    }
    cmd = commands.Disclose(tender.lot, hashed.hex(), sealed["room"], sealed["verifier"])
    company = victim.sealed.company
    await play.hall.sign(commands.disclose, cmd, company.actor, company.signer, "bidder")
    await play.step("rescue")


async def _release(play: Play) -> None:
    """Everybody who is there releases; one of lock 1 may hand out wrong shares, two of lock 0 may fall silent."""
    lying = "supervision-regulator" if play.plan.has("trustee_lies_share") else ""
    silent: set[str] = set()
    if play.plan.has("lock_silent_after_ready"):
        silent = {"operation-owner", "operation-centre"}
        play.did("lock_silent_after_ready")
    for id_, agent in play.agents.items():
        if id_ in play.away | silent:
            continue
        twist: Any = trustees.wrong_share if id_ == lying else None
        if id_ in play.liars:
            twist = trustees.without_complained(play.complained)
        step = await trustees.step(play.hall, play.book.lot, agent, twist=twist)
        if isinstance(step, release.Releases) and id_ == lying:
            play.did("trustee_lies_share")
            play.book.cheats.append(Cheat("wrong share", f"trustee {id_}"))
        elif not isinstance(step, release.Releases) and not _over(step):
            play.checker.blame("I1", f"{id_} does not release after every lock is ready but {step}")
        await play.step(f"release {id_}")


def _over(step: release.Step) -> bool:
    """Enough shares were there before this trustee came, and the tender ended or went on without its own."""
    return isinstance(step, release.Refuses) and step.code in ("tender_failed", "tender_terminated")
