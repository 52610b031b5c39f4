"""What every test shares: the rule it passes or refuses goes into the report, from which docs/rules.md is made."""

from __future__ import annotations

import inspect

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Carry each rule mark into the report; a refusing test must look at the rule in the problem it gets."""
    for item in items:
        for mark in item.iter_markers("rule"):
            rule, outcome = mark.args
            if outcome == "refuse" and isinstance(item, pytest.Function):
                text = inspect.getsource(item.function)
                assert "rule" in text.split("def ", 1)[1], f"{item.nodeid} does not look at the rule it is refused by"
            item.user_properties.append(("rule", f"{rule} {outcome}"))
