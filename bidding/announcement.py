"""Announcing an opening: both judgements compared, verdicts and record logged, liars named. Driven by the clock.

20号令 §30 to §32. Room and verifier judge apart (bidding/opening.py); here their words meet. The rules
upheld: two signatures or none (E-59), the record after the last verdict and in the same transaction (E-58), no bid's
failure delays the others (E-56). What is due is a query: a restart judges again and finds the same.

Whoever runs this can delay an announcement; they cannot announce what room and verifier did not both find.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

from bidding import ceremony, lots, opening
from bidding.opening import Case, Judgement
from bidding.opening_keys import READERS, Desk, Reader
from crypto import jcs
from crypto.refusal import Refused
from storage.blobs import Blobs
from storage.unit import Database, Unit
from storage.world import stamp
from trading import journal, tenders
from trading.hall import Hall
from trading.journal import Logged
from trading.lifecycle import State
from trading.tenders import Held


async def run_due(
    database: Database, lot: str, *, now: datetime, hall: Hall, blobs: Blobs, room: Desk, verifier: Desk
) -> Sequence[Logged]:
    """Judge and announce this lot if it is ripe; returns what was logged, nothing while it is not.

    The bodies are read outside any transaction; what came in the meantime (a late release) makes the next round judge
    anew. Raises Refused: opening_key_lost, judgements_differ (E-59).
    """
    held = await database.read(lambda unit: tenders.load(unit, lot))
    if held.tender.state is not State.OPENING or held.tender.held_by is not None:
        return ()
    view = await database.read(lambda unit: lots.view(unit, held.tender, hall=hall))
    if view.freeze is None or not ceremony.worth_judging(view, now=now):
        return ()
    found = await database.read(lambda unit: opening.case(unit, lot, hall=hall))
    keys = {desk.reader: opening_key(found, desk) for desk in (room, verifier)}
    if not opening.ripe(found, opening.gather(found, reader="room", key=keys["room"]), now=now):
        return ()
    judged = {
        desk.reader: await judge(found, reader=desk.reader, key=keys[desk.reader], blobs=blobs)
        for desk in (room, verifier)
    }
    desks = {desk.reader: desk for desk in (room, verifier)}
    return await database.write(lambda unit: announce(unit, found, judged, desks, now=now, hall=hall))


async def judge(found: Case, *, reader: Reader, key: bytes, blobs: Blobs) -> Judgement:
    """One reader's judgement, in a thread of its own: the door goes on answering."""
    loop = asyncio.get_running_loop()
    return await asyncio.to_thread(opening.judge, found, reader=reader, key=key, read=segments_from(blobs, loop))


async def announce(
    unit: Unit,
    found: Case,
    judged: Mapping[Reader, Judgement],
    desks: Mapping[Reader, Desk],
    *,
    now: datetime,
    hall: Hall,
) -> Sequence[Logged]:
    """Log verdicts, then the record, both signed by room and verifier; then name the trustees who lied.

    Returns nothing when the case is no longer the one that was judged.
    """
    held = await tenders.load(unit, found.tender.lot)
    again = await opening.case(unit, found.tender.lot, hall=hall)
    same = (again.freeze, len(again.releases), len(again.rescues)) == (
        found.freeze,
        len(found.releases),
        len(found.rescues),
    )
    if held.tender.state is not State.OPENING or not same:
        return ()
    room = check_agreement(judged["room"], judged["verifier"])
    ceremony.check_record(jcs.loads(room.verdicts), jcs.loads(room.record))
    verdicts_hash = await _keep(unit, held, "verdicts", room.verdicts)
    record_hash = await _keep(unit, held, "opening_record", room.record)
    freeze = found.freeze.hex()
    verdict = {"freeze": freeze, "verdicts_hash": verdicts_hash, "valid": room.valid}
    opened = {"freeze": freeze, "record_hash": record_hash, "n": room.valid}
    signers = tuple((reader, desks[reader].signer) for reader in READERS)
    logged = []
    for kind, fields, rule in (("verdict", verdict, "E-56"), ("opened", opened, "E-58")):
        act = await journal.hall_act(
            unit,
            hall=hall,
            lot=held.tender.lot,
            tender_id=held.tender.tender_id,
            kind=kind,
            fields=fields,
            now=now,
            rule=rule,
            role="opening",
            signers=signers,
        )
        held = await tenders.fold_in(unit, held, act, now=now)
        logged.append(act)
    said: dict[str, set[str]] = {}
    for judgement in judged.values():
        for each in judgement.accused:
            said.setdefault(each.trustee, set()).add(each.code)
    return [*logged, *await name_liars(unit, held, said, now=now, hall=hall)]


def check_agreement(room: Judgement, verifier: Judgement) -> Judgement:
    """Room and verifier found the same, to the byte; else nothing is announced and both are heard (E-59)."""
    if (room.verdicts, room.record) != (verifier.verdicts, verifier.record):
        raise Refused("judgements_differ", rule="E-59", room=opening.name_of(room), verifier=opening.name_of(verifier))
    return room


def opening_key(found: Case, desk: Desk) -> bytes:
    """The desk's secret of the key that the TENDER act pinned. Raises Refused("opening_key_lost")."""
    public = found.terms.opening_keys[desk.reader].hex()
    secret = desk.vault.get(public)
    if secret is None:
        raise Refused("opening_key_lost", reader=desk.reader, key=public)
    return secret


def segments_from(blobs: Blobs, loop: asyncio.AbstractEventLoop) -> opening.ReadSegment:
    """Reads segments for a thread that may wait, one at a time; what is damaged counts as lost."""

    def read(name: str) -> bytes | None:
        try:
            return asyncio.run_coroutine_threadsafe(blobs.read(name), loop).result()
        except Refused as refused:
            if refused.code != "segment_damaged":
                raise
            return None

    return read


async def name_liars(
    unit: Unit, held: Held, said: Mapping[str, set[str]], *, now: datetime, hall: Hall
) -> list[Logged]:
    """One public incident for every trustee whose release does not fit, with what it did: codes by trustee."""
    logged = []
    for trustee, codes in sorted(said.items()):
        act = await journal.hall_act(
            unit,
            hall=hall,
            lot=held.tender.lot,
            tender_id=held.tender.tender_id,
            kind="incident",
            fields={
                "what": "trustee_accused",
                "from": stamp(held.tender.opened_at or now),
                "to": stamp(now),
                "text": f"{trustee}: {', '.join(sorted(codes))}",
            },
            now=now,
        )
        held = await tenders.fold_in(unit, held, act, now=now)
        logged.append(act)
    return logged


async def _keep(unit: Unit, held: Held, kind: str, data: bytes) -> str:
    return await journal.keep_object(unit, lot=held.tender.lot, kind=kind, data=data, public=True)
