"""Check 2: everything shown stands in one log that only grew, and no act is missing between the first and the last.

docs/spec/ledger.md, bundle.md §6. Proofs lead to `log/checkpoint`; the other checkpoints are proved to be its own past.
Whether that checkpoint is signed and witnessed is check 1.
"""

from __future__ import annotations

import itertools

from crypto.ledger import acts, merkle, note
from crypto.verifier.anchors import Case
from crypto.verifier.findings import CLOCKWORK, PLATFORM, Remarks, judge, need
from crypto.verifier.shown import Act, Bundle, Event


def check(case: Case, remarks: Remarks) -> None:
    """Check 2. Raises Failed."""
    bundle = case.bundle
    top = note.Checkpoint.parse(bundle.notes[bundle.size].text)
    _check_consistency(bundle, top)
    for name, shown in (("hall", bundle.hall), ("tender", bundle.acts)):
        judge(
            lambda rows=shown: acts.check_chain([act.body for act in rows]),  # type: ignore[misc]
            "chain_of_s_acts",
            name=name,
            event=_break(shown),
            culprit=PLATFORM,
        )
        _check_ascending(shown)
        for act in shown:
            _check_inclusion(act.leaf, act, top, act.kind)
    for submission in bundle.bids.values():
        _check_inclusion(f"bids/{submission.bid}", submission.event, top, "submit")
        need(
            submission.event.public["tender_id"] == bundle.tender["tender_id"],
            "submission_to_another_tender",
            event=submission.event.leaf,
            culprit=PLATFORM,
        )
    if not bundle.full:
        remarks.add("private_acts_needs_full_bundle")
    else:
        _check_events(bundle, top)
        _check_tallies(bundle, remarks)
    remarks.add("public_acts_log_of_leaves", count_acts=len(bundle.acts), size=top.size)


def _check_consistency(bundle: Bundle, top: note.Checkpoint) -> None:
    sizes = sorted(bundle.notes)
    steps = [(row["from"], row["to"]) for row in bundle.consistency]
    need(
        steps == list(itertools.pairwise(sizes)),
        "consistency_proofs_do_not_join_checkpoints_shown",
        event="log/consistency.json",
        culprit=PLATFORM,
    )
    for row in bundle.consistency:
        old = note.Checkpoint.parse(bundle.notes[row["from"]].text)
        new = note.Checkpoint.parse(bundle.notes[row["to"]].text)
        proof = [bytes.fromhex(each) for each in row["proof"]]
        judge(
            lambda old=old, new=new, proof=proof: note.check_follows(old, new, proof),  # type: ignore[misc]
            "log_was_forked_or_rolled_back",
            event=f"log/checkpoints/{old.size}",
            culprit=PLATFORM,
        )
    need(
        all(note.Checkpoint.parse(each.text).origin == top.origin for each in bundle.notes.values()),
        "checkpoints_of_different_logs",
        event="log/checkpoint",
        culprit=PLATFORM,
    )


def _check_inclusion(where: str, shown: Act | Event, top: note.Checkpoint, kind: str) -> None:
    leaf = bytes.fromhex(shown.leaf)
    judge(
        lambda: merkle.verify_inclusion(leaf, shown.index, top.size, shown.proof, top.root),
        "act_is_not_in_log",
        kind=kind,
        event=where,
        culprit=PLATFORM,
    )


def _check_ascending(shown: list[Act]) -> None:
    for before, after in itertools.pairwise(shown):
        need(before.index < after.index, "acts_out_of_logs_order", event=after.leaf, culprit=PLATFORM)


def _check_events(bundle: Bundle, top: note.Checkpoint) -> None:
    before = -1
    chains: dict[str, dict[str, Event]] = {}
    for number, event in enumerate(bundle.events):
        where = f"private/events.jsonl:{number + 1}"
        need(event.index > before, "private_acts_out_of_order", event=where, culprit=PLATFORM)
        before = event.index
        need(event.kind != "cover", "cover_leaf_among_private_acts", event=where, culprit=PLATFORM)
        need(
            event.public["tender_id"] == bundle.tender["tender_id"],
            "private_act_of_another_tender",
            event=where,
            culprit=PLATFORM,
        )
        person = event.confidential.get("person")
        need(isinstance(person, str), "private_act_without_person", event=where, culprit=PLATFORM)
        chain = chains.setdefault(str(person), {})
        need(event.public["prev"] not in chain, "fork_in_chain_of", person=person, event=where, culprit=PLATFORM)
        chain[event.public["prev"]] = event
        _check_inclusion(where, event, top, event.kind)
    # Acts of one person within one batch may lie in any order; what must hold is one unbroken chain.
    for person, chain in chains.items():
        tail, length = acts.FIRST_PREV, 0
        while tail in chain:
            tail, length = chain[tail].leaf, length + 1
        need(length == len(chain), "gap_in_chain_of", person=person, event="private/events.jsonl", culprit=PLATFORM)
    shown = {event.leaf: event for event in bundle.events}
    for submission in bundle.bids.values():
        there = shown.get(submission.event.leaf)
        need(
            there is not None and there.index == submission.event.index,
            "submission_that_is_not_among_private_acts",
            event=f"bids/{submission.bid}",
            culprit=PLATFORM,
        )


def _check_tallies(bundle: Bundle, remarks: Remarks) -> None:
    """What the hall said in public of how many private acts there are: none can be left out of a bundle since."""
    told = bundle.of("tally")
    for act in told:
        listed = [bytes.fromhex(event.leaf) for event in bundle.events if event.index < act["size"]]
        need(act["size"] <= act.index, "tally_of_what_is_not_yet_in_log", event=act.leaf, culprit=CLOCKWORK)
        whole = any(end.index < act["size"] for end in bundle.of("contract", "failed", "terminate"))
        need(whole, "tally_stops_before_the_end", event=act.leaf, culprit=CLOCKWORK)
        need(
            (act["n"], act["root"]) == (len(listed), merkle.root(listed).hex()),
            "private_acts_are_not_those_of_tally",
            shown=len(listed),
            n=act["n"],
            event=act.leaf,
            culprit=PLATFORM,
        )
    size = told[-1]["size"] if told else 0
    since = sum(event.index >= size for event in bundle.events)
    if since:
        remarks.add("private_acts_that_no_tally_counts", since=since)


def _break(shown: list[Act]) -> str:
    """The leaf of the first act that does not follow the one before it."""
    prev = acts.FIRST_PREV
    for seq, act in enumerate(shown):
        if act["seq"] != seq or act["prev"] != prev:
            return act.leaf
        prev = act.leaf
    return shown[0].leaf
