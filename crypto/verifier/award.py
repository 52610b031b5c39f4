"""Checks 8 and 9: marks committed before they were shown and counted again; candidates, award and contract follow.

bundle.md §6; 条例 §49 (only the document's method), §53-55 (candidates, E-75, E-81), §57 (contract = bid, E-88). The
recount is crypto/verifier/recount.py. Marks and prices are compared with their sources: sheets and opening record.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from hashlib import sha256
from typing import Any, Final

from crypto import jcs
from crypto.verifier import recount
from crypto.verifier.anchors import Case
from crypto.verifier.draw import occupants
from crypto.verifier.findings import CLOCKWORK, OWNER, PLATFORM, Remarks, fail, need
from crypto.verifier.limits import limit
from crypto.verifier.reading import Act, Bundle

SHEET_LABEL: Final = b"sealbid/v1 sheet\0"
_DECIMAL = re.compile(r"-?\d{1,15}(?:\.\d{1,12})?")


def check_scores(case: Case, remarks: Remarks) -> None:
    """Check 8. Raises Failed."""
    bundle = case.bundle
    committed, locked = bundle.last("scores_committed"), bundle.last("scores_locked")
    if committed is None:
        need(locked is None, "未承诺即公开评分", "scores were shown without commitments", culprit=PLATFORM)
        remarks.add("尚未评分", "not scored yet")
        return
    _check_commitments(bundle, committed)
    if locked is None:
        remarks.add("评分尚未公开", "scores not shown yet")
        return
    need(committed.index < locked.index, "先公开后承诺", "shown before committed", event=locked.leaf, culprit=CLOCKWORK)
    scores, terms = bundle.document(locked["scores_hash"]), bundle.document(bundle.tender["terms_hash"])
    method = terms.get("method") if isinstance(terms, dict) else None
    if not isinstance(method, dict) or method.get("name") != "benchmark":
        remarks.add("非基准价法,未复算", "not a benchmark method: no recount")
        return
    counted = recount.check(scores)
    need(
        _same(scores["method"], method),
        "评分方法不是招标文件所定(E-69)",
        "the method is not the tender document's (E-69)",
        event=locked.leaf,
        culprit=PLATFORM,
    )
    need("result" in scores, "评分文件没有结果", "scores.json without its result", event=locked.leaf, culprit=PLATFORM)
    _check_prices(bundle, scores, locked, remarks)
    _check_marks(bundle, scores, terms, committed, locked)
    _check_table(bundle, scores, counted, locked)
    if bundle.full:
        _check_sheets(bundle, scores, committed, locked)
    else:
        remarks.add("评分表原件须看完整包", "the sheets themselves: needs the full bundle")


def check_award(case: Case, remarks: Remarks) -> None:
    """Check 9. Raises Failed."""
    bundle = case.bundle
    publicity = bundle.last("publicity")
    if publicity is None:
        need(not bundle.of("award", "contract"), "未公示即定标", "an award without publicity (E-79)", culprit=OWNER)
        remarks.add("尚未公示", "no publicity yet")
        return
    _check_candidates(bundle, publicity)
    awards = bundle.of("award")
    terms = bundle.document(bundle.tender["terms_hash"])
    ranks = [act["rank"] for act in awards]
    need(
        ranks == sorted(set(ranks)),
        "定标次序不对",
        "awards out of rank order",
        event=awards[-1].leaf if awards else None,
        culprit=OWNER,
    )
    project = terms.get("project") if isinstance(terms, dict) else None
    controlled = isinstance(project, dict) and project.get("state_controlled") is True
    first = not controlled or not ranks or ranks == list(range(1, len(ranks) + 1))
    need(
        first,
        "未确定排名第一的候选人(E-81)",
        "not the first candidate (E-81)",
        event=awards[0].leaf if awards else None,
        culprit=OWNER,
    )
    for act in awards:
        named = next((row for row in publicity["candidates"] if row["rank"] == act["rank"]), None)
        same = named is not None and all(named[name] == act[name] for name in ("bid", "bidder", "price_fen"))
        need(
            same,
            "中标人或中标价不是公示的候选人(E-83)",
            "the award is not one of the published candidates (E-83)",
            event=act.leaf,
            culprit=OWNER,
        )
    contract = bundle.last("contract")
    if contract is not None:
        _check_contract(bundle, awards, contract)
    if bundle.full:
        voided = sum(1 for event in bundle.events if event.kind == "award_void")
        need(
            len(awards) <= voided + 1,
            "改定他人而原定标未失效",
            "a second award though the first stands",
            event=awards[-1].leaf if awards else None,
            culprit=OWNER,
        )
        _check_answers(bundle, awards)
    else:
        remarks.add("异议答复须看完整包", "answers to objections: needs the full bundle")
    reached = "已订立合同" if contract is not None else "已定标" if awards else "公示中"
    remarks.add(reached, {"已订立合同": "contract made", "已定标": "awarded", "公示中": "in publicity"}[reached])


def _check_commitments(bundle: Bundle, committed: Act) -> None:
    rows = committed["commitments"]
    seats = [row["seat"] for row in rows]
    need(
        seats == sorted(set(seats)),
        "承诺的席位次序不对",
        "commitments out of order",
        event=committed.leaf,
        culprit=CLOCKWORK,
    )
    held = occupants(bundle, committed.index)
    there = {row["seat"]: row["masked"] for row in rows}
    wrong = next((seat for seat, masked in held.items() if there.get(seat) != masked), None)
    need(wrong is None, f"第 {wrong} 席没有承诺,或承诺人不是该席专家", f"seat {wrong} did not commit, or another did", event=committed.leaf,
         culprit=f"expert seat {wrong}")  # fmt: skip
    terms = bundle.document(bundle.tender["terms_hash"])
    members = terms["panel"]["members"]
    need(
        len(rows) == members,
        "承诺份数不是评标委员会人数",
        "not every member committed",
        event=committed.leaf,
        culprit=CLOCKWORK,
    )


def _check_prices(bundle: Bundle, scores: Mapping[str, Any], locked: Act, remarks: Remarks) -> None:
    opened = bundle.last("opened")
    if opened is None:
        fail("未开标即评分", "scored before the opening", event=locked.leaf, culprit=PLATFORM)
    record = {row["bid"]: row["price_fen"] for row in bundle.document(opened["record_hash"])}
    for row in scores["bids"]:
        known = row["id"] in record and Fraction(row["price"]) * 100 == record[row["id"]]
        need(
            known,
            f"评分所用报价不是开标记录的:{row['id']}",
            f"the price scored is not the opening record's: {row['id']}",
            event=locked.leaf,
            culprit=PLATFORM,
        )
    ceiling = bundle.tender["max_price_fen"]
    told = None if scores["max_price"] is None else Fraction(scores["max_price"]) * 100
    need(
        told == ceiling,
        "最高限价不是公告所载",
        "the max price is not the notice's",
        event=locked.leaf,
        culprit=PLATFORM,
    )
    out = len(record) - len(scores["bids"])
    if out:
        remarks.add(f"评审中否决 {out} 份", f"{out} bids rejected in the review")


def _check_marks(
    bundle: Bundle, scores: Mapping[str, Any], terms: Mapping[str, Any], committed: Act, locked: Act
) -> None:
    items = {row["code"]: (Fraction(row["max"]), Fraction(row["step"])) for row in terms["items"]}
    seats = {str(row["seat"]) for row in committed["commitments"]}
    experts = {row["expert"] for row in scores["points"]}
    need(
        experts == seats or not scores["points"],
        "评分人与席位不符",
        "the marks are not of exactly the seats",
        event=locked.leaf,
        culprit=PLATFORM,
    )
    used = {row["item"] for row in scores["points"]}
    need(used == set(items) or not scores["points"], "评分项不是招标文件所列(E-69)", "the items are not the tender document's (E-69)",
         event=locked.leaf, culprit=PLATFORM)  # fmt: skip
    for row in scores["points"]:
        most, step = items[row["item"]]
        points = Fraction(row["points"])
        need(points <= most and (step == 0 or points % step == 0), f"第 {row['expert']} 席对 {row['item']} 的评分越界",
             f"seat {row['expert']} marked {row['item']} out of range", event=locked.leaf, culprit=f"expert seat {row['expert']}")  # fmt: skip


def _check_table(bundle: Bundle, scores: Mapping[str, Any], counted: recount.Counted, locked: Act) -> None:
    table, terms = bundle.document(locked["table_hash"]), bundle.document(bundle.tender["terms_hash"])
    need(table["items"] == terms["items"], "评分表的评分项不是招标文件所列", "the table's items are not the tender document's",
         event=locked.leaf, culprit=PLATFORM)  # fmt: skip
    rows = table["bids"]
    ranking = scores["result"]["ranking"]
    need(
        [row["bid"] for row in rows] == ranking,
        "公布的评分表次序不符",
        "the table is not in the order of the ranking",
        event=locked.leaf,
        culprit=PLATFORM,
    )
    for rank, row in enumerate(rows, 1):
        bid = row["bid"]
        right = (
            row["rank"] == rank
            and Fraction(row["price_score"]) == counted.shown(counted.scores[bid], "score")
            and Fraction(row["points"]) == counted.shown(counted.points[bid], "points")
            and Fraction(row["total"]) == counted.shown(counted.totals[bid], "total")
        )
        need(
            right,
            f"公布的评分表与复算不符:{bid[:16]}",
            f"the table differs from the recount: {bid[:16]}",
            event=locked.leaf,
            culprit=PLATFORM,
        )


def _check_sheets(bundle: Bundle, scores: Mapping[str, Any], committed: Act, locked: Act) -> None:
    sheets = bundle.document(locked["sheets_hash"])
    told = [(row["seat"], row["masked"]) for row in sheets]
    right = [(row["seat"], row["masked"]) for row in committed["commitments"]]
    need(
        told == right,
        "评分表与承诺的席位不符",
        "the sheets are not those of the commitments",
        event=locked.leaf,
        culprit=CLOCKWORK,
    )
    given: list[tuple[str, str, str, Fraction]] = []
    for row, promise in zip(sheets, committed["commitments"], strict=True):
        sheet, culprit = row["sheet"], f"expert seat {row['seat']}"
        made = sha256(SHEET_LABEL + bytes.fromhex(row["salt"]) + jcs.dumps(sheet)).hexdigest()
        need(made == promise["commitment"], f"第 {row['seat']} 席的评分表与承诺不符", f"the sheet of seat {row['seat']} is not the one committed to",
             event=committed.leaf, culprit=culprit)  # fmt: skip
        own = sheet["seat"] == row["seat"] and sheet["tender_id"] == bundle.tender["tender_id"]
        need(own, "评分表属于他席或他标段", "a sheet of another seat or tender", event=locked.leaf, culprit=culprit)
        given += [(str(row["seat"]), each["bid"], each["item"], Fraction(each["points"])) for each in sheet["items"]]
        early = any(
            event.kind == "sheet_locked"
            and event.public.get("seat") == row["seat"]
            and event.public.get("commitment") == promise["commitment"]
            and event.index < committed.index
            for event in bundle.events
        )
        need(
            early,
            f"第 {row['seat']} 席没有锁定行为",
            f"seat {row['seat']} locked no such sheet",
            event=committed.leaf,
            culprit=culprit,
        )
    bids = {row["id"] for row in scores["bids"]}
    used = [(row["expert"], row["bid"], row["item"], Fraction(row["points"])) for row in scores["points"]]
    kept = [mark for mark in given if mark[1] in bids]
    need(
        sorted(used) == sorted(kept),
        "计分所用的评分不是评分表所载",
        "the marks counted are not those of the sheets",
        event=locked.leaf,
        culprit=PLATFORM,
    )


def _check_candidates(bundle: Bundle, publicity: Act) -> None:
    locked, opened = bundle.last("scores_locked"), bundle.last("opened")
    if locked is None or opened is None:
        fail("未评分即公示", "publicity before scores", event=publicity.leaf, culprit=OWNER)
    record = {row["bid"]: row for row in bundle.document(opened["record_hash"])}
    table = {row["rank"]: row for row in bundle.document(locked["table_hash"])["bids"]}
    rows = publicity["candidates"]
    most, _ = limit(bundle, "candidates_max")
    need([row["rank"] for row in rows] == list(range(1, len(rows) + 1)) and len(rows) <= most, "候选人名次不对或过多(E-75)",
         "candidates are not 1, 2 … or too many (E-75)", event=publicity.leaf, culprit=OWNER)  # fmt: skip
    for row in rows:
        scored, opening = table.get(row["rank"]), record.get(row["bid"])
        if scored is None or opening is None or scored["bid"] != row["bid"]:
            fail(
                f"第 {row['rank']} 候选人不是评标排名所定",
                f"candidate {row['rank']} is not that of the ranking",
                event=publicity.leaf,
                culprit=OWNER,
            )
        wrong = next(
            (
                name
                for name in ("bidder", "price_fen", "period_days", "quality", "leader")
                if row[name] != opening[name]
            ),
            None,
        )
        need(wrong is None, f"第 {row['rank']} 候选人的 {wrong} 与开标记录不符", f"candidate {row['rank']}: {wrong} is not the opening record's",
             event=publicity.leaf, culprit=OWNER)  # fmt: skip
        need(
            Fraction(row["total"]) == Fraction(scored["total"]),
            "候选人得分不符",
            "a candidate's total is not the table's",
            event=publicity.leaf,
            culprit=OWNER,
        )


def _check_contract(bundle: Bundle, awards: list[Act], contract: Act) -> None:
    opened = bundle.last("opened")
    assert opened is not None and awards, "check 3 keeps the order"
    record = {row["bid"]: row for row in bundle.document(opened["record_hash"])}
    award = awards[-1]
    bid = record[award["bid"]]
    told = (contract["bid"], contract["price_fen"], contract["period_days"])
    right = (award["bid"], bid["price_fen"], bid["period_days"])
    need(
        told == right,
        "合同与投标不一致(E-88)",
        "the contract is not the bid (E-88)",
        event=contract.leaf,
        culprit=OWNER,
    )


def _check_answers(bundle: Bundle, awards: list[Act]) -> None:
    answered = {event.public.get("objection"): event.index for event in bundle.events if event.kind == "answer"}
    for event in bundle.events:
        if event.kind != "objection":
            continue
        after = next((act for act in awards if act.index > event.index), None)
        in_time = after is None or answered.get(event.leaf, after.index) < after.index
        need(
            in_time,
            "异议未答复即定标(E-80)",
            "an award before an objection was answered (E-80)",
            event=event.leaf,
            culprit=OWNER,
        )


def _same(one: Any, other: Any) -> bool:
    """Equal values, decimals compared as numbers: "0.60" is "0.6"."""
    if isinstance(one, dict) and isinstance(other, dict):
        return set(one) == set(other) and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, str) and isinstance(other, str) and _DECIMAL.fullmatch(one) and _DECIMAL.fullmatch(other):
        return Fraction(one) == Fraction(other)
    return type(one) is type(other) and bool(one == other)
