"""Drafts of tenders: how the pages' values become the tender document and back, and where a draft is kept.

A draft is a row of `project` in the state `draft`, owned by the organisation that began it, so that colleagues go on
where somebody stopped; it becomes an entry when it is handed in. Nobody outside the organisation reads it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from crypto.refusal import Refused
from storage.ports import In
from storage.unit import Unit
from storage.world import stamp
from trading.counter.page.forms import Filled
from trading.desk.drafts import step as one_step
from trading.desk.drafts import steps
from trading.desk.drafts.step import Draft, Step
from trading.hall import Hall
from trading.roles import Actor, Role
from trading.rulebook import Rulebook

DRAFT, HANDED_IN, GIVEN_UP = "draft", "handed_in", "given_up"
_POINTS = ("full", "above", "below", "floor")
_PLACES = ("base", "deviation", "score", "points", "total")
_NUMBER = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,8})?")
_ROUND = {"base": 2, "deviation": 2, "score": 2, "points": 2, "total": 2, "mode": "half_up"}
_FIRST = {
    "name": "benchmark",
    "full": "100",
    "base": "mean",
    "drop": [[1, 0, 0], [5, 1, 0], [7, 1, 1]],
    "float": "-0.03",
    "above": "2",
    "below": "1",
    "cap": {"above": None, "below": "15"},
    "floor": "0",
    "weights": {"price": "0.6", "points": "0.4"},
    "round": _ROUND,
    "ties": ["price", "points", "draw"],
}
_REQUIREMENTS = (
    ("F1", "投标函", "form", 1, "投标函.pdf", 1),
    ("Q1", "资质、安全生产许可证、项目负责人证明", "qualification", 1, "资格证明文件.pdf", 3),
    ("R1", "施工组织设计", "response", 1, "施工组织设计.pdf", 6),
    ("R2", "已标价工程量清单", "response", 1, "已标价工程量清单.xlsx", 6),
    ("R3", "投标报价不超过最高投标限价", "response", 0, "price_fen", 5),
    ("R4", "工期不超过招标文件规定", "response", 0, "period_days", 6),
    ("R5", "质量符合招标文件规定", "response", 0, "quality", 6),
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A draft as it is kept: its code, the document so far, the files, when it was saved, what became of it."""

    code: str
    document: Draft
    files: Sequence[Mapping[str, Any]]
    saved_at: str
    state: str
    entry: str
    planned: str
    reasons: str
    version: int
    row: Mapping[str, Any]


def begin(actor: Actor, organisation: str, *, hall: Hall, rulebook: Rulebook) -> Draft:
    """An empty tender with what is known already: whose it is, where, and what the hall and the market prescribe."""
    market = rulebook.market
    own = {"name": organisation, "uscc": actor.organisation}
    return {
        "v": 1,
        "project": {"industry": "02", "sector": "municipal"},
        "owner": own if actor.role is Role.OWNER else {},
        "agent": own if actor.role is Role.AGENT else None,
        "market": market.code,
        "region": hall.region,
        "rehearsal": hall.rehearsal,
        "notice": {
            "media": list(market.media),
            "platform": f"{hall.name}电子交易平台",
            "contact": {},
            "fee_fen": 0,
            "preconditions": [],
        },
        "lot": {"number": 1, "class_code": "A080000", "quality": "合格"},
        "price": {"max_price_fen": None, "max_price_method": None},
        "schedule": {"validity_days": 90, "publicity_days": market.publicity_days_min.value},
        "sealing": {
            "envelopes": [0, 1],
            "bids_min": market.bids_min.value,
            "settle_s": market.settle_seconds_min.value,
            "challenge_s": market.challenge_seconds_min.value,
            "rescue_s": market.rescue_seconds_min.value,
            "plaintext_max": 512 << 20,
            "locks": [{"threshold": 2, "seats": list(seats[:3])} for seats in market.lock_seats],
        },
        "opening": {"place": f"{hall.name}网上开标大厅", "fewer_than_three_after_opening": "stop"},
        "opening_list": [
            {"field": "price_fen", "label": "投标总报价(元)"},
            {"field": "period_days", "label": "工期(日历天)"},
            {"field": "quality", "label": "质量"},
            {"field": "leader", "label": "项目负责人及证书编号"},
        ],
        "requirements": [
            dict(
                zip(
                    ("code", "name", "stage", "envelope", "file", "mandatory", "ground"),
                    (*row[:5], True, row[5]),
                    strict=True,
                )
            )
            for row in _REQUIREMENTS
        ],
        "items": [],
        "method": dict(_FIRST),
        "panel": {"members": market.panel_members_min.value, "owner_representatives": 0, "strata": []},
        "candidates_max": market.candidates_max.value,
        "remedies": {"objection": "通过交易平台在线提出,招标人自收到之日起3日内答复"},
    }


def copied(document: Mapping[str, Any], *, hall: Hall) -> Draft:
    """Last year's tender as a new draft: everything but its days."""
    schedule = {name: document["schedule"][name] for name in ("validity_days", "publicity_days")}
    return {**document, "schedule": schedule, "rehearsal": hall.rehearsal}


def view(step: Step, draft: Mapping[str, Any], planned: str = "") -> Mapping[str, Any]:
    """A draft as the fields of a step show it."""
    if step is steps.SCHEDULE:
        return {**draft, "planned": planned}
    if step is steps.PROJECT:
        return {**draft, "agent": draft.get("agent") or {}}
    if step is not steps.METHOD:
        return draft
    method = draft.get("method") or {}
    if method.get("name") != "benchmark":
        told = {**method, "ties": ",".join(method.get("ties", []))}
        return {**draft, "method": told}
    base = method["base"]
    told = {
        "name": "benchmark",
        "weights": {"price": _plain(100 * Decimal(method["weights"]["price"]))},
        "base": {} if base == "mean" else {"fixed": base["fixed"]},
        "round": " ".join("-" if method["round"][name] is None else str(method["round"][name]) for name in _PLACES),
        "drop": [" ".join(str(number) for number in row) for row in method["drop"]],
        "float": _plain(-100 * Decimal(method["float"])),
        "cap": dict(method["cap"]),
        **{name: method[name] for name in _POINTS},
        "ties": ",".join(method["ties"]),
    }
    return {**draft, "method": told}


def apply(step: Step, filled: Filled, draft: Mapping[str, Any]) -> tuple[Draft, Filled]:
    """The draft with what a step's form says; the form again, with the defects that only the whole shows.

    What was not understood leaves its place as it was, so that a half-filled step can be kept.
    """
    after: Draft = _deep(draft)
    for one in step.fields:
        if one.name in filled.values and not one.name.startswith("method.") and one.name != "planned":
            value = filled.values[one.name]
            one_step.put(after, one.name, value == "yes" if one.choices == steps.YES_NO else value)
    for part in step.rows:
        rows = [{**row, **_cells(row)} for row in one_step.rows_of(filled, part)]
        one_step.put(after, part.name, rows)
    if step is steps.PROJECT:
        agent = {name: value for name, value in (after.get("agent") or {}).items() if value}
        after["agent"] = agent or None
        if len(agent) == 1:
            filled = filled.with_error("agent.name", "名称和代码请一并填写。", "Give both the name and the code.")
    if step is steps.SCHEDULE and after["schedule"].get("deadline"):
        after["schedule"]["opening_at"] = after["schedule"]["deadline"]
    if step is steps.METHOD:
        method, filled = _method(filled)
        if method is not None:
            after["method"] = method
            if method["name"] != "benchmark":
                after["items"] = []
    return after, filled


def method_of(filled: Filled) -> Mapping[str, Any] | None:
    """The method that a form describes, if it does; for a preview."""
    method, _ = _method(filled)
    return method


def _method(filled: Filled) -> tuple[Draft | None, Filled]:
    """The `method` object of docs/spec/tender.md from the form."""
    value = filled.values
    ties = str(value.get("method.ties") or "price,points,draw").split(",")
    if value.get("method.name") == "lowest_evaluated":
        left = [tie for tie in ties if tie != "points"]
        return {"name": "lowest_evaluated", "adjustments": value.get("method.adjustments") or [], "ties": left}, filled
    numbers: dict[str, Decimal | None] = {}
    wanted = ("weights.price", *_POINTS)
    for name in (*wanted, "float", "base.fixed", "cap.above", "cap.below"):
        text = str(value.get(f"method.{name}") or "").replace(",", "").replace("%", "").strip()
        numbers[name] = Decimal(text) if _NUMBER.fullmatch(text) else None
        if name in wanted and not text:
            filled = filled.with_error(f"method.{name}", "综合评估法需要此项。", "The benchmark method needs this.")
        elif text and numbers[name] is None:
            filled = filled.with_error(f"method.{name}", "请填写数字,例如 1.5。", "Give a number, such as 1.5.")
    drop = [_three(line) for line in value.get("method.drop") or ["1 0 0"]]
    if None in drop:
        filled = filled.with_error("method.drop", "每行填写三个整数。", "Three whole numbers a line.")
    places = str(value.get("method.round") or "2 2 2 2 2").split()
    if len(places) != len(_PLACES) or any(one not in ("-", *"012345678") for one in places):
        filled = filled.with_error("method.round", "填写五个0到8之间的整数。", "Five numbers from 0 to 8.")
    if any(name.startswith("method.") for name in filled.errors):
        return None, filled
    texts = {name: None if number is None else _plain(number) for name, number in numbers.items()}
    weight = (numbers["weights.price"] or Decimal(0)) / 100
    rounding = {name: None if one == "-" else int(one) for name, one in zip(_PLACES, places, strict=True)}
    return {
        "name": "benchmark",
        "base": "mean" if texts["base.fixed"] is None else {"fixed": texts["base.fixed"]},
        "drop": drop,
        "float": _plain(-(numbers["float"] or Decimal(0)) / 100),
        "cap": {side: texts[f"cap.{side}"] for side in ("above", "below")},
        **{name: texts[name] for name in _POINTS},
        "weights": {"price": _plain(weight), "points": _plain(1 - weight)},
        "round": {**rounding, "mode": "half_up"},
        "ties": ties,
    }, filled


def points_text(hundredths: int) -> str:
    """Integer hundredths as the decimal string of the tender document: 2500 → "25", 50 → "0.5"."""
    return _plain(Decimal(hundredths) / 100)


def _cells(row: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name in ("max", "step"):
        if isinstance(row.get(name), int):
            told[name] = points_text(row[name])
    for name in ("envelope", "ground"):
        if row.get(name) is not None:
            told[name] = int(row[name])
    if "mandatory" in row:
        told["mandatory"] = row["mandatory"] == "yes"
    return told


def _plain(number: Decimal) -> str:
    text = format(number.normalize(), "f")
    return "0" if text in ("-0", "") else text


def _three(line: str) -> list[int] | None:
    parts = line.replace(",", " ").replace(",", " ").split()
    return [int(part) for part in parts] if len(parts) == 3 and all(part.isdecimal() for part in parts) else None


def _deep(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _deep(inner) for name, inner in value.items()}
    return [_deep(inner) for inner in value] if isinstance(value, list | tuple) else value


async def find(unit: Unit, actor: Actor) -> list[Kept]:
    """The organisation's drafts and what it handed in through them, newest first."""
    rows = await unit.project.find({"owner": actor.organisation, "state": In((DRAFT, HANDED_IN))})
    kept = [_kept(row) for row in rows]
    return sorted(kept, key=lambda one: one.saved_at, reverse=True)


async def load(unit: Unit, code: str, actor: Actor) -> Kept:
    """One draft. Raises Refused("draft_unknown"), also for another organisation's."""
    row = await unit.project.read(code)
    if row is None or row["owner"] != actor.organisation or row["body"]["state"] not in (DRAFT, HANDED_IN):
        raise Refused("draft_unknown", draft=code)
    return _kept(row)


async def create(unit: Unit, document: Draft, actor: Actor, *, now: datetime, hall: Hall) -> str:
    """Keep a new draft; returns its code."""
    code = f"draft-{hall.entropy(8).hex()}"
    body = {"state": DRAFT, "document": document, "files": [], "saved_at": stamp(now), "planned": "", "reasons": ""}
    columns = {"owner": actor.organisation, "agent": "", "state": DRAFT}
    await unit.project.insert({"code": code, **columns, "body": {**body, "by": actor.person}})
    return code


async def save(unit: Unit, kept: Kept, actor: Actor, *, now: datetime, **changed: Any) -> None:
    """Keep a draft with changes of its body; Conflict when a colleague saved it in between."""
    if kept.state != DRAFT:
        raise Refused("draft_handed_in", draft=kept.code)
    body = {**kept.row["body"], **changed, "saved_at": stamp(now), "by": actor.person}
    row = {**kept.row, "state": body["state"], "body": body}
    await unit.project.update(row, expected_version=kept.version)


def _kept(row: Mapping[str, Any]) -> Kept:
    body = row["body"]
    return Kept(
        code=row["code"],
        document=body["document"],
        files=body.get("files", []),
        saved_at=body["saved_at"],
        state=body["state"],
        entry=body.get("entry", ""),
        planned=body.get("planned", ""),
        reasons=body.get("reasons", ""),
        version=row["version"],
        row=row,
    )
