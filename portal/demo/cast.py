"""The people of a rehearsal: everybody's keys and accounts, made from a folder of the form of docs/spec/example.md.

A rehearsal plays every part on one machine: roots, six trustees, three witnesses, an authority, owner, agent, centre,
supervisor, bidders, experts. All of it lies under DATA/demo, every act says `rehearsal`, and a certified key refuses
such a log. A real hall has none of this.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from crypto import certificates, signing, trust
from crypto.certificates import Authority
from crypto.ledger import note
from crypto.sealing import prekeys
from crypto.signing import Ed25519Signer, P256Signer
from experts import pool_files, specialties
from portal import folder as folders
from portal.folder import Folder
from trading.roles import Role

Entropy = Callable[[int], bytes]

PRE_KEYS_PER_TRUSTEE = 20
CERTIFICATE_YEARS = 20
SUPERVISOR_SEATS = ("regulator", "inspector", "independent")
# Organisations that no example names: fictitious, with valid check characters.
CENTRE = ("青岚市公共资源交易中心", "12139900259796191P")
SUPERVISOR = ("青岚市住房和城乡建设局", "111399007970301774")


@dataclass(frozen=True, slots=True)
class Member:
    """One account. `part` is how a script names it: `owner agent centre supervisor`, `bidder:NN`, `expert:ID`. An
    expert acts for nobody: its `uscc` is '' and `organisation` the employer that the register names."""

    part: str
    login: str
    role: Role
    name: str
    organisation: str
    uscc: str


@dataclass(frozen=True, slots=True)
class TrusteeSeat:
    """One trustee of the rehearsal: `lock` from 0, `index` from 1."""

    id: str
    lock: int
    index: int
    seat: str
    group: str
    organisation: str
    uscc: str


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody of one rehearsal, and where their keys lie."""

    home: Path
    members: Sequence[Member]
    trustees: Sequence[TrusteeSeat]

    def identity(self, member: Member) -> Path:
        """The identity folder of a member's organisation (one key and certificate for an organisation)."""
        return self.home / "identities" / member.uscc

    def signer(self, member: Member) -> P256Signer:
        """The organisation's signing key."""
        return P256Signer.from_pem((self.identity(member) / "identity.pem").read_bytes())

    def root(self, side: str) -> Ed25519Signer:
        """The root key of a side: `centre` or `supervision`."""
        return Ed25519Signer.from_pem((self.home / "roots" / f"{side}.pem").read_bytes())

    def trustee_home(self, trustee: TrusteeSeat) -> Path:
        """The key folder of a trustee, as tradehall-trustee --keys takes it."""
        return self.home / "trustees" / trustee.id

    def witness(self, name: str) -> Ed25519Signer:
        """The cosigning key of a witness."""
        return Ed25519Signer.from_pem((self.home / "witnesses" / name / "key.pem").read_bytes())

    def of(self, part: str) -> Member:
        """The member that plays a part; KeyError for a part that nobody plays."""
        return {member.part: member for member in self.members}[part]


WITNESSES: tuple[tuple[str, note.Group], ...] = (
    ("operation", "operation"),
    ("supervision", "supervision"),
    ("notary", "independent"),
)


def make(hall: Folder, example: Path, *, entropy: Entropy, now: datetime) -> Cast:
    """Make the keys of everybody an example folder names, and the hall's trust.json."""
    home = hall.demo
    people = members(example)
    seats = trustees_of(example)
    cast = Cast(home, people, seats)
    authority = _authority(home, entropy=entropy, now=now)
    for name, uscc in sorted({(member.organisation, member.uscc) for member in people}, key=lambda one: one[1]):
        _identity(home / "identities" / uscc, name, uscc, authority, entropy=entropy, now=now)
    for side in ("centre", "supervision"):
        folders.write_secret(home / "roots" / f"{side}.pem", Ed25519Signer.generate(entropy=entropy).to_pem())
    for trustee in seats:
        key, seed = Ed25519Signer.generate(entropy=entropy), entropy(prekeys.SEED_BYTES)
        folders.write_secret(home / "trustees" / trustee.id / "key.pem", key.to_pem())
        folders.write_secret(home / "trustees" / trustee.id / "seed", seed.hex().encode())
    for name, _ in WITNESSES:
        folders.write_secret(home / "witnesses" / name / "key.pem", Ed25519Signer.generate(entropy=entropy).to_pem())
    _trust(hall, cast, authority)
    return cast


def members(example: Path) -> list[Member]:
    """Every account an example folder needs, in a fixed order."""
    tender = json.loads((example / "tender.json").read_text("utf-8"))
    people = [_member("owner", Role.OWNER, tender["owner"])]
    if tender["agent"] is not None:
        people.append(_member("agent", Role.AGENT, tender["agent"]))
    people.append(Member("centre", "centre", Role.CENTRE, "中心经办人", *CENTRE))
    people.append(Member("supervisor", "supervisor", Role.SUPERVISOR, "监督员", *SUPERVISOR))
    for folder in sorted((example / "bidders").iterdir()):
        bid = json.loads((folder / "bid.json").read_text("utf-8"))
        people.append(_member(f"bidder:{folder.name}", Role.BIDDER, bid))
    register = pool_files.read((example / "experts.csv").read_bytes(), "experts.csv", specialties.load())
    for expert in register.experts:
        people.append(
            Member(
                f"expert:{expert.id}",
                f"expert-{expert.id}",
                Role.EXPERT,
                expert.name,
                expert.employer_name,
                "",
            )
        )
    return people


def trustees_of(example: Path) -> list[TrusteeSeat]:
    """Six trustees: the owner, the centre and a notary; the regulator, an inspector and an independent body."""
    owner = json.loads((example / "tender.json").read_text("utf-8"))["owner"]
    bodies = {
        "owner": (owner["name"], owner["uscc"]),
        "centre": CENTRE,
        "notary": ("青岚市公证处", "12139900MB1NTARY1F"),
        "regulator": SUPERVISOR,
        "inspector": ("青岚市审计局", "11139900MB1AUDXTJ8"),
        "independent": ("青岚大学法学院", "12139900MB1LAWXCH6"),
    }
    made = []
    for lock, (group, seats) in enumerate(
        (("operation", ("owner", "centre", "notary")), ("supervision", SUPERVISOR_SEATS))
    ):
        for index, seat in enumerate(seats, start=1):
            made.append(TrusteeSeat(f"{group}-{seat}", lock, index, seat, group, *bodies[seat]))
    return made


def accounts(cast: Cast, tokens: Mapping[str, tuple[str, str]]) -> list[dict[str, Any]]:
    """The rows of accounts.json; `tokens` = (password, token) by login."""
    return [
        {
            "role": member.role.value,
            "organisation": member.organisation,
            "name": member.name,
            "login": member.login,
            "password": tokens[member.login][0],
            "token": tokens[member.login][1],
            "identity": str(cast.identity(member)) if member.uscc else None,
        }
        for member in cast.members
    ]


def _member(part: str, role: Role, organisation: Mapping[str, Any]) -> Member:
    name = {"owner": "招标人经办人", "agent": "代理项目负责人"}.get(part, "投标专员")
    return Member(part, part.replace(":", "-"), role, name, organisation["name"], organisation["uscc"])


def _authority(home: Path, *, entropy: Entropy, now: datetime) -> Authority:
    key = p256(entropy)
    authority = Authority.create(
        "Tradehall 演示证书颁发机构",
        key=key,
        serial=_serial(entropy),
        not_before=now - timedelta(days=1),
        not_after=now + timedelta(days=365 * CERTIFICATE_YEARS),
    )
    folders.write_secret(home / "authority.pem", P256Signer(authority.private, authority.certificate).to_pem())
    return authority


def _identity(path: Path, name: str, uscc: str, authority: Authority, *, entropy: Entropy, now: datetime) -> None:
    if not uscc:
        return
    key = p256(entropy)
    certificate = authority.issue(
        certificates.request(name, uscc, key=key),
        serial=_serial(entropy),
        not_before=now - timedelta(days=1),
        not_after=now + timedelta(days=365 * CERTIFICATE_YEARS - 1),
    )
    folders.write_secret(path / "identity.pem", P256Signer(key, certificate).to_pem())
    profile = {"name": name, "uscc": uscc}
    folders.write(path / "profile.json", (json.dumps(profile, ensure_ascii=False) + "\n").encode())


def _trust(hall: Folder, cast: Cast, authority: Authority) -> None:
    witnesses = tuple(
        note.Witness(name, group, note.VerifierKey(name, note.COSIGNATURE, cast.witness(name).key))
        for name, group in WITNESSES
    )
    centre, supervisor = cast.of("centre"), cast.of("supervisor")
    data = trust.dump(
        hall=hall.card.name,
        log=hall.verifier_key(),
        witnesses=witnesses,
        quorum=2,
        trustee_roots={side: cast.root(side).key for side in ("centre", "supervision")},
        ca_roots=(authority.certificate,),
        contributors={
            "centre": signing.certificate_spki(cast.signer(centre).certificate),
            "supervision": signing.certificate_spki(cast.signer(supervisor).certificate),
        },
    )
    folders.write(hall.path / "trust.json", data)
    for name, _ in WITNESSES:
        folders.write(cast.home / "witnesses" / name / "trust.json", data)
    for trustee in cast.trustees:
        folders.write(cast.trustee_home(trustee) / "trust.json", data)
    for member in cast.members:
        if member.uscc:
            folders.write(cast.identity(member) / "trust.json", data)


def p256(entropy: Entropy) -> ec.EllipticCurvePrivateKey:
    """A P-256 key whose secret comes from `entropy`, so that a seeded rehearsal is the same every time."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    # 40 bytes for a 32-byte range: the bias is below 2^-64.
    return ec.derive_private_key(int.from_bytes(entropy(40), "big") % (order - 1) + 1, ec.SECP256R1())


def _serial(entropy: Entropy) -> int:
    return int.from_bytes(entropy(16), "big") >> 1
