"""A rulebook: every number the law gives for one market in one region, each with its rule and article.

Upholds T-07: a tender pins the rulebook in force on the day its notice is published, by hash, in the TENDER act, and
lives under it to the end. The object behind that hash holds limits, calendar and power list as data, so that the
verifier needs none of this code (contract.md check 3). Values tagged L or mem are not national law: a region may set
them freely. A region may make a national value stricter and never looser.

Whoever can edit a market literal can change what later tenders must keep; they cannot change a published one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any, Literal

from crypto import jcs
from crypto.refusal import Refused
from trading import calendar, powers
from trading.calendar import Calendar, Span

Tag = Literal["V", "S", "L", "mem", "design"]
DAY_UNITS = ("day", "working_day")


@dataclass(frozen=True)
class Limit:
    """One number of the law. `unit`: day, working_day, second, bid, member, third, candidate, bit, person, year."""

    value: int
    unit: str
    rule: str
    article: str
    tag: Tag = "V"

    @property
    def span(self) -> Span:
        """The limit as a legal length of time; asserts that it is one."""
        assert self.unit in DAY_UNITS, f"{self.rule} is counted in {self.unit}, not in days"
        return Span(self.value, "day" if self.unit == "day" else "working_day")


@dataclass(frozen=True, kw_only=True)
class Market:
    """The limits of one kind of trade. A name ending in _min is a floor, one ending in _max a ceiling."""

    code: str
    name_zh: str
    name_en: str
    deal_class: str
    media: tuple[str, ...]
    methods: tuple[str, ...]
    lock_seats: tuple[tuple[str, ...], ...]

    document_days_min: Limit
    tender_days_min: Limit
    clarification_days_min: Limit
    document_objection_days_min: Limit
    document_objection_answer_days_max: Limit
    bids_min: Limit
    panel_members_min: Limit
    panel_expert_thirds_min: Limit
    competition_bids_min: Limit
    candidates_max: Limit
    candidates_publicity_days_max: Limit
    publicity_days_min: Limit
    result_objection_answer_days_max: Limit
    regulator_report_days_max: Limit
    contract_days_max: Limit
    settle_seconds_min: Limit
    challenge_seconds_min: Limit
    rescue_seconds_min: Limit
    draw_candidates_per_seat_min: Limit

    def limits(self) -> dict[str, Limit]:
        """Every limit by name, in the order of the literal."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: limit for name, limit in found.items() if isinstance(limit, Limit)}


@dataclass(frozen=True)
class Rulebook:
    """One edition of a market's rules in one region. `lock_1` names, per sector, the organisations (uscc) that hold the
    supervision lock; empty means that the seats' kinds alone decide. Days are inclusive; `effective_to` None = open."""

    id: str
    market: Market
    region: str
    effective_from: date
    effective_to: date | None
    calendar: Calendar
    powers: tuple[powers.Power, ...] = ()
    lock_1: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def in_force(self, day: date) -> bool:
        """Whether a notice published on this day falls under this edition."""
        return self.effective_from <= day and (self.effective_to is None or day <= self.effective_to)

    def check_in_force(self, day: date) -> Rulebook:
        """T-07: the edition follows the day of the notice, nothing else. Raises rulebook_not_in_force."""
        if not self.in_force(day):
            raise Refused("rulebook_not_in_force", rule="T-07", rulebook=self.id, day=day.isoformat())
        return self

    def lock_1_organisations(self, sector: str) -> tuple[str, ...]:
        """The organisations named for the supervision lock of a sector; empty when the region names none."""
        return dict(self.lock_1).get(sector, ())

    def to_json(self) -> dict[str, Any]:
        """The rulebook as data; its hash is what the notice pins."""
        return {
            "v": 1,
            "id": self.id,
            "market": {
                "code": self.market.code,
                "name_zh": self.market.name_zh,
                "name_en": self.market.name_en,
                "deal_class": self.market.deal_class,
                "media": list(self.market.media),
                "methods": list(self.market.methods),
                "lock_seats": [list(seats) for seats in self.market.lock_seats],
            },
            "region": self.region,
            "effective_from": self.effective_from.isoformat(),
            "effective_to": None if self.effective_to is None else self.effective_to.isoformat(),
            "limits": {
                name: {
                    "value": limit.value,
                    "unit": limit.unit,
                    "rule": limit.rule,
                    "article": limit.article,
                    "tag": limit.tag,
                }
                for name, limit in self.market.limits().items()
            },
            "lock_1": [{"sector": sector, "organisations": list(named)} for sector, named in self.lock_1],
            "calendar": self.calendar.to_json(),
            "powers": [power.to_json() for power in self.powers],
        }

    def canonical(self) -> bytes:
        """The bytes of the object that the TENDER act names (JCS)."""
        return jcs.dumps(self.to_json())

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical bytes, lower-case hex."""
        return hashlib.sha256(self.canonical()).hexdigest()


def from_json(data: Mapping[str, Any]) -> Rulebook:
    """A pinned rulebook read back from its object. Raises rulebook_malformed; the caller has checked the hash."""
    try:
        market = data["market"]
        return Rulebook(
            id=data["id"],
            market=Market(
                code=market["code"],
                name_zh=market["name_zh"],
                name_en=market["name_en"],
                deal_class=market["deal_class"],
                media=tuple(market["media"]),
                methods=tuple(market["methods"]),
                lock_seats=tuple(tuple(seats) for seats in market["lock_seats"]),
                **{name: Limit(**limit) for name, limit in data["limits"].items()},
            ),
            region=data["region"],
            effective_from=date.fromisoformat(data["effective_from"]),
            effective_to=None if data["effective_to"] is None else date.fromisoformat(data["effective_to"]),
            calendar=calendar.from_json(data["calendar"]),
            powers=tuple(powers.from_json(row) for row in data["powers"]),
            lock_1=tuple((row["sector"], tuple(row["organisations"])) for row in data["lock_1"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Refused("rulebook_malformed", problem=str(error)) from error


def for_region(national: Rulebook, region: str, overrides: Mapping[str, Limit]) -> Rulebook:
    """The national edition with a region's own values. Raises regional_value_unknown, regional_value_looser (a national
    value may only become stricter) and day_units_mixed (T-04: a region may not turn 日 into 工作日)."""
    known = national.market.limits()
    for name, limit in overrides.items():
        if name not in known:
            raise Refused("regional_value_unknown", name=name, region=region)
        _check_regional(name, known[name], limit)
    market = replace(national.market, **overrides)  # type: ignore[arg-type]  # names were checked against the fields
    return replace(national, id=f"{national.id}-{region}", region=region, market=market)


def pin(editions: Iterable[Rulebook], *, market: str, region: str, day: date) -> Rulebook:
    """The one edition for a notice published on `day` (T-07); the region's own before the national one.
    Raises rulebook_missing when none is in force; asserts that no two overlap."""
    found = [book for book in editions if book.market.code == market and book.in_force(day)]
    for wanted in (region, region[:2] + "0000", "000000"):
        fitting = [book for book in found if book.region == wanted]
        assert len(fitting) < 2, f"editions overlap: {[book.id for book in fitting]}"
        if fitting:
            return fitting[0]
    raise Refused("rulebook_missing", rule="T-07", market=market, region=region, day=day.isoformat())


def _check_regional(name: str, national: Limit, regional: Limit) -> None:
    if national.unit in DAY_UNITS and regional.unit in DAY_UNITS and national.unit != regional.unit:
        raise Refused("day_units_mixed", rule="T-04", one=national.unit, other=regional.unit)
    looser = regional.value < national.value if name.endswith("_min") else regional.value > national.value
    if national.unit != regional.unit or (national.tag == "V" and looser):
        raise Refused("regional_value_looser", rule=national.rule, name=name, article=national.article)
