"""The words that pages use for states and acts, Chinese and English (docs/glossary.md); one table for every door."""

from __future__ import annotations

from trading.lifecycle import State

Words = tuple[str, str]

STATES: dict[str, Words] = {
    State.DRAFT: ("编制中", "draft"),
    State.ENTRY_PENDING: ("待进场登记", "entry pending"),
    State.REGISTERED: ("已登记,待发布", "registered, not yet published"),
    State.BIDDING: ("投标中", "open for bids"),
    State.CLOSED: ("投标已截止", "closed"),
    State.SHORT: ("投标人不足三家", "too few bids"),
    State.FROZEN: ("已封存,待开标", "frozen, before opening"),
    State.OPENING: ("开标中", "opening"),
    State.OPENED: ("已开标", "opened"),
    State.EVALUATING: ("评标中", "evaluating"),
    State.COMMITTED: ("评分已锁定", "scores committed"),
    State.REPORT_DRAFT: ("评标报告签署中", "report being signed"),
    State.REPORT_SUBMITTED: ("评标报告已提交", "report submitted"),
    State.REVIEWED: ("评标报告已审阅", "report reviewed"),
    State.PUBLICITY: ("中标候选人公示中", "candidates in publicity"),
    State.AWARDABLE: ("公示期满,待定标", "publicity over, award due"),
    State.AWARDED: ("已定标", "awarded"),
    State.CONTRACTED: ("已签订合同", "contracted"),
    State.FAILED: ("招标失败", "failed"),
    State.TERMINATED: ("招标终止", "terminated"),
}

ACTS: dict[str, Words] = {
    "tender": ("发布招标公告和招标文件", "notice and documents published"),
    "amendment": ("澄清或修改", "clarification or modification"),
    "deadline": ("延长投标截止时间", "deadline extended"),
    "hold": ("招投标活动暂停", "proceedings on hold"),
    "resume": ("招投标活动恢复", "proceedings resumed"),
    "terminate": ("终止招标", "tender terminated"),
    "incident": ("系统故障记录", "incident recorded"),
    "close": ("投标截止", "bidding closed"),
    "freeze": ("投标封存", "bids frozen"),
    "refused": ("投标被拒收", "bid refused"),
    "failed": ("招标失败", "tender failed"),
    "ready": ("受托人就绪", "trustee ready"),
    "rescue": ("补救密封", "rescue"),
    "release": ("受托人放出份额", "trustee released its shares"),
    "verdict": ("逐份开启结论", "verdict on every bid"),
    "opened": ("开标记录", "opening record"),
    "draw_pool": ("专家抽取名单封存", "draw: pool frozen"),
    "draw_close": ("专家抽取种子封存", "draw: contributions closed"),
    "draw_result": ("专家抽取结果", "draw: result"),
    "recusal": ("专家回避与递补", "expert replaced"),
    "scores_committed": ("评分封存", "scores committed"),
    "scores_locked": ("评分公布", "scores shown"),
    "report": ("评标报告", "evaluation report"),
    "publicity": ("中标候选人公示", "candidates in publicity"),
    "award": ("中标通知", "award"),
    "regulator_report": ("向监督部门提交书面报告", "reported to the regulator"),
    "report_received": ("监督部门确认收到书面报告", "the regulator confirmed the report"),
    "contribution": ("提交密封随机数", "sealed number handed in"),
    "call": ("呼叫专家无人接听", "a call was not answered"),
    "contract": ("合同备案", "contract filed"),
    "tally": ("不公开记录清点", "private acts counted"),
    "directive": ("监督指令", "supervisor's directive"),
    "trustee": ("受托人入册", "trustee certified"),
    "pre_keys": ("受托人一次性公钥", "trustee's one-time keys"),
    "key": ("公布公钥", "key published"),
    "rotate": ("更换公钥", "key rotated"),
    "clock": ("演练时钟前移", "rehearsal clock moved"),
    "scripts": ("公布页面脚本清单", "scripts of the pages published"),
}

GROUPS: dict[str, Words] = {
    "operation": ("运行组", "operation group"),
    "supervision": ("监督组", "supervision group"),
}
"""The groups of trustees, in the order of their locks."""


def state(name: str) -> Words:
    """(Chinese, English) of a tender's state."""
    return STATES.get(name, (name, name))


def act(kind: str) -> Words:
    """(Chinese, English) of a kind of act."""
    return ACTS.get(kind, (kind, kind))
