"""Every refusal of the sealed envelope has words in both languages, and no words stand for nothing."""

from __future__ import annotations

import ast
import string
from pathlib import Path

import pytest

import crypto
from crypto import words

TABLE = words.load("crypto")
MODULES = ("jcs", "hpke", "roster", "header", "lock", "body", "manifest", "envelope", "amount", "recovery")


def raised() -> list[tuple[str, str, set[str]]]:
    """(module, code, names of the facts) for every Refused("code", …) written in these modules."""
    found = []
    for module in MODULES:
        (path,) = Path(crypto.__path__[0]).rglob(f"{module}.py")
        source = path.read_text("utf-8")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refused":
                assert isinstance(node.args[0], ast.Constant), f"{module}: a code must be written out"
                found.append((module, node.args[0].value, {each.arg for each in node.keywords if each.arg}))
    return found


@pytest.mark.parametrize(
    ("module", "code", "facts"), raised(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_refusal_has_words_that_need_only_the_facts_it_carries(module: str, code: str, facts: set[str]) -> None:
    sentence = TABLE[code]
    assert sentence.en.strip().endswith((".", ".)")) and sentence.zh.strip()
    for text in (sentence.zh, sentence.en):
        named = {name for _, name, _, _ in string.Formatter().parse(text) if name}
        assert named <= facts, f"{module}: {code} is told with {named - facts} and does not carry it"
