"""Preparing a tender, step by step: draft, legal schedule, preview of scores, check for forbidden conditions, hand in.

Nothing here takes effect before the owner hands the document in, and nothing is public before the owner signs the
notice. Every step keeps what was typed, also what is still wrong; what the law asks is told at the field where the page
can tell, and all at once before handing in (一次性告知).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.params import FromPath

from crypto.refusal import Refused
from storage.unit import Unit
from storage.world import instant
from trading import calendar, rulebook, tenders
from trading.commands import entry
from trading.counter import files as counter_files
from trading.counter import verbs
from trading.counter.page import doing, forms, language
from trading.counter.page.forms import Field, Filled
from trading.counter.page.pages import Pages, Requested
from trading.counter.page.session import Visitor
from trading.desk import notices
from trading.desk.drafts import checking, drafting, plan, samples, steps
from trading.desk.drafts import step as steps_
from trading.desk.drafts.drafting import Kept
from trading.desk.drafts.samples import Preview
from trading.desk.drafts.step import Step
from trading.roles import Permission
from trading.rulebook import Rulebook
from trading.rules import conditions, publication
from trading.tender_document import TenderDocument
from trading.verbs import DESK

ENTER = next(verb for verb in DESK if verb.permission is Permission.TENDER_ENTER)
REASONS = (
    Field(
        "reasons",
        "对上述提示的说明",
        "Why these words do not shut anybody out",
        "area",
        required=False,
        hint=("有提示而不修改的,须说明理由;理由随草稿保存。", "Needed where a warning stands and the text stays."),
        max=2000,
    ),
)
FILES_MAX = 40
PIECE_BYTES = 1 << 20
UPLOAD_BYTES_MAX = counter_files.FILE_BYTES_MAX + (4 << 20)


def routes(pages: Pages, preview: Preview) -> list[Any]:
    """The handlers of drafts."""
    service = pages.service
    database, world, hall = service.database, service.world, service.hall

    def book() -> Rulebook:
        today = calendar.legal_day(world.now())
        return rulebook.pin(hall.rulebooks, market="construction", region=hall.region, day=today)

    @post("/desk/drafts", status_code=200)
    async def create(request: Requested) -> Response[str]:
        visitor = await pages.visitor(request)
        await doing.check_csrf(request, visitor)
        source = str((await request.form()).get("copy") or "")

        async def begin(unit: Unit) -> str:
            if source:
                held = await tenders.load(unit, source)
                if visitor.actor.organisation not in (held.tender.owner, held.tender.agent):
                    raise Refused("not_this_tender", role=visitor.actor.role.value, organisation="")
                terms = (await tenders.terms(unit, held.tender)).to_json()
                document = drafting.copied(terms, hall=hall)
            else:
                document = drafting.begin(visitor.actor, visitor.organisation, hall=hall, rulebook=book())
            return await drafting.create(unit, document, visitor.actor, now=world.now(), hall=hall)

        code = await database.write(begin, bearer=visitor.token)
        return pages.go(request, f"/desk/drafts/{code}/project", zh="草稿已建立。", en="The draft is there.")

    @get("/desk/drafts/{code:str}/{name:str}")
    async def show(request: Requested, code: FromPath[str], name: FromPath[str]) -> Response[str]:
        visitor, kept = await _load(request, code)
        step = _step(name)
        if step is steps.CHECK:
            return await _check(request, visitor, kept, forms.blank(REASONS, {"reasons": kept.reasons}))
        if step is steps.FILES:
            return _page(request, visitor, kept, step, forms.blank(()), {})
        seen = drafting.view(step, _with_days(step, kept), _planned(kept).isoformat())
        filled, counts = steps_.shown(step, seen)
        return _page(request, visitor, kept, step, filled, counts)

    @post("/desk/drafts/{code:str}/{name:str}", status_code=200, request_max_body_size=UPLOAD_BYTES_MAX)
    async def keep(request: Requested, code: FromPath[str], name: FromPath[str]) -> Response[str]:
        visitor, kept = await _load(request, code)
        await doing.check_csrf(request, visitor)
        step = _step(name)
        if step is steps.FILES:
            return await _files(request, visitor, kept)
        if step is steps.CHECK:
            return await _hand_in(request, visitor, kept)
        posted = await request.form()
        wish = str(posted.get("do") or "")
        if step is steps.SCHEDULE and wish == "earliest":
            day = forms.understood(steps.SCHEDULE.fields[0], str(posted.get("planned") or _planned(kept)))
            early = plan.proposed(date.fromisoformat(day), book())
            schedule = {**kept.document.get("schedule", {}), **early}
            await _save(visitor, kept, document={**kept.document, "schedule": schedule}, planned=day)
            return pages.go(
                request, f"/desk/drafts/{code}/schedule", zh="已填入最早的合法日期。", en="Earliest days set."
            )
        filled, counts = await steps_.read(request, step)
        after, filled = drafting.apply(step, filled, kept.document)
        if step is steps.SCHEDULE:
            filled = _lawful(filled, book())
        planned = str(filled.values.get("planned") or kept.planned)
        if wish[:5] == "more:" or wish == "preview":
            await _save(visitor, kept, document=after, planned=planned)
            return await _preview(request, visitor, kept, step, filled, counts, wish)
        await _save(visitor, kept, document=after, planned=planned)
        if not filled.ok and wish != "later":
            return _page(request, visitor, kept, step, filled, counts, status=422)
        if wish == "later":
            return pages.go(request, "/desk", zh="草稿已保存。", en="The draft is kept.")
        following = steps.STEPS[steps.STEPS.index(step) + 1]
        return pages.go(request, f"/desk/drafts/{code}/{following.name}", zh="已保存。", en="Kept.")

    async def _load(request: Requested, code: str) -> tuple[Visitor, Kept]:
        visitor = await pages.visitor(request)
        return visitor, await database.read(lambda unit: drafting.load(unit, code, visitor.actor), bearer=visitor.token)

    async def _save(visitor: Visitor, kept: Kept, **changed: Any) -> None:
        async def write(unit: Unit) -> None:
            fresh = await drafting.load(unit, kept.code, visitor.actor)
            await drafting.save(unit, fresh, visitor.actor, now=world.now(), **changed)

        await database.write(write, bearer=visitor.token)

    def _planned(kept: Kept) -> date:
        """The day of the notice that the schedule counts from: as planned, never before today."""
        today = calendar.legal_day(world.now())
        following = book().calendar.last_day_to_act(today, calendar.Span(1, "working_day"))
        return max(today, date.fromisoformat(kept.planned)) if kept.planned else following

    def _with_days(step: Step, kept: Kept) -> Mapping[str, Any]:
        schedule = kept.document.get("schedule", {})
        if step is not steps.SCHEDULE or schedule.get("deadline"):
            return kept.document
        return {**kept.document, "schedule": {**schedule, **plan.proposed(_planned(kept), book())}}

    def _lawful(filled: Filled, rules: Rulebook) -> Filled:
        """Days before the law's earliest are refused at their field, with the day that is allowed."""
        planned = filled.values.get("planned")
        today = calendar.legal_day(world.now())
        if planned is None:
            return filled
        start = date.fromisoformat(planned)
        if not today <= start <= date(today.year + 3, 1, 1):
            return filled.with_error(
                "planned", "计划发布日期不能早于今天,也不能太远。", "Not before today, nor years ahead."
            )
        for name, earliest in plan.earliest(start, rules).items():
            given = filled.values.get(f"schedule.{name}")
            if given and calendar.legal_day(instant(given)) < earliest:
                limit = {"documents_until": rules.market.document_days_min, "deadline": rules.market.tender_days_min}[
                    name
                ]
                filled = filled.with_error(
                    f"schedule.{name}",
                    f"依照{limit.article},最早为 {earliest:%Y年%-m月%-d日}(公告之日起满{limit.value}日)。",
                    f"The earliest day is {earliest:%-d %b %Y} ({limit.value} days after the notice; {limit.rule}).",
                )
        return filled

    def _page(
        request: Requested,
        visitor: Visitor,
        kept: Kept,
        step: Step,
        filled: Filled,
        counts: Mapping[str, int],
        *,
        status: int = 200,
        **facts: Any,
    ) -> Response[str]:
        shown: dict[str, Any] = {"lines": [], "sample": samples.blank(kept.document), "scored": None, **facts}
        if step is steps.SCHEDULE:
            given = str(filled.values.get("schedule.deadline") or "")
            start = date.fromisoformat(str(filled.values.get("planned") or _planned(kept)))
            first = plan.earliest(start, book())["deadline"]
            end = max(first, calendar.legal_day(instant(given))) if given else first
            days = int(filled.values.get("schedule.publicity_days") or 3)
            shown["lines"] = plan.lines(start, end, publicity_days=min(days, 365), rulebook=book())
        return pages.show(
            request,
            "desk_step.html",
            visitor=visitor,
            status=status,
            draft=kept,
            step=step,
            every=steps.STEPS,
            filled=filled,
            counts=counts,
            **shown,
        )

    async def _preview(
        request: Requested,
        visitor: Visitor,
        kept: Kept,
        step: Step,
        filled: Filled,
        counts: Mapping[str, int],
        wish: str,
    ) -> Response[str]:
        if wish != "preview":
            return _page(request, visitor, kept, step, filled, counts)
        sample = await forms.read(request, samples.FIELDS)
        scored = None
        method = drafting.method_of(filled)
        if method is None:
            sample = sample.refused(
                {"zh": "请先填完评标办法的参数。", "en": "Complete the parameters of the method first."}
            )
        elif sample.ok:
            try:
                scored = samples.score(preview, method, kept.document, sample)
            except Refused as refused:
                sample = sample.refused(pages.told(refused), refused.rule)
        return _page(request, visitor, kept, step, filled, counts, sample=sample, scored=scored)

    async def _files(request: Requested, visitor: Visitor, kept: Kept) -> Response[str]:
        posted = await request.form()
        gone = str(posted.get("do") or "")
        files = [dict(file) for file in kept.files]
        filled = forms.blank(())
        if gone.startswith("remove:"):
            files = [file for file in files if file["sha256"] != gone[7:]]
            await _save(visitor, kept, files=files)
            return pages.go(request, f"/desk/drafts/{kept.code}/files", zh="已移除。", en="Removed.")
        for given in posted.getall("files", []):
            if not isinstance(given, UploadFile) or not given.filename:
                continue
            name = given.filename.replace("\\", "/").rsplit("/", 1)[-1].strip()[:120]
            if any(file["name"] == name for file in files) or len(files) >= FILES_MAX or not name.isprintable():
                filled = filled.refused(
                    {"zh": f"{name}:同名文件已在清单中,或者文件过多。", "en": "A file of this name is there."}
                )
                continue
            try:
                digest, described = await counter_files.take(_pieces(given), blobs=service.blobs)
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
                continue
            await database.write(_keeper(digest, described), bearer=visitor.token)
            files.append({"name": name, "sha256": digest, "size": json.loads(described)["size"]})
        await _save(visitor, kept, files=files)
        if not filled.ok:
            fresh = await database.read(
                lambda unit: drafting.load(unit, kept.code, visitor.actor), bearer=visitor.token
            )
            return _page(request, visitor, fresh, steps.FILES, filled, {}, status=422)
        if gone == "later":
            return pages.go(request, "/desk", zh="草稿已保存。", en="The draft is kept.")
        to = "check" if gone == "next" else "files"
        return pages.go(request, f"/desk/drafts/{kept.code}/{to}", zh="已保存。", en="Kept.")

    async def _check(
        request: Requested, visitor: Visitor, kept: Kept, filled: Filled, *, status: int = 200
    ) -> Response[str]:
        lang = language.of(request.scope)
        document, broken = checking.read_document(kept.document)
        defects = [
            (pages.told(one), one.rule, checking.place(one))
            for one in ([broken] if broken else _defects(document, kept))
        ]
        return pages.show(
            request,
            "desk_check.html",
            visitor=visitor,
            status=status,
            draft=kept,
            step=steps.CHECK,
            every=steps.STEPS,
            filled=filled,
            defects=defects,
            findings=conditions.findings(document) if document else (),
            sections=notices.sections(document, kept.files, lang) if document else [],
            document=document,
        )

    def _defects(document: TenderDocument | None, kept: Kept) -> Sequence[Refused]:
        """What would be refused on the planned day. A rehearsal's flag is the hall's and not the owner's to set."""
        assert document is not None, "what could not be read is told first"
        at = max(world.now(), calendar.start_of(_planned(kept)))
        return publication.defects(document, now=at, rulebook=book())

    async def _hand_in(request: Requested, visitor: Visitor, kept: Kept) -> Response[str]:
        filled = await forms.read(request, REASONS)
        reasons = str(filled.values.get("reasons") or "").strip()
        document, broken = checking.read_document(kept.document)
        if broken is not None or document is None or _defects(document, kept):
            return await _check(request, visitor, kept, filled, status=422)
        if conditions.findings(document) and not reasons:
            filled = filled.with_error(
                "reasons", "请修改提示之处,或者在此说明。", "Mend what is pointed out, or say why not."
            )
            return await _check(request, visitor, kept, filled, status=422)
        await _save(visitor, kept, reasons=reasons)
        files = [entry.File(file["name"], file["sha256"], file["size"]) for file in kept.files]
        command = entry.EnterTender(document.to_json(), files)
        try:
            answer, _ = await verbs.perform(
                service, ENTER, command, actor=visitor.actor, bearer=visitor.token, key=f"hand in {kept.code}"
            )
        except Refused as refused:
            return await _check(request, visitor, kept, filled.refused(pages.told(refused), refused.rule), status=422)
        number = answer["result"]["entry"]

        async def close(unit: Unit) -> None:
            fresh = await drafting.load(unit, kept.code, visitor.actor)
            if fresh.state == drafting.DRAFT:
                handed = {"state": drafting.HANDED_IN, "entry": number, "reasons": reasons}
                await drafting.save(unit, fresh, visitor.actor, now=world.now(), **handed)

        await database.write(close, bearer=visitor.token)
        said = ("已提交进场登记,等待交易中心登记。", "Handed in; the trading centre registers it.")
        return pages.go(request, f"/desk/entries/{number}", zh=said[0], en=said[1])

    return [create, show, keep]


def _step(name: str) -> Step:
    if name not in steps.BY_NAME:
        raise Refused("not_found")
    return steps.BY_NAME[name]


def _keeper(digest: str, described: bytes) -> Any:
    async def write(unit: Unit) -> None:
        await counter_files.keep(unit, digest, described)

    return write


async def _pieces(given: UploadFile) -> AsyncIterator[bytes]:
    while piece := await given.read(PIECE_BYTES):
        yield piece
