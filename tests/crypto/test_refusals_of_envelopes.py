"""Every refusal of the sealed envelope has words in both languages, and no words stand for nothing."""

from __future__ import annotations

import ast
from pathlib import Path

import crypto
from crypto import words

MODULES = ("jcs", "hpke", "roster", "header", "lock", "body", "manifest", "envelope", "amount", "recovery")


def raised_codes() -> dict[str, str]:
    """Code → module, for every Refused("code", …) written in these modules."""
    found: dict[str, str] = {}
    for module in MODULES:
        source = Path(crypto.__path__[0], f"{module}.py").read_text("utf-8")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refused":
                assert isinstance(node.args[0], ast.Constant), f"{module}: a code must be written out"
                found[node.args[0].value] = module
    return found


def test_every_code_has_words_in_both_languages() -> None:
    table = words.load("crypto")
    missing = {code: module for code, module in raised_codes().items() if code not in table}
    assert not missing
    for code in raised_codes():
        assert table[code].zh.strip() and table[code].en.strip().endswith(".")
