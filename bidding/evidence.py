"""What the hall shows a seated trustee after the freeze, so that it can judge the list for itself against its own log.

docs/spec/release.md §4. Of every submission: the public part of its act, salt_p, hash of the confidential part,
place and proof under the trustee's own checkpoint, certificate, signature, salt; headers only of what the list holds.
Persons, addresses and devices stay behind their hash. Before the freeze there is nothing to show (E-39).

Whoever serves this can leave something out, which makes a trustee refuse and a receipt prove; they cannot add or alter.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bidding import box, lots, trustee_commands
from crypto import jcs, signing
from crypto.ledger import acts, merkle, receipt
from crypto.opening.ceremony import Ceremony
from crypto.refusal import Refused
from storage import ledger
from storage.ledger import Ledger
from storage.ports import Row
from storage.unit import Database, Unit
from storage.world import instant, stamp
from trading import journal, tenders
from trading.hall import Hall
from trading.tender import Tender

REQUEST_KIND = "frozen_read"
REQUEST_FIELDS = frozenset({"kind", "lot", "trustee", "at", "size", "origin", "signatures"})
FRESH_SECONDS = 60
PRESENTED_MAX = 1000
PRESENTED_BY_ONE_MAX = 20
"""Of one person's acts: who hands in a thousand versions must not fill the table before a rival's omission comes."""
STAMPED_KINDS = frozenset({"amendment", "deadline", "hold", "close", "freeze", "ready"})


def check_request(request: Mapping[str, Any], *, now: datetime, hall: Hall) -> tuple[str, str, int]:
    """(lot, trustee id, size of its checkpoint) of a signed request that is at most a minute old; whose key signed is
    checked against the roster by `shown`.

    It is signed like an act, of a kind that no ledger holds: {"kind":"frozen_read","lot","trustee","at","size",
    "origin","signatures"}. Raises Refused: request_malformed, request_stale, and what signing.verify_act refuses.
    """
    if set(request) != REQUEST_FIELDS or request["kind"] != REQUEST_KIND or request["origin"] != hall.origin:
        raise Refused("request_malformed", kind=REQUEST_KIND)
    lot, trustee, size, at = (request[name] for name in ("lot", "trustee", "size", "at"))
    if not (isinstance(lot, str) and isinstance(trustee, str) and type(size) is int and size > 0):
        raise Refused("request_malformed", kind=REQUEST_KIND)
    try:
        asked = instant(str(at))
    except ValueError as error:
        raise Refused("request_stale", at=str(at)[:40], now=stamp(now)) from error
    if abs(now - asked) > timedelta(seconds=FRESH_SECONDS):
        raise Refused("request_stale", at=stamp(asked), now=stamp(now))
    return lot, trustee, size


async def shown(
    database: Database, log: Ledger, request: Mapping[str, Any], *, now: datetime, hall: Hall
) -> dict[str, Any]:
    """The evidence for one trustee, proofs under the checkpoint of the size it names.

    Raises Refused: what check_request refuses, lot_unknown, trustee_unknown, not_my_seat, act_not_signed_by,
    still_sealed (E-39), checkpoint_unknown.
    """
    lot, id_, size = check_request(request, now=now, hall=hall)
    await database.read(lambda unit: _check_signer(unit, lot, id_, request))
    held, view, submissions, withdrawals = await database.read(lambda unit: _rows(unit, lot, hall))
    freeze = view.freeze
    if freeze is None:
        raise Refused("still_sealed", rule="E-39", lot=lot)
    listed = await database.read(lambda unit: tenders.object_bytes(unit, lot, freeze.act["list_hash"]))
    leaves = {row["submission"] for row in json.loads(listed)}
    told = await database.read(lambda unit: _objects(unit, held, view))
    return {
        "lot": lot,
        "size": size,
        "freeze_list": _text(listed),
        "rulebook": _text(told["rulebook"]),
        "contributions": {name: _text(data) for name, data in told["contributions"].items()},
        "receipts": [_text(data) for data in told["receipts"]],
        "submissions": [
            each
            | {"headers": row["body"]["headers"] if row["body"]["leaf"] in leaves else []}
            | {name: row["body"][name] for name in ("certificate", "salt", "signature")}
            for row, each in await _proved(database, log, submissions, size)
        ],
        "withdrawals": [
            each | {"certificate": row["body"]["certificate"]}
            for row, each in await _proved(database, log, withdrawals, size)
        ],
        "stamps": await _stamps(database, log, view, size, hall),
    }


async def present(unit: Unit, lot: str, data: bytes, *, hall: Hall) -> str:
    """Keep a bidder's receipt for the trustees to see: one of a submission or withdrawal of this lot that verifies.

    One is kept of every act: what no signature covers (`context`, lines of unknown witnesses) could be varied without
    end. Returns the hash of what is kept. Raises Refused: lot_unknown,
    receipt_of_another_lot, receipts_too_many, as receipt.verify does.
    """
    held = await tenders.load(unit, lot)
    proved = receipt.verify(data, hall.trust)
    public = proved.event.get("public", {})
    if public.get("tender_id") != held.tender.tender_id or public.get("kind") not in ("submit", "withdraw"):
        raise Refused("receipt_of_another_lot", lot=lot)
    kept = {}
    for row in await unit.object.find({"lot": lot, "kind": lots.PRESENTED}, limit=PRESENTED_MAX):
        kept[_leaf_of(bytes(row["data"]))] = str(row["hash"])
    leaf = proved.leaf_hash.hex()
    if leaf in kept:
        return kept[leaf]
    own = await unit.event.find({"leaf_hash": leaf}, limit=1)
    of_one = await unit.event.find({"lot": lot, "actor": own[0]["actor"]}) if own else []
    for count, most in ((len(kept), PRESENTED_MAX), (len(kept.keys() & _leaves(of_one)), PRESENTED_BY_ONE_MAX)):
        if count >= most:
            raise Refused("receipts_too_many", count_max=most)
    parsed, extra = receipt.parse(data)
    bare = {name: value for name, value in extra.items() if name != "context"}
    shown = replace(parsed, extra=jcs.dumps(bare)).encode()
    return await journal.keep_object(unit, lot=lot, kind=lots.PRESENTED, data=shown, public=False)


def _leaf_of(data: bytes) -> str:
    return merkle.leaf_hash(receipt.event_leaf(receipt.parse(data)[1])).hex()


def _leaves(rows: Sequence[Row]) -> set[str]:
    return {str(row["leaf_hash"]) for row in rows}


async def _check_signer(unit: Unit, lot: str, id_: str, request: Mapping[str, Any]) -> None:
    trustee = await trustee_commands.seated_trustee(unit, lot, id_)
    if [signer.key.hex() for signer in signing.verify_act(request)] != [trustee.key]:
        raise Refused("act_not_signed_by", kind=REQUEST_KIND, uscc=trustee.uscc)


async def _rows(unit: Unit, lot: str, hall: Hall) -> tuple[Tender, Ceremony, list[Row], list[Row]]:
    tender = (await tenders.load(unit, lot)).tender
    view = await lots.view(unit, tender, hall=hall)
    if view.freeze is None:
        return tender, view, [], []
    return tender, view, await unit.submission.find({"lot": lot}), await unit.withdrawal.find({"lot": lot})


async def _objects(unit: Unit, tender: Tender, view: Ceremony) -> dict[str, Any]:
    headers = [hashed.hex() for draw in view.draws for _, hashed, _ in draw.contributions]
    found = {name: await unit.object.read(tender.lot, name) for name in headers}
    presented = await unit.object.find({"lot": tender.lot, "kind": lots.PRESENTED}, limit=PRESENTED_MAX)
    return {
        "rulebook": await tenders.object_bytes(unit, tender.lot, tender.rulebook),
        "contributions": {name: bytes(row["data"]) for name, row in found.items() if row is not None},
        "receipts": [bytes(row["data"]) for row in presented],
    }


async def _proved(database: Database, log: Ledger, rows: Sequence[Row], size: int) -> list[tuple[Row, dict[str, Any]]]:
    """Each row with its event as it may be shown and the proof of its place in the tree of `size`, in log order."""
    found = []
    for row in rows:
        included = await log.inclusion(row["id"], size=size)
        event = await database.read(lambda unit, id_=row["id"]: unit.event.read(id_))  # type: ignore[misc]
        if included is None or event is None:
            continue
        hidden = acts.part_hash(json.loads(event["confidential"]), bytes.fromhex(event["salt_c"]))
        told = {
            "event": event["body"],
            "salt_p": event["salt_p"],
            "confidential": hidden.hex(),
            "index": included.index,
            "proof": [each.hex() for each in included.proof],
        }
        found.append((row, told))
    return sorted(found, key=lambda each: each[1]["index"])


async def _stamps(database: Database, log: Ledger, view: Ceremony, size: int, hall: Hall) -> list[dict[str, Any]]:
    """The first cosigned notes that cover what moved the deadline, the freeze and the READYs, with their proofs."""

    async def sizes(unit: Unit) -> dict[int, bytes]:
        said = await lots.acts(unit, (await tenders.load(unit, view.terms.lot)).tender, *STAMPED_KINDS)
        found = {stamped.size for stamped in await lots.stamps(unit, [each.index for each in said], hall=hall)}
        notes = {}
        for each in sorted(one for one in found if one <= size):
            head = await ledger.head_at(unit, each)
            assert head is not None
            notes[each] = head.note.encode()
        return notes

    notes = await database.read(sizes)
    return [
        {"note": _text(data), "proof": [each.hex() for each in await log.consistency(old, size)]}
        for old, data in notes.items()
    ]


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def decoded(text: str) -> bytes:
    """The bytes of a base64 field of a request. Raises Refused("bid_field_malformed")."""
    return box.unbase64(text, "receipt")
