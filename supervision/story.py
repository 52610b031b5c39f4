"""One tender's story in plain sentences, from its public acts alone, in both languages, each with its leaf.

20号令 §48, §49. A sentence says who did what by which rule; nothing is in it that the ledger does not show, and no
number is given before the freeze. Whoever doubts a sentence looks its leaf up in the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from crypto import amount
from storage.world import instant
from trading.calendar import CHINA
from trading.counter.page import terms

Words = tuple[str, str]
Act = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """One step: when (instant as text), what in both languages, the rule it rests on, the leaf that proves it."""

    at: str
    kind: str
    words: Words
    rule: str | None
    leaf: str


def tell(acts: Sequence[Mapping[str, Any]]) -> list[Line]:
    """The story of [{"leaf","act"}] in the order of the chain. Trustees' shares and readiness are told one by one."""
    return [
        Line(one["act"]["at"], one["act"]["kind"], sentence(one["act"]), one["act"].get("rule"), one["leaf"])
        for one in acts
    ]


def sentence(act: Act) -> Words:
    """One act in words."""
    match act["kind"]:
        case "tender":
            owner = act["owner"]["name"]
            return f"{owner}发布招标公告和招标文件。", f"{owner} published the notice and the documents."
        case "amendment":
            moved = act.get("deadline")
            zh, en = f"第{act['version']}次澄清或修改", f"Clarification {act['version']}"
            if moved:
                return f"{zh},投标截止时间改为{_zh(moved)}。", f"{en}; the deadline moved to {_en(moved)}."
            return f"{zh},不影响投标文件编制。", f"{en}; it does not affect how bids are prepared."
        case "deadline":
            return (
                f"投标截止时间由{_zh(act['was'])}延至{_zh(act['deadline'])}。",
                f"The deadline moved from {_en(act['was'])} to {_en(act['deadline'])}.",
            )
        case "hold":
            causes = {"objection": ("因异议", "for an objection"), "directive": ("因监督指令", "by a directive")}
            zh, en = causes.get(act["reason"], ("", ""))
            return f"{zh}暂停招标投标活动。", f"Proceedings were put on hold {en}."
        case "resume":
            return "恢复招标投标活动。", "Proceedings were resumed."
        case "close":
            return f"投标于{_zh(act['deadline'])}截止。", f"Bidding closed at {_en(act['deadline'])}."
        case "freeze":
            return f"封存投标{act['n']}份。", f"{act['n']} bids were frozen."
        case "ready" | "release":
            zh, en = ("就绪", "is ready") if act["kind"] == "ready" else ("放出份额", "released its shares")
            zh_group, en_group = list(terms.GROUPS.values())[act["lock"]]
            return f"{zh_group}受托人{act['trustee']}{zh}。", f"Trustee {act['trustee']} of the {en_group} {en}."
        case "opened":
            return f"开标完成,有效开启{act['n']}份。", f"The opening is done: {act['n']} bids opened."
        case "publicity":
            first = act["candidates"][0]["bidder"]["name"] if act.get("candidates") else "—"
            return (
                f"公示中标候选人,第一名{first},公示期至{_zh(act['until'])}。",
                f"The candidates are in publicity until {_en(act['until'])}; first is {first}.",
            )
        case "award":
            who, price = act["bidder"]["name"], _yuan(act["price_fen"])
            words = amount.words(act["price_fen"])
            return f"{who}中标,中标价{price}元({words})。", f"Awarded to {who} at CNY {price}."
        case "contract":
            return (
                f"签订合同,合同价{_yuan(act['price_fen'])}元。",
                f"The contract is signed at CNY {_yuan(act['price_fen'])}.",
            )
        case "tally":
            return (
                f"清点本次招标的不公开记录,共{act['n']}条。",
                f"The private acts of this tender were counted: {act['n']}.",
            )
        case "directive":
            return (
                f"监督部门下达指令:{act['reason']}",
                f"The supervisor issued a directive ({act['what']}): {act['reason']}",
            )
        case "failed":
            return "招标失败。", "The tender failed."
        case "terminate":
            return f"终止招标:{act['reason']}", f"The tender was ended: {act['reason']}"
    zh, en = terms.act(act["kind"])
    return f"{zh}。", f"{en[:1].upper()}{en[1:]}."


def _zh(text: str) -> str:
    at = instant(text).astimezone(CHINA)
    return f"{at.year}年{at.month}月{at.day}日{at:%H:%M}"


def _en(text: str) -> str:
    return f"{instant(text).astimezone(CHINA):%-d %b %Y, %H:%M}"


def _yuan(fen: int) -> str:
    return f"{Decimal(fen) / 100:,.2f}"
