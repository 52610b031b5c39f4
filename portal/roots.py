"""`tradehall root`: what a root does on its own machine: make its key, and certify keys and trustees of a hall.

docs/spec/acts.md §2. There are two roots, the centre's and supervision's, kept by different people on different
machines. Each shows every act in words before it signs; where both must sign, the two programs take turns.
The folder holds root.pem (Ed25519, secret), root.json (the card that the first-run page asks for) and trust.json.

Whoever has a root's folder can sign as that root; a puppet trustee needs both.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bidding.client.server import Server
from crypto import signing, terminal, trust
from crypto.ledger import acts
from crypto.refusal import Refused
from crypto.signing import Ed25519Signer
from crypto.terminal import Told, Unreachable, Unreadable
from portal import certifying, folder
from portal.first_run import anchors
from storage.world import RealWorld
from trading import rotation

SIDES = ("centre", "supervision")
ASK_AGAIN_SECONDS = 0.3
WAIT_SECONDS = 600.0
_COMMON = {"v", "kind", "tender_id", "seq", "prev", "at", "role", "power", "rule", "context", "signatures"}
_OWN = {"key": {"purpose", "key"}, "trustee": {"trustee", "organisation", "seat", "group", "key"}}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Fill in the parser of `tradehall root`."""
    parser.add_argument("--keys", required=True, type=Path, metavar="DIR", help="the root's own folder")
    steps = parser.add_subparsers(required=True, metavar="STEP", parser_class=terminal.Arguments)
    make = steps.add_parser("make", help="make the key and the card that the first-run page asks for")
    make.add_argument("--side", required=True, choices=SIDES)
    make.set_defaults(run=_make)
    certify = steps.add_parser("certify", help="show and sign what waits for this root at a hall")
    certify.add_argument("--server", required=True, metavar="URL")
    certify.add_argument("--trust", type=Path, metavar="FILE", help="trust.json, brought by a person")
    certify.add_argument("--yes", action="store_true", help="sign without asking for each act")
    certify.add_argument("--wait", type=float, default=WAIT_SECONDS, metavar="SECONDS", help="for the other root")
    certify.set_defaults(run=_certify)


def _make(given: argparse.Namespace) -> Mapping[str, Any]:
    pem = given.keys / "root.pem"
    if not pem.exists():
        folder.write_secret(pem, Ed25519Signer.generate(entropy=RealWorld().entropy).to_pem())
    signer = Ed25519Signer.from_pem(pem.read_bytes())
    there = given.keys / "root.json"
    if there.exists() and json.loads(there.read_text("utf-8"))["side"] != given.side:
        raise Refused("root_of_the_other_side")
    folder.write(there, anchors.root_card(given.side, signer))
    terminal.say(
        given,
        f"登记卡已写入 {there},请在首次运行页面上传。私钥在 {pem},只留在本机,请离线备份。",
        f"The card is in {there}: upload it on the first-run page. The key is in {pem} and stays here: back it up.",
    )
    return {"side": given.side, "key": signer.key.hex(), "card": str(there)}


def _certify(given: argparse.Namespace) -> Mapping[str, Any]:
    side, signer = _own(given)
    server = Server(given.server, device="tradehall-root")
    real, signed = RealWorld(), 0
    since = real.monotonic()
    try:
        told = server.get(certifying.PATH)
        while told["act"] is not None:
            act = check(told["act"])
            if side not in told["lacks"]:
                if real.monotonic() - since > given.wait:
                    raise Unreachable("另一方的根尚未签名 / the other root has not signed yet")
                time.sleep(ASK_AGAIN_SECONDS)
                told = server.get(certifying.PATH)
                continue
            if act["kind"] == "key" and rotation.ROOT.get(act["purpose"]) != side:
                raise Refused("act_not_asked_for", verb="certification")
            _ask(given, act)
            try:
                told = server.post(certifying.PATH, {"act": signing.sign_act(act, signer=signer, by=f"root_{side}")})
                signed += 1
            except Told as refused:
                # The other root was quicker, or another act of the hall came in between: it is drafted anew.
                if refused.problem.get("code") != "act_place_taken":
                    raise
                told = server.get(certifying.PATH)
            since = real.monotonic()
    finally:
        server.close()
    terminal.say(given, f"已签署 {signed} 份文书,没有待签的了。", f"{signed} acts signed; nothing is left to sign.")
    return {"side": side, "signed": signed}


def check(act: Mapping[str, Any]) -> dict[str, Any]:
    """An act that a root may sign: of this hall's chain, of a kind that certifies, with its fields and no other.
    Signatures already there must hold. Raises Refused("act_not_asked_for")."""
    kind = str(act.get("kind"))
    fixed = {"v": 1, "tender_id": acts.HALL_TENDER_ID, "role": "root", "power": None, "rule": None, "context": None}
    right = kind in _OWN and set(act) == _COMMON | _OWN[kind]
    if not right or any(act[name] != value for name, value in fixed.items()):
        raise Refused("act_not_asked_for", verb="certification")
    if act["signatures"]:
        signing.verify_act(act)
    return dict(act)


def words(act: Mapping[str, Any]) -> tuple[str, str]:
    """One act in words, for whoever signs it."""
    if act["kind"] == "key":
        return (
            f"大厅密钥:用途 {act['purpose']},公钥 {act['key']}",
            f"key of the hall: for {act['purpose']}, {act['key']}",
        )
    of = act["organisation"]
    return (
        f"受托人 {act['trustee']}:{of['name']}({of['uscc']}),席位 {act['seat']},{act['group']} 组,公钥 {act['key']}",
        f"trustee {act['trustee']}: {of['name']} ({of['uscc']}), seat {act['seat']}, {act['group']}, key {act['key']}",
    )


def _ask(given: argparse.Namespace, act: Mapping[str, Any]) -> None:
    terminal.say(given, *words(act))
    if given.yes:
        return
    question = "签署?[y/N] " if terminal.language(given) == "zh" else "Sign? [y/N] "
    print(question, end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Refused("not_signed")


def _own(given: argparse.Namespace) -> tuple[str, Ed25519Signer]:
    """The side and key of this folder; trust.json, if it is there, must name it. Raises Refused: root_not_in_trust."""
    pem, card = given.keys / "root.pem", given.keys / "root.json"
    if not pem.exists() or not card.exists():
        raise Unreadable(f"{given.keys}: tradehall root --keys DIR make --side SIDE")
    side = str(json.loads(card.read_text("utf-8"))["side"])
    signer = Ed25519Signer.from_pem(pem.read_bytes())
    brought = given.trust or given.keys / "trust.json"
    if given.trust or brought.exists():
        anchors_ = trust.load(brought.read_bytes())
        if anchors_.trustee_roots[side] != signer.key:
            raise Refused("root_not_in_trust", side=side)
        if brought != given.keys / "trust.json":
            folder.write(given.keys / "trust.json", brought.read_bytes())
    return side, signer
