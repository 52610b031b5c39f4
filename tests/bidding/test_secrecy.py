"""What nobody learns before the opening, and what an accepted bid costs: constant, however many are there."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from bidding import commands, evidence, opening, queries, uploads
from crypto import signing
from crypto.opening.examination import Evidence
from crypto.refusal import Refused
from storage.unit import Database

Play = Callable[..., None]
MARK = b"MARKER-6f1c9e-price-and-method"


def spellings(secret: bytes) -> Iterator[bytes]:
    """A secret as it might lie somewhere: plain, hex, base64 in its three phases, JSON-escaped."""
    yield secret
    yield secret.hex().encode()
    for phase in range(3):
        yield base64.b64encode(b"\0" * phase + secret)[4:-4]
    yield json.dumps(secret.decode()).strip('"').encode()


def cells(database: Database) -> Iterator[bytes]:
    """Every cell of every table, and what it holds compressed."""
    for table in database.engine.tables.values():  # type: ignore[attr-defined]
        for row in table.rows.values():
            for value in row.values():
                yield value if isinstance(value, bytes) else str(value).encode()


def unpacked(data: bytes) -> Iterator[bytes]:
    yield data
    for unpack in (zlib.decompress, gzip.decompress):
        try:
            yield unpack(data)
        except (zlib.error, OSError, EOFError):
            continue


def found(stage: Any, secret: bytes) -> list[str]:
    """Where a secret can be read: cells of the database, stored segments."""
    wanted = list(spellings(secret))
    places = []
    for data in cells(stage.database):
        if any(each in text for text in unpacked(data) for each in wanted):
            places.append(f"database: {data[:60]!r}")
    for path in stage.blobs._folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            if any(each in text for text in unpacked(data) for each in wanted):
                places.append(f"blobs: {path.name}")
    return places


def test_operator_reading_losing_documents_from_database_blobs_and_log_finds_nothing(play: Play, caplog: Any) -> None:
    async def scenario(stage: Any) -> None:
        for n, one in enumerate(stage.keys.bidders[:3]):
            await stage.hand_in(one, price_fen=7_654_321_098 + n, files={"a.pdf": MARK * 100})
        price = b"7654321098"
        assert found(stage, MARK) == [] and found(stage, price) == []
        await stage.open()
        assert found(stage, MARK) == [], "documents stay sealed for ever"
        assert found(stage, price) != [], "the test can see: the record is public after the opening"
        assert MARK.decode() not in caplog.text

    play(scenario)


def test_a_bidder_cannot_count_the_others_by_prev_ids_or_sizes(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        async def mine(others: int) -> list[dict[str, Any]]:
            """What a bidder sees of its own acts when this many others came in between."""
            company = stage.keys.bidders[0]
            before = await stage.database.read(
                lambda unit: unit.event.find({"actor": company.actor.person}, order=("at",))
            )
            for one in stage.keys.bidders[1 : 1 + others]:
                await stage.hand_in(one, version=len(before) + 1)
            sealed = await stage.hand_in(company, version=len(before) + 1)
            outcome = await stage.submit(sealed)
            return [dict(outcome.events[0].act)]

        alone, crowded = await mine(0), await mine(4)
        for acts in (alone, crowded):
            assert set(acts[0]) == set(alone[0]), "the same fields, whoever else is there"
            assert not {"seq", "index", "n"} & set(acts[0])
        own = await stage.database.read(
            lambda unit: unit.event.find({"actor": stage.keys.bidders[0].actor.person, "public": 0})
        )
        leaves = {row["leaf_hash"] for row in own} | {"0" * 64}
        assert {row["prev"] for row in own} <= leaves, "prev names own acts only"
        assert len({len(row["id"]) for row in own}) == 1
        told = await stage.database.read(lambda unit: queries.own(unit, stage.lot, actor=stage.keys.bidders[0].actor))
        assert {row["bid"] for row in told["bids"]} == {row["body"]["bid"] for row in own if row["kind"] == "submit"}
        stranger = await stage.database.read(
            lambda unit: queries.own(unit, stage.lot, actor=stage.keys.bidders[5].actor)
        )
        assert stranger["bids"] == []

    play(scenario)


def test_an_accepted_bid_costs_the_same_number_of_statements_from_1_to_200_bids(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        costs: dict[int, tuple[int, int]] = {}
        # One organisation a bid, without the price of making two hundred keys. The very first bid also reads what the
        # process keeps from then on; 50 and 100 replace a bid of the same organisation.
        companies = {0: 0, 1: 1, 50: 1, 100: 1, 199: 2}
        for n in range(200):
            if n in companies:
                sealed = await stage.seal(stage.keys.bidders[companies[n]], version=n + 1)
                before = stage.database.statements
                await stage.upload(sealed)
                uploaded = stage.database.statements
                await stage.submit(sealed)
                costs[n] = (uploaded - before, stage.database.statements - uploaded)
            else:
                await pretend(stage, n)
        assert costs[1] == costs[199] and costs[50] == costs[100], costs
        assert costs[1][1] <= costs[50][1] < 30, costs

    play(scenario)


async def pretend(stage: Any, number: int) -> None:
    """A submission of one more organisation, as rows."""

    async def insert(unit: Any) -> None:
        row = {"id": f"{number:032x}", "lot": stage.lot, "organisation": f"org-{number}", "bid_version": 1}
        told = {"received_at": "2026-03-02T01:00:00.000Z", "digest": f"{number:064x}", "body": {}}
        await unit.submission.insert({**row, **told})

    await stage.database.write(insert)


def test_a_bid_writes_no_row_that_another_bid_reads_or_writes(play: Play) -> None:
    """What a thousand bids at one instant would queue for: nothing but rows of their own."""

    async def scenario(stage: Any) -> None:
        sealed = [await stage.seal(one) for one in stage.keys.bidders[:2]]
        for each in sealed:
            await stage.upload(each)
        before = versions(stage.database)
        await stage.submit(sealed[0])
        middle = versions(stage.database)
        await stage.submit(sealed[1])
        after = versions(stage.database)
        first = {key for key in middle if middle[key] != before.get(key)}
        second = {key for key in after if after[key] != middle.get(key)}
        assert first and second and not first & second

    play(scenario)


def versions(database: Database) -> dict[tuple[Any, ...], int]:
    tables: dict[str, Any] = database.engine.tables  # type: ignore[attr-defined]
    return {(name, *key): row.get("version", 1) for name, table in tables.items() for key, row in table.rows.items()}


@pytest.mark.rule("E-39", "refuse")
def test_nothing_is_shown_to_a_trustee_before_the_freeze(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        await stage.hand_in(stage.keys.bidders[0])
        with pytest.raises(Refused) as err:
            await ask(stage, "t-owner")
        assert (err.value.code, err.value.rule) == ("still_sealed", "E-39")
        with pytest.raises(Refused) as err:
            await stage.database.read(lambda unit: opening.case(unit, stage.lot, hall=stage.hall))
        assert err.value.rule == "E-39"

    play(scenario)


def test_only_a_seated_trustee_with_a_fresh_signature_is_shown_anything(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        for one in stage.keys.bidders[:3]:
            await stage.hand_in(one)
        await stage.freeze()
        await stage.read_log(stage.agents["t-owner"])
        told = await ask(stage, "t-owner")
        assert len(told["submissions"]) == 3 and "person-10" not in json.dumps(told)
        assert "192.0.2.7" not in json.dumps(told), "persons and addresses stay behind their hash"
        with pytest.raises(Refused, match="act_not_signed_by"):
            await ask(stage, "t-owner", signer=stage.agents["t-centre"].signer)
        with pytest.raises(Refused, match="trustee_unknown"):
            await ask(stage, "t-puppet", signer=stage.agents["t-centre"].signer)
        with pytest.raises(Refused, match="request_stale"):
            await ask(stage, "t-owner", at="2026-03-26T00:00:00.000Z")
        with pytest.raises(Refused, match="request_malformed"):
            await ask(stage, "t-owner", origin="another.hall/log")

    play(scenario)


async def ask(stage: Any, id_: str, *, signer: Any = None, **changes: Any) -> dict[str, Any]:
    agent = stage.agents.get(id_)
    request = {
        "kind": "frozen_read",
        "lot": stage.lot,
        "trustee": id_,
        "at": stage.now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{stage.now.microsecond // 1000:03d}Z",
        "size": max(1, agent.log.size) if agent else 1,
        "origin": stage.hall.origin,
        "signatures": [],
        **changes,
    }
    signed = signing.sign_act(request, signer=signer or agent.signer, by="trustee")
    told: dict[str, Any] = await evidence.shown(stage.database, stage.ledger, signed, now=stage.now, hall=stage.hall)
    return told


def test_dropped_bid_is_noticed_by_the_trustees_through_the_receipt(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        bids = [await stage.hand_in(one) for one in stage.keys.bidders[:4]]
        dropped = bids[3]
        event = (await stage.submit(dropped)).events[0].recorded.event
        await stage.sequence()
        receipt = await receipt_of(stage, event)
        table = stage.database.engine.tables["submission"]
        (key,) = [key for key, row in table.rows.items() if row["organisation"] == dropped.company.uscc]
        table.take(key)
        await stage.freeze()
        stage.wait(300)
        await stage.sequence()
        shown = stage.shown

        async def with_receipt(id_: str) -> Evidence:
            return replace(await shown(id_), receipts=(receipt,))

        stage.shown = with_receipt
        step = await stage.trustee("t-owner")
        assert step.code == "receipt_left_out"
        act = await stage.act("ready")
        assert act["refusal"] == "receipt_left_out"

    play(scenario)


def test_a_presented_receipt_is_kept_for_the_trustees_and_mends_the_list(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        bids = [await stage.hand_in(one) for one in stage.keys.bidders[:4]]
        dropped = bids[3]
        event = (await stage.submit(dropped)).events[0].recorded.event
        await stage.sequence()
        receipt = await receipt_of(stage, event)
        table = stage.database.engine.tables["submission"]
        (key,) = [key for key, row in table.rows.items() if row["organisation"] == dropped.company.uscc]
        row = table.take(key)
        await stage.freeze()
        await stage.database.write(lambda unit: evidence.present(unit, stage.lot, receipt, hall=stage.hall))
        table.put(row)
        assert "freeze" in await stage.tick()
        await stage.trustees()
        await stage.tick()
        assert dropped.bid in await stage.record()
        with pytest.raises(Refused, match="receipt"):
            await stage.database.write(lambda unit: evidence.present(unit, stage.lot, b"x", hall=stage.hall))

    play(scenario)


async def receipt_of(stage: Any, event: str) -> bytes:
    from trading.counter.service import Service

    service = Service(
        world=stage.world, database=stage.database, ledger=stage.ledger, blobs=stage.blobs, hall=stage.hall
    )
    told = await service.receipt_of(event)
    assert told["status"] == "sequenced"
    return str(told["proof"]).encode()


def test_an_upload_shows_nothing_of_what_others_stored(play: Play) -> None:
    """The same segment announced by another organisation is not "here": existence would be told."""

    async def scenario(stage: Any) -> None:
        sealed = await stage.seal(stage.keys.bidders[0])
        await stage.upload(sealed)
        leaves = [hashlib.sha256(each).hexdigest() for each in sealed.bodies[1]]
        cmd = uploads.BeginUpload(stage.lot, sealed.headers[1].body_len, leaves)
        other = await stage.do(uploads.begin, cmd, stage.keys.bidders[1].actor)
        assert other.result["missing"] == list(range(len(leaves))) and other.result["id"] not in sealed.uploads
        assert commands.REVOCATIONS

    play(scenario)
