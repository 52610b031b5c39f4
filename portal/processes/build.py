"""Each process from its settings: the one page that shows who is handed which key, store and verb.

Nobody is handed the log key but the sequencer, an opening key but room and verifier (each its own), the duty key but
the operation's clockwork. Doors hold none. Rooms are loaded where they are needed: a process has no other's code.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from bidding import apart, opening_keys
from bidding.opening_keys import Desk, FileVault
from crypto import words
from portal.processes import parts, settings
from portal.processes.parts import Front, Papers
from portal.processes.table import ERRANDS, HANDED_OVER, SERVED, Built, Worker
from portal.rooms import ROOMS
from storage.broker import Courier, open_broker
from storage.outbox import Handler, Outbox
from storage.sequencer import Sequencer, WitnessLatest
from storage.unit import Database, Unit
from storage.world import World
from trading.counter.errands import Runner
from trading.counter.page.pages import Sign
from trading.counter.verbs import answer_of, routes
from trading.lifecycle import State
from trading.roles import Permission

if TYPE_CHECKING:
    from portal.front.report import Fetch
    from supervision.bundle import Room

Make = Callable[[Any, Papers, World], Awaitable[Built]]
BLIND = {"question": frozenset({"organisation"}), "objection": frozenset({"organisation"})}
"""Who asks or objects is told to the owner's side by nobody (条例 §22; E-20)."""
OPENING_KEYS_LOW = 3
COPIES = {"operation": "jobs", "supervision": "supervision"}
"""The broker's queue of each side's jobs."""


async def build(name: str, told: settings.Process) -> tuple[Built, Papers, World]:
    """One process from its settings. Raises Refused as the papers, keys and stores do."""
    papers = parts.papers(Path(told.papers))
    world = parts.world(told, papers)
    return await MAKE[name](told, papers, world), papers, world


async def _public(told: settings.Public, papers: Papers, world: World) -> Built:
    from portal import public, scripts
    from portal.front import report

    base = parts.database(told)
    front = parts.front(papers, world, base, parts.blobs(told.blobs_url), parts.hall(papers, world))
    handlers = [*public.routes(front, sees_pending=False), *scripts.routes(front.service, release=scripts.listed())]
    return _paged(_door(front, handlers), front, "public", bundles=report.fetched_from(told.bundles_url))


async def _desk(told: settings.Desk, papers: Papers, world: World) -> Built:
    from portal import public
    from trading.desk import routes as desk_door

    base = parts.database(told, blind=BLIND)
    hall = parts.hall(papers, world)
    front = parts.front(papers, world, base, parts.blobs(told.blobs_url), hall, errands=HANDED_OVER)
    handlers = [*_verbs(front, "desk"), *desk_door.routes(front.service), public.file_route(front)]
    return _sending(_paged(_door(front, handlers), front, "desk"), front, told)


async def _centre(told: settings.Centre, papers: Papers, world: World) -> Built:
    from experts.door import routes as experts_door
    from portal import certifying
    from trading.desk import routes as desk_door
    from trading.people import certification

    hall = parts.hall(papers, world)
    front = parts.front(papers, world, parts.database(told), None, hall, errands=HANDED_OVER)
    register = experts_door.register_route(front.service)
    handlers = [*_verbs(front, "centre"), desk_door.inbox_route(front.service), register]
    if not papers.card.demo:
        keys: dict[str, bytes] = {purpose: bytes.fromhex(papers.public[purpose]) for purpose in certification.PURPOSES}
        handlers += certifying.routes(front.service, keys)
    return _sending(_paged(_door(front, handlers), front, "centre"), front, told)


async def _bidders(told: settings.Bidders, papers: Papers, world: World) -> Built:
    from bidding import verbs as bidding_verbs
    from bidding.door import evidence_routes
    from bidding.door import routes as bidders_door
    from trading.desk import routes as desk_door

    hall = parts.hall(papers, world, issues=parts.authority(told.authority_file, papers))
    store = parts.blobs(told.blobs_url)
    front = parts.front(papers, world, parts.database(told), store, hall, errands=HANDED_OVER)
    own = [verb for verb in SERVED["bidders"] if verb not in bidding_verbs.BIDDERS]
    handlers = [*routes(own, front.service), *bidders_door.routes(front.service), *desk_door.routes(front.service)]
    handlers += evidence_routes.routes(front.service)
    return _sending(_paged(_door(front, handlers), front, "bidders"), front, told)


async def _trustees(told: settings.Trustees, papers: Papers, world: World) -> Built:
    from bidding.trustee_door import routes as trustees_door

    hall = parts.hall(papers, world)
    front = parts.front(papers, world, parts.database(told), None, hall, errands=HANDED_OVER)
    made = _paged(_door(front, trustees_door.routes(front.service)), front, "trustees")
    return _sending(made, front, told)


async def _experts(told: settings.Experts, papers: Papers, world: World) -> Built:
    from experts.door import routes as experts_door
    from trading.desk import routes as desk_door

    hall = parts.hall(papers, world)
    front = parts.front(papers, world, parts.database(told), None, hall, errands=HANDED_OVER)
    handlers = experts_door.routes(front.service, SERVED["experts"], register=False)
    made = _door(front, [*handlers, desk_door.inbox_route(front.service)])
    return _sending(_paged(made, front, "experts"), front, told)


async def _watch(told: settings.Watch, papers: Papers, world: World) -> Built:
    from experts.verbs import DRAW
    from supervision.door import routes as watch_door
    from supervision.opening_room import OpeningRoom
    from trading.desk import routes as desk_door

    hall = parts.hall(papers, world)
    store = parts.blobs(told.blobs_url)
    front = parts.front(papers, world, parts.database(told), store, hall, errands=HANDED_OVER)
    room = OpeningRoom(told.opening_url, parts.word(told.inner_token_file))
    draws = [verb for verb in DRAW if verb.permission is Permission.DRAW_CONTRIBUTE]
    handlers = [
        *watch_door.routes(front.service, room=room),
        *routes(draws, front.service),
        desk_door.inbox_route(front.service),
    ]
    return _sending(_paged(_door(front, handlers), front, "watch", room=room), front, told)


async def _opening(told: settings.Opening, papers: Papers, world: World) -> Built:
    from bidding.door import reading_routes
    from supervision.opening_room import secrets_route

    hall = parts.hall(papers, world)
    store = parts.blobs(told.blobs_url)
    front = parts.front(papers, world, parts.database(told), store, hall)
    desk = Desk("room", parts.key(told.room_key_file), FileVault(Path(told.vault)))
    handlers = reading_routes.routes(front.service, desk)
    if told.inner_token_file:
        handlers = [*handlers, secrets_route(front.service, desk, parts.word(told.inner_token_file))]
    judge = apart.Judge(desk, front.database, store, hall, world.entropy)
    return _judging(_paged(_door(front, handlers), front, "opening", room=desk), judge, world)


async def _verifier(told: settings.Verifier, papers: Papers, world: World) -> Built:
    hall = parts.hall(papers, world)
    store = parts.blobs(told.blobs_url)
    front = parts.front(papers, world, parts.database(told), store, hall)
    desk = Desk("verifier", parts.key(told.verifier_key_file), FileVault(Path(told.vault)))
    return _judging(_door(front, []), apart.Judge(desk, front.database, store, hall, world.entropy), world)


async def _clockwork_operation(told: settings.ClockworkOperation, papers: Papers, world: World) -> Built:
    from portal import demo_clock, jobs, scripts
    from portal.processes import clockwork

    base = parts.database(told, through=frozenset({"tail_of"}))
    hall = parts.hall(papers, world, duty=parts.key(told.duty_key_file))
    front = parts.front(papers, world, base, parts.blobs(told.blobs_url), hall)
    runner = Runner(base, ERRANDS, world=world, hall=hall, answer=answer_of)
    handlers = jobs.operation(hall, told.gateways(), reach=parts.reach)
    made = _performing(_door(front, []), front, told, "operation", handlers)
    if papers.card.demo:
        made.routes += demo_clock.routes(front)
    made.workers += [
        Worker("errands", runner.run_waiting, 0.05),
        Worker("due", partial(clockwork.turn, front), 0.5),
        Worker("tidy", partial(clockwork.tidy, runner, world), 60.0),
        Worker("scripts", partial(clockwork.pin_scripts, front, scripts.listed()), 30.0),
        Worker("locks", partial(clockwork.sweep, front), 3600.0),
    ]
    return made


async def _clockwork_supervision(told: settings.ClockworkSupervision, papers: Papers, world: World) -> Built:
    from portal.processes import watching

    front = parts.front(papers, world, parts.database(told), None, parts.hall(papers, world))
    made = _performing(_door(front, []), front, told, "supervision", watching.handlers(front.hall))
    made.workers.append(Worker("watch", partial(watching.ask, front), 30.0))
    return made


async def _eraser(told: settings.Eraser, papers: Papers, world: World) -> Built:
    from portal.processes import erasing

    base = parts.database(told, blind=erasing.BLIND, through=erasing.THROUGH)
    front = parts.front(papers, world, base, parts.blobs(told.blobs_url), parts.hall(papers, world))
    made = _door(front, [], _abandoned)
    made.workers += [
        Worker("drop", partial(erasing.turn, front), 60.0),
        Worker("erase", partial(erasing.archived, front), 60.0),
    ]
    return made


async def _sequencer(told: settings.Sequencer, papers: Papers, world: World) -> Built:
    base = parts.database(told)
    front = parts.front(papers, world, base, None, parts.hall(papers, world))
    key = parts.key(told.log_key_file)
    sequencer = Sequencer(
        base,
        world=world,
        origin=papers.card.origin,
        signer=key,
        cover_secret=sha256(b"tradehall cover\0" + key.to_pem()).digest(),
        open_for_bids=open_for_bids,
    )
    made = _door(front, [])
    made.begin.append(partial(sequencer.start, witnesses(told.witnesses)))
    made.workers.append(Worker("sequence", partial(_sequence, sequencer), 0.1))
    made.end.append(sequencer.sequence)
    return made


MAKE: Mapping[str, Make] = {
    "public": _public,
    "desk": _desk,
    "centre": _centre,
    "bidders": _bidders,
    "trustees": _trustees,
    "opening": _opening,
    "verifier": _verifier,
    "experts": _experts,
    "watch": _watch,
    "clockwork-operation": _clockwork_operation,
    "clockwork-supervision": _clockwork_supervision,
    "eraser": _eraser,
    "sequencer": _sequencer,
}


def witnesses(told: str) -> dict[str, WitnessLatest]:
    """Where the newest checkpoint of each witness is read, from `name=file` and `name=address`."""

    def latest(where: str) -> WitnessLatest:
        async def ask() -> bytes | None:
            if not where.startswith("http"):
                return await asyncio.to_thread(_bytes_of, Path(where))
            async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
                try:
                    answer = await client.get(where)
                except httpx.HTTPError as error:
                    raise OSError(str(error)) from error
                return answer.content if answer.is_success else None

        return ask

    pairs = [one.partition("=") for one in told.split(",") if one]
    return {name: latest(where) for name, _, where in pairs}


def _bytes_of(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


async def _sequence(sequencer: Sequencer) -> int:
    done = await sequencer.turn()
    return 0 if done is None else done.leaves - done.cover


def _paged(
    made: Built, front: Front, process: str, *, room: Desk | Room | None = None, bundles: Fetch | None = None
) -> Built:
    """The pages of a process, and its way to tell a browser what is wrong."""
    from portal import doors

    card = front.folder.card
    means = doors.Means(front.service, Sign(card.name, card.demo), words.load(*ROOMS), room, bundles, parts.drawing)
    made.routes += doors.of(process, means)
    made.wrong = means.front().anywhere()
    return made


def _verbs(front: Front, door: str) -> list[Any]:
    return list(routes(SERVED[door], front.service))


def _door(front: Front, handlers: Any, look: Callable[[Unit], Awaitable[object]] | None = None) -> Built:
    async def reachable() -> None:
        await front.database.read(look or _anything)

    return Built(routes=list(handlers), end=[front.database.close], ready=[reachable])


async def _anything(unit: Unit) -> object:
    return await unit.tender.find(limit=1)


async def _abandoned(unit: Unit) -> object:
    return await unit.upload.find(limit=1)


async def open_for_bids(unit: Unit) -> bool:
    """Whether any tender takes bids now: while one does, the log grows at a constant rate."""
    return await unit.tender.count({"state": State.BIDDING.value}) > 0


def _sending(made: Built, front: Front, told: settings.Sending) -> Built:
    """Jobs that leave with this door's transactions are told to the broker; who performs them is another process."""
    courier = _courier(front, told, "operation", {})
    front.database.after_commit.append(courier.send_soon)
    return made


def _performing(made: Built, front: Front, told: settings.Sending, side: str, handlers: Mapping[str, Handler]) -> Built:
    courier = _courier(front, told, side, handlers)
    front.database.after_commit.append(courier.send_soon)
    made.begin.append(courier.start)
    made.workers.append(Worker("sweep", courier.sweep, 1.0))
    made.end.insert(0, courier.stop)
    return made


def _courier(front: Front, told: settings.Sending, side: str, handlers: Mapping[str, Handler]) -> Courier:
    outbox = Outbox(front.database, world=front.world, handlers=handlers)
    return Courier(outbox, world=front.world, broker=open_broker(told.broker_url), queue=COPIES[side])


def _judging(made: Built, judge: apart.Judge, world: World) -> Built:
    async def turn() -> int:
        return await judge.turn(now=world.now())

    async def stock() -> int:
        return await restock(judge.database, judge.desk, world)

    made.begin.append(stock)
    made.workers += [Worker("judge", turn, 0.5), Worker("stock", stock, 10.0)]
    return made


async def restock(database: Database, desk: Desk, world: World) -> int:
    """Make one-time opening keys until this reader has enough that no tender used."""

    async def lacking(unit: Unit) -> bool:
        return await unit.prekey.count({"trustee": desk.reader, "tender_id": ""}) < OPENING_KEYS_LOW

    if not await database.read(lacking):
        return 0
    return await database.write(lambda unit: opening_keys.stock(unit, desk, entropy=world.entropy))
