"""Construction tendering (工程建设项目招标投标), open tender of one lot: the national values, each with its article.

法 = 招标投标法 (2017), 条例 = 招标投标法实施条例 (2019), 20号令 = 电子招标投标办法 (2013),
10号令 = 招标公告和公示信息发布管理办法 (2018).
Values tagged `design` are this hall's own protocol, not law.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from trading import calendar, powers
from trading.rulebook import Limit, Market, Rulebook, for_region

CONSTRUCTION = Market(
    code="construction",
    name_zh="工程建设",
    name_en="construction",
    deal_class="01",
    media=("中国招标投标公共服务平台", "省级公共资源交易公共服务平台"),  # 10号令 §8
    methods=("benchmark", "lowest_evaluated"),  # 12号令 §29: 综合评估法, 经评审的最低投标价法
    lock_seats=(("owner", "centre", "notary"), ("regulator", "inspector", "independent", "notary")),
    document_days_min=Limit(5, "day", "E-06", "条例 §16"),
    tender_days_min=Limit(20, "day", "E-07", "法 §24"),
    clarification_days_min=Limit(15, "day", "E-09", "法 §23, 条例 §21"),
    document_objection_days_min=Limit(10, "day", "E-12", "条例 §22"),
    document_objection_answer_days_max=Limit(3, "day", "E-13", "条例 §22"),
    bids_min=Limit(3, "bid", "E-51", "法 §28, 条例 §44"),
    panel_members_min=Limit(5, "member", "E-61", "法 §37"),
    panel_expert_thirds_min=Limit(2, "third", "E-61", "法 §37"),
    competition_bids_min=Limit(3, "bid", "E-73", "12号令 §27"),
    candidates_max=Limit(3, "candidate", "E-75", "条例 §53"),
    candidates_publicity_days_max=Limit(3, "day", "E-78", "条例 §54"),
    publicity_days_min=Limit(3, "day", "E-79", "条例 §54"),
    result_objection_answer_days_max=Limit(3, "day", "E-80", "条例 §54"),
    regulator_report_days_max=Limit(15, "day", "E-86", "法 §47"),
    contract_days_max=Limit(30, "day", "E-87", "法 §46"),
    settle_seconds_min=Limit(60, "second", "E-52", "docs/spec/release.md", "design"),
    challenge_seconds_min=Limit(300, "second", "E-52", "docs/spec/release.md", "design"),
    rescue_seconds_min=Limit(600, "second", "E-54", "docs/spec/release.md", "design"),
    draw_candidates_per_seat_min=Limit(2, "person", "E-63", "docs/spec/lottery.md", "design"),
)

NATIONAL = Rulebook(
    id="construction-2019",
    market=CONSTRUCTION,
    region="000000",
    effective_from=date(2019, 3, 2),  # the day the 条例 took its present form
    effective_to=None,
    calendar=calendar.load(),
    powers=powers.load(),
)


def regional(region: str, overrides: Mapping[str, Limit]) -> Rulebook:
    """The construction rulebook of a region (GB/T 2260 code) with its own [L] and [mem] values."""
    return for_region(NATIONAL, region, overrides)
