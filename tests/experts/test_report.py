"""Votes, clarifications and the report: majority, reasons, competition, candidates, dissent, silence."""

import json
from datetime import UTC, datetime

import pytest

from crypto.refusal import Refused
from experts import clarification, report, votes
from experts.clarification import Ground, Reply, Request
from experts.report import Competition, Ranked, Report, Stance, Verdict
from experts.scoring import Bid
from experts.votes import Motion, RejectionReason

CLAUSES = {"3.2.1", "3.2.4"}
DUE = datetime(2026, 4, 1, 5, 0, tzinfo=UTC)
EARLY = datetime(2026, 4, 1, 4, 0, tzinfo=UTC)


def votes_for(count: int, members: int = 5) -> dict[int, bool]:
    return {seat: seat <= count for seat in range(1, members + 1)}


def motion(count: int, **changes: str) -> Motion:
    words = {"bid": "b3", "clause": "3.2.4", "reasoning": "项目负责人未提供有效注册证书"} | changes
    return Motion(words["bid"], RejectionReason.NOT_QUALIFIED, words["clause"], words["reasoning"], votes_for(count))


def ranking(count: int) -> list[Ranked]:
    return [Ranked(at, f"b{at}", 100_00 * at, f"{95 - at}.00") for at in range(1, count + 1)]


def composed(valid: int, competition: Competition | None = None, wanted: int = 3) -> Report:
    carried = votes.rejections([motion(3, bid="b9")], members=5, clauses=CLAUSES)
    return report.compose(
        tender_id="ab" * 32,
        seats=[1, 2, 3, 4, 5],
        scores_hash="cd" * 32,
        rejections=carried,
        ranking=ranking(valid),
        competition=competition,
        candidates_wanted=wanted,
    )


@pytest.mark.rule("E-70", "pass")
def test_a_bid_is_rejected_by_more_than_half_of_all_members() -> None:
    (found,) = votes.rejections([motion(3)], members=5, clauses=CLAUSES)
    assert (found.bid, found.reason, found.in_favour) == ("b3", RejectionReason.NOT_QUALIFIED, 3)
    assert votes.rejections([motion(2)], members=5, clauses=CLAUSES) == ()
    abstained = Motion("b3", RejectionReason.NOT_QUALIFIED, "3.2.4", "理由如下文所述", {1: True, 2: True})
    assert votes.rejections([abstained], members=5, clauses=CLAUSES) == ()


@pytest.mark.rule("E-70", "refuse")
def test_a_rejection_without_reasons_is_refused() -> None:
    with pytest.raises(Refused) as err:
        votes.rejections([motion(5, reasoning="  ")], members=5, clauses=CLAUSES)
    assert (err.value.code, err.value.rule) == ("rejection_without_reasons", "E-70")


@pytest.mark.rule("E-70", "refuse")
def test_a_bid_over_the_max_price_must_be_rejected_whatever_the_vote() -> None:
    listed = [Bid("a", 100), Bid("b", 101)]
    votes.require_mandatory(listed, {"b"}, max_price_fen=100)
    with pytest.raises(Refused) as err:
        votes.require_mandatory(listed, set(), max_price_fen=100)
    assert (err.value.code, err.value.rule, err.value.facts["bid"]) == ("bid_must_be_rejected", "E-70", "b")


@pytest.mark.rule("E-70", "refuse")
def test_a_rejected_bid_cannot_be_ranked() -> None:
    with pytest.raises(Refused) as err:
        report.compose(
            tender_id="ab" * 32,
            seats=[1],
            scores_hash="",
            rejections=votes.rejections([motion(3, bid="b1")], members=5, clauses=CLAUSES),
            ranking=ranking(3),
        )
    assert (err.value.code, err.value.rule) == ("rejected_bid_ranked", "E-70")


@pytest.mark.rule("E-69", "refuse")
def test_a_rejection_under_a_clause_the_document_lacks_is_refused() -> None:
    with pytest.raises(Refused) as err:
        votes.rejections([motion(5, clause="9.9")], members=5, clauses=CLAUSES)
    assert (err.value.code, err.value.rule) == ("rejection_clause_not_in_document", "E-69")


def test_the_same_bid_is_not_rejected_twice() -> None:
    with pytest.raises(Refused) as err:
        votes.rejections([motion(3), motion(4)], members=5, clauses=CLAUSES)
    assert err.value.code == "rejection_moved_twice"


def test_a_mark_is_abnormal_when_more_than_half_of_the_members_say_so() -> None:
    findings = {("3", "b1", "plan"): votes_for(3), ("4", "b1", "plan"): votes_for(2)}
    assert votes.abnormal(findings, members=5) == (("3", "b1", "plan"),)
    assert votes.abnormal({("3", "b1", "plan"): votes_for(3, 6)}, members=6) == ()


def request(ground: Ground = Ground.UNCLEAR) -> Request:
    return Request("b1", ground, "商务标第3页", "请说明工期是否为日历天", DUE)


@pytest.mark.rule("E-71", "pass")
def test_a_clarification_asked_by_the_panel_and_answered_in_scope_is_accepted() -> None:
    asked = clarification.ask(request(), votes_for(3), members=5, bids={"b1"})
    reply = Reply("b1", "为日历天", {}, EARLY)
    assert clarification.accept(reply, [asked]) is reply


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply("b2", "主动说明", {}, EARLY), "clarification_unsolicited"),
        (Reply("b1", "降价", {"price_fen": "1"}, EARLY), "clarification_changes_substance"),
        (Reply("b1", "工期改为 80 天", {"period_days": "80"}, EARLY), "clarification_changes_substance"),
        (Reply("b1", " ", {}, EARLY), "clarification_not_in_writing"),
        (Reply("b1", "字" * 4001, {}, EARLY), "clarification_not_in_writing"),
        (Reply("b1", "为日历天", {}, DUE), "clarification_late"),
    ],
)
@pytest.mark.rule("E-71", "refuse")
def test_unsolicited_late_and_substantial_answers_are_refused(reply: Reply, code: str) -> None:
    with pytest.raises(Refused) as err:
        clarification.accept(reply, [request()])
    assert (err.value.code, err.value.rule) == (code, "E-71")


@pytest.mark.parametrize(
    ("asked", "count", "code"),
    [
        (request(), 2, "clarification_not_asked_by_the_panel"),
        (Request("b7", Ground.UNCLEAR, "x", "x", DUE), 5, "clarification_of_unknown_bid"),
        (Request("b1", Ground.UNCLEAR, "", "x", DUE), 5, "clarification_not_in_writing"),
    ],
)
@pytest.mark.rule("E-71", "refuse")
def test_one_member_alone_cannot_ask_a_bidder(asked: Request, count: int, code: str) -> None:
    with pytest.raises(Refused) as err:
        clarification.ask(asked, votes_for(count), members=5, bids={"b1"})
    assert (err.value.code, err.value.rule) == (code, "E-71")


@pytest.mark.rule("E-73", "pass")
def test_fewer_than_three_valid_bids_go_on_with_a_reasoned_decision() -> None:
    found = composed(2, Competition(lacking=False, reasoning="两家报价均低于限价且相互独立"))
    assert [row.bid for row in report.require_candidates(found)] == ["b1", "b2"]
    assert composed(3, Competition(lacking=True, reasoning="x")).competition is None


@pytest.mark.parametrize("competition", [None, Competition(lacking=False, reasoning=" ")])
@pytest.mark.rule("E-73", "refuse")
def test_fewer_than_three_valid_bids_without_reasoning_are_refused(competition: Competition | None) -> None:
    with pytest.raises(Refused) as err:
        composed(2, competition)
    assert (err.value.code, err.value.rule) == ("competition_reasoning_missing", "E-73")


@pytest.mark.rule("E-73", "refuse")
def test_lacking_competition_gives_no_candidates() -> None:
    found = composed(2, Competition(lacking=True, reasoning="两家报价均接近限价"))
    assert found.verdict is Verdict.RETENDER
    with pytest.raises(Refused) as err:
        report.require_candidates(found)
    assert (err.value.code, err.value.rule) == ("competition_lacking", "E-73")


@pytest.mark.rule("E-74", "refuse")
def test_all_rejected_means_a_new_tender_and_no_candidate() -> None:
    found = composed(0)
    with pytest.raises(Refused) as err:
        report.require_candidates(found)
    assert (err.value.code, err.value.rule) == ("all_rejected_retender", "E-74")


@pytest.mark.rule("E-74", "pass")
def test_all_rejected_is_reported_as_retender() -> None:
    assert composed(0).verdict is Verdict.RETENDER
    assert composed(3).verdict is Verdict.CANDIDATES


@pytest.mark.rule("E-75", "pass")
def test_the_first_three_of_the_ranking_are_candidates_in_order() -> None:
    assert [row.bid for row in composed(5).candidates] == ["b1", "b2", "b3"]
    assert [row.bid for row in composed(5, wanted=1).candidates] == ["b1"]
    assert report.require_candidate_list(composed(5), ["b1", "b2", "b3"])


@pytest.mark.parametrize(
    ("named", "code"),
    [
        (["b1", "b2", "b3", "b4"], "report_candidates_too_many"),
        (["b2", "b1", "b3"], "candidates_differ_from_ranking"),
        (["b1", "b2"], "candidates_differ_from_ranking"),
        (["b1", "b2", "b4"], "candidates_differ_from_ranking"),
    ],
)
@pytest.mark.rule("E-75", "refuse")
def test_other_candidates_than_the_panels_are_refused(named: list[str], code: str) -> None:
    with pytest.raises(Refused) as err:
        report.require_candidate_list(composed(5), named)
    assert (err.value.code, err.value.rule) == (code, "E-75")


@pytest.mark.rule("E-75", "refuse")
def test_four_candidates_cannot_be_composed() -> None:
    with pytest.raises(Refused) as err:
        composed(5, wanted=4)
    assert (err.value.code, err.value.rule) == ("report_candidates_too_many", "E-75")


def signed(found: Report) -> Report:
    for seat in (1, 2, 3):
        found = report.sign(found, seat)
    found = report.sign(found, 4, dissent="b2 的业绩证明不足")
    return report.refuse_to_sign(found, 5)


@pytest.mark.rule("E-76", "pass")
def test_signatures_dissent_and_silence_finish_the_report() -> None:
    found = report.require_finished(signed(composed(5)))
    assert [found.signatures[seat].stance for seat in (1, 4, 5)] == [
        Stance.SIGNED,
        Stance.DISSENTED,
        Stance.DEEMED_AGREED,
    ]


@pytest.mark.rule("E-76", "refuse")
def test_a_report_without_every_members_stance_is_not_finished() -> None:
    with pytest.raises(Refused) as err:
        report.require_finished(report.sign(composed(5), 1))
    assert (err.value.code, err.value.rule, err.value.facts["seats"]) == (
        "report_not_signed_by_all",
        "E-76",
        [2, 3, 4, 5],
    )


@pytest.mark.rule("E-76", "refuse")
def test_a_stance_is_taken_once_by_members_only_and_dissent_is_in_words() -> None:
    found = report.sign(composed(5), 1)
    for attempt, code in (
        (lambda: report.sign(found, 1, dissent="改变主意"), "report_signed_already"),
        (lambda: report.refuse_to_sign(found, 9), "panel_seat_unknown"),
        (lambda: report.sign(found, 2, dissent=" "), "dissent_empty"),
    ):
        with pytest.raises(Refused) as err:
            attempt()
        assert (err.value.code, err.value.rule) == (code, "E-76")


def test_the_object_holds_dissent_and_its_hash_moves_with_every_word() -> None:
    found = signed(composed(5))
    written = report.report_object(found, salt=bytes(32))
    assert written["signatures"][3] == {"seat": 4, "stance": "dissented", "dissent": "b2 的业绩证明不足"}
    assert report.report_hash(written) == report.report_hash(json.loads(json.dumps(written)))
    assert report.report_hash(written) != report.report_hash(report.report_object(found, salt=bytes([1]) * 32))
    assert report.report_hash(written) != report.report_hash(written | {"candidates": []})
