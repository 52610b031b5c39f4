"""Shamir over GF(2^8): the field is the right one, any t shares give the secret, fewer give nothing."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.sealing import shamir


def slow_multiply(a: int, b: int) -> int:
    """The schoolbook product modulo x^8 + x^4 + x^3 + x + 1."""
    product = 0
    for bit in range(8):
        if b >> bit & 1:
            product ^= a << bit
    for bit in range(15, 7, -1):
        if product >> bit & 1:
            product ^= 0x11B << (bit - 8)
    return product


def test_the_field_is_that_of_0x11b() -> None:
    for a, b in itertools.product(range(256), range(256)):
        product = shamir.multiply(a, b)
        assert product == slow_multiply(a, b)
        if b:
            assert shamir.divide(product, b) == a


def test_fips_197_section_4_2_example() -> None:
    assert shamir.multiply(0x57, 0x83) == 0xC1
    assert shamir.multiply(0x57, 0x13) == 0xFE


@settings(max_examples=50, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=4))
def test_every_subset_of_t_gives_the_secret(secret: bytes, coefficients: list[bytes]) -> None:
    t = len(coefficients) + 1
    shares = {x: shamir.share(secret, coefficients, x) for x in range(1, t + 3)}
    for subset in itertools.combinations(shares, t):
        assert shamir.combine({x: shares[x] for x in subset}) == secret


def test_fewer_than_t_shares_fit_every_secret() -> None:
    share = shamir.share(b"\x07", [b"\x2a"], 3)
    fitting = {
        secret
        for secret in range(256)
        for coefficient in range(256)
        if shamir.share(bytes([secret]), [bytes([coefficient])], 3) == share
    }
    assert fitting == set(range(256))
