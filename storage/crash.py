"""The named points between two effects where a process may die without losing anything that was promised.

A hook is called at each of them. In a running hall it does nothing; the crash tests kill the process there, start it
again, and check that every receipt given still verifies and that nothing accepted is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class Point(StrEnum):
    """Each name says what has just happened; the next effect has not."""

    BLOB_OPENED = "blob_opened"
    BLOB_WRITTEN = "blob_written"
    BLOB_SYNCED = "blob_synced"
    BLOB_RENAMED = "blob_renamed"
    BLOB_STORED = "blob_stored"
    UNIT_BEGUN = "unit_begun"
    EVENT_INSERTED = "event_inserted"
    PENDING_INSERTED = "pending_inserted"
    UNIT_DONE = "unit_done"
    UNIT_COMMITTED = "unit_committed"
    BATCH_READ = "batch_read"
    LEDGER_INSERTED = "ledger_inserted"
    TILES_INSERTED = "tiles_inserted"
    CHECKPOINT_SIGNED = "checkpoint_signed"
    CHECKPOINT_INSERTED = "checkpoint_inserted"
    CHECKPOINT_COMMITTED = "checkpoint_committed"
    JOB_SENT = "job_sent"
    JOB_CLAIMED = "job_claimed"
    JOB_EFFECT = "job_effect"
    JOB_DONE = "job_done"


Hook = Callable[[str], None]
POINTS: tuple[str, ...] = tuple(Point)


class Crashed(BaseException):
    """What a test raises at a point to stand for the death of the process; nothing may catch it and go on."""


def never(point: str) -> None:
    """The hook of a running hall: nothing happens at any point."""
