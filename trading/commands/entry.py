"""How a project enters the hall: owner or agent hands in the tender document, the centre registers it (A1, A2).

The centre has no discretion here: what is complete must be accepted, and the codes of 17, 20 and 23 characters and the
统一交易标识码 are given with the acceptance (39号令 §8). Whoever registers an entry can make it wait, not change it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from crypto.ledger import acts
from crypto.refusal import Refused
from storage.unit import Unit
from storage.world import stamp
from trading import codes, journal, tender_document
from trading.calendar import legal_day
from trading.hall import Hall
from trading.journal import Outcome
from trading.roles import Actor, Parties, Permission
from trading.tender_document import TenderDocument


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that goes with the tender: its name, SHA-256 (hex) and size in bytes; the bytes were put before."""

    name: str
    sha256: str
    size: int


class EnterTender(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hand in a tender document (docs/spec/tender.md) and the files that go with it."""

    document: dict[str, Any]
    documents: list[File]


class AcceptEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Register an entry under a power of the centre."""

    entry: str
    power: str | None = None


async def enter_tender(cmd: EnterTender, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """A1: log the entry and keep it waiting. Returns `entry`, the number the centre accepts it under."""
    document = tender_document.parse(msgspec.json.encode(cmd.document))
    parties = Parties(document.owner.uscc, document.agent.uscc if document.agent else None)
    actor.must(Permission.TENDER_ENTER, now=now, parties=parties)
    await require_files(unit, cmd.documents)
    logged = await journal.private_act(
        unit,
        hall=hall,
        lot="",
        tender_id=acts.HALL_TENDER_ID,
        kind="entry",
        fields={"terms_hash": document.hash},
        actor=actor,
        now=now,
    )
    entry = f"entry-{logged.leaf[:16]}"
    body = {
        "state": "entry_pending",
        "entered_at": stamp(now),
        "document": cmd.document,
        "documents": msgspec.to_builtins(cmd.documents),
    }
    columns = {"owner": parties.owner, "agent": parties.agent or "", "state": body["state"]}
    await unit.project.insert({"code": entry, **columns, "body": body})
    return Outcome((logged,), result={"entry": entry})


async def accept_entry(cmd: AcceptEntry, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """A2: register the entry and give its codes. Returns `lot` and `unified_code`."""
    power = actor.must(Permission.ENTRY_ACCEPT, now=now, power=cmd.power)
    row = await unit.project.read(cmd.entry)
    if row is None or row["body"]["state"] != "entry_pending":
        raise Refused("entry_unknown", entry=cmd.entry)
    document = tender_document.parse(msgspec.json.encode(row["body"]["document"]))
    number = 1 + await _last_number(unit)
    project = codes.project(hall.platform, number)
    lot = codes.section(codes.tender_project(project, 1), document.lot.number)
    unified = str(codes.unified(document.market, hall.uscc, legal_day(now), number))
    logged = await journal.private_act(
        unit,
        hall=hall,
        lot=lot,
        tender_id=acts.HALL_TENDER_ID,
        kind="entry_accepted",
        fields={"entry": cmd.entry, "lot": lot},
        actor=actor,
        now=now,
        power=power.code if power else None,
    )
    body = {**row["body"], "state": "registered", "lot": lot, "project": project, "unified_code": unified}
    await unit.project.update({**row, "state": "registered", "body": body}, expected_version=row["version"])
    columns = {"owner": row["owner"], "agent": row["agent"], "state": "lot"}
    await unit.project.insert({"code": lot, **columns, "body": {**body, "state": "lot", "entry": cmd.entry}})
    return Outcome((logged,), result={"lot": lot, "project": project, "unified_code": unified})


async def _last_number(unit: Unit) -> int:
    """The number of the last project that got its codes, 0 before the first; codes of one platform sort by number."""
    rows = await unit.project.find({"state": "lot"}, order=("-code",), limit=1)
    return int(codes.parse_section(rows[0]["code"])[1][-6:]) if rows else 0


async def registered(unit: Unit, lot: str) -> tuple[TenderDocument, dict[str, Any]]:
    """The registered document of a lot and its registration. Raises Refused("lot_unknown")."""
    row = await unit.project.read(lot)
    if row is None or row["body"]["state"] != "lot":
        raise Refused("lot_unknown", lot=lot)
    return tender_document.parse(msgspec.json.encode(row["body"]["document"])), row["body"]


async def require_files(unit: Unit, files: list[File]) -> None:
    """Every named file was put before, with this hash and size. Raises: file_not_uploaded, file_name_repeated."""
    if len({file.name for file in files}) != len(files):
        raise Refused("file_name_repeated")
    for file in files:
        row = await unit.object.read("", file.sha256)
        if row is None or msgspec.json.decode(row["data"])["size"] != file.size:
            raise Refused("file_not_uploaded", name=file.name, sha256=file.sha256)
