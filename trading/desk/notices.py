"""The notice of a tender as people read it: one list of sections, from which the preview page and the PDF are made.

Contents as 招标公告和公示信息发布管理办法 §5 asks: project, scope, funds, what bidders must show, how and until
when the documents are got and bids handed in, names and contacts, the platform, and how bids are judged. What is shown
is the structured tender document and nothing else, so that the preview is what will be published.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trading.counter.page import language
from trading.counter.page.language import Lang
from trading.desk.drafts import steps
from trading.tender_document import Benchmark, TenderDocument

Section = dict[str, Any]


def sections(document: TenderDocument, files: Sequence[Mapping[str, Any]], lang: Lang) -> list[Section]:
    """[{"title","facts": [[label, text]],"items": [text],"table": {"head","rows","columns","numbers"} or null}].

    Labels are in the reader's language; what the owner wrote stays as it was written.
    """
    return [
        _project(document, lang),
        _scope(document, lang),
        _requirements(document, lang),
        _documents(document, files, lang),
        _bids(document, lang),
        _method(document, lang),
        _panel(document, lang),
        _contact(document, lang),
    ]


def _t(lang: Lang, zh: str, en: str) -> str:
    return zh if lang == "zh" else en


def _chosen(lang: Lang, choices: Sequence[tuple[str, str, str]], value: Any) -> str:
    return next((_t(lang, zh, en) for key, zh, en in choices if key == str(value)), str(value))


def _section(title: str, facts: list[list[str]], items: Sequence[str] = (), table: Any = None) -> Section:
    return {"title": title, "facts": [fact for fact in facts if fact[1]], "items": list(items), "table": table}


def moment(lang: Lang, text: str) -> str:
    """An instant as plain words."""
    return language.moment(lang, text).striptags()


def _project(document: TenderDocument, lang: Lang) -> Section:
    project = document.project
    return _section(
        _t(lang, "招标条件", "Project"),
        [
            [_t(lang, "项目名称", "Project"), project.name],
            [_t(lang, "审批文号", "Approval"), project.approval],
            [_t(lang, "资金来源", "Source of funds"), project.fund_source],
            [_t(lang, "招标人", "Owner"), f"{document.owner.name} ({document.owner.uscc})"],
            [
                _t(lang, "招标代理机构", "Agent"),
                f"{document.agent.name} ({document.agent.uscc})" if document.agent else "",
            ],
            [
                _t(lang, "国有资金控股或主导", "State-controlled"),
                _t(lang, "是", "yes") if project.state_controlled else _t(lang, "否", "no"),
            ],
        ],
    )


def _scope(document: TenderDocument, lang: Lang) -> Section:
    lot, price = document.lot, document.price
    ceiling = f"{language.money(lang, price.max_price_fen)}" if price.max_price_fen else price.max_price_method or ""
    if price.max_price_fen and lang == "zh":
        ceiling += f"({language.capitals(price.max_price_fen).striptags()})"
    return _section(
        _t(lang, "项目概况与招标范围", "Scope"),
        [
            [_t(lang, "标段", "Lot"), lot.name],
            [_t(lang, "建设地点", "Place"), lot.place],
            [_t(lang, "质量要求", "Quality"), lot.quality],
            [
                _t(lang, "工期", "Period"),
                _t(lang, f"不超过 {lot.period_days_max} 日历天", f"at most {lot.period_days_max} calendar days"),
            ],
            [_t(lang, "最高投标限价", "Max price"), ceiling],
            [_t(lang, "招标范围", "Scope"), lot.scope],
        ],
    )


def _requirements(document: TenderDocument, lang: Lang) -> Section:
    rows = [
        [
            one.code,
            one.name,
            _chosen(lang, steps.STAGES, one.stage),
            one.file if one.envelope else _t(lang, "开标一览表", "opening list"),
            _t(lang, "实质性", "mandatory") if one.mandatory else "",
        ]
        for one in document.requirements
    ]
    head = [
        _t(lang, "编号", "Code"),
        _t(lang, "要求", "Requirement"),
        _t(lang, "评审环节", "Stage"),
        _t(lang, "文件", "File"),
        "",
    ]
    table = {"head": head, "rows": rows, "columns": [2, 7, 3, 5, 2], "numbers": []}
    return _section(_t(lang, "投标人资格要求和投标文件要求", "What a bid must show"), [], table=table)


def _documents(document: TenderDocument, files: Sequence[Mapping[str, Any]], lang: Lang) -> Section:
    free = _t(
        lang,
        "任何人均可在交易平台免费获取招标文件,无需报名,不设任何前置条件(电子招标投标办法 §20)。",
        "Anybody gets the documents on the platform, free, without registering interest (Order 20 of 2013, §20).",
    )
    return _section(
        _t(lang, "招标文件的获取", "Documents"),
        [[_t(lang, "获取截止", "Available until"), moment(lang, document.schedule.documents_until)]],
        [free, *(f"· {file['name']} ({_size(int(file['size']))})" for file in files)],
    )


def _bids(document: TenderDocument, lang: Lang) -> Section:
    schedule = document.schedule
    return _section(
        _t(lang, "投标文件的递交与开标", "Handing in and opening"),
        [
            [_t(lang, "投标截止与开标", "Deadline and opening"), moment(lang, schedule.deadline)],
            [
                _t(lang, "递交方式", "How"),
                _t(lang, f"在{document.notice.platform}加密递交", f"sealed, on {document.notice.platform}"),
            ],
            [_t(lang, "开标地点", "Opening at"), document.opening.place],
            [
                _t(lang, "投标有效期", "Validity"),
                _t(lang, f"{schedule.validity_days} 日", f"{schedule.validity_days} days"),
            ],
        ],
        [
            _t(
                lang,
                "逾期送达或者未加密的投标文件,平台拒收;开标之前任何单位和个人不得解密、提取投标文件"
                "(电子招标投标办法 §26、§27)。",
                "Late or unsealed bids are refused; nobody can open a bid before the opening "
                "(Order 20 of 2013, §26, §27).",
            )
        ],
    )


def _method(document: TenderDocument, lang: Lang) -> Section:
    method = document.method
    facts = [
        [
            _t(lang, "评标办法", "Method"),
            _chosen(lang, steps.METHODS, "benchmark" if isinstance(method, Benchmark) else "lowest_evaluated"),
        ]
    ]
    if not isinstance(method, Benchmark):
        facts.append([_t(lang, "价格折算因素", "Price adjustments"), ", ".join(method.adjustments)])
        return _section(_t(lang, "评标办法", "Evaluation"), facts)
    base = (
        _t(lang, "有效报价的平均值", "mean of the valid prices")
        if method.base == "mean"
        else f"{method.base.fixed} {_t(lang, '元', 'yuan')}"
    )
    drop = [
        _t(
            lang,
            f"{row[0]} 家起去掉最高 {row[1]} 个、最低 {row[2]} 个",
            f"from {row[0]} bids on, without the highest {row[1]} and the lowest {row[2]}",
        )
        for row in method.drop
        if row[1] or row[2]
    ]
    facts += [
        [
            _t(lang, "权重", "Weights"),
            _t(
                lang,
                f"报价 {method.weights.price},其他评分 {method.weights.points}",
                f"price {method.weights.price}, points {method.weights.points}",
            ),
        ],
        [
            _t(lang, "评标基准价", "Benchmark"),
            "; ".join([base, *drop, _t(lang, f"浮动 {method.float_}", f"shifted by {method.float_}")]),
        ],
        [
            _t(lang, "报价得分", "Points for the price"),
            _t(
                lang,
                f"满分 {method.full};每高于基准价 1% 扣 {method.above} 分,"
                f"每低 1% 扣 {method.below} 分,最低 {method.floor} 分",
                f"{method.full} at the benchmark; {method.above} lost per 1 % above, "
                f"{method.below} per 1 % below; at least {method.floor}",
            ),
        ],
    ]
    head = [
        _t(lang, "编号", "Code"),
        _t(lang, "评分项", "Item"),
        _t(lang, "满分", "Points"),
        _t(lang, "评分标准", "Criterion"),
    ]
    rows = [[item.code, item.name, item.max, item.criterion] for item in document.items]
    return _section(
        _t(lang, "评标办法", "Evaluation"),
        facts,
        table={"head": head, "rows": rows, "columns": [2, 5, 2, 10], "numbers": [2]},
    )


def _panel(document: TenderDocument, lang: Lang) -> Section:
    panel = document.panel
    return _section(
        _t(lang, "评标委员会与公示", "Panel and publicity"),
        [
            [
                _t(lang, "评标委员会", "Panel"),
                _t(
                    lang,
                    f"{panel.members} 人,其中随机抽取专家 {panel.experts} 人、"
                    f"招标人代表 {panel.owner_representatives} 人",
                    f"{panel.members} members: {panel.experts} drawn experts, "
                    f"{panel.owner_representatives} of the owner's",
                ),
            ],
            [
                _t(lang, "中标候选人", "Candidates"),
                _t(lang, f"不超过 {document.candidates_max} 名", f"at most {document.candidates_max}"),
            ],
            [
                _t(lang, "公示期", "Publicity"),
                _t(
                    lang,
                    f"不少于 {document.schedule.publicity_days} 日",
                    f"at least {document.schedule.publicity_days} days",
                ),
            ],
            [_t(lang, "异议", "Objections"), document.remedies.objection],
            [_t(lang, "投诉", "Complaints"), document.remedies.complaint],
        ],
    )


def _contact(document: TenderDocument, lang: Lang) -> Section:
    contact = document.notice.contact
    return _section(
        _t(lang, "发布媒介与联系方式", "Media and contact"),
        [
            [_t(lang, "发布媒介", "Media"), "、".join(document.notice.media)],
            [_t(lang, "联系人", "Contact"), contact.name],
            [_t(lang, "电话", "Telephone"), contact.phone],
            [_t(lang, "地址", "Address"), contact.address],
        ],
    )


def _size(count: int) -> str:
    return f"{count / 1024:,.0f} KB" if count < 1 << 20 else f"{count / (1 << 20):,.1f} MB"
