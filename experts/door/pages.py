"""The expert's door: invitations that do not name the project, sign-in, and the review room.

条例 §46 to §53. Before sign-in a page tells neither lot nor owner (E-65); everything shown of a room comes from
`queries.inside`, so nobody sees anybody else's marks before all are locked (I12). The score sheet has its own module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from crypto.refusal import Refused
from experts import queries
from experts.door import sheet_pages, words
from experts.verbs import PANEL
from trading.counter.page import doing, forms
from trading.counter.page.forms import Field, Filled
from trading.counter.page.pages import Pages, Requested
from trading.counter.page.session import Visitor
from trading.counter.verbs import Verb

TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"
VERBS: Mapping[str, Verb] = {verb.path.rpartition("/")[2]: verb for verb in PANEL}

ANSWER = (
    Field(
        "accept", "您的答复", "Your answer", "choice", choices=(("yes", "接受", "Accept"), ("no", "谢绝", "Decline"))
    ),
    Field("text", "说明", "Words", "area", required=False, max=2000, rows=2),
)
SIGN_IN = (
    Field(
        "no_interest",
        "本人与投标人及本项目无利害关系,没有依法应当回避的情形。",
        "I have no interest in any bidder or this project and no legal ground to avoid it.",
        "check",
        rule="法 §37",
    ),
    Field(
        "discipline",
        "本人遵守评标纪律,独立评审,对评审过程和结果保密。",
        "I keep the discipline of evaluation: I judge independently and tell nobody what happens here.",
        "check",
        rule="法 §44",
    ),
)
RECUSE = (Field("text", "回避的原因", "Why you withdraw", "area", max=2000, rule="E-67"),)
REJECT = (
    Field("bid", "投标", "Bid", "choice"),
    Field("reason", "法定情形", "Statutory case", "choice", choices=words.choices(words.REASONS), rule="条例 §51"),
    Field("clause", "招标文件条款", "Clause of the document", "choice"),
    Field("reasoning", "理由", "Reasons", "area", max=4000),
)
ASK = (
    Field("bid", "投标", "Bid", "choice"),
    Field("ground", "澄清事由", "Ground", "choice", choices=words.choices(words.GROUNDS), rule="条例 §52"),
    Field("place", "投标文件中的位置", "Place in the bid"),
    Field("text", "问题", "Question", "area", max=4000),
    Field("answer_until", "答复截止时间", "Answer due", "instant", hint=("北京时间。", "China time.")),
)
COMPETITION = (
    Field(
        "lacking",
        "是否明显缺乏竞争",
        "Does competition clearly lack?",
        "choice",
        choices=(("no", "不缺乏竞争,继续评标", "No, go on"), ("yes", "明显缺乏竞争,否决全部投标", "Yes, reject all")),
        rule="E-73",
    ),
    Field("reasoning", "理由", "Reasons", "area", max=4000),
)
REPORT = (
    Field(
        "dissent",
        "书面不同意见(没有则留空)",
        "Dissent in writing (leave empty if you have none)",
        "area",
        required=False,
        max=4000,
        rule="条例 §53",
    ),
)


def routes(pages: Pages) -> list[Any]:
    """The handlers of the expert's door."""
    database = pages.service.database

    async def home_page(
        request: Requested, visitor: Visitor, *, status: int = 200, at: str = "", filled: Filled | None = None
    ) -> Response[str]:
        seats = await database.read(lambda unit: queries.own(unit, actor=visitor.actor), bearer=visitor.token)
        return pages.show(
            request,
            "expert_home.html",
            visitor=visitor,
            status=status,
            seats=seats,
            seat_words=words.SEATS,
            at=at,
            filled=filled,
            answer=forms.blank(ANSWER),
            signing_in=forms.blank(SIGN_IN),
        )

    @get("/expert")
    async def home(request: Requested) -> Response[str]:
        return await home_page(request, await pages.visitor(request))

    @post("/expert/invitations/{invitation:str}/answer", status_code=200)
    async def answer(request: Requested, invitation: FromPath[str]) -> Response[str]:
        visitor = await pages.visitor(request)
        filled = await forms.read(request, ANSWER)
        if filled.ok:
            accepts = filled.values["accept"] == "yes"
            fields = {"invitation": invitation, "accept": accepts, "text": filled.values["text"] or ""}
            zh, en = ("已接受。请按通知签到。", "Accepted. Sign in as the notice says.")
            if not accepts:
                zh, en = ("已谢绝。", "Declined.")
            try:
                verb = VERBS["answer_invitation"]
                return await doing.act(pages, request, visitor, verb, fields, then="/expert", zh=zh, en=en)
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
        return await home_page(request, visitor, status=422, at=invitation, filled=filled)

    @post("/expert/invitations/{invitation:str}/sign-in", status_code=200)
    async def sign_in(request: Requested, invitation: FromPath[str]) -> Response[str]:
        visitor = await pages.visitor(request)
        filled = await forms.read(request, SIGN_IN)
        try:
            fields = {"invitation": invitation, **filled.values}
            then, zh, en = "/expert/lots/{lot}", "已签到。现在可以看到项目。", "Signed in. You may now see the project."
            return await doing.act(pages, request, visitor, VERBS["sign_in"], fields, then=then, zh=zh, en=en)
        except Refused as refused:
            filled = filled.refused(pages.told(refused), refused.rule)
        return await home_page(request, visitor, status=422, at=invitation, filled=filled)

    async def room_page(
        request: Requested,
        visitor: Visitor,
        lot: str,
        *,
        status: int = 200,
        wrong: Mapping[str, Filled] | None = None,
    ) -> Response[str]:
        room = await database.read(lambda unit: queries.inside(unit, lot, actor=visitor.actor), bearer=visitor.token)
        blank = {name: forms.blank(_with_choices(fields, room)) for name, fields in FORMS.items()}
        return pages.show(
            request,
            "expert_room.html",
            visitor=visitor,
            status=status,
            room=room,
            bidders={row["bid"]: row["bidder"]["name"] for row in room["bids"]},
            seat_words=words.SEATS,
            reasons=words.REASONS,
            grounds=words.GROUNDS,
            forms={**blank, **(wrong or {})},
        )

    @get("/expert/lots/{lot:str}")
    async def room(request: Requested, lot: FromPath[str]) -> Response[str]:
        return await room_page(request, await pages.visitor(request), lot)

    @post("/expert/lots/{lot:str}/{what:str}", status_code=200)
    async def move(request: Requested, lot: FromPath[str], what: FromPath[str]) -> Response[str]:
        visitor = await pages.visitor(request)
        if what not in (*FORMS, "vote", "second", "lock"):
            raise NotFoundException
        if what in ("vote", "second", "lock"):
            return await _button(pages, request, visitor, lot, what)
        inside = await database.read(lambda unit: queries.inside(unit, lot, actor=visitor.actor), bearer=visitor.token)
        filled = await forms.read(request, _with_choices(FORMS[what], inside))
        if filled.ok:
            verb, fields, zh, en = _command(what, filled.values)
            then = "/expert" if what == "recuse" else f"/expert/lots/{lot}"
            try:
                command = {"lot": lot, **fields}
                return await doing.act(pages, request, visitor, VERBS[verb], command, then=then, zh=zh, en=en)
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
        return await room_page(request, visitor, lot, status=422, wrong={what: filled})

    return [home, answer, sign_in, room, *sheet_pages.routes(pages), move]


FORMS: Mapping[str, tuple[Field, ...]] = {
    "reject": REJECT,
    "ask": ASK,
    "competition": COMPETITION,
    "report": REPORT,
    "recuse": RECUSE,
}


def _command(what: str, values: Mapping[str, Any]) -> tuple[str, dict[str, Any], str, str]:
    """The verb behind a form of the room, its fields, and the word that is said when it is done."""
    match what:
        case "reject":
            return "reject_bid", {**values, "vote": True}, "动议已提出,您已投赞成票。", "Moved; you voted for it."
        case "ask":
            return "ask_bidder", dict(values), "问题已提出,待多数成员同意。", "Proposed; it is sent when most agree."
        case "competition":
            told = {"lacking": values["lacking"] == "yes", "reasoning": values["reasoning"]}
            return "judge_competition", told, "您的意见已记录。", "Your opinion is recorded."
        case "report":
            return "sign_report", {"dissent": values["dissent"]}, "评标报告已签署。", "The report is signed."
    return "recuse", dict(values), "您已退出评标委员会。", "You have left the panel."


async def _button(pages: Pages, request: Requested, visitor: Visitor, lot: str, what: str) -> Response[str]:
    """A vote on a motion, a vote on a question, the lock of one's sheet: a button and nothing to fill in."""
    posted = await request.form()
    then = f"/expert/lots/{lot}"
    if what == "lock":
        zh, en = "评分表已签署并锁定,不能再改。", "Your sheet is signed and locked; it never changes again."
        return await doing.act(pages, request, visitor, VERBS["lock_sheet"], {"lot": lot}, then=then, zh=zh, en=en)
    vote = posted.get("vote") == "for"
    fields: dict[str, Any] = {"lot": lot, "vote": vote}
    if what == "vote":
        fields |= {"bid": str(posted.get("bid") or "")}
        verb = VERBS["reject_bid"]
    else:
        fields |= {"question": str(posted.get("question") or "")}
        verb = VERBS["ask_bidder"]
    return await doing.act(pages, request, visitor, verb, fields, then=then, zh="您的表决已记录。", en="Voted.")


def _with_choices(fields: tuple[Field, ...], room: Mapping[str, Any]) -> tuple[Field, ...]:
    """The fields of a form with the bids and clauses of this room to choose from."""
    bids = [(row["bid"], row["bidder"]["name"], row["bidder"]["name"]) for row in room["bids"]]
    clauses = [(row["code"], f"{row['code']} {row['name']}"[:120], row["code"]) for row in _mandatory(room)]
    clauses.append(("max_price", "最高投标限价", "max price"))
    by_name = {"bid": bids, "clause": clauses}
    return tuple(replace(one, choices=by_name.get(one.name, one.choices)) for one in fields)


def _mandatory(room: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [row for row in room["requirements"] if row.get("mandatory")]
