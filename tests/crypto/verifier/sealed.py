"""The bids of the small tender: sealed, replaced, withdrawn, spoilt; their place in the log."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

from crypto.sealing import body, envelope, header, lock, manifest
from tests.crypto.verifier import judged
from tests.crypto.verifier.hall import Hidden, Person
from tests.crypto.verifier.notice import DEADLINE, LOT

if TYPE_CHECKING:
    from tests.crypto.verifier.world import World

Secrets = tuple[bytes, ...]


@dataclass
class Bid:
    """One version of one bid, with everything its bidder knows."""

    bidder: Person
    headers: list[header.Header]
    bodies: list[bytes]
    secrets: list[Secrets]
    salt: bytes
    signature: bytes
    event: Hidden | None = None

    @property
    def name(self) -> str:
        return self.headers[0].bid_id().hex()

    @property
    def digest(self) -> bytes:
        return envelope.submit_digest(self.headers)


def receive(world: World) -> None:
    """Submissions: alpha twice, zeta withdraws, epsilon seals garbage."""
    hall = world.hall
    if world.cheat == "unwitnessed_extension":
        hall.now = DEADLINE + timedelta(hours=1)
        hall.checkpoint()
    for name, bidder in world.bidders.items():
        hall.later(minutes=7)
        submit(world, bidder, 1, world.prices[name] + (1_000_000 if name == "alpha" else 0), garbage=name == "epsilon")
    submit(world, world.bidders["alpha"], 2, world.prices["alpha"])
    withdrawn = next(bid for bid in world.bids if bid.bidder.person == "p-zeta")
    signature = envelope.sign_withdraw(
        withdrawn.bidder.signer.sign, tender_id=bytes.fromhex(hall.tender_id), version=1, digest=withdrawn.digest
    )
    fields = {"version": 1, "d": withdrawn.digest.hex(), "bid": withdrawn.name, "signature": signature.hex()}
    hall.later(minutes=1)
    hall.private("withdraw", fields, withdrawn.bidder, role="bidder")
    if world.cheat == "tally_while_bids_come":
        judged.tally(world, hall.events[-1].index + 1)
    if world.cheat == "two_bids":
        twin = hall.person("alpha 路桥有限公司", world.bidders["alpha"].uscc, "p-alpha-2")
        submit(world, twin, 3, world.prices["alpha"] - 1_000_000)


def submit(
    world: World, bidder: Person, version: int, price: int, *, garbage: bool = False, at: datetime | None = None
) -> Bid:
    """Seal and log one version."""
    hall = world.hall
    salt, nonce = hall.entropy(32), hall.entropy(16)
    headers, bodies, secrets = [], [], []
    for number in (0, 1):
        files = [(b"bill of quantities", "bill.csv")] if number == 0 else [(b"plan " * 50, "plan.txt")]
        facts = [
            manifest.facts_of(partial(io.BytesIO, data), name=name, media_type="text/plain") for data, name in files
        ]
        opening = manifest.OpeningList(price, 180, "合格", "李工", "粤1442020202100001") if number == 0 else None
        page = manifest.build(
            lot=LOT,
            envelope=number,
            bidder=manifest.Bidder(bidder.name, bidder.uscc),
            salt=salt,
            files=facts,
            opening_list=opening,
        )
        parts: list[bytes] = []
        sealed = envelope.seal(
            tender_id=bytes.fromhex(hall.tender_id),
            envelope=number,
            roster=hall.roster(),
            signer=bidder.signer.sign,
            spki=bidder.spki,
            salt=salt,
            bid_nonce=nonce,
            version=version,
            manifest=page,
            files=[partial(io.BytesIO, data) for data, _ in files],
            entropy=hall.entropy,
            sink=parts.append,
        )
        head, content = sealed.header, b"".join(parts)
        if garbage and number == 0:
            head, content = spoil(world, head, content, sealed.secrets)
        headers.append(head)
        bodies.append(content)
        secrets.append(sealed.secrets)
    bid = Bid(bidder, headers, bodies, secrets, salt, envelope.sign_submit(bidder.signer.sign, headers))
    fields = {
        "lot": LOT,
        "version": version,
        "headers": [head.hash().hex() for head in headers],
        "d": bid.digest.hex(),
        "bid": bid.name,
    }
    bid.event = hall.private("submit", fields, bidder, role="bidder", at=at)
    world.bids.append(bid)
    return bid


def spoil(world: World, head: header.Header, content: bytes, secrets: tuple[bytes, ...]) -> tuple[header.Header, bytes]:
    """A lawful header around a body whose second chunk is garbage."""
    roster = world.hall.roster()
    dek = lock.verify_lock_section(head, roster, secrets)
    spoilt = content[:20_000] + bytes(64) + content[20_064:]
    draft = replace(head, body_root=body.root_of([sha256(spoilt).digest()]))
    section = lock.make(draft.head(), roster, secrets, dek)
    return replace(draft, wrapped_dek=section.wrapped_dek, locks=section.locks), spoilt
