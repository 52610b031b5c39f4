"""A tender document that the law allows, and who takes part in it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from crypto.ledger import note

ORIGIN = "hall.example/log/rehearsal"
PUBLISHED = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
DEADLINE = datetime(2026, 3, 26, 1, 0, tzinfo=UTC)
OWNER, CENTRE, REGULATOR = "12510100450000001E", "12139900259796191P", "111399007970301774"
SEATS = (("owner", "centre", "notary"), ("regulator", "inspector", "independent"))
GROUPS: tuple[note.Group, note.Group] = ("operation", "supervision")

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
    "owner": {"name": "青溪县公路养护中心", "uscc": OWNER},
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
    "requirements": [],
    "items": [
        {"code": "T1", "name": "施工方案", "max": "40", "step": "0.5", "kind": "subjective", "criterion": "完整、可行"}
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
