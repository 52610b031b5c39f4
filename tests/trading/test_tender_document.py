"""The tender document is read strictly: every malformed input is refused with the place it stands at."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.refusal import Refused
from trading import tender_document
from trading.tender_document import TenderDocument


def dump(draft: dict[str, Any]) -> bytes:
    return json.dumps(draft, ensure_ascii=False).encode()


def refused(data: bytes) -> Refused:
    with pytest.raises(Refused) as err:
        tender_document.parse(data)
    return err.value


def test_document_is_read_back_from_its_own_canonical_bytes(document: TenderDocument) -> None:
    again = tender_document.parse(document.canonical())
    assert again == document
    assert again.hash == document.hash


def places(value: Any, where: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a JSON value, objects' fields and arrays' entries alike."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield (*where, name)
            yield from places(inner, (*where, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places(inner, (*where, index))


def test_every_field_is_required_and_no_other_is_read(draft: dict[str, Any]) -> None:
    for place in list(places(draft)):
        *path, name = place
        for what in ("missing", "unknown"):
            changed = copy.deepcopy(draft)
            container: Any = changed
            for step in path:
                container = container[step]
            if what == "missing":
                del container[name]
            else:
                container["surprise"] = 1
            if place == ("method", "name") and what == "missing":
                continue  # the tag of the method: without it no field of it is known
            assert refused(dump(changed)).code == f"document_field_{what}", place


def test_no_field_accepts_a_value_of_another_type(draft: dict[str, Any]) -> None:
    for place in list(places(draft)):
        *path, name = place
        changed = copy.deepcopy(draft)
        container: Any = changed
        for step in path:
            container = container[step]
        container[name] = {"strange": []} if not isinstance(container[name], dict) else 7
        assert refused(dump(changed)).code in (
            "document_field_wrong",
            "document_field_unknown",
            "document_field_missing",
        )


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b" " * 1_048_577, "document_too_large"),
        ('{"v":"招标"}'.encode("gbk"), "document_not_text"),
        (b"[" * 17 + b"]" * 17, "document_too_deep"),
        (b"[" * 500_000, "document_too_deep"),
        (b'{"v":1', "document_not_json"),
        (b"\xef\xbb\xbf{}", "document_not_json"),
        (b'{"v":1,"v":1}', "document_name_repeated"),
        (b'{"v":NaN}', "document_number_not_integer"),
        (b'{"v":-Infinity}', "document_number_not_integer"),
        (b'{"v":1.0}', "document_number_not_integer"),
        (b'{"v":1e2}', "document_number_not_integer"),
        (b'{"v":' + b"9" * 5000 + b"}", "document_number_not_integer"),
        (b'{"v":"\\ud800"}', "document_text_broken"),
        (b'{"v":"a\\u0000b"}', "document_text_broken"),
        (b"[]", "document_field_wrong"),
        (b"null", "document_field_wrong"),
        (b'{"v":2}', "document_field_wrong"),
    ],
)
def test_malformed_input_is_refused_by_name(data: bytes, code: str) -> None:
    assert refused(data).code == code


def test_wrong_field_is_named_by_its_path(draft: dict[str, Any]) -> None:
    draft["items"][1]["max"] = "10.005"
    assert refused(dump(draft)).facts["field"] == "$.items[1].max"
    draft["items"][1]["max"] = "10"
    draft["lot"]["numbers"] = 1
    assert refused(dump(draft)).facts["field"] == "$.lot.numbers"


def test_two_items_with_one_code_are_refused(draft: dict[str, Any]) -> None:
    draft["items"].append(dict(draft["items"][0]))
    wrong = refused(dump(draft))
    assert (wrong.code, wrong.facts["value"]) == ("document_code_repeated", "T1")


def test_brackets_inside_a_text_do_not_count_as_depth(draft: dict[str, Any]) -> None:
    draft["lot"]["scope"] = '{"[' * 40 + "\\"
    assert tender_document.parse(dump(draft)).lot.scope == draft["lot"]["scope"]


@pytest.mark.parametrize(("points", "hundredths"), [("0", 0), ("12.5", 1250), ("0.05", 5), ("9999.99", 999_999)])
def test_points_are_integer_hundredths(points: str, hundredths: int) -> None:
    assert tender_document.hundredths(points) == hundredths


def test_lowest_evaluated_price_is_a_method_too(draft: dict[str, Any]) -> None:
    draft["method"] = {"name": "lowest_evaluated", "adjustments": ["PAY"], "ties": ["price", "draw"]}
    method = tender_document.parse(dump(draft)).method
    assert isinstance(method, tender_document.LowestEvaluated)


@settings(max_examples=50)
@given(st.binary(max_size=300))
def test_no_bytes_at_all_crash_the_reader(data: bytes) -> None:
    assert refused(data).code


@settings(max_examples=50)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
)
def test_no_json_value_crashes_the_reader(value: object) -> None:
    assert refused(json.dumps(value).encode()).code
