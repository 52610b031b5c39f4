"""What the pages of a draw show: all that its acts say, who handed in only within, nobody's name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crypto import lottery
from crypto.refusal import Refused
from experts.door import draw_pages, draw_reading
from trading.counter.page.forms import Filled, Upload
from trading.roles import Role

pytestmark = pytest.mark.anyio


async def read(stage: Any) -> tuple[draw_reading.Draw, draw_reading.Inside]:
    told = await stage.database.read(lambda unit: draw_reading.draw(unit, stage.lot))
    return told, await stage.database.read(lambda unit: draw_reading.inside(unit, stage.lot))


async def test_before_a_draw_there_is_nothing_and_nothing_can_be_handed_in(stage: Any) -> None:
    await stage.publish()
    told, within = await read(stage)
    assert told.last is None and not told.open and not within.given


async def test_a_draw_is_open_until_it_is_closed_and_says_who_handed_in(stage: Any) -> None:
    await stage.publish()
    await stage.import_pool()
    await stage.submit()
    await stage.at("03-20 09:00")
    await stage.request()
    await stage.contribute(Role.OWNER)
    told, within = await read(stage)
    assert told.open and set(within.given) == {lottery.OWNER} and set(told.keys) == {1, 2, 3}
    assert told.last is not None and told.last.close is None, "the public acts do not tell who handed in yet"
    assert sum(one.seats for one in told.last.strata) == 5
    assert all(one.name[0] and one.name[1] for one in told.last.strata)


async def test_after_the_result_the_page_has_seats_and_no_name(seated: Any) -> None:
    told, within = await read(seated)
    last = told.last
    assert last is not None and last.close is not None and last.result is not None and not told.open
    seats = last.result["act"]["seats"]
    assert [last.stratum(row["stratum"]).code for row in seats]
    rows = await seated.database.read(lambda unit: unit.expert.find())
    shown = repr(told) + repr(within)
    assert rows and not [row["id"] for row in rows if row["id"] in shown or row["person"] in shown]


def handed(data: bytes) -> Filled:
    return Filled(draw_pages.HANDED, {}, {"contribution": Upload("c.json", data)})


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "contribution_missing"),
        (b"nonsense", "contribution_malformed"),
        (b"[]", "contribution_malformed"),
        (b'{"header":"AA=="}', "contribution_malformed"),
        (b'{"header":"AA==","signature":"00","r":"11"}', "contribution_malformed"),
        (b'{"header":"A","header":"B","signature":"00"}', "contribution_malformed"),
        (b'{"lot":"another","header":"AA==","signature":"00"}', "contribution_of_another_lot"),
        (b"\xff\xfe" + b"0" * draw_pages.FILE_BYTES_MAX, "contribution_malformed"),
    ],
)
async def test_what_is_no_sealed_number_is_told_apart(data: bytes, code: str) -> None:
    with pytest.raises(Refused, match=code):
        draw_pages.contribution(handed(data), "lot")


async def test_the_file_of_the_command_line_is_taken() -> None:
    told = {"lot": "lot", "draw_id": "0", "i": 3, "header": "AA==", "signature": "00"}
    assert draw_pages.contribution(handed(json.dumps(told).encode()), "lot") == {"header": "AA==", "signature": "00"}
