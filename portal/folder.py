"""A hall's folder: its keys, its anchors, its database, its blobs (embedded default, architecture §5).

    DATA/hall.json          name, codes, origin
    DATA/trust.json         the anchors, when they are complete
    DATA/hall.db  blobs/    state and ciphertext
    DATA/keys/              log, duty, room, verifier: Ed25519 keys of the hall's own machinery; opening/: one-time keys
    DATA/demo/              demo halls only: everybody's keys and accounts, because everybody is played here

Whoever reads DATA/keys of a real hall can sign closes and checkpoints in its name, and witnesses will see it; they
cannot open a bid, because no trustee's key is ever in this folder. In a demo hall all keys are, and every act says so.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from crypto import trust
from crypto.certificates import Authority
from crypto.ledger import note
from crypto.refusal import Refused
from crypto.signing import Ed25519Signer, P256Signer
from crypto.trust import Trust
from trading import codes

REHEARSAL = "/rehearsal"
KEYS = ("log", "duty", "room", "verifier")
Entropy = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Card:
    """hall.json: who runs this hall. `platform` is the 11-character platform code."""

    name: str
    uscc: str
    region: str
    platform: str
    origin: str

    @property
    def demo(self) -> bool:
        """Whether this is a rehearsal."""
        return self.origin.endswith(REHEARSAL)


@dataclass(frozen=True, slots=True)
class Folder:
    """An opened hall folder."""

    path: Path
    card: Card

    @property
    def database(self) -> Path:
        return self.path / "hall.db"

    @property
    def blobs(self) -> Path:
        return self.path / "blobs"

    @property
    def demo(self) -> Path:
        return self.path / "demo"

    def key(self, name: str) -> Ed25519Signer:
        """One of the hall's own keys. Raises Refused("key_file") for a damaged file."""
        return Ed25519Signer.from_pem((self.path / "keys" / f"{name}.pem").read_bytes())

    def verifier_key(self) -> note.VerifierKey:
        """The log's public key as anchors name it."""
        return note.VerifierKey(self.card.origin, note.LOG_SIGNATURE, self.key("log").key)

    def authority(self) -> Authority | None:
        """The rehearsal's own certification authority; None in a real hall."""
        path = self.demo / "authority.pem"
        if not path.exists():
            return None
        signer = P256Signer.from_pem(path.read_bytes())
        return Authority(signer.private, signer.certificate)

    def trustees_here(self) -> frozenset[str]:
        """Trustees whose keys lie in this folder: ids of trustees' key folders, and every signing key (hex) found."""
        found: set[str] = set()
        for child in self.path.iterdir():
            if child.is_dir() and child != self.blobs:
                for card in child.rglob("trustee.json"):
                    found.add(_trustee_of(card))
                for pem in child.rglob("*.pem"):
                    with contextlib.suppress(Refused):
                        found.add(Ed25519Signer.from_pem(pem.read_bytes()).key.hex())
        return frozenset(found - {""})

    @property
    def trust_bytes(self) -> bytes | None:
        """trust.json, or None while roots and witnesses have not enrolled."""
        path = self.path / "trust.json"
        return path.read_bytes() if path.exists() else None

    @property
    def trust(self) -> Trust:
        """The anchors. Raises Refused("hall_without_anchors")."""
        data = self.trust_bytes
        if data is None:
            raise Refused("hall_without_anchors", folder=self.path.name)
        return trust.load(data)


def create(path: Path, *, name: str, uscc: str, region: str, demo: bool, entropy: Entropy) -> Folder:
    """Make a hall's folder with fresh keys of its own machinery. Raises hall_exists, and what codes refuses."""
    if (path / "hall.json").exists():
        raise Refused("hall_exists", folder=str(path))
    card = card_of(name=name, uscc=uscc, region=region, demo=demo)
    make_keys(path, entropy=entropy)
    return write_card(path, card)


def card_of(*, name: str, uscc: str, region: str, demo: bool) -> Card:
    """The card of a hall. Raises Refused: uscc_wrong, code_region_malformed."""
    codes.check_uscc(uscc)
    return Card(name, uscc, region, codes.platform(region, 1), f"tradehall/{uscc}" + (REHEARSAL if demo else ""))


def make_keys(path: Path, *, entropy: Entropy) -> None:
    """Make a hall's folder with fresh keys of its own machinery."""
    path.mkdir(parents=True, exist_ok=True)
    keys = path / "keys"
    keys.mkdir(mode=0o700, exist_ok=True)
    for each in KEYS:
        write_secret(keys / f"{each}.pem", Ed25519Signer.generate(entropy=entropy).to_pem())


def write_card(path: Path, card: Card) -> Folder:
    """Write hall.json."""
    write(path / "hall.json", _encode({"v": 1, **{field: getattr(card, field) for field in card.__slots__}}))
    return Folder(path, card)


def load(path: Path) -> Folder:
    """Open a hall's folder. Raises Refused("hall_missing")."""
    try:
        told = json.loads((path / "hall.json").read_text("utf-8"))
        card = Card(told["name"], told["uscc"], told["region"], told["platform"], told["origin"])
    except FileNotFoundError as error:
        raise Refused("hall_missing", folder=str(path)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise Refused("hall_unreadable", folder=str(path)) from error
    return Folder(path, card)


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a hall's folder for this process alone. Raises Refused("hall_running") while another holds it: two
    clockworks on one folder would do no harm to the ledger, but nobody means to start them."""
    with (path / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Refused("hall_running", folder=str(path)) from error
        yield


def write(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file whole or not at all: to a neighbour, to the disk, then in place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def write_secret(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read."""
    write(path, data, mode=0o600)


def _trustee_of(card: Path) -> str:
    try:
        told = json.loads(card.read_text("utf-8"))
    except ValueError:
        return ""
    return str(told.get("trustee", "")) if isinstance(told, dict) else ""


def _encode(value: Mapping[str, object]) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()
