"""The only clock and the only source of randomness in a hall.

Nobody else in the program reads a clock or the kernel's random numbers (the bidders' command lines have their own in
`bidding/client/world.py`), so that a test, a simulation or a rehearsal decides what time it is and what was drawn.
Instants are aware UTC, cut to the millisecond, the form in which the ledger keeps them (docs/spec/acts.md §1).
Whoever controls the clock of a real hall can shift what counts as late by the error they dare; they cannot move an
act behind another one in the ledger.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from crypto.refusal import Refused

DEMO_START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
"""Monday 2 March 2026, nine o'clock in the morning in Asia/Shanghai: where every rehearsal begins."""

Entropy = Callable[[int], bytes]


class World(Protocol):
    """What a process may learn from outside: the time, how much of it passed, and random bytes."""

    def now(self) -> datetime:
        """The instant, aware UTC, whole milliseconds."""
        ...

    def wall(self) -> datetime:
        """The machine's own clock, which a rehearsal's does not follow: for what other machines count by it (one-time
        codes on a phone), and for nothing that is judged or logged."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards and that no demo clock can move."""
        ...

    def entropy(self, n: int) -> bytes:
        """`n` bytes nobody can foretell (in a rehearsal: that follow from its seed)."""
        ...


class RealWorld:
    """The machine's own clock and the kernel's random numbers."""

    def now(self) -> datetime:
        return _whole_milliseconds(datetime.now(UTC))

    def wall(self) -> datetime:
        return self.now()

    def monotonic(self) -> float:
        return time.monotonic()

    def entropy(self, n: int) -> bytes:
        return os.urandom(n)


class DemoWorld:
    """A rehearsal's clock: it starts at a fixed instant, flows or stands, and only ever moves forward.

    `flowing` it runs beside the real seconds; otherwise it is stepped and moves by `advance` alone.
    `offset` is how far it has come from `start`; stored and given back, it survives a restart.
    """

    def __init__(
        self,
        *,
        start: datetime = DEMO_START,
        offset: timedelta = timedelta(0),
        flowing: bool = True,
        entropy: Entropy = os.urandom,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        assert start.tzinfo is not None, "a clock needs a zone"
        assert offset >= timedelta(0), "a clock moves forward only"
        self.start = start.astimezone(UTC)
        self.flowing = flowing
        self._advanced = offset
        self._entropy = entropy
        self._monotonic = monotonic
        self._origin = monotonic()

    @property
    def offset(self) -> timedelta:
        """How far the clock stands from its start, whole milliseconds; give it back as `offset` after a restart."""
        return self.now() - self.start

    def now(self) -> datetime:
        flowed = timedelta(seconds=self._monotonic() - self._origin) if self.flowing else timedelta(0)
        return _whole_milliseconds(self.start + self._advanced + flowed)

    def wall(self) -> datetime:
        return _whole_milliseconds(datetime.now(UTC))

    def monotonic(self) -> float:
        return self._monotonic()

    def entropy(self, n: int) -> bytes:
        return self._entropy(n)

    def advance(self, by: timedelta) -> datetime:
        """Moves the clock forward and returns the new instant. Refuses to go back: `clock_moves_forward_only`."""
        if by < timedelta(0):
            raise Refused("clock_moves_forward_only", asked=str(by))
        self._advanced += by
        return self.now()


class SharedDemoWorld(DemoWorld):
    """A rehearsal's clock that several processes share: a file holds how far it has come, in milliseconds.

    It stands until somebody moves it. Reading the file at every question keeps all processes at the same instant.
    """

    def __init__(self, path: Path, *, start: datetime = DEMO_START, entropy: Entropy = os.urandom) -> None:
        super().__init__(start=start, flowing=False, entropy=entropy)
        self._path = path
        self._seen = -1

    def now(self) -> datetime:
        try:
            changed = self._path.stat().st_mtime_ns
            if changed != self._seen:
                self._advanced = max(self._advanced, timedelta(milliseconds=int(self._path.read_text("ascii"))))
                self._seen = changed
        except FileNotFoundError:
            return super().now()
        return super().now()

    def advance(self, by: timedelta) -> datetime:
        """Moves the clock of every process. Refuses to go back: `clock_moves_forward_only`."""
        self.now()
        moved = super().advance(by)
        beside = self._path.with_name(self._path.name + ".new")
        beside.write_text(str(int(self._advanced / timedelta(milliseconds=1))), "ascii")
        beside.replace(self._path)
        return moved


class SeededEntropy:
    """Bytes that follow from a seed: SHA-256 over seed and counter. For rehearsals and tests only."""

    def __init__(self, seed: int | str | bytes) -> None:
        self._seed = hashlib.sha256(seed if isinstance(seed, bytes) else str(seed).encode()).digest()
        self._counter = 0
        self._left = b""
        self._lock = threading.Lock()

    def __call__(self, n: int) -> bytes:
        with self._lock:
            while len(self._left) < n:
                self._left += hashlib.sha256(self._seed + self._counter.to_bytes(8, "big")).digest()
                self._counter += 1
            taken, self._left = self._left[:n], self._left[n:]
            return taken


def new_id(entropy: Entropy) -> str:
    """A random name for a row, 32 hex digits; those of events and of cover leaves must not differ in form."""
    return entropy(16).hex()


def stamp(instant: datetime) -> str:
    """The text form of an instant, `YYYY-MM-DDTHH:MM:SS.mmmZ`; it sorts as the instants do. Needs an aware instant."""
    assert instant.tzinfo is not None, "an instant needs a zone"
    return f"{instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def instant(text: str) -> datetime:
    """The instant a `stamp` stands for. Raises ValueError for any other form."""
    read = datetime.fromisoformat(text)
    if read.tzinfo is None or stamp(read) != text:
        raise ValueError(f"not an instant with milliseconds: {text!r}")
    return read


def _whole_milliseconds(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
