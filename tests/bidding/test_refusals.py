"""Every refusal of this room has words in both languages, and they ask only for facts that it carries."""

from __future__ import annotations

import ast
import string
import tomllib
from collections.abc import Iterator
from pathlib import Path

import bidding

ROOM = Path(bidding.__file__).parent
TABLES = [ROOM.parent / room / "refusals.toml" for room in ("crypto", "storage", "trading", "bidding", "portal")]
WORDS = {code: told for table in TABLES for code, told in tomllib.loads(table.read_text("utf-8")).items()}


def raised() -> Iterator[tuple[str, set[str], str]]:
    """(code, names of its facts, where) of each Refused(…) on the server's side of the room."""
    for path in [path for path in ROOM.rglob("*.py") if "client" not in path.parts]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Refused" and node.args:
                code = node.args[0]
                if isinstance(code, ast.Constant) and isinstance(code.value, str):
                    yield code.value, {each.arg for each in node.keywords if each.arg}, f"{path.name}:{node.lineno}"


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_code_has_words() -> None:
    silent = sorted(f"{code} ({where})" for code, _, where in raised() if code not in WORDS)
    assert not silent, silent


def test_words_ask_only_for_facts_that_are_given() -> None:
    wrong = [
        f"{code} {language} {sorted(placeholders(text) - facts)} {where}"
        for code, facts, where in raised()
        for language, text in WORDS.get(code, {}).items()
        if placeholders(text) - facts
    ]
    assert not wrong, "\n".join(wrong)


def test_no_words_are_left_over() -> None:
    own = tomllib.loads((ROOM / "refusals.toml").read_text("utf-8"))
    said = {code for code, _, _ in raised()} | {"bid_logged_after_close"}
    assert sorted(set(own) - said - client_codes()) == []


def client_codes() -> set[str]:
    """Codes that the command lines of bidders and trustees raise, and the modules that seal in a browser."""
    programs = [*ROOM.glob("client/*.py"), *ROOM.rglob("door/sealing/**/*.js"), *ROOM.glob("desk/static/*.js")]
    text = "".join(path.read_text("utf-8") for path in programs)
    return {code for code in WORDS if f'"{code}"' in text}
