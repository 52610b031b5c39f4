"""What a command knows of the hall it runs in: its names, its duty key, its rulebooks, its random numbers.

Built once by the portal and handed to every command beside `actor`, `now` and `unit`. Whoever holds the duty key can
sign closes, freezes and holds that anybody can recompute; they cannot sign for an owner, a trustee or the supervisor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crypto.certificates import Authority
    from crypto.signing import Signer
    from crypto.trust import Trust
    from trading.rulebook import Rulebook


@dataclass(frozen=True, slots=True, kw_only=True)
class Hall:
    """One hall. `entropy(n)` gives n random bytes, `origin` names the log, `trust` holds the published anchors.

    `platform` is the 11-character platform code, `region` the six-digit GB/T 2260 code, `uscc` the operator's unified
    social credit code. A hall whose origin ends in /rehearsal is a rehearsal and says so in every TENDER act.
    """

    name: str
    uscc: str
    region: str
    platform: str
    origin: str
    duty: Signer
    trust: Trust
    rulebooks: Sequence[Rulebook]
    entropy: Callable[[int], bytes]
    trustees_here: Callable[[], frozenset[str]] = frozenset
    """Trustees whose keys lie in the hall's own folder, by id or signing key (hex); none may, in a real hall."""
    authority: Authority | None = None
    """The authority that issues certificates in a rehearsal; a real hall has none and takes licensed ones."""

    @property
    def rehearsal(self) -> bool:
        """True where neither the keys nor the clock are to be trusted."""
        return self.origin.endswith("/rehearsal")
