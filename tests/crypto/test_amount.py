"""大写金额: the examples of the payment rules, and one wording for one amount."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import amount
from crypto.refusal import Refused

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/sealbid/amount.json").read_text())

# 《支付结算办法》附件一, the forms it allows that this project fixes as the only ones.
OFFICIAL = {
    140950: "壹仟肆佰零玖元伍角",
    600714: "陆仟零柒元壹角肆分",
    168032: "壹仟陆佰捌拾元叁角贰分",
    10700053: "壹拾万柒仟元伍角叁分",
    1640902: "壹万陆仟肆佰零玖元零贰分",
    32504: "叁佰贰拾伍元零肆分",
}


@pytest.mark.parametrize(("fen", "words"), OFFICIAL.items())
def test_examples_of_the_payment_rules(fen: int, words: str) -> None:
    assert amount.words(fen) == words
    assert amount.fen(words) == fen


@pytest.mark.parametrize("vector", VECTORS["valid"], ids=lambda vector: str(vector["fen"]))
def test_known_answers(vector: dict[str, object]) -> None:
    assert amount.words(vector["fen"]) == vector["words"]
    assert amount.fen(vector["words"]) == vector["fen"]


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: vector["words"][:20])
def test_other_wordings_are_refused(vector: dict[str, str]) -> None:
    with pytest.raises(Refused) as err:
        amount.fen(vector["words"])
    assert err.value.code == vector["code"]


@pytest.mark.parametrize("fen", [-1, 2**53, True])
def test_amount_outside_range(fen: int) -> None:
    with pytest.raises(Refused) as err:
        amount.words(fen)
    assert err.value.code == "amount_outside_range"


@settings(max_examples=50, deadline=None)
@given(st.integers(0, amount.FEN_MAX))
def test_words_read_back(fen: int) -> None:
    assert amount.fen(amount.words(fen)) == fen


def test_all_small_amounts_have_different_words() -> None:
    assert len({amount.words(fen) for fen in range(20_000)}) == 20_000


@settings(max_examples=50, deadline=None)
@given(st.text("零壹贰叁玖拾佰仟万亿元角分整", max_size=12))
def test_any_words_are_read_or_refused(words: str) -> None:
    try:
        assert amount.words(amount.fen(words)) == words
    except Refused as refused:
        assert refused.code == "amount_words"
