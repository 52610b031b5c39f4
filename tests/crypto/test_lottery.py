"""The draw: pool, seed, stream, shuffle, seats, replacements, attempts; held to RFC 3797's example and own vectors."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import lottery
from crypto.refusal import Refused

VECTORS = Path(__file__).parents[1] / "vectors"
TENDER = hashlib.sha256(b"a tender").digest()


def ids(count: int, name: str = "expert") -> list[bytes]:
    return sorted(hashlib.sha256(f"{name} {number}".encode()).digest() for number in range(count))


def pool(*sizes: tuple[int, int]) -> lottery.Pool:
    return lottery.Pool.make((f"s{number}", k, ids(n, f"s{number}")) for number, (n, k) in enumerate(sizes))


def sample_by_removal(numbers: list[int], values: list[int]) -> list[int]:
    """The harness of RFC 3797 §4: each value mod how many are left says which of those left is taken away."""
    left = list(numbers)
    return [left.pop(value % len(left)) for value in values]


def sample_by_swap(numbers: list[bytes], below: Callable[[int], int]) -> list[bytes]:
    """The same sampling told by removal: of those left, in the order that swapping leaves them in, one is taken."""
    left = list(numbers)
    taken = []
    while len(left) > 1:
        chosen = below(len(left))
        taken.append(left[chosen])
        left[chosen] = left[0]
        left = left[1:]
    return taken + left


def plain_stream(seed: bytes, stratum: int) -> Callable[[int], int]:
    """A second, naive writing of the stream of lottery.md §4."""
    data = b""
    at = 0

    def below(n: int) -> int:
        nonlocal data, at
        while True:
            if at + 8 > len(data):
                message = b"draw/v1 block\0" + stratum.to_bytes(2, "big") + (len(data) // 32).to_bytes(8, "big")
                data += hmac.new(seed, message, hashlib.sha256).digest()
            value = int.from_bytes(data[at : at + 8], "big")
            at += 8
            if value < (2**64 // n) * n:
                return value % n

    return below


def test_rfc_3797_worked_example_drives_the_sampling_harness() -> None:
    example = json.loads((VECTORS / "rfc3797" / "worked_example.json").read_text())
    key = example["key"].encode()
    values = []
    for step, (digest, left, _) in enumerate(example["steps"]):
        framed = step.to_bytes(2, "big") + key + step.to_bytes(2, "big")
        made = hashlib.md5(framed, usedforsecurity=False).hexdigest().upper()
        assert made == digest and left == example["pool_size"] - step
        values.append(int(digest, 16))
    numbers = list(range(1, example["pool_size"] + 1))
    assert sample_by_removal(numbers, values) == [chosen for _, _, chosen in example["steps"]]


def test_swapping_and_removing_are_one_sampling() -> None:
    seed = hashlib.sha256(b"harness").digest()
    for count in (1, 2, 3, 25, 200):
        expected = sample_by_swap(ids(count), plain_stream(seed, 3))
        assert list(lottery.shuffle(ids(count), lottery.Stream(seed, 3).below)) == expected


def test_own_vectors() -> None:
    vectors = json.loads((VECTORS / "lottery" / "draws.json").read_text())
    for case in vectors["draws"]:
        drawn = lottery.Pool.of(case["pool"])
        tender = bytes.fromhex(case["tender_id"])
        assert drawn.hash().hex() == case["pool_hash"]
        assert lottery.draw_id(tender, case["attempt"]).hex() == case["draw_id"]
        r = {int(i): bytes.fromhex(value) for i, value in case["r"].items()}
        seed = lottery.seed(bytes.fromhex(case["draw_id"]), bytes.fromhex(case["pool_leaf"]), r)
        assert seed.hex() == case["seed"]
        orders = lottery.draw(drawn, seed)
        assert [[masked.hex() for masked in order] for order in orders] == case["orders"]
        conflicts = {bytes.fromhex(each) for each in case["conflicts"]}
        panel = lottery.seat(drawn, orders, conflicts=conflicts)
        assert [seat.object() for seat in panel.seats] == case["seats"]
        for number, expected in case["replacements"]:
            panel = lottery.fill(panel, orders, number, conflicts=conflicts)
            assert panel.of(number).masked.hex() == expected
        assert [each.hex() for each in panel.avoided] == case["avoided"]


def test_own_vectors_of_refused_pools() -> None:
    for case in json.loads((VECTORS / "lottery" / "refused_pools.json").read_text()):
        with pytest.raises(Refused) as refused:
            lottery.Pool.of(case["pool"])
        assert refused.value.code == case["code"], case["name"]


def test_numbers_are_rejected_not_reduced() -> None:
    # Half of all 64-bit values lie outside the only multiple of 2^63 + 1: reducing would favour small numbers.
    n = 2**63 + 1
    stream, plain = lottery.Stream(b"\x01" * 32, 0), plain_stream(b"\x01" * 32, 0)
    numbers = [stream.below(n) for _ in range(200)]
    assert numbers == [plain(n) for _ in range(200)]
    assert sum(number < n // 2 for number in numbers) < 140


def test_every_expert_is_equally_likely() -> None:
    drawn = pool((5, 2))
    seats: Counter[bytes] = Counter()
    for number in range(4000):
        seed = hashlib.sha256(f"fair {number}".encode()).digest()
        seats.update(seat.masked for seat in lottery.seat(drawn, lottery.draw(drawn, seed), conflicts=()).seats)
    expected = 4000 * 2 / 5
    chi_square = sum((count - expected) ** 2 / expected for count in seats.values())
    assert len(seats) == 5 and chi_square < 18.5  # p ≈ 0.001 with 4 degrees of freedom


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.integers(1, 60), st.integers(1, 60))
def test_a_strata_order_does_not_depend_on_the_others(seed: bytes, first: int, second: int) -> None:
    alone = lottery.draw(pool((7, 1), (first, 1)), seed)[0]
    assert lottery.draw(pool((7, 1), (second, 1)), seed)[0] == alone
    assert sorted(alone) == ids(7, "s0")


def test_pool_act_cannot_be_swapped_after_the_contributions() -> None:
    draw_id = lottery.draw_id(TENDER, 0)
    r = {2: b"\x02" * 32, 3: b"\x03" * 32}
    assert lottery.seed(draw_id, bytes(32), r) != lottery.seed(draw_id, b"\x01" * 32, r)


def test_no_draw_without_supervision_or_without_owner() -> None:
    draw_id = lottery.draw_id(TENDER, 0)
    for present in ({}, {1}, {1, 2}, {1, 3}, {2, 3, 4}):
        with pytest.raises(Refused, match="draw_contributors"):
            lottery.seed(draw_id, bytes(32), {i: bytes(32) for i in present})


def test_an_expert_in_two_strata_gets_one_seat() -> None:
    both = ids(4)
    drawn = lottery.Pool.make([("cost", 2, both), ("law", 2, both)])
    for number in range(20):
        seed = hashlib.sha256(bytes([number])).digest()
        panel = lottery.seat(drawn, lottery.draw(drawn, seed), conflicts=())
        assert len(panel.seated()) == 4


def test_conflicts_are_passed_over_and_named_in_the_order_met() -> None:
    drawn = pool((10, 3))
    orders = lottery.draw(drawn, bytes(32))
    conflicts = {orders[0][0], orders[0][2], orders[0][9]}
    panel = lottery.seat(drawn, orders, conflicts=conflicts)
    assert [seat.masked for seat in panel.seats] == [orders[0][1], orders[0][3], orders[0][4]]
    assert panel.avoided == (orders[0][0], orders[0][2])


def test_whoever_left_never_returns() -> None:
    drawn = pool((6, 2))
    orders = lottery.draw(drawn, bytes(32))
    panel = lottery.seat(drawn, orders, conflicts=())
    seen = set(panel.seated())
    for _ in range(4):
        panel = lottery.fill(panel, orders, 1, conflicts=())
        assert panel.of(1).masked not in seen
        seen.add(panel.of(1).masked)
    with pytest.raises(Refused, match="draw_stratum_exhausted"):
        lottery.fill(panel, orders, 2, conflicts=())


def test_two_no_answers_in_one_panel_raise_an_alarm() -> None:
    assert lottery.alarm_no_answers(["no_answer", "recused"]) is None
    assert lottery.alarm_no_answers(["no_answer", "recused", "no_answer"]) == 2


def test_measures_of_predictability_and_their_floor() -> None:
    drawn = lottery.Pool.make([("a", 2, ids(10)), ("b", 1, [*ids(10)[:3], *ids(5, "other")])])
    measures = lottery.measure(drawn, [["x", "y", "z"], ["y", "x", "w"], ["z", "w"], ["z", "x"]])
    # C(10,2)·C(8,1) = 360, floor(log2) = 8; {x,y} and {x,z} met twice.
    assert measures == lottery.Measures(pool=15, entropy_bits=8, repeat_pairs=2)
    assert lottery.require_unpredictable(measures, pool_min=15, entropy_bits_min=8, repeat_pairs_max=2) == measures
    for floor in ({"pool_min": 16}, {"entropy_bits_min": 9}, {"repeat_pairs_max": 1}):
        limits: dict[str, Any] = {"pool_min": 0, "entropy_bits_min": 0, "repeat_pairs_max": 9, **floor}
        with pytest.raises(Refused, match="draw_too_predictable"):
            lottery.require_unpredictable(measures, **limits)


def pool_act(attempt: int) -> dict[str, Any]:
    draw_id = lottery.draw_id(TENDER, attempt).hex()
    return {"kind": "draw_pool", "tender_id": TENDER.hex(), "purpose": 1, "attempt": attempt, "draw_id": draw_id}


def result_act(attempt: int) -> dict[str, Any]:
    return {"kind": "draw_result", "draw_id": lottery.draw_id(TENDER, attempt).hex()}


def test_contributor_or_hall_grinds_attempts_is_refused() -> None:
    redraw = {"kind": "directive", "what": "redraw"}
    assert lottery.check_attempt([], pool_act(0)) == 0
    assert lottery.check_attempt([pool_act(0), result_act(0), redraw], pool_act(1)) == 1
    for acts, act in (
        ([], pool_act(1)),
        ([pool_act(0), redraw], pool_act(1)),
        ([pool_act(0), result_act(0)], pool_act(1)),
        ([pool_act(0), redraw, result_act(0)], pool_act(1)),
        ([pool_act(0), result_act(0), redraw, result_act(1)], pool_act(2)),
        ([pool_act(0)], pool_act(0)),
        ([], {**pool_act(0), "draw_id": lottery.draw_id(TENDER, 7).hex()}),
    ):
        with pytest.raises(Refused, match="draw_attempt"):
            lottery.check_attempt(acts, act)


def test_a_pool_of_a_million_is_drawn() -> None:
    drawn = lottery.Pool((lottery.Stratum("all", 5, tuple(number.to_bytes(32, "big") for number in range(1_000_000))),))
    orders = lottery.draw(drawn, bytes(32))
    panel = lottery.seat(drawn, orders, conflicts=set(orders[0][:100]))
    assert len(set(orders[0])) == 1_000_000 and len(panel.seats) == 5
