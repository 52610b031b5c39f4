"""The burst on split processes: prepared submissions on one tender, released at one instant through nginx.

Every receipt is verified offline afterwards, every accepted bid looked for in the tables, and the same rows are
inserted bare into an empty database of the same server. Clients, proxy, doors, sequencer and database share a machine.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import bare
import crowd
import measure
import volley
from production_hall import Split

sys.path.insert(0, str(measure.ROOT))

from crypto import trust
from crypto.ledger import receipt

GOAL_SECONDS = 5.0
STORED_MAX = 1000
BATCH = 250
STATISTICS = """SELECT xact_commit, xact_rollback, deadlocks, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint wal
    FROM pg_stat_database WHERE datname = current_database()"""
TICKS = os.sysconf("SC_CLK_TCK")


def table(split: Split, count: int) -> measure.Table:
    """One burst of `count` submissions."""
    stored = count <= STORED_MAX
    told = measure.Table(
        "production_burst" if count <= STORED_MAX else f"production_burst_{count}",
        f"Production: the burst of {count:,}",
        f"{count:,} submissions, prepared and uploaded, sent at one instant on one tender to two replicas of "
        "the bidders' door behind nginx, each on a connection of its own; PostgreSQL, sequencer and clients are on the "
        "same machine. While bids are taken the log grows once a second, so no receipt can come sooner."
        + ("" if stored else " Their segments are not in the store: nothing of a burst reads them."),
    )
    lot = split.publish()
    requests = asyncio.run(_prepare(split, lot, count, stored))
    before, spent = split.running.ask(_statistics), _cpu(split)
    answers = volley.fire(split.entries["bidders"], requests)
    spent = {name: seconds - spent[name] for name, seconds in _cpu(split).items()}
    time.sleep(1.5)
    after = split.running.ask(_statistics)
    anchors = trust.load((split.running.path / "hall" / "trust.json").read_bytes())
    given = [one for one in answers if one.receipt]
    for one in given:
        receipt.verify(one.body["receipt"]["proof"].encode(), anchors)
    accepted = [one for one in answers if one.status == 200]
    refused = Counter(str(one.body.get("code", one.status)) for one in answers if one.status != 200)
    there = split.running.ask(lambda unit: unit.submission.count({"lot": lot}))
    seconds, rows = asyncio.run(_bare(split))
    last = max((one.receipt for one in given), default=volley.PATIENCE_SECONDS)
    told.add(f"last of {count:,} receipts", last, "s", beside="bare inserts of the same rows", beside_value=seconds,
             goal=GOAL_SECONDS if count <= STORED_MAX else None)  # fmt: skip
    answered = max((one.accepted for one in accepted), default=volley.PATIENCE_SECONDS)
    told.add(
        "accepted a second", len(accepted) / answered, "bids/s", beside="bare inserts", beside_value=rows / seconds
    )
    for name in ("accepted", "receipt"):
        times = sorted(getattr(one, name) for one in (accepted if name == "accepted" else given))
        for part in (50, 95, 99):
            value = times[min(len(times) - 1, len(times) * part // 100)] if times else volley.PATIENCE_SECONDS
            told.add(f"{name}, p{part}", value, "s")
    told.add(f"refused{f' ({dict(refused)})' if refused else ''}", sum(refused.values()), "bids", goal=0)
    told.add("accepted without a receipt", len(accepted) - len(given), "bids", goal=0)
    told.add("accepted and not in the tables, or there and not accepted", abs(there - len(accepted)), "bids", goal=0)
    rolled = max(0, after["xact_rollback"] - before["xact_rollback"] - sum(refused.values()))
    told.add("transactions rolled back for a conflict", rolled + after["deadlocks"] - before["deadlocks"], "", goal=0)
    told.add("transactions per bid, everything counted", (after["xact_commit"] - before["xact_commit"]) / count, "")
    told.add("write-ahead log per bid", (after["wal"] - before["wal"]) / count / 1024, "KiB")
    for name, cpu in spent.items():
        told.add(f"processor time per bid, {name}", 1000 * cpu / count, "ms")
    return told


async def _prepare(split: Split, lot: str, count: int, put: bool) -> list[dict[str, Any]]:
    async with split.behind() as behind:
        tender = await crowd.tender_of(behind, lot)
        companies = await crowd.enlist(behind, count)
        made: list[dict[str, Any]] = []
        for start in range(0, count, BATCH):
            some = companies[start : start + BATCH]
            bids = [
                (one, crowd.seal(behind.hall.entropy, lot, tender, one, price_fen=500_000_000 + start + number))
                for number, one in enumerate(some)
            ]
            bodies = await crowd.arrive(behind, lot, bids, put=put)
            made += [{"token": one.token, "body": body} for one, body in zip(some, bodies, strict=True)]
        return made


async def _bare(split: Split) -> tuple[float, int]:
    async with split.behind() as behind:
        rows = await bare.rows(behind.database)
    return await bare.seconds(Path(), split.postgres.fresh(), rows), len(rows["submission"])


async def _statistics(unit: Any) -> dict[str, int]:
    found = await unit.session._wire.fetch(STATISTICS, [])
    return dict(found[0])


def _cpu(split: Split) -> dict[str, float]:
    """Seconds of processor time so far, by what spends it."""
    names = split.running.processes
    doors = [names[name].pid for name in ("bidders-1", "bidders-2")]
    postmaster = int((split.postgres.folder / "postmaster.pid").read_text().split()[0])
    nginx = int((split.running.path / "nginx" / "pid").read_text())
    return {
        "doors": sum(map(_seconds, doors)),
        "PostgreSQL": sum(map(_seconds, _children(postmaster))),
        "sequencer": _seconds(names["sequencer"].pid),
        "nginx": sum(map(_seconds, _children(nginx))),
        "clients": _seconds(os.getpid()),
    }


def _seconds(process: int) -> float:
    try:
        told = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(told[11]) + int(told[12])) / TICKS


def _children(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rsplit(")", 1)[1].split()[1]) == parent:
                found.append(int(stat.parent.name))
        except OSError:
            continue
    return found
