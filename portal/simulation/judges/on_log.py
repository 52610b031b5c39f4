"""Invariants of the record, I6 I7 I9 I10 I14: the log grows, the state is its replay, roles, order, jobs once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import combinations

from crypto.ledger import merkle
from crypto.refusal import Refused
from portal.simulation.judges.look import Look, at, day
from portal.simulation.stores import Event
from storage.world import instant
from trading import fold, tender_document
from trading.tender import from_json

FAMILY = {
    "owner": "trade",
    "agent": "trade",
    "owner_representative": "trade",
    "bidder": "bidder",
    "expert": "expert",
    "centre": "operation",
    "supervisor": "supervision",
    "trustee": "independent",
}
APART = frozenset(
    frozenset(pair)
    for pair in (
        ("supervision", "trade"),
        ("supervision", "bidder"),
        ("supervision", "expert"),
        ("supervision", "operation"),
        ("operation", "trade"),
        ("operation", "bidder"),
        ("operation", "expert"),
        ("trade", "bidder"),
        ("trade", "expert"),
        ("bidder", "expert"),
        ("bidder", "independent"),
        ("expert", "independent"),
    )
)
POWERED = frozenset({"centre", "supervisor"})
# Which public acts may stand after which: the least kind that must stand before, and the kinds after which none may.
BEFORE = {
    "close": "tender",
    "freeze": "close",
    "refused": "freeze",
    "ready": "freeze",
    "rescue": "ready",
    "release": "ready",
    "verdict": "release",
    "opened": "verdict",
    "draw_close": "draw_pool",
    "draw_result": "freeze",
    "recusal": "draw_result",
    "scores_committed": "opened",
    "scores_locked": "scores_committed",
    "report": "scores_locked",
    "publicity": "report",
    "award": "publicity",
    "contract": "award",
}
CLOSED_BY = {
    "amendment": "close",
    "deadline": "close",
    "terminate": "opened",
    "draw_pool": "scores_committed",
    "scores_committed": "scores_committed",
    "report": "report",
    "publicity": "publicity",
    "contract": "contract",
}
ENDED = ("failed", "terminate")
AFTER_THE_END = frozenset({"incident", "directive", "tally"})
NOTICE_DAYS, CLARIFICATION_DAYS, OBJECTION_DAYS, PUBLICITY_DAYS = 20, 15, 10, 3


def i6_the_log_only_grows(look: Look) -> Iterator[str]:
    """The log only grows; every checkpoint is consistent with every other that anybody holds."""
    memory, disk = look.memory, look.disk
    signed = {row["size"]: row for row in disk.rows("checkpoint")}
    for leaf in disk.leaves[memory.frontier.size :]:
        memory.frontier = memory.frontier.append([merkle.leaf_hash(leaf)])
        if memory.frontier.size in signed:
            memory.roots[memory.frontier.size] = memory.frontier.root()
    if len(signed) < memory.checkpoints:
        yield "a checkpoint is gone"
    memory.checkpoints = len(signed)
    for size, row in signed.items():
        if memory.roots.get(size) != bytes.fromhex(row["root"]):
            yield f"the checkpoint of {size} leaves is not the root of the first {size} leaves"
    if any(look.new("contract", "failed", "terminate")):
        whole = merkle.Frontier().append(merkle.leaf_hash(leaf) for leaf in _leaves(look))
        if whole.root() != memory.frontier.root():
            yield "a leaf that was signed has changed"


def i7_state_is_the_replay(look: Look) -> Iterator[str]:
    """The row of a tender is the fold of its acts, and of nothing else."""
    row = look.disk.row("tender", look.book.lot)
    if row is None:
        return
    lot = look.book.lot
    try:
        for each in look.fresh:
            if each.kind == "tender":
                terms = look.disk.row("object", lot, each.body["terms_hash"])
                assert terms is not None
                document = tender_document.parse(bytes(terms["data"]))
                look.memory.folded[lot] = fold.begin(each.body, document, leaf=each.leaf)
            elif each.tender_id == look.book.tender_id:
                look.memory.folded[lot] = fold.apply(look.memory.folded[lot], each.body, leaf=each.leaf)
    except Refused as refused:
        yield f"the events of the tender cannot be replayed: {refused.code}"
        return
    if look.memory.folded[lot] != from_json(row["body"]["tender"]):
        yield "the row of the tender is not what its events give"


def i9_no_hand_in_two_roles(look: Look) -> Iterator[str]:
    """No person or organisation in two incompatible roles; no official act without a code in force."""
    families: dict[tuple[str, str], set[str]] = {}
    for each in look.events:
        role = each.body.get("role", "")
        family = FAMILY.get(role)
        if family is None:
            continue
        for name in ("person", "organisation"):
            who = each.hidden.get(name)
            if who:
                families.setdefault((name, who), set()).add(family)
    for (name, who), found in families.items():
        for pair in combinations(sorted(found), 2):
            if frozenset(pair) in APART:
                yield f"the {name} {who} acts as {pair[0]} and as {pair[1]}"
    for each in look.fresh:
        if each.body.get("role") in POWERED and not each.body.get("power"):
            yield f"{each.kind} by the {each.body['role']} carries no power code"


def i10_only_listed_transitions(look: Look) -> Iterator[str]:
    """Only listed transitions; every legal minimum of the rulebook, counted here again."""
    for each in look.fresh:
        earlier = [other for other in look.events if other.number < each.number]
        seen = {other.kind for other in earlier}
        if not each.public:
            if each.kind == "objection" and each.body["stage"] == "bidding":
                left = (day(look.book.deadline_at(at(each))) - day(at(each))).days
                if left < OBJECTION_DAYS:
                    yield f"an objection was taken {left} days before the deadline"
            continue
        if any(kind in seen for kind in ENDED) and each.kind not in AFTER_THE_END:
            yield f"{each.kind} after the end of the tender"
        before = BEFORE.get(each.kind)
        if before is not None and before not in seen:
            yield f"{each.kind} before any {before}"
        closed = CLOSED_BY.get(each.kind)
        if closed is not None and closed in seen:
            yield f"{each.kind} after {closed}"
        yield from _minimum(look, each)


def i14_every_job_once(look: Look) -> Iterator[str]:
    """Whoever must learn of an act has one notice of it, and every notice went out once."""
    rows, jobs = look.disk.rows("inbox"), look.disk.rows("job")
    for each in look.new("amendment", "deadline", "terminate", "award", "answer"):
        told = Counter(row["organisation"] for row in rows if json.loads(row["body"])["leaf"] == each.leaf)
        owed = _concerned(look, each)
        yield from (f"{who} was not told of the {each.kind}: a job is lost" for who in sorted(owed - set(told)))
        yield from (f"{who} was told {told[who]} times of the {each.kind}" for who in sorted(told) if told[who] != 1)
    if look.memory.jobs == (len(rows), len(jobs)):
        return
    look.memory.jobs = (len(rows), len(jobs))
    states = {row["key"]: row["state"] for row in jobs}
    for row in rows:
        state = states.get(f"send_notice:{row['id']}")
        if state is None:
            yield f"the notice {row['id'][:8]} of {row['created']} has no job: it is lost"
        times = json.loads(row["body"]).get("sent_times", 0)
        if state == "done" and times != 1:
            yield f"the notice {row['id'][:8]} was sent {times} times"


def _concerned(look: Look, act: Event) -> set[str]:
    """The organisations that must learn of an act."""
    match act.kind:
        case "award":
            return {row["bidder"]["uscc"] for row in look.record().values()}
        case "answer":
            found = [each for each in look.of("objection") if each.leaf == act.body["objection"]]
            return {each.hidden["organisation"] for each in found}
        case _:
            return {each.hidden["organisation"] for each in look.of("download") if each.number < act.number}


def _minimum(look: Look, each: Event) -> Iterator[str]:
    body, begun = each.body, day(at(each))
    match each.kind:
        case "tender":
            days = (day(instant(body["deadline"])) - begun).days
            if days < NOTICE_DAYS:
                yield f"the notice leaves {days} days to prepare a bid"
        case "amendment" if body["affects_bids"]:
            days = (day(look.book.shut_until) - begun).days
            if days < CLARIFICATION_DAYS:
                yield f"a change that affects bids leaves {days} days"
        case "publicity":
            days = (day(instant(body["until"]) - timedelta(milliseconds=1)) - begun).days
            if days < PUBLICITY_DAYS:
                yield f"the candidates are public for {days} days"
        case _:
            pass


def _leaves(look: Look) -> list[bytes]:
    rows = sorted(look.disk.rows("ledger"), key=lambda row: row["idx"])
    return [row["leaf"] for row in rows]
