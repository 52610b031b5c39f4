"""Score sheets: what one member gives each bid for each item, from draft to lock, and the order commit → lock → reveal.

Rules upheld: only the document's items, within their range and step (条例 §49, E-69); marks of who was replaced do not
count (条例 §48, E-67). A member's sheet is seen by nobody else until every seat has locked, and nothing changes after:
each locked sheet is first committed by a salted hash (`scores_committed`), and a sheet that does not give its
commitment is refused. Shapes and hash: docs/spec/bundle.md §5.
Whoever reads the database before the last lock can see drafts; they cannot change a locked sheet unnoticed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Any

from crypto import jcs
from crypto.refusal import Refused
from experts import panel, scores_file
from experts.scoring import Mark

SALT_BYTES = 32
COMMITMENT_PREFIX = b"sealbid/v1 sheet\x00"


@dataclass(frozen=True, slots=True)
class Item:
    """One item of the document: most points and step in hundredths; `objective` = facts, equal for every member."""

    id: str
    name: str
    max_hundredths: int
    step_hundredths: int
    objective: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.step_hundredths <= self.max_hundredths:
            raise Refused("item_range_is_wrong", rule="E-69", item=self.id)


def items_of(rows: Sequence[Mapping[str, Any]]) -> tuple[Item, ...]:
    """The items of a tender document (docs/spec/tender.md: code, name, max, step, kind, criterion)."""
    return tuple(
        Item(
            row["code"],
            row["name"],
            scores_file.hundredths(row["max"], "items.max"),
            scores_file.hundredths(row["step"], "items.step"),
            row["kind"] == "objective",
        )
        for row in rows
    )


class SheetState(StrEnum):
    """DRAFT may change; SIGNED waits for the lock and may be taken back by its member; LOCKED is final."""

    DRAFT = "draft"
    SIGNED = "signed"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True)
class Sheet:
    """One member's marks, (bid, item) → hundredths; `revision` counts the savings; `masked` is who holds the seat."""

    seat: int
    masked: str
    items: tuple[Item, ...]
    bids: tuple[str, ...]
    marks: Mapping[tuple[str, str], int] = field(default_factory=dict)
    state: SheetState = SheetState.DRAFT
    revision: int = 0
    saved_at: datetime | None = None

    def __post_init__(self) -> None:
        assert len({item.id for item in self.items}) == len(self.items), "the document names an item once"
        assert len(set(self.bids)) == len(self.bids), "a bid stands on a sheet once"

    def missing(self) -> tuple[tuple[str, str], ...]:
        """(bid, item) without a mark, in the order of the sheet."""
        return tuple((bid, item.id) for bid in self.bids for item in self.items if (bid, item.id) not in self.marks)


@dataclass(frozen=True, slots=True)
class Locked:
    """A locked sheet with the salt of its commitment; the salt stays secret until the reveal."""

    sheet: Sheet
    salt: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Revealed:
    """All sheets after the last lock: the marks to score and the object behind `scores_locked.sheets_hash`."""

    marks: tuple[Mark, ...]
    sheets_object: list[dict[str, Any]]


def save(sheet: Sheet, changes: Mapping[tuple[str, str], int | None], *, revision: int, now: datetime) -> Sheet:
    """A draft with `changes` applied (None takes a mark back); all of them or none.

    `revision` is the one the member's page started from, so that two windows do not overwrite each other; the same
    changes again are harmless. Raises Refused `sheet_not_draft`, `sheet_saved_elsewhere`, and E-69 for what the
    document does not allow.
    """
    if sheet.state is not SheetState.DRAFT:
        raise Refused("sheet_not_draft", seat=sheet.seat, state=sheet.state.value)
    marks = dict(sheet.marks)
    items, bids = {item.id: item for item in sheet.items}, frozenset(sheet.bids)
    for (bid, item), hundredths in changes.items():
        if bid not in bids:
            raise Refused("mark_for_unknown_bid", expert=str(sheet.seat), bid=bid[:40], item=item[:40])
        if item not in items:
            raise Refused("item_not_in_document", rule="E-69", item=item[:40])
        if hundredths is None:
            marks.pop((bid, item), None)
        else:
            marks[bid, item] = check_mark(items[item], bid, hundredths)
    if marks == sheet.marks:
        return sheet
    if revision != sheet.revision:
        raise Refused("sheet_saved_elsewhere", seat=sheet.seat, revision=revision, saved=sheet.revision)
    return replace(sheet, marks=marks, revision=sheet.revision + 1, saved_at=now)


def check_mark(item: Item, bid: str, hundredths: int) -> int:
    """Return `hundredths` when the document allows it for this item. Raises Refused under E-69."""
    if not 0 <= hundredths <= item.max_hundredths:
        most = scores_file.two_places(item.max_hundredths)
        raise Refused("mark_outside_the_range", rule="E-69", bid=bid, item=item.id, most=most)
    if hundredths % item.step_hundredths:
        step = scores_file.two_places(item.step_hundredths)
        raise Refused("mark_off_the_step", rule="E-69", bid=bid, item=item.id, step=step)
    return hundredths


def sign(sheet: Sheet) -> Sheet:
    """The member signs a complete sheet. Raises Refused `sheet_not_draft`, `sheet_incomplete`."""
    if sheet.state is not SheetState.DRAFT:
        raise Refused("sheet_not_draft", seat=sheet.seat, state=sheet.state.value)
    if missing := sheet.missing():
        bid, item = missing[0]
        raise Refused("sheet_incomplete", seat=sheet.seat, missing=len(missing), bid=bid, item=item)
    return replace(sheet, state=SheetState.SIGNED)


def take_back(sheet: Sheet) -> Sheet:
    """A signed sheet becomes a draft again, as long as it is not locked. Raises Refused `sheet_locked`."""
    if sheet.state is not SheetState.SIGNED:
        raise Refused("sheet_locked" if sheet.state is SheetState.LOCKED else "sheet_not_signed", seat=sheet.seat)
    return replace(sheet, state=SheetState.DRAFT)


def lock(sheet: Sheet, *, salt: bytes) -> Locked:
    """Lock a signed sheet with 32 fresh bytes. Raises Refused `sheet_not_signed`, `sheet_locked`."""
    assert len(salt) == SALT_BYTES, "a short salt lets the marks be guessed from the commitment"
    if sheet.state is not SheetState.SIGNED:
        raise Refused("sheet_locked" if sheet.state is SheetState.LOCKED else "sheet_not_signed", seat=sheet.seat)
    return Locked(replace(sheet, state=SheetState.LOCKED), salt)


def sheet_object(sheet: Sheet, *, tender_id: str) -> dict[str, Any]:
    """The sheet as it is hashed: {"tender_id","seat","items":[{"bid","item","points"}]}, ascending by bid, item."""
    rows = sorted(sheet.marks.items())
    items = [
        {"bid": bid, "item": item, "points": scores_file.two_places(hundredths)} for (bid, item), hundredths in rows
    ]
    return {"tender_id": tender_id, "seat": sheet.seat, "items": items}


def commitment(locked: Locked, *, tender_id: str) -> str:
    """H("sealbid/v1 sheet" NUL || salt || JCS(sheet)), hex: tells nothing of the marks without the salt."""
    text = jcs.dumps(sheet_object(locked.sheet, tender_id=tender_id))
    return hashlib.sha256(COMMITMENT_PREFIX + locked.salt + text).hexdigest()


def committed(members: panel.Panel, commitments: Mapping[int, tuple[str, str]]) -> dict[str, Any]:
    """The fields of `scores_committed`, once every seat has locked; `commitments` = seat → (masked, commitment).

    Raises Refused `scores_not_all_locked`, and E-67 for a sheet of who was replaced.
    """
    if missing := [held.seat for held in members.seats if held.seat not in commitments]:
        raise Refused("scores_not_all_locked", seats=missing)
    rows = []
    for seat, (masked, held_commitment) in sorted(commitments.items()):
        panel.require_current(members, seat, masked)
        rows.append({"seat": seat, "masked": masked, "commitment": held_commitment})
    return {"commitments": rows}


def require_visible(viewer_seat: int | None, sheet: Sheet, *, act: Mapping[str, Any] | None) -> Sheet:
    """Return the sheet to its own member at any time, to anybody else only once `scores_committed` is in the ledger.

    `viewer_seat` is None for who holds no seat. Raises Refused `scores_hidden_until_all_lock`.
    """
    if viewer_seat != sheet.seat and act is None:
        raise Refused("scores_hidden_until_all_lock", seat=sheet.seat)
    return sheet


def reveal(act: Mapping[str, Any], sheets: Sequence[Locked], *, tender_id: str) -> Revealed:
    """Open all sheets against the commitments of `scores_committed`; bids and items must be the same on each.

    Raises Refused `sheet_differs_from_commitment` naming the seat, `scores_not_all_locked`.
    """
    by_seat = {locked.sheet.seat: locked for locked in sheets}
    rows = act["commitments"]
    if missing := [row["seat"] for row in rows if row["seat"] not in by_seat]:
        raise Refused("scores_not_all_locked", seats=missing)
    assert len(by_seat) == len(rows) == len(sheets), "one sheet per seat"
    shown: list[dict[str, Any]] = []
    marks: list[Mark] = []
    for row in sorted(rows, key=lambda each: int(each["seat"])):
        locked = by_seat[row["seat"]]
        same = locked.sheet.masked == row["masked"]
        if not same or commitment(locked, tender_id=tender_id) != row["commitment"]:
            raise Refused("sheet_differs_from_commitment", seat=row["seat"])
        written = sheet_object(locked.sheet, tender_id=tender_id)
        shown.append({"seat": row["seat"], "masked": row["masked"], "salt": locked.salt.hex(), "sheet": written})
        marks.extend(Mark(str(row["seat"]), bid, item, value) for (bid, item), value in _ordered(locked.sheet))
    return Revealed(tuple(marks), shown)


def objective_differences(sheets: Sequence[Sheet]) -> tuple[tuple[str, str], ...]:
    """(bid, item) of objective items on which members differ: an error of fact to be corrected before the lock.

    Only the place is told, never a value, so that the flag may be shown before anybody's marks are.
    """
    found: set[tuple[str, str]] = set()
    for first, second in pairwise(sheets):
        for item in (each for each in first.items if each.objective):
            for bid in first.bids:
                if first.marks.get((bid, item.id)) != second.marks.get((bid, item.id)):
                    found.add((bid, item.id))
    return tuple(sorted(found))


def _ordered(sheet: Sheet) -> list[tuple[tuple[str, str], int]]:
    return sorted(sheet.marks.items())
