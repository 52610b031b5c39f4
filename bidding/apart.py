"""Room and verifier in processes of their own: how two acts get both signatures without one hand holding both keys.

20号令 §30 to §32; bidding/announcement.py says what is announced and when. The rules upheld: two signatures or none
(E-59), the record right after the verdicts and in one transaction (E-58). The messages are rows of `verdict`, one round
per place in the tender's chain; an act that took the place meanwhile begins a new round:

    room      judges, signs the VERDICT act
    verifier  judges for itself, compares, signs it too, and signs the OPENED act that follows it
    room      signs the OPENED act
    clockwork logs both acts, which carry everything it would need to be believed, and names the liars

Whoever controls one of the two can delay an announcement; they cannot announce anything that the other did not find.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from bidding import announcement, ceremony, lots, opening
from bidding.opening import Case, Judgement
from bidding.opening_keys import READERS, Desk
from bidding.reading import ROOM
from crypto import jcs, signing
from crypto.ledger import acts, merkle
from crypto.refusal import Refused
from storage.blobs import Blobs
from storage.ports import Duplicate, Row
from storage.unit import Database, Tail, Unit
from storage.world import instant, stamp
from trading import journal, queries, tenders
from trading.hall import Hall
from trading.journal import Logged
from trading.lifecycle import State
from trading.tender import Tender

FRESH = timedelta(minutes=10)
COUNTERSIGNED = "room opened"
"""The signer column of the room's second message."""
log = logging.getLogger("tradehall.opening")

Act = dict[str, Any]


@dataclass
class Judge:
    """One of the two, in its own process: its desk, and what it found, kept so that a round judges once."""

    desk: Desk
    database: Database
    blobs: Blobs
    hall: Hall
    entropy: Callable[[int], bytes]
    found: dict[str, tuple[str, Judgement]] = field(default_factory=dict)

    async def turn(self, *, now: datetime) -> int:
        """Say what this one owes for every lot that is being opened; returns how many messages were written."""
        rows = await self.database.read(lambda unit: unit.tender.find({"state": State.OPENING.value}))
        said = 0
        for row in rows:
            try:
                said += await self.look(row["lot"], now=now)
            except Refused as refused:
                log.warning("lot %s is not announced: %s", row["lot"], refused)
        return said

    async def look(self, lot: str, *, now: datetime) -> int:
        """One lot. Raises Refused: opening_key_lost, judgements_differ (E-59), act_differs."""
        found = await self.database.read(lambda unit: _case_and_round(unit, lot, now=now, hall=self.hall))
        if found is None:
            return 0
        case, tail, said = found
        key = announcement.opening_key(case, self.desk)
        gathered = opening.gather(case, reader=self.desk.reader, key=key)
        if not opening.ripe(case, gathered, now=now):
            return 0
        if self.desk.reader == "room":
            if "room" not in said:
                judged = await self._judged(case, key)
                act = signing.sign_act(_verdict(case, judged, tail, at=now), signer=self.desk.signer, by="room")
                return await self._say(case, tail, "room", {"verdict": act, **_told(judged)}, now)
            if "verifier" in said and COUNTERSIGNED not in said:
                judged = await self._judged(case, key)
                return await self._say(case, tail, COUNTERSIGNED, self._countersigned(case, judged, tail, said), now)
        elif "room" in said and "verifier" not in said:
            judged = await self._judged(case, key)
            return await self._say(case, tail, "verifier", self._agreed(case, judged, tail, said["room"], now), now)
        return 0

    def _agreed(self, case: Case, judged: Judgement, tail: Tail, said: Row, now: datetime) -> Mapping[str, Any]:
        """The verifier's message: the VERDICT act with both signatures, the OPENED act with its own."""
        body = said["body"]
        theirs = Judgement(body["verdicts"].encode(), body["record"].encode(), body["valid"], ())
        announcement.check_agreement(theirs, judged)
        act = body["verdict"]
        at = instant(act["at"])
        expected = _verdict(case, judged, tail, at=at)
        if {**act, "signatures": []} != expected or not now - FRESH <= at <= now:
            raise Refused("act_differs", kind="verdict")
        both = signing.sign_act(act, signer=self.desk.signer, by="verifier")
        opened = signing.sign_act(_opened(case, judged, both, at=now), signer=self.desk.signer, by="verifier")
        return {"verdict": both, "opened": opened, "accused": _accused(judged)}

    def _countersigned(self, case: Case, judged: Judgement, tail: Tail, said: Mapping[str, Row]) -> Mapping[str, Any]:
        """The room's second message: the OPENED act with both signatures, after the verdicts as both signed them."""
        theirs = said["verifier"]["body"]
        verdict, opened = theirs["verdict"], theirs["opened"]
        own = said["room"]["body"]["verdict"]
        if {**verdict, "signatures": []} != {**own, "signatures": []}:
            raise Refused("act_differs", kind="verdict")
        expected = _opened(case, judged, verdict, at=instant(opened["at"]))
        if {**opened, "signatures": []} != expected:
            raise Refused("act_differs", kind="opened")
        both = signing.sign_act(opened, signer=self.desk.signer, by="room")
        order = {by: number for number, by in enumerate(READERS)}
        in_order = sorted(both["signatures"], key=lambda entry: order[entry["by"]])
        return {"verdict": verdict, "opened": {**both, "signatures": in_order}}

    async def _judged(self, case: Case, key: bytes) -> Judgement:
        lot, name = case.tender.lot, name_of(case)
        if lot not in self.found or self.found[lot][0] != name:
            reader = self.desk.reader
            judged = await announcement.judge(case, reader=reader, key=key, blobs=self.blobs)
            ceremony.check_record(jcs.loads(judged.verdicts), jcs.loads(judged.record))
            self.found[lot] = (name, judged)
        return self.found[lot][1]

    async def _say(self, case: Case, tail: Tail, signer: str, body: Mapping[str, Any], now: datetime) -> int:
        row = {
            "id": self.entropy(16).hex(),
            "lot": case.tender.lot,
            "bid": tail.leaf_hash,
            "signer": signer,
            "at": stamp(now),
            "body": {"case": name_of(case), **body},
        }
        try:
            await self.database.write(lambda unit: unit.verdict.insert(row))
        except Duplicate:
            return 0  # Another replica of this one said it.
        return 1


async def announce_due(unit: Unit, held: tenders.Held, *, now: datetime, hall: Hall) -> Sequence[Logged]:
    """The clockwork's part: log what both signed for this place in the chain; nothing before that.

    Raises Refused: act_not_signed_by, act_differs, act_place_taken, object_hash.
    """
    tender = held.tender
    if tender.state is not State.OPENING or tender.held_by is not None:
        return ()
    _, said = await _round(unit, tender)
    if COUNTERSIGNED not in said:
        return ()
    standing = await _standing(unit, tender, hall=hall)
    # What both signed last counts: the room's first message may rest on one release less, if the record is the same.
    if any(said[signer]["body"]["case"] != standing for signer in ("verifier", COUNTERSIGNED)):
        return ()
    found, last = said["room"]["body"], said[COUNTERSIGNED]["body"]
    await _check_signers(unit, tender, last["verdict"], last["opened"])
    names = {"verdict": ("verdicts", "verdicts_hash"), "opened": ("record", "record_hash")}
    logged: list[Logged] = []
    for kind, (told, named) in names.items():
        act, data = last[kind], found[told].encode()
        if act["kind"] != kind or act[named] != sha256(data).hexdigest():
            raise Refused("object_hash", object=told)
        await journal.keep_object(unit, lot=tender.lot, kind=_KINDS[told], data=data, public=True)
        entry = await journal.outside_act(unit, act, hall=hall, lot=tender.lot, actor=ROOM, now=now)
        held = await tenders.fold_in(unit, held, entry, now=now)
        logged.append(entry)
    said_of: dict[str, set[str]] = {}
    for row in (found, said["verifier"]["body"]):
        for trustee, code in row["accused"]:
            said_of.setdefault(trustee, set()).add(code)
    return [*logged, *await announcement.name_liars(unit, held, said_of, now=now, hall=hall)]


def name_of(case: Case) -> str:
    """What a judgement rests on: another release, rescue or freeze makes it another case."""
    return f"{case.freeze.hex()}:{len(case.releases)}:{len(case.rescues)}"


async def _standing(unit: Unit, tender: Tender, *, hall: Hall) -> str:
    """The same name from public acts alone: the clockwork may read no upload."""
    view = await lots.view(unit, tender, hall=hall)
    assert view.freeze is not None, "a lot is opened after its freeze"
    rescued = {each.act["header"] for each in await lots.acts(unit, tender, "rescue")}
    return f"{view.freeze.leaf.hex()}:{len(view.releases)}:{len(rescued)}"


_KINDS = {"verdicts": "verdicts", "record": "opening_record"}


async def _ripe_case(unit: Unit, lot: str, *, now: datetime, hall: Hall) -> Case | None:
    tender = (await tenders.load(unit, lot)).tender
    if tender.state is not State.OPENING or tender.held_by is not None:
        return None
    view = await lots.view(unit, tender, hall=hall)
    if view.freeze is None or not ceremony.worth_judging(view, now=now):
        return None
    return await opening.case(unit, lot, hall=hall)


async def _case_and_round(
    unit: Unit, lot: str, *, now: datetime, hall: Hall
) -> tuple[Case, Tail, dict[str, Row]] | None:
    """Both from one view of the database, so that no release slips in between."""
    case = await _ripe_case(unit, lot, now=now, hall=hall)
    return None if case is None else (case, *await _round(unit, case.tender))


async def _round(unit: Unit, tender: Tender) -> tuple[Tail, dict[str, Row]]:
    """The last act of the tender's chain, and what was said for the place after it, by signer."""
    following = await queries.tail(unit, tender.tender_id)
    rows = await unit.verdict.find({"lot": tender.lot, "bid": following["prev"]})
    return Tail(following["seq"] - 1, following["prev"]), {row["signer"]: row for row in rows}


async def _check_signers(unit: Unit, tender: Tender, *signed: Act) -> None:
    """Both keys that the TENDER act pinned, and nobody else, signed each act."""
    rows = await unit.event.find({"tender_id": tender.tender_id, "seq": 0}, limit=1)
    pinned = rows[0]["body"]["verdict_keys"]
    for act in signed:
        proved = {(one.by, one.key.hex()) for one in signing.verify_act(act)}
        if proved != {(reader, pinned[reader]) for reader in READERS}:
            raise Refused("act_not_signed_by", kind=act["kind"], uscc="")


def _verdict(case: Case, judged: Judgement, tail: Tail, *, at: datetime) -> Act:
    verdicts, _ = opening.name_of(judged)
    fields = {"freeze": case.freeze.hex(), "verdicts_hash": verdicts, "valid": judged.valid}
    return _act(case, "verdict", fields, seq=tail.seq + 1, prev=tail.leaf_hash, rule="E-56", at=at)


def _opened(case: Case, judged: Judgement, verdict: Act, *, at: datetime) -> Act:
    _, record = opening.name_of(judged)
    leaf = merkle.leaf_hash(acts.public_leaf(verdict)).hex()
    fields = {"freeze": case.freeze.hex(), "record_hash": record, "n": judged.valid}
    return _act(case, "opened", fields, seq=verdict["seq"] + 1, prev=leaf, rule="E-58", at=at)


def _act(case: Case, kind: str, fields: Mapping[str, Any], *, seq: int, prev: str, rule: str, at: datetime) -> Act:
    return {
        "v": 1,
        "kind": kind,
        "at": stamp(at),
        "role": "opening",
        "power": None,
        "rule": rule,
        "context": None,
        **fields,
        "tender_id": case.tender.tender_id,
        "seq": seq,
        "prev": prev,
        "signatures": [],
    }


def _told(judged: Judgement) -> dict[str, Any]:
    return {
        "verdicts": judged.verdicts.decode(),
        "record": judged.record.decode(),
        "valid": judged.valid,
        "accused": _accused(judged),
    }


def _accused(judged: Judgement) -> list[list[str]]:
    return [[each.trustee, each.code] for each in judged.accused]
