"""Check 7: the draw of the panel made again from the pool and the contributors' r, replacements included.

docs/spec/lottery.md, a second implementation of its §4 and §5 (nothing of crypto/lottery.py is used). 条例 §46: nobody
designates an expert. r_i is taken from the released shares, never from the hall's word; a contribution that does not
re-derive counts as 32 zero bytes. Who is in conflict is judged from facts fixed before the seed existed (full view).
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from crypto import signing
from crypto.refusal import Refused
from crypto.roster import Roster
from crypto.sealing import header, lock
from crypto.verifier.anchors import Case
from crypto.verifier.findings import CLOCKWORK, OWNER, PLATFORM, Failed, Remarks, fail, finding, judge, need
from crypto.verifier.releases import Released, combine, releases
from crypto.verifier.shown import Act, Bundle
from crypto.verifier.timeline import limit

CONTRIBUTION_LABEL: Final = "draw/v1 contribution"
CONTRIBUTORS_NEEDED: Final = frozenset({2, 3})
STRATA_MAX: Final = 64
VOID: Final = bytes(32)


class Exhausted(Failed):
    """A stratum has nobody left who may sit."""


@dataclass(slots=True)
class Seating:
    """The orders of all strata, who sits where, who was passed over (as met), and who left for good."""

    orders: list[list[str]]
    seats: list[tuple[int, str]] = field(default_factory=list)
    avoided: list[str] = field(default_factory=list)
    left: set[str] = field(default_factory=set)

    def next(self, stratum: int, conflicts: set[str]) -> str:
        """The first of a stratum's order who may sit; those passed over for a conflict are noted. Raises Failed."""
        taken = {masked for _, masked in self.seats} | self.left
        found: str | None = None
        for masked in self.orders[stratum]:
            if masked in taken:
                continue
            if masked not in conflicts:
                found = masked
                break
            if masked not in self.avoided:
                self.avoided.append(masked)
        if found is None:
            raise Exhausted(finding("stratum_has_too_few_experts_left", culprit=CLOCKWORK))
        return found


def check(case: Case, remarks: Remarks) -> None:
    """Check 7. Raises Failed."""
    bundle = case.bundle
    results = bundle.of("draw_result")
    if not results:
        need(not bundle.of("scores_committed"), "scores_without_draw", culprit=PLATFORM)
        remarks.add("no_draw_yet")
        return
    released = releases(bundle)
    shown: set[str] = set()
    panel: Seating | None = None
    for result in results:
        pool, close = _acts_of(bundle, result)
        _check_pool(bundle, pool)
        contributions = _contributions(bundle, pool, close)
        r = _check_r(case, contributions, result, released, remarks)
        panel = _replay(bundle, pool, result, r)
        shown |= {masked for _, masked in panel.seats} | set(panel.avoided) | panel.left
    assert panel is not None
    if panel.seats:
        _check_panel(bundle, panel, results[-1])
        remarks.add("seats_replacements", count_seats=len(panel.seats), count_left=len(panel.left))
    else:
        need(not bundle.of("scores_committed"), "scores_without_draw", culprit=PLATFORM)
        remarks.add("draw_failed_as_it_had_to", count=len(results))
    if bundle.full:
        _check_unmasking(bundle, shown)
    else:
        remarks.add("why_somebody_was_passed_over_needs_full_bundle")


def occupants(bundle: Bundle, before: int) -> dict[int, str]:
    """Who holds each drawn seat when the leaf `before` was logged, from the acts as check 7 proved them."""
    held: dict[int, str] = {}
    for act in bundle.of("draw_result", "recusal"):
        if act.index >= before:
            break
        if act.kind == "draw_result":
            held = {row["seat"]: row["masked"] for row in act["seats"]}
        else:
            held[act["seat"]] = act["in"]
    return held


def draw_id(tender_id: bytes, attempt: int) -> str:
    """H("draw/v1 id\\0" || tender_id || u16 1 || u16 attempt), hex."""
    return hashlib.sha256(b"draw/v1 id\0" + tender_id + (1).to_bytes(2, "big") + attempt.to_bytes(2, "big")).hexdigest()


def orders(strata: Sequence[Mapping[str, Any]], seed: bytes) -> list[list[str]]:
    """Every stratum shuffled in full by its own stream (lottery.md §4)."""
    return [
        _shuffled([bytes.fromhex(each) for each in row["masked"]], seed, number) for number, row in enumerate(strata)
    ]


def seed_of(draw: bytes, pool_leaf: bytes, r: Mapping[int, bytes]) -> bytes:
    """H("draw/v1 seed\\0" || draw_id || pool leaf || u8 m || (u8 i || r_i) …)."""
    given = b"".join(bytes([i]) + r[i] for i in sorted(r))
    return hashlib.sha256(b"draw/v1 seed\0" + draw + pool_leaf + bytes([len(r)]) + given).digest()


def seat_all(seating: Seating, strata: Sequence[Mapping[str, Any]], conflicts: set[str]) -> None:
    """Strata in order, of each the first k who may sit. Raises Failed."""
    for number, row in enumerate(strata):
        for _ in range(row["k"]):
            seating.seats.append((number, seating.next(number, conflicts)))


def replace_seat(seating: Seating, seat: int, conflicts: set[str]) -> str:
    """Free a seat (from 1) and give it to the next of its stratum; whoever left never returns. Raises Failed."""
    stratum, out = seating.seats[seat - 1]
    found = seating.next(stratum, conflicts)
    seating.seats[seat - 1] = (stratum, found)
    seating.left.add(out)
    return found


def check_strata(strata: Sequence[Mapping[str, Any]], event: str) -> None:
    """The pool object obeys lottery.md §2. Raises Failed."""
    names = [row["specialty"] for row in strata]
    right = 1 <= len(strata) <= STRATA_MAX and len(set(names)) == len(names)
    need(right, "pools_specialties_repeat_or_are_too_many", event=event, culprit=CLOCKWORK)
    for row in strata:
        ordered = row["masked"] == sorted(set(row["masked"])) and row["k"] <= len(row["masked"])
        need(ordered, "stratum_is_out_of_order_repeats_id_or_is_too_small", event=event, culprit=CLOCKWORK)


def _acts_of(bundle: Bundle, result: Act) -> tuple[Act, Act]:
    pool = next((act for act in bundle.of("draw_pool") if act["draw_id"] == result["draw_id"]), None)
    if pool is None:
        fail("draw_result_without_its_pool", event=result.leaf, culprit=CLOCKWORK)
    close = next((act for act in bundle.of("draw_close") if act["pool"] == pool.leaf), None)
    if close is None or close.leaf != result["close"]:
        fail("draw_result_of_another_draw_close", event=result.leaf, culprit=CLOCKWORK)
    right = close["draw_id"] == pool["draw_id"] and pool.index < close.index < result.index
    need(right, "draws_acts_are_out_of_order", event=result.leaf, culprit=CLOCKWORK)
    freeze = bundle.of("freeze")
    need(freeze and freeze[0].index < result.index, "drawn_before_freeze", event=result.leaf, culprit=CLOCKWORK)
    return pool, close


def _check_pool(bundle: Bundle, pool: Act) -> None:
    attempt = pool["attempt"]
    need(
        pool["draw_id"] == draw_id(bundle.tender_id, attempt),
        "draw_id_is_not_that_of_attempt",
        event=pool.leaf,
        culprit=CLOCKWORK,
    )
    earlier = [act for act in bundle.of("draw_result") if act.index < pool.index]
    names = {act["draw_id"] for act in earlier}
    complete = all(draw_id(bundle.tender_id, number) in names for number in range(attempt))
    last = max((act.index for act in earlier), default=-1)
    ordered = any(act["what"] == "redraw" and last < act.index < pool.index for act in bundle.of("directive"))
    need(
        attempt == 0 or (complete and ordered),
        "redraw_without_directive_or_before_earlier_draw_was_published",
        event=pool.leaf,
        culprit=CLOCKWORK,
    )
    strata = bundle.document(pool["pool_hash"])["strata"]
    check_strata(strata, pool.leaf)
    distinct = len({masked for row in strata for masked in row["masked"]})
    ways = math.prod(math.comb(len(row["masked"]), row["k"]) for row in strata)
    measures = pool["measures"]
    told = (measures["pool"], measures["entropy_bits"]) == (distinct, ways.bit_length() - 1)
    need(told, "measures_are_not_those_of_pool", event=pool.leaf, culprit=CLOCKWORK)
    least, _ = limit(bundle, "draw_candidates_per_seat_min")
    seats = sum(row["k"] for row in strata)
    need(distinct >= least * seats, "pool_is_too_small_to_be_unforeseeable_e_63", event=pool.leaf, culprit=CLOCKWORK)


def _contributions(bundle: Bundle, pool: Act, close: Act) -> dict[int, header.Header]:
    tender = bundle.tender
    roster = judge(lambda: Roster.decode(bytes.fromhex(tender["roster"])), "roster", event=tender.leaf)
    numbers = [row["i"] for row in close["contributions"]]
    right = numbers == sorted(set(numbers)) and set(numbers) >= CONTRIBUTORS_NEEDED
    need(right, "no_draw_without_supervisions_and_owners_contributions", event=close.leaf, culprit=CLOCKWORK)
    found: dict[int, header.Header] = {}
    for row in close["contributions"]:
        key = bytes.fromhex(tender["contributors"][str(row["i"])])
        who = {1: "centre", 2: "supervisor", 3: OWNER}[row["i"]]

        def verified(row: Mapping[str, Any] = row, key: bytes = key) -> header.Header:
            parsed = header.parse_contribution(bundle.objects[row["header"]])
            header.check_contribution(
                parsed,
                tender_id=bundle.tender_id,
                roster=roster,
                draw_id=bytes.fromhex(pool["draw_id"]),
                contributor=row["i"],
                spki=key,
            )
            message = signing.labelled(CONTRIBUTION_LABEL, bytes.fromhex(row["header"]))
            signing.verify_p256(key, bytes.fromhex(row["signature"]), message)
            return parsed

        found[row["i"]] = judge(verified, "contribution", i=row["i"], event=close.leaf, culprit=who)
    return found


def _check_r(
    case: Case, contributions: Mapping[int, header.Header], result: Act, released: Released, remarks: Remarks
) -> dict[int, bytes]:
    bundle = case.bundle
    roster = Roster.decode(bytes.fromhex(bundle.tender["roster"]))
    r: dict[int, bytes] = {}
    void: dict[int, str] = {}
    for number, raw in contributions.items():
        name = raw.hash().hex()
        secrets = combine(raw, released.clear.get(name, {}), bundle.tender["seats"], remarks) or bundle.rescues.get(
            name
        )
        if secrets is None:
            complained = released.complaints.get(name, set())
            by_complaints = any(
                sum(1 for where, _ in complained if where == place) > each.n - each.t
                for place, each in enumerate(raw.locks)
            )
            need(
                by_complaints,
                "contribution_has_too_few_shares_and_too_few_complaints",
                number=number,
                event=result.leaf,
                culprit=CLOCKWORK,
            )
            r[number], void[number] = VOID, "unopened"
            continue
        try:
            r[number] = lock.verify_lock_section(raw, roster, secrets)
        except Refused:
            r[number], void[number] = VOID, "lock_section"
    told = {row["i"]: bytes.fromhex(row["r"]) for row in result["r"]}
    need(
        told == r and len(result["r"]) == len(r),
        "r_is_not_what_contributions_open_to",
        event=result.leaf,
        culprit=CLOCKWORK,
    )
    voided = {row["i"]: row["why"] for row in result["void"]}
    need(
        voided == void and len(result["void"]) == len(void),
        "void_contributions_are_others",
        event=result.leaf,
        culprit=CLOCKWORK,
    )
    return r


def _replay(bundle: Bundle, pool: Act, result: Act, r: Mapping[int, bytes]) -> Seating:
    seed = seed_of(bytes.fromhex(pool["draw_id"]), bytes.fromhex(pool.leaf), r)
    need(seed.hex() == result["seed"], "seed_is_not_that_of_contributions", event=result.leaf, culprit=CLOCKWORK)
    strata = bundle.document(pool["pool_hash"])["strata"]
    seating = Seating(orders(strata, seed))
    conflicts = _conflicts(bundle, pool, result)
    out = set(result["avoided"]) if conflicts is None else conflicts
    if not result["seats"]:
        return _replay_failed(seating, strata, result, out)
    seat_all(seating, strata, out)
    told = [(row["seat"], row["stratum"], row["masked"]) for row in result["seats"]]
    right = [(number, stratum, masked) for number, (stratum, masked) in enumerate(seating.seats, 1)]
    wrong = next((f"{a[0]}" for a, b in zip(told, right, strict=False) if a != b), str(len(right)))
    need(told == right, "seat_is_not_whom_draw_gives", wrong=wrong, event=result.leaf, culprit=CLOCKWORK)
    need(seating.avoided == result["avoided"], "others_were_passed_over", event=result.leaf, culprit=CLOCKWORK)
    known = set(result["avoided"])
    for act in bundle.of("recusal"):
        if act["draw_id"] != result["draw_id"]:
            continue
        known |= set(act["avoided"])
        before = len(seating.avoided)
        there = act["seat"] <= len(seating.seats) and seating.seats[act["seat"] - 1][1] == act["out"]
        need(there, "seat_was_not_held_by_whom_it_replaces", event=act.leaf, culprit=CLOCKWORK)
        found = replace_seat(seating, act["seat"], known if conflicts is None else conflicts)
        right_one = found == act["in"] and seating.avoided[before:] == act["avoided"]
        need(right_one, "replacement_in_seat_is_not_next_in_order", seat=act["seat"], event=act.leaf, culprit=CLOCKWORK)
        if bundle.full:
            _check_cause(bundle, act)
    return seating


def _replay_failed(seating: Seating, strata: Sequence[Mapping[str, Any]], result: Act, out: set[str]) -> Seating:
    """An attempt published without seats: a stratum really runs out, and exactly those named were passed over."""
    try:
        seat_all(seating, strata, out)
    except Exhausted:
        seating.seats.clear()
    need(not seating.seats, "draw_without_seats_could_have_filled_them", event=result.leaf, culprit=CLOCKWORK)
    need(seating.avoided == result["avoided"], "others_were_passed_over", event=result.leaf, culprit=CLOCKWORK)
    return seating


def _conflicts(bundle: Bundle, pool: Act, result: Act) -> set[str] | None:
    """Who may not sit, from the facts fixed with the pool and the bidders of the list; None in the public view."""
    if not bundle.full:
        return None
    freeze = [act for act in bundle.of("freeze") if act.index < result.index][-1]
    bidders = {bundle.bids[row["bid"]].subject.uscc for row in bundle.document(freeze["list_hash"])}
    facts = bundle.document(pool["avoidance_hash"])["facts"]
    return {row["masked"] for row in facts if bidders & set(row["organisations"])}


def _check_cause(bundle: Bundle, act: Act) -> None:
    kind = {"recused": "recuse", "declined": "decline"}.get(act["why"])
    own = kind is None or any(
        event.kind == kind and event.public.get("masked") == act["out"] and event.index < act.index
        for event in bundle.events
    )
    need(own, "replacement_without_experts_own_recusal_or_decline", event=act.leaf, culprit=CLOCKWORK)


def _check_panel(bundle: Bundle, panel: Seating, result: Act) -> None:
    terms = bundle.document(bundle.tender["terms_hash"])
    wanted = terms.get("panel") if isinstance(terms, dict) else None
    if not isinstance(wanted, dict):
        fail("tender_document_says_nothing_of_panel", event=bundle.tender.leaf, culprit=OWNER)
    members, owners = wanted.get("members"), wanted.get("owner_representatives")
    strata = [(row.get("specialty"), row.get("seats")) for row in wanted.get("strata", []) if isinstance(row, dict)]
    pool = next(act for act in bundle.of("draw_pool") if act["draw_id"] == result["draw_id"])
    drawn = [(row["specialty"], row["k"]) for row in bundle.document(pool["pool_hash"])["strata"]]
    least, _ = limit(bundle, "panel_members_min")
    thirds, _ = limit(bundle, "panel_expert_thirds_min")
    if type(members) is not int or type(owners) is not int:
        fail("tender_documents_panel", event=bundle.tender.leaf, culprit=OWNER)
    lawful = members % 2 == 1 and members >= least and 3 * (members - owners) >= thirds * members
    need(lawful, "panels_size_is_not_lawful_e_61", event=bundle.tender.leaf, culprit=OWNER)
    need(
        drawn == strata and len(panel.seats) == members - owners,
        "strata_or_seats_are_not_those_of_tender_document",
        event=pool.leaf,
        culprit=CLOCKWORK,
    )


def _check_unmasking(bundle: Bundle, shown: set[str]) -> None:
    here = "private/unmasking.json"
    names = [row["masked"] for row in bundle.unmasking]
    need(
        names == sorted(shown), "unmasking_is_not_exactly_of_those_seated_or_passed_over", event=here, culprit=PLATFORM
    )
    experts: set[str] = set()
    for row in bundle.unmasking:
        masked = hashlib.sha256(b"draw/v1 mask\0" + bytes.fromhex(row["salt"]) + row["expert"].encode()).hexdigest()
        need(masked == row["masked"], "unmasking_that_does_not_give_its_masked_id", event=here, culprit=PLATFORM)
        need(row["expert"] not in experts, "one_expert_stands_under_two_masks", event=here, culprit=CLOCKWORK)
        experts.add(row["expert"])


def _shuffled(items: list[bytes], seed: bytes, stratum: int) -> list[str]:
    words: list[int] = []
    block = 0

    def below(n: int) -> int:
        nonlocal block
        while True:
            if not words:
                label = b"draw/v1 block\0" + stratum.to_bytes(2, "big") + block.to_bytes(8, "big")
                digest = hmac.digest(seed, label, "sha256")
                words.extend(int.from_bytes(digest[at : at + 8], "big") for at in (0, 8, 16, 24))
                block += 1
            value = words.pop(0)
            if value < 2**64 - 2**64 % n:
                return value % n

    for at in range(len(items) - 1):
        other = at + below(len(items) - at)
        items[at], items[other] = items[other], items[at]
    return [item.hex() for item in items]
