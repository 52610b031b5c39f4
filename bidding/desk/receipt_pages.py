"""Receipts of own submissions and withdrawals: the file that proves, and a page to print with its heart as a QR code.

E-38, docs/spec/ledger.md §7. The page is made from what the receipt proves under the hall's own anchors; the file is
the proof, and whoever doubts the hall verifies it with `tradehall-verify` under anchors of its own.
"""

from __future__ import annotations

from typing import Any

import segno
from litestar import Response, get
from litestar.params import FromPath
from markupsafe import Markup

from bidding.desk import reading, wording
from bidding.desk.bid_pages import base
from crypto.ledger.receipt import ReceiptProved
from crypto.refusal import Refused
from trading.counter.page.pages import Pages, Requested

FILE = {"x-content-type-options": "nosniff", "cache-control": "no-store"}


def routes(pages: Pages) -> list[Any]:
    """The two handlers."""
    service = pages.service

    @get("/bidder/receipts/{event:str}")
    async def shown(request: Requested, event: FromPath[str]) -> Response[str]:
        visitor = await pages.visitor(request)
        _, proved = await reading.receipt_of(service, event, actor=visitor.actor, bearer=visitor.token)
        if proved is None:
            raise Refused("receipt_not_sequenced", event=event)
        act = proved.event["public"]
        own = proved.event.get("confidential") or {}
        return pages.show(
            request,
            "bidder_receipt.html",
            visitor=visitor,
            event=event,
            proved=proved,
            act={**own, **act},
            stage=reading.stage_of(proved),
            witnesses=[(one.witness.name, one.at) for one in proved.cosigned],
            picture=picture(proved),
            address=base(request),
            w=wording,
        )

    @get("/bidder/receipts/{event:str}/file")
    async def file(request: Requested, event: FromPath[str]) -> Response[bytes]:
        visitor = await pages.visitor(request)
        proof, proved = await reading.receipt_of(service, event, actor=visitor.actor, bearer=visitor.token)
        if proved is None:
            raise Refused("receipt_not_sequenced", event=event)
        act = {**(proved.event.get("confidential") or {}), **proved.event["public"]}
        name = f"{act.get('lot', 'lot')}.{act['kind']}.v{act.get('version', 0)}.receipt"
        headers = {**FILE, "content-disposition": f'attachment; filename="{name}"'}
        return Response(proof.encode(), media_type="text/plain; charset=utf-8", headers=headers)

    return [shown, file]


def picture(proved: ReceiptProved) -> Markup:
    """The heart of a receipt as a QR code (SVG): log, leaf, tree; lines of text, so that any reader shows them."""
    checkpoint = proved.checkpoint
    lines = (
        "tradehall receipt v1",
        checkpoint.origin,
        f"leaf {proved.index} {proved.leaf_hash.hex()}",
        f"tree {checkpoint.size} {checkpoint.root.hex()}",
        f"grade {proved.grade}",
    )
    made = segno.make("\n".join(lines), error="m", micro=False)
    return Markup(made.svg_inline(scale=4, border=4, dark="#000", light="#fff", omitsize=True))
