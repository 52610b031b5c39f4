"""The power list (权责清单): no code, no act (没有编码的行政权力一律不得实施).

Every verb of an official carries the code of a power that is in force, held by the official's role and made for that
verb (20号令 §49, §52). The public page of powers, the flow charts and the permission check read the same table,
`powers.toml`; a tender pins the list inside its rulebook, so that the verifier checks codes from data.

Whoever can edit `powers.toml` can name a new power; they cannot use it without a role, nor hide that it was used.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from crypto.refusal import Refused
from trading.calendar import Span, Unit

LIST = Path(__file__).with_name("powers.toml")


@dataclass(frozen=True)
class Power:
    """One coded power. `holders` are role names, `permissions` are verbs "<room>.<verb>", `time_limit` is None where
    the law sets none, dates are inclusive, `in_force_to` is None while it lasts."""

    code: str
    name_zh: str
    name_en: str
    kind: str
    holders: tuple[str, ...]
    permissions: tuple[str, ...]
    legal_basis: str
    flow: str
    time_limit: Span | None
    in_force_from: date
    in_force_to: date | None

    def in_force(self, day: date) -> bool:
        """Whether the power may be exercised on this legal day."""
        return self.in_force_from <= day and (self.in_force_to is None or day <= self.in_force_to)

    def to_json(self) -> dict[str, Any]:
        """The power as the public list and the pinned rulebook show it."""
        return {
            "code": self.code,
            "name_zh": self.name_zh,
            "name_en": self.name_en,
            "kind": self.kind,
            "holders": list(self.holders),
            "permissions": list(self.permissions),
            "legal_basis": self.legal_basis,
            "flow": self.flow,
            "time_limit": None if self.time_limit is None else {"n": self.time_limit.n, "unit": self.time_limit.unit},
            "in_force_from": self.in_force_from.isoformat(),
            "in_force_to": None if self.in_force_to is None else self.in_force_to.isoformat(),
        }


def load(path: Path = LIST) -> tuple[Power, ...]:
    """The power list, by code. Asserts that no code occurs twice."""
    rows = tomllib.loads(path.read_text("utf-8"))["power"]
    read = tuple(sorted((_read(row) for row in rows), key=lambda power: power.code))
    assert len({power.code for power in read}) == len(read), "a power code occurs twice"
    return read


def from_json(row: Mapping[str, Any]) -> Power:
    """The inverse of Power.to_json."""
    return _read({**row, "in_force_from": date.fromisoformat(row["in_force_from"]), "in_force_to": _day(row)})


def check(list_: Iterable[Power], code: str | None, *, role: str, permission: str, day: date) -> Power:
    """The power under which an official acts. Raises, in this order: power_code_missing, power_code_unknown,
    power_code_of_another_role, power_code_for_another_act, power_code_not_in_force."""
    if not code:
        raise Refused("power_code_missing", permission=permission, role=role)
    power = next((power for power in list_ if power.code == code), None)
    if power is None:
        raise Refused("power_code_unknown", power=code)
    if role not in power.holders:
        raise Refused("power_code_of_another_role", power=code, role=role)
    if permission not in power.permissions:
        raise Refused("power_code_for_another_act", power=code, permission=permission)
    if not power.in_force(day):
        raise Refused("power_code_not_in_force", power=code, day=day.isoformat())
    return power


def for_verb(list_: Iterable[Power], *, role: str, permission: str, day: date) -> Power | None:
    """The power a role would name for a verb on a day, or None. A page offers it, a person confirms it."""
    return next(
        (power for power in list_ if role in power.holders and permission in power.permissions and power.in_force(day)),
        None,
    )


def _read(row: Mapping[str, Any]) -> Power:
    limit = row.get("time_limit")
    unit: Unit = "day" if limit is None or limit["unit"] == "day" else "working_day"
    return Power(
        code=row["code"],
        name_zh=row["name_zh"],
        name_en=row["name_en"],
        kind=row["kind"],
        holders=tuple(row["holders"]),
        permissions=tuple(row["permissions"]),
        legal_basis=row["legal_basis"],
        flow=row["flow"],
        time_limit=None if limit is None else Span(limit["n"], unit),
        in_force_from=row["in_force_from"],
        in_force_to=row.get("in_force_to"),
    )


def _day(row: Mapping[str, Any]) -> date | None:
    return None if row["in_force_to"] is None else date.fromisoformat(row["in_force_to"])
