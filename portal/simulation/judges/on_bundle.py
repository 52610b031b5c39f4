"""What is judged when a simulated tender is over: receipts (I1), and the bundle by the independent verifier (I15)."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from crypto.ledger import receipt
from crypto.refusal import Refused
from crypto.verifier import __main__ as verifier
from crypto.verifier.shown import View
from portal.simulation.book import Book
from portal.simulation.hall import SimulatedHall
from supervision import bundle

POWER = "S-002"
VIEWS: tuple[View, View] = ("public", "full")


async def receipts(hall: SimulatedHall, book: Book) -> list[str]:
    """Every receipt that was given verifies offline, and is of the act it was given for."""
    wrong = []
    given = [(each.event, each.leaf) for each in book.sent] + [(each.event, each.leaf) for each in book.withdrawn]
    for event, leaf in given:
        told = await hall.running.service.receipt_of(event)
        if told["status"] != "sequenced":
            wrong.append(f"the receipt of {leaf[:16]} is still pending")
            continue
        try:
            proved = receipt.verify(str(told["proof"]).encode(), hall.keys.trust)
        except Refused as refused:
            wrong.append(f"the receipt of {leaf[:16]} does not verify: {refused.code}")
            continue
        if proved.leaf_hash.hex() != leaf:
            wrong.append(f"the receipt of {leaf[:16]} is of another act")
    return wrong


async def i15_bundle_accepted(hall: SimulatedHall, book: Book, *, views: tuple[View, ...] = VIEWS) -> list[str]:
    """The verifier accepts every honest bundle, and every cheat that left a trace is named in what it judged."""
    wrong = []
    expected = {(cheat.check, cheat.culprit) for cheat in book.cheats}
    events = hall.disk.of_lot[book.lot]
    said = json.dumps([each.body for each in events], ensure_ascii=False)
    for each in events:
        if each.kind == "verdict":
            said += json.dumps(hall.disk.object(book.lot, each.body["verdicts_hash"]))
    for view in views:
        report = await _verified(hall, book, view)
        if report is None:
            continue
        said += json.dumps(report.to_json(), ensure_ascii=False)
        for result in report.results:
            if result.outcome == "failed" and (result.id, result.detail.culprit) not in expected:
                wrong.append(f"the {view} bundle fails check {result.id}: {result.detail.en} [{result.detail.culprit}]")
    if any(each.kind == "opened" for each in events):
        for cheat in book.cheats:
            if cheat.culprit.removeprefix("trustee ") not in said:
                wrong.append(f"{cheat.what} by {cheat.culprit} is named nowhere")
    return wrong


async def _verified(hall: SimulatedHall, book: Book, view: View) -> verifier.Report | None:
    """The verifier's report on a bundle of this view; None where there is none yet to be had."""
    with tempfile.TemporaryDirectory(prefix="tradehall-simulation-") as folder:
        try:
            path = await bundle.make(
                hall.running.service,
                book.lot,
                view,
                folder=Path(folder),
                actor=hall.keys.supervisor.actor,
                power=POWER if view == "full" else None,
                now=hall.now,
                room=hall.room if view == "full" else None,
            )
        except Refused as refused:
            hall.tally.refusals[refused.code] += 1
            return None
        return verifier.verify(path, hall.keys.trust, rehearsal=True)
