"""What comes next: the right person, the last instant and an article, at every stage; a hold is not forgotten."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from trading.desk import tasks
from trading.markets.construction import NATIONAL
from trading.tender import Tender


def told(tender: Tender, now: Any, **how: Any) -> list[str]:
    return [task.what[1] for task in tasks.of(tender, now=now, rulebook=NATIONAL, **how)]


def test_while_bids_are_taken_the_deadline_and_the_draw_come_next(play: Any) -> None:
    now = play.tender.published_at + timedelta(hours=1)
    assert told(play.tender, now) == ["Bidding closes, the opening begins", "Ask for the draw of the panel"]
    assert "Answer bidders' questions (clarification)" in told(play.tender, now, questions=1)


def test_an_objection_gives_the_owner_three_days_and_stops_the_deadline(play: Any) -> None:
    at = play.tender.published_at + timedelta(days=1)
    tender = play.act("objection", at, stage="bidding")
    found = tasks.of(tender, now=at, rulebook=NATIONAL)
    assert [task.what[1] for task in found] == ["Answer the objection"]
    assert found[0].owners and found[0].page == "objections" and "§22" in found[0].article
    assert found[0].until is not None
    assert tasks.of(tender, now=found[0].until, rulebook=NATIONAL)[0].light == "bad"
    assert tasks.of(tender, now=found[0].until - timedelta(hours=1), rulebook=NATIONAL)[0].light == "warn"


def test_every_task_names_who_must_act_and_an_article(play: Any) -> None:
    for task in tasks.of(play.tender, now=play.tender.published_at, rulebook=NATIONAL, questions=2):
        assert task.who[0] and task.who[1] and "§" in task.article
