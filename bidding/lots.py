"""What this room knows of a lot from the ledger: its terms, its acts in log order, the deadline in force.

docs/spec/release.md §3. The deadline in force is judged as the trustees judge it: an extension admits later bids only
when a quorum witnessed it before the deadline it replaces. So the box takes no bid that the trustees must leave out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from crypto.ledger import note
from crypto.ledger.whole_log import Logged, Stamp
from crypto.opening import ceremony as ceremonies
from crypto.opening.ceremony import Ceremony, Deadlines, Terms
from crypto.refusal import Refused
from storage import ledger
from storage.ports import AtLeast, Row
from storage.unit import Unit
from trading.hall import Hall
from trading.tender import Tender

KEPT_MAX = 1000
COSIGNATURES_LOOKED_AT = 48
PRESENTED = "presented_receipt"
"""Objects of this kind are receipts that bidders presented because the freeze list lacks their bid."""


async def terms(unit: Unit, tender: Tender) -> Terms:
    """What the TENDER act fixes for bids and their opening; read once in a process, because it never changes."""
    name = ("terms", tender.tender_id)
    known: Terms | None = unit.kept.get(name)
    if known is not None:
        return known
    rows = await unit.event.find({"tender_id": tender.tender_id, "seq": 0}, limit=1)
    assert rows, "a tender begins with its act"
    leaf = bytes.fromhex(rows[0]["leaf_hash"])
    found = ceremonies.terms(Logged(0, leaf, rows[0]["body"]))
    if len(unit.kept) >= KEPT_MAX:
        unit.kept.clear()
    unit.kept[name] = found
    return found


async def acts(unit: Unit, tender: Tender, *kinds: str) -> tuple[Logged, ...]:
    """The tender's public acts that have their place in the log, in its order; of these kinds, where any are named."""
    rows = await unit.event.find({"tender_id": tender.tender_id, "seq": AtLeast(0)}, order=("seq",))
    wanted = [row for row in rows if not kinds or row["kind"] in kinds]
    places = await ledger.places(unit, [row["id"] for row in wanted])
    return tuple(
        Logged(places[row["id"]], bytes.fromhex(row["leaf_hash"]), row["body"]) for row in wanted if row["id"] in places
    )


async def stamps(unit: Unit, places: Iterable[int], *, hall: Hall) -> tuple[Stamp, ...]:
    """For every place in the log the first stamp that covers it, as far as witnesses have cosigned."""
    found = []
    for place in sorted(set(places)):
        rows = await unit.cosignature.find({"size": AtLeast(place + 1)}, order=("size",), limit=COSIGNATURES_LOOKED_AT)
        stamped = await _first_stamp(unit, rows, hall)
        if stamped is not None:
            found.append(stamped)
    return tuple(found)


async def deadlines(unit: Unit, tender: Tender, known: Terms, *, now: datetime, hall: Hall) -> Deadlines:
    """The deadline in force at `now`, and the close act once it is sequenced."""
    if len(tender.deadlines) == 1 or now < tender.deadlines[0].deadline:
        # Before the first deadline every later one admits as well; nothing depends on who witnessed what by when.
        closing = await acts(unit, tender, "close") if tender.closed_at is not None else ()
        return Deadlines(tender.deadline, tender.deadline, closing[0] if closing else None)
    said = await acts(unit, tender, "amendment", "deadline", "incident", "hold", "resume", "close")
    moved = [each.index for each in said if each.kind != "incident"]
    return ceremonies.deadline_in_force(known, said, await stamps(unit, moved, hall=hall))


async def view(unit: Unit, tender: Tender, *, hall: Hall) -> Ceremony:
    """Everything the sequenced acts say about the opening, as a trustee reads it."""
    known = await terms(unit, tender)
    said = await acts(unit, tender)
    moved = [each.index for each in said if each.kind in ("amendment", "deadline", "hold", "close")]
    return ceremonies.ceremony(known, said, await stamps(unit, moved, hall=hall))


async def _first_stamp(unit: Unit, rows: Sequence[Row], hall: Hall) -> Stamp | None:
    for size in dict.fromkeys(row["size"] for row in rows):
        head = await ledger.head_at(unit, size)
        assert head is not None, "a cosignature is kept for a checkpoint that is there"
        try:
            quorum = note.verify_quorum(head.note, hall.trust)
        except Refused:
            continue
        return Stamp(size, quorum.complete_at)
    return None
