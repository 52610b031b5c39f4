"""What the trading centre saw at its venue: who came, what equipment did, what was out of order (见证记录).

20号令 §49: process, time, place and people are recorded as they were. The record is the centre's observation and
decides nothing (管办分离): no score, no rejection, no award follows from it; the supervisor and the parties read it.
Whoever keeps the venue can leave something out; they cannot change what was recorded.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from crypto import jcs
from crypto.refusal import Refused
from storage.unit import Unit
from trading import journal, tenders
from trading.hall import Hall
from trading.journal import Outcome
from trading.roles import Actor, Permission

TEXT_CHARACTERS_MAX = 20_000


class RecordVenue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Record what was seen at a stage of a lot."""

    lot: str
    stage: Literal["opening", "draw", "evaluation", "other"]
    text: str
    power: str | None = None


async def record_venue(cmd: RecordVenue, *, actor: Actor, now: datetime, unit: Unit, hall: Hall) -> Outcome:
    """Keep the record and log its salted hash. Raises Refused: text_missing, text_too_long, power_code_*."""
    power = actor.must(Permission.VENUE_RECORD, now=now, power=cmd.power)
    tender = (await tenders.load(unit, cmd.lot)).tender
    if not cmd.text.strip():
        raise Refused("text_missing")
    if len(cmd.text) > TEXT_CHARACTERS_MAX:
        raise Refused("text_too_long", limit=TEXT_CHARACTERS_MAX)
    data = jcs.dumps({"text": cmd.text, "salt": hall.entropy(32).hex()})
    logged = await journal.private_act(
        unit,
        hall=hall,
        lot=cmd.lot,
        tender_id=tender.tender_id,
        kind="venue_record",
        fields={
            "stage": cmd.stage,
            "text_hash": await journal.keep_object(unit, lot=cmd.lot, kind="venue_record", data=data, public=False),
        },
        actor=actor,
        now=now,
        power=power.code if power else None,
    )
    return Outcome((logged,))
