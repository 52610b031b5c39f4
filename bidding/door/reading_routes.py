"""The opening room's door for readers: one file of an opened bid, under a logged grant (bidding/reading.py).

Only the process that holds the room's opening keys serves this. The body is streamed; no door holds a file.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec
from litestar import Request, Response, post
from litestar.handlers import BaseRouteHandler
from litestar.params import JSONBody
from litestar.response import Stream

from bidding import reading
from bidding.opening_keys import Desk
from trading.counter import identity, strict
from trading.counter.service import Service

Requested = Request[Any, Any, Any]


def routes(service: Service, room: Desk) -> list[BaseRouteHandler]:
    """The handler of readers; `room` holds the opening keys."""

    @post(
        "/api/v1/bidding/read",
        status_code=200,
        guards=[strict.strict_json],
        summary="Read one file of an opened bid, or its list of files",
        operation_id="bidding_read",
        request_max_body_size=strict.BODY_BYTES_MAX,
    )
    async def read(request: Requested, data: JSONBody[reading.ReadBid]) -> Response[bytes] | Stream:
        actor = await identity.of(request, service)
        identity.must_hold(actor, reading.permission_of(actor.role))
        page, pieces = await reading.read(
            service.database,
            service.blobs,
            data,
            actor=actor,
            now=service.world.now(),
            hall=service.hall,
            room=room,
        )
        if pieces is None:
            return Response(msgspec.json.encode(page), media_type="application/json")
        name = {"content-disposition": f"attachment; filename*=UTF-8''{quote(data.file or '')}"}
        return Stream(pieces, media_type="application/octet-stream", headers=name)

    return [read]
