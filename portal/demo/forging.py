"""The forger's workshop: an honest bundle of a rehearsal taken apart, changed, and put together again so that it fits.

Used by portal/demo/forgeries.py only, and only in rehearsals, where every key lies in one place. A changed bundle is
written as a whole history that could have been: acts are numbered, linked and signed again, objects named by their new
hashes, leaves put back in their places, checkpoints signed and witnessed again with their old stamps, every proof
made anew, the manifest fitted (docs/spec/bundle.md, ledger.md). So nothing shallow gives a cheat away.

The workshop holds keys; it breaks no hash. What signatures, commitments and ciphertext pin stays pinned.
"""

from __future__ import annotations

import copy
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from crypto import jcs, signing
from crypto.ledger import acts, merkle, note
from crypto.ledger.note import Checkpoint, Note
from crypto.signing import Ed25519Signer, Signer
from crypto.verifier import archive, reading
from crypto.verifier.shown import Bundle
from portal.demo.cast import Cast
from portal.folder import Folder

STAMPED_KINDS: Final = ("tender", "amendment", "deadline", "publicity")
"""Acts whose instant of witnessing a rule asks for (bundle.md §4), beside every *ready*."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Every key of a rehearsal: signers by their public key (hex; a certificate's DER), the log's, the witnesses'."""

    signers: Mapping[str, Signer]
    log: Signer
    witnesses: Mapping[str, Signer]

    @classmethod
    def of(cls, cast: Cast, folder: Folder, names: tuple[str, ...]) -> Keys:
        """Gather them; `names` are the witnesses'. Raises Refused("key_file")."""
        homes = [cast.trustee_home(trustee) for trustee in cast.trustees]
        found: list[Signer] = [folder.key(name) for name in ("duty", "room", "verifier")]
        found += [cast.root(side) for side in ("centre", "supervision")]
        found += [Ed25519Signer.from_pem((home / "key.pem").read_bytes()) for home in homes]
        found += [cast.signer(member) for member in cast.members if member.uscc]
        witnesses = {name: cast.witness(name) for name in names}
        return cls({signer.key.hex(): signer for signer in found}, folder.key("log"), witnesses)


@dataclass(slots=True)
class Entry:
    """One leaf that a bundle opens: its place, its fields (yours to change) and its leaf hash as it was (hex)."""

    index: int
    body: dict[str, Any]
    leaf: str
    made: dict[str, Any] = field(default_factory=dict)
    hashed: str = ""

    @property
    def kind(self) -> str:
        return str(self.body["kind"])

    def __getitem__(self, name: str) -> Any:
        return self.body[name]


class Book:
    """A bundle taken apart. Change `acts` (a tender's public acts), `events` (private acts by leaf) and the documents
    that `document` gives, in place; then `write`. `swap` holds what stands for an old hash everywhere."""

    def __init__(self, path: Path, keys: Keys) -> None:
        self._keys = keys
        self.shown: Bundle = reading.read(archive.read(path))
        self.acts = [Entry(act.index, copy.deepcopy(dict(act.body)), act.leaf) for act in self.shown.acts]
        self.events = {
            event.leaf: Entry(event.index, copy.deepcopy(dict(event.public)), event.leaf)
            for event in (*self.shown.events, *(bid.event for bid in self.shown.bids.values()))
        }
        self.swap: dict[str, str] = {}
        self._documents: dict[str, Any] = copy.deepcopy(self.shown.documents)
        self._objects: dict[str, bytes] = {}
        self._closed: set[str] = set()
        self._removed: set[int] = set()
        self._raw = self._read_raw()

    def of(self, *kinds: str) -> list[Entry]:
        """The tender's public acts of these kinds, in order."""
        return [act for act in self.acts if act.kind in kinds]

    def last(self, kind: str) -> Entry:
        """The last public act of a kind; IndexError without one."""
        return self.of(kind)[-1]

    def document(self, digest: str) -> Any:
        """An object as a value to change in place, by the hash that the act names as yet."""
        return self._documents[digest]

    def remove(self, act: Entry) -> None:
        """Take a public act out of the log; another leaf lies in its place. Its number stays empty."""
        self.acts.remove(act)
        self._removed.add(act.index)

    def write(self, path: Path, *, linked: bool = True) -> Path:
        """Write the changed bundle. `linked` False leaves every act as it was signed, numbers and links included.

        Raises KeyError for an act whose signer's key is not among `Keys`.
        """
        notes = self._log(linked=linked)
        with tempfile.TemporaryDirectory(dir=path.parent) as beside:
            archive.write(path, self._members(notes, Path(beside) / "body"))
        return path

    def _log(self, *, linked: bool) -> Mapping[int, bytes]:
        """Make every leaf, then the tree and the checkpoints; returns the notes by size."""
        self._linked = linked
        self._places = {act.leaf: place for place, act in enumerate(self.acts)}
        self._waiting = {entry.leaf: entry for entry in (*self.acts, *self.events.values())}
        self._known = {act.index: bytes.fromhex(act.leaf) for act in self.shown.hall}
        self._tree = merkle.Tree()
        for entry in sorted(self._waiting.values(), key=lambda each: each.index):
            self._make(entry)
        self._grow(self.shown.size)
        return {size: self._note(size, self.shown.notes[size]) for size in self._sizes()}

    def _make(self, entry: Entry) -> str:
        """The entry's new leaf hash (hex), made once."""
        if entry.hashed:
            return entry.hashed
        if entry.leaf in self.events:
            entry.made = self._swapped(entry.body)
            raw = self._raw[entry.leaf]
            opened = acts.Opened(entry.made, bytes.fromhex(raw["salt_p"]))
            leaf = acts.leaf_of_parts(opened, bytes.fromhex(raw["hidden"]))
        else:
            entry.made = self._signed(entry)
            leaf = acts.public_leaf(entry.made)
        entry.hashed = merkle.leaf_hash(leaf).hex()
        self._known[entry.index] = bytes.fromhex(entry.hashed)
        self.swap[entry.leaf] = entry.hashed
        return entry.hashed

    def _signed(self, entry: Entry) -> dict[str, Any]:
        """A public act in its place, signed again where it is no longer what was signed."""
        self._keep_objects(entry.body)
        if not self._linked:
            return entry.body
        body: dict[str, Any] = self._swapped({name: entry.body[name] for name in entry.body if name != "signatures"})
        place = self._places[entry.leaf]
        body["seq"] = place
        body["prev"] = self._make(self.acts[place - 1]) if place else acts.FIRST_PREV
        if entry.kind == "ready":
            size = body["checkpoint"]["size"]
            self._grow(size)
            body["checkpoint"] = {"size": size, "root": self._tree.root(size).hex()}
        if entry.kind == "tally" and self.shown.full:
            counted = sorted(
                (one for one in self.events.values() if one.index < body["size"]), key=lambda one: one.index
            )
            body["root"] = merkle.root([bytes.fromhex(self._make(one)) for one in counted]).hex()
        was = next(act for act in self.shown.acts if act.leaf == entry.leaf)
        if body == {name: was[name] for name in was.body if name != "signatures"}:
            return dict(was.body)
        for each in was["signatures"]:
            body = signing.sign_act(body, signer=self._keys.signers[each["key"]], by=each["by"])
        return body

    def _keep_objects(self, value: Any) -> None:
        """Make the objects that an act names, under the names their changed bytes give them."""
        for digest in _strings(value):
            if digest in self.shown.objects:
                self._objects[digest] = self.shown.objects[digest]
            if digest in self._documents and digest not in self._closed:
                data = jcs.dumps(self._swapped(self._documents[digest]))
                self._closed.add(digest)
                self.swap[digest] = sha256(data).hexdigest()
                self._objects[self.swap[digest]] = data

    def _swapped(self, value: Any) -> Any:
        """A copy of a value in which every old hash is the new one."""
        match value:
            case dict():
                return {name: self._swapped(each) for name, each in value.items()}
            case list():
                return [self._swapped(each) for each in value]
            case str() if value in self.swap:
                return self.swap[value]
            case str() if value in self._waiting and not self._waiting[value].hashed:
                return self._make(self._waiting[value])
            case _:
                return value

    def _read_raw(self) -> Mapping[str, Mapping[str, Any]]:
        """What the bundle's own lines say of its private acts, by leaf: salts, and the hash of the hidden part."""
        found: dict[str, dict[str, Any]] = {}
        for bid, submission in self.shown.bids.items():
            data = self._json(f"bids/{bid}/submission.json")
            found[submission.event.leaf] = {**data, "hidden": data["confidential"]}
        if self.shown.full:
            rows = self.shown.archive.read("private/events.jsonl").splitlines()
            for line, event in zip(rows, self.shown.events, strict=True):
                data = jcs.loads(line)
                hidden = acts.part_hash(data["confidential"], bytes.fromhex(data["salt_c"]))
                found[event.leaf] = {**data, "hidden": hidden.hex()}
        return found

    def _json(self, name: str) -> dict[str, Any]:
        value: dict[str, Any] = jcs.loads(self.shown.archive.read(name))
        return value

    def _grow(self, size: int) -> None:
        """Append leaves up to `size`. What the bundle does not open is somebody else's: any leaf passes for it."""
        seed = sha256(self._keys.log.key).digest()
        for index in range(self._tree.size, size):
            self._tree.extend([self._known.get(index) or merkle.leaf_hash(acts.cover_leaf(seed, index))])

    def _note(self, size: int, was: Note) -> bytes:
        """A checkpoint signed again by the log, and by those witnesses that had, at the instants they had."""
        origin = Checkpoint.parse(was.text).origin
        made = note.sign_checkpoint(Checkpoint(origin, size, self._tree.root(size)), signer=self._keys.log)
        for line in was.signatures:
            if line.name in self._keys.witnesses:
                at = datetime.fromtimestamp(int.from_bytes(line.signature[:8], "big"), UTC)
                made = made.with_line(note.cosign(made, name=line.name, signer=self._keys.witnesses[line.name], at=at))
        return made.encode()

    def _sizes(self) -> list[int]:
        """The checkpoints that the acts that are left ask for, and the newest."""
        sizes = sorted(self.shown.notes)
        asked = {act["checkpoint"]["size"] for act in self.of("ready")} | {self.shown.size}
        asked |= {min(size for size in sizes if size > act.index) for act in self.of(*STAMPED_KINDS)}
        return sorted(asked)

    def _members(self, notes: Mapping[int, bytes], beside: Path) -> Iterator[tuple[str, bytes | Path]]:
        """The manifest, then every member in order; what did not change is copied through the file `beside`."""
        parts: dict[str, bytes | None] = dict(self._parts(notes))
        there = self.shown.archive.members
        files = []
        for name in sorted(parts):
            content = parts[name]
            digest = there[name].sha256 if content is None else sha256(content).hexdigest()
            files.append(
                {"path": name, "sha256": digest, "size": there[name].size if content is None else len(content)}
            )
        manifest = self._json("manifest.json")
        heads = {"hall": self.shown.hall[-1].leaf, "tender": self.acts[-1].hashed}
        yield "manifest.json", jcs.dumps({**manifest, "heads": heads, "files": files})
        for name in sorted(parts):
            content = parts[name]
            if content is not None:
                yield name, content
                continue
            with self.shown.archive.open(name) as stream, beside.open("wb") as out:
                shutil.copyfileobj(stream, out, archive.READ_BYTES)
            yield name, beside

    def _parts(self, notes: Mapping[int, bytes]) -> Iterator[tuple[str, bytes | None]]:
        """Every member but the manifest; None is a member that stays as it was."""
        for size, signed in notes.items():
            yield ("log/checkpoint" if size == self.shown.size else f"log/checkpoints/{size}"), signed
        steps = [
            {"from": old, "to": new, "proof": [each.hex() for each in self._tree.consistency_proof(old, new)]}
            for old, new in pairwise(sorted(notes))
        ]
        yield "log/consistency.json", jcs.dumps(steps)
        hall = [{"index": act.index, "act": act.body, "proof": self._proof(act.index)} for act in self.shown.hall]
        yield "log/hall.jsonl", _jsonl(hall)
        shown = [{"index": act.index, "act": act.made, "proof": self._proof(act.index)} for act in self.acts]
        yield "log/acts.jsonl", _jsonl(shown)
        for digest, data in self._objects.items():
            yield f"objects/{digest}", data
        yield from self._bids()
        if self.shown.full:
            yield from self._private()

    def _bids(self) -> Iterator[tuple[str, bytes | None]]:
        """Of every bid: headers and submission; bodies and secrets only while the list has it (bundle.md §3)."""
        listed = {row["bid"] for row in self.document(self.last("freeze")["list_hash"])}
        for name in self.shown.archive.members:
            bid, _, part = name.removeprefix("bids/").partition("/")
            if not name.startswith("bids/"):
                continue
            if part == "submission.json":
                event = self.events[self.shown.bids[bid].event.leaf]
                again = {"event": event.made, "proof": self._proof(event.index)}
                yield name, jcs.dumps({**self._json(name), **again})
            elif bid in listed or part.startswith("header-"):
                yield name, None

    def _private(self) -> Iterator[tuple[str, bytes | None]]:
        made = []
        for event in self.shown.events:
            entry = self.events[event.leaf]
            line = {name: self._raw[event.leaf][name] for name in ("salt_p", "salt_c", "confidential")}
            made.append({**line, "index": entry.index, "public": entry.made, "proof": self._proof(entry.index)})
        yield "private/events.jsonl", _jsonl(made)
        yield (
            "private/contexts.jsonl",
            _jsonl([row for row in self.shown.contexts if row["index"] not in self._removed]),
        )
        for name in ("private/unmasking.json", "private/rescues.json"):
            if name in self.shown.archive:
                yield name, None

    def _proof(self, index: int) -> list[str]:
        return [each.hex() for each in self._tree.inclusion_proof(index)]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)


def _jsonl(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(jcs.dumps(row) + b"\n" for row in rows)
