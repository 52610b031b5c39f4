"""Directives and the receipt of reports: no code no act, the pinned key only, and what a suspension stops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from crypto.refusal import Refused
from supervision import commands
from supervision.commands import IssueDirective, ReceiveReport
from tests.supervision import played
from trading import journal
from trading.roles import Actor, Role

Play = Callable[..., None]


async def direct(stage: Any, what: str, **changes: Any) -> Any:
    cmd = IssueDirective(stage.lot, what, "核查串通投标线索", "S-001")  # type: ignore[arg-type]
    company = stage.keys.regulator
    return await stage.sign(
        commands.issue_directive,
        msgspec.structs.replace(cmd, **changes),
        company.actor,
        company.signer,
        "supervisor",
    )


async def refused(work: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        await work
    return caught.value


def test_suspension_holds_the_process_and_lifting_it_lets_go(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        await stage.sequence()
        outcome = await direct(stage, "suspend")
        assert outcome.events[0].act["power"] == "S-001"
        held = await stage.tender()
        assert held.held_by == outcome.events[0].leaf
        kept = await stage.database.read(lambda unit: unit.directive.find({"lot": stage.lot}))
        assert [row["body"]["what"] for row in kept] == ["suspend"]
        await stage.tick()
        assert (await stage.act("hold"))["ref"] == outcome.events[0].leaf, "the operation's side executes it"
        await direct(stage, "resume")
        assert (await stage.tender()).suspended == ()

    play(scenario)


def test_no_code_no_act(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        actor = stage.keys.regulator.actor
        for power, code in (
            (None, "power_code_missing"),
            ("S-999", "power_code_unknown"),
            ("S-002", "power_code_for_another_act"),
            ("C-001", "power_code_of_another_role"),
        ):
            for run, cmd in (
                (commands.issue_directive, IssueDirective(stage.lot, "suspend", "r", power)),
                (commands.receive_report, ReceiveReport(stage.lot, power)),
            ):
                assert (await refused(stage.do(run, cmd, actor))).code == code
        for actor in played.everybody():
            if actor.role is not Role.SUPERVISOR:
                cmd = IssueDirective(stage.lot, "suspend", "r", "S-001")
                assert (await refused(stage.do(commands.issue_directive, cmd, actor))).code == "permission_denied"
        assert await stage.database.read(lambda unit: unit.event.count({"kind": "directive"})) == 0

    play(scenario)


def test_directive_without_meaning_is_refused(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        for what, changes, code in (
            ("resume", {}, "directive_nothing_to_resume"),
            ("redraw", {}, "directive_nothing_drawn"),
            ("suspend", {"reason": ""}, "directive_reason"),
            ("suspend", {"reason": " r"}, "directive_reason"),
            ("suspend", {"reason": "r" * 4001}, "directive_reason"),
            ("suspend", {"lot": "nowhere"}, "lot_unknown"),
        ):
            assert (await refused(direct(stage, what, **changes))).code == code
        await played.until_stopped(stage)
        assert (await refused(direct(stage, "provide"))).code == "directive_to_ended_tender"

    play(scenario)


def test_only_the_pinned_key_signs_a_directive(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        cmd = IssueDirective(stage.lot, "suspend", "r", "S-001")
        actor = stage.keys.regulator.actor
        for signer, by in ((stage.keys.centre.signer, "supervisor"), (stage.keys.regulator.signer, "owner")):
            found = await refused(stage.sign(commands.issue_directive, cmd, actor, signer, by))
            assert found.code == "directive_key_not_pinned"

    play(scenario)


def test_report_is_received_only_when_it_was_handed_in(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        cmd, actor = ReceiveReport(stage.lot, "S-005"), stage.keys.regulator.actor
        assert (await refused(stage.do(commands.receive_report, cmd, actor))).code == "report_not_handed_in"
        tender = await stage.tender()
        owner: Actor = stage.keys.owner.actor
        for word in ("cd", "ab"):
            stage.wait(1)
            handed = await stage.database.write(
                lambda unit, word=word: journal.private_act(
                    unit,
                    hall=stage.hall,
                    lot=stage.lot,
                    tender_id=tender.tender_id,
                    kind="regulator_report",
                    fields={"hash": word * 32},
                    actor=owner,
                    now=stage.now,
                )
            )
        (logged,) = (await stage.do(commands.receive_report, cmd, actor)).events
        assert (logged.act["report"], logged.act["hash"], logged.act["power"]) == (handed.leaf, "ab" * 32, "S-005")

    play(scenario)
