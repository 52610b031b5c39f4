"""Shamir's secret sharing over GF(2^8) with the polynomial 0x11b, byte by byte.

The caller gives the coefficients (docs/spec/envelope.md §4: they are derived from the secrets themselves), so a share
is a pure function and everybody can make it again. Trustee i holds the value at x = i; x = 0 is the secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

SHARES_MAX = 255


def share(secret: bytes, coefficients: Sequence[bytes], x: int) -> bytes:
    """secret + c_1·x + c_2·x² + …, per byte; every coefficient as long as the secret, 1 ≤ x ≤ 255."""
    assert 1 <= x <= SHARES_MAX
    assert all(len(coefficient) == len(secret) for coefficient in coefficients)
    value = bytes(len(secret))
    for coefficient in reversed(coefficients):
        value = _add(value, coefficient).translate(_TIMES[x])
    return _add(value, secret)


def combine(shares: Mapping[int, bytes]) -> bytes:
    """The value at 0 of the polynomial through all the given points (Lagrange); equal lengths, distinct x in 1…255."""
    assert shares and all(1 <= x <= SHARES_MAX for x in shares)
    length = len(next(iter(shares.values())))
    assert all(len(value) == length for value in shares.values())
    secret = bytes(length)
    for x, value in shares.items():
        weight = 1
        for other in shares:
            if other != x:
                weight = multiply(weight, divide(other, other ^ x))
        secret = _add(secret, value.translate(_TIMES[weight]))
    return secret


def multiply(a: int, b: int) -> int:
    """Product in GF(2^8)/0x11b."""
    return 0 if a == 0 or b == 0 else _EXP[_LOG[a] + _LOG[b]]


def divide(a: int, b: int) -> int:
    """Quotient in GF(2^8)/0x11b; b ≠ 0."""
    assert b != 0
    return 0 if a == 0 else _EXP[_LOG[a] - _LOG[b] + 255]


def _add(a: bytes, b: bytes) -> bytes:
    return (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).to_bytes(len(a), "big")


def _powers_of_three() -> tuple[list[int], list[int]]:
    exp, log = [0] * 510, [0] * 256
    value = 1
    for power in range(255):
        exp[power] = exp[power + 255] = value
        log[value] = power
        doubled = value << 1
        value ^= doubled ^ 0x11B if doubled & 0x100 else doubled
    return exp, log


_EXP, _LOG = _powers_of_three()
_TIMES = [bytes(multiply(factor, value) for value in range(256)) for factor in range(256)]
