"""What the trustees' door shows an agent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bidding import evidence
from crypto import signing
from crypto.opening.examination import Evidence
from portal.simulation.trustees import read_evidence
from storage.world import stamp
from tests.bidding.lawful import ORIGIN
from trading import tenders

if TYPE_CHECKING:
    from tests.bidding.stage import Stage


async def shown(stage: Stage, id_: str) -> Evidence:
    """What the trustees' door shows this agent; before the freeze the rulebook alone."""
    agent, tender = stage.agents[id_], await stage.tender()
    if tender.freeze is None:
        return Evidence(await stage.database.read(lambda unit: tenders.object_bytes(unit, stage.lot, tender.rulebook)))
    request = {
        "kind": "frozen_read",
        "lot": stage.lot,
        "trustee": id_,
        "at": stamp(stage.now),
        "size": agent.log.size,
        "origin": ORIGIN,
        "signatures": [],
    }
    signed = signing.sign_act(request, signer=agent.signer, by="trustee")
    told = await evidence.shown(stage.database, stage.ledger, signed, now=stage.now, hall=stage.hall)
    return read_evidence(told, stage.keys.trust, agent.log)
