"""A log that a test can forge, its anchors, and witnesses over it."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crypto import signing, trust
from crypto.certificates import Authority
from crypto.ledger import acts, merkle, note, tiles
from crypto.signing import Ed25519Signer
from crypto.terminal import Unreachable
from storage.world import SeededEntropy, stamp
from supervision.witness import Witness

# Helpers are imported by full name, as in tests/crypto/verifier.
sys.path.insert(0, str(Path(__file__).parents[2]))

ORIGIN = "hall.example/ledger"
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
NAMES = (("operation", "operation"), ("supervision", "supervision"), ("notary", "independent"))


class Keys:
    """Everybody's keys of one hall."""

    def __init__(self, origin: str = ORIGIN) -> None:
        entropy = SeededEntropy("witness tests")
        self.entropy = entropy
        self.origin = origin
        self.log, self.duty, centre, supervision = (Ed25519Signer.generate(entropy=entropy) for _ in range(4))
        self.witnesses = {name: Ed25519Signer.generate(entropy=entropy) for name, _ in NAMES}
        authority = Authority.create(
            "CA", key=signing.new_p256(entropy=entropy), serial=7, not_before=NOW, not_after=NOW + timedelta(days=3650)
        )
        contributors = [signing.new_p256(entropy=entropy), signing.new_p256(entropy=entropy)]
        self.trust_bytes = trust.dump(
            hall="测试大厅",
            log=note.VerifierKey(origin, note.LOG_SIGNATURE, self.log.key),
            witnesses=tuple(
                note.Witness(name, group, note.VerifierKey(name, note.COSIGNATURE, self.witnesses[name].key))  # type: ignore[arg-type]
                for name, group in NAMES
            ),
            quorum=2,
            trustee_roots={"centre": centre.key, "supervision": supervision.key},
            ca_roots=(authority.certificate,),
            contributors=dict(
                zip(("centre", "supervision"), (signing.spki(key.public_key()) for key in contributors), strict=True)
            ),
        )
        self.trust = trust.load(self.trust_bytes)


@dataclass
class ForgeableLog:
    """A log in memory that signs whatever it is told to; a Link for witnesses."""

    keys: Keys
    leaves: list[bytes] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    signed: note.Note | None = None
    size: int = 0
    up: bool = True

    def add(self, *leaves: bytes) -> None:
        """Append and sign, as an honest sequencer does."""
        hashes = [merkle.leaf_hash(leaf) for leaf in leaves]

        def own(path: str) -> bytes:
            return self.files[path]

        grown = tiles.grow(self.size, hashes, own) | tiles.grow_entries(self.size, leaves, own)
        self.leaves += leaves
        self.files.update(grown)
        self.size = len(self.leaves)
        self.sign()

    def sign(self, size: int | None = None) -> None:
        """Sign the tree of the first `size` leaves."""
        shown = self.leaves[: self.size if size is None else size]
        root = merkle.root([merkle.leaf_hash(leaf) for leaf in shown])
        self.signed = note.sign_checkpoint(note.Checkpoint(self.keys.origin, len(shown), root), signer=self.keys.log)

    def fork(self, index: int, leaf: bytes) -> ForgeableLog:
        """The same log with another leaf at `index`: every file and signature of its own."""
        other = ForgeableLog(self.keys)
        other.add(*self.leaves[:index], leaf, *self.leaves[index + 1 :])
        return other

    def become(self, other: ForgeableLog) -> None:
        """Show another log from now on."""
        self.leaves, self.files, self.signed, self.size = other.leaves, other.files, other.signed, other.size

    def fetch(self, path: str) -> bytes:
        if not self.up:
            raise Unreachable("down")
        if path == "checkpoint":
            if self.signed is None:
                raise LookupError(path)
            return self.signed.encode()
        return self.files[path]

    def post(self, line: str) -> None:
        if not self.up:
            raise Unreachable("down")
        self.lines.append(line)

    def accept_lines(self) -> None:
        """Show the lines handed in beside the checkpoint."""
        assert self.signed is not None
        for line in self.lines:
            self.signed = self.signed.with_line(note.SignatureLine.parse(line.rstrip("\n")))

    def act(self, kind: str, tender_id: str, seq: int, prev: str, *, at: datetime = NOW, **fields: Any) -> bytes:
        """The leaf of a public act signed by the duty key."""
        act = {
            "v": 1,
            "kind": kind,
            "tender_id": tender_id,
            "seq": seq,
            "prev": prev,
            "at": stamp(at),
            "role": "clockwork",
            "power": None,
            "rule": None,
            "context": None,
            **fields,
            "signatures": [],
        }
        if kind == "tender":
            act["tender_id"] = acts.tender_id(act).hex()
        return acts.public_leaf(signing.sign_act(act, signer=self.keys.duty, by="duty"))

    def chain(self, length: int, *, name: str = "a") -> list[bytes]:
        """The leaves of one tender's acts from its TENDER act on."""
        leaf = self.act("tender", "0" * 64, 0, acts.FIRST_PREV, name=name)
        found = [leaf]
        tender_id = acts.parse_public(leaf)["tender_id"]
        while len(found) < length:
            found.append(
                self.act("incident", tender_id, len(found), merkle.leaf_hash(found[-1]).hex(), text=str(len(found)))
            )
        return found

    def private(self, number: int) -> bytes:
        """A private leaf."""
        return acts.cover_leaf(hashlib.sha256(b"cover").digest(), number)


@pytest.fixture(scope="session")
def keys() -> Keys:
    return Keys()


@pytest.fixture
def log(keys: Keys) -> ForgeableLog:
    return ForgeableLog(keys)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def place(tmp_path: Path, keys: Keys) -> Path:
    """The folder of the supervision's witness."""
    folder = tmp_path / "supervision"
    folder.mkdir()
    (folder / "key.pem").write_bytes(keys.witnesses["supervision"].to_pem())
    (folder / "trust.json").write_bytes(keys.trust_bytes)
    return folder


@pytest.fixture
def witness(place: Path, log: ForgeableLog, clock: Clock) -> Witness:
    return Witness.open(place, link=log, clock=clock)


@pytest.fixture(scope="session")
def people() -> Any:
    """Everybody's keys of the hall at work (tests/bidding)."""
    from tests.bidding.people import Keys as People

    return People()


@pytest.fixture
def play(people: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Runs a scenario on a fresh hall at work with a published tender."""
    from tests.bidding.stage import Stage

    def run(scenario: Any, **sealing: Any) -> None:
        async def whole() -> None:
            stage = Stage(people, tmp_path_factory.mktemp("stage"))
            await stage.set_up()
            await stage.publish(**sealing)
            await scenario(stage)
            await stage.database.close()

        asyncio.run(whole())

    return run
