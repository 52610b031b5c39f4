"""tradehall-trustee from its keys to a release, against a served hall: why it waits, what it remembers and refuses."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bidding.client import keys
from bidding.client.agent import Agent
from bidding.client.server import Server
from crypto import release
from crypto.release import Releases

BIDDERS = ("01", "02", "04")
OPERATION = ("operation-owner", "operation-centre", "operation-notary")
SUPERVISION = ("supervision-regulator", "supervision-inspector", "supervision-independent")


def until(what: Callable[[], bool], seconds: float = 30.0) -> None:
    """Ask again until something holds; the hall and the witnesses work beside the test."""
    for _ in range(int(seconds / 0.25)):
        if what():
            return
        time.sleep(0.25)
    raise AssertionError("it did not come")


def lot_of(told: Any) -> dict[str, Any]:
    (row,) = told.json["lots"]
    return dict(row)


@pytest.fixture(scope="module")
def closed(served: Any) -> Any:
    """Three bids handed in, the deadline passed, the list frozen and the challenge window over."""
    for number in BIDDERS:
        assert served.bidder(number, "submit", served.sealed(number)).code == 0
    told = served.trustee(OPERATION[0], "watch", "--once")
    assert (told.code, lot_of(told)["code"]) == (0, "deadline_not_reached"), told.err
    assert served.trustee(OPERATION[0], "release", served.lot).code == 1
    served.advance(timedelta(days=22, hours=1))
    until(lambda: lot_of(served.trustee(OPERATION[0], "watch", "--once"))["code"] == "challenge_window")
    served.advance(timedelta(minutes=6))
    return served


def test_a_trustee_says_why_it_waits_in_words(closed: Any) -> None:
    until(lambda: lot_of(closed.trustee(OPERATION[0], "watch", "--once"))["did"] == "ready")
    told = closed.trustee(OPERATION[0], "watch", "--once")
    assert "waits" in told.err or "READY" in told.err


def test_two_of_three_in_each_lock_open_everything(closed: Any) -> None:
    released: set[str] = set()

    def look() -> bool:
        for id_ in (*OPERATION[:2], *SUPERVISION[:2]):
            row = lot_of(closed.trustee(id_, "watch", "--once"))
            if row["did"] in ("released", "rests"):
                released.add(id_)
        return len(released) == 4

    until(look, 60)
    acts = closed.stage.acts()
    assert [act["trustee"] for act in acts if act["kind"] == "release"].count(OPERATION[0]) == 1
    until(lambda: lot_of(closed.trustee(OPERATION[0], "watch", "--once"))["did"] == "rests")
    assert closed.trustee(OPERATION[0], "release", closed.lot).code == 0
    until(lambda: any(act["kind"] == "opened" for act in closed.stage.acts()))
    opened = Server(closed.url).get(f"/api/v1/lots/{closed.lot}/opening")
    assert sorted(row["price_fen"] for row in opened["record"]) == sorted(
        json.loads((closed.stage.example / "bidders" / number / "bid.json").read_text("utf-8"))["price_fen"]
        for number in BIDDERS
    )


def test_memory_is_on_the_disk_before_an_act_is_sent(closed: Any) -> None:
    """The agent is stopped by a line that breaks at the first word it says: what it was about to do is remembered."""
    folder = keys.load(closed.cast.home / "trustees" / OPERATION[2])
    before = folder.memory()[1]

    class Broken(Server):
        def verb(self, verb: str, body: Any, *, key: str | None = None) -> Any:
            raise ConnectionResetError(verb)

    agent = Agent(Broken(closed.url), folder)
    with pytest.raises(ConnectionResetError):
        for _ in range(40):
            agent.turn()
            time.sleep(0.25)
    after = folder.memory()[1]
    assert after != before and (after.keys or after.released)


def test_the_hall_cannot_have_another_act_signed(closed: Any) -> None:
    """A hall that offers a draft with one field changed gets no signature."""
    folder = keys.load(closed.cast.home / "trustees" / SUPERVISION[2])

    asked: list[Any] = []

    class Bending(Server):
        def verb(self, verb: str, body: Any, *, key: str | None = None) -> Any:
            asked.append(body)
            told = super().verb(verb, body, key=key)
            return {**told, "sign": {**told["sign"], "refusal": "tender_failed"}} if told.get("sign") else told

    bending = Bending(closed.url)
    reports: list[Any] = []

    def look() -> bool:
        reports.extend(Agent(bending, folder).turn())
        return any(each.code == "act_draft_differs" for each in reports)

    until(look)
    assert not any("signed" in body for body in asked)


def test_a_machine_that_lies_is_another_machine_and_never_this_program(closed: Any) -> None:
    """The seam by which a rehearsal plays a liar: composition, no option of the agent."""
    folder = keys.load(closed.cast.home / "trustees" / SUPERVISION[2])
    steps = []

    def lying(*given: Any, **named: Any) -> release.Step:
        step = release.next_step(*given, **named)
        steps.append(step)
        return replace(step, shares=b"{}") if isinstance(step, Releases) else step

    agent = Agent(Server(closed.url), folder, machine=lying)
    until(lambda: any(agent.turn()) and bool(steps))
    assert steps and not any(isinstance(step, Releases) and step.shares == b"{}" for step in steps)


def test_a_drill_opens_every_key(served: Any) -> None:
    told = served.trustee(OPERATION[1], "drill")
    assert (told.code, told.json["opened"]) == (0, 20)


def test_a_second_batch_has_a_seed_of_its_own(served: Any) -> None:
    told = served.trustee(OPERATION[1], "keys", "--count", "5")
    assert told.code == 0, told.err
    assert told.json == {"trustee": OPERATION[1], "batch": 1, "count": 5}
    folder = keys.load(served.cast.home / "trustees" / OPERATION[1])
    seeds = {(folder.folder / name).read_text() for name in ("seed", "seed.1")}
    assert len(seeds) == 2 and len(folder.trustee().secrets) == 25
    assert served.trustee(OPERATION[1], "drill").json["opened"] == 25


def test_a_batch_that_was_cut_off_is_handed_in_and_not_made_again(served: Any) -> None:
    folder = served.cast.home / "trustees" / OPERATION[2]
    card = json.loads((folder / "trustee.json").read_text("utf-8"))
    keys._new_batch(keys.load(folder), 3, entropy=lambda n: bytes(range(n)))
    told = served.trustee(OPERATION[2], "keys", "--count", "7")
    assert (told.code, told.json["count"]) == (0, 3), told.err
    assert json.loads((folder / "trustee.json").read_text("utf-8"))["batches"].keys() - card["batches"].keys() == {"1"}
