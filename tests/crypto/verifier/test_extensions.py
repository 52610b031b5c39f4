"""Which extensions admit later bids: the verifier's own reading of docs/spec/release.md §3, act by act."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from crypto.verifier import findings, timeline

DEADLINE = datetime(2026, 3, 23, 1, tzinfo=UTC)
LATER = DEADLINE + timedelta(days=7)
MINUTE = timedelta(minutes=1)


class Act(dict[str, Any]):
    def __init__(self, kind: str, index: int, at: datetime, **fields: Any) -> None:
        super().__init__(fields)
        self.kind, self.index, self.at, self.leaf = kind, index, at, f"{index:064x}"

    def moment(self, name: str) -> datetime:
        found: datetime = self[name]
        return found


class Case:
    """Acts by index, and stamps {size of the checkpoint: instant}."""

    def __init__(self, acts: list[Act], stamps: dict[int, datetime]) -> None:
        self.stamps = stamps
        self.bundle = SimpleNamespace(
            acts=acts,
            events=[],
            notes=stamps,
            of=lambda *kinds: [act for act in acts if act.kind in kinds],
            last=lambda kind: next((act for act in reversed(acts) if act.kind == kind), None),
            tender=Act("tender", 0, DEADLINE - timedelta(days=21), deadline=DEADLINE),
        )

    def quorum(self, size: int) -> Any:
        return SimpleNamespace(complete_at=self.stamps[size])

    def stamp(self, index: int) -> datetime | None:
        return self.stamps[min(size for size in self.stamps if size > index)]


def in_force(acts: list[Act], stamps: dict[int, datetime]) -> datetime:
    return timeline.timeline(Case(acts, stamps)).deadline  # type: ignore[arg-type]


def extension(index: int, at: datetime) -> Act:
    return Act("deadline", index, at, deadline=LATER)


def hold(index: int, at: datetime, *, ref: str = "aa", reason: str = "objection", since: datetime | None = None) -> Act:
    left = int(max((DEADLINE - (since or at)).total_seconds(), 0))
    return Act("hold", index, at, ref=ref, reason=reason, stage="bidding", left_s=left)


def outage(index: int, begun: datetime, ended: datetime, what: str = "outage") -> Act:
    return Act("incident", index, ended, what=what, **{"from": begun, "to": ended})


def test_one_witnessed_in_time_admits_and_one_witnessed_late_does_not() -> None:
    assert in_force([extension(1, DEADLINE - MINUTE)], {5: DEADLINE - MINUTE}) == LATER
    assert in_force([extension(1, DEADLINE - MINUTE)], {5: DEADLINE}) == DEADLINE


def test_an_outage_that_left_no_stamp_covers_an_extension_signed_before_the_deadline() -> None:
    acts = [extension(1, DEADLINE - 30 * MINUTE), outage(2, DEADLINE - 45 * MINUTE, DEADLINE + 75 * MINUTE)]
    assert in_force(acts, {5: DEADLINE + 80 * MINUTE}) == LATER


def test_attack_outage_invented_while_witnesses_were_stamping() -> None:
    acts = [extension(1, DEADLINE - 30 * MINUTE), outage(3, DEADLINE - 45 * MINUTE, DEADLINE + 75 * MINUTE)]
    assert in_force(acts, {1: DEADLINE + 20 * MINUTE, 5: DEADLINE + 80 * MINUTE}) == DEADLINE


def test_attack_extension_signed_after_the_deadline_under_an_outage() -> None:
    acts = [extension(1, DEADLINE + MINUTE), outage(2, DEADLINE - 45 * MINUTE, DEADLINE + 75 * MINUTE)]
    assert in_force(acts, {5: DEADLINE + 80 * MINUTE}) == DEADLINE


def test_attack_any_other_incident_called_to_cover_an_extension() -> None:
    begun, ended = DEADLINE - 45 * MINUTE, DEADLINE + 75 * MINUTE
    for acts in (
        [extension(1, DEADLINE - 30 * MINUTE), outage(2, begun, ended, "late_close")],
        [outage(1, begun, ended), extension(2, DEADLINE - 30 * MINUTE)],
    ):
        assert in_force(acts, {5: DEADLINE + 80 * MINUTE}) == DEADLINE


def test_attack_hold_made_up_after_the_deadline_admits_nobody() -> None:
    late = [hold(1, DEADLINE + MINUTE), extension(2, DEADLINE + 2 * MINUTE)]
    assert in_force(late, {5: DEADLINE + 3 * MINUTE}) == DEADLINE
    in_time = [hold(1, DEADLINE - 9 * MINUTE), extension(3, DEADLINE + 2 * MINUTE)]
    assert in_force(in_time, {2: DEADLINE - 8 * MINUTE, 5: DEADLINE + 3 * MINUTE}) == LATER


def test_a_deadline_that_fell_into_an_outage_is_extended_under_the_hold_that_says_so() -> None:
    out = outage(1, DEADLINE - 45 * MINUTE, DEADLINE + 75 * MINUTE)
    held = hold(2, DEADLINE + 76 * MINUTE, ref=out.leaf, reason="outage")
    later = extension(3, DEADLINE + 77 * MINUTE)
    assert in_force([out, held, later], {5: DEADLINE + 80 * MINUTE}) == LATER
    assert in_force([out, held, later], {1: DEADLINE, 5: DEADLINE + 80 * MINUTE}) == DEADLINE, "witnesses were stamping"
    other = hold(2, DEADLINE + 76 * MINUTE, ref="bb", reason="outage")
    assert in_force([out, other, later], {5: DEADLINE + 80 * MINUTE}) == DEADLINE


def test_what_a_hold_leaves_counts_from_its_cause_and_from_nothing_before_it() -> None:
    cause = Act("directive", 1, DEADLINE - 9 * MINUTE, what="suspend")
    late = cause.at + MINUTE
    for since in (cause.at, late):
        assert in_force([cause, hold(2, late, ref=cause.leaf, since=since)], {5: late}) == DEADLINE
    for since in (cause.at - MINUTE, late + MINUTE):
        with pytest.raises(findings.Failed):
            in_force([cause, hold(2, late, ref=cause.leaf, since=since)], {5: late})


def test_what_a_hold_leaves_is_never_less_than_at_the_hold_where_its_cause_is_not_shown() -> None:
    at = DEADLINE - 9 * MINUTE
    assert in_force([hold(2, at, since=at - MINUTE)], {5: at}) == DEADLINE
    with pytest.raises(findings.Failed):
        in_force([hold(2, at, since=at + MINUTE)], {5: at})


def test_attack_hold_claims_more_than_the_whole_period_to_make_the_owner_wait() -> None:
    at, published = DEADLINE - 9 * MINUTE, DEADLINE - timedelta(days=21)
    assert in_force([hold(2, at, since=published)], {5: at}) == DEADLINE, "what the public view cannot tell apart"
    with pytest.raises(findings.Failed):
        in_force([hold(2, at, since=published - MINUTE)], {5: at})
