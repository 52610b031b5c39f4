"""Check 0: a bundle read into values, every member hashed, listed, canonical and of its shape (bundle.md §2, §3, §5).

What comes out of `read` has the types of crypto.verifier.shapes, so that the later checks judge contents only. A member
that nothing names, or that only the full view may show, is refused: nothing in a bundle goes unread.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from crypto import jcs
from crypto.ledger import acts, merkle, note
from crypto.refusal import Refused
from crypto.verifier import fields, shapes
from crypto.verifier.archive import Archive
from crypto.verifier.crew import Crew
from crypto.verifier.findings import PLATFORM, fail, need
from crypto.verifier.shapes import Misshapen, Shape, anything
from crypto.verifier.shown import Act, Bundle, Event, Submission, View

JSON_BYTES_MAX: Final = 64 * 1024**2
MARKS_BYTES_MAX: Final = 256 * 1024**2
CONTAINERS_MAX: Final = 4_000_000
VALUES_MAX: Final = 16_000_000
LINES_BYTES_MAX: Final = 1024**3
LINE_BYTES_MAX: Final = 1024**2
NOTE_BYTES_MAX: Final = 64 * 1024
SECRETS: Final = "secrets.json"

_BOTH = r"manifest\.json|log/(?:checkpoint|checkpoints/[1-9]\d{0,18}|consistency\.json|hall\.jsonl|acts\.jsonl)"
_BOTH += r"|objects/[0-9a-f]{64}|bids/[0-9a-f]{64}/(?:header-[01]|submission\.json|body-0)"
_FULL = r"bids/[0-9a-f]{64}/(?:body-1|secrets\.json)"
_FULL += r"|private/(?:events\.jsonl|contexts\.jsonl|unmasking\.json|rescues\.json)"
_PATH = {"public": re.compile(_BOTH), "full": re.compile(f"{_BOTH}|{_FULL}")}
_ALWAYS = ("log/checkpoint", "log/consistency.json", "log/hall.jsonl", "log/acts.jsonl")
_ALWAYS_FULL = ("private/events.jsonl", "private/contexts.jsonl")


def read(archive: Archive, crew: Crew | None = None) -> Bundle:
    """The whole of check 0. Raises Failed, Unfinished."""
    manifest = _manifest(archive)
    view: View = manifest["view"]
    for name in archive.members:
        if not _PATH[view].fullmatch(name):
            leak = view == "public" and _PATH["full"].fullmatch(name) is not None
            need(not leak, "public_bundle_holds_private_part", name=name, event=name, culprit=PLATFORM)
            fail("no_such_member", name=name, event=name, culprit=PLATFORM)
    for name in _ALWAYS + (_ALWAYS_FULL if view == "full" else ()):
        need(name in archive, "is_missing", name=name, event=name, culprit=PLATFORM)
    bundle = _log(archive, view)
    _check_heads(manifest, bundle)
    _read_objects(bundle)
    _read_bids(bundle, crew or Crew())
    if bundle.full:
        _read_private(bundle)
    _check_bid_members(bundle)
    return bundle


def parse_note(data: bytes, name: str) -> note.Note:
    """A checkpoint note; raises Failed at a note that cannot be read."""
    try:
        return note.Note.parse(data)
    except Refused as refused:
        fail("cannot_be_read", name=name, event=name, culprit=PLATFORM, cause=refused)


def _manifest(archive: Archive) -> dict[str, Any]:
    name = "manifest.json"
    need(next(iter(archive.members), "") == name, "manifest_json_is_not_first_member", event=name)
    manifest: dict[str, Any] = _json(archive, name, fields.MANIFEST)
    listed = [(row["path"], row["sha256"], row["size"]) for row in manifest["files"]]
    there = [(member.name, member.sha256, member.size) for member in archive.members.values()][1:]
    for (path, digest, size), (name_there, digest_there, size_there) in zip(listed, there, strict=False):
        if path != name_there:
            break
        same = digest == digest_there and size == size_there
        need(same, "not_as_manifest_says", path=path, event=path, culprit=PLATFORM)
    odd = {path for path, _, _ in listed} ^ {path for path, _, _ in there}
    first = min(odd, default="manifest.json")
    need(not odd, "listed_but_absent_or_there_but_unlisted", first=first, event=first, culprit=PLATFORM)
    paths = [path for path, _, _ in there]
    ordered = paths == sorted(paths) and listed == there
    need(ordered, "members_are_not_in_ascending_order", event="manifest.json")
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
            need(right, "not_checkpoint_its_name_says", name=name, event=name, culprit=PLATFORM)
            notes[there] = parsed
    notes[size] = top
    consistency = _json(archive, "log/consistency.json", fields.CONSISTENCY)
    hall = list(_acts(archive, "log/hall.jsonl"))
    shown = list(_acts(archive, "log/acts.jsonl"))
    first = shown[0].kind if shown else ""
    need(first == "tender", "tenders_acts_do_not_begin_with_tender_act", event="log/acts.jsonl")
    need(shown[0]["envelopes"] == [0, 1], "envelopes_other_than_0_and_1", event=shown[0].leaf)
    need(hall, "halls_acts_are_missing", event="log/hall.jsonl", culprit=PLATFORM)
    return Bundle(archive, view, notes, size, consistency, hall, shown)


def _check_heads(manifest: Mapping[str, Any], bundle: Bundle) -> None:
    for name, found, right in (
        ("lot", manifest["lot"], bundle.tender["lot"]),
        ("tender_id", manifest["tender_id"], bundle.tender["tender_id"]),
        ("heads.hall", manifest["heads"]["hall"], bundle.hall[-1].leaf),
        ("heads.tender", manifest["heads"]["tender"], bundle.acts[-1].leaf),
    ):
        need(found == right, "manifests_is_not_that_of_acts", name=name, event="manifest.json")


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
            fail("object_act_names_is_missing", path=path, event=act.leaf, culprit=PLATFORM)
        named.add(digest)
        right = bundle.archive.members[path].sha256 == digest
        need(right, "object_is_not_what_its_name_says", path=path, event=path, culprit=PLATFORM)
        if shape is None:
            bundle.objects[digest] = _small(bundle.archive, path)
        else:
            bytes_max = MARKS_BYTES_MAX if act.kind == "scores_locked" else JSON_BYTES_MAX
            bundle.documents[digest] = _json(bundle.archive, path, shape, bytes_max)
    extra = min(there - named, default="")
    need(not extra, "object_that_no_act_names_or_not_for_this_view", extra=extra, event=prefix + extra)


def _read_bids(bundle: Bundle, crew: Crew) -> None:
    parts: dict[str, list[str]] = {}
    for name in bundle.archive.members:
        if name.startswith("bids/"):
            parts.setdefault(name.split("/")[1], []).append(name)
    each = ((bid, bundle.archive.only(parts[bid])) for bid in sorted(parts))
    bundle.bids = {submission.bid: submission for submission in crew.each(_read_bid, each)}
    for row in bundle.frozen:
        need(
            row["bid"] in bundle.bids,
            "bid_of_freeze_list_is_missing",
            bid=row["bid"],
            event=f"bids/{row['bid']}",
            culprit=PLATFORM,
        )


def _read_bid(shown: tuple[str, Archive]) -> Submission:
    bid, archive = shown
    base = f"bids/{bid}/"
    for part in ("header-0", "header-1", "submission.json"):
        need(base + part in archive, "is_missing", name=base + part, event=base + part, culprit=PLATFORM)
    data = _json(archive, base + "submission.json", fields.SUBMISSION)
    _shaped(fields.SUBMIT_EVENT, data["event"], base + "submission.json")
    need(data["event"]["bid"] == bid, "submission_is_that_of_another_bid", event=base, culprit=PLATFORM)
    confidential = bytes.fromhex(data["confidential"])
    leaf = _private_leaf(data["event"], data["salt_p"], confidential, base + "submission.json")
    submission = Submission(
        bid,
        tuple(_small(archive, f"{base}header-{number}") for number in (0, 1)),
        Event(data["index"], data["event"], {}, leaf, _hashes(data["proof"])),
        data["confidential"],
        bytes.fromhex(data["certificate"]),
        bytes.fromhex(data["signature"]),
        bytes.fromhex(data["salt"]),
    )
    # Read here, where there may be helpers; a certificate that cannot be read is told by the check that asks for it.
    with suppress(Refused):
        _ = submission.subject
    return submission


def _check_bid_members(bundle: Bundle) -> None:
    """Bodies and secrets stand exactly where the verdicts say (bundle.md §3)."""
    listed = {row["bid"] for row in bundle.frozen}
    submitted = {event.public["bid"] for event in bundle.events if event.kind == "submit"}
    for bid in bundle.bids:
        known = bid in (listed | submitted if bundle.full else listed)
        need(known, "bid_that_no_list_and_no_event_names", bid=bid, event=f"bids/{bid}")
    for bid in sorted(submitted - set(bundle.bids)):
        fail("submission_is_missing", bid=bid, event=f"bids/{bid}", culprit=PLATFORM)
    verdicts = bundle.verdicts
    for bid in bundle.bids:
        row = verdicts.get(bid) if bid in listed else None
        for part, wanted in _members_wanted(row, full=bundle.full).items():
            path = f"bids/{bid}/{part}"
            there = path in bundle.archive
            need(there or not wanted, "is_missing", name=path, event=path, culprit=PLATFORM)
            need(wanted or not there, "must_not_be_there", path=path, event=path, culprit=PLATFORM)
            if part == SECRETS and there:
                shown = _json(bundle.archive, path, fields.SECRETS)["secrets"]
                bundle.secrets[bid] = [bytes.fromhex(each) for each in shown]


def _members_wanted(row: Mapping[str, Any] | None, *, full: bool) -> dict[str, bool]:
    if row is None:
        return {"body-0": False, "body-1": False, SECRETS: False}
    lost = row["envelope"] if row["verdict"] == "lost" else None
    judged = row["verdict"] == "valid" or (row["envelope"] == 1 and row["verdict"] != "unopened")
    return {"body-0": lost != 0, "body-1": full and lost != 1, SECRETS: full and judged}


def _read_private(bundle: Bundle) -> None:
    for number, line in enumerate(_lines(bundle.archive, "private/events.jsonl", fields.EVENT)):
        where = f"private/events.jsonl:{number + 1}"
        public = line["public"]
        if public.get("kind") == "submit":
            _shaped(fields.SUBMIT_EVENT, public, where)
        if public.get("kind") == "withdraw":
            _shaped(fields.WITHDRAW_EVENT, public, where)
        hidden = _refusable(
            lambda line=line: acts.part_hash(line["confidential"], bytes.fromhex(line["salt_c"])),  # type: ignore[misc]
            where,
        )
        leaf = _private_leaf(public, line["salt_p"], hidden, where)
        bundle.events.append(Event(line["index"], public, line["confidential"], leaf, _hashes(line["proof"])))
    bundle.contexts = list(_lines(bundle.archive, "private/contexts.jsonl", fields.CONTEXT))
    if "private/unmasking.json" in bundle.archive:
        bundle.unmasking = _json(bundle.archive, "private/unmasking.json", fields.UNMASKING)
    drawn = bool(bundle.of("draw_result"))
    need(
        drawn == ("private/unmasking.json" in bundle.archive),
        "private_unmasking_json_stands_exactly_when_draw_was_made",
        event="private/unmasking.json",
    )
    if "private/rescues.json" in bundle.archive:
        shown = _json(bundle.archive, "private/rescues.json", fields.RESCUES)
        bundle.rescues = {row["header"]: [bytes.fromhex(each) for each in row["secrets"]] for row in shown}
        asked = sorted(act["header"] for act in bundle.of("rescue"))
        need(
            [row["header"] for row in shown] == asked,
            "rescues_json_does_not_match_rescue_acts",
            event="private/rescues.json",
        )


def _acts(archive: Archive, name: str) -> Iterator[Act]:
    for number, line in enumerate(_lines(archive, name, fields.LINE)):
        where = f"{name}:{number + 1}"
        _shaped(fields.check_act, line["act"], where)
        leaf = _refusable(lambda line=line: acts.public_leaf(line["act"]), where)  # type: ignore[misc]
        yield Act(line["index"], line["act"], merkle.leaf_hash(leaf).hex(), _hashes(line["proof"]))


def _private_leaf(public: Mapping[str, Any], salt_p: str, confidential: bytes, where: str) -> str:
    leaf = _refusable(lambda: acts.leaf_of_parts(acts.Opened(public, bytes.fromhex(salt_p)), confidential), where)
    return merkle.leaf_hash(leaf).hex()


def _lines(archive: Archive, name: str, shape: Shape) -> Iterator[dict[str, Any]]:
    if archive.members[name].size > LINES_BYTES_MAX:
        fail("too_large", name=name, event=name)
    with archive.open(name) as stream:
        number = 0
        while line := stream.readline(LINE_BYTES_MAX + 2):
            number += 1
            need(line.endswith(b"\n"), "line_too_long_or_cut_off", name=name, number=number, event=name)
            yield _document(line[:-1], shape, f"{name}:{number}", LINE_BYTES_MAX)


def _json(archive: Archive, name: str, shape: Shape, bytes_max: int = JSON_BYTES_MAX) -> Any:
    if archive.members[name].size > bytes_max:
        fail("too_large", name=name, event=name)
    return _document(archive.read(name), shape, name, bytes_max)


def _document(data: bytes, shape: Shape, where: str, bytes_max: int) -> Any:
    # In memory a value is many times its text: a member that is nothing but brackets or commas stops here.
    small = data.count(b"[") + data.count(b"{") <= CONTAINERS_MAX and data.count(b",") <= VALUES_MAX
    need(small, "too_large", name=where, event=where)
    value = _refusable(lambda: jcs.loads(data, bytes_max=bytes_max), where)
    _shaped(shape, value, where)
    return value


def _shaped(shape: Shape, value: Any, where: str) -> None:
    try:
        shapes.check(shape, value, where)
    except Misshapen as wrong:
        fail("field_wrong", path=wrong.path, wanted=wrong.wanted, event=where, culprit=PLATFORM)


def _refusable(work: Callable[[], Any], where: str) -> Any:
    try:
        return work()
    except Refused as refused:
        fail("cannot_be_read", name=where, event=where, culprit=PLATFORM, cause=refused)


def _small(archive: Archive, name: str) -> bytes:
    if archive.members[name].size > NOTE_BYTES_MAX:
        fail("too_large", name=name, event=name, culprit=PLATFORM)
    return archive.read(name)


def _size_of(parsed: note.Note, name: str) -> int:
    size: int = _refusable(lambda: note.Checkpoint.parse(parsed.text), name).size
    return size


def _hashes(proof: list[str]) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(each) for each in proof)


_OBJECTS: Mapping[str, Mapping[str, tuple[Shape, bool]]] = {
    "tender": {"rulebook": (fields.RULEBOOK, False), "terms_hash": (anything, False)},
    "amendment": {"text_hash": (anything, False)},
    "freeze": {"list_hash": (fields.FREEZE_LIST, False)},
    "release": {"shares_hash": (fields.SHARES, False)},
    "verdict": {"verdicts_hash": (fields.VERDICTS, False)},
    "opened": {"record_hash": (fields.RECORD, False)},
    "draw_pool": {"pool_hash": (fields.POOL, False), "avoidance_hash": (fields.AVOIDANCE, True)},
    "scores_locked": {
        "sheets_hash": (fields.SHEETS, True),
        "table_hash": (fields.TABLE, False),
        "scores_hash": (anything, False),
    },
    "report": {"report_hash": (anything, True)},
    "award": {"notice_hash": (anything, False)},
}
