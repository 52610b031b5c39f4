"""The fifteen invariants of a hall, each a function that returns violations; skeleton."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portal.simulation.book import Book
from portal.simulation.stores import Disk
from trading.tender import Tender, from_json


@dataclass(frozen=True, slots=True)
class Violation:
    invariant: str
    text: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.text}"


class Checker:
    def __init__(self) -> None:
        self._blamed: list[Violation] = []

    def blame(self, invariant: str, text: str) -> None:
        self._blamed.append(Violation(invariant, text))

    def check(self, disk: Disk, book: Book) -> list[Violation]:
        found, self._blamed = self._blamed, []
        return found

    async def finish(self, hall: Any, book: Book) -> list[Violation]:
        return []

    def tender(self, disk: Disk, book: Book) -> Tender:
        row = disk.row("tender", book.lot)
        assert row is not None
        return from_json(row["body"]["tender"])

    def look_for_marks(self, disk: Disk, book: Book) -> None:
        return
