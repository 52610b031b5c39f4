"""One lot as everybody reads it, in one question to the database: notice, terms, time limits, changes, opening, result.

20号令 §17, §32, §41; E-20, E-59. Built from public acts and public objects alone: what is here stands in the ledger for
everybody, and before the freeze there is nothing in it that tells a number of bids or a name.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from storage import ledger
from storage.ports import AtLeast
from storage.unit import Unit
from trading import lifecycle, queries, rosters, tender_document, tenders
from trading.published import changes, timeline
from trading.published.changes import Change
from trading.published.timeline import Step
from trading.rulebook import Rulebook
from trading.tender import Tender
from trading.tender_document import TenderDocument

RULEBOOKS_MAX = 64
_rulebooks: dict[str, Rulebook] = {}


@dataclass(frozen=True, slots=True)
class Shown:
    """A lot, ready to be shown. `acts` are {"leaf","act"} in order, `places` the index of each leaf in the
    log as far as it has one; `record` and `verdicts` are the opening's, empty before it; `objection` is what
    timeline.objection_until gives."""

    tender: Tender
    state: str
    document: TenderDocument
    acts: list[dict[str, Any]]
    places: dict[str, int]
    steps: list[Step]
    changes: list[Change]
    files: list[dict[str, Any]]
    record: list[dict[str, Any]]
    verdicts: list[dict[str, Any]]
    objection: tuple[str, str, str] | None

    def act(self, kind: str) -> dict[str, Any] | None:
        """The last public act of this kind, or None."""
        return next((each["act"] for each in reversed(self.acts) if each["act"]["kind"] == kind), None)

    def leaf(self, kind: str) -> str:
        """The leaf of the last public act of this kind, '' if there is none."""
        return next((each["leaf"] for each in reversed(self.acts) if each["act"]["kind"] == kind), "")


async def show(unit: Unit, lot: str, *, now: datetime) -> Shown:
    """Everything public of one lot. Raises Refused("lot_unknown")."""
    tender = (await tenders.load(unit, lot)).tender
    acts, places = await _acts(unit, tender)
    document = _document(await tenders.object_bytes(unit, lot, tender.terms))
    book = await rulebook_of(unit, tender)
    plain = [each["act"] for each in acts]
    texts = {
        act["text_hash"]: await tenders.object_json(unit, lot, act["text_hash"])
        for act in plain
        if act["kind"] == "amendment"
    }
    record: list[dict[str, Any]] = []
    verdicts: list[dict[str, Any]] = []
    if tender.opened_at is not None:
        opening = await queries.opening(unit, lot)
        record, verdicts = opening["record"], opening["verdicts"]
    return Shown(
        tender=tender,
        state=lifecycle.at_instant(tender, now).state.value,
        document=document,
        acts=acts,
        places=places,
        steps=timeline.steps(tender, document, plain, rulebook=book, now=now),
        changes=changes.changes(acts, texts),
        files=[act for act in plain if act["kind"] in ("tender", "amendment")][-1]["documents"],
        record=sorted(record, key=lambda row: row["price_fen"]),
        verdicts=verdicts,
        objection=timeline.objection_until(tender, rulebook=book, now=now),
    )


async def rulebook_of(unit: Unit, tender: Tender) -> Rulebook:
    """The rulebook that a tender pinned, read once for all tenders that pin the same: its hash is its name."""
    known = _rulebooks.get(tender.rulebook)
    if known is None:
        if len(_rulebooks) >= RULEBOOKS_MAX:
            _rulebooks.clear()
        known = _rulebooks[tender.rulebook] = await rosters.pinned_rulebook(unit, tender)
    return known


@lru_cache(maxsize=128)
def _document(data: bytes) -> TenderDocument:
    """A tender document, which never changes; kept because reading one strictly takes its time."""
    return tender_document.parse(data)


async def _acts(unit: Unit, tender: Tender) -> tuple[list[dict[str, Any]], dict[str, int]]:
    rows = await unit.event.find({"tender_id": tender.tender_id, "seq": AtLeast(0)}, order=("seq",))
    places = await ledger.places(unit, [row["id"] for row in rows])
    acts = [{"leaf": row["leaf_hash"], "act": row["body"]} for row in rows]
    return acts, {row["leaf_hash"]: places[row["id"]] for row in rows if row["id"] in places}
