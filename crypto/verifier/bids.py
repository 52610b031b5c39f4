"""Check 5: every logged submission is frozen, withdrawn, replaced or refused; at most one bid per organisation.

docs/spec/release.md §4, bundle.md §6. From the public view the bids of the list are judged one by one; from the full
view the list is made again from all submissions and withdrawals before *close*. Whoever made the list could drop a bid,
slip a late one in, or bring a withdrawn one back; none of that survives this check in the full view.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any

from crypto.refusal import Refused
from crypto.roster import Roster
from crypto.sealing import envelope, header
from crypto.verifier.anchors import Case
from crypto.verifier.findings import CLOCKWORK, PLATFORM, Failed, Remarks, judge, need
from crypto.verifier.shown import Bundle, Event, Submission
from crypto.verifier.timeline import timeline


@dataclass(frozen=True, slots=True)
class Terms:
    """What a submission is judged against: the acts, never the header."""

    tender_id: bytes
    lot: str
    roster: Roster
    plaintext_max: int
    deadline: datetime
    close_index: int


def check(case: Case, remarks: Remarks) -> None:
    """Check 5. Raises Failed."""
    bundle = case.bundle
    freeze, close = bundle.last("freeze"), bundle.last("close")
    if freeze is None or close is None:
        remarks.add("not_closed_yet")
        return
    terms = terms_of(case, close.index)
    names = [row["bid"] for row in bundle.frozen]
    ordered = names == sorted(set(names))
    need(ordered, "freeze_list_is_not_ascending_or_repeats_bid", event=freeze.leaf, culprit=CLOCKWORK)
    seen: dict[str, str] = {}
    listed = [(row, bundle.bids[row["bid"]]) for row in bundle.frozen]
    admissions = case.crew.each(partial(_check_listed, terms, freeze.leaf), listed)
    for (row, submission), _ in zip(listed, admissions, strict=True):
        uscc = submission.subject.uscc
        need(
            uscc not in seen, "two_bids_of_one_organisation", uscc=uscc, event=submission.event.leaf, culprit=CLOCKWORK
        )
        seen[uscc] = row["bid"]
    remarks.add("bids_frozen", count_names=len(names))
    if bundle.full:
        _check_list(bundle, terms, {submission.event.leaf for _, submission in listed})
    else:
        remarks.add("replaced_withdrawn_and_refused_bids_needs_full_bundle")


def _check_listed(terms: Terms, freeze: str, listed: tuple[Mapping[str, Any], Submission]) -> header.Admission:
    row, submission = listed
    same = row["submission"] == submission.event.leaf and row["headers"] == _hashes(submission)
    need(same, "lists_row_is_not_that_of_bid", bid=row["bid"], event=freeze, culprit=CLOCKWORK)
    return check_submission(submission, terms)


def terms_of(case: Case, close_index: int) -> Terms:
    """The terms of admission, with the deadline in force at *close*. Raises Failed."""
    act = case.bundle.tender
    roster = judge(lambda: Roster.decode(bytes.fromhex(act["roster"])), "roster", event=act.leaf)
    deadline = timeline(case, until=close_index).deadline
    return Terms(case.bundle.tender_id, act["lot"], roster, act["plaintext_max"], deadline, close_index)


def check_submission(submission: Submission, terms: Terms) -> header.Admission:
    """One submission admitted, in time and logged before close. Raises Failed."""
    event, culprit = submission.event, f"bidder {submission.bid}"
    headers = judge(
        lambda: submission.headers, "headers_of_bid", bid=submission.bid[:16], event=event.leaf, culprit=culprit
    )
    admitted = judge(
        lambda: header.check_admission(
            headers,
            tender_id=terms.tender_id,
            envelopes=(0, 1),
            roster=terms.roster,
            certificate_spki=submission.subject.spki,
            salt=submission.salt,
            submit_signature=submission.signature,
        ),
        "bid_may_not_be_admitted",
        bid=submission.bid[:16],
        event=event.leaf,
        culprit=culprit,
    )
    public = event.public
    told = (public["kind"], public["lot"], public["version"], public["headers"], public["d"], public["bid"])
    right = ("submit", terms.lot, admitted.version, _hashes(submission), admitted.digest.hex(), admitted.bid_id.hex())
    need(
        told == right and submission.bid == admitted.bid_id.hex(),
        "submit_act_does_not_describe_headers_of",
        bid=submission.bid[:16],
        event=event.leaf,
        culprit=PLATFORM,
    )
    fits = all(each.plaintext_len() <= terms.plaintext_max for each in headers)
    need(fits, "larger_than_notice_allows", event=event.leaf, culprit=culprit)
    need(
        event.at < terms.deadline,
        "bid_was_received_late_e_36",
        bid=submission.bid[:16],
        at=public["at"],
        event=event.leaf,
        culprit=PLATFORM,
    )
    need(
        event.index < terms.close_index,
        "bid_was_logged_after_close",
        bid=submission.bid[:16],
        event=event.leaf,
        culprit=PLATFORM,
    )
    return admitted


def _check_list(bundle: Bundle, terms: Terms, listed: Set[str]) -> None:
    """The freeze list made again (release.md §4) and every other submission accounted for.

    `listed` are the leaves of the submissions that were admitted already, being in the list.
    """
    best: dict[str, Submission] = {}
    voided: dict[str, int] = {}
    highest: dict[str, int] = {}
    admitted: set[str] = set()
    by_bid = {submission.bid: submission for submission in bundle.bids.values()}
    for event in bundle.events:
        if event.kind == "submit":
            submission = by_bid[event.public["bid"]]
            uscc = submission.subject.uscc
            need(
                event.confidential.get("organisation") == uscc,
                "submit_acts_organisation_is_not_certificates",
                event=event.leaf,
                culprit=PLATFORM,
            )
            if _counts(submission, event, terms, listed) and submission.version > highest.get(uscc, 0):
                highest[uscc] = submission.version
                best[uscc] = submission
                admitted.add(event.leaf)
        elif event.kind == "withdraw" and event.index < terms.close_index:
            withdrawn = by_bid.get(event.public["bid"])
            if withdrawn is not None and _withdraws(withdrawn, event, terms):
                uscc = withdrawn.subject.uscc
                voided[uscc] = max(voided.get(uscc, 0), event.public["version"])
    right = sorted(each.bid for uscc, each in best.items() if each.version > voided.get(uscc, 0))
    frozen = [row["bid"] for row in bundle.frozen]
    rightful, listed_bids = set(right), set(frozen)
    extra = next((bid for bid in frozen if bid not in rightful), None)
    need(
        extra is None,
        "list_holds_bid_that_does_not_belong_there",
        extra=extra,
        event=f"bids/{extra}",
        culprit=CLOCKWORK,
    )
    dropped = next((bid for bid in right if bid not in listed_bids), None)
    need(dropped is None, "list_leaves_bid_out", dropped=dropped, event=f"bids/{dropped}", culprit=CLOCKWORK)
    refused = {act["submission"] for act in bundle.of("refused")}
    submits = {event.leaf: event for event in bundle.events if event.kind == "submit"}
    unknown = next((leaf for leaf in sorted(refused) if leaf not in submits or leaf in admitted), None)
    need(unknown is None, "refusal_of_submission_that_is_not_there_or_that_counted", event=unknown, culprit=CLOCKWORK)
    silent = next((leaf for leaf in submits if leaf not in admitted and leaf not in refused), None)
    need(silent is None, "submission_neither_frozen_replaced_withdrawn_nor_refused", event=silent, culprit=CLOCKWORK)


def _counts(submission: Submission, event: Event, terms: Terms, listed: Set[str]) -> bool:
    if event.index >= terms.close_index or event.at >= terms.deadline:
        return False
    if submission.event.leaf in listed:
        return True
    try:
        check_submission(submission, terms)
    except Failed:
        return False
    return True


def _withdraws(submission: Submission, event: Event, terms: Terms) -> bool:
    public = event.public
    same = public["version"] == submission.version and public["d"] == submission.event.public["d"]
    if not same or event.at >= terms.deadline or event.index < submission.event.index:
        return False
    try:
        envelope.verify_withdraw(
            spki=submission.subject.spki,
            signature=bytes.fromhex(public["signature"]),
            tender_id=terms.tender_id,
            version=public["version"],
            digest=bytes.fromhex(public["d"]),
        )
    except Refused:
        return False
    return True


def _hashes(submission: Submission) -> list[str]:
    return [sha256(raw).hexdigest() for raw in submission.raw]
