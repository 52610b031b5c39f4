"""What a bid costs PostgreSQL in the bidders' own role, with 10 to 10,000 bids of the tender already there.

Counted at the wire: statements, rows read, rows written, without BEGIN, COMMIT, upload and receipt. The bids that are
measured are real; most of those already there are copies of the first one's rows under other names.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import crowd
import measure
import msgspec
from production_hall import Behind, Split
from statements import MEASURED, add_means, copies, counting

from bidding import commands
from storage import postgres
from storage.unit import Unit


def table(split: Split, present: tuple[int, ...]) -> measure.Table:
    """Statements and rows at each number of bids."""
    told = measure.Table(
        "production_statements",
        "Production: what a bid costs as bids come in",
        f"Mean of {MEASURED} bids of as many bidders, each handed in by the command itself in the role hall_bidders of "
        "a real PostgreSQL, without BEGIN and COMMIT. The ratio is to the same number with 10 bids present.",
    )
    lot = split.publish()
    asyncio.run(_measure(told, split, lot, present))
    return told


async def _measure(told: measure.Table, split: Split, lot: str, present: tuple[int, ...]) -> None:
    async with split.behind() as owner, split.behind(process="bidders") as door:
        tender = await crowd.tender_of(owner, lot)
        companies = await crowd.enlist(owner, MEASURED * len(present) + 1, first=700_000)
        bids = [(one, crowd.seal(owner.hall.entropy, lot, tender, one, price_fen=300_000_000)) for one in companies]
        ready = iter(list(zip(companies, await crowd.arrive(owner, lot, bids, put=False), strict=True)))
        await _submit(door, *next(ready))
        there, before = 1, dict[str, float]()
        counted = counting(postgres.PostgresWire)
        for number in present:
            await copies(owner.database, owner.hall.entropy, lot, number - there)
            there = number
            spent, seconds = Counter[str](), 0.0
            for _ in range(MEASURED):
                company, body = next(ready)
                counted.clear()
                with measure.timed() as clock:
                    await _submit(door, company, body)
                spent.update(counted)
                seconds += clock.seconds
                there += 1
            before = add_means(told, spent, seconds, present=number, first=present[0], before=before)


async def _submit(door: Behind, company: crowd.Company, body: dict[str, Any]) -> None:
    cmd = msgspec.convert(body, commands.SubmitBid)

    async def submit(unit: Unit) -> None:
        await commands.submit(cmd, actor=company.actor, now=door.world.now(), unit=unit, hall=door.hall)

    await door.database.write(submit, bearer=company.token)
