"""Check 6: who released what and when; every record opened again from the shares; the manifest is the opening record.

docs/spec/release.md §5 to §7, envelope.md (verdicts), bundle.md §6. Shares of the record are public, so the prices are
re-derived here by anybody: combine, make the lock section again, decrypt, read the signed manifest. The documents'
verdict is the room's and supervision's word in the public view, and is judged again in the full one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Any

from crypto.ledger import note
from crypto.refusal import Refused
from crypto.roster import Roster
from crypto.sealing import body, envelope, header, lock
from crypto.sealing.manifest import Bidder
from crypto.verifier.anchors import Case
from crypto.verifier.bids import terms_of
from crypto.verifier.findings import PLATFORM, ROOM, Remarks, fail, judge, need
from crypto.verifier.shown import Act, Bundle, Submission

SECOND = timedelta(seconds=1)
SKEW = timedelta(seconds=60)
CONSEQUENCES: Mapping[str, tuple[str, ...]] = {
    "valid": ("opened",),
    "lost": ("deemed_withdrawn",),
    "unopened": ("deemed_withdrawn", "deemed_revoked"),
    "invalid": ("deemed_revoked",),
}


@dataclass(slots=True)
class Released:
    """Shares in the clear by header hash: (lock, index) → share; who sealed which document shares; who complained."""

    clear: dict[str, dict[tuple[int, int], bytes]] = field(default_factory=dict)
    sealed: dict[str, set[tuple[int, int]]] = field(default_factory=dict)
    complaints: dict[str, set[tuple[int, int]]] = field(default_factory=dict)


def check(case: Case, remarks: Remarks) -> None:
    """Check 6. Raises Failed."""
    bundle = case.bundle
    freeze, close = bundle.last("freeze"), bundle.last("close")
    if freeze is None or close is None or not bundle.of("ready", "release", "verdict", "opened"):
        remarks.add("not_opened")
        return
    _check_ready(case)
    released = releases(bundle)
    verdict, opened = bundle.last("verdict"), bundle.last("opened")
    if verdict is None:
        remarks.add("no_verdicts_yet")
        return
    need(verdict["freeze"] == freeze.leaf, "verdict_on_another_freeze", event=verdict.leaf, culprit=ROOM)
    rows = bundle.document(verdict["verdicts_hash"])
    names = [row["bid"] for row in rows]
    need(
        names == [row["bid"] for row in bundle.frozen],
        "verdicts_are_not_those_of_list",
        event=verdict.leaf,
        culprit=ROOM,
    )
    record = {} if opened is None else {row["bid"]: row for row in bundle.document(opened["record_hash"])}
    terms = terms_of(case, close.index)
    for row in rows:
        _check_bid(bundle, terms.roster, row, record.get(row["bid"]), released, verdict, remarks, opened is not None)
    valid = [row["bid"] for row in rows if row["verdict"] == "valid"]
    need(verdict["valid"] == len(valid), "count_of_valid_bids", event=verdict.leaf, culprit=ROOM)
    if opened is None:
        return
    _check_opened(bundle, opened, freeze, valid, record)
    remarks.add("valid_bids", count_valid=len(valid))
    if not bundle.full:
        remarks.add("verdicts_on_documents_needs_full_bundle")


def releases(bundle: Bundle) -> Released:
    """All shares that trustees logged, judged in shape and place only. Raises Failed."""
    released = Released()
    listed = [
        {sha256(raw).hexdigest() for raw in (bundle.bids[row["bid"]].raw[number] for row in bundle.frozen)}
        for number in (0, 1)
    ]
    draws = {row["header"] for act in bundle.of("draw_close") for row in act["contributions"]}
    for act in bundle.of("ready"):
        for row in act["complaints"]:
            own = (row["lock"], row["index"]) == (act["lock"], act["index"])
            known = row["header"] in listed[0] | listed[1] | draws
            need(
                own and known,
                "complaint_about_anothers_share_or_unknown_header",
                event=act.leaf,
                culprit=f"trustee {act['trustee']}",
            )
            released.complaints.setdefault(row["header"], set()).add((row["lock"], row["index"]))
    for act in bundle.of("release"):
        culprit, seat = f"trustee {act['trustee']}", (act["lock"], act["index"])
        shares = bundle.document(act["shares_hash"])
        for part, allowed in (("record", listed[0]), ("documents", listed[1]), ("draws", draws)):
            names = [row["header"] for row in shares[part]]
            need(names == sorted(set(names)), "shares_out_of_order", event=act.leaf, culprit=culprit)
            odd = next((name for name in names if name not in allowed), None)
            need(odd is None, "share_of_header_that_is_not_in_list", odd=odd, event=act.leaf, culprit=culprit)
            for row in shares[part]:
                if part == "documents":
                    released.sealed.setdefault(row["header"], set()).add(seat)
                    continue
                held = released.clear.setdefault(row["header"], {})
                need(seat not in held, "share_released_twice", event=act.leaf, culprit=culprit)
                held[seat] = bytes.fromhex(row["share"])
    return released


def combine(
    raw: header.Header, shares: Mapping[tuple[int, int], bytes], seats: Sequence[Sequence[str]], remarks: Remarks
) -> list[bytes] | None:
    """S_0 … of a header from the clear shares that fit their commitments; None when a lock stays below its threshold.

    A trustee whose share does not fit is named in the remarks: the others open without it.
    """
    secrets: list[bytes] = []
    for number, each in enumerate(raw.locks):
        fitting: dict[int, bytes] = {}
        for (where, index), share in sorted(shares.items()):
            if where != number:
                continue
            try:
                fitting[index] = lock.check_share(raw, number, index, share)
            except Refused:
                name = seats[number][index - 1] if index <= len(seats[number]) else f"{number}/{index}"
                remarks.add("trustee_gave_wrong_share", name=name)
        if len(fitting) < each.t:
            return None
        secrets.append(lock.combine(raw, number, fitting))
    return secrets


def segments(bundle: Bundle, path: str) -> Iterator[bytes]:
    """A body's bytes in segments of 1 MiB."""
    with bundle.archive.open(path) as stream:
        while block := stream.read(header.SEGMENT_BYTES):
            yield block


def _check_ready(case: Case) -> None:
    bundle = case.bundle
    roster = Roster.decode(bytes.fromhex(bundle.tender["roster"]))
    said: dict[str, dict[tuple[int, int], Act]] = {}
    needed = [each.t for each in roster.locks]
    for act in bundle.of("ready", "release"):
        culprit = f"trustee {act['trustee']}"
        freeze = next((each for each in bundle.of("freeze") if each.leaf == act["freeze"]), None)
        if freeze is None or freeze.index > act.index:
            fail("ready_or_release_for_freeze_that_is_not_there", event=act.leaf, culprit=culprit)
        ready = said.setdefault(act["freeze"], {})
        if act.kind == "ready":
            _check_checkpoint(case, act, freeze)
            draws = {each.leaf for each in bundle.of("draw_close") if each.index < act.index}
            need(set(act["draws"]) <= draws, "ready_for_draw_that_is_not_there", event=act.leaf, culprit=culprit)
            if act["refusal"] is None:
                ready[act["lock"], act["index"]] = act
            continue
        counts = [sum(1 for where, _ in ready if where == number) for number in range(len(needed))]
        enough = all(have >= t for have, t in zip(counts, needed, strict=True))
        need(enough, "release_before_every_lock_had_its_threshold_of_ready", event=act.leaf, culprit=culprit)
        if any(each["complaints"] for each in ready.values()):
            waited = _all_ready_at(list(ready.values()), needed)
            late = act.at >= waited.at + bundle.tender["rescue_s"] * SECOND - SKEW
            need(late, "release_before_rescue_window_was_over", event=act.leaf, culprit=culprit)


def _all_ready_at(ready: list[Act], needed: Sequence[int]) -> Act:
    """The act with which every lock had its threshold."""
    counts = [0] * len(needed)
    for act in ready:
        counts[act["lock"]] += 1
        if all(have >= t for have, t in zip(counts, needed, strict=True)):
            return act
    return ready[-1]


def _check_checkpoint(case: Case, act: Act, freeze: Act) -> None:
    culprit = f"trustee {act['trustee']}"
    size = act["checkpoint"]["size"]
    if size not in case.bundle.notes:
        fail("checkpoint_ready_names_is_missing", size=size, event=act.leaf, culprit=PLATFORM)
    root = note.Checkpoint.parse(case.bundle.notes[size].text).root.hex()
    need(root == act["checkpoint"]["root"], "ready_on_checkpoint_with_another_root", event=act.leaf, culprit=culprit)
    if act["refusal"] is not None:
        return
    need(freeze.index < size <= act.index, "ready_on_checkpoint_without_freeze", event=act.leaf, culprit=culprit)
    quorum = case.quorum(size)
    if quorum is not None:
        deadline = terms_of(case, act.index).deadline
        judge(
            lambda: quorum.stamped_from(deadline),
            "ready_on_checkpoint_not_witnessed_after_deadline",
            event=act.leaf,
            culprit=culprit,
        )


def _check_bid(
    bundle: Bundle,
    roster: Roster,
    row: Mapping[str, Any],
    recorded: Mapping[str, Any] | None,
    released: Released,
    verdict: Act,
    remarks: Remarks,
    announced: bool,
) -> None:
    bid = row["bid"]
    submission = bundle.bids[bid]
    here, culprit = f"bids/{bid}", ROOM
    need(
        row["consequence"] in CONSEQUENCES[row["verdict"]],
        "consequence_does_not_follow_from_verdict_on",
        bid=bid[:16],
        event=verdict.leaf,
        culprit=culprit,
    )
    shaped = (row["verdict"] == "valid") == (row["envelope"] is None) and (
        row["code"] is None or row["verdict"] != "valid"
    )
    need(shaped, "fields_of_verdict_on", bid=bid[:16], event=verdict.leaf, culprit=culprit)
    _check_complainers(bundle, submission, row, released, verdict)
    for number in (0, 1) if bundle.full else (0,):
        if not (row["verdict"] == "lost" and row["envelope"] == number):
            _check_stored(bundle, submission, number)
    head, digest = submission.headers[0], sha256(submission.raw[0]).hexdigest()
    secrets = combine(head, released.clear.get(digest, {}), bundle.tender["seats"], remarks)
    rescued = any(act["header"] == digest for act in bundle.of("rescue"))
    if secrets is None and recorded is not None:
        need(rescued, "was_opened_without_enough_shares", bid=bid[:16], event=verdict.leaf, culprit=culprit)
        secrets = [bytes.fromhex(each) for each in recorded["secrets"]]
        shown = bundle.rescues.get(digest, secrets)
        need(shown == secrets, "rescue_shown_is_not_what_opened_record", event=here, culprit=culprit)
    elif secrets is None and rescued and row["envelope"] == 1:
        # What its bidder disclosed opened the record, and the documents failed: only the full view has those secrets.
        remarks.add("record_was_disclosed_and_documents_failed", bid=bid[:16])
        if (secrets := bundle.rescues.get(digest)) is None:
            return
    if secrets is None:
        need(
            row["verdict"] == "unopened" and row["envelope"] == 0,
            "has_too_few_shares_unopened",
            bid=bid[:16],
            event=verdict.leaf,
            culprit=culprit,
        )
        return
    if row["verdict"] == "lost" and row["envelope"] == 0:
        remarks.add("platform_lost_record_of", bid=bid[:16])
        need(
            row["code"] in (None, "body_root"), "code_of_verdict_on", bid=bid[:16], event=verdict.leaf, culprit=culprit
        )
        return
    judged = _judge(bundle, submission, 0, roster, secrets)
    if judged.kind != "valid":
        right = (row["verdict"], row["envelope"], row["code"]) == (judged.kind, 0, judged.code)
        need(
            right, "record_of_is", bid=bid[:16], kind=judged.kind, verdict_code=judged.code, event=here, culprit=culprit
        )
        return
    need(
        row["verdict"] == "valid" or row["envelope"] == 1,
        "record_of_is_valid_after_all",
        bid=bid[:16],
        event=here,
        culprit=culprit,
    )
    if row["verdict"] == "valid" and announced:
        assert judged.opened is not None
        _check_row(submission, recorded, judged.opened.manifest, secrets)
    if bundle.full:
        _check_documents(bundle, submission, row, roster, released, remarks)


def _judge(
    bundle: Bundle, submission: Submission, number: int, roster: Roster, secrets: Sequence[bytes]
) -> envelope.Verdict:
    subject = submission.subject
    return envelope.verdict(
        submission.headers[number],
        roster=roster,
        secrets=secrets,
        segments=segments(bundle, f"bids/{submission.bid}/body-{number}"),
        spki=subject.spki,
        lot=bundle.tender["lot"],
        salt=submission.salt,
        bidder=Bidder(subject.name, subject.uscc),
    )


def _check_row(
    submission: Submission, recorded: Mapping[str, Any] | None, manifest: Mapping[str, Any], secrets: Sequence[bytes]
) -> None:
    here = f"bids/{submission.bid}"
    if recorded is None:
        fail("opening_record_leaves_out_valid_bid", event=here, culprit=ROOM)
    right = {
        "bid": submission.bid,
        "version": submission.version,
        "bidder": manifest["bidder"],
        **manifest["opening_list"],
        "secrets": [each.hex() for each in secrets],
    }
    wrong = next((name for name, value in right.items() if recorded[name] != value), None)
    need(wrong is None, "opening_records_is_not_what_bidder_signed", wrong=wrong, event=here, culprit=ROOM)


def _check_documents(
    bundle: Bundle, submission: Submission, row: Mapping[str, Any], roster: Roster, released: Released, remarks: Remarks
) -> None:
    here = f"bids/{submission.bid}"
    secrets = bundle.secrets.get(submission.bid)
    digest = sha256(submission.raw[1]).hexdigest()
    if row["verdict"] == "unopened":
        enough = all(
            sum(1 for where, _ in released.sealed.get(digest, set()) if where == number) >= each.t
            for number, each in enumerate(roster.locks)
        )
        if enough:
            remarks.add("enough_shares_for_documents_of_yet_unopened", bid=submission.bid[:16])
        return
    if row["verdict"] == "lost":
        remarks.add("platform_lost_documents_of", bid=submission.bid[:16])
        return
    assert secrets is not None, "check 0 saw to it"
    judged = _judge(bundle, submission, 1, roster, secrets)
    shown = bundle.rescues.get(digest, secrets)
    need(shown == secrets, "rescue_shown_is_not_what_opened_documents", event=here, culprit=ROOM)
    if judged.kind == "valid":
        need(
            row["verdict"] == "valid",
            "documents_of_are_valid_after_all",
            bid=submission.bid[:16],
            event=here,
            culprit=ROOM,
        )
        return
    right = (row["verdict"], row["envelope"], row["code"]) == (judged.kind, 1, judged.code)
    need(
        right,
        "documents_of_are",
        bid=submission.bid[:16],
        kind=judged.kind,
        verdict_code=judged.code,
        event=here,
        culprit=ROOM,
    )


def _check_stored(bundle: Bundle, submission: Submission, number: int) -> None:
    """The body shown is the bytes that the header commits to, judged or not."""
    tree = body.SegmentTree()
    for segment in segments(bundle, f"bids/{submission.bid}/body-{number}"):
        tree.add(segment)
    judge(
        lambda: tree.verify_root(submission.headers[number].body_root),
        "body_shown_is_not_bytes_header_commits_to",
        number=number,
        event=f"bids/{submission.bid}",
        culprit=PLATFORM,
    )


def _check_complainers(
    bundle: Bundle, submission: Submission, row: Mapping[str, Any], released: Released, verdict: Act
) -> None:
    names = {sha256(raw).hexdigest() for raw in submission.raw}
    seats = {seat for name in names for seat in released.complaints.get(name, set())}
    there = {bundle.tender["seats"][number][index - 1] for number, index in seats}
    listed = row["complainers"]
    fits = listed == sorted(set(listed)) and set(listed) <= there
    need(fits, "complainers_who_did_not_complain", event=verdict.leaf, culprit=ROOM)
    if row["consequence"] == "deemed_revoked" and row["verdict"] == "unopened":
        need(listed, "deemed_revoked_yet_nobody_complained", event=verdict.leaf, culprit=ROOM)


def _check_opened(bundle: Bundle, opened: Act, freeze: Act, valid: list[str], record: Mapping[str, Any]) -> None:
    verdict = bundle.last("verdict")
    assert verdict is not None
    after = opened["freeze"] == freeze.leaf and opened.index > verdict.index
    need(after, "opened_before_last_verdict_e_58", event=opened.leaf, culprit=ROOM)
    named = sorted(record) == sorted(valid) and list(record) == sorted(record)
    listed = len(bundle.document(opened["record_hash"])) == len(record) == opened["n"]
    need(named and listed, "opening_record_is_not_exactly_valid_bids", event=opened.leaf, culprit=ROOM)
    terms = bundle.document(bundle.tender["terms_hash"])
    rule = terms.get("opening") if isinstance(terms, dict) else None
    stops = isinstance(rule, dict) and rule.get("fewer_than_three_after_opening") == "stop"
    if stops and len(valid) < bundle.tender["bids_min"]:
        went_on = bundle.of("scores_committed", "publicity", "award")
        need(not went_on, "went_on_with_fewer_bids_than_document_allows_e_57", event=opened.leaf, culprit=PLATFORM)
