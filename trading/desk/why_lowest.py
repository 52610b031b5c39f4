"""The paper "why this winner" where the lowest evaluated price wins: the comparison table (标价比较表) in words.

12号令 §29 to §33, 条例 §49: nothing is scored; every valid price is corrected and adjusted by the factors that the
document names and by no other, and the lowest is first. Figures are those of the published scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from trading.counter.page import language
from trading.counter.page.language import Lang
from trading.desk import notices
from trading.desk.papers_of import words
from trading.desk.reading import Lot
from trading.tender_document import LowestEvaluated


def parts(
    lot: Lot,
    result: Mapping[str, Any],
    listed: Sequence[Mapping[str, Any]],
    winner: Mapping[str, Any],
    lang: Lang,
    *,
    bars_max: int,
) -> dict[str, Any]:
    """What this method adds to the paper: answer, facts, table, bars and their legend, how it comes about."""
    t = words(lang)
    priced = {row["bid"]: row for row in result["scores"]["rows"]}
    rows = list(result["rows"])
    limit = lot.tender.max_price_fen or max(priced[row["bid"]]["evaluated_fen"] for row in rows)
    return {
        "answer": _answer(lang, rows, winner, priced),
        "facts": [
            [t("投标报价", "Price"), language.money(lang, winner["price_fen"])],
            [t("评审价", "Evaluated price"), language.money(lang, priced[winner["bid"]]["evaluated_fen"])],
            [t("最高投标限价", "Max price"), language.money(lang, lot.tender.max_price_fen)],
        ],
        "scores": {
            "head": [
                t("名次", "Rank"),
                t("投标人", "Bidder"),
                t("报价(元)", "Price (yuan)"),
                t("算术修正", "Correction"),
                t("折算", "Adjustment"),
                t("评审价(元)", "Evaluated (yuan)"),
            ],
            "rows": [
                [str(row["rank"]), row["name"], *(_figure(priced[row["bid"]][name]) for name in _COLUMNS)]
                for row in listed
            ],
            "columns": [2, 8, 5, 4, 4, 5],
            "numbers": [2, 3, 4, 5],
            "marked": list(listed).index(winner),
        },
        "bars": [
            {
                "name": row["name"],
                "price": priced[row["bid"]]["evaluated_fen"] / 100,
                "points": 0.0,
                "winner": row["bid"] == winner["bid"],
            }
            for row in rows[:bars_max]
        ],
        "full": max(limit, *(priced[row["bid"]]["evaluated_fen"] for row in rows)) / 100,
        "legend": [t("评审价,越短越低", "evaluated price: shorter is lower")],
        "formula": _formula(lang, lot, winner, priced),
        "headings": {
            "scores": t("全部有效投标的评审价和排名(标价比较表)", "Every valid bid, its evaluated price and rank"),
            "formula": t("评审价是怎样算出来的", "How the evaluated price comes about"),
            "items": t("评审项", "What was looked at"),
        },
    }


_COLUMNS = ("price_fen", "correction_fen", "adjustment_fen", "evaluated_fen")


def _answer(
    lang: Lang, rows: Sequence[Mapping[str, Any]], winner: Mapping[str, Any], priced: Mapping[str, Mapping[str, int]]
) -> str:
    t = words(lang)
    own = priced[winner["bid"]]["evaluated_fen"]
    if int(winner["rank"]) != 1:
        return t(
            f"{winner['name']}评审价列第 {winner['rank']} 名,名次在前的候选人依法未能中标。",
            f"{winner['name']} is number {winner['rank']}; the candidates before it could not win by law.",
        )
    zh = f"{winner['name']}在 {len(rows)} 份有效投标中评审价最低:{language.money('zh', own)}。"
    en = f"Of {len(rows)} valid bids {winner['name']} has the lowest evaluated price: {language.money('en', own)}."
    second = next((row for row in rows if row["bid"] != winner["bid"]), None)
    if second is not None:
        gap = priced[second["bid"]]["evaluated_fen"] - own
        zh += f"比第二名低 {language.money('zh', gap)}。" if gap else "与第二名评审价相同,按招标文件规定的办法排序。"
        en += (
            f" {language.money('en', gap)} below the second." if gap else " Equal to the second: ordered as documented."
        )
    return t(zh, en)


def _formula(lang: Lang, lot: Lot, winner: Mapping[str, Any], priced: Mapping[str, Mapping[str, int]]) -> list[str]:
    t = words(lang)
    method = lot.document.method
    assert isinstance(method, LowestEvaluated), "this paper is of this method"
    section = next(
        one for one in notices.sections(lot.document, lot.files, lang) if one["title"] in ("评标办法", "Evaluation")
    )
    own = priced[winner["bid"]]
    summed = f"{_figure(own['price_fen'])} + {_figure(own['correction_fen'])} + {_figure(own['adjustment_fen'])}"
    return [
        *(f"{label}: {text}" if lang == "en" else f"{label}:{text}" for label, text in section["facts"] if text),
        t(
            "评审价 = 投标报价 + 算术修正 + 招标文件列明因素的折算;不打分,评审价最低的排名第一,"
            "高于最高投标限价或者经认定低于成本的不参加排序。",
            "Evaluated price = price + arithmetic correction + the adjustments that the document names; nothing is "
            "scored. The lowest is first; a price over the max price, or found below cost, is out.",
        ),
        t(
            f"本项目中标评审价:{summed} = {_figure(own['evaluated_fen'])} 元。",
            f"Here the winner's evaluated price is {summed} = {_figure(own['evaluated_fen'])} yuan.",
        ),
    ]


def _figure(fen: int) -> str:
    return f"{Decimal(fen) / 100:,.2f}"
