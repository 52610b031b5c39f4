"""Defects to plant in a hall, and the hunt for each: which invariant must name it, and after how many tenders.

    python tests/simulation/defects.py NAME [SEED]      prints {"found", "tenders", "text"} as JSON

This is the one place where functions of the program are replaced while it runs: planting is the point. Each hunt is a
process of its own, so that nothing planted outlives it.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from msgspec import structs

from bidding import announcement, box
from bidding import ceremony as openings
from crypto import jcs, lottery
from crypto.opening import ceremony as protocol
from crypto.opening import frozen
from crypto.refusal import Refused
from experts import avoidance, scoring
from experts.commands import scoring as sheets
from portal.simulation import season
from storage.unit import Unit
from trading import fold, journal, powers, rosters, tenders
from trading.lifecycle import State
from trading.rules import award, schedule
from trading.tender import Tender

TENDERS_MAX = 300
DEFAULT_SEED = "defects"


@dataclass(frozen=True)
class Defect:
    """What is planted, and the invariant that must name it."""

    name: str
    invariant: str
    plant: Callable[[], None]


def accept_at_the_deadline() -> None:
    """The box compares with > where the law says before."""

    def check_open(lot: box.Lot, *, now: Any) -> Any:
        if now > lot.deadline:
            raise Refused("bid_received_after_deadline", rule="E-36")
        if lot.state is not State.BIDDING:
            raise Refused("bidding_not_open", rule="E-36")
        return lot.deadline

    box.check_open = check_open


def drop_a_frozen_bid() -> None:
    """The operator leaves the first bid out of the freeze when there are enough others."""
    right = openings.freeze

    def freeze(*given: Any, **named: Any) -> openings.Frozen:
        found = right(*given, **named)
        if len(found.bids) <= 3:
            return found
        bids = found.bids[1:]
        return replace(found, bids=bids, data=frozen.list_object(bids))

    openings.freeze = freeze


def release_before_settle() -> None:
    """Hall and trustees forget the settle time."""
    terms, begin = protocol.terms, fold.begin
    protocol.terms = lambda act: replace(terms(act), settle_s=0)
    fold.begin = lambda act, document, *, leaf: structs.replace(begin(act, document, leaf=leaf), settle_s=0)


def ignore_an_extension() -> None:
    """The state of the tender keeps the first deadline, whatever is signed."""
    right = fold._amended

    def amended(tender: Tender, act: Any, at: Any, leaf: str) -> Tender:
        return structs.replace(right(tender, act, at, leaf), deadlines=tender.deadlines)

    fold._amended = amended


def redraw() -> None:
    """A second draw needs nothing."""
    lottery.check_attempt = lambda acts, pool_act: int(pool_act["attempt"])


def count_a_withdrawn_bid() -> None:
    """Withdrawals are logged and forgotten."""
    right = frozen.freeze_list

    def freeze_list(submissions: Any, withdrawals: Any, **named: Any) -> Any:
        return right(submissions, (), **named)

    frozen.freeze_list = freeze_list


def float_mean() -> None:
    """The benchmark is computed in floating point."""
    right = scoring.benchmark

    def benchmark(method: scoring.Method, valid: Any) -> scoring.Benchmark:
        found = right(method, valid)
        out = {*found.dropped_highest, *found.dropped_lowest}
        kept = [bid.price_fen / 100 for bid in valid if bid.id not in out]
        mean = sum(kept) / len(kept) * (1 + float(method.float_rate))
        places = method.rounding.base
        yuan = Fraction(str(mean if places is None else round(mean, places)))
        return replace(found, yuan=yuan)

    scoring.benchmark = benchmark


def skip_a_hold() -> None:
    """An objection is logged and holds nothing."""
    Tender.held_by = property(lambda self: None)


def lose_an_outbox_job() -> None:
    """One job in eight is said to be enqueued and is not."""
    right = Unit.enqueue

    async def enqueue(self: Unit, *, id: str, kind: str, key: str, body: Any, due: Any) -> bool:
        if hashlib.sha256(key.encode()).digest()[0] % 8 == 0:
            return True
        return await right(self, id=id, kind=kind, key=key, body=body, due=due)

    Unit.enqueue = enqueue


def reuse_a_one_time_key() -> None:
    """Chosen keys are not marked as used."""

    async def take(unit: Unit, chosen: Any, *, tender_id: str) -> None:
        return None

    rosters.take = take


def leak_a_score_before_lock() -> None:
    """A locked sheet is published at once, while others still mark."""
    right = sheets.lock_sheet

    async def lock_sheet(cmd: Any, *, actor: Any, now: Any, unit: Unit, hall: Any) -> Any:
        outcome = await right(cmd, actor=actor, now=now, unit=unit, hall=hall)
        rows = await unit.sheet.find({"lot": cmd.lot, "person": actor.person})
        table = jcs.dumps([row["body"]["marks"] for row in rows])
        await journal.keep_object(unit, lot=cmd.lot, kind="table", data=table, public=True)
        return outcome

    sheets.lock_sheet = lock_sheet


def award_outside_the_candidates() -> None:
    """Whoever asks for a rank that nobody has gets it."""
    right = award.check_award

    def check_award(tender: Tender, *, rank: int, bid: str, now: Any) -> Any:
        if rank > len(tender.candidates):
            return structs.replace(tender.candidates[-1], rank=rank)
        return right(tender, rank=rank, bid=bid, now=now)

    award.check_award = check_award


def alter_a_signed_leaf() -> None:
    """Whoever owns the database changes a leaf when the bids are opened."""
    right = announcement.announce

    async def announce(unit: Any, *given: Any, **named: Any) -> Any:
        row = unit.session._engine.tables["ledger"].rows[(3,)]
        row["leaf"] = row["leaf"][:-1] + bytes([row["leaf"][-1] ^ 1])
        return await right(unit, *given, **named)

    announcement.announce = announce


def write_another_state() -> None:
    """The row of a tender says another number of bids needed than its acts once bids are frozen."""
    right = tenders._row

    def row(tender: Tender, now: Any) -> Any:
        return right(structs.replace(tender, bids_min=1) if tender.freeze else tender, now)

    tenders._row = row


def act_without_a_power() -> None:
    """An official's verb asks for no code."""
    powers.check = lambda *given, **named: None


def clarify_too_late() -> None:
    """A change that affects bids is taken on any day."""
    schedule.check_amendment = lambda tender, **named: tender.deadline


def seat_a_bidders_expert() -> None:
    """Nobody is in conflict with anybody."""
    avoidance.conflicted = lambda *given, **named: set()
    avoidance.reasons = lambda *given, **named: ()


DEFECTS = {
    defect.name: defect
    for defect in (
        Defect("accept_at_the_deadline", "I4", accept_at_the_deadline),
        Defect("drop_a_frozen_bid", "I5", drop_a_frozen_bid),
        Defect("release_before_settle", "I3", release_before_settle),
        Defect("ignore_an_extension", "I3", ignore_an_extension),
        Defect("redraw", "I8", redraw),
        Defect("count_a_withdrawn_bid", "I5", count_a_withdrawn_bid),
        Defect("float_mean", "I8", float_mean),
        Defect("skip_a_hold", "I13", skip_a_hold),
        Defect("lose_an_outbox_job", "I14", lose_an_outbox_job),
        Defect("reuse_a_one_time_key", "I2", reuse_a_one_time_key),
        Defect("leak_a_score_before_lock", "I12", leak_a_score_before_lock),
        Defect("award_outside_the_candidates", "I13", award_outside_the_candidates),
        # Beyond the twelve: each of the other invariants is seen to fail as well.
        Defect("alter_a_signed_leaf", "I6", alter_a_signed_leaf),
        Defect("write_another_state", "I7", write_another_state),
        Defect("act_without_a_power", "I9", act_without_a_power),
        Defect("clarify_too_late", "I10", clarify_too_late),
        Defect("seat_a_bidders_expert", "I11", seat_a_bidders_expert),
    )
}


def hunt(defect: Defect, seed: str) -> dict[str, Any]:
    """Plant it and simulate until its invariant names it. What other invariants or errors say does not count."""
    defect.plant()
    tenders, others = 0, []
    for number in range(TENDERS_MAX):
        outcome = season.one(f"{seed}:{defect.name}:{number}")
        tenders += outcome.tally.tenders
        for failure in outcome.failures:
            if defect.invariant in failure.invariants:
                return {"found": defect.invariant, "tenders": tenders, "text": failure.text, "others": others}
            others.append(failure.text)
        if tenders >= TENDERS_MAX:
            break
    return {"found": None, "tenders": tenders, "text": "", "others": others}


if __name__ == "__main__":
    chosen = DEFECTS[sys.argv[1]]
    print(json.dumps(hunt(chosen, sys.argv[2] if len(sys.argv) > 2 else DEFAULT_SEED), ensure_ascii=False))
