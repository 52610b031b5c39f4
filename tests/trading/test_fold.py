"""A tender is the fold of its acts: a whole honest life, and every act that comes out of turn or under a hold."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from crypto.refusal import Refused
from trading import fold, lifecycle
from trading import tender as tenders
from trading.lifecycle import CAUSED_BY, State
from trading.tender_document import TenderDocument

At = Callable[[str], datetime]
H = "00" * 32
SEATS = [{"seat": seat, "stratum": 0, "masked": f"{seat:064x}"} for seat in (1, 2, 3, 4)]
REPRESENTATIVE = "ff" * 32
CANDIDATE_ROWS = [
    {
        "rank": rank,
        "bid": f"{rank:02d}" * 32,
        "bidder": {"name": f"b{rank}", "uscc": f"B{rank}"},
        "price_fen": 1000 + rank,
        "period_days": 120,
        "quality": "合格",
        "leader": {},
        "total": "90",
    }
    for rank in (1, 2)
]


def to_freeze(play: Any, at: At, n: int = 4) -> datetime:
    """Close and freeze; returns the instant."""
    closed = at("2026-03-26 09:01")
    play.act("close", closed, deadline=play.document.schedule.deadline)
    play.act("freeze", closed, close=H, n=n, list_hash=H, supplements=None)
    return closed


def ready(play: Any, now: datetime, lock: int, index: int, **fields: Any) -> None:
    wanted = {"trustee": "t", "freeze": play.tender.freeze, "checkpoint": {}, "draws": [], "complaints": []}
    play.act("ready", now, name=f"ready{lock}{index}", lock=lock, index=index, **{"refusal": None, **wanted, **fields})


def to_opened(play: Any, at: At, valid: int = 4) -> datetime:
    now = to_freeze(play, at) + timedelta(minutes=10)
    for lock in (0, 1):
        for index in (1, 2):
            ready(play, now, lock, index)
    freeze = play.tender.freeze
    play.act("release", now, trustee="t", lock=0, index=1, freeze=freeze, shares_hash=H)
    play.act("verdict", now, freeze=freeze, verdicts_hash=H, valid=valid)
    play.act("opened", now, freeze=freeze, record_hash=H, n=valid)
    return now


def to_evaluating(play: Any, at: At) -> datetime:
    now = to_opened(play, at)
    pool = {"draw_id": H, "purpose": 1, "attempt": 0, "pool_hash": H}
    play.act("draw_pool", now, name="pool", **pool)
    play.act("draw_close", now, name="drawclose", draw_id=H, pool=play.tender.draw_pool, contributions=[])
    play.act("draw_result", now, draw_id=H, close=play.tender.draw_close, seats=SEATS)
    for masked in [REPRESENTATIVE, *(seat["masked"] for seat in SEATS)]:
        play.act("sign_in", now, masked=masked, declared=True)
    return now


def to_public(play: Any, at: At) -> datetime:
    now = to_evaluating(play, at)
    play.act("scores_committed", now, commitments=[])
    play.act("scores_locked", now, sheets_hash=H, table_hash=H, scores_hash=H)
    play.act("report", now, report_hash=H)
    play.act("review", now, report_hash=H)
    period = {"from": "2026-03-27T01:00:00.000Z", "until": "2026-03-30T16:00:00.000Z"}
    play.act("publicity", now, candidates=CANDIDATE_ROWS, channel="", **period)
    return at("2026-03-31 00:00")


def award_fields(rank: int) -> dict[str, Any]:
    row = CANDIDATE_ROWS[rank - 1]
    return {"rank": rank, "bid": row["bid"], "bidder": row["bidder"], "price_fen": row["price_fen"], "notice_hash": H}


def test_honest_life_ends_in_a_contract_and_replays_to_the_same_tender(
    play: Any, document: TenderDocument, at: At
) -> None:
    now = to_public(play, at)
    assert play.tender.state is State.PUBLICITY
    play.act("award", now, **award_fields(1))
    play.act("regulator_report", now, hash=H)
    play.act("contract", now, bid="01" * 32, price_fen=1001, period_days=120, hash=H)
    assert play.tender.state is State.CONTRACTED
    assert fold.replay(play.acts, document) == play.tender
    assert tenders.from_json(play.tender.to_json()) == play.tender


def test_a_tender_that_rests_counts_its_private_acts_once_for_every_end(play: Any, at: At) -> None:
    def owed() -> list[tuple[str, datetime]]:
        return [(item.event, item.at) for item in lifecycle.due(play.tender, now=play.tender.contracted_at or now)]

    now = to_public(play, at)
    play.act("award", now, **award_fields(1))
    assert owed() == []
    with pytest.raises(Refused, match="act_out_of_turn"):
        play.act("tally", now, size=9, n=3, root=H)
    play.act("contract", now, bid="01" * 32, price_fen=1001, period_days=120, hash=H)
    assert owed() == [("tally", now + lifecycle.TALLY_AFTER)]
    play.act("tally", now + lifecycle.TALLY_AFTER, size=9, n=3, root=H)
    assert owed() == []
    report = now + timedelta(days=2)
    play.act("regulator_report", report, hash=H)
    assert owed() == [("tally", report + lifecycle.TALLY_AFTER)], "the report is a private act that came later"
    early = replace(play.tender, tallied_at=report)
    assert [item.event for item in lifecycle.due(early, now=report)] == ["tally"], (
        "in one instant the report may be later"
    )
    assert play.tender.state is State.CONTRACTED


def test_a_tender_that_ended_before_its_freeze_counts_nothing(play: Any, at: At) -> None:
    now = at("2026-03-10 09:00")
    play.act("terminate", now, reason="规划调整")
    assert play.tender.state is State.TERMINATED and play.tender.freeze is None
    assert lifecycle.due(play.tender, now=now) == (), "a number of private acts is a number of bids"


def test_every_prefix_round_trips_through_json(play: Any, document: TenderDocument, at: At) -> None:
    to_public(play, at)
    for length in range(1, len(play.acts) + 1):
        tender = fold.replay(play.acts[:length], document)
        assert tenders.from_json(tender.to_json()) == tender


def test_winner_that_gives_up_makes_room_for_the_second(play: Any, at: At) -> None:
    now = to_public(play, at)
    play.act("award", now, **award_fields(1))
    play.act("award_void", now, rank=1, ground="gives_up", evidence_hash=H)
    assert (play.tender.state, play.tender.passed_over) == (State.AWARDABLE, (1,))
    with pytest.raises(Refused) as err:
        play.act("failed", now, reason="no_candidate_left", n=0)
    assert err.value.code == "failure_without_its_reason"
    play.act("award", now, name="award2", **award_fields(2))
    assert play.act("failed", now, reason="no_candidate_left", n=0).state is State.FAILED


def test_two_bids_fail_and_nothing_is_ever_released(play: Any, at: At) -> None:
    now = to_freeze(play, at, n=2)
    assert play.tender.state is State.SHORT
    for kind in ("ready", "release", "opened", "terminate"):
        with pytest.raises(Refused) as err:
            play.act(kind, now, freeze=play.tender.freeze, refusal=None, lock=0, index=1, reason="x")
        assert err.value.code == "act_out_of_turn"
    assert play.act("failed", now, reason="fewer_than_bids_min", n=2).state is State.FAILED


def test_release_waits_for_the_threshold_of_every_lock(play: Any, at: At) -> None:
    now = to_freeze(play, at) + timedelta(minutes=10)
    release = {"trustee": "t", "lock": 0, "index": 1, "freeze": play.tender.freeze, "shares_hash": H}
    for lock, index in ((0, 1), (0, 2), (0, 3), (1, 1), (1, 1)):
        ready(play, now, lock, index)
        with pytest.raises(Refused) as err:
            play.act("release", now, **release)
        assert err.value.code == "release_before_every_lock_is_ready"
    ready(play, now, 1, 2)
    assert play.act("release", now, **release).state is State.OPENING


def test_ready_for_a_freeze_that_was_corrected_counts_no_more(play: Any, at: At) -> None:
    now = to_freeze(play, at)
    old = play.tender.freeze
    ready(play, now, 0, 1)
    play.act("freeze", now, name="freeze2", close=H, n=5, list_hash=H, supplements=old)
    assert play.tender.ready == ()
    with pytest.raises(Refused) as err:
        ready(play, now, 0, 2, freeze=old)
    assert err.value.code == "act_of_another_freeze"
    with pytest.raises(Refused) as err:
        play.act("freeze", now, name="freeze3", close=H, n=5, list_hash=H, supplements=old)
    assert err.value.code == "freeze_supplements_another"


def test_refusal_of_a_trustee_is_no_ready(play: Any, at: At) -> None:
    now = to_freeze(play, at)
    ready(play, now, 0, 1, refusal="stale_checkpoint")
    assert play.tender.ready == ()


@pytest.mark.rule("E-13", "refuse")
def test_nothing_fires_under_a_hold_but_trustees_may_refuse(play: Any, at: At) -> None:
    now = to_freeze(play, at)
    play.act("directive", now, what="suspend", reason="核查", power="S-001")
    ready(play, now, 0, 1, refusal="held")
    with pytest.raises(Refused) as err:
        ready(play, now, 0, 1)
    assert (err.value.code, err.value.rule) == ("process_held", None)
    with pytest.raises(Refused) as err:
        play.act("release", now, trustee="t", lock=0, index=1, freeze=play.tender.freeze, shares_hash=H)
    assert err.value.code == "process_held"


@pytest.mark.rule("E-13", "refuse")
def test_close_under_an_objection_is_refused(play: Any, at: At) -> None:
    play.act("objection", at("2026-03-10 09:00"), stage="bidding", text_hash=H)
    with pytest.raises(Refused) as err:
        play.act("close", at("2026-03-26 09:01"), deadline=play.document.schedule.deadline)
    assert (err.value.code, err.value.rule) == ("process_held", "E-13")


@pytest.mark.rule("E-50", "refuse")
def test_close_ahead_of_the_deadline_in_force_is_refused(play: Any, at: At) -> None:
    play.act("deadline", at("2026-03-20 09:00"), deadline="2026-04-02T01:00:00.000Z", was="", reason="extension")
    for when, deadline in (("2026-03-26 09:01", "2026-03-26"), ("2026-04-02 09:00", "2026-04-02")):
        with pytest.raises(Refused) as err:
            play.act("close", at(when), deadline=f"{deadline}T01:00:00.000Z")
        assert err.value.rule == "E-50"


def test_extension_after_the_close_is_void(play: Any, at: At) -> None:
    to_freeze(play, at)
    with pytest.raises(Refused) as err:
        play.act("deadline", at("2026-03-26 10:00"), deadline="2026-05-01T01:00:00.000Z", was="", reason="extension")
    assert err.value.code == "act_out_of_turn"


def test_deadline_only_moves_later_and_not_in_the_settle_time(play: Any, at: At) -> None:
    for when, deadline, code in (
        ("2026-03-20 09:00", "2026-03-25T01:00:00.000Z", "deadline_not_later"),
        ("2026-03-20 09:00", "2026-03-26T01:00:00.000Z", "deadline_not_later"),
        ("2026-03-26 09:00", "2026-04-26T01:00:00.000Z", "deadline_already_passed"),
    ):
        with pytest.raises(Refused) as err:
            play.act("deadline", at(when), deadline=deadline, was="", reason="extension")
        assert err.value.code == code


def test_amendments_are_numbered_without_a_gap(play: Any, at: At) -> None:
    play.act("amendment", at("2026-03-05 09:00"), version=1, affects_bids=False, deadline=None)
    with pytest.raises(Refused) as err:
        play.act("amendment", at("2026-03-05 09:00"), version=3, affects_bids=False, deadline=None)
    assert err.value.code == "amendment_out_of_order"


def test_resume_before_the_answer_or_without_a_late_enough_deadline_is_refused(play: Any, at: At) -> None:
    filed = at("2026-03-16 09:00")
    ref = play.act("objection", filed, stage="bidding", text_hash=H).objections[0].leaf
    play.act("hold", filed, ref=ref, reason="objection", stage="bidding", left_s=10 * 86_400)
    with pytest.raises(Refused) as err:
        play.act("resume", filed, ref=ref, until="2026-03-26T01:00:00.000Z")
    assert (err.value.code, err.value.rule) == ("process_held", "E-13")
    later = at("2026-03-18 09:00")
    play.act("answer", later, objection=ref, text_hash=H)
    with pytest.raises(Refused) as err:
        play.act("resume", later, ref=ref, until="2026-03-26T01:00:00.000Z")
    assert (err.value.code, err.value.rule) == ("deadline_after_hold_too_early", "E-13")


@pytest.mark.rule("E-80", "pass")
def test_objection_in_publicity_holds_the_award_and_the_end_moves(play: Any, at: At) -> None:
    to_public(play, at)
    filed = at("2026-03-30 23:59")
    ref = play.act("objection", filed, stage="publicity", text_hash=H).objections[0].leaf
    (item,) = lifecycle.due(play.tender, now=filed)
    assert (item.rule, item.fields["left_s"]) == ("E-80", 60)
    play.act("hold", filed, **item.fields)
    with pytest.raises(Refused) as err:
        play.act("award", at("2026-04-01 09:00"), **award_fields(1))
    assert (err.value.code, err.value.rule) == ("process_held", "E-80")
    answered = at("2026-04-02 09:00")
    play.act("answer", answered, objection=ref, text_hash=H)
    (item,) = lifecycle.due(play.tender, now=answered)
    play.act("resume", answered, **item.fields)
    assert play.tender.publicity_until == at("2026-04-03 00:00")
    with pytest.raises(Refused) as err:
        play.act("award", at("2026-04-02 10:00"), **award_fields(1))
    assert err.value.code == "act_out_of_turn"
    assert play.act("award", at("2026-04-03 00:00"), **award_fields(1)).state is State.AWARDED


@pytest.mark.rule("E-57", "refuse")
def test_evaluation_does_not_start_with_two_valid_bids_where_the_document_says_stop(play: Any, at: At) -> None:
    now = to_opened(play, at, valid=2)
    with pytest.raises(Refused) as err:
        play.act("sign_in", now, masked=REPRESENTATIVE, declared=True)
    assert err.value.rule == "E-57"
    (item,) = lifecycle.due(play.tender, now=now)
    assert play.act(item.event, now, **item.fields).state is State.FAILED


def test_failure_needs_the_reason_that_its_state_gives(play: Any, at: At) -> None:
    now = to_opened(play, at)
    for reason in ("fewer_than_bids_min", "fewer_after_opening", "all_rejected", "no_candidate_left", "whim"):
        with pytest.raises(Refused) as err:
            play.act("failed", now, reason=reason, n=4)
        assert err.value.code == "failure_without_its_reason"


def test_opened_waits_for_the_last_verdict_and_counts_the_same(play: Any, at: At) -> None:
    now = to_freeze(play, at)
    for lock in (0, 1):
        for index in (1, 3):
            ready(play, now, lock, index)
    freeze = play.tender.freeze
    play.act("release", now, trustee="t", lock=0, index=1, freeze=freeze, shares_hash=H)
    for verdict in (None, 3):
        if verdict is not None:
            play.act("verdict", now, freeze=freeze, verdicts_hash=H, valid=verdict)
        with pytest.raises(Refused) as err:
            play.act("opened", now, freeze=freeze, record_hash=H, n=4)
        assert (err.value.code, err.value.rule) == ("opened_before_the_last_verdict", "E-58")


def test_only_seated_members_and_one_representative_sign_in(play: Any, at: At) -> None:
    now = to_opened(play, at)
    play.act("draw_pool", now, name="pool", draw_id=H, purpose=1, attempt=0, pool_hash=H)
    play.act("draw_close", now, name="drawclose", draw_id=H, pool=play.tender.draw_pool, contributions=[])
    play.act("draw_result", now, draw_id=H, close=play.tender.draw_close, seats=SEATS)
    play.act("sign_in", now, masked=REPRESENTATIVE, declared=True)
    for masked in (REPRESENTATIVE, "ee" * 32):
        with pytest.raises(Refused) as err:
            play.act("sign_in", now, masked=masked, declared=True)
        assert (err.value.code, err.value.rule) == ("sign_in_of_no_seat", "E-63")


def test_recusal_frees_a_seat_that_is_held_and_fills_it_with_somebody_new(play: Any, at: At) -> None:
    now = to_evaluating(play, at)
    out, new = SEATS[1]["masked"], "dd" * 32
    play.act("recusal", now, draw_id=H, seat=2, out=out, why="recused", avoided=[], **{"in": new})
    assert new in play.tender.seats and out not in play.tender.signed_in
    for gone, come in ((out, "cc" * 32), (new, SEATS[0]["masked"])):
        with pytest.raises(Refused) as err:
            play.act("recusal", now, draw_id=H, seat=2, out=gone, why="recused", avoided=[], **{"in": come})
        assert err.value.rule == "E-67"


def test_act_of_another_tender_and_another_document_are_refused(play: Any, at: At) -> None:
    act = {"kind": "close", "tender_id": "cd" * 32, "at": "2026-03-26T01:01:00.000Z", "deadline": ""}
    with pytest.raises(Refused) as err:
        fold.apply(play.tender, act, leaf=H)
    assert err.value.code == "act_of_another_tender"
    leaf, first = play.acts[0]
    with pytest.raises(Refused) as err:
        fold.begin({**first, "terms_hash": H}, play.document, leaf=leaf)
    assert err.value.code == "document_not_the_one_published"


def test_kinds_that_are_not_of_the_state_leave_it_alone(play: Any, at: At) -> None:
    before = play.tender
    for kind in ("download", "submit", "withdraw", "question", "read", "cover", "notify"):
        assert play.act(kind, at("2026-03-05 09:00")) == before


@settings(max_examples=40)
@given(st.lists(st.sampled_from(sorted(CAUSED_BY)), max_size=12))
def test_only_listed_events_ever_change_the_state(kinds: list[str]) -> None:
    """Invariant I10: from every state, an event that the table does not list is refused whatever it carries."""
    for state in State:
        for kind in kinds:
            ways = lifecycle.ways(state, kind)
            listed = {row.to for row in lifecycle.TRANSITIONS if row.frm is state and row.event == kind}
            flags = lifecycle.ANYWHERE | lifecycle.AFTERWARDS
            assert set(ways) == listed or (kind in flags and set(ways) <= {state})


def test_event_not_listed_for_a_state_is_refused_in_every_state(play: Any, at: At) -> None:
    for state in State:
        tender = replace(play.tender, state=state)
        for kind in CAUSED_BY:
            if not lifecycle.ways(state, kind):
                act = {"kind": kind, "tender_id": tender.tender_id, "at": "2026-03-05T01:00:00.000Z"}
                with pytest.raises(Refused) as err:
                    fold.apply(tender, act, leaf=H)
                assert err.value.code == "act_out_of_turn"
