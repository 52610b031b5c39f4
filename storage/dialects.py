"""Where databases that speak PostgreSQL's language differ: the whole difference, in one file.

PostgreSQL takes named locks by advisory functions. CockroachDB has none (and refuses the hash): there a named lock is
a row of the table `lock`, held exclusively or shared until the transaction ends; its lost races arrive as 40001 and are
run again by Database.write like every other. Its tables come from the same migrations, without what it does not take:
collations, functions, triggers and grants. So on CockroachDB facts are append-only by the program and the ledger alone,
and the roles of storage/grants.sql do not exist: a hall on it has the secrecy of one process (docs/threats.md).
`DATABASE_URL=cockroach://…` chooses it. It was not run by us against a CockroachDB; row locks and translated migrations
run in our tests on PostgreSQL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

COCKROACH_SCHEMES = frozenset({"cockroach", "cockroachdb"})
_DROPPED = re.compile(r"(?is)^(create\s+(or\s+replace\s+)?function|create\s+trigger|revoke|grant)\b")
_STATEMENT = re.compile(r"(?s)((?:\$\$.*?\$\$|'[^']*'|--[^\n]*\n|[^;])*);")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of server takes named locks ($1 is the name), and what is made before the migrations."""

    name: str
    share: tuple[str, ...]
    seize: tuple[str, ...]
    before: str = ""

    def migration(self, sql: str) -> str:
        """A step of the `postgres` migrations as this server takes it."""
        if self.name == "postgres":
            return sql
        kept = [part.strip() for part in _STATEMENT.findall(sql)]
        told = [part.replace(' COLLATE "C"', "") for part in kept if not _DROPPED.match(_bare(part))]
        return "".join(f"{part};\n" for part in told if _bare(part))


POSTGRES = Dialect(
    "postgres",
    share=("SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 0))",),
    seize=("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",),
)
COCKROACH = Dialect(
    "cockroach",
    share=(
        'INSERT INTO "lock" ("name") VALUES ($1) ON CONFLICT ("name") DO NOTHING',
        'SELECT 1 FROM "lock" WHERE "name" = $1 FOR SHARE',
    ),
    seize=('INSERT INTO "lock" ("name") VALUES ($1) ON CONFLICT ("name") DO UPDATE SET "name" = excluded."name"',),
    before='CREATE TABLE IF NOT EXISTS "lock" ("name" TEXT NOT NULL PRIMARY KEY);',
)


def of(url: str) -> tuple[Dialect, str]:
    """The dialect that an address chooses, and the address as the driver takes it."""
    scheme = urlsplit(url).scheme
    if scheme in COCKROACH_SCHEMES:
        return COCKROACH, "postgresql" + url[len(scheme) :]
    return POSTGRES, url


def _bare(statement: str) -> str:
    """A statement without the comments before it."""
    return re.sub(r"(?m)^\s*--[^\n]*\n?", "", statement).strip()
