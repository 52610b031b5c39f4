"""Score sheets: range and step, autosave, commit before anybody sees, reveal against the commitments."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from crypto import lottery
from crypto.refusal import Refused
from experts import panel, scoring, sheets
from experts.panel import Held, Panel, SeatState
from experts.sheets import Item, Locked, Sheet

NOW = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
TENDER = "ab" * 32
ITEMS = (Item("plan", "施工组织设计", 2000, 50), Item("record", "类似业绩", 500, 100, objective=True))
BIDS = ("b1", "b2")
GOOD = {("b1", "plan"): 1850, ("b1", "record"): 300, ("b2", "plan"): 1600, ("b2", "record"): 500}


def masked(seat: int) -> str:
    return f"{seat:02}" * 32


def sheet(seat: int = 1) -> Sheet:
    return Sheet(seat, masked(seat), ITEMS, BIDS)


def locked(seat: int, **changes: int) -> Locked:
    filled = sheets.save(sheet(seat), GOOD, revision=0, now=NOW)
    for item, value in changes.items():
        filled = sheets.save(filled, {("b1", item): value}, revision=filled.revision, now=NOW)
    return sheets.lock(sheets.sign(filled), salt=bytes([seat]) * 32)


def members() -> Panel:
    seats = tuple(Held(seat, 0, masked(seat), SeatState.SIGNED_IN, f"Z{seat}") for seat in range(1, 6))
    return Panel(lottery.Panel((), ()), seats)


def five() -> list[Locked]:
    return [locked(seat) for seat in range(1, 6)]


def commitments(held: list[Locked]) -> dict[int, tuple[str, str]]:
    return {each.sheet.seat: (each.sheet.masked, sheets.commitment(each, tender_id=TENDER)) for each in held}


def test_items_come_from_the_tender_document() -> None:
    words = {"name": "施工组织设计", "max": "20", "step": "0.5", "kind": "subjective", "criterion": "…"}
    facts = {"code": "record", "name": "类似业绩", "max": "5.00", "step": "1", "kind": "objective", "criterion": "…"}
    assert sheets.items_of([{"code": "plan", **words}, facts]) == ITEMS


@pytest.mark.rule("E-69", "pass")
def test_marks_inside_range_and_step_are_saved() -> None:
    saved = sheets.save(sheet(), GOOD, revision=0, now=NOW)
    assert (saved.marks, saved.revision, saved.saved_at) == (GOOD, 1, NOW)
    assert saved.missing() == ()


@pytest.mark.parametrize(
    ("bid", "item", "value", "code"),
    [
        ("b1", "plan", 2050, "mark_outside_the_range"),
        ("b1", "plan", -50, "mark_outside_the_range"),
        ("b1", "plan", 1851, "mark_off_the_step"),
        ("b1", "mood", 100, "item_not_in_document"),
    ],
)
@pytest.mark.rule("E-69", "refuse")
def test_marks_the_document_does_not_allow_are_refused(bid: str, item: str, value: int, code: str) -> None:
    with pytest.raises(Refused) as err:
        sheets.save(sheet(), {**GOOD, (bid, item): value}, revision=0, now=NOW)
    assert (err.value.code, err.value.rule) == (code, "E-69")


def test_a_mark_for_a_bid_not_under_evaluation_is_refused() -> None:
    with pytest.raises(Refused) as err:
        sheets.save(sheet(), {("b9", "plan"): 50}, revision=0, now=NOW)
    assert err.value.code == "mark_for_unknown_bid"


def test_a_repeated_saving_is_harmless_and_a_stale_window_is_told() -> None:
    saved = sheets.save(sheet(), GOOD, revision=0, now=NOW)
    assert sheets.save(saved, GOOD, revision=0, now=NOW) is saved
    with pytest.raises(Refused) as err:
        sheets.save(saved, {("b1", "plan"): 0}, revision=0, now=NOW)
    assert err.value.code == "sheet_saved_elsewhere"
    cleared = sheets.save(saved, {("b1", "plan"): None}, revision=1, now=NOW)
    assert cleared.missing() == (("b1", "plan"),)


def test_an_incomplete_sheet_cannot_be_signed() -> None:
    with pytest.raises(Refused) as err:
        sheets.sign(sheets.save(sheet(), {("b1", "plan"): 50}, revision=0, now=NOW))
    assert (err.value.code, err.value.facts["missing"]) == ("sheet_incomplete", 3)


def test_signed_may_be_taken_back_locked_may_not() -> None:
    signed = sheets.sign(sheets.save(sheet(), GOOD, revision=0, now=NOW))
    with pytest.raises(Refused) as err:
        sheets.save(signed, {("b1", "plan"): 0}, revision=1, now=NOW)
    assert err.value.code == "sheet_not_draft"
    assert sheets.take_back(signed).state is sheets.SheetState.DRAFT
    final = sheets.lock(signed, salt=bytes(32)).sheet
    for change in (sheets.take_back, lambda held: sheets.lock(held, salt=bytes(32))):
        with pytest.raises(Refused) as err:
            change(final)
        assert err.value.code == "sheet_locked"
    with pytest.raises(Refused):
        sheets.save(final, {("b1", "plan"): 0}, revision=1, now=NOW)


def test_the_commitment_is_the_hash_of_the_specification() -> None:
    one = locked(1)
    rows = [
        {"bid": "b1", "item": "plan", "points": "18.50"},
        {"bid": "b1", "item": "record", "points": "3.00"},
        {"bid": "b2", "item": "plan", "points": "16.00"},
        {"bid": "b2", "item": "record", "points": "5.00"},
    ]
    text = json.dumps({"items": rows, "seat": 1, "tender_id": TENDER}, separators=(",", ":")).encode()
    by_hand = hashlib.sha256(b"sealbid/v1 sheet\x00" + bytes([1]) * 32 + text).hexdigest()
    assert sheets.commitment(one, tender_id=TENDER) == by_hand


def test_nothing_is_committed_before_the_last_seat_locks() -> None:
    held = commitments(five())
    del held[4]
    with pytest.raises(Refused) as err:
        sheets.committed(members(), held)
    assert (err.value.code, err.value.facts["seats"]) == ("scores_not_all_locked", [4])


@pytest.mark.rule("E-67", "refuse")
def test_the_sheet_of_a_replaced_member_is_not_committed() -> None:
    held = commitments(five())
    held[2] = ("ff" * 32, held[2][1])
    with pytest.raises(Refused) as err:
        sheets.committed(members(), held)
    assert (err.value.code, err.value.rule) == ("conclusions_void", "E-67")


def test_no_score_is_seen_by_another_before_all_lock() -> None:
    draft = sheet(1)
    assert sheets.require_visible(1, draft, act=None) is draft
    for viewer in (2, None):
        with pytest.raises(Refused) as err:
            sheets.require_visible(viewer, draft, act=None)
        assert err.value.code == "scores_hidden_until_all_lock"
    act = sheets.committed(members(), commitments(five()))
    assert sheets.require_visible(2, draft, act=act) is draft


def test_all_sheets_are_revealed_against_their_commitments() -> None:
    held = five()
    act = sheets.committed(members(), commitments(held))
    shown = sheets.reveal(act, list(reversed(held)), tender_id=TENDER)
    assert [row["seat"] for row in shown.sheets_object] == [1, 2, 3, 4, 5]
    assert shown.sheets_object[0]["salt"] == "01" * 32
    assert len(shown.marks) == 5 * 4
    assert scoring.Mark("3", "b1", "plan", 1850) in shown.marks


@pytest.mark.parametrize("seat", [1, 5])
def test_a_score_changed_after_the_lock_is_found(seat: int) -> None:
    held = five()
    act = sheets.committed(members(), commitments(held))
    forged: dict[tuple[str, str], int] = {**GOOD, ("b1", "plan"): 1900}
    held[seat - 1] = replace(held[seat - 1], sheet=replace(held[seat - 1].sheet, marks=forged))
    with pytest.raises(Refused) as err:
        sheets.reveal(act, held, tender_id=TENDER)
    assert (err.value.code, err.value.facts["seat"]) == ("sheet_differs_from_commitment", seat)


@pytest.mark.parametrize("forge", ["salt", "masked", "tender"])
def test_a_sheet_under_another_salt_seat_or_tender_is_found(forge: str) -> None:
    held = five()
    act: dict[str, Any] = sheets.committed(members(), commitments(held))
    tender = "cd" * 32 if forge == "tender" else TENDER
    if forge == "salt":
        held[0] = replace(held[0], salt=bytes(32))
    if forge == "masked":
        held[0] = replace(held[0], sheet=replace(held[0].sheet, masked="ee" * 32))
    with pytest.raises(Refused) as err:
        sheets.reveal(act, held, tender_id=tender)
    assert err.value.code == "sheet_differs_from_commitment"


def test_a_withheld_sheet_is_named() -> None:
    held = five()
    act = sheets.committed(members(), commitments(held))
    with pytest.raises(Refused) as err:
        sheets.reveal(act, held[:4], tender_id=TENDER)
    assert err.value.facts["seats"] == [5]


def test_differing_objective_marks_are_flagged_without_a_value() -> None:
    held = [each.sheet for each in (locked(1), locked(2, record=400), locked(3, plan=0))]
    assert sheets.objective_differences(held) == (("b1", "record"),)


@pytest.mark.rule("E-69", "refuse")
def test_an_item_whose_step_exceeds_its_maximum_is_refused() -> None:
    with pytest.raises(Refused) as err:
        Item("x", "x", 100, 200)
    assert (err.value.code, err.value.rule) == ("item_range_is_wrong", "E-69")


def test_a_panel_of_sheets_feeds_the_scoring() -> None:
    held = five()
    act = sheets.committed(members(), commitments(held))
    shown = sheets.reveal(act, held, tender_id=TENDER)
    assert panel.complete(members())
    assert {mark.expert for mark in shown.marks} == {"1", "2", "3", "4", "5"}
