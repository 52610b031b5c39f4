"""The refusals that a long simulation must see: none of them may stay at zero."""

from __future__ import annotations

REFUSALS: tuple[str, ...] = ()
