"""From the last lock to published scores: commit, wait for the ledger, open the sheets, count, and order ties.

条例 §49; docs/spec/scores.md; bundle.md §5. Rules upheld: no sheet is opened before every seat has locked and all
commitments stand in the ledger (I12); counted is what was committed, and prices are the opening record's (E-69); with
no bid left the tender fails (E-74). A tie that the document sends to the draw is ordered by `order_of_draw`.
Whoever runs the clock can wait; they cannot change a mark, because every sheet was committed by its own member first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec
from msgspec.structs import replace

from crypto import jcs
from experts import lowest, room, scores_file, scoring, sheets
from experts.commands import review
from experts.commands import scoring as sheet_rows
from experts.due.seating import CLOCKWORK, Done, duty_act, sequenced
from experts.lowest import PricedBid
from experts.room import Opened
from experts.scoring import Bid, Case
from experts.sheets import Revealed
from storage.unit import Unit
from trading import journal, results, tenders
from trading.hall import Hall
from trading.lifecycle import State
from trading.tender import Tender
from trading.tender_document import TenderDocument
from trading.tenders import Held

TIE_LABEL = b"draw/v1 tie\0"


async def failure_due(unit: Unit, held: Held, opened: Opened, *, now: datetime, hall: Hall) -> Done:
    """Log `failed` when the panel has rejected every bid (E-74): nobody can be recommended."""
    tender = held.tender
    if tender.state is not State.EVALUATING or not opened.room.motions:
        return held, opened, ()
    document = await tenders.terms(unit, tender)
    rejected = {each.bid for each in review.rejections(opened.room.motions, opened.room, document)}
    if set(await review.record_of(unit, tender)) - rejected:
        return held, opened, ()
    fields = {"reason": "all_rejected", "n": 0}
    held, logged = await duty_act(unit, held, "failed", fields, rule="E-74", now=now, hall=hall)
    return held, opened, (logged,)


async def commitments_due(unit: Unit, held: Held, opened: Opened, *, now: datetime, hall: Hall) -> Done:
    """Log `scores_committed` once every seat has locked and every lock has its place in the ledger."""
    tender = held.tender
    if tender.state is not State.EVALUATING or len(opened.room.seats) != tender.panel_members:
        return held, opened, ()
    # From the members' own acts, not from their sheets: the clock may not read a mark before this act is public (I12).
    said = await unit.event.find({"lot": tender.lot, "kind": "sheet_locked"})
    holders = {(seat.seat, seat.person): seat.masked for seat in opened.room.seats}
    seated = {seat.seat: (await unit.event.read(seat.seated_by) or {"at": ""})["at"] for seat in opened.room.seats}
    # Whoever is drawn again to the seat they had before has to lock again.
    locked = {
        row["body"]["seat"]: row
        for row in sorted(said, key=lambda one: (one["at"], one["id"]))
        if (row["body"]["seat"], row["actor"]) in holders and row["at"] >= seated[row["body"]["seat"]]
    }
    if set(locked) != {seat.seat for seat in opened.room.seats}:
        return held, opened, ()
    for row in locked.values():
        if not await sequenced(unit, row["id"]):
            return held, opened, ()
    given = {seat: (holders[seat, row["actor"]], row["body"]["commitment"]) for seat, row in locked.items()}
    fields = sheets.committed(opened.room.panel(), given)
    held, logged = await duty_act(unit, held, "scores_committed", fields, rule="E-69", now=now, hall=hall)
    return held, opened, (logged,)


async def scores_due(unit: Unit, held: Held, opened: Opened, *, now: datetime, hall: Hall) -> Done:
    """Open the sheets and publish the scores, once `scores_committed` has its place in the ledger."""
    tender = held.tender
    if tender.state is not State.COMMITTED:
        return held, opened, ()
    rows = await unit.event.find({"lot": tender.lot, "kind": "scores_committed"}, order=("-seq",), limit=1)
    if not await sequenced(unit, rows[0]["id"]):
        return held, opened, ()
    document = await tenders.terms(unit, tender)
    locked = await sheet_rows.locked_sheets(unit, opened, document)
    shown = sheets.reveal(rows[0]["body"], [sheet for sheet, _ in locked.values()], tender_id=tender.tender_id)
    scores, table = await _count(unit, tender, opened, document, shown)

    async def keep(kind: str, data: bytes, public: bool) -> str:
        return await journal.keep_object(unit, lot=tender.lot, kind=kind, data=data, public=public)

    fields = {
        "sheets_hash": await keep("sheets", jcs.dumps(shown.sheets_object), False),
        "table_hash": await keep("table", jcs.dumps(table), True),
        "scores_hash": await keep("scores", scores, True),
    }
    held, logged = await duty_act(unit, held, "scores_locked", fields, rule="E-69", now=now, hall=hall)
    ranking = msgspec.json.decode(scores)["result"]["ranking"]
    ranked = await journal.private_act(
        unit,
        hall=hall,
        lot=tender.lot,
        tender_id=tender.tender_id,
        kind="ranking",
        fields={"ranking_hash": sha256(jcs.dumps(ranking)).hexdigest()},
        actor=CLOCKWORK,
        now=now,
        rule="E-69",
    )
    return held, await room.keep(unit, opened, replace(opened.room, scored=True)), (logged, ranked)


def order_of_draw(seed: bytes, bids: Sequence[str]) -> tuple[str, ...]:
    """The order in which equal bids follow each other where the document says "draw" (docs/spec/scores.md §7).

    Ascending by H("draw/v1 tie" NUL || seed of the panel's draw || bid). Bids are frozen before the seed exists, and
    the seed comes from all contributors, so that nobody could give a bid its place.
    """
    return tuple(sorted(bids, key=lambda bid: sha256(TIE_LABEL + seed + bytes.fromhex(bid)).digest()))


async def _count(
    unit: Unit, tender: Tender, opened: Opened, document: TenderDocument, shown: Revealed
) -> tuple[bytes, dict[str, Any]]:
    """scores.json and the table."""
    rejected = {each.bid for each in review.rejections(opened.room.motions, opened.room, document)}
    record = await review.record_of(unit, tender)
    bids = [Bid(bid, row["price_fen"]) for bid, row in sorted(record.items()) if bid not in rejected]
    seed = opened.room.attempt.seed
    assert seed is not None, "a panel that scores was drawn"
    drawn = order_of_draw(bytes.fromhex(seed), [bid.id for bid in bids])
    plain = msgspec.json.decode(document.canonical())
    method = plain["method"]
    if method["name"] == "lowest_evaluated":
        return _lowest(tender, plain, bids, drawn)
    counted = {bid.id for bid in bids}
    case = Case(
        method=scores_file.method_of(method),
        max_price_fen=tender.max_price_fen,
        bids=tuple(bids),
        marks=[mark for mark in shown.marks if mark.bid in counted],
    )
    result = scoring.evaluate(case, drawn=drawn)
    return scores_file.dump(case, result), scores_file.table_object(case.method, result, plain["items"])


def _lowest(
    tender: Tender, plain: Mapping[str, Any], bids: Sequence[Bid], drawn: Sequence[str]
) -> tuple[bytes, dict[str, Any]]:
    """The comparison table of 经评审的最低投标价法: evaluated prices take the place of scores, in yuan."""
    result = lowest.evaluated_lowest(
        [PricedBid(bid.id, bid.price_fen) for bid in bids],
        max_price_fen=tender.max_price_fen,
        factors=plain["method"]["adjustments"],
        drawn=drawn,
    )
    totals = {row.bid: scores_file.two_places(row.evaluated_fen) for row in result.rows}
    scores = {
        "kind": "lowest_evaluated",
        "rows": [msgspec.to_builtins(row) for row in result.rows],
        "result": {"ranking": list(result.ranking), "totals": totals},
    }
    rows = [
        {"bid": bid, "price_score": totals[bid], "points": "0", "total": totals[bid], "rank": rank}
        for rank, bid in enumerate(result.ranking, 1)
    ]
    return jcs.dumps(scores), {"items": plain["items"], "bids": rows}


async def result_of(unit: Unit, tender: Tender) -> tuple[str, dict[str, Any]]:
    """The hash of the published scores and their `result`."""
    act = await results.act_of(unit, tender, "scores_locked")
    scores = await tenders.object_json(unit, tender.lot, act["scores_hash"])
    result: dict[str, Any] = scores["result"]
    return act["scores_hash"], result
