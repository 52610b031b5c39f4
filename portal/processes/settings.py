"""What each process is told, and nothing more: one class per process, read from a TOML file and the environment.

A field of the file `desk.toml` named `database_url` may be given, or given another value, by TRADEHALL_DATABASE_URL.
A name that the process does not have is refused, so that no secret lies where nobody needs it. `docs/operations.md`
has the same table, and docker-compose.yml the same variables (tests/house).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from crypto.refusal import Refused

if TYPE_CHECKING:
    from portal.reminders import Gateway

S = TypeVar("S")
PREFIX = "TRADEHALL_"


@dataclass(frozen=True, kw_only=True)
class Process:
    """What every process is told."""

    papers: str
    """Folder with hall.json, trust.json and public.json (public keys): nothing secret. Whoever controls it can make
    the process speak for another hall; they cannot make a client believe it, which has its own anchors."""

    database_url: str
    """`postgresql://hall_<process>@host/name`, the role of this process alone. Whoever controls it can do what
    storage/grants.sql lets this role do; they cannot do another process's work, nor change the ledger unseen."""

    inner: str = "127.0.0.1:9100"
    """`host:port` of /health, /ready and /metrics, for the machine's own watchers. Whoever controls it can count
    requests; they cannot learn anything of a tender whose deadline has not passed."""

    rehearsal_clock: str = ""
    """File of a rehearsal's clock, shared by its processes; refused in a real hall. Whoever controls it can move
    the rehearsal's time; they cannot move a real hall's, which reads the machine's clock."""

    traces_url: str = ""
    """Address of an OpenTelemetry collector (`http://host:4318/v1/traces`); '' sends nothing. Whoever controls it
    learns when requests come that tell nothing of bids; they cannot learn of whom, nor of which tender."""

    pool_max: int = 4
    """Connections to the database at once. Whoever controls it can make the process slow; they cannot widen its
    rights."""


@dataclass(frozen=True, kw_only=True)
class Listening(Process):
    """A process that people or programs reach through the reverse proxy."""

    listen: str
    """`host:port` of the door itself, on a network that only the reverse proxy shares. Whoever controls it can
    refuse visitors; they cannot act for one who did not sign in there."""

    proxies: str = "127.0.0.1"
    """Addresses, separated by commas, whose X-Real-IP is believed. Whoever controls one can put a false address
    into the trail; they cannot change who signed in."""


@dataclass(frozen=True, kw_only=True)
class Storing(Process):
    """A process that reads or writes segments."""

    blobs_url: str
    """`s3://key:secret@host:port/bucket` (`s3+http://` without TLS), or a folder. Whoever controls it can withhold
    ciphertext; they cannot read it, and under Object Lock they cannot delete what was submitted."""


@dataclass(frozen=True, kw_only=True)
class Sending(Process):
    """A process whose transactions leave jobs behind."""

    broker_url: str
    """`redis://…` or `amqp://…`; carries random ids. Whoever controls it can delay jobs until the next sweep; they
    cannot make a job take effect twice, nor lose it."""


@dataclass(frozen=True, kw_only=True)
class Public(Listening, Storing):
    """public: what everybody reads, and witnesses' cosignatures. Whoever controls this can show old pages or none;
    they cannot show a log that a witness did not see without being found out."""

    bundles_url: str
    """Address of the watch process, which makes public bundles. Whoever controls it can have a page report on a wrong
    bundle; they cannot deceive whoever runs the verifier themselves, as that page advises."""


@dataclass(frozen=True, kw_only=True)
class Desk(Listening, Storing, Sending):
    """desk: owners and agents. Whoever controls this can refuse owners; they cannot sign for one, nor see who
    bids."""


@dataclass(frozen=True, kw_only=True)
class Centre(Listening, Sending):
    """centre: the centre's staff. Whoever controls this can let somebody into the hall; they cannot judge, open or
    award anything."""


@dataclass(frozen=True, kw_only=True)
class Bidders(Listening, Storing, Sending):
    """bidders: sealed bids. Whoever controls this can refuse or delay what passes through it, and the bidder has no
    receipt then; they cannot read a bid, nor see another session's."""

    authority_file: str = ""
    """Key of a rehearsal's own certification authority; refused in a real hall. Whoever controls it can enrol
    anybody in a rehearsal; they cannot enrol anybody in a real hall."""


@dataclass(frozen=True, kw_only=True)
class Trustees(Listening, Sending):
    """trustees: READY and releases. Whoever controls this can delay a trustee; they cannot make a release, which
    the trustee's own key signs and seals."""


@dataclass(frozen=True, kw_only=True)
class Opening(Listening, Storing, Sending):
    """opening: the opening room. Whoever controls this can read documents after the trustees released, and not log
    it; they cannot read anything before, nor announce what the verifier did not find."""

    room_key_file: str
    """The key with which the room signs verdicts. Whoever controls it can sign a false verdict; they cannot have it
    announced without the verifier's signature."""

    vault: str
    """Folder of the room's one-time opening keys. Whoever controls it can open documents once the trustees
    released; they cannot before."""

    inner_token_file: str = ""
    """What the watch process shows to ask for the secrets of an opened tender. Whoever controls it can ask with a
    supervisor's live session; they cannot without one."""


@dataclass(frozen=True, kw_only=True)
class Verifier(Storing):
    """verifier: supervision's second pair of eyes. Whoever controls this can keep a tender from being announced;
    they cannot announce one."""

    verifier_key_file: str
    """The key with which supervision's verifier signs verdicts. Whoever controls it can sign a false verdict; they
    cannot have it announced without the room's signature."""

    vault: str
    """Folder of the verifier's one-time opening keys. Whoever controls it can open documents once the trustees
    released; they cannot before."""


@dataclass(frozen=True, kw_only=True)
class Experts(Listening, Sending):
    """experts: the evaluation room. Whoever controls this can see the marks that pass through it; they cannot
    change a locked sheet, nor read one that is another's before all are locked."""


@dataclass(frozen=True, kw_only=True)
class Watch(Listening, Storing, Sending):
    """watch: supervisors and the bundles. Whoever controls this can withhold what supervision sees; they cannot act
    on a tender but by a directive that the supervisor's own key signs."""

    opening_url: str
    """Address of the opening room's inner door. Whoever controls it can refuse full bundles; they cannot read
    one."""

    inner_token_file: str
    """What this process shows there. Whoever controls it can ask with a supervisor's live session; they cannot
    without one."""


@dataclass(frozen=True, kw_only=True)
class ClockworkOperation(Storing, Sending):
    """clockwork-operation: what is due, and what doors hand over. Whoever controls this can delay what is due, and
    can sign closes, freezes and draws that anybody can recompute; they cannot open a bid, nor sign for a person."""

    duty_key_file: str
    """The hall's duty key, in this process alone. Whoever controls it can sign acts of the hall's machinery that
    anybody can recompute; they cannot sign for an owner, a trustee or the supervisor."""

    mail_url: str = ""
    """`smtp://user:password@host:port/?from=hall@example.org` or `smtps://…`; '' sends no mail. Whoever controls it
    learns who is told about which lot and when; they cannot withhold a notice, which stands in the inbox."""

    sms_folder: str = ""
    """Folder in which text messages are left for an operator's own gateway; '' writes none. Whoever controls it learns
    numbers and lots; they cannot withhold a notice, which stands in the inbox."""

    listen: str = ""
    """`host:port` of a rehearsal's clock; '' in a real hall. Whoever controls it can move a rehearsal's time; they
    cannot move a real hall's."""

    def gateways(self) -> list[Gateway]:
        """Where reminders go. Raises Refused("setting_wrong")."""
        from portal import settings  # What sends is loaded by the one process that does.

        return settings.gateways(self.mail_url, self.sms_folder)


@dataclass(frozen=True, kw_only=True)
class ClockworkSupervision(Sending):
    """clockwork-supervision: clues and reminders for supervision. Whoever controls this can withhold a clue; they
    cannot act on a tender."""


@dataclass(frozen=True, kw_only=True)
class Eraser(Storing):
    """eraser: what was abandoned, or whose retention ended. Whoever controls this can delete what may be deleted
    early in a store without locks; they cannot delete what a lock keeps, nor a leaf of the ledger."""


@dataclass(frozen=True, kw_only=True)
class Sequencer(Process):
    """sequencer: gives leaves their places. Whoever controls this can delay or refuse leaves; they cannot alter,
    drop or reorder what was sequenced without a witness or a receipt showing it."""

    log_key_file: str
    """The key of the log, in this process alone. Whoever controls it can sign a fork of the log; they cannot have
    witnesses cosign it."""

    witnesses: str = ""
    """Where the newest checkpoint that each witness cosigned is read: name=file or name=address, separated by
    commas. Whoever controls one can keep a restored sequencer from starting; they cannot make it sign behind what
    they saw."""


CLASSES: Mapping[str, type[Process]] = {
    "public": Public,
    "desk": Desk,
    "centre": Centre,
    "bidders": Bidders,
    "trustees": Trustees,
    "opening": Opening,
    "verifier": Verifier,
    "experts": Experts,
    "watch": Watch,
    "clockwork-operation": ClockworkOperation,
    "clockwork-supervision": ClockworkSupervision,
    "eraser": Eraser,
    "sequencer": Sequencer,
}
"""The settings of every process, by its name."""


@dataclass(frozen=True, kw_only=True)
class Migrate:
    """migrate: run by hand before the processes. Whoever controls this can change tables and rights; they cannot change
    what witnesses saw."""

    database_url: str
    """`postgresql://owner:password@host/name`, the owner of the tables. Whoever controls it can withhold, change or
    lose state; they cannot read a bid, nor change the ledger unseen."""

    passwords_file: str
    """TOML: a password for every process. Whoever controls it can do what every role may; they cannot do what none
    may."""


@dataclass(frozen=True, kw_only=True)
class Administrator:
    """store: run by hand before the processes, and whenever somebody doubts. Whoever controls this can do everything
    in the store that no lock forbids; they cannot delete or shorten what was submitted, nor read it."""

    blobs_url: str
    """`s3://key:secret@host:port/bucket` (`s3+http://` without TLS), the store administrator's key, which no process
    has. Whoever controls it can withhold ciphertext; they cannot read it, nor delete it under its lock."""


def told(kind: type, path: str | None, environment: Mapping[str, str]) -> dict[str, Any]:
    """What a file and the environment say to a settings class."""
    return {**_of_file(Path(path) if path else None), **_of_environment(kind, environment)}


def read(process: str, path: Path | None, environment: Mapping[str, str]) -> Process:
    """The settings of a process: the file's, then the environment's. Raises Refused: settings_unreadable,
    setting_unknown, setting_missing, setting_wrong."""
    return of(CLASSES[process], {**_of_file(path), **_of_environment(CLASSES[process], environment)})


def of(kind: type[S], told: Mapping[str, Any]) -> S:
    """Settings from plain values. Raises as `read` does."""
    hints = get_type_hints(kind)
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    for name in told:
        if name not in known:
            raise Refused("setting_unknown", name=name, known=", ".join(sorted(known)))
    values: dict[str, Any] = {}
    for name, field in known.items():
        if name not in told:
            if field.default is MISSING:
                raise Refused("setting_missing", name=name)
            continue
        try:
            values[name] = hints[name](told[name])
        except ValueError as error:
            raise Refused("setting_wrong", name=name) from error
    return kind(**values)


def _of_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Refused("settings_unreadable", file=str(path)) from error


def _of_environment(kind: type, environment: Mapping[str, str]) -> dict[str, str]:
    named = {PREFIX + field.name.upper(): field.name for field in fields(kind)}
    given = {name: value for name, value in environment.items() if name.startswith(PREFIX)}
    for name in given:
        if name not in named:
            raise Refused("setting_unknown", name=name, known=", ".join(sorted(named)))
    return {named[name]: value for name, value in given.items()}
