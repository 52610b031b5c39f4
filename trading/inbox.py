"""Effective notice: what somebody must learn reaches every one of them (20号令 §22, E-17, E-85).

A door only says *whom it concerns*, in words that name nobody (`downloaders`, `objector`): a job of the operation's
clockwork finds out who that is and fills the inboxes, because a door may not read who downloaded, nor who will bid
(E-20). One inbox row per receiver and act, then one job per row that sends it on by mail or text message.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from storage.unit import Unit
from storage.world import Entropy, instant, new_id, stamp
from trading import results, tenders
from trading.hall import Hall
from trading.tender import Tender

To = Literal["downloaders", "parties", "objector", "bidders"]
"""Everybody who took the documents · owner and agent · who filed the objection `ref` · every bidder of the record."""


async def notify(
    unit: Unit, to: To, *, lot: str, what: str, leaf: str, now: datetime, hall: Hall, ref: str = ""
) -> None:
    """Ask, with this transaction, that these learn of an act; `what` names the act, `leaf` is where it stands."""
    body = {"to": to, "lot": lot, "what": what, "leaf": leaf, "ref": ref, "at": stamp(now)}
    id_ = new_id(hall.entropy)
    await unit.enqueue(id=id_, kind="fill_inboxes", key=f"fill_inboxes:{leaf}:{to}", body=body, due=now)


async def fill(unit: Unit, asked: Mapping[str, Any], *, entropy: Entropy) -> int:
    """Do what `notify` asked for; returns how many inboxes were filled."""
    tender = (await tenders.load(unit, asked["lot"])).tender
    told = await _receivers(unit, tender, asked)
    for organisation, what in sorted(told.items()):
        await tell(
            unit,
            organisation,
            lot=tender.lot,
            what=what,
            leaf=asked["leaf"],
            now=instant(asked["at"]),
            entropy=entropy,
        )
    return len(told)


async def tell(
    unit: Unit, organisation: str, *, lot: str, what: str, leaf: str, now: datetime, entropy: Entropy, person: str = ""
) -> None:
    """One notice to one organisation or person, and the job that sends it on. Not for doors."""
    id_ = new_id(entropy)
    row = {"id": id_, "person": person, "organisation": organisation, "lot": lot, "created": stamp(now)}
    await unit.inbox.insert({**row, "state": "unread", "body": {"what": what, "leaf": leaf}})
    await unit.enqueue(id=new_id(entropy), kind="send_notice", key=f"send_notice:{id_}", body={"inbox": id_}, due=now)


async def _receivers(unit: Unit, tender: Tender, asked: Mapping[str, Any]) -> dict[str, str]:
    """Organisation → what it is told."""
    what = str(asked["what"])
    match asked["to"]:
        case "downloaders":
            rows = await unit.download.find({"lot": tender.lot})
            found = {row["organisation"] for row in rows} - {tender.owner, tender.agent}
        case "parties":
            found = {tender.owner, *([tender.agent] if tender.agent else [])}
        case "objector":
            row = await unit.objection.read(asked["ref"])
            assert row is not None, "an objection is never deleted"
            found = {row["organisation"]}
        case _:
            assert tender.award is not None, "bidders are told of an award"
            bidders = (await results.load(unit, tender)).bidders
            return {uscc: "award" if uscc == tender.award.uscc else "result" for uscc in bidders}
    return dict.fromkeys(found, what)
