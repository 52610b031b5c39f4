"""`tradehall <process> --settings FILE`, `migrate`, `store` and `jobs`: the command lines of production."""

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

NAMES = frozenset({*settings.CLASSES, "jobs", "migrate", "store"})


def main(argv: Sequence[str]) -> int:
    """Run one of these commands and return its exit code."""
    parser = terminal.Arguments(prog="tradehall", description=__doc__)
    arguments(parser.add_subparsers(required=True, metavar="COMMAND", parser_class=terminal.Arguments))
    given = parser.parse_args(argv)
    return terminal.run(given.run, given, ROOMS)


def arguments(verbs: Any) -> None:
    """Add one command a process, and those that are run by hand, to the parser of `tradehall`."""
    for name, kind in settings.CLASSES.items():
        told = (kind.__doc__ or "").partition(". ")[0].replace("\n", " ").strip()
        process = verbs.add_parser(name, help=told)
        process.add_argument("--settings")
        process.set_defaults(run=_run, process=name)
    migrate = verbs.add_parser("migrate", help="bring the database up to date, with every role's rights and password")
    migrate.add_argument("--settings")
    migrate.set_defaults(run=_migrate)
    store = verbs.add_parser("store", help="the bucket of the object store: make it with its lock, prove what it keeps")
    store.add_argument("what", choices=("prepare", "check"))
    store.add_argument("--settings", help="TOML with blobs_url: the administrator's key, which no process has")
    store.set_defaults(run=_store)
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


PROVED = {
    "wrong_body_refused": ("与声明不符的内容被拒绝", "other bytes than announced are refused"),
    "right_body_taken": ("声明的内容被接受", "the announced bytes are taken"),
    "second_put_refused": ("同名对象不能再次写入", "a name is written once"),
    "checksum_told": ("存储自行计算并给出 SHA-256", "the store tells the SHA-256 that it computed"),
    "locked_delete_refused": ("锁定期内的删除被拒绝（合规模式）", "a locked object is not deleted (COMPLIANCE)"),
}
"""What each proof of a store is called (storage/s3.py:PROVED)."""


def _store(given: argparse.Namespace) -> Mapping[str, Any]:
    from minio.error import S3Error  # The store's SDK is loaded by whoever has a store.

    from portal.settings import s3_store
    from storage import s3
    from storage.ports import Busy
    from storage.world import RealWorld

    told = settings.of(settings.Administrator, settings.told(settings.Administrator, given.settings, os.environ))
    at = s3_store(told.blobs_url)
    blobs, entropy = s3.S3Blobs(at), RealWorld().entropy
    try:
        made = False
        if given.what == "prepare":
            made = asyncio.run(blobs.prepare(entropy=entropy))
        else:
            asyncio.run(blobs.check(entropy=entropy))
    except Busy as error:
        raise terminal.Unreachable(f"{at.base}: {error}") from error
    except S3Error as error:
        raise Refused("store_key_refused", why=error.code) from error
    if made:
        terminal.say(given, f"已建立带对象锁的桶 {at.bucket}", f"made the bucket {at.bucket} with Object Lock")
    for name in s3.PROVED:
        terminal.say(given, f"已证实：{PROVED[name][0]}", f"proved: {PROVED[name][1]}")
    return {"bucket": at.bucket, "made": made, "proved": list(s3.PROVED)}


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
