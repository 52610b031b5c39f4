"""Codes of the national data standard, with the public vector of ISO 7064 MOD 37-2 (worked example X15)."""

from __future__ import annotations

from datetime import date

import pytest
import stdnum.iso7064.mod_37_2
from hypothesis import given
from hypothesis import strategies as st

from crypto.refusal import Refused
from trading import codes

OPERATOR = "12510100450000001E"


def test_check_character_of_the_public_vector_is_y() -> None:
    assert codes.check_character("G123489654321") == "Y"


@pytest.mark.parametrize(("class_", "check"), [("A01", "O"), ("A02", "A"), ("D01", "4"), ("B01", "5"), ("C01", "N")])
def test_check_character_of_own_vectors(class_: str, check: str) -> None:
    assert codes.check_character(class_ + "123400000000000000" + "20261121" + "000001") == check


@given(st.text(alphabet=codes.CHECK_ALPHABET[:36], min_size=1, max_size=60))
def test_check_character_equals_the_independent_package(text: str) -> None:
    assert codes.check_character(text) == stdnum.iso7064.mod_37_2.calc_check_digit(text)


def test_codes_grow_from_platform_to_section() -> None:
    platform = codes.platform("130100", 1)
    project = codes.project(platform, 1)
    assert (platform, project) == ("E1301000001", "E1301000001000001")
    section = codes.section(codes.tender_project(project, 7), 2)
    assert section == "E1301000001000001007002"
    assert [len(part) for part in codes.parse_section(section)] == [11, 17, 20, 23]


def test_unified_code_is_read_back_and_one_wrong_character_is_refused() -> None:
    code = str(codes.unified("construction", OPERATOR, date(2026, 3, 2), 1))
    assert codes.parse_unified(code) == codes.unified("construction", OPERATOR, date(2026, 3, 2), 1)
    assert len(code.replace("-", "")) == 36
    for place, char in enumerate(code):
        if char == "-":
            continue
        wrong = code[:place] + ("1" if char != "1" else "2") + code[place + 1 :]
        with pytest.raises(Refused) as err:
            codes.parse_unified(wrong)
        assert err.value.code in ("code_malformed", "code_check_character_wrong")


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: codes.platform("13010", 1), "code_region_malformed"),
        (lambda: codes.platform("130100", 10_000), "code_sequence_out_of_range"),
        (lambda: codes.project("E130100000", 1), "code_malformed"),
        (lambda: codes.section("E13010000010000010070", 1), "code_malformed"),
        (lambda: codes.project("E1301000001", 0), "code_sequence_out_of_range"),
        (lambda: codes.check_uscc("125101004500000010"), "uscc_wrong"),
        (lambda: codes.check_uscc(" 12510100450000001E"), "uscc_wrong"),
    ],
)
def test_malformed_codes_are_refused_by_name(make: object, code: str) -> None:
    with pytest.raises(Refused) as err:
        make()  # type: ignore[operator]
    assert err.value.code == code


def test_social_credit_code_is_verified_by_its_check_character() -> None:
    assert codes.check_uscc("91110000600037341L") == "91110000600037341L"
