"""The bidders' door: uploads in segments, the verbs, receipts, own bids (contract: HTTP).

A segment is read as it comes, at most 1 MiB is held of it, and only a fixed number of segments at once: whatever
strangers send, the door's memory has a bound. Nothing here reads what another organisation sent.
Where the store is open to clients (storage.blobs.OpenStore), the door carries no body at all: it signs addresses, asks
the store what arrived, and locks what was submitted.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from litestar import Request, Response, get, post, put
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody

from bidding import keeping, queries, uploads, verbs
from crypto.refusal import Refused
from crypto.sealing import header
from storage.blobs import OpenStore
from storage.ports import Row
from storage.unit import Unit
from trading.counter import identity, strict
from trading.counter.service import Service
from trading.counter.verbs import routes as verb_routes
from trading.journal import Outcome
from trading.roles import Actor, Permission

SEGMENTS_AT_ONCE = 16
UPLOADS = "/api/v1/bidding/uploads"

Requested = Request[Any, Any, Any]


def routes(service: Service) -> list[BaseRouteHandler]:
    """The handlers of bidders and owners."""
    database, world, hall, blobs = service.database, service.world, service.hall, service.blobs
    gate = asyncio.Semaphore(SEGMENTS_AT_ONCE)
    own_verbs = keeping.with_store(verbs.BIDDERS, blobs=blobs, world=world, keeper=keeping.Keeper(database, blobs))

    @post(
        UPLOADS,
        status_code=200,
        guards=[strict.strict_json],
        summary="Announce a body, or find where it stopped",
        operation_id="bidding_upload",
        request_max_body_size=strict.BODY_BYTES_MAX,
    )
    async def begin(request: Requested, data: JSONBody[uploads.BeginUpload]) -> Response[bytes]:
        actor = await identity.of(request, service)
        identity.must_hold(actor, Permission.BID_UPLOAD)
        now = world.now()

        async def run(unit: Any) -> Outcome:
            return await uploads.begin(data, actor=actor, now=now, unit=unit, hall=hall)

        begun = await database.write(run, bearer=identity.bearer(request))
        id_, absent = begun.result["id"], begun.result["missing"]
        if not isinstance(blobs, OpenStore):
            targets = [{"index": n, "url": f"{UPLOADS}/{id_}/{n}", "headers": {}} for n in absent]
            return _json({"id": id_, "targets": targets})
        bearer = identity.bearer(request)
        if not begun.events:
            await uploads.look(database, blobs, id_, actor=actor, bearer=bearer)
        row, absent = await database.read(lambda unit: _row(unit, id_, actor), bearer=bearer)
        return _json({"id": id_, "targets": [_direct(blobs, uploads.slot_of(row, n)) for n in absent]})

    @put(
        UPLOADS + "/{upload:str}/{number:int}",
        status_code=200,
        summary="Put one segment",
        operation_id="bidding_put_segment",
        request_max_body_size=header.SEGMENT_BYTES,
    )
    async def put_segment(request: Requested, upload: FromPath[str], number: FromPath[int]) -> Response[bytes]:
        actor = await identity.of(request, service)
        identity.must_hold(actor, Permission.BID_UPLOAD)
        bearer = identity.bearer(request)
        place = await database.read(
            lambda unit: uploads.slot(unit, upload, number, actor=actor, now=world.now(), hall=hall), bearer=bearer
        )
        async with gate:
            segment = await take(request.stream(), place)
            await uploads.put(database, blobs, place, segment, actor=actor, bearer=bearer)
        return _json({"upload": upload, "index": number})

    @get(UPLOADS + "/{upload:str}", summary="Which segments are here", operation_id="bidding_upload_status")
    async def status(request: Requested, upload: FromPath[str]) -> Response[bytes]:
        actor = await identity.of(request, service)
        identity.must_hold(actor, Permission.BID_UPLOAD)
        bearer = identity.bearer(request)
        if isinstance(blobs, OpenStore):
            await uploads.look(database, blobs, upload, actor=actor, bearer=bearer)
        return _json(await database.read(lambda unit: uploads.status(unit, upload, actor=actor), bearer=bearer))

    @get("/api/v1/bidding/receipts/{event:str}", summary="The receipt of an own event", operation_id="bidding_receipt")
    async def receipt(request: Requested, event: FromPath[str]) -> Response[bytes]:
        actor = await identity.of(request, service)
        bearer = identity.bearer(request)
        own = await database.read(lambda unit: queries.own_event(unit, event, actor=actor), bearer=bearer)
        return _json(await service.receipt_of(own, bearer=identity.bearer(request)))

    @get("/api/v1/bidding/lots/{lot:str}/own", summary="Own bids and what became of them", operation_id="bidding_own")
    async def own_bids(request: Requested, lot: FromPath[str]) -> Response[bytes]:
        actor = await identity.of(request, service)
        identity.must_hold(actor, Permission.BID_SUBMIT)
        bearer = identity.bearer(request)
        return _json(await database.read(lambda unit: queries.own(unit, lot, actor=actor), bearer=bearer))

    @get("/api/v1/bidding/lots/{lot:str}/stage", summary="Where the opening stands", operation_id="bidding_stage")
    async def stage(lot: FromPath[str]) -> Response[bytes]:
        return _json(await database.read(lambda unit: queries.stage(unit, lot, now=world.now(), hall=hall)))

    return [
        begin,
        put_segment,
        status,
        receipt,
        own_bids,
        stage,
        *verb_routes((*own_verbs, *verbs.OWNERS), service),
    ]


async def take(chunks: AsyncIterator[bytes], place: uploads.Slot) -> bytes:
    """The bytes of one segment; more than announced is refused before it is held. Raises upload_segment_length."""
    held = bytearray()
    async for chunk in chunks:
        if len(held) + len(chunk) > place.bytes:
            raise Refused(
                "upload_segment_length", number=place.number, bytes=len(held) + len(chunk), expected=place.bytes
            )
        held += chunk
    return bytes(held)


async def _row(unit: Unit, id_: str, actor: Actor) -> tuple[Row, list[int]]:
    row = await uploads.own(unit, id_, actor=actor)
    return row, await uploads.missing(unit, row)


def _direct(store: OpenStore, place: uploads.Slot) -> dict[str, Any]:
    direct = store.direct(place.name, place.bytes)
    return {"index": place.number, "url": direct.url, "headers": dict(direct.headers)}


def _json(told: Any) -> Response[bytes]:
    return Response(msgspec.json.encode(told), media_type="application/json")
