"""The trading centre's desk: Today, the queue of entries, rooms and slots, what was seen at the venue, archive, people.

39号令 §4, 条例 §5: the centre serves; there is no verb of judging here, and what it may do names a power in force
(没有编码的行政权力一律不得实施). Registration and the register of experts stand in people_pages.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, FromQuery

from crypto.refusal import Refused
from storage.ports import In
from storage.unit import Unit
from storage.world import instant, stamp
from trading import calendar, lifecycle, powers, retention, tenders
from trading.centre import people_pages, rooms, today, trustee_pages
from trading.centre.rooms import Room
from trading.counter.page import doing, forms, language
from trading.counter.page.forms import Field, Filled
from trading.counter.page.pages import Link, Pages, Requested
from trading.counter.page.session import Visitor
from trading.counter.verbs import Verb
from trading.desk import notices, reading
from trading.desk import pages as desk
from trading.desk.drafts import checking
from trading.roles import Permission
from trading.tender import from_json
from trading.verbs import CENTRE

TEMPLATES = Path(__file__).parent / "templates"
NAV = (
    Link("/centre", "今日", "Today"),
    Link("/centre/entries", "进场登记", "Entries"),
    Link("/centre/rooms", "场地", "Rooms"),
    Link("/centre/archive", "档案", "Archive"),
    Link("/centre/organisations", "主体与人员", "Organisations and people"),
    Link("/centre/experts", "专家库", "Experts"),
    Link("/centre/trustees", "受托人", "Trustees"),
)
PURPOSES = (("opening", "开标", "opening"), ("evaluation", "评标", "evaluation"), ("other", "其他", "other"))
ROOM = (
    Field("name", "房间", "Room", max=40),
    Field("purpose", "用途", "Use", "choice", choices=PURPOSES),
    Field("seats", "座位", "Seats", "number", min=1, max=2000),
)
STAGES = (
    ("opening", "开标", "opening"),
    ("draw", "专家抽取", "draw of experts"),
    ("evaluation", "评标", "evaluation"),
    ("other", "其他", "other"),
)
DAYS_SHOWN = 14
ARCHIVE_MAX = 200


def power_field(permission: Permission, role: str, today_: date) -> Field:
    """The choice of the power exercised, from the list in force today."""
    listed = [
        one for one in powers.load() if permission in one.permissions and role in one.holders and one.in_force(today_)
    ]
    choices = [(one.code, f"{one.code} {one.name_zh}", f"{one.code} {one.name_en}") for one in listed]
    return Field(
        "power",
        "行使的权力编码",
        "Power exercised",
        "choice",
        choices=choices,
        rule="; ".join(one.legal_basis for one in listed),
    )


def routes(pages: Pages, *, experts: Sequence[Verb]) -> list[Any]:
    """The handlers of the centre. `experts` holds the verb that imports the register of experts."""
    service = pages.service
    database, world = service.database, service.world
    verbs = {verb.permission: verb for verb in (*CENTRE, *experts) if verb.permission is not None}
    pages.environment.filters["marked"] = desk.marked

    def powered(visitor: Visitor, permission: Permission) -> Field:
        return power_field(permission, visitor.actor.role.value, calendar.legal_day(world.now()))

    @get("/centre")
    async def home(request: Requested) -> Response[str]:
        visitor = await pages.visitor(request)
        now = world.now()

        async def read(unit: Unit) -> dict[str, Any]:
            midnight = calendar.end_of(calendar.legal_day(now))
            start = calendar.start_of(calendar.legal_day(now))
            return {
                "today": await today.look(unit, now=now),
                "entries": await today.entries(unit),
                "slots": await rooms.slots(unit, since=start, until=midnight),
            }

        return pages.show(
            request, "centre_today.html", visitor=visitor, **await database.read(read, bearer=visitor.token)
        )

    @get("/centre/entries")
    async def queue(request: Requested) -> Response[str]:
        visitor = await pages.visitor(request)
        waiting = await database.read(today.entries, bearer=visitor.token)
        return pages.show(request, "centre_entries.html", visitor=visitor, entries=waiting)

    @get("/centre/entries/{code:str}")
    async def entry(request: Requested, code: FromPath[str]) -> Response[str]:
        visitor = await pages.visitor(request)
        field = powered(visitor, Permission.ENTRY_ACCEPT)
        first = {"power": field.choices[0][0]} if field.choices else {}
        return await _entry(request, visitor, code, forms.blank((field,), first))

    @post("/centre/entries/{code:str}", status_code=200)
    async def accept(request: Requested, code: FromPath[str]) -> Response[str]:
        visitor = await pages.visitor(request)
        filled = await forms.read(request, (powered(visitor, Permission.ENTRY_ACCEPT),))
        if filled.ok:
            try:
                return await doing.act(
                    pages,
                    request,
                    visitor,
                    verbs[Permission.ENTRY_ACCEPT],
                    {"entry": code, **filled.values},
                    then="/centre/entries",
                    zh="已登记并赋码,招标人可以签名发布。",
                    en="Registered with its codes; the owner may sign and publish.",
                )
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
        return await _entry(request, visitor, code, filled, status=422)

    async def _entry(
        request: Requested, visitor: Visitor, code: str, filled: Filled, *, status: int = 200
    ) -> Response[str]:
        row = await database.read(lambda unit: unit.project.read(code), bearer=visitor.token)
        if row is None or not code.startswith("entry-"):
            raise Refused("entry_unknown", entry=code)
        document, _ = checking.read_document(row["body"]["document"])
        assert document is not None, "an entry was a whole document"
        sections = notices.sections(document, row["body"]["documents"], language.of(request.scope))
        return pages.show(
            request,
            "centre_entry.html",
            visitor=visitor,
            status=status,
            entry={"entry": code, **row["body"]},
            document=document,
            sections=sections,
            filled=filled,
        )

    @get("/centre/rooms")
    async def all_rooms(request: Requested, start: FromQuery[str] = "") -> Response[str]:
        visitor = await pages.visitor(request)
        return await _rooms(request, visitor, forms.blank(ROOM), None, start=start)

    @post("/centre/rooms", status_code=200)
    async def new_room(request: Requested) -> Response[str]:
        visitor = await pages.visitor(request)
        await doing.check_csrf(request, visitor)
        filled = await forms.read(request, ROOM)
        if filled.ok:
            try:
                room = Room(filled.values["name"], filled.values["purpose"], filled.values["seats"])
                await database.write(lambda unit: rooms.add_room(unit, room), bearer=visitor.token)
                return pages.go(request, "/centre/rooms", zh="房间已登记。", en="The room is there.")
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
        return await _rooms(request, visitor, filled, None, status=422)

    @post("/centre/rooms/slots", status_code=200)
    async def new_slot(request: Requested) -> Response[str]:
        visitor = await pages.visitor(request)
        await doing.check_csrf(request, visitor)
        gone = str((await request.form()).get("free") or "")
        if gone:
            id_, _, begins = gone.partition(" ")
            await database.write(lambda unit: rooms.free(unit, id_, begins), bearer=visitor.token)
            return pages.go(request, "/centre/rooms", zh="已释放。", en="Given up.")
        known = await database.read(rooms.rooms, bearer=visitor.token)
        filled = await forms.read(request, _slot_fields(known))
        if filled.ok:
            value = filled.values

            async def take(unit: Unit) -> None:
                told = {name: value.get(name) or "" for name in ("room", "lot", "purpose", "start", "end", "note")}
                await rooms.book(unit, entropy=world.entropy, **told)

            try:
                await database.write(take, bearer=visitor.token)
                return pages.go(request, f"/centre/rooms?start={value['start'][:10]}", zh="场地已预订。", en="Booked.")
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
        return await _rooms(request, visitor, forms.blank(ROOM), filled, status=422)

    async def _rooms(
        request: Requested, visitor: Visitor, filled: Filled, slot: Filled | None, *, start: str = "", status: int = 200
    ) -> Response[str]:
        try:
            first = calendar.start_of(date.fromisoformat(start)) if start else None
        except (ValueError, OverflowError):
            first = None
        first = first or calendar.start_of(calendar.legal_day(world.now()))

        async def read(unit: Unit) -> dict[str, Any]:
            known = await rooms.rooms(unit)
            taken = await rooms.slots(unit, since=first, until=first + timedelta(days=DAYS_SHOWN))
            names = {one.lot: (await tenders.load(unit, one.lot)).tender.name for one in taken if one.lot}
            return {"rooms": known, "slots": taken, "names": names}

        told = await database.read(read, bearer=visitor.token)
        slot = slot or forms.blank(_slot_fields(told["rooms"]))
        days = [first + timedelta(days=number) for number in range(DAYS_SHOWN)]
        by_day = [(calendar.legal_day(day), [one for one in told["slots"] if _on(one, day)]) for day in days]
        return pages.show(
            request,
            "centre_rooms.html",
            visitor=visitor,
            status=status,
            filled=filled,
            slot=slot,
            by_day=by_day,
            back=calendar.legal_day(first - timedelta(days=DAYS_SHOWN)).isoformat(),
            on=calendar.legal_day(first + timedelta(days=DAYS_SHOWN)).isoformat(),
            purposes={value: (zh, en) for value, zh, en in PURPOSES},
            **told,
        )

    @get("/centre/lots/{code:str}")
    async def one_lot(request: Requested, code: FromPath[str]) -> Response[str]:
        visitor = await pages.visitor(request)
        return await _lot(request, visitor, code, None)

    @post("/centre/lots/{code:str}", status_code=200)
    async def record(request: Requested, code: FromPath[str]) -> Response[str]:
        visitor = await pages.visitor(request)
        filled = await forms.read(request, _record_fields(visitor))
        if filled.ok:
            try:
                return await doing.act(
                    pages,
                    request,
                    visitor,
                    verbs[Permission.VENUE_RECORD],
                    {"lot": code, **filled.values},
                    then=f"/centre/lots/{code}",
                    zh="见证记录已记入账本。",
                    en="The record is in the ledger.",
                )
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
        return await _lot(request, visitor, code, filled, status=422)

    def _record_fields(visitor: Visitor) -> tuple[Field, ...]:
        return (
            Field("stage", "环节", "Stage", "choice", choices=STAGES),
            Field("text", "所见情况", "What was seen", "area", rows=5, max=8000, rule="20号令 §49"),
            powered(visitor, Permission.VENUE_RECORD),
        )

    async def _lot(
        request: Requested, visitor: Visitor, code: str, filled: Filled | None, *, status: int = 200
    ) -> Response[str]:
        now = world.now()

        async def read(unit: Unit) -> dict[str, Any]:
            held = await tenders.load(unit, code)
            lot = await reading.whole(unit, held.tender, now=now, answers=False)
            seen = []
            for row in await unit.event.find({"lot": code, "kind": "venue_record"}, order=("at",)):
                text = msgspec.json.decode((await unit.object.read(code, row["body"]["text_hash"]) or {})["data"])[
                    "text"
                ]
                seen.append({"at": row["at"], "stage": row["body"]["stage"], "text": text, "leaf": row["leaf_hash"]})
            return {"lot": lot, "seen": seen}

        told = await database.read(read, bearer=visitor.token)
        field = _record_fields(visitor)
        first = {"power": field[2].choices[0][0]} if field[2].choices else {}
        stages = {value: (zh, en) for value, zh, en in STAGES}
        return pages.show(
            request,
            "centre_lot.html",
            visitor=visitor,
            status=status,
            filled=filled or forms.blank(field, first),
            stages=stages,
            period=retention.of(region=told["lot"].tender.region, market=told["lot"].tender.market),
            **told,
        )

    @get("/centre/archive")
    async def archive(request: Requested, q: FromQuery[str] = "") -> Response[str]:
        visitor = await pages.visitor(request)

        async def read(unit: Unit) -> list[dict[str, Any]]:
            ended = tuple(state.value for state in today.ENDED)
            rows = await unit.tender.find({"state": In(ended)}, order=("-deadline",), limit=ARCHIVE_MAX)
            found = []
            for row in rows:
                tender = from_json(row["body"]["tender"])
                if q.strip().lower() not in f"{tender.name} {tender.lot}".lower():
                    continue
                period = retention.of(region=tender.region, market=tender.market)
                ended_at = tender.contracted_at or tender.deadline
                found.append(
                    {
                        "tender": tender,
                        "state": lifecycle.at_instant(tender, world.now()).state.value,
                        "until": stamp(period.end(ended_at)),
                        "article": period.article,
                        "years": period.years,
                    }
                )
            return found

        lots = await database.read(read, bearer=visitor.token)
        return pages.show(request, "centre_archive.html", visitor=visitor, lots=lots, q=q)

    return [
        home,
        queue,
        entry,
        accept,
        all_rooms,
        new_room,
        new_slot,
        one_lot,
        record,
        archive,
        *people_pages.routes(pages, verbs, powered),
        *trustee_pages.routes(pages, powered),
        *doing.signing(pages, (*CENTRE, *experts)),
    ]


def _slot_fields(known: Sequence[Room]) -> tuple[Field, ...]:
    choices = [(one.name, one.name, one.name) for one in known]
    return (
        Field("room", "房间", "Room", "choice", choices=choices),
        Field("lot", "标段编号", "Lot", required=False, max=40),
        Field("purpose", "用途", "Use", "choice", choices=PURPOSES),
        Field("start", "开始", "From", "instant"),
        Field("end", "结束", "To", "instant"),
        Field("note", "备注", "Note", required=False, max=200),
    )


def _on(slot: rooms.Slot, day: datetime) -> bool:
    return instant(slot.start) < day + timedelta(days=1) and instant(slot.end) > day
