"""Check 0: a bundle read into values, every member hashed, listed, canonical and of its shape (bundle.md §2, §3, §5).

What comes out of `read` has the types of crypto.verifier.shapes, so that the later checks judge contents only. A member
that nothing names, or that only the full view may show, is refused: nothing in a bundle goes unread.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Literal

from crypto import acts, certificates, header, jcs, merkle, note
from crypto.refusal import Refused
from crypto.verifier import shapes
from crypto.verifier.archive import Archive
from crypto.verifier.findings import PLATFORM, fail, need, tell
from crypto.verifier.shapes import Misshapen, Shape

JSON_BYTES_MAX: Final = 64 * 1024**2
LINES_BYTES_MAX: Final = 1024**3
LINE_BYTES_MAX: Final = 1024**2
NOTE_BYTES_MAX: Final = 64 * 1024

_BOTH = r"manifest\.json|log/(?:checkpoint|checkpoints/[1-9]\d{0,18}|consistency\.json|hall\.jsonl|acts\.jsonl)"
_BOTH += r"|objects/[0-9a-f]{64}|bids/[0-9a-f]{64}/(?:header-[01]|submission\.json|body-0)"
_FULL = r"bids/[0-9a-f]{64}/(?:body-1|secrets\.json)|private/(?:events\.jsonl|contexts\.jsonl|unmasking\.json|rescues\.json)"
_PATH = {"public": re.compile(_BOTH), "full": re.compile(f"{_BOTH}|{_FULL}")}
_ALWAYS = ("log/checkpoint", "log/consistency.json", "log/hall.jsonl", "log/acts.jsonl")
_ALWAYS_FULL = ("private/events.jsonl", "private/contexts.jsonl")

View = Literal["public", "full"]


@dataclass(frozen=True, slots=True)
class Act:
    """A public act as shown: where it stands in the log, its fields, its leaf hash (hex) and inclusion proof."""

    index: int
    body: Mapping[str, Any]
    leaf: str
    proof: tuple[bytes, ...]

    @property
    def kind(self) -> str:
        return str(self.body["kind"])

    @property
    def at(self) -> datetime:
        return shapes.instant(self.body["at"])

    def moment(self, name: str) -> datetime:
        """The instant in a field."""
        return shapes.instant(self.body[name])

    def __getitem__(self, name: str) -> Any:
        return self.body[name]


@dataclass(frozen=True, slots=True)
class Event:
    """A private act: its public part, and in the full view the confidential one; `leaf` is the leaf hash (hex)."""

    index: int
    public: Mapping[str, Any]
    confidential: Mapping[str, Any]
    leaf: str
    proof: tuple[bytes, ...]

    @property
    def kind(self) -> str:
        return str(self.public["kind"])

    @property
    def at(self) -> datetime:
        return shapes.instant(self.public["at"])


@dataclass(frozen=True, slots=True)
class Submission:
    """One version of one bid: raw headers by envelope, the submit act, and what admits it."""

    bid: str
    raw: tuple[bytes, ...]
    event: Event
    confidential_hash: str
    certificate: bytes
    signature: bytes
    salt: bytes

    @property
    def at(self) -> datetime:
        """received_at."""
        return self.event.at

    @property
    def version(self) -> int:
        return int(self.event.public["version"])

    @property
    def headers(self) -> list[header.Header]:
        """Parsed; raises Refused."""
        return [header.parse(raw) for raw in self.raw]

    @property
    def subject(self) -> certificates.Subject:
        """What the certificate says; raises Refused. Its chain is check 1's."""
        return certificates.read_subject(self.certificate)


@dataclass(slots=True)
class Bundle:
    """Everything a bundle shows. `objects` are raw bytes by hash, `documents` the JCS ones among them."""

    archive: Archive
    view: View
    notes: dict[int, note.Note]
    size: int
    consistency: list[dict[str, Any]]
    hall: list[Act]
    acts: list[Act]
    objects: dict[str, bytes] = field(default_factory=dict)
    documents: dict[str, Any] = field(default_factory=dict)
    bids: dict[str, Submission] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    contexts: list[dict[str, Any]] = field(default_factory=list)
    unmasking: list[dict[str, Any]] = field(default_factory=list)
    rescues: dict[str, list[bytes]] = field(default_factory=dict)

    @property
    def tender(self) -> Act:
        return self.acts[0]

    @property
    def tender_id(self) -> bytes:
        return bytes.fromhex(self.tender["tender_id"])

    @property
    def full(self) -> bool:
        return self.view == "full"

    @property
    def rulebook(self) -> Mapping[str, Any]:
        return self.document(self.tender["rulebook"]["hash"])

    def of(self, *kinds: str) -> list[Act]:
        """The tender's acts of these kinds, in log order."""
        return [act for act in self.acts if act.kind in kinds]

    def last(self, kind: str) -> Act | None:
        """The last act of a kind, or None."""
        return next((act for act in reversed(self.acts) if act.kind == kind), None)

    def document(self, digest: str) -> Any:
        """The JCS object of a hash; it is there, check 0 saw to it."""
        return self.documents[digest]

    @property
    def frozen(self) -> list[Mapping[str, Any]]:
        """The freeze list in force (the last freeze's), empty when there is none."""
        freeze = self.last("freeze")
        return [] if freeze is None else list(self.document(freeze["list_hash"]))

    @property
    def verdicts(self) -> dict[str, Mapping[str, Any]]:
        """Verdict rows by bid, of the last verdict act."""
        verdict = self.last("verdict")
        return {} if verdict is None else {row["bid"]: row for row in self.document(verdict["verdicts_hash"])}

    def secrets(self, bid: str) -> list[bytes] | None:
        """S of the documents envelope of a bid, where the bundle shows them."""
        path = f"bids/{bid}/secrets.json"
        if path not in self.archive:
            return None
        return [bytes.fromhex(each) for each in _json(self.archive, path, shapes.SECRETS)["secrets"]]


def read(archive: Archive) -> Bundle:
    """The whole of check 0. Raises Failed."""
    manifest = _manifest(archive)
    view: View = manifest["view"]
    for name in archive.members:
        if not _PATH[view].fullmatch(name):
            leak = view == "public" and _PATH["full"].fullmatch(name)
            zh, en = (
                ("公开包含有保密内容", "a public bundle holds a private part")
                if leak
                else ("多余的文件", "no such member")
            )
            fail(f"{zh}:{name}", f"{en}: {name}", event=name, culprit=PLATFORM)
    for name in _ALWAYS + (_ALWAYS_FULL if view == "full" else ()):
        need(name in archive, f"缺少 {name}", f"{name} is missing", event=name, culprit=PLATFORM)
    bundle = _log(archive, view)
    _check_heads(manifest, bundle)
    _read_objects(bundle)
    _read_bids(bundle)
    if bundle.full:
        _read_private(bundle)
    _check_bid_members(bundle)
    return bundle


def parse_note(data: bytes, name: str) -> note.Note:
    """A checkpoint note; raises Failed at a note that cannot be read."""
    try:
        return note.Note.parse(data)
    except Refused as refused:
        told = tell(refused)
        fail(f"{name}:{told['zh']}", f"{name}: {told['en']}", event=name, culprit=PLATFORM)


def _manifest(archive: Archive) -> dict[str, Any]:
    name = "manifest.json"
    need(
        next(iter(archive.members), "") == name,
        "清单不是第一个文件",
        "manifest.json is not the first member",
        event=name,
    )
    manifest: dict[str, Any] = _json(archive, name, shapes.MANIFEST)
    listed = [(row["path"], row["sha256"], row["size"]) for row in manifest["files"]]
    there = [(member.name, member.sha256, member.size) for member in archive.members.values()][1:]
    for (path, digest, size), (name_there, digest_there, size_there) in zip(listed, there, strict=False):
        if path != name_there:
            break
        same = digest == digest_there and size == size_there
        need(same, f"内容与清单不符:{path}", f"not as the manifest says: {path}", event=path, culprit=PLATFORM)
    odd = {path for path, _, _ in listed} ^ {path for path, _, _ in there}
    first = min(odd, default="manifest.json")
    need(
        not odd,
        f"清单与文件不一致:{first}",
        f"listed but absent, or there but unlisted: {first}",
        event=first,
        culprit=PLATFORM,
    )
    paths = [path for path, _, _ in there]
    ordered = paths == sorted(paths) and listed == there
    need(ordered, "文件次序不对", "the members are not in ascending order", event="manifest.json")
    return manifest


def _log(archive: Archive, view: View) -> Bundle:
    top = parse_note(_small(archive, "log/checkpoint"), "log/checkpoint")
    size = _size_of(top, "log/checkpoint")
    notes: dict[int, note.Note] = {}
    for name in archive.members:
        if name.startswith("log/checkpoints/"):
            parsed = parse_note(_small(archive, name), name)
            there = _size_of(parsed, name)
            right = str(there) == name.rpartition("/")[2] and there < size
            need(
                right,
                f"检查点文件名不符:{name}",
                f"not the checkpoint its name says: {name}",
                event=name,
                culprit=PLATFORM,
            )
            notes[there] = parsed
    notes[size] = top
    consistency = _json(archive, "log/consistency.json", shapes.CONSISTENCY)
    hall = list(_acts(archive, "log/hall.jsonl"))
    shown = list(_acts(archive, "log/acts.jsonl"))
    first = shown[0].kind if shown else ""
    need(
        first == "tender",
        "没有招标公告行为",
        "the tender's acts do not begin with the TENDER act",
        event="log/acts.jsonl",
    )
    need(shown[0]["envelopes"] == [0, 1], "信封数不支持", "envelopes other than 0 and 1", event=shown[0].leaf)
    need(hall, "没有大厅行为", "the hall's acts are missing", event="log/hall.jsonl", culprit=PLATFORM)
    return Bundle(archive, view, notes, size, consistency, hall, shown)


def _check_heads(manifest: Mapping[str, Any], bundle: Bundle) -> None:
    for name, found, right in (
        ("lot", manifest["lot"], bundle.tender["lot"]),
        ("tender_id", manifest["tender_id"], bundle.tender["tender_id"]),
        ("heads.hall", manifest["heads"]["hall"], bundle.hall[-1].leaf),
        ("heads.tender", manifest["heads"]["tender"], bundle.acts[-1].leaf),
    ):
        need(
            found == right,
            f"清单字段 {name} 不符",
            f"the manifest's {name} is not that of the acts",
            event="manifest.json",
        )


def named_objects(bundle_acts: Iterable[Act], view: View) -> Iterator[tuple[str, Shape | None, Act]]:
    """(hash, shape or None for raw bytes, act) of every object that the acts name and the view shows."""
    for act in bundle_acts:
        for name, (shape, only_full) in _OBJECTS.get(act.kind, {}).items():
            if view == "full" or not only_full:
                yield act[name]["hash"] if name == "rulebook" else act[name], shape, act
        if act.kind == "draw_close":
            for row in act["contributions"]:
                yield row["header"], None, act


def _read_objects(bundle: Bundle) -> None:
    prefix = "objects/"
    there = {name.removeprefix(prefix) for name in bundle.archive.members if name.startswith(prefix)}
    named: set[str] = set()
    for digest, shape, act in named_objects(bundle.acts, bundle.view):
        path = prefix + digest
        if digest not in there:
            fail(
                f"缺少行为所指的附件 {path}",
                f"the object an act names is missing: {path}",
                event=act.leaf,
                culprit=PLATFORM,
            )
        named.add(digest)
        right = bundle.archive.members[path].sha256 == digest
        need(
            right,
            f"附件与其哈希不符:{path}",
            f"the object is not what its name says: {path}",
            event=path,
            culprit=PLATFORM,
        )
        if shape is None:
            bundle.objects[digest] = _small(bundle.archive, path)
        else:
            bundle.documents[digest] = _json(bundle.archive, path, shape)
    extra = min(there - named, default="")
    need(
        not extra,
        f"没有行为指向的附件 {extra}",
        f"an object that no act names, or not for this view: {extra}",
        event=prefix + extra,
    )


def _read_bids(bundle: Bundle) -> None:
    for bid in sorted({name.split("/")[1] for name in bundle.archive.members if name.startswith("bids/")}):
        base = f"bids/{bid}/"
        for part in ("header-0", "header-1", "submission.json"):
            need(
                base + part in bundle.archive,
                f"缺少 {base}{part}",
                f"{base}{part} is missing",
                event=base + part,
                culprit=PLATFORM,
            )
        data = _json(bundle.archive, base + "submission.json", shapes.SUBMISSION)
        _shaped(shapes.SUBMIT_EVENT, data["event"], base + "submission.json")
        need(
            data["event"]["bid"] == bid,
            "标书编号不符",
            "the submission is that of another bid",
            event=base,
            culprit=PLATFORM,
        )
        confidential = bytes.fromhex(data["confidential"])
        leaf = _private_leaf(data["event"], data["salt_p"], confidential, base + "submission.json")
        bundle.bids[bid] = Submission(
            bid,
            tuple(_small(bundle.archive, f"{base}header-{number}") for number in (0, 1)),
            Event(data["index"], data["event"], {}, leaf, _hashes(data["proof"])),
            data["confidential"],
            bytes.fromhex(data["certificate"]),
            bytes.fromhex(data["signature"]),
            bytes.fromhex(data["salt"]),
        )
    for row in bundle.frozen:
        need(row["bid"] in bundle.bids, f"缺少冻结清单中的投标 {row['bid']}", f"a bid of the freeze list is missing: {row['bid']}",
             event=f"bids/{row['bid']}", culprit=PLATFORM)  # fmt: skip


def _check_bid_members(bundle: Bundle) -> None:
    """Bodies and secrets stand exactly where the verdicts say (bundle.md §3)."""
    listed = {row["bid"] for row in bundle.frozen}
    submitted = {event.public["bid"] for event in bundle.events if event.kind == "submit"}
    for bid in bundle.bids:
        known = bid in (listed | submitted if bundle.full else listed)
        need(known, f"不在清单中的投标 {bid}", f"a bid that no list and no event names: {bid}", event=f"bids/{bid}")
    for bid in sorted(submitted - set(bundle.bids)):
        fail(f"缺少投标 {bid}", f"a submission is missing: {bid}", event=f"bids/{bid}", culprit=PLATFORM)
    for bid in bundle.bids:
        row = bundle.verdicts.get(bid) if bid in listed else None
        for part, wanted in _members_wanted(row, full=bundle.full).items():
            path = f"bids/{bid}/{part}"
            there = path in bundle.archive
            need(there or not wanted, f"缺少 {path}", f"{path} is missing", event=path, culprit=PLATFORM)
            need(wanted or not there, f"多余的文件 {path}", f"{path} must not be there", event=path, culprit=PLATFORM)


def _members_wanted(row: Mapping[str, Any] | None, *, full: bool) -> dict[str, bool]:
    if row is None:
        return {"body-0": False, "body-1": False, "secrets.json": False}
    lost = row["envelope"] if row["verdict"] == "lost" else None
    judged = row["verdict"] == "valid" or (row["envelope"] == 1 and row["verdict"] != "unopened")
    return {"body-0": lost != 0, "body-1": full and lost != 1, "secrets.json": full and judged}


def _read_private(bundle: Bundle) -> None:
    for number, line in enumerate(_lines(bundle.archive, "private/events.jsonl", shapes.EVENT)):
        where = f"private/events.jsonl:{number + 1}"
        public = line["public"]
        if public.get("kind") == "submit":
            _shaped(shapes.SUBMIT_EVENT, public, where)
        if public.get("kind") == "withdraw":
            _shaped(shapes.WITHDRAW_EVENT, public, where)
        hidden = _refusable(
            lambda line=line: acts.part_hash(line["confidential"], bytes.fromhex(line["salt_c"])),  # type: ignore[misc]
            where,
        )
        leaf = _private_leaf(public, line["salt_p"], hidden, where)
        bundle.events.append(Event(line["index"], public, line["confidential"], leaf, _hashes(line["proof"])))
    bundle.contexts = list(_lines(bundle.archive, "private/contexts.jsonl", shapes.CONTEXT))
    if "private/unmasking.json" in bundle.archive:
        bundle.unmasking = _json(bundle.archive, "private/unmasking.json", shapes.UNMASKING)
    drawn = bool(bundle.of("draw_result"))
    need(drawn == ("private/unmasking.json" in bundle.archive), "专家身份揭示文件应与抽取结果同在",
         "private/unmasking.json stands exactly when a draw was made", event="private/unmasking.json")  # fmt: skip
    if "private/rescues.json" in bundle.archive:
        shown = _json(bundle.archive, "private/rescues.json", shapes.RESCUES)
        bundle.rescues = {row["header"]: [bytes.fromhex(each) for each in row["secrets"]] for row in shown}
        asked = sorted(act["header"] for act in bundle.of("rescue"))
        need(
            [row["header"] for row in shown] == asked,
            "解救披露与行为不符",
            "rescues.json does not match the rescue acts",
            event="private/rescues.json",
        )


def _acts(archive: Archive, name: str) -> Iterator[Act]:
    for number, line in enumerate(_lines(archive, name, shapes.LINE)):
        where = f"{name}:{number + 1}"
        _shaped(shapes.check_act, line["act"], where)
        leaf = _refusable(lambda line=line: acts.public_leaf(line["act"]), where)  # type: ignore[misc]
        yield Act(line["index"], line["act"], merkle.leaf_hash(leaf).hex(), _hashes(line["proof"]))


def _private_leaf(public: Mapping[str, Any], salt_p: str, confidential: bytes, where: str) -> str:
    leaf = _refusable(lambda: acts.leaf_of_parts(acts.Opened(public, bytes.fromhex(salt_p)), confidential), where)
    return merkle.leaf_hash(leaf).hex()


def _lines(archive: Archive, name: str, shape: Shape) -> Iterator[dict[str, Any]]:
    if archive.members[name].size > LINES_BYTES_MAX:
        fail(f"文件过大:{name}", f"too large: {name}", event=name)
    with archive.open(name) as stream:
        number = 0
        while line := stream.readline(LINE_BYTES_MAX + 2):
            number += 1
            need(
                line.endswith(b"\n"),
                f"{name} 第 {number} 行过长或不完整",
                f"{name}:{number}: line too long or cut off",
                event=name,
            )
            yield _document(line[:-1], shape, f"{name}:{number}", LINE_BYTES_MAX)


def _json(archive: Archive, name: str, shape: Shape) -> Any:
    if archive.members[name].size > JSON_BYTES_MAX:
        fail(f"文件过大:{name}", f"too large: {name}", event=name)
    return _document(archive.read(name), shape, name, JSON_BYTES_MAX)


def _document(data: bytes, shape: Shape, where: str, bytes_max: int) -> Any:
    value = _refusable(lambda: jcs.loads(data, bytes_max=bytes_max), where)
    _shaped(shape, value, where)
    return value


def _shaped(shape: Shape, value: Any, where: str) -> None:
    try:
        shape(value, where)
    except Misshapen as wrong:
        fail(
            f"字段不合规定:{wrong.path}(应为 {wrong.wanted})",
            f"field {wrong.path}: {wrong.wanted}",
            event=where,
            culprit=PLATFORM,
        )


def _refusable(work: Callable[[], Any], where: str) -> Any:
    try:
        return work()
    except Refused as refused:
        told = tell(refused)
        fail(f"{where}:{told['zh']}", f"{where}: {told['en']}", event=where, culprit=PLATFORM)


def _small(archive: Archive, name: str) -> bytes:
    if archive.members[name].size > NOTE_BYTES_MAX:
        fail(f"文件过大:{name}", f"too large: {name}", event=name, culprit=PLATFORM)
    return archive.read(name)


def _size_of(parsed: note.Note, name: str) -> int:
    size: int = _refusable(lambda: note.Checkpoint.parse(parsed.text), name).size
    return size


def _hashes(proof: list[str]) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(each) for each in proof)


def first_json(data: bytes) -> Any:
    """The value of a JSON file that people may have indented; raises ValueError, also for names that stand twice."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        built = dict(pairs)
        if len(built) != len(pairs):
            raise ValueError("a name stands twice")
        return built

    def refuse(text: str) -> float:
        raise ValueError(f"not an integer: {text[:40]}")

    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=once, parse_float=refuse, parse_constant=refuse)
    except RecursionError:
        raise ValueError("too deep") from None


_OBJECTS: Mapping[str, Mapping[str, tuple[Shape, bool]]] = {
    "tender": {"rulebook": (shapes.RULEBOOK, False), "terms_hash": (shapes.anything, False)},
    "amendment": {"text_hash": (shapes.anything, False)},
    "freeze": {"list_hash": (shapes.FREEZE_LIST, False)},
    "release": {"shares_hash": (shapes.SHARES, False)},
    "verdict": {"verdicts_hash": (shapes.VERDICTS, False)},
    "opened": {"record_hash": (shapes.RECORD, False)},
    "draw_pool": {"pool_hash": (shapes.POOL, False), "avoidance_hash": (shapes.AVOIDANCE, True)},
    "scores_locked": {
        "sheets_hash": (shapes.SHEETS, True),
        "table_hash": (shapes.TABLE, False),
        "scores_hash": (shapes.anything, False),
    },
    "report": {"report_hash": (shapes.anything, True)},
    "award": {"notice_hash": (shapes.anything, False)},
}


def digest(data: bytes) -> str:
    """SHA-256 in hex."""
    return sha256(data).hexdigest()
