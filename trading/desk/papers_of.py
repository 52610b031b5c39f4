"""What the desk's papers say: the notice and the award notice.

Everything is taken from public acts and public objects, so that anybody can make the same paper; figures are those of
the ledger, words are in the reader's language, names as they were written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trading import calendar
from trading.counter.page import language
from trading.counter.page.language import Lang
from trading.counter.page.pages import Sign
from trading.desk import notices
from trading.desk.reading import Lot


def notice(lot: Lot, sign: Sign, lang: Lang, *, now: str) -> dict[str, Any]:
    """The data of notice.typ."""
    t = words(lang)
    document = lot.document
    published = notices.moment(lang, str(lot.acts[0]["act"]["at"]))
    return {
        **common(lot, sign, lang, now=now, title=document.notice.title, kind="tender"),
        "subtitle": f"{t('标段编号', 'Lot')} {lot.tender.lot} · {lot.acts[0]['act']['unified_code']}",
        "sections": notices.sections(document, lot.files, lang),
        "closing": [document.owner.name, document.agent.name if document.agent else "", published],
    }


def award(lot: Lot, sign: Sign, lang: Lang, *, now: str) -> dict[str, Any]:
    """The data of award.typ. Asserts that the lot is awarded."""
    t = words(lang)
    act = lot.act("award")
    assert act is not None and lot.tender.award is not None, "an award notice follows an award"
    won = next(one for one in lot.tender.candidates if one.bid == act["bid"])
    leader = next(row["leader"] for row in (lot.act("publicity") or {})["candidates"] if row["bid"] == act["bid"])
    book, awarded = lot.rulebook, calendar.legal_day(lot.tender.award.at)
    last = book.calendar.last_day_to_act(awarded, book.market.contract_days_max.span)
    price = language.money(lang, won.price_fen)
    capitals = language.capitals(won.price_fen).striptags()
    return {
        **common(lot, sign, lang, now=now, title=t("中标通知书", "Award notice"), kind="award"),
        "to": act["bidder"]["name"],
        "opening": [
            t(
                f"{lot.document.project.name}({lot.tender.name})的评标工作已经结束,中标候选人公示期满。"
                "依照《中华人民共和国招标投标法》第四十五条,确定贵单位为中标人。",
                f"The evaluation of {lot.tender.name} is over; the candidates were public for the time the law asks. "
                "Under Article 45 of the Tendering and Bidding Law your bid is awarded.",
            )
        ],
        "facts": [
            [t("招标项目", "Project"), lot.document.project.name],
            [t("标段", "Lot"), f"{lot.tender.name} ({lot.tender.lot})"],
            [t("中标价", "Price"), f"{price} ({capitals})" if lang == "en" else f"{price}({capitals})"],
            [t("工期", "Period"), t(f"{won.period_days} 日历天", f"{won.period_days} calendar days")],
            [t("质量", "Quality"), won.quality],
            [t("项目负责人", "Project leader"), f"{leader['name']} ({leader['certificate']})"],
        ],
        "articles": [
            t(
                f"请于 {_day(lang, last)} 前(自中标通知书发出之日起三十日内,{book.market.contract_days_max.article}),"
                "按照招标文件和贵单位的投标文件与招标人订立书面合同。",
                f"The written contract, as the tender document and your bid have it, is signed by {_day(lang, last)} "
                f"(thirty days, {book.market.contract_days_max.rule}).",
            ),
        ],
        "closing": [
            f"{t('招标人:', 'Owner: ')}{lot.document.owner.name}",
            f"{t('招标代理机构:', 'Agent: ')}{lot.document.agent.name}" if lot.document.agent else "",
            notices.moment(lang, str(act["at"])),
        ],
    }


def common(lot: Lot, sign: Sign, lang: Lang, *, now: str, title: str, kind: str) -> dict[str, Any]:
    return {
        "lang": lang,
        "title": title,
        "hall": sign.name,
        "rehearsal": sign.rehearsal,
        "printed": notices.moment(lang, now),
        "code": lot.tender.lot,
        "leaf": lot.leaf(kind),
    }


def words(lang: Lang) -> Callable[[str, str], str]:
    """Picks the Chinese or the English of two texts."""
    return (lambda zh, en: zh) if lang == "zh" else (lambda zh, en: en)


def _day(lang: Lang, day: Any) -> str:
    return language.day(lang, day).striptags()
