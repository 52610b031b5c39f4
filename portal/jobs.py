"""What jobs do: fill inboxes, send a notice on. The job row is the truth, a broker only carries its id."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from portal.reminders import Gateway, Reminder
from storage.outbox import Handler, Job
from storage.unit import Unit
from storage.world import stamp
from trading import inbox
from trading.hall import Hall

Reach = Callable[[Unit, str], Awaitable[Mapping[str, str]]]
"""Where a person wants reminders, by login: `email`, `phone`."""


async def reach_of(unit: Unit, login: str) -> Mapping[str, str]:
    """As the account says."""
    account = await unit.account.read(login)
    return account["body"] if account else {}


async def send_notice(
    job: Job, *, unit: Unit, now: datetime, gateways: Sequence[Gateway] = (), reach: Reach = reach_of
) -> None:
    """Send an inbox row on and say how. The inbox itself is the effective notice (20号令 §22); mail and text messages
    are a courtesy beside it, and where no gateway is set the row says that it was shown in the inbox alone."""
    row = await unit.inbox.read(job.args["inbox"])
    assert row is not None, "an inbox row is never deleted"
    sent = [gateway.name for gateway in gateways if await _sent(gateway, row, unit=unit, reach=reach)]
    body = {**row["body"], "sent_at": stamp(now), "by": " ".join(["inbox", *sent])}
    await unit.inbox.update({**row, "body": body}, expected_version=row["version"])


async def _sent(gateway: Gateway, row: Mapping[str, Any], *, unit: Unit, reach: Reach) -> bool:
    """Whether this gateway took the reminder for at least one person of the row."""
    people = [row["person"]] if row["person"] else []
    if row["organisation"]:
        people += [one["id"] for one in await unit.person.find({"organisation": row["organisation"]})]
    sent = False
    for login in dict.fromkeys(people):
        to = (await reach(unit, login)).get({"mail": "email", "text": "phone"}[gateway.name], "")
        if to:
            await gateway.send(to, _reminder(row))
            sent = True
    return sent


def _reminder(row: Mapping[str, Any]) -> Reminder:
    lot = row["lot"]
    subject = f"交易平台新消息 · new notice: {lot}"
    zh = f"标段 {lot} 有一条新消息,请登录平台,在“我的账户—消息”中查看。站内消息为有效通知。"
    en = f"There is a new notice about lot {lot}. Sign in and read it under My account, Inbox: it is the effective one."
    return Reminder(row["id"], subject, f"{zh}\n\n{en}\n")


def handlers(hall: Hall, gateways: Sequence[Gateway] = ()) -> Mapping[str, Handler]:
    """Handler by kind of job, where one process does both sides' work."""
    return operation(hall, gateways)


def operation(hall: Hall, gateways: Sequence[Gateway] = (), *, reach: Reach = reach_of) -> Mapping[str, Handler]:
    """Handler by kind of the operation's jobs."""

    async def fill_inboxes(job: Job, *, unit: Unit, now: datetime) -> None:
        await inbox.fill(unit, job.args, entropy=hall.entropy)

    async def send(job: Job, *, unit: Unit, now: datetime) -> None:
        await send_notice(job, unit=unit, now=now, gateways=gateways, reach=reach)

    return {"send_notice": send, "fill_inboxes": fill_inboxes}
