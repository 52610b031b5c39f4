"""Trustees who complain of a header: what it costs a liar, what clears the bidder, what it never stops."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from bidding import ceremony, commands, trustee_commands
from bidding.desk import disclose_pages
from crypto import jcs, release
from crypto.refusal import Refused
from crypto.sealing import hpke

Play = Callable[..., None]


async def complaints(stage: Any, bid: Any, names: tuple[str, ...]) -> None:
    """READY of everybody; these trustees complain falsely of the bid's documents."""
    header = bid.headers[1].hash().hex()

    def complain(step: Any) -> Any:
        assert isinstance(step, release.SaysReady)
        place = {"lock": step.act["lock"], "index": step.act["index"]}
        return replace(step, act={**step.act, "complaints": [{"header": header, **place}]})

    stage.wait(300)
    await stage.sequence()
    for id_ in stage.agents:
        await stage.trustee(id_, act=complain if id_ in names else None)


def without(bid: Any) -> Callable[[Any], Any]:
    """A release that leaves the bid's documents out, as its complainer must."""
    header = bid.headers[1].hash().hex()

    def leave_out(step: Any) -> Any:
        assert isinstance(step, release.Releases)
        value = json.loads(step.shares)
        value["documents"] = [row for row in value["documents"] if row["header"] != header]
        shares = jcs.dumps(value)
        return replace(step, shares=shares, act={**step.act, "shares_hash": hashlib.sha256(shares).hexdigest()})

    return leave_out


async def releases(stage: Any, bid: Any, names: tuple[str, ...]) -> None:
    stage.wait(600)
    await stage.sequence()
    for id_ in stage.agents:
        await stage.trustee(id_, act=without(bid) if id_ in names else None)
    await stage.tick()


def test_a_false_complaint_of_one_trustee_is_named_and_stops_nothing(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        bids = await stage.three()
        await stage.freeze()
        await complaints(stage, bids[0], ("t-regulator",))
        await releases(stage, bids[0], ("t-regulator",))
        row = (await stage.verdicts())[bids[0].bid]
        assert (row["verdict"], row["complainers"]) == ("valid", ["t-regulator"])

    play(scenario)


def test_below_the_threshold_by_complaints_and_not_disclosed_is_deemed_revoked(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        bids = await stage.three()
        await stage.freeze()
        liars = ("t-regulator", "t-inspector")
        await complaints(stage, bids[0], liars)
        await releases(stage, bids[0], liars)
        row = (await stage.verdicts())[bids[0].bid]
        assert (row["verdict"], row["code"], row["consequence"]) == ("unopened", "complaints", "deemed_revoked")
        assert row["complainers"] == sorted(liars)
        assert set(await stage.record()) == {each.bid for each in bids[1:]}

    play(scenario)


async def rescue(stage: Any, bid: Any) -> disclose_pages.Rescue:
    """What the bidder's page says of complaints."""
    now, actor = stage.world.now(), bid.company.actor
    return await stage.database.read(
        lambda unit: disclose_pages.rescue(unit, stage.lot, actor, now=now, hall=stage.hall)
    )


async def disclose(stage: Any, bid: Any, secrets: Any, *, company: Any = None) -> None:
    company = company or bid.company
    freeze = bytes.fromhex((await stage.tender()).freeze)
    tender = await stage.act("tender")
    hashed = bid.headers[1].hash()
    sealed = {
        reader: [
            b"".join(
                hpke.seal_derand(
                    bytes.fromhex(tender["opening_keys"][reader]),
                    ceremony.rescue_info(freeze, number, hashed),
                    stage.world.entropy(32),
                    secret,
                )
            ).hex()
            for number, secret in enumerate(secrets)
        ]
        for reader in ("room", "verifier")
    }
    cmd = commands.Disclose(stage.lot, hashed.hex(), sealed["room"], sealed["verifier"])
    await stage.sign(commands.disclose, cmd, company.actor, company.signer, "bidder")
    await stage.sequence()


def test_a_bidder_that_discloses_its_secrets_is_opened_and_the_complainers_are_named(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        bids = await stage.three()
        await stage.freeze()
        liars = ("t-regulator", "t-inspector")
        await complaints(stage, bids[0], liars)
        told = await rescue(stage, bids[0])
        assert [(one.header, one.trustees) for one in told.headers] == [
            (bids[0].headers[1].hash().hex(), sorted(liars))
        ]
        assert told.owed and told.freeze and len(told.ready) == 2
        assert (await rescue(stage, bids[1])) == disclose_pages.NOTHING, "another's complaint is nobody's business"
        with pytest.raises(Refused, match="rescue_not_needed"):
            await disclose(stage, bids[1], bids[1].secrets[1])
        with pytest.raises(Refused, match="bid_not_own"):
            await disclose(stage, bids[0], bids[0].secrets[1], company=bids[1].company)
        await disclose(stage, bids[0], bids[0].secrets[1])
        assert not (await rescue(stage, bids[0])).owed
        await releases(stage, bids[0], liars)
        row = (await stage.verdicts())[bids[0].bid]
        assert (row["verdict"], row["complainers"]) == ("valid", sorted(liars))
        with pytest.raises(Refused, match=r"rescue_window_closed|process_held|act_out_of_turn"):
            await disclose(stage, bids[0], bids[0].secrets[1])

    play(scenario)


def test_a_disclosure_that_does_not_re_derive_clears_nobody(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        bids = await stage.three()
        await stage.freeze()
        liars = ("t-regulator", "t-inspector")
        await complaints(stage, bids[0], liars)
        await disclose(stage, bids[0], [bytes(32), bytes(32)])
        await releases(stage, bids[0], liars)
        row = (await stage.verdicts())[bids[0].bid]
        assert (row["verdict"], row["code"], row["consequence"]) == ("unopened", "complaints", "deemed_revoked")

    play(scenario)


def test_no_share_is_taken_before_the_rescue_window_is_over(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        bids = await stage.three()
        await stage.freeze()
        await complaints(stage, bids[0], ("t-regulator",))
        agent = stage.agents["t-owner"]
        shares = {"record": [], "documents": [], "draws": []}
        act = {
            "trustee": "t-owner",
            "lock": 0,
            "index": 1,
            "freeze": (await stage.tender()).freeze,
            "shares_hash": hashlib.sha256(jcs.dumps(shares)).hexdigest(),
        }
        cmd = trustee_commands.Release(stage.lot, msgspec.convert(act, trustee_commands.ReleaseAct), shares)
        with pytest.raises(Refused, match="rescue_window_open"):
            await stage._trustee_act(trustee_commands.release, cmd, agent)

    play(scenario)


@pytest.mark.rule("E-52", "refuse")
def test_a_release_that_leaves_a_bid_out_is_refused(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        bids = await stage.three()
        await stage.freeze()
        stage.wait(300)
        await stage.sequence()
        for id_ in stage.agents:
            await stage.trustee(id_)
        with pytest.raises(Refused) as err:
            await stage.trustee("t-owner", act=without(bids[0]))
        assert (err.value.code, err.value.rule) == ("release_leaves_a_bid_out", "E-52")

        def strange(step: Any) -> Any:
            value = json.loads(step.shares)
            value["record"] = sorted(
                [*value["record"], {"header": "ff" * 32, "share": "00" * 32}], key=lambda row: row["header"]
            )
            shares = jcs.dumps(value)
            return replace(step, shares=shares, act={**step.act, "shares_hash": hashlib.sha256(shares).hexdigest()})

        with pytest.raises(Refused) as err:
            await stage.trustee("t-centre", act=strange)
        assert (err.value.code, err.value.rule) == ("release_of_an_unlisted_header", "E-52")

    play(scenario)
