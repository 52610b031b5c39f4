"""From the report to the contract: the owner reviews, publishes candidates, awards, contracts, reports (A22 to A29).

条例 §53 to §57; 法 §45 to §47, §57. Only a published candidate may win, only after publicity, only when nothing holds;
the contract says what the bid said, to the fen and the day.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec

from crypto import jcs
from storage import world
from storage.unit import Unit
from trading import fold, inbox, journal, results, rosters, tenders
from trading.hall import Hall
from trading.journal import Logged, Outcome
from trading.roles import Actor, Permission
from trading.rules import award as rules

Signed = dict[str, Any] | None
CANDIDATES_MAX = 3


class ReviewReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Say that the evaluation report was read before its result is published (E-77)."""

    lot: str


class Publicise(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Publish the candidates; after the third day only with a reason for the delay."""

    lot: str
    late_because: str | None = None
    signed: Signed = None


class Award(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Award the lot to a published candidate, named by its rank."""

    lot: str
    rank: int
    signed: Signed = None


class FileContract(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """File the signed contract: its price, period and quality, and the SHA-256 of its text."""

    lot: str
    price_fen: int
    period_days: int
    quality: str
    hash: str
    late_because: str | None = None
    signed: Signed = None


class ReportToRegulator(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Send the regulator the written report on the tender, named by the SHA-256 of its text."""

    lot: str
    hash: str
    late_because: str | None = None


async def review_report(cmd: ReviewReport, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """A22: the owner has read the report."""
    held = await tenders.load(unit, cmd.lot)
    actor.must(Permission.REPORT_REVIEW, now=now, parties=held.tender.parties)
    report = await results.act_of(unit, held.tender, "report")
    logged = await journal.private_act(
        unit,
        hall=hall,
        lot=cmd.lot,
        tender_id=held.tender.tender_id,
        kind="review",
        fields={"report_hash": report["report_hash"]},
        actor=actor,
        now=now,
    )
    await tenders.fold_in(unit, held, logged, now=now)
    return Outcome((logged,))


async def publicise(cmd: Publicise, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """A23: the candidates, three at most, in the order of the panel's ranking (E-75, E-78, E-79)."""
    now = journal.instant(cmd.signed, now=now)
    held = await tenders.load(unit, cmd.lot)
    tender = held.tender
    actor.must(Permission.CANDIDATES_PUBLISH, now=now, parties=tender.parties)
    result = await results.load(unit, tender)
    book, document = await rosters.pinned_rulebook(unit, tender), await tenders.terms(unit, tender)
    rules.check_not_all_rejected(len(result.ranking))
    rules.check_publicity_in_time(tender, now=now, rulebook=book, late_because=cmd.late_because)
    limit = min(document.candidates_max, CANDIDATES_MAX)
    until = rules.publicity_end(now, days=document.schedule.publicity_days, rulebook=book)
    rules.check_publicity(start=now, until=until, days=document.schedule.publicity_days, rulebook=book)
    candidates = [_candidate(result, rank, bid) for rank, bid in enumerate(result.ranking[:limit], start=1)]
    rules.check_candidates([(row["rank"], row["bid"]) for row in candidates], ranking=result.ranking, limit=limit)
    fields = {
        "from": world.stamp(now),
        "until": world.stamp(until),
        "candidates": candidates,
        "channel": document.remedies.objection,
    }
    return await _owner_act(cmd, "publicity", fields, held, actor=actor, now=now, unit=unit, hall=hall, rule="E-79")


async def award(cmd: Award, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """A26: award, and the same instant tell every bidder (E-81, E-83, E-85)."""
    now = journal.instant(cmd.signed, now=now)
    held = await tenders.load(unit, cmd.lot)
    tender = held.tender
    actor.must(Permission.TENDER_AWARD, now=now, parties=tender.parties)
    chosen = next((one for one in tender.candidates if one.rank == cmd.rank), None)
    winner = rules.check_award(tender, rank=cmd.rank, bid=chosen.bid if chosen else "", now=now)
    result = await results.load(unit, tender)
    bidder = result.record[winner.bid]["bidder"]
    notice = jcs.dumps(
        {
            "lot": tender.lot,
            "name": tender.name,
            "winner": bidder,
            "price_fen": winner.price_fen,
            "at": world.stamp(now),
        }
    )
    fields = {
        "rank": winner.rank,
        "bid": winner.bid,
        "bidder": bidder,
        "price_fen": winner.price_fen,
        "notice_hash": await journal.keep_object(unit, lot=tender.lot, kind="notice", data=notice, public=True),
    }
    outcome = await _owner_act(cmd, "award", fields, held, actor=actor, now=now, unit=unit, hall=hall, rule="E-83")
    if outcome.events:
        notices = [rules.ResultNotice(uscc, now) for uscc in result.bidders]
        rules.check_notices(notices, bidders=result.bidders, winner=bidder["uscc"], awarded=now)
        leaf = outcome.events[0].leaf
        await inbox.notify(unit, "bidders", lot=tender.lot, what="award", leaf=leaf, now=now, hall=hall)
    return outcome


async def file_contract(cmd: FileContract, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """A28: the contract as the bid has it (E-87, E-88)."""
    now = journal.instant(cmd.signed, now=now)
    held = await tenders.load(unit, cmd.lot)
    tender = held.tender
    actor.must(Permission.CONTRACT_FILE, now=now, parties=tender.parties)
    book = await rosters.pinned_rulebook(unit, tender)
    rules.check_contract_in_time(tender, now=now, rulebook=book, late_because=cmd.late_because)
    assert tender.award is not None, "check_contract_in_time refuses where nothing is awarded"
    bid = tender.award.bid
    rules.check_contract(tender, rules.Contract(bid, cmd.price_fen, cmd.period_days, cmd.quality))
    fields = {"bid": bid, "price_fen": cmd.price_fen, "period_days": cmd.period_days, "hash": cmd.hash}
    return await _owner_act(cmd, "contract", fields, held, actor=actor, now=now, unit=unit, hall=hall, rule="E-88")


async def report_to_regulator(
    cmd: ReportToRegulator, *, actor: Actor, now: datetime, unit: Unit, hall: Hall
) -> Outcome:
    """A29: the written report within fifteen days of the award (E-86)."""
    held = await tenders.load(unit, cmd.lot)
    tender = held.tender
    actor.must(Permission.REGULATOR_REPORT, now=now, parties=tender.parties)
    book = await rosters.pinned_rulebook(unit, tender)
    rules.check_regulator_report(tender, now=now, rulebook=book, late_because=cmd.late_because)
    logged = await journal.private_act(
        unit,
        hall=hall,
        lot=cmd.lot,
        tender_id=tender.tender_id,
        kind="regulator_report",
        fields={"hash": cmd.hash},
        actor=actor,
        now=now,
        rule="E-86",
    )
    await tenders.fold_in(unit, held, logged, now=now)
    return Outcome((logged,))


def text_hash(text: str) -> str:
    """SHA-256 of a text in UTF-8, hex: how a contract or a report is named."""
    return sha256(text.encode()).hexdigest()


def _candidate(result: results.Result, rank: int, bid: str) -> dict[str, Any]:
    row = result.record[bid]
    told = {name: row[name] for name in ("bidder", "price_fen", "period_days", "quality", "leader")}
    return {"rank": rank, "bid": bid, **told, "total": result.totals[bid]}


async def _owner_act(
    cmd: Publicise | Award | FileContract,
    kind: str,
    fields: dict[str, Any],
    held: tenders.Held,
    *,
    actor: Actor,
    now: datetime,
    unit: Unit,
    hall: Hall,
    rule: str,
) -> Outcome:
    logged = await journal.person_act(
        unit,
        hall=hall,
        lot=held.tender.lot,
        tender_id=held.tender.tender_id,
        kind=kind,
        fields=fields,
        actor=actor,
        now=now,
        signed=cmd.signed,
        rule=rule,
    )
    if not isinstance(logged, Logged):
        fold.apply(held.tender, logged, leaf="0" * 64)
        return Outcome(sign=logged)
    await tenders.fold_in(unit, held, logged, now=now)
    return Outcome((logged,))
