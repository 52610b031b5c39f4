"""Bidders of a simulated tender: they seal, upload, submit, withdraw, and try everything a box must refuse.

Prices, leaders and file contents carry markers that occur nowhere else, so that a search of the whole disk shows
whether a byte of a bid is readable before the opening (invariant I2).
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from bidding import commands, uploads
from crypto import amount, signing
from crypto.roster import Roster
from crypto.sealing import envelope, lock, manifest
from crypto.sealing import header as headers
from crypto.sealing.body import SegmentTree
from portal.simulation.hall import SimulatedHall
from portal.simulation.keys import Company
from storage.world import Entropy
from trading.journal import Outcome
from trading.tender import Tender

PERIOD_DAYS = 120
FILES = ("技术标.pdf", "商务标.pdf")


@dataclass
class Sealed:
    """A bid as its bidder holds it. `markers` stand nowhere else: in the record two, and the last in the documents."""

    company: Company
    version: int
    price_fen: int
    headers: tuple[headers.Header, ...]
    bodies: tuple[tuple[bytes, ...], ...]
    secrets: tuple[tuple[bytes, ...], ...]
    salt: bytes
    markers: tuple[bytes, ...]
    uploads: list[str] = field(default_factory=list)

    @property
    def bid(self) -> str:
        return self.headers[0].bid_id().hex()

    def command(self, **changes: Any) -> commands.SubmitBid:
        """What its client posts."""
        cmd = commands.SubmitBid(
            headers=[base64.b64encode(each.encode()).decode() for each in self.headers],
            signature=envelope.sign_submit(self.company.signer.private, self.headers).hex(),
            salt=self.salt.hex(),
            certificate=self.company.certificate,
            uploads=self.uploads,
        )
        return msgspec.structs.replace(cmd, **changes)


def seal(
    hall: SimulatedHall,
    tender: Tender,
    company: Company,
    *,
    price_fen: int,
    version: int = 1,
    roster: Roster | None = None,
    tender_id: bytes | None = None,
    garbage: str = "",
) -> Sealed:
    """An honest bid of two small envelopes, or one whose documents are garbage: `manifest` is signed by somebody
    else, `body` is random bytes behind a lawful header."""
    entropy = hall.world.entropy
    marker, documents = entropy(12).hex(), entropy(12).hex()
    leader = f"项目经理{marker}"
    opening = manifest.OpeningList(price_fen, PERIOD_DAYS, "合格", leader, "川1512020202100001")
    salt, bid_nonce = entropy(32), entropy(16)
    locks = roster or Roster.decode(bytes.fromhex(tender.roster))
    found, bodies, secrets = [], [], []
    for number in (0, 1):
        here = {name: f"{name} {documents}".encode() for name in FILES} if number else {}
        facts = [
            manifest.FileFacts(name, "application/pdf", len(data), hashlib.sha256(data).digest())
            for name, data in here.items()
        ]
        page = manifest.build(
            lot=tender.lot,
            envelope=number,
            bidder=manifest.Bidder(company.name, company.uscc),
            salt=salt,
            files=facts,
            opening_list=None if number else opening,
        )
        segments: list[bytes] = []
        own = company.signer.private
        sealed = envelope.seal(
            tender_id=tender_id or bytes.fromhex(tender.tender_id),
            envelope=number,
            roster=locks,
            signer=signing.new_p256(entropy=entropy) if garbage == "manifest" and number else own,
            spki=company.spki,
            salt=salt,
            bid_nonce=bid_nonce,
            version=version,
            manifest=page,
            files=[lambda data=data: io.BytesIO(data) for data in here.values()],  # type: ignore[misc]
            entropy=entropy,
            sink=segments.append,
        )
        if garbage == "body" and number:
            header, segments = _random_body(sealed.header, sealed.secrets, locks, entropy)
        else:
            header = sealed.header
        found.append(header)
        bodies.append(tuple(segments))
        secrets.append(sealed.secrets)
    markers = (marker.encode(), amount.words(price_fen).encode(), documents.encode())
    return Sealed(company, version, price_fen, tuple(found), tuple(bodies), tuple(secrets), salt, markers)


async def upload(hall: SimulatedHall, lot: str, sealed: Sealed, *, envelopes: int = 2) -> None:
    """Put the segments of the first `envelopes` envelopes; the others are announced and stay away."""
    sealed.uploads = []
    for number, segments in enumerate(sealed.bodies):
        leaves = [hashlib.sha256(each).hexdigest() for each in segments]
        cmd = uploads.BeginUpload(lot, sum(map(len, segments)), leaves)
        begun = await hall.do(uploads.begin, cmd, sealed.company.actor)
        sealed.uploads.append(begun.result["id"])
        for missing in begun.result["missing"] if number < envelopes else ():
            await put(hall, sealed.company, begun.result["id"], missing, segments[missing])


async def put(hall: SimulatedHall, company: Company, upload_id: str, number: int, data: bytes) -> None:
    """Put one segment."""
    place = await hall.read(
        lambda unit: uploads.slot(unit, upload_id, number, actor=company.actor, now=hall.now, hall=hall.hall)
    )
    await hall.survive(lambda: uploads.put(hall.database, hall.blobs, place, data, actor=company.actor))


async def submit(hall: SimulatedHall, sealed: Sealed, **changes: Any) -> Outcome:
    return await hall.do(commands.submit, sealed.command(**changes), sealed.company.actor)


async def withdraw(hall: SimulatedHall, lot: str, sealed: Sealed, **changes: Any) -> Outcome:
    """Withdraw a version; `changes` replace fields of the command."""
    signature = envelope.sign_withdraw(
        sealed.company.signer.private,
        tender_id=sealed.headers[0].tender_id,
        version=sealed.version,
        digest=headers.submit_digest(sealed.headers),
    )
    cmd = commands.WithdrawBid(lot, sealed.version, signature.hex(), sealed.company.certificate)
    return await hall.do(commands.withdraw, msgspec.structs.replace(cmd, **changes), sealed.company.actor)


def _random_body(
    lawful: headers.Header, secrets: Sequence[bytes], roster: Roster, entropy: Entropy
) -> tuple[headers.Header, list[bytes]]:
    """The lawful prefix, then random bytes, committed to by root and locks like any body."""
    segment = lawful.body_prefix + entropy(lawful.body_len - len(lawful.body_prefix))
    tree = SegmentTree()
    tree.add(segment)
    shaped = replace(lawful, body_root=tree.root())
    section = lock.make(shaped.head(), roster, secrets, entropy(lock.SECRET_BYTES))
    return replace(shaped, wrapped_dek=section.wrapped_dek, locks=section.locks), [segment]
