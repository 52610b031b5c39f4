"""Certification: both roots or nobody, one act at a time, and no key twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from crypto import signing
from crypto.refusal import Refused
from crypto.signing import Ed25519Signer
from storage import memory
from storage.unit import Database, Unit
from storage.world import SeededEntropy
from trading import rosters
from trading.people import certification
from trading.people.certification import Next
from trading.roles import Actor, Role

ENTROPY = SeededEntropy("certification")
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
CENTRE, NOTARY = "12139900259796191P", "12139900MB1NTARY1F"
ROOTS = {side: Ed25519Signer.generate(entropy=ENTROPY) for side in ("centre", "supervision")}
OWN = {purpose: Ed25519Signer.generate(entropy=ENTROPY).key for purpose in certification.PURPOSES}
NOBODY = Actor("anonymous", "", Role.PUBLIC, "192.0.2.1", "test")
HELD = Ed25519Signer.generate(entropy=ENTROPY).key.hex()
HALL: Any = SimpleNamespace(
    uscc=CENTRE,
    rehearsal=False,
    entropy=ENTROPY,
    trustees_here=lambda: frozenset({HELD}),
    trust=SimpleNamespace(trustee_roots={side: root.key for side, root in ROOTS.items()}, witnesses=()),
)


def card(id_: str = "t-notary", **changed: Any) -> dict[str, Any]:
    made = {
        "kind": "trustee",
        "trustee": id_,
        "organisation": {"name": "青岚市公证处", "uscc": NOTARY},
        "seat": "notary",
        "group": "operation",
        "key": Ed25519Signer.generate(entropy=ENTROPY).key.hex(),
    }
    return {**made, **changed}


def in_a_hall(scenario: Callable[[Database], Awaitable[None]]) -> None:
    async def run() -> None:
        database = memory.open_memory()
        try:
            await scenario(database)
        finally:
            await database.close()

    asyncio.run(run())


async def upcoming(database: Database) -> Next:
    return await database.write(lambda unit: certification.upcoming(unit, OWN, now=NOW, hall=HALL))


async def hand_in(database: Database, act: Any) -> Next:
    return await database.write(lambda unit: certification.hand_in(unit, act, OWN, hall=HALL, actor=NOBODY, now=NOW))


async def sign_everything(database: Database) -> int:
    """Both roots, in turn, until nothing is left."""
    count = 0
    told = await upcoming(database)
    while told.act is not None:
        side = told.lacks[0]
        told = await hand_in(database, signing.sign_act(told.act, signer=ROOTS[side], by=f"root_{side}"))
        count += 1
    return count


async def propose(database: Database, given: dict[str, Any]) -> str:
    return await database.write(lambda unit: certification.propose(unit, given, by="clerk", now=NOW, hall=HALL))


def test_keys_come_first_and_a_trustee_needs_both_roots() -> None:
    async def scenario(database: Database) -> None:
        await propose(database, card())
        assert await sign_everything(database) == 3 + 2
        found = await database.read(rosters.certified)
        assert set(found) == {"t-notary"}
        told = await database.read(lambda unit: unit.setting.read("verdict_keys"))
        assert told is not None and told["body"] == {name: OWN[name].hex() for name in ("room", "verifier")}

    in_a_hall(scenario)


def test_one_root_alone_certifies_nobody() -> None:
    async def scenario(database: Database) -> None:
        await sign_everything(database)
        await propose(database, card())
        act = (await upcoming(database)).act
        assert act is not None
        once = await hand_in(database, signing.sign_act(act, signer=ROOTS["centre"], by="root_centre"))
        again = await hand_in(database, signing.sign_act(act, signer=ROOTS["centre"], by="root_centre"))
        assert list(once.lacks) == list(again.lacks) == ["supervision"]
        for by in ("root_supervision", "root_centre"):
            with pytest.raises(Refused):
                stranger = Ed25519Signer.generate(entropy=ENTROPY)
                await hand_in(database, signing.sign_act(act, signer=stranger, by=by))
        with pytest.raises(Refused) as err:
            await hand_in(database, signing.sign_act(act, signer=ROOTS["supervision"], by="root_centre"))
        assert err.value.code == "not_a_root"
        assert await database.read(rosters.certified) == {}

    in_a_hall(scenario)


def test_a_root_signs_only_what_the_hall_drafted() -> None:
    async def scenario(database: Database) -> None:
        act = (await upcoming(database)).act
        assert act is not None and act["purpose"] == "duty"
        for changed in ({"key": HELD}, {"seq": 5}, {"prev": "ab" * 32}, {"purpose": "room"}):
            with pytest.raises(Refused) as err:
                await hand_in(database, signing.sign_act({**act, **changed}, signer=ROOTS["centre"], by="root_centre"))
            assert err.value.code == "act_place_taken"
        with pytest.raises(Refused) as err:
            await hand_in(database, signing.sign_act(act, signer=ROOTS["supervision"], by="root_supervision"))
        assert err.value.code == "not_a_root", "a key is its own side's to certify"
        with pytest.raises(Refused):
            await hand_in(database, {**act, "signatures": [{"by": "root_centre", "key": "00", "sig": "00"}]})

    in_a_hall(scenario)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"extra": 1}, "trustee_card_malformed"),
        ({"kind": "key"}, "trustee_card_malformed"),
        ({"trustee": "../../etc"}, "trustee_card_malformed"),
        ({"trustee": 7}, "trustee_card_malformed"),
        ({"organisation": {"name": "a\nb", "uscc": NOTARY}}, "trustee_card_malformed"),
        ({"organisation": {"name": "甲", "uscc": NOTARY[:-1] + "0"}}, "uscc_wrong"),
        ({"seat": "regulator"}, "trustee_seat_wrong"),
        ({"seat": "king"}, "trustee_seat_wrong"),
        ({"seat": "centre"}, "trustee_seat_wrong"),
        ({"key": "00" * 32}, "key_not_ed25519"),
        ({"key": HELD}, "roster_key_held_by_the_hall"),
        ({"key": ROOTS["centre"].key.hex()}, "trustee_key_taken"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_card_that_is_none_is_refused(changed: dict[str, Any], code: str) -> None:
    async def scenario(database: Database) -> None:
        with pytest.raises(Refused) as err:
            await propose(database, card(**changed))
        assert err.value.code == code

    in_a_hall(scenario)


def test_no_id_and_no_key_is_taken_twice_and_a_card_can_be_taken_back() -> None:
    async def scenario(database: Database) -> None:
        first = card()
        await propose(database, first)
        for given, code in ((card(), "trustee_id_taken"), (card("t-two", key=first["key"]), "trustee_key_taken")):
            with pytest.raises(Refused) as err:
                await propose(database, given)
            assert err.value.code == code

        async def back(unit: Unit) -> None:
            await certification.withdraw(unit, "t-notary")

        await database.write(back)
        with pytest.raises(Refused):
            await database.write(back)
        await propose(database, card())
        await sign_everything(database)
        with pytest.raises(Refused) as err:
            await database.write(back)
        assert err.value.code == "trustee_unknown", "what both roots signed is not taken back here"

    in_a_hall(scenario)
