"""Clarification during evaluation (评标澄清): what the panel may ask a bidder, and what the answer may not change.

Rule upheld: only in writing, at the panel's request, within the bid's scope and without changing its substance; no
hints, no unsolicited explanations; through the platform (条例 §52; 20号令 §33, E-71). Suspected low prices are asked
about before anything is rejected (E-72 rests on this record).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from crypto.refusal import Refused
from experts.votes import majority

TEXT_CHARACTERS_MAX = 4000
# What a bid offers and what the ranking rests on (招标投标法 §39: 投标文件的范围和实质性内容).
SUBSTANCE = frozenset({"price_fen", "period_days", "quality", "leader", "scope"})


class Ground(StrEnum):
    """For what a bid may be asked (条例 §52)."""

    UNCLEAR = "unclear"
    OBVIOUS_WORDING_ERROR = "obvious_wording_error"
    ARITHMETIC_ERROR = "arithmetic_error"
    SUSPECTED_LOW_PRICE = "suspected_low_price"


@dataclass(frozen=True, slots=True)
class Request:
    """A written question of the panel to one bidder about one place of its bid, with the hour the answer is due."""

    bid: str
    ground: Ground
    place: str
    text: str
    answer_until: datetime


@dataclass(frozen=True, slots=True)
class Reply:
    """The bidder's written answer: `changes` names the fields of the bid it would alter, with their new text."""

    bid: str
    text: str
    changes: Mapping[str, str]
    at: datetime


def ask(request: Request, votes: Mapping[int, bool], *, members: int, bids: Collection[str]) -> Request:
    """The request, when most members want it asked and it concerns a place of a bid. Raises Refused under E-71."""
    if request.bid not in bids:
        raise Refused("clarification_of_unknown_bid", rule="E-71", bid=request.bid[:40])
    if not request.place.strip() or not 0 < len(request.text.strip()) <= TEXT_CHARACTERS_MAX:
        raise Refused("clarification_not_in_writing", rule="E-71", most=TEXT_CHARACTERS_MAX)
    if not majority(votes, members=members):
        raise Refused("clarification_not_asked_by_the_panel", rule="E-71", bid=request.bid)
    return request


def accept(reply: Reply, requests: Collection[Request]) -> Reply:
    """The reply, when it answers a request in time and leaves the substance of the bid alone.

    A correction of arithmetic is the panel's own, by the document's order of precedence; a bidder may confirm it in
    words, not enter another price. Raises Refused under E-71.
    """
    asked = [request for request in requests if request.bid == reply.bid]
    if not asked:
        raise Refused("clarification_unsolicited", rule="E-71", bid=reply.bid[:40])
    if not 0 < len(reply.text.strip()) <= TEXT_CHARACTERS_MAX:
        raise Refused("clarification_not_in_writing", rule="E-71", most=TEXT_CHARACTERS_MAX)
    if reply.at >= max(request.answer_until for request in asked):
        raise Refused("clarification_late", rule="E-71", bid=reply.bid)
    if changed := sorted(SUBSTANCE & reply.changes.keys()):
        raise Refused("clarification_changes_substance", rule="E-71", bid=reply.bid, fields=changed)
    return reply
