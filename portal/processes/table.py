"""PROCESSES: who runs what. One line a process: its settings, its database role, its routes, its workers.

Every verb of the hall stands in exactly one of three places: a door that carries it out in its own role, `ERRANDS`
(the operation's clockwork does it for the door), or nowhere. tests/processes holds the table to the verbs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bidding import verbs as bidding_verbs
from experts import verbs as expert_verbs
from supervision import verbs as watch_verbs
from trading import verbs as trading_verbs
from trading.counter.verbs import Verb
from trading.roles import Permission as P


def _named(verbs: Sequence[Verb], *names: str) -> tuple[Verb, ...]:
    found = {verb.path.strip("/"): verb for verb in verbs}
    return tuple(found[name] for name in names)


ERRANDS: tuple[Verb, ...] = (
    *_named(trading_verbs.DESK, P.OBJECTION_ANSWER.value.replace(".", "/")),
    *_named(trading_verbs.BIDDERS, P.OBJECTION_FILE.value.replace(".", "/")),
    *(verb for verb in bidding_verbs.BIDDERS if verb.permission in (P.BID_DISCLOSE, P.OPENING_OBJECT)),
    *bidding_verbs.OWNERS,
    *bidding_verbs.TRUSTEES,
    *(verb for verb in expert_verbs.DRAW if verb.permission is not P.POOL_IMPORT),
    *(verb for verb in expert_verbs.PANEL if verb.path not in ("/experts/save_sheet", "/experts/lock_sheet")),
    *expert_verbs.BIDDERS,
    *(verb for verb in watch_verbs.VERBS if verb.permission is P.DIRECTIVE_ISSUE),
)
"""Verbs that change a tender, a panel or the hall's own acts and come from a door that may change none of them."""
HANDED_OVER = frozenset(verb.path for verb in ERRANDS)

SERVED: Mapping[str, tuple[Verb, ...]] = {
    "desk": (
        *trading_verbs.DESK,
        *trading_verbs.KEYS,
        *bidding_verbs.OWNERS,
        *(verb for verb in expert_verbs.DRAW if verb.permission in (P.DRAW_REQUEST, P.DRAW_CONTRIBUTE)),
    ),
    "centre": (*trading_verbs.CENTRE, *expert_verbs.DRAW),
    "bidders": (*trading_verbs.KEYS, *trading_verbs.BIDDERS, *bidding_verbs.BIDDERS, *expert_verbs.BIDDERS),
    "trustees": bidding_verbs.TRUSTEES,
    "experts": expert_verbs.PANEL,
    "watch": (
        *watch_verbs.VERBS,
        *(verb for verb in expert_verbs.DRAW if verb.permission is P.DRAW_CONTRIBUTE),
    ),
}
"""The verbs at each door, whoever carries them out."""

ROLES: Mapping[str, str] = {
    name: "hall_" + name.replace("-", "_")
    for name in (
        "public", "desk", "centre", "bidders", "trustees", "opening", "verifier", "experts", "watch",
        "clockwork-operation", "clockwork-supervision", "eraser", "sequencer",
    )
}  # fmt: skip
"""The database role of each process."""


@dataclass(frozen=True, slots=True)
class Worker:
    """Something done again and again: `turn` every `every` seconds, sooner when it had work."""

    name: str
    turn: Callable[[], Awaitable[int]]
    every: float


@dataclass(slots=True)
class Built:
    """A process ready to be served: routes for its door, workers, what to begin before and to end after them."""

    routes: list[Any] = field(default_factory=list)
    wrong: Mapping[Any, Any] | None = None
    """Exception handlers of a process that shows pages; None where programs alone ask."""
    workers: list[Worker] = field(default_factory=list)
    begin: list[Callable[[], Awaitable[Any]]] = field(default_factory=list)
    end: list[Callable[[], Awaitable[Any]]] = field(default_factory=list)
    ready: list[Callable[[], Awaitable[Any]]] = field(default_factory=list)
