"""The draw of the small tender's panel: pool and contributions, seats, one replacement, and what unmasks them."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from crypto import contribution
from crypto.verifier import draw

if TYPE_CHECKING:
    from tests.crypto.verifier.world import World


def prepare(world: World) -> None:
    """Pool and contributions, before the deadline; expert 0 is in conflict with beta."""
    hall = world.hall
    tender_id = bytes.fromhex(hall.tender_id)
    world.masks = {}
    for number in range(14):
        salt = hall.entropy(32)
        expert = f"expert-{number}"
        masked = sha256(b"draw/v1 mask\0" + salt + expert.encode()).hexdigest()
        world.masks[masked] = (number, salt, expert)
    names = sorted(world.masks, key=lambda masked: world.masks[masked][0])
    world.strata = [
        {"specialty": "road", "k": 3, "masked": sorted(names[:8])},
        {"specialty": "cost", "k": 2, "masked": sorted(names[6:])},
    ]
    tied = {0: [world.bidders["beta"].uscc], 1: [world.bidders["gamma"].uscc], 8: [world.bidders["beta"].uscc]}
    ties = {masked: tied.get(world.masks[masked][0], []) for masked in sorted(names)}
    facts = [{"masked": masked, "organisations": organisations} for masked, organisations in ties.items()]
    world.conflicts = {masked for masked, organisations in ties.items() if organisations}
    world.draw_id = bytes.fromhex(draw.draw_id(tender_id, 0))
    hall.later(minutes=1)
    world.pool = world.duty(
        "draw_pool",
        {
            "draw_id": world.draw_id.hex(),
            "purpose": 1,
            "attempt": 0,
            "pool_hash": world.keep({"strata": world.strata}),
            "registry_hash": "cd" * 32,
            "avoidance_hash": world.keep({"salt": hall.entropy(32).hex(), "facts": facts}),
            "measures": {"pool": 14, "entropy_bits": (56 * 28).bit_length() - 1, "repeat_pairs": 0},
        },
    )
    world.contributions = [
        contribution.make(
            draw_id=world.draw_id,
            tender_id=tender_id,
            contributor=number,
            roster=hall.roster(),
            signer=who.signer,
            spki=who.spki,
            entropy=hall.entropy,
        )
        for number, who in ((1, hall.centre), (2, hall.supervisor), (3, hall.owner))
    ]
    rows = [
        {"i": each.contributor, "header": world.keep(each.header), "signature": each.signature.hex()}
        for each in world.contributions
    ]
    world.draw_close = world.duty(
        "draw_close", {"draw_id": world.draw_id.hex(), "pool": world.pool.leaf, "contributions": rows}
    )


def seat(world: World) -> None:
    """Seats from the seed; seat 2's expert recuses itworld."""
    hall = world.hall
    r = {each.contributor: each.r for each in world.contributions}
    if world.cheat == "other_r":
        r[1] = bytes(31) + b"\1"
    seed = draw.seed_of(world.draw_id, bytes.fromhex(world.pool.leaf), r)
    seating = draw.Seating(draw.orders(world.strata, seed))
    if world.cheat == "redraw":
        seating.orders[0].reverse()
    draw.seat_all(seating, world.strata, world.conflicts)
    fields = {
        "draw_id": world.draw_id.hex(),
        "close": world.draw_close.leaf,
        "seed": seed.hex(),
        "r": [{"i": i, "r": value.hex()} for i, value in r.items()],
        "void": [],
        "seats": [{"seat": n, "stratum": s, "masked": m} for n, (s, m) in enumerate(seating.seats, 1)],
        "avoided": list(seating.avoided),
    }
    hall.later(minutes=1)
    world.duty("draw_result", fields)
    out, before = seating.seats[1][1], len(seating.avoided)
    sign_in(world, out, "recuse", {"masked": out, "why": "kin"})
    into = draw.replace_seat(seating, 2, world.conflicts)
    if world.cheat == "designated_replacement":
        into = next(m for m in reversed(seating.orders[0]) if m not in {x for _, x in seating.seats} | world.conflicts)
        seating.seats[1] = (0, into)
    replaced = {"draw_id": world.draw_id.hex(), "seat": 2, "out": out, "in": into, "why": "recused"}
    world.duty("recusal", replaced | {"avoided": list(seating.avoided[before:])})
    world.seating = seating
    shown = {m for _, m in seating.seats} | set(seating.avoided) | seating.left
    world.unmasking = [
        {"masked": m, "salt": world.masks[m][1].hex(), "expert": world.masks[m][2]} for m in sorted(shown)
    ]


def sign_in(world: World, masked: str, kind: str, fields: Mapping[str, Any]) -> None:
    """A private act of the expert behind a mask."""
    number, salt, expert = world.masks[masked]
    more = {"expert": expert, "name": f"name {number}", "salt": salt.hex()}
    world.hall.private(kind, fields, world.experts[number], role="expert", more=more)
