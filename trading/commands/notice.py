"""The notice and what follows it until the deadline: publish, download, clarify, extend, terminate (A3 to A5, A31).

20号令 §17, §20 to §22; 法 §23, §24; 条例 §15, §16, §21, §31. The TENDER act pins everything a bid will be judged by:
terms, rulebook, roster, opening keys. Downloading needs nothing but an account (E-19); who downloaded is told to nobody
(E-20), and a clarification reaches every one of them through the inbox (20号令 §22).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from crypto import jcs
from crypto.refusal import Refused
from storage import world
from storage.unit import Unit
from trading import calendar, fold, inbox, journal, postponement, queries, rosters, rulebook, tenders
from trading.commands.entry import File, registered, require_files
from trading.hall import Hall
from trading.journal import Logged, Outcome
from trading.lifecycle import State
from trading.published import listing
from trading.roles import Actor, Parties, Permission
from trading.rules import publication, schedule

Signed = dict[str, Any] | None


class PublishTender(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Publish the notice and the documents of a registered lot."""

    lot: str
    signed: Signed = None


class Download(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Download the documents of a lot: needs an account and nothing else."""

    lot: str


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text that everybody will read, in Chinese and, where given, in English."""

    zh: str
    en: str = ""


class Amend(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Clarify or modify the documents; `deadline` (instant as text) moves the deadline with the same act."""

    lot: str
    text: Text
    affects_bids: bool
    deadline: str | None = None
    documents: list[File] = []
    signed: Signed = None


class ExtendDeadline(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Move the deadline later: after a hold, after an outage, or because more time is wanted."""

    lot: str
    deadline: str
    reason: str = "extension"
    signed: Signed = None


class Terminate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """End the tender before the opening, with the reason that will be published."""

    lot: str
    reason: str
    signed: Signed = None


async def publish_tender(cmd: PublishTender, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """A3, A4: judge the document by the rulebook in force today, pin both, and open the bidding."""
    now = journal.instant(cmd.signed, now=now)
    document, entry = await registered(unit, cmd.lot)
    parties = Parties(document.owner.uscc, document.agent.uscc if document.agent else None)
    actor.must(Permission.TENDER_PUBLISH, now=now, parties=parties)
    if await unit.tender.read(cmd.lot) is not None:
        raise Refused("tender_published_already", lot=cmd.lot)
    book = rulebook.pin(hall.rulebooks, market=document.market, region=document.region, day=calendar.legal_day(now))
    publication.check(document, now=now, rulebook=book)
    if document.rehearsal is not hall.rehearsal:
        raise Refused("rehearsal_must_be_said", rehearsal=hall.rehearsal)
    chosen = await rosters.choose(unit, document=document, rulebook=book, hall=hall)
    await rosters.check_keys_elsewhere(unit, chosen, hall=hall)
    sealing = document.sealing
    fields = {
        "lot": cmd.lot,
        "unified_code": entry["unified_code"],
        "project": {"code": entry["project"], "name": document.project.name},
        "name": document.lot.name,
        "owner": msgspec.to_builtins(document.owner),
        "agent": msgspec.to_builtins(document.agent),
        "market": document.market,
        "region": document.region,
        "rehearsal": hall.rehearsal,
        "rulebook": {"id": book.id, "hash": book.hash},
        "terms_hash": document.hash,
        "documents": entry["documents"],
        "deadline": document.schedule.deadline,
        "max_price_fen": document.price.max_price_fen,
        "envelopes": list(sealing.envelopes),
        "bids_min": sealing.bids_min,
        "settle_s": sealing.settle_s,
        "challenge_s": sealing.challenge_s,
        "rescue_s": sealing.rescue_s,
        "plaintext_max": sealing.plaintext_max,
        **chosen.fields(),
        "duty_key": hall.duty.key.hex(),
        "contributors": {
            "1": hall.trust.contributors["centre"].hex(),
            "2": hall.trust.contributors["supervision"].hex(),
            "3": await rosters.owner_contributor(unit, document.owner.uscc),
        },
    }
    logged = await journal.person_act(
        unit,
        hall=hall,
        lot=cmd.lot,
        tender_id=None,
        kind="tender",
        fields=fields,
        actor=actor,
        now=now,
        signed=cmd.signed,
        rule="E-07",
    )
    if not isinstance(logged, Logged):
        return Outcome(sign=logged)
    await journal.keep_object(unit, lot=cmd.lot, kind="rulebook", data=book.canonical(), public=True)
    await journal.keep_object(unit, lot=cmd.lot, kind="terms", data=document.canonical(), public=True)
    await rosters.take(unit, chosen, tender_id=logged.act["tender_id"])
    held = await tenders.begin(unit, fold.begin(logged.act, document, leaf=logged.leaf), now=now)
    await listing.keep(unit, held.tender, document, unified_code=entry["unified_code"])
    return Outcome((logged,), result={"lot": cmd.lot, "tender_id": logged.act["tender_id"]})


async def download(cmd: Download, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """Log that this person took the documents; a bidder's organisation is told of every change from now on."""
    held = await tenders.load(unit, cmd.lot)
    actor.must(Permission.DOCUMENTS_DOWNLOAD, now=now)
    files = await queries.documents(unit, cmd.lot)
    if not actor.organisation:
        return Outcome(result={"documents": files})
    logged = await journal.private_act(
        unit,
        hall=hall,
        lot=cmd.lot,
        tender_id=held.tender.tender_id,
        kind="download",
        fields={"document": held.tender.terms},
        actor=actor,
        now=now,
        rule="E-19",
    )
    row = {"id": logged.recorded.event, "lot": cmd.lot, "organisation": actor.organisation, "at": world.stamp(now)}
    await unit.download.insert({**row, "body": {"person": actor.person}})
    return Outcome((logged,), result={"documents": files})


async def amend(cmd: Amend, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """A5: a clarification; what may affect bids needs 15 days, or moves the deadline (E-09)."""
    now = journal.instant(cmd.signed, now=now)
    held = await tenders.load(unit, cmd.lot)
    tender = held.tender
    actor.must(Permission.TENDER_AMEND, now=now, parties=tender.parties)
    book = await rosters.pinned_rulebook(unit, tender)
    schedule.check_amendment(
        tender, now=now, affects_bids=cmd.affects_bids, new_deadline=_instant(cmd.deadline), rulebook=book
    )
    if cmd.deadline is not None:
        await postponement.check_extension(unit, tender, new_deadline=world.instant(cmd.deadline))
    await require_files(unit, cmd.documents)
    files = [*await queries.documents(unit, cmd.lot), *msgspec.to_builtins(cmd.documents)]
    if len({file["name"] for file in files}) != len(files):
        raise Refused("file_name_repeated")
    text = jcs.dumps({"zh": cmd.text.zh, "en": cmd.text.en})
    fields = {
        "version": tender.amendments + 1,
        "text_hash": await journal.keep_object(unit, lot=cmd.lot, kind="amendment", data=text, public=True),
        "affects_bids": cmd.affects_bids,
        "deadline": cmd.deadline,
        "documents": files,
    }
    return await _owner_act(cmd, "amendment", fields, held, actor=actor, now=now, unit=unit, hall=hall, rule="E-09")


async def extend_deadline(cmd: ExtendDeadline, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """A later deadline; after a hold it leaves at least what was left when the hold began (E-13)."""
    now = journal.instant(cmd.signed, now=now)
    held = await tenders.load(unit, cmd.lot)
    tender = held.tender
    actor.must(Permission.DEADLINE_EXTEND, now=now, parties=tender.parties)
    if cmd.reason not in ("hold", "outage", "extension"):
        raise Refused("extension_reason_unknown", reason=cmd.reason)
    new = _instant(cmd.deadline)
    assert new is not None, "a deadline is given"
    schedule.check_extension(tender, now=now, new_deadline=new)
    await postponement.check_extension(unit, tender, new_deadline=new)
    fields = {"deadline": cmd.deadline, "was": world.stamp(tender.deadline), "reason": cmd.reason}
    rule = "E-13" if cmd.reason == "hold" else "E-09"
    return await _owner_act(cmd, "deadline", fields, held, actor=actor, now=now, unit=unit, hall=hall, rule=rule)


async def terminate(cmd: Terminate, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """A31: the end of a tender before its opening; every bid stays sealed for ever."""
    now = journal.instant(cmd.signed, now=now)
    held = await tenders.load(unit, cmd.lot)
    actor.must(Permission.TENDER_TERMINATE, now=now, parties=held.tender.parties)
    if not cmd.reason.strip():
        raise Refused("reason_missing")
    fields = {"reason": cmd.reason}
    return await _owner_act(cmd, "terminate", fields, held, actor=actor, now=now, unit=unit, hall=hall, rule=None)


async def _owner_act(
    cmd: Amend | ExtendDeadline | Terminate,
    kind: str,
    fields: dict[str, Any],
    held: tenders.Held,
    *,
    actor: Actor,
    now: datetime,
    unit: Unit,
    hall: Hall,
    rule: str | None,
) -> Outcome:
    tender = held.tender
    logged = await journal.person_act(
        unit,
        hall=hall,
        lot=tender.lot,
        tender_id=tender.tender_id,
        kind=kind,
        fields=fields,
        actor=actor,
        now=now,
        signed=cmd.signed,
        rule=rule,
    )
    if not isinstance(logged, Logged):
        # What would be refused when it comes back signed is refused before anybody signs it.
        fold.apply(tender, logged, leaf="0" * 64)
        return Outcome(sign=logged)
    held = await tenders.fold_in(unit, held, logged, now=now)
    await inbox.notify(unit, "downloaders", lot=tender.lot, what=kind, leaf=logged.leaf, now=now, hall=hall)
    return Outcome((logged,), result={"state": State(held.tender.state).value})


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return world.instant(text)
    except ValueError as error:
        raise Refused("instant_malformed", text=text) from error
