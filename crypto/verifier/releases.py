"""Who said *ready*, who released which shares, and what the shares of a header give (check 6; the draw's too).

docs/spec/release.md §5, §6. A release is judged in shape and place; whether a share is the one committed to shows when
a header is opened with it, and then names the trustee who gave another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256

from crypto.ledger import note
from crypto.refusal import Refused
from crypto.roster import Roster
from crypto.sealing import header, lock
from crypto.verifier.anchors import Case
from crypto.verifier.bids import terms_of
from crypto.verifier.findings import PLATFORM, Remarks, fail, judge, need
from crypto.verifier.shown import Act, Bundle

SECOND = timedelta(seconds=1)
SKEW = timedelta(seconds=60)


@dataclass(slots=True)
class Released:
    """Shares in the clear by header hash: (lock, index) → share; who sealed which document shares; who complained."""

    clear: dict[str, dict[tuple[int, int], bytes]] = field(default_factory=dict)
    sealed: dict[str, set[tuple[int, int]]] = field(default_factory=dict)
    complaints: dict[str, set[tuple[int, int]]] = field(default_factory=dict)


def check_ready(case: Case) -> None:
    """Every *ready* and *release* stands where release.md §5 and §6 let it. Raises Failed."""
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


def releases(bundle: Bundle) -> Released:
    """All shares that trustees logged, judged in shape and place only. Raises Failed."""
    released = Released()
    listed = [
        {sha256(raw).hexdigest() for raw in (bundle.bids[row["bid"]].raw[number] for row in bundle.frozen)}
        for number in (0, 1)
    ]
    draws = {row["header"] for act in bundle.of("draw_close") for row in act["contributions"]}
    headers = listed[0] | listed[1] | draws
    for act in bundle.of("ready"):
        for row in act["complaints"]:
            own = (row["lock"], row["index"]) == (act["lock"], act["index"])
            known = row["header"] in headers
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
