"""Make docs/rules.md from the tests that ran, and fail where a rule of tests/rules.toml was not passed and refused.

    python3 tests/rules.py REPORT.xml [--write]

Without --write the page is compared with what the report gives, so that it cannot go stale.
"""

from __future__ import annotations

import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "rules.md"
HEAD = """# The rules, and the tests that hold them

Made by `tests/rules.py` from tests that ran; do not edit. A refusing test sees the rule's number in the problem it
gets. How a rule reads in code: search for its number.

| rule | says | article | tests that pass it | tests it refuses in |
|---|---|---|---|---|
"""


def ran(report: Path) -> dict[tuple[str, str], set[str]]:
    """(rule, pass|refuse) → the test modules in which such a test ran and was green."""
    found: dict[tuple[str, str], set[str]] = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        if any(case.find(bad) is not None for bad in ("failure", "error", "skipped")):
            continue
        for each in case.iter("property"):
            if each.get("name") == "rule":
                rule, outcome = str(each.get("value")).split()
                found.setdefault((rule, outcome), set()).add(str(case.get("classname")).replace(".", "/") + ".py")
    return found


def page(rules: dict[str, dict[str, str]], found: dict[tuple[str, str], set[str]]) -> str:
    """The text of docs/rules.md."""
    lines = []
    for rule, told in rules.items():
        passing, refusing = (
            "<br>".join(f"`{name}`" for name in sorted(found.get((rule, outcome), ())))
            for outcome in ("pass", "refuse")
        )
        lines.append(f"| {rule} | {told['zh']}<br>{told['en']} | {told['article']} | {passing} | {refusing} |")
    return HEAD + "\n".join(lines) + "\n"


def main(report: Path, *, write: bool) -> int:
    """Compare or write the page; 1 when a rule lacks a test, or the page is stale."""
    rules = tomllib.loads((ROOT / "tests" / "rules.toml").read_text("utf-8"))
    found = ran(report)
    lacking = [
        f"{rule} {outcome}" for rule in rules for outcome in ("pass", "refuse") if not found.get((rule, outcome))
    ]
    for each in lacking:
        print(f"no test that ran: {each}")
    text = page(rules, found)
    if write:
        PAGE.write_text(text, "utf-8")
    elif not PAGE.exists() or PAGE.read_text("utf-8") != text:
        print("docs/rules.md is not what the tests gave: python3 tests/rules.py build/test/unit.xml --write")
        return 1
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), write="--write" in sys.argv[2:]))
