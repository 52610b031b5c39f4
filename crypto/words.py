"""Sentences for refusals: the TOML tables of the rooms, read once, filled with the facts of the case.

A table holds `[code]` with `zh` and `en`; `{fact}` in a sentence is replaced by the fact of that name. A code without a
sentence is a defect that a test finds, so nothing here falls back silently: the code itself is shown.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crypto.refusal import Refused


@dataclass(frozen=True)
class Sentence:
    """One refusal in both languages, with `{fact}` where a fact of the case belongs."""

    zh: str
    en: str


def load(*packages: str) -> dict[str, Sentence]:
    """Return the sentences of the named packages' `refusals.toml`, by code; a code belongs to the first that has it."""
    table: dict[str, Sentence] = {}
    for package in packages:
        file = resources.files(package) / "refusals.toml"
        if not file.is_file():
            continue
        for code, words in tomllib.loads(file.read_text("utf-8")).items():
            table.setdefault(code, Sentence(words["zh"], words["en"]))
    return table


def tell(refused: Refused, table: Mapping[str, Sentence]) -> dict[str, str]:
    """Return `{"zh","en"}`: the sentence for this refusal with its facts filled in."""
    sentence = table.get(refused.code)
    if sentence is None:
        return {"zh": refused.code, "en": refused.code}
    facts = _Facts({name: str(value) for name, value in refused.facts.items()})
    return {"zh": sentence.zh.format_map(facts), "en": sentence.en.format_map(facts)}


class _Facts(dict[str, str]):
    """Facts that leave an unknown name as it stands instead of failing while a refusal is being told."""

    def __missing__(self, name: str) -> str:
        return "{" + name + "}"
