"""What the law asks of a tender document on the day its notice is published.

E-06 documents available long enough, E-07 time to prepare a bid, E-17 designated media, free and identical, E-19
nothing asked before a download, E-22 a ceiling and never a floor, E-50 opening at the deadline, E-51 at least three
bids, E-61 the shape of the panel, E-69 criteria and method complete, E-75 at most three candidates, E-79 publicity.
All numbers come from the rulebook that the tender pins. `defects` tells all of them at once (一次性告知).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from msgspec import UNSET

from crypto.refusal import Refused
from storage import world
from trading import calendar, codes
from trading.rulebook import Limit, Rulebook
from trading.tender_document import Benchmark, LowestEvaluated, Panel, TenderDocument

Check = Callable[[TenderDocument, datetime, Rulebook], None]


def defects(document: TenderDocument, *, now: datetime, rulebook: Rulebook) -> tuple[Refused, ...]:
    """Every defect of the document if it were published now, in the order of the checks; empty when it may be."""
    found = []
    for check_one in _CHECKS:
        try:
            check_one(document, now, rulebook)
        except Refused as refused:
            found.append(refused)
    return tuple(found)


def check(document: TenderDocument, *, now: datetime, rulebook: Rulebook) -> TenderDocument:
    """Return the document if it may be published now, else raise its first defect; fact `defects` names all codes."""
    found = defects(document, now=now, rulebook=rulebook)
    if found:
        first = found[0]
        raise Refused(first.code, rule=first.rule, **{**first.facts, "defects": [defect.code for defect in found]})
    return document


def check_identical(texts: Mapping[str, str]) -> Mapping[str, str]:
    """E-17: the notice reads the same in every medium. `texts` = SHA-256 of the published bytes by medium."""
    if len(set(texts.values())) > 1:
        raise Refused("notice_differs_between_media", rule="E-17", media=sorted(texts))
    return texts


def check_panel(panel: Panel, rulebook: Rulebook) -> Panel:
    """E-61: odd, large enough, and experts at least two thirds of all members (法 §37)."""
    members = panel.members
    if members % 2 == 0:
        raise Refused("panel_even", rule="E-61", members=members)
    if members < rulebook.market.panel_members_min.value:
        raise Refused("panel_too_small", rule="E-61", members=members, limit=rulebook.market.panel_members_min.value)
    if panel.experts + panel.owner_representatives != members:
        raise Refused("panel_does_not_add_up", rule="E-61", members=members, seats=panel.experts)
    if panel.experts < experts_min(members, rulebook):
        raise Refused(
            "panel_has_too_few_experts", rule="E-61", experts=panel.experts, limit=experts_min(members, rulebook)
        )
    return panel


def experts_min(members: int, rulebook: Rulebook) -> int:
    """The least number of experts among so many members: two thirds, rounded up (以上 includes the bound)."""
    return -(-members * rulebook.market.panel_expert_thirds_min.value // 3)


def check_criteria(document: TenderDocument, items: frozenset[str], method: str) -> TenderDocument:
    """E-69: the panel applies the document's items and method, all of them and no others (条例 §49)."""
    written = frozenset(item.code for item in document.items)
    if items != written or method != method_name(document):
        raise Refused(
            "criteria_not_in_the_document",
            rule="E-69",
            strange=sorted(items - written),
            missing=sorted(written - items),
        )
    return document


def method_name(document: TenderDocument) -> str:
    """`benchmark` or `lowest_evaluated`, as in the document's `method.name`."""
    return "benchmark" if isinstance(document.method, Benchmark) else "lowest_evaluated"


def _notice(document: TenderDocument, now: datetime, rulebook: Rulebook) -> None:
    notice = document.notice
    if not set(notice.media) & set(rulebook.market.media):
        raise Refused("notice_not_in_designated_media", rule="E-17", media=list(rulebook.market.media))
    if notice.fee_fen:
        raise Refused("notice_costs_money", rule="E-17", fee_fen=notice.fee_fen)
    if notice.preconditions:
        raise Refused("download_has_preconditions", rule="E-19", preconditions=list(notice.preconditions))


def _days(document: TenderDocument, now: datetime, rulebook: Rulebook) -> None:
    _at_least(
        "documents_withdrawn_too_early", document.schedule.at("documents_until"), now, rulebook, "document_days_min"
    )
    _at_least("deadline_too_early", document.schedule.at("deadline"), now, rulebook, "tender_days_min")


def _opening(document: TenderDocument, now: datetime, rulebook: Rulebook) -> None:
    if document.schedule.opening_at != document.schedule.deadline:
        raise Refused("opening_not_at_the_deadline", rule="E-50", deadline=document.schedule.deadline)
    if document.sealing.bids_min < rulebook.market.bids_min.value:
        raise Refused("bids_min_too_small", rule="E-51", limit=rulebook.market.bids_min.value)


def _price(document: TenderDocument, now: datetime, rulebook: Rulebook) -> None:
    price = document.price
    if price.min_price_fen is not UNSET:
        raise Refused("min_price_forbidden", rule="E-22", min_price_fen=price.min_price_fen)
    if price.max_price_fen is None and price.max_price_method is None:
        raise Refused("max_price_not_stated", rule="E-22")


def _panel(document: TenderDocument, now: datetime, rulebook: Rulebook) -> None:
    check_panel(document.panel, rulebook)


def _method(document: TenderDocument, now: datetime, rulebook: Rulebook) -> None:
    if method_name(document) not in rulebook.market.methods:
        raise Refused("method_unknown_to_the_market", rule="E-69", method=method_name(document))
    match document.method:
        case LowestEvaluated():
            if document.items:
                raise Refused("method_scores_nothing", rule="E-69", items=[item.code for item in document.items])
        case Benchmark() as method:
            if not document.items:
                raise Refused("method_without_items", rule="E-69")
            _benchmark(method)
    for item in document.items:
        if item.step_hundredths == 0 or item.max_hundredths == 0 or item.max_hundredths % item.step_hundredths:
            raise Refused("item_step_does_not_divide_max", rule="E-69", item=item.code, max=item.max, step=item.step)


def _benchmark(method: Benchmark) -> None:
    """The drop table starts at one bid, rises, and never drops every bid; weights add up to one."""
    rows = method.drop
    if rows[0][0] > 1 or any(later[0] <= row[0] for row, later in pairwise(rows)):
        raise Refused("drop_table_has_gaps", rule="E-69", drop=[list(row) for row in rows])
    for from_n, highest, lowest in rows:
        if highest + lowest >= max(from_n, 1):
            raise Refused("drop_table_drops_every_bid", rule="E-69", from_n=from_n)
    price, points = Decimal(method.weights.price), Decimal(method.weights.points)
    if min(price, points) < 0 or price + points != 1:
        raise Refused("weights_do_not_add_up", rule="E-69", price=method.weights.price, points=method.weights.points)
    if len(set(method.ties)) != len(method.ties) or "draw" in method.ties[:-1]:
        raise Refused("ties_wrong", rule="E-69", ties=list(method.ties))


def _candidates(document: TenderDocument, now: datetime, rulebook: Rulebook) -> None:
    limit = rulebook.market.candidates_max.value
    if document.candidates_max > limit:
        raise Refused("too_many_candidates", rule="E-75", candidates=document.candidates_max, limit=limit)
    shortest = rulebook.market.publicity_days_min
    if document.schedule.publicity_days < shortest.value:
        raise Refused("publicity_too_short", rule="E-79", days=document.schedule.publicity_days, limit=shortest.value)


def _sealing(document: TenderDocument, now: datetime, rulebook: Rulebook) -> None:
    sealing = document.sealing
    for name, seconds, limit in (
        ("settle_s", sealing.settle_s, rulebook.market.settle_seconds_min),
        ("challenge_s", sealing.challenge_s, rulebook.market.challenge_seconds_min),
        ("rescue_s", sealing.rescue_s, rulebook.market.rescue_seconds_min),
    ):
        if seconds < limit.value:
            raise Refused("window_too_short", rule=limit.rule, field=f"sealing.{name}", limit=limit.value)
    if sealing.envelopes != (0, 1):
        raise Refused("envelopes_wrong", envelopes=list(sealing.envelopes))
    for number, lock in enumerate(sealing.locks):
        seats = rulebook.market.lock_seats[number] if number < len(rulebook.market.lock_seats) else ()
        strange = [seat for seat in lock.seats if seat not in seats]
        if strange or lock.threshold >= len(lock.seats):
            raise Refused("lock_seats_wrong", lock=number, strange=strange, threshold=lock.threshold)


def _requirements(document: TenderDocument, now: datetime, rulebook: Rulebook) -> None:
    listed = {str(line.field) for line in document.opening_list}
    if "price_fen" not in listed:
        raise Refused("opening_list_without_price", rule="E-58")
    for requirement in document.requirements:
        parts = requirement.file.split("/")
        known = requirement.file in listed if requirement.envelope == 0 else not {"", ".", ".."} & set(parts)
        if not known:
            raise Refused("requirement_without_a_file", requirement=requirement.code, file=requirement.file)


def _names(document: TenderDocument, now: datetime, rulebook: Rulebook) -> None:
    codes.check_uscc(document.owner.uscc)
    if document.agent is not None:
        codes.check_uscc(document.agent.uscc)
        if document.agent.uscc == document.owner.uscc:
            raise Refused("agent_is_the_owner", uscc=document.owner.uscc)
    rulebook.check_in_force(calendar.legal_day(now))
    if document.market != rulebook.market.code:
        raise Refused("rulebook_of_another_market", rule="T-07", market=rulebook.market.code)


def _at_least(code: str, end: datetime, now: datetime, rulebook: Rulebook, name: str) -> None:
    limit: Limit = rulebook.market.limits()[name]
    earliest = rulebook.calendar.earliest_end(calendar.legal_day(now), limit.span)
    if calendar.legal_day(end) < earliest:
        raise Refused(
            code, rule=limit.rule, given=world.stamp(end), earliest=earliest.isoformat(), article=limit.article
        )


_CHECKS: tuple[Check, ...] = (
    _names,
    _notice,
    _days,
    _opening,
    _price,
    _panel,
    _method,
    _candidates,
    _sealing,
    _requirements,
)
