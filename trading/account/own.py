"""Who looks at its own account: the pages that every door shares, under /account/<door>/…"""

from __future__ import annotations

from crypto.refusal import Refused
from trading.counter.page.pages import Pages, Requested
from trading.counter.page.session import Visitor


async def own(pages: Pages, request: Requested, door: str) -> Visitor:
    """The visitor at that door. Raises SignedOut, and Refused("not_found") for a door whose accounts are shown by
    another process, or by none."""
    if door not in pages.accounts:
        raise Refused("not_found")
    return await pages.visitor(request, door)
