"""From the report to the contract: publicity, objections, and every award that must not be.

Awards are tried too early, under an objection, out of order, outside the candidates, by somebody else's owner;
contracts differ from the bid. Let through, they are found by invariant I13.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from portal.simulation.book import Cheat, Hold
from trading.commands import award as results
from trading.commands import objections
from trading.lifecycle import State
from trading.roles import Actor, Role

if TYPE_CHECKING:
    from portal.simulation.story.play import Play

STRANGER = Actor("person-99", "91139900MAAHX63J14", Role.OWNER, "192.0.2.99", "device-99")


async def award(play: Play) -> None:
    """Review, publicity, award, contract, report to the regulator."""
    if (await play.tender()).state is not State.REPORT_SUBMITTED:
        return
    lot, owner = play.book.lot, play.keys.owner
    await play.hall.do(results.review_report, results.ReviewReport(lot), owner.actor)
    await play.step("review")
    await _publicise(play)
    if play.plan.has("award_early"):
        await _try_award(play, "award_early", 1, "publicity_not_over")
    if play.plan.has("objection_publicity") and not await _objection(play):
        return
    tender = await play.tender()
    assert tender.publicity_until is not None
    play.hall.until(tender.publicity_until + timedelta(minutes=play.plan.dice("after").randrange(1, 3000)))
    await play.step("publicity over")
    await _what_must_not_be(play)
    if (await play.tender()).state is State.AWARDED:
        return
    await _sign(play, results.award, results.Award(lot, 1))
    await play.step("award")
    await _contract(play)


async def _publicise(play: Play) -> None:
    lot, late = play.book.lot, None
    if play.plan.has("publicity_late"):
        # Long enough that no holidays move the last day beyond it.
        play.hall.wait(days=14)
        await play.expect_refused(
            "publicity_late", results.publicise, results.Publicise(lot), play.keys.owner.actor, "publicity_late"
        )
        late = "等待财政审核"
        # Late with a reason is taken; it stays a breach of E-78, and the verifier names the owner.
        play.book.cheats.append(Cheat("late publicity", "owner", 3))
    await _sign(play, results.publicise, results.Publicise(lot, late))
    await play.step("publicity")


async def _objection(play: Play) -> bool:
    """An objection in publicity, answered two days later; False when the tender stays held."""
    lot, hall = play.book.lot, play.hall
    bidder = play.keys.bidders[0]
    hall.wait(hours=20)
    outcome = await hall.do(objections.object_, objections.Object(lot, "请核实第一候选人业绩"), bidder.actor)
    leaf = next((each.leaf for each in outcome.events if each.act["kind"] == "objection"), "")
    leaf = leaf or (await play.tender()).objections[-1].leaf
    hold = Hold(leaf, hall.now)
    play.book.holds.append(hold)
    play.did("objection_publicity")
    await play.step("objection in publicity")
    if play.plan.has("award_under_objection"):
        tender = await play.tender()
        assert tender.publicity_until is not None
        hall.until(tender.publicity_until + timedelta(hours=1))
        await _try_award(play, "award_under_objection", 1, "process_held")
    else:
        hall.wait(days=2)
    late = (hall.now - hold.since) > timedelta(days=3)
    if late:
        play.book.cheats.append(Cheat("late answer", "owner", 3))
    cmd = objections.Answer(lot, leaf, "经核实业绩属实", "核实用时较长" if late else None)
    await hall.do(objections.answer, cmd, play.keys.owner.actor)
    hold.until = hall.now
    await play.step("answer in publicity")
    return (await play.tender()).held_by is None


async def _what_must_not_be(play: Play) -> None:
    """Attempts between the end of publicity and the award."""
    plan, lot = play.plan, play.book.lot
    tender = await play.tender()
    if plan.has("objection_after_publicity"):
        cmd = objections.Object(lot, "迟到的异议")
        bidder = play.keys.bidders[1].actor
        await play.expect_refused(
            "objection_after_publicity", objections.object_, cmd, bidder, "objection_outside_publicity"
        )
    if plan.has("award_by_a_stranger"):
        await play.expect_refused(
            "award_by_a_stranger", results.award, results.Award(lot, 1), STRANGER, "not_this_tender"
        )
    if plan.has("award_outside_candidates"):
        await _try_award(play, "award_outside_candidates", len(tender.candidates) + 1, "winner_not_a_candidate")
    if plan.has("award_out_of_order") and len(tender.candidates) > 1 and await _undecided(play):
        await _try_award(play, "award_out_of_order", 2, "candidate_out_of_order")


async def _undecided(play: Play) -> bool:
    return (await play.tender()).state is not State.AWARDED


async def _try_award(play: Play, fault: str, rank: int, *codes: str) -> None:
    if await play.attempt(fault, _sign(play, results.award, results.Award(play.book.lot, rank)), *codes):
        await play.step(fault)


async def _contract(play: Play) -> None:
    plan, lot, owner = play.plan, play.book.lot, play.keys.owner
    tender = await play.tender()
    winner = next(one for one in tender.candidates if one.rank == 1)
    play.hall.wait(days=5)
    terms: dict[str, Any] = {
        "lot": lot,
        "price_fen": winner.price_fen,
        "period_days": winner.period_days,
        "quality": winner.quality,
        "hash": results.text_hash(f"合同 {lot}"),
    }
    if plan.has("contract_differs"):
        other = results.FileContract(**{**terms, "price_fen": winner.price_fen + 1})
        await play.expect_refused(
            "contract_differs", results.file_contract, other, owner.actor, "contract_differs_from_bid"
        )
    if plan.has("regulator_report_late"):
        play.hall.wait(days=20)
        silent = results.ReportToRegulator(lot, "0" * 64)
        await play.expect_refused(
            "regulator_report_late", results.report_to_regulator, silent, owner.actor, "regulator_report_late"
        )
    late = "负责人更换" if plan.has("regulator_report_late") else None
    report = results.ReportToRegulator(lot, results.text_hash("书面报告"), late)
    await play.hall.do(results.report_to_regulator, report, owner.actor)
    await _sign(play, results.file_contract, results.FileContract(**terms))
    await play.step("contract")


async def _sign(play: Play, run: Any, cmd: Any) -> None:
    owner = play.keys.owner
    await play.hall.sign(run, cmd, owner.actor, owner.signer, "owner")
