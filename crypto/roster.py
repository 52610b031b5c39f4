"""The roster of a tender: for each lock its threshold and the trustees' one-time X25519 keys.

Lock 0 is the operation group, lock 1 the supervision group; all locks must open (管办分离). Who may sit where is judged
by trading/trustees; here stands only what every reader of bytes can check (docs/spec/envelope.md §2): 2…4 locks,
2 ≤ t < n ≤ 16, canonical keys of full order, no key twice. A key used twice would let one trustee open alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from crypto.refusal import Refused
from crypto.sealing import hpke

LOCKS_MIN: Final = 2
LOCKS_MAX: Final = 4
LOCK_TYPE: Final = 1
THRESHOLD_MIN: Final = 2
TRUSTEES_MAX: Final = 16


@dataclass(frozen=True)
class Lock:
    """`t` of the trustees holding `keys` (32 bytes each; trustee i holds keys[i − 1]) open this lock."""

    t: int
    keys: tuple[bytes, ...]

    @property
    def n(self) -> int:
        return len(self.keys)


@dataclass(frozen=True)
class Roster:
    """All locks of a tender, lock 0 first. Raises Refused when made: n_locks, threshold, key_*."""

    locks: tuple[Lock, ...]

    def __post_init__(self) -> None:
        check_lock_count(len(self.locks))
        for lock in self.locks:
            check_threshold(lock.t, lock.n)
        check_keys([key for lock in self.locks for key in lock.keys])

    def encode(self) -> bytes:
        """Per lock: u8 1, u8 t, u8 n, n keys of 32 bytes."""
        return b"".join(bytes((LOCK_TYPE, lock.t, lock.n)) + b"".join(lock.keys) for lock in self.locks)

    def hash(self) -> bytes:
        """roster_hash of the headers, 32 bytes."""
        return hashlib.sha256(b"sealbid/v1 roster\0" + self.encode()).digest()

    @staticmethod
    def decode(data: bytes) -> Roster:
        """Raises Refused: length, n_locks, lock_type, threshold, key_not_canonical, key_low_order, key_repeated."""
        locks: list[Lock] = []
        rest = data
        while rest:
            if len(rest) < 3 or len(rest) < 3 + rest[2] * hpke.KEY_BYTES:
                raise Refused("length", part="roster", bytes=len(data))
            check_lock_count(max(len(locks) + 1, LOCKS_MIN))
            if rest[0] != LOCK_TYPE:
                raise Refused("lock_type", lock=len(locks), lock_type=rest[0])
            end = 3 + rest[2] * hpke.KEY_BYTES
            locks.append(Lock(rest[1], tuple(rest[at : at + hpke.KEY_BYTES] for at in range(3, end, hpke.KEY_BYTES))))
            rest = rest[end:]
        return Roster(tuple(locks))


def check_lock_count(count: int) -> None:
    """Raises Refused: n_locks."""
    if not LOCKS_MIN <= count <= LOCKS_MAX:
        raise Refused("n_locks", n_locks=count, n_locks_min=LOCKS_MIN, n_locks_max=LOCKS_MAX)


def check_threshold(t: int, n: int) -> None:
    """Raises Refused: threshold."""
    if not THRESHOLD_MIN <= t < n <= TRUSTEES_MAX:
        raise Refused("threshold", t=t, n=n)


def check_keys(keys: list[bytes]) -> None:
    """All canonical, then all of full order, then all distinct. Raises Refused: key_*, in that order."""
    low_order: Refused | None = None
    for key in keys:
        try:
            hpke.check_public_key(key)
        except Refused as refused:
            if refused.code == "key_not_canonical":
                raise
            low_order = low_order or refused
    if low_order is not None:
        raise low_order
    if len(set(keys)) != len(keys):
        raise Refused("key_repeated", key=next(key for key in keys if keys.count(key) > 1).hex())
