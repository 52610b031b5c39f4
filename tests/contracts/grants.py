"""What every database role is allowed, found by trying: rows of every table at every stage of a lot, and the marks."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import asyncpg  # type: ignore[import-untyped]

from storage import schema
from storage.ports import Row
from storage.schema import Spec

ROLES = (
    "public", "desk", "centre", "bidders", "trustees", "opening", "verifier", "eraser", "experts", "watch",
    "clockwork_operation", "clockwork_supervision", "sequencer",
)  # fmt: skip
DOORS = {
    "desk": "owner", "centre": "centre", "bidders": "bidder", "trustees": "trustee", "experts": "expert",
    "watch": "supervisor",
}  # fmt: skip
"""A role of those who go in by each process's door."""
STAGES: dict[str, tuple[str, ...]] = {
    "DRAFT": (),
    "OPEN": ("tender",),
    "CLOSED": ("tender", "close"),
    "FROZEN": ("tender", "close", "freeze"),
    "SCORED": ("tender", "close", "freeze", "scores_committed", "scores_locked"),
    "ARCHIVED": ("tender", "close", "freeze", "scores_committed", "scores_locked", "contract"),
}
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
LONG_AGO = "2001-01-01T00:00:00.000Z"
HEADER = """Who may do what in the database, found by trying on a real one (tests/contracts/grants.py).

S select  I insert  U update  D delete (I, U, D: of a row that is the caller's own where rows belong to somebody)
Rows seen only: o own, by a live session · p from publication · c from close · f from freeze · l once scores are locked
e once the archive period has ended · k only the names of the columns of its key · a only after seven days, if never
submitted. The eraser's U of an event: what is personal, in an archived lot, if an act that says so names it.
h only of people who go in by this door (I, U, D of account, token, role_grant: in a role of this door)
"""


def row_of(spec: Spec, lot: str, owner: str) -> Row:
    """A row of any table that stands in `lot` and belongs to the organisation, or the person, `owner`."""
    made: Row = {}
    for name, cell in spec.cells.items():
        match cell:
            case "text":
                made[name] = f"{lot}-{owner}" if name in spec.key or any(name in u for u in spec.uniques) else "x"
            case "integer":
                made[name] = 1
            case "bytes":
                made[name] = b"x"
    numbers = (list(STAGES).index(lot) if lot in STAGES else 50) * 10 + (1 if owner == "A" else 2)
    made |= {name: numbers for name in (*spec.key, "previous") if spec.cells.get(name) == "integer"}
    told = {
        "lot": lot,
        "organisation": owner,
        "person": f"p{owner}",
        "actor": f"p{owner}",
        "body": "{}",
        "seq": -1,
        "view": "full",
    }
    told |= {"public": 0, "state": "submitted", "created": "2020-01-01T00:00:00.000Z"}
    if spec.name == "errand":
        told |= {"token": sha256(f"token of {owner} live".encode()).hexdigest(), "state": "waiting"}
    if spec.name in ("organisation", "person"):
        told.pop("organisation"), told.pop("person")
    return made | {name: value for name, value in told.items() if name in made}


def tokens() -> list[Row]:
    return [
        {
            "hash": sha256(f"token of {who} {state}".encode()).hexdigest(),
            "person": f"p{who}",
            "organisation": who,
            "expires": expires,
            "body": "{}",
            "version": 1,
        }
        for who in "AB"
        for state, expires in (("live", "9999-01-01T00:00:00.000Z"), ("old", "2020-01-01T00:00:00.000Z"))
    ]


async def insert(connection: Any, spec: Spec, row: Row) -> None:
    columns = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join(f"${at}" for at in range(1, len(row) + 1))
    await connection.execute(f'INSERT INTO "{spec.name}" ({columns}) VALUES ({marks})', *row.values())


async def fill(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    for spec in schema.TABLES.values():
        lots = list(STAGES) if "lot" in spec.cells or spec.name == "segment" else ["OPEN"]
        owners = ["A"] if spec.key == ("lot",) else ["A", "B"]
        rows = [row_of(spec, lot, owner) for lot in lots for owner in owners]
        for row in tokens() if spec.name == "token" else rows:
            if spec.name == "segment":
                row["upload"] = row["upload"].replace("segment", "upload")
            if spec.key == ("lot",):
                row["lot"] = row["lot"].split("-")[0]
            if spec.name == "tender" and row["lot"] == "ARCHIVED":
                row["state"] = "contracted"
            await insert(connection, spec, row)
    event = schema.TABLES["event"]
    for lot, kinds in STAGES.items():
        for seq, kind in enumerate(kinds):
            act = {"id": f"{lot} {kind}", "kind": kind, "public": 1, "seq": seq, "tender_id": lot, "actor": "clockwork"}
            at = {"at": LONG_AGO} if lot == "ARCHIVED" else {}
            await insert(connection, event, row_of(event, lot, "A") | act | at)
    said = {"id": "erased", "kind": "erased", "actor": "eraser", "leaf_hash": "y", "body": '{"events":["x"]}'}
    await insert(connection, event, row_of(event, "ARCHIVED", "A") | said)
    for door, role in DOORS.items():
        for person in (f"in by {door}", f"new at {door}"):
            grant = {"id": f"grant of {person}", "person": person, "organisation": "A", "role": role}
            await insert(
                connection, schema.TABLES["role_grant"], row_of(schema.TABLES["role_grant"], "OPEN", "A") | grant
            )
        account = {"login": f"in by {door}", "person": f"in by {door}"}
        await insert(connection, schema.TABLES["account"], row_of(schema.TABLES["account"], "OPEN", "A") | account)
    abandoned = row_of(schema.TABLES["upload"], "OPEN", "A") | {"id": "abandoned", "state": "open"}
    await insert(connection, schema.TABLES["upload"], abandoned)
    await insert(connection, schema.TABLES["segment"], row_of(schema.TABLES["segment"], "OPEN", "A")
                 | {"upload": "abandoned"})  # fmt: skip
    await connection.close()


class Tried:
    """One role's connection, and what it was allowed."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    async def rows(self, sql: str, bearer: str) -> list[Row] | None:
        """What the query gives, None if it is not permitted; nothing stays."""
        return await self._undone(lambda: self.connection.fetch(sql), bearer)

    async def changes(self, sql: str, args: list[Any], bearer: str) -> bool:
        """Whether the statement touches a row without being refused; nothing stays."""
        tag = await self._undone(lambda: self.connection.execute(sql, *args), bearer)
        return tag is not None and not tag.endswith(" 0")

    async def _undone(self, act: Callable[[], Any], bearer: str) -> Any:
        transaction = self.connection.transaction()
        await transaction.start()
        try:
            await self.connection.execute("SELECT set_config('tradehall.bearer', $1, true)", bearer)
            return await act()
        except (asyncpg.InsufficientPrivilegeError, asyncpg.RestrictViolationError):
            return None
        finally:
            await transaction.rollback()


async def select_mark(tried: Tried, spec: Spec) -> str:
    keys = ", ".join(f'"{name}"' for name in spec.key)
    bare = await tried.rows(f'SELECT * FROM "{spec.name}"', "")
    if bare is None:
        named = await tried.rows(f'SELECT {keys} FROM "{spec.name}"', "")
        return "-" if named is None else "k"
    owned = await tried.rows(f'SELECT * FROM "{spec.name}"', "token of A live") or []
    stale = await tried.rows(f'SELECT * FROM "{spec.name}"', "token of A old") or []
    assert len(stale) == len(bare), "an expired session shows nothing"
    dropped = spec.name in ("upload", "segment") and "abandoned" in {row[spec.key[0]] for row in bare}
    seen = {key for row in bare if row[spec.key[0]] != "abandoned" and (key := lot_of(spec, row))}
    mark = next((m for stage, m in zip(STAGES, "Spcfle", strict=True) if stage in seen), "")
    if spec.name == "account" and 0 < len(bare) < len(DOORS):
        mark = "h"
    mark = "a" + mark if dropped and seen <= {"ARCHIVED"} else mark
    if len(owned) > len(bare):
        others = {lot_of(spec, row) for row in owned if foreign(row)}
        assert others <= seen, f"{spec.name}: a session shows rows of another organisation: {others}"
        mark += "o"
    return mark or "-"


def foreign(row: Row) -> bool:
    others = ("B", "pB", sha256(b"token of B live").hexdigest())
    return any(row.get(name) in others for name in ("organisation", "person", "actor", "token"))


def lot_of(spec: Spec, row: Row) -> str:
    """The stage of a row's lot; public events count as nobody's, rows without a lot as a draft's."""
    if spec.name == "event" and row["public"]:
        return ""
    if "lot" in row:
        return str(row["lot"])
    return str(row["upload"]).split("-")[0].replace("abandoned", "") if spec.name == "segment" else "DRAFT"


async def change_marks(tried: Tried, spec: Spec, role: str) -> str:
    row = row_of(spec, "NEW", "A")
    match spec.name:
        case "account":
            row |= {"login": f"new at {role}", "person": f"new at {role}"}
        case "role_grant":
            row |= {"role": DOORS.get(role, "x")}
        case "token":
            row |= {"body": json.dumps({"role": DOORS.get(role, "x")})}
    columns = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join(f"${at}" for at in range(1, len(row) + 1))
    inserted = f'INSERT INTO "{spec.name}" ({columns}) VALUES ({marks})'
    may = "I" if await tried.changes(inserted, list(row.values()), "token of A live") else "-"
    emptied = ", ".join(f"{name} = ''" for name in schema.EVENT_PERSONAL)
    column = next((name for name in spec.cells if name not in spec.key), spec.key[0])
    told = emptied if spec.name == "event" else f'"{column}" = "{column}"'
    where = " AND ".join(f'"{name}" IS NOT NULL' for name in spec.key)
    may += "U" if await tried.changes(f'UPDATE "{spec.name}" SET {told} WHERE {where}', [], "token of A live") else "-"
    may += "D" if await tried.changes(f'DELETE FROM "{spec.name}" WHERE {where}', [], "token of A live") else "-"
    return may


async def matrix(dsn: str) -> str:
    columns = {}
    for role in ROLES:
        connection = await asyncpg.connect(dsn, user=f"hall_{role}")
        tried = Tried(connection)
        columns[role] = [
            f"{await select_mark(tried, spec)}{await change_marks(tried, spec, role)}"
            for spec in schema.TABLES.values()
        ]
        await connection.close()
    width = max(map(len, schema.TABLES)) + 2
    widths = {role: max(len(role), 5) + 2 for role in ROLES}
    lines = [HEADER, " " * width + "".join(role.ljust(widths[role]) for role in ROLES)]
    for at, name in enumerate(schema.TABLES):
        cells = (columns[role][at] for role in ROLES)
        shown = (("." if cell == "----" else cell).ljust(widths[role]) for role, cell in zip(ROLES, cells, strict=True))
        lines.append(name.ljust(width) + "".join(shown))
    return "\n".join(line.rstrip() for line in lines) + "\n"
