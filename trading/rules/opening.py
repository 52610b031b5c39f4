"""When bids may be opened, and when they may not: E-50 at the deadline, E-51 at least three, E-57 fewer than three
after.

法 §28, §34; 条例 §44. Whether fewer than three opened bids go on is the tender document's choice, as the law is
silent; this hall's default is to stop."""

from __future__ import annotations

from datetime import datetime

from crypto.refusal import Refused
from storage import world
from trading import lifecycle
from trading.fold import check_not_held
from trading.tender import Tender


def check_closing(tender: Tender, *, now: datetime) -> Tender:
    """E-50: bids close at the deadline in force and the settle time after it, never before, never under a hold."""
    check_not_held(tender, "close")
    if not lifecycle.may_close(tender, now):
        raise Refused("close_too_early", rule="E-50", deadline=world.stamp(tender.deadline))
    return tender


def check_bids_enough(tender: Tender, bids: int) -> int:
    """E-51: fewer than three bids are never opened; they go back as they are, unread."""
    if bids < tender.bids_min:
        raise Refused("too_few_bids", rule="E-51", bids=bids, bids_min=tender.bids_min)
    return bids


def check_enough_after_opening(tender: Tender) -> int:
    """E-57: with fewer than three valid bids after the opening, evaluation goes on only if the document says so."""
    valid = tender.valid or 0
    if tender.stop_if_few_after_opening and valid < tender.bids_min:
        raise Refused("too_few_bids_after_opening", rule="E-57", valid=valid, bids_min=tender.bids_min)
    return valid
