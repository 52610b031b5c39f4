"""A tender's story, drawn from its seed: how many bid, who cheats, what fails, what is tried that must be refused.

FAULTS lists everything that may be drawn, with how often; a plan is a set of them. The people who play it count a fault
when it really took place, so that the table of a run shows what was tried and not what was meant.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

FAULTS: Mapping[str, float] = {
    # Before and at the deadline.
    "notice_too_short": 0.10,
    "entry_without_power": 0.10,
    "late_at_deadline": 0.35,
    "late_by_a_millisecond": 0.25,
    "replaced": 0.45,
    "withdrawn": 0.35,
    "withdrawn_and_back": 0.15,
    "withdrawn_then_same_version": 0.10,
    "withdrawal_too_late": 0.10,
    "double_click": 0.30,
    "older_version": 0.10,
    "garbage_manifest": 0.15,
    "garbage_body": 0.12,
    "unsealed_header": 0.12,
    "wrong_roster": 0.12,
    "wrong_lot": 0.12,
    "wrong_certificate": 0.12,
    "expired_certificate": 0.12,
    "revoked_certificate": 0.12,
    "wrong_signature": 0.10,
    "upload_incomplete": 0.12,
    "upload_damaged": 0.10,
    "upload_too_large": 0.08,
    "segment_lost": 0.08,
    "amended": 0.25,
    "amended_too_late": 0.12,
    "extended": 0.30,
    "extension_unwitnessed": 0.08,
    "extension_earlier": 0.10,
    "extension_after_close": 0.12,
    "objection_bidding": 0.15,
    "objection_answered_late": 0.06,
    "objection_never_answered": 0.03,
    "objection_too_late": 0.10,
    "suspended": 0.10,
    "hold_over_deadline": 0.40,
    "suspended_for_good": 0.02,
    "terminated": 0.03,
    "clock_jump": 0.15,
    "witness_away": 0.15,
    # The log and those who watch it.
    "forked_log": 0.15,
    "rolled_back_log": 0.15,
    "hidden_act": 0.15,
    "crash": 0.35,
    "job_twice": 0.20,
    # Trustees.
    "trustee_absent": 0.35,
    "lock_absent": 0.05,
    "lock_silent_after_ready": 0.05,
    "trustee_lies_share": 0.20,
    "trustee_lies_complaint": 0.12,
    "complaint_rescued": 0.50,
    "complaints_close_a_lock": 0.08,
    "early_release": 0.15,
    "coalition": 0.15,
    "receipt_presented": 0.10,
    # The draw and the panel.
    "draw_by_the_owner_alone": 0.12,
    "centre_absent_from_draw": 0.15,
    "contribution_void": 0.12,
    "contribution_twice": 0.10,
    "bid_as_contribution": 0.08,
    "redraw_attempt": 0.30,
    "declined": 0.25,
    "no_answer": 0.15,
    "recused": 0.20,
    "stranger_signs_in": 0.15,
    "undeclared": 0.10,
    # Scoring and the award.
    "mark_out_of_range": 0.25,
    "mark_out_of_step": 0.15,
    "mark_after_lock": 0.25,
    "outsider_marks": 0.15,
    "lock_incomplete": 0.12,
    "look_before_lock": 0.15,
    "bid_rejected": 0.12,
    "question_asked": 0.10,
    "answer_changes_substance": 0.40,
    "dissent": 0.25,
    "refuses_to_sign": 0.15,
    "publicity_late": 0.08,
    "objection_publicity": 0.25,
    "objection_after_publicity": 0.10,
    "award_early": 0.30,
    "award_under_objection": 0.60,
    "award_outside_candidates": 0.30,
    "award_out_of_order": 0.20,
    "award_by_a_stranger": 0.10,
    "contract_differs": 0.25,
    "regulator_report_late": 0.10,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """One tender's story. `method` is benchmark or lowest_evaluated; `stop`: fewer than three valid bids end it."""

    seed: str
    bidders: int
    members: int
    representatives: int
    method: str
    stop: bool
    faults: frozenset[str]

    def has(self, fault: str) -> bool:
        """Whether this fault is part of the story."""
        assert fault in FAULTS, f"{fault} is not in the list"
        return fault in self.faults

    def dice(self, what: str) -> random.Random:
        """Random numbers of this tender for one purpose: what one part draws does not move another's."""
        return random.Random(f"{self.seed}/{what}")


def draw(seed: str) -> Plan:
    """The plan of a seed."""
    dice = random.Random(f"{seed}/plan")
    faults = frozenset(name for name, often in FAULTS.items() if dice.random() < often)
    return Plan(
        seed=seed,
        bidders=dice.choices(range(8), weights=(1, 1, 4, 24, 24, 24, 12, 8))[0],
        members=dice.choice((5, 5, 5, 7)),
        representatives=dice.choice((0, 0, 1)),
        method=dice.choices(("benchmark", "lowest_evaluated"), weights=(9, 1))[0],
        stop=dice.random() < 0.6,
        faults=faults,
    )


def honest(seed: str) -> Plan:
    """The same tender without a fault, with enough bidders."""
    made = draw(seed)
    return Plan(seed, max(3, made.bidders), made.members, made.representatives, "benchmark", made.stop, frozenset())
