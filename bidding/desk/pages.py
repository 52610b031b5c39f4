"""The bidder's desk: own tenders, one tender with everything of one's own in it, and the way to its bid.

20号令 §20 to §27, 条例 §22, §52, §54. Everything here but sealing and withdrawing works without a script. What belongs
to rooms beside this one (the answer to a question of the panel) is handed in by the portal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from bidding.desk import bid_pages, disclose_pages, reading, receipt_pages, wording
from bidding.desk.reading import Own
from crypto.refusal import Refused
from trading.counter.page import doing, forms
from trading.counter.page.forms import Field, Filled
from trading.counter.page.pages import Pages, Requested
from trading.counter.page.session import Visitor
from trading.counter.verbs import Verb
from trading.roles import Permission
from trading.verbs import BIDDERS

TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"
VERBS = {verb.permission: verb for verb in BIDDERS}
TEXT_CHARACTERS_MAX = 20_000

QUESTION = (
    Field(
        "question_text",
        "您的问题",
        "Your question",
        "area",
        max=TEXT_CHARACTERS_MAX,
        rows=5,
        hint=(
            "答复以澄清的形式发给所有人,不会说是谁问的。请不要写单位名称和报价。",
            "The answer goes to everybody as a clarification and never says who asked. Write no name and no price.",
        ),
    ),
)
OBJECTION = (
    Field(
        "objection_text",
        "异议内容和理由",
        "What you object to, and why",
        "area",
        max=TEXT_CHARACTERS_MAX,
        rows=7,
        hint=(
            "招标人应当自收到之日起3日内答复;答复之前,招标投标活动暂停。",
            "The owner answers within three days; the proceedings are on hold until then.",
        ),
    ),
)
ANSWER = (
    Field("question", "", "", "hidden"),
    Field(
        "answer_text",
        "您的书面答复",
        "Your answer in writing",
        "area",
        max=TEXT_CHARACTERS_MAX,
        rows=6,
        rule="条例 §52",
        hint=(
            "只作说明,不得改变投标文件的实质内容。",
            "Explain only: what the bid says in substance cannot be changed.",
        ),
    ),
)
KIND = {"questions": "question_", "objections": "objection_", "panel": "answer_"}
FORMS: Mapping[str, Sequence[Field]] = {"questions": QUESTION, "objections": OBJECTION, "panel": ANSWER}


def routes(pages: Pages, *, panel: Sequence[Verb]) -> list[Any]:
    """The handlers of the desk. `panel` holds the verb of answering the panel."""
    database, world = pages.service.database, pages.service.world
    verbs = {
        "questions": VERBS[Permission.QUESTION_ASK],
        "objections": VERBS[Permission.OBJECTION_FILE],
        "panel": next(verb for verb in panel if verb.permission is Permission.PANEL_ANSWER),
    }
    done = {
        "questions": ("问题已送达招标人。", "Your question has reached the owner."),
        "objections": (
            "异议已送达招标人,招标投标活动暂停。",
            "Your objection has reached the owner; the proceedings are on hold.",
        ),
        "panel": ("答复已送达评标委员会。", "Your answer has reached the panel."),
    }

    @get("/bidder")
    async def home(request: Requested) -> Response[str]:
        visitor = await pages.visitor(request)
        now = world.now()
        mine, others = await database.read(
            lambda unit: reading.mine(unit, visitor.actor, now=now), bearer=visitor.token
        )
        return pages.show(request, "bidder_home.html", visitor=visitor, mine=mine, others=others, w=wording)

    @get("/bidder/lots/{lot:str}")
    async def overview(request: Requested, lot: FromPath[str]) -> Response[str]:
        return await _show(request, await pages.visitor(request), lot, {})

    @post("/bidder/lots/{lot:str}/documents", status_code=200)
    async def download(request: Requested, lot: FromPath[str]) -> Response[str]:
        visitor = await pages.visitor(request)
        return await doing.act(
            pages,
            request,
            visitor,
            VERBS[Permission.DOCUMENTS_DOWNLOAD],
            {"lot": lot},
            then=f"/bidder/lots/{lot}#documents",
            zh="已登记领取;以后的澄清和变更会通知您。",
            en="Registered: you will be told of every clarification and change.",
        )

    @post("/bidder/lots/{lot:str}/{what:str}", status_code=200)
    async def say(request: Requested, lot: FromPath[str], what: FromPath[str]) -> Response[str]:
        visitor = await pages.visitor(request)
        if what not in FORMS:
            raise Refused("not_found")
        filled = await forms.read(request, FORMS[what])
        if filled.ok:
            try:
                zh, en = done[what]
                then = f"/bidder/lots/{lot}#{what}"
                fields = {"lot": lot, **{name.removeprefix(KIND[what]): each for name, each in filled.values.items()}}
                return await doing.act(pages, request, visitor, verbs[what], fields, then=then, zh=zh, en=en)
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
        return await _show(request, visitor, lot, {what: filled}, status=422)

    def why(code: str) -> tuple[str, str]:
        """Why a bid does not count, in words where the sentence needs no fact of the case."""
        told = pages.told(Refused(code))
        return (code, code) if "{" in told["en"] + told["zh"] else (told["zh"], told["en"])

    async def _show(
        request: Requested, visitor: Visitor, lot: str, given: Mapping[str, Filled], *, status: int = 200
    ) -> Response[str]:
        now = world.now()
        own: Own = await database.read(
            lambda unit: reading.lot(unit, lot, visitor.actor, now=now), bearer=visitor.token
        )
        rescue = await database.read(
            lambda unit: disclose_pages.rescue(unit, lot, visitor.actor, now=now, hall=pages.service.hall),
            bearer=visitor.token,
        )
        receipts = {}
        for event in [*(one["event"] for one in own.bids), *(one["event"] for one in own.withdrawals)]:
            _, proved = await reading.receipt_of(pages.service, event, actor=visitor.actor, bearer=visitor.token)
            receipts[event] = reading.stage_of(proved)
        filled = {name: given.get(name, forms.blank(fields)) for name, fields in FORMS.items()}
        return pages.show(
            request,
            "bidder_lot.html",
            visitor=visitor,
            status=status,
            own=own,
            rescue=rescue,
            receipts=receipts,
            filled=filled,
            address=bid_pages.base(request),
            why=why,
            w=wording,
        )

    return [
        home,
        overview,
        download,
        say,
        *bid_pages.routes(pages),
        *disclose_pages.routes(pages),
        *receipt_pages.routes(pages),
    ]
