"""Rows and acts that the contract tests of the unit of work write."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from storage.ports import Row
from storage.unit import NO_HASH, Database, Record

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
Hall = Callable[[Callable[[Database], Any]], Any]


def tender(lot: str = "L1", **columns: Any) -> Row:
    made: Row = {
        "lot": lot,
        "state": "published",
        "deadline": "2026-03-22T01:00:00.000Z",
        "due": "",
        "region": "110000",
        "market": "construction",
        "tender_id": "t" + lot,
        "owner": "O",
        "body": {"name": "道路养护"},
    }
    return made | columns


def submission(organisation: str, lot: str = "L1", version: int = 1) -> Row:
    return {
        "id": f"{lot}-{organisation}-{version}",
        "lot": lot,
        "organisation": organisation,
        "bid_version": version,
        "received_at": "2026-03-02T01:00:00.000Z",
        "digest": "d",
        "body": {"headers": ["aa", "bb"]},
    }


def act(number: int, *, seq: int = -1, prev: str = NO_HASH, actor: str = "A") -> Record:
    leaf = bytes([1 if seq >= 0 else 2]) + number.to_bytes(4, "big")
    return Record(
        id=f"event-{number}",
        lot="L1",
        tender_id="tL1",
        kind="tender" if seq >= 0 else "submit",
        actor=actor,
        at=NOW,
        public={"n": number},
        leaf=leaf,
        leaf_hash=sha256(b"\0" + leaf).hexdigest(),
        seq=seq,
        prev=prev,
        confidential={"person": "张三"} if seq < 0 else None,
        salt_p="aa",
        salt_c="bb",
    )
