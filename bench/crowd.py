"""A crowd of bidders in a running hall: organisations with certificates and tokens, their bids sealed and uploaded.

Everything goes through the hall's own commands, in its own process; only HTTP is left out, because this is what comes
before a measurement. Each bid is what `tradehall-bidder submit` would post as its last request.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from stdnum.cn import uscc as usccs

from bidding import uploads
from crypto import certificates, signing
from crypto.roster import Roster
from crypto.sealing import body, envelope, header, manifest
from crypto.signing import P256Signer
from storage.blobs import Blobs
from storage.unit import Database, Unit
from storage.world import World, stamp
from trading import tenders
from trading.commands import parties
from trading.hall import Hall
from trading.people import graphs, organisations
from trading.people.organisations import Organisation
from trading.roles import Actor, Role
from trading.tender import Tender

AT_ONCE = 250
PUTS_AT_ONCE = 8


class Storing(Protocol):
    """Where segments go."""

    @property
    def blobs(self) -> Blobs: ...


class Behind(Protocol):
    """A hall from behind: what a running one and one of separate processes both have."""

    @property
    def hall(self) -> Hall: ...
    @property
    def world(self) -> World: ...
    @property
    def database(self) -> Database: ...
    @property
    def service(self) -> Storing: ...


@dataclass(frozen=True)
class Company:
    """A bidder: its key and certificate, and the token of the person who acts for it."""

    name: str
    uscc: str
    signer: P256Signer
    login: str
    token: str

    @property
    def actor(self) -> Actor:
        return Actor(self.login, self.uscc, Role.BIDDER, "127.0.0.1", "bench")


async def enlist(running: Behind, count: int, *, first: int = 0) -> list[Company]:
    """As many bidders, known to the hall, numbered from `first`."""
    hall, now = running.hall, running.world.now()
    assert hall.authority is not None, "a rehearsal issues certificates itself"
    keyed = []
    for number in range(first, first + count):
        body = f"9151010099{number:07d}"
        uscc, name = body + str(usccs.calc_check_digit(body)), f"投标人{number}有限公司"
        key = signing.new_p256(entropy=hall.entropy)
        certificate = hall.authority.issue(
            certificates.request(name, uscc, key=key),
            serial=10_000_000 + number,
            not_before=now - timedelta(days=1),
            not_after=now + timedelta(days=1825),
        )
        keyed.append((name, uscc, P256Signer(key, certificate)))

    async def register(unit: Unit) -> None:
        found = [Organisation(uscc, name, roles=frozenset({Role.BIDDER})) for name, uscc, _ in keyed]
        await graphs.keep(unit, organisations.changed(await graphs.load(unit), organisations=found))

    async def appoint(unit: Unit, some: Sequence[tuple[str, str, P256Signer]]) -> list[Company]:
        made = []
        for name, uscc, signer in some:
            login = f"bench-{uscc}"
            token = await parties.appoint(
                unit, login=login, name=name, organisation=uscc, role=Role.BIDDER, lot=None, now=now, hall=hall
            )
            await parties.keep_certificate(unit, uscc, signer.certificate)
            made.append(Company(name, uscc, signer, login, token))
        return made

    await running.database.write(register)
    companies: list[Company] = []
    for first in range(0, count, AT_ONCE):
        some = keyed[first : first + AT_ONCE]
        companies += await running.database.write(lambda unit, some=some: appoint(unit, some))  # type: ignore[misc]
    return companies


async def tender_of(running: Behind, lot: str) -> Tender:
    """The tender as the hall has it."""
    return (await running.database.read(lambda unit: tenders.load(unit, lot))).tender


@dataclass(frozen=True)
class Bid:
    """A sealed bid: headers and segments of each envelope, and what the submission says besides."""

    headers: list[bytes]
    segments: list[list[bytes]]
    signature: bytes
    salt: bytes

    def body(self, company: Company, uploads_: Sequence[str]) -> dict[str, Any]:
        """The request that submits it."""
        return {
            "headers": [base64.b64encode(each).decode() for each in self.headers],
            "signature": self.signature.hex(),
            "salt": self.salt.hex(),
            "certificate": base64.b64encode(company.signer.certificate).decode(),
            "uploads": list(uploads_),
        }


def seal(entropy: Callable[[int], bytes], lot: str, tender: Tender, company: Company, *, price_fen: int) -> Bid:
    """Seal a bid of two envelopes."""
    salt, nonce = entropy(32), entropy(16)
    roster = Roster.decode(bytes.fromhex(tender.roster))
    headers, bodies = [], []
    for number in (0, 1):
        data = f"how {company.name} builds".encode() if number else b""
        facts = [manifest.FileFacts("技术标.pdf", "application/pdf", len(data), hashlib.sha256(data).digest())]
        opening = manifest.OpeningList(price_fen, 120, "合格", "李工", "川1512020202100001")
        page = manifest.build(
            lot=lot,
            envelope=number,
            bidder=manifest.Bidder(company.name, company.uscc),
            salt=salt,
            files=facts if number else [],
            opening_list=None if number else opening,
        )
        segments: list[bytes] = []
        sealed = envelope.seal(
            tender_id=bytes.fromhex(tender.tender_id),
            envelope=number,
            roster=roster,
            signer=company.signer.private,
            spki=signing.certificate_spki(company.signer.certificate),
            salt=salt,
            bid_nonce=nonce,
            version=1,
            manifest=page,
            files=[lambda data=data: io.BytesIO(data)] if number else [],  # type: ignore[misc]
            entropy=entropy,
            sink=segments.append,
        )
        headers.append(sealed.header)
        bodies.append(segments)
    signature = envelope.sign_submit(company.signer.private, headers)
    return Bid([each.encode() for each in headers], bodies, signature, salt)


async def hand_over(running: Behind, lot: str, tender: Tender, company: Company, *, price_fen: int) -> dict[str, Any]:
    """Seal a bid and upload it; the body of the request that submits it."""
    bid = seal(running.hall.entropy, lot, tender, company, price_fen=price_fen)
    names = [await _upload(running, lot, company, segments) for segments in bid.segments]
    return bid.body(company, names)


async def arrive(running: Behind, lot: str, bids: Sequence[tuple[Company, Bid]], *, put: bool) -> list[dict[str, Any]]:
    """The same for many at once: the rows that their uploads would have left, and the segments in the store unless
    `put` is False. What is left out are the uploads' own private acts."""
    uploads_, segments, bodies, puts = [], [], [], []
    created = stamp(running.world.now())
    for company, bid in bids:
        names = []
        for pieces in bid.segments:
            name, leaves = running.hall.entropy(16).hex(), [hashlib.sha256(each).hexdigest() for each in pieces]
            root = body.root_of(bytes.fromhex(leaf) for leaf in leaves).hex()
            row = {"id": name, "organisation": company.uscc, "lot": lot, "created": created, "state": uploads.OPEN}
            told = {"leaves": leaves, "root": root, "prefix": pieces[0][: header.PREFIX_BYTES].hex()}
            uploads_.append({**row, "bytes": sum(map(len, pieces)), "body": told})
            for number, (leaf, piece) in enumerate(zip(leaves, pieces, strict=True)):
                told_of = {"upload": name, "number": number, "hash": leaf, "organisation": company.uscc}
                segments.append({**told_of, "bytes": len(piece)})
                puts.append((leaf, piece))
            names.append(name)
        bodies.append(bid.body(company, names))

    async def insert(unit: Unit) -> None:
        await unit.upload.insert_all(uploads_)
        await unit.segment.insert_all(segments)

    await running.database.write(insert)
    if put:
        gate = asyncio.Semaphore(PUTS_AT_ONCE)

        async def one(leaf: str, piece: bytes) -> None:
            async with gate:
                await running.service.blobs.put(leaf, piece)

        await asyncio.gather(*(one(leaf, piece) for leaf, piece in puts))
    return bodies


async def _upload(running: Behind, lot: str, company: Company, segments: Sequence[bytes]) -> str:
    database, hall, now, actor = running.database, running.hall, running.world.now(), company.actor
    leaves = [hashlib.sha256(each).hexdigest() for each in segments]
    cmd = uploads.BeginUpload(lot, sum(map(len, segments)), leaves)
    begun = await database.write(
        lambda unit: uploads.begin(cmd, actor=actor, now=now, unit=unit, hall=hall), bearer=company.token
    )
    name = str(begun.result["id"])
    for number, segment in enumerate(segments):
        place = await database.read(
            lambda unit, number=number: uploads.slot(unit, name, number, actor=actor, now=now, hall=hall),  # type: ignore[misc]
            bearer=company.token,
        )
        await uploads.put(database, running.service.blobs, place, segment, actor=actor, bearer=company.token)
    return name
