"""Receipts: one file that proves offline that the ledger holds an act (C2SP tlog-proof@v1).

docs/spec/ledger.md §7. A receipt carries the event with its salts, the inclusion proof and the checkpoint. The `extra`
line is authenticated by nothing but the leaf: the leaf is computed again from the event, so a word of the event or a
salt that was changed does not verify; `context` alone is outside and is shown as such.

Grade A: the log signed a tree that holds the act. It is enough: from then on the log's own key convicts it.
Grade B: a quorum of witnesses saw that tree too, so nobody is shown another one.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from crypto import jcs
from crypto.ledger import acts, merkle, note
from crypto.refusal import Refused

HEADER = "c2sp.org/tlog-proof@v1"
RECEIPT_BYTES_MAX = 512 * 1024
PROOF_HASHES_MAX = 63

_FIELDS = {"kind", "event", "salt_p", "salt_c", "context"}


@dataclass(frozen=True, slots=True)
class TlogProof:
    """A parsed tlog-proof: opaque extra data, the leaf's index, the proof, the checkpoint note. Unverified."""

    extra: bytes | None
    index: int
    proof: tuple[bytes, ...]
    checkpoint: note.Note

    @classmethod
    def parse(cls, data: bytes) -> TlogProof:
        """Read a tlog-proof of at most 512 KiB; Refused("receipt") for anything but the one spelling."""
        if len(data) > RECEIPT_BYTES_MAX:
            raise Refused("receipt", bytes=len(data))
        head, found, checkpoint = data.partition(b"\n\n")
        try:
            lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError as error:
            raise Refused("receipt", bytes=len(data)) from error
        if not found or lines.pop(0) != HEADER or not lines:
            raise Refused("receipt", bytes=len(data))
        extra = _unbase64(lines.pop(0)[6:]) if lines[0].startswith("extra ") else None
        index = lines.pop(0).removeprefix("index ") if lines and lines[0].startswith("index ") else ""
        if (
            not (index.isascii() and index.isdigit())
            or len(index) > 19
            or str(int(index)) != index
            or len(lines) > PROOF_HASHES_MAX
        ):
            raise Refused("receipt", bytes=len(data))
        return cls(extra, int(index), tuple(_unbase64(line) for line in lines), note.Note.parse(checkpoint))

    def encode(self) -> bytes:
        """The proof as a file."""
        lines = [HEADER, f"index {self.index}", *(base64.b64encode(each).decode() for each in self.proof)]
        if self.extra is not None:
            lines.insert(1, f"extra {base64.b64encode(self.extra).decode()}")
        return "\n".join(lines).encode() + b"\n\n" + self.checkpoint.encode()


@dataclass(frozen=True, slots=True)
class ReceiptProved:
    """What a receipt proved.

    `event` is {"act": …} for a public act, else {"public", "confidential"}, or {"public", "confidential_hash"} where
    the confidential part was kept back; `cosigned` are the verified cosignatures, a quorum exactly in grade B.
    `context` was proved by nothing.
    """

    event: Mapping[str, Any]
    leaf: bytes
    index: int
    checkpoint: note.Checkpoint
    grade: Literal["A", "B"]
    cosigned: tuple[note.Cosigned, ...]
    context: Mapping[str, Any]

    @property
    def leaf_hash(self) -> bytes:
        """The hash by which other acts name this one."""
        return merkle.leaf_hash(self.leaf)

    @property
    def rehearsal(self) -> bool:
        """Whether the log is that of a demo hall; every page and print says so in its first line."""
        return note.is_rehearsal(self.checkpoint.origin)


def build(
    event: Mapping[str, Any],
    salt_p: bytes | None,
    salt_c: bytes | None,
    *,
    index: int,
    proof: Sequence[bytes],
    checkpoint: note.Note,
    context: Mapping[str, Any] | None = None,
) -> bytes:
    """The receipt of one act: `event` as in ReceiptProved, salts of 32 bytes, None where there is no such part.

    `context` is unauthenticated matter for people (the lot's name). Raises Refused when the event and the salts make
    no leaf; whether that leaf is in the tree is for verify().
    """
    extra: dict[str, Any] = {"kind": "receipt", "event": dict(event)}
    if salt_p is not None:
        extra["salt_p"] = salt_p.hex()
    if salt_c is not None:
        extra["salt_c"] = salt_c.hex()
    if context is not None:
        extra["context"] = dict(context)
    event_leaf(extra)
    return TlogProof(jcs.dumps(extra), index, tuple(proof), checkpoint).encode()


def parse(data: bytes) -> tuple[TlogProof, dict[str, Any]]:
    """The proof and its extra fields (kind, event, salts, context), nothing verified; Refused("receipt")."""
    parsed = TlogProof.parse(data)
    extra = jcs.loads(parsed.extra, bytes_max=RECEIPT_BYTES_MAX) if parsed.extra is not None else None
    if not isinstance(extra, dict) or extra.get("kind") != "receipt" or not set(extra) <= _FIELDS:
        raise Refused("receipt", bytes=len(data))
    return parsed, extra


def verify(data: bytes, trust: note.Anchors) -> ReceiptProved:
    """Prove that the act in a receipt stands in the log of `trust`; returns what was proved and its grade.

    1. the leaf is computed from the event; 2. the log signed the checkpoint; 3. every cosignature of a known witness
    is verified, and a false one refuses the receipt; 4. the inclusion proof leads from the leaf to the root.
    Raises Refused: receipt, what acts and note refuse, inclusion_proof. Too few cosignatures are grade A, no refusal.
    """
    parsed, extra = parse(data)
    leaf = event_leaf(extra)
    checkpoint = note.verify_checkpoint(parsed.checkpoint, trust.log)
    cosigned = note.verify_cosignatures(parsed.checkpoint, trust.witnesses)
    merkle.verify_inclusion(merkle.leaf_hash(leaf), parsed.index, checkpoint.size, parsed.proof, checkpoint.root)
    grade: Literal["A", "B"] = "B" if note.is_quorum(cosigned, trust.quorum) else "A"
    return ReceiptProved(extra["event"], leaf, parsed.index, checkpoint, grade, cosigned, extra.get("context", {}))


def event_leaf(extra: Mapping[str, Any]) -> bytes:
    """The leaf of the event in the extra fields of a receipt; Refused("receipt") when its parts do not fit."""
    event, salts = extra["event"], {name for name in ("salt_p", "salt_c") if name in extra}
    if not isinstance(event, dict) or not isinstance(extra.get("context", {}), dict):
        raise Refused("receipt", field="event")
    match sorted(event), sorted(salts):
        case ["act"], []:
            return acts.public_leaf(_part(event, "act"))
        case ["confidential", "public"], ["salt_c", "salt_p"]:
            salt_p, salt_c = _hash(extra, "salt_p"), _hash(extra, "salt_c")
            return acts.private_leaf(_part(event, "public"), _part(event, "confidential"), salt_p, salt_c)
        case ["confidential_hash", "public"], ["salt_p"]:
            opened = acts.Opened(_part(event, "public"), _hash(extra, "salt_p"))
            return acts.leaf_of_parts(opened, _hash(event, "confidential_hash"))
        case _:
            raise Refused("receipt", field="event")


def _part(event: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = event[name]
    if not isinstance(part, dict):
        raise Refused("receipt", field=name)
    return part


def _hash(fields: Mapping[str, Any], name: str) -> bytes:
    text = fields[name]
    try:
        data = bytes.fromhex(text)
    except (TypeError, ValueError) as error:
        raise Refused("receipt", field=name) from error
    if len(data) != 32 or data.hex() != text:
        raise Refused("receipt", field=name)
    return data


def _unbase64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused("receipt", base64=text[:80]) from error
    if base64.b64encode(data).decode() != text:
        raise Refused("receipt", base64=text[:80])
    return data
