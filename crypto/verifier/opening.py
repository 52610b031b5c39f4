"""Check 6: who released what and when; every record opened again from the shares; the manifest is the opening record.

docs/spec/release.md §5 to §7, envelope.md (verdicts), bundle.md §6. Shares of the record are public, so the prices are
re-derived here by anybody: combine, make the lock section again, decrypt, read the signed manifest. The documents'
verdict is the room's and supervision's word in the public view, and is judged again in the full one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

from crypto.roster import Roster
from crypto.sealing import body, envelope, header
from crypto.sealing.manifest import Bidder
from crypto.verifier.anchors import Case
from crypto.verifier.archive import Archive
from crypto.verifier.bids import terms_of
from crypto.verifier.findings import PLATFORM, ROOM, Remarks, fail, judge, need
from crypto.verifier.releases import Released, check_ready, combine, releases
from crypto.verifier.shown import Act, Bundle, Submission

CONSEQUENCES: Mapping[str, tuple[str, ...]] = {
    "valid": ("opened",),
    "lost": ("deemed_withdrawn",),
    "unopened": ("deemed_withdrawn", "deemed_revoked"),
    "invalid": ("deemed_revoked",),
}


@dataclass(frozen=True, slots=True)
class Opening:
    """What is the same for every bid: roster, its seats and lot, the act of the verdicts (leaf), the bundle's view, and
    whether an opening record was announced."""

    roster: Roster
    seats: Sequence[Sequence[str]]
    lot: str
    verdict: str
    full: bool
    announced: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a bundle shows of one bid of the list, `submission`.

    `row` is its verdict, `recorded` its row in the opening record; `bodies` are its members of the archive. `shares`
    are the record's as released, {(lock, index): 32 bytes}; `sealed` and `complained` the seats that sealed a share of
    its documents, and that complained of any of its shares. `rescued`: its bidder disclosed the record's secrets, and
    `disclosed` are secrets so disclosed, by envelope, where the view shows them; `secrets` those of the documents.
    """

    submission: Submission
    row: Mapping[str, Any]
    recorded: Mapping[str, Any] | None
    bodies: Archive
    shares: Mapping[tuple[int, int], bytes]
    sealed: Set[tuple[int, int]]
    complained: Set[tuple[int, int]]
    rescued: bool
    disclosed: Mapping[int, list[bytes]]
    secrets: list[bytes] | None

    @property
    def bid(self) -> str:
        return self.submission.bid

    @property
    def where(self) -> str:
        """The folder of the bundle that shows it."""
        return f"bids/{self.submission.bid}"


def check(case: Case, remarks: Remarks) -> None:
    """Check 6. Raises Failed."""
    bundle = case.bundle
    freeze, close = bundle.last("freeze"), bundle.last("close")
    if freeze is None or close is None or not bundle.of("ready", "release", "verdict", "opened"):
        remarks.add("not_opened")
        return
    check_ready(case)
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
    roster = terms_of(case, close.index).roster
    tender = bundle.tender
    opening = Opening(roster, tender["seats"], tender["lot"], verdict.leaf, bundle.full, opened is not None)
    for told in case.crew.each(partial(_check_bid, opening), _evidence(bundle, rows, record, released)):
        remarks.include(told)
    valid = [row["bid"] for row in rows if row["verdict"] == "valid"]
    need(verdict["valid"] == len(valid), "count_of_valid_bids", event=verdict.leaf, culprit=ROOM)
    if opened is None:
        return
    _check_opened(bundle, opened, freeze, valid, record)
    remarks.add("valid_bids", count_valid=len(valid))
    if not bundle.full:
        remarks.add("verdicts_on_documents_needs_full_bundle")


def _evidence(
    bundle: Bundle, rows: Sequence[Mapping[str, Any]], record: Mapping[str, Mapping[str, Any]], released: Released
) -> Iterator[Evidence]:
    rescues = {act["header"] for act in bundle.of("rescue")}
    for row in rows:
        submission = bundle.bids[row["bid"]]
        names = [sha256(raw).hexdigest() for raw in submission.raw]
        bodies = (f"bids/{submission.bid}/body-{number}" for number in (0, 1))
        yield Evidence(
            submission=submission,
            row=row,
            recorded=record.get(row["bid"]),
            bodies=bundle.archive.only(name for name in bodies if name in bundle.archive),
            shares=released.clear.get(names[0], {}),
            sealed=released.sealed.get(names[1], set()),
            complained=set[tuple[int, int]]().union(*(released.complaints.get(name, set()) for name in names)),
            rescued=names[0] in rescues,
            disclosed={number: bundle.rescues[name] for number, name in enumerate(names) if name in bundle.rescues},
            secrets=bundle.secrets.get(submission.bid),
        )


def _check_bid(opening: Opening, shown: Evidence) -> Remarks:
    """One bid of the list, whatever its verdict; what is to be said of it. Raises Failed."""
    remarks = Remarks()
    row, submission, bid = shown.row, shown.submission, shown.bid[:16]
    need(
        row["consequence"] in CONSEQUENCES[row["verdict"]],
        "consequence_does_not_follow_from_verdict_on",
        bid=bid,
        event=opening.verdict,
        culprit=ROOM,
    )
    shaped = (row["verdict"] == "valid") == (row["envelope"] is None) and (
        row["code"] is None or row["verdict"] != "valid"
    )
    need(shaped, "fields_of_verdict_on", bid=bid, event=opening.verdict, culprit=ROOM)
    _check_complainers(opening, shown)
    for number in (0, 1) if opening.full else (0,):
        if not (row["verdict"] == "lost" and row["envelope"] == number):
            _check_stored(shown, number)
    secrets = _secrets_of_record(opening, shown, remarks)
    if secrets is None:
        return remarks
    if row["verdict"] == "lost" and row["envelope"] == 0:
        remarks.add("platform_lost_record_of", bid=bid)
        need(row["code"] in (None, "body_root"), "code_of_verdict_on", bid=bid, event=opening.verdict, culprit=ROOM)
        return remarks
    judged = _judge(opening, shown, 0, secrets)
    if judged.kind != "valid":
        right = (row["verdict"], row["envelope"], row["code"]) == (judged.kind, 0, judged.code)
        need(
            right,
            "record_of_is",
            bid=bid,
            kind=judged.kind,
            verdict_code=judged.code,
            event=shown.where,
            culprit=ROOM,
        )
        return remarks
    need(
        row["verdict"] == "valid" or row["envelope"] == 1,
        "record_of_is_valid_after_all",
        bid=bid,
        event=shown.where,
        culprit=ROOM,
    )
    if row["verdict"] == "valid" and opening.announced:
        assert judged.opened is not None
        _check_row(submission, shown.recorded, judged.opened.manifest, secrets)
    if opening.full:
        _check_documents(opening, shown, remarks)
    return remarks


def _secrets_of_record(opening: Opening, shown: Evidence, remarks: Remarks) -> list[bytes] | None:
    """S_0 … of the record, from shares or from its bidder; None where the verdict *unopened* is right, or where only
    the full view could tell. Raises Failed."""
    row, bid = shown.row, shown.bid[:16]
    secrets = combine(shown.submission.headers[0], shown.shares, opening.seats, remarks)
    if secrets is not None:
        return secrets
    if shown.recorded is not None:
        need(shown.rescued, "was_opened_without_enough_shares", bid=bid, event=opening.verdict, culprit=ROOM)
        secrets = [bytes.fromhex(each) for each in shown.recorded["secrets"]]
        same = shown.disclosed.get(0, secrets) == secrets
        need(same, "rescue_shown_is_not_what_opened_record", event=shown.where, culprit=ROOM)
        return secrets
    if shown.rescued and row["envelope"] == 1:
        # What its bidder disclosed opened the record, and the documents failed: only the full view has those secrets.
        remarks.add("record_was_disclosed_and_documents_failed", bid=bid)
        secrets = shown.disclosed.get(0)
        if secrets is not None:
            return secrets
        return None
    need(
        row["verdict"] == "unopened" and row["envelope"] == 0,
        "has_too_few_shares_unopened",
        bid=bid,
        event=opening.verdict,
        culprit=ROOM,
    )
    return None


def _judge(opening: Opening, shown: Evidence, number: int, secrets: Sequence[bytes]) -> envelope.Verdict:
    submission = shown.submission
    subject = submission.subject
    return envelope.verdict(
        submission.headers[number],
        roster=opening.roster,
        secrets=secrets,
        segments=_segments(shown, number),
        spki=subject.spki,
        lot=opening.lot,
        salt=submission.salt,
        bidder=Bidder(subject.name, subject.uscc),
    )


def _segments(shown: Evidence, number: int) -> Iterator[bytes]:
    """A body's bytes in segments of 1 MiB."""
    with shown.bodies.open(f"{shown.where}/body-{number}") as stream:
        while block := stream.read(header.SEGMENT_BYTES):
            yield block


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


def _check_documents(opening: Opening, shown: Evidence, remarks: Remarks) -> None:
    row, secrets, bid = shown.row, shown.secrets, shown.bid[:16]
    if row["verdict"] == "unopened":
        enough = all(
            sum(1 for where, _ in shown.sealed if where == number) >= each.t
            for number, each in enumerate(opening.roster.locks)
        )
        if enough:
            remarks.add("enough_shares_for_documents_of_yet_unopened", bid=bid)
        return
    if row["verdict"] == "lost":
        remarks.add("platform_lost_documents_of", bid=bid)
        return
    assert secrets is not None, "check 0 saw to it"
    judged = _judge(opening, shown, 1, secrets)
    need(
        shown.disclosed.get(1, secrets) == secrets,
        "rescue_shown_is_not_what_opened_documents",
        event=shown.where,
        culprit=ROOM,
    )
    if judged.kind == "valid":
        need(
            row["verdict"] == "valid",
            "documents_of_are_valid_after_all",
            bid=bid,
            event=shown.where,
            culprit=ROOM,
        )
        return
    right = (row["verdict"], row["envelope"], row["code"]) == (judged.kind, 1, judged.code)
    need(
        right,
        "documents_of_are",
        bid=bid,
        kind=judged.kind,
        verdict_code=judged.code,
        event=shown.where,
        culprit=ROOM,
    )


def _check_stored(shown: Evidence, number: int) -> None:
    """The body shown is the bytes that the header commits to, judged or not."""
    tree = body.SegmentTree()
    for segment in _segments(shown, number):
        tree.add(segment)
    judge(
        lambda: tree.verify_root(shown.submission.headers[number].body_root),
        "body_shown_is_not_bytes_header_commits_to",
        number=number,
        event=shown.where,
        culprit=PLATFORM,
    )


def _check_complainers(opening: Opening, shown: Evidence) -> None:
    row = shown.row
    there = {opening.seats[number][index - 1] for number, index in shown.complained}
    listed = row["complainers"]
    fits = listed == sorted(set(listed)) and set(listed) <= there
    need(fits, "complainers_who_did_not_complain", event=opening.verdict, culprit=ROOM)
    if row["consequence"] == "deemed_revoked" and row["verdict"] == "unopened":
        need(listed, "deemed_revoked_yet_nobody_complained", event=opening.verdict, culprit=ROOM)


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
