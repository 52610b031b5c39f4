"""A trustee complains falsely; the bidder discloses its secrets to the opening keys alone, and its bid stays valid."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bidding.client import bidfile, keys
from bidding.client.agent import Agent
from bidding.client.server import Server
from crypto import release
from crypto.release import SaysReady

BIDDERS = ("07", "08", "09")
LIAR = "operation-owner"
HONEST = ("operation-centre", "operation-notary", "supervision-regulator", "supervision-inspector")


def until(what: Callable[[], bool], seconds: float = 30.0) -> None:
    for _ in range(int(seconds / 0.25)):
        if what():
            return
        time.sleep(0.25)
    raise AssertionError("it did not come")


def test_a_bidder_clears_itself_of_a_false_complaint(served: Any) -> None:
    sealed = {number: served.sealed(number) for number in BIDDERS}
    for number, bid in sealed.items():
        assert served.bidder(number, "submit", bid).code == 0
    target = bidfile.read(sealed["07"]).headers[0].hash().hex()

    def complains(*given: Any, **named: Any) -> release.Step:
        step = release.next_step(*given, **named)
        if isinstance(step, SaysReady):
            row = {"header": target, "lock": step.act["lock"], "index": step.act["index"]}
            return replace(step, act={**step.act, "complaints": [row]})
        return step

    agents = [
        Agent(
            Server(served.url),
            keys.load(served.cast.home / "trustees" / id_),
            machine=complains if id_ == LIAR else release.next_step,
        )
        for id_ in (LIAR, *HONEST)
    ]

    watched = (LIAR, *HONEST)

    def all_did(*wanted: str) -> bool:
        reports = {agent.id: report for agent in agents for report in agent.turn()}
        # What the liar then does is its own affair: the hall takes no share of a header it complained of.
        return all(id_ in reports and {reports[id_].did, reports[id_].code} & set(wanted) for id_ in watched)

    served.advance(timedelta(days=22, hours=1))
    until(lambda: all_did("challenge_window"))
    served.advance(timedelta(minutes=6))
    recovery = sealed["07"].with_suffix(".recovery")
    early = served.bidder("07", "disclose", recovery)
    assert (early.code, early.json["refused"]) == (1, "nothing_to_disclose"), early.err
    until(lambda: all_did("rescue_window"))

    nobody = served.bidder("08", "disclose", sealed["08"].with_suffix(".recovery"))
    assert (nobody.code, nobody.json["refused"]) == (1, "nothing_to_disclose")
    told = served.bidder("07", "disclose", recovery)
    assert (told.code, told.json["disclosed"]) == (0, [target]), told.err

    served.advance(timedelta(minutes=11))
    watched = HONEST
    until(lambda: all_did("released", "rests"))
    until(lambda: any(act["kind"] == "opened" for act in served.stage.acts()))
    opened = Server(served.url).get(f"/api/v1/lots/{served.lot}/opening")
    assert len(opened["record"]) == 3
    bid = bidfile.read(sealed["07"]).bid_id.hex()
    (verdict,) = [row for row in opened["verdicts"] if row["bid"] == bid]
    assert (verdict["verdict"], verdict["complainers"]) == ("valid", [LIAR])
