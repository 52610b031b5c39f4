"""`tradehall <process> --settings FILE` and `tradehall jobs`: the command lines of production."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crypto import terminal
from crypto.refusal import Refused
from portal.processes import settings
from portal.rooms import ROOMS

NAMES = frozenset({*settings.CLASSES, "jobs", "migrate"})


def main(argv: Sequence[str]) -> int:
    """Run one of these commands and return its exit code."""
    parser = terminal.Arguments(prog="tradehall", description=__doc__)
    arguments(parser.add_subparsers(required=True, metavar="COMMAND", parser_class=terminal.Arguments))
    given = parser.parse_args(argv)
    return terminal.run(given.run, given, ROOMS)


def arguments(verbs: Any) -> None:
    """Add one command a process, and `jobs`, to the parser of `tradehall`."""
    for name, kind in settings.CLASSES.items():
        told = (kind.__doc__ or "").partition(". ")[0].replace("\n", " ").strip()
        process = verbs.add_parser(name, help=told)
        process.add_argument("--settings")
        process.set_defaults(run=_run, process=name)
    migrate = verbs.add_parser("migrate", help="bring the database up to date, with every role's rights and password")
    migrate.add_argument("--settings")
    migrate.set_defaults(run=_migrate)
    jobs = verbs.add_parser("jobs", help="jobs that failed too often: see them, try them again")
    jobs.add_argument("what", choices=("list", "replay"))
    jobs.add_argument("job", nargs="?", help="the id of a dead job; all of them without one")
    jobs.add_argument("--settings", required=True, help="the settings of a clockwork process")
    jobs.add_argument("--side", choices=("operation", "supervision"), default="operation")
    jobs.set_defaults(run=_jobs)


def _run(given: argparse.Namespace) -> Mapping[str, Any]:
    import uvloop  # What a process needs is loaded by that process alone.

    from portal.processes import serving

    told = settings.read(given.process, Path(given.settings) if given.settings else None, os.environ)
    uvloop.run(serving.run(given.process, told))
    return {"stopped": True}


def _migrate(given: argparse.Namespace) -> Mapping[str, Any]:
    told = settings.of(settings.Migrate, settings.told(settings.Migrate, given.settings, os.environ))
    ran = asyncio.run(_brought_up_to_date(told))
    terminal.say(given, f"数据库已更新:{len(ran)} 步", f"the database is up to date: {len(ran)} steps")
    return {"steps": ran}


async def _brought_up_to_date(told: settings.Migrate) -> list[str]:
    from portal.processes import parts
    from storage import engine, migrate

    database = engine.open_postgres(told.database_url, pool_max=1)
    try:
        ran = await migrate.migrate(database)
        await parts.grant(database, parts.passwords(told.passwords_file))
        return ran
    finally:
        await database.close()


def _jobs(given: argparse.Namespace) -> Mapping[str, Any]:
    return asyncio.run(_dead_jobs(given))


async def _dead_jobs(given: argparse.Namespace) -> Mapping[str, Any]:
    from portal.processes import parts
    from storage.outbox import Outbox

    told = settings.read(f"clockwork-{given.side}", Path(given.settings), os.environ)
    database = parts.database(told)
    outbox = Outbox(database, world=parts.world(told, parts.papers(Path(told.papers))), handlers={})
    try:
        dead = await outbox.dead()
        if given.what == "list":
            for job in dead:
                terminal.say(given, f"{job.id} {job.kind} {job.error}", f"{job.id} {job.kind} {job.error}")
            return {"dead": [{"id": job.id, "kind": job.kind, "error": job.error} for job in dead]}
        chosen = [job for job in dead if given.job in (None, job.id)]
        if given.job is not None and not chosen:
            raise Refused("job_not_dead", job=given.job)
        for job in chosen:
            await outbox.revive(job.id)
        terminal.say(given, f"重新执行 {len(chosen)} 个作业", f"{len(chosen)} jobs are tried again")
        return {"replayed": [job.id for job in chosen]}
    finally:
        await database.close()
