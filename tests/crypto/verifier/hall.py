"""A hall in memory for the verifier's tests: a log, witnesses, roots, certificates, chains of acts, the trustees.

It writes leaves exactly as docs/spec says and keeps what a bundle shows. It upholds no rule of a tender: that is what
the tests play with. Entropy is seeded; time is a plain attribute that the tender moves forward.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256, shake_256
from typing import Any

from crypto import certificates, jcs, signing, trust
from crypto.ledger import acts, merkle, note
from crypto.roster import Lock, Roster
from crypto.sealing import hpke

ORIGIN = "localhost/verifier-tests"
START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
EVER = datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
CONTEXT_LABEL = b"sealbid/v1 context\0"


def stamp(at: datetime) -> str:
    """The one text form of an instant."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def seeded(seed: str) -> Callable[[int], bytes]:
    """Entropy that repeats: SHAKE-256 of the seed and a counter."""
    drawn = 0

    def draw(length: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return shake_256(f"{seed}/{drawn}".encode()).digest(length)

    return draw


@dataclass(frozen=True)
class Person:
    """Somebody with a certificate: an organisation and the natural person who acts for it."""

    name: str
    uscc: str
    person: str
    signer: signing.P256Signer

    @property
    def organisation(self) -> dict[str, str]:
        return {"name": self.name, "uscc": self.uscc}

    @property
    def spki(self) -> bytes:
        return signing.certificate_spki(self.signer.certificate)

    @property
    def context(self) -> dict[str, str]:
        return {
            "person": self.person,
            "organisation": self.uscc,
            "address": "192.0.2.7",
            "device": "browser",
            "source": "hall",
        }


@dataclass
class Trustee:
    """A trustee with one pre-key."""

    name: str
    seat: str
    group: str
    organisation: dict[str, str]
    signer: signing.Ed25519Signer
    sk: bytes
    pk: bytes


@dataclass
class Shown:
    """A logged public act and what opens its context."""

    index: int
    act: dict[str, Any]
    leaf: str
    context: tuple[bytes, dict[str, str]] | None = None


@dataclass
class Hidden:
    """A logged private act with both parts and salts."""

    index: int
    public: dict[str, Any]
    confidential: dict[str, Any]
    salt_p: bytes
    salt_c: bytes
    leaf: str


@dataclass
class Hall:
    """The log and everybody's keys. `now` is the one clock."""

    seed: str = "1"
    origin: str = ORIGIN
    now: datetime = START
    tree: merkle.Tree = field(default_factory=merkle.Tree)
    hall_acts: list[Shown] = field(default_factory=list)
    acts: list[Shown] = field(default_factory=list)
    events: list[Hidden] = field(default_factory=list)
    notes: dict[int, bytes] = field(default_factory=dict)
    tender_id: str = ""

    def __post_init__(self) -> None:
        self.entropy = seeded(self.seed)
        self.log = self._ed25519()
        groups = {"operation": "operation", "supervision": "supervision", "notary": "independent"}
        self.witnesses = [(f"witness.{name}", group, self._ed25519()) for name, group in groups.items()]
        self.roots = {"centre": self._ed25519(), "supervision": self._ed25519()}
        self.duty, self.room, self.verifier = self._ed25519(), self._ed25519(), self._ed25519()
        self.opening_keys = {
            "room": hpke.generate(entropy=self.entropy),
            "verifier": hpke.generate(entropy=self.entropy),
        }
        key = signing.new_p256(entropy=self.entropy)
        self.authority = certificates.Authority.create(
            "Test CA", key=key, serial=1, not_before=EVER[0], not_after=EVER[1]
        )
        self.serial = 1
        self.owner = self.person("江城市城市建设投资有限公司", "91420100MA4K000001", "p-owner")
        self.agent = self.person("江城招标代理有限公司", "91420100MA4K000002", "p-agent")
        self.centre = self.person("江城市公共资源交易中心", "12420100MA4K000003", "p-centre")
        self.supervisor = self.person("江城市公共资源交易监督管理局", "11420100MA4K000004", "p-supervisor")
        self.trustees = [
            self._trustee(name, seat, "operation" if number < 3 else "supervision", number)
            for number, (name, seat) in enumerate(
                [("t-owner", "owner"), ("t-centre", "centre"), ("t-notary", "notary"),
                 ("t-regulator", "regulator"), ("t-inspector", "inspector"), ("t-independent", "independent")]
            )
        ]  # fmt: skip

    def person(self, name: str, uscc: str, person: str, *, authority: certificates.Authority | None = None) -> Person:
        """A new organisation with a certificate of the hall's authority."""
        key = signing.new_p256(entropy=self.entropy)
        self.serial += 1
        request = certificates.request(name, uscc, key=key)
        issued = (authority or self.authority).issue(request, serial=self.serial, not_before=EVER[0], not_after=EVER[1])
        return Person(name, uscc, person, signing.P256Signer(key, issued))

    def trust(self) -> bytes:
        """The trust.json of this hall."""
        return trust.dump(
            hall="Test Hall",
            log=note.VerifierKey(self.origin, note.LOG_SIGNATURE, self.log.key),
            witnesses=tuple(
                note.Witness(name, group, note.VerifierKey(name, note.COSIGNATURE, signer.key))  # type: ignore[arg-type]
                for name, group, signer in self.witnesses
            ),
            quorum=2,
            trustee_roots={side: root.key for side, root in self.roots.items()},
            ca_roots=(self.authority.certificate,),
            contributors={"centre": self.centre.spki, "supervision": self.supervisor.spki},
        )

    def roster(self) -> Roster:
        """Two locks, 2 of 3 each."""
        return Roster(
            (
                Lock(2, tuple(each.pk for each in self.trustees[:3])),
                Lock(2, tuple(each.pk for each in self.trustees[3:])),
            )
        )

    def found(self) -> None:
        """The acts of the hall: keys, trustees, pre-keys."""
        for purpose, signer, side in (
            ("duty", self.duty, "centre"),
            ("room", self.room, "centre"),
            ("verifier", self.verifier, "supervision"),
        ):
            root = self.roots[side]
            self.public(
                "key", {"purpose": purpose, "key": signer.key.hex()}, [(f"root_{side}", root)], role="root", hall=True
            )
        for each in self.trustees:
            fields = {
                "trustee": each.name,
                "organisation": each.organisation,
                "seat": each.seat,
                "group": each.group,
                "key": each.signer.key.hex(),
            }
            signers = [("root_centre", self.roots["centre"]), ("root_supervision", self.roots["supervision"])]
            self.public("trustee", fields, signers, role="root", hall=True)
            keys = {"trustee": each.name, "batch": 0, "keys": [each.pk.hex()]}
            self.public("pre_keys", keys, [("trustee", each.signer)], role="trustee", hall=True)

    def public(
        self,
        kind: str,
        fields: Mapping[str, Any],
        signers: list[tuple[str, Any]],
        *,
        role: str,
        power: str | None = None,
        rule: str | None = None,
        by: Person | None = None,
        hall: bool = False,
        at: datetime | None = None,
    ) -> Shown:
        """Log a public act now."""
        rows = self.hall_acts if hall else self.acts
        context = None if by is None else (self.entropy(32), by.context)
        act: dict[str, Any] = {
            "v": 1,
            "kind": kind,
            "at": stamp(at or self.now),
            "role": role,
            "power": power,
            "rule": rule,
            "context": None
            if context is None
            else sha256(CONTEXT_LABEL + context[0] + jcs.dumps(context[1])).hexdigest(),
            **fields,
        }
        if kind == "tender":
            self.tender_id = acts.tender_id(act).hex()
        act |= {
            "tender_id": acts.HALL_TENDER_ID if hall else self.tender_id,
            "seq": len(rows),
            "prev": rows[-1].leaf if rows else acts.FIRST_PREV,
        }
        for function, signer in signers:
            act = signing.sign_act(act, signer=signer, by=function)
        leaf = acts.public_leaf(act)
        shown = Shown(self.append(leaf), act, merkle.leaf_hash(leaf).hex(), context)
        rows.append(shown)
        return shown

    def private(
        self,
        kind: str,
        fields: Mapping[str, Any],
        by: Person,
        *,
        role: str,
        more: Mapping[str, Any] | None = None,
        at: datetime | None = None,
    ) -> Hidden:
        """Log a private act now."""
        own = [event for event in self.events if event.confidential["person"] == by.person]
        public = {
            "v": 1,
            "kind": kind,
            "tender_id": self.tender_id,
            "at": stamp(at or self.now),
            "prev": own[-1].leaf if own else acts.FIRST_PREV,
            "role": role,
            "power": None,
            "rule": None,
            **fields,
        }
        confidential = {**by.context, **(more or {})}
        salt_p, salt_c = self.entropy(32), self.entropy(32)
        leaf = acts.private_leaf(public, confidential, salt_p, salt_c)
        hidden = Hidden(self.append(leaf), public, confidential, salt_p, salt_c, merkle.leaf_hash(leaf).hex())
        self.events.append(hidden)
        return hidden

    def append(self, leaf: bytes) -> int:
        """One leaf, then a cover leaf, so that indexes have gaps as in a real log."""
        index = self.tree.size
        cover = acts.cover_leaf(sha256(self.seed.encode()).digest(), index)
        self.tree.extend([merkle.leaf_hash(leaf), merkle.leaf_hash(cover)])
        return index

    def checkpoint(self, *, absent: str = "", at: datetime | None = None) -> int:
        """A checkpoint signed and cosigned now by every witness but `absent`; returns its size."""
        head = note.Checkpoint(self.origin, self.tree.size, self.tree.root())
        shown = note.sign_checkpoint(head, signer=self.log)
        for name, _, signer in self.witnesses:
            if name != absent:
                shown = shown.with_line(note.cosign(shown, name=name, signer=signer, at=at or self.now))
        self.notes[head.size] = shown.encode()
        return head.size

    def later(self, **span: float) -> datetime:
        """Move the clock forward."""
        self.now += timedelta(**span)
        return self.now

    def _ed25519(self) -> signing.Ed25519Signer:
        return signing.Ed25519Signer.generate(entropy=self.entropy)

    def _trustee(self, name: str, seat: str, group: str, number: int) -> Trustee:
        sk, pk = hpke.generate(entropy=self.entropy)
        organisation = {"name": f"受托单位{number}", "uscc": f"5242010000000{number:05d}"}
        return Trustee(name, seat, group, organisation, self._ed25519(), sk, pk)
