"""Effective notice: what everybody who downloaded must learn reaches every one of them (20号令 §22, E-17).

One inbox row per organisation and act, in the transaction of the act, and one job per row that sends it on by mail or
text message. The text of the job names the lot and the kind; who else was told stands nowhere.
"""

from __future__ import annotations

from datetime import datetime

from storage.unit import Unit
from storage.world import stamp
from trading.hall import Hall
from trading.tender import Tender


async def tell_downloaders(unit: Unit, tender: Tender, *, what: str, leaf: str, now: datetime, hall: Hall) -> int:
    """Put a notice into the inbox of every organisation that downloaded; returns how many organisations."""
    rows = await unit.download.find({"lot": tender.lot})
    told = sorted({row["organisation"] for row in rows} - {tender.owner, tender.agent or ""})
    for organisation in told:
        await tell(unit, organisation, lot=tender.lot, what=what, leaf=leaf, now=now, hall=hall)
    return len(told)


async def tell(
    unit: Unit, organisation: str, *, lot: str, what: str, leaf: str, now: datetime, hall: Hall, person: str = ""
) -> None:
    """One notice to one organisation or person, and the job that sends it on."""
    id_ = hall.entropy(16).hex()
    row = {"id": id_, "person": person, "organisation": organisation, "lot": lot, "created": stamp(now)}
    await unit.inbox.insert({**row, "state": "unread", "body": {"what": what, "leaf": leaf}})
    await unit.enqueue(
        id=hall.entropy(16).hex(),
        kind="send_notice",
        key=f"send_notice:{id_}",
        body={"inbox": id_},
        due=now,
    )
