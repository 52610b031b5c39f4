"""A witness of the simulated log: reads every leaf, computes the root itself, cosigns only what follows.

The same rules as tradehall-witness (supervision/witness.py), without its folder: a simulation asks it thousands of
times a second. It also judges chains, so that an act in a gap is refused before it is cosigned.
"""

from __future__ import annotations

import copy
from datetime import UTC, datetime

from crypto import signing
from crypto.ledger import acts, merkle, note
from crypto.refusal import Refused


class SimulatedWitness:
    """One witness; `size` leaves read so far, `latest` the note it cosigned last."""

    def __init__(self, who: note.Witness, signer: signing.Signer) -> None:
        self.who, self._signer = who, signer
        self.latest: bytes | None = None
        self._frontier = merkle.Frontier()
        self._chains: dict[str, acts.Chain] = {}
        self._stamp: datetime | None = None

    @property
    def name(self) -> str:
        return self.who.name

    @property
    def size(self) -> int:
        return self._frontier.size

    @property
    def root(self) -> bytes:
        return self._frontier.root()

    def look(
        self, signed: note.Note, leaves: list[bytes], *, log: note.VerifierKey, now: datetime
    ) -> note.SignatureLine:
        """Cosign a checkpoint whose new leaves these are. Raises Refused: log_rolled_back, log_forked, chain_…"""
        checkpoint = note.verify_checkpoint(signed, log)
        if checkpoint.size < self.size:
            raise Refused("log_rolled_back", old_size=self.size, size=checkpoint.size)
        frontier = self._frontier.append(merkle.leaf_hash(leaf) for leaf in leaves)
        if (frontier.size, frontier.root()) != (checkpoint.size, checkpoint.root):
            raise Refused("log_forked", old_size=self.size, size=checkpoint.size)
        chains = dict(self._chains)
        for leaf in leaves:
            if leaf[:1] == b"\x01":
                _extend(chains, leaf)
        at = max(now.astimezone(UTC).replace(microsecond=0), self._stamp or now.replace(microsecond=0))
        line = note.cosign(signed, name=self.name, signer=self._signer, at=at)
        self._frontier, self._chains, self._stamp = frontier, chains, at
        self.latest = signed.with_line(line).encode()
        return line

    def twin(self) -> SimulatedWitness:
        """A copy that may be lied to without consequences for this one."""
        return copy.copy(self)


def _extend(chains: dict[str, acts.Chain], leaf: bytes) -> None:
    act = acts.parse_public(leaf)
    name = act["tender_id"]
    before = chains.get(name)
    if before is None and name != acts.HALL_TENDER_ID:
        chains[name] = acts.check_chain([act])
    else:
        chains[name] = acts.extend_chain(before or acts.Chain(name, ()), act)
