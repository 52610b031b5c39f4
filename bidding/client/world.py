"""The clock and the random numbers of a bidder's or trustee's own machine.

The second of the two files that read them (the other is storage/world.py, for the hall). In a rehearsal, and only
there, the hall's clock is asked instead (contract: Demo hall).
"""

from __future__ import annotations

import os
from datetime import UTC, datetime


def now() -> datetime:
    """The instant, aware UTC, cut to the millisecond."""
    read = datetime.now(UTC)
    return read.replace(microsecond=read.microsecond // 1000 * 1000)


def entropy(n: int) -> bytes:
    """`n` bytes from the kernel."""
    return os.urandom(n)
