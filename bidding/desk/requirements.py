"""What the page of a bid holds the bidder to: the tender's requirements as rows, judged live in the browser alone.

docs/spec/tender.md, the same rules as bidding/client/preparing.py. A price that a hall sees before the opening is no
sealed price: nothing that is typed into that page is ever sent to the hall, so no judge of it can stand here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trading.tender_document import TenderDocument

RECORD, DOCUMENTS = 0, 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that the tender names, with every requirement that it answers."""

    file: str
    codes: Sequence[str]
    names: Sequence[str]
    mandatory: bool


def files(document: TenderDocument) -> list[Wanted]:
    """The files of the documents envelope, each once, in the order of the requirements."""
    found: dict[str, Wanted] = {}
    for one in document.requirements:
        if one.envelope != DOCUMENTS:
            continue
        known = found.get(one.file, Wanted(one.file, (), (), False))
        found[one.file] = Wanted(
            one.file, (*known.codes, one.code), (*known.names, one.name), known.mandatory or one.mandatory
        )
    return list(found.values())


def fields(document: TenderDocument) -> dict[str, list[str]]:
    """Field of the opening list → the names of the requirements that it answers."""
    found: dict[str, list[str]] = {}
    for one in document.requirements:
        if one.envelope == RECORD:
            found.setdefault(one.file, []).append(one.name)
    return found
