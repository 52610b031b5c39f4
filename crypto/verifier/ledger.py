"""Check 2: everything shown stands in one log that only grew, and no act is missing between the first and the last.

docs/spec/ledger.md, bundle.md §6. Proofs lead to `log/checkpoint`; the other checkpoints are proved to be its own past.
Whether that checkpoint is signed and witnessed is check 1.
"""

from __future__ import annotations

from crypto import acts, merkle, note
from crypto.verifier.anchors import Case
from crypto.verifier.findings import PLATFORM, Remarks, judge, need
from crypto.verifier.reading import Act, Bundle, Event


def check(case: Case, remarks: Remarks) -> None:
    """Check 2. Raises Failed."""
    bundle = case.bundle
    top = note.Checkpoint.parse(bundle.notes[bundle.size].text)
    _check_consistency(bundle, top)
    for name, shown in (("hall", bundle.hall), ("tender", bundle.acts)):
        judge(lambda rows=shown: acts.check_chain([act.body for act in rows]),  # type: ignore[misc]
              "行为链有缺口或断裂", f"the chain of the {name}'s acts", event=_break(shown), culprit=PLATFORM)  # fmt: skip
        _check_ascending(shown)
        for act in shown:
            _check_inclusion(act.leaf, act, top, act.kind)
    for submission in bundle.bids.values():
        _check_inclusion(f"bids/{submission.bid}", submission.event, top, "submit")
        need(submission.event.public["tender_id"] == bundle.tender["tender_id"], "投标不属于本标段",
             "a submission to another tender", event=submission.event.leaf, culprit=PLATFORM)  # fmt: skip
    if not bundle.full:
        remarks.add("非公开行为须看完整包", "private acts: needs the full bundle")
    else:
        _check_events(bundle, top)
    remarks.add(
        f"公开行为 {len(bundle.acts)} 条,账本 {top.size} 条",
        f"{len(bundle.acts)} public acts, log of {top.size} leaves",
    )


def _check_consistency(bundle: Bundle, top: note.Checkpoint) -> None:
    sizes = sorted(bundle.notes)
    steps = [(row["from"], row["to"]) for row in bundle.consistency]
    need(steps == list(zip(sizes, sizes[1:], strict=False)), "一致性证明与检查点不对应",
         "consistency proofs do not join the checkpoints shown", event="log/consistency.json", culprit=PLATFORM)  # fmt: skip
    for row in bundle.consistency:
        old = note.Checkpoint.parse(bundle.notes[row["from"]].text)
        new = note.Checkpoint.parse(bundle.notes[row["to"]].text)
        proof = [bytes.fromhex(each) for each in row["proof"]]
        judge(lambda old=old, new=new, proof=proof: note.check_follows(old, new, proof),  # type: ignore[misc]
              "账本有分叉或回退", "the log was forked or rolled back",
              event=f"log/checkpoints/{old.size}", culprit=PLATFORM)  # fmt: skip
    need(all(note.Checkpoint.parse(each.text).origin == top.origin for each in bundle.notes.values()),
         "检查点来自不同账本", "checkpoints of different logs", event="log/checkpoint", culprit=PLATFORM)  # fmt: skip


def _check_inclusion(where: str, shown: Act | Event, top: note.Checkpoint, kind: str) -> None:
    leaf = bytes.fromhex(shown.leaf)
    judge(lambda: merkle.verify_inclusion(leaf, shown.index, top.size, shown.proof, top.root),
          f"行为 {kind} 不在账本中", f"the {kind} act is not in the log", event=where, culprit=PLATFORM)  # fmt: skip


def _check_ascending(shown: list[Act]) -> None:
    for before, after in zip(shown, shown[1:], strict=False):
        need(
            before.index < after.index,
            "行为在账本中的次序不对",
            "acts out of the log's order",
            event=after.leaf,
            culprit=PLATFORM,
        )


def _check_events(bundle: Bundle, top: note.Checkpoint) -> None:
    before = -1
    chains: dict[str, dict[str, Event]] = {}
    for number, event in enumerate(bundle.events):
        where = f"private/events.jsonl:{number + 1}"
        need(event.index > before, "非公开行为次序不对", "private acts out of order", event=where, culprit=PLATFORM)
        before = event.index
        need(
            event.kind != "cover", "填充行为混入", "a cover leaf among the private acts", event=where, culprit=PLATFORM
        )
        need(event.public["tender_id"] == bundle.tender["tender_id"], "非公开行为不属于本标段", "a private act of another tender",
             event=where, culprit=PLATFORM)  # fmt: skip
        person = event.confidential.get("person")
        need(
            isinstance(person, str),
            "非公开行为没有行为人",
            "a private act without a person",
            event=where,
            culprit=PLATFORM,
        )
        chain = chains.setdefault(str(person), {})
        need(
            event.public["prev"] not in chain,
            f"{person} 的行为链有分叉",
            f"a fork in the chain of {person}",
            event=where,
            culprit=PLATFORM,
        )
        chain[event.public["prev"]] = event
        _check_inclusion(where, event, top, event.kind)
    # Acts of one person within one batch may lie in any order; what must hold is one unbroken chain.
    for person, chain in chains.items():
        tail, length = acts.FIRST_PREV, 0
        while tail in chain:
            tail, length = chain[tail].leaf, length + 1
        need(
            length == len(chain),
            f"{person} 的行为链有缺口",
            f"a gap in the chain of {person}",
            event="private/events.jsonl",
            culprit=PLATFORM,
        )
    shown = {event.leaf: event for event in bundle.events}
    for submission in bundle.bids.values():
        there = shown.get(submission.event.leaf)
        need(there is not None and there.index == submission.event.index, "投标行为不在非公开行为之列",
             "a submission that is not among the private acts", event=f"bids/{submission.bid}", culprit=PLATFORM)  # fmt: skip


def _break(shown: list[Act]) -> str:
    """The leaf of the first act that does not follow the one before it."""
    prev = acts.FIRST_PREV
    for seq, act in enumerate(shown):
        if act["seq"] != seq or act["prev"] != prev:
            return act.leaf
        prev = act.leaf
    return shown[0].leaf
