"""The public pages with 10,000 notices in the hall: how long each takes, and how much it sends.

The hall is a copy of the tests' own, one tender performed to its contract, filled with 10,000 published lots in every
stage, on SQLite, behind its real HTTP server. A page is asked for over one kept connection of the loopback interface;
the time is the median of all askings, of which the first is told apart. What it sends is HTML with its style sheets and
scripts, not compressed. Beside it: the style sheet, which the same server gives from memory.
"""

from __future__ import annotations

import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import measure

sys.path.insert(0, str(measure.ROOT))

from portal.running import Running
from storage.unit import Unit
from storage.world import stamp
from tests.browser.halls import Hall, Stages
from trading.lifecycle import State
from trading.published import words

GOAL_MS, GOAL_KB = 100.0, 150.0
ASKED = 21
AT_ONCE = 500
PLACES = ("青岚市", "北峪县", "云汀区", "石桥镇", "临河区", "白塔县", "南浦市", "长堤街道")
THINGS = (
    "城市道路大中修", "桥梁维修加固", "污水管网改造", "中学教学楼", "河道综合治理", "照明设施更新", "公园绿化提升",
    "老旧小区改造", "乡道路面修复", "供水厂扩建", "医院门诊楼", "消防站",
)  # fmt: skip
KINDS = ("施工", "施工(第一标段)", "施工(第二标段)", "设计施工总承包", "监理")
STATES = (
    *[State.BIDDING] * 8, State.OPENED, State.EVALUATING, State.REPORT_SUBMITTED, State.PUBLICITY, State.PUBLICITY,
    *[State.CONTRACTED] * 30, *[State.AWARDED] * 4, State.FAILED, State.TERMINATED,
)  # fmt: skip


def table(small: bool) -> measure.Table:
    """Milliseconds and kilobytes of every public page."""
    count = 300 if small else 10_000
    told = measure.Table(
        "pages",
        "Public pages",
        f"Every public page with {count:,} notices in the hall (SQLite, one process): median of {ASKED} askings over "
        "the loopback interface; size is HTML with its style sheets and scripts, uncompressed. Goals: 100 ms, 150 KB.",
    )
    with tempfile.TemporaryDirectory() as folder:
        stages = Stages(Path(folder))
        hall = stages.open("contracted", Path(folder) / "hall", watched=False)
        try:
            with measure.timed() as filling:
                hall.call(lambda running: _fill(running, count))
            told.add(f"to publish {count:,} notices (rows and search words)", filling.seconds, "s")
            _ask(told, hall)
        finally:
            hall.close()
            stages.close()
    return told


async def _fill(running: Running, count: int) -> None:
    model = (await running.database.read(lambda unit: unit.tender.find({}, limit=1)))[0]
    now = running.world.now()
    for start in range(0, count, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, count))
        rows = [_lot(model, number, now) for number in numbers]

        async def insert(unit: Unit, rows: list[tuple[dict[str, Any], str, str]] = rows) -> None:
            await unit.tender.insert_all([row for row, _, _ in rows])
            await unit.notice.insert_all(
                [
                    {"lot": row["lot"], "published": published, "market": row["market"], "region": row["region"]}
                    for row, published, _ in rows
                ]
            )
            for row, _, text in rows:
                found = words.words_of(text, row["lot"])
                await unit.notice_word.insert_all([{"word": word, "lot": row["lot"]} for word in found])

        await running.database.write(insert)


def _lot(model: dict[str, Any], number: int, now: Any) -> tuple[dict[str, Any], str, str]:
    """One lot as a row, when it was published, and the words it is found by."""
    state = STATES[number * 7 % len(STATES)]
    lot = f"E1399{number:018d}"
    place, thing, kind = PLACES[number % 8], THINGS[number * 5 % 12], KINDS[number * 3 % 5]
    name = f"{place}{2020 + number % 7}年{thing}工程{kind}({number})"
    age = timedelta(minutes=number * 30) if state is State.BIDDING else timedelta(days=30, minutes=number * 120)
    published = now - age % timedelta(days=19) if state is State.BIDDING else now - age
    deadline = published + timedelta(days=20, hours=number % 6)
    body = {**model["body"]["tender"], "lot": lot, "name": name, "tender_id": f"{number:064x}", "state": state.value}
    body |= {"published_at": stamp(published), "deadlines": [{**body["deadlines"][0], "deadline": stamp(deadline)}]}
    if state is State.PUBLICITY:
        body |= {"publicity_from": stamp(now - timedelta(days=1)), "publicity_until": stamp(now + timedelta(days=2))}
    row = {name: value for name, value in model.items() if name != "version"}
    row |= {"lot": lot, "state": state.value, "deadline": stamp(deadline), "due": "", "tender_id": f"{number:064x}"}
    text = f"{name} {place}城市管理局 {thing}项目 衡源工程咨询有限公司"
    return row | {"body": {"tender": body}}, stamp(published), text


def _ask(told: measure.Table, hall: Hall) -> None:
    with httpx.Client(base_url=hall.url, trust_env=False, timeout=60) as client:
        sizes: dict[str, int] = {}
        style = _median(client, "/static/kit/style.css")
        for what, path in _pages(hall):
            first = client.get(path)
            while 'http-equiv="refresh" content="5"' in first.text:
                # The verifier's report is being made beside the page, on the same cores.
                time.sleep(1)
                first = client.get(path)
            assert first.status_code == 200, (path, first.status_code)
            told.add(what, _median(client, path), "ms", beside="the style sheet", beside_value=style, goal=GOAL_MS)
            told.add(f"{what}: size", _size(client, first, sizes) / 1024, "KB", goal=GOAL_KB)


def _pages(hall: Hall) -> Iterator[tuple[str, str]]:
    lot = f"/lots/{hall.lot}"
    month = f"{hall.now():%Y-%m}"
    yield "today", "/"
    yield "notices, newest", "/lots"
    yield "notices, last page", "/lots?page=500"
    yield "notices with 道路", f"/lots?q={quote('道路')}"
    yield "notices with 乡道路面修复 施工", f"/lots?q={quote('乡道路面修复 施工')}"
    yield "notices with one character, 桥", f"/lots?q={quote('桥')}"
    yield "notices with what nowhere stands", f"/lots?q={quote('路道桥')}"
    yield "notices by stage, region and day", f"/lots?stage=publicity&region=1399&since={hall.now():%Y-%m-01}"
    yield "notices in publicity with 道路", f"/lots?stage=publicity&q={quote('道路')}"
    yield "calendar of openings", f"/calendar?month={month}"
    yield "a tender, contracted", lot
    yield "its opening hall", f"{lot}/opening"
    yield "its opening hall for the wall", f"{lot}/opening/kiosk"
    yield "its check", f"{lot}/check"
    yield "check it yourself", "/check"
    yield "power list with flow charts", "/powers"
    yield "guides", "/guides"
    yield "a guide", "/guides/bidder"
    yield "downloads", "/downloads"
    yield "feed (Atom)", "/feed.atom"
    yield "openings (iCalendar)", "/calendar.ics"


def _median(client: httpx.Client, path: str) -> float:
    times = []
    for _ in range(ASKED):
        with measure.timed() as clock:
            client.get(path)
        times.append(clock.seconds * 1000)
    return statistics.median(times)


def _size(client: httpx.Client, page: httpx.Response, known: dict[str, int]) -> int:
    """Bytes of a page with the style sheets and scripts that it names."""
    total = len(page.content)
    for path in set(re.findall(r'(?:href|src)="(/static/[^"]+\.(?:css|js))"', page.text)):
        if path not in known:
            known[path] = len(client.get(path).content)
        total += known[path]
    return total


if __name__ == "__main__":
    measure.main(table)
