"""Writes draws.json and refused_pools.json from docs/spec/lottery.md alone: a second, naive implementation.

Run from anywhere: python tests/vectors/lottery/make.py. It imports nothing of the project on purpose.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

HERE = Path(__file__).parent


def h(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def jcs(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()


def numbers(seed: bytes, stratum: int):
    j = 0
    while True:
        block = hmac.new(seed, b"draw/v1 block\0" + stratum.to_bytes(2, "big") + j.to_bytes(8, "big"), "sha256").digest()
        yield from (int.from_bytes(block[at : at + 8], "big") for at in (0, 8, 16, 24))
        j += 1


def shuffled(items: list[str], seed: bytes, stratum: int) -> list[str]:
    items, source = list(items), numbers(seed, stratum)
    for a in range(len(items) - 1):
        n = len(items) - a
        v = next(v for v in source if v < 2**64 - 2**64 % n)
        b = a + v % n
        items[a], items[b] = items[b], items[a]
    return items


def one(name: str, attempt: int, sizes: list[tuple[int, int]], void: set[int], conflict_ranks: list[tuple[int, int]],
        freed: list[int], shared: int = 0) -> dict:
    tender = h(name.encode())
    draw_id = h(b"draw/v1 id\0" + tender + (1).to_bytes(2, "big") + attempt.to_bytes(2, "big"))
    strata = []
    for s, (n, k) in enumerate(sizes):
        experts = [f"E{e:04d}" if e < shared else f"E{s}{e:03d}" for e in range(n)]
        masked = [h(b"draw/v1 mask\0" + h(b"salt " + e.encode()) + e.encode()).hex() for e in experts]
        strata.append({"specialty": f"专业{s}", "k": k, "masked": sorted(masked)})
    pool_leaf = h(b"\0" + name.encode())
    r = {i: bytes(32) if i in void else h(f"{name} r{i}".encode()) for i in (1, 2, 3)}
    seed = h(b"draw/v1 seed\0" + draw_id + pool_leaf + bytes([3]) + b"".join(bytes([i]) + r[i] for i in (1, 2, 3)))
    orders = [shuffled(each["masked"], seed, s) for s, each in enumerate(strata)]
    conflicts = {orders[s][rank] for s, rank in conflict_ranks}
    seats, avoided, gone = [], [], set()

    def following(s: int) -> str:
        for m in orders[s]:
            if m in gone:
                continue
            if m in conflicts:
                if m not in avoided:
                    avoided.append(m)
                continue
            gone.add(m)
            return m
        raise SystemExit("too few")

    for s, each in enumerate(strata):
        for _ in range(each["k"]):
            seats.append({"seat": len(seats) + 1, "stratum": s, "masked": following(s)})
    replacements = [[number, following(seats[number - 1]["stratum"])] for number in freed]
    return {"name": name, "tender_id": tender.hex(), "attempt": attempt, "draw_id": draw_id.hex(),
            "pool": {"strata": strata}, "pool_hash": h(jcs({"strata": strata})).hex(), "pool_leaf": pool_leaf.hex(),
            "r": {str(i): r[i].hex() for i in r}, "seed": seed.hex(), "orders": orders,
            "conflicts": sorted(conflicts), "seats": seats, "replacements": replacements, "avoided": avoided}


draws = [
    one("one stratum", 0, [(7, 5)], set(), [], []),
    one("three strata, a conflict, two replacements", 0, [(9, 2), (12, 2), (6, 1)], set(), [(0, 0), (1, 1)], [1, 4]),
    one("second attempt, contributor 2 void", 1, [(20, 5)], {2}, [(0, 2), (0, 5)], [3]),
    one("experts in two strata", 0, [(8, 3), (8, 2)], {1}, [], [5, 5], shared=6),
]
a, b, c = sorted(h(bytes([i])).hex() for i in range(3))


def s(masked: list, k: object = 1, specialty: object = "x", **more: object) -> dict:
    return {"strata": [{"specialty": specialty, "k": k, "masked": masked, **more}]}


refused = [
    {"name": "not ascending", "pool": s([b, a, c]), "code": "draw_pool_order"},
    {"name": "one expert twice", "pool": s([a, b, b]), "code": "draw_pool_repeat"},
    {"name": "more seats than experts", "pool": s([a, b], 3), "code": "draw_pool_too_small"},
    {"name": "no seat", "pool": s([a, b], 0), "code": "draw_pool_too_small"},
    {"name": "seats not a number", "pool": s([a, b], "2"), "code": "draw_pool_fields"},
    {"name": "seats true", "pool": s([a, b], True), "code": "draw_pool_fields"},
    {"name": "upper case", "pool": s([a.upper()]), "code": "draw_pool_fields"},
    {"name": "short id", "pool": s([a[:62]]), "code": "draw_pool_fields"},
    {"name": "a field more", "pool": s([a, b], note="first"), "code": "draw_pool_fields"},
    {"name": "no strata", "pool": {"strata": []}, "code": "draw_pool_fields"},
    {"name": "a specialty twice", "pool": {"strata": s([a])["strata"] * 2}, "code": "draw_pool_fields"},
    {"name": "specialty empty", "pool": s([a], 1, ""), "code": "draw_pool_fields"},
    {"name": "not an object", "pool": [a, b], "code": "draw_pool_fields"},
]
for file, value in (("draws.json", {"draws": draws}), ("refused_pools.json", refused)):
    (HERE / file).write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", "utf-8")
