"""Many tenders closing at one instant: how long until each is closed, and frozen, by the operation's clockwork.

Every tender has bids of the same companies. The rehearsal's clock is moved to the last second before the deadline,
the hall comes to rest, then the clock is moved past deadline and settling time. One clockwork serves all, one by one.
"""

from __future__ import annotations

import asyncio
import json
import time
from datetime import timedelta
from typing import Any

import crowd
import httpx
import measure
import msgspec
from production_hall import Behind, Split

from bidding import commands
from storage.ports import In
from storage.unit import Unit
from storage.world import instant

BIDS = 3
PATIENCE_SECONDS = 600.0
GOAL_SECONDS = 60.0


def table(split: Split, count: int) -> measure.Table:
    """`count` tenders with the same deadline."""
    told = measure.Table(
        "production_closing",
        f"Production: {count} tenders closing at once",
        f"{count} tenders with {BIDS} bids each and one deadline. The times are from the moment the clock passed "
        "deadline and settling time; acts are found in the tables as the clockwork commits them.",
    )
    lots = asyncio.run(_prepare(split, count))
    document = json.loads((split.stage.example / "tender.json").read_text("utf-8"))
    deadline = instant(document["schedule"]["deadline"])
    settle = document["sealing"]["settle_s"]
    _advance(split, deadline - timedelta(seconds=1) - split.running.now())
    _rest(split)
    began = time.perf_counter()
    _advance(split, timedelta(seconds=1 + settle + 1))
    seen: dict[str, dict[str, float]] = {"close": {}, "freeze": {}}
    while time.perf_counter() - began < PATIENCE_SECONDS and len(seen["freeze"]) < count:
        rows = split.running.ask(
            lambda unit: unit.event.find({"kind": In(("close", "freeze")), "lot": In(tuple(lots))})
        )
        for row in rows:
            seen[row["kind"]].setdefault(row["lot"], time.perf_counter() - began)
        time.sleep(0.1)
    for kind, name in (("close", "closed"), ("freeze", "frozen")):
        times = sorted(seen[kind].values())
        told.add(f"{name}, median", times[len(times) // 2] if times else PATIENCE_SECONDS, "s")
        told.add(f"the last of {count} is {name}", times[-1] if len(times) == count else PATIENCE_SECONDS, "s",
                 goal=GOAL_SECONDS if kind == "freeze" else None)  # fmt: skip
    told.add("tenders not frozen", count - len(seen["freeze"]), "", goal=0)
    return told


async def _prepare(split: Split, count: int) -> list[str]:
    async with split.behind() as behind:
        await split.stock(behind, count + 2)
        companies = await crowd.enlist(behind, BIDS, first=500_000)
        lots = []
        for _ in range(count):
            lot = await asyncio.to_thread(split.publish)
            await _bid(behind, lot, companies)
            lots.append(lot)
        return lots


async def _bid(behind: Behind, lot: str, companies: list[crowd.Company]) -> None:
    tender = await crowd.tender_of(behind, lot)
    bids = [
        (one, crowd.seal(behind.hall.entropy, lot, tender, one, price_fen=400_000_000 + number))
        for number, one in enumerate(companies)
    ]
    for company, body in zip(companies, await crowd.arrive(behind, lot, bids, put=True), strict=True):
        cmd = msgspec.convert(body, commands.SubmitBid)

        async def submit(unit: Unit, cmd: Any = cmd, company: crowd.Company = company) -> None:
            await commands.submit(cmd, actor=company.actor, now=behind.world.now(), unit=unit, hall=behind.hall)

        await behind.database.write(submit)


def _advance(split: Split, by: timedelta) -> None:
    answer = httpx.post(
        split.entries["public"] + "/api/v1/demo/clock",
        json={"advance": f"PT{int(by.total_seconds())}S"},
        timeout=120,
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text


def _rest(split: Split) -> None:
    """Wait until nothing more was logged for a while."""
    before, since = -1, time.perf_counter()
    while time.perf_counter() - since < 3:
        count = split.running.ask(lambda unit: unit.event.count())
        if count != before:
            before, since = count, time.perf_counter()
        time.sleep(0.3)
