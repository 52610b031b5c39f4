"""What needs no account: health, anchors, the log, published lots and their files (contract: HTTP, public reads)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Protocol

from litestar import Request, Response, get, post, put
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery, PathParameter, QueryParameter
from litestar.response import Stream

from crypto.refusal import Refused
from portal.folder import Card
from portal.rooms import VERSION
from storage.ledger import OVERDUE_SECONDS, Head, Ledger
from storage.postgres import HallPostgres
from storage.world import stamp
from trading import powers, queries
from trading.counter import files, identity
from trading.counter.service import Service
from trading.roles import Permission

Requested = Request[Any, Any, Any]
TILE_SECONDS = 31_536_000
Hash = Annotated[str, PathParameter(pattern=r"^[0-9a-f]{64}$")]


class Shown(Protocol):
    """What these pages show: a running hall, or the one process of it that shows them."""

    @property
    def folder(self) -> Papers: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def service(self) -> Service: ...
    def checkpoint_age_s(self, head: Head | None) -> int | None: ...


Trouble = Callable[[], Awaitable[list[str]]]


class Papers(Protocol):
    """The hall's card and anchors, wherever they lie."""

    @property
    def card(self) -> Card: ...
    @property
    def trust_bytes(self) -> bytes | None: ...


def routes(running: Shown, *, sees_pending: bool = True, trouble: Trouble | None = None) -> list[BaseRouteHandler]:
    """The handlers. A process whose role may not read what waits for the sequencer leaves that to the sequencer's own
    health (`sees_pending` False). `trouble` says what else is wrong with the hall, for /health."""
    service, ledger = running.service, running.ledger
    database, world = service.database, service.world
    waiting: dict[str, float] = {}

    @get("/health", summary="Is the hall well, and what time is it there?")
    async def health() -> Response[dict[str, Any]]:
        failing = await trouble() if trouble else []
        if failing:
            # The rest would ask a database that may not answer.
            told: dict[str, Any] = {
                "status": "failing",
                "version": VERSION,
                "now": stamp(world.now()),
                "failing": failing,
            }
            return Response({**told, "demo": running.folder.card.demo}, status_code=503)
        head = await ledger.head()
        late = await ledger.overdue(now=world.now()) if sees_pending else []
        for event in set(waiting) - set(late):
            del waiting[event]
        # A rehearsal's clock may jump over an event that waits since a moment ago; so real seconds are counted too.
        since = world.monotonic() - (OVERDUE_SECONDS if running.folder.card.demo else 0)
        overdue = [event for event in late if waiting.setdefault(event, world.monotonic()) <= since]
        failing = [f"{len(overdue)} events wait for the sequencer"] if overdue else []
        told = {
            "status": "failing" if failing else "ok",
            "version": VERSION,
            "now": stamp(world.now()),
            "demo": running.folder.card.demo,
            "database": "postgresql" if isinstance(database.engine, HallPostgres) else "sqlite",
            "ledger_size": head.size if head else 0,
            "checkpoint_age_s": running.checkpoint_age_s(head),
        }
        if failing:
            told["failing"] = failing
        return Response(told, status_code=503 if failing else 200)

    @get("/trust.json", media_type="application/json", summary="The hall's copy of the trust anchors")
    async def trust() -> bytes:
        return running.folder.trust_bytes or b"{}"

    @get(
        "/log/checkpoint",
        media_type="text/plain; charset=utf-8",
        summary="The newest checkpoint; with cosigned=true the newest that a quorum cosigned",
    )
    async def checkpoint(cosigned: FromQuery[bool] = False) -> bytes:
        head = await (ledger.witnessed(service.hall.trust) if cosigned else ledger.head())
        if head is None:
            raise Refused("log_empty")
        return head.note.encode()

    @get("/log/tile/{path:path}", media_type="application/octet-stream", summary="A tile of the log")
    async def tile(path: FromPath[str]) -> Response[bytes]:
        data = await ledger.tile("tile" + path if path.startswith("/") else f"tile/{path}")
        if data is None:
            raise Refused("not_found")
        caching = {"cache-control": f"public, max-age={TILE_SECONDS}, immutable"}
        return Response(data, media_type="application/octet-stream", headers=caching)

    @post("/log/cosignature", status_code=200, request_max_body_size=4096, summary="A witness hands in its line")
    async def cosignature(request: Requested) -> dict[str, Any]:
        try:
            line = (await request.body()).decode("utf-8")
        except UnicodeDecodeError as error:
            raise Refused("cosignature", witness="") from error
        return {"size": await ledger.cosign(line, witnesses=service.hall.trust.witnesses, now=world.now())}

    @get("/api/v1/lots", summary="Published lots")
    async def lots(
        where: Annotated[str | None, QueryParameter(name="state")] = None, q: FromQuery[str | None] = None
    ) -> list[dict[str, Any]]:
        return await database.read(lambda unit: queries.lots(unit, state=where, q=q, now=world.now()))

    @get("/api/v1/lots/{lot:str}", summary="One lot: notice, terms, state")
    async def lot(lot: FromPath[str]) -> dict[str, Any]:
        return await database.read(lambda unit: queries.lot(unit, lot, now=world.now()))

    @get("/api/v1/lots/{lot:str}/timeline", summary="Its public acts, and what is owed by when under which article")
    async def timeline(lot: FromPath[str]) -> dict[str, Any]:
        return await database.read(lambda unit: queries.timeline(unit, lot, now=world.now()))

    @get("/api/v1/lots/{lot:str}/documents", summary="Its files in force")
    async def documents(lot: FromPath[str]) -> list[dict[str, Any]]:
        return await database.read(lambda unit: queries.documents(unit, lot))

    @get("/api/v1/lots/{lot:str}/files/{sha256:str}", summary="One file")
    async def file(lot: FromPath[str], sha256: Hash) -> Stream:
        entry, segments = await database.read(lambda unit: queries.file_segments(unit, lot, sha256))
        return files.give(segments, blobs=service.blobs, name=entry["name"])

    @get("/api/v1/lots/{lot:str}/opening", summary="The opening record")
    async def opening(lot: FromPath[str]) -> dict[str, Any]:
        return await database.read(lambda unit: queries.opening(unit, lot))

    @get("/api/v1/lots/{lot:str}/objects/{name:str}", media_type="application/octet-stream", summary="A public object")
    async def public_object(lot: FromPath[str], name: Hash) -> bytes:
        return await database.read(lambda unit: queries.public_object(unit, lot, name))

    @get("/api/v1/chains/{tender_id:str}", summary="What the next public act of a chain must carry")
    async def chain(tender_id: Hash) -> dict[str, Any]:
        return await database.read(lambda unit: queries.tail(unit, tender_id))

    @get("/api/v1/powers", summary="The power list")
    async def power_list() -> list[dict[str, Any]]:
        return [power.to_json() for power in powers.load()]

    return [
        health,
        trust,
        checkpoint,
        tile,
        cosignature,
        lots,
        lot,
        timeline,
        documents,
        file,
        opening,
        public_object,
        chain,
        power_list,
    ]


def file_route(running: Shown) -> BaseRouteHandler:
    """The handler that takes files of owners and agents; it stands at their door."""
    service = running.service

    @put(
        "/api/v1/trading/files",
        status_code=200,
        request_max_body_size=files.FILE_BYTES_MAX,
        summary="Put a file that will go with a tender",
    )
    async def put_file(request: Requested) -> dict[str, Any]:
        actor = await identity.of(request, service)
        identity.must_hold(actor, Permission.TENDER_ENTER)
        name, described = await files.take(request.stream(), blobs=service.blobs)
        await service.database.write(lambda unit: files.keep(unit, name, described))
        return {"sha256": name}

    return put_file
