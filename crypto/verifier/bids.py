"""Check 5: every logged submission is frozen, withdrawn, replaced or refused; at most one bid per organisation.

docs/spec/release.md §4, bundle.md §6. From the public view the bids of the list are judged one by one; from the full view
the list is made again from all submissions and withdrawals before *close*. Whoever made the list could drop a bid, slip a
late one in, or bring a withdrawn one back; none of that survives this check in the full view.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from crypto import envelope, header
from crypto.refusal import Refused
from crypto.roster import Roster
from crypto.verifier.anchors import Case
from crypto.verifier.findings import CLOCKWORK, PLATFORM, Failed, Remarks, judge, need
from crypto.verifier.limits import timeline
from crypto.verifier.reading import Bundle, Event, Submission


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
        remarks.add("尚未截止", "not closed yet")
        return
    terms = terms_of(case, close.index)
    names = [row["bid"] for row in bundle.frozen]
    ordered = names == sorted(set(names))
    need(
        ordered,
        "冻结清单次序不对或重复",
        "the freeze list is not ascending, or repeats a bid",
        event=freeze.leaf,
        culprit=CLOCKWORK,
    )
    seen: dict[str, str] = {}
    for row in bundle.frozen:
        submission = bundle.bids[row["bid"]]
        same = row["submission"] == submission.event.leaf and row["headers"] == _hashes(submission)
        need(
            same,
            f"冻结清单与投标 {row['bid']} 不符",
            f"the list's row is not that of bid {row['bid']}",
            event=freeze.leaf,
            culprit=CLOCKWORK,
        )
        check_submission(submission, terms)
        uscc = submission.subject.uscc
        need(uscc not in seen, f"同一单位 {uscc} 有两份投标", f"two bids of one organisation: {uscc}",
             event=submission.event.leaf, culprit=CLOCKWORK)  # fmt: skip
        seen[uscc] = row["bid"]
    remarks.add(f"冻结 {len(names)} 份", f"{len(names)} bids frozen")
    if bundle.full:
        _check_list(bundle, terms)
    else:
        remarks.add("被替换、撤回、拒绝的投标须看完整包", "replaced, withdrawn and refused bids: needs the full bundle")


def terms_of(case: Case, close_index: int) -> Terms:
    """The terms of admission, with the deadline in force at *close*. Raises Failed."""
    act = case.bundle.tender
    roster = judge(lambda: Roster.decode(bytes.fromhex(act["roster"])), "名册不成立", "the roster", event=act.leaf)
    deadline = timeline(case, until=close_index).deadline
    return Terms(case.bundle.tender_id, act["lot"], roster, act["plaintext_max"], deadline, close_index)


def check_submission(submission: Submission, terms: Terms) -> header.Admission:
    """One submission admitted, in time and logged before close. Raises Failed."""
    event, culprit = submission.event, f"bidder {submission.bid}"
    headers = judge(lambda: submission.headers, f"投标 {submission.bid[:16]} 的信封头不成立", f"the headers of bid {submission.bid[:16]}",
                    event=event.leaf, culprit=culprit)  # fmt: skip
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
        f"投标 {submission.bid[:16]} 不可接收",
        f"bid {submission.bid[:16]} may not be admitted",
        event=event.leaf,
        culprit=culprit,
    )
    public = event.public
    told = (public["kind"], public["lot"], public["version"], public["headers"], public["d"], public["bid"])
    right = ("submit", terms.lot, admitted.version, _hashes(submission), admitted.digest.hex(), admitted.bid_id.hex())
    need(told == right and submission.bid == admitted.bid_id.hex(), f"递交行为与信封 {submission.bid[:16]} 不符",
         f"the submit act does not describe the headers of {submission.bid[:16]}", event=event.leaf, culprit=PLATFORM)  # fmt: skip
    fits = all(each.plaintext_len() <= terms.plaintext_max for each in headers)
    need(fits, "投标文件超过上限", "larger than the notice allows", event=event.leaf, culprit=culprit)
    need(event.at < terms.deadline, f"投标 {submission.bid[:16]} 逾期({public['at']})(E-36)",
         f"bid {submission.bid[:16]} was received late, {public['at']} (E-36)", event=event.leaf, culprit=PLATFORM)  # fmt: skip
    need(event.index < terms.close_index, f"投标 {submission.bid[:16]} 在截止行为之后入账",
         f"bid {submission.bid[:16]} was logged after close", event=event.leaf, culprit=PLATFORM)  # fmt: skip
    return admitted


def _check_list(bundle: Bundle, terms: Terms) -> None:
    """The freeze list made again (release.md §4) and every other submission accounted for."""
    best: dict[str, Submission] = {}
    voided: dict[str, int] = {}
    highest: dict[str, int] = {}
    admitted: set[str] = set()
    by_bid = {submission.bid: submission for submission in bundle.bids.values()}
    for event in bundle.events:
        if event.kind == "submit":
            submission = by_bid[event.public["bid"]]
            uscc = submission.subject.uscc
            need(event.confidential.get("organisation") == uscc, "递交行为的单位与证书不符",
                 "the submit act's organisation is not the certificate's", event=event.leaf, culprit=PLATFORM)  # fmt: skip
            if _counts(submission, event, terms) and submission.version > highest.get(uscc, 0):
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
    extra = next((bid for bid in frozen if bid not in right), None)
    need(extra is None, f"冻结清单多出 {extra}(已撤回、被替换或逾期)", f"the list holds a bid that does not belong there: {extra}",
         event=f"bids/{extra}", culprit=CLOCKWORK)  # fmt: skip
    dropped = next((bid for bid in right if bid not in frozen), None)
    need(
        dropped is None,
        f"冻结清单遗漏 {dropped}",
        f"the list leaves a bid out: {dropped}",
        event=f"bids/{dropped}",
        culprit=CLOCKWORK,
    )
    refused = {act["submission"] for act in bundle.of("refused")}
    submits = {event.leaf: event for event in bundle.events if event.kind == "submit"}
    unknown = next((leaf for leaf in sorted(refused) if leaf not in submits or leaf in admitted), None)
    need(
        unknown is None,
        "拒绝行为所指不符",
        "a refusal of a submission that is not there, or that counted",
        event=unknown,
        culprit=CLOCKWORK,
    )
    silent = next((leaf for leaf in submits if leaf not in admitted and leaf not in refused), None)
    need(silent is None, "有投标既未冻结、替换、撤回,也未拒绝", "a submission neither frozen, replaced, withdrawn nor refused",
         event=silent, culprit=CLOCKWORK)  # fmt: skip


def _counts(submission: Submission, event: Event, terms: Terms) -> bool:
    if event.index >= terms.close_index or event.at >= terms.deadline:
        return False
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
