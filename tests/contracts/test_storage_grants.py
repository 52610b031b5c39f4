"""Every process's database role, tried on a real PostgreSQL: the outcome is tests/golden/grants.txt.

To change a right: change storage/grants.sql, run with UPDATE_GOLDEN=1, and review the flipped mark.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped]
import pytest

from storage import engine, migrate, schema
from storage.ports import Row
from storage.unit import Database, Record, Unit
from tests.contracts.grants import DOORS, NOW, ROLES, Tried, fill, insert, matrix, row_of

pytestmark = pytest.mark.servers
GOLDEN = Path(__file__).parents[1] / "golden" / "grants.txt"


@pytest.fixture(scope="module")
def granted(postgres_dsn: Callable[[], str]) -> str:
    dsn = postgres_dsn()

    async def make() -> None:
        database = engine.open_postgres(dsn)
        await migrate.migrate(database)
        await migrate.grant(database)
        await migrate.grant(database)  # it may be run again
        await database.close()
        await fill(dsn)

    asyncio.run(make())
    return dsn


def as_role(dsn: str, role: str) -> Database:
    parts = urlsplit(dsn)
    host = parts.netloc.rpartition("@")[2]
    return engine.open_postgres(parts._replace(netloc=f"hall_{role}@{host}").geturl(), pool_max=2)


def test_every_role_has_exactly_the_rights_of_the_golden_file(granted: str) -> None:
    found = asyncio.run(matrix(granted))
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(found, encoding="utf-8")
    assert found == GOLDEN.read_text(encoding="utf-8")


def test_before_close_no_role_sees_which_organisation_bid(granted: str) -> None:
    async def scenario() -> None:
        for role in ROLES:
            connection = await asyncpg.connect(granted, user=f"hall_{role}")
            for table in ("submission", "withdrawal", "upload", "segment"):
                rows = await Tried(connection).rows(f"SELECT * FROM {table}", "")
                shown = {str(row.get("lot", row.get("upload", ""))).split("-")[0] for row in rows or []}
                assert not shown & {"DRAFT", "OPEN"} or (role == "eraser" and table == "upload"), (role, table)
            private = await Tried(connection).rows("SELECT * FROM event WHERE public = 0", "")
            assert not {row["lot"] for row in private or []} & {"DRAFT", "OPEN", "CLOSED"}, role
            await connection.close()

    asyncio.run(scenario())


def test_a_bid_goes_through_the_unit_as_the_bidders_role_and_only_for_ones_own(granted: str) -> None:
    async def scenario() -> None:
        database = as_role(granted, "bidders")
        row = row_of(schema.TABLES["submission"], "OPEN", "A") | {"id": "new", "bid_version": 2, "body": {}}

        async def submit(unit: Unit, organisation: str) -> None:
            await unit.share("OPEN")
            assert await unit.tender.read("OPEN")
            await unit.submission.insert(row | {"organisation": organisation})
            await unit.tail_of("OPEN", f"p{organisation}")

        await database.write(lambda unit: submit(unit, "A"), bearer="token of A live")
        for bearer, organisation in (("token of A live", "B"), ("token of A old", "A"), ("", "A"), ("guess", "A")):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await database.write(lambda unit, o=organisation: submit(unit, o), bearer=bearer)
                pytest.fail(f"{organisation} through {bearer}")
        mine = await database.read(lambda unit: unit.submission.find({"lot": "OPEN"}), bearer="token of A live")
        theirs = await database.read(lambda unit: unit.submission.find({"lot": "OPEN"}), bearer="token of B live")
        nobodys = await database.read(lambda unit: unit.submission.find({"lot": "OPEN"}))
        assert {r["id"] for r in mine} == {"OPEN-A", "new"} and {r["id"] for r in theirs} == {"OPEN-B"}
        assert nobodys == []
        await database.close()

    asyncio.run(scenario())


def test_what_goes_together_as_the_bidders_role_passes_the_same_policies(granted: str) -> None:
    async def scenario() -> None:
        database = as_role(granted, "bidders")
        own = {"lot": "OPEN", "organisation": "A"}

        async def look(unit: Unit) -> list[Row | None]:
            newest = ("submission", own, ("-bid_version",))
            return await unit.firsts(("tender", {"lot": "OPEN"}, ()), newest, ("tender", {"lot": "DRAFT"}, ()))

        async def submit(unit: Unit, organisation: str) -> None:
            name = f"together {organisation}"
            act = Record(id=name, lot="OPEN", tender_id="OPEN", kind="submit", actor=f"p{organisation}", at=NOW,
                         public={}, leaf=name.encode(), leaf_hash=name, salt_p="aa")  # fmt: skip
            row = row_of(schema.TABLES["submission"], "OPEN", organisation) | {"bid_version": 9, "body": {}}
            await unit.record(act, beside=lambda recorded: {"submission": row | {"id": recorded.event}})

        tender, mine, draft = await database.read(look, bearer="token of A live")
        assert tender and mine and mine["organisation"] == "A" and draft is None
        assert (await database.read(look, bearer="token of B live"))[1] is None
        await database.write(lambda unit: submit(unit, "A"), bearer="token of A live")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await database.write(lambda unit: submit(unit, "B"), bearer="token of A live")
        await database.close()
        connection = await asyncpg.connect(granted)
        for table in ("event", "pending", "submission"):
            rows = await connection.fetch(f"SELECT id FROM {table} WHERE id LIKE 'together %'")
            assert [row["id"] for row in rows] == ["together A"], table
        await connection.close()

    asyncio.run(scenario())


def test_nobody_changes_the_ledger_not_even_the_owner_of_the_tables(granted: str) -> None:
    async def scenario() -> None:
        connection = await asyncpg.connect(granted)
        for table in ("ledger", "event", "checkpoint", "pending", "submission", "tile", "cosignature"):
            for sql in (f"DELETE FROM {table}", f"TRUNCATE {table}"):
                with pytest.raises(asyncpg.RestrictViolationError):
                    await connection.execute(sql)
        with pytest.raises(asyncpg.RestrictViolationError):
            await connection.execute("UPDATE ledger SET leaf_hash = 'other'")
        with pytest.raises(asyncpg.RestrictViolationError):
            await connection.execute("UPDATE event SET kind = 'other', body = ''")
        await connection.close()

    asyncio.run(scenario())


def test_only_the_clock_of_operation_closes_a_lot(granted: str) -> None:
    async def scenario() -> None:
        event = schema.TABLES["event"]
        close = row_of(event, "OPEN", "A") | {"kind": "close", "public": 1, "seq": 9, "id": "forged"}
        columns = ", ".join(f'"{name}"' for name in close)
        marks = ", ".join(f"${at}" for at in range(1, len(close) + 1))
        able = []
        for role in ROLES:
            connection = await asyncpg.connect(granted, user=f"hall_{role}")
            sql = f"INSERT INTO event ({columns}) VALUES ({marks})"
            if await Tried(connection).changes(sql, list(close.values()), "token of A live"):
                able.append(role)
            await connection.close()
        assert able == ["clockwork_operation"]

    asyncio.run(scenario())


def test_no_door_touches_accounts_sessions_or_grants_of_another_doors_people(granted: str) -> None:
    """Who holds one door's password reads no password of another door's people, and makes nobody a supervisor."""

    async def scenario() -> None:
        for door in DOORS:
            connection = await asyncpg.connect(granted, user=f"hall_{door}")
            tried = Tried(connection)
            seen = await tried.rows("SELECT login FROM account", "token of A live") or []
            assert {row["login"] for row in seen} == {f"in by {door}"}
            for other, role in DOORS.items():
                if other == door:
                    continue
                change = f"UPDATE account SET body = 'mine' WHERE login = 'in by {other}'"
                assert not await tried.changes(change, [], "token of A live"), (door, other)
                session = f"""INSERT INTO token VALUES
                    ('forged', 'pA', 'A', '9999-01-01T00:00:00.000Z', '{json.dumps({"role": role})}', 1)"""
                grant = f"INSERT INTO role_grant VALUES ('forged', 'pA', 'A', '{role}', '{{}}', 1)"
                for sql in (session, grant):
                    able = await tried.changes(sql, [], "token of A live")
                    assert able == (door == "centre"), (door, sql)
            if door != "centre":
                elsewhere = f"INSERT INTO role_grant VALUES ('forged', 'pA', 'B', '{DOORS[door]}', '{{}}', 1)"
                able = await tried.changes(elsewhere, [], "token of A live")
                assert able == (door == "bidders"), "within one's own organisation; bidders sign up"
            await connection.close()

    asyncio.run(scenario())


def test_in_a_rehearsal_an_upload_grows_old_in_the_rehearsals_time(granted: str) -> None:
    """An upload of today in a rehearsal of last March is not abandoned, whatever the machine's clock says."""

    async def scenario() -> None:
        owner = await asyncpg.connect(granted)
        clock = json.dumps({"now": "2020-01-02T00:00:00.000Z"})
        await owner.execute("INSERT INTO setting VALUES ('demo_clock', $1, 1)", clock)
        connection = await asyncpg.connect(granted, user="hall_eraser")
        seen = await Tried(connection).rows("SELECT id FROM upload WHERE state = 'open'", "")
        await owner.execute("DELETE FROM setting WHERE name = 'demo_clock'")
        later = await Tried(connection).rows("SELECT id FROM upload WHERE state = 'open'", "")
        await connection.close()
        await owner.close()
        assert (seen, [row["id"] for row in later or []]) == ([], ["abandoned"])

    asyncio.run(scenario())


def test_a_reminder_learns_where_it_goes_and_nothing_else_of_an_account(granted: str) -> None:
    async def scenario() -> None:
        owner = await asyncpg.connect(granted)
        await owner.execute(
            "INSERT INTO account VALUES ('reached', 'p', $1, 1)", json.dumps({"email": "a@b.example", "password": "x"})
        )
        await owner.close()
        for role in ROLES:
            connection = await asyncpg.connect(granted, user=f"hall_{role}")
            found = await Tried(connection).rows("SELECT * FROM hall_reach('reached')", "")
            told = [tuple(row.values()) for row in found] if found is not None else None
            assert told == ([("a@b.example", None)] if role == "clockwork_operation" else None), role
            await connection.close()

    asyncio.run(scenario())


def test_a_draw_is_told_to_those_who_run_it_without_who_sits_behind_a_mask(granted: str) -> None:
    async def scenario() -> None:
        owner = await asyncpg.connect(granted)
        seats = [{"seat": 2, "state": "accepted", "calls": 1}, {"seat": 1, "state": "invited", "calls": 0},
                 {"seat": 3, "state": "signed_in", "calls": 0}]  # fmt: skip
        attempt = {"masks": {"m": ["expert", "salt"]}, "contributions": {"1": {"header": "ab", "signature": "s"}}}
        body = json.dumps({"attempts": [{"contributions": {}}, attempt], "seats": seats})
        await owner.execute("INSERT INTO panel VALUES ('drawn', 'x', $1, 1)", body)
        await owner.execute("INSERT INTO panel VALUES ('asked', 'x', $1, 1)", json.dumps({"attempts": [], "seats": []}))
        await owner.close()
        for role in ROLES:
            connection = await asyncpg.connect(granted, user=f"hall_{role}")
            found = await Tried(connection).rows("SELECT * FROM hall_drawing('drawn')", "")
            assert (found is not None) == (role in ("desk", "centre", "watch")), role
            if found is not None:
                told = [json.loads(value) for value in found[0].values()]
                assert told == [{"1": "ab"}, [[1, 0], [2, 1]]]
                empty = await Tried(connection).rows("SELECT * FROM hall_drawing('asked')", "")
                assert [tuple(row.values()) for row in empty or []] == [(None, None)]
            await connection.close()

    asyncio.run(scenario())


def test_a_bidder_reads_the_panels_questions_about_its_own_bid_alone(granted: str) -> None:
    async def scenario() -> None:
        owner, tables = await asyncpg.connect(granted), schema.TABLES
        bid, text = json.dumps({"bid": "bid of A"}), {"kind": "clarification", "view": "full", "lot": "FROZEN"}
        await insert(owner, tables["submission"], row_of(tables["submission"], "FROZEN", "A") | {
            "id": "asked about", "bid_version": 7, "digest": "d7", "body": bid})  # fmt: skip
        told = {"bid": "bid of A", "text_hash": "question"}, {"question": "asked", "text_hash": "answer"}
        for kind, body, leaf in (("panel_question", told[0], "asked"), ("panel_answer", told[1], "replied")):
            act = {"id": kind, "kind": kind, "actor": "somebody", "leaf_hash": leaf, "body": json.dumps(body)}
            await insert(owner, tables["event"], row_of(tables["event"], "FROZEN", "C") | act)
            await insert(owner, tables["object"], row_of(tables["object"], "FROZEN", "A") | text | {
                "hash": body["text_hash"]})  # fmt: skip
        await owner.close()
        connection = await asyncpg.connect(granted, user="hall_bidders")
        for token, seen in (("token of A live", 2), ("token of B live", 0), ("token of A old", 0), ("", 0)):
            tried = Tried(connection)
            acts = await tried.rows("SELECT id FROM event WHERE kind IN ('panel_question', 'panel_answer')", token)
            texts = await tried.rows("SELECT hash FROM object WHERE kind = 'clarification'", token)
            assert (len(acts or []), len(texts or [])) == (seen, seen), token
        await connection.close()

    asyncio.run(scenario())
