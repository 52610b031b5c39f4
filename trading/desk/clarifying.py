"""Questions and clarifications: what bidders ask is answered to everybody at once, by an act that the owner signs.

法 §23, 条例 §21: what may affect bids is told fifteen days before the deadline, or the deadline moves; the page counts
the first lawful day with its article. 20号令 §22: it reaches everybody who downloaded. First the page shows what will
be published, with the changed words, files and deadline marked; then the owner signs.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from crypto.refusal import Refused
from storage.unit import Unit
from storage.world import instant
from trading.counter import files as counter_files
from trading.counter.page import doing, forms
from trading.counter.page.forms import Field, Filled, Upload
from trading.counter.page.pages import Pages, Requested
from trading.counter.page.session import Visitor
from trading.counter.verbs import Verb
from trading.desk import changes, reading
from trading.desk.reading import Lot
from trading.rules import schedule

AMEND = (
    Field("zh", "澄清或修改的内容", "Text of the clarification (Chinese)", "area", rows=6, max=8000),
    Field("en", "英文内容", "The same in English", "area", rows=4, required=False, max=8000),
    Field("was", "原文", "Wording before", "area", rows=2, required=False, max=4000, hint=(
        "修改招标文件某处文字时填写,公布时标出改动。", "Where a passage is changed: the change is shown marked.")),
    Field("becomes", "改为", "Wording after", "area", rows=2, required=False, max=4000),
    Field("affects_bids", "可能影响投标文件编制", "May affect how bids are prepared", "choice", choices=(
        ("yes", "是", "yes"), ("no", "否", "no")), rule="法 §23 (E-09)"),
    Field("deadline", "新的投标截止时间(不延期则留空)", "New deadline (empty if it stays)", "instant", required=False),
    Field("paper", "澄清文件", "Document", "file", required=False),
    Field("documents", "", "", "hidden", required=False, max=20_000),
)  # fmt: skip


def routes(pages: Pages, verb: Verb) -> list[Any]:
    """The handlers of clarifications; `verb` is the amendment's."""
    service = pages.service
    database, world = service.database, service.world

    @get("/desk/lots/{code:str}/questions")
    async def questions(request: Requested, code: FromPath[str]) -> Response[str]:
        visitor, lot = await _load(request, code)
        return await _show(request, visitor, lot, forms.blank(AMEND))

    @post("/desk/lots/{code:str}/questions", status_code=200)
    async def amend(request: Requested, code: FromPath[str]) -> Response[str]:
        visitor, lot = await _load(request, code)
        await doing.check_csrf(request, visitor)
        filled = await forms.read(request, AMEND)
        filled, documents = await _keep_file(filled, visitor)
        if bool(filled.values.get("was")) != bool(filled.values.get("becomes")):
            filled = filled.with_error("becomes", "原文与改为请一并填写。", "Give both wordings.")
        if filled.ok:
            try:
                affects = filled.values["affects_bids"] == "yes"
                fields: dict[str, Any] = {
                    "lot": code,
                    "text": {"zh": _text(filled, "zh"), "en": _text(filled, "en")},
                    "affects_bids": affects,
                    "deadline": filled.values.get("deadline"),
                    "documents": documents,
                }
                wish = (await request.form()).get("do")
                _judge(lot, fields)
                if wish == "sign":
                    said = ("澄清已发布,并通知所有下载人。", "Published; everybody who downloaded is told.")
                    then = f"/desk/lots/{code}/questions"
                    return await doing.act(pages, request, visitor, verb, fields, then=then, zh=said[0], en=said[1])
                return await _show(request, visitor, lot, filled, preview=fields)
            except Refused as refused:
                filled = _refused(filled, refused)
        return await _show(request, visitor, lot, filled, status=422)

    def _judge(lot: Lot, fields: dict[str, Any]) -> None:
        """What the signed act would be refused for is told before anybody signs it."""
        schedule.check_amendment(
            lot.tender,
            now=world.now(),
            affects_bids=fields["affects_bids"],
            new_deadline=None if fields["deadline"] is None else instant(fields["deadline"]),
            rulebook=lot.rulebook,
        )

    def _refused(filled: Filled, refused: Refused) -> Filled:
        told = pages.told(refused)
        if refused.code in ("amendment_too_late", "deadline_not_later"):
            return filled.with_error("deadline", f"{told['zh']}({refused.rule})", f"{told['en']} ({refused.rule})")
        return filled.refused(told, refused.rule)

    async def _load(request: Requested, code: str) -> tuple[Visitor, Lot]:
        visitor = await pages.visitor(request)
        lot = await database.read(
            lambda unit: reading.lot(unit, code, visitor.actor, now=world.now()), bearer=visitor.token
        )
        return visitor, lot

    async def _show(
        request: Requested,
        visitor: Visitor,
        lot: Lot,
        filled: Filled,
        *,
        status: int = 200,
        preview: dict[str, Any] | None = None,
    ) -> Response[str]:
        earliest = schedule.earliest_deadline_after_amendment(world.now(), lot.rulebook)
        limit = lot.rulebook.market.clarification_days_min
        return pages.show(
            request,
            "desk_questions.html",
            visitor=visitor,
            status=status,
            lot=lot,
            filled=filled,
            earliest=earliest,
            limit=limit,
            preview=preview,
            diff=list(changes.marked(str(filled.values.get("was") or ""), str(filled.values.get("becomes") or ""))),
            amendments=await database.read(lambda unit: reading.amendments(unit, lot), bearer=visitor.token),
            passage=_marked,
        )

    async def _keep_file(filled: Filled, visitor: Visitor) -> tuple[Filled, list[dict[str, Any]]]:
        """Keep an uploaded document at once, so that it need not be chosen again after the preview."""
        try:
            documents = json.loads(str(filled.values.get("documents") or "[]"))
        except ValueError:
            documents = []
        given = filled.values.get("paper")
        if isinstance(given, Upload):
            name = given.name.replace("\\", "/").rsplit("/", 1)[-1].strip()[:120]
            digest, described = await counter_files.take(_once(given.data), blobs=service.blobs)

            async def keep(unit: Unit) -> None:
                await counter_files.keep(unit, digest, described)

            await database.write(keep, bearer=visitor.token)
            documents = [file for file in documents if file.get("name") != name]
            documents.append({"name": name, "sha256": digest, "size": len(given.data)})
        typed = {**filled.typed, "documents": json.dumps(documents, ensure_ascii=False)}
        return Filled(filled.fields, typed, filled.values, filled.errors, filled.wrong), documents

    return [questions, amend]


OLD, NEW = ("原文:", "Before: "), ("改为:", "After: ")


def _text(filled: Filled, lang: str) -> str:
    """The text that is published: what was written, then the passage before and after, where one was changed."""
    text = str(filled.values.get(lang) or "").strip()
    if not text or not filled.values.get("was"):
        return text
    at = 0 if lang == "zh" else 1
    return f"{text}\n{OLD[at]}{filled.values['was'].strip()}\n{NEW[at]}{filled.values['becomes'].strip()}"


def split(text: str) -> tuple[str, str] | None:
    """The passage before and after, from a published text."""
    _, found, rest = text.rpartition(f"\n{OLD[0]}")
    old, then, new = rest.partition(f"\n{NEW[0]}")
    return (old, new) if found and then else None


def _marked(text: str) -> list[tuple[changes.Change, str]]:
    parts = split(text)
    return list(changes.marked(*parts)) if parts else []


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
