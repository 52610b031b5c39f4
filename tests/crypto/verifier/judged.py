"""How the small tender ends: sheets and scores, publicity with one objection, award and contract, the tally."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from crypto import jcs
from crypto.ledger import merkle
from crypto.verifier import recount
from tests.crypto.verifier import panel
from tests.crypto.verifier.hall import stamp
from tests.crypto.verifier.notice import TERMS

if TYPE_CHECKING:
    from tests.crypto.verifier.world import World

MARKS = {"alpha": "90", "beta": "88", "gamma": "86.5", "delta": "85"}


def score(world: World) -> None:
    """Sheets locked, committed, shown; scores.json counted by the recount itworld."""
    hall = world.hall
    valid = {row["bid"]: row for row in world.record}
    names = {bid.name: bid.bidder.person.removeprefix("p-") for bid in world.listed}
    sheets: list[dict[str, Any]] = []
    commitments: list[dict[str, Any]] = []
    for seat, (_, masked) in enumerate(world.seating.seats, 1):
        items = [{"bid": bid, "item": "plan", "points": MARKS.get(names[bid], "80")} for bid in sorted(valid)]
        sheet = {"tender_id": hall.tender_id, "seat": seat, "items": items}
        salt = hall.entropy(32)
        made = sha256(b"sealbid/v1 sheet\0" + salt + jcs.dumps(sheet)).hexdigest()
        sheets.append({"seat": seat, "masked": masked, "salt": salt.hex(), "sheet": sheet})
        commitments.append({"seat": seat, "masked": masked, "commitment": made})
        hall.later(minutes=1)
        panel.sign_in(world, masked, "sheet_locked", {"seat": seat, "commitment": made})
    if world.cheat == "changed_sheet":
        sheets[0]["sheet"]["items"][0]["points"] = "99"
    world.duty("scores_committed", {"commitments": commitments})
    points = [{"expert": str(row["seat"]), **item} for row in sheets for item in row["sheet"]["items"]]
    if world.cheat == "out_of_range":
        points[0]["points"] = "100.5"
    scores: dict[str, Any] = {
        "kind": "scores",
        "method": TERMS["method"] | ({"above": "1"} if world.cheat == "other_method" else {}),
        "max_price": "8000000.00",
        "bids": [
            {"id": bid, "price": f"{row['price_fen'] // 100}.{row['price_fen'] % 100:02d}"}
            for bid, row in valid.items()
        ],
        "points": points,
        "abnormal": [],
    }
    counted = recount.count(scores)
    ranking = [bid for group in counted.groups for bid in group]
    if world.cheat == "wrong_ranking":
        ranking[0], ranking[1] = ranking[1], ranking[0]
    shown = {
        name: {bid: recount.text(counted.shown(value, point)) for bid, value in values.items()}
        for name, values, point in (
            ("scores", counted.scores, "score"),
            ("points", counted.points, "points"),
            ("totals", counted.totals, "total"),
        )
    }
    scores["result"] = {
        "base": recount.text(counted.base),
        "scores": shown["scores"],
        "totals": shown["totals"],
        "ranking": ranking,
    }
    world.scores, world.ranking = scores, ranking
    world.table = {
        "items": TERMS["items"],
        "bids": [
            {
                "bid": bid,
                "price_score": shown["scores"][bid],
                "points": shown["points"][bid],
                "total": shown["totals"][bid],
                "rank": n,
            }
            for n, bid in enumerate(ranking, 1)
        ],
    }
    world.duty(
        "scores_locked",
        {"sheets_hash": world.keep(sheets), "table_hash": world.keep(world.table), "scores_hash": world.keep(scores)},
    )
    hall.later(hours=1)
    world.duty("report", {"report_hash": world.keep({"text": "评标报告", "salt": "11" * 32})})


def award(world: World) -> None:
    """Publicity with one objection, answered; award, contract."""
    hall = world.hall
    hall.later(days=1)
    record = {row["bid"]: row for row in world.record}
    begin, end = hall.now, hall.now + timedelta(days=1 if world.cheat == "short_publicity" else 5)
    candidates = [
        {
            "rank": row["rank"],
            "bid": row["bid"],
            "total": row["total"],
            **{name: record[row["bid"]][name] for name in ("bidder", "price_fen", "period_days", "quality", "leader")},
        }
        for row in world.table["bids"][:3]
    ]
    world.by_owner(
        "publicity", {"from": stamp(begin), "until": stamp(end), "candidates": candidates, "channel": "平台"}
    )
    hall.later(minutes=2)
    hall.checkpoint()
    hall.later(hours=20)
    objection = hall.private(
        "objection", {"stage": "publicity", "text_hash": "ef" * 32}, world.bidders["gamma"], role="bidder"
    )
    left = int((end - hall.now).total_seconds())
    world.duty("hold", {"reason": "objection", "ref": objection.leaf, "stage": "publicity", "left_s": left})
    if world.cheat == "award_under_hold":
        hall.later(days=6)
        return _award_to(world, candidates[0])
    hall.later(days=1)
    hall.private("answer", {"objection": objection.leaf, "text_hash": "ef" * 32}, hall.owner, role="owner")
    until = hall.now + timedelta(seconds=left + 1)
    world.duty("resume", {"ref": objection.leaf, "until": stamp(until)})
    if world.cheat != "early_award":
        hall.now = until + timedelta(hours=1)
    _award_to(world, candidates[1 if world.cheat == "second_candidate" else 0])
    return None


def _award_to(world: World, row: Mapping[str, Any]) -> None:
    """The award and the contract."""
    hall = world.hall
    fields = {name: row[name] for name in ("rank", "bid", "bidder", "price_fen")}
    world.by_owner("award", fields | {"notice_hash": world.keep({"text": "中标通知书"})})
    hall.later(days=40 if world.cheat == "late_contract" else 10)
    price = row["price_fen"] - (1_000_000 if world.cheat == "other_contract" else 0)
    contract = {"bid": row["bid"], "price_fen": price, "period_days": row["period_days"], "hash": "0f" * 32}
    world.by_owner("contract", contract)


def rest(world: World) -> None:
    """The owner's report, and how many private acts there were."""
    hall = world.hall
    hall.later(days=1)
    hall.private("regulator_report", {"hash": "0e" * 32}, hall.owner, role="owner")
    hall.later(hours=1)
    size = hall.events[-1].index + (9 if world.cheat == "early_tally" else 1)
    if world.cheat == "short_tally":
        size = hall.acts[-1].index
    tally(world, size)
    if world.cheat in ("hidden_act", "second_tally"):
        hall.events.pop()
    if world.cheat == "second_tally":  # What no longer suits is tallied away.
        hall.later(days=1)
        tally(world, size)


def tally(world: World, size: int) -> None:
    """Say in public how many private acts lie below `size`."""
    leaves = [bytes.fromhex(event.leaf) for event in world.hall.events if event.index < size]
    world.duty("tally", {"size": size, "n": len(leaves), "root": merkle.root(leaves).hex()})
