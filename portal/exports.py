"""Small files cut out of a public bundle: draw.json and scores.json, each to be judged alone (contract: Files)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crypto import jcs
from crypto.ledger import note
from crypto.ledger.receipt import TlogProof
from crypto.refusal import Refused
from crypto.sealing import header as headers
from crypto.sealing import lock
from crypto.verifier import archive
from crypto.verifier.archive import Archive


def scores(bundle: Path) -> bytes:
    """The scores.json that `scores_locked` names. Raises Refused("act_missing") before that."""
    read = archive.read(bundle)
    act = _last(_lines(read), "scores_locked")["act"]
    return read.read(f"objects/{act['scores_hash']}")


def draw(bundle: Path) -> bytes:
    """The draw.json of docs/spec/lottery.md §7: everything anybody needs to replay the draw."""
    read = archive.read(bundle)
    lines = _lines(read)
    result = _last(lines, "draw_result")
    draw_id = result["act"]["draw_id"]
    mine = [line for line in lines if line["act"]["kind"] == "tender" or line["act"].get("draw_id") == draw_id]
    closing = _last(lines, "draw_close")
    mine = sorted([*mine, *([closing] if closing not in mine else [])], key=lambda line: line["act"]["seq"])
    checkpoint = note.Note.parse(read.read("log/checkpoint"))
    pool = _last(lines, "draw_pool")["act"]["pool_hash"]
    told = {
        "kind": "draw",
        "acts": [
            {
                "act": line["act"],
                "object": jcs.loads(read.read(f"objects/{pool}")) if line["act"]["kind"] == "draw_pool" else None,
            }
            for line in mine
        ],
        "proofs": [
            TlogProof(None, line["index"], tuple(bytes.fromhex(each) for each in line["proof"]), checkpoint)
            .encode()
            .decode()
            for line in mine
        ],
        "r": [_value(read, lines, given, closing["act"]) for given in result["act"]["r"]],
        "result": {"seats": _seats(result["act"], mine)},
    }
    return jcs.dumps(told)


def _value(read: Archive, lines: list[dict[str, Any]], given: Mapping[str, Any], closing: Mapping[str, Any]) -> Any:
    """One contributor's value with its header and the secrets that the trustees' shares give."""
    named = next(each["header"] for each in closing["contributions"] if each["i"] == given["i"])
    raw = read.read(f"objects/{named}")
    header = headers.parse_contribution(raw)
    shares: dict[int, dict[int, bytes]] = {}
    for line in lines:
        act = line["act"]
        if act["kind"] != "release":
            continue
        for each in jcs.loads(read.read(f"objects/{act['shares_hash']}"))["draws"]:
            if each["header"] == named:
                share = bytes.fromhex(each["share"])
                try:
                    lock.check_share(header, act["lock"], act["index"], share)
                except Refused:
                    continue  # A lying trustee's share is left out here; the bundle names the trustee.
                shares.setdefault(act["lock"], {})[act["index"]] = share
    secrets = None
    if all(len(shares.get(number, {})) >= each.t for number, each in enumerate(header.locks)):
        secrets = [
            lock.combine(header, number, dict(sorted(shares[number].items())[: each.t])).hex()
            for number, each in enumerate(header.locks)
        ]
    return {"i": given["i"], "r": given["r"], "header": raw.hex(), "secrets": secrets}


def _seats(result: Mapping[str, Any], lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The panel after all replacements."""
    seats = {seat["seat"]: dict(seat) for seat in result["seats"]}
    for line in lines:
        if line["act"]["kind"] == "recusal":
            seats[line["act"]["seat"]]["masked"] = line["act"]["in"]
    return [seats[number] for number in sorted(seats)]


def _lines(read: Archive) -> list[dict[str, Any]]:
    return [jcs.loads(line) for line in read.read("log/acts.jsonl").splitlines()]


def _last(lines: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    found = [line for line in lines if line["act"]["kind"] == kind]
    if not found:
        raise Refused("act_missing", kind=kind)
    return found[-1]
