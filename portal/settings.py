"""Where a hall keeps what: read from the environment once, at start; every field says what its holder can do.

With nothing set the hall is embedded: SQLite, a folder of segments, jobs in process. The same program takes a
PostgreSQL, an S3 store and a broker. docker-compose.yml sets exactly these variables, and a test holds it to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import urlsplit

from crypto.refusal import Refused
from portal.reminders import Gateway, Mail, Spool
from storage import dialects, s3

PREFIX = "TRADEHALL_"


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one hall process. Each is read from TRADEHALL_<NAME>; '' is the embedded default."""

    database_url: str = ""
    """`postgresql://user:password@host/name`. Whoever controls it can withhold or lose state; they cannot read a bid,
    nor change what the ledger says without a witness or a receipt showing it."""

    blobs_url: str = ""
    """`s3://key:secret@host:port/bucket` (`s3+http://` without TLS; `?public=https://hall.example` is the address under
    which clients reach it). Whoever controls it can withhold ciphertext; they
    cannot read it, and under Object Lock they cannot delete what was submitted."""

    broker_url: str = ""
    """`redis://…` or `amqp://…`. Whoever controls it can delay jobs until the next sweep and sees random ids; they
    cannot make a job take effect twice, nor lose it."""

    mail_url: str = ""
    """`smtp://user:password@host:port/?from=hall@example.org` or `smtps://…`: where reminders of notices go. Whoever
    controls it learns who is told about which lot and when; the notices themselves stand in the inbox."""

    sms_folder: str = ""
    """A folder in which text messages are left as files for an operator's own gateway. Whoever reads it learns numbers
    and lots."""

    practice_url: str = ""
    """`https://practice.hall.example`: the practice hall (`tradehall practice`) that pages lead to. Whoever controls it
    can show visitors another page; it holds nothing of this hall."""

    def gateways(self) -> list[Gateway]:
        """Where reminders go. Raises Refused("setting_wrong")."""
        return gateways(self.mail_url, self.sms_folder)


def gateways(mail_url: str, sms_folder: str) -> list[Gateway]:
    """The gateways that two settings name; none for ''. Raises Refused("setting_wrong")."""
    made: list[Gateway] = [Mail.at(mail_url)] if mail_url else []
    return [*made, Spool(Path(sms_folder))] if sms_folder else made


def read(environment: Mapping[str, str]) -> Settings:
    """The settings in an environment. Raises Refused: setting_unknown (no such TRADEHALL_ name), setting_wrong."""
    names = {PREFIX + field.name.upper(): field.name for field in fields(Settings)}
    own = {"TRADEHALL_TOKEN", "TRADEHALL_PASSPHRASE"}
    for name in environment:
        if name.startswith(PREFIX) and name not in names and name not in own:
            raise Refused("setting_unknown", name=name, known=", ".join(sorted(names)))
    read_ = Settings(**{field: environment.get(name, "") for name, field in names.items()})
    _scheme("database_url", read_.database_url, {"postgresql", "postgres", *dialects.COCKROACH_SCHEMES})
    _scheme("blobs_url", read_.blobs_url, {"s3", "s3+http"})
    _scheme("broker_url", read_.broker_url, {"redis", "rediss", "amqp", "amqps"})
    _scheme("practice_url", read_.practice_url, {"http", "https"})
    read_.gateways()
    return read_


def s3_store(url: str) -> s3.Store:
    """The store that a blobs_url names. Raises Refused("setting_wrong")."""
    try:
        return s3.store_at(url)
    except ValueError as error:
        raise Refused("setting_wrong", name="TRADEHALL_BLOBS_URL") from error


def _scheme(field: str, url: str, known: set[str]) -> None:
    if url and urlsplit(url).scheme not in known:
        raise Refused("setting_wrong", name=PREFIX + field.upper())
