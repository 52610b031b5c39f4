"""The trustee's machine: given the whole log, its clock and the evidence, what does it do now, and why not more?

docs/spec/release.md §5 and §6. Sans-I/O: `next_step` is a pure function of its arguments and never sends anything. The
rules upheld:
- nothing before the latest signed deadline, under a hold or suspension, after a termination, with fewer than bids_min
  bids, on a stale checkpoint, before the challenge window ends, before every lock has t READY, before a rescue is over;
- what is not examined (crypto/opening/examination.py) is not opened;
- a key that opened anything for one tender opens nothing for another.

Whoever runs the hall can delay a trustee or make it refuse, in public; they cannot make it open what the acts do not
allow. Whoever holds t trustees of every lock can open at any time; no code changes that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from crypto import jcs
from crypto.ledger import whole_log
from crypto.ledger.whole_log import Logged, WholeLog
from crypto.opening import ceremony as ceremonies
from crypto.opening import examination
from crypto.opening.ceremony import Ceremony, Terms
from crypto.opening.examination import Evidence, Memory, OwnShares, Released, Seat, Trust, Trustee
from crypto.refusal import Refused
from crypto.sealing import hpke
from crypto.sealing.header import RECORD, Header

FRESH: Final = timedelta(hours=1)
# A READY has to fit a leaf of 65,535 bytes; who sealed garbage a thousand times must not silence a trustee.
COMPLAINTS_MAX: Final = 400


@dataclass(frozen=True, slots=True)
class Waits:
    """Time or others will mend it: a code as in release.md §5, and its facts."""

    code: str
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refuses:
    """The trustee will not open: why, and the `ready` act that says so, or None while there is no freeze to refuse."""

    code: str
    facts: Mapping[str, object]
    act: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class SaysReady:
    """The fields of the `ready` act to be logged; `memory` must be on disk before it is sent.

    `set_aside` names draw_close acts (leaf, hex) that are not opened, and why.
    """

    act: Mapping[str, Any]
    memory: Memory
    set_aside: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Releases:
    """The fields of the `release` act and the shares object it names; `memory` must be on disk before it is sent."""

    act: Mapping[str, Any]
    shares: bytes
    memory: Memory


@dataclass(frozen=True, slots=True)
class Rests:
    """Everything that may be released was released."""


Step = Waits | Refuses | SaysReady | Releases | Rests


def next_step(
    trustee: Trustee,
    tender_id: bytes,
    log: WholeLog,
    evidence: Evidence,
    memory: Memory,
    trust: Trust,
    *,
    now: datetime,
    entropy: Callable[[int], bytes],
) -> Step:
    """What the trustee does about one tender now. `log` was advanced to a checkpoint that a quorum cosigned.

    Never raises Refused for what others did: that is a step of its own, `Refuses`.
    """
    try:
        view, seat = examination.view(trustee, tender_id, log, evidence, memory, trust)
    except Refused as refused:
        return Refuses(refused.code, refused.facts, None)
    if view.ended is not None:
        return Refuses(view.ended, {}, None)
    waits = _waits_for_freeze(view, log, now)
    if waits is not None:
        return waits
    freeze = view.freeze
    assert freeze is not None
    draft = _Draft(trustee, seat, freeze, log)
    try:
        bids = examination.frozen_bids(view, freeze, log, evidence, memory, trust)
    except Refused as refused:
        return _refuse(draft, view, refused)
    until = _challenged_until(view, log, evidence)
    if now < until:
        return Waits("challenge_window", {"until": ceremonies.instant_text(until)})
    opened = examination.own_shares(trustee, seat, view, bids, evidence)
    ready = _ready(draft, view, opened, memory)
    return ready or _release(draft, view, opened, evidence, memory, now=now, entropy=entropy)


def check_draft(step: SaysReady | Releases | Refuses, tender_id: bytes, act: Mapping[str, Any]) -> Mapping[str, Any]:
    """The hall's exact act says what the step decided, and nothing else of weight; returns it, to be signed.

    Raises Refused: act_draft_differs (`field`).
    """
    assert step.act is not None
    decided = {**step.act, "v": 1, "tender_id": tender_id.hex(), "role": "trustee"}
    allowed = set(decided) | {"seq", "prev", "at", "power", "rule", "context", "signatures"}
    for name in sorted(set(decided) | set(act)):
        if name not in allowed or (name in decided and (name not in act or act[name] != decided[name])):
            raise Refused("act_draft_differs", field=name)
    return act


def sealed_info(freeze: bytes, lock_number: int, index: int, header_hash: bytes) -> bytes:
    """HPKE info of a share sealed to an opening key; `freeze` is the leaf hash of the freeze act."""
    return b"sealbid/v1 release\0" + freeze + bytes((lock_number, index)) + header_hash


@dataclass(frozen=True, slots=True)
class _Draft:
    """What every ready act of this agent for this freeze has in common."""

    trustee: Trustee
    seat: Seat
    freeze: Logged
    log: WholeLog

    def ready(self, *, draws: list[str], complaints: list[dict[str, Any]], refusal: str | None) -> dict[str, Any]:
        return {
            **self.named("ready"),
            "checkpoint": {"size": self.log.size, "root": self.log.root.hex()},
            "draws": draws,
            "complaints": complaints,
            "refusal": refusal,
        }

    def named(self, kind: str) -> dict[str, Any]:
        return {
            "kind": kind,
            "trustee": self.trustee.id,
            "lock": self.seat.lock,
            "index": self.seat.index,
            "freeze": self.freeze.leaf.hex(),
        }


def _waits_for_freeze(view: Ceremony, log: WholeLog, now: datetime) -> Waits | None:
    """release.md §5, rows 3 to 6."""
    shut_until = view.deadlines.shut_until
    if now < shut_until:
        return Waits("deadline_not_reached", {"shut_until": ceremonies.instant_text(shut_until)})
    if log.fresh_at is None or log.fresh_at < shut_until or log.fresh_at < now - FRESH:
        return Waits("checkpoint_stale", {"fresh_at": None if log.fresh_at is None else str(log.fresh_at)})
    if view.holds:
        return Waits("on_hold", {"refs": list(view.holds)})
    if view.suspended:
        return Waits("suspended")
    if view.deadlines.close is None:
        return Waits("not_closed")
    if view.freeze is None:
        return Waits("not_frozen")
    return None


def _challenged_until(view: Ceremony, log: WholeLog, evidence: Evidence) -> datetime:
    freeze = view.freeze
    assert freeze is not None
    frozen_at = whole_log.witnessed_at(freeze.index, (*log.stamps, *evidence.stamps)) or log.fresh_at
    assert frozen_at is not None, "the checkpoint that brought the freeze is stamped"
    return frozen_at + timedelta(seconds=view.terms.challenge_s)


def _refuse(draft: _Draft, view: Ceremony, refused: Refused) -> Refuses:
    last = _last_words(view).get((draft.seat.lock, draft.seat.index))
    said = last is not None and last.act.get("refusal") == refused.code
    act = None if said else draft.ready(draws=[], complaints=[], refusal=refused.code)
    return Refuses(refused.code, refused.facts, act)


def _ready(draft: _Draft, view: Ceremony, opened: OwnShares, memory: Memory) -> SaysReady | None:
    """READY, unless this agent's last word on this freeze is READY and its READYs name all these draws and complain of
    all that it must complain of; what does not fit into one act is said in the next."""
    mine = [each for each in _readies(view) if (each.act["lock"], each.act["index"]) == _place(draft)]
    named = {leaf for each in mine for leaf in each.act.get("draws", [])}
    new = [leaf for leaf in opened.draws if leaf not in named]
    said = {str(row.get("header")) for each in mine for row in each.act.get("complaints", [])}
    unsaid = [hashed for hashed in sorted(opened.complaints) if hashed.hex() not in said]
    if mine and not new and not unsaid:
        return None
    of_draws = {hashed for leaf in new for hashed in opened.draw_complaints[leaf]}
    headers = sorted({*of_draws, *unsaid[: COMPLAINTS_MAX - len(of_draws)]})
    complaints = [{"header": hashed.hex(), "lock": draft.seat.lock, "index": draft.seat.index} for hashed in headers]
    act = draft.ready(draws=new, complaints=complaints, refusal=None)
    keys = {**memory.keys, draft.seat.key: view.terms.tender_id.hex()}
    return SaysReady(act, replace(memory, keys=keys), opened.set_aside)


def _release(
    draft: _Draft,
    view: Ceremony,
    opened: OwnShares,
    evidence: Evidence,
    memory: Memory,
    *,
    now: datetime,
    entropy: Callable[[int], bytes],
) -> Waits | Releases | Rests:
    """release.md §6: what is not out yet of the bids, and of every draw that enough trustees named."""
    waits = _waits_for_others(draft, view, evidence, set(opened.bids) | set(opened.complaints), None, now)
    if waits is not None:
        return waits
    out = _released(draft, view, memory)
    draws: dict[bytes, bytes] = {}
    for leaf, shares in opened.draws.items():
        listed = set(shares) | set(opened.draw_complaints[leaf])
        held = _waits_for_others(draft, view, evidence, listed, leaf, now)
        if held is None:
            draws.update({hashed: share for hashed, share in shares.items() if hashed not in out})
        elif any(hashed not in out for hashed in shares):
            waits = held
    bids = {hashed: opened.bids[hashed] for hashed in sorted(opened.bids) if hashed not in out}
    if not bids and not draws:
        return waits or Rests()
    shares_object = _shares_object(draft, view.terms, bids, draws, entropy)
    shares_hash = hashlib.sha256(shares_object).hexdigest()
    listed_now = tuple(hashed.hex() for hashed in (*bids, *sorted(draws)))
    kept = (*memory.released, Released(view.terms.tender_id.hex(), shares_hash, listed_now))
    act = {**draft.named("release"), "shares_hash": shares_hash}
    return Releases(act, shares_object, replace(memory, released=kept))


def _shares_object(
    draft: _Draft,
    terms: Terms,
    bids: Mapping[bytes, tuple[Header, bytes]],
    draws: Mapping[bytes, bytes],
    entropy: Callable[[int], bytes],
) -> bytes:
    """acts.md §5: record and draws in the clear, every other share sealed to both opening keys."""
    record, documents = [], []
    for hashed, (header, share) in bids.items():
        if header.envelope == RECORD:
            record.append({"header": hashed.hex(), "share": share.hex()})
            continue
        info = sealed_info(draft.freeze.leaf, draft.seat.lock, draft.seat.index, hashed)
        sealed = {
            name: b"".join(hpke.seal_derand(key, info, entropy(32), share)).hex()
            for name, key in terms.opening_keys.items()
        }
        documents.append({"header": hashed.hex(), **sealed})
    clear = [{"header": hashed.hex(), "share": draws[hashed].hex()} for hashed in sorted(draws)]
    return jcs.dumps({"record": record, "documents": documents, "draws": clear})


def _waits_for_others(
    draft: _Draft, view: Ceremony, evidence: Evidence, listed: set[bytes], draw: str | None, now: datetime
) -> Waits | None:
    """t READY in every lock (naming the draw, where one is meant), and no rescue window open for what is listed."""
    ready = [each for each in _readies(view) if draw is None or draw in each.act.get("draws", [])]
    by_lock: list[set[int]] = [set() for _ in view.terms.roster.locks]
    complete: Logged | None = None
    for each in ready:
        by_lock[each.act["lock"]].add(each.act["index"])
        enough = all(len(places) >= lock.t for places, lock in zip(by_lock, view.terms.roster.locks, strict=True))
        complete = complete or (each if enough else None)
    if complete is None:
        return Waits("others_not_ready", {"ready": [len(places) for places in by_lock]})
    first_release = min((each.index for each in view.releases), default=draft.log.size)
    complained = {
        str(complaint.get("header"))
        for each in ready
        if draw is not None or each.index < first_release
        for complaint in each.act.get("complaints", [])
    }
    if not complained & {hashed.hex() for hashed in listed}:
        return None
    witnessed = whole_log.witnessed_at(complete.index, (*draft.log.stamps, *evidence.stamps)) or draft.log.fresh_at
    assert witnessed is not None, "the checkpoint that brought the READY is stamped"
    until = witnessed + timedelta(seconds=view.terms.rescue_s)
    return Waits("rescue_window", {"until": ceremonies.instant_text(until)}) if now < until else None


def _last_words(view: Ceremony) -> dict[tuple[int, int], Logged]:
    """Each seat's last `ready` act for the freeze in force: a refusal after READY takes it back."""
    return {(each.act["lock"], each.act["index"]): each for each in view.ready}


def _readies(view: Ceremony) -> list[Logged]:
    """The READY acts, in log order, of the seats whose last word is READY."""
    last = _last_words(view)
    standing = {place for place, each in last.items() if each.act.get("refusal", "") is None}
    return [
        each
        for each in view.ready
        if (each.act["lock"], each.act["index"]) in standing and each.act.get("refusal", "") is None
    ]


def _released(draft: _Draft, view: Ceremony, memory: Memory) -> set[bytes]:
    """Headers whose shares this agent has out: remembered, and the release is in the log."""
    named = {
        str(each.act.get("shares_hash"))
        for each in view.releases
        if (each.act["lock"], each.act["index"]) == _place(draft)
    }
    return {bytes.fromhex(header) for each in memory.released if each.shares_hash in named for header in each.headers}


def _place(draft: _Draft) -> tuple[int, int]:
    return draft.seat.lock, draft.seat.index
