"""The trustees' door: frozen headers and evidence out, READY and releases in, receipts of bidders left out.

    POST /api/v1/bidding/frozen   {"request": {"kind":"frozen_read","lot","trustee","at","size","origin","signatures"}}
         signed as an act is (crypto.signing.sign_act, by "trustee"), 60 s old at most; size: of its own checkpoint;
         → {"lot","size","rulebook","freeze_list","submissions","withdrawals","contributions","receipts","stamps"}
    POST /api/v1/bidding/present  {"lot","receipt"}      a receipt (base64 tlog-proof) for the trustees to see
    POST /api/v1/bidding/pre_keys | ready | release      {"act": fields as decided, …}, then the same with "signed"

No account: a trustee is known by its signature, a receipt by the log's. Rows of submissions: {"event","salt_p",
"confidential","index","proof","certificate","salt","signature","headers"}; of withdrawals the first five and
"certificate"; stamps {"note","proof"}. Raw bytes are base64, hashes and proofs hex.
"""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response, post
from litestar.handlers import BaseRouteHandler
from litestar.params import JSONBody

from bidding import evidence, verbs
from trading.counter import strict
from trading.counter.service import Service
from trading.counter.verbs import routes as verb_routes


class FrozenRead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A trustee's signed request for what was frozen."""

    request: dict[str, Any]


class Present(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A receipt whose header a bidder misses in the freeze list."""

    lot: str
    receipt: str


def routes(service: Service) -> list[BaseRouteHandler]:
    """The handlers of trustees."""
    database, hall = service.database, service.hall

    @post(
        "/api/v1/bidding/frozen",
        status_code=200,
        guards=[strict.strict_json],
        summary="What was frozen, for a seated trustee",
        operation_id="bidding_frozen",
        request_max_body_size=strict.BODY_BYTES_MAX,
    )
    async def frozen(data: JSONBody[FrozenRead]) -> Response[bytes]:
        told = await evidence.shown(database, service.ledger, data.request, now=service.world.now(), hall=hall)
        return Response(msgspec.json.encode(told), media_type="application/json")

    @post(
        "/api/v1/bidding/present",
        status_code=200,
        guards=[strict.strict_json],
        summary="Present the receipt of a bid that was left out",
        operation_id="bidding_present",
        request_max_body_size=strict.BODY_BYTES_MAX,
    )
    async def present(data: JSONBody[Present]) -> Response[bytes]:
        receipt = evidence.decoded(data.receipt)
        name = await database.write(lambda unit: evidence.present(unit, data.lot, receipt, hall=hall))
        return Response(msgspec.json.encode({"receipt": name}), media_type="application/json")

    return [frozen, present, *verb_routes(verbs.TRUSTEES, service)]
