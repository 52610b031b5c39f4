"""The reader of draw.json: a whole draw made again from public acts, their proofs and the contributions.

docs/spec/lottery.md §7, in its order: shape, proofs, signatures, attempt, pool, contributions and r, seed,
seats, replacements, the panel. Conflicts cannot be judged from masked ids: who was passed over is taken from the acts,
and must be exactly whom the order makes one meet.

Whoever writes a draw.json can leave a draw out; they cannot change one outcome of the draw it tells of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from crypto import contribution, jcs, lottery, signing
from crypto.ledger import acts, merkle, note
from crypto.ledger.receipt import TlogProof
from crypto.ledger.whole_log import Logged
from crypto.lottery import Panel, Pool
from crypto.opening import ceremony as ceremonies
from crypto.opening.ceremony import Terms
from crypto.refusal import Refused
from crypto.sealing import header as headers

DRAW_BYTES_MAX: Final = 256 * 1024 * 1024
_DUTY_KINDS: Final = frozenset({"draw_pool", "draw_close", "draw_result", "recusal"})
_KINDS: Final = _DUTY_KINDS | {"tender", "directive", "ready"}


@dataclass(frozen=True, slots=True)
class Replayed:
    """What was proved: the draw, its seed, the panel after all replacements, and the tree that holds the acts.

    `anchored` says that a quorum of known witnesses cosigned that tree; without anchors nothing is proved about who
    keeps the log.
    """

    draw_id: bytes
    attempt: int
    seed: bytes
    panel: Panel
    checkpoint: note.Checkpoint
    anchored: bool


def load(data: bytes) -> dict[str, Any]:
    """The value of a draw.json. Raises Refused: jcs_*, draw_file (`field`)."""
    value = jcs.loads(data, bytes_max=DRAW_BYTES_MAX)
    if not isinstance(value, dict) or set(value) != {"kind", "acts", "proofs", "r", "result"}:
        raise Refused("draw_file", field="draw.json")
    if value["kind"] != "draw" or not all(isinstance(value[name], list) for name in ("acts", "proofs", "r")):
        raise Refused("draw_file", field="kind")
    return value


def replay(value: Mapping[str, Any], anchors: note.Anchors | None) -> Replayed:
    """Draw again and compare. Raises Refused: draw_file, draw_act, draw_attempt, draw_pool_*, object_hash,
    draw_contributors, draw_reveal, draw_seed, draw_seats, draw_replacement, and what the modules named above refuse."""
    try:
        return _replay(value, anchors)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise Refused("draw_file", field=str(error)[:80]) from None


def _replay(value: Mapping[str, Any], anchors: note.Anchors | None) -> Replayed:
    logged, objects, checkpoint = _acts(value, anchors)
    terms = ceremonies.terms(logged[0])
    for each in logged:
        _require_signed(each, terms)
    result = _last(logged, "draw_result")
    draw_id = str(result.act["draw_id"])
    pool_at = next((at for at, each in enumerate(logged) if _is(each, "draw_pool", draw_id)), None)
    if pool_at is None:
        raise Refused("draw_act", kind="draw_pool")
    pool_act = logged[pool_at]
    attempt = lottery.check_attempt([each.act for each in logged[:pool_at]], pool_act.act)
    pool = Pool.of(objects[pool_at])
    if pool.hash().hex() != pool_act.act["pool_hash"]:
        raise Refused("object_hash", object="pool")
    close = next((each for each in logged[pool_at:] if _closes(each, pool_act)), None)
    if close is None or close.index > result.index or result.act["close"] != close.leaf.hex():
        raise Refused("draw_act", kind="draw_close")
    r, void = _reveal(value["r"], close, bytes.fromhex(draw_id), terms, logged)
    seed = lottery.seed(bytes.fromhex(draw_id), pool_act.leaf, r)
    told = [{"i": i, "r": r[i].hex()} for i in sorted(r)]
    if result.act["seed"] != seed.hex() or result.act["r"] != told or result.act["void"] != void:
        raise Refused("draw_seed", seed=seed.hex())
    recusals = [each for each in logged if _is(each, "recusal", draw_id)]
    panel = _panel(pool, seed, result, recusals)
    if value["result"] != {"seats": [each.object() for each in panel.seats]}:
        raise Refused("draw_seats", seats=len(panel.seats))
    return Replayed(bytes.fromhex(draw_id), attempt, seed, panel, checkpoint, anchors is not None)


def _acts(value: Mapping[str, Any], anchors: note.Anchors | None) -> tuple[list[Logged], list[Any], note.Checkpoint]:
    """The acts with their places, their objects, and the one checkpoint that all proofs lead to."""
    if len(value["acts"]) != len(value["proofs"]) or not value["acts"]:
        raise Refused("draw_file", field="proofs")
    shown: note.Note | None = None
    logged: list[Logged] = []
    for entry, text in zip(value["acts"], value["proofs"], strict=True):
        if set(entry) != {"act", "object"} or entry["act"]["kind"] not in _KINDS:
            raise Refused("draw_file", field="acts")
        proof = TlogProof.parse(text.encode("utf-8"))
        shown = shown or proof.checkpoint
        if proof.checkpoint != shown or proof.extra is not None or (logged and proof.index <= logged[-1].index):
            raise Refused("draw_file", field="proofs")
        leaf = merkle.leaf_hash(acts.public_leaf(entry["act"]))
        tree = note.Checkpoint.parse(shown.text)
        merkle.verify_inclusion(leaf, proof.index, tree.size, proof.proof, tree.root)
        logged.append(Logged(proof.index, leaf, entry["act"]))
    assert shown is not None
    if anchors is not None:
        note.verify_quorum(shown, anchors)
    tender_id = acts.tender_id(logged[0].act).hex()
    if any(each.act["tender_id"] != tender_id for each in logged) or _count(logged, "tender") != 1:
        raise Refused("draw_act", kind="tender")
    return logged, [entry["object"] for entry in value["acts"]], note.Checkpoint.parse(shown.text)


def _require_signed(each: Logged, terms: Terms) -> None:
    """Draw acts by the duty key, directives by supervision; Refused("draw_act"). Who owner and trustees are, and what
    a rotated duty key is, a bundle shows."""
    signers = signing.verify_act(each.act)
    certificates = [signer.certificate for signer in signers if signer.certificate is not None]
    by_duty = any(signer.key == terms.duty_key for signer in signers)
    supervisor = terms.contributors[lottery.SUPERVISOR]
    directed = any(signing.certificate_spki(certificate) == supervisor for certificate in certificates)
    if (each.kind in _DUTY_KINDS and not by_duty) or (each.kind == "directive" and not directed):
        raise Refused("draw_act", kind=each.kind)


def _reveal(
    entries: Sequence[Mapping[str, Any]], close: Logged, draw_id: bytes, terms: Terms, logged: Sequence[Logged]
) -> tuple[dict[int, bytes], list[dict[str, Any]]]:
    """r by contributor and `void`, from headers and secrets; Refused("draw_reveal") where they do not fit."""
    listed = close.act["contributions"]
    order = [entry["i"] for entry in listed]
    if order != sorted(set(order)) or [entry["i"] for entry in entries] != order:
        raise Refused("draw_contributors", contributors=order)
    r: dict[int, bytes] = {}
    void: list[dict[str, Any]] = []
    for entry, said in zip(entries, listed, strict=True):
        if set(entry) != {"i", "r", "header", "secrets"} or set(said) != {"i", "header", "signature"}:
            raise Refused("draw_file", field="r")
        i, raw = entry["i"], bytes.fromhex(entry["header"])
        if hashlib.sha256(raw).hexdigest() != said["header"]:
            raise Refused("object_hash", object=f"contribution {i}")
        header = contribution.verify(
            raw,
            bytes.fromhex(said["signature"]),
            draw_id=draw_id,
            tender_id=terms.tender_id,
            contributor=i,
            roster=terms.roster,
            spki=terms.contributors[i],
        )
        secrets = None if entry["secrets"] is None else [bytes.fromhex(each) for each in entry["secrets"]]
        if secrets is None and not _complained(header, said["header"], logged):
            raise Refused("draw_reveal", contributor=i)
        r[i], why = contribution.reveal(header, terms.roster, secrets)
        if entry["r"] != r[i].hex():
            raise Refused("draw_reveal", contributor=i)
        if why is not None:
            void.append({"i": i, "why": why})
    return r, void


def _complained(header: headers.Header, hashed: str, logged: Sequence[Logged]) -> bool:
    """More than n − t trustees of one lock complained in `ready` acts shown: else the hall could void whom it likes."""
    for number, lock in enumerate(header.locks):
        places = {
            complaint["index"]
            for each in logged
            if each.kind == "ready" and each.act["lock"] == number
            for complaint in each.act["complaints"]
            if complaint["header"] == hashed and complaint["index"] == each.act["index"]
        }
        if len(places) > lock.n - lock.t:
            return True
    return False


def _panel(pool: Pool, seed: bytes, result: Logged, recusals: Sequence[Logged]) -> Panel:
    orders = lottery.draw(pool, seed)
    conflicts: Collection[bytes] = {
        bytes.fromhex(masked) for each in (result, *recusals) for masked in each.act["avoided"]
    }
    panel = lottery.seat(pool, orders, conflicts=conflicts)
    told = [each.object() for each in panel.seats]
    if result.act["seats"] != told or result.act["avoided"] != [each.hex() for each in panel.avoided]:
        raise Refused("draw_seats", seats=len(panel.seats))
    for each in recusals:
        left = panel.of(each.act["seat"])
        following = lottery.fill(panel, orders, left.seat, conflicts=conflicts)
        right = {
            "out": left.masked.hex(),
            "in": following.of(left.seat).masked.hex(),
            "avoided": [masked.hex() for masked in following.avoided[len(panel.avoided) :]],
        }
        if each.index < result.index or any(each.act[name] != right[name] for name in right):
            raise Refused("draw_replacement", seat=left.seat)
        panel = following
    return panel


def _is(each: Logged, kind: str, draw_id: str) -> bool:
    return each.kind == kind and each.act["draw_id"] == draw_id


def _closes(each: Logged, pool: Logged) -> bool:
    return _is(each, "draw_close", str(pool.act["draw_id"])) and each.act["pool"] == pool.leaf.hex()


def _count(logged: Sequence[Logged], kind: str) -> int:
    return sum(each.kind == kind for each in logged)


def _last(logged: Sequence[Logged], kind: str) -> Logged:
    found = [each for each in logged if each.kind == kind]
    if not found:
        raise Refused("draw_act", kind=kind)
    return found[-1]
