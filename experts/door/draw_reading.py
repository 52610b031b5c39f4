"""What the pages of a draw read: every attempt from its public acts; and for those who run it, who has handed in.

docs/spec/lottery.md. Before `draw_close` names them, contributions are private acts: who has handed one in is told to
the three that make them and to nobody else, and what it holds to nobody at all. Experts stand here as masked ids, as
in the ledger; whoever holds a seat is not named before the result (E-65).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crypto import lottery
from crypto.refusal import Refused
from experts import room, specialties
from experts.panel import SeatState
from storage.unit import Unit
from trading import queries, tenders
from trading.lifecycle import State
from trading.roles import Role
from trading.tender import Tender

Words = tuple[str, str]

CONTRIBUTORS: Mapping[int, Words] = {
    lottery.CENTRE: ("交易中心", "trading centre"),
    lottery.SUPERVISOR: ("监督部门", "supervision"),
    lottery.OWNER: ("招标人", "owner"),
}
NUMBER = {Role.CENTRE: lottery.CENTRE, Role.SUPERVISOR: lottery.SUPERVISOR, Role.OWNER: lottery.OWNER}
WHY: Mapping[str, Words] = {
    "recused": ("本人申请回避", "withdrew"),
    "declined": ("谢绝邀请", "declined"),
    "no_answer": ("三次呼叫无人接听", "three calls without answer"),
    "avoided": ("签到时发现应当回避", "had to avoid, found at sign-in"),
    "lock_section": ("与承诺不符", "does not fit its commitment"),
    "unopened": ("未能开启", "could not be opened"),
}
CALLED = frozenset({SeatState.INVITED, SeatState.ACCEPTED})


@dataclass(frozen=True, slots=True)
class Stratum:
    """One specialty of a pool: its code and name, the seats to fill, how many may be drawn."""

    code: str
    name: Words
    seats: int
    candidates: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One draw as the ledger tells it. `pool`, `close`, `result` are {"leaf","act"}; `replaced` the recusal acts."""

    number: int
    pool: Mapping[str, Any]
    strata: Sequence[Stratum]
    close: Mapping[str, Any] | None = None
    result: Mapping[str, Any] | None = None
    replaced: Sequence[Mapping[str, Any]] = ()

    def stratum(self, number: int) -> Stratum:
        """The stratum of a seat."""
        return self.strata[number]


@dataclass(frozen=True, slots=True)
class Draw:
    """All attempts of a lot, oldest first. `keys` are the contributors' keys (SPKI, hex) as the notice pins them."""

    tender: Tender
    attempts: Sequence[Attempt]
    keys: Mapping[int, str] = field(default_factory=dict)

    @property
    def last(self) -> Attempt | None:
        """The attempt that counts now."""
        return self.attempts[-1] if self.attempts else None

    @property
    def open(self) -> bool:
        """Whether contributions are taken: a pool is public and not closed, nothing holds, and the tender goes on."""
        going = self.tender.state not in (State.FAILED, State.TERMINATED)
        return self.last is not None and self.last.close is None and going and self.tender.held_by is None


@dataclass(frozen=True, slots=True)
class Inside:
    """What those who run a draw see beyond its acts: who handed in (contributor → H(header)); the seats that are being
    called: [(seat, calls)]."""

    given: Mapping[int, str]
    called: Sequence[tuple[int, int]]


ReadInside = Callable[[Unit, str], Awaitable[Inside]]


async def draw(unit: Unit, lot: str) -> Draw:
    """The draws of a lot. Raises Refused("lot_unknown")."""
    tender = (await tenders.load(unit, lot)).tender
    acts = await queries.public_acts(unit, tender)
    found: list[Attempt] = []
    for row in acts:
        act = row["act"]
        match act["kind"]:
            case "draw_pool":
                pool = lottery.Pool.parse(await tenders.object_bytes(unit, lot, act["pool_hash"]))
                found.append(Attempt(act["attempt"], row, [_stratum(one) for one in pool.strata]))
            case "draw_close":
                found = [_with(one, act, close=row) for one in found]
            case "draw_result":
                found = [_with(one, act, result=row) for one in found]
            case "recusal":
                found = [_with(one, act, replaced=(*one.replaced, row)) for one in found]
            case _:
                continue
    keys = {int(number): str(key) for number, key in acts[0]["act"]["contributors"].items()}
    return Draw(tender, found, keys)


async def inside(unit: Unit, lot: str) -> Inside:
    """Who has handed in, and which seats are being called; empty before a draw is asked for."""
    opened = await room.find(unit, lot)
    if opened is None or not opened.room.attempts:
        return Inside({}, ())
    given = {int(number): one.header for number, one in opened.room.attempt.contributions.items()}
    called = [(seat.seat, seat.calls) for seat in opened.room.seats if seat.state in CALLED]
    return Inside(given, called)


def _with(one: Attempt, act: Mapping[str, Any], **changed: Any) -> Attempt:
    """The attempt with an act of its own; another draw's act leaves it as it is."""
    if act["draw_id"] != one.pool["act"]["draw_id"]:
        return one
    facts = {"close": one.close, "result": one.result, "replaced": one.replaced}
    return Attempt(one.number, one.pool, one.strata, **{**facts, **changed})


def _stratum(one: lottery.Stratum) -> Stratum:
    try:
        named = specialties.load().of(one.specialty)
        name = (named.zh, named.en)
    except Refused:
        # The table of a later edition may have dropped a code that an old pool used.
        name = (one.specialty, one.specialty)
    return Stratum(one.specialty, name, one.k, len(one.masked))
