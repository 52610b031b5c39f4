"""What the trustees' door shows an agent, and how its client reads it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bidding import evidence
from crypto import signing, trust
from crypto.ledger import whole_log
from crypto.ledger.whole_log import WholeLog
from crypto.opening.examination import Evidence
from crypto.opening.frozen import PrivateEvidence, Submission, Withdrawal
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
    return _read(told, stage.keys.trust, agent.log)


def _read(told: Mapping[str, Any], trusted: trust.Trust, log: WholeLog) -> Evidence:
    """The door's answer as a client reads it."""

    def private(row: Mapping[str, Any]) -> PrivateEvidence:
        return PrivateEvidence(
            row["event"],
            bytes.fromhex(row["salt_p"]),
            bytes.fromhex(row["confidential"]),
            row["index"],
            tuple(bytes.fromhex(each) for each in row["proof"]),
        )

    unbase = base64.b64decode
    return Evidence(
        rulebook=unbase(told["rulebook"]),
        freeze_list=unbase(told["freeze_list"]),
        submissions=tuple(
            Submission(
                private(row),
                tuple(unbase(each) for each in row["headers"]),
                unbase(row["certificate"]),
                bytes.fromhex(row["salt"]),
                bytes.fromhex(row["signature"]),
            )
            for row in told["submissions"]
        ),
        withdrawals=tuple(Withdrawal(private(row), unbase(row["certificate"])) for row in told["withdrawals"]),
        receipts=tuple(unbase(each) for each in told["receipts"]),
        contributions={bytes.fromhex(name): unbase(data) for name, data in told["contributions"].items()},
        stamps=tuple(
            whole_log.verify_stamp(unbase(each["note"]), [bytes.fromhex(one) for one in each["proof"]], trusted, log)
            for each in told["stamps"]
        ),
    )
