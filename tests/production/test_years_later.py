"""What is due is erased by the eraser alone, on a real PostgreSQL and SeaweedFS, under its own role and key.

The attempts are those of somebody who took the eraser over, or the door: nothing goes early, nothing goes unlogged,
nothing goes that is not due, and no other key deletes (E-97).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest
from minio.error import S3Error

from bidding import keeping, uploads
from crypto.refusal import Refused
from portal.processes import erasing, local, parts, stores
from portal.processes.table import ROLES
from portal.settings import s3_store
from storage import engine, migrate
from storage.s3 import S3Blobs
from storage.unit import Database, Unit
from storage.world import stamp
from tests.bidding.people import Keys
from tests.bidding.stage import Stage
from tests.production import servers
from trading import lifecycle, retention
from trading.commands import notice

pytestmark = pytest.mark.production
EMPTY = "UPDATE event SET body = '', confidential = '', salt_p = '', salt_c = '' WHERE lot = $1 AND public = 0"
FORGED = """
    INSERT INTO event
    SELECT 'forged', lot, tender_id, 'erased', 0, -1, 'eraser', prev, at, 'forged', '', '', '', '{}' FROM event
    WHERE lot = $1 AND public = 1 AND seq = 0
"""
LOCKED_SECONDS = 8
Names = list[str]


@dataclass
class Hall:
    """The servers, a hall with a tender that ended and one that goes on, and the way in of every role and key."""

    owner_url: str
    weed: servers.Weed
    passwords: dict[str, str]

    def store(self, process: str) -> S3Blobs:
        return S3Blobs(s3_store(self.weed.url_of(process)))

    def eraser(self) -> Database:
        url = local.role_url(self.owner_url, ROLES["eraser"], self.passwords["eraser"])
        return engine.open_postgres(url, blind=erasing.BLIND, through=erasing.THROUGH, pool_max=2)

    async def as_eraser(self, sql: str, *args: object) -> str:
        connection = await asyncpg.connect(local.role_url(self.owner_url, ROLES["eraser"], self.passwords["eraser"]))
        try:
            return str(await connection.execute(sql, *args))
        finally:
            await connection.close()


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    folder = tmp_path_factory.mktemp("years")
    postgres = servers.Postgres(folder / "postgres")
    try:
        with servers.seaweed(folder / "seaweed") as weed:
            yield Hall(postgres.fresh(), weed, {process: f"{process} password" for process in ROLES})
    finally:
        postgres.stop()


async def clock(database: Database, at: datetime) -> None:
    """What the database takes for the hall's time (a rehearsal's row)."""

    async def keep(unit: Unit) -> None:
        row = await unit.setting.read("demo_clock")
        if row is None:
            await unit.setting.insert({"name": "demo_clock", "body": {"now": stamp(at)}})
        else:
            await unit.setting.update({**row, "body": {"now": stamp(at)}}, expected_version=row["version"])

    await database.write(keep)


def names_of(sealed: Any) -> Names:
    return [hashlib.sha256(each).hexdigest() for segments in sealed.bodies for each in segments]


async def rows_of(database: Database, lot: str) -> list[dict[str, Any]]:
    return await database.read(lambda unit: unit.event.find({"lot": lot, "public": 0}, order=("at",)))


def test_the_archived_is_erased_with_a_logged_basis_and_nothing_else(hall: Hall, tmp_path: Path) -> None:
    async def scenario() -> None:
        owner = engine.open_postgres(hall.owner_url, pool_max=4)
        await migrate.migrate(owner)
        await parts.grant(owner, hall.passwords)
        keys = Keys()
        stage = Stage(keys, tmp_path, database=owner)
        stage.blobs = hall.store(stores.ADMINISTRATOR)  # type: ignore[assignment]
        await stage.set_up()
        await stage.publish()
        going_on, kept = stage.lot, names_of(await stage.hand_in(keys.bidders[0]))
        await stage.publish()
        ended, due = stage.lot, names_of(await stage.hand_in(keys.bidders[1]))
        cmd = notice.Terminate(ended, "资金未落实")
        await stage.sign(notice.terminate, cmd, keys.owner.actor, keys.owner.signer, "owner")
        await stage.sequence()
        # Locked by the door's key for a few seconds of the store's own clock, where a real hall says fifteen years.
        door = hall.store("bidders")
        until = datetime.now(UTC) + timedelta(seconds=LOCKED_SECONDS)
        for name in due:
            await door.keep(name, until)
        eraser, store, end = hall.eraser(), hall.store("eraser"), stage.now.replace(year=stage.now.year + 15)
        before = await rows_of(owner, ended)

        async def erase() -> int:
            return await keeping.erase_due(eraser, store, now=end, entropy=stage.hall.entropy)

        # A day before the end, whatever the process takes for the time: the database does not give it a row.
        await clock(owner, end - timedelta(days=1))
        assert await erase() == 0
        assert await hall.as_eraser(EMPTY, ended) == "UPDATE 0"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await hall.as_eraser(FORGED, ended)
        assert await rows_of(owner, ended) == before
        # At the end: nothing goes without an act that names it, nothing of another lot, nothing in the clear.
        await clock(owner, end)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await hall.as_eraser(EMPTY, ended)
        assert await hall.as_eraser(EMPTY, going_on) == "UPDATE 0"
        for column in ("body", "confidential", "salt_p"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await hall.as_eraser(f"SELECT {column} FROM event")
        # What the store still locks stays, and is asked again in a later round.
        with pytest.raises(Refused, match="segment_locked"):
            await store.delete(due[0])
        assert await erase() > 0
        look = hall.store(stores.ADMINISTRATOR)
        assert all([await look.size(name) for name in due])
        await asyncio.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds()) + 1.1)
        assert await erase() == len(due)
        assert [await look.size(name) for name in due] == [None] * len(due)
        assert await erase() == 0, "once"
        after = {row["id"]: row for row in await rows_of(owner, ended)}
        for row in before:
            left = after[row["id"]]
            assert (left["body"], left["confidential"], left["salt_p"], left["salt_c"]) == ({}, "", "", "")
            assert left["leaf_hash"] == row["leaf_hash"], "the ledger stays"
        said = [row["body"] for row in after.values() if row["kind"] == "erased"]
        assert {leaf for body in said for leaf in body["events"]} == {row["leaf_hash"] for row in before}
        assert sum(body["segments"] for body in said) == len(due)
        assert all(body["article"].startswith("政府采购法 §42") and body["rule"] == "E-97" for body in said)
        others = await rows_of(owner, going_on)
        assert others and all(row["body"] and row["salt_p"] for row in others)
        assert all([await look.size(name) for name in kept])
        await eraser.close()
        await owner.close()

    asyncio.run(scenario())


def test_an_abandoned_upload_goes_after_seven_days_and_a_younger_one_stays(hall: Hall, tmp_path: Path) -> None:
    async def scenario() -> None:
        owner = engine.open_postgres(hall.owner_url, pool_max=4)
        look = hall.store(stores.ADMINISTRATOR)
        pieces = [f"segment {number}".encode() for number in range(3)]
        names = [hashlib.sha256(piece).hexdigest() for piece in pieces]
        now = datetime(2041, 4, 1, tzinfo=UTC)
        await clock(owner, now)
        ages = {"old": timedelta(days=7, seconds=1), "young": timedelta(days=6)}

        async def begin(unit: Unit) -> None:
            for id_, age in ages.items():
                leaves = names[:2] if id_ == "old" else names[1:]
                row = {"id": id_, "organisation": "X", "lot": "L", "created": stamp(now - age), "state": uploads.OPEN}
                await unit.upload.insert({**row, "bytes": 3, "body": {"leaves": leaves, "root": "", "prefix": ""}})
                # A client may have put into the store what no door heard of: of `old` only one segment is known.
                told = {"upload": id_, "number": 1, "hash": leaves[1], "organisation": "X", "bytes": 3}
                await unit.segment.insert(told)

        await owner.write(begin)
        # The younger one has the middle segment too: announced, not yet told to a door.
        await owner.write(
            lambda unit: unit.segment.insert(
                {"upload": "young", "number": 0, "hash": names[1], "organisation": "X", "bytes": 3}
            )
        )
        for name, piece in zip(names, pieces, strict=True):
            await hall.store("bidders").put(name, piece)
        eraser = hall.eraser()
        assert await uploads.drop_abandoned(eraser, hall.store("eraser"), now=now) == 1
        assert await uploads.drop_abandoned(eraser, hall.store("eraser"), now=now + timedelta(days=1)) == 0, "by rights"
        assert [await look.size(name) is None for name in names] == [True, False, False]
        states = await owner.read(lambda unit: unit.upload.find({"organisation": "X"}))
        assert {row["id"]: row["state"] for row in states} == {"old": uploads.DROPPED, "young": uploads.OPEN}
        await eraser.close()
        await owner.close()

    asyncio.run(scenario())


def test_no_key_does_another_process_work_in_the_store(hall: Hall) -> None:
    """Who takes bids deletes none, who deletes reads none, who locks writes none; only two keys lock."""

    async def scenario() -> None:
        data = b"a segment that no lock holds"
        name = hashlib.sha256(data).hexdigest()
        await hall.store("bidders").put(name, data)
        until = datetime.now(UTC) + timedelta(seconds=2)
        tries = {
            "read": lambda blobs: blobs.read(name),
            "put": lambda blobs: blobs.put(hashlib.sha256(data + blobs.mark).hexdigest(), data + blobs.mark),
            "lock": lambda blobs: blobs.keep(name, until),
            "delete": lambda blobs: blobs.delete(name),
        }
        able: dict[str, set[str]] = {}
        for process in (*stores.RIGHTS,):
            for what, act in tries.items():
                blobs: Any = hall.store(process)
                blobs.mark = f"{process} {what}".encode()
                if what == "delete" and process == "eraser":
                    continue  # the last test of all
                try:
                    await act(blobs)
                except (S3Error, Refused, OSError):
                    continue
                able.setdefault(what, set()).add(process)
        lookers = set(stores.RIGHTS) - {"eraser"}
        assert able == {"read": lookers, "put": {"bidders", "desk"}, "lock": {"bidders", "clockwork-operation"}}
        await asyncio.sleep(3.1)
        assert await hall.store("eraser").delete(name)

    asyncio.run(scenario())


def test_the_database_knows_the_periods_and_the_ends_that_the_program_knows() -> None:
    text = (Path(__file__).parents[2] / "storage" / "grants.sql").read_text("utf-8")
    assert f"hall_ago(INTERVAL '{retention.years_min()} years')" in text
    states = ", ".join(f"'{state}'" for state in sorted(state.value for state in lifecycle.AT_REST))
    assert f"tender.state IN ({states})" in text
