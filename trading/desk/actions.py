"""What an owner or agent does with a published tender: one form each, which verb it runs, and what it says first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from trading.counter.page.forms import Field, Upload, Words
from trading.lifecycle import State
from trading.roles import MATRIX, Permission, Role

LATE = Field(
    "late_because",
    "逾期原因(逾期时必填)",
    "Reason for the delay (needed when late)",
    "area",
    required=False,
    max=2000,
    rows=2,
    hint=("原因记入账本。", "The reason goes into the ledger."),
)
Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Action:
    """One act of the owner: its page, permission, form, button, what is said when done, and in which states it is
    offered. `values` makes the verb's fields of what was typed."""

    name: str
    zh: str
    en: str
    permission: Permission
    fields: tuple[Field, ...]
    states: frozenset[State]
    article: str
    about: Words
    done: Words
    values: Callable[[Values], dict[str, Any]] = dict
    danger: bool = False
    signs: bool = True


def _hashed(values: Values) -> dict[str, Any]:
    """A file that came with the form is named by its SHA-256; the paper itself stays with the owner."""
    told = dict(values)
    given = told.pop("paper", None)
    if isinstance(given, Upload):
        told["hash"] = sha256(given.data).hexdigest()
    return told


def _ranked(values: Values) -> dict[str, Any]:
    return {**values, "rank": int(values["rank"])}


def _given(values: Values) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "")}


BEFORE_OPENING = frozenset({State.BIDDING, State.CLOSED, State.FROZEN})
PANEL_WANTED = frozenset({State.BIDDING, State.CLOSED, State.FROZEN, State.OPENING, State.OPENED, State.EVALUATING})
EXTEND = Action(
    "extend",
    "延长投标截止时间",
    "Move the deadline later",
    Permission.DEADLINE_EXTEND,
    (
        Field(
            "deadline",
            "新的投标截止时间(北京时间)",
            "New deadline (China time)",
            "instant",
            rule="条例 §21 (E-09, E-13)",
        ),
        Field(
            "reason",
            "原因",
            "Reason",
            "choice",
            choices=(
                ("extension", "需要更多时间", "more time is wanted"),
                ("hold", "程序暂停之后", "after a hold"),
                ("outage", "系统故障之后", "after an outage"),
            ),
        ),
    ),
    frozenset({State.BIDDING}),
    "条例 §21",
    (
        "截止时间只能推后。程序暂停之后,新的截止时间至少要补足暂停时剩余的时间。",
        "A deadline only moves later. After a hold at least the time that was left is given back.",
    ),
    ("已延期,并通知所有下载人。", "Extended; everybody who downloaded is told."),
)
TERMINATE = Action(
    "terminate",
    "终止招标",
    "End the tender",
    Permission.TENDER_TERMINATE,
    (Field("reason", "终止招标的原因(将公开)", "Why the tender ends (will be public)", "area", max=2000),),
    BEFORE_OPENING,
    "条例 §31",
    (
        "终止后不可恢复;已收到的投标永远不会被打开。应及时公告,退还收取的费用和保证金及利息。",
        "It cannot be undone; bids received stay sealed for ever. Fees and bonds are returned with interest.",
    ),
    ("已终止招标。", "The tender is ended."),
    danger=True,
)
DRAW = Action(
    "draw",
    "申请抽取评标专家",
    "Ask for the draw of the panel",
    Permission.DRAW_REQUEST,
    (
        Field(
            "starts",
            "评标开始时间",
            "The evaluation begins",
            "instant",
            required=False,
            hint=("不填则为投标截止后4小时。", "If empty: four hours after the deadline."),
        ),
        Field(
            "place",
            "集合地点",
            "Place to come to",
            required=False,
            hint=("不得写项目名称。", "Do not name the project."),
        ),
        Field("contact", "联系电话", "Telephone", required=False),
    ),
    PANEL_WANTED,
    "法 §37; 条例 §46",
    (
        "按招标文件规定的人数和专业,从专家库随机抽取;公布的只有掩码,任何人此刻都不知道会抽到谁。",
        "Drawn at random by the document's numbers and specialties. Only masks are public; nobody knows who it is.",
    ),
    ("已公布专家抽取池。", "The pool is published."),
    values=_given,
    signs=False,
)
REVIEW = Action(
    "review",
    "审阅评标报告",
    "Read the report",
    Permission.REPORT_REVIEW,
    (),
    frozenset({State.REPORT_SUBMITTED}),
    "1117号 (五) (E-77)",
    (
        "公示之前,招标人应当审阅评标报告:客观分是否一致、得分有无畸高畸低、否决有无依据。发现错误的,请原评标委员会复核。",
        "Before publicity the owner reads the report: equal objective points, no outliers, rejections with grounds.",
    ),
    ("已记录审阅。", "The reading is recorded."),
    signs=False,
)
PUBLICISE = Action(
    "publicise",
    "公示中标候选人",
    "Publish the candidates",
    Permission.CANDIDATES_PUBLISH,
    (LATE,),
    frozenset({State.REVIEWED}),
    "条例 §54 (E-78, E-79)",
    (
        "公示名单由评标报告的排名自动形成,招标人不能改动。公示期不少于3日,最后一日遇休息日顺延。",
        "The list follows the panel's ranking and cannot be changed. Publicity lasts at least three days.",
    ),
    ("已公示中标候选人。", "The candidates are public."),
)
AWARD = Action(
    "award",
    "定标",
    "Award",
    Permission.TENDER_AWARD,
    (Field("rank", "中标候选人", "Candidate", "choice", choices=()),),
    frozenset({State.AWARDABLE}),
    "条例 §55; 法 §45 (E-81, E-83, E-85)",
    (
        "国有资金占控股或者主导地位的项目,应当确定排名第一的候选人中标。中标通知与结果通知同时发给全部投标人。",
        "In a state-controlled project the first candidate wins. Every bidder is told at the same instant.",
    ),
    ("已定标,全部投标人同时收到通知。", "Awarded; every bidder was told at the same instant."),
    values=_ranked,
)
CONTRACT = Action(
    "contract",
    "合同备案",
    "File the contract",
    Permission.CONTRACT_FILE,
    (
        Field("price_fen", "合同价(元)", "Contract price (yuan)", "money", min=1, rule="条例 §57 (E-88)"),
        Field("period_days", "工期(日历天)", "Period (calendar days)", "number", min=1, max=3650),
        Field("quality", "质量", "Quality"),
        Field("paper", "已签订的合同(文件)", "The signed contract (file)", "file"),
        LATE,
    ),
    frozenset({State.AWARDED}),
    "法 §46; 条例 §57 (E-87, E-88)",
    (
        "标的、价款、质量、工期必须与招标文件和中标人的投标文件一致。合同原文由您保存,账本只记它的 SHA-256。",
        "Price, quality and period are those of the bid. The contract stays with you; the ledger names its SHA-256.",
    ),
    ("合同已备案。", "The contract is filed."),
    values=_hashed,
)
REGULATOR = Action(
    "report-to-regulator",
    "向监督部门提交书面报告",
    "Report to the regulator",
    Permission.REGULATOR_REPORT,
    (Field("paper", "招标投标情况书面报告(文件)", "The written report (file)", "file"), LATE),
    frozenset({State.AWARDED, State.CONTRACTED}),
    "法 §47 (E-86)",
    (
        "自确定中标人之日起15日内提交。账本只记报告的 SHA-256。",
        "Within fifteen days of the award. The ledger names the report's SHA-256.",
    ),
    ("书面报告已提交。", "The report is handed in."),
    values=_hashed,
    signs=False,
)
ACTIONS = (EXTEND, TERMINATE, DRAW, REVIEW, PUBLICISE, AWARD, CONTRACT, REGULATOR)
BY_NAME: Mapping[str, Action] = {action.name: action for action in ACTIONS}


def held(role: Role) -> frozenset[Permission]:
    """What a role may do at all."""
    return MATRIX[role]
