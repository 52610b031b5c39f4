"""Reminders: through a real SMTP server and into a spool, with nothing in them but that there is something to read."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message

from crypto.refusal import Refused
from portal import jobs, settings
from portal.demo.hall_thread import free_port
from portal.reminders import Mail, Reminder, Spool
from storage import engine, migrate
from storage.outbox import Job

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
REMINDER = Reminder("n1", "交易平台新消息", "标段 X 有一条新消息。\n")


class Kept(Message):
    """What an SMTP server was given."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Any] = []

    def handle_message(self, message: Any) -> None:
        self.messages.append(message)


@pytest.fixture
def server() -> Any:
    kept = Kept()
    controller = Controller(kept, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield f"smtp://127.0.0.1:{controller.port}/?from=hall@example.org", kept
    controller.stop()


def test_mail_reaches_a_server_with_its_words_and_its_id(server: Any) -> None:
    url, kept = server
    asyncio.run(Mail.at(url).send("li@example.org", REMINDER))
    (message,) = kept.messages
    assert message["to"] == "li@example.org" and message["message-id"] == "<n1@example.org>"
    assert "标段 X" in message.get_payload(decode=True).decode()


def test_a_server_that_must_speak_tls_and_does_not_gets_nothing(server: Any) -> None:
    url, kept = server
    with pytest.raises(Exception, match="STARTTLS"):
        asyncio.run(Mail.at(url + "&tls=required").send("li@example.org", REMINDER))
    assert kept.messages == []


@pytest.mark.parametrize("url", ["smtp://host/", "http://host/?from=a@b", "smtp:///?from=a@b", "smtp://h/?from=nobody"])
def test_a_server_that_is_none_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(Refused, match="setting_wrong"):
        settings.read({"TRADEHALL_MAIL_URL": url})


def test_a_header_cannot_be_smuggled_into_a_mail(server: Any) -> None:
    with pytest.raises(ValueError):
        asyncio.run(Mail.at(server[0]).send("li@example.org\nBcc: all@example.org", REMINDER))
    assert server[1].messages == []


def test_a_notice_is_sent_to_everybody_of_the_organisation_who_gave_an_address(server: Any, tmp_path: Path) -> None:
    url, kept = server

    async def play() -> str:
        database = engine.open_sqlite(tmp_path / "hall.db")
        await migrate.migrate(database)

        async def stock(unit: Any) -> None:
            for login, reach in (("a", {"email": "a@example.org", "phone": "138 0000 0000"}), ("b", {"email": ""})):
                await unit.person.insert({"id": login, "login": login, "organisation": "U", "body": {"name": login}})
                await unit.account.insert({"login": login, "person": login, "body": reach})
            row = {"id": "n1", "person": "", "organisation": "U", "lot": "LOT1", "created": "x", "state": "unread"}
            await unit.inbox.insert({**row, "body": {"what": "award", "leaf": "00"}})

        await database.write(stock)
        gateways = [Mail.at(url), Spool(tmp_path / "spool")]
        job = Job("j", "send_notice", "k", {"inbox": "n1"}, NOW, 1, "")
        await database.write(lambda unit: jobs.send_notice(job, unit=unit, now=NOW, gateways=gateways))
        row = await database.read(lambda unit: unit.inbox.read("n1"))
        await database.close()
        assert row is not None
        return str(row["body"]["by"])

    assert asyncio.run(play()) == "inbox mail text"
    assert [message["to"] for message in kept.messages] == ["a@example.org"]
    (file,) = (tmp_path / "spool").glob("*.json")
    told = json.loads(file.read_text("utf-8"))
    assert told["to"] == "138 0000 0000" and "LOT1" in told["text"] and "award" not in told["text"]
