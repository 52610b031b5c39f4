"""Everybody's keys in the small hall: organisations, trustees' agents, bids as their bidders hold them."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec
from stdnum.cn import uscc as usccs

from bidding import commands
from crypto import certificates, release, signing, trust
from crypto.certificates import Authority
from crypto.ledger import note
from crypto.ledger.whole_log import WholeLog
from crypto.opening.examination import Memory, Trustee
from crypto.sealing import envelope, prekeys
from crypto.sealing import header as headers
from crypto.signing import Ed25519Signer, P256Signer
from storage.world import SeededEntropy
from tests.bidding.lawful import CENTRE, ORIGIN, OWNER, PUBLISHED, REGULATOR, SEATS
from trading.roles import Actor, Role


@dataclass
class Company:
    """An organisation with its key and certificate, and the person who acts for it."""

    name: str
    uscc: str
    signer: P256Signer
    actor: Actor

    @property
    def spki(self) -> bytes:
        return signing.certificate_spki(self.signer.certificate)

    @property
    def certificate(self) -> str:
        return base64.b64encode(self.signer.certificate).decode()


@dataclass
class Agent:
    """A trustee's agent: what it holds, what it read and what it remembers."""

    trustee: Trustee
    signer: Ed25519Signer
    log: WholeLog
    memory: Memory = field(default_factory=Memory)
    steps: list[release.Step] = field(default_factory=list)


@dataclass
class Sealed:
    """A bid as its bidder holds it."""

    company: Company
    version: int
    headers: tuple[headers.Header, ...]
    bodies: tuple[tuple[bytes, ...], ...]
    secrets: tuple[tuple[bytes, ...], ...]
    salt: bytes
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


class Keys:
    """Everybody's keys, made once for all tests."""

    def __init__(self) -> None:
        self.entropy = SeededEntropy("bidding keys")
        day = timedelta(days=1)
        self.authority = Authority.create(
            "Test CA",
            key=signing.new_p256(entropy=self.entropy),
            serial=1,
            not_before=PUBLISHED - 30 * day,
            not_after=PUBLISHED + 3650 * day,
        )
        self.roots = {side: Ed25519Signer.generate(entropy=self.entropy) for side in ("centre", "supervision")}
        self.log, self.duty, self.room, self.verifier = (Ed25519Signer.generate(entropy=self.entropy) for _ in range(4))
        self.witnesses = {name: Ed25519Signer.generate(entropy=self.entropy) for name in ("operation", "supervision")}
        self.owner = self.company(1, "青溪县公路养护中心", Role.OWNER, uscc=OWNER)
        self.centre = self.company(2, "青岚市公共资源交易中心", Role.CENTRE, uscc=CENTRE)
        self.regulator = self.company(3, "青岚市住房和城乡建设局", Role.SUPERVISOR, uscc=REGULATOR)
        self.bidders = [self.company(10 + n, f"投标人{n}有限公司", Role.BIDDER) for n in range(6)]
        self.trust = trust.load(
            trust.dump(
                hall="青岚",
                log=note.VerifierKey(ORIGIN, note.LOG_SIGNATURE, self.log.key),
                witnesses=tuple(
                    note.Witness(name, name, note.VerifierKey(name, note.COSIGNATURE, signer.key))  # type: ignore[arg-type]
                    for name, signer in self.witnesses.items()
                ),
                quorum=2,
                trustee_roots={side: root.key for side, root in self.roots.items()},
                ca_roots=(self.authority.certificate,),
                contributors={"centre": self.centre.spki, "supervision": self.regulator.spki},
            )
        )
        self.trustees: dict[str, tuple[int, str, str, Ed25519Signer, tuple[prekeys.PreKey, ...]]] = {}
        for number, seats in enumerate(SEATS):
            for seat in seats:
                known = {"owner": OWNER, "centre": CENTRE, "regulator": REGULATOR}
                uscc = known.get(seat) or self._uscc(100 + len(self.trustees))
                keys = prekeys.derive(self.entropy(32), 0, 3)
                self.trustees[f"t-{seat}"] = (number, seat, uscc, Ed25519Signer.generate(entropy=self.entropy), keys)

    def company(self, number: int, name: str, role: Role, *, uscc: str | None = None, days: int = 3000) -> Company:
        code = uscc or self._uscc(number)
        key = signing.new_p256(entropy=self.entropy)
        certificate = self.authority.issue(
            certificates.request(name, code, key=key),
            serial=1000 + number,
            not_before=PUBLISHED - timedelta(days=1),
            not_after=PUBLISHED + timedelta(days=days),
        )
        actor = Actor(f"person-{number}", code, role, "192.0.2.7", "test")
        return Company(name, code, P256Signer(key, certificate), actor)

    @staticmethod
    def _uscc(number: int) -> str:
        body = f"9151010000000{number:04d}"
        return body + str(usccs.calc_check_digit(body))
