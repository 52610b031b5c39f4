"""One published tender at the desk: what comes next, clarifications, objections, and every act up to the contract.

Each page says what comes next, by when, under which article and who must act. What a rule refuses stands in the form,
with the rule; what must be signed goes through the signature step.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery

from crypto.refusal import Refused
from trading.counter.page import doing, forms
from trading.counter.page.forms import Field, Filled
from trading.counter.page.pages import Pages, Requested
from trading.counter.page.session import Visitor
from trading.counter.verbs import Verb
from trading.desk import actions, reading
from trading.desk.actions import Action
from trading.desk.reading import Lot
from trading.lifecycle import State
from trading.roles import Permission

ANSWER = (
    Field("objection", "", "", "hidden"),
    Field("text", "答复", "Answer", "area", rows=5, hint=("答复送达异议人。", "The answer goes to whoever objected.")),
    actions.LATE,
)


def routes(pages: Pages, verbs: dict[Permission, Verb]) -> list[Any]:
    """The handlers of a tender at the desk."""
    database, world = pages.service.database, pages.service.world

    @get("/desk/lots/{code:str}")
    async def overview(request: Requested, code: FromPath[str]) -> Response[str]:
        visitor, lot = await _load(request, code)
        offered = [one for one in actions.ACTIONS if _offered(one, lot) and one.permission in _may(visitor)]
        return pages.show(request, "desk_lot.html", visitor=visitor, lot=lot, offered=offered)

    @get("/desk/lots/{code:str}/objections")
    async def objections(request: Requested, code: FromPath[str], answer: FromQuery[str] = "") -> Response[str]:
        visitor, lot = await _load(request, code)
        oldest = next((one.leaf for one in reversed(lot.objections) if one.state == "open"), "")
        filled = forms.blank(ANSWER, {"objection": answer or oldest})
        return pages.show(request, "desk_objections.html", visitor=visitor, lot=lot, filled=filled)

    @post("/desk/lots/{code:str}/objections", status_code=200)
    async def answered(request: Requested, code: FromPath[str]) -> Response[str]:
        visitor, lot = await _load(request, code)
        filled = await forms.read(request, ANSWER)
        if filled.ok:
            try:
                return await doing.act(
                    pages,
                    request,
                    visitor,
                    verbs[Permission.OBJECTION_ANSWER],
                    {"lot": code, **filled.values},
                    then=f"/desk/lots/{code}/objections",
                    zh="异议已答复。",
                    en="The objection is answered.",
                )
            except Refused as refused:
                filled = _refused(pages, filled, refused)
        return pages.show(request, "desk_objections.html", visitor=visitor, status=422, lot=lot, filled=filled)

    @get("/desk/lots/{code:str}/do/{name:str}")
    async def form(request: Requested, code: FromPath[str], name: FromPath[str]) -> Response[str]:
        visitor, lot = await _load(request, code)
        action = _action(name)
        return await _show(request, visitor, lot, action, forms.blank(_fields(action, lot), _known(action, lot)))

    @post("/desk/lots/{code:str}/do/{name:str}", status_code=200)
    async def act(request: Requested, code: FromPath[str], name: FromPath[str]) -> Response[str]:
        visitor, lot = await _load(request, code)
        action = _action(name)
        filled = await forms.read(request, _fields(action, lot))
        if filled.ok:
            try:
                return await doing.act(
                    pages,
                    request,
                    visitor,
                    verbs[action.permission],
                    {"lot": code, **action.values(filled.values)},
                    then=f"/desk/lots/{code}",
                    zh=action.done[0],
                    en=action.done[1],
                )
            except Refused as refused:
                filled = _refused(pages, filled, refused)
        return await _show(request, visitor, lot, action, filled, status=422)

    async def _load(request: Requested, code: str) -> tuple[Visitor, Lot]:
        visitor = await pages.visitor(request)
        lot = await database.read(
            lambda unit: reading.lot(unit, code, visitor.actor, now=world.now()), bearer=visitor.token
        )
        return visitor, lot

    async def _show(
        request: Requested, visitor: Visitor, lot: Lot, action: Action, filled: Filled, *, status: int = 200
    ) -> Response[str]:
        wanted = action in (actions.REVIEW, actions.PUBLICISE, actions.AWARD)
        found = await database.read(lambda unit: reading.result(unit, lot), bearer=visitor.token) if wanted else None
        wanted = action in (actions.REVIEW, actions.PUBLICISE)
        report = await database.read(lambda unit: reading.report(unit, lot), bearer=visitor.token) if wanted else None
        return pages.show(
            request,
            "desk_act.html",
            visitor=visitor,
            status=status,
            lot=lot,
            action=action,
            filled=filled,
            offered=_offered(action, lot),
            result=found,
            report=report,
        )

    def _may(visitor: Visitor) -> set[Permission]:
        return {permission for permission in verbs if permission in actions.held(visitor.actor.role)}

    return [overview, objections, answered, form, act]


def _offered(action: Action, lot: Lot) -> bool:
    if action is actions.REGULATOR and lot.tender.regulator_report_at is not None:
        return False
    return State(lot.state) in action.states


def _action(name: str) -> Action:
    if name not in actions.BY_NAME:
        raise Refused("not_found")
    return actions.BY_NAME[name]


def _fields(action: Action, lot: Lot) -> list[Field]:
    """An action's fields; the award's candidates are those that were published."""
    if action is not actions.AWARD:
        return list(action.fields)
    names = {row["rank"]: row["bidder"]["name"] for row in (lot.act("publicity") or {}).get("candidates", [])}
    choices = [
        (str(one.rank), f"{one.rank} · {names.get(one.rank, '')}", f"{one.rank} · {names.get(one.rank, '')}")
        for one in lot.tender.candidates
        if one.rank not in lot.tender.passed_over
    ]
    return [replace(action.fields[0], choices=choices)]


def _known(action: Action, lot: Lot) -> dict[str, Any]:
    """What the form can be filled with already."""
    if action is actions.EXTEND:
        return {"reason": "hold" if lot.tender.holds else "extension"}
    if action is actions.CONTRACT and lot.tender.award is not None:
        won = next(one for one in lot.tender.candidates if one.bid == lot.tender.award.bid)
        return {"price_fen": won.price_fen, "period_days": won.period_days, "quality": won.quality}
    if action is actions.AWARD and lot.tender.candidates:
        return {"rank": str(min(one.rank for one in lot.tender.candidates))}
    return {}


def _refused(pages: Pages, filled: Filled, refused: Refused) -> Filled:
    """A refusal at the field it speaks of, or over the form."""
    told = pages.told(refused)
    field = {
        "deadline_not_later": "deadline",
        "deadline_after_hold_too_early": "deadline",
        "amendment_too_late": "deadline",
        "answer_late": "late_because",
        "publicity_late": "late_because",
        "contract_late": "late_because",
        "regulator_report_late": "late_because",
    }.get(refused.code)
    if field and any(one.name == field for one in filled.fields):
        rule = f" ({refused.rule})" if refused.rule else ""
        return filled.with_error(field, told["zh"] + rule, told["en"] + rule)
    return filled.refused(told, refused.rule)
