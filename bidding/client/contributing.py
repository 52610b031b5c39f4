"""A contributor's random number for the draw of a panel, made and sealed on the contributor's own machine.

docs/spec/lottery.md §3. Centre, supervision and owner each seal one number to the tender's trustees. To whom it is
sealed is proved from the whole ledger and trust.json first: under a puppet roster whoever runs the hall could read the
number, and the draw could be foreseen. Nothing of the number or its secrets is kept or printed; the file that is
written holds the sealed header and the signature, which a page of the hall or the API takes.
"""

from __future__ import annotations

import argparse
import base64
import time
from collections.abc import Callable, Mapping
from typing import Any

from bidding.client import files, ledger
from bidding.client import notice as notices
from bidding.client.identity import Identity
from bidding.client.notice import Notice
from bidding.client.server import Server
from crypto import contribution, lottery, signing, terminal
from crypto.refusal import Refused

PATIENCE_SECONDS = 5.0


def run(
    server: Server, me: Identity, arguments: argparse.Namespace, *, entropy: Callable[[int], bytes]
) -> Mapping[str, Any]:
    """The command `contribute LOT -o contribution.json`. Raises Refused: what notices.prove and `make` refuse."""
    notice = _fetched(server, me, arguments.lot)
    made = make(notice, me, entropy=entropy)
    files.write_json(arguments.out, made)
    terminal.say(
        arguments,
        f"密封随机数已写入 {arguments.out}（第 {made['i']} 方）。请在抽取页面提交这个文件。",
        f"The sealed number is in {arguments.out} (contributor {made['i']}). Hand the file in on the page of the draw.",
    )
    return {"lot": notice.lot, "draw_id": made["draw_id"], "i": made["i"], "file": str(arguments.out)}


def make(notice: Notice, me: Identity, *, entropy: Callable[[int], bytes]) -> dict[str, Any]:
    """{"lot","draw_id","i","header" (base64),"signature" (hex)} for the draw that is open.

    Raises Refused: no_draw_open, contributor_not_named.
    """
    draw_id = _open_draw(notice)
    named = {str(key): int(i) for i, key in notice.act["contributors"].items()}
    if me.spki.hex() not in named:
        raise Refused("contributor_not_named", lot=notice.lot)
    number = named[me.spki.hex()]
    made = contribution.make(
        draw_id=draw_id,
        tender_id=notice.terms.tender_id,
        contributor=number,
        roster=notice.terms.roster,
        signer=me.signer,
        spki=me.spki,
        entropy=entropy,
    )
    return {
        "lot": notice.lot,
        "draw_id": draw_id.hex(),
        "i": number,
        "header": base64.b64encode(made.header).decode(),
        "signature": made.signature.hex(),
    }


def _fetched(server: Server, me: Identity, lot: str) -> Notice:
    """The proved notice; asks again for a while where no draw is open yet: witnesses see an act some seconds late."""
    waited = 0.0
    while True:
        log = ledger.own_copy(server, me.folder, me.trust)
        notice, _, _ = notices.fetch(server, log, lot, me.trust)
        try:
            _open_draw(notice)
        except Refused:
            if waited >= PATIENCE_SECONDS:
                raise
        else:
            return notice
        time.sleep(ledger.ASK_AGAIN_SECONDS)
        waited += ledger.ASK_AGAIN_SECONDS


def _open_draw(notice: Notice) -> bytes:
    """The draw of the last pool that the duty key signed, unless it is closed. Raises Refused("no_draw_open")."""
    last: tuple[bytes, bool] | None = None
    for each in notice.acts:
        if each.kind not in ("draw_pool", "draw_close") or not _of_duty(notice, each.act):
            continue
        if each.kind == "draw_close":
            last = last and (last[0], last[1] and each.act["draw_id"] != last[0].hex())
            continue
        draw_id = lottery.draw_id(notice.terms.tender_id, each.act["attempt"])
        if draw_id.hex() == each.act["draw_id"]:
            last = (draw_id, True)
    if last is None or not last[1]:
        raise Refused("no_draw_open", lot=notice.lot)
    return last[0]


def _of_duty(notice: Notice, act: Mapping[str, Any]) -> bool:
    try:
        return notice.terms.duty_key in [each.key for each in signing.verify_act(act)]
    except Refused:
        return False
