"""The verify button: a bundle made now, judged by the very program that anybody may run at home, its checks as rows."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bidding.opening_keys import Desk
from crypto import trust as trusts
from crypto.verifier import __main__ as verifier
from supervision import bundle
from trading.counter.page.session import Visitor
from trading.counter.service import Service


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the verifier said of a bundle: its exit code and the rows of its report."""

    exit: int
    view: str
    checks: list[Mapping[str, Any]]


async def of(
    service: Service,
    lot: str,
    view: Literal["public", "full"],
    *,
    visitor: Visitor,
    power: str | None,
    rehearsal: bool,
    room: Desk | bundle.Room | None,
) -> Verdict:
    """Make the bundle and verify it under the hall's own trust anchors. Raises what bundle.make refuses.

    The anchors come from this hall, so this proves the bundle whole, not the hall honest: for that, a person uses the
    verifier with anchors from elsewhere, as the page says.
    """
    with tempfile.TemporaryDirectory(prefix="tradehall-verify-") as folder:
        path = await bundle.make(
            service,
            lot,
            view,
            folder=Path(folder),
            actor=visitor.actor,
            power=power,
            now=service.world.now(),
            room=room,
            bearer=visitor.token,
        )
        trust: trusts.Trust = service.hall.trust
        report = await asyncio.to_thread(verifier.verify, path, trust, rehearsal=rehearsal)
    return Verdict(report.exit, view, [result.to_json() for result in report.results])
