"""Conditions that a notice or a tender document may not set, found by their words before anybody publishes them.

条例 §32 (seven ways of shutting bidders out), §27 (no minimum price), §28 (no site visit for some); 法 §6, §20;
优化营商环境条例 §13 (ownership, region, origin of products); 电子招标投标办法 §20 (nothing asked before a download);
发改法规规〔2022〕1117号 (二) (no drawing of bidders or winners by lot). E-17, E-19, E-22 and the numbers are judged in
publication.py and refuse; what stands here is found by words, so it is a warning: whoever publishes reads it, mends
the text, or writes down why the words do not mean what they seem to. A rule of words can be talked around; it is for
those who did not mean to break the law.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from trading.tender_document import TenderDocument


@dataclass(frozen=True, slots=True)
class Condition:
    """One kind of forbidden condition: the words it is found by, what it is, and the article that forbids it."""

    code: str
    words: re.Pattern[str]
    zh: str
    en: str
    article: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A condition found in a document: the field (JSON path) and the words that stand there."""

    condition: Condition
    field: str
    words: str


def _c(code: str, words: str, zh: str, en: str, article: str) -> Condition:
    return Condition(code, re.compile(words), zh, en, article)


CONDITIONS = (
    _c(
        "min_price",
        r"最低(投标)?限价|最低报价不得低于|(报价|投标价)[^。；;，,]{0,8}(不得|不能)低于",
        "设有最低投标限价",
        "a minimum price",
        "条例 §27 (E-22)",
    ),
    _c(
        "scale",
        r"注册资(本|金)|实缴资本|资产总额|净资产|营业收入|年?营业额|利润|纳税额|从业人员|职工人数|企业规模",
        "以注册资本、资产、营业收入、利润、人数等规模条件限制投标人",
        "a condition on the size of the bidder: capital, assets, turnover, profit, staff",
        "条例 §32 (二)",
    ),
    _c(
        "region",
        r"本(地|市|省|县|区|州)(注册|企业|户籍|公司|业绩|奖项|范围内|行政区域|的?(业绩|奖项))|(外地|市外|省外)(企业|投标人)|"
        r"(在|于)(本|我)(地|市|省|县|区)[^。；;，,]{0,12}(设立|注册|办公|缴纳|分公司|分支机构)|本地(化)?(服务)?机构|入库企业|备选库|名录库",
        "以地区、本地机构、本地业绩奖项或名录库限制投标人",
        "a condition on the region: local registration, office, record, award or list",
        "法 §6; 条例 §32 (三)、(七); 优化营商环境条例 §13",
    ),
    _c(
        "brand",
        r"(指定|限定|必须(为|采用|使用)|仅限)[^。；;，,]{0,10}(品牌|厂家|商标|专利|型号|原产地|供应商)|原厂授权|唯一授权",
        "限定或者指定专利、商标、品牌、原产地、供应商",
        "a particular patent, trade mark, brand, origin or supplier",
        "条例 §32 (五)",
    ),
    _c(
        "ownership",
        r"(国有|民营|外资|内资|私营|中央|集体)(企业|控股|独资|资本)[^。；;，,]{0,12}(不得|方可|优先|限|才能|加分)|所有制|"
        r"(仅限|限于)[^。；;，,]{0,6}(国有|民营|内资|中央)",
        "限定投标人的所有制形式或者组织形式",
        "a condition on who owns the bidder",
        "条例 §32 (六); 优化营商环境条例 §13",
    ),
    _c(
        "award_or_record_of_a_trade",
        r"(特定|指定|本)(行业|系统|部门)[^。；;，,]{0,8}(业绩|奖项|获奖|荣誉)",
        "以特定行业的业绩、奖项作为加分或者中标条件",
        "points or a win for the record or prizes of one trade",
        "条例 §32 (三)",
    ),
    _c(
        "precondition",
        r"(须|需|必须|应)[^。；;，,]{0,6}(现场)?报名|购买招标文件|工本费|图纸押金[^。；;，,]{0,6}(不|概不)退|法定代表人[^。；;，,]{0,8}(到场|亲自|出席)",
        "在获取文件之前设置报名、收费或者到场条件",
        "registration, a fee or attendance before the documents",
        "电子招标投标办法 §20; 条例 §16; E-19",
    ),
    _c(
        "visit",
        r"(部分|个别|单独)[^。；;，,]{0,8}(踏勘|现场考察)",
        "组织单个或者部分潜在投标人踏勘现场",
        "a site visit for some bidders only",
        "条例 §28 (E-23)",
    ),
    _c(
        "lot",
        r"(抽签|摇号|随机抽取)[^。；;，,]{0,10}(确定|产生|选取|入围)?[^。；;，,]{0,6}(投标人|中标人|中标候选人|入围)",
        "以抽签、摇号确定投标人或者中标人",
        "drawing bidders or the winner by lot",
        "发改法规规〔2022〕1117号 (二) (E-41)",
    ),
)


def findings(document: TenderDocument) -> tuple[Finding, ...]:
    """Every forbidden condition that the words of a document seem to set, in the document's order."""
    return tuple(
        Finding(condition, field, found[0])
        for field, text in texts(document)
        for condition in CONDITIONS
        if (found := condition.words.search(text)) is not None
    )


def texts(document: TenderDocument) -> Iterator[tuple[str, str]]:
    """(JSON path, text) of everything in a document that can set a condition for bidders."""
    yield "notice.title", document.notice.title
    yield "lot.name", document.lot.name
    yield "lot.scope", document.lot.scope
    yield "lot.quality", document.lot.quality
    if document.price.max_price_method:
        yield "price.max_price_method", document.price.max_price_method
    for number, requirement in enumerate(document.requirements):
        yield f"requirements[{number}].name", requirement.name
    for number, item in enumerate(document.items):
        yield f"items[{number}].name", item.name
        yield f"items[{number}].criterion", item.criterion
    yield "remedies.objection", document.remedies.objection
