"""What anybody may read of a tender: its notice, timeline, files, opening record; never a number before the freeze.

20号令 §17, §32, §41; E-20. Everything here is built from public acts and public objects alone, so that there is nothing
in it that the ledger does not show to everybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from crypto.refusal import Refused
from storage.ports import AtLeast, Condition
from storage.unit import Unit
from storage.world import stamp
from trading import lifecycle, rosters, tenders
from trading.published import listing, words
from trading.tender import Tender, from_json

LOTS_MAX = 200


async def lots(unit: Unit, *, state: str | None, q: str | None, now: datetime) -> list[dict[str, Any]]:
    """Published lots, newest deadline first, at most 200; `q` are words of the name, of those who publish it, or of a
    code (trading/published/words.py)."""
    where: dict[str, Condition] = words.every(words.asked(q or ""))
    if state:
        where["state"] = state
    rows = await unit.tender.find(where, order=("-deadline",), limit=LOTS_MAX)
    return [listing.summary(from_json(row["body"]["tender"]), now) for row in rows]


async def lot(unit: Unit, lot: str, *, now: datetime) -> dict[str, Any]:
    """One lot: its TENDER act, its state, and its terms. Raises Refused("lot_unknown")."""
    held = await tenders.load(unit, lot)
    acts = await public_acts(unit, held.tender)
    terms = await tenders.object_json(unit, lot, held.tender.terms)
    return {**listing.summary(held.tender, now), "notice": acts[0]["act"], "terms": terms}


async def timeline(unit: Unit, lot: str, *, now: datetime) -> dict[str, Any]:
    """Every public act in order, and what is still owed, each with its rule and article."""
    held = await tenders.load(unit, lot)
    book = await rosters.pinned_rulebook(unit, held.tender)
    clocks = lifecycle.clocks(held.tender, rulebook=book)
    return {
        "lot": lot,
        "acts": await public_acts(unit, held.tender),
        "owed": [
            {"what": one.what, "until": stamp(one.until), "rule": one.rule, "article": one.article} for one in clocks
        ],
    }


async def public_acts(unit: Unit, tender: Tender) -> list[dict[str, Any]]:
    """[{"leaf","act"}] in the tender's chain."""
    rows = await unit.event.find({"tender_id": tender.tender_id, "seq": AtLeast(0)}, order=("seq",))
    return [{"leaf": row["leaf_hash"], "act": row["body"]} for row in rows]


async def opening(unit: Unit, lot: str) -> dict[str, Any]:
    """The opening record, once it is public (E-59). Raises Refused("opening_not_public")."""
    held = await tenders.load(unit, lot)
    if held.tender.opened_at is None:
        raise Refused("opening_not_public", rule="E-59", state=held.tender.state.value)
    found = await unit.event.find({"lot": lot, "kind": "opened"}, order=("-seq",), limit=1)
    verdicts = await unit.event.find({"lot": lot, "kind": "verdict"}, order=("-seq",), limit=1)
    return {
        "lot": lot,
        "opened_at": stamp(held.tender.opened_at),
        "record": await tenders.object_json(unit, lot, found[0]["body"]["record_hash"]),
        "verdicts": await tenders.object_json(unit, lot, verdicts[0]["body"]["verdicts_hash"]),
    }


async def public_object(unit: Unit, lot: str, name: str) -> bytes:
    """An object that the public may read. Raises Refused("object_unknown"), also for one that is not public."""
    row = await unit.object.read(lot, name)
    if row is None or row["view"] != "public":
        raise Refused("object_unknown", lot=lot, hash=name)
    return bytes(row["data"])


async def documents(unit: Unit, lot: str) -> list[dict[str, Any]]:
    """The files in force: those of the TENDER act, then of the last amendment."""
    held = await tenders.load(unit, lot)
    acts = [one["act"] for one in await public_acts(unit, held.tender)]
    files: list[dict[str, Any]] = [act for act in acts if act["kind"] in ("tender", "amendment")][-1]["documents"]
    return files


async def file_segments(unit: Unit, lot: str, sha256: str) -> tuple[Mapping[str, Any], list[str]]:
    """A file of the tender in force: its entry and the blobs that hold it. Raises Refused("file_unknown")."""
    files = await documents(unit, lot)
    entry = next((file for file in files if file["sha256"] == sha256), None)
    row = await unit.object.read("", sha256)
    if entry is None or row is None:
        raise Refused("file_unknown", lot=lot, sha256=sha256)
    return entry, segments_of(row)


def segments_of(row: Mapping[str, Any]) -> list[str]:
    """The blobs that hold a file, from its object."""
    return list(msgspec.json.decode(row["data"])["segments"])


async def tail(unit: Unit, tender_id: str) -> dict[str, Any]:
    """What the next public act of a chain must carry: `seq` and `prev`."""
    found = await unit.tail(tender_id)
    return {"tender_id": tender_id, "seq": found.seq + 1, "prev": found.leaf_hash}
