"""The duty key is changed in the middle of a tender: old acts stay good, new ones count, nobody rotates alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from crypto import signing
from crypto.refusal import Refused
from trading import rotation
from trading.lifecycle import State
from trading.roles import Actor, Role

Play = Callable[..., None]
KEEPER = Actor("keeper of the root", "", Role.PUBLIC, "192.0.2.9", "agent")


async def propose(stage: Any, new: Any, *, old: Any = None) -> dict[str, Any]:
    act: dict[str, Any] = await stage.database.write(
        lambda unit: rotation.proposed(unit, purpose="duty", old=old or stage.hall.duty, new=new.key, now=stage.now)
    )
    return act


async def admit(stage: Any, act: dict[str, Any]) -> None:
    await stage.database.write(lambda unit: rotation.admitted(unit, act, hall=stage.hall, actor=KEEPER, now=stage.now))
    await stage.sequence()


def test_a_tender_published_under_the_old_duty_key_is_closed_and_opened_under_the_new(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        bids = [await stage.hand_in(one) for one in stage.keys.bidders[:3]]
        new = signing.Ed25519Signer.generate(entropy=stage.hall.entropy)
        act = await propose(stage, new)
        await admit(stage, signing.sign_act(act, signer=stage.keys.roots["centre"], by="root_centre"))
        assert await stage.database.read(lambda unit: rotation.in_use(unit, "duty")) == new.key
        stage.hall = dataclasses.replace(stage.hall, duty=new)
        tender = await stage.open()
        assert tender.state is State.OPENED and set(await stage.record()) == {each.bid for each in bids}
        close = await stage.act("close")
        assert close["signatures"][0]["key"] == new.key.hex(), "trustees took the new key's acts"
        with pytest.raises(Refused, match="rotation_of_unknown_key"):
            await propose(stage, new, old=stage.keys.duty)

    play(scenario)


@pytest.mark.parametrize("missing", ["root", "wrong root", "old key", "same key", "place"])
def test_nobody_rotates_a_key_alone(play: Play, missing: str) -> None:
    async def scenario(stage: Any) -> None:
        new = signing.Ed25519Signer.generate(entropy=stage.hall.entropy)
        act = await propose(stage, stage.hall.duty if missing == "same key" else new)
        roots = stage.keys.roots
        match missing:
            case "root":
                pass
            case "wrong root":
                act = signing.sign_act(act, signer=roots["supervision"], by="root_centre")
            case "old key":
                act = signing.sign_act({**act, "signatures": []}, signer=roots["centre"], by="root_centre")
            case "place":
                act = {**act, "seq": act["seq"] + 1, "signatures": []}
                act = signing.sign_act(act, signer=stage.hall.duty, by="duty")
                act = signing.sign_act(act, signer=roots["centre"], by="root_centre")
            case _:
                act = signing.sign_act(act, signer=roots["centre"], by="root_centre")
        with pytest.raises(Refused, match="act_place_taken" if missing == "place" else "key_not_certified"):
            await admit(stage, act)

    play(scenario)
