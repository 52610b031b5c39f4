"""The box: every refusal by its name, in its order; replace and withdraw; a repeated submission is one event."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bidding import box, commands
from crypto import signing
from crypto.refusal import Refused
from crypto.roster import Lock, Roster
from crypto.sealing import header as headers
from trading.people import graphs, organisations
from trading.people.organisations import Edge
from trading.roles import Role

Play = Callable[..., None]


async def refused(stage: Any, sealed: Any, **changes: Any) -> Refused:
    with pytest.raises(Refused) as error:
        await stage.submit(sealed, **changes)
    return error.value


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.rule("E-36", "pass")
def test_a_sealed_bid_in_time_is_taken_up_to_the_last_millisecond(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        sealed = await stage.seal(stage.keys.bidders[0])
        await stage.upload(sealed)
        stage.until((await stage.tender()).deadline - timedelta(milliseconds=1))
        outcome = await stage.submit(sealed)
        assert outcome.receipt and outcome.result["bid"] == sealed.bid
        assert outcome.events[0].act["at"] == "2026-03-26T00:59:59.999Z"

    play(scenario)


@pytest.mark.rule("E-36", "refuse")
def test_a_late_bid_is_refused_at_the_very_instant_of_the_deadline(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        sealed = await stage.seal(stage.keys.bidders[0])
        await stage.upload(sealed)
        stage.until((await stage.tender()).deadline)
        error = await refused(stage, sealed)
        assert (error.code, error.rule) == ("bid_received_after_deadline", "E-36")
        await stage.freeze()
        assert (await refused(stage, sealed)).code == "bid_received_after_deadline"

    play(scenario)


@pytest.mark.rule("E-36", "refuse")
@pytest.mark.parametrize("fault", ["a zip file", "truncated", "extended", "flags", "another suite"])
def test_an_unsealed_bid_is_refused_as_unencrypted(play: Play, fault: str) -> None:
    async def scenario(stage: Any) -> None:
        sealed = await stage.seal(stage.keys.bidders[0])
        await stage.upload(sealed)
        raw = sealed.headers[0].encode()
        spoiled = {
            "a zip file": b"PK\x03\x04" + bytes(1000),
            "truncated": raw[:-1],
            "extended": raw + b"\0",
            "flags": raw[:11] + b"\1" + raw[12:],
            "another suite": raw[:9] + b"\2" + raw[10:],
        }[fault]
        error = await refused(stage, sealed, headers=[b64(spoiled), b64(sealed.headers[1].encode())])
        assert (error.code, error.rule) == ("bid_not_sealed", "E-36")

    play(scenario)


def test_a_bid_for_another_lot_is_refused(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        sealed = await stage.seal(stage.keys.bidders[0], tender_id=bytes(32))
        await stage.upload(sealed)
        assert (await refused(stage, sealed)).code == "bid_for_another_lot"

    play(scenario)


def test_a_bid_sealed_to_another_roster_is_refused(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        real = Roster.decode(bytes.fromhex((await stage.tender()).roster))
        puppets = Roster((real.locks[1], Lock(real.locks[0].t, real.locks[0].keys)))
        sealed = await stage.seal(stage.keys.bidders[0], roster=puppets)
        await stage.upload(sealed)
        assert (await refused(stage, sealed)).code == "bid_sealed_to_another_roster"

    play(scenario)


def test_a_missing_or_repeated_envelope_is_refused(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        sealed = await stage.seal(stage.keys.bidders[0])
        await stage.upload(sealed)
        one, two = (b64(each.encode()) for each in sealed.headers)
        for given in ([one], [one, one], [two, one]):
            assert (await refused(stage, sealed, headers=given)).code == "envelope"
        assert (await refused(stage, sealed, headers=[])).code == "bid_not_sealed"

    play(scenario)


def test_a_certificate_of_another_organisation_is_refused(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        one, other = stage.keys.bidders[:2]
        sealed = await stage.seal(other)
        sealed.company = one
        await stage.upload(sealed)
        error = await refused(stage, sealed, certificate=other.certificate)
        assert error.code == "bid_certificate_of_another_organisation"

    play(scenario)


def test_expired_and_revoked_certificates_are_refused(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        stale = stage.keys.company(10, "投标人0有限公司", Role.BIDDER, days=1)
        sealed = await stage.seal(stale)
        await stage.upload(sealed)
        stage.wait(3 * 86_400)
        assert (await refused(stage, sealed)).code == "certificate_expired"
        company = stage.keys.bidders[1]
        sealed = await stage.seal(company)
        await stage.upload(sealed)
        serial = 1011
        crl = stage.keys.authority.crl(
            {serial: stage.now - timedelta(days=1)},
            number=1,
            at=stage.now,
            next_update=stage.now + timedelta(days=7),
        )
        row = {"name": commands.REVOCATIONS, "body": {"lists": [b64(crl)]}}
        await stage.database.write(lambda unit: unit.setting.insert(row))
        assert (await refused(stage, sealed)).code == "certificate_revoked"

    play(scenario)


def test_a_forged_submit_signature_and_mixed_envelopes_are_refused(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        company = stage.keys.bidders[0]
        sealed, other = await stage.seal(company), await stage.seal(company)
        await stage.upload(sealed)
        forged = signing.sign_p256(stage.keys.bidders[1].signer.private, b"x")
        assert (await refused(stage, sealed, signature=forged.hex())).code == "submit_signature"
        assert (await refused(stage, sealed, salt=other.salt.hex())).code == "bidder_tag"
        mixed = [b64(sealed.headers[0].encode()), b64(other.headers[1].encode())]
        assert (await refused(stage, sealed, headers=mixed)).code in ("bidder_tag", "mixed_bid")

    play(scenario)


def test_a_bid_over_the_size_limit_of_the_notice_is_refused(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        sealed = await stage.seal(stage.keys.bidders[0], files={"大.pdf": bytes(2 << 20)})
        with pytest.raises(Refused, match="upload_too_large"):
            await stage.upload(sealed)
        # Nor by an upload that another lot's larger limit had let in.
        held = await stage.database.read(lambda unit: commands.lots.terms(unit, stage_tender))
        with pytest.raises(Refused, match="bid_too_large"):
            box.accept(
                box.Offer(
                    tuple(each.encode() for each in sealed.headers),
                    bytes.fromhex(sealed.command().signature),
                    sealed.salt,
                    sealed.company.signer.certificate,
                ),
                lot=box.Lot(held, stage_tender.state, stage_tender.deadline),
                organisation=sealed.company.uscc,
                history=box.History(0, 0),
                stored=[],
                trusted=box.Certified(stage.keys.trust.ca_roots),
                now=stage.now,
            )

    stage_tender: Any = None

    async def with_tender(stage: Any) -> None:
        nonlocal stage_tender
        stage_tender = await stage.tender()
        await scenario(stage)

    play(with_tender, plaintext_max=1 << 20)


@pytest.mark.rule("E-37", "refuse")
def test_an_incomplete_upload_is_refused_and_counts_as_withdrawn_at_the_deadline(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        sealed = await stage.seal(stage.keys.bidders[0], files={"大.pdf": bytes(2 << 20)})
        await stage.upload(sealed)
        missing = sealed.uploads[1]
        await stage.database.write(lambda unit: unit.segment.delete(missing, 1))
        error = await refused(stage, sealed)
        assert (error.code, error.rule) == ("bid_upload_incomplete", "E-37")
        assert (await refused(stage, sealed, uploads=[])).rule == "E-37"
        assert (await refused(stage, sealed, uploads=sealed.uploads[:1])).rule == "E-37"
        for company in stage.keys.bidders[1:4]:
            await stage.hand_in(company)
        await stage.freeze()
        assert (await stage.act("freeze"))["n"] == 3
        assert sealed.bid not in [row["bid"] for row in await stage.object((await stage.act("freeze"))["list_hash"])]

    play(scenario)


@pytest.mark.rule("E-37", "pass")
def test_an_upload_cut_off_and_resumed_is_complete(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        sealed = await stage.seal(stage.keys.bidders[0], files={"大.pdf": bytes(2 << 20)})
        await stage.upload(sealed)
        await stage.database.write(lambda unit: unit.segment.delete(sealed.uploads[1], 1))
        first = list(sealed.uploads)
        await stage.upload(sealed)
        assert sealed.uploads == first, "the same leaves are the same upload"
        await stage.submit(sealed)

    play(scenario)


def test_an_upload_that_is_not_the_sealed_body_is_refused(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        company = stage.keys.bidders[0]
        sealed, other = await stage.seal(company), await stage.seal(company)
        await stage.upload(sealed)
        await stage.upload(other)
        assert (await refused(stage, sealed, uploads=other.uploads)).code == "bid_upload_differs"
        swapped = list(reversed(sealed.uploads))
        assert (await refused(stage, sealed, uploads=swapped)).code == "bid_upload_differs"

    play(scenario)


def test_a_body_that_does_not_begin_as_its_header_says_is_refused() -> None:
    stored = box.Stored(1, bytes(32), True, bytes(56))

    class Lying:
        envelope, body_len, body_root, body_prefix = 0, 1, bytes(32), b"\1" * headers.PREFIX_BYTES

    with pytest.raises(Refused, match="prefix"):
        box.check_stored([Lying()], [stored])  # type: ignore[list-item]


def test_another_organisations_upload_does_not_exist(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        one, other = stage.keys.bidders[:2]
        theirs = await stage.seal(other)
        await stage.upload(theirs)
        mine = await stage.seal(one)
        await stage.upload(mine)
        assert (await refused(stage, mine, uploads=theirs.uploads)).code == "upload_unknown"

    play(scenario)


def test_versions_strictly_increase_and_withdrawn_ones_count(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        company = stage.keys.bidders[0]
        first = await stage.hand_in(company, version=2)
        for version, code in ((1, "bid_version_not_higher"), (2, "bid_version_not_higher")):
            again = await stage.seal(company, version=version)
            await stage.upload(again)
            assert (await refused(stage, again)).code == code
        await stage.withdraw(first)
        again = await stage.seal(company, version=2)
        await stage.upload(again)
        assert (await refused(stage, again)).code == "bid_version_withdrawn"
        await stage.hand_in(company, version=3)

    play(scenario)


@pytest.mark.rule("E-38", "pass")
def test_the_same_headers_again_are_the_same_event_even_after_the_deadline(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        sealed = await stage.hand_in(stage.keys.bidders[0])
        once, twice = await stage.submit(sealed), await stage.submit(sealed)
        assert once.events[0].recorded.event == twice.events[0].recorded.event and twice.receipt
        stage.until((await stage.tender()).deadline + timedelta(hours=1))
        late = await stage.submit(sealed)
        assert late.events[0].recorded.event == once.events[0].recorded.event
        rows = await stage.database.read(lambda unit: unit.submission.find({"lot": stage.lot}))
        assert len(rows) == 1

    play(scenario)


@pytest.mark.rule("E-38", "refuse")
def test_a_receipt_is_given_to_nobody_else(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        from bidding import queries

        sealed = await stage.hand_in(stage.keys.bidders[0])
        event = (await stage.submit(sealed)).events[0].recorded.event
        other = stage.keys.bidders[1].actor
        with pytest.raises(Refused) as error:
            await stage.database.read(lambda unit: queries.own_event(unit, event, actor=other))
        assert (error.value.code, error.value.rule) == ("receipt_unknown", "E-38")
        mine = await stage.database.read(lambda unit: queries.own_event(unit, event, actor=sealed.company.actor))
        assert mine == event

    play(scenario)


def test_a_withdrawal_is_signed_by_the_bidder_and_in_time(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        one, other = stage.keys.bidders[:2]
        sealed = await stage.hand_in(one)
        with pytest.raises(Refused, match="withdrawal_of_unknown_version"):
            await stage.withdraw(sealed, company=other)
        forged = commands.WithdrawBid(stage.lot, 1, "00" * 64, one.certificate)
        with pytest.raises(Refused, match="withdraw_signature"):
            await stage.do(commands.withdraw, forged, one.actor)
        done = await stage.withdraw(sealed)
        again = await stage.withdraw(sealed)
        assert done.events[0].recorded.event == again.events[0].recorded.event
        second = await stage.hand_in(one, version=2)
        stage.until((await stage.tender()).deadline)
        with pytest.raises(Refused, match="withdrawal_after_deadline"):
            await stage.withdraw(second)

    play(scenario)


def test_only_a_bidder_submits(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        sealed = await stage.seal(stage.keys.bidders[0])
        await stage.upload(sealed)
        for company in (stage.keys.owner, stage.keys.centre, stage.keys.regulator):
            with pytest.raises(Refused, match="permission_denied"):
                await stage.do(commands.submit, sealed.command(), company.actor)

    play(scenario)


@pytest.mark.rule("E-32", "refuse")
def test_kin_of_the_operator_does_not_bid(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        one = stage.keys.bidders[0]
        sealed = await stage.seal(one)
        await stage.upload(sealed)
        await link(stage, stage.hall.uscc, one.uscc)
        error = await refused(stage, sealed)
        assert (error.code, error.rule) == ("operator_linked_to_bidder", "E-32")
        await stage.hand_in(stage.keys.bidders[1])

    play(scenario)


@pytest.mark.rule("E-31", "refuse")
def test_kin_of_the_agent_does_not_bid() -> None:
    graph = organisations.Graph(
        (), frozenset({Edge("agent", "between", "control"), Edge("between", "bidder", "manage")})
    )
    assert box.check_bidder(graph, "stranger", agent="agent") == "stranger"
    with pytest.raises(Refused) as error:
        box.check_bidder(graph, "bidder", agent="agent")
    assert error.value.rule == "E-31"


async def link(stage: Any, parent: str, child: str) -> None:
    """An edge that an honest registry would have refused while the child bids."""

    async def edit(unit: Any) -> None:
        row = await unit.organisation.read(parent)
        body = {**row["body"], "edges": [{"child": child, "kind": "control"}]}
        await unit.organisation.update({**row, "body": body}, expected_version=row["version"])
        assert Edge(parent, child, "control") in (await graphs.load(unit)).edges

    await stage.database.write(edit)
