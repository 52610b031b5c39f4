"""Avoidance (回避): from facts about an expert to the organisations whose bids or projects they may not judge, and why.

Rules upheld: members with an interest in a bidder or the project withdraw (招标投标法 §37, 条例 §46, 12号令 §12, E-67);
staff of a supervising department or of the project's authority do not sit on what they supervise (条例 §46, E-66);
whoever worked for, directed or held shares in an organisation within three years stays away from it.
Organisations under the same private controller count as one; companies that have only the State as common controller do
not (公司法 §265 (4)). Pure: the same facts and day give the same answer, so the facts can be fixed by hash before the
draw (docs/spec/lottery.md §2) and the conflicts recomputed by anybody who is shown them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from crypto import jcs
from crypto.refusal import Refused

YEARS_BACK = 3
SALT_BYTES = 32


class Tie(StrEnum):
    """How an expert is tied to an organisation."""

    EMPLOYER = "employer"
    FORMER_EMPLOYER = "former_employer"
    OFFICE = "office"
    SHARES = "shares"
    KIN = "kin"
    INTEREST = "interest"
    SUPERVISORY_STAFF = "supervisory_staff"
    PUNISHED = "punished"


@dataclass(frozen=True, slots=True)
class Fact:
    """Expert `expert` is or was tied to `organisation` (uscc); `until` = last day of the tie, None = it lasts.

    KIN: a near relative is a principal of the organisation; INTEREST: any other economic interest declared.
    """

    expert: str
    organisation: str
    tie: Tie
    until: date | None = None

    def __post_init__(self) -> None:
        assert self.tie not in (Tie.SUPERVISORY_STAFF, Tie.PUNISHED), "derived from Facts.supervisors and .punished"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known before the draw. `control` lists (controller, controlled) by uscc; `state` the State's holders.

    `supervisors` are the supervising departments and the project's authority; `punished` experts sanctioned for
    misconduct in bidding (12号令 §12 (4)).
    """

    facts: tuple[Fact, ...]
    control: frozenset[tuple[str, str]] = frozenset()
    state: frozenset[str] = frozenset()
    supervisors: frozenset[str] = frozenset()
    punished: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one expert avoids one organisation; `through` is the organisation of the fact when control links the two."""

    organisation: str
    tie: Tie
    through: str
    rule: str


def reasons(expert: str, facts: Facts, parties: Collection[str], *, day: date) -> tuple[Reason, ...]:
    """All reasons why `expert` may not judge a project of `parties` (owner, agent, designers, bidders) on `day`."""
    found: list[Reason] = []
    for fact in facts.facts:
        if fact.expert != expert or _past(fact, day):
            continue
        if fact.organisation in facts.supervisors and fact.tie is Tie.EMPLOYER:
            found.append(Reason(fact.organisation, Tie.SUPERVISORY_STAFF, fact.organisation, "E-66"))
        group = related(fact.organisation, facts)
        # A past tie is a past tie whichever way it was recorded.
        tie = Tie.FORMER_EMPLOYER if fact.tie is Tie.EMPLOYER and _ended(fact, day) else fact.tie
        found.extend(Reason(party, tie, fact.organisation, "E-67") for party in sorted(group & set(parties)))
    if expert in facts.punished:
        found.append(Reason("", Tie.PUNISHED, "", "E-67"))
    return tuple(dict.fromkeys(found))


def require_free(expert: str, facts: Facts, parties: Collection[str], *, day: date) -> str:
    """Return `expert` when nothing stands against them; raise Refused under E-66 or E-67 with the first reason."""
    refuse_for(reasons(expert, facts, parties, day=day))
    return expert


def refuse_for(found: Sequence[Reason]) -> None:
    """Raise Refused for the first reason, supervisory staff (E-66) before interest (E-67); none is no refusal."""
    if not found:
        return
    first = min(found, key=lambda reason: reason.rule)
    code = "expert_is_supervisory_staff" if first.rule == "E-66" else "expert_must_avoid"
    raise Refused(code, rule=first.rule, organisation=first.organisation, tie=first.tie.value, through=first.through)


def related(organisation: str, facts: Facts) -> frozenset[str]:
    """The organisation, whoever controls it, and all that these control, at any depth; the State links nobody."""
    above = _closure({organisation}, {(low, high) for high, low in facts.control if high not in facts.state})
    return frozenset(_closure(above, {(high, low) for high, low in facts.control if high not in facts.state}))


def organisations(expert: str, facts: Facts, *, day: date) -> tuple[str, ...]:
    """Every organisation the expert is in conflict with on `day`, ascending, whether or not it takes part."""
    found: set[str] = set()
    for fact in facts.facts:
        if fact.expert == expert and not _past(fact, day):
            found |= related(fact.organisation, facts)
    return tuple(sorted(found))


def excluded_before(experts: Iterable[str], facts: Facts, parties: Collection[str], *, day: date) -> dict[str, Reason]:
    """Who stays out of the pool from the start (owner, agent, supervisors, the punished), with the first reason."""
    found = {expert: reasons(expert, facts, parties, day=day) for expert in experts}
    return {expert: held[0] for expert, held in found.items() if held}


def avoidance_object(masked: Mapping[str, str], facts: Facts, *, day: date, salt: bytes) -> dict[str, Any]:
    """The object behind `draw_pool.avoidance_hash`: {"salt","facts":[{"masked","organisations"}]}, ascending by masked.

    `masked` maps each expert of the pool to the masked id (hex) of this draw; `salt` is 32 bytes (docs/spec/bundle.md).
    """
    assert len(salt) == SALT_BYTES, "a short salt lets the facts be guessed"
    rows = sorted((hidden, organisations(expert, facts, day=day)) for expert, hidden in masked.items())
    return {"salt": salt.hex(), "facts": [{"masked": hidden, "organisations": list(held)} for hidden, held in rows]}


def avoidance_hash(fixed: Mapping[str, Any]) -> str:
    """SHA-256 of the JCS text of the object, hex: what the public act fixes before the seed can exist."""
    return hashlib.sha256(jcs.dumps(fixed)).hexdigest()


def conflicted(fixed: Mapping[str, Any], bidders: Collection[str]) -> frozenset[bytes]:
    """After the freeze: the masked ids in conflict with a bidder, by the facts fixed in the pool act and no others."""
    held = set(bidders)
    return frozenset(bytes.fromhex(row["masked"]) for row in fixed["facts"] if held & set(row["organisations"]))


def _closure(start: Collection[str], edges: Collection[tuple[str, str]]) -> set[str]:
    onward: dict[str, list[str]] = {}
    for origin, target in edges:
        onward.setdefault(origin, []).append(target)
    reached, waiting = set(start), list(start)
    while waiting:
        for target in onward.get(waiting.pop(), ()):
            if target not in reached:
                reached.add(target)
                waiting.append(target)
    return reached


def _ended(fact: Fact, day: date) -> bool:
    return fact.until is not None and fact.until < day


def _past(fact: Fact, day: date) -> bool:
    """Whether the tie ended more than three years ago; the anniversary itself still counts as within."""
    return fact.until is not None and fact.until < _years_before(day, YEARS_BACK)


def _years_before(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year - years)
    except ValueError:  # 29 February has no anniversary: the stricter day before.
        return day.replace(year=day.year - years, day=28)
