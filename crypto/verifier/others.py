"""The smaller files: a receipt, draw.json, scores.json (docs/spec/bundle.md §8).

A receipt runs checks 1 and 2, draw.json 1, 2 and 7 (lottery.md §7), scores.json 8 alone. All others are not shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from crypto import jcs, signing
from crypto.ledger import acts, merkle, note, receipt
from crypto.ledger.receipt import TlogProof
from crypto.refusal import Refused
from crypto.roster import Roster
from crypto.sealing import header, lock
from crypto.trust import Trust
from crypto.verifier import draw, fields, recount, shapes
from crypto.verifier.checks import guarded
from crypto.verifier.draw import Seating
from crypto.verifier.findings import CLOCKWORK, PLATFORM, Finding, Remarks, Result, fail, judge, need
from crypto.verifier.shapes import Misshapen


@dataclass(frozen=True, slots=True)
class Judged:
    """Results of a file, and whether its log or act says it is a rehearsal."""

    results: list[Result]
    rehearsal: bool


def check_receipt(data: bytes, trust: Trust | None) -> Judged:
    """A receipt: log and witnesses (1), the act in the log (2)."""
    rehearsal = b"/rehearsal\n" in data

    def anchored(remarks: Remarks) -> None:
        parsed = _tlog_proof(data)
        _anchor(parsed.checkpoint, trust)
        assert trust is not None
        cosigned = note.verify_cosignatures(parsed.checkpoint, trust.witnesses)
        grade = "B" if note.is_quorum(cosigned, trust.quorum) else "A"
        remarks.add("grade_witnesses", grade=grade, count_cosigned=len(cosigned))

    def included(remarks: Remarks) -> None:
        parsed, extra = judge(lambda: receipt.parse(data), "receipt", culprit=PLATFORM)
        leaf = judge(lambda: receipt.event_leaf(extra), "act_in_receipt", culprit=PLATFORM)
        checkpoint = note.Checkpoint.parse(parsed.checkpoint.text)
        _included(leaf, parsed, checkpoint)
        event = extra["event"].get("act") or extra["event"].get("public")
        remarks.add("at_leaf", kind=event["kind"], at=event["at"], index=parsed.index)

    return Judged(_with_rest({1: anchored, 2: included}), rehearsal)


def check_scores(data: Any) -> Judged:
    """scores.json: the recount (8)."""

    def counted(remarks: Remarks) -> None:
        found = recount.check(data)
        remarks.add("benchmark", text=recount.text(found.base))

    return Judged(_with_rest({8: counted}), False)


def check_draw(data: Any, trust: Trust | None) -> Judged:
    """draw.json: anchors (1), acts and proofs (2), the draw replayed (7)."""
    tender = _first_act(data)
    rehearsal = tender.get("rehearsal") is True or b"/rehearsal" in str(data.get("proofs", ""))[:100_000].encode()

    def anchored(remarks: Remarks) -> None:
        shaped = _draw_shape(data)
        proofs = [_tlog_proof(text.encode()) for text in shaped["proofs"]]
        _anchor(proofs[0].checkpoint, trust)
        assert trust is not None
        judge(lambda: note.verify_quorum(proofs[0].checkpoint, trust), "checkpoint", culprit=PLATFORM)
        need(tender["kind"] == "tender", "first_act_is_not_tender_act", culprit=PLATFORM)
        for number, side in (("1", "centre"), ("2", "supervision")):
            right = tender["contributors"][number] == trust.contributors[side].hex()
            need(right, "contributor_is_not_trust_jsons", number=number, side=side, culprit=PLATFORM)
        remarks.add("log_trust_json", origin=trust.origin, fingerprint=trust.fingerprint[:16])

    def included(remarks: Remarks) -> None:
        shaped = _draw_shape(data)
        proofs = [_tlog_proof(text.encode()) for text in shaped["proofs"]]
        same = all(proof.checkpoint == proofs[0].checkpoint and proof.extra is None for proof in proofs)
        need(same and len(proofs) == len(shaped["acts"]), "one_proof_per_act_under_one_checkpoint", culprit=PLATFORM)
        checkpoint = note.Checkpoint.parse(proofs[0].checkpoint.text)
        before = -1
        for row, proof in zip(shaped["acts"], proofs, strict=True):
            _included(acts.public_leaf(row["act"]), proof, checkpoint)
            need(proof.index > before, "acts_out_of_logs_order", culprit=PLATFORM)
            before = proof.index

    return Judged(
        _with_rest({1: anchored, 2: included, 7: lambda remarks: _replay_file(_draw_shape(data), remarks)}), rehearsal
    )


def _with_rest(work: Mapping[int, Callable[[Remarks], None]]) -> list[Result]:
    absent = Finding("本文件不含此项", "not part of this file")
    return [
        guarded(number, work[number]) if number in work else Result(number, "not_shown", absent) for number in range(10)
    ]


def _tlog_proof(data: bytes) -> TlogProof:
    return judge(lambda: TlogProof.parse(data), "proof_cannot_be_read", culprit=PLATFORM)


def _anchor(shown: note.Note, trust: Trust | None) -> None:
    if trust is None:
        lines = ";".join(f"{line.name} {line.key_id.hex()}" for line in shown.signatures)
        fail("not_anchored_no_trust_signatures_found", lines=lines)
    judge(lambda: note.verify_checkpoint(shown, trust.log), "checkpoint_is_not_logs", culprit=PLATFORM)
    judge(lambda: note.verify_cosignatures(shown, trust.witnesses), "cosignature", culprit=PLATFORM)


def _included(leaf: bytes, proof: TlogProof, checkpoint: note.Checkpoint) -> None:
    hashed = merkle.leaf_hash(leaf)
    judge(
        lambda: merkle.verify_inclusion(hashed, proof.index, checkpoint.size, proof.proof, checkpoint.root),
        "act_is_not_in_the_log",
        event=hashed.hex(),
        culprit=PLATFORM,
    )


def _first_act(data: Any) -> Mapping[str, Any]:
    rows = data.get("acts") if isinstance(data, dict) else None
    first = rows[0] if isinstance(rows, list) and rows else None
    act = first.get("act") if isinstance(first, dict) else None
    return act if isinstance(act, dict) else {}


_DRAW_FILE = shapes.record(
    kind=shapes.one_of("draw"),
    acts=shapes.rows(shapes.record(act=fields.check_act, object=shapes.maybe(fields.POOL)), least=4),
    proofs=shapes.rows(shapes.any_text, least=4),
    r=shapes.rows(
        shapes.record(
            i=shapes.whole(1, 3),
            r=fields.H32,
            header=fields.HEX,
            secrets=shapes.maybe(shapes.rows(fields.H32, least=2)),
        )
    ),
    result=shapes.record(seats=fields.SEATS),
)


def _draw_shape(data: Any) -> Mapping[str, Any]:
    try:
        shapes.check(_DRAW_FILE, data, "draw")
    except Misshapen as wrong:
        fail("field_wrong", path=wrong.path, wanted=wrong.wanted, culprit=PLATFORM)
    shaped: Mapping[str, Any] = data
    return shaped


def _replay_file(data: Mapping[str, Any], remarks: Remarks) -> None:
    """lottery.md §7 from signatures on: acts, pool, contributions, seed, seats, replacements, panel."""
    rows: Sequence[Mapping[str, Any]] = [row["act"] for row in data["acts"]]
    tender = rows[0]
    need(tender["kind"] == "tender", "first_act_is_not_tender_act", culprit=PLATFORM)
    tender_id = judge(lambda: acts.tender_id(tender), "tender_act", culprit=PLATFORM)
    for act in rows:
        signed = judge(lambda act=act: signing.verify_act(act), "signature", culprit=PLATFORM)  # type: ignore[misc]
        duty = act["kind"] in ("tender", "directive") or (
            signed[0].by == "duty" and signed[0].key.hex() == tender["duty_key"]
        )
        need(act["tender_id"] == tender_id.hex() and duty, "act_of_another_tender_or_not_by_duty_key", culprit=PLATFORM)
    results = [act for act in rows if act["kind"] == "draw_result"]
    need(results, "no_draw_result", culprit=CLOCKWORK)
    result = results[-1]
    at, pool = next(
        ((n, act) for n, act in enumerate(rows) if act["kind"] == "draw_pool" and act["draw_id"] == result["draw_id"]),
        (0, None),
    )
    close = next((act for act in rows if act["kind"] == "draw_close" and act["draw_id"] == result["draw_id"]), None)
    if pool is None or close is None:
        fail("pool_or_draw_close_is_missing", culprit=CLOCKWORK)
    pool_leaf, close_leaf = (merkle.leaf_hash(acts.public_leaf(act)) for act in (pool, close))
    need(
        close["pool"] == pool_leaf.hex() and result["close"] == close_leaf.hex(),
        "draws_acts_do_not_name_each_other",
        culprit=CLOCKWORK,
    )
    need(
        pool["draw_id"] == draw.draw_id(tender_id, pool["attempt"]), "draw_id_is_not_that_of_attempt", culprit=CLOCKWORK
    )
    fixed = data["acts"][at]["object"]
    need(
        fixed is not None and sha256(jcs.dumps(fixed)).hexdigest() == pool["pool_hash"],
        "pool_is_not_that_of_pool_hash",
        culprit=CLOCKWORK,
    )
    for number, row in enumerate(data["acts"]):
        need(
            row["object"] is None or row["act"]["kind"] == "draw_pool",
            "object_beside_act_that_names_none",
            event=str(number),
        )
    strata = fixed["strata"]
    draw.check_strata(strata, pool_leaf.hex())
    r = _revealed(data["r"], close, tender, tender_id, bytes.fromhex(pool["draw_id"]))
    need(
        {row["i"]: row["r"] for row in result["r"]} == {i: value.hex() for i, value in r.items()},
        "r_is_not_that_of_draw_result",
        culprit=CLOCKWORK,
    )
    seed = draw.seed_of(bytes.fromhex(pool["draw_id"]), pool_leaf, r)
    need(seed.hex() == result["seed"], "seed_is_not_that_of_contributions", culprit=CLOCKWORK)
    seating = Seating(draw.orders(strata, seed))
    known = set(result["avoided"])
    draw.seat_all(seating, strata, known)
    need(
        _seats(seating) == result["seats"] and seating.avoided == result["avoided"],
        "seats_are_not_those_draw_gives",
        culprit=CLOCKWORK,
    )
    for act in rows:
        if act["kind"] == "recusal" and act["draw_id"] == result["draw_id"]:
            known |= set(act["avoided"])
            there = act["seat"] <= len(seating.seats) and seating.seats[act["seat"] - 1][1] == act["out"]
            need(
                there and draw.replace_seat(seating, act["seat"], known) == act["in"],
                "replacement_is_not_next_in_order",
                culprit=CLOCKWORK,
            )
    need(_seats(seating) == data["result"]["seats"], "panel_is_not_one_given", culprit=PLATFORM)
    remarks.add("seats", count_seats=len(seating.seats))


def _revealed(
    rows: Sequence[Mapping[str, Any]],
    close: Mapping[str, Any],
    tender: Mapping[str, Any],
    tender_id: bytes,
    draw_id: bytes,
) -> dict[int, bytes]:
    roster = judge(lambda: Roster.decode(bytes.fromhex(tender["roster"])), "roster", culprit=PLATFORM)
    listed = {row["i"]: row for row in close["contributions"]}
    need(
        [row["i"] for row in rows] == sorted(listed) and set(listed) >= draw.CONTRIBUTORS_NEEDED,
        "contributions_are_not_those_of_draw_close",
        culprit=CLOCKWORK,
    )
    found: dict[int, bytes] = {}
    for row in rows:
        raw, key = bytes.fromhex(row["header"]), bytes.fromhex(tender["contributors"][str(row["i"])])
        need(
            sha256(raw).hexdigest() == listed[row["i"]]["header"],
            "header_that_draw_close_does_not_name",
            culprit=CLOCKWORK,
        )

        def parsed(raw: bytes = raw, key: bytes = key, row: Mapping[str, Any] = row) -> header.Header:
            one = header.parse_contribution(raw)
            header.check_contribution(
                one, tender_id=tender_id, roster=roster, draw_id=draw_id, contributor=row["i"], spki=key
            )
            signature = bytes.fromhex(listed[row["i"]]["signature"])
            signing.verify_p256(key, signature, signing.labelled(draw.CONTRIBUTION_LABEL, one.hash()))
            return one

        one = judge(parsed, "contribution", i=row["i"], culprit=CLOCKWORK)
        found[row["i"]] = draw.VOID
        if row["secrets"] is not None:
            try:
                found[row["i"]] = lock.verify_lock_section(
                    one, roster, [bytes.fromhex(each) for each in row["secrets"]]
                )
            except Refused:
                fail("contribution_does_not_re_derive", i=row["i"], culprit=CLOCKWORK)
        need(found[row["i"]].hex() == row["r"], "r_of_contribution_is_another", i=row["i"], culprit=CLOCKWORK)
    return found


def _seats(seating: Seating) -> list[dict[str, Any]]:
    return [{"seat": n, "stratum": stratum, "masked": masked} for n, (stratum, masked) in enumerate(seating.seats, 1)]
