"""What the small tender of the verifier's tests pins: lot, dates, terms, rulebook; the notice and what follows it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from crypto import jcs
from tests.crypto.verifier.hall import stamp

if TYPE_CHECKING:
    from tests.crypto.verifier.world import World

LOT = "E4201000001000001001001"
DEADLINE = datetime(2026, 3, 24, 1, 30, tzinfo=UTC)
EXTENDED = datetime(2026, 3, 30, 1, 30, tzinfo=UTC)
METHOD: Mapping[str, Any] = {
    "name": "benchmark",
    "full": "100",
    "base": "mean",
    "drop": [[1, 0, 0], [5, 1, 1]],
    "float": "-0.01",
    "above": "2",
    "below": "1",
    "cap": {"above": None, "below": "10"},
    "floor": "0",
    "weights": {"price": "0.6", "points": "0.4"},
    "round": {"base": 2, "deviation": None, "score": 2, "points": 2, "total": 2, "mode": "half_up"},
    "ties": ["price", "points", "draw"],
}
TERMS: Mapping[str, Any] = {
    "v": 1,
    "project": {"name": "学府街大修", "state_controlled": True, "sector": "transport"},
    "opening": {"fewer_than_three_after_opening": "stop"},
    "items": [
        {"code": "plan", "name": "施工组织设计", "max": "100", "step": "0.5", "kind": "subjective", "criterion": "x"}
    ],
    "method": METHOD,
    "panel": {
        "members": 5,
        "owner_representatives": 0,
        "strata": [{"specialty": "road", "seats": 3}, {"specialty": "cost", "seats": 2}],
    },
}


def limits() -> dict[str, Any]:
    """The limits of a rulebook that the verifier asks for."""
    rows = {
        "tender_days_min": (20, "day", "E-07"),
        "clarification_days_min": (15, "day", "E-09"),
        "document_objection_answer_days_max": (3, "day", "E-13"),
        "bids_min": (3, "bid", "E-51"),
        "panel_members_min": (5, "member", "E-61"),
        "panel_expert_thirds_min": (2, "third", "E-61"),
        "candidates_max": (3, "candidate", "E-75"),
        "candidates_publicity_days_max": (3, "day", "E-78"),
        "publicity_days_min": (3, "day", "E-79"),
        "result_objection_answer_days_max": (3, "day", "E-80"),
        "contract_days_max": (30, "day", "E-87"),
        "settle_seconds_min": (60, "second", "E-52"),
        "challenge_seconds_min": (300, "second", "E-52"),
        "rescue_seconds_min": (600, "second", "E-53"),
        "draw_candidates_per_seat_min": (2, "person", "E-63"),
    }
    return {
        name: {"value": n, "unit": unit, "rule": rule, "article": "-", "tag": "V"}
        for name, (n, unit, rule) in rows.items()
    }


RULEBOOK: Mapping[str, Any] = {
    "v": 1,
    "id": "construction-test",
    "market": {
        "code": "construction",
        "name_zh": "工程建设",
        "name_en": "construction",
        "deal_class": "01",
        "media": ["平台"],
        "methods": ["benchmark"],
        "lock_seats": [["owner", "centre", "notary"], ["regulator", "inspector", "independent", "notary"]],
    },
    "region": "000000",
    "effective_from": "2019-03-02",
    "effective_to": None,
    "limits": limits(),
    "lock_1": [],
    "calendar": [{"year": 2026, "source": "notice", "provisional": False, "off": ["2026-04-06"], "on": []}],
    "powers": [
        {
            "code": "S-001",
            "name_zh": "下达监督指令",
            "name_en": "issue a directive",
            "kind": "administrative",
            "holders": ["supervisor"],
            "permissions": ["supervision.issue_directive"],
            "legal_basis": "-",
            "flow": "-",
            "time_limit": None,
            "in_force_from": "2013-05-01",
            "in_force_to": None,
        }
    ],
}


def publish(world: World) -> None:
    """The notice, and on the tenth day a clarification that extends the deadline."""
    hall = world.hall
    hall.later(minutes=5)
    terms = jcs.loads(jcs.dumps(TERMS))
    notice: dict[str, Any] = {
        "lot": LOT,
        "unified_code": "A01-E4201000001000001001-20260302-001001-X",
        "project": {"code": "E4201000001000001001", "name": "学府街大修"},
        "name": "学府街大修一标段",
        "owner": hall.owner.organisation,
        "agent": hall.agent.organisation,
        "market": "construction",
        "region": "420100",
        "rehearsal": world.rehearsal,
        "rulebook": {"id": RULEBOOK["id"], "hash": world.keep(RULEBOOK)},
        "terms_hash": world.keep(terms),
        "documents": [{"name": "招标文件.pdf", "sha256": "ab" * 32, "size": 12345}],
        "deadline": stamp(DEADLINE - timedelta(days=7) if world.cheat == "short_notice" else DEADLINE),
        "max_price_fen": 800_000_000,
        "envelopes": [0, 1],
        "bids_min": 3,
        "settle_s": 60,
        "challenge_s": 300,
        "rescue_s": 600,
        "plaintext_max": 2 * 1024**3,
        "roster": hall.roster().encode().hex(),
        "seats": [[each.name for each in hall.trustees[:3]], [each.name for each in hall.trustees[3:]]],
        "opening_keys": {who: keys[1].hex() for who, keys in hall.opening_keys.items()},
        "verdict_keys": {"room": hall.room.key.hex(), "verifier": hall.verifier.key.hex()},
        "duty_key": hall.duty.key.hex(),
        "contributors": {"1": hall.centre.spki.hex(), "2": hall.supervisor.spki.hex(), "3": hall.owner.spki.hex()},
    }
    if world.cheat == "puppet_roster":
        notice["seats"][1][0], notice["seats"][1][1] = notice["seats"][1][1], notice["seats"][1][0]
    world.by_owner("tender", notice)
    hall.later(minutes=1)
    hall.checkpoint(at=hall.now + timedelta(days=9) if world.cheat == "backdated_notice" else None)
    hall.later(days=10)
    text = world.keep({"zh": "澄清", "en": "clarification", "questions": [], "salt": "00" * 32})
    amendment = {
        "version": 1,
        "text_hash": text,
        "affects_bids": True,
        "deadline": None if world.cheat == "late_clarification" else stamp(EXTENDED),
        "documents": notice["documents"],
    }
    world.by_owner("amendment", amendment)
    hall.later(minutes=1)
    if world.cheat != "unwitnessed_extension":
        hall.checkpoint()
    power = None if world.cheat == "no_power" else "S-001"
    directive = {"what": "provide", "reason": "请提供澄清记录"}
    signers = [("supervisor", hall.supervisor.signer)]
    hall.public("directive", directive, signers, role="supervisor", power=power, by=hall.supervisor)
