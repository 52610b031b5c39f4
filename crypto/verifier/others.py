"""The smaller files: a receipt, draw.json, scores.json, and the scripts of a page (docs/spec/bundle.md §8).

A receipt runs checks 1 and 2, draw.json 1, 2 and 7 (lottery.md §7), scores.json 8 alone. All others are not shown.
"""

from __future__ import annotations

import base64
import hashlib
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from crypto import acts, header, jcs, lock, merkle, note, receipt, signing
from crypto.receipt import TlogProof
from crypto.refusal import Refused
from crypto.roster import Roster
from crypto.trust import Trust
from crypto.verifier import draw, recount, shapes
from crypto.verifier.checks import guarded
from crypto.verifier.draw import Seating
from crypto.verifier.findings import CLOCKWORK, PLATFORM, Finding, Remarks, Result, fail, judge, need
from crypto.verifier.shapes import Misshapen

PAGE_BYTES_MAX: Final = 16 * 1024**2
TIMEOUT_S: Final = 20


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
        remarks.add(f"等级 {grade},{len(cosigned)} 名见证人", f"grade {grade}, {len(cosigned)} witnesses")

    def included(remarks: Remarks) -> None:
        parsed, extra = judge(lambda: receipt.parse(data), "回执", "the receipt", culprit=PLATFORM)
        leaf = judge(lambda: receipt.event_leaf(extra), "回执所载行为", "the act in the receipt", culprit=PLATFORM)
        checkpoint = note.Checkpoint.parse(parsed.checkpoint.text)
        _included(leaf, parsed, checkpoint)
        event = extra["event"].get("act") or extra["event"].get("public")
        remarks.add(
            f"行为 {event['kind']},{event['at']},账本第 {parsed.index} 条",
            f"{event['kind']} at {event['at']}, leaf {parsed.index}",
        )

    return Judged(_with_rest({1: anchored, 2: included}), rehearsal)


def check_scores(data: Any) -> Judged:
    """scores.json: the recount (8)."""

    def counted(remarks: Remarks) -> None:
        found = recount.check(data)
        remarks.add(f"基准价 {recount.text(found.base)}", f"benchmark {recount.text(found.base)}")

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
        judge(lambda: note.verify_quorum(proofs[0].checkpoint, trust), "检查点", "the checkpoint", culprit=PLATFORM)

    def included(remarks: Remarks) -> None:
        shaped = _draw_shape(data)
        proofs = [_tlog_proof(text.encode()) for text in shaped["proofs"]]
        same = all(proof.checkpoint == proofs[0].checkpoint and proof.extra is None for proof in proofs)
        need(
            same and len(proofs) == len(shaped["acts"]),
            "证明与行为不对应",
            "one proof per act, under one checkpoint",
            culprit=PLATFORM,
        )
        checkpoint = note.Checkpoint.parse(proofs[0].checkpoint.text)
        before = -1
        for row, proof in zip(shaped["acts"], proofs, strict=True):
            _included(acts.public_leaf(row["act"]), proof, checkpoint)
            need(proof.index > before, "行为次序不对", "acts out of the log's order", culprit=PLATFORM)
            before = proof.index

    return Judged(
        _with_rest({1: anchored, 2: included, 7: lambda remarks: _replay_file(_draw_shape(data), remarks)}), rehearsal
    )


def check_page(url: str) -> tuple[int, list[tuple[str, str]]]:
    """(exit code, sentences zh and en): every script of a page against its `integrity` and the published list.

    Raises OSError (urllib's errors are) when the page does not answer.
    """
    page = _fetch(url).decode("utf-8", "replace")
    published = _release(url)
    told: list[tuple[str, str]] = []
    wrong = 0
    for source, integrity in _scripts(page):
        body = _fetch(urllib.parse.urljoin(url, source)) if source else b""
        found = "sha384-" + base64.b64encode(hashlib.sha384(body).digest()).decode()
        right = bool(source) and integrity == found and found in published
        wrong += not right
        told.append(
            (
                f"{'相符' if right else '不符'} {source or '内联脚本'}",
                f"{'same' if right else 'DIFFERENT'} {source or 'inline script'}",
            )
        )
    told.append((f"脚本 {len(told)} 个,不符 {wrong} 个", f"{len(told)} scripts, {wrong} different"))
    return (1 if wrong else 0), told


def _with_rest(work: Mapping[int, Callable[[Remarks], None]]) -> list[Result]:
    absent = Finding("本文件不含此项", "not part of this file")
    return [
        guarded(number, work[number]) if number in work else Result(number, "not_shown", absent) for number in range(10)
    ]


def _tlog_proof(data: bytes) -> TlogProof:
    return judge(lambda: TlogProof.parse(data), "证明不可读", "the proof cannot be read", culprit=PLATFORM)


def _anchor(shown: note.Note, trust: Trust | None) -> None:
    if trust is None:
        lines = ";".join(f"{line.name} {line.key_id.hex()}" for line in shown.signatures)
        fail(
            f"未锚定(未给出 --trust);文件中自称的签名:{lines}", f"not anchored (no --trust); signatures found: {lines}"
        )
    judge(
        lambda: note.verify_checkpoint(shown, trust.log),
        "检查点不是该账本签署",
        "the checkpoint is not the log's",
        culprit=PLATFORM,
    )
    judge(lambda: note.verify_cosignatures(shown, trust.witnesses), "见证签名", "a cosignature", culprit=PLATFORM)


def _included(leaf: bytes, proof: TlogProof, checkpoint: note.Checkpoint) -> None:
    hashed = merkle.leaf_hash(leaf)
    judge(lambda: merkle.verify_inclusion(hashed, proof.index, checkpoint.size, proof.proof, checkpoint.root), "行为不在账本中",
          "the act is not in the log", event=hashed.hex(), culprit=PLATFORM)  # fmt: skip


def _first_act(data: Any) -> Mapping[str, Any]:
    rows = data.get("acts") if isinstance(data, dict) else None
    first = rows[0] if isinstance(rows, list) and rows else None
    act = first.get("act") if isinstance(first, dict) else None
    return act if isinstance(act, dict) else {}


_DRAW_FILE = shapes.record(
    kind=shapes.one_of("draw"),
    acts=shapes.rows(shapes.record(act=shapes.check_act, object=shapes.maybe(shapes.POOL)), least=4),
    proofs=shapes.rows(shapes.any_text, least=4),
    r=shapes.rows(
        shapes.record(
            i=shapes.whole(1, 3),
            r=shapes.H32,
            header=shapes.HEX,
            secrets=shapes.maybe(shapes.rows(shapes.H32, least=2)),
        )
    ),
    result=shapes.record(seats=shapes.SEATS),
)


def _draw_shape(data: Any) -> Mapping[str, Any]:
    try:
        _DRAW_FILE(data, "draw")
    except Misshapen as wrong:
        fail(f"字段不合规定:{wrong.path}(应为 {wrong.wanted})", f"field {wrong.path}: {wrong.wanted}", culprit=PLATFORM)
    shaped: Mapping[str, Any] = data
    return shaped


def _replay_file(data: Mapping[str, Any], remarks: Remarks) -> None:
    """lottery.md §7 from signatures on: acts, pool, contributions, seed, seats, replacements, panel."""
    rows: Sequence[Mapping[str, Any]] = [row["act"] for row in data["acts"]]
    tender = rows[0]
    need(tender["kind"] == "tender", "第一个行为不是招标公告", "the first act is not the TENDER act", culprit=PLATFORM)
    tender_id = judge(lambda: acts.tender_id(tender), "招标公告", "the TENDER act", culprit=PLATFORM)
    for act in rows:
        signed = judge(lambda act=act: signing.verify_act(act), "签名", "a signature", culprit=PLATFORM)  # type: ignore[misc]
        duty = act["kind"] in ("tender", "directive") or (
            signed[0].by == "duty" and signed[0].key.hex() == tender["duty_key"]
        )
        need(
            act["tender_id"] == tender_id.hex() and duty,
            "行为不属于本标段或未由值守密钥签名",
            "an act of another tender, or not by the duty key",
            culprit=PLATFORM,
        )
    results = [act for act in rows if act["kind"] == "draw_result"]
    need(results, "没有抽取结果", "no draw_result", culprit=CLOCKWORK)
    result = results[-1]
    at, pool = next(
        ((n, act) for n, act in enumerate(rows) if act["kind"] == "draw_pool" and act["draw_id"] == result["draw_id"]),
        (0, None),
    )
    close = next((act for act in rows if act["kind"] == "draw_close" and act["draw_id"] == result["draw_id"]), None)
    if pool is None or close is None:
        fail("缺少专家池或封池行为", "the pool or draw_close is missing", culprit=CLOCKWORK)
    pool_leaf, close_leaf = (merkle.leaf_hash(acts.public_leaf(act)) for act in (pool, close))
    need(
        close["pool"] == pool_leaf.hex() and result["close"] == close_leaf.hex(),
        "抽取行为互不相指",
        "the draw's acts do not name each other",
        culprit=CLOCKWORK,
    )
    need(
        pool["draw_id"] == draw.draw_id(tender_id, pool["attempt"]),
        "抽取编号不符",
        "draw_id is not that of the attempt",
        culprit=CLOCKWORK,
    )
    fixed = data["acts"][at]["object"]
    need(
        fixed is not None and sha256(jcs.dumps(fixed)).hexdigest() == pool["pool_hash"],
        "专家池与其哈希不符",
        "the pool is not that of pool_hash",
        culprit=CLOCKWORK,
    )
    for number, row in enumerate(data["acts"]):
        need(
            row["object"] is None or row["act"]["kind"] == "draw_pool",
            "多余的附件",
            "an object beside an act that names none",
            event=str(number),
        )
    strata = fixed["strata"]
    draw.check_strata(strata, pool_leaf.hex())
    r = _revealed(data["r"], close, tender, tender_id, bytes.fromhex(pool["draw_id"]))
    need(
        {row["i"]: row["r"] for row in result["r"]} == {i: value.hex() for i, value in r.items()},
        "所载随机数不符",
        "r is not that of the draw_result",
        culprit=CLOCKWORK,
    )
    seed = draw.seed_of(bytes.fromhex(pool["draw_id"]), pool_leaf, r)
    need(seed.hex() == result["seed"], "种子不符", "the seed is not that of the contributions", culprit=CLOCKWORK)
    seating = Seating(draw.orders(strata, seed))
    known = set(result["avoided"])
    draw.seat_all(seating, strata, known)
    need(
        _seats(seating) == result["seats"] and seating.avoided == result["avoided"],
        "席位不是抽取给出的",
        "the seats are not those the draw gives",
        culprit=CLOCKWORK,
    )
    for act in rows:
        if act["kind"] == "recusal" and act["draw_id"] == result["draw_id"]:
            known |= set(act["avoided"])
            there = act["seat"] <= len(seating.seats) and seating.seats[act["seat"] - 1][1] == act["out"]
            need(
                there and draw.replace_seat(seating, act["seat"], known) == act["in"],
                "替补不是次序中的下一位",
                "a replacement is not the next in order",
                culprit=CLOCKWORK,
            )
    need(
        _seats(seating) == data["result"]["seats"], "评标委员会不符", "the panel is not the one given", culprit=PLATFORM
    )
    remarks.add(f"席位 {len(seating.seats)} 个", f"{len(seating.seats)} seats")


def _revealed(
    rows: Sequence[Mapping[str, Any]],
    close: Mapping[str, Any],
    tender: Mapping[str, Any],
    tender_id: bytes,
    draw_id: bytes,
) -> dict[int, bytes]:
    roster = judge(lambda: Roster.decode(bytes.fromhex(tender["roster"])), "名册", "the roster", culprit=PLATFORM)
    listed = {row["i"]: row for row in close["contributions"]}
    need(
        [row["i"] for row in rows] == sorted(listed) and draw.CONTRIBUTORS_NEEDED <= set(listed),
        "贡献不齐",
        "the contributions are not those of draw_close",
        culprit=CLOCKWORK,
    )
    found: dict[int, bytes] = {}
    for row in rows:
        raw, key = bytes.fromhex(row["header"]), bytes.fromhex(tender["contributors"][str(row["i"])])
        need(
            sha256(raw).hexdigest() == listed[row["i"]]["header"],
            "贡献与封池不符",
            "a header that draw_close does not name",
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

        one = judge(parsed, f"贡献 {row['i']}", f"contribution {row['i']}", culprit=CLOCKWORK)
        found[row["i"]] = draw.VOID
        if row["secrets"] is not None:
            try:
                found[row["i"]] = lock.verify_lock_section(
                    one, roster, [bytes.fromhex(each) for each in row["secrets"]]
                )
            except Refused:
                fail(f"贡献 {row['i']} 解不出", f"contribution {row['i']} does not re-derive", culprit=CLOCKWORK)
        need(
            found[row["i"]].hex() == row["r"],
            f"贡献 {row['i']} 的随机数不符",
            f"the r of contribution {row['i']} is another",
            culprit=CLOCKWORK,
        )
    return found


def _seats(seating: Seating) -> list[dict[str, Any]]:
    return [{"seat": n, "stratum": stratum, "masked": masked} for n, (stratum, masked) in enumerate(seating.seats, 1)]


def _fetch(url: str) -> bytes:
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise urllib.error.URLError("only http and https")
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
        data: bytes = answer.read(PAGE_BYTES_MAX)
    return data


def _release(url: str) -> str:
    return _fetch(urllib.parse.urljoin(url, "/release.json")).decode("utf-8", "replace")


def _scripts(page: str) -> list[tuple[str, str]]:
    found = []
    for tag in re.findall(r"<script\b([^>]*)>", page, re.IGNORECASE):
        named = dict(re.findall(r'([a-z-]+)\s*=\s*"([^"]*)"', tag))
        if named.get("type") in ("application/json", "application/ld+json"):
            continue
        found.append((named.get("src", ""), named.get("integrity", "")))
    return found
