"""What is judged when a simulated tender is over: receipts (I1), and the bundle by the independent verifier (I15)."""

from __future__ import annotations

import json

from crypto import receipt
from crypto.refusal import Refused
from portal.simulation.book import Book
from portal.simulation.hall import SimulatedHall


async def receipts(hall: SimulatedHall, book: Book) -> list[str]:
    """Every receipt that was given verifies offline, and is of the act it was given for."""
    wrong = []
    for event, leaf in [(each.event, each.leaf) for each in (*book.sent, *book.withdrawn)]:
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


async def i15_bundle_accepted(hall: SimulatedHall, book: Book) -> list[str]:
    """The verifier accepts every honest bundle, and every cheat that left a trace is named in it."""
    wrong = []
    said = json.dumps([each.body for each in hall.disk.of_lot[book.lot]])
    verdicts = [each for each in hall.disk.of_lot[book.lot] if each.kind == "verdict"]
    for each in verdicts:
        said += json.dumps(hall.disk.object(book.lot, each.body["verdicts_hash"]))
    for cheat in book.cheats if verdicts else ():
        if cheat.culprit.removeprefix("trustee ") not in said:
            wrong.append(f"{cheat.what} by {cheat.culprit} is named nowhere")
    return wrong
