"""Everything a bundle of one tender shows, read from the database in one unchanging view (docs/spec/bundle.md §3, §4).

The rules upheld:
- only what stands under the newest checkpoint that a quorum cosigned is shown, so that every proof leads to it;
- what only the full view may show is not even read for the public one: a public bundle cannot leak it;
- a submission outside the freeze list is nobody's business but the full view's (法 §22, §44).

Whoever runs this can leave things out, which the chains show; they cannot add or alter.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bidding import lots
from crypto.ledger import acts, note
from crypto.refusal import Refused
from crypto.verifier import reading
from crypto.verifier.shown import Act, View
from experts import queries as panels
from storage import ledger
from storage.ledger import Head
from storage.ports import AtLeast, In, Row
from storage.unit import Unit
from trading import tenders
from trading.hall import Hall
from trading.tender import Tender

STAMPED_KINDS = ("tender", "amendment", "deadline", "hold", "publicity")
"""Acts whose instant of witnessing a rule asks for; every READY names its checkpoint itself."""
COSIGNATURES_LOOKED_AT = 200


@dataclass(frozen=True, slots=True)
class Placed:
    """An event with its place in the log."""

    index: int
    row: Row

    @property
    def act(self) -> Mapping[str, Any]:
        """The public act, or the public part of a private one."""
        body: Mapping[str, Any] = self.row["body"]
        return body

    @property
    def hidden(self) -> Mapping[str, Any]:
        """A private act's confidential part, a public act's context; empty where there is none."""
        found: Mapping[str, Any] = json.loads(self.row["confidential"]) if self.row["confidential"] else {}
        return found


@dataclass(frozen=True, slots=True)
class HandedIn:
    """One submission: its event, its raw headers, and for every envelope the names of the segments of its body."""

    event: Placed
    bid: str
    headers: tuple[bytes, ...]
    certificate: bytes
    signature: str
    salt: str
    segments: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Collected:
    """The parts of one bundle, proofs still to be made. `notes` are the further checkpoints by size; `verdicts` rows by
    bid; `listed` the bids of the freeze list in force."""

    view: View
    tender: Tender
    head: Head
    notes: Mapping[int, bytes]
    hall: Sequence[Placed]
    acts: Sequence[Placed]
    objects: Mapping[str, bytes]
    bids: Sequence[HandedIn]
    listed: frozenset[str]
    verdicts: Mapping[str, Mapping[str, Any]]
    events: Sequence[Placed] = ()
    unmasking: Sequence[Mapping[str, str]] | None = None
    rescues: Sequence[str] = field(default=())


async def collect(unit: Unit, lot: str, view: View, *, hall: Hall) -> Collected:
    """Read the parts of a bundle. Raises Refused: lot_unknown, not_witnessed_yet."""
    tender = (await tenders.load(unit, lot)).tender
    head = await witnessed_head(unit, hall=hall)
    shown = await public_acts(unit, tender.tender_id, head)
    if not shown:
        raise Refused("not_witnessed_yet", lot=lot)
    objects = await _objects(unit, lot, shown, view)
    listed, verdicts = _last(shown, objects, "freeze", "list_hash"), _last(shown, objects, "verdict", "verdicts_hash")
    in_list = frozenset(row["bid"] for row in listed)
    bids = [each for each in await _bids(unit, lot, head) if view == "full" or each.bid in in_list]
    full = view == "full"
    drawn = any(each.row["kind"] == "draw_result" for each in shown)
    return Collected(
        view=view,
        tender=tender,
        head=head,
        notes=await _notes(unit, shown, head, hall=hall),
        hall=await public_acts(unit, acts.HALL_TENDER_ID, head),
        acts=shown,
        objects=objects,
        bids=bids,
        listed=in_list,
        verdicts={row["bid"]: row for row in verdicts},
        events=await private_events(unit, tender.tender_id, head) if full else (),
        unmasking=await panels.unmasking(unit, lot) if full and drawn else None,
        rescues=sorted(each.act["header"] for each in shown if each.row["kind"] == "rescue") if full else (),
    )


async def witnessed_head(unit: Unit, *, hall: Hall) -> Head:
    """The newest checkpoint that a quorum cosigned. Raises Refused("not_witnessed_yet")."""
    rows = await unit.cosignature.find(order=("-size",), limit=COSIGNATURES_LOOKED_AT)
    for size in dict.fromkeys(row["size"] for row in rows):
        head = await ledger.head_at(unit, size)
        assert head is not None, "a cosignature is kept for a checkpoint that is there"
        try:
            note.verify_quorum(head.note, hall.trust)
        except Refused:
            continue
        return head
    raise Refused("not_witnessed_yet", lot="")


async def public_acts(unit: Unit, tender_id: str, head: Head) -> list[Placed]:
    """The public acts of a chain under `head`, from seq 0 on."""
    rows = await unit.event.find({"tender_id": tender_id, "seq": AtLeast(0)}, order=("seq",))
    return await _placed(unit, rows, head)


async def private_events(unit: Unit, tender_id: str, head: Head) -> list[Placed]:
    """The private acts of a tender under `head`, in log order; what was erased is no longer there to be shown."""
    rows = await unit.event.find({"tender_id": tender_id, "seq": -1})
    kept = [row for row in rows if row["salt_p"] and row["kind"] != "cover"]
    return sorted(await _placed(unit, kept, head), key=lambda each: each.index)


def members_of(row: Mapping[str, Any] | None) -> tuple[bool, bool, bool]:
    """Whether a bid of the list has body-0, body-1 and secrets in the full view, by its verdict row (bundle.md §3)."""
    if row is None:
        return False, False, False
    lost = row["envelope"] if row["verdict"] == "lost" else None
    judged = row["verdict"] == "valid" or (row["envelope"] == 1 and row["verdict"] != "unopened")
    return lost != 0, lost != 1, judged


async def _placed(unit: Unit, rows: Sequence[Row], head: Head) -> list[Placed]:
    places = await ledger.places(unit, [row["id"] for row in rows])
    found = [Placed(places[row["id"]], row) for row in rows if row["id"] in places]
    return [each for each in found if each.index < head.size]


async def _notes(unit: Unit, shown: Sequence[Placed], head: Head, *, hall: Hall) -> dict[int, bytes]:
    """The older checkpoints that rules ask for: what READYs name, and the first stamps of what periods count from."""
    sizes = {each.act["checkpoint"]["size"] for each in shown if each.row["kind"] == "ready"}
    counted = [each.index for each in shown if each.row["kind"] in STAMPED_KINDS]
    sizes |= {stamped.size for stamped in await lots.stamps(unit, counted, hall=hall)}
    notes = {}
    for size in sorted(size for size in sizes if size < head.size):
        older = await ledger.head_at(unit, size)
        assert older is not None, "a checkpoint that was witnessed is kept"
        notes[size] = older.note.encode()
    return notes


async def _objects(unit: Unit, lot: str, shown: Iterable[Placed], view: View) -> dict[str, bytes]:
    """Every object the acts name and the view may show; the verifier's own table says which."""
    known = [Act(each.index, each.act, each.row["leaf_hash"], ()) for each in shown]
    names = {name for name, _, _ in reading.named_objects(known, view)}
    found = {row["hash"]: bytes(row["data"]) for row in await unit.object.find({"lot": lot, "hash": In(tuple(names))})}
    missing = min(names - set(found), default=None)
    if missing is not None:
        raise Refused("object_unknown", lot=lot, hash=missing)
    return found


async def _bids(unit: Unit, lot: str, head: Head) -> list[HandedIn]:
    rows = {row["id"]: row for row in await unit.submission.find({"lot": lot})}
    events = await unit.event.find({"lot": lot, "kind": "submit"})
    found = []
    for event in await _placed(unit, [each for each in events if each["id"] in rows and each["salt_p"]], head):
        told = rows[event.row["id"]]["body"]
        uploads = await unit.upload.find({"id": In(tuple(told["uploads"]))})
        leaves = {upload["id"]: tuple(upload["body"]["leaves"]) for upload in uploads}
        found.append(
            HandedIn(
                event,
                told["bid"],
                tuple(base64.b64decode(text) for text in told["headers"]),
                base64.b64decode(told["certificate"]),
                told["signature"],
                told["salt"],
                tuple(leaves[id_] for id_ in told["uploads"]),
            )
        )
    return sorted(found, key=lambda each: each.bid)


def _last(shown: Sequence[Placed], objects: Mapping[str, bytes], kind: str, name: str) -> list[dict[str, Any]]:
    """The object that the last act of a kind names, [] without such an act."""
    last = next((each for each in reversed(shown) if each.row["kind"] == kind), None)
    rows: list[dict[str, Any]] = [] if last is None else json.loads(objects[last.act[name]])
    return rows
