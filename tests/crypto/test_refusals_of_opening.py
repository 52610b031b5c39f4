"""Every code of the draw and of the opening has words in both languages, asking only for facts that it carries."""

from __future__ import annotations

import ast
import string
import tomllib
from collections.abc import Iterator
from pathlib import Path

import crypto

ROOM = Path(crypto.__file__).parent
MODULES = (
    "ceremony",
    "certified",
    "combine",
    "contribution",
    "examination",
    "frozen",
    "lottery",
    "prekeys",
    "release",
    "replay",
    "whole_log",
)
WORDS = tomllib.loads((ROOM / "refusals.toml").read_text(encoding="utf-8"))


def raised() -> Iterator[tuple[str, set[str], str]]:
    for path in (next(ROOM.rglob(f"{module}.py")) for module in MODULES):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Refused", "Waits") and node.args:
                code = node.args[0]
                if isinstance(code, ast.Constant) and isinstance(code.value, str):
                    waits = getattr(node.func, "id", "") == "Waits"
                    facts = set() if waits else {each.arg for each in node.keywords if each.arg}
                    yield code.value, facts, f"{path.name}:{node.lineno}"


def test_every_code_has_words_that_ask_only_for_its_facts() -> None:
    wrong = []
    for code, facts, where in raised():
        words = WORDS.get(code)
        if words is None:
            wrong.append(f"{code} has no words ({where})")
            continue
        for language in ("zh", "en"):
            names = {name for _, name, _, _ in string.Formatter().parse(words[language]) if name}
            if names - facts:
                wrong.append(f"{code} {language} asks for {sorted(names - facts)} ({where})")
    assert not wrong, "\n".join(wrong)
