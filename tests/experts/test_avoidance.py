"""Avoidance: who may not judge, for which reason, under which rule."""

from datetime import date

import pytest

from crypto.refusal import Refused
from experts import avoidance
from experts.avoidance import Fact, Facts, Tie

DAY = date(2026, 4, 1)
OWNER, AGENT, BIDDER, PARENT, SISTER, STATE, HOUSING = (
    "OWNER",
    "AGENT",
    "BIDDER",
    "PARENT",
    "SISTER",
    "STATE",
    "HOUSING",
)
PARTIES = {OWNER, AGENT, BIDDER}


def facts(*held: Fact) -> Facts:
    control = {(PARENT, BIDDER), (PARENT, SISTER), (STATE, PARENT), (STATE, "OTHER")}
    return Facts(held, frozenset(control), state=frozenset({STATE}), supervisors=frozenset({HOUSING}))


@pytest.mark.parametrize(
    ("fact", "tie"),
    [
        (Fact("e", OWNER, Tie.EMPLOYER), Tie.EMPLOYER),
        (Fact("e", AGENT, Tie.EMPLOYER), Tie.EMPLOYER),
        (Fact("e", BIDDER, Tie.EMPLOYER), Tie.EMPLOYER),
        (Fact("e", PARENT, Tie.EMPLOYER), Tie.EMPLOYER),
        (Fact("e", SISTER, Tie.EMPLOYER), Tie.EMPLOYER),
        (Fact("e", BIDDER, Tie.KIN), Tie.KIN),
        (Fact("e", BIDDER, Tie.SHARES), Tie.SHARES),
        (Fact("e", BIDDER, Tie.EMPLOYER, until=date(2023, 4, 1)), Tie.FORMER_EMPLOYER),
        (Fact("e", BIDDER, Tie.EMPLOYER, until=date(2026, 5, 1)), Tie.EMPLOYER),
    ],
)
@pytest.mark.rule("E-67", "refuse")
def test_an_expert_with_a_tie_to_a_party_must_withdraw(fact: Fact, tie: Tie) -> None:
    with pytest.raises(Refused) as err:
        avoidance.require_free("e", facts(fact), PARTIES, day=DAY)
    assert (err.value.code, err.value.rule) == ("expert_must_avoid", "E-67")
    assert err.value.facts["tie"] == tie.value
    assert err.value.facts["through"] == fact.organisation


@pytest.mark.parametrize(
    "fact",
    [
        Fact("e", "ELSEWHERE", Tie.EMPLOYER),
        Fact("other", BIDDER, Tie.EMPLOYER),
        Fact("e", BIDDER, Tie.EMPLOYER, until=date(2023, 3, 31)),
        Fact("e", "OTHER", Tie.EMPLOYER),  # The State alone does not make OTHER and BIDDER one.
    ],
)
@pytest.mark.rule("E-67", "pass")
def test_an_expert_without_a_tie_may_judge(fact: Fact) -> None:
    assert avoidance.require_free("e", facts(fact), PARTIES, day=DAY) == "e"


@pytest.mark.rule("E-66", "refuse")
def test_supervisory_staff_may_not_sit_on_what_they_supervise() -> None:
    with pytest.raises(Refused) as err:
        avoidance.require_free("e", facts(Fact("e", HOUSING, Tie.EMPLOYER)), PARTIES, day=DAY)
    assert (err.value.code, err.value.rule) == ("expert_is_supervisory_staff", "E-66")


@pytest.mark.rule("E-66", "pass")
def test_staff_of_a_department_that_does_not_supervise_this_project_may_sit() -> None:
    assert avoidance.require_free("e", facts(Fact("e", "WATER", Tie.EMPLOYER)), PARTIES, day=DAY) == "e"


def test_a_punished_expert_is_out_of_every_project() -> None:
    held = Facts((), punished=frozenset({"e"}))
    assert [reason.tie for reason in avoidance.reasons("e", held, PARTIES, day=DAY)] == [Tie.PUNISHED]


def test_the_three_years_of_a_leap_day_end_strictly() -> None:
    held = facts(Fact("e", BIDDER, Tie.EMPLOYER, until=date(2021, 2, 28)))
    assert avoidance.reasons("e", held, PARTIES, day=date(2024, 2, 29))


def test_circular_control_ends() -> None:
    held = Facts((), frozenset({("A", "B"), ("B", "C"), ("C", "A")}))
    assert avoidance.related("B", held) == {"A", "B", "C"}


def test_all_reasons_are_told_once() -> None:
    fact = Fact("e", PARENT, Tie.EMPLOYER)
    found = avoidance.reasons("e", facts(fact, fact), {BIDDER, SISTER}, day=DAY)
    assert [(reason.organisation, reason.through) for reason in found] == [(BIDDER, PARENT), (SISTER, PARENT)]


def test_conflicts_follow_from_the_facts_fixed_before_the_draw_alone() -> None:
    masked = {"e": "bb" * 32, "f": "aa" * 32}
    held = facts(Fact("e", BIDDER, Tie.EMPLOYER), Fact("f", "ELSEWHERE", Tie.EMPLOYER))
    fixed = avoidance.avoidance_object(masked, held, day=DAY, salt=bytes(32))
    assert [row["masked"] for row in fixed["facts"]] == ["aa" * 32, "bb" * 32]
    assert fixed["facts"][1]["organisations"] == [BIDDER, PARENT, SISTER]
    assert avoidance.conflicted(fixed, [BIDDER]) == {bytes.fromhex("bb" * 32)}
    assert avoidance.conflicted(fixed, ["STRANGER"]) == frozenset()
    other = avoidance.avoidance_object(masked, held, day=DAY, salt=bytes([1]) * 32)
    assert avoidance.avoidance_hash(fixed) != avoidance.avoidance_hash(other)


def test_people_of_owner_and_supervisors_never_enter_the_pool() -> None:
    held = facts(Fact("a", OWNER, Tie.EMPLOYER), Fact("b", HOUSING, Tie.EMPLOYER), Fact("c", "X", Tie.EMPLOYER))
    assert set(avoidance.excluded_before(["a", "b", "c"], held, {OWNER, AGENT}, day=DAY)) == {"a", "b"}
