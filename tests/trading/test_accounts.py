"""Accounts: limits that hold, codes and challenges taken once, delegations that end, keys that are one's own."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import pyotp
import pytest

from crypto import certificates, signing
from crypto.certificates import Authority
from crypto.refusal import Refused
from crypto.signing import P256Signer
from storage import memory
from storage.world import SeededEntropy
from trading.commands import certificates as verbs
from trading.hall import Hall
from trading.people import accounts, delegations, factors, graphs, keys, organisations, sign_up
from trading.people.accounts import Post
from trading.people.organisations import Organisation
from trading.people.sign_up import Applicant
from trading.roles import Actor, Role

T = TypeVar("T")
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
OURS, THEIRS = "91510100MA6CGUGA1W", "91330106MA2CCTL915"
ENTROPY = SeededEntropy("accounts")


class Trust:
    """As much of trust.json as accounts need."""

    def __init__(self, *roots: bytes) -> None:
        self.ca_roots = roots


def new_authority() -> Authority:
    key = signing.new_p256(entropy=ENTROPY)
    return Authority.create("CA", key=key, serial=1, not_before=NOW, not_after=NOW + timedelta(days=900))


AUTHORITY, STRANGER = new_authority(), new_authority()


def hall(*, rehearsal: bool = True) -> Hall:
    given: Any = {"duty": None, "trust": Trust(AUTHORITY.certificate)}
    return Hall(
        name="hall", uscc="12139900259796191P", region="139900", platform="", origin="tradehall/x", rulebooks=(),
        entropy=ENTROPY, authority=AUTHORITY if rehearsal else None, **given,
    )  # fmt: skip


def in_database(act: Callable[[Any], Awaitable[T]]) -> T:
    """Run in a fresh database in which `ours` has lin and wang, and `theirs` has zhao."""

    async def run() -> T:
        database = memory.open_memory()

        async def stock(unit: Any) -> None:
            for uscc, login in ((OURS, "lin"), (THEIRS, "zhao")):
                who = Applicant(login, login, "quite long enough")
                await sign_up.sign_up(unit, who, uscc=uscc, organisation=f"单位{uscc[-2:]}", now=NOW, hall=hall())
            who = Applicant("wang", "wang", "another long one")
            await sign_up.add_colleague(unit, who, actor=actor("lin"), now=NOW, hall=hall())

        await database.write(stock)
        return await database.write(act)

    return asyncio.run(run())


def actor(login: str, role: Role = Role.BIDDER, organisation: str = OURS) -> Actor:
    return Actor(login, organisation, role, "", "")


def refused(act: Callable[[Any], Awaitable[Any]]) -> Refused:
    with pytest.raises(Refused) as err:
        in_database(act)
    return err.value


def test_five_failures_wait_and_so_does_an_address_after_a_hundred() -> None:
    async def act(unit: Any) -> None:
        for _ in range(5):
            await accounts.waiting(unit, "lin", now=NOW, address="1.2.3.4")
            await accounts.note_failure(unit, "lin", now=NOW, address="1.2.3.4")
        with pytest.raises(Refused, match="sign_in_wait"):
            await accounts.waiting(unit, "lin", now=NOW)
        await accounts.waiting(unit, "lin", now=NOW + timedelta(minutes=16))
        for _ in range(95):
            await accounts.note_failure(unit, "nobody", now=NOW, address="1.2.3.4")
        with pytest.raises(Refused, match="sign_in_wait"):
            await accounts.waiting(unit, "somebody else", now=NOW, address="1.2.3.4")
        await accounts.waiting(unit, "somebody else", now=NOW, address="1.2.3.5")

    in_database(act)


def test_a_one_time_code_and_a_recovery_code_are_taken_once() -> None:
    async def act(unit: Any) -> None:
        secret = await factors.begin_totp(unit, "lin", entropy=ENTROPY)
        code = pyotp.TOTP(secret)
        recovery = await factors.confirm_totp(unit, "lin", code.at(NOW), now=NOW, entropy=ENTROPY)
        later = NOW + timedelta(seconds=60)
        await factors.take_code(unit, "lin", code.at(later), now=later)
        for again in (code.at(later), code.at(NOW)):
            with pytest.raises(Refused, match="sign_in_failed"):
                await factors.take_code(unit, "lin", again, now=later)
        await factors.take_code(unit, "lin", recovery[3].upper(), now=later)
        with pytest.raises(Refused, match="sign_in_failed"):
            await factors.take_code(unit, "lin", recovery[3], now=later)

    in_database(act)


def test_a_secret_counts_only_after_its_first_code() -> None:
    async def act(unit: Any) -> None:
        await factors.begin_totp(unit, "lin", entropy=ENTROPY)
        assert (await accounts.known(unit, "lin", now=NOW)).totp == ""
        await factors.confirm_totp(unit, "lin", "000000", now=NOW, entropy=ENTROPY)

    assert refused(act).code == "code_wrong"


def test_a_challenge_is_good_for_five_minutes_and_bytes_without_an_instant_never() -> None:
    at = factors.Place("localhost", "http://localhost")
    asked = factors.challenge(now=NOW, entropy=ENTROPY)
    credential = {"id": "x", "response": {"userHandle": "bGlu"}}
    for when, given in ((NOW + timedelta(minutes=6), asked), (NOW, bytes(32)), (NOW, b""), (NOW, asked)):
        err = refused(
            lambda unit, given=given, when=when: factors.use_passkey(unit, credential, given, at=at, now=when)
        )
        assert err.code == "passkey_wrong"
        assert (err.facts["why"] == "challenge") is ((when, given) != (NOW, asked)), "only the fresh one is looked at"


def test_a_delegation_lasts_from_its_first_to_its_last_day_and_ends_with_its_sessions() -> None:
    async def act(unit: Any) -> None:
        for login in ("boss", "he"):
            await unit.person.insert({"id": login, "login": login, "organisation": OURS, "body": {"name": login}})
        row = {"person": "boss", "organisation": OURS, "role": "owner", "body": {"lot": None}}
        await unit.role_grant.insert({"id": "g1", **row})
        boss = actor("boss", Role.OWNER)
        day = date(2026, 3, 3)
        made = await delegations.give(unit, actor=boss, to="he", first=day, last=day, now=NOW, hall=hall())
        within = datetime(2026, 3, 3, 4, 0, tzinfo=UTC)
        owner = Post(Role.OWNER, OURS)
        for when in (NOW, within + timedelta(days=1)):
            with pytest.raises(Refused, match="post_not_held"):
                await accounts.begin_session(unit, login="he", post=owner, door="desk", now=when, hall=hall())
        token = await accounts.begin_session(unit, login="he", post=owner, door="desk", now=within, hall=hall())
        (session,) = await accounts.sessions(unit, "he", now=within)
        assert session.door == "desk"
        # What one holds by delegation one cannot hand on.
        with pytest.raises(Refused, match="post_not_held"):
            await delegations.give(
                unit, actor=actor("he", Role.OWNER), to="boss", first=day, last=day, now=within, hall=hall()
            )
        await delegations.end(unit, actor=boss, id_=made.id, now=within)
        assert await accounts.sessions(unit, "he", now=within) == [] and token

    in_database(act)


@pytest.mark.parametrize(
    ("who", "to", "first", "last", "code"),
    [
        (actor("lin", Role.EXPERT), "wang", date(2026, 3, 3), date(2026, 3, 4), "delegation_personal"),
        (actor("lin"), "zhao", date(2026, 3, 3), date(2026, 3, 4), "delegation_not_colleague"),
        (actor("lin"), "lin", date(2026, 3, 3), date(2026, 3, 4), "delegation_not_colleague"),
        (actor("lin"), "wang", date(2026, 3, 1), date(2026, 3, 4), "delegation_dates"),
        (actor("lin"), "wang", date(2026, 3, 4), date(2026, 3, 3), "delegation_dates"),
        (actor("lin"), "wang", date(2026, 3, 4), date(2028, 3, 3), "delegation_dates"),
    ],
)
def test_what_cannot_be_delegated(who: Actor, to: str, first: date, last: date, code: str) -> None:
    assert (
        refused(
            lambda unit: delegations.give(unit, actor=who, to=to, first=first, last=last, now=NOW, hall=hall())
        ).code
        == code
    )


def test_an_organisation_that_is_known_is_not_signed_up_by_a_stranger() -> None:
    who = Applicant("stranger", "x", "quite long enough")
    assert (
        refused(lambda u: sign_up.sign_up(u, who, uscc=OURS, organisation="x", now=NOW, hall=hall())).code
        == "organisation_known"
    )


def test_a_code_whose_check_character_does_not_fit_signs_nobody_up() -> None:
    uscc = "91510100MA6CGUGA1X"
    who = Applicant("stranger", "x", "quite long enough")
    assert (
        refused(lambda u: sign_up.sign_up(u, who, uscc=uscc, organisation="x", now=NOW, hall=hall())).code
        == "uscc_wrong"
    )


def signer(authority: Authority, name: str, uscc: str) -> tuple[bytes, P256Signer]:
    """A key's request and the signer with its certificate."""
    key = signing.new_p256(entropy=ENTROPY)
    request = certificates.request(name, uscc, key=key)
    certificate = authority.issue(request, serial=7, not_before=NOW, not_after=NOW + timedelta(days=300))
    return request, P256Signer(key, certificate)


def test_two_keys_of_an_organisation_sign_and_an_ended_one_does_not() -> None:
    async def act(unit: Any) -> None:
        name = (await graphs.load(unit)).find(OURS).name
        made = []
        for label in ("一号", "二号"):
            request, one = signer(AUTHORITY, name, OURS)
            cmd = verbs.AddCertificate(_b64(request), _b64(one.certificate), label)
            await verbs.add_certificate(cmd, actor=actor("lin"), now=NOW, unit=unit, hall=hall(rehearsal=False))
            made.append(one)
        message = {"v": 1, "kind": "award", "signatures": []}
        acts = [signing.sign_act(message, signer=one, by="owner") for one in made]
        for each in acts:
            await keys.check_signed(unit, each, OURS, hall=hall(), now=NOW)
            with pytest.raises(Refused, match="signer_of_another_organisation"):
                await keys.check_signed(unit, each, THEIRS, hall=hall(), now=NOW)
        spki = signing.certificate_spki(made[0].certificate).hex()
        cmd_end = verbs.RevokeCertificate(spki)
        await verbs.revoke_certificate(cmd_end, actor=actor("lin"), now=NOW, unit=unit, hall=hall())
        with pytest.raises(Refused, match="key_revoked"):
            await keys.check_signed(unit, acts[0], OURS, hall=hall(), now=NOW)
        await keys.check_signed(unit, acts[0], OURS, hall=hall(), now=NOW, ended=True)
        await keys.check_signed(unit, acts[1], OURS, hall=hall(), now=NOW)

    in_database(act)


def test_a_certificate_of_a_stranger_or_of_nobody_is_not_kept() -> None:
    async def add(unit: Any, name: str, uscc: str, authority: Authority | None) -> None:
        request, one = signer(authority or AUTHORITY, name, uscc)
        cmd = verbs.AddCertificate(_b64(request), _b64(one.certificate) if authority else None)
        await verbs.add_certificate(cmd, actor=actor("lin"), now=NOW, unit=unit, hall=hall(rehearsal=False))

    ours = "单位1W"
    assert refused(lambda unit: add(unit, "单位15", THEIRS, AUTHORITY)).code == "signer_of_another_organisation"
    assert refused(lambda unit: add(unit, "别的名字", OURS, AUTHORITY)).code == "signer_of_another_organisation"
    assert refused(lambda unit: add(unit, ours, OURS, STRANGER)).code == "certificate_issuer_unknown"
    assert refused(lambda unit: add(unit, ours, OURS, None)).code == "certificate_missing"


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_an_organisation_knows_its_keys_newest_first() -> None:
    async def act(unit: Any) -> list[str]:
        graph = organisations.changed(await graphs.load(unit), organisations=[Organisation("12510100450000001E", "甲")])
        await graphs.keep(unit, graph)
        for label in ("旧", "新"):
            _, one = signer(AUTHORITY, "甲", "12510100450000001E")
            await keys.keep(unit, "12510100450000001E", one.certificate, now=NOW, label=label)
        return [one.label for one in await keys.listed(unit, "12510100450000001E")]

    assert in_database(act) == ["新", "旧"]
