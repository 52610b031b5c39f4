"""Votes of the panel: more than half of all members decide; rejecting a bid and finding a mark abnormal are such votes.

Rules upheld: a bid is rejected only for one of the seven statutory reasons and under an express clause of the document,
by majority and with reasons (条例 §49, §51, E-69, E-70); a member's mark counts as abnormal only when more than half of
the members find it so and its giver has no good reason (regional, E-100). An abstention is not a vote for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from crypto.refusal import Refused
from experts.scoring import Bid

REASONING_CHARACTERS_MIN = 4
REASONING_CHARACTERS_MAX = 4000


class RejectionReason(StrEnum):
    """The seven cases of 条例 §51 in their order."""

    NOT_SEALED_AND_SIGNED = "not_sealed_and_signed"
    CONSORTIUM_WITHOUT_AGREEMENT = "consortium_without_agreement"
    NOT_QUALIFIED = "not_qualified"
    TWO_BIDS_OR_PRICES = "two_bids_or_prices"
    BELOW_COST_OR_ABOVE_MAX_PRICE = "below_cost_or_above_max_price"
    NOT_RESPONSIVE = "not_responsive"
    COLLUSION_FRAUD_OR_BRIBERY = "collusion_fraud_or_bribery"


@dataclass(frozen=True, slots=True)
class Motion:
    """A motion to reject one bid: reason, the document's clause, reasoning in words, seat → for (True) or against."""

    bid: str
    reason: RejectionReason
    clause: str
    reasoning: str
    votes: Mapping[int, bool]


@dataclass(frozen=True, slots=True)
class Rejection:
    """A bid that the panel rejected, as the report shows it."""

    bid: str
    reason: RejectionReason
    clause: str
    reasoning: str
    in_favour: int
    members: int


def majority(votes: Mapping[int, bool], *, members: int) -> bool:
    """Whether more than half of all `members` vote for; seats outside the panel are a defect of the caller."""
    assert len(votes) <= members, "more votes than members"
    return 2 * sum(votes.values()) > members


def rejections(motions: Collection[Motion], *, members: int, clauses: Collection[str]) -> tuple[Rejection, ...]:
    """The motions that were carried. `clauses` are the document's rejection clauses (否决投标条款).

    Raises Refused `rejection_clause_not_in_document` (E-69), `rejection_without_reasons`, `rejection_moved_twice`.
    """
    carried: dict[str, Rejection] = {}
    for motion in motions:
        if motion.clause not in clauses:
            raise Refused("rejection_clause_not_in_document", rule="E-69", bid=motion.bid, clause=motion.clause[:80])
        if not REASONING_CHARACTERS_MIN <= len(motion.reasoning.strip()) <= REASONING_CHARACTERS_MAX:
            raise Refused("rejection_without_reasons", rule="E-70", bid=motion.bid)
        if not majority(motion.votes, members=members):
            continue
        if motion.bid in carried:
            raise Refused("rejection_moved_twice", rule="E-70", bid=motion.bid)
        in_favour = sum(motion.votes.values())
        carried[motion.bid] = Rejection(motion.bid, motion.reason, motion.clause, motion.reasoning, in_favour, members)
    return tuple(carried[bid] for bid in sorted(carried))


def require_mandatory(bids: Collection[Bid], rejected: Collection[str], *, max_price_fen: int | None) -> None:
    """A bid over the max price must be rejected, whatever the vote was (条例 §51 (5)).

    Raises Refused `bid_must_be_rejected` (E-70). The other six cases need a person's judgement.
    """
    for bid in bids:
        if max_price_fen is not None and bid.price_fen > max_price_fen and bid.id not in rejected:
            raise Refused("bid_must_be_rejected", rule="E-70", bid=bid.id)


def abnormal(
    findings: Mapping[tuple[str, str, str], Mapping[int, bool]], *, members: int
) -> tuple[tuple[str, str, str], ...]:
    """The marks (expert, bid, item) that more than half of the members find abnormal without good reason (E-100)."""
    return tuple(sorted(mark for mark, votes in findings.items() if majority(votes, members=members)))
