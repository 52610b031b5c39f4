"""What a bidder's pages read: own tenders, one tender with all that is one's own in it, receipts as far as they came.

E-20, E-39: before the freeze a bidder learns of its own alone, and nobody a number. Who asked, downloaded or objected
is looked up by the asker's own organisation only. Pure queries; the result of others is shown where it is public.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from bidding import queries as bids
from crypto.ledger import receipt
from crypto.ledger.receipt import ReceiptProved
from crypto.refusal import Refused
from storage.unit import Unit
from storage.world import instant
from trading import calendar, results
from trading.counter.service import Service
from trading.people import keys
from trading.published import listing
from trading.published import reading as published
from trading.published.reading import Shown
from trading.roles import Actor
from trading.tender import Tender

LISTED_MAX = 200
STAGE_OF_GRADE = {"A": "submitted", "B": "witnessed"}


@dataclass(frozen=True, slots=True)
class Text:
    """A question, an objection, or a question of the panel: its leaf, state, instant, words and the answer to it."""

    leaf: str
    state: str
    at: str
    text: str
    answer: str = ""
    answered_at: str = ""
    stage: str = ""


@dataclass(frozen=True, slots=True)
class Own:
    """One tender as a bidder sees it. `bids` as bidding.queries.own, newest first; `result` is the own row of the table
    once candidates are public: {"rank", "total", "price_fen", "bidders"}."""

    shown: Shown
    bids: Sequence[Mapping[str, Any]]
    withdrawals: Sequence[Mapping[str, Any]]
    downloaded: str
    questions: Sequence[Text]
    objections: Sequence[Text]
    panel: Sequence[Text]
    result: Mapping[str, Any] | None

    @property
    def objection_day(self) -> date | None:
        """The last legal day on which one may object to what is open to objection now."""
        until = self.shown.objection[1] if self.shown.objection else ""
        # The time ends with a day: its last moment, not the midnight after it, names the day.
        return calendar.legal_day(instant(until) - timedelta(milliseconds=1)) if until else None

    @property
    def standing(self) -> Mapping[str, Any] | None:
        """The version that counts, if there is one."""
        return next((one for one in self.bids if one["status"] == "standing"), None)


async def mine(unit: Unit, actor: Actor, *, now: datetime) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(own lots, other open lots): summaries; an own lot has `status`, the state of the newest own bid or ''."""
    own: dict[str, str] = {}
    where = {"organisation": actor.organisation}
    for store in (unit.submission, unit.download, unit.question):
        for row in await store.find(where, limit=LISTED_MAX):
            own[row["lot"]] = ""
    for lot in own:
        told = (await bids.own(unit, lot, actor=actor))["bids"]
        own[lot] = told[-1]["status"] if told else ""
    rows = await listing.summaries(unit, list(own), now=now)
    told = sorted(rows, key=lambda row: (row["state"] != "bidding", row["deadline"]))
    found = await listing.find(unit, listing.Wanted(stage="open"), now=now)
    open_now = [row for row in found.rows if row["lot"] not in own and row["state"] == "bidding"]
    return [{**row, "status": own[row["lot"]]} for row in told], open_now


async def lot(unit: Unit, code: str, actor: Actor, *, now: datetime) -> Own:
    """Everything of one's own in a lot. Raises Refused("lot_unknown")."""
    shown = await published.show(unit, code, now=now)
    where = {"lot": code, "organisation": actor.organisation}
    told = (await bids.own(unit, code, actor=actor))["bids"]
    withdrawals = [
        {"version": row["bid_version"], "event": row["id"], "at": row["at"]}
        for row in await unit.withdrawal.find(where, order=("bid_version",))
    ]
    downloads = [row["at"] for row in await unit.download.find(where)]
    return Own(
        shown=shown,
        bids=list(reversed(told)),
        withdrawals=withdrawals,
        downloaded=min(downloads, default=""),
        questions=[await _text(unit, code, row) for row in await unit.question.find(where)],
        objections=[await _text(unit, code, row) for row in await unit.objection.find(where)],
        panel=await _panel(unit, shown.tender, {row["bid"] for row in told}),
        result=await _result(unit, shown.tender, actor),
    )


async def living_keys(unit: Unit, organisation: str) -> list[str]:
    """The public keys (SPKI, hex) with which this organisation may sign."""
    return [one.spki for one in await keys.listed(unit, organisation) if not one.revoked]


async def digest_of(unit: Unit, event: str) -> str:
    """D of an own submission (hex)."""
    row = await unit.submission.read(event)
    return str(row["digest"]) if row else ""


async def receipt_of(service: Service, event: str, *, actor: Actor, bearer: str) -> tuple[str, ReceiptProved | None]:
    """(the receipt's text, what it proves under the hall's own anchors), ("", None) while it waits for the sequencer.
    Raises Refused("receipt_unknown") for an event that is not one's own."""
    own = await service.database.read(lambda unit: bids.own_event(unit, event, actor=actor), bearer=bearer)
    told = await service.receipt_of(own, bearer=bearer)
    if told["status"] != "sequenced":
        return "", None
    return str(told["proof"]), receipt.verify(str(told["proof"]).encode(), service.hall.trust)


def stage_of(proved: ReceiptProved | None) -> str:
    """How far a submission came: received, submitted or witnessed."""
    return "received" if proved is None else STAGE_OF_GRADE[proved.grade]


async def _text(unit: Unit, code: str, row: Mapping[str, Any]) -> Text:
    body = row["body"]
    answer = await _said(unit, code, body["answer_hash"]) if body.get("answer_hash") else ""
    text = await _said(unit, code, body["text_hash"])
    return Text(row["id"], row["state"], body["at"], text, answer, body.get("answered_at", ""), body.get("stage", ""))


async def _panel(unit: Unit, tender: Tender, own: set[str]) -> list[Text]:
    """What the panel asked about own bids, and what was answered (条例 §52)."""
    if not own or tender.opened_at is None:
        return []
    replies: dict[str, tuple[str, str]] = {}
    for row in await unit.event.find({"tender_id": tender.tender_id, "kind": "panel_answer"}):
        act = row["body"]
        replies[act["question"]] = (await _said(unit, tender.lot, act["text_hash"]), row["at"])
    found = []
    for row in await unit.event.find({"tender_id": tender.tender_id, "kind": "panel_question"}):
        act = row["body"]
        if act["bid"] in own:
            text, at = replies.get(row["leaf_hash"], ("", ""))
            said = await _said(unit, tender.lot, act["text_hash"])
            found.append(Text(row["leaf_hash"], "answered" if at else "open", row["at"], said, text, at))
    return found


async def _result(unit: Unit, tender: Tender, actor: Actor) -> dict[str, Any] | None:
    """The own place in the ranking, from the first day of publicity on (条例 §54)."""
    if tender.publicity_from is None:
        return None
    try:
        loaded = await results.load(unit, tender)
    except Refused:
        return None
    bid = next((bid for bid, row in loaded.record.items() if row["bidder"]["uscc"] == actor.organisation), None)
    if bid is None:
        return None
    rank = loaded.ranking.index(bid) + 1 if bid in loaded.ranking else None
    told = {"rank": rank, "total": loaded.totals.get(bid), "price_fen": loaded.record[bid]["price_fen"]}
    return {**told, "bidders": len(loaded.record), "ranked": len(loaded.ranking)}


async def _said(unit: Unit, code: str, name: str) -> str:
    row = await unit.object.read(code, name)
    return str(msgspec.json.decode(row["data"])["text"]) if row is not None else ""
