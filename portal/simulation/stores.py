"""The stores of a simulated hall: segments and opening keys in memory, and the disk as whoever owns it would read it.

`Disk` looks past every command at the rows themselves: invariants are judged by what is written, not by what a door
would say. It remembers how far it has read, because events and ledger rows are facts that only follow each other.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crypto.refusal import Refused
from storage import blobs, crash
from storage.memory import MemoryEngine
from storage.ports import Row


class MemoryBlobs:
    """Segments in a dict, with the crash points of the filesystem's."""

    def __init__(self, hook: crash.Hook) -> None:
        self.held: dict[str, bytes] = {}
        self._hook = hook

    async def put(self, name: str, data: bytes) -> None:
        blobs.checked(name, data)
        self._hook(crash.Point.BLOB_OPENED)
        self.held.setdefault(name, data)
        self._hook(crash.Point.BLOB_STORED)

    async def read(self, name: str) -> bytes | None:
        data = self.held.get(name)
        if data is not None:
            try:
                blobs.checked(name, data)
            except Refused as refused:
                raise Refused("segment_damaged", segment=name) from refused
        return data

    async def size(self, name: str) -> int | None:
        return len(self.held[name]) if name in self.held else None

    async def keep(self, name: str, until: datetime) -> None:
        if name not in self.held:
            raise Refused("segment_missing", segment=name)

    async def delete(self, name: str) -> bool:
        return self.held.pop(name, None) is not None

    async def names(self) -> AsyncIterator[str]:
        for name in sorted(self.held):
            yield name


class MemoryVault:
    """One reader's opening keys."""

    def __init__(self) -> None:
        self._held: dict[str, bytes] = {}

    def put(self, public: str, secret: bytes) -> None:
        self._held[public] = secret

    def get(self, public: str) -> bytes | None:
        return self._held.get(public)

    def destroy(self, public: str) -> None:
        self._held.pop(public, None)


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the event table, read once. `number` counts all events of the hall in the order they were written."""

    number: int
    id: str
    lot: str
    tender_id: str
    kind: str
    public: bool
    seq: int
    at: str
    leaf: str
    actor: str
    body: Mapping[str, Any]
    hidden: Mapping[str, Any]


class Disk:
    """The rows of one engine, read between transactions."""

    def __init__(self, engine: MemoryEngine) -> None:
        self._engine = engine
        self.events: list[Event] = []
        self.of_lot: dict[str, list[Event]] = {}
        self.leaves: list[bytes] = []
        self.place: dict[str, int] = {}

    def refresh(self) -> None:
        """Read what was written since the last look."""
        written = self._engine.tables["event"].rows
        for row in _from(written, len(self.events)):
            event = Event(
                len(self.events),
                row["id"],
                row["lot"],
                row["tender_id"],
                row["kind"],
                bool(row["public"]),
                row["seq"],
                row["at"],
                row["leaf_hash"],
                row["actor"],
                json.loads(row["body"]),
                json.loads(row["confidential"]) if row["confidential"] else {},
            )
            self.events.append(event)
            self.of_lot.setdefault(event.lot, []).append(event)
        for row in _from(self._engine.tables["ledger"].rows, len(self.leaves)):
            self.place[row["pending"]] = row["idx"]
            self.leaves.append(row["leaf"])

    def rows(self, table: str) -> list[Row]:
        """Every row of a table, bodies as JSON text."""
        return list(self._engine.tables[table].rows.values())

    def row(self, table: str, *key: str | int) -> Row | None:
        """One row with its body read."""
        found = self._engine.tables[table].rows.get(key)
        if found is None or "body" not in found:
            return found
        return {**found, "body": json.loads(found["body"])}

    def object(self, lot: str, name: str) -> Any:
        """The JSON value of an object that an act names; None where there is none."""
        row = self._engine.tables["object"].rows.get((lot, name))
        return None if row is None else json.loads(row["data"])


def _from(rows: Mapping[Any, Row], start: int) -> Iterator[Row]:
    if start < len(rows):
        keys = list(rows)
        for key in keys[start:]:
            yield rows[key]
