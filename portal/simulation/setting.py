"""Setting up a simulated hall: organisations, accounts, certificates, trustees, the register, as a real hall logs them.

The same acts in the same order as portal/demo/enlist.py, without its folders, so that a bundle of a simulated tender is
judged by the same checks.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bidding import trustee_commands
from bidding.commands import REVOCATIONS
from crypto import signing
from crypto.ledger import acts
from crypto.sealing import prekeys
from experts.commands import pool
from portal.simulation.hall import SimulatedHall
from portal.simulation.keys import GROUPS, Company
from portal.simulation.trustees import ANYBODY
from storage.unit import Unit
from trading import journal
from trading.commands import parties
from trading.people import graphs, organisations
from trading.people.organisations import Organisation
from trading.roles import Role


async def set_up(hall: SimulatedHall) -> None:
    """Everything that stands before the first notice; the register is a day old when this returns."""
    keys = hall.keys
    await hall.database.write(lambda unit: _parties(unit, hall))
    await hall.database.write(lambda unit: _hall_keys(unit, hall))
    for seat in keys.trustees:
        fields = prekeys.act_fields(seat.id, seat.keys)
        cmd = trustee_commands.PreKeys(msgspec.convert(fields, trustee_commands.PreKeysAct))
        await hall.sign(trustee_commands.pre_keys, cmd, ANYBODY, seat.signer, "trustee")
    register = pool.ImportPool("experts.csv", base64.b64encode(keys.register()).decode(), power="C-003")
    await hall.do(pool.import_pool, register, keys.centre.actor)
    # What certifies a roster stands in the log before the tender that uses it.
    await hall.tick("")
    hall.wait(days=1)


async def _parties(unit: Unit, hall: SimulatedHall) -> None:
    keys = hall.keys
    roles: Mapping[Role, Sequence[Company]] = {
        Role.OWNER: (keys.owner,),
        Role.CENTRE: (keys.centre,),
        Role.SUPERVISOR: (keys.supervisor,),
        Role.BIDDER: keys.companies,
    }
    found = [
        Organisation(one.uscc, one.name, government=role is Role.SUPERVISOR, roles=frozenset({role}))
        for role, companies in roles.items()
        for one in companies
    ]
    seated = {seat.uscc for seat in keys.trustees} - {one.uscc for one in found}
    found += [Organisation(uscc, uscc) for uscc in sorted(seated)]
    await graphs.keep(unit, organisations.changed(await graphs.load(unit), organisations=found))
    for role, companies in roles.items():
        for one in companies:
            await parties.keep_certificate(unit, one.uscc, one.signer.certificate)
            await _appoint(unit, hall, one.actor.person, one.name, one.uscc, role)
    for expert in keys.experts:
        await _appoint(unit, hall, expert.actor.person, expert.name, "", Role.EXPERT)
    lists = [base64.b64encode(keys.crl).decode()]
    await unit.setting.insert({"name": REVOCATIONS, "body": {"lists": lists}})


async def _appoint(unit: Unit, hall: SimulatedHall, login: str, name: str, uscc: str, role: Role) -> None:
    await parties.appoint(
        unit, login=login, name=name, organisation=uscc, role=role, lot=None, now=hall.now, hall=hall.hall
    )


async def _hall_keys(unit: Unit, hall: SimulatedHall) -> None:
    keys = hall.keys
    for purpose, side, signer in (
        ("duty", "centre", keys.duty),
        ("room", "centre", keys.room),
        ("verifier", "supervision", keys.verifier),
    ):
        fields = {"purpose": purpose, "key": signer.key.hex()}
        await _hall_act(unit, hall, "key", fields, [(f"root_{side}", keys.roots[side])])
    told = {"room": keys.room.key.hex(), "verifier": keys.verifier.key.hex()}
    await unit.setting.insert({"name": "verdict_keys", "body": told})
    for seat in keys.trustees:
        certified: dict[str, Any] = {
            "trustee": seat.id,
            "organisation": {"name": seat.id, "uscc": seat.uscc},
            "seat": seat.seat,
            "group": GROUPS[seat.lock],
            "key": seat.signer.key.hex(),
        }
        roots = [(f"root_{side}", root) for side, root in keys.roots.items()]
        act = await _hall_act(unit, hall, "trustee", certified, roots)
        row = {"id": seat.id, "organisation": seat.uscc, "state": "certified", "body": {"act": dict(act)}}
        await unit.trustee.insert(row)


async def _hall_act(
    unit: Unit,
    hall: SimulatedHall,
    kind: str,
    fields: Mapping[str, Any],
    signers: Sequence[tuple[str, signing.Signer]],
) -> Mapping[str, Any]:
    logged = await journal.hall_act(
        unit,
        hall=hall.hall,
        lot="",
        tender_id=acts.HALL_TENDER_ID,
        kind=kind,
        fields=fields,
        now=hall.now,
        role="root",
        signers=signers,
    )
    return logged.act
