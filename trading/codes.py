"""The codes of the national data standard (数据规范): platform, project, tender project, section, deal.

platform 11 = letter E + region 6 (GB/T 2260) + sequence 4; project 17 = platform + sequence 6; tender project 20 =
project + sequence 3; section (标段) 23 = tender project + sequence 3. The unified deal code (统一交易标识码) is a class
of three characters, the operator's 18-character unified social credit code, a date, a sequence of six and one check
character, ISO 7064 MOD 37-2 over all before it, written with hyphens. Nobody gains a right by holding a code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from stdnum.cn import uscc as stdnum_uscc
from stdnum.exceptions import ValidationError

from crypto.refusal import Refused

CHECK_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*"
CLASS_OF_MARKET: Final = {"construction": "A01", "procurement": "D01", "land": "B01", "assets": "C01"}
SEQUENCE_MAX: Final = {"platform": 9_999, "project": 999_999, "tender_project": 999, "section": 999, "deal": 999_999}

_PLATFORM = re.compile(r"E[0-9]{10}")
_PROJECT = re.compile(r"E[0-9]{16}")
_TENDER_PROJECT = re.compile(r"E[0-9]{19}")
_SECTION = re.compile(r"E[0-9]{22}")
_DEAL = re.compile(r"([A-Z][0-9]{2})-([0-9A-Z]{18})-([0-9]{8})-([0-9]{6})-([0-9A-Z*])")


@dataclass(frozen=True)
class UnifiedCode:
    """A unified deal code taken apart; `str()` writes it with hyphens and its check character."""

    class_: str
    operator: str
    day: date
    sequence: int

    def __str__(self) -> str:
        day = f"{self.day:%Y%m%d}"
        check = check_character(f"{self.class_}{self.operator}{day}{self.sequence:06d}")
        return f"{self.class_}-{self.operator}-{day}-{self.sequence:06d}-{check}"


def platform(region: str, sequence: int) -> str:
    """The 11-character code of a platform. Raises code_region_malformed, code_sequence_out_of_range."""
    if not re.fullmatch(r"[0-9]{6}", region):
        raise Refused("code_region_malformed", region=region)
    return f"E{region}{_sequence('platform', sequence):04d}"


def project(platform_code: str, sequence: int) -> str:
    """The 17-character code of a project on a platform."""
    return f"{_formed(_PLATFORM, platform_code)}{_sequence('project', sequence):06d}"


def tender_project(project_code: str, sequence: int) -> str:
    """The 20-character code of a tender project (招标项目)."""
    return f"{_formed(_PROJECT, project_code)}{_sequence('tender_project', sequence):03d}"


def section(tender_project_code: str, sequence: int) -> str:
    """The 23-character code of a section (标段): the `lot` of every act and manifest."""
    return f"{_formed(_TENDER_PROJECT, tender_project_code)}{_sequence('section', sequence):03d}"


def parse_section(code: str) -> tuple[str, str, str, str]:
    """(platform, project, tender project, section) of a section code. Raises code_malformed."""
    _formed(_SECTION, code)
    return code[:11], code[:17], code[:20], code


def unified(market: str, operator: str, day: date, sequence: int) -> UnifiedCode:
    """The unified deal code of a deal in a market. Raises uscc_wrong, code_sequence_out_of_range."""
    return UnifiedCode(CLASS_OF_MARKET[market], check_uscc(operator), day, _sequence("deal", sequence))


def parse_unified(text: str) -> UnifiedCode:
    """Read a unified deal code. Raises code_malformed, code_check_character_wrong."""
    found = _DEAL.fullmatch(text)
    if found is None:
        raise Refused("code_malformed", value=text)
    class_, operator, day, sequence, check = found.groups()
    if check_character(class_ + operator + day + sequence) != check:
        raise Refused("code_check_character_wrong", value=text)
    try:
        read = datetime.strptime(day, "%Y%m%d").date()  # noqa: DTZ007  # a calendar day has no zone
    except ValueError:
        raise Refused("code_malformed", value=text) from None
    return UnifiedCode(class_, operator, read, int(sequence))


def check_character(text: str) -> str:
    """ISO 7064 MOD 37-2 over 0-9A-Z: the character that makes the whole sum 1 mod 37."""
    check = 0
    for char in text:
        value = CHECK_ALPHABET.find(char)
        if not 0 <= value < 36:
            raise Refused("code_malformed", value=text)
        check = (check + value) * 2 % 37
    return CHECK_ALPHABET[(38 - check) % 37]


def check_uscc(code: str) -> str:
    """The unified social credit code (GB 32100), its check character verified. Raises uscc_wrong."""
    try:
        verified: str = stdnum_uscc.validate(code)
    except ValidationError as error:
        raise Refused("uscc_wrong", uscc=code) from error
    if verified != code:
        raise Refused("uscc_wrong", uscc=code)
    return code


def _formed(form: re.Pattern[str], code: str) -> str:
    if form.fullmatch(code) is None:
        raise Refused("code_malformed", value=code)
    return code


def _sequence(kind: str, number: int) -> int:
    if not 1 <= number <= SEQUENCE_MAX[kind]:
        raise Refused("code_sequence_out_of_range", kind=kind, sequence=number, limit=SEQUENCE_MAX[kind])
    return number
