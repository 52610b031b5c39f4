"""The lifecycle table: golden text and diagram, no state without a way in, and what the clock alone will do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from crypto.ledger import acts
from trading import lifecycle
from trading.lifecycle import CAUSED_BY, CLOCK, TERMINAL, TRANSITIONS, State
from trading.rulebook import Rulebook
from trading.tender import Award

At = Callable[[str], datetime]
GOLDEN = Path(__file__).parents[1] / "golden"


def test_table_and_diagram_are_the_golden_ones() -> None:
    text = lifecycle.text() + "\n" + lifecycle.mermaid()
    assert text == (GOLDEN / "lifecycle.txt").read_text("utf-8")


def test_every_state_is_reached_and_only_terminal_states_have_no_way_out() -> None:
    reached = {State.DRAFT}
    while grown := {row.to for row in TRANSITIONS if row.frm in reached} - reached:
        reached |= grown
    assert reached == set(State)
    leaving = {row.frm for row in TRANSITIONS if row.frm is not row.to}
    assert set(State) - leaving == TERMINAL | {State.CONTRACTED}
    assert all(row.frm not in TERMINAL for row in TRANSITIONS)


def test_every_event_has_a_cause_and_public_kinds_are_spelt_as_in_the_ledger() -> None:
    events = {row.event for row in TRANSITIONS} | lifecycle.ANYWHERE | lifecycle.AFTERWARDS
    assert events == set(CAUSED_BY)
    private = {"entry", "entry_accepted", "objection", "answer", "sign_in", "review", "award_void", "regulator_report"}
    assert events - acts.PUBLIC_KINDS == private | {CLOCK}
    # Every public act of a tender is in the table: none may happen unlisted.
    assert events >= acts.PUBLIC_KINDS - acts.HALL_KINDS


def test_supervisor_causes_nothing_but_directives() -> None:
    assert [event for event, roles in CAUSED_BY.items() if "supervisor" in roles] == ["directive"]
    assert [event for event, roles in CAUSED_BY.items() if "centre" in roles] == ["entry_accepted"]


def due(play: Any, now: datetime) -> list[tuple[str, datetime]]:
    return [(item.event, item.at) for item in lifecycle.due(play.tender, now=now)]


def test_clock_closes_after_the_settle_time_and_freezes_at_once(play: Any, at: At) -> None:
    closing = play.tender.deadline + timedelta(seconds=60)
    assert due(play, at("2026-03-03 09:00")) == [("close", closing)]
    play.act("close", closing, deadline="2026-03-26T01:00:00.000Z")
    assert due(play, closing) == [("freeze", closing)]
    play.act("freeze", closing, close="00" * 32, n=2, list_hash="00" * 32, supplements=None)
    (item,) = lifecycle.due(play.tender, now=closing)
    assert (item.event, dict(item.fields), item.rule) == ("failed", {"reason": "fewer_than_bids_min", "n": 2}, "E-51")


def test_deadline_has_not_fired_while_anything_holds(play: Any, at: At) -> None:
    later = at("2026-03-27 09:00")
    assert lifecycle.may_close(play.tender, later)
    assert not lifecycle.may_close(replace(play.tender, suspended=(("ab" * 32, later),)), later)


def test_clock_follows_an_extension(play: Any, at: At) -> None:
    play.act("deadline", at("2026-03-20 09:00"), deadline="2026-04-02T01:00:00.000Z", was="", reason="extension")
    assert due(play, at("2026-03-26 09:02")) == [("close", at("2026-04-02 09:00") + timedelta(seconds=60))]


def test_clock_owes_a_hold_for_an_objection_and_a_resumption_once_a_new_deadline_leaves_what_was_left(
    play: Any, at: At
) -> None:
    filed = at("2026-03-16 09:00")
    ref = play.act("objection", filed, stage="bidding", text_hash="00" * 32).objections[0].leaf
    (item,) = lifecycle.due(play.tender, now=filed)
    assert item.event == "hold"
    assert dict(item.fields) == {"reason": "objection", "ref": ref, "stage": "bidding", "left_s": 10 * 86_400}
    play.act("hold", filed, **item.fields)
    assert due(play, at("2026-03-27 09:00")) == []
    answered = at("2026-03-18 09:00")
    play.act("answer", answered, objection=ref, text_hash="00" * 32)
    assert due(play, answered) == []
    play.act("deadline", answered, deadline="2026-03-28T01:00:00.000Z", was="", reason="hold")
    (item,) = lifecycle.due(play.tender, now=answered)
    assert (item.event, item.fields["until"]) == ("resume", "2026-03-28T01:00:00.000Z")
    play.act("resume", answered, **item.fields)
    assert due(play, answered) == [("close", at("2026-03-28 09:00") + timedelta(seconds=60))]


def test_two_holds_both_have_to_go_before_the_deadline_fires(play: Any, at: At) -> None:
    filed = at("2026-03-10 09:00")
    for name in ("first", "second"):
        play.act("objection", filed, name=name, stage="bidding", text_hash="00" * 32)
    for item in lifecycle.due(play.tender, now=filed):
        play.act("hold", filed, **item.fields)
    first, second = (objection.leaf for objection in play.tender.objections)
    play.act("answer", filed, objection=first, text_hash="00" * 32)
    play.act("deadline", filed, deadline="2026-04-30T01:00:00.000Z", was="", reason="hold")
    (item,) = lifecycle.due(play.tender, now=filed)
    assert (item.event, item.fields["ref"]) == ("resume", first)
    play.act("resume", filed, **item.fields)
    assert play.tender.held_by == second
    assert due(play, at("2026-05-01 09:00")) == []


def test_suspension_is_held_and_resumed_by_directives(play: Any, at: At) -> None:
    now = at("2026-03-10 09:00")
    play.act("directive", now, what="suspend", reason="核查", power="S-001")
    (item,) = lifecycle.due(play.tender, now=now)
    assert (item.event, item.fields["reason"]) == ("hold", "directive")
    play.act("hold", now, **item.fields)
    play.act("directive", at("2026-03-11 09:00"), name="lift", what="resume", reason="已核", power="S-001")
    play.act("deadline", at("2026-03-11 09:00"), deadline="2026-03-27T01:00:00.000Z", was="", reason="hold")
    (item,) = lifecycle.due(play.tender, now=at("2026-03-11 09:00"))
    assert item.event == "resume"


def test_publicity_ends_by_time_alone_unless_something_holds(play: Any, at: At) -> None:
    public = replace(
        play.tender,
        state=State.PUBLICITY,
        publicity_from=at("2026-04-08 09:00"),
        publicity_until=at("2026-04-12 00:00"),
    )
    assert lifecycle.at_instant(public, at("2026-04-11 23:59")).state is State.PUBLICITY
    assert lifecycle.at_instant(public, at("2026-04-12 00:00")).state is State.AWARDABLE
    held = replace(public, suspended=(("ab" * 32, at("2026-04-10 09:00")),))
    assert lifecycle.at_instant(held, at("2026-04-20 00:00")).state is State.PUBLICITY


@pytest.mark.rule("E-13", "pass")
def test_clocks_tell_persons_what_they_owe_and_until_when(play: Any, rulebook: Rulebook, at: At) -> None:
    play.act("objection", at("2026-03-05 18:00"), stage="bidding", text_hash="00" * 32)
    (clock,) = lifecycle.clocks(play.tender, rulebook=rulebook)
    assert (clock.what, clock.until, clock.rule) == ("answer", at("2026-03-10 00:00"), "E-13")
    awarded = replace(play.tender, objections=(), award=Award(1, "aa", "B", 1, at("2026-04-13 10:00")))
    owed = lifecycle.clocks(awarded, rulebook=rulebook)
    assert [(clock.what, clock.rule) for clock in owed] == [("regulator_report", "E-86"), ("contract", "E-87")]
    reported = replace(play.tender, objections=(), report_at=at("2026-04-07 17:00"))
    (clock,) = lifecycle.clocks(reported, rulebook=rulebook)
    assert (clock.what, clock.until, clock.rule) == ("publicity", at("2026-04-11 00:00"), "E-78")
