"""What may be read of a panel: one's own invitations, the room from within, the table once it is published.

Rules upheld: before sign-in an expert learns neither lot nor owner (E-65); nobody is shown anybody else's marks before
`scores_locked`, whatever the role (I12): the only marks in this file are those of the asker's own sheet; names are told
within the panel, and only once everybody signed in.
"""

from __future__ import annotations

from typing import Any

import msgspec

from crypto.refusal import Refused
from experts import panel, room, scores_file
from experts.commands import review, scoring
from experts.due import reporting
from experts.panel import SeatState
from experts.room import Opened, Seat
from experts.sheets import Sheet
from storage.unit import Unit
from trading import results, tenders
from trading.roles import PANEL, Actor
from trading.tender import Tender

LOTS_LOOKED_AT = 200


async def own(unit: Unit, *, actor: Actor) -> list[dict[str, Any]]:
    """The seats of the asker, newest first: {"invitation","state","answer_until","zh","en"}; signed in also "lot",
    "name","seat". Raises Refused("permission_denied") for who is never on a panel."""
    _must_be_member(actor)
    notices = await unit.inbox.find({"person": actor.person}, order=("-created",), limit=LOTS_LOOKED_AT)
    told = []
    for notice in notices:
        if notice["body"]["what"] != "invitation":
            continue
        events = await unit.event.find({"leaf_hash": notice["body"]["leaf"]}, limit=1)
        opened = await room.find(unit, events[0]["lot"]) if events else None
        seat = _seat_by(opened, notice["body"]["leaf"], actor)
        told.append(await _invitation(unit, notice["body"]["leaf"], opened, seat))
    return told


async def inside(unit: Unit, lot: str, *, actor: Actor) -> dict[str, Any]:
    """The room as a signed-in member sees it: bids, items, own sheet, motions, questions, the report to sign.

    Raises Refused: permission_denied, draw_not_requested, not_on_this_panel (E-65), conclusions_void (E-67),
    expert_not_signed_in.
    """
    _must_be_member(actor)
    opened = await room.load(unit, lot)
    seat = room.seat_of(opened.room, actor)
    tender = (await tenders.load(unit, lot)).tender
    document = await tenders.terms(unit, tender)
    sheet = await scoring.sheet_of(unit, tender, opened, seat, await unit.sheet.read(lot, scoring.row_of(seat)))
    record = await review.record_of(unit, tender)
    return {
        "lot": lot,
        "name": tender.name,
        "state": tender.state.value,
        "seat": seat.seat,
        "members": await _members(unit, opened, actor),
        "bids": [_without_secrets(row) for row in record.values()],
        "items": [msgspec.to_builtins(item) for item in document.items],
        "requirements": [msgspec.to_builtins(each) for each in document.requirements],
        "sheet": _shown(sheet),
        "motions": [_motion(each, opened) for each in opened.room.motions],
        "questions": [await _question(unit, lot, each) for each in opened.room.questions],
        "report": await _report(unit, tender, opened),
    }


async def table(unit: Unit, lot: str) -> dict[str, Any]:
    """The table as published. Raises Refused("scores_hidden_until_all_lock") before `scores_locked`."""
    tender = (await tenders.load(unit, lot)).tender
    try:
        act = await results.act_of(unit, tender, "scores_locked")
    except Refused as refused:
        raise Refused("scores_not_published", rule="E-69", state=tender.state.value) from refused
    published: dict[str, Any] = await tenders.object_json(unit, lot, act["table_hash"])
    return {"lot": lot, **published}


async def unmasking(unit: Unit, lot: str) -> list[dict[str, str]]:
    """[{"masked","salt","expert"}] of whoever held a drawn seat or was passed over, ascending: for the full bundle,
    whose exporter has judged who asks."""
    opened = await room.load(unit, lot)
    masks = {masked: held for attempt in opened.room.attempts for masked, held in attempt.masks.items()}
    rows = await unit.event.find({"lot": lot, "kind": "draw_result"})
    shown = {masked for row in rows for masked in row["body"]["avoided"]}
    shown |= {seat["masked"] for row in rows for seat in row["body"]["seats"]}
    for row in await unit.event.find({"lot": lot, "kind": "recusal"}):
        shown |= {row["body"]["in"], row["body"]["out"], *row["body"]["avoided"]}
    return [{"masked": one, "salt": masks[one][1], "expert": masks[one][0]} for one in sorted(shown)]


def _must_be_member(actor: Actor) -> None:
    if actor.role not in PANEL:
        raise Refused("permission_denied", permission="experts.sign_in", role=actor.role.value)


def _seat_by(opened: Opened | None, invitation: str, actor: Actor) -> Seat | None:
    seats = opened.room.seats if opened else ()
    return next((each for each in seats if each.invitation == invitation and each.person == actor.person), None)


async def _invitation(unit: Unit, leaf: str, opened: Opened | None, seat: Seat | None) -> dict[str, Any]:
    if seat is None or opened is None:
        return {"invitation": leaf, "state": "over"}
    told: dict[str, Any] = {
        "invitation": leaf,
        "state": seat.state.value,
        "answer_until": seat.answer_until,
        "zh": seat.zh,
        "en": seat.en,
    }
    if seat.state is SeatState.SIGNED_IN:
        tender = (await tenders.load(unit, opened.room.lot)).tender
        told |= {"lot": tender.lot, "name": tender.name, "seat": seat.seat}
    return told


async def _members(unit: Unit, opened: Opened, actor: Actor) -> list[dict[str, Any]]:
    """Seats, with names once everybody is here."""
    members = opened.room.panel()
    names = panel.names(members, actor.role, result_fixed=False) if panel.complete(members) else {}
    told = []
    for each in opened.room.seats:
        person = await unit.person.read(each.person) if each.seat in names else None
        told.append({"seat": each.seat, "state": each.state.value, "name": person["body"]["name"] if person else None})
    return told


def _without_secrets(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "secrets"}


def _shown(sheet: Sheet) -> dict[str, Any]:
    marks = [
        {"bid": bid, "item": item, "points": scores_file.two_places(value)}
        for (bid, item), value in sorted(sheet.marks.items())
    ]
    missing = len(sheet.missing())
    return {"state": sheet.state.value, "revision": sheet.revision, "marks": marks, "missing": missing}


def _motion(motion: room.Motion, opened: Opened) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(motion)
    counted = {"in_favour": sum(motion.votes.values()), "members": room.members_of(opened.room)}
    return {name: value for name, value in plain.items() if name != "votes"} | counted


async def _question(unit: Unit, lot: str, question: room.Question) -> dict[str, Any]:
    replies = [(await tenders.object_json(unit, lot, name))["text"] for name in question.replies]
    told = ("id", "bid", "ground", "place", "text", "answer_until")
    return {name: getattr(question, name) for name in told} | {"asked": question.asked is not None, "replies": replies}


async def _report(unit: Unit, tender: Tender, opened: Opened) -> dict[str, Any] | None:
    """What a member signs, once it is composed; the stances of the others stand in the report when it is handed in."""
    if opened.room.report_salt is None:
        return None
    composed = await reporting.compose(unit, tender, opened)
    return {
        "verdict": composed.verdict.value,
        "ranking": [{"rank": row.rank, "bid": row.bid, "total": row.total} for row in composed.ranking],
        "candidates": [row.bid for row in composed.candidates],
        "signed": sorted(composed.signatures),
    }
