"""What disturbs a tender before its deadline: amendments, extensions, objections, suspensions, an early end; and the
operator who tries a fork, a rollback or a hidden act on those who watch the log.

An attack on the log is shown to a copy of a witness and of a trustee, so that the hall of the next tenders is clean.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from crypto import signing
from crypto.ledger import acts, merkle, note
from crypto.refusal import Refused
from portal.simulation.book import Cheat, Extension, Hold
from portal.simulation.hall import fork
from portal.simulation.trustees import read_log
from storage.world import stamp
from supervision import commands
from trading.commands import notice, objections
from trading.journal import Outcome

if TYPE_CHECKING:
    from portal.simulation.story.play import Play

Told = tuple[str, tuple[float, float], Callable[[], Awaitable[None]]]
SUPERVISOR_POWER = "S-001"


def before_the_deadline(play: Play) -> list[Told]:
    """(fault, when as parts of the bidding time, what happens)."""

    def later(days: int) -> Callable[[], Awaitable[None]]:
        return lambda: _amend(play, "extended", days=days)

    return [
        ("amended", (0.02, 0.2), lambda: _amend(play, "amended", days=0)),
        ("amended_too_late", (0.6, 0.9), lambda: _amended_too_late(play)),
        ("extended", (0.5, 0.9), later(play.plan.dice("extension").randrange(16, 22))),
        ("extension_earlier", (0.3, 0.9), lambda: _earlier(play)),
        ("extension_unwitnessed", (0.995, 0.999), lambda: _unwitnessed(play)),
        ("objection_bidding", (0.1, 0.4), lambda: _object(play)),
        ("objection_too_late", (0.8, 0.95), lambda: _object_too_late(play)),
        ("suspended", (0.3, 0.9), lambda: _suspend(play)),
        ("terminated", (0.5, 0.95), lambda: _terminate(play)),
        ("forked_log", (0.2, 0.95), lambda: _forked(play)),
        ("rolled_back_log", (0.2, 0.95), lambda: _rolled_back(play)),
        ("hidden_act", (0.2, 0.95), lambda: _hidden(play)),
    ]


async def _owner(play: Play, run: Callable[..., Awaitable[Outcome]], cmd: Any) -> Outcome:
    owner = play.keys.owner
    return await play.hall.sign(run, cmd, owner.actor, owner.signer, "owner")


def _amendment(play: Play, *, affects: bool, deadline: str | None) -> notice.Amend:
    return notice.Amend(play.book.lot, notice.Text("澄清"), affects, deadline)


async def _amend(play: Play, fault: str, *, days: int) -> None:
    tender = await play.tender()
    new = None
    if days:
        new = max(tender.deadline, play.hall.now + timedelta(days=days)).replace(
            hour=2, minute=0, second=0, microsecond=0
        )
        if new <= tender.deadline:
            new += timedelta(days=1)
    await _owner(play, notice.amend, _amendment(play, affects=bool(days), deadline=stamp(new) if new else None))
    play.did(fault)
    if new is not None:
        play.book.deadlines.append(Extension(new, play.hall.now, play.hall.now))


async def _amended_too_late(play: Play) -> None:
    cmd = _amendment(play, affects=True, deadline=None)
    await play.expect_refused("amended_too_late", notice.amend, cmd, play.keys.owner.actor, "amendment_too_late")


async def _earlier(play: Play) -> None:
    tender = await play.tender()
    cmd = notice.ExtendDeadline(play.book.lot, stamp(tender.deadline - timedelta(hours=1)))
    await play.expect_refused(
        "extension_earlier", notice.extend_deadline, cmd, play.keys.owner.actor, "deadline_not_later"
    )


async def extend(play: Play, *, days: int) -> None:
    """A later deadline, whatever stands in its way; signed and let through, it counts in the book."""
    new = (await play.tender()).deadline + timedelta(days=days)
    await _owner(play, notice.extend_deadline, notice.ExtendDeadline(play.book.lot, stamp(new)))
    play.book.deadlines.append(Extension(new, play.hall.now, None))


async def _unwitnessed(play: Play) -> None:
    """The owner extends minutes before the deadline, and no witness sees it before the old deadline has passed."""
    tender = await play.tender()
    if tender.held_by is not None:
        return
    new = tender.deadline + timedelta(days=2)
    play.hall.until(tender.deadline - timedelta(seconds=5))
    await _owner(play, notice.extend_deadline, notice.ExtendDeadline(play.book.lot, stamp(new)))
    play.did("extension_unwitnessed")
    play.book.deadlines.append(Extension(new, play.hall.now, None))
    await play.step("unwitnessed extension", witnesses=False)
    play.hall.until(tender.deadline + timedelta(seconds=1))
    await play.hall.cosign()


async def _object(play: Play) -> None:
    """An objection to the documents; the owner answers in time, late with a reason, or never."""
    plan, hall = play.plan, play.hall
    bidder = play.keys.bidders[0]
    outcome = await hall.do(objections.object_, objections.Object(play.book.lot, "评分办法不明确"), bidder.actor)
    leaf = next(each.leaf for each in outcome.events if each.act["kind"] == "objection")
    hold = Hold(leaf, hall.now)
    play.book.holds.append(hold)
    play.did("objection_bidding")
    await play.step("objection")
    if plan.has("objection_never_answered"):
        play.did("objection_never_answered")
        # The deadline passes under the hold, and nothing may fire.
        hall.until((await play.tender()).deadline + timedelta(days=2))
        return
    late = plan.has("objection_answered_late")
    # Long enough that no holidays move the last day beyond it.
    hall.wait(days=13 if late else 2)
    if late:
        play.did("objection_answered_late")
        silent = objections.Answer(play.book.lot, leaf, "已核实")
        code = await hall.refused(objections.answer, silent, play.keys.owner.actor)
        assert code == "answer_late", code
        play.book.cheats.append(Cheat("late answer", "owner", 3))
    cmd = objections.Answer(play.book.lot, leaf, "已核实", "需现场核查" if late else None)
    await hall.do(objections.answer, cmd, play.keys.owner.actor)
    await _resume(play, hold)


async def _resume(play: Play, hold: Hold) -> None:
    """After a hold the owner gives a deadline that leaves at least what was left."""
    tender = await play.tender()
    if tender.holds:
        left = max(each.left_s for each in tender.holds)
        new = (play.hall.now + timedelta(seconds=left + 3600)).replace(microsecond=0)
        new = max(new, tender.deadline + timedelta(hours=1))
        cmd = notice.ExtendDeadline(play.book.lot, stamp(new), "hold")
        await _owner(play, notice.extend_deadline, cmd)
        play.book.deadlines.append(Extension(new, play.hall.now, play.hall.now))
    hold.until = play.hall.now


async def _object_too_late(play: Play) -> None:
    cmd = objections.Object(play.book.lot, "太迟的异议")
    # A hold may last over the deadline: then nothing is received any more, whatever E-12 says.
    over = play.hall.now >= (await play.tender()).deadline
    code = "received_too_late" if over else "objection_too_late"
    await play.expect_refused("objection_too_late", objections.object_, cmd, play.keys.bidders[1].actor, code)


async def _suspend(play: Play) -> None:
    """Supervision suspends, and resumes two days later unless the plan says never."""
    hold = Hold(await direct(play, "suspend"), play.hall.now)
    play.book.holds.append(hold)
    play.did("suspended")
    await play.step("suspension")
    if play.plan.has("suspended_for_good"):
        play.did("suspended_for_good")
        play.hall.until((await play.tender()).deadline + timedelta(days=3))
        return
    play.hall.wait(days=2)
    if play.plan.has("hold_over_deadline"):
        play.did("hold_over_deadline")
        play.hall.until((await play.tender()).deadline + timedelta(hours=5))
        await play.step("the deadline passes under a hold")
    await direct(play, "resume")
    await play.step("resumption")
    await _resume(play, hold)


async def direct(play: Play, what: commands.What) -> str:
    """A directive of the supervisor, signed with its own key; returns its leaf."""
    supervisor = play.keys.supervisor
    cmd = commands.IssueDirective(play.book.lot, what, "监督指令", power=SUPERVISOR_POWER)
    outcome = await play.hall.sign(commands.issue_directive, cmd, supervisor.actor, supervisor.signer, "supervisor")
    return outcome.events[0].leaf


async def _terminate(play: Play) -> None:
    tender = await play.tender()
    if tender.held_by is None:
        await _owner(play, notice.terminate, notice.Terminate(play.book.lot, "资金未落实"))
        play.did("terminated")


async def _forked(play: Play) -> None:
    """The operator shows a witness and a trustee a log of the same size with another last leaf, rightly signed."""
    play.did("forked_log")
    head = await play.hall.ledger.head()
    assert head is not None
    leaves = await play.hall.ledger.entries(0, head.size)
    other = [*leaves[:-1], acts.cover_leaf(bytes(32), head.size)]
    tree = merkle.Frontier().append(merkle.leaf_hash(leaf) for leaf in other)
    signed = fork(play.keys.log, tree.size + 1, tree.append([merkle.leaf_hash(leaves[-1])]).root())
    await _must_refuse(play, signed, [leaves[-1]], "log_forked")


async def _rolled_back(play: Play) -> None:
    play.did("rolled_back_log")
    head = await play.hall.ledger.head()
    assert head is not None and head.size > 1
    leaves = await play.hall.ledger.entries(0, head.size - 1)
    root = merkle.Frontier().append(merkle.leaf_hash(leaf) for leaf in leaves).root()
    await _must_refuse(play, fork(play.keys.log, head.size - 1, root), [], "log_rolled_back")


async def _hidden(play: Play) -> None:
    """The operator logs an extension out of its chain, so that whoever follows the chain does not see it."""
    play.did("hidden_act")
    head = await play.hall.ledger.head()
    assert head is not None
    tender = await play.tender()
    last = max(each.seq for each in play.hall.disk.of_lot[play.book.lot] if each.public)
    act = {
        "v": 1,
        "kind": "deadline",
        "at": stamp(play.hall.now),
        "role": "owner",
        "power": None,
        "rule": None,
        "context": None,
        "deadline": stamp(tender.deadline + timedelta(days=1)),
        "was": stamp(tender.deadline),
        "reason": "extension",
        "tender_id": tender.tender_id,
        "seq": last + 2,
        "prev": "0" * 64,
        "signatures": [],
    }
    signed_act = signing.sign_act(act, signer=play.keys.owner.signer, by="owner")
    leaf = acts.public_leaf(signed_act)
    leaves = await play.hall.ledger.entries(0, head.size)
    tree = merkle.Frontier().append(merkle.leaf_hash(each) for each in [*leaves, leaf])
    await _must_refuse(play, fork(play.keys.log, tree.size, tree.root()), [leaf], "chain_gap")


async def _must_refuse(play: Play, signed: note.Note, leaves: list[bytes], code: str) -> None:
    """Every witness refuses, and a trustee finds no quorum on it; both say why."""
    for witness in play.hall.witnesses:
        try:
            witness.twin().look(signed, leaves, log=play.keys.trust.log, now=play.hall.now)
        except Refused as refused:
            play.hall.tally.refusals[refused.code] += 1
            assert refused.code == code, refused.code
            continue
        play.checker.blame("I6", f"witness {witness.name} cosigned what it had to refuse as {code}")
    agent = next(iter(play.agents.values()))
    await read_log(play.hall, agent)
    try:
        note.verify_quorum(signed, play.keys.trust)
    except Refused as refused:
        play.hall.tally.refusals[refused.code] += 1
        return
    play.checker.blame("I6", f"a trustee takes a checkpoint that had to be refused as {code}")
