"""Writes release.json from docs/spec/release.md alone, with the standard library; imports nothing of the project.

Run from anywhere: python tests/vectors/release/make.py
"""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path


def h(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def jcs(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()


freeze, header, seed, nonce, plain = (h(name.encode()) for name in ("freeze", "header", "seed", "nonce", "plain"))
origin = "hall.example/ledger/rehearsal"
bytes_cases = {
    "sealed_info": {
        "freeze": freeze.hex(), "lock": 1, "index": 3, "header": header.hex(),
        "info": (b"sealbid/v1 release\0" + freeze + bytes([1, 3]) + header).hex(),
    },
    "pre_key_ekm": [
        {"seed": seed.hex(), "batch": b, "number": k,
         "ekm": hmac.new(seed, b"sealbid/v1 pre-key\0" + b.to_bytes(4, "big") + k.to_bytes(4, "big"), "sha256").hexdigest()}
        for b, k in ((0, 0), (0, 499), (7, 1))
    ],
    "drill": {
        "origin": origin, "lock": 1, "index": 2, "nonce": nonce.hex(), "plaintext": plain.hex(),
        "info": (b"sealbid/v1 drill\0" + h(origin.encode()) + bytes([1, 2]) + nonce).hex(),
        "answer": h(b"sealbid/v1 drill answer\0" + plain).hex(),
    },
}
DEADLINE = "2026-03-23T01:00:00.000Z"
BEFORE, AT = "2026-03-23T00:59:59.999Z", DEADLINE


def bid(org: str, version: int, index: int, at: str = BEFORE) -> dict:
    name = f"{org} {version} {index}".encode()
    return {"organisation": org, "version": version, "index": index, "at": at, "bid": h(b"bid " + name).hex(),
            "submission": h(b"leaf " + name).hex(), "headers": [h(b"h0 " + name).hex(), h(b"h1 " + name).hex()]}


def gone(org: str, version: int, index: int, at: str = BEFORE) -> dict:
    return {"organisation": org, "version": version, "index": index, "at": at}


def case(name: str, close: int, submissions: list, withdrawals: list, listed: list[int]) -> dict:
    """`listed`: which of the submissions are opened, said by hand."""
    found = sorted((submissions[at] for at in listed), key=lambda each: each["bid"])
    data = jcs([{"bid": each["bid"], "submission": each["submission"], "headers": each["headers"]} for each in found])
    return {"name": name, "deadline": DEADLINE, "close_index": close, "submissions": submissions,
            "withdrawals": withdrawals, "list_hash": h(data).hex(), "bids": [each["bid"] for each in found]}


A, B, C = "914401000000000001", "914401000000000002", "914401000000000003"
freeze_lists = [
    case("nobody", 9, [], [], []),
    case("three", 9, [bid(A, 1, 1), bid(B, 1, 2), bid(C, 1, 3)], [], [0, 1, 2]),
    case("replaced", 9, [bid(A, 1, 1), bid(B, 1, 2), bid(A, 2, 3)], [], [1, 2]),
    case("received at the deadline", 9, [bid(A, 1, 1), bid(B, 1, 2, AT)], [], [0]),
    case("logged as close", 9, [bid(A, 1, 1), bid(B, 1, 9)], [], [0]),
    case("late replacement leaves the earlier version", 9, [bid(A, 1, 1), bid(A, 2, 2, AT)], [], [0]),
    case("withdrawn", 9, [bid(A, 1, 1), bid(B, 1, 2)], [gone(A, 1, 3)], [1]),
    case("withdrawn, then a higher version", 9, [bid(A, 1, 1), bid(A, 2, 4)], [gone(A, 1, 3)], [1]),
    case("lower version after a withdrawal", 9, [bid(A, 5, 1), bid(A, 4, 4)], [gone(A, 5, 3)], []),
    case("a withdrawal voids for ever", 9, [bid(A, 1, 4)], [gone(A, 3, 1)], []),
    case("same version twice", 9, [bid(A, 1, 1), bid(A, 1, 2)], [], [0]),
    case("withdrawal at the deadline", 9, [bid(A, 1, 1)], [gone(A, 1, 3, AT)], [0]),
    case("withdrawal after close", 9, [bid(A, 1, 1)], [gone(A, 1, 10)], [0]),
    case("another's withdrawal", 9, [bid(A, 1, 1)], [gone(B, 1, 3)], [0]),
]


def act(index: int, kind: str, at: str, **fields: object) -> dict:
    return {"index": index, "act": {"kind": kind, "at": at, **fields}}


D2, D3 = "2026-03-30T01:00:00.000Z", "2026-03-25T01:00:00.000Z"
BEFORE_DAY, SETTLED, OUT_FROM, OUT_TO = (
    "2026-03-20T01:00:00.000Z", "2026-03-23T01:01:00.000Z", "2026-03-23T00:15:00.000Z", "2026-03-23T02:15:00.000Z")


def deadlines(name: str, acts: list, stamps: list, deadline: str, shut: str, close: int | None) -> dict:
    return {"name": name, "first": DEADLINE, "settle_s": 60, "acts": acts, "stamps": stamps,
            "deadline": deadline, "shut_until": shut, "close": close}


extension = act(5, "deadline", BEFORE_DAY, deadline=D2)
outage = act(8, "incident", "2026-03-23T03:00:00.000Z", what="outage", **{"from": OUT_FROM, "to": OUT_TO})
deadline_cases = [
    deadlines("none", [], [], DEADLINE, DEADLINE, None),
    deadlines("closed", [act(6, "close", SETTLED, deadline=DEADLINE)], [], DEADLINE, DEADLINE, 6),
    deadlines("closed before settle", [act(6, "close", BEFORE_DAY, deadline=DEADLINE)], [], DEADLINE, DEADLINE, None),
    deadlines("close witnessed too early", [act(6, "close", SETTLED, deadline=DEADLINE)], [[7, BEFORE]], DEADLINE, DEADLINE, None),
    deadlines("extension witnessed in time", [extension], [[6, BEFORE]], D2, D2, None),
    deadlines("extension witnessed at the deadline", [extension], [[6, DEADLINE]], DEADLINE, D2, None),
    deadlines("extension never witnessed", [extension], [], DEADLINE, D2, None),
    deadlines("stamp of a smaller tree", [extension], [[5, BEFORE]], DEADLINE, D2, None),
    deadlines("earlier deadline", [act(5, "amendment", BEFORE_DAY, deadline="2026-03-22T01:00:00.000Z")], [[6, BEFORE]], DEADLINE, DEADLINE, None),
    deadlines("amendment without a deadline", [act(5, "amendment", BEFORE_DAY, deadline=None)], [[6, BEFORE]], DEADLINE, DEADLINE, None),
    deadlines("two extensions", [act(4, "deadline", BEFORE_DAY, deadline=D3), extension], [[6, BEFORE]], D2, D2, None),
    deadlines("close quotes the old deadline", [extension, act(9, "close", SETTLED, deadline=DEADLINE)], [[6, BEFORE]], D2, D2, None),
    deadlines("extension after close", [act(4, "close", SETTLED, deadline=DEADLINE), extension], [[6, SETTLED]], DEADLINE, DEADLINE, 4),
    deadlines("outage", [act(5, "deadline", "2026-03-23T00:30:00.000Z", deadline=D2), outage], [[9, "2026-03-23T03:00:01.000Z"]], D2, D2, None),
    deadlines("outage with a stamp in it", [act(5, "deadline", "2026-03-23T00:30:00.000Z", deadline=D2), outage], [[3, "2026-03-23T01:30:00.000Z"]], DEADLINE, D2, None),
    deadlines("outage, made after the deadline", [act(5, "deadline", "2026-03-23T01:30:00.000Z", deadline=D2), outage], [], DEADLINE, D2, None),
]
(Path(__file__).parent / "release.json").write_text(
    json.dumps({"bytes": bytes_cases, "freeze_lists": freeze_lists, "deadlines": deadline_cases}, ensure_ascii=False, indent=1) + "\n", "utf-8")
