"""The draw of a panel from a pool of 1,000,000 experts: mask, publish, shuffle, seat.

Beside it: `random.shuffle` of the same list, which nobody could check afterwards.
"""

from __future__ import annotations

import random
from hashlib import sha256

import measure

from crypto import lottery

STRATA = (("A0803", 3), ("B0101", 2))


def table(small: bool) -> measure.Table:
    """Seconds of each step."""
    told = measure.Table(
        "draw",
        "Draw",
        "Two strata of half the pool each. Masking hashes every expert with a fresh salt; the pool object is what the "
        "ledger pins by its hash; the order of everybody follows from the seed and is what a stranger makes again.",
    )
    count = 20_000 if small else 1_000_000
    half = count // 2
    with measure.timed() as masking:
        masked = [lottery.mask(sha256(b"%d" % n).digest(), f"expert-{n}") for n in range(count)]
    with measure.timed() as pooling:
        split = [masked[:half], masked[half:]]
        pool = lottery.Pool.make((name, k, ids) for (name, k), ids in zip(STRATA, split, strict=True))
        pool_hash = pool.hash()
    with measure.timed() as drawing:
        orders = lottery.draw(pool, sha256(pool_hash).digest())
        panel = lottery.seat(pool, orders, conflicts=frozenset())
    assert len(panel.seats) == 5
    with measure.timed() as plain:
        for stratum in pool.strata:
            random.Random(1).shuffle(list(stratum.masked))
    beside = {"beside": "random.shuffle of the same lists", "beside_value": plain.seconds}
    told.add(f"draw from {count:,}: order of everybody and the panel", drawing.seconds, "s", **beside)
    told.add("pool object: sort, encode, hash", pooling.seconds, "s", **beside)
    told.add("masks", masking.seconds, "s", **beside)
    return told


if __name__ == "__main__":
    measure.main(table)
