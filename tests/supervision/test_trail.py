"""The audit trail: the full bundle's events, for supervision alone, and nothing of a bidder before the freeze."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import openpyxl
import pytest

from crypto.ledger import merkle
from crypto.refusal import Refused
from crypto.verifier import archive
from supervision import bundle, trail
from tests.supervision import played
from trading.roles import MATRIX, Actor, Permission, Role

Play = Callable[..., None]
POWER = "S-002"
PERSONAL = ("person", "organisation", "address", "device", "source")


async def rows(stage: Any, **query: str) -> list[dict[str, Any]]:
    wanted = trail.Filter.of(query)
    told: list[dict[str, Any]] = await stage.database.read(
        lambda unit: trail.rows(unit, stage.lot, wanted, hall=stage.hall)
    )
    return told


def test_the_trail_is_the_full_bundles_events(play: Play, tmp_path: Path) -> None:
    async def scenario(stage: Any) -> None:
        await played.until_stopped(stage)
        service = played.service_of(stage)
        path = await bundle.make(
            service,
            stage.lot,
            "full",
            folder=tmp_path,
            actor=played.supervisor(stage),
            power=POWER,
            now=stage.now,
            room=stage.room,
        )
        read = archive.read(path)

        def lines(name: str) -> list[dict[str, Any]]:
            return [json.loads(line) for line in read.read(name).splitlines()]

        contexts = {row["index"]: row["context"] for row in lines("private/contexts.jsonl")}
        expected = [(row["index"], row["act"], contexts.get(row["index"], {})) for row in lines("log/acts.jsonl")]
        expected += [(row["index"], row["public"], row["confidential"]) for row in lines("private/events.jsonl")]
        told = await rows(stage)
        assert [
            [row[name] for name in ("index", "kind", "time", "role", "power", "rule", *PERSONAL)] for row in told
        ] == [
            [index, *(act[name] for name in ("kind", "at", "role", "power", "rule")), *map(hidden.get, PERSONAL)]
            for index, act, hidden in sorted(expected, key=lambda each: each[0])
        ]
        assert {"submit", "withdraw", "tender", "release", "verdict", "failed"} <= {row["kind"] for row in told}
        leaves = await stage.ledger.entries(0, (await stage.ledger.head()).size)
        assert all(merkle.leaf_hash(leaves[row["index"]]).hex() == row["leaf"] for row in told)

    play(scenario)


@pytest.mark.rule("E-20", "pass")
def test_nothing_of_a_bidder_is_in_it_before_the_freeze(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        await played.bids(stage)
        before = await rows(stage)
        assert {row["kind"] for row in before} == {"tender"}
        names = {one.uscc for one in stage.keys.bidders} | {one.actor.person for one in stage.keys.bidders}
        assert not any(name in json.dumps(before) for name in names)
        await stage.freeze()
        assert sum(row["kind"] == "submit" for row in await rows(stage)) == 6

    play(scenario)


def test_the_panels_own_acts_come_with_its_report(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        await played.bids(stage)
        frozen = await stage.freeze()
        act = {"kind": "sign_in", "role": "expert"}
        assert not trail.may_be_seen(frozen, act)
        assert trail.may_be_seen(msgspec.structs.replace(frozen, report_at=stage.now), act)

    play(scenario)


def test_filters_by_person_step_and_time(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        await played.until_stopped(stage)
        whole = await rows(stage)
        person = stage.keys.bidders[0].actor.person
        assert [row["kind"] for row in await rows(stage, person=person) if row["kind"] == "submit"] == ["submit"] * 2
        assert {row["kind"] for row in await rows(stage, kind="ready")} == {"ready"}
        middle = sorted({row["time"] for row in whole})[1]
        early, late = await rows(stage, to=middle), await rows(stage, **{"from": middle})
        assert early and late and sorted([*early, *late], key=lambda row: row["index"]) == whole
        with pytest.raises(Refused) as caught:
            await rows(stage, to="yesterday")
        assert caught.value.code == "trail_filter"

    play(scenario)


def test_nobody_but_supervision_reads_it(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        await played.until_stopped(stage)
        door = played.Door(stage)
        count = 0
        for actor in played.everybody():
            answer = await door.get("trail", actor)
            allowed = Permission.TRAIL_READ in MATRIX[actor.role]
            assert answer.status_code == (200 if allowed else 403), actor.role
            count += allowed
            if not allowed:
                assert answer.json()["code"] == "permission_denied"
        assert count == 3
        assert (await door.get("trail")).json()["status"] == 401
        reads = await stage.database.read(lambda unit: unit.event.find({"lot": stage.lot, "kind": "read"}))
        assert [row["body"]["power"] for row in reads] == [POWER] * 3, "every reading is itself an event"
        auditor = Actor("somebody-auditor", "915101000000009999", Role.AUDITOR, "192.0.2.1", "test")
        assert (await door.get("trail", auditor, power="S-001")).json()["code"] == "power_code_of_another_role"
        assert (await door.get("trail", auditor, **{"from": "x"})).json()["code"] == "trail_filter"

    play(scenario)


def test_json_lines_and_excel_hold_the_same_rows_and_no_formula(play: Play, tmp_path: Path) -> None:
    async def scenario(stage: Any) -> None:
        await played.until_stopped(stage)
        door = played.Door(stage)
        lines = (await door.get("trail", played.supervisor(stage))).text.splitlines()
        excel = await door.get("trail", played.supervisor(stage), format="xlsx")
        (tmp_path / "trail.xlsx").write_bytes(excel.content)
        sheet = openpyxl.load_workbook(tmp_path / "trail.xlsx").active
        head, *told = [[cell.value for cell in row] for row in sheet.iter_rows()]
        assert head == list(trail.COLUMNS.values())
        assert told == [list(json.loads(line).values()) for line in lines]

    play(scenario)
    evil = dict.fromkeys(trail.COLUMNS, "=cmd|' /C calc'!A0") | {"index": 1}
    path = tmp_path / "evil.xlsx"
    trail.write_excel(path, [evil], now=datetime(2026, 3, 2, tzinfo=UTC))
    cell = openpyxl.load_workbook(path).active["C2"]
    assert (cell.data_type, cell.value) == ("s", evil["kind"])
