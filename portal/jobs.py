"""What jobs do: fill inboxes, send a notice on. The job row is the truth, a broker only carries its id."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from storage.outbox import Handler, Job
from storage.unit import Unit
from storage.world import stamp
from trading import inbox
from trading.hall import Hall


async def send_notice(job: Job, *, unit: Unit, now: datetime) -> None:
    """Mark an inbox row as sent on. The inbox itself is the effective notice (20号令 §22); mail and text messages are
    a courtesy beside it, and where no gateway is set the row says that it was shown in the inbox alone."""
    row = await unit.inbox.read(job.args["inbox"])
    assert row is not None, "an inbox row is never deleted"
    body = {**row["body"], "sent_at": stamp(now), "by": "inbox"}
    await unit.inbox.update({**row, "body": body}, expected_version=row["version"])


def handlers(hall: Hall) -> Mapping[str, Handler]:
    """Handler by kind of job, where one process does both sides' work."""
    return operation(hall)


def operation(hall: Hall) -> Mapping[str, Handler]:
    """Handler by kind of the operation's jobs."""

    async def fill_inboxes(job: Job, *, unit: Unit, now: datetime) -> None:
        await inbox.fill(unit, job.args, entropy=hall.entropy)

    return {"send_notice": send_notice, "fill_inboxes": fill_inboxes}
