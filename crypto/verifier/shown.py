"""What a bundle shows, as values: acts, private acts, submissions, objects (docs/spec/bundle.md §3 to §5).

crypto/verifier/reading.py makes them and sees to their shapes; every later check asks these values only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

from crypto import certificates
from crypto.ledger import note
from crypto.sealing import header
from crypto.verifier import shapes
from crypto.verifier.archive import Archive

View = Literal["public", "full"]


@dataclass(frozen=True, slots=True)
class Act:
    """A public act as shown: where it stands in the log, its fields, its leaf hash (hex) and inclusion proof."""

    index: int
    body: Mapping[str, Any]
    leaf: str
    proof: tuple[bytes, ...]

    @property
    def kind(self) -> str:
        return str(self.body["kind"])

    @property
    def at(self) -> datetime:
        return shapes.instant(self.body["at"])

    def moment(self, name: str) -> datetime:
        """The instant in a field."""
        return shapes.instant(self.body[name])

    def __getitem__(self, name: str) -> Any:
        return self.body[name]


@dataclass(frozen=True, slots=True)
class Event:
    """A private act: its public part, and in the full view the confidential one; `leaf` is the leaf hash (hex)."""

    index: int
    public: Mapping[str, Any]
    confidential: Mapping[str, Any]
    leaf: str
    proof: tuple[bytes, ...]

    @property
    def kind(self) -> str:
        return str(self.public["kind"])

    @property
    def at(self) -> datetime:
        return shapes.instant(self.public["at"])


@dataclass(frozen=True)
class Submission:
    """One version of one bid: raw headers by envelope, the submit act, and what admits it."""

    bid: str
    raw: tuple[bytes, ...]
    event: Event
    confidential_hash: str
    certificate: bytes
    signature: bytes
    salt: bytes

    @property
    def at(self) -> datetime:
        """received_at."""
        return self.event.at

    @property
    def version(self) -> int:
        return int(self.event.public["version"])

    def __getstate__(self) -> dict[str, Any]:
        # Parsed headers are many small values: another process reads them again sooner than it receives them.
        return {name: value for name, value in self.__dict__.items() if name != "headers"}

    @cached_property
    def headers(self) -> list[header.Header]:
        """Parsed; raises Refused."""
        return [header.parse(raw) for raw in self.raw]

    @cached_property
    def subject(self) -> certificates.Subject:
        """What the certificate says; raises Refused. Its chain is check 1's."""
        return certificates.read_subject(self.certificate)


@dataclass(slots=True)
class Bundle:
    """Everything a bundle shows. `objects` are raw headers by hash, `documents` the JCS objects,
    `secrets` S of the documents envelope by bid where the view shows it."""

    archive: Archive
    view: View
    notes: dict[int, note.Note]
    size: int
    consistency: list[dict[str, Any]]
    hall: list[Act]
    acts: list[Act]
    objects: dict[str, bytes] = field(default_factory=dict)
    documents: dict[str, Any] = field(default_factory=dict)
    bids: dict[str, Submission] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    contexts: list[dict[str, Any]] = field(default_factory=list)
    unmasking: list[dict[str, Any]] = field(default_factory=list)
    rescues: dict[str, list[bytes]] = field(default_factory=dict)
    secrets: dict[str, list[bytes]] = field(default_factory=dict)

    @property
    def tender(self) -> Act:
        return self.acts[0]

    @property
    def tender_id(self) -> bytes:
        return bytes.fromhex(self.tender["tender_id"])

    @property
    def full(self) -> bool:
        return self.view == "full"

    @property
    def rulebook(self) -> Mapping[str, Any]:
        book: Mapping[str, Any] = self.document(self.tender["rulebook"]["hash"])
        return book

    def of(self, *kinds: str) -> list[Act]:
        """The tender's acts of these kinds, in log order."""
        return [act for act in self.acts if act.kind in kinds]

    def last(self, kind: str) -> Act | None:
        """The last act of a kind, or None."""
        return next((act for act in reversed(self.acts) if act.kind == kind), None)

    def document(self, digest: str) -> Any:
        """The JCS object of a hash; it is there, check 0 saw to it."""
        return self.documents[digest]

    @property
    def frozen(self) -> list[Mapping[str, Any]]:
        """The freeze list in force (the last freeze's), empty when there is none."""
        freeze = self.last("freeze")
        return [] if freeze is None else list(self.document(freeze["list_hash"]))

    @property
    def verdicts(self) -> dict[str, Mapping[str, Any]]:
        """Verdict rows by bid, of the last verdict act."""
        verdict = self.last("verdict")
        return {} if verdict is None else {row["bid"]: row for row in self.document(verdict["verdicts_hash"])}
