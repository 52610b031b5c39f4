"""DRAW v1: the pool, the seed that several hands make, the shuffle, the seats, and the replay of all of it.

docs/spec/lottery.md; 招标投标法实施条例 §46 (experts are drawn at random, nobody designates one). The rules upheld:
- every stratum is shuffled in full from its ascending order by its own stream: no order depends on another's outcome;
- a number outside the largest multiple of n is thrown away, never reduced: no expert is likelier than another;
- a seat goes to the first in order who is neither in conflict, nor seated, nor ever was: whoever left never returns.

Whoever makes one contribution can refuse to take part; they cannot choose, foresee or spoil a seat. Everything here is
a function of public acts and of r_1 … r_m, so anybody who has them draws again. Commitments to r are
crypto/contribution.py, the reader of draw.json is crypto/opening/replay.py.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import struct
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Final, Literal, TypeVar

from crypto import jcs
from crypto.refusal import Refused

PURPOSE_PANEL: Final = 1
CENTRE: Final = 1
SUPERVISOR: Final = 2
OWNER: Final = 3
CONTRIBUTORS: Final = (CENTRE, SUPERVISOR, OWNER)
STRATA_MAX: Final = 64
POOL_BYTES_MAX: Final = 128 * 1024 * 1024
VOID_R: Final = bytes(32)
NO_ANSWERS_ALARM: Final = 2
ATTEMPTS_MAX: Final = 3

Why = Literal["recused", "declined", "no_answer", "avoided"]
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Stratum:
    """One specialty: `k` seats to fill from `masked` (32 bytes each, ascending, no repeat)."""

    specialty: str
    k: int
    masked: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if not self.specialty or any(len(each) != 32 for each in self.masked):
            raise Refused("draw_pool_fields", specialty=self.specialty)
        for before, after in zip(self.masked, self.masked[1:], strict=False):
            if before == after:
                raise Refused("draw_pool_repeat", specialty=self.specialty, masked=after.hex())
            if before > after:
                raise Refused("draw_pool_order", specialty=self.specialty, masked=after.hex())
        if not 1 <= self.k <= len(self.masked):
            raise Refused("draw_pool_too_small", specialty=self.specialty, k=self.k, pool=len(self.masked))


@dataclass(frozen=True, slots=True)
class Pool:
    """The strata of a draw, numbered σ from 0 in this order."""

    strata: tuple[Stratum, ...]

    def __post_init__(self) -> None:
        names = [stratum.specialty for stratum in self.strata]
        if not 1 <= len(names) <= STRATA_MAX or len(set(names)) != len(names):
            raise Refused("draw_pool_fields", specialty=", ".join(names)[:200])

    @staticmethod
    def make(strata: Iterable[tuple[str, int, Iterable[bytes]]]) -> Pool:
        """A pool from (specialty, k, masked ids in any order); Refused draw_pool_* as written in the classes."""
        return Pool(tuple(Stratum(name, k, tuple(sorted(masked))) for name, k, masked in strata))

    @staticmethod
    def parse(data: bytes) -> Pool:
        """The pool of a pool object. Refused: jcs_*, draw_pool_fields, …_order, …_repeat, …_too_small."""
        return Pool.of(jcs.loads(data, bytes_max=POOL_BYTES_MAX))

    @staticmethod
    def of(value: Any) -> Pool:
        """The pool of a pool object that was read already."""
        if not isinstance(value, dict) or set(value) != {"strata"} or not isinstance(value["strata"], list):
            raise Refused("draw_pool_fields", specialty="")
        return Pool(tuple(_stratum(item) for item in value["strata"]))

    def object(self) -> dict[str, Any]:
        """The pool object, as it is named by `pool_hash`."""
        return {
            "strata": [
                {"specialty": each.specialty, "k": each.k, "masked": [masked.hex() for masked in each.masked]}
                for each in self.strata
            ]
        }

    def encode(self) -> bytes:
        """JCS of the pool object."""
        return jcs.dumps(self.object())

    def hash(self) -> bytes:
        """pool_hash of the draw_pool act, 32 bytes."""
        return hashlib.sha256(self.encode()).digest()


@dataclass(frozen=True, slots=True)
class Seat:
    """Seat `seat` (from 1) is held by `masked`, of stratum σ = `stratum`."""

    seat: int
    stratum: int
    masked: bytes

    def object(self) -> dict[str, Any]:
        """{"seat","stratum","masked"} as in draw_result."""
        return {"seat": self.seat, "stratum": self.stratum, "masked": self.masked.hex()}


@dataclass(frozen=True, slots=True)
class Panel:
    """Who sits where; `avoided`: all passed over for a conflict so far, as met; `left` held a seat and never return."""

    seats: tuple[Seat, ...]
    avoided: tuple[bytes, ...]
    left: frozenset[bytes] = frozenset()

    def seated(self) -> frozenset[bytes]:
        """The masked ids that hold a seat now."""
        return frozenset(seat.masked for seat in self.seats)

    def of(self, number: int) -> Seat:
        """Seat `number`; Refused("draw_seat")."""
        for seat in self.seats:
            if seat.seat == number:
                return seat
        raise Refused("draw_seat", seat=number)


@dataclass(frozen=True, slots=True)
class Measures:
    """How hard a draw is to foresee: distinct experts, whole bits of choice, pairs that met more than once lately."""

    pool: int
    entropy_bits: int
    repeat_pairs: int

    def object(self) -> dict[str, int]:
        """`measures` of the draw_pool act."""
        return {"pool": self.pool, "entropy_bits": self.entropy_bits, "repeat_pairs": self.repeat_pairs}


def draw_id(tender_id: bytes, attempt: int, *, purpose: int = PURPOSE_PANEL) -> bytes:
    """H("draw/v1 id\\0" || tender_id || u16 purpose || u16 attempt), 32 bytes."""
    assert len(tender_id) == 32 and 0 <= attempt < 2**16 and 0 < purpose < 2**16
    return hashlib.sha256(b"draw/v1 id\0" + tender_id + struct.pack(">HH", purpose, attempt)).digest()


def mask(salt: bytes, expert_id: str) -> bytes:
    """H("draw/v1 mask\\0" || salt32 || UTF-8 expert id): a fresh salt per expert and draw."""
    assert len(salt) == 32
    return hashlib.sha256(b"draw/v1 mask\0" + salt + expert_id.encode("utf-8")).digest()


def seed(draw_id: bytes, pool_leaf: bytes, r: Mapping[int, bytes]) -> bytes:
    """The seed from the listed contributors' r (32 bytes each; VOID_R where a contribution failed), 32 bytes.

    `pool_leaf` is the RFC 6962 leaf hash of the draw_pool act. Refused("draw_contributors") without supervision and
    owner, or with a contributor that does not exist.
    """
    assert len(draw_id) == len(pool_leaf) == 32 and all(len(value) == 32 for value in r.values())
    if not {SUPERVISOR, OWNER} <= set(r) <= set(CONTRIBUTORS):
        raise Refused("draw_contributors", contributors=sorted(r))
    given = b"".join(bytes((i,)) + r[i] for i in sorted(r))
    return hashlib.sha256(b"draw/v1 seed\0" + draw_id + pool_leaf + bytes((len(r),)) + given).digest()


class Stream:
    """The numbers of one stratum: HMAC-SHA256 blocks of the seed, four 64-bit integers each."""

    def __init__(self, seed: bytes, stratum: int) -> None:
        assert len(seed) == 32 and 0 <= stratum < STRATA_MAX
        self._seed = seed
        self._label = b"draw/v1 block\0" + stratum.to_bytes(2, "big")
        self._block = 0
        self._left: list[int] = []

    def below(self, n: int) -> int:
        """A number in 0 … n − 1, each equally likely; 1 ≤ n < 2^64."""
        assert 1 <= n < 2**64
        limit = 2**64 - 2**64 % n
        while True:
            if not self._left:
                block = hmac.digest(self._seed, self._label + self._block.to_bytes(8, "big"), "sha256")
                self._left = list(reversed(struct.unpack(">4Q", block)))
                self._block += 1
            value = self._left.pop()
            if value < limit:
                return value % n


def shuffle(items: Sequence[_Item], below: Callable[[int], int]) -> tuple[_Item, ...]:
    """Every item in the drawn order: for a = 0 … n − 2 swap a with a + below(n − a)."""
    order = list(items)
    count = len(order)
    for at in range(count - 1):
        other = at + below(count - at)
        order[at], order[other] = order[other], order[at]
    return tuple(order)


def draw(pool: Pool, seed: bytes) -> tuple[tuple[bytes, ...], ...]:
    """The full order of every stratum."""
    return tuple(shuffle(stratum.masked, Stream(seed, number).below) for number, stratum in enumerate(pool.strata))


def seat(pool: Pool, orders: Sequence[Sequence[bytes]], *, conflicts: Collection[bytes]) -> Panel:
    """The first panel: strata in order, of each the first k neither in conflict nor seated already.

    Refused("draw_stratum_exhausted") when a stratum has too few: the attempt fails; `avoided` in its facts are those
    passed over until then, as the act that publishes the failure names them.
    """
    panel = Panel((), ())
    for number, stratum in enumerate(pool.strata):
        for _ in range(stratum.k):
            found, avoided = _next(orders[number], number, panel, conflicts)
            panel = Panel((*panel.seats, Seat(len(panel.seats) + 1, number, found)), avoided)
    return panel


def fill(panel: Panel, orders: Sequence[Sequence[bytes]], number: int, *, conflicts: Collection[bytes]) -> Panel:
    """The panel after seat `number` was freed: the next of its stratum takes it.

    `avoided` of the recusal act are those that the new panel's `avoided` has beyond the old one's. Refused: draw_seat,
    draw_stratum_exhausted.
    """
    freed = panel.of(number)
    found, avoided = _next(orders[freed.stratum], freed.stratum, panel, conflicts)
    seats = tuple(replace(each, masked=found) if each.seat == number else each for each in panel.seats)
    return Panel(seats, avoided, panel.left | {freed.masked})


def alarm_no_answers(whys: Iterable[Why]) -> int | None:
    """How many experts of one panel gave no answer, when that is an alarm (two or more); else None."""
    count = sum(why == "no_answer" for why in whys)
    return count if count >= NO_ANSWERS_ALARM else None


def measure(pool: Pool, earlier_panels: Iterable[Collection[str]] = ()) -> Measures:
    """What the draw_pool act tells of predictability; `earlier_panels` are expert ids, as far back as the rulebook."""
    ways = math.prod(math.comb(len(stratum.masked), stratum.k) for stratum in pool.strata)
    met: dict[tuple[str, str], int] = {}
    for panel in earlier_panels:
        for first, second in combinations(sorted(set(panel)), 2):
            met[first, second] = met.get((first, second), 0) + 1
    distinct = len({masked for stratum in pool.strata for masked in stratum.masked})
    return Measures(distinct, ways.bit_length() - 1, sum(times > 1 for times in met.values()))


def require_unpredictable(
    measures: Measures, *, pool_min: int, entropy_bits_min: int, repeat_pairs_max: int, rule: str | None = None
) -> Measures:
    """Refused("draw_too_predictable") below the rulebook's floor; else the measures."""
    for name, given, floor in (
        ("pool", measures.pool, pool_min),
        ("entropy_bits", measures.entropy_bits, entropy_bits_min),
    ):
        if given < floor:
            raise Refused("draw_too_predictable", rule=rule, measure=name, given=given, floor=floor)
    if measures.repeat_pairs > repeat_pairs_max:
        raise Refused(
            "draw_too_predictable",
            rule=rule,
            measure="repeat_pairs",
            given=measures.repeat_pairs,
            floor=repeat_pairs_max,
        )
    return measures


def check_attempt(acts: Sequence[Mapping[str, Any]], pool_act: Mapping[str, Any]) -> int:
    """The attempt of a draw_pool act, judged against the tender's public acts before it (in log order).

    attempt 0 needs nothing; above 0 it needs every earlier attempt's draw_result, and a directive `redraw` after the
    last of them. A draw_id that stands in an earlier pool is refused too. Raises Refused("draw_attempt").
    """
    tender_id = bytes.fromhex(pool_act["tender_id"])
    attempt, purpose = pool_act["attempt"], pool_act["purpose"]
    if type(attempt) is not int or not 0 <= attempt < 2**16 or purpose != PURPOSE_PANEL:
        raise Refused("draw_attempt", attempt=attempt, reason="fields")
    if attempt >= ATTEMPTS_MAX:
        raise Refused("draw_attempt", attempt=attempt, reason=f"at most {ATTEMPTS_MAX} attempts")
    if pool_act["draw_id"] != draw_id(tender_id, attempt).hex():
        raise Refused("draw_attempt", attempt=attempt, reason="draw_id")
    if any(act["kind"] == "draw_pool" and act["draw_id"] == pool_act["draw_id"] for act in acts):
        raise Refused("draw_attempt", attempt=attempt, reason="repeated")
    last = -1
    for earlier in range(attempt):
        name = draw_id(tender_id, earlier).hex()
        results = [at for at, act in enumerate(acts) if act["kind"] == "draw_result" and act["draw_id"] == name]
        if not results:
            raise Refused("draw_attempt", attempt=attempt, reason=f"attempt {earlier} was not opened and published")
        last = max(last, results[0])
    ordered = any(act["kind"] == "directive" and act["what"] == "redraw" for act in acts[last + 1 :])
    if attempt and not ordered:
        raise Refused("draw_attempt", attempt=attempt, reason="no directive")
    return attempt


def _next(
    order: Sequence[bytes], stratum: int, panel: Panel, conflicts: Collection[bytes]
) -> tuple[bytes, tuple[bytes, ...]]:
    """The first in order that may take a seat, and `avoided` with those added that were passed over on the way."""
    taken = panel.seated() | panel.left
    avoided = panel.avoided
    for masked in order:
        if masked in taken:
            continue
        if masked not in conflicts:
            return masked, avoided
        if masked not in avoided:
            avoided = (*avoided, masked)
    raise Refused("draw_stratum_exhausted", stratum=stratum, avoided=[masked.hex() for masked in avoided])


def _stratum(item: Any) -> Stratum:
    if not isinstance(item, dict) or set(item) != {"specialty", "k", "masked"}:
        raise Refused("draw_pool_fields", specialty="")
    specialty, k, masked = item["specialty"], item["k"], item["masked"]
    if not isinstance(specialty, str) or type(k) is not int or not isinstance(masked, list):
        raise Refused("draw_pool_fields", specialty=str(specialty)[:200])
    ids = tuple(_masked(each, specialty) for each in masked)
    return Stratum(specialty, k, ids)


def _masked(text: Any, specialty: str) -> bytes:
    if not isinstance(text, str) or len(text) != 64 or text != text.lower():
        raise Refused("draw_pool_fields", specialty=specialty)
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise Refused("draw_pool_fields", specialty=specialty) from None
