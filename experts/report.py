"""The evaluation report (评标报告): what the panel found, whom it recommends, who signed, dissented or would not sign.

Rules upheld: fewer than three valid bids after rejection → the panel reasons whether competition is lacking, in the
report (12号令 §27, E-73); all rejected → no candidate, a new tender (招标投标法 §42, E-74); at most three candidates,
in the order of the ranking (条例 §53, E-75); everybody signs, dissent stands in writing, and who does neither is deemed
to agree (条例 §53, E-76). Contents after 12号令 §42. The public act carries only the hash of the salted object.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from crypto import jcs
from crypto.refusal import Refused
from experts.votes import Rejection

VALID_MIN = 3
CANDIDATES_MAX = 3
SALT_BYTES = 32
TEXT_CHARACTERS_MAX = 8000


class Verdict(StrEnum):
    """How the evaluation ends."""

    CANDIDATES = "candidates"
    RETENDER = "retender"


class Stance(StrEnum):
    """What a member did with the report; DEEMED_AGREED = would not sign and gave no dissent (条例 §53)."""

    SIGNED = "signed"
    DISSENTED = "dissented"
    DEEMED_AGREED = "deemed_agreed"


@dataclass(frozen=True, slots=True)
class Competition:
    """The panel's reasoned answer, when fewer than three bids are valid: is competition plainly lacking?"""

    lacking: bool
    reasoning: str


@dataclass(frozen=True, slots=True)
class Ranked:
    """One valid bid in the ranking, rank from 1; the total as its decimal string, the price in fen."""

    rank: int
    bid: str
    price_fen: int
    total: str


@dataclass(frozen=True, slots=True)
class Signature:
    """A seat's stance; `text` is the dissent in the member's words, empty otherwise."""

    stance: Stance
    text: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The report of one lot; `scores_hash` (hex) names the scores.json it rests on, `seats` are the members' seats."""

    tender_id: str
    seats: tuple[int, ...]
    scores_hash: str
    rejections: tuple[Rejection, ...]
    competition: Competition | None
    ranking: tuple[Ranked, ...]
    candidates: tuple[Ranked, ...]
    verdict: Verdict
    clarifications: tuple[str, ...] = ()
    signatures: Mapping[int, Signature] = field(default_factory=dict)


def compose(
    *,
    tender_id: str,
    seats: Sequence[int],
    scores_hash: str,
    rejections: Sequence[Rejection],
    ranking: Sequence[Ranked],
    competition: Competition | None = None,
    candidates_wanted: int = CANDIDATES_MAX,
    clarifications: Sequence[str] = (),
) -> Report:
    """A report ready to be signed; `clarifications` are the hashes (hex) of requests and replies.

    Raises Refused `competition_reasoning_missing`, `report_candidates_too_many`, `rejected_bid_ranked`.
    """
    if not 1 <= candidates_wanted <= CANDIDATES_MAX:
        raise Refused("report_candidates_too_many", rule="E-75", wanted=candidates_wanted, most=CANDIDATES_MAX)
    assert [row.rank for row in ranking] == list(range(1, len(ranking) + 1)), "ranks are 1, 2, 3 …"
    if both := sorted({row.bid for row in ranking} & {each.bid for each in rejections}):
        raise Refused("rejected_bid_ranked", rule="E-70", bids=both)
    if ranking and len(ranking) < VALID_MIN and (competition is None or not competition.reasoning.strip()):
        raise Refused("competition_reasoning_missing", rule="E-73", valid=len(ranking), least=VALID_MIN)
    few = len(ranking) < VALID_MIN
    lacking = not ranking or (few and competition is not None and competition.lacking)
    return Report(
        tender_id=tender_id,
        seats=tuple(sorted(seats)),
        scores_hash=scores_hash,
        rejections=tuple(rejections),
        competition=competition if few else None,
        ranking=tuple(ranking),
        candidates=() if lacking else tuple(ranking[:candidates_wanted]),
        verdict=Verdict.RETENDER if lacking else Verdict.CANDIDATES,
        clarifications=tuple(clarifications),
    )


def require_candidates(report: Report) -> tuple[Ranked, ...]:
    """The candidates, best first. Raises Refused `all_rejected_retender` (E-74), `competition_lacking` (E-73)."""
    if report.verdict is Verdict.CANDIDATES:
        return report.candidates
    if not report.ranking:
        raise Refused("all_rejected_retender", rule="E-74")
    raise Refused("competition_lacking", rule="E-73", valid=len(report.ranking))


def require_candidate_list(report: Report, named: Sequence[str]) -> tuple[Ranked, ...]:
    """The candidates, when `named` (bid ids to be publicised) are exactly these in this order.

    Raises Refused `report_candidates_too_many`, `candidates_differ_from_ranking` (E-75).
    """
    candidates = require_candidates(report)
    if len(named) > CANDIDATES_MAX:
        raise Refused("report_candidates_too_many", rule="E-75", wanted=len(named), most=CANDIDATES_MAX)
    if [row.bid for row in candidates] != list(named):
        raise Refused("candidates_differ_from_ranking", rule="E-75", candidates=[row.bid for row in candidates])
    return candidates


def sign(report: Report, seat: int, *, dissent: str | None = None) -> Report:
    """A member signs, with or without a written dissent. Raises Refused `report_signed_already`, `dissent_empty`."""
    if dissent is not None and not 0 < len(dissent.strip()) <= TEXT_CHARACTERS_MAX:
        raise Refused("dissent_empty", rule="E-76", seat=seat, most=TEXT_CHARACTERS_MAX)
    stance = Signature(Stance.SIGNED) if dissent is None else Signature(Stance.DISSENTED, dissent)
    return _stand(report, seat, stance)


def refuse_to_sign(report: Report, seat: int) -> Report:
    """A member neither signs nor dissents in writing: deemed to agree, and the report says so (条例 §53)."""
    return _stand(report, seat, Signature(Stance.DEEMED_AGREED))


def require_finished(report: Report) -> Report:
    """The report, once every member's stance is in it. Raises Refused `report_not_signed_by_all` (E-76)."""
    if missing := [seat for seat in report.seats if seat not in report.signatures]:
        raise Refused("report_not_signed_by_all", rule="E-76", seats=missing)
    return report


def report_object(report: Report, *, salt: bytes) -> dict[str, Any]:
    """The finished report as it is hashed and kept (docs/spec/bundle.md: `report.report_hash`)."""
    assert len(salt) == SALT_BYTES, "a short salt lets a losing bid's reasons be guessed"
    require_finished(report)
    return {
        "salt": salt.hex(),
        "tender_id": report.tender_id,
        "scores_hash": report.scores_hash,
        "rejections": [
            {
                "bid": each.bid,
                "reason": each.reason.value,
                "clause": each.clause,
                "reasoning": each.reasoning,
                "in_favour": each.in_favour,
                "members": each.members,
            }
            for each in report.rejections
        ],
        "competition": None
        if report.competition is None
        else {"lacking": report.competition.lacking, "reasoning": report.competition.reasoning},
        "clarifications": list(report.clarifications),
        "ranking": [_row(row) for row in report.ranking],
        "candidates": [_row(row) for row in report.candidates],
        "verdict": report.verdict.value,
        "signatures": [
            {"seat": seat, "stance": held.stance.value, "dissent": held.text or None}
            for seat, held in sorted(report.signatures.items())
        ],
    }


def report_hash(written: Mapping[str, Any]) -> str:
    """SHA-256 of the JCS text of the object, hex."""
    return hashlib.sha256(jcs.dumps(written)).hexdigest()


def _stand(report: Report, seat: int, signature: Signature) -> Report:
    if seat not in report.seats:
        raise Refused("panel_seat_unknown", rule="E-76", seat=seat)
    if seat in report.signatures:
        raise Refused("report_signed_already", rule="E-76", seat=seat)
    return replace(report, signatures={**report.signatures, seat: signature})


def _row(row: Ranked) -> dict[str, Any]:
    return {"rank": row.rank, "bid": row.bid, "price_fen": row.price_fen, "total": row.total}
