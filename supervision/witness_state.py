"""What a witness keeps between two looks at the log: its key, its anchors, and the last tree it cosigned.

    DIR/key.pem       Ed25519, made by `tradehall-witness keys`; DIR/name what it calls itself
    DIR/trust.json    the anchors, brought by a person, never from the hall that is watched
    DIR/state.json    the last tree; DIR/latest its note with this witness's line; DIR/log/ its copy; DIR/evidence/

Whoever can write these files decides what the witness believes it saw; state.json alone binds a key to one log.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from crypto import signing, trust
from crypto.ledger import merkle, note
from crypto.refusal import Refused
from crypto.terminal import Unreadable
from crypto.trust import Trust
from storage.world import instant, stamp


@dataclass(frozen=True, slots=True)
class Seen:
    """What a witness remembers: the last tree it cosigned, when (UTC, whole seconds), and the note with its line."""

    origin: str
    size: int = 0
    root: bytes = merkle.EMPTY_ROOT
    at: datetime | None = None
    cosigned: str = ""
    line: str = ""

    @property
    def checkpoint(self) -> note.Checkpoint:
        """The tree head that the next one must follow."""
        return note.Checkpoint(self.origin, self.size, self.root)

    def encode(self) -> bytes:
        """The state file."""
        value = {
            "v": 1,
            "origin": self.origin,
            "size": self.size,
            "root": self.root.hex(),
            "at": stamp(self.at) if self.at else None,
            "note": self.cosigned,
            "line": self.line,
        }
        return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()

    @staticmethod
    def decode(data: bytes) -> Seen:
        """Read the state file; Refused("witness_state")."""
        try:
            value = json.loads(data)
            at = None if value["at"] is None else instant(value["at"])
            root = bytes.fromhex(value["root"])
            seen = Seen(value["origin"], value["size"], root, at, value["note"], value["line"])
            return replace(seen, size=seen.checkpoint.size)
        except (ValueError, KeyError, TypeError, Refused) as error:
            raise Refused("witness_state") from error


def key_in(folder: Path) -> signing.Ed25519Signer:
    """The key in key.pem; Unreadable without one, Refused("key_file") for another."""
    path = folder / "key.pem"
    if not path.exists():
        raise Unreadable(f"{path}: missing; make it with `tradehall-witness --log URL --data {folder} keys`")
    return signing.Ed25519Signer.from_pem(path.read_bytes())


def trust_in(folder: Path) -> Trust:
    """The anchors in trust.json; Unreadable without them."""
    path = folder / "trust.json"
    if not path.exists():
        raise Unreadable(f"{path}: missing; bring it with `tradehall-witness --log URL --data {folder} enrol`")
    return trust.load(path.read_bytes())


def name_of(signer: signing.Signer, anchors: Trust) -> str:
    """The name under which the anchors know this key; Refused("witness_not_in_trust")."""
    for witness in anchors.witnesses:
        if witness.key.public == signer.key:
            return witness.name
    raise Refused("witness_not_in_trust", hall=anchors.hall)


def seen_in(folder: Path, anchors: Trust) -> Seen:
    """What this folder remembers of the log of `anchors`; nothing yet for a new folder.

    Raises Refused: certified_key_in_rehearsal, witness_of_another_log, witness_state.
    """
    path = folder / "state.json"
    if not path.exists():
        return Seen(anchors.origin)
    seen = Seen.decode(path.read_bytes())
    if anchors.rehearsal and not note.is_rehearsal(seen.origin):
        raise Refused("certified_key_in_rehearsal", origin=anchors.origin, certified=seen.origin)
    if seen.origin != anchors.origin:
        raise Refused("witness_of_another_log", origin=anchors.origin, remembered=seen.origin)
    return seen


def own_name(folder: Path) -> str:
    """What this witness calls itself: the file `name`, else the folder's own name."""
    path = folder / "name"
    return path.read_text("utf-8").strip() if path.exists() else folder.resolve().name
