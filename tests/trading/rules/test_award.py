"""From the evaluation to the contract: each rule once kept and once broken."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from crypto.refusal import Refused
from trading.lifecycle import State
from trading.rulebook import Rulebook
from trading.rules import award, schedule
from trading.rules.award import Contract, ResultNotice
from trading.tender import Award, Candidate, Objection, Tender

At = Callable[[str], datetime]

CANDIDATES = tuple(
    Candidate(rank, f"{rank:02d}" * 32, f"B{rank}", 1_000_000_00 + rank, 120, "合格") for rank in (1, 2, 3)
)


@pytest.fixture
def public(play: Any, at: At) -> Tender:
    """Candidates public from 8 April 2026 09:00 to the end of 11 April; the report came on 7 April."""
    return replace(
        play.tender,
        state=State.PUBLICITY,
        report_at=at("2026-04-07 17:00"),
        publicity_from=at("2026-04-08 09:00"),
        publicity_until=at("2026-04-12 00:00"),
        candidates=CANDIDATES,
    )


@pytest.fixture
def awarded(public: Tender, at: At) -> Tender:
    """Rank 1 awarded on 13 April 2026."""
    first = CANDIDATES[0]
    won = Award(1, first.bid, first.uscc, first.price_fen, at("2026-04-13 10:00"))
    return replace(public, state=State.AWARDED, award=won)


@pytest.mark.rule("E-73", "pass")
def test_two_valid_bids_with_reasons_may_go_on(rulebook: Rulebook) -> None:
    assert award.check_competition(2, reasoning="报价合理，竞争充分", rulebook=rulebook) == 2
    assert award.check_competition(3, reasoning=None, rulebook=rulebook) == 3


@pytest.mark.rule("E-73", "refuse")
def test_two_valid_bids_without_reasons_are_refused(rulebook: Rulebook) -> None:
    for reasoning in (None, "", "  "):
        with pytest.raises(Refused) as err:
            award.check_competition(2, reasoning=reasoning, rulebook=rulebook)
        assert err.value.rule == "E-73"


@pytest.mark.rule("E-74", "pass")
def test_one_valid_bid_may_be_recommended() -> None:
    assert award.check_not_all_rejected(1) == 1


@pytest.mark.rule("E-74", "refuse")
def test_nothing_is_recommended_when_all_are_rejected() -> None:
    with pytest.raises(Refused) as err:
        award.check_not_all_rejected(0)
    assert err.value.rule == "E-74"


@pytest.mark.rule("E-75", "pass")
def test_three_candidates_in_the_order_of_the_ranking() -> None:
    assert award.check_candidates([(1, "a"), (2, "b"), (3, "c")], ranking=["a", "b", "c", "d"], limit=3) == 3
    assert award.check_candidates([(1, "a")], ranking=["a"], limit=3) == 1


@pytest.mark.rule("E-75", "refuse")
@pytest.mark.parametrize(
    "candidates",
    [
        [],
        [(1, "a"), (2, "b"), (3, "c"), (4, "d")],
        [(1, "b"), (2, "a")],
        [(1, "a"), (3, "b")],
        [(1, "a"), (2, "a")],
        [(1, "a"), (2, "x")],
    ],
)
def test_four_candidates_or_another_order_are_refused(candidates: list[tuple[int, str]]) -> None:
    with pytest.raises(Refused) as err:
        award.check_candidates(candidates, ranking=["a", "b", "c", "d"], limit=3)
    assert err.value.rule == "E-75"


@pytest.mark.rule("E-78", "pass")
def test_publicity_on_the_third_day_after_the_report_or_later_with_a_reason(
    public: Tender, rulebook: Rulebook, at: At
) -> None:
    # The third day, 10 April 2026, is a Friday.
    assert award.check_publicity_in_time(public, now=at("2026-04-10 23:59"), rulebook=rulebook)
    assert award.check_publicity_in_time(public, now=at("2026-04-11 09:00"), rulebook=rulebook, late_because="停电")


@pytest.mark.rule("E-78", "refuse")
def test_publicity_on_the_fourth_day_without_a_reason_is_refused(public: Tender, rulebook: Rulebook, at: At) -> None:
    with pytest.raises(Refused) as err:
        award.check_publicity_in_time(public, now=at("2026-04-11 00:00"), rulebook=rulebook)
    assert (err.value.code, err.value.rule) == ("publicity_late", "E-78")


@pytest.mark.rule("E-79", "pass")
def test_publicity_to_the_end_of_the_third_day(rulebook: Rulebook, at: At) -> None:
    start = at("2026-04-08 09:00")
    until = at("2026-04-12 00:00")
    assert award.check_publicity(start=start, until=until, days=3, rulebook=rulebook) == until
    # 11 April 2026 is a Saturday: the end that the hall proposes moves to Monday, as objecting is a limit to act.
    assert award.publicity_end(start, days=3, rulebook=rulebook) == at("2026-04-14 00:00")


@pytest.mark.rule("E-79", "refuse")
def test_publicity_a_millisecond_short_or_shorter_than_promised_is_refused(rulebook: Rulebook, at: At) -> None:
    until = at("2026-04-12 00:00")
    for days, end in ((3, until - timedelta(milliseconds=1)), (5, until)):
        with pytest.raises(Refused) as err:
            award.check_publicity(start=at("2026-04-08 09:00"), until=end, days=days, rulebook=rulebook)
        assert err.value.rule == "E-79"


@pytest.mark.rule("E-79", "refuse")
def test_award_before_publicity_ends_is_refused(public: Tender, at: At) -> None:
    with pytest.raises(Refused) as err:
        award.check_award(public, rank=1, bid=CANDIDATES[0].bid, now=at("2026-04-11 23:59"))
    assert (err.value.code, err.value.rule) == ("publicity_not_over", "E-79")


@pytest.mark.rule("E-80", "pass")
def test_objection_on_publicity_day_three_at_23_59_is_accepted(public: Tender, at: At) -> None:
    assert schedule.check_objection_to_result(public, received=at("2026-04-11 23:59")) == public.publicity_until


@pytest.mark.rule("E-80", "refuse")
def test_objection_on_day_four_or_before_publicity_is_refused(public: Tender, at: At) -> None:
    for received in ("2026-04-12 00:00", "2026-04-08 08:59"):
        with pytest.raises(Refused) as err:
            schedule.check_objection_to_result(public, received=at(received))
        assert (err.value.code, err.value.rule) == ("objection_outside_publicity", "E-80")


@pytest.mark.rule("E-80", "refuse")
def test_award_waits_until_the_objection_is_answered(public: Tender, at: At) -> None:
    held = replace(public, objections=(Objection("aa", "publicity", at("2026-04-11 23:59")),))
    with pytest.raises(Refused) as err:
        award.check_award(held, rank=1, bid=CANDIDATES[0].bid, now=at("2026-04-20 09:00"))
    assert (err.value.code, err.value.rule) == ("process_held", "E-80")


@pytest.mark.rule("E-81", "pass")
@pytest.mark.rule("E-83", "pass")
def test_first_candidate_wins_and_the_second_after_a_lawful_ground(public: Tender, awarded: Tender, at: At) -> None:
    now = at("2026-04-12 00:00")
    assert award.check_award(public, rank=1, bid=CANDIDATES[0].bid, now=now) == CANDIDATES[0]
    assert award.check_void(awarded, ground="gives_up", evidence_hash="ab" * 32) == 1
    passed = replace(public, passed_over=(1,))
    assert award.check_award(passed, rank=2, bid=CANDIDATES[1].bid, now=now) == CANDIDATES[1]
    private = replace(public, state_controlled=False)
    assert award.check_award(private, rank=2, bid=CANDIDATES[1].bid, now=now) == CANDIDATES[1]


@pytest.mark.rule("E-81", "refuse")
def test_state_project_may_not_pass_over_the_first_without_a_ground(public: Tender, awarded: Tender, at: At) -> None:
    now = at("2026-04-12 00:00")
    for tender, rank, code in (
        (public, 2, "candidate_out_of_order"),
        (replace(public, passed_over=(1,)), 1, "candidate_passed_over"),
        (replace(public, passed_over=(1,)), 3, "candidate_out_of_order"),
    ):
        with pytest.raises(Refused) as err:
            award.check_award(tender, rank=rank, bid=CANDIDATES[rank - 1].bid, now=now)
        assert (err.value.code, err.value.rule) == (code, "E-81")
    for ground, evidence in (("dislike", "ab" * 32), ("gives_up", None)):
        with pytest.raises(Refused) as err:
            award.check_void(awarded, ground=ground, evidence_hash=evidence)
        assert err.value.rule == "E-81"


@pytest.mark.rule("E-83", "refuse")
def test_award_outside_the_candidates_is_refused(public: Tender, at: At) -> None:
    for rank, bid in ((4, "04" * 32), (1, CANDIDATES[1].bid)):
        with pytest.raises(Refused) as err:
            award.check_award(public, rank=rank, bid=bid, now=at("2026-04-12 00:00"))
        assert err.value.rule == "E-83"


@pytest.mark.rule("E-85", "pass")
def test_winner_and_losers_are_told_at_one_instant(at: At) -> None:
    now = at("2026-04-13 10:00")
    notices = [ResultNotice(uscc, now) for uscc in ("B1", "B2", "B3")]
    assert set(award.check_notices(notices, bidders=["B1", "B2", "B3"], winner="B1", awarded=now)) == {"B1", "B2", "B3"}


@pytest.mark.rule("E-85", "refuse")
def test_loser_told_later_or_not_at_all_is_refused(at: At) -> None:
    now = at("2026-04-13 10:00")
    on_time, late = ResultNotice("B1", now), ResultNotice("B2", now + timedelta(hours=1))
    for notices in ([on_time], [on_time, late], [on_time, on_time, ResultNotice("B2", now)]):
        with pytest.raises(Refused) as err:
            award.check_notices(notices, bidders=["B1", "B2"], winner="B1", awarded=now)
        assert err.value.rule == "E-85"


@pytest.mark.rule("E-86", "pass")
@pytest.mark.rule("E-87", "pass")
def test_report_and_contract_on_the_last_day(awarded: Tender, rulebook: Rulebook, at: At) -> None:
    report = award.check_regulator_report(awarded, now=at("2026-04-28 23:59"), rulebook=rulebook)
    contract = award.check_contract_in_time(awarded, now=at("2026-05-13 23:59"), rulebook=rulebook)
    assert (report.isoformat(), contract.isoformat()) == ("2026-04-28", "2026-05-13")


@pytest.mark.rule("E-86", "refuse")
def test_report_on_day_sixteen_without_a_reason_is_refused(awarded: Tender, rulebook: Rulebook, at: At) -> None:
    with pytest.raises(Refused) as err:
        award.check_regulator_report(awarded, now=at("2026-04-29 00:00"), rulebook=rulebook)
    assert (err.value.code, err.value.rule) == ("regulator_report_late", "E-86")


@pytest.mark.rule("E-87", "refuse")
def test_contract_on_day_thirty_one_without_a_reason_is_refused(
    awarded: Tender, public: Tender, rulebook: Rulebook, at: At
) -> None:
    with pytest.raises(Refused) as err:
        award.check_contract_in_time(awarded, now=at("2026-05-14 00:00"), rulebook=rulebook)
    assert (err.value.code, err.value.rule) == ("contract_late", "E-87")
    with pytest.raises(Refused) as err:
        award.check_contract_in_time(public, now=at("2026-04-14 00:00"), rulebook=rulebook)
    assert (err.value.code, err.value.rule) == ("nothing_awarded", "E-87")


@pytest.mark.rule("E-88", "pass")
def test_contract_equal_to_the_bid_is_accepted(awarded: Tender) -> None:
    first = CANDIDATES[0]
    assert award.check_contract(awarded, Contract(first.bid, first.price_fen, first.period_days, first.quality))


@pytest.mark.rule("E-88", "refuse")
@pytest.mark.parametrize(
    ("field", "value"), [("price_fen", 1), ("period_days", 121), ("quality", "优良"), ("bid", "02" * 32)]
)
def test_contract_that_differs_from_the_bid_is_refused(field: str, value: object, awarded: Tender) -> None:
    first = CANDIDATES[0]
    terms: dict[str, Any] = {
        "bid": first.bid,
        "price_fen": first.price_fen,
        "period_days": first.period_days,
        "quality": first.quality,
    }
    with pytest.raises(Refused) as err:
        award.check_contract(awarded, Contract(**{**terms, field: value}))
    assert (err.value.rule, err.value.facts["fields"]) == ("E-88", [field])
