"""Every field of every JSON part of a bundle changed, dropped and duplicated, every member removed, bytes flipped.

`run` works on any bundle. After each change the manifest is made to fit again, as a forger would, so that something
else than a digest has to notice. A survivor is a change after which no check failed, or failed only by an exception
that no check foresaw: a field nobody checks. Fields are grouped by what they are (member, kind of act, path without
numbers), and `sample` of each group are tried, so that a bundle of a thousand bids costs no more than one of ten.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from crypto import jcs, trust
from crypto.trust import Trust
from crypto.verifier import archive, checks, reading
from crypto.verifier.anchors import Case
from crypto.verifier.archive import Archive, Member, Unreadable
from crypto.verifier.findings import Failed

DOUBLE = "@@double"
Path_ = tuple[str | int, ...]
Judge = Callable[[Archive], str]


@dataclass(frozen=True)
class Survivor:
    """A change that no check named: what was done, where, and what the verifier said ("passed" or the exception)."""

    what: str
    where: str
    said: str


@dataclass
class Tally:
    """Survivors, and how many changes each check found (2 is `unreadable`)."""

    survivors: list[Survivor] = field(default_factory=list)
    found: Counter[str] = field(default_factory=Counter)

    def note(self, what: str, where: str, said: str) -> None:
        self.found[said.split(" ")[0]] += 1
        if said == "passed" or said.startswith("unexpected"):
            self.survivors.append(Survivor(what, where, said))


class Overlay(Archive):
    """An archive with some members replaced, added or (None) removed, and a manifest that fits."""

    def __init__(self, base: Archive, changes: dict[str, bytes | None], *, refit: bool = True) -> None:
        self._base, self._changes = base, dict(changes)
        names = [name for name in base.members if changes.get(name, b"") is not None]
        names = [
            "manifest.json",
            *sorted({*names, *(n for n, c in changes.items() if c is not None)} - {"manifest.json"}),
        ]
        if "manifest.json" in changes and changes["manifest.json"] is None:
            names.remove("manifest.json")
        super().__init__(base.path, [self._member(name) for name in names])
        if refit and "manifest.json" not in changes:
            top = jcs.loads(base.read("manifest.json"))
            rows = [self.members[name] for name in names if name != "manifest.json"]
            top["files"] = [{"path": row.name, "sha256": row.sha256, "size": row.size} for row in rows]
            self._changes["manifest.json"] = jcs.dumps(top)
            self.members["manifest.json"] = self._member("manifest.json")

    def read(self, name: str) -> bytes:
        changed = self._changes.get(name)
        return self._base.read(name) if changed is None else changed

    def only(self, names: Iterable[str]) -> Archive:
        part = copy(self)
        part.members = {name: self.members[name] for name in names}
        return part

    def open(self, name: str) -> BinaryIO:
        changed = self._changes.get(name)
        return self._base.open(name) if changed is None else BytesIO(changed)

    def _member(self, name: str) -> Member:
        changed = self._changes.get(name)
        if changed is None:
            return self._base.members[name]
        return Member(name, 0, len(changed), 0, sha256(changed).hexdigest())


def run(
    bundle_path: Path, trust_path: Path, sample: int = 2, *, flips: int = 2000, seed: int = 1, share: float = 1.0
) -> list[Survivor]:
    """Try everything and return the survivors; empty when every field is checked.

    `share` below 1 tries that part of the groups of fields only, chosen by `seed`.
    """
    return tally(bundle_path, trust_path, sample, flips=flips, seed=seed, share=share).survivors


def tally(
    bundle_path: Path,
    trust_path: Path,
    sample: int = 2,
    *,
    flips: int = 2000,
    seed: int = 1,
    share: float = 1.0,
    numbered: Sequence[checks.Check] = checks.CHECKS,
) -> Tally:
    """As `run`, with the count of which check found how many; `numbered` are the checks from 1 on."""
    anchors = trust.load(Path(trust_path).read_bytes())
    base = archive.read(Path(bundle_path))
    assert said(base, anchors) == "passed", "the bundle to change must be honest"
    done = Tally()

    def judge(changed: Archive) -> str:
        return said(changed, anchors, numbered)

    _remove_members(base, judge, done, sample)
    _change_fields(base, judge, done, sample, random.Random(seed), share)
    _flip_bytes(Path(bundle_path), judge, done, flips, random.Random(seed))
    return done


def said(changed: Archive, anchors: Trust, numbered: Sequence[checks.Check] = checks.CHECKS) -> str:
    """The number of the first check that fails, "passed", or "unexpected …"."""
    try:
        case = Case(reading.read(changed), anchors)
    except Failed:
        return "0"
    except Exception as error:
        return f"unexpected {error!r} in check 0"
    for number, check in enumerate(numbered, 1):
        result = checks.guarded(number, lambda remarks, check=check: check(case, remarks))  # type: ignore[misc]
        if result.outcome == "failed":
            return f"{result.detail.en} in check {number}" if result.detail.en.startswith("unexpected") else str(number)
    return "passed"


def _remove_members(base: Archive, judge: Judge, done: Tally, sample: int) -> None:
    groups: Counter[str] = Counter()
    for name in base.members:
        kind = _kind_of(name)
        groups[kind] += 1
        if groups[kind] <= max(sample, 8):
            done.note("member removed", name, judge(Overlay(base, {name: None})))
            done.note("member removed, manifest as it was", name, judge(Overlay(base, {name: None}, refit=False)))
            done.note("member emptied", name, judge(Overlay(base, {name: b""})))


def _change_fields(base: Archive, judge: Judge, done: Tally, sample: int, chance: random.Random, share: float) -> None:
    groups: dict[tuple[str, ...], list[tuple[str, int | None, Path_]]] = {}
    for name, line, document in _documents(base):
        for path in _fields(document):
            groups.setdefault(_group(name, document, path), []).append((name, line, path))
    for group in sorted(groups):
        if chance.random() >= share:
            continue
        members = groups[group]
        for name, line, path in members if len(members) <= sample else chance.sample(members, sample):
            for what in ("changed", "dropped", "duplicated"):
                data = _mutated(base, name, line, path, what)
                where = f"{name}{'' if line is None else f':{line + 1}'} {'.'.join(map(str, path))}"
                done.note(what, where, judge(Overlay(base, {name: data})))


def _flip_bytes(bundle: Path, judge: Judge, done: Tally, flips: int, chance: random.Random) -> None:
    data = bytearray(bundle.read_bytes())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flipped.zip"
        path.write_bytes(data)
        for _ in range(flips):
            at, bit = chance.randrange(len(data)), 1 << chance.randrange(8)
            with path.open("r+b") as stream:
                stream.seek(at)
                stream.write(bytes([data[at] ^ bit]))
                stream.flush()
                try:
                    outcome = judge(archive.read(path))
                except Unreadable:
                    outcome = "unreadable"
                stream.seek(at)
                stream.write(bytes([data[at]]))
            done.note("byte flipped", f"{at} bit {bit}", outcome)


def _documents(base: Archive) -> Iterator[tuple[str, int | None, Any]]:
    """(member, line or None, value) of every JSON document in a bundle."""
    for name in base.members:
        if name.endswith(".jsonl"):
            for number, line in enumerate(base.read(name).splitlines()):
                yield name, number, jcs.loads(line)
        elif name.endswith(".json") or (name.startswith("objects/") and base.read(name)[:1] in (b"{", b"[")):
            yield name, None, jcs.loads(base.read(name))


def _fields(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """The path of every field and item, the document itself first."""
    yield path
    if isinstance(value, dict):
        for name in value:
            yield from _fields(value[name], (*path, name))
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _fields(item, (*path, number))


def _group(name: str, document: Any, path: Path_) -> tuple[str, ...]:
    kind = ""
    if isinstance(document, dict):
        inner = document.get("act") or document.get("public") or {}
        kind = str(inner.get("kind", "")) if isinstance(inner, dict) else ""
    shape = (
        sorted(document)[:6]
        if isinstance(document, dict)
        else sorted(document[0])[:6]
        if document and isinstance(document[0], dict)
        else []
    )
    # Names that are data (hashes, bid ids) count as numbers do.
    plain = ["#" if isinstance(each, int) or len(each) > 40 else each for each in path]
    return (_kind_of(name), kind, *(shape if name.startswith("objects/") else []), "/", *plain)


def _kind_of(name: str) -> str:
    parts = name.split("/")
    if parts[0] == "bids":
        return f"bids/{parts[2]}"
    return "/".join(parts[:-1]) if parts[0] == "objects" or parts[:2] == ["log", "checkpoints"] else name


def _mutated(base: Archive, name: str, line: int | None, path: Path_, what: str) -> bytes:
    if line is None:
        return _document(jcs.loads(base.read(name)), path, what)
    lines = base.read(name).splitlines()
    if not path and what == "dropped":
        del lines[line]
    elif not path and what == "duplicated":
        lines.insert(line, lines[line])
    else:
        lines[line] = _document(jcs.loads(lines[line]), path, what)
    return b"".join(each + b"\n" for each in lines)


def _document(value: Any, path: Path_, what: str) -> bytes:
    if not path:
        return {"changed": jcs.dumps(_other(value)), "dropped": b"", "duplicated": jcs.dumps(value) * 2}[what]
    parent = value
    for step in path[:-1]:
        parent = parent[step]
    last = path[-1]
    if what == "changed":
        parent[last] = _other(parent[last])
    elif what == "dropped":
        del parent[last]
    elif isinstance(parent, list):
        parent.insert(int(last), parent[int(last)])
    else:
        parent[f"{last}{DOUBLE}"] = parent[last]
    return jcs.dumps(value).replace(DOUBLE.encode(), b"")


def _other(value: Any) -> Any:
    """Another value of the same kind, as near as possible, so that shape alone does not give it away."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str() if value:
            last = value[-1]
            follows = {"f": "0", "9": "8", "Z": "Z"}.get(last, chr(ord(last) + 1))
            if last == "Z":
                return value[:-2] + ("1" if value[-2] != "1" else "2") + "Z"
            return value[:-1] + (follows if last in "0123456789abcdef" else follows if follows.isprintable() else "x")
        case str():
            return "x"
        case None:
            return 0
        case list():
            return value[:-1] if value else [None]
        case dict():
            return {**value, "x": 0}
        case _:
            raise AssertionError(value)
