"""The attempts of somebody who holds a process's password, or the database's superuser, on the hall that was played.

Every attempt is made for real, with the credentials that the process itself uses, and must be refused or find nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest

from portal.processes import parts, settings
from tests.production.conftest import Played
from tests.production.hall import EXAMPLE

pytestmark = pytest.mark.production
REFUSED = (asyncpg.InsufficientPrivilegeError, asyncpg.RestrictViolationError)
PROBE_BYTES = 48


def as_process(played: Played, name: str, act: Callable[[Any], Awaitable[None]], *, token: str = "") -> None:
    """Connect with this process's own settings, as somebody who took the machine would, and try."""

    async def run() -> None:
        plan = played.hall.plan(name)
        connection = await asyncpg.connect(settings.read(plan.process, plan.settings, {}).database_url)
        await connection.execute("SELECT set_config('tradehall.bearer', $1, false)", token)
        try:
            await act(connection)
        finally:
            await connection.close()

    asyncio.run(run())


def expect_refusal(name: str, sql: str) -> Callable[[Any], Awaitable[None]]:
    async def attempt(connection: Any) -> None:
        try:
            tag = await connection.execute(sql)
        except REFUSED:
            return
        raise AssertionError(f"{name} was allowed to {sql}: {tag}")

    return attempt


LEDGER = (
    "UPDATE ledger SET leaf_hash = 'x'",
    "DELETE FROM ledger",
    "DELETE FROM checkpoint",
    "UPDATE checkpoint SET root = 'x'",
    "DELETE FROM event",
    "TRUNCATE event",
)
TENDER = (
    "UPDATE tender SET deadline = '2030-01-01T00:00:00.000Z'",
    "DELETE FROM tender",
    "UPDATE panel SET state = 'x'",
    "UPDATE submission SET digest = 'x'",
)
ACTS = """INSERT INTO event SELECT 'forged-{kind}', lot, tender_id, '{kind}', 1, 900, actor, prev, at, leaf_hash,
    confidential, salt_p, salt_c, body FROM event WHERE public = 1 AND kind = 'tender' LIMIT 1"""


@pytest.mark.parametrize("sql", [*LEDGER, *TENDER, *(ACTS.format(kind=kind) for kind in ("close", "directive"))])
def test_with_the_bidders_doors_password_nobody_changes_the_ledger_or_a_tender(played: Played, sql: str) -> None:
    as_process(played, "bidders-1", expect_refusal("bidders", sql))


def test_with_the_bidders_doors_password_nobody_reads_another_bid(played: Played) -> None:
    own = played.stage.cast.of("bidder:03")

    async def look(connection: Any) -> None:
        rows = await connection.fetch("SELECT organisation FROM submission")
        assert {row["organisation"] for row in rows} == {own.uscc}
        for table in ("verdict", "release", "sheet", "reading_grant", "errand"):
            try:
                found = await connection.fetch(f"SELECT * FROM {table}")
            except REFUSED:
                continue
            assert table == "errand" and not [row for row in found if "shares" in row["body"]]

    as_process(played, "bidders-1", look, token=played.stage.tokens[own.login])


def test_with_the_bidders_doors_password_nobody_acts_as_supervisor(played: Played) -> None:
    """A directive is an errand of a live supervisor's session, whose token this process never sees."""
    row = "INSERT INTO errand VALUES ('forged', '{token}', 'waiting', '2026-01-01T00:00:00.000Z', '{{}}', 1)"
    for token in ("", "0" * 64):
        as_process(played, "bidders-1", expect_refusal("bidders", row.format(token=token)))
    as_process(played, "bidders-1", expect_refusal("bidders", "INSERT INTO directive VALUES ('x', 'x', 'x', '{}')"))
    as_process(played, "bidders-1", expect_refusal("bidders", "INSERT INTO finding VALUES ('x', 'x', 'x', 'x', '{}')"))


@pytest.mark.parametrize(
    "sql",
    [
        *LEDGER,
        *TENDER,
        *(ACTS.format(kind=kind) for kind in ("close", "freeze", "verdict", "opened", "release", "award")),
        "INSERT INTO verdict VALUES ('x', 'x', 'x', 'x', 'x', '{}')",
    ],
)
def test_with_the_supervisors_password_nobody_opens_early_or_edits_a_tender(played: Played, sql: str) -> None:
    as_process(played, "watch", expect_refusal("watch", sql))


@pytest.mark.parametrize(
    "name", ["desk", "centre", "trustees", "experts", "opening", "verifier", "sequencer", "eraser"]
)
def test_no_other_process_changes_the_ledger(played: Played, name: str) -> None:
    for sql in LEDGER:
        as_process(played, name, expect_refusal(name, sql))


def test_a_process_cannot_come_in_as_another(played: Played) -> None:
    plan = played.hall.plan("bidders-1")
    url = settings.read("bidders", plan.settings, {}).database_url.replace("hall_bidders:", "hall_watch:")

    async def attempt() -> None:
        await asyncpg.connect(url)

    with pytest.raises(asyncpg.InvalidPasswordError):
        asyncio.run(attempt())


def test_with_the_superusers_eyes_nobody_reads_a_document(played: Played) -> None:
    """Every table as the superuser has it, and every stored segment: no bidder's file is in them in the clear. The
    winner's neither: what was opened was read by a grant and kept nowhere."""
    files = [path for path in sorted((EXAMPLE / "bidders").rglob("*")) if path.is_file() and path.name != "bid.json"]
    probes = {path: path.read_bytes()[:PROBE_BYTES] for path in files if path.stat().st_size >= PROBE_BYTES}
    assert len(probes) >= 5

    async def everything() -> bytes:
        connection = await asyncpg.connect(played.hall.owner_url)
        names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        found = b""
        for (name,) in names:
            for row in await connection.fetch(f'SELECT * FROM "{name}"'):
                found += b"\n".join(one if isinstance(one, bytes) else str(one).encode() for one in row)
        await connection.close()
        told = settings.read("opening", played.hall.plan("opening").settings, {})
        assert isinstance(told, settings.Opening)
        store = parts.blobs(told.blobs_url)
        uploaded = {name for (name,) in await _hashes(played)}
        for name in uploaded:
            found += await store.read(name) or b""
        return found

    seen = asyncio.run(everything())
    assert len(seen) > 500_000
    assert not [path.name for path, probe in probes.items() if probe in seen]


async def _hashes(played: Played) -> list[Any]:
    connection = await asyncpg.connect(played.hall.owner_url)
    rows: list[Any] = await connection.fetch("SELECT hash FROM segment")
    await connection.close()
    return rows
