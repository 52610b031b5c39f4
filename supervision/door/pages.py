"""The supervisor's door: all tenders at a glance, one tender's story, its trail, its bundles, and directives.

法 §7; 20号令 §48, §49, §52. A supervisor reads and directs, and changes nothing otherwise; every reading of a trail or
a full bundle names a power and is itself recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Stream

from bidding.opening_keys import Desk
from crypto.refusal import Refused
from storage.unit import Unit
from storage.world import stamp
from supervision import bundle, story, trail
from supervision.door import verdict
from supervision.door.routes import trail_file
from supervision.verbs import VERBS
from trading import powers, queries
from trading.calendar import legal_day
from trading.counter import identity
from trading.counter.page import doing, forms, language
from trading.counter.page.forms import Field, Filled
from trading.counter.page.pages import Pages, Requested
from trading.counter.page.session import Visitor
from trading.counter.page.terms import ACTS
from trading.counter.verbs import Verb
from trading.desk import tasks
from trading.papers import papers
from trading.roles import Permission

TEMPLATES = Path(__file__).parent / "templates"
STORY = Path(__file__).parent / "story.typ"
BY_PERMISSION: Mapping[Permission | None, Verb] = {verb.permission: verb for verb in VERBS}
ROWS_SHOWN = 500

WHAT = (
    ("suspend", "暂停", "suspend"),
    ("resume", "恢复", "resume"),
    ("provide", "提供资料", "provide information"),
    ("correct", "限期改正", "correct"),
    ("redraw", "重新抽取专家", "draw the panel again"),
)


def routes(pages: Pages, room: Desk | bundle.Room | None) -> list[Any]:
    """The handlers of the supervisor's door; `room` is needed for full bundles only."""
    service = pages.service
    database, world = service.database, service.world

    def choices(visitor: Visitor, permission: Permission) -> list[tuple[str, str, str]]:
        """The powers in force that this visitor may name for a verb."""
        today = legal_day(world.now())
        return [
            (one.code, f"{one.code} {one.name_zh}", f"{one.code} {one.name_en}")
            for one in powers.load()
            if visitor.actor.role.value in one.holders and permission.value in one.permissions and one.in_force(today)
        ]

    def receiving(visitor: Visitor) -> tuple[Field, ...]:
        mine = choices(visitor, Permission.REPORT_RECEIVE)
        return (Field("received_under", "行使的权力", "Power exercised", "choice", choices=mine, rule="法 §47"),)

    def directive(visitor: Visitor) -> tuple[Field, ...]:
        return (
            Field("what", "指令", "Directive", "choice", choices=WHAT, rule="20号令 §52"),
            Field("reason", "理由(将公开)", "Reason (will be public)", "area", max=4000),
            Field(
                "power",
                "行使的权力",
                "Power exercised",
                "choice",
                choices=choices(visitor, Permission.DIRECTIVE_ISSUE),
                hint=("没有编码的行政权力一律不得实施。", "No code, no act."),
            ),
        )

    @get("/watch")
    async def home(request: Requested, q: FromQuery[str] = "") -> Response[str]:
        visitor = await pages.visitor(request)
        now = world.now()

        async def look(unit: Unit) -> list[dict[str, Any]]:
            told = await queries.lots(unit, state=None, q=q, now=now)
            for one in told:
                owed = (await queries.timeline(unit, one["lot"], now=now))["owed"]
                one["next"] = min(owed, key=lambda each: str(each["until"])) if owed else None
                one["late"] = sum(each["until"] < stamp(now) for each in owed)
            return told

        lots = await database.read(look, bearer=visitor.token)
        return pages.show(request, "watch_home.html", visitor=visitor, lots=lots, q=q, clock_words=tasks.CLOCK_WORDS)

    async def tender_page(
        request: Requested,
        visitor: Visitor,
        lot: str,
        *,
        status: int = 200,
        filled: Filled | None = None,
        receive: Filled | None = None,
        judged: verdict.Verdict | None = None,
    ) -> Response[str]:
        report = await database.read(lambda unit: _report(unit, lot), bearer=visitor.token)
        under = choices(visitor, Permission.REPORT_RECEIVE)
        first = {"received_under": under[0][0]} if len(under) == 1 else {}
        told = await database.read(lambda unit: queries.lot(unit, lot, now=world.now()), bearer=visitor.token)
        line = await database.read(lambda unit: queries.timeline(unit, lot, now=world.now()), bearer=visitor.token)
        return pages.show(
            request,
            "watch_lot.html",
            visitor=visitor,
            status=status,
            lot=told,
            story=story.tell(line["acts"]),
            owed=line["owed"],
            clock_words=tasks.CLOCK_WORDS,
            report=report,
            receive=receive or forms.blank(receiving(visitor), first),
            may_receive=bool(under),
            directive=filled or forms.blank(directive(visitor)),
            may_direct=bool(choices(visitor, Permission.DIRECTIVE_ISSUE)),
            verdict=judged,
        )

    @get("/watch/lots/{lot:str}")
    async def tender(request: Requested, lot: FromPath[str]) -> Response[str]:
        return await tender_page(request, await pages.visitor(request), lot)

    @post("/watch/lots/{lot:str}/directive", status_code=200)
    async def direct(request: Requested, lot: FromPath[str]) -> Response[str]:
        visitor = await pages.visitor(request)
        filled = await forms.read(request, directive(visitor))
        if filled.ok:
            try:
                verb, fields = BY_PERMISSION[Permission.DIRECTIVE_ISSUE], {"lot": lot, **filled.values}
                then = f"/watch/lots/{lot}"
                return await doing.act(
                    pages, request, visitor, verb, fields, then=then, zh="指令已下达。", en="The directive is issued."
                )
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
        return await tender_page(request, visitor, lot, status=422, filled=filled)

    @post("/watch/lots/{lot:str}/report", status_code=200)
    async def received(request: Requested, lot: FromPath[str]) -> Response[str]:
        visitor = await pages.visitor(request)
        filled = await forms.read(request, receiving(visitor))
        if filled.ok:
            try:
                fields = {"lot": lot, "power": filled.values["received_under"]}
                verb, then = BY_PERMISSION[Permission.REPORT_RECEIVE], f"/watch/lots/{lot}"
                zh, en = "已确认收到书面报告。", "The written report is confirmed as received."
                return await doing.act(pages, request, visitor, verb, fields, then=then, zh=zh, en=en)
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
        return await tender_page(request, visitor, lot, status=422, receive=filled)

    @post("/watch/lots/{lot:str}/verify", status_code=200)
    async def verify(request: Requested, lot: FromPath[str]) -> Response[str]:
        visitor = await pages.visitor(request)
        await doing.check_csrf(request, visitor)
        full = (await request.form()).get("view") == "full"
        view: Literal["public", "full"] = "full" if full else "public"
        power = None
        if full:
            identity.must_hold(visitor.actor, Permission.FULL_BUNDLE_EXPORT)
            mine = choices(visitor, Permission.FULL_BUNDLE_EXPORT)
            power = mine[0][0] if mine else None
        judged = await verdict.of(
            service, lot, view, visitor=visitor, power=power, rehearsal=pages.sign.rehearsal, room=room
        )
        return await tender_page(request, visitor, lot, judged=judged)

    @get("/watch/lots/{lot:str}/story.pdf")
    async def paper(request: Requested, lot: FromPath[str]) -> Response[bytes]:
        visitor = await pages.visitor(request)
        told = await database.read(lambda unit: queries.lot(unit, lot, now=world.now()), bearer=visitor.token)
        line = await database.read(lambda unit: queries.timeline(unit, lot, now=world.now()), bearer=visitor.token)
        lang = language.of(request.scope)
        steps = [
            [plain(lang, one.at), one.words[0 if lang == "zh" else 1], one.rule or "", one.leaf[:16]]
            for one in story.tell(line["acts"])
        ]
        data = {
            "lang": lang,
            "title": told["name"],
            "hall": pages.sign.name,
            "rehearsal": pages.sign.rehearsal,
            "printed": plain(lang, stamp(world.now())),
            "code": lot,
            "leaf": line["acts"][-1]["leaf"],
            "steps": steps,
        }
        made = await papers.made(STORY, data)
        headers = {"content-disposition": f'attachment; filename="{lot}-story.pdf"'}
        return Response(made, media_type="application/pdf", headers=headers)

    @get("/watch/lots/{lot:str}/trail")
    async def audit(
        request: Requested,
        lot: FromPath[str],
        person: FromQuery[str] = "",
        kind: FromQuery[str] = "",
        since: FromQuery[str] = "",
        until: FromQuery[str] = "",
    ) -> Response[str]:
        visitor = await pages.visitor(request)
        identity.must_hold(visitor.actor, Permission.TRAIL_READ)
        given = {"person": person, "kind": kind, "since": since, "until": until}
        filled = _filter(given)
        rows: list[dict[str, Any]] = []
        if filled.ok:
            query = {"person": person or None, "kind": kind or None}
            wanted = trail.Filter.of({**query, "from": filled.values["since"], "to": filled.values["until"]})
            mine = choices(visitor, Permission.TRAIL_READ)
            power = mine[0][0] if mine else None
            rows = await trail.read(
                service, lot, wanted, actor=visitor.actor, power=power, now=world.now(), bearer=visitor.token
            )
        told = await database.read(lambda unit: queries.lot(unit, lot, now=world.now()), bearer=visitor.token)
        export = [("from", filled.values.get("since")), ("to", filled.values.get("until"))]
        return pages.show(
            request,
            "watch_trail.html",
            visitor=visitor,
            lot=told,
            rows=rows[:ROWS_SHOWN],
            n=len(rows),
            filled=filled,
            columns=trail.COLUMNS,
            export=[(name, text) for name, text in (("person", person), ("kind", kind), *export) if text],
        )

    @get("/watch/lots/{lot:str}/trail/{form:str}")
    async def exported(
        request: Requested,
        lot: FromPath[str],
        form: FromPath[Literal["jsonl", "xlsx"]],
        person: FromQuery[str | None] = None,
        kind: FromQuery[str | None] = None,
        since: Annotated[str | None, QueryParameter(name="from")] = None,
        until: Annotated[str | None, QueryParameter(name="to")] = None,
    ) -> Stream:
        visitor = await pages.visitor(request)
        identity.must_hold(visitor.actor, Permission.TRAIL_READ)
        mine = choices(visitor, Permission.TRAIL_READ)
        query = {"person": person, "kind": kind, "from": since, "to": until}
        wanted, power = trail.Filter.of(query), mine[0][0] if mine else None
        return await trail_file(service, lot, form, wanted, actor=visitor.actor, power=power, bearer=visitor.token)

    return [home, tender, direct, received, verify, paper, audit, exported, *doing.signing(pages, VERBS)]


FILTER = (
    Field("person", "人员", "Person", required=False),
    Field(
        "kind",
        "事项",
        "Kind",
        "choice",
        required=False,
        choices=[(name, zh, en) for name, (zh, en) in ACTS.items()],
    ),
    Field("since", "自", "From", "instant", required=False),
    Field("until", "至", "Until", "instant", required=False),
)


async def _report(unit: Unit, lot: str) -> dict[str, str] | None:
    """The owner's written report (法 §47): when it came, its hash, and when it was confirmed; None before it came."""
    reports = await unit.event.find({"lot": lot, "kind": "regulator_report"}, order=("at", "id"))
    if not reports:
        return None
    last = reports[-1]
    confirmed = await unit.event.find({"lot": lot, "kind": "report_received"}, order=("at", "id"))
    mine = [row for row in confirmed if row["body"]["report"] == last["leaf_hash"]]
    return {"at": last["at"], "hash": last["body"]["hash"], "received": mine[-1]["at"] if mine else ""}


def plain(lang: language.Lang, text: str) -> str:
    """An instant as plain text of a paper."""
    return language.moment(lang, text).striptags()


def _filter(given: Mapping[str, str]) -> Filled:
    """A filter from a query: the same judging as a posted form."""
    values: dict[str, Any] = {}
    errors: dict[str, tuple[str, str]] = {}
    for one in FILTER:
        try:
            values[one.name] = forms.understood(one, given[one.name].strip())
        except forms.Defect as defect:
            errors[one.name] = defect.words
    return Filled(FILTER, given, values, errors)
