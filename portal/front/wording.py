"""The words of the public pages: stages, time limits, markets, acts of the lifecycle, in Chinese and English."""

from __future__ import annotations

from crypto.verifier import findings
from trading.counter.page import terms
from trading.counter.page.pages import Link
from trading.lifecycle import CLOCK

Words = tuple[str, str]

NAV = [
    Link("/", "今日", "Today"),
    Link("/lots", "招标公告", "Notices"),
    Link("/calendar", "开标日历", "Calendar"),
    Link("/guides", "办事指南", "Guides"),
    Link("/powers", "权责清单", "Power list"),
    Link("/downloads", "下载", "Downloads"),
]
"""The navigation of the public pages."""
STAGES: dict[str, Words] = {
    "open": ("正在投标", "open for bids"),
    "opening": ("开标", "opening"),
    "evaluation": ("评标", "evaluation"),
    "publicity": ("公示", "publicity"),
    "awarded": ("已定标", "awarded"),
    "ended": ("已终止或失败", "ended without award"),
}
STEPS: dict[str, Words] = {
    "notice": ("发布招标公告和招标文件", "Notice and documents published"),
    "documents_until": ("招标文件发售(获取)截止", "Documents can be had until"),
    "objection_to_document": ("对招标文件提出异议的最后一天", "Last day to object to the documents"),
    "clarification_without_extension": (
        "可能影响投标的澄清,不顺延的最后一天",
        "Last day of a clarification that affects bids without moving the deadline",
    ),
    "deadline": ("投标截止", "Deadline for bids"),
    "opening": ("开标", "Opening"),
    "objection_filed": ("收到异议,程序暂停", "An objection was received; the proceedings are on hold"),
    "objection_answered": ("异议已答复", "The objection was answered"),
    "answer": ("答复异议的最后一天", "Last day to answer the objection"),
    "report": ("评标报告完成", "Evaluation report"),
    "publicity": ("公示中标候选人", "Candidates published"),
    "publicity_until": (
        "公示期满(对评标结果提出异议的最后时刻)",
        "Publicity ends; last moment to object to the result",
    ),
    "award": ("发出中标通知书", "Award notice"),
    "regulator_report": ("向监督部门提交书面报告", "Written report to the regulator"),
    "contract": ("订立合同", "Contract"),
    "failed": ("招标失败", "The tender failed"),
    "terminated": ("终止招标", "The tender was terminated"),
}
BOUNDS: dict[str, Words] = {
    "earliest": ("依法不早于", "by law not before"),
    "latest": ("依法不迟于", "by law not after"),
}
STATUS: dict[str, Words] = {
    "done": ("已完成", "done"),
    "next": ("下一步", "next"),
    "later": ("以后", "later"),
    "late": ("已逾期", "overdue"),
}
OBJECTION: dict[str, Words] = {
    "document": ("对招标文件的异议", "An objection to the documents"),
    "opening": ("对开标的异议(在开标现场提出)", "An objection to the opening (on the spot)"),
    "result": ("对评标结果的异议", "An objection to the result"),
}
ROLES: dict[str, Words] = {
    "owner": ("招标人", "owner"),
    "agent": ("招标代理机构", "agent"),
    "bidder": ("投标人", "bidder"),
    "centre": ("交易中心", "trading centre"),
    "supervisor": ("监督部门", "supervisor"),
    "inspector": ("纪检监察", "inspector"),
    "auditor": ("审计", "auditor"),
    "trustee": ("受托人", "trustee"),
    "expert": ("评标专家", "expert"),
    "owner_representative": ("招标人代表", "owner's representative"),
    "clockwork": ("系统按时执行", "the clockwork"),
    "opening": ("开标室与监督方验证机", "opening room and verifier"),
}
CHECKS: dict[int, Words] = dict(enumerate(findings.NAMES))
RESULTS: dict[str, Words] = {
    "passed": ("通过", "passed"),
    "failed": ("未通过", "failed"),
    "not_shown": ("未出示", "not shown"),
}
_MORE: dict[str, Words] = {
    "entry": ("提交进场登记", "entry handed in"),
    "entry_accepted": ("登记并赋码", "entry registered"),
    "objection": ("提出异议", "objection"),
    "answer": ("答复异议", "answer"),
    "sign_in": ("专家签到", "expert signs in"),
    "review": ("审阅评标报告", "report reviewed"),
    "award_void": ("中标无效,依次递补", "award void, next candidate"),
    "regulator_report": ("书面报告", "report to the regulator"),
    "draw_failed": ("抽取失败", "draw failed"),
    CLOCK: ("时间届满", "time is up"),
}


def event(kind: str) -> Words:
    """The words of an event of the lifecycle."""
    return _MORE.get(kind) or terms.act(kind)


def role(name: str) -> Words:
    """The words of who brings an event about."""
    return ROLES.get(name, (name, name))
