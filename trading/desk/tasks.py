"""What comes next in a tender: what is due, who must act, until when, under which article; for owners and the centre.

A pure function of the tender and its pinned rulebook: trading/lifecycle.py says what the clock and the law want, this
file says it in words and names the page where it is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from trading import lifecycle
from trading.counter.page.forms import Words
from trading.lifecycle import State
from trading.rulebook import Rulebook
from trading.tender import Tender

OWNER: Words = ("招标人", "owner")
BIDDERS: Words = ("投标人", "bidders")
TRUSTEES: Words = ("受托人", "trustees")
PANEL: Words = ("评标委员会", "panel")
CLOCK: Words = ("系统自动", "the clock alone")
CENTRE: Words = ("交易中心、招标人、监督部门", "centre, owner and supervisor")
CLOCK_WORDS: dict[str, Words] = {
    "answer": ("答复异议", "Answer the objection"),
    "publicity": ("公示中标候选人", "Publish the candidates"),
    "regulator_report": ("向监督部门提交书面报告", "Report to the regulator"),
    "contract": ("签订合同并备案", "Sign and file the contract"),
}
CLOCK_PAGE = {
    "answer": "objections",
    "publicity": "publicise",
    "regulator_report": "report-to-regulator",
    "contract": "contract",
}
WARN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to do. `until` None where the law sets no day; `page` is the desk's page for it, '' for others' tasks;
    `light` is good, warn or bad by the time that is left."""

    what: Words
    who: Words
    until: datetime | None
    article: str
    page: str
    light: str

    @property
    def owners(self) -> bool:
        """Whether the owner (or agent) must act."""
        return self.who == OWNER


def of(tender: Tender, *, now: datetime, rulebook: Rulebook, questions: int = 0) -> list[Task]:
    """What comes next, the soonest first; what has no day comes last. `questions` = how many wait for an answer."""
    state = lifecycle.at_instant(tender, now).state
    found = [
        Task(CLOCK_WORDS[one.what], OWNER, one.until, one.article, CLOCK_PAGE[one.what], light(one.until, now))
        for one in lifecycle.clocks(tender, rulebook=rulebook)
        if not (one.what == "publicity" and state is State.REPORT_SUBMITTED)
    ]
    market = rulebook.market

    def add(what: Words, who: Words, until: datetime | None, article: str, page: str = "") -> None:
        found.append(Task(what, who, until, article, page, light(until, now)))

    if tender.held_by is not None:
        on_hold = any(hold.left_s for hold in tender.holds) and state is State.BIDDING and not tender.open_objections
        if on_hold:
            add(
                ("给出新的投标截止时间,恢复招标", "Give a new deadline so that the tender resumes"),
                OWNER,
                None,
                "条例 §22",
                "extend",
            )
    match state:
        case State.BIDDING if tender.held_by is None:
            add(
                ("投标截止,随即开标", "Bidding closes, the opening begins"),
                CLOCK,
                tender.deadline,
                market.tender_days_min.article,
            )
            if tender.draw_id is None:
                add(
                    ("申请抽取评标专家", "Ask for the draw of the panel"),
                    OWNER,
                    tender.deadline,
                    "法 §37; 条例 §46",
                    "draw",
                )
        case State.CLOSED | State.SHORT:
            add(("封存投标清单", "The list of bids is frozen"), CLOCK, None, "20号令 §30")
        case State.FROZEN | State.OPENING:
            add(
                ("受托人放出份额,逐份开启", "Trustees release their shares, bid by bid"),
                TRUSTEES,
                None,
                "20号令 §30、§31",
            )
        case State.OPENED:
            add(("评标委员会签到", "The panel signs in"), PANEL, None, "法 §37")
        case State.EVALUATING | State.COMMITTED:
            add(("评标", "Evaluation"), PANEL, None, "条例 §49")
        case State.REPORT_DRAFT:
            add(("评标委员会签署评标报告", "The panel signs its report"), PANEL, None, "条例 §53")
        case State.REPORT_SUBMITTED:
            until = next(
                (one.until for one in lifecycle.clocks(tender, rulebook=rulebook) if one.what == "publicity"), None
            )
            add(
                ("审阅评标报告,之后公示", "Read the report, then publish the candidates"),
                OWNER,
                until,
                "1117号 (五); 条例 §54",
                "review",
            )
        case State.PUBLICITY:
            add(
                ("公示期:可以提出异议", "Publicity: objections may be filed"),
                BIDDERS,
                tender.publicity_until,
                market.publicity_days_min.article,
            )
        case State.AWARDABLE:
            add(("定标,发出中标通知书", "Award, and send the award notice"), OWNER, None, "条例 §55; 法 §45", "award")
        case _:
            pass
    if (
        tender.draw_id is not None
        and tender.draw_close is None
        and state in (State.BIDDING, State.FROZEN, State.OPENED)
    ):
        add(("提交专家抽取的密封随机数", "Hand in sealed numbers for the draw"), CENTRE, None, "条例 §46")
    if questions and state is State.BIDDING:
        add(
            ("答复投标人的提问(澄清)", "Answer bidders' questions (clarification)"),
            OWNER,
            None,
            market.clarification_days_min.article,
            "questions",
        )
    return sorted(found, key=lambda task: (task.until is None, task.until or now))


def light(until: datetime | None, now: datetime) -> str:
    """good, warn (less than a day left) or bad (late)."""
    if until is None:
        return "good"
    return "bad" if now >= until else "warn" if until - now < WARN else "good"


def over(state: State) -> bool:
    """Whether nothing more comes."""
    return state in lifecycle.TERMINAL
