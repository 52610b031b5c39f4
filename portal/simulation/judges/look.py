"""What an invariant looks at: the rows of one tender, what is new among them, and the simulator's own book beside them.

Nothing here asks a command or a query of the hall; an invariant that used the code it judges would agree with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from typing import Any

from crypto.ledger import merkle
from portal.simulation.book import Book
from portal.simulation.keys import Keys
from portal.simulation.stores import Disk, Event
from storage.world import instant
from trading.tender import Tender

SHANGHAI = timezone(timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that does not hold, and what shows it."""

    invariant: str
    text: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.text}"


@dataclass
class Memory:
    """What the checker of one hall keeps between two looks."""

    frontier: merkle.Frontier = field(default_factory=merkle.Frontier)
    roots: dict[int, bytes] = field(default_factory=dict)
    checkpoints: int = 0
    folded: dict[str, Tender] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    objects: int = 0
    jobs: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Look:
    """One look at one tender. `fresh` are the events since the last look, oldest first."""

    disk: Disk
    book: Book
    keys: Keys
    memory: Memory
    events: Sequence[Event]
    fresh: Sequence[Event]

    def of(self, kind: str, *, public: bool | None = None) -> list[Event]:
        """The tender's events of a kind, oldest first."""
        return [each for each in self.events if each.kind == kind and public in (None, each.public)]

    def last(self, kind: str) -> Event | None:
        """The newest event of a kind."""
        return next((each for each in reversed(self.events) if each.kind == kind), None)

    def new(self, *kinds: str) -> list[Event]:
        """Fresh events of these kinds."""
        return [each for each in self.fresh if each.kind in kinds]

    def object(self, name: str) -> Any:
        """The object of the tender that an act names."""
        return self.disk.object(self.book.lot, name)

    def listed(self) -> list[dict[str, Any]]:
        """The freeze list in force; empty before there is one."""
        freeze = self.last("freeze")
        found: list[dict[str, Any]] = self.object(freeze.body["list_hash"]) if freeze else []
        return found

    def record(self) -> dict[str, dict[str, Any]]:
        """The opening record by bid; empty before it was announced."""
        opened = self.last("opened")
        return {row["bid"]: row for row in self.object(opened.body["record_hash"])} if opened else {}


Check = Callable[[Look], Iterator[str]]


def at(event: Event) -> datetime:
    """The instant an event says."""
    return instant(event.at)


def day(moment: datetime) -> date:
    """The legal day of an instant."""
    return moment.astimezone(SHANGHAI).date()
