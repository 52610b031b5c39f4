"""The certificate of an outage as a PDF: when the hall was away, which tenders moved, by which clause, by which acts.

Everything in it is read from public acts; every line names the leaf of the act it stands for, so that whoever holds
the paper proves it from the log. A certificate says what was logged; that it happened so, the witnesses' stamps say.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

from storage.unit import Unit
from storage.world import instant
from trading import postponement
from trading.hall import Hall
from trading.papers import papers

TEMPLATE = Path(__file__).parent / "outage.typ"
CHINA = timezone(timedelta(hours=8))


async def certificate(unit: Unit, incident: str, *, hall: Hall, printed: str) -> bytes:
    """The PDF for the outage of which `incident` is the leaf of one act; `printed` is the paper's instant, as text.
    Raises Refused("incident_unknown")."""
    return await papers.made(TEMPLATE, paper(await postponement.certified(unit, incident), hall=hall, printed=printed))


def paper(told: Mapping[str, Any], *, hall: Hall, printed: str) -> dict[str, Any]:
    """What the template prints, from what `postponement.certified` gives."""
    moved = [one for one in told["tenders"] if one["moved"]]
    clauses = {one["clause"]["article"]: one["clause"] for one in moved}
    minutes = told["seconds"] // 60
    return {
        "lang": "zh",
        "title": "系统故障及投标截止时间顺延证明 Certificate of an outage",
        "hall": hall.name,
        "rehearsal": hall.rehearsal,
        "printed": printed,
        "code": told["from"],
        "leaf": told["tenders"][0]["incident"],
        "facts": [
            ["故障开始 from", _local(told["from"])],
            ["故障结束 to", _local(told["to"])],
            ["持续 lasted", f"{minutes} 分 {told['seconds'] % 60} 秒"],
            ["载入账本 logged", _local(told["logged_at"])],
            ["原因 what", told["text"]],
        ],
        "tenders_title": "受影响并顺延的标段 Tenders that were postponed",
        "head": ["标段 lot", "原截止 was", "最早 earliest", "新截止 now"],
        "rows": [
            [
                f"{one['name']} {one['lot']}",
                _local(one["was"]),
                _local(one["earliest"]),
                "尚未公布 not yet" if one["deadline"] is None else _local(one["deadline"]["deadline"]),
            ]
            for one in moved
        ],
        "none": "没有标段因此顺延。No deadline moved.",
        "clauses_title": "依据 Clause",
        "clauses": [[one["article"], one["zh"], one["en"]] for one in clauses.values()],
        "leaves_title": "账本记录 Acts in the log",
        "leaves": [line for one in told["tenders"] for line in _leaves(one)],
        "closing": [hall.name, printed],
    }


def _leaves(one: Mapping[str, Any]) -> list[str]:
    acts = {"incident": one["incident"], "hold": one.get("hold"), "deadline": (one.get("deadline") or {}).get("leaf")}
    return [f"{one['lot']} {kind:<8} {leaf}" for kind, leaf in acts.items() if leaf]


def _local(text: str) -> str:
    return instant(text).astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")
