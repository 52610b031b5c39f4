"""The register comes in: a CSV or Excel file becomes rows of experts, line by line, and what is wrong is told.

Rules upheld: the good rows are kept and every other is reported with its line (E-62, E-63); a draw uses the register as
it stood the day before it was asked for, so each row keeps the version that was in force when the day began.
Whoever imports a register can put somebody into it; not into a draw of the same day, and the draw names its snapshot.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime
from hashlib import sha256
from typing import Any

import msgspec

from crypto.ledger import acts
from crypto.refusal import Refused
from experts import pool_files, specialties
from experts.pool import Expert, Status, Title
from storage.unit import Unit
from storage.world import instant, stamp
from trading import journal
from trading.calendar import legal_day
from trading.hall import Hall
from trading.journal import Outcome
from trading.roles import Actor, Permission


class ImportPool(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Import a register file (CSV or Excel); `data` is base64, `name` tells its kind."""

    name: str
    data: str
    power: str | None = None


async def import_pool(cmd: ImportPool, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """Keep the good rows. Returns `rows`, `kept`, `encoding`, `flaws` = [{"line","column","code","zh","en"}].

    Raises Refused: register_not_base64, register_* when the file as a whole cannot be read.
    """
    # Who may not import is told so before anything of the file is looked at.
    actor.must(Permission.POOL_IMPORT, now=now, power=cmd.power)
    try:
        data = base64.b64decode(cmd.data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused("register_not_base64") from error
    return await import_file(data, cmd.name, cmd.power, actor=actor, now=now, unit=unit, hall=hall)


async def import_file(
    data: bytes, name: str, power: str | None, *, actor: Actor, now: datetime, unit: Unit, hall: Hall
) -> Outcome:
    """The same for the bytes of a file."""
    exercised = actor.must(Permission.POOL_IMPORT, now=now, power=power)
    imported = pool_files.read(data, name, specialties.load())
    known = {row["id"]: row for row in await unit.expert.find()}
    for expert in imported.experts:
        await _keep(unit, expert, known.get(expert.id), now)
    told = {"rows": imported.rows, "kept": len(imported.experts)}
    logged = await journal.private_act(
        unit,
        hall=hall,
        lot="",
        tender_id=acts.HALL_TENDER_ID,
        kind="pool_import",
        fields={"sha256": sha256(data).hexdigest(), **told},
        actor=actor,
        now=now,
        rule="E-62",
        power=exercised.code if exercised else None,
    )
    flaws = pool_files.report(imported)
    return Outcome((logged,), result={**told, "encoding": imported.encoding, "flaws": flaws})


async def day_before(unit: Unit, today: date) -> list[Expert]:
    """Every expert as the register had them when `today` began, ascending by id."""
    found = []
    for row in await unit.expert.find():
        past = [one for one in row["body"]["versions"] if legal_day(instant(one["since"])) < today]
        if past:
            found.append(expert_from(past[-1]["record"]))
    return sorted(found, key=lambda one: one.id)


async def persons(unit: Unit, experts: set[str]) -> dict[str, str]:
    """The account of each of these experts."""
    return {row["id"]: row["person"] for row in await unit.expert.find() if row["id"] in experts}


def record(expert: Expert) -> dict[str, Any]:
    """An expert as plain JSON values."""
    return {**asdict(expert), "specialties": list(expert.specialties)}


def expert_from(plain: Mapping[str, Any]) -> Expert:
    """The inverse of `record`."""
    told = {**plain, "specialties": tuple(plain["specialties"])}
    return Expert(**{**told, "title": Title(plain["title"]), "status": Status(plain["status"])})


async def _keep(unit: Unit, expert: Expert, row: dict[str, Any] | None, now: datetime) -> None:
    """One version per legal day and the last before it are enough: draws look back one day, the ledger further."""
    version = {"since": stamp(now), "record": record(expert)}
    columns = {"specialty": expert.specialties[0], "region": expert.region, "state": expert.status.value}
    if row is None:
        person = {"id": expert.id, "person": f"expert-{expert.id}"}
        await unit.expert.insert({**person, **columns, "body": {"versions": [version]}})
        return
    versions = row["body"]["versions"]
    if versions[-1]["record"] == version["record"]:
        return
    past = [one for one in versions if legal_day(instant(one["since"])) < legal_day(now)]
    body = {**row["body"], "versions": [*past[-1:], version]}
    await unit.expert.update({**row, **columns, "body": body}, expected_version=row["version"])
