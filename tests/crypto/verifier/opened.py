"""The opening of the small tender: close, freeze, who says ready, what trustees release, verdicts and record."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from crypto.sealing import envelope, header, hpke, lock
from tests.crypto.verifier import sealed
from tests.crypto.verifier.hall import stamp
from tests.crypto.verifier.notice import DEADLINE, EXTENDED, LOT
from tests.crypto.verifier.sealed import Bid

if TYPE_CHECKING:
    from tests.crypto.verifier.world import World


def close(world: World) -> None:
    """Close, freeze, a checkpoint after the deadline."""
    hall = world.hall
    deadline = DEADLINE if world.cheat in ("early_close", "late_clarification") else EXTENDED
    hall.now = deadline + timedelta(seconds=30)
    if world.cheat == "late_bid":
        sealed.submit(world, hall.person("late 路桥有限公司", "91420100MA4K300001", "p-late"), 1, 650_000_000)
    hall.now = deadline + timedelta(seconds=61)
    world.closed = world.duty("close", {"deadline": stamp(deadline)})
    world.listed = [bid for bid in world.bids if bid is not world.bids[0] and bid.bidder.person != "p-zeta"]
    if world.cheat == "dropped_bid":
        world.listed.remove(next(bid for bid in world.listed if bid.bidder.person == "p-delta"))
    if world.cheat == "resurrected_bid":
        world.listed.append(next(bid for bid in world.bids if bid.bidder.person == "p-zeta"))
    world.listed.sort(key=lambda bid: bid.name)
    rows = [
        {"bid": bid.name, "submission": bid.event.leaf, "headers": [head.hash().hex() for head in bid.headers]}
        for bid in world.listed
        if bid.event is not None
    ]
    world.freeze = world.duty(
        "freeze",
        {"close": world.closed.leaf, "n": len(rows), "list_hash": world.keep(rows), "supplements": None},
    )
    hall.later(seconds=5)
    world.ready_size = hall.checkpoint(
        at=deadline - timedelta(seconds=1) if world.cheat == "stale_checkpoint" else None
    )


def release(world: World) -> None:
    """Ready, release (t-owner absent, t-independent lies), verdicts, opening record."""
    hall = world.hall
    root = hall.tree.root(world.ready_size).hex()
    seats = [(0, 2), (0, 3), (1, 1), (1, 2), (1, 3)]
    hall.later(minutes=1 if world.cheat == "early_release" else 6)
    for place, index in seats[1:] if world.cheat == "not_all_ready" else seats:
        trustee = hall.trustees[place * 3 + index - 1]
        fields = {
            **_seat(world, place, index),
            "checkpoint": {"size": world.ready_size, "root": root},
            "draws": [world.draw_close.leaf],
            "complaints": [],
            "refusal": None,
        }
        hall.public("ready", fields, [("trustee", trustee.signer)], role="trustee")
    for place, index in seats:
        trustee = hall.trustees[place * 3 + index - 1]
        fields = {**_seat(world, place, index), "shares_hash": world.keep(_shares(world, place, index))}
        hall.public("release", fields, [("trustee", trustee.signer)], role="trustee")
    hall.later(minutes=1)
    _judge(world)


def _seat(world: World, place: int, index: int) -> dict[str, Any]:
    """What every act of the trustee on a seat begins with."""
    trustee = world.hall.trustees[place * 3 + index - 1]
    return {"trustee": trustee.name, "lock": place, "index": index, "freeze": world.freeze.leaf}


def _shares(world: World, place: int, index: int) -> dict[str, Any]:
    """What one trustee releases."""
    hall, sk = world.hall, world.hall.trustees[place * 3 + index - 1].sk
    lies = (place, index) == (1, 3)
    clear, sealed = [], []
    for bid in world.listed:
        share = lock.share_of(bid.headers[0], place, index, sk)
        clear.append({"header": bid.headers[0].hash().hex(), "share": (bytes(32) if lies else share).hex()})
        name = bid.headers[1].hash()
        info = b"sealbid/v1 release\0" + bytes.fromhex(world.freeze.leaf) + bytes((place, index)) + name
        share = lock.share_of(bid.headers[1], place, index, sk)
        row = {"header": name.hex()}
        for who, (_, pk) in hall.opening_keys.items():
            enc, ct = hpke.seal_derand(pk, info, hall.entropy(32), share)
            row[who] = (enc + ct).hex()
        sealed.append(row)
    draws = []
    for each in world.contributions:
        parsed = header.parse_contribution(each.header)
        draws.append({"header": parsed.hash().hex(), "share": lock.share_of(parsed, place, index, sk).hex()})
    return {
        name: sorted(rows, key=lambda row: row["header"])
        for name, rows in (("record", clear), ("documents", sealed), ("draws", draws))
    }


def _judge(world: World) -> None:
    """epsilon is invalid, all others valid; the record as signed."""
    hall = world.hall
    rows: list[dict[str, Any]] = []
    record: list[dict[str, Any]] = []
    for bid in world.listed:
        spoilt = bid.bidder.person == "p-epsilon"
        lies = world.cheat == "killed_bid" and bid.bidder.person == "p-delta"
        rows.append(
            {
                "bid": bid.name,
                "verdict": "invalid" if spoilt or lies else "valid",
                "envelope": 1 if lies else 0 if spoilt else None,
                "code": "chunk" if spoilt or lies else None,
                "consequence": "deemed_revoked" if spoilt or lies else "opened",
                "complainers": [],
            }
        )
        if not (spoilt or lies):
            record.append(_record_row(world, bid))
    signers = [("room", hall.room), ("verifier", hall.verifier)]
    fields = {"freeze": world.freeze.leaf, "verdicts_hash": world.keep(rows), "valid": len(record)}
    hall.public("verdict", fields, signers, role="opening")
    world.record = record
    fields = {"freeze": world.freeze.leaf, "record_hash": world.keep(record), "n": len(record)}
    hall.public("opened", fields, signers, role="opening")


def _record_row(world: World, bid: Bid) -> dict[str, Any]:
    """One row of the opening record, out of the bid's own manifest."""
    dek = lock.verify_lock_section(bid.headers[0], world.hall.roster(), bid.secrets[0])
    opened = envelope.open_body(bid.headers[0], dek, [bid.bodies[0]], spki=bid.bidder.spki, lot=LOT, salt=bid.salt)
    row = {
        "bid": bid.name,
        "version": bid.headers[0].version,
        "bidder": bid.bidder.organisation,
        **opened.manifest["opening_list"],
        "secrets": [each.hex() for each in bid.secrets[0]],
    }
    if world.cheat == "changed_price" and bid.bidder.person == "p-delta":
        row["price_fen"] -= 10_000_000
    return row
