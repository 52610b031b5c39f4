"""The example folders keep the form of docs/spec/example.md, and their results are those computed by hand.

The recount here is written from docs/spec/scores.md alone and shares no code with the rooms; the hall's own scoring is
then held to the same golden files.
"""

from __future__ import annotations

import csv
import json
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from stdnum.cn import uscc

from experts import pool, pool_files, scores_file, specialties
from trading import tender_document
from trading.markets import construction
from trading.rules import publication

ROOT = Path(__file__).parents[2]
FOLDERS = {"road-maintenance": ROOT / "examples", "other-road": ROOT / "tests/examples"}
ALWAYS = {"at", "who", "does", "refused", "note"}
ACTORS = {"owner", "agent", "centre", "supervisor", "panel"}
VERBS: dict[str, tuple[set[str], set[str]]] = {  # verb -> who may, its own fields
    "publish_tender": ({"owner", "agent"}, set()),
    "download": ({"bidder"}, set()),
    "ask": ({"bidder"}, {"text"}),
    "amend": ({"owner", "agent"}, {"text", "affects_bids", "deadline", "documents"}),
    "submit": ({"bidder"}, {"folder", "grow", "garbage"}),
    "withdraw": ({"bidder"}, set()),
    "be_absent": ({"trustee"}, set()),
    "lie": ({"trustee"}, {"how"}),
    "request_draw": ({"centre", "owner", "agent"}, set()),
    "contribute_to_draw": ({"centre", "supervisor", "owner"}, set()),
    "run_draw": ({"centre"}, set()),
    "answer_invitation": ({"seat"}, {"accept", "text"}),
    "sign_in": ({"panel"}, set()),
    "recuse": ({"seat"}, {"text"}),
    "lock_sheet": ({"panel"}, set()),
    "sign_report": ({"seat", "panel"}, {"dissent"}),
    "review_report": ({"owner", "agent"}, set()),
    "publicise": ({"owner", "agent"}, set()),
    "object": ({"bidder"}, {"text"}),
    "answer": ({"owner", "agent"}, {"text"}),
    "award": ({"owner", "agent"}, set()),
    "report_to_regulator": ({"owner", "agent"}, set()),
    "file_contract": ({"owner", "agent"}, set()),
}


@pytest.fixture(params=sorted(FOLDERS))
def folder(request: pytest.FixtureRequest) -> Path:
    name: str = request.param
    return FOLDERS[name] / name


def test_every_step_is_a_verb_of_the_page_by_one_who_may_do_it_in_order(folder: Path) -> None:
    steps = script(folder)
    times = [datetime.fromisoformat(step["at"]) for step in steps]
    assert times == sorted(times)
    assert times[0] >= datetime(2026, 3, 2, 9, tzinfo=timezone(timedelta(hours=8)))
    page = (ROOT / "docs/spec/example.md").read_text("utf-8")
    for step in steps:
        who, own = VERBS[step["does"]]
        assert step["who"].split(":")[0] in who, step
        assert step.keys() - ALWAYS <= own, step
        for path in [step.get("folder", "."), *step.get("documents", [])]:
            assert (folder / path).exists(), path
    assert all(f"| `{verb}` |" in page for verb in VERBS), "the page describes every verb"
    assert ACTORS | {"bidder", "seat", "trustee"} >= {actor for who, _ in VERBS.values() for actor in who}


def test_the_tender_may_be_published_on_the_day_the_script_says(folder: Path) -> None:
    document = tender_document.parse((folder / "tender.json").read_bytes())
    now = datetime.fromisoformat(script(folder)[0]["at"])
    assert publication.defects(document, now=now, rulebook=construction.NATIONAL) == ()
    assert sorted(path.suffix for path in (folder / "documents").iterdir())


def test_every_bid_names_its_files_and_keeps_the_document(folder: Path) -> None:
    document = tender_document.parse((folder / "tender.json").read_bytes())
    max_price = document.price.max_price_fen
    assert max_price is not None
    known: dict[str, str] = {}
    for path in sorted((folder / "bidders").rglob("bid.json")):
        bid = json.loads(path.read_text("utf-8"))
        assert set(bid) == {"name", "uscc", "price_fen", "period_days", "quality", "leader", "files"}
        assert uscc.validate(bid["uscc"]) == bid["uscc"]
        assert 0 < bid["price_fen"] <= max_price
        assert bid["period_days"] <= document.lot.period_days_max
        named = {file["path"]: file["envelope"] for file in bid["files"]}
        assert set(named) == {found.name for found in (path.parent / "files").iterdir()}
        assert {(r.file, r.envelope) for r in document.requirements if r.envelope == 1} <= named.items()
        number = path.relative_to(folder / "bidders").parts[0]
        assert known.setdefault(bid["uscc"], number) == number, "one organisation, one bidder"


def test_the_register_is_clean_and_has_experts_to_avoid_and_enough_others(folder: Path) -> None:
    document = tender_document.parse((folder / "tender.json").read_bytes())
    imported = pool_files.read((folder / "experts.csv").read_bytes(), "experts.csv", specialties.load())
    assert imported.flaws == ()
    bidders = {json.loads(path.read_text("utf-8"))["uscc"] for path in folder.glob("bidders/*/bid.json")}
    for stratum in document.panel.strata:
        found = pool.eligible(imported.experts, stratum.specialty)
        free = [expert for expert in found if expert.employer_uscc not in bidders]
        assert len(free) < len(found)
        assert len(free) >= 2 * stratum.seats + 2


def test_points_are_in_range_of_their_items_and_complete_for_opened_bids(folder: Path) -> None:
    document = tender_document.parse((folder / "tender.json").read_bytes())
    items = {item.code: item for item in document.items}
    seats = {str(seat) for seat in range(1, document.panel.members + 1)}
    opened = {row["bidder"] for row in golden(folder)["opening"] if row["status"] == "opened"}
    rows = marks(folder)
    assert set(rows) == {(seat, bidder, item) for seat in seats for bidder in opened for item in items}
    for (_, bidder, item), points in rows.items():
        assert 0 <= points <= Fraction(items[item].max)
        assert points % Fraction(items[item].step) == 0
        if items[item].kind == "objective":
            assert len({rows[seat, bidder, item] for seat in seats}) == 1


def test_opening_benchmark_and_ranking_are_those_computed_by_hand(folder: Path) -> None:
    expected, opening = golden(folder), opening_of(folder)
    assert opening == expected["opening"]
    result = recount(folder, {r["bidder"]: Fraction(r["price_fen"], 100) for r in opening if r["status"] == "opened"})
    for name, value in result.items():
        assert value == expected[name], name


def test_the_hall_scores_as_computed_by_hand(folder: Path) -> None:
    expected = golden(folder)
    terms = json.loads((folder / "tender.json").read_text("utf-8"))
    bids = [
        {"id": row["bidder"], "price": text(Fraction(row["price_fen"], 100), 2)}
        for row in expected["opening"]
        if row["status"] == "opened"
    ]
    points = [
        {"expert": seat, "bid": bid, "item": item, "points": text(value, 2)}
        for (seat, bid, item), value in marks(folder).items()
    ]
    written = {
        "kind": "scores",
        "method": terms["method"],
        "max_price": text(Fraction(terms["price"]["max_price_fen"], 100), 2),
        "bids": bids,
        "points": points,
        "abnormal": [],
        "result": {
            "base": expected["benchmark"],
            "scores": expected["price_scores"],
            "totals": {row["bidder"]: row["total"] for row in expected["ranking"]},
            "ranking": [row["bidder"] for row in expected["ranking"]],
        },
    }
    case, recorded = scores_file.load(json.dumps(written).encode())
    assert recorded is not None
    result = scores_file.verify_result(case, recorded)
    assert {bid: text(value, 3) for bid, value in result.points.items()} == {
        bid: value.ljust(len(value.split(".")[0]) + 4, "0") for bid, value in expected["points"].items()
    }


def test_a_withdrawn_late_garbage_or_replaced_bid_that_counted_would_change_the_ranking() -> None:
    folder = FOLDERS["road-maintenance"] / "road-maintenance"
    lawful = {r["bidder"]: Fraction(r["price_fen"], 100) for r in opening_of(folder) if r["status"] == "opened"}
    honest = [row["bidder"] for row in golden(folder)["ranking"]]
    for number in ("03", "10", "11", "12"):
        price = json.loads((folder / "bidders" / number / "bid.json").read_text("utf-8"))["price_fen"]
        ranking = recount(folder, {**lawful, number: Fraction(price, 100)})["ranking"]
        assert [row["bidder"] for row in ranking if row["bidder"] in honest] != honest, number


def test_the_two_folders_give_different_results() -> None:
    first, second = (golden(FOLDERS[name] / name) for name in FOLDERS)
    assert first["benchmark"] != second["benchmark"]
    assert first["awarded_to"] != second["awarded_to"]


def script(folder: Path) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = json.loads((folder / "script.json").read_text("utf-8"))
    return steps


def golden(folder: Path) -> dict[str, Any]:
    held: dict[str, Any] = json.loads((ROOT / f"tests/golden/{folder.name}.json").read_text("utf-8"))
    return held


def marks(folder: Path) -> dict[tuple[str, str, str], Fraction]:
    with (folder / "scores.csv").open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    found = {(row["seat"], row["bidder"], row["item"]): Fraction(row["points"]) for row in rows}
    assert len(found) == len(rows), "no mark stands twice"
    return found


def opening_of(folder: Path) -> list[dict[str, Any]]:
    """What the script must lead to, one row per version handed in."""
    rows: list[dict[str, Any]] = []
    for step in script(folder):
        number = step["who"].partition(":")[2]
        mine = [row for row in rows if row["bidder"] == number]
        if step["does"] == "withdraw":
            mine[-1].update(status="withdrawn", price_fen=None)
        if step["does"] != "submit":
            continue
        bid = json.loads((folder / step.get("folder", f"bidders/{number}") / "bid.json").read_text("utf-8"))
        status = "late" if "refused" in step else "invalid" if "garbage" in step else "opened"
        price = bid["price_fen"] if status == "opened" else None
        if mine and status != "late":
            mine[-1].update(status="replaced", price_fen=None)
        rows.append({"bidder": number, "version": len(mine) + 1, "status": status, "price_fen": price})
    return sorted(rows, key=lambda row: (row["bidder"], row["version"]))


def recount(folder: Path, prices: dict[str, Fraction]) -> dict[str, Any]:
    """docs/spec/scores.md §4, step by step. A bid without marks (one that must not count) is given none."""
    method = json.loads((folder / "tender.json").read_text("utf-8"))["method"]
    places, given = method["round"], marks(folder)
    ascending = sorted(prices.values())
    high, low = next(((h, lo) for n, h, lo in reversed(method["drop"]) if n <= len(prices)), (0, 0))
    kept = ascending[low : len(ascending) - high]
    base = half_up(sum(kept) / Fraction(len(kept)) * (1 + Fraction(method["float"])), places["base"])
    scores, points, totals = {}, {}, {}
    for bid, price in prices.items():
        deviation = half_up((price - base) / base * 100, places["deviation"])
        side = "above" if deviation > 0 else "below"
        lost = abs(deviation) * Fraction(method[side])
        if method["cap"][side] is not None:
            lost = min(lost, Fraction(method["cap"][side]))
        scores[bid] = half_up(max(Fraction(method["floor"]), Fraction(method["full"]) - lost), places["score"])
        own = [value for (_, bidder, _), value in given.items() if bidder == bid]
        points[bid] = half_up(sum(own, Fraction(0)) / len({seat for seat, _, _ in given}), places["points"])
        weighted = scores[bid] * Fraction(method["weights"]["price"]) + points[bid] * Fraction(
            method["weights"]["points"]
        )
        totals[bid] = half_up(weighted, places["total"])
    order = sorted(prices, key=lambda bid: (-totals[bid], prices[bid], -points[bid]))
    return {
        "benchmark": text(base, places["base"]),
        "price_scores": {bid: text(scores[bid], places["score"]) for bid in scores},
        "points": {bid: text(points[bid], places["points"]) for bid in points},
        "ranking": [
            {"rank": rank, "bidder": bid, "total": text(totals[bid], places["total"])}
            for rank, bid in enumerate(order, 1)
        ],
        "awarded_to": order[0],
    }


def half_up(value: Fraction, places: int) -> Fraction:
    units = (2 * abs(value) * 10**places + 1) // 2
    return Fraction(units if value >= 0 else -units, 10**places)


def text(value: Fraction, places: int) -> str:
    units = value * 10**places
    assert units.denominator == 1
    digits = str(units.numerator).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}"
