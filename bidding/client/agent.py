"""A trustee's agent: reads the whole log, asks its machine what to do, remembers it, and only then says it.

docs/spec/release.md. The machine (crypto/release.py) decides; the agent only carries: leaves and evidence in, the exact
act out, signed when every field is what the machine decided. The rules upheld here:
- memory is on the disk before an act is sent, so that a crash never makes this trustee contradict itself;
- `now` is the own clock, the hall's only for a log whose origin says that it is a rehearsal;
- what the hall shows as evidence is believed only as far as it fits the own reading of the log.

Whoever runs the hall can starve the agent or make it refuse, and both are seen; they cannot make it open.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from bidding.client import ledger, world
from bidding.client import notice as notices
from bidding.client.keys import KeyFolder
from bidding.client.server import Server
from crypto import jcs, release, signing
from crypto.ledger import note, whole_log
from crypto.ledger.whole_log import Logged, Stamp, WholeLog
from crypto.opening import ceremony as ceremonies
from crypto.opening.examination import Evidence, Memory, Trust, Trustee
from crypto.opening.frozen import PrivateEvidence, Submission, Withdrawal
from crypto.refusal import Refused
from crypto.release import Refuses, Releases, Rests, SaysReady, Step, Waits
from crypto.terminal import Told

Did = Literal["ready", "released", "refused", "waits", "rests"]
FROZEN = "/api/v1/bidding/frozen"
DRAFTS_MAX = 5
# Another trustee's act took the place in the chain between the draft and the signature: ask for a new draft.
OVERTAKEN = frozenset({"act_differs", "act_out_of_turn", "act_stale"})


Machine = Callable[..., Step]
"""What decides; crypto.release.next_step is the one."""


@dataclass(frozen=True, slots=True)
class Report:
    """What the agent did about one tender: `code` says why it waits or refuses, `said` whether an act was sent;
    `message` are the hall's own words, where it was the hall that refused."""

    lot: str
    tender_id: str
    did: Did
    code: str | None = None
    facts: Mapping[str, object] = field(default_factory=dict)
    said: bool = False
    message: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class _Look:
    """What was judged last about a tender: how many of its acts were there, and what came of it."""

    acts: int
    report: Report
    until: datetime | None


class Agent:
    """One trustee at one hall. Not for use by several threads at once."""

    def __init__(
        self,
        server: Server,
        folder: KeyFolder,
        *,
        now: Callable[[], datetime] | None = None,
        entropy: Callable[[int], bytes] = world.entropy,
        machine: Machine = release.next_step,
    ) -> None:
        """`now` None: the own clock, or in a rehearsal, and only there, the hall's."""
        self.folder = folder
        self._server = server
        self._now = now or (self._hall_now if folder.trust.rehearsal else world.now)
        self._entropy = entropy
        self._machine = machine
        self._trustee: Trustee = folder.trustee()
        self._log, self._memory = folder.memory()
        self._objects: dict[str, bytes] = {}
        self._looks: dict[str, _Look] = {}

    @property
    def id(self) -> str:
        """The trustee's id."""
        return self.folder.id

    @property
    def log(self) -> WholeLog:
        """The log as far as this agent has read it."""
        return self._log

    def turn(self, *, patience_s: float = ledger.PATIENCE_SECONDS) -> list[Report]:
        """One look at the log and at every tender in whose roster this trustee sits.

        Raises Unreachable when the hall is silent or no quorum has cosigned; Refused: log_rolled_back, log_forked and
        the like, after which nothing is said until a person has looked.
        """
        before = self._log
        self._log = ledger.read(self._server, self.folder.trust, before, patience_s=patience_s)
        if self._log.stamps != before.stamps:
            self.folder.remember(self._log, self._memory)
        now = self._now()
        return [self._look(tender_id, now) for tender_id in self._log.tenders]

    def close(self) -> None:
        """Keep what was read."""
        self.folder.remember(self._log, self._memory)

    def _look(self, tender_id: str, now: datetime) -> Report:
        logged = self._log.tenders[tender_id]
        last = self._looks.get(tender_id)
        if last is not None and last.acts == len(logged) and (last.until is None or now < last.until):
            return last.report
        lot = str(logged[0].act.get("lot"))
        try:
            report = self._decide(bytes.fromhex(tender_id), lot, logged, now)
            until = _again_at(report, now)
        except Refused as refused:
            # What the hall showed or asked for is not what this agent can stand for; one tender does not stop another.
            report = Report(lot, tender_id, "refused", refused.code, refused.facts)
            until = now
        except Told as told:
            message = told.problem.get("message")
            report = Report(lot, tender_id, "waits", str(told.problem.get("code")), message=message)
            until = now
        self._looks[tender_id] = _Look(len(logged), report, until)
        return report

    def _decide(self, tender_id: bytes, lot: str, logged: tuple[Logged, ...], now: datetime) -> Report:
        evidence = self._evidence(lot, logged, now)
        step = self._machine(
            self._trustee,
            tender_id,
            self._log,
            evidence,
            self._memory,
            self.folder.trust,
            now=now,
            entropy=self._entropy,
        )
        match step:
            case Waits():
                return Report(lot, tender_id.hex(), "waits", step.code, step.facts)
            case Rests():
                return Report(lot, tender_id.hex(), "rests")
            case Refuses():
                if step.act is not None:
                    self._say("ready", lot, tender_id, step)
                return Report(lot, tender_id.hex(), "refused", step.code, step.facts, step.act is not None)
            case SaysReady():
                self._remember(step.memory)
                self._say("ready", lot, tender_id, step)
                facts: dict[str, object] = {"complaints": len(step.act["complaints"]), **step.set_aside}
                return Report(lot, tender_id.hex(), "ready", facts=facts, said=True)
            case Releases():
                self._remember(step.memory)
                self._say("release", lot, tender_id, step, shares=jcs.loads(step.shares))
                return Report(lot, tender_id.hex(), "released", said=True)

    def _say(self, verb: str, lot: str, tender_id: bytes, step: SaysReady | Releases | Refuses, **more: Any) -> None:
        """Ask for the exact act, check it against what was decided, sign it, and hand it in."""
        assert step.act is not None
        body = {"lot": lot, "act": dict(step.act), **more}
        for attempt in range(1, DRAFTS_MAX + 1):
            try:
                act = self._server.verb(f"bidding/{verb}", body).get("sign")
                if not isinstance(act, dict):
                    raise Refused("answer_unexpected", verb=f"bidding/{verb}")
                release.check_draft(step, tender_id, act)
                signed = signing.sign_act(act, signer=self.folder.signer, by="trustee")
                self._server.verb(f"bidding/{verb}", {**body, "signed": signed})
                return
            except Told as told:
                if attempt == DRAFTS_MAX or told.problem.get("code") not in OVERTAKEN:
                    raise

    def _remember(self, memory: Memory) -> None:
        self._memory = memory
        self.folder.remember(self._log, memory)

    def _evidence(self, lot: str, logged: tuple[Logged, ...], now: datetime) -> Evidence:
        """Before a freeze the pinned rulebook is enough; after it, everything the hall must show."""
        rulebook = self._rulebook(lot, logged[0])
        if not any(each.kind == "freeze" for each in logged):
            return Evidence(rulebook)
        request = {
            "kind": "frozen_read",
            "lot": lot,
            "trustee": self.id,
            "at": ceremonies.instant_text(now),
            "size": self._log.size,
            "origin": self.folder.trust.origin,
        }
        signed = signing.sign_act(request, signer=self.folder.signer, by="trustee")
        try:
            told = self._server.post(FROZEN, {"request": signed})
        except Told as refused:
            if refused.problem.get("code") != "still_sealed":
                raise
            # The hall does not count this freeze (another close, say); the machine judges by the acts alone.
            return Evidence(rulebook)
        return _evidence(told, rulebook, self._log, self.folder.trust, self.folder.receipts())

    def _rulebook(self, lot: str, tender: Logged) -> bytes:
        name = str((tender.act.get("rulebook") or {}).get("hash"))
        if name not in self._objects:
            self._objects[name] = notices.object_of(self._server, lot, name)
        return self._objects[name]

    def _hall_now(self) -> datetime:
        return ceremonies.instant(self._server.now())


def _again_at(report: Report, now: datetime) -> datetime | None:
    """When to judge again although no act of the tender came: None for never, `now` for every look."""
    match report.did:
        case "rests" | "ready" | "released":
            # Its own act must come back in the log first; until then it would say the same again.
            return None
        case "refused":
            return None if report.said else now
        case "waits":
            until = report.facts.get("until")
            return ceremonies.instant(until) if isinstance(until, str) else now


def _evidence(told: Any, rulebook: bytes, log: WholeLog, trust: Trust, own: tuple[bytes, ...]) -> Evidence:
    """What the door shows, as the machine takes it; what cannot be read is as good as not shown. Raises Refused:
    evidence_unreadable, and what whole_log.verify_stamp refuses."""
    try:
        return Evidence(
            rulebook=rulebook,
            freeze_list=_bytes(told["freeze_list"]),
            submissions=tuple(_submission(row) for row in told["submissions"]),
            withdrawals=tuple(Withdrawal(_private(row), _bytes(row["certificate"])) for row in told["withdrawals"]),
            receipts=(*own, *(_bytes(each) for each in told["receipts"])),
            contributions={bytes.fromhex(name): _bytes(raw) for name, raw in told["contributions"].items()},
            stamps=tuple(_stamp(row, trust, log) for row in told["stamps"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
        raise Refused("evidence_unreadable", problem=str(error)[:80]) from error


def _submission(row: Mapping[str, Any]) -> Submission:
    return Submission(
        _private(row),
        tuple(_bytes(each) for each in row["headers"]),
        _bytes(row["certificate"]),
        bytes.fromhex(row["salt"]),
        bytes.fromhex(row["signature"]),
    )


def _private(row: Mapping[str, Any]) -> PrivateEvidence:
    if not isinstance(row["event"], dict) or type(row["index"]) is not int:
        raise TypeError("event")
    return PrivateEvidence(
        row["event"],
        bytes.fromhex(row["salt_p"]),
        bytes.fromhex(row["confidential"]),
        row["index"],
        tuple(bytes.fromhex(each) for each in row["proof"]),
    )


def _stamp(row: Mapping[str, Any], trust: note.Anchors, log: WholeLog) -> Stamp:
    proof = tuple(bytes.fromhex(each) for each in row["proof"])
    return whole_log.verify_stamp(_bytes(row["note"]), proof, trust, log)


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
