"""Six trustees' agents in a simulated hall: each reads the whole log, decides by crypto/release, and acts at the door.

An agent may be made to stay away, to complain of what it can open, or to hand out shares that do not fit: the machine
itself stays honest, its words are changed on the way out, signed with the trustee's own key.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from bidding import evidence, trustee_commands
from crypto import jcs, release, signing, trust
from crypto.ledger import note, whole_log
from crypto.ledger.whole_log import WholeLog
from crypto.opening.examination import Evidence, Memory, Trustee
from crypto.opening.frozen import PrivateEvidence, Submission, Withdrawal
from crypto.refusal import Refused
from crypto.sealing import prekeys
from portal.simulation.hall import SimulatedHall
from portal.simulation.keys import ORIGIN, Seat
from storage.world import stamp
from trading import tenders
from trading.roles import Actor, Role
from trading.tender import Tender

ANYBODY = Actor("anonymous", "", Role.PUBLIC, "192.0.2.9", "agent")
Twist = Callable[[release.Step], release.Step]


@dataclass
class Agent:
    """A trustee's agent: what it holds, what it read, what it remembers, what it last decided."""

    seat: Seat
    trustee: Trustee
    log: WholeLog
    memory: Memory = field(default_factory=Memory)
    last: release.Step | None = None


def agents_of(hall: SimulatedHall) -> dict[str, Agent]:
    """A fresh agent for every seat."""
    return {
        seat.id: Agent(seat, Trustee(seat.id, prekeys.secrets_of(seat.keys)), WholeLog(seat.id))
        for seat in hall.keys.trustees
    }


async def step(hall: SimulatedHall, lot: str, agent: Agent, *, twist: Twist | None = None) -> release.Step:
    """One step of one agent: it reads the log, decides, and does what it decided at the hall's door."""
    await read_log(hall, agent)
    tender = await hall.tender(lot)
    decided = release.next_step(
        agent.trustee,
        bytes.fromhex(tender.tender_id),
        agent.log,
        await _shown(hall, tender, agent),
        agent.memory,
        hall.keys.trust,
        now=hall.now,
        entropy=hall.world.entropy,
    )
    decided = twist(decided) if twist else decided
    agent.last = decided
    match decided:
        case release.SaysReady(act, memory, _):
            agent.memory = memory
            await _say(hall, lot, agent, act)
        case release.Refuses(_, _, act) if act is not None:
            await _say(hall, lot, agent, act)
        case release.Releases(act, shares, memory):
            agent.memory = memory
            fields = msgspec.convert(dict(act), trustee_commands.ReleaseAct)
            cmd = trustee_commands.Release(lot, fields, msgspec.json.decode(shares))
            await hall.sign(trustee_commands.release, cmd, ANYBODY, agent.seat.signer, "trustee")
        case _:
            pass
    return decided


async def read_log(hall: SimulatedHall, agent: Agent) -> None:
    """Read every new leaf up to the newest checkpoint a quorum cosigned."""
    head = await hall.ledger.head()
    assert head is not None, "a hall that was set up has a log"
    if head.size == agent.log.size and agent.log.fresh_at is not None:
        return
    leaves = await hall.ledger.entries(agent.log.size, head.size)
    agent.log = agent.log.advance(leaves, note.verify_quorum(head.note, hall.keys.trust))


def false_complaint(header: str) -> Twist:
    """READY that complains of a share that opens well."""

    def twist(decided: release.Step) -> release.Step:
        if not isinstance(decided, release.SaysReady):
            return decided
        act = decided.act
        complaint = {"header": header, "lock": act["lock"], "index": act["index"]}
        complaints = sorted([*act["complaints"], complaint], key=lambda each: str(each["header"]))
        return replace(decided, act={**act, "complaints": complaints})

    return twist


def wrong_share(decided: release.Step) -> release.Step:
    """A release whose shares of the record envelopes are not those the headers commit to."""
    if not isinstance(decided, release.Releases):
        return decided
    shares: dict[str, Any] = msgspec.json.decode(decided.shares)
    for row in shares["record"]:
        row["share"] = bytes(byte ^ 1 for byte in bytes.fromhex(row["share"])).hex()
    return _released(decided, shares)


def without_complained(header: str) -> Twist:
    """A release that leaves out the header of a false complaint, as the machine does for a true one."""

    def twist(decided: release.Step) -> release.Step:
        if not isinstance(decided, release.Releases):
            return decided
        shares: dict[str, Any] = msgspec.json.decode(decided.shares)
        for part in ("record", "documents"):
            shares[part] = [row for row in shares[part] if row["header"] != header]
        return _released(decided, shares)

    return twist


def _released(decided: release.Releases, shares: Mapping[str, Any]) -> release.Releases:
    data = jcs.dumps(shares)
    name = hashlib.sha256(data).hexdigest()
    kept = decided.memory.released[-1]
    headers = tuple(row["header"] for part in ("record", "documents", "draws") for row in shares[part])
    memory = replace(
        decided.memory, released=(*decided.memory.released[:-1], replace(kept, shares_hash=name, headers=headers))
    )
    return replace(decided, act={**decided.act, "shares_hash": name}, shares=data, memory=memory)


async def _say(hall: SimulatedHall, lot: str, agent: Agent, act: Mapping[str, Any]) -> None:
    cmd = trustee_commands.Ready(lot, msgspec.convert(dict(act), trustee_commands.ReadyAct))
    await hall.sign(trustee_commands.ready, cmd, ANYBODY, agent.seat.signer, "trustee")


async def _shown(hall: SimulatedHall, tender: Tender, agent: Agent) -> Evidence:
    """What the trustees' door shows this agent; before the freeze nothing but the rulebook."""
    request = {
        "kind": evidence.REQUEST_KIND,
        "lot": tender.lot,
        "trustee": agent.seat.id,
        "at": stamp(hall.now),
        "size": agent.log.size,
        "origin": ORIGIN,
        "signatures": [],
    }
    signed = signing.sign_act(request, signer=agent.seat.signer, by="trustee")
    try:
        told = await evidence.shown(hall.database, hall.ledger, signed, now=hall.now, hall=hall.hall)
    except Refused as refused:
        if refused.code != "still_sealed":
            raise
        hall.tally.refusals[refused.code] += 1
        rulebook = await hall.read(lambda unit: tenders.object_bytes(unit, tender.lot, tender.rulebook))
        return Evidence(rulebook)
    return read_evidence(told, hall.keys.trust, agent.log)


def read_evidence(told: Mapping[str, Any], trusted: trust.Trust, log: WholeLog) -> Evidence:
    """The door's answer as a client reads it."""
    unbase = base64.b64decode
    return Evidence(
        rulebook=unbase(told["rulebook"]),
        freeze_list=unbase(told["freeze_list"]),
        submissions=tuple(
            Submission(
                _private(row),
                tuple(unbase(each) for each in row["headers"]),
                unbase(row["certificate"]),
                bytes.fromhex(row["salt"]),
                bytes.fromhex(row["signature"]),
            )
            for row in told["submissions"]
        ),
        withdrawals=tuple(Withdrawal(_private(row), unbase(row["certificate"])) for row in told["withdrawals"]),
        receipts=tuple(unbase(each) for each in told["receipts"]),
        contributions={bytes.fromhex(name): unbase(data) for name, data in told["contributions"].items()},
        stamps=tuple(
            whole_log.verify_stamp(unbase(each["note"]), [bytes.fromhex(one) for one in each["proof"]], trusted, log)
            for each in told["stamps"]
        ),
    )


def _private(row: Mapping[str, Any]) -> PrivateEvidence:
    return PrivateEvidence(
        row["event"],
        bytes.fromhex(row["salt_p"]),
        bytes.fromhex(row["confidential"]),
        row["index"],
        tuple(bytes.fromhex(each) for each in row["proof"]),
    )
