"""What the tests of trading share: a lawful tender document, the national rulebook, and the acts of one tender."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from crypto.roster import Lock, Roster
from storage import world
from trading import fold, tender_document
from trading.markets.construction import NATIONAL
from trading.rulebook import Rulebook
from trading.tender import Tender
from trading.tender_document import TenderDocument

CHINA = timezone(timedelta(hours=8))

LAWFUL: dict[str, Any] = {
    "v": 1,
    "project": {
        "name": "青溪县道路养护工程",
        "approval": "青发改〔2026〕18号",
        "fund_source": "县级财政资金",
        "state_controlled": True,
        "sector": "transport",
        "industry": "A03",
    },
    "owner": {"name": "青溪县公路养护中心", "uscc": "12510100450000001E"},
    "agent": None,
    "market": "construction",
    "region": "510100",
    "rehearsal": True,
    "notice": {
        "title": "青溪县道路养护工程招标公告",
        "media": ["中国招标投标公共服务平台"],
        "platform": "http://localhost:8000",
        "contact": {"name": "王工", "phone": "028-00000000", "address": "青溪县人民路1号"},
        "fee_fen": 0,
        "preconditions": [],
    },
    "lot": {
        "number": 1,
        "name": "第一标段",
        "class_code": "A080000",
        "scope": "县道X012线K0+000至K18+400路面养护",
        "place": "青溪县",
        "quality": "合格",
        "period_days_max": 180,
    },
    "price": {"max_price_fen": 1_200_000_000, "max_price_method": None},
    "schedule": {
        "documents_until": "2026-03-10T09:00:00.000Z",
        "deadline": "2026-03-26T01:00:00.000Z",
        "opening_at": "2026-03-26T01:00:00.000Z",
        "validity_days": 90,
        "publicity_days": 3,
    },
    "sealing": {
        "envelopes": [0, 1],
        "bids_min": 3,
        "settle_s": 60,
        "challenge_s": 300,
        "rescue_s": 600,
        "plaintext_max": 2147483648,
        "locks": [
            {"threshold": 2, "seats": ["owner", "centre", "notary"]},
            {"threshold": 2, "seats": ["regulator", "inspector", "independent"]},
        ],
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
            "code": "Q1",
            "name": "营业执照",
            "stage": "qualification",
            "envelope": 1,
            "file": "资格/营业执照.pdf",
            "mandatory": True,
            "ground": 3,
        },
        {
            "code": "R1",
            "name": "工期响应",
            "stage": "response",
            "envelope": 0,
            "file": "period_days",
            "mandatory": True,
            "ground": 6,
        },
    ],
    "items": [
        {"code": "T1", "name": "施工方案", "max": "40", "step": "0.5", "kind": "subjective", "criterion": "完整、可行"},
        {"code": "T2", "name": "业绩", "max": "10", "step": "2", "kind": "objective", "criterion": "每项2分"},
    ],
    "method": {
        "name": "benchmark",
        "full": "100",
        "base": "mean",
        "drop": [[1, 0, 0], [5, 1, 1]],
        "float": "-0.02",
        "above": "2",
        "below": "1",
        "cap": {"above": None, "below": None},
        "floor": "0",
        "weights": {"price": "0.6", "points": "0.4"},
        "round": {"base": 2, "deviation": 2, "score": 2, "points": 2, "total": 2, "mode": "half_up"},
        "ties": ["price", "points", "draw"],
    },
    "panel": {
        "members": 5,
        "owner_representatives": 1,
        "strata": [{"specialty": "A0803", "seats": 3}, {"specialty": "B0101", "seats": 1}],
    },
    "candidates_max": 3,
    "remedies": {"objection": "http://localhost:8000/objections", "complaint": "青溪县交通运输局"},
}

PUBLISHED = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


@pytest.fixture
def rulebook() -> Rulebook:
    """The national construction rulebook."""
    return NATIONAL


@pytest.fixture
def draft() -> dict[str, Any]:
    """A lawful document as JSON values, free to be changed."""
    return copy.deepcopy(LAWFUL)


@pytest.fixture
def document() -> TenderDocument:
    """The lawful document."""
    return tender_document.parse(json.dumps(LAWFUL, ensure_ascii=False).encode())


@pytest.fixture
def at() -> Callable[[str], datetime]:
    """An instant from local Chinese time: at("2026-03-02 09:00")."""
    return lambda text: datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=CHINA).astimezone(UTC)


class Play:
    """A tender played act by act; `leaf` of an act is a readable name padded to look like a hash."""

    def __init__(self, document: TenderDocument) -> None:
        roster = Roster(tuple(Lock(2, tuple(_key(lock * 3 + seat) for seat in (1, 2, 3))) for lock in (0, 1)))
        self.document = document
        self.acts: list[tuple[str, dict[str, Any]]] = []
        act = {
            "kind": "tender",
            "tender_id": "ab" * 32,
            "at": world.stamp(PUBLISHED),
            "lot": "E5101000001000001001001",
            "name": document.lot.name,
            "owner": {"name": document.owner.name, "uscc": document.owner.uscc},
            "agent": None,
            "market": "construction",
            "region": "510100",
            "rehearsal": True,
            "rulebook": {"id": NATIONAL.id, "hash": NATIONAL.hash},
            "terms_hash": document.hash,
            "deadline": document.schedule.deadline,
            "max_price_fen": document.price.max_price_fen,
            "bids_min": 3,
            "settle_s": 60,
            "challenge_s": 300,
            "rescue_s": 600,
            "roster": roster.encode().hex(),
        }
        self.acts.append((leaf("tender"), act))
        self.tender: Tender = fold.begin(act, document, leaf=leaf("tender"))

    def act(self, kind: str, at: datetime, *, name: str | None = None, **fields: Any) -> Tender:
        """Add an act and return the tender after it; a refused act is not kept."""
        act = {"kind": kind, "tender_id": self.tender.tender_id, "at": world.stamp(at), **fields}
        self.tender = fold.apply(self.tender, act, leaf=leaf(name or kind))
        self.acts.append((leaf(name or kind), act))
        return self.tender


def leaf(name: str) -> str:
    """A leaf hash that a failing test can be read by."""
    return name.encode().hex().ljust(64, "0")


def _key(number: int) -> bytes:
    return bytes([9 + number, *range(1, 32)])


@pytest.fixture
def play(document: TenderDocument) -> Play:
    """A tender just published."""
    return Play(document)
