"""Checks 8 and 9: marks committed before they were shown and counted again; candidates, award and contract follow.

bundle.md §6; 条例 §49 (only the document's method), §53-55 (candidates, E-75, E-81), §57 (contract = bid, E-88). The
recount is crypto/verifier/recount.py. Marks and prices are compared with their sources: sheets and opening record.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256
from typing import Any, Final

from crypto import jcs
from crypto.verifier import lowest, recount
from crypto.verifier.anchors import Case
from crypto.verifier.draw import occupants
from crypto.verifier.findings import CLOCKWORK, OWNER, PLATFORM, Failed, Remarks, fail, need
from crypto.verifier.shown import Act, Bundle
from crypto.verifier.timeline import limit

SHEET_LABEL: Final = b"sealbid/v1 sheet\0"
_DECIMAL = re.compile(r"-?\d{1,15}(?:\.\d{1,12})?")


def check_scores(case: Case, remarks: Remarks) -> None:
    """Check 8. Raises Failed."""
    bundle = case.bundle
    committed, locked = bundle.last("scores_committed"), bundle.last("scores_locked")
    if committed is None:
        need(locked is None, "scores_were_shown_without_commitments", culprit=PLATFORM)
        remarks.add("not_scored_yet")
        return
    _check_commitments(bundle, committed)
    if locked is None:
        remarks.add("scores_not_shown_yet")
        return
    need(committed.index < locked.index, "shown_before_committed", event=locked.leaf, culprit=CLOCKWORK)
    scores, terms = bundle.document(locked["scores_hash"]), bundle.document(bundle.tender["terms_hash"])
    method = terms.get("method") if isinstance(terms, dict) else None
    if isinstance(method, dict) and method.get("name") == lowest.NAME:
        remarks.add("lowest_recounted", count=lowest.check(bundle, scores, locked))
        # Nothing is scored, but the sheets were committed and locked all the same.
        _check_marked(bundle, {"bids": [], "points": []}, committed, locked, remarks)
        return
    counted = _recounted(scores, locked)
    need(_same(scores["method"], method), "method_is_not_tender_documents_e_69", event=locked.leaf, culprit=PLATFORM)
    need("result" in scores, "scores_json_without_its_result", event=locked.leaf, culprit=PLATFORM)
    _check_prices(bundle, scores, locked, remarks)
    _check_marks(bundle, scores, terms, committed, locked)
    _check_table(bundle, scores, counted, locked)
    _check_marked(bundle, scores, committed, locked, remarks)


def _check_marked(bundle: Bundle, scores: Mapping[str, Any], committed: Act, locked: Act, remarks: Remarks) -> None:
    if bundle.full:
        _check_sheets(bundle, scores, committed, locked)
    else:
        remarks.add("sheets_themselves_needs_full_bundle")


def _recounted(scores: Any, locked: Act) -> recount.Counted:
    """The recount; what it finds wrong is told of the act that locked the scores."""
    try:
        return recount.check(scores)
    except Failed as failed:
        raise Failed(replace(failed.finding, event=locked.leaf)) from failed


def check_award(case: Case, remarks: Remarks) -> None:
    """Check 9. Raises Failed."""
    bundle = case.bundle
    publicity = bundle.last("publicity")
    if publicity is None:
        need(not bundle.of("award", "contract"), "award_without_publicity_e_79", culprit=OWNER)
        remarks.add("no_publicity_yet")
        return
    _check_candidates(bundle, publicity)
    awards = bundle.of("award")
    terms = bundle.document(bundle.tender["terms_hash"])
    ranks = [act["rank"] for act in awards]
    need(
        ranks == sorted(set(ranks)),
        "awards_out_of_rank_order",
        event=awards[-1].leaf if awards else None,
        culprit=OWNER,
    )
    project = terms.get("project") if isinstance(terms, dict) else None
    controlled = isinstance(project, dict) and project.get("state_controlled") is True
    first = not controlled or not ranks or ranks == list(range(1, len(ranks) + 1))
    need(first, "not_first_candidate_e_81", event=awards[0].leaf if awards else None, culprit=OWNER)
    for act in awards:
        named = next((row for row in publicity["candidates"] if row["rank"] == act["rank"]), None)
        same = named is not None and all(named[name] == act[name] for name in ("bid", "bidder", "price_fen"))
        need(same, "award_is_not_one_of_published_candidates_e_83", event=act.leaf, culprit=OWNER)
    contract = bundle.last("contract")
    if contract is not None:
        _check_contract(bundle, awards, contract)
    if bundle.full:
        voided = sum(1 for event in bundle.events if event.kind == "award_void")
        need(
            len(awards) <= voided + 1,
            "second_award_though_first_stands",
            event=awards[-1].leaf if awards else None,
            culprit=OWNER,
        )
        _check_answers(bundle, awards)
    else:
        remarks.add("answers_to_objections_needs_full_bundle")
    if contract is not None:
        remarks.add("contract_made")
    elif awards:
        remarks.add("awarded")
    else:
        remarks.add("in_publicity")


def _check_commitments(bundle: Bundle, committed: Act) -> None:
    rows = committed["commitments"]
    seats = [row["seat"] for row in rows]
    need(seats == sorted(set(seats)), "commitments_out_of_order", event=committed.leaf, culprit=CLOCKWORK)
    held = occupants(bundle, committed.index)
    there = {row["seat"]: row["masked"] for row in rows}
    wrong = next((seat for seat, masked in held.items() if there.get(seat) != masked), None)
    need(
        wrong is None,
        "seat_did_not_commit_or_another_did",
        wrong=wrong,
        event=committed.leaf,
        culprit=f"expert seat {wrong}",
    )
    terms = bundle.document(bundle.tender["terms_hash"])
    members = terms["panel"]["members"]
    need(len(rows) == members, "not_every_member_committed", event=committed.leaf, culprit=CLOCKWORK)


def _check_prices(bundle: Bundle, scores: Mapping[str, Any], locked: Act, remarks: Remarks) -> None:
    opened = bundle.last("opened")
    if opened is None:
        fail("scored_before_opening", event=locked.leaf, culprit=PLATFORM)
    record = {row["bid"]: row["price_fen"] for row in bundle.document(opened["record_hash"])}
    for row in scores["bids"]:
        known = row["id"] in record and Fraction(row["price"]) * 100 == record[row["id"]]
        need(known, "price_scored_is_not_opening_records", id=row["id"], event=locked.leaf, culprit=PLATFORM)
    ceiling = bundle.tender["max_price_fen"]
    told = None if scores["max_price"] is None else Fraction(scores["max_price"]) * 100
    need(told == ceiling, "max_price_is_not_notices", event=locked.leaf, culprit=PLATFORM)
    out = len(record) - len(scores["bids"])
    if out:
        remarks.add("bids_rejected_in_review", out=out)


def _check_marks(
    bundle: Bundle, scores: Mapping[str, Any], terms: Mapping[str, Any], committed: Act, locked: Act
) -> None:
    items = {row["code"]: (Fraction(row["max"]), Fraction(row["step"])) for row in terms["items"]}
    seats = {str(row["seat"]) for row in committed["commitments"]}
    experts = {row["expert"] for row in scores["points"]}
    need(
        experts == seats or not scores["points"], "marks_are_not_of_exactly_seats", event=locked.leaf, culprit=PLATFORM
    )
    used = {row["item"] for row in scores["points"]}
    need(
        used == set(items) or not scores["points"],
        "items_are_not_tender_documents_e_69",
        event=locked.leaf,
        culprit=PLATFORM,
    )
    # Many marks, few values: each is judged once.
    right: dict[tuple[str, str], bool] = {}
    for row in scores["points"]:
        mark = (row["item"], row["points"])
        if mark not in right:
            (most, step), points = items[mark[0]], Fraction(mark[1])
            right[mark] = points <= most and (step == 0 or points % step == 0)
        need(
            right[mark],
            "seat_marked_out_of_range",
            expert=row["expert"],
            item=row["item"],
            event=locked.leaf,
            culprit=f"expert seat {row['expert']}",
        )


def _check_table(bundle: Bundle, scores: Mapping[str, Any], counted: recount.Counted, locked: Act) -> None:
    table, terms = bundle.document(locked["table_hash"]), bundle.document(bundle.tender["terms_hash"])
    need(table["items"] == terms["items"], "tables_items_are_not_tender_documents", event=locked.leaf, culprit=PLATFORM)
    rows = table["bids"]
    ranking = scores["result"]["ranking"]
    need(
        [row["bid"] for row in rows] == ranking, "table_is_not_in_order_of_ranking", event=locked.leaf, culprit=PLATFORM
    )
    for rank, row in enumerate(rows, 1):
        bid = row["bid"]
        right = (
            row["rank"] == rank
            and Fraction(row["price_score"]) == counted.shown(counted.scores[bid], "score")
            and Fraction(row["points"]) == counted.shown(counted.points[bid], "points")
            and Fraction(row["total"]) == counted.shown(counted.totals[bid], "total")
        )
        need(right, "table_differs_from_recount", bid=bid[:16], event=locked.leaf, culprit=PLATFORM)


def _check_sheets(bundle: Bundle, scores: Mapping[str, Any], committed: Act, locked: Act) -> None:
    sheets = bundle.document(locked["sheets_hash"])
    told = [(row["seat"], row["masked"]) for row in sheets]
    right = [(row["seat"], row["masked"]) for row in committed["commitments"]]
    need(told == right, "sheets_are_not_those_of_commitments", event=locked.leaf, culprit=CLOCKWORK)
    given: list[tuple[str, str, str, int]] = []
    for row, promise in zip(sheets, committed["commitments"], strict=True):
        sheet, culprit = row["sheet"], f"expert seat {row['seat']}"
        made = sha256(SHEET_LABEL + bytes.fromhex(row["salt"]) + jcs.dumps(sheet)).hexdigest()
        need(
            made == promise["commitment"],
            "sheet_of_seat_is_not_one_committed_to",
            seat=row["seat"],
            event=committed.leaf,
            culprit=culprit,
        )
        own = sheet["seat"] == row["seat"] and sheet["tender_id"] == bundle.tender["tender_id"]
        need(own, "sheet_of_another_seat_or_tender", event=locked.leaf, culprit=culprit)
        given += [
            (str(row["seat"]), each["bid"], each["item"], recount.units(each["points"])) for each in sheet["items"]
        ]
        early = any(
            event.kind == "sheet_locked"
            and event.public.get("seat") == row["seat"]
            and event.public.get("commitment") == promise["commitment"]
            and event.index < committed.index
            for event in bundle.events
        )
        need(early, "seat_locked_no_such_sheet", seat=row["seat"], event=committed.leaf, culprit=culprit)
    bids = {row["id"] for row in scores["bids"]}
    used = [(row["expert"], row["bid"], row["item"], recount.units(row["points"])) for row in scores["points"]]
    kept = [mark for mark in given if mark[1] in bids]
    need(sorted(used) == sorted(kept), "marks_counted_are_not_those_of_sheets", event=locked.leaf, culprit=PLATFORM)


def _check_candidates(bundle: Bundle, publicity: Act) -> None:
    locked, opened = bundle.last("scores_locked"), bundle.last("opened")
    if locked is None or opened is None:
        fail("publicity_before_scores", event=publicity.leaf, culprit=OWNER)
    record = {row["bid"]: row for row in bundle.document(opened["record_hash"])}
    table = {row["rank"]: row for row in bundle.document(locked["table_hash"])["bids"]}
    rows = publicity["candidates"]
    most, _ = limit(bundle, "candidates_max")
    need(
        [row["rank"] for row in rows] == list(range(1, len(rows) + 1)) and len(rows) <= most,
        "candidates_are_not_1_2_or_too_many_e_75",
        event=publicity.leaf,
        culprit=OWNER,
    )
    for row in rows:
        scored, opening = table.get(row["rank"]), record.get(row["bid"])
        if scored is None or opening is None or scored["bid"] != row["bid"]:
            fail("candidate_is_not_that_of_ranking", rank=row["rank"], event=publicity.leaf, culprit=OWNER)
        wrong = next(
            (
                name
                for name in ("bidder", "price_fen", "period_days", "quality", "leader")
                if row[name] != opening[name]
            ),
            None,
        )
        need(
            wrong is None,
            "candidate_is_not_opening_records",
            rank=row["rank"],
            wrong=wrong,
            event=publicity.leaf,
            culprit=OWNER,
        )
        need(
            Fraction(row["total"]) == Fraction(scored["total"]),
            "candidates_total_is_not_tables",
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
    need(told == right, "contract_is_not_bid_e_88", event=contract.leaf, culprit=OWNER)


def _check_answers(bundle: Bundle, awards: list[Act]) -> None:
    answered = {event.public.get("objection"): event.index for event in bundle.events if event.kind == "answer"}
    for event in bundle.events:
        if event.kind != "objection":
            continue
        after = next((act for act in awards if act.index > event.index), None)
        in_time = after is None or answered.get(event.leaf, after.index) < after.index
        need(in_time, "award_before_objection_was_answered_e_80", event=event.leaf, culprit=OWNER)


def _same(one: Any, other: Any) -> bool:
    """Equal values, decimals compared as numbers: "0.60" is "0.6"."""
    if isinstance(one, dict) and isinstance(other, dict):
        return set(one) == set(other) and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, str) and isinstance(other, str) and _DECIMAL.fullmatch(one) and _DECIMAL.fullmatch(other):
        return Fraction(one) == Fraction(other)
    return type(one) is type(other) and bool(one == other)
