"""A member's sheet: saved as often as wanted, locked once.

条例 §49. Rules upheld: the document's items, in range and step, and no others (E-69); a bid over the max price is
rejected before anybody locks (E-70); only who holds the seat, signed in, writes on its sheet (E-65, E-67). No marks
leave this file but to their own member; the lock is a private act that carries a salted commitment and nothing else.
Whoever reads the database before the last lock can see drafts; they cannot change a locked sheet unnoticed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from experts import room, scores_file, sheets, votes
from experts.commands import review
from experts.room import Opened, Seat
from experts.scoring import Bid
from experts.sheets import Locked, Sheet, SheetState
from storage.ports import Row
from storage.unit import Unit
from storage.world import instant, stamp
from trading import journal, tenders
from trading.hall import Hall
from trading.journal import Outcome
from trading.lifecycle import State
from trading.roles import Actor, Permission
from trading.tender import Tender
from trading.tender_document import TenderDocument


class SavedMark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One mark: points as a decimal string with at most two decimals, or null to take it back."""

    bid: str
    item: str
    points: str | None


class SaveSheet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Save marks on one's own sheet; `revision` is the one that the page started from."""

    lot: str
    revision: int
    marks: list[SavedMark]


class LockSheet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sign and lock one's own complete sheet; it never changes again."""

    lot: str


async def save_sheet(cmd: SaveSheet, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """Save a draft. Returns `revision`, `missing` (marks still to give) and `at`, the hall's instant. Raises Refused as
    experts/sheets.py says."""
    actor.must(Permission.SHEET_LOCK, now=now)
    tender, opened, seat = await review.at_work(unit, cmd.lot, actor, State.EVALUATING)
    row = await unit.sheet.read(cmd.lot, row_of(seat))
    sheet = await sheet_of(unit, tender, opened, seat, row)
    changes = {
        (mark.bid, mark.item): None if mark.points is None else scores_file.hundredths(mark.points, "points")
        for mark in cmd.marks
    }
    saved = sheets.save(sheet, changes, revision=cmd.revision, now=now)
    if saved is not sheet:
        await _keep(unit, cmd.lot, seat, saved, row, {})
    return Outcome(result={"revision": saved.revision, "missing": len(saved.missing()), "at": stamp(now)})


async def lock_sheet(cmd: LockSheet, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """Lock the sheet and log its commitment. Raises Refused: sheet_incomplete, sheet_locked, bid_must_be_rejected."""
    actor.must(Permission.SHEET_LOCK, now=now)
    tender, opened, seat = await review.at_work(unit, cmd.lot, actor, State.EVALUATING)
    row = await unit.sheet.read(cmd.lot, row_of(seat))
    sheet = await sheet_of(unit, tender, opened, seat, row)
    await _check_rejected(unit, tender, opened)
    locked = sheets.lock(sheets.sign(sheet), salt=hall.entropy(sheets.SALT_BYTES))
    commitment = sheets.commitment(locked, tender_id=tender.tender_id)
    logged = await journal.private_act(
        unit,
        hall=hall,
        lot=cmd.lot,
        tender_id=tender.tender_id,
        kind="sheet_locked",
        fields={"seat": seat.seat, "commitment": commitment},
        actor=actor,
        now=now,
        rule="E-69",
    )
    told = {"salt": locked.salt.hex(), "commitment": commitment, "event": logged.recorded.event}
    await _keep(unit, cmd.lot, seat, locked.sheet, row, told)
    return Outcome((logged,), result={"commitment": commitment})


def row_of(seat: Seat) -> str:
    """The name of a holder's sheet in its lot: the seat and who holds it, so that a successor begins a sheet of its own
    and what the one before marked stays in the row for whoever audits, and counts no more (E-67)."""
    return f"{seat.seat}:{seat.masked[:16]}"


async def sheet_of(unit: Unit, tender: Tender, opened: Opened, seat: Seat, row: Row | None) -> Sheet:
    """The sheet of a seat as its row has it, or an empty one; bids that were rejected stand on it no more."""
    document = await tenders.terms(unit, tender)
    items = sheets.items_of([msgspec.to_builtins(item) for item in document.items])
    rejected = {each.bid for each in review.rejections(opened.room.motions, opened.room, document)}
    bids = tuple(bid for bid in sorted(await review.record_of(unit, tender)) if bid not in rejected)
    if row is None:
        return Sheet(seat.seat, seat.masked, items, bids)
    return from_row(row, items, bids)


def from_row(row: Row, items: tuple[sheets.Item, ...], bids: tuple[str, ...]) -> Sheet:
    """A sheet from its row. Marks of bids rejected since are left where they are once locked, dropped before."""
    body, state = row["body"], SheetState(row["state"])
    marks = {(mark[0], mark[1]): mark[2] for mark in body["marks"]}
    if state is not SheetState.LOCKED:
        marks = {place: value for place, value in marks.items() if place[0] in bids}
    return Sheet(
        int(row["seat"].partition(":")[0]),
        body["masked"],
        items,
        bids,
        marks,
        state,
        body["revision"],
        instant(body["saved_at"]) if body["saved_at"] else None,
    )


async def locked_sheets(unit: Unit, opened: Opened, document: TenderDocument) -> dict[int, tuple[Locked, Row]]:
    """The locked sheets of those who hold a seat now, with their salts, by seat, and their rows."""
    lot, current = opened.room.lot, {row_of(seat) for seat in opened.room.seats}
    items = sheets.items_of([msgspec.to_builtins(item) for item in document.items])
    rows = await unit.sheet.find({"lot": lot, "state": SheetState.LOCKED.value})
    found = {}
    for row in rows:
        if row["seat"] not in current:
            continue
        bids = tuple(sorted({mark[0] for mark in row["body"]["marks"]}))
        found[int(row["seat"].partition(":")[0])] = (
            Locked(from_row(row, items, bids), bytes.fromhex(row["body"]["salt"])),
            row,
        )
    return found


async def _check_rejected(unit: Unit, tender: Tender, opened: Opened) -> None:
    document = await tenders.terms(unit, tender)
    rejected = {each.bid for each in review.rejections(opened.room.motions, opened.room, document)}
    record = await review.record_of(unit, tender)
    bids = [Bid(bid, row["price_fen"]) for bid, row in record.items()]
    votes.require_mandatory(bids, rejected, max_price_fen=tender.max_price_fen)


async def _keep(unit: Unit, lot: str, seat: Seat, sheet: Sheet, row: Row | None, told: dict[str, Any]) -> None:
    body = {
        "masked": sheet.masked,
        "marks": [[bid, item, value] for (bid, item), value in sorted(sheet.marks.items())],
        "revision": sheet.revision,
        "saved_at": stamp(sheet.saved_at) if sheet.saved_at else "",
        **told,
    }
    columns = {"lot": lot, "seat": row_of(seat), "person": seat.person, "state": sheet.state.value, "body": body}
    if row is None:
        await unit.sheet.insert(columns)
    else:
        await unit.sheet.update(columns, expected_version=row["version"])


def members_complete(opened: Opened, members: int) -> bool:
    """Whether as many sit, signed in, as the document wants."""
    return room.members_of(opened.room) == members
