"""Specialties: the four-level classification by which experts are listed and seats are asked for.

Source: 公共资源交易评标专家专业分类标准 (发改法规〔2018〕316号); 条例 §46 demands a draw among the experts of the
relevant profession (E-63). The shipped table is an extract; a region's full table has the same form.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources

from crypto.refusal import Refused

CODE = re.compile(r"[A-Z](?:[0-9]{2}){0,3}")


@dataclass(frozen=True, slots=True)
class Specialty:
    """One code of one to seven characters and its names."""

    code: str
    zh: str
    en: str

    @property
    def level(self) -> int:
        """1 (大类) to 4 (the narrowest)."""
        return 1 + (len(self.code) - 1) // 2


@dataclass(frozen=True, slots=True)
class Table:
    """The codes in force. Every code's parent is in the table."""

    by_code: Mapping[str, Specialty]

    def __post_init__(self) -> None:
        for code in self.by_code:
            if not CODE.fullmatch(code):
                raise Refused("specialty_code_malformed", specialty=code[:40])
            if len(code) > 1 and parent(code) not in self.by_code:
                raise Refused("specialty_without_parent", specialty=code, parent=parent(code))

    def of(self, code: str) -> Specialty:
        """The specialty of `code`. Raises Refused `specialty_unknown`."""
        if code not in self.by_code:
            raise Refused("specialty_unknown", rule="E-63", specialty=code[:40])
        return self.by_code[code]


def load() -> Table:
    """The shipped table."""
    text = resources.files("experts").joinpath("specialties.toml").read_text("utf-8")
    return table({code: (names["zh"], names["en"]) for code, names in tomllib.loads(text)["codes"].items()})


def table(names: Mapping[str, tuple[str, str]]) -> Table:
    """A table from code → (Chinese name, English name)."""
    return Table({code: Specialty(code, zh, en) for code, (zh, en) in names.items()})


def parent(code: str) -> str:
    """The code one level up; of a level-1 code, the empty string."""
    return code[:-2] if len(code) > 1 else ""


def covers(held: Iterable[str], needed: str) -> bool:
    """Whether an expert listed under `held` may take a seat asked for as `needed`: the same code or a narrower one.

    A broader listing does not do: who is listed for all of construction is not thereby an expert for tunnels.
    """
    return any(code.startswith(needed) for code in held)
