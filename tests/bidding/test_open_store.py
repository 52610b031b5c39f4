"""Clients put segments straight into a real object store: the door carries no body, asks the store, and locks."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import itertools
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest
import urllib3
from litestar import Litestar
from litestar.datastructures import State

from bidding import keeping, uploads
from bidding.client.server import Server
from bidding.door import routes
from crypto import words
from crypto.refusal import Refused
from crypto.terminal import Told, Unreachable
from storage import s3
from storage.blobs import OpenStore
from storage.world import RealWorld
from trading.counter import problems
from trading.counter.service import Service
from trading.people import tokens

pytestmark = pytest.mark.servers
Play = Callable[..., None]
ROOMS = ("crypto", "storage", "trading", "bidding", "portal")
BUCKETS = itertools.count()


class Door:
    """The bidders' door over an object store, asked over HTTP in the same loop."""

    def __init__(self, stage: Any, store: s3.Store) -> None:
        self.stage, self.blobs = stage, s3.S3Blobs(store)
        assert isinstance(self.blobs, OpenStore)
        stage.blobs = self.blobs
        service = Service(
            world=stage.world, database=stage.database, ledger=stage.ledger, blobs=self.blobs, hall=stage.hall
        )
        self.app = Litestar(
            routes.routes(service),
            state=State({"words": words.load(*ROOMS)}),
            exception_handlers={Refused: problems.on_refused},
            openapi_config=None,
        )
        transport = httpx.ASGITransport(app=self.app)  # type: ignore[arg-type]
        self.http = httpx.AsyncClient(transport=transport, base_url="http://localhost:8000")

    async def token(self, company: Any) -> dict[str, str]:
        actor, stage = company.actor, self.stage
        who = {"login": actor.person, "organisation": actor.organisation, "role": actor.role}
        given = await stage.database.write(
            lambda unit: tokens.give(unit, **who, now=stage.now, hall=stage.hall)  # type: ignore[arg-type]
        )
        return {"authorization": f"Bearer {given}"}

    async def begin(self, segments: list[bytes], mine: Mapping[str, str]) -> dict[str, Any]:
        leaves = [hashlib.sha256(each).hexdigest() for each in segments]
        body = {"lot": self.stage.lot, "size": sum(map(len, segments)), "leaves": leaves}
        begun = await self.http.post("/api/v1/bidding/uploads", json=body, headers=mine)
        assert begun.status_code == 200, begun.text
        return dict(begun.json())

    async def upload(self, sealed: Any, mine: Mapping[str, str], *, stop_after: int | None = None) -> list[str]:
        ids = []
        for segments in sealed.bodies:
            begun = await self.begin(segments, mine)
            for target in begun["targets"][:stop_after]:
                assert await store_put(target, segments[target["index"]]) == 200
            ids.append(begun["id"])
        return ids

    async def submit(self, sealed: Any, mine: Mapping[str, str]) -> Any:
        return await self.http.post(
            "/api/v1/bidding/submit", json=msgspec.to_builtins(sealed.command()), headers=dict(mine)
        )


async def store_put(target: Mapping[str, Any], data: bytes) -> int:
    done = await asyncio.to_thread(urllib3.request, "PUT", target["url"], body=data, headers=target["headers"])
    return done.status


async def fresh(store: s3.Store) -> s3.Store:
    """A bucket of its own: seeded bids of two tests are the same bytes, and one test may have locked them."""
    own = dataclasses.replace(store, bucket=f"segments-{next(BUCKETS)}")
    await s3.S3Blobs(own).prepare(entropy=RealWorld().entropy)
    return own


def at_the_door(play: Play, store: s3.Store, scenario: Callable[[Any, Door], Any]) -> None:
    async def whole(stage: Any) -> None:
        door = Door(stage, await fresh(store))
        stop = asyncio.Event()

        async def sequencer() -> None:
            while not stop.is_set():
                await stage.sequence()
                await asyncio.sleep(0.05)

        running = asyncio.create_task(sequencer())
        try:
            await scenario(stage, door)
        finally:
            stop.set()
            await running
            await door.http.aclose()

    play(whole)


def names(sealed: Any) -> list[str]:
    return [hashlib.sha256(each).hexdigest() for segments in sealed.bodies for each in segments]


def test_a_bid_whose_bytes_no_door_saw_is_taken_and_locked(play: Play, seaweed: s3.Store) -> None:
    async def scenario(stage: Any, door: Door) -> None:
        company = stage.keys.bidders[0]
        mine = await door.token(company)
        sealed = await stage.seal(company, files={"大.pdf": bytes(2 << 20)})
        sealed.uploads = await door.upload(sealed, mine, stop_after=1)
        early = await door.submit(sealed, mine)
        assert early.status_code == 422 and early.json()["rule"] == "E-37", "the store was asked, and lacks segments"
        told = (await door.http.get(f"/api/v1/bidding/uploads/{sealed.uploads[1]}", headers=mine)).json()
        assert told["here"] == [0] and told["missing"] == [1, 2, 3]
        resumed = await door.begin(sealed.bodies[1], mine)
        assert [target["index"] for target in resumed["targets"]] == [1, 2, 3], "it goes on where it stopped"
        for target in resumed["targets"]:
            assert target["url"].startswith(f"http://{seaweed.endpoint}/segments-")
            assert await store_put(target, sealed.bodies[1][target["index"]]) == 200
        # Nobody asked for the status in between: the submission itself asks the store.
        taken = await door.submit(sealed, mine)
        assert taken.status_code == 200 and taken.json()["receipt"]["status"] == "sequenced", taken.text
        for _ in range(60):
            kept = [await door.blobs.kept_until(name) for name in names(sealed)]
            if all(kept):
                break
            await asyncio.sleep(0.1)
        assert all(one is not None and one.year == stage.now.year + 15 for one in kept), kept
        for name in names(sealed):
            with pytest.raises(Refused, match="segment_locked"):
                await door.blobs.delete(name)
        stage.wait(8 * 86_400)
        assert await uploads.drop_abandoned(stage.database, door.blobs, now=stage.now) == 0

    at_the_door(play, seaweed, scenario)


def test_what_is_not_submitted_has_no_lock_and_goes_after_seven_days_even_unasked(
    play: Play, seaweed: s3.Store
) -> None:
    async def scenario(stage: Any, door: Door) -> None:
        company = stage.keys.bidders[0]
        sealed = await stage.seal(company)
        await door.upload(sealed, await door.token(company))
        assert [await door.blobs.kept_until(name) for name in names(sealed)] == [None] * len(names(sealed))
        stage.wait(7 * 86_400 + 1)
        assert await uploads.drop_abandoned(stage.database, door.blobs, now=stage.now) == 2
        assert [await door.blobs.size(name) for name in names(sealed)] == [None] * len(names(sealed))

    at_the_door(play, seaweed, scenario)


def test_the_freeze_locks_what_the_door_left_open(play: Play, seaweed: s3.Store) -> None:
    async def scenario(stage: Any) -> None:
        stage.blobs = blobs = s3.S3Blobs(await fresh(seaweed))
        bids = [await stage.hand_in(one) for one in stage.keys.bidders[:3]]
        assert await keeping.run_due(stage.database, blobs, stage.lot, now=stage.now) == 0, "not before the freeze"
        await stage.freeze()
        count = await keeping.run_due(stage.database, blobs, stage.lot, now=stage.now)
        assert count == sum(len(names(each)) for each in bids)
        assert await keeping.run_due(stage.database, blobs, stage.lot, now=stage.now) == 0, "once"
        assert await blobs.kept_until(names(bids[0])[0]) is not None

    play(scenario)


def test_another_organisation_gets_no_address_for_a_foreign_upload(play: Play, seaweed: s3.Store) -> None:
    async def scenario(stage: Any, door: Door) -> None:
        one, other = stage.keys.bidders[:2]
        sealed = await stage.seal(one)
        ids = await door.upload(sealed, await door.token(one))
        theirs = await door.token(other)
        answer = await door.http.get(f"/api/v1/bidding/uploads/{ids[0]}", headers=theirs)
        assert answer.status_code in (404, 422) and answer.json()["code"] == "upload_unknown"

    at_the_door(play, seaweed, scenario)


def test_the_client_takes_412_for_arrived_and_keeps_its_token_from_the_store(seaweed: s3.Store) -> None:
    data = b"client" * 99
    name = hashlib.sha256(data).hexdigest()
    target = s3.S3Blobs(seaweed).direct(name, len(data))
    seen: list[httpx.Request] = []
    http = httpx.Client(trust_env=False, event_hooks={"request": [seen.append]})
    # A store behind the hall's own address must not see the token either.
    server = Server(f"http://{seaweed.endpoint}", token="secret-token", http=http)
    server.put(target.url, data, target.headers)
    server.put(target.url, data, target.headers)
    assert len(seen) == 2 and not any("authorization" in request.headers for request in seen)
    then = datetime.now(UTC) - timedelta(hours=2)
    stale = s3.S3Blobs(seaweed, clock=lambda: then).direct(name, len(data))
    with pytest.raises(Told) as expired:
        server.put(stale.url, data, stale.headers)
    assert expired.value.problem["code"] == "address_expired"
    other = s3.S3Blobs(seaweed).direct(hashlib.sha256(data[::-1]).hexdigest(), len(data))
    with pytest.raises(Unreachable) as damaged:
        server.put(other.url, b"!" + data[1:], other.headers)
    assert "Signature" not in str(damaged.value), "no signed address in a message"
