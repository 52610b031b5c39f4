"""Where nobody signs in: the public pages of a hall whose doors are processes of their own show the way to each.

The public process knows no account and sets no cookie; the reverse proxy leads a chosen door's address to that door.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from litestar import Response, get

from trading.counter.page.pages import Pages, Requested

TEMPLATES = Path(__file__).parent / "templates"
DOORS = (
    ("bidder", ("投标人", "Bidders")),
    ("desk", ("招标人和招标代理机构", "Owners and agents")),
    ("expert", ("评标专家和招标人代表", "Experts and owners' representatives")),
    ("watch", ("监督部门", "Supervision")),
    ("centre", ("交易中心", "Trading centre")),
    ("trustee", ("受托人、见证人和公证人员", "Trustees, witnesses and notaries")),
)


def routes(pages: Pages) -> list[Any]:
    """The handlers."""

    @get(["/account", "/account/sign-in"])
    async def choose(request: Requested) -> Response[str]:
        return pages.show(request, "choose_door.html", doors=DOORS)

    return [choose]
