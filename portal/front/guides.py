"""Guides (办事指南), one for each kind of person: read from guides.toml, in both languages."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LIST = Path(__file__).with_name("guides.toml")
Words = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Guide:
    """One guide. `door` is where the person signs in, '' for what needs no account; `more` are (address, words)."""

    slug: str
    title: Words
    lead: Words
    needs: Sequence[Words]
    steps: Sequence[Words]
    good: Sequence[Words]
    door: str
    more: Sequence[tuple[str, Words]]


def load(path: Path = LIST) -> tuple[Guide, ...]:
    """Every guide, in the order of the file."""
    return tuple(_read(row) for row in tomllib.loads(path.read_text("utf-8"))["guide"])


def _read(row: dict[str, Any]) -> Guide:
    return Guide(
        slug=row["slug"],
        title=_words(row["title"]),
        lead=_words(row["lead"]),
        needs=[_words(one) for one in row["needs"]],
        steps=[_words(one) for one in row["steps"]],
        good=[_words(one) for one in row["good"]],
        door=row["door"],
        more=[(one["to"], _words(one)) for one in row["more"]],
    )


def _words(row: dict[str, str]) -> Words:
    return row["zh"], row["en"]


GUIDES = load()


def find(slug: str) -> Guide | None:
    """The guide of a name, or None."""
    return next((guide for guide in GUIDES if guide.slug == slug), None)
