"""A small honest tender, from the notice to the contract, and named cheats that change one thing on the way.

The tender is written with the primitives of crypto/ alone: five bidders (one replaces its bid, one withdraws, one seals
garbage), one absent and one lying trustee, an extension, a draw with an avoidance and a replacement, an objection in
publicity. `cheat` names what is done wrong; whoever cheats here holds every key of the hall.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from crypto import jcs
from crypto.contribution import Contribution
from crypto.verifier import archive
from crypto.verifier.draw import Seating
from tests.crypto.verifier import bundles, judged, notice, opened, panel, sealed
from tests.crypto.verifier.hall import Hall, Person, Shown
from tests.crypto.verifier.sealed import Bid

PRICES: Mapping[str, int] = {
    "alpha": 700_000_000,
    "beta": 730_000_000,
    "gamma": 720_000_000,
    "delta": 690_000_000,
    "epsilon": 710_000_000,
    "zeta": 705_000_000,
}


@dataclass
class World:
    """One tender. `run()` plays it; `bundle()` writes it. What a later act needs of an earlier one is kept here."""

    seed: str = "1"
    cheat: str = ""
    rehearsal: bool = False
    prices: Mapping[str, int] = field(default_factory=lambda: PRICES)
    hall: Hall = field(init=False)
    bidders: dict[str, Person] = field(init=False)
    experts: list[Person] = field(init=False)
    objects: dict[str, bytes] = field(default_factory=dict)
    bids: list[Bid] = field(default_factory=list)
    listed: list[Bid] = field(default_factory=list)
    draw_id: bytes = field(init=False)
    masks: dict[str, tuple[int, bytes, str]] = field(default_factory=dict)
    strata: list[dict[str, Any]] = field(init=False)
    conflicts: set[str] = field(init=False)
    pool: Shown = field(init=False)
    contributions: list[Contribution] = field(init=False)
    draw_close: Shown = field(init=False)
    closed: Shown = field(init=False)
    freeze: Shown = field(init=False)
    ready_size: int = field(init=False)
    record: list[dict[str, Any]] = field(init=False)
    seating: Seating = field(init=False)
    unmasking: list[dict[str, Any]] = field(default_factory=list)
    scores: dict[str, Any] = field(init=False)
    ranking: list[str] = field(init=False)
    table: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.hall = Hall(self.seed, origin="localhost/rehearsal") if self.rehearsal else Hall(self.seed)
        self.bidders = {
            name: self.hall.person(f"{name} 路桥有限公司", f"91420100MA4K10{number:04d}", f"p-{name}")
            for number, name in enumerate(self.prices)
        }
        self.experts = [self.hall.person(f"expert {n}", f"91420100MA4K2000{n:02d}", f"p-expert-{n}") for n in range(14)]

    def run(self) -> World:
        """The whole tender."""
        self.hall.found()
        notice.publish(self)
        sealed.receive(self)
        panel.prepare(self)
        opened.close(self)
        opened.release(self)
        panel.seat(self)
        judged.score(self)
        judged.award(self)
        judged.rest(self)
        self.hall.later(minutes=1)
        self.hall.checkpoint()
        return self

    def keep(self, value: Any) -> str:
        """Keep an object and return its hash."""
        data = value if isinstance(value, bytes) else jcs.dumps(value)
        name = sha256(data).hexdigest()
        self.objects[name] = data
        return name

    def duty(self, kind: str, fields: Mapping[str, Any]) -> Shown:
        """An act of the hall's duty key."""
        return self.hall.public(kind, fields, [("duty", self.hall.duty)], role="clockwork")

    def by_owner(self, kind: str, fields: Mapping[str, Any]) -> Shown:
        """An act of the owner."""
        owner = self.hall.owner
        return self.hall.public(kind, fields, [("owner", owner.signer)], role="owner", by=owner)

    def bundle(self, path: Path, view: str) -> Path:
        """Write the bundle of a view."""
        archive.write(path, bundles.members(self, view))
        return path
