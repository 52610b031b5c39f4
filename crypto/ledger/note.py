"""Signed notes, a log's checkpoints in them, and witnesses' cosignatures (C2SP signed-note@v1, tlog-checkpoint@v1, …).

docs/spec/ledger.md §5. The rules upheld here:
- the text of a note means nothing before a signature of a known key over it was verified;
- lines of unknown keys are ignored, but one false line of a known key spoils the note;
- a quorum is `quorum` witnesses of different organisations, at least one of them of operation and one of supervision:
  neither side alone can make a forked log look witnessed;
- a cosignature says when its witness saw the tree, so "before the deadline" is judged by a quorum's stamps.

A cosignature does not name its witness inside the signed bytes, so no two witnesses may share a key (crypto.trust).
"""

from __future__ import annotations

import base64
import binascii
import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Literal, Protocol

from crypto import signing
from crypto.ledger import merkle
from crypto.refusal import Refused

LOG_SIGNATURE = 0x01
COSIGNATURE = 0x04
NOTE_BYTES_MAX = 64 * 1024
SIGNATURES_MAX = 64
STAMP_MAX_S = 2**63 - 1

Group = Literal["operation", "supervision", "independent"]
GROUPS: tuple[Group, ...] = ("operation", "supervision", "independent")
QUORUM_GROUPS: tuple[Group, ...] = ("operation", "supervision")

_DASH = "— "
_CONTROL = re.compile(r"[\x00-\x1f]")
_CONTROL_BUT_NEWLINE = re.compile(r"[\x00-\x09\x0b-\x1f]")
# Signatures over notes that are not computed again: a hall proves its newest checkpoints for everybody who asks.
PROVED_KEPT = 1024


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A named public key as signed-note encodes it: `name+hash+base64(type || key)`.

    `kind` is 0x01 (a log's signature) or 0x04 (a witness's cosignature), `public` 32 bytes of Ed25519.
    """

    name: str
    kind: int
    public: bytes

    def __post_init__(self) -> None:
        _require_name(self.name)
        if self.kind not in (LOG_SIGNATURE, COSIGNATURE):
            raise Refused("verifier_key", name=self.name, kind=self.kind)
        signing.ed25519_public(self.public)

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256(name || newline || type || key)."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read `name+hash+base64`; Refused("verifier_key") for another type, another hash or another spelling."""
        parts = text.split("+", 2)
        if len(parts) != 3:
            raise Refused("verifier_key", name=text[:80])
        name, key_id, encoded = parts
        material = _unbase64(encoded, "verifier_key")
        if len(material) != 33:
            raise Refused("verifier_key", name=name)
        key = cls(name, material[0], material[1:])
        if str(key) != text:
            raise Refused("verifier_key", name=name, key_id=key_id)
        return key

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{_base64(bytes([self.kind]) + self.public)}"


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One signature of a note: who is said to have made it, the 4-byte key id, and the bytes after it."""

    name: str
    key_id: bytes
    signature: bytes

    @classmethod
    def parse(cls, line: str) -> SignatureLine:
        """Read one line without its newline; Refused("note")."""
        if not line.startswith(_DASH):
            raise Refused("note", line=line[:80])
        name, _, encoded = line[len(_DASH) :].partition(" ")
        _require_name(name)
        blob = _unbase64(encoded, "note")
        if len(blob) < 5:
            raise Refused("note", line=line[:80])
        return cls(name, blob[:4], blob[4:])

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {_base64(self.key_id + self.signature)}\n"

    def is_of(self, key: VerifierKey) -> bool:
        """Whether the line claims to be of `key`: same name and same key id."""
        return self.name == key.name and self.key_id == key.key_id


@dataclass(frozen=True, slots=True)
class Note:
    """A text (with its last newline) and its signature lines. Nothing here is verified yet."""

    text: str
    signatures: tuple[SignatureLine, ...]

    @classmethod
    def parse(cls, data: bytes) -> Note:
        """Read a signed note of at most 64 KiB and 64 signatures; Refused("note") for anything but the one spelling."""
        if len(data) > NOTE_BYTES_MAX:
            raise Refused("note", bytes=len(data), bytes_max=NOTE_BYTES_MAX)
        try:
            whole = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Refused("note", at=error.start) from error
        if _CONTROL_BUT_NEWLINE.search(whole) or not whole.endswith("\n"):
            raise Refused("note", bytes=len(data))
        text, found, below = whole.rpartition("\n\n")
        lines = below.removesuffix("\n").split("\n")
        if not found or not text or len(lines) > SIGNATURES_MAX:
            raise Refused("note", signatures=len(lines))
        return cls(text + "\n", tuple(SignatureLine.parse(line) for line in lines))

    def encode(self) -> bytes:
        """The note as bytes: text, an empty line, the signature lines."""
        return (self.text + "\n" + "".join(str(line) for line in self.signatures)).encode()

    def with_line(self, line: SignatureLine) -> Note:
        """The note with one more signature; a line of the same name and key id is replaced by the newer one."""
        kept = tuple(each for each in self.signatures if (each.name, each.key_id) != (line.name, line.key_id))
        return Note(self.text, (*kept, line))

    def line_of(self, key: VerifierKey) -> SignatureLine | None:
        """The one line that claims to be of `key`; Refused("signature_repeated") when there are two."""
        lines = [line for line in self.signatures if line.is_of(key)]
        if len(lines) > 1:
            raise Refused("signature_repeated", by=key.name)
        return lines[0] if lines else None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head: the log's origin, how many leaves, and the 32-byte root. Extension lines are refused."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        _require_name(self.origin)
        if not 0 <= self.size <= merkle.SIZE_MAX or len(self.root) != merkle.HASH_BYTES:
            raise Refused("checkpoint", origin=self.origin, size=self.size)
        if self.size == 0 and self.root != merkle.EMPTY_ROOT:
            raise Refused("checkpoint", origin=self.origin, size=0)

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read the text of a checkpoint note: exactly three lines. Refused("checkpoint")."""
        lines = text.split("\n")
        if len(lines) != 4 or lines[3] or not _is_decimal(lines[1]):
            raise Refused("checkpoint", origin=lines[0][:80])
        return cls(lines[0], int(lines[1]), _unbase64(lines[2], "checkpoint"))

    def encode(self) -> str:
        """The three lines of the note text, each with its newline."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n"


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness that is trusted: its name, whose side it stands on, and its cosignature key (type 0x04)."""

    name: str
    group: Group
    key: VerifierKey


class Anchors(Protocol):
    """What a checkpoint is judged by: the log's key, all witnesses known, how many must cosign (crypto.trust)."""

    @property
    def log(self) -> VerifierKey: ...

    @property
    def witnesses(self) -> tuple[Witness, ...]: ...

    @property
    def quorum(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A witness's verified cosignature: who, and the instant (UTC, whole seconds) it put beside it."""

    witness: Witness
    at: datetime


@dataclass(frozen=True, slots=True)
class Quorum:
    """A checkpoint that a quorum of witnesses cosigned, with every verified cosignature in order of its stamp."""

    checkpoint: Checkpoint
    cosigned: tuple[Cosigned, ...]
    threshold: int

    @property
    def complete_at(self) -> datetime:
        """The instant by which a quorum had cosigned: the smallest possible last stamp of one."""
        ends = range(1, len(self.cosigned) + 1)
        return next(self.cosigned[end - 1].at for end in ends if is_quorum(self.cosigned[:end], self.threshold))

    def stamped_before(self, instant: datetime) -> tuple[Cosigned, ...]:
        """The cosignatures stamped before `instant`, a quorum by themselves; else Refused("quorum_not_before").

        What makes an extension admit later bids: witnessed before the deadline it replaces.
        """
        return self._enough([each for each in self.cosigned if each.at < instant], "quorum_not_before", instant)

    def stamped_from(self, instant: datetime) -> tuple[Cosigned, ...]:
        """The cosignatures stamped at or after `instant`, a quorum by themselves; else Refused("quorum_not_from").

        What a trustee demands before it says ready: a checkpoint witnessed at or after the deadline.
        """
        return self._enough([each for each in self.cosigned if each.at >= instant], "quorum_not_from", instant)

    def _enough(self, chosen: list[Cosigned], code: str, instant: datetime) -> tuple[Cosigned, ...]:
        if not is_quorum(chosen, self.threshold):
            raise Refused(code, instant=instant, cosigned=len(chosen), quorum=self.threshold)
        return tuple(chosen)


def sign_note(text: str, *, name: str, signer: signing.Signer) -> Note:
    """A note signed once with an Ed25519 key (type 0x01); `text` ends in a newline."""
    if not text.endswith("\n"):
        raise Refused("note", bytes=len(text))
    key = VerifierKey(name, LOG_SIGNATURE, signer.key)
    return Note(text, (SignatureLine(name, key.key_id, signer.sign(text.encode())),))


def sign_checkpoint(checkpoint: Checkpoint, *, signer: signing.Signer) -> Note:
    """The log's own signature over a checkpoint; the key's name is the origin."""
    return sign_note(checkpoint.encode(), name=checkpoint.origin, signer=signer)


@functools.lru_cache(PROVED_KEPT)
def verify_note(note: Note, key: VerifierKey) -> str:
    """The text of a note that `key` (type 0x01) signed; Refused("note_not_signed" | "signature")."""
    line = note.line_of(key)
    if line is None or key.kind != LOG_SIGNATURE:
        raise Refused("note_not_signed", by=key.name)
    signing.verify_ed25519(key.public, line.signature, note.text.encode())
    return note.text


def verify_checkpoint(note: Note | bytes, log_key: VerifierKey) -> Checkpoint:
    """The checkpoint that the log signed under its own origin.

    Raises Refused: note, checkpoint, note_not_signed, signature, origin (signed by the key, but for another log).
    """
    parsed = note if isinstance(note, Note) else Note.parse(note)
    checkpoint = Checkpoint.parse(verify_note(parsed, log_key))
    if checkpoint.origin != log_key.name:
        raise Refused("origin", origin=checkpoint.origin, expected=log_key.name)
    return checkpoint


def cosign(note: Note, *, name: str, signer: signing.Signer, at: datetime) -> SignatureLine:
    """A witness's cosignature line over a checkpoint note, stamped with the whole second of `at` (aware).

    The caller has verified the log's signature and the consistency with the last tree it saw (check_follows) before.
    """
    Checkpoint.parse(note.text)
    key = VerifierKey(name, COSIGNATURE, signer.key)
    stamp_s = int(at.astimezone(UTC).timestamp())
    if not 0 < stamp_s <= STAMP_MAX_S:
        raise Refused("stamp", stamp_s=stamp_s)
    return SignatureLine(
        name, key.key_id, stamp_s.to_bytes(8, "big") + signer.sign(_cosigned_message(note.text, stamp_s))
    )


@functools.lru_cache(PROVED_KEPT)
def verify_cosignature(note: Note, witness: Witness) -> Cosigned | None:
    """The verified cosignature of `witness`, or None without a line of its; Refused("cosignature") for a false line."""
    line = note.line_of(witness.key)
    if line is None:
        return None
    stamp_s, signature = int.from_bytes(line.signature[:8], "big"), line.signature[8:]
    try:
        at = datetime.fromtimestamp(stamp_s, UTC)
        signing.verify_ed25519(witness.key.public, signature, _cosigned_message(note.text, stamp_s))
    except (Refused, ValueError, OverflowError, OSError) as error:
        raise Refused("cosignature", witness=witness.name) from error
    if stamp_s == 0:
        raise Refused("cosignature", witness=witness.name)
    return Cosigned(witness, at)


def verify_cosignatures(note: Note, witnesses: Iterable[Witness]) -> tuple[Cosigned, ...]:
    """Every verified cosignature of a known witness, by ascending stamp; one false line refuses the whole note."""
    found = [verify_cosignature(note, witness) for witness in witnesses]
    return tuple(sorted((each for each in found if each is not None), key=lambda each: (each.at, each.witness.name)))


def verify_quorum(note: Note | bytes, trust: Anchors) -> Quorum:
    """Prove that the log signed this checkpoint and a quorum of the witnesses cosigned it.

    Raises Refused: what verify_checkpoint refuses, cosignature, quorum (too few), quorum_group (group="operation" or
    "supervision" is missing).
    """
    parsed = note if isinstance(note, Note) else Note.parse(note)
    checkpoint = verify_checkpoint(parsed, trust.log)
    cosigned = verify_cosignatures(parsed, trust.witnesses)
    missing = _missing(cosigned, trust.quorum)
    if missing is not None:
        raise missing
    return Quorum(checkpoint, cosigned, trust.quorum)


def is_rehearsal(origin: str) -> bool:
    """Whether an origin is that of a demo hall; everything proved under it must be called a rehearsal."""
    return origin.endswith("/rehearsal")


def is_quorum(cosigned: Sequence[Cosigned], quorum: int) -> bool:
    """Whether these verified cosignatures are enough: a count, not a verification."""
    return _missing(cosigned, quorum) is None


def check_follows(old: Checkpoint, new: Checkpoint, proof: Sequence[bytes]) -> Checkpoint:
    """Prove that `new` only appends to `old`; returns `new`. What every witness, trustee and client does before use.

    Raises Refused: origin, log_rolled_back (fewer leaves than before), log_forked (another history).
    """
    if old.origin != new.origin:
        raise Refused("origin", origin=new.origin, expected=old.origin)
    if new.size < old.size:
        raise Refused("log_rolled_back", old_size=old.size, size=new.size)
    try:
        merkle.verify_consistency(old.size, old.root, new.size, new.root, proof)
    except Refused as refused:
        raise Refused("log_forked", old_size=old.size, size=new.size) from refused
    return new


def _missing(cosigned: Sequence[Cosigned], quorum: int) -> Refused | None:
    """Why these cosignatures are no quorum, or None."""
    if len(cosigned) < quorum:
        return Refused("quorum", cosigned=len(cosigned), quorum=quorum)
    groups = {each.witness.group for each in cosigned}
    for group in QUORUM_GROUPS:
        if group not in groups:
            return Refused("quorum_group", group=group)
    return None


def _cosigned_message(text: str, stamp_s: int) -> bytes:
    return f"cosignature/v1\ntime {stamp_s}\n{text}".encode()


def _require_name(name: str) -> None:
    # What split() leaves of a name that has no white space in it, and is not empty, is the name.
    if "+" in name or name.split() != [name] or _CONTROL.search(name):
        raise Refused("key_name", name=name[:80])


def _is_decimal(text: str) -> bool:
    return text.isascii() and text.isdigit() and (text == "0" or text[0] != "0") and len(text) < 20


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _unbase64(text: str, code: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(code, base64=text[:80]) from error
    # Padding bits and missing padding would give one signature several spellings.
    if _base64(data) != text:
        raise Refused(code, base64=text[:80])
    return data
