"""The whole legal schedule of a tender while it is being prepared: every day with its article, from notice to contract.

Days before the deadline are minima or last days counted back from it; days after it assume that the panel reports on
the day of the opening, which is the earliest it can be. Counted by trading/calendar.py (T-01 to T-05); the rulebook is
the one that a notice on the planned day would pin (T-07).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time

from storage.world import stamp
from trading import calendar
from trading.counter.page.forms import Words
from trading.rulebook import Limit, Rulebook

OPENING_TIME = time(9, 30)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the schedule. `bound`: not before or not after `day`; '' for a day that is simply that day."""

    what: Words
    bound: str
    day: date
    rule: str
    article: str
    provisional: bool
    who: Words


OWNER: Words = ("招标人", "owner")
EVERYBODY: Words = ("各方", "everybody")
BIDDERS: Words = ("投标人", "bidders")


def earliest(published: date, rulebook: Rulebook) -> dict[str, date]:
    """The first lawful day of what a schedule names, by its field in the tender document."""
    market, days = rulebook.market, rulebook.calendar
    return {
        "documents_until": days.earliest_end(published, market.document_days_min.span),
        "deadline": days.earliest_end(published, market.tender_days_min.span),
    }


def proposed(published: date, rulebook: Rulebook) -> dict[str, str]:
    """A schedule as early as the law allows, on working days at half past nine: instants as text."""
    deadline = rulebook.calendar.roll(earliest(published, rulebook)["deadline"])
    at = stamp(datetime.combine(deadline, OPENING_TIME, calendar.CHINA))
    return {"documents_until": at, "deadline": at, "opening_at": at}


def lines(published: date, deadline: date, *, publicity_days: int, rulebook: Rulebook) -> list[Line]:
    """The schedule, by day."""
    market, days = rulebook.market, rulebook.calendar
    first = earliest(published, rulebook)
    publicity = calendar.Span(max(publicity_days, market.publicity_days_min.value))
    shown_from = deadline
    shown_until = days.last_day_to_act(shown_from, publicity)
    awarded = days.roll(shown_until + calendar.ONE_DAY)

    def line(what: Words, bound: str, day: date, limit: Limit, who: Words) -> Line:
        return Line(what, bound, day, limit.rule, limit.article, days.is_provisional(day), who)

    return [
        line(
            ("发布招标公告和招标文件", "Notice and documents are published"),
            "",
            published,
            market.tender_days_min,
            OWNER,
        ),
        line(
            ("招标文件可以停止提供", "Documents may be withdrawn"),
            "earliest",
            first["documents_until"],
            market.document_days_min,
            OWNER,
        ),
        line(
            ("投标截止、开标", "Deadline and opening"), "earliest", first["deadline"], market.tender_days_min, EVERYBODY
        ),
        line(
            ("对招标文件提出异议", "Objections to the documents"),
            "latest",
            days.count_back(deadline, market.document_objection_days_min.span),
            market.document_objection_days_min,
            BIDDERS,
        ),
        line(
            ("可能影响投标的澄清(不延期)", "Clarification that affects bids, without an extension"),
            "latest",
            days.count_back(deadline, market.clarification_days_min.span),
            market.clarification_days_min,
            OWNER,
        ),
        line(
            ("投标截止、开标(您选定)", "Deadline and opening (as you set it)"),
            "",
            deadline,
            market.tender_days_min,
            EVERYBODY,
        ),
        line(
            ("公示中标候选人(假定开标当日提交评标报告)", "Candidates become public (if the panel reports on the day)"),
            "latest",
            days.last_day_to_act(deadline, market.candidates_publicity_days_max.span),
            market.candidates_publicity_days_max,
            OWNER,
        ),
        line(("公示期最早届满", "Publicity ends"), "earliest", shown_until, market.publicity_days_min, BIDDERS),
        line(("最早可以定标", "Award"), "earliest", awarded, market.publicity_days_min, OWNER),
        line(
            ("向监督部门提交书面报告", "Written report to the regulator"),
            "latest",
            days.last_day_to_act(awarded, market.regulator_report_days_max.span),
            market.regulator_report_days_max,
            OWNER,
        ),
        line(
            ("签订合同", "Contract"),
            "latest",
            days.last_day_to_act(awarded, market.contract_days_max.span),
            market.contract_days_max,
            OWNER,
        ),
    ]
