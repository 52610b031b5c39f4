"""Questions and rows that go to the database together mean the same on every engine as one after the other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest

from storage.ports import AtLeast, Conflict, Duplicate, Row
from storage.unit import Database, Record, Recorded, Unit

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
Hall = Callable[[Callable[[Database], Any]], Any]


def act(number: int, *, seq: int = -1) -> Record:
    leaf = bytes([1 if seq >= 0 else 2]) + number.to_bytes(4, "big")
    return Record(
        id=f"event-{number}",
        lot="L1",
        tender_id="tL1",
        kind="submit",
        actor="A",
        at=NOW,
        public={"n": number},
        leaf=leaf,
        leaf_hash=sha256(b"\0" + leaf).hexdigest(),
        seq=seq,
    )


def submission(name: str, version: int) -> Row:
    row = {"id": name, "lot": "L1", "organisation": "X", "bid_version": version, "received_at": "", "digest": "d"}
    return row | {"body": {"名": [version]}}


def test_first_rows_of_several_tables_are_those_that_each_question_alone_would_find(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        for version in (1, 2, 3):
            await db.write(lambda unit, version=version: unit.submission.insert(submission(f"s{version}", version)))  # type: ignore[misc]
        await db.write(lambda unit: unit.setting.insert({"name": "list", "body": {"a": "$1 ?"}}))

        async def ask(unit: Unit) -> list[Row | None]:
            return await unit.firsts(
                ("setting", {"name": "list"}, ()),
                ("withdrawal", {"lot": "L1", "organisation": "X"}, ("-bid_version",)),
                ("submission", {"lot": "L1", "organisation": "X"}, ("-bid_version",)),
                ("submission", {"lot": "L1", "bid_version": AtLeast(2)}, ()),
                ("tender", {"lot": "L1"}, ()),
            )

        setting, withdrawal, newest, other, tender = await db.read(ask)
        assert setting == {"name": "list", "body": {"a": "$1 ?"}, "version": 1}
        assert (withdrawal, tender) == (None, None)
        assert newest == submission("s3", 3)
        assert other == submission("s2", 2)

    hall(scenario)


def test_the_facts_beside_an_act_are_there_with_it_and_name_it(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        def beside(recorded: Recorded) -> dict[str, Row]:
            return {"submission": submission(recorded.event, 1)}

        await db.write(lambda unit: unit.record(act(1), beside=beside))
        assert await db.read(lambda unit: unit.submission.read("event-1")) == submission("event-1", 1)
        assert await db.read(lambda unit: unit.pending.count({"id": "event-1"})) == 1

    hall(scenario)


def test_of_an_act_whose_fact_is_a_duplicate_nothing_stays(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        def beside(recorded: Recorded) -> dict[str, Row]:
            return {"submission": submission(recorded.event, 1)}

        await db.write(lambda unit: unit.record(act(1), beside=beside))
        with pytest.raises(Duplicate):
            await db.write(lambda unit: unit.record(act(2), beside=beside))
        with pytest.raises(Conflict):
            for number in (3, 4):
                await db.write(lambda unit, number=number: unit.record(act(number, seq=0)))  # type: ignore[misc]

        async def left(unit: Unit) -> list[int]:
            return [await store.count() for store in (unit.event, unit.pending, unit.submission)]

        assert await db.read(left) == [2, 2, 1]

    hall(scenario)
