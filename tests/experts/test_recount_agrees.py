"""Two implementations that share no code, the hall's scoring and the auditor's recount, agree to the last digit."""

import json
import random
from fractions import Fraction

import pytest

from crypto.refusal import Refused
from crypto.verifier import findings, recount
from experts import scores_file, scoring
from experts.scoring import Bid, Case, DropRow, Mark, Method, Rounding, Tie

SEEDS = range(150)


def places(chance: random.Random) -> int | None:
    return chance.choice([None, 0, 1, 2, 2, 2, 3, 4])


def hundredth(chance: random.Random, most: int) -> Fraction:
    return Fraction(chance.randrange(1, most * 100), 100)


def method(chance: random.Random) -> Method:
    drop = chance.choice([(), (DropRow(1, 0, 0), DropRow(4, 1, 0), DropRow(6, 1, 1)), (DropRow(3, 1, 1),)])
    weight = Fraction(chance.randrange(1, 100), 100)
    ties: tuple[Tie, ...] = chance.choice([("price", "points", "draw"), ("points", "draw"), ("draw",)])
    return Method(
        full=Fraction(chance.choice([35, 60, 100])),
        base_fixed=chance.choice([None, None, Fraction("10000.5")]),
        drop=drop,
        float_rate=Fraction(chance.randrange(-8, 9), 100),
        above=hundredth(chance, 3),
        below=hundredth(chance, 3),
        cap_above=chance.choice([None, hundredth(chance, 10)]),
        cap_below=chance.choice([None, hundredth(chance, 10)]),
        floor=Fraction(chance.choice([0, 0, 10])),
        weight_price=weight,
        weight_points=1 - weight,
        rounding=Rounding(*(places(chance) for _ in range(5))),
        ties=ties,
    )


def case(chance: random.Random) -> Case:
    # A few prices and marks only, so that ties and equal extremes are common.
    bids = tuple(Bid(f"b{at}", 100 * chance.randrange(9000, 11000, 250)) for at in range(chance.randrange(1, 9)))
    experts, items = ["1", "2", "3", "4", "5"], ["plan", "record", "staff"]
    marks = [Mark(e, bid.id, item, 50 * chance.randrange(0, 9)) for e in experts for bid in bids for item in items]
    triples = sorted({(chance.choice(experts), chance.choice(bids).id, chance.choice(items)) for _ in range(2)})
    max_price = chance.choice([None, 1_050_000, 1_100_000])
    return Case(method(chance), max_price, bids, marks, tuple(triples))


@pytest.mark.parametrize("seed", SEEDS)
def test_recount_accepts_what_the_hall_computed_and_nothing_else(seed: int) -> None:
    chance = random.Random(seed)
    judged = case(chance)
    drawn = [bid.id for bid in judged.bids]
    chance.shuffle(drawn)
    try:
        result = scoring.evaluate(judged, drawn=drawn)
    except Refused as refused:
        assert refused.code == "no_valid_bid_to_score", f"seed {seed}"
        return
    written = json.loads(scores_file.dump(judged, result))
    recount.check(written)
    for field in ("scores", "totals"):
        forged = json.loads(json.dumps(written))
        victim = chance.choice(sorted(forged["result"][field]))
        forged["result"][field][victim] = scores_file.decimal_text(
            Fraction(forged["result"][field][victim]) + Fraction(1, 10**8)
        )
        with pytest.raises(findings.Failed):
            recount.check(forged)
