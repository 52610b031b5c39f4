"""Enlisting: how a rehearsal's cast comes into the database and the ledger, in one transaction.

The same acts that a real hall logs one by one (trustee acts under both roots, keys under their roots, pre-keys by the
trustees themselves), so that a rehearsal's bundle is judged by the same checks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from crypto import signing
from crypto.ledger import acts
from crypto.sealing import prekeys
from crypto.signing import Signer
from portal import folder as folders
from portal.demo.cast import PRE_KEYS_PER_TRUSTEE, SUPERVISOR, Cast
from portal.folder import Folder
from storage.unit import Unit
from storage.world import stamp
from trading import journal
from trading.commands import parties
from trading.hall import Hall
from trading.people import accounts, graphs, organisations
from trading.people.organisations import Organisation
from trading.roles import Actor, Role

STAGE = Actor("rehearsal", "", Role.ADMINISTRATOR, "127.0.0.1", "rehearsal")


async def enlist(unit: Unit, *, cast: Cast, folder: Folder, hall: Hall, now: datetime) -> dict[str, tuple[str, str]]:
    """Organisations, people with their tokens, trustees, keys. Returns (password, token) by login."""
    await _organisations(unit, cast)
    tokens: dict[str, tuple[str, str]] = {}
    for member in cast.members:
        token = await parties.appoint(
            unit,
            login=member.login,
            name=member.name,
            organisation=member.uscc,
            role=member.role,
            lot=None,
            now=now,
            hall=hall,
        )
        password = hall.entropy(6).hex()
        await accounts.open_account(unit, login=member.login, password=password, made_by_machine=True)
        tokens[member.login] = (password, token)
        if member.uscc:
            await parties.keep_certificate(unit, member.uscc, cast.signer(member).certificate)
    await _keys(unit, cast=cast, folder=folder, hall=hall, now=now)
    for trustee in cast.trustees:
        await _trustee(unit, trustee.id, cast=cast, hall=hall, now=now)
    return tokens


async def _organisations(unit: Unit, cast: Cast) -> None:
    roles: dict[str, set[Role]] = {}
    names: dict[str, str] = {}
    for member in cast.members:
        if member.uscc:
            roles.setdefault(member.uscc, set()).add(member.role)
            names[member.uscc] = member.organisation
    for trustee in cast.trustees:
        roles.setdefault(trustee.uscc, set())
        names[trustee.uscc] = trustee.organisation
    found = [
        Organisation(uscc, names[uscc], government=uscc == SUPERVISOR[1], roles=frozenset(held))
        for uscc, held in roles.items()
    ]
    await graphs.keep(unit, organisations.changed(await graphs.load(unit), organisations=found))


async def _keys(unit: Unit, *, cast: Cast, folder: Folder, hall: Hall, now: datetime) -> None:
    for purpose, side in (("duty", "centre"), ("room", "centre"), ("verifier", "supervision")):
        fields = {"purpose": purpose, "key": folder.key(purpose).key.hex()}
        await _hall_act(unit, "key", fields, [(f"root_{side}", cast.root(side))], hall=hall, now=now)
    told = {purpose: folder.key(purpose).key.hex() for purpose in ("room", "verifier")}
    await unit.setting.insert({"name": "verdict_keys", "body": told})


async def _trustee(unit: Unit, id_: str, *, cast: Cast, hall: Hall, now: datetime) -> None:
    seat = next(one for one in cast.trustees if one.id == id_)
    home = cast.trustee_home(seat)
    signer = signing.Ed25519Signer.from_pem((home / "key.pem").read_bytes())
    fields: dict[str, Any] = {
        "trustee": id_,
        "organisation": {"name": seat.organisation, "uscc": seat.uscc},
        "seat": seat.seat,
        "group": seat.group,
        "key": signer.key.hex(),
    }
    roots = [("root_centre", cast.root("centre")), ("root_supervision", cast.root("supervision"))]
    act = await _hall_act(unit, "trustee", fields, roots, hall=hall, now=now)
    row = {"id": id_, "organisation": seat.uscc, "state": "certified", "body": {"act": dict(act)}}
    await unit.trustee.insert(row)
    keys = prekeys.derive(bytes.fromhex((home / "seed").read_text()), 0, PRE_KEYS_PER_TRUSTEE)
    batch = {name: value for name, value in prekeys.act_fields(id_, keys).items() if name != "kind"}
    await _hall_act(unit, "pre_keys", batch, [("trustee", signer)], hall=hall, now=now)
    for key in keys:
        await unit.prekey.insert({"key": key.public.hex(), "trustee": id_, "tender_id": "", "body": {"batch": 0}})
    card = {"trustee": id_, "batches": {"0": PRE_KEYS_PER_TRUSTEE}, "enrolled_at": stamp(now)}
    folders.write(home / "trustee.json", (json.dumps(card) + "\n").encode())


async def _hall_act(
    unit: Unit,
    kind: str,
    fields: Mapping[str, Any],
    signers: Sequence[tuple[str, Signer]],
    *,
    hall: Hall,
    now: datetime,
) -> Mapping[str, Any]:
    logged = await journal.hall_act(
        unit,
        hall=hall,
        lot="",
        tender_id=acts.HALL_TENDER_ID,
        kind=kind,
        fields=fields,
        now=now,
        role="trustee" if kind == "pre_keys" else "root",
        signers=signers,
    )
    return logged.act
