"""The hall of the burst, in a process of its own: serves, waits for the crowd, then tells what it has.

    python bench/burst_hall.py FOLDER COUNT sqlite|DSN DSN_FOR_BARE

Prints {"url","requests"} when everything is prepared; after a line on standard input it prints what is in the tables,
how long bare inserts of the same rows took, and ends.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import bare
import crowd
import measure

sys.path.insert(0, str(measure.ROOT))

from portal.running import Running
from portal.settings import Settings
from storage import crash
from tests.portal.halls import EXAMPLE, open_hall


def main(folder: Path, count: int, engine_name: str, dsn: str) -> None:
    """Prepare, serve, tell."""
    settings = Settings() if engine_name == "sqlite" else Settings(database_url=engine_name)
    hall = open_hall(folder, example=EXAMPLE, seed="bench", settings=settings, flowing=True)
    hall.watchers.stop()
    requests = hall.thread.call(lambda running: _prepare(running, hall.lot, count))
    (folder / "requests.json").write_text(json.dumps(requests))
    points: Counter[crash.Point] = Counter()
    assert hall.thread.running is not None
    hall.thread.running.database._hook = lambda point: points.update([point])
    print(json.dumps({"url": hall.url, "requests": str(folder / "requests.json")}), flush=True)
    sys.stdin.readline()
    # What was under way when counting began or ended can only make this smaller.
    again = max(0, points[crash.Point.UNIT_BEGUN] - points[crash.Point.UNIT_COMMITTED])
    rows = hall.thread.call(lambda running: bare.rows(running.database))
    told = {
        "again": again,
        "submissions": len(rows["submission"]),
        "bare": asyncio.run(bare.seconds(folder / "bare.db", dsn, rows)),
        "trust": (hall.data / "trust.json").read_text("utf-8"),
    }
    print(json.dumps(told), flush=True)
    hall.thread.stop()


async def _prepare(running: Running, lot: str, count: int) -> list[dict[str, Any]]:
    tender = await crowd.tender_of(running, lot)
    return [
        {
            "token": company.token,
            "body": await crowd.hand_over(running, lot, tender, company, price_fen=500_000_000 + number),
        }
        for number, company in enumerate(await crowd.enlist(running, count))
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4] if len(sys.argv) > 4 else "")
