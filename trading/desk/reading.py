"""What the desk reads of a tender: its state, what is owed, questions and objections with their clocks, the result.

Pure queries. Who asked or objected is told to nobody here: the owner answers what was said, not who said it; bids and
their number appear only with the freeze, as everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from crypto.refusal import Refused
from storage.unit import Unit
from storage.world import instant
from trading import calendar, lifecycle, queries, results, rosters, tenders
from trading.desk import tasks
from trading.desk.tasks import Task
from trading.roles import Actor
from trading.rulebook import Rulebook
from trading.tender import Tender
from trading.tender_document import TenderDocument


@dataclass(frozen=True, slots=True)
class Text:
    """A question or an objection: the leaf it is named by, its state, when it came, what it says; an objection has the
    end of the time to answer it, and the answer if there is one."""

    leaf: str
    state: str
    at: str
    text: str
    stage: str = ""
    until: datetime | None = None
    light: str = ""
    answer: str = ""
    answered_at: str = ""


@dataclass(frozen=True, slots=True)
class Lot:
    """Everything a page of one tender needs."""

    tender: Tender
    state: str
    rulebook: Rulebook
    document: TenderDocument
    acts: Sequence[Mapping[str, Any]]
    files: Sequence[Mapping[str, Any]]
    tasks: Sequence[Task]
    questions: Sequence[Text]
    objections: Sequence[Text]

    def act(self, kind: str) -> Mapping[str, Any] | None:
        """The last public act of a kind."""
        return next((one["act"] for one in reversed(self.acts) if one["act"]["kind"] == kind), None)

    def leaf(self, kind: str) -> str:
        """The leaf of the last public act of a kind, '' where there is none."""
        return next((str(one["leaf"]) for one in reversed(self.acts) if one["act"]["kind"] == kind), "")


async def lot(unit: Unit, code: str, actor: Actor, *, now: datetime) -> Lot:
    """One tender of this owner or agent. Raises Refused: lot_unknown, not_this_tender."""
    held = await tenders.load(unit, code)
    tender = held.tender
    if actor.organisation not in (tender.owner, tender.agent):
        raise Refused("not_this_tender", role=actor.role.value, organisation=actor.organisation)
    return await whole(unit, tender, now=now)


async def whole(unit: Unit, tender: Tender, *, now: datetime, answers: bool = True) -> Lot:
    """The same, whoever may ask; without `answers` also without what waits for the owner's: questions and objections,
    which are nobody else's to read."""
    book = await rosters.pinned_rulebook(unit, tender)
    questions = await _questions(unit, tender) if answers else []
    waiting = sum(1 for one in questions if one.state == "open")
    return Lot(
        tender=tender,
        state=lifecycle.at_instant(tender, now).state.value,
        rulebook=book,
        document=await tenders.terms(unit, tender),
        acts=await queries.public_acts(unit, tender),
        files=await queries.documents(unit, tender.lot),
        tasks=tasks.of(tender, now=now, rulebook=book, questions=waiting),
        questions=questions,
        objections=await _objections(unit, tender, book, now=now) if answers else [],
    )


async def amendments(unit: Unit, one: Lot) -> list[dict[str, Any]]:
    """Every clarification, oldest first: its text, its deadline and the one before, the files added and dropped."""
    told: list[dict[str, Any]] = []
    files: dict[str, Any] = {}
    deadline = ""
    for row in one.acts:
        act = row["act"]
        if act["kind"] not in ("tender", "amendment", "deadline"):
            continue
        if act["kind"] == "amendment":
            now_there = {file["name"]: file for file in act["documents"]}
            text = await tenders.object_json(unit, one.tender.lot, act["text_hash"])
            told.append(
                {
                    "version": act["version"],
                    "at": act["at"],
                    "leaf": row["leaf"],
                    "text": text,
                    "affects_bids": act["affects_bids"],
                    "was": deadline,
                    "deadline": act["deadline"],
                    "added": [file for name, file in now_there.items() if name not in files],
                    "dropped": [file for name, file in files.items() if name not in now_there],
                }
            )
        if act["kind"] in ("tender", "amendment"):
            files = {file["name"]: file for file in act["documents"]}
        deadline = act["deadline"] or deadline
    return told


async def result(unit: Unit, one: Lot) -> dict[str, Any] | None:
    """The published table with names and prices, best first; None before the scores are public."""
    locked = one.act("scores_locked")
    if locked is None:
        return None
    loaded = await results.load(unit, one.tender)
    table = await tenders.object_json(unit, one.tender.lot, locked["table_hash"])
    scores = await tenders.object_json(unit, one.tender.lot, locked["scores_hash"])
    rows = [{**row, **_bidder(loaded.record.get(row["bid"], {}))} for row in table["bids"]]
    out = [_bidder(row) for bid, row in loaded.record.items() if bid not in {each["bid"] for each in table["bids"]}]
    # Where nothing is scored, the evaluated price (fen) by bid stands in the place of points.
    priced = {row["bid"]: row["evaluated_fen"] for row in scores["rows"]} if "rows" in scores else {}
    return {"rows": rows, "items": table["items"], "scores": scores, "rejected": out, "evaluated": priced}


async def report(unit: Unit, one: Lot) -> dict[str, Any] | None:
    """The panel's report as its owner reads it: rejections with their reasons, the word on competition, dissents; None
    before it was handed in. Members are told by their seats (法 §37: their names are secret until the result)."""
    act = one.act("report")
    if act is None:
        return None
    written = await tenders.object_json(unit, one.tender.lot, act["report_hash"])
    loaded = await results.load(unit, one.tender)
    rejections = [
        {**row, "name": loaded.record.get(row["bid"], {}).get("bidder", {}).get("name", "")}
        for row in written["rejections"]
    ]
    dissents = [row for row in written["signatures"] if row["dissent"]]
    return {"rejections": rejections, "competition": written["competition"], "dissents": dissents}


def _bidder(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("price_fen", "period_days", "quality", "leader")
    return {"name": row.get("bidder", {}).get("name", ""), **{name: row.get(name) for name in names}}


async def _questions(unit: Unit, tender: Tender) -> list[Text]:
    found = []
    for row in await unit.question.find({"lot": tender.lot}):
        text = await _said(unit, tender.lot, row["body"]["text_hash"])
        # An amendment answers to everybody; a question older than the last one is taken as answered by it.
        found.append(Text(row["id"], row["state"], row["body"]["at"], text))
    last = tender_last_amendment(await queries.public_acts(unit, tender))
    found = [one if one.at > last else Text(one.leaf, "answered", one.at, one.text) for one in found]
    return sorted(found, key=lambda one: one.at, reverse=True)


def tender_last_amendment(acts: Sequence[Mapping[str, Any]]) -> str:
    """When the last clarification was published, '' before the first."""
    return max((one["act"]["at"] for one in acts if one["act"]["kind"] == "amendment"), default="")


async def _objections(unit: Unit, tender: Tender, book: Rulebook, *, now: datetime) -> list[Text]:
    found = []
    market = book.market
    for row in await unit.objection.find({"lot": tender.lot}):
        body = row["body"]
        early = body["stage"] == "bidding"
        limit = market.document_objection_answer_days_max if early else market.result_objection_answer_days_max
        last = book.calendar.last_day_to_act(calendar.legal_day(instant(body["at"])), limit.span)
        until = calendar.end_of(last)
        answer = await _said(unit, tender.lot, body["answer_hash"]) if body.get("answer_hash") else ""
        found.append(
            Text(
                row["id"],
                row["state"],
                body["at"],
                await _said(unit, tender.lot, body["text_hash"]),
                body["stage"],
                until,
                "good" if answer else tasks.light(until, now),
                answer,
                body.get("answered_at", ""),
            )
        )
    return sorted(found, key=lambda one: one.at, reverse=True)


async def _said(unit: Unit, code: str, name: str) -> str:
    row = await unit.object.read(code, name)
    return str(msgspec.json.decode(row["data"])["text"]) if row is not None else ""
