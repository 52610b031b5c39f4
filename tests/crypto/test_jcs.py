"""Canonical JSON: one text for one value, and nothing a stranger sends can hurt the reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crypto import jcs
from crypto.refusal import Refused

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-jcs.INTEGER_MAX, jcs.INTEGER_MAX) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/sealbid/jcs.json").read_text())

# Too long for a file of vectors.
REFUSED_GIANTS = [
    (b"1" * 100_000, "jcs_number"),
    (b"[" * 2_000_000, "jcs_depth"),
    (b'{"a":' * 500_000, "jcs_depth"),
    (b'"' + b"\\" * 1_000_000, "jcs_syntax"),
]


@pytest.mark.parametrize("vector", VECTORS["valid"], ids=lambda vector: vector["text"])
def test_known_answers(vector: dict[str, Any]) -> None:
    text = bytes.fromhex(vector["text"])
    assert jcs.loads(text) == vector["value"]
    assert jcs.dumps(vector["value"]) == text


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: vector["text"] or "empty")
def test_reader_refuses(vector: dict[str, str]) -> None:
    with pytest.raises(Refused) as err:
        jcs.loads(bytes.fromhex(vector["text"]))
    assert err.value.code == vector["code"]


@pytest.mark.parametrize(("text", "code"), REFUSED_GIANTS, ids=["digits", "brackets", "objects", "backslashes"])
def test_reader_refuses_giants_quickly(text: bytes, code: str) -> None:
    with pytest.raises(Refused) as err:
        jcs.loads(text)
    assert err.value.code == code


def test_reader_refuses_more_bytes_than_the_limit() -> None:
    assert jcs.loads(b'"abc"', bytes_max=5) == "abc"
    with pytest.raises(Refused) as err:
        jcs.loads(b'"abcd"', bytes_max=5)
    assert err.value.code == "jcs_size"


def test_rfc_8785_section_3_2_3_names_are_sorted_by_utf16_unit() -> None:
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    right = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    text = jcs.dumps(dict.fromkeys(names, 0))
    assert list(jcs.loads(text)) == right


def test_rfc_8785_section_3_2_2_2_strings_are_escaped_as_little_as_possible() -> None:
    assert jcs.dumps('\u20ac$\x0f\nA\'B"\\"/\x7f').decode() == '"\u20ac$\\u000f\\nA\'B\\"\\\\\\"/\x7f"'
    assert jcs.dumps("\b\t\n\f\r") == b'"\\b\\t\\n\\f\\r"'


def test_brackets_inside_strings_do_not_count_as_depth() -> None:
    text = jcs.dumps(["[{" * 50, '\\"[[', "]" * 40])
    assert jcs.loads(text) == ["[{" * 50, '\\"[[', "]" * 40]


def test_sixteen_containers_are_read_and_written() -> None:
    value: object = 1
    for _ in range(16):
        value = [value]
    assert jcs.loads(jcs.dumps(value)) == value
    with pytest.raises(Refused) as err:
        jcs.dumps([value])
    assert err.value.code == "jcs_depth"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (1.5, "jcs_number"),
        (float("nan"), "jcs_number"),
        (2**53, "jcs_number"),
        (2**200, "jcs_number"),
        ("\ud800", "jcs_surrogate"),
        ({"\udfff": 1}, "jcs_surrogate"),
        ({1: 2}, "jcs_type"),
        (b"bytes", "jcs_type"),
        ([{1, 2}], "jcs_type"),
    ],
)
def test_writer_refuses(value: object, code: str) -> None:
    with pytest.raises(Refused) as err:
        jcs.dumps(value)
    assert err.value.code == code


@settings(max_examples=50, deadline=None)
@given(VALUES)
def test_what_is_written_is_read_back(value: object) -> None:
    text = jcs.dumps(value)
    assert jcs.loads(text) == value
    assert jcs.dumps(jcs.loads(text)) == text


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        assert jcs.dumps(jcs.loads(data)) == data
    except Refused as refused:
        assert refused.code.startswith("jcs_")


TEXTS = st.recursive(
    st.sampled_from(
        ['"a"', '"\\u0061"', '"\\ud800"', '"[{"', "1", "-0", "1.0", "1e3", "9007199254740992", "null", "NaN"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: "[" + ",".join(parts) + "]")
        | st.lists(st.tuples(st.sampled_from(["a", "b", "\ufb33", "\U0001f600"]), inner), max_size=3).map(
            lambda pairs: "{" + ",".join(f'"{name}":{value}' for name, value in pairs) + "}"
        )
        | inner.map(lambda text: f" {text}")
        | inner.map(lambda text: "[" * 9 + text + "]" * 9)
    ),
    max_leaves=6,
)


@settings(max_examples=50, deadline=None)
@given(TEXTS)
@example('{"b":1,"a":1}')
@example('{"\U0001f600":1,"\ufb33":1}')
@example('{"\ufb33":1,"\U0001f600":1}')
@example('{"a":1,"a":1}')
def test_what_is_accepted_at_once_is_what_the_judge_of_every_fault_lets_pass(text: str) -> None:
    data = text.encode()
    accepted = jcs._accepted(data)
    try:
        judged: object = (jcs._judged(data),)
    except Refused:
        judged = None
    assert accepted == judged


@pytest.mark.parametrize("inner", ["[]", "{}", '"]"', "1"])
def test_the_seventeenth_container_is_refused_whatever_it_holds(inner: str) -> None:
    sixteen = f'["[",{"[" * 15}{inner}{"]" * 15}]'.encode()
    if inner in ("[]", "{}"):
        with pytest.raises(Refused) as err:
            jcs.loads(sixteen)
        assert err.value.code == "jcs_depth"
    else:
        assert jcs.dumps(jcs.loads(sixteen)) == sixteen
