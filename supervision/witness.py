"""A witness: reads the whole log, keeps its own copy, and cosigns a checkpoint only if it follows from the last one.

docs/spec/ledger.md §5; sealing protocol §4 and §5 (witnesses read all public acts). The rules upheld:
- before a cosignature leaves, the tree it is for is remembered on the disk: a witness that crashes never signs a fork;
- the root is computed from the leaves themselves, so what is cosigned was read to the last leaf;
- every public act is well formed, truly signed, next in its chain and not from the future; else nothing is cosigned:
  a log in which an act is missing, altered or stands twice is refused by name;
- stamps are made after reading and never decrease, so "witnessed before the deadline" is never claimed too early;
- a key that was enrolled at a real log refuses a rehearsal.

Whoever controls one witness can withhold its cosignatures, or cosign a fork; they cannot make a quorum alone.
"""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from crypto import signing, terminal, trust
from crypto.ledger import acts, merkle, note, tiles
from crypto.refusal import Refused
from crypto.terminal import Unreachable
from crypto.trust import Trust
from storage.world import RealWorld, instant, stamp
from supervision import witness_state
from supervision.log_copy import CHUNK, LogCopy, write
from supervision.log_links import HttpLog, Link
from supervision.witness_state import Seen

SKEW = timedelta(seconds=60)
"""How far an act's instant may stand beyond the witness's clock (bundle.md §4)."""
PASSING = frozenset({"act_from_the_future", "clock_behind_last_stamp", "log_rolled_back", "log_file_missing"})
"""Refusals that another look may mend (a clock, an old page, a file not there yet); after any other a witness stops."""
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Polled:
    """What one look at the log gave: its size, how many leaves and public acts were new, and the line handed in."""

    size: int
    leaves: int
    acts: int
    line: str


class Witness:
    """One witness of one log. Not for use by several threads at once.

    `clock` gives the instant (aware UTC) of its stamps: its own clock, in a rehearsal the hall's.
    """

    def __init__(self, folder: Path, *, signer: signing.Signer, anchors: Trust, link: Link, clock: Clock) -> None:
        self.trust = anchors
        self.name = witness_state.name_of(signer, anchors)
        self._folder = folder
        self._signer = signer
        self._link = link
        self._clock = clock
        self._copy = LogCopy(folder / "log")
        self._seen = witness_state.seen_in(folder, anchors)
        self._frontier, self._chains = self._recall()

    @staticmethod
    def open(folder: Path, *, link: Link, clock: Clock) -> Witness:
        """The witness whose key.pem and trust.json lie in `folder`.

        Raises Unreadable for a missing file, Refused: what trust.load and key files refuse, witness_not_in_trust,
        certified_key_in_rehearsal, witness_of_another_log, witness_state, witness_copy_damaged.
        """
        signer, anchors = witness_state.key_in(folder), witness_state.trust_in(folder)
        return Witness(folder, signer=signer, anchors=anchors, link=link, clock=clock)

    @property
    def size(self) -> int:
        """How many leaves the last cosigned tree has; 0 before the first."""
        return self._seen.size

    def latest(self) -> bytes | None:
        """The newest checkpoint note it cosigned, with its line: what the sequencer asks before it signs."""
        return self._seen.cosigned.encode() if self._seen.cosigned else None

    def poll(self) -> Polled:
        """Look at the log once; cosign what is new, or hand in again the line that the log does not show yet.

        Raises Unreachable, Told (the log does not take the line), and Refused, after which nothing was cosigned:
        what note.verify_checkpoint refuses; log_rolled_back, log_forked (the signed note is kept under evidence/);
        tile, tile_root, entry_hash, log_file_missing (what is served is not what was signed); leaf_kind, jcs and act_…
        codes, chain_gap, chain_prev, chain_begins_otherwise, chain_tender_id, signature, act_from_the_future;
        clock_behind_last_stamp.
        """
        try:
            signed = note.Note.parse(self._link.fetch("checkpoint"))
        except LookupError:
            if self._seen.size:
                raise Refused("log_rolled_back", old_size=self._seen.size, size=0) from None
            return Polled(0, 0, 0, "")
        checkpoint = note.verify_checkpoint(signed, self.trust.log)
        if checkpoint.size <= self._seen.size:
            return self._again(signed, checkpoint)
        frontier = self._take(checkpoint)
        if frontier.root() != checkpoint.root:
            self._name_the_difference(signed, checkpoint)
        now = self._clock()
        chains, found = self._read_acts(checkpoint.size, now)
        return self._cosign(signed, checkpoint, frontier, chains, found, now)

    def _again(self, signed: note.Note, checkpoint: note.Checkpoint) -> Polled:
        """A checkpoint that is not larger: the same one, or proof against whoever signed it."""
        if checkpoint.size < self._seen.size or checkpoint.root != self._seen.root:
            # A smaller tree may be an old page of a mirror; whether it forks, the own copy tells.
            self._keep_evidence(signed, checkpoint)
            forked = checkpoint.root != self._root_at(checkpoint.size)
            code = "log_forked" if forked else "log_rolled_back"
            raise Refused(code, old_size=self._seen.size, size=checkpoint.size)
        if checkpoint.size and all(str(line) != self._seen.line for line in signed.signatures):
            self._link.post(self._seen.line)
            return Polled(checkpoint.size, 0, 0, self._seen.line)
        return Polled(checkpoint.size, 0, 0, "")

    def _take(self, checkpoint: note.Checkpoint) -> merkle.Frontier:
        """Copy every new leaf, and return the right edge they give; nothing is believed yet."""
        frontier, size = self._frontier, self._seen.size
        while size < checkpoint.size:
            end = min(checkpoint.size, (size // CHUNK + 1) * CHUNK)
            hashes = self._copy.append(size, self._fetch_leaves(size, end, checkpoint.size))
            if self._seen.size < size:
                self._copy.drop_partials(size, end, self._seen.size)
            frontier, size = frontier.append(hashes), end
        return frontier

    def _fetch_leaves(self, first: int, end: int, size: int) -> list[bytes]:
        leaves: list[bytes] = []
        for number in range(first // tiles.WIDTH, -(-end // tiles.WIDTH)):
            start = number * tiles.WIDTH
            width = min(tiles.WIDTH, size - start)
            try:
                data = self._link.fetch(tiles.entries_path(number, width))
            except LookupError as error:
                if width == tiles.WIDTH:
                    raise Refused("log_file_missing", path=str(error)) from error
                data, width = self._full(number), tiles.WIDTH
            leaves.extend(tiles.split_entries(data, width)[max(first - start, 0) : end - start])
        return leaves

    def _full(self, number: int) -> bytes:
        """A log may drop a partial bundle once the full one is there."""
        try:
            return self._link.fetch(tiles.entries_path(number))
        except LookupError as error:
            raise Refused("log_file_missing", path=str(error)) from error

    def _name_the_difference(self, signed: note.Note, checkpoint: note.Checkpoint) -> NoReturn:
        """The leaves do not give the root: either the log forked, or its files are not those it signed. Raises."""
        try:
            reader = tiles.Reader(self._link.fetch, size=checkpoint.size, root=checkpoint.root)
            proof = reader.consistency_proof(self._seen.size)
        except LookupError as error:
            raise Refused("log_file_missing", path=str(error)) from error
        try:
            note.check_follows(self._seen.checkpoint, checkpoint, proof)
        except Refused:
            self._keep_evidence(signed, checkpoint)
            raise
        for first in range(self._seen.size, checkpoint.size, CHUNK):
            reader.entries(first, min(first + CHUNK, checkpoint.size))
        # Served differently the second time: what was read first was not the log.
        raise Refused("entry_hash", index=self._seen.size)

    def _read_acts(self, size: int, now: datetime) -> tuple[dict[str, acts.Chain], int]:
        """Judge every public act of the new leaves; return the chains after them and how many acts there were."""
        chains, found = dict(self._chains), 0
        for leaf in self._leaves(self._seen.size, size):
            act = _act(leaf)
            if act is None:
                continue
            _extend(chains, act)
            signing.verify_act(act)
            if _at(act) > now + SKEW:
                raise Refused("act_from_the_future", kind=act["kind"], at=act["at"], now=stamp(now))
            found += 1
        return chains, found

    def _cosign(
        self,
        signed: note.Note,
        checkpoint: note.Checkpoint,
        frontier: merkle.Frontier,
        chains: dict[str, acts.Chain],
        found: int,
        now: datetime,
    ) -> Polled:
        at = now.astimezone(UTC).replace(microsecond=0)
        if self._seen.at is not None and at < self._seen.at:
            raise Refused("clock_behind_last_stamp", last=stamp(self._seen.at), now=stamp(now))
        line = note.cosign(signed, name=self.name, signer=self._signer, at=at)
        whole = signed.with_line(line).encode().decode()
        before = self._seen
        after = Seen(checkpoint.origin, checkpoint.size, checkpoint.root, at, whole, str(line))
        # Remembered first: if the machine dies here, the same line is handed in again, and never another tree's.
        write(self._folder / "state.json", after.encode())
        self._seen, self._frontier, self._chains = after, frontier, chains
        self._copy.drop_partials(before.size, after.size)
        write(self._folder / "latest", whole.encode())
        self._link.post(after.line)
        return Polled(after.size, after.size - before.size, found, after.line)

    def _recall(self) -> tuple[merkle.Frontier, dict[str, acts.Chain]]:
        """Read the own copy again: it must give the root that is remembered."""
        frontier, chains = merkle.Frontier(), dict[str, acts.Chain]()
        try:
            for leaves in self._copy.chunks(0, self._seen.size):
                frontier = frontier.append([merkle.leaf_hash(leaf) for leaf in leaves])
                for act in map(_act, leaves):
                    if act is not None:
                        _extend(chains, act)
        except (LookupError, Refused) as error:
            raise Refused("witness_copy_damaged", size=self._seen.size) from error
        if frontier.root() != self._seen.root:
            raise Refused("witness_copy_damaged", size=self._seen.size)
        return frontier, chains

    def _root_at(self, size: int) -> bytes:
        """The root of the first `size` leaves of the own copy."""
        frontier = merkle.Frontier()
        left = size
        for leaves in self._copy.chunks(0, self._seen.size):
            taken = leaves[:left]
            frontier, left = frontier.append([merkle.leaf_hash(leaf) for leaf in taken]), left - len(taken)
        return frontier.root()

    def _leaves(self, first: int, end: int) -> Iterator[bytes]:
        for leaves in self._copy.chunks(first, end):
            yield from leaves

    def _keep_evidence(self, signed: note.Note, checkpoint: note.Checkpoint) -> None:
        """Two notes of one log that cannot both be true convict its key; both are kept."""
        name = f"{checkpoint.size}-{checkpoint.root.hex()[:16]}"
        write(self._folder / "evidence" / name, signed.encode())
        if self._seen.cosigned:
            write(self._folder / "evidence" / f"{name}-against", self._seen.cosigned.encode())


def _act(leaf: bytes) -> dict[str, Any] | None:
    """The public act in a leaf, None for a private one; Refused for what is neither."""
    if leaf[:1] == b"\x02" and len(leaf) == acts.PRIVATE_LEAF_BYTES:
        return None
    return acts.parse_public(leaf)


def _extend(chains: dict[str, acts.Chain], act: Mapping[str, Any]) -> None:
    """Put an act at the end of its chain, or refuse it."""
    name = act["tender_id"]
    before = chains.get(name)
    if before is not None or name == acts.HALL_TENDER_ID:
        chains[name] = acts.extend_chain(before or acts.Chain(name, ()), act)
        return
    chains[name] = acts.check_chain([act])


def _at(act: Mapping[str, Any]) -> datetime:
    try:
        return instant(act["at"])
    except ValueError as error:
        raise Refused("act_fields", kind=act["kind"], field="at") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """`tradehall-witness --log URL --data DIR keys | enrol | watch [--once]`; returns the exit code."""
    parser = terminal.Arguments(prog="tradehall-witness", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--log", required=True, metavar="URL", help="the hall whose log is witnessed")
    parser.add_argument("--data", required=True, metavar="DIR", type=Path, help="this witness's own folder")
    steps = parser.add_subparsers(required=True, dest="step", parser_class=terminal.Arguments)
    keys = steps.add_parser("keys", help="make a key, print what trust.json must say")
    keys.add_argument("--name", help="what this witness is called; default: the folder's name")
    enrol = steps.add_parser("enrol", help="take the anchors that name this witness, and hold to their log")
    enrol.add_argument("--trust", type=Path, metavar="FILE", help="trust.json, brought by a person")
    watch = steps.add_parser("watch", help="read, copy and cosign until stopped")
    watch.add_argument("--once", action="store_true", help="look once")
    watch.add_argument("--every", type=float, default=1.0, metavar="SECONDS")
    parsed = parser.parse_args(arguments)
    command = {"keys": _keys, "enrol": _enrol, "watch": _watch}[parsed.step]
    return terminal.run(command, parsed, ("crypto", "supervision"))


def _keys(arguments: argparse.Namespace) -> dict[str, Any]:
    folder: Path = arguments.data
    path, world = folder / "key.pem", RealWorld()
    if not path.exists():
        write(path, signing.Ed25519Signer.generate(entropy=world.entropy).to_pem(), mode=0o600)
    name = arguments.name or witness_state.own_name(folder)
    key = note.VerifierKey(name, note.COSIGNATURE, witness_state.key_in(folder).key)
    write(folder / "name", name.encode())
    terminal.say(arguments, f"请将此公钥写入 trust.json:{key}", f"this key goes into trust.json: {key}")
    return {"name": name, "key": str(key)}


def _enrol(arguments: argparse.Namespace) -> dict[str, Any]:
    folder: Path = arguments.data
    data = (arguments.trust or folder / "trust.json").read_bytes()
    anchors = trust.load(data)
    name = witness_state.name_of(witness_state.key_in(folder), anchors)
    seen = witness_state.seen_in(folder, anchors)
    try:
        note.verify_checkpoint(HttpLog(arguments.log).fetch("checkpoint"), anchors.log)
    except LookupError:
        terminal.say(arguments, "日志尚无检查点。", "The log has no checkpoint yet.")
    write(folder / "trust.json", data)
    write(folder / "state.json", seen.encode())
    terminal.say(
        arguments,
        f"见证人 {name} 已登记于日志 {anchors.origin},信任锚指纹 {anchors.fingerprint}",
        f"witness {name} enrolled at the log {anchors.origin}; anchors {anchors.fingerprint}",
    )
    return {"name": name, "origin": anchors.origin, "fingerprint": anchors.fingerprint}


def _watch(arguments: argparse.Namespace) -> dict[str, Any]:
    link = HttpLog(arguments.log)
    rehearsal = witness_state.trust_in(arguments.data).rehearsal
    witness = Witness.open(arguments.data, link=link, clock=link.hall_now if rehearsal else RealWorld().now)
    if rehearsal:
        terminal.say(arguments, "这是演练。", "This is a rehearsal.")
    while True:
        try:
            polled = witness.poll()
        except (Unreachable, Refused) as error:
            if arguments.once or (isinstance(error, Refused) and error.code not in PASSING):
                raise
            terminal.say(arguments, f"等待:{error}", f"waiting: {error}")
        else:
            if polled.line:
                terminal.say(
                    arguments,
                    f"已副署 {polled.size} 片叶子的树(新增 {polled.leaves})",
                    f"cosigned a tree of {polled.size} leaves ({polled.leaves} new)",
                )
            if arguments.once:
                return {"size": polled.size, "leaves": polled.leaves, "acts": polled.acts, "line": polled.line or None}
        threading.Event().wait(arguments.every)
