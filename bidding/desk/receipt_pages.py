"""Receipts of own submissions and withdrawals: the file that proves, and a page to print with its heart as a QR code.

E-38, docs/spec/ledger.md §7. The page is made from what the receipt proves under the hall's own anchors; the file is
the proof, and whoever doubts the hall verifies it with `tradehall-verify` under anchors of its own. A bidder that
misses its bid in the frozen list presents the file: trustees refuse to open without it (release.md §4).
"""

from __future__ import annotations

from typing import Any

import segno
from litestar import Response, get, post
from litestar.params import FromPath
from markupsafe import Markup

from bidding import evidence
from bidding.desk import reading, wording
from bidding.desk.bid_pages import base
from crypto.ledger import receipt
from crypto.ledger.receipt import ReceiptProved
from crypto.refusal import Refused
from trading.counter.page import doing, forms
from trading.counter.page.forms import Field
from trading.counter.page.pages import Pages, Requested

FILE = {"x-content-type-options": "nosniff", "cache-control": "no-store"}

PRESENTED = (Field("receipt", "回执文件", "Receipt file", "file", accept=".receipt"),)


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

    @post("/bidder/lots/{lot:str}/present", status_code=200)
    async def present(request: Requested, lot: FromPath[str]) -> Response[str]:
        visitor = await pages.visitor(request)
        await doing.check_csrf(request, visitor)
        filled = await forms.read(request, PRESENTED)
        if not filled.ok:
            raise Refused("receipt_not_chosen")
        data = filled.values["receipt"].data
        if len(data) > receipt.RECEIPT_BYTES_MAX:
            raise Refused("receipt_not_chosen")
        hall = service.hall
        await service.database.write(lambda unit: evidence.present(unit, lot, data, hall=hall), bearer=visitor.token)
        return pages.go(
            request,
            f"/bidder/lots/{lot}",
            zh="回执已出示:每位受托人核对封存清单时都会看到它。",
            en="Presented: every trustee sees the receipt when it checks the frozen list.",
        )

    return [shown, file, present]


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
