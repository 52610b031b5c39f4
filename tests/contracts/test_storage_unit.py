"""The unit of work keeps its promises on every engine."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from storage.ports import Among, AtLeast, AtMost, Below, Conflict, Duplicate, Every, In, Not, Row, Within
from storage.unit import NO_HASH, Database, Unit
from storage.world import SeededEntropy
from tests.contracts.rows import NOW, Hall, act, submission, tender


def test_a_row_comes_back_as_it_went_in(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        await db.write(lambda unit: unit.tender.insert(tender()))
        assert await db.read(lambda unit: unit.tender.read("L1")) == tender(version=1)
        assert await db.read(lambda unit: unit.tender.read("L2")) is None

    hall(scenario)


def test_a_write_that_raises_leaves_nothing(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        await db.write(lambda unit: unit.tender.insert(tender(state="draft")))

        async def half(unit: Unit) -> None:
            await unit.tender.update(tender(state="published"), expected_version=1)
            await unit.tender.insert(tender("L2"))
            await unit.submission.insert(submission("X"))
            await unit.record(act(1))
            await unit.token.insert(
                {"hash": "h", "person": "p", "organisation": "o", "expires": "", "body": {}},
            )
            assert await unit.token.delete("h")
            assert await unit.tender.count() == 2
            raise RuntimeError("the power went")

        with pytest.raises(RuntimeError):
            await db.write(half)

        async def look(unit: Unit) -> None:
            assert await unit.tender.find() == [tender(state="draft", version=1)]
            assert await unit.submission.count() == 0
            assert await unit.event.count() == 0
            assert await unit.session.waiting("", public=False, limit=9) == []

        await db.read(look)
        # The same rows may come again: nothing of them was kept, no index and no unique place.
        await db.write(lambda unit: unit.submission.insert(submission("X")))
        await db.write(lambda unit: unit.record(act(1)))

    hall(scenario)


def test_a_stale_version_is_a_conflict(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        await db.write(lambda unit: unit.tender.insert(tender()))
        with pytest.raises(Conflict):
            await db.write(lambda unit: unit.tender.update(tender(), expected_version=7))

    hall(scenario)


def test_one_version_of_a_bid_per_organisation_and_lot(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        await db.write(lambda unit: unit.submission.insert(submission("X")))
        await db.write(lambda unit: unit.submission.insert(submission("X", version=2)))
        await db.write(lambda unit: unit.submission.insert(submission("X", lot="L2")))
        with pytest.raises(Duplicate):
            await db.write(lambda unit: unit.submission.insert(submission("X") | {"id": "another"}))
        with pytest.raises(Duplicate):
            await db.write(lambda unit: unit.submission.insert(submission("Y") | {"id": "L1-X-1"}))
        assert await db.read(lambda unit: unit.submission.count()) == 3

    hall(scenario)


def test_two_public_acts_never_take_one_place_in_the_chain(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        await db.write(lambda unit: unit.record(act(1, seq=0)))
        with pytest.raises(Conflict):
            await db.write(lambda unit: unit.record(act(2, seq=0)))
        for number in (3, 4):
            await db.write(lambda unit, number=number: unit.record(act(number)))  # private ones have no place
        assert await db.read(lambda unit: unit.event.count({"seq": -1})) == 2

    hall(scenario)


def test_private_acts_of_one_actor_follow_each_other_and_nobody_elses(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        async def append(unit: Unit, number: int, actor: str) -> None:
            await unit.record(act(number, prev=await unit.tail_of("tL1", actor), actor=actor))

        await asyncio.gather(*(db.write(lambda unit, n=n: append(unit, n, "AB"[n % 2])) for n in range(8)))
        for actor in "AB":
            rows = await db.read(lambda unit, actor=actor: unit.event.find({"actor": actor}))
            assert len({row["prev"] for row in rows}) == 4, "no two acts follow the same one"
            assert {row["prev"] for row in rows} - {row["leaf_hash"] for row in rows} == {NO_HASH}

    hall(scenario)


def test_conditions_order_and_limit(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        async def fill(unit: Unit) -> None:
            for at, lot in enumerate("abcde"):
                await unit.tender.insert(tender(lot, deadline=f"2026-03-0{at + 1}", state="open" if at % 2 else "shut"))

        await db.write(fill)

        async def lots(where: Any, **more: Any) -> str:
            rows = await db.read(lambda unit: unit.tender.find(where, **more))
            return "".join(row["lot"] for row in rows)

        assert await lots({}) == "abcde"
        assert await lots({"state": "open"}) == "bd"
        assert await lots({"deadline": Below("2026-03-03")}) == "ab"
        assert await lots({"deadline": AtMost("2026-03-03")}) == "abc"
        assert await lots({"deadline": AtLeast("2026-03-03"), "state": Not("open")}) == "ce"
        assert await lots({"lot": In(("e", "a"))}) == "ae"
        assert await lots({}, order=("-deadline",), limit=2) == "ed"
        assert await lots({}, order=("state", "-lot")) == "dbeca"
        assert await db.read(lambda unit: unit.tender.count({"state": "open"})) == 2

    hall(scenario)


def test_a_column_may_be_looked_for_in_another_table(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        async def fill(unit: Unit) -> None:
            for at, (lot, words) in enumerate({"a": "道路养护", "b": "道路照明", "c": "管道养护"}.items()):
                row = {"lot": lot, "published": f"2026-03-0{at + 1}", "market": "m", "region": "139900"}
                await unit.notice.insert(row)
                found = [{"word": words[n : n + 2], "lot": lot} for n in range(len(words))]
                await unit.notice_word.insert_all(found)
                await unit.tender.insert(tender(lot, state="open" if lot == "c" else "shut"))

        await db.write(fill)

        async def lots(*conditions: Any, **more: Any) -> str:
            where = {"lot": Every(conditions), **more}
            rows = await db.read(lambda unit: unit.notice.find(where, order=("-published",)))
            assert await db.read(lambda unit: unit.notice.count(where)) == len(rows)
            return "".join(row["lot"] for row in rows)

        def word(text: Any) -> Among:
            return Among("notice_word", "lot", {"word": text})

        assert await lots(word("道路")) == "ba"
        assert await lots(word("道路"), word("养护")) == "a"
        assert await lots(word(Within("养", "养\U0010ffff"))) == "ca"
        assert await lots(word("养护"), Among("tender", "lot", {"state": In(("open", "new"))})) == "c"
        assert await lots(word("养护"), published=AtMost("2026-03-01")) == "a"
        assert await lots(word("桥梁")) == ""

    hall(scenario)


def test_quotas_are_sums(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        async def fill(unit: Unit) -> None:
            for number in range(3):
                row = {"upload": "u", "number": number, "hash": "h", "organisation": "X", "bytes": 10}
                await unit.segment.insert(row)

        await db.write(fill)
        assert await db.read(lambda unit: unit.segment.total("bytes", {"organisation": "X"})) == 30
        assert await db.read(lambda unit: unit.segment.total("bytes", {"organisation": "Y"})) == 0
        assert await db.write(lambda unit: unit.segment.delete("u", 1)) is True
        assert await db.write(lambda unit: unit.segment.delete("u", 1)) is False

    hall(scenario)


def test_a_reading_unit_cannot_write(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        with pytest.raises(Exception, match=r"(?i)read"):
            await db.read(lambda unit: unit.tender.insert(tender()))
        assert await db.read(lambda unit: unit.tender.count()) == 0

    hall(scenario)


def test_a_unit_inside_a_unit_is_refused(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        async def nested(unit: Unit) -> None:
            await db.write(lambda inner: inner.tender.insert(tender()))

        with pytest.raises(AssertionError, match="inside another"):
            await db.write(nested)

    hall(scenario)


def test_rows_that_do_not_fit_the_table_are_refused_before_the_database_sees_them(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        wrong: list[Row] = [
            {"lot": "L1"},
            tender(colour="red"),
            tender(state=None),
            tender(state=3),
            tender(body=[]),
            tender(lot="L\0"),
        ]
        for row in wrong:
            with pytest.raises(AssertionError):
                await db.write(lambda unit, row=row: unit.tender.insert(row))
        with pytest.raises(ValueError, match="JSON"):
            await db.write(lambda unit: unit.tender.insert(tender(body={"n": float("nan")})))
        with pytest.raises(AssertionError):
            await db.write(lambda unit: unit.submission.update(submission("X"), expected_version=1))
        with pytest.raises(AssertionError):
            await db.write(lambda unit: unit.submission.delete("x"))
        with pytest.raises(AssertionError):
            await db.read(lambda unit: unit.tender.find({"colour": "red"}))

    hall(scenario)


def test_a_bid_costs_the_same_statements_whatever_is_there(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        await db.write(lambda unit: unit.tender.insert(tender()))
        costs = []

        async def submit(unit: Unit, number: int) -> None:
            await unit.share("L1")
            await unit.tender.read("L1")
            await unit.submission.insert(submission(f"X{number}"))
            await unit.record(act(number, prev=await unit.tail_of("tL1", f"X{number}"), actor=f"X{number}"))

        for number in range(30):
            before = db.statements
            await db.write(lambda unit, number=number: submit(unit, number))
            costs.append(db.statements - before)
        assert len(set(costs)) == 1, costs

    hall(scenario)


def test_an_erased_event_keeps_its_place_and_hash_and_nothing_personal(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        await db.write(lambda unit: unit.record(act(1)))
        before = await db.read(lambda unit: unit.event.read("event-1"))
        assert before is not None and "张三" in before["confidential"]
        assert await db.write(lambda unit: unit.session.erase("event-1"))
        after = await db.read(lambda unit: unit.event.read("event-1"))
        assert after == before | {"body": {}, "confidential": "", "salt_p": "", "salt_c": ""}
        assert not await db.write(lambda unit: unit.session.erase("event-2"))

    hall(scenario)


def test_jobs_leave_only_with_a_committed_transaction(hall: Hall) -> None:
    async def scenario(db: Database) -> None:
        told: list[str] = []

        async def tell(ids: Any) -> None:
            told.extend(ids)

        db.after_commit.append(tell)
        entropy = SeededEntropy(1)

        async def enqueue(unit: Unit, key: str, fail: bool = False) -> bool:
            made = await unit.enqueue(id=entropy(8).hex(), kind="mail", key=key, body={}, due=NOW)
            assert not fail
            return made

        assert await db.write(lambda unit: enqueue(unit, "a"))
        assert not await db.write(lambda unit: enqueue(unit, "a"))
        with pytest.raises(AssertionError):
            await db.write(lambda unit: enqueue(unit, "b", fail=True))
        assert len(told) == 1
        assert await db.read(lambda unit: unit.job.count()) == 1

    hall(scenario)
