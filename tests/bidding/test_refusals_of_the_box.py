"""Refusals of this room that no other test provokes; the test is named after the code (docs/threats.md lists them)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from bidding import announcement, box, ceremony, evidence, lots, objections, opening, reading
from crypto import jcs
from crypto.ledger import receipt as receipts
from crypto.refusal import Refused
from trading.lifecycle import State

Play = Callable[..., None]


@pytest.mark.rule("E-36", "refuse")
def test_bidding_not_open() -> None:
    """A lot that was terminated ahead of its deadline takes nothing, though the deadline has not come."""
    before = datetime(2026, 3, 20, tzinfo=UTC)
    lot = box.Lot(SimpleNamespace(), State.TERMINATED, datetime(2026, 3, 26, tzinfo=UTC))  # type: ignore[arg-type]
    with pytest.raises(Refused) as err:
        box.check_open(lot, now=before)
    assert (err.value.code, err.value.rule) == ("bidding_not_open", "E-36")


@pytest.mark.parametrize("text", ["ABC", "AB==\n", "é", "zz", "AA=A", "A" * 5])
def test_bid_field_malformed_base64(text: str) -> None:
    with pytest.raises(Refused) as err:
        box.unbase64(text, "headers")
    assert err.value.code == "bid_field_malformed" and err.value.facts["field"] == "headers"


@pytest.mark.parametrize("text", ["AB", "a", "zz", "ab cd", " ab"])
def test_bid_field_malformed_hex(text: str) -> None:
    with pytest.raises(Refused) as err:
        box.unhex(text, "salt")
    assert err.value.code == "bid_field_malformed" and err.value.facts["field"] == "salt"


def test_bid_field_malformed_at_the_door(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        sealed = await stage.seal(stage.keys.bidders[0])
        await stage.upload(sealed)
        for field, value in (("signature", "AB" * 64), ("salt", "zz"), ("certificate", "%%"), ("headers", ["%%"])):
            with pytest.raises(Refused, match="bid_field_malformed"):
                await stage.submit(sealed, **{field: value})

    play(scenario)


def test_receipt_of_another_lot_and_receipts_too_many(play: Play) -> None:
    """Nobody fills the trustees' table with receipts that are none, nor with receipts of other acts."""

    async def scenario(stage: Any) -> None:
        from trading.counter.service import Service

        sealed = await stage.seal(stage.keys.bidders[0])
        await stage.upload(sealed)
        outcome = await stage.submit(sealed)
        await stage.sequence()
        made = Service(
            world=stage.world, database=stage.database, ledger=stage.ledger, blobs=stage.blobs, hall=stage.hall
        )
        upload = (await stage.database.read(lambda unit: unit.event.find({"kind": "upload"})))[0]["id"]
        of_upload = str((await made.receipt_of(upload))["proof"]).encode()
        right = str((await made.receipt_of(outcome.events[0].recorded.event))["proof"]).encode()

        async def present(data: bytes) -> None:
            await stage.database.write(lambda unit: evidence.present(unit, stage.lot, data, hall=stage.hall))

        with pytest.raises(Refused, match="receipt_of_another_lot"):
            await present(of_upload)
        await present(right)

        for word in ("one", "two", "three"):
            parsed, extra = receipts.parse(right)
            varied = replace(parsed, extra=jcs.dumps({**extra, "context": {"lot": word}}))
            await present(varied.encode())
        rows = await stage.database.read(lambda unit: unit.object.find({"lot": stage.lot, "kind": lots.PRESENTED}))
        assert len(rows) == 1, "what no signature covers makes no second receipt"
        company = stage.keys.bidders[0]
        for version in range(2, evidence.PRESENTED_BY_ONE_MAX + 2):
            again = await stage.hand_in(company, version=version)
            event = (await stage.submit(again)).events[0].recorded.event
            await stage.sequence()
            proof = str((await made.receipt_of(event))["proof"]).encode()
            if version <= evidence.PRESENTED_BY_ONE_MAX:
                await present(proof)
        with pytest.raises(Refused, match="receipts_too_many"):
            await present(proof)
        rival = await stage.hand_in(stage.keys.bidders[1])
        event = (await stage.submit(rival)).events[0].recorded.event
        await stage.sequence()
        await present(str((await made.receipt_of(event))["proof"]).encode())

    play(scenario)


def test_rescue_window_closed() -> None:
    """A disclosure after the first release would clear a bidder that already saw who answers."""
    header, freeze = bytes(32), b"\1" * 32
    complaint = {"header": header.hex(), "lock": 0, "index": 1}
    view = _view(freeze, complaint)
    view.releases = (SimpleNamespace(act={"freeze": freeze.hex()}),)
    with pytest.raises(Refused, match="rescue_window_closed"):
        ceremony.check_rescue(view, header=header.hex(), now=datetime(2026, 3, 26, 2, tzinfo=UTC))
    view.releases = ()
    assert ceremony.check_rescue(view, header=header.hex(), now=datetime(2026, 3, 26, 2, tzinfo=UTC)) is None


def _view(freeze: bytes, complaint: dict[str, Any]) -> Any:
    lock = SimpleNamespace(t=2, n=3)
    terms = SimpleNamespace(roster=SimpleNamespace(locks=(lock, lock)), rescue_s=600, challenge_s=300)
    act = {"trustee": "t", "lock": 0, "index": 1, "freeze": freeze.hex(), "refusal": None, "complaints": [complaint]}
    ready = SimpleNamespace(act={**act, "at": "2026-03-26T01:10:00.000Z", "draws": []}, leaf=bytes(32), index=9)
    return SimpleNamespace(terms=terms, freeze=SimpleNamespace(leaf=freeze), ready=(ready,), releases=())


@pytest.mark.parametrize("sealed", [["ab"], ["AB" * 80, "ab" * 80], ["ab" * 80], ["ab" * 80] * 3, ["zz" * 80] * 2])
def test_rescue_malformed(sealed: list[str]) -> None:
    assert ceremony.SEALED_BYTES == 80
    with pytest.raises(Refused, match="rescue_malformed"):
        ceremony.check_sealed_secrets({"room": sealed}, locks=2)


def test_shares_fields() -> None:
    """A release whose shares repeat a header, stand out of order or have other parts is no release."""
    one, two = "11" * 32, "22" * 32
    for shares in (
        None,
        {"record": []},
        {"record": [{"header": one}, {"header": one}], "documents": [], "draws": []},
        {"record": [{"header": two}, {"header": one}], "documents": [], "draws": []},
        {"record": ["x"], "documents": [], "draws": []},
    ):
        with pytest.raises(Refused, match="shares_fields"):
            ceremony.check_release(shares, listed={one: 0, two: 0}, complained=(), draws=())


def test_opening_key_lost(play: Play) -> None:
    """Who destroys the room's key delays the opening in sight; nothing is announced without it."""

    async def scenario(stage: Any) -> None:
        for company in stage.keys.bidders[:3]:
            await stage.hand_in(company)
        await stage.freeze()
        await stage.trustees()
        found = await stage.database.read(lambda unit: opening.case(unit, stage.lot, hall=stage.hall))
        stage.room.vault.destroy(found.terms.opening_keys["room"].hex())
        with pytest.raises(Refused, match="opening_key_lost"):
            announcement.opening_key(found, stage.room)

    play(scenario)


@pytest.mark.rule("E-56", "refuse")
def test_valid_bid_left_out() -> None:
    rows = [{"bid": "aa" * 32, "verdict": "valid", "consequence": "opened"}]
    with pytest.raises(Refused) as err:
        ceremony.check_record(rows, [])
    assert (err.value.code, err.value.rule) == ("valid_bid_left_out", "E-56")


@pytest.mark.rule("E-54", "refuse")
def test_bid_not_opened() -> None:
    row = {"bid": "aa" * 32, "verdict": "invalid", "consequence": "deemed_revoked"}
    with pytest.raises(Refused) as err:
        ceremony.check_opened(row)
    assert (err.value.code, err.value.rule) == ("bid_not_opened", "E-54")


@pytest.mark.rule("E-60", "refuse")
def test_bid_unknown_and_opening_objection_too_late(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        bids = [await stage.hand_in(company) for company in stage.keys.bidders[:3]]
        await stage.open()

        async def read(bid: str, envelope: int) -> None:
            cmd = reading.ReadBid(stage.lot, bid, envelope, None)
            await reading.read(
                stage.database,
                stage.blobs,
                cmd,
                actor=stage.keys.owner.actor,
                now=stage.now,
                hall=stage.hall,
                room=stage.room,
            )

        await read(bids[0].bid, 1)
        for bid, envelope in (("00" * 32, 1), (bids[0].bid, 2), (bids[0].bid, -1)):
            with pytest.raises(Refused, match="bid_unknown"):
                await read(bid, envelope)
        with pytest.raises(Refused) as err:
            objections._check_on_the_spot(State.EVALUATING)
        assert (err.value.code, err.value.rule) == ("opening_objection_too_late", "E-60")

    play(scenario)
