"""The audit trail of a tender: who did what, when, from where, in which role, under which power, and where it stands.

20号令 §48, §49 (time, address, person, course and source of every step); domain rule E-20; 法 §22, §37. One row per
event, public and private, under the newest checkpoint that a quorum cosigned: the same events as the full bundle's.
The rules upheld:
- only supervisors, inspectors and auditors read it, under a power code, and the reading is itself an event;
- before the freeze nothing of a bidder is in it, not even that there is one (法 §22); the panel's own acts come with
  its report (法 §37);
- nobody writes it: it is read from rows that only ever were inserted, and check 2 of the bundle finds what was changed.

Whoever serves the trail can leave rows out; the leaf and index of each row, and the bundle, show what is missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import xlsxwriter

from crypto.refusal import Refused
from storage.unit import Unit
from storage.world import instant
from supervision import bundle, collected
from supervision.collected import Placed
from trading import tenders
from trading.counter.service import Service
from trading.hall import Hall
from trading.roles import FAMILY, PANEL, Actor, Family, Permission, Role
from trading.tender import Tender

COLUMNS: Mapping[str, str] = {
    "index": "序号 index",
    "time": "时间 time",
    "kind": "事项 kind",
    "public": "公开 public",
    "person": "人员 person",
    "organisation": "单位 organisation",
    "role": "角色 role",
    "power": "权力编码 power",
    "rule": "规则 rule",
    "address": "网络地址 address",
    "device": "设备 device",
    "source": "数据来源 source",
    "leaf": "账本叶 leaf",
}
"""The columns of the trail and their heads in Excel; in JSON Lines the keys."""

Format = Literal["jsonl", "xlsx"]

_UNTIL_FREEZE = frozenset({"download", "upload", "submit", "withdraw", "question", "objection", "notify"})
_UNTIL_REPORT = frozenset({"invitation", "call", "accept", "decline", "sign_in", "recuse", "notify"})


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are wanted: by person, by kind (step), from an instant on, before another; None = all."""

    person: str | None = None
    kind: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @staticmethod
    def of(query: Mapping[str, str | None]) -> Filter:
        """From a request's `person kind from to`. Raises Refused("trail_filter")."""
        return Filter(query.get("person"), query.get("kind"), _instant(query, "from"), _instant(query, "to"))

    def takes(self, row: Mapping[str, Any]) -> bool:
        """Whether a row is wanted."""
        at = instant(row["time"])
        return (
            self.person in (None, row["person"])
            and self.kind in (None, row["kind"])
            and (self.since is None or at >= self.since)
            and (self.until is None or at < self.until)
        )


async def read(
    service: Service, lot: str, wanted: Filter, *, actor: Actor, power: str | None, now: datetime, bearer: str = ""
) -> list[dict[str, Any]]:
    """The rows of a lot that the asker may see and wants, in log order; the reading is logged first.

    Raises Refused: lot_unknown, permission_denied, power_code_…, not_witnessed_yet.
    """

    async def log(unit: Unit) -> None:
        actor.must(Permission.TRAIL_READ, now=now, power=power)
        tender = (await tenders.load(unit, lot)).tender
        await bundle.log_read(unit, tender, what="trail", actor=actor, power=power, now=now, service=service)

    await service.database.write(log, bearer=bearer)
    return await service.database.read(lambda unit: rows(unit, lot, wanted, hall=service.hall))


async def rows(unit: Unit, lot: str, wanted: Filter, *, hall: Hall) -> list[dict[str, Any]]:
    """The rows that a supervisor may see by now; whoever calls this has judged who asks."""
    tender = (await tenders.load(unit, lot)).tender
    head = await collected.witnessed_head(unit, hall=hall)
    acts = await collected.public_acts(unit, tender.tender_id, head)
    events = await collected.private_events(unit, tender.tender_id, head)
    shown = [*acts, *(each for each in events if may_be_seen(tender, each.act))]
    told = (_row(each) for each in sorted(shown, key=lambda each: each.index))
    return [row for row in told if wanted.takes(row)]


def may_be_seen(tender: Tender, act: Mapping[str, Any]) -> bool:
    """Whether a private act may be shown to supervision in this state of the tender."""
    role = Role(act["role"])
    of_bidders = FAMILY[role] in (Family.BIDDER, Family.PUBLIC) or act["kind"] in _UNTIL_FREEZE
    if of_bidders and tender.frozen_at is None and tender.ended_because is None:
        return False
    of_panel = role in PANEL or act["kind"] in _UNTIL_REPORT
    return not of_panel or tender.report_at is not None or tender.ended_because is not None


def as_lines(told: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """JSON Lines, one row each, keys in the order of COLUMNS."""
    for row in told:
        yield json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def write_excel(path: Path, told: Iterable[Mapping[str, Any]], *, now: datetime) -> None:
    """An Excel file of the rows. Every cell is text or a number: what looks like a formula or a link stays text."""
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(str(path), options) as book:
        book.set_properties({"created": now.replace(tzinfo=None)})
        sheet = book.add_worksheet("trail")
        sheet.freeze_panes(1, 0)
        head = book.add_format({"bold": True})
        last = 0
        for column, title in enumerate(COLUMNS.values()):
            sheet.write_string(0, column, title, head)
            sheet.set_column(column, column, max(12, len(title)))
        for last, row in enumerate(told, start=1):
            for column, name in enumerate(COLUMNS):
                value = row[name]
                if isinstance(value, bool):
                    sheet.write_boolean(last, column, value)
                elif isinstance(value, int):
                    sheet.write_number(last, column, value)
                elif value is not None:
                    sheet.write_string(last, column, str(value))
        sheet.autofilter(0, 0, last, len(COLUMNS) - 1)


def _row(event: Placed) -> dict[str, Any]:
    act, hidden = event.act, event.hidden
    return {
        "index": event.index,
        "time": act["at"],
        "kind": act["kind"],
        "public": event.row["seq"] >= 0,
        "person": hidden.get("person"),
        "organisation": hidden.get("organisation"),
        "role": act["role"],
        "power": act["power"],
        "rule": act["rule"],
        "address": hidden.get("address"),
        "device": hidden.get("device"),
        "source": hidden.get("source"),
        "leaf": event.row["leaf_hash"],
    }


def _instant(query: Mapping[str, str | None], name: str) -> datetime | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        return instant(text)
    except ValueError as error:
        raise Refused("trail_filter", field=name, value=text[:40]) from error
