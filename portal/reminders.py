"""Reminders beside the inbox: e-mail by SMTP, text messages by a port that spools to files.

20号令 §22: the inbox is the effective notice; what is sent here says only that there is something to read, about which
lot, and where. Nothing of a bid is in it, so whoever reads the mail on its way learns what the public page says anyway.
Sending can happen again after a crash; a message carries the notice's id, so that it is known as the same one.
"""

from __future__ import annotations

import asyncio
import json
import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from crypto.refusal import Refused
from portal import folder

SMTP_SECONDS = 20.0
PORTS = {"smtp": 25, "smtps": 465}


@dataclass(frozen=True, slots=True)
class Reminder:
    """One reminder: the notice's id, the subject and the text, both languages in one."""

    id: str
    subject: str
    text: str


class Gateway(Protocol):
    """Somewhere reminders go: `name` is "mail" or "text", `send(to, reminder)` returns once it was taken."""

    @property
    def name(self) -> str:
        """For the record, and for which of a person's addresses it takes."""
        ...

    async def send(self, to: str, reminder: Reminder) -> None:
        """Raises what the gateway refuses; the job tries again later."""
        ...


@dataclass(frozen=True, slots=True)
class Mail:
    """An SMTP server: `smtp://user:password@host:port/?from=hall@example.org` (STARTTLS wherever it is offered, and
    required with `&tls=required`), or `smtps://…` for TLS from the first byte."""

    host: str
    port: int
    sender: str
    user: str = ""
    password: str = ""
    implicit_tls: bool = False
    require_tls: bool = False
    name: str = "mail"

    @classmethod
    def at(cls, url: str) -> Mail:
        """The server that a setting names. Raises Refused("setting_wrong")."""
        try:
            parts = urlsplit(url)
            asked = parse_qs(parts.query)
            host, port, sender = parts.hostname or "", parts.port or PORTS[parts.scheme], asked["from"][0]
        except (ValueError, KeyError) as error:
            raise Refused("setting_wrong", name="TRADEHALL_MAIL_URL") from error
        if not host or "@" not in sender:
            raise Refused("setting_wrong", name="TRADEHALL_MAIL_URL")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        required = asked.get("tls", [""])[0] == "required"
        return cls(host, port, sender, user, password, parts.scheme == "smtps", required)

    async def send(self, to: str, reminder: Reminder) -> None:
        """Hand one message to the server, in a thread of its own."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self.sender, to, reminder.subject
        message["Message-ID"] = f"<{reminder.id}@{self.sender.partition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(reminder.text)
        await asyncio.to_thread(self._hand_over, message)

    def _hand_over(self, message: EmailMessage) -> None:
        context = ssl.create_default_context()
        server: smtplib.SMTP
        if self.implicit_tls:
            server = smtplib.SMTP_SSL(self.host, self.port, timeout=SMTP_SECONDS, context=context)
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=SMTP_SECONDS)
        with server:
            server.ehlo()
            if not self.implicit_tls and (self.require_tls or server.has_extn("starttls")):
                server.starttls(context=context)
                server.ehlo()
            if self.user:
                server.login(self.user, self.password)
            server.send_message(message)


@dataclass(frozen=True, slots=True)
class Spool:
    """Text messages as files `<id>-<number>.json` in a folder, from which an operator's own gateway takes them."""

    folder: Path
    name: str = "text"

    async def send(self, to: str, reminder: Reminder) -> None:
        """Write one file, whole or not at all; the same message is the same file."""
        digits = "".join(sign for sign in to if sign.isdigit())
        told = {"id": reminder.id, "to": to, "text": reminder.text}
        data = json.dumps(told, ensure_ascii=False).encode() + b"\n"
        await asyncio.to_thread(folder.write, self.folder / f"{reminder.id}-{digits}.json", data, mode=0o600)
