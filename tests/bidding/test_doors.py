"""The doors over HTTP: uploads resumed, receipts that verify offline, own bids, refusals as problems, bounds."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar
from litestar.datastructures import State

from bidding import trustee_commands, uploads
from bidding.door import reading_routes, routes
from bidding.trustee_door import routes as trustee_routes
from crypto import words
from crypto.ledger import receipt
from crypto.refusal import Refused
from trading.counter import problems
from trading.counter.service import Service
from trading.people import tokens

Play = Callable[..., None]
ROOMS = ("crypto", "storage", "trading", "bidding", "portal")


class Door:
    """The routes of this room as one application, asked over HTTP in the same loop."""

    def __init__(self, stage: Any) -> None:
        self.stage = stage
        service = Service(
            world=stage.world, database=stage.database, ledger=stage.ledger, blobs=stage.blobs, hall=stage.hall
        )
        handlers = [
            *routes.routes(service),
            *reading_routes.routes(service, stage.room),
            *trustee_routes.routes(service),
        ]
        self.app = Litestar(
            handlers,
            state=State({"words": words.load(*ROOMS)}),
            exception_handlers={Refused: problems.on_refused},
            openapi_config=None,
        )
        transport = httpx.ASGITransport(app=self.app)  # type: ignore[arg-type]
        self.http = httpx.AsyncClient(transport=transport, base_url="http://localhost:8000")

    async def token(self, company: Any) -> dict[str, str]:
        actor = company.actor
        given = await self.stage.database.write(
            lambda unit: tokens.give(
                unit,
                login=actor.person,
                organisation=actor.organisation,
                role=actor.role,
                now=self.stage.now,
                hall=self.stage.hall,
            )
        )
        return {"authorization": f"Bearer {given}"}

    async def upload(self, sealed: Any, headers: dict[str, str], *, stop_after: int | None = None) -> list[str]:
        ids = []
        for segments in sealed.bodies:
            leaves = [hashlib.sha256(each).hexdigest() for each in segments]
            body = {"lot": self.stage.lot, "size": sum(map(len, segments)), "leaves": leaves}
            begun = await self.http.post("/api/v1/bidding/uploads", json=body, headers=headers)
            assert begun.status_code == 200, begun.text
            for target in begun.json()["targets"][:stop_after]:
                put = await self.http.put(target["url"], content=segments[target["index"]], headers=headers)
                assert put.status_code == 200, put.text
            ids.append(begun.json()["id"])
        return ids


def at_the_door(play: Play, scenario: Callable[[Any, Door], Any]) -> None:
    async def whole(stage: Any) -> None:
        door = Door(stage)
        stop = asyncio.Event()

        async def sequencer() -> None:
            while not stop.is_set():
                await stage.sequence()
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), 0.05)

        running = asyncio.create_task(sequencer())
        try:
            await scenario(stage, door)
        finally:
            stop.set()
            await running
            await door.http.aclose()

    play(whole)


def test_a_bid_goes_through_the_door_and_its_receipt_verifies_offline(play: Play) -> None:
    async def scenario(stage: Any, door: Door) -> None:
        company = stage.keys.bidders[0]
        mine = await door.token(company)
        sealed = await stage.seal(company, files={"大.pdf": bytes(2 << 20)})
        sealed.uploads = await door.upload(sealed, mine, stop_after=1)
        there = (await door.http.get(f"/api/v1/bidding/uploads/{sealed.uploads[1]}", headers=mine)).json()
        assert there["here"] == [0] and there["missing"] == [1, 2, 3]
        body = msgspec.to_builtins(sealed.command())
        early = await door.http.post("/api/v1/bidding/submit", json=body, headers=mine)
        assert early.status_code == 422 and early.json()["rule"] == "E-37"
        assert await door.upload(sealed, mine) == sealed.uploads, "the upload goes on where it stopped"
        answer = (await door.http.post("/api/v1/bidding/submit", json=body, headers=mine)).json()
        assert answer["receipt"]["status"] == "sequenced"
        proved = receipt.verify(answer["receipt"]["proof"].encode(), stage.keys.trust)
        assert proved.event["public"]["bid"] == sealed.bid
        again = (await door.http.post("/api/v1/bidding/submit", json=body, headers=mine)).json()
        event = answer["events"][0]["id"]
        assert again["events"][0]["id"] == event
        later = (await door.http.get(f"/api/v1/bidding/receipts/{event}", headers=mine)).json()
        assert receipt.verify(later["proof"].encode(), stage.keys.trust).event == proved.event
        own = (await door.http.get(f"/api/v1/bidding/lots/{stage.lot}/own", headers=mine)).json()
        assert [(row["bid"], row["status"]) for row in own["bids"]] == [(sealed.bid, "standing")]
        others = await door.token(stage.keys.bidders[1])
        strange = await door.http.get(f"/api/v1/bidding/receipts/{event}", headers=others)
        assert strange.json()["code"] == "receipt_unknown"
        hidden = await door.http.get(f"/api/v1/bidding/uploads/{sealed.uploads[0]}", headers=others)
        assert hidden.json()["code"] == "upload_unknown"

    at_the_door(play, scenario)


def test_a_late_bid_is_told_in_both_languages_with_its_rule(play: Play) -> None:
    async def scenario(stage: Any, door: Door) -> None:
        company = stage.keys.bidders[0]
        sealed = await stage.seal(company)
        await stage.upload(sealed)
        stage.until((await stage.tender()).deadline)
        body = msgspec.to_builtins(sealed.command())
        answer = await door.http.post("/api/v1/bidding/submit", json=body, headers=await door.token(company))
        told = answer.json()
        assert (answer.status_code, told["code"], told["rule"]) == (422, "bid_received_after_deadline", "E-36")
        assert "逾期" in told["message"]["zh"] and "2026-03-26T01:00:00.000Z" in told["message"]["en"]

    at_the_door(play, scenario)


def test_a_segment_longer_than_announced_is_refused_before_it_is_held(play: Play) -> None:
    async def scenario(stage: Any, door: Door) -> None:
        taken = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal taken
            while True:
                taken += 1
                yield bytes(65_536)

        place = uploads.Slot("u", 0, "ab" * 32, 1 << 20)
        with pytest.raises(Refused, match="upload_segment_length"):
            await routes.take(endless(), place)
        assert taken == 17, "one piece more than fits"

    at_the_door(play, scenario)


def test_strangers_get_problems_not_tracebacks(play: Play) -> None:
    async def scenario(stage: Any, door: Door) -> None:
        mine = await door.token(stage.keys.bidders[0])
        owner = await door.token(stage.keys.owner)
        for path in ("submit", "withdraw", "uploads", "frozen", "present", "read", "ready", "release", "pre_keys"):
            for content in (b"", b"[]", b"{", b'{"a":1,"a":2}', b'{"x":NaN}', b'{"unknown":1}'):
                answer = await door.http.post(
                    f"/api/v1/bidding/{path}", content=content, headers={**mine, "content-type": "application/json"}
                )
                assert answer.status_code in (400, 403, 422), (path, content, answer.status_code, answer.text)
        nobody = await door.http.post("/api/v1/bidding/submit", json={})
        assert nobody.status_code in (400, 401)
        body = {"lot": stage.lot, "size": 66_000, "leaves": []}
        assert (await door.http.post("/api/v1/bidding/uploads", json=body, headers=owner)).status_code == 403

    at_the_door(play, scenario)


def test_trustees_are_shown_what_was_frozen_over_http(play: Play) -> None:
    async def scenario(stage: Any, door: Door) -> None:
        from crypto import signing

        for one in stage.keys.bidders[:3]:
            await stage.hand_in(one)
        await stage.freeze()
        agent = stage.agents["t-owner"]
        await stage.read_log(agent)
        request = {
            "kind": "frozen_read",
            "lot": stage.lot,
            "trustee": "t-owner",
            "at": stage.now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{stage.now.microsecond // 1000:03d}Z",
            "size": agent.log.size,
            "origin": stage.hall.origin,
        }
        signed = signing.sign_act(request, signer=agent.signer, by="trustee")
        told = await door.http.post("/api/v1/bidding/frozen", json={"request": signed})
        assert told.status_code == 200 and len(told.json()["submissions"]) == 3
        phase = (await door.http.get(f"/api/v1/bidding/lots/{stage.lot}/stage")).json()
        assert phase["phase"] == "challenge" and phase["n"] == 3
        stale = signing.sign_act({**request, "at": "2026-03-02T01:00:00.000Z"}, signer=agent.signer, by="trustee")
        assert (await door.http.post("/api/v1/bidding/frozen", json={"request": stale})).json()[
            "code"
        ] == "request_stale"

    at_the_door(play, scenario)


def test_a_reader_is_given_one_file_as_a_stream(play: Play) -> None:
    async def scenario(stage: Any, door: Door) -> None:
        content = b"how it is built " * 50_000
        bids = [await stage.hand_in(stage.keys.bidders[0], files={"技术标.pdf": content})]
        bids += [await stage.hand_in(one) for one in stage.keys.bidders[1:3]]
        await stage.open()
        owner = await door.token(stage.keys.owner)
        body = {"lot": stage.lot, "bid": bids[0].bid, "envelope": 1}
        page = (await door.http.post("/api/v1/bidding/read", json=body, headers=owner)).json()
        assert [each["name"] for each in page["files"]] == ["技术标.pdf"]
        given = await door.http.post("/api/v1/bidding/read", json={**body, "file": "技术标.pdf"}, headers=owner)
        assert given.content == content and "attachment" in given.headers["content-disposition"]
        stranger = await door.token(bids[1].company)
        refused = await door.http.post("/api/v1/bidding/read", json={**body, "file": "技术标.pdf"}, headers=stranger)
        assert refused.status_code == 403

    at_the_door(play, scenario)


def test_a_release_may_be_larger_than_other_requests_and_has_its_own_bound(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        door = Door(stage)
        for size, code in ((3 << 20, None), (trustee_commands.RELEASE_BYTES_MAX + 1, "body_too_large")):
            body = b'{"lot":"' + b"x" * (size - 10) + b'"}'
            answer = await door.http.post(
                "/api/v1/bidding/release", content=body, headers={"content-type": "application/json"}
            )
            assert answer.status_code in (400, 413, 422)
            assert (b"body_too_large" in answer.content or answer.status_code == 413) == (code is not None), size
        small = await door.http.post(
            "/api/v1/bidding/ready",
            content=b'{"lot":"' + b"x" * (3 << 20) + b'"}',
            headers={"content-type": "application/json"},
        )
        assert small.status_code == 413

    play(scenario)
