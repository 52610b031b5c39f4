"""Two pages that answer "why this winner": every valid bid's points, how they come about, what happened day by day.

From public acts and objects alone (`opened`, `scores_locked`, `publicity`, `award`), so that whoever lost can lay it
beside the ledger and count again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from trading.counter.page import language, terms
from trading.counter.page.language import Lang
from trading.counter.page.pages import Sign
from trading.desk import notices, why_lowest
from trading.desk.papers_of import common, words
from trading.desk.reading import Lot
from trading.tender_document import Benchmark

BARS_MAX = 12
ROWS_MAX = 18
"""What fits on the first of two pages; the whole table is public."""
ACTS = frozenset(
    {"tender", "amendment", "deadline", "hold", "resume", "close", "freeze", "opened", "draw_result", "scores_locked"}
    | {"report", "publicity", "award", "contract"}
)
ACTS_MAX = 18


def why(lot: Lot, result: Mapping[str, Any], sign: Sign, lang: Lang, *, now: str) -> dict[str, Any]:
    """The data of why.typ. Asserts that candidates were published."""
    t = words(lang)
    publicity = lot.act("publicity")
    assert publicity is not None, "there is a winner to explain"
    won_bid = lot.tender.award.bid if lot.tender.award else publicity["candidates"][0]["bid"]
    rows = list(result["rows"])
    winner = next(row for row in rows if row["bid"] == won_bid)
    listed = rows[:ROWS_MAX] if winner in rows[:ROWS_MAX] else [*rows[: ROWS_MAX - 1], winner]
    awarded = lot.tender.award is not None
    if isinstance(lot.document.method, Benchmark):
        parts = _benchmark(lot, result, listed, winner, lot.document.method, lang)
    else:
        parts = why_lowest.parts(lot, result, listed, winner, lang, bars_max=BARS_MAX)
    named = [t("中标人" if awarded else "第一中标候选人", "Winner" if awarded else "First candidate"), winner["name"]]
    short = [
        t(f"此处列出 {len(listed)} 份,全部 {len(rows)} 份见公开的评分表。", f"{len(listed)} of {len(rows)} are listed.")
    ]
    return {
        **common(lot, sign, lang, now=now, title=t("为什么是它中标", "Why this winner"), kind="scores_locked"),
        "subtitle": lot.tender.name,
        **parts,
        "facts": [named, *parts["facts"], [t("有效投标", "Valid bids"), str(len(rows))]],
        "headings": {
            "scores": t("全部有效投标的得分和排名", "Every valid bid, its points and rank"),
            "formula": t("得分是怎样算出来的", "How the points come about"),
            "items": t("评分项", "What was scored"),
            "process": t("经过", "What happened, day by day"),
            "check": t("自行核验", "Check it yourself"),
            **parts.get("headings", {}),
        },
        "close": [
            t(f"被否决的投标 {len(result['rejected'])} 份。", f"Rejected bids: {len(result['rejected'])}."),
            *(short if len(rows) > len(listed) else []),
        ],
        "items": {
            "head": [t("编号", "Code"), t("评分项", "Item"), t("满分", "Most"), t("类别", "Kind")],
            "rows": [
                [
                    item.code,
                    item.name,
                    item.max,
                    t("客观", "objective") if item.kind == "objective" else t("主观", "subjective"),
                ]
                for item in lot.document.items
            ],
            "columns": [2, 9, 2, 3],
            "numbers": [2],
        },
        "process": {
            "head": [t("时间", "When"), t("事项", "What"), t("规则", "Rule")],
            "rows": _process(lot, lang),
            "columns": [5, 8, 2],
        },
        "check": [
            t(
                "本页的每一个数字都来自公开账本。下载本项目的公开卷宗和信任文件,运行 tradehall-verify,"
                "可在任何电脑上重新计算。",
                "Every figure here is in the public ledger. Get the public bundle and the trust file, run "
                "tradehall-verify, and count again on any computer.",
            ),
            f"tender_id {lot.tender.tender_id}",
        ],
    }


def _benchmark(
    lot: Lot,
    result: Mapping[str, Any],
    listed: Sequence[Mapping[str, Any]],
    winner: Mapping[str, Any],
    method: Benchmark,
    lang: Lang,
) -> dict[str, Any]:
    """What 综合评估法 with a benchmark adds to the paper."""
    t = words(lang)
    rows = list(result["rows"])
    second = next((row for row in rows if row["bid"] != winner["bid"]), None)
    weights = (Decimal(method.weights.price), Decimal(method.weights.points))
    return {
        "answer": _answer(lang, winner, second, bids=len(rows)),
        "facts": [
            [t("投标报价", "Price"), language.money(lang, winner["price_fen"])],
            [t("最高投标限价", "Max price"), language.money(lang, lot.tender.max_price_fen)],
            [t("评标基准价", "Benchmark"), _yuan(lang, result["scores"]["result"]["base"])],
        ],
        "scores": {
            "head": [
                t("名次", "Rank"),
                t("投标人", "Bidder"),
                t("报价(元)", "Price (yuan)"),
                t("报价得分", "Price points"),
                t("其他得分", "Points"),
                t("总分", "Total"),
            ],
            "rows": [
                [
                    str(row["rank"]),
                    row["name"],
                    f"{Decimal(row['price_fen']) / 100:,.2f}",
                    row["price_score"],
                    row["points"],
                    row["total"],
                ]
                for row in listed
            ],
            "columns": [2, 9, 5, 3, 3, 3],
            "numbers": [2, 3, 4, 5],
            "marked": list(listed).index(winner),
        },
        "bars": [
            {
                "name": row["name"],
                "price": float(Decimal(row["price_score"]) * weights[0]),
                "points": float(Decimal(row["points"]) * weights[1]),
                "winner": row["bid"] == winner["bid"],
            }
            for row in rows[:BARS_MAX]
        ],
        "full": 100,
        "legend": [
            t(f"报价得分 × {weights[0]}", f"price points × {weights[0]}"),
            t(f"其他得分 × {weights[1]}", f"points × {weights[1]}"),
        ],
        "formula": _formula(lang, lot, winner, result),
    }


def _answer(lang: Lang, winner: Mapping[str, Any], second: Mapping[str, Any] | None, *, bids: int) -> str:
    t = words(lang)
    zh = (
        f"{winner['name']}在 {bids} 份有效投标中总分最高:{winner['total']} 分"
        f"(报价得分 {winner['price_score']},其他得分 {winner['points']})。"
    )
    en = (
        f"Of {bids} valid bids {winner['name']} has the highest total: {winner['total']} "
        f"(price {winner['price_score']}, points {winner['points']})."
    )
    if int(winner["rank"]) != 1:
        zh = f"{winner['name']}总分列第 {winner['rank']} 名,名次在前的候选人依法未能中标。"
        en = f"{winner['name']} is number {winner['rank']}; the candidates before it could not win by law."
    elif second is not None:
        gap = Decimal(winner["total"]) - Decimal(second["total"])
        zh += f"比第二名高 {gap} 分。"
        en += f" {gap} more than the second."
    return t(zh, en)


def _formula(lang: Lang, lot: Lot, winner: Mapping[str, Any], result: Mapping[str, Any]) -> list[str]:
    t = words(lang)
    section = next(
        one for one in notices.sections(lot.document, lot.files, lang) if one["title"] in ("评标办法", "Evaluation")
    )
    method = lot.document.method
    assert isinstance(method, Benchmark), "the published table has scores"
    base = Decimal(result["scores"]["result"]["base"])
    price = Decimal(winner["price_fen"]) / 100
    percent = (price - base) / base * 100
    weights = method.weights
    summed = f"{winner['price_score']} × {weights.price} + {winner['points']} × {weights.points} = {winner['total']}"
    return [
        *(f"{label}: {text}" if lang == "en" else f"{label}:{text}" for label, text in section["facts"]),
        t(
            f"本项目基准价 {base:,.2f} 元;中标报价 {price:,.2f} 元,偏离 {percent:+.2f}%,"
            f"报价得分 {winner['price_score']}。",
            f"Here the benchmark is {base:,.2f} yuan; the winning price {price:,.2f} deviates by {percent:+.2f} %, "
            f"which gives {winner['price_score']}.",
        ),
        t(f"总分 = {summed}", f"Total = {summed}"),
    ]


def _process(lot: Lot, lang: Lang) -> list[list[str]]:
    return [
        [
            notices.moment(lang, row["act"]["at"]),
            terms.act(row["act"]["kind"])[0 if lang == "zh" else 1],
            row["act"].get("rule") or "",
        ]
        for row in lot.acts
        if row["act"]["kind"] in ACTS
    ][:ACTS_MAX]


def _yuan(lang: Lang, text: str) -> str:
    return language.money(lang, int((Decimal(text) * 100).to_integral_value()))
