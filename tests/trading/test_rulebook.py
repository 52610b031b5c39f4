"""Rulebooks: pinned by the day of the notice and by hash, carried as data, stricter in a region but never looser."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from crypto.refusal import Refused
from trading import rulebook as books
from trading.markets.construction import CONSTRUCTION, NATIONAL, regional
from trading.rulebook import Limit


@pytest.mark.rule("T-07", "pass")
def test_notice_takes_the_edition_in_force_on_its_day() -> None:
    old = replace(NATIONAL, id="old", effective_to=date(2026, 6, 30))
    new = replace(NATIONAL, id="new", effective_from=date(2026, 7, 1))
    pinned = [
        books.pin([old, new], market="construction", region="510100", day=day).id
        for day in (date(2026, 6, 30), date(2026, 7, 1))
    ]
    assert pinned == ["old", "new"]


@pytest.mark.rule("T-07", "refuse")
def test_edition_not_in_force_on_the_day_of_the_notice_is_refused() -> None:
    old = replace(NATIONAL, effective_to=date(2026, 6, 30))
    with pytest.raises(Refused) as err:
        old.check_in_force(date(2026, 7, 1))
    assert err.value.rule == "T-07"
    with pytest.raises(Refused) as err:
        books.pin([old], market="construction", region="510100", day=date(2026, 7, 1))
    assert (err.value.code, err.value.rule) == ("rulebook_missing", "T-07")


def test_region_comes_before_province_before_nation() -> None:
    province = regional("510000", {"publicity_days_min": Limit(5, "day", "E-79", "省条例 §1", "L")})
    city = regional("510100", {"publicity_days_min": Limit(4, "day", "E-79", "市规定", "L")})
    editions = [NATIONAL, province, city]
    found = [
        books.pin(editions, market="construction", region=region, day=date(2026, 3, 2)).region
        for region in ("510100", "510200", "330100")
    ]
    assert found == ["510100", "510000", "000000"]


def test_rulebook_travels_as_data_and_its_hash_moves_with_every_value() -> None:
    assert books.from_json(NATIONAL.to_json()) == NATIONAL
    hashes = {NATIONAL.hash}
    for name, limit in CONSTRUCTION.limits().items():
        changed = replace(NATIONAL, market=replace(CONSTRUCTION, **{name: replace(limit, value=limit.value + 1)}))
        hashes.add(changed.hash)
    assert len(hashes) == len(CONSTRUCTION.limits()) + 1


def test_every_value_names_its_rule_and_article() -> None:
    for name, limit in CONSTRUCTION.limits().items():
        assert limit.rule.startswith("E-") and limit.article, name
        assert name.endswith(("_min", "_max")), name


def test_region_may_be_stricter_but_not_looser_than_national_law() -> None:
    stricter = regional("510100", {"tender_days_min": Limit(25, "day", "E-07", "省条例 §12", "L")})
    assert stricter.market.tender_days_min.value == 25
    for name, looser in (
        ("tender_days_min", Limit(19, "day", "E-07", "x", "L")),
        ("contract_days_max", Limit(31, "day", "E-87", "x", "L")),
        ("panel_members_min", Limit(3, "member", "E-61", "x", "L")),
    ):
        with pytest.raises(Refused) as err:
            regional("510100", {name: looser})
        assert err.value.code == "regional_value_looser"


def test_region_may_not_turn_days_into_working_days() -> None:
    with pytest.raises(Refused) as err:
        regional("510100", {"publicity_days_min": Limit(3, "working_day", "E-79", "x", "L")})
    assert (err.value.code, err.value.rule) == ("day_units_mixed", "T-04")
    with pytest.raises(Refused) as err:
        regional("510100", {"no_such_value": Limit(3, "day", "E-79", "x", "L")})
    assert err.value.code == "regional_value_unknown"


def test_broken_rulebook_is_refused_not_crashed_on() -> None:
    whole = NATIONAL.to_json()
    for field in set(whole) - {"v"}:
        with pytest.raises(Refused) as err:
            books.from_json({name: value for name, value in whole.items() if name != field})
        assert err.value.code == "rulebook_malformed"
