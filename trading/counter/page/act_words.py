"""An act in words: what somebody is about to sign, field by field, in the reader's language (docs/spec/acts.md §3).

Whoever signs must be able to read what they sign (电子签名法 §3): amounts in yuan and 大写, instants in China time,
names and choices in words. What only programs read (keys, roster, chain) is counted and left to the full text, which
stands beside it and alone is what is signed. A text that the act names by its hash is shown where it has that hash.

Whoever serves the page could show other words than the act's: the full text, and the command line, are the check.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from markupsafe import Markup

from crypto import amount, jcs
from crypto.refusal import Refused
from trading.counter.page import language
from trading.counter.page.language import Lang
from trading.roles import Role

Words = tuple[str, str]

_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z")
_HASH = re.compile(r"[0-9a-f]{64}")
_SHOWN_HASH = 16

ROLES: Mapping[str, Words] = {
    Role.OWNER: ("招标人", "owner"),
    Role.AGENT: ("招标代理机构", "agent"),
    Role.CENTRE: ("交易中心", "trading centre"),
    Role.SUPERVISOR: ("监督部门", "supervisor"),
    Role.BIDDER: ("投标人", "bidder"),
    Role.TRUSTEE: ("受托人", "trustee"),
}
LABELS: Mapping[str, Words] = {
    "kind": ("事项", "What"),
    "name": ("标段名称", "Lot"),
    "lot": ("标段编号", "Lot code"),
    "unified_code": ("统一交易标识码", "Unified code"),
    "project": ("招标项目", "Project"),
    "owner": ("招标人", "Owner"),
    "agent": ("招标代理机构", "Agent"),
    "market": ("交易类别", "Market"),
    "region": ("行政区划", "Region"),
    "rehearsal": ("演练", "Rehearsal"),
    "deadline": ("投标截止时间", "Deadline"),
    "was": ("原投标截止时间", "Deadline before"),
    "max_price_fen": ("最高投标限价", "Max price"),
    "price_fen": ("价款", "Price"),
    "period_days": ("工期", "Period"),
    "quality": ("质量", "Quality"),
    "reason": ("原因", "Reason"),
    "what": ("指令", "Directive"),
    "version": ("第几次澄清", "Clarification number"),
    "affects_bids": ("可能影响投标文件编制", "May affect how bids are prepared"),
    "text_hash": ("内容", "Text"),
    "documents": ("招标文件(全部)", "Documents (all)"),
    "bids_min": ("最少投标人数", "Fewest bids"),
    "envelopes": ("密封信封", "Envelopes"),
    "settle_s": ("截止后等待", "Wait after the deadline"),
    "challenge_s": ("封存后异议时间", "Challenge time after the freeze"),
    "rescue_s": ("补救时间", "Rescue time"),
    "plaintext_max": ("投标文件上限", "Largest bid"),
    "rulebook": ("适用规则", "Rulebook"),
    "terms_hash": ("结构化招标文件", "Structured tender document"),
    "from": ("公示开始", "Publicity begins"),
    "until": ("公示结束", "Publicity ends"),
    "candidates": ("中标候选人", "Candidates"),
    "channel": ("异议受理渠道", "Where to object"),
    "rank": ("名次", "Rank"),
    "bidder": ("中标人", "Winner"),
    "bid": ("投标编号", "Bid"),
    "notice_hash": ("中标通知书", "Award notice"),
    "hash": ("文件的 SHA-256", "SHA-256 of the paper"),
    "header": ("投标信封", "Header of the bid"),
    "power": ("行使的权力编码", "Power exercised"),
    "rule": ("依据的规则", "Rule"),
    "role": ("签名身份", "Signed as"),
    "at": ("文书时间", "Time of the act"),
    "seq": ("本项目公开文书序号", "Number among the tender's public acts"),
}
"""The fields that are told, in this order; any other is counted and left to the full text."""

CHOICES: Mapping[tuple[str, str], Words] = {
    ("reason", "hold"): ("程序暂停之后", "after a hold"),
    ("reason", "outage"): ("系统故障之后", "after an outage"),
    ("reason", "extension"): ("需要更多时间", "more time is wanted"),
    ("what", "suspend"): ("暂停", "suspend"),
    ("what", "resume"): ("恢复", "resume"),
    ("what", "provide"): ("提供资料", "provide information"),
    ("what", "correct"): ("限期改正", "correct"),
    ("what", "redraw"): ("重新抽取专家", "draw the panel again"),
    ("market", "construction"): ("工程建设项目", "construction"),
}
ENVELOPES: Mapping[int, Words] = {
    0: ("开标一览表", "opening list"),
    1: ("投标文件", "documents"),
    2: ("第二信封", "second envelope"),
}
UNTOLD = frozenset({"v", "signatures"})
"""What no reader misses: the version of the form, and the signatures that are still to come."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line: what it is, and what it says, ready for the page."""

    label: Words
    value: Markup


@dataclass(frozen=True, slots=True)
class Told:
    """An act in words. `rest` are the names of fields that only the full text has."""

    rows: Sequence[Row]
    rest: Sequence[str]


def tell(act: Mapping[str, Any], typed: Mapping[str, Any], lang: Lang, *, kind: Words) -> Told:
    """The lines of an act. `typed` is what the verb was given: texts that the act names by hash are found there; `kind`
    is what the act is called. A field without words is named in `rest`, never left out in silence."""
    rows = [Row(LABELS["kind"], Markup("<strong>{}</strong>").format(kind[0 if lang == "zh" else 1]))]
    for name, label in LABELS.items():
        if name == "kind" or name not in act or (act[name] is None and name != "max_price_fen"):
            continue
        rows.append(Row(label, _value(name, act[name], typed, lang)))
    rest = [name for name in act if name not in LABELS and name not in UNTOLD and act[name] is not None]
    return Told(rows, sorted(rest))


def _value(name: str, value: Any, typed: Mapping[str, Any], lang: Lang) -> Markup:
    t = _words(lang)
    if isinstance(value, str) and (name, value) in CHOICES:
        return t(*CHOICES[name, value])
    match value:
        case None:
            return t("不设", "none")
        case bool():
            return t("是", "yes") if value else t("否", "no")
        case int() if name.endswith("_fen"):
            return _money(value, lang)
        case int() if name.endswith("_s"):
            return t(f"{value} 秒", f"{value} seconds")
        case int() if name == "period_days":
            return t(f"{value} 日历天", f"{value} calendar days")
        case int() if name == "plaintext_max":
            return Markup("{} MiB").format(value >> 20)
        case int():
            return Markup(value)
        case str() if name == "text_hash":
            return _named(value, typed, lang)
        case str() if name == "role" and value in ROLES:
            return t(*ROLES[value])
        case str():
            return text(value, lang)
        case list() if name == "envelopes":
            return Markup("、" if lang == "zh" else ", ").join(t(*ENVELOPES.get(one, ("?", "?"))) for one in value)
        case list() if name == "candidates":
            return _list([_candidate(one, lang) for one in value], lang)
        case list() if name == "documents":
            return _list([_file(one, lang) for one in value], lang)
        case dict():
            return _names(value, lang)
    return _code(jcs.dumps(value).decode())


def text(value: str, lang: Lang) -> Markup:
    """An instant, a hash, or what somebody wrote, marked with its language and with its lines kept."""
    if _INSTANT.fullmatch(value):
        return language.moment(lang, value, seconds=True)
    if _HASH.fullmatch(value):
        return _code(value)
    lines = value.strip().split("\n")
    return Markup("<br>").join(_marked(line, lang) for line in lines)


def _marked(line: str, lang: Lang) -> Markup:
    chinese = bool(language.CHINESE.search(line))
    if not chinese and not re.search("[A-Za-z]{3}", line):
        return Markup("{}").format(line)
    return language.said(lang, line, "zh" if chinese else "en")


def _money(fen: int, lang: Lang) -> Markup:
    figure = language.money(lang, fen)
    shape = "{}(大写:{})" if lang == "zh" else "{} ({})"
    return Markup(shape).format(figure, amount.words(fen) if lang == "zh" else language.capitals(fen))


def _named(digest: str, typed: Mapping[str, Any], lang: Lang) -> Markup:
    """The typed text, if it has the hash that the act names; else the hash alone, which says nothing to a reader."""
    given = typed.get("text")
    if not isinstance(given, Mapping):
        return _code(digest)
    said = {"zh": str(given.get("zh") or ""), "en": str(given.get("en") or "")}
    try:
        same = sha256(jcs.dumps(said)).hexdigest() == digest
    except Refused:
        same = False
    if not same:
        return _code(digest)
    told = Markup("<br>").join(text(said[each], lang) for each in ("zh", "en") if said[each])
    return Markup('{}<br><span class="quiet small">SHA-256 {}</span>').format(told, _code(digest))


def _names(value: Mapping[str, Any], lang: Lang) -> Markup:
    """An organisation, a project, a rulebook: its name and what it is known by."""
    named = [str(value[name]) for name in ("name", "id") if name in value]
    known = [str(value[name]) for name in ("uscc", "code", "hash", "certificate") if value.get(name)]
    parts = [*(_marked(one, lang) for one in named), *(_code(one) for one in known)]
    return Markup(" ").join(parts) if parts else _code(jcs.dumps(dict(value)).decode())


def _candidate(row: Mapping[str, Any], lang: Lang) -> Markup:
    t = _words(lang)
    leader = row.get("leader") or {}
    parts = [
        _marked(str(row["bidder"]["name"]), lang),
        t("报价 ", "price ") + _money(row["price_fen"], lang),
        t(f"工期 {row['period_days']} 日历天", f"{row['period_days']} calendar days"),
        t("质量 ", "quality ") + _marked(str(row["quality"]), lang),
        t("项目负责人 ", "leader ")
        + _marked(f"{leader.get('name', '')} {leader.get('certificate', '')}".strip(), lang),
    ]
    if row.get("total") is not None:
        parts.append(t("总分或评审价 ", "total, or evaluated price ") + Markup("{}").format(row["total"]))
    said = Markup("," if lang == "zh" else ", ").join(parts)
    return t("第 {} 名:", "No. {}: ").format(row["rank"]) + said


def _file(row: Mapping[str, Any], lang: Lang) -> Markup:
    size = f"{row['size']:,} B"
    return _marked(str(row["name"]), lang) + Markup(' <span class="quiet small">{} · {}</span>').format(
        size, _code(str(row["sha256"]))
    )


def _list(rows: Sequence[Markup], lang: Lang) -> Markup:
    if not rows:
        return _words(lang)("无", "none")
    return Markup("<ul>{}</ul>").format(Markup("").join(Markup("<li>{}</li>").format(row) for row in rows))


def _code(value: str) -> Markup:
    shown = value[:_SHOWN_HASH] + "…" if _HASH.fullmatch(value) else value
    return Markup('<code title="{}">{}</code>').format(value, shown)


def _words(lang: Lang) -> Callable[[str, str], Markup]:
    return lambda zh, en: Markup(zh if lang == "zh" else en)
