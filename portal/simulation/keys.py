"""Everybody's keys in a simulated hall: made once in a process from a fixed seed, because keys are not what is tried.

Two roots, three witnesses, six trustees, an authority, owner, centre and supervisor, nine bidders (one whose
certificate has expired, one whose certificate is revoked), a register of experts of whom some work for bidders. All of
them are fictitious, and all private keys follow from a published seed.
"""

from __future__ import annotations

import base64
import csv
import functools
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from stdnum.cn import uscc as usccs

from crypto import certificates, signing, trust
from crypto.certificates import Authority
from crypto.ledger import note
from crypto.sealing import prekeys
from crypto.signing import Ed25519Signer, P256Signer
from storage.world import SeededEntropy
from trading.roles import Actor, Role

ORIGIN = "tradehall/simulation/rehearsal"
START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
"""Monday 2 March 2026, nine o'clock in the morning in Asia/Shanghai."""
REGION = "139900"
OWNER, CENTRE, SUPERVISOR = "121399003488598365", "12139900259796191P", "111399007970301774"
SEATS = (("owner", "centre", "notary"), ("regulator", "inspector", "independent"))
GROUPS: tuple[note.Group, note.Group] = ("operation", "supervision")
WITNESSES: tuple[tuple[str, note.Group], ...] = (
    ("operation", "operation"),
    ("supervision", "supervision"),
    ("notary", "independent"),
)
BIDDERS = 7
EXPERTS = 40
SPECIALTIES = ("A080201", "A060102", "A070103")
PRE_KEYS = 24
ROUNDING: dict[str, Any] = {"base": 2, "deviation": 2, "score": 2, "points": 2, "total": 2, "mode": "half_up"}
HEADINGS = (
    "专家编号",
    "姓名",
    "工作单位统一社会信用代码",
    "工作单位",
    "评标专业",
    "职称",
    "从业年限",
    "状态",
    "行政区划代码",
    "手机",
)


@dataclass(frozen=True, slots=True)
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
        """The certificate in base64, as it is posted."""
        return base64.b64encode(self.signer.certificate).decode()


@dataclass(frozen=True, slots=True)
class Expert:
    """One line of the register, and the account that signs in."""

    id: str
    name: str
    employer: str
    specialty: str

    @property
    def actor(self) -> Actor:
        return Actor(f"expert-{self.id}", "", Role.EXPERT, "192.0.2.30", f"device-{self.id}")


@dataclass(frozen=True, slots=True)
class Seat:
    """A trustee: its lock, its seat, its organisation, what it signs and decrypts with."""

    id: str
    lock: int
    seat: str
    uscc: str
    signer: Ed25519Signer
    keys: tuple[prekeys.PreKey, ...]


class Keys:
    """Everybody. `expired` and `revoked` are bidders whose certificates no box may take."""

    def __init__(self) -> None:
        entropy = SeededEntropy("simulation keys")
        self._entropy = entropy
        self.authority = Authority.create(
            "Tradehall 模拟证书颁发机构",
            key=signing.new_p256(entropy=entropy),
            serial=1,
            not_before=START - timedelta(days=400),
            not_after=START + timedelta(days=3650),
        )
        self.roots = {side: Ed25519Signer.generate(entropy=entropy) for side in ("centre", "supervision")}
        self.log, self.duty, self.room, self.verifier = (Ed25519Signer.generate(entropy=entropy) for _ in range(4))
        self.witnesses = {name: Ed25519Signer.generate(entropy=entropy) for name, _ in WITNESSES}
        self.owner = self._company(1, "青岚市城市道路管理处", Role.OWNER, uscc=OWNER)
        self.centre = self._company(2, "青岚市公共资源交易中心", Role.CENTRE, uscc=CENTRE)
        self.supervisor = self._company(3, "青岚市住房和城乡建设局", Role.SUPERVISOR, uscc=SUPERVISOR)
        self.bidders = tuple(self._company(10 + n, f"模拟投标{n}有限公司", Role.BIDDER) for n in range(BIDDERS))
        self.expired = self._company(30, "证书过期有限公司", Role.BIDDER, since=-300, days=-10)
        self.revoked = self._company(31, "证书吊销有限公司", Role.BIDDER)
        self.stranger = self._company(32, "局外人有限公司", Role.BIDDER)
        self.crl = self.authority.crl(
            {1000 + 31: START - timedelta(days=5)},
            number=1,
            at=START - timedelta(days=1),
            next_update=START + timedelta(days=3600),
        )
        self.experts = tuple(self._expert(n) for n in range(EXPERTS))
        self.trustees = tuple(self._seat(lock, seat) for lock, seats in enumerate(SEATS) for seat in seats)
        self.trust = self._trust()

    @property
    def companies(self) -> Sequence[Company]:
        """Every organisation that bids or tries to."""
        return (*self.bidders, self.expired, self.revoked, self.stranger)

    @property
    def lock_1(self) -> Sequence[str]:
        """The trustees of the supervision group."""
        return [seat.id for seat in self.trustees if seat.lock == 1]

    def register(self) -> bytes:
        """The register of experts as the centre imports it (CSV, UTF-8)."""
        written = io.StringIO()
        rows = csv.writer(written)
        rows.writerow(HEADINGS)
        for number, one in enumerate(self.experts):
            where, phone = f"{one.name}的单位", f"139{number:08d}"
            rows.writerow((one.id, one.name, one.employer, where, one.specialty, "高级", "15", "在库", REGION, phone))
        return written.getvalue().encode("utf-8")

    def _company(
        self, number: int, name: str, role: Role, *, uscc: str | None = None, since: int = -1, days: int = 3000
    ) -> Company:
        code = uscc or _uscc(number)
        key = signing.new_p256(entropy=self._entropy)
        certificate = self.authority.issue(
            certificates.request(name, code, key=key),
            serial=1000 + number,
            not_before=START + timedelta(days=since),
            not_after=START + timedelta(days=days),
        )
        actor = Actor(f"person-{number}", code, role, "192.0.2.7", f"device-{number}")
        return Company(name, code, P256Signer(key, certificate), actor)

    def _expert(self, number: int) -> Expert:
        # Every fifth works for a bidder, so that avoidance has something to avoid.
        employer = self.bidders[number // 5 % BIDDERS].uscc if number % 5 == 4 else _uscc(200 + number)
        return Expert(f"SX{number:04d}", f"专家{number:03d}号", employer, SPECIALTIES[number % len(SPECIALTIES)])

    def _seat(self, lock: int, seat: str) -> Seat:
        known = {"owner": OWNER, "centre": CENTRE, "regulator": SUPERVISOR}
        uscc = known.get(seat) or _uscc(400 + 10 * lock + SEATS[lock].index(seat))
        signer = Ed25519Signer.generate(entropy=self._entropy)
        keys = prekeys.derive(self._entropy(prekeys.SEED_BYTES), 0, PRE_KEYS)
        return Seat(f"{GROUPS[lock]}-{seat}", lock, seat, uscc, signer, keys)

    def _trust(self) -> trust.Trust:
        self.trust_bytes = trust.dump(
            hall="模拟大厅",
            log=note.VerifierKey(ORIGIN, note.LOG_SIGNATURE, self.log.key),
            witnesses=tuple(
                note.Witness(name, group, note.VerifierKey(name, note.COSIGNATURE, self.witnesses[name].key))
                for name, group in WITNESSES
            ),
            quorum=2,
            trustee_roots={side: root.key for side, root in self.roots.items()},
            ca_roots=(self.authority.certificate,),
            contributors={"centre": self.centre.spki, "supervision": self.supervisor.spki},
        )
        return trust.load(self.trust_bytes)


@functools.cache
def everybody() -> Keys:
    """The keys of this process."""
    return Keys()


def document(**changes: Any) -> dict[str, Any]:
    """A lawful tender document of two short locks; `changes` replace whole fields."""
    lawful: dict[str, Any] = {
        "v": 1,
        "project": {
            "name": "青岚市模拟道路养护工程",
            "approval": "青发改审〔2026〕17号",
            "fund_source": "市财政资金",
            "state_controlled": True,
            "sector": "municipal",
            "industry": "02",
        },
        "owner": {"name": "青岚市城市道路管理处", "uscc": OWNER},
        "agent": None,
        "market": "construction",
        "region": REGION,
        "rehearsal": True,
        "notice": {
            "title": "青岚市模拟道路养护工程招标公告",
            "media": ["中国招标投标公共服务平台"],
            "platform": "http://localhost:8000",
            "contact": {"name": "何工", "phone": "0000-8000088", "address": "青岚市建设路88号"},
            "fee_fen": 0,
            "preconditions": [],
        },
        "lot": {
            "number": 1,
            "name": "模拟第一标段",
            "class_code": "A080000",
            "scope": "车行道铣刨重铺",
            "place": "青岚市",
            "quality": "合格",
            "period_days_max": 180,
        },
        "price": {"max_price_fen": 1_200_000_000, "max_price_method": None},
        "schedule": {},
        "sealing": {
            "envelopes": [0, 1],
            "bids_min": 3,
            "settle_s": 60,
            "challenge_s": 300,
            "rescue_s": 600,
            "plaintext_max": 4 * 1024 * 1024,
            "locks": [{"threshold": 2, "seats": list(SEATS[0])}, {"threshold": 2, "seats": list(SEATS[1])}],
        },
        "opening": {"place": "http://localhost:8000", "fewer_than_three_after_opening": "stop"},
        "opening_list": [
            {"field": "price_fen", "label": "投标报价"},
            {"field": "period_days", "label": "工期"},
            {"field": "quality", "label": "质量"},
            {"field": "leader", "label": "项目负责人"},
        ],
        "requirements": [
            {
                "code": "R1",
                "name": "施工组织设计",
                "stage": "response",
                "envelope": 1,
                "file": "技术标.pdf",
                "mandatory": True,
                "ground": 6,
            }
        ],
        "items": [
            {
                "code": "T1",
                "name": "施工方案",
                "max": "40",
                "step": "0.5",
                "kind": "subjective",
                "criterion": "完整、可行",
            },
            {
                "code": "B1",
                "name": "类似业绩",
                "max": "10",
                "step": "0.5",
                "kind": "objective",
                "criterion": "每项2.5分",
            },
        ],
        "method": benchmark(),
        "panel": {
            "members": 5,
            "owner_representatives": 0,
            "strata": [{"specialty": code, "seats": seats} for code, seats in zip(SPECIALTIES, (2, 2, 1), strict=True)],
        },
        "candidates_max": 3,
        "remedies": {"objection": "http://localhost:8000/objections", "complaint": "青岚市住房和城乡建设局"},
    }
    return lawful | changes


def benchmark(**changes: Any) -> dict[str, Any]:
    """综合评估法 with a benchmark price, as in scores.json."""
    method: dict[str, Any] = {
        "name": "benchmark",
        "full": "100",
        "base": "mean",
        "drop": [[1, 0, 0], [5, 1, 0], [7, 1, 1]],
        "float": "-0.02",
        "above": "2",
        "below": "1",
        "cap": {"above": None, "below": None},
        "floor": "0",
        "weights": {"price": "0.6", "points": "0.4"},
        "round": ROUNDING,
        "ties": ["price", "points", "draw"],
    }
    return method | changes


def _uscc(number: int) -> str:
    body = f"9113990000000{number:04d}"
    return body + str(usccs.calc_check_digit(body))
