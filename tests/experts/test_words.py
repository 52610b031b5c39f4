"""Every refusal of this room has words in both languages, and the words name facts that the refusal carries."""

import ast
from pathlib import Path

import experts
from crypto import words

ROOM = Path(experts.__file__).parent


def codes_raised() -> dict[str, set[str]]:
    """Code → keyword names, read from every `Refused(…)`, `Flaw(…)` and `wrong(…)` of the room."""
    found: dict[str, set[str]] = {}
    for module in sorted(ROOM.rglob("*.py")):
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            position = {"Refused": 0, "Flaw": 2, "wrong": 1}.get(node.func.id)
            if position is None or len(node.args) <= position:
                continue
            written = node.args[position]
            choices = [written.body, written.orelse] if isinstance(written, ast.IfExp) else [written]
            for choice in choices:
                if isinstance(choice, ast.Constant):
                    names = {keyword.arg for keyword in node.keywords if keyword.arg}
                    extra = {"line", "column", "found", "id", "first"} if node.func.id != "Refused" else set()
                    found.setdefault(str(choice.value), set()).update(names | extra)
    return found


def test_every_refusal_has_words_and_no_words_are_idle() -> None:
    table = words.load("experts")
    chosen = {"expert_is_supervisory_staff", "expert_must_avoid"}  # Picked by rule in avoidance.require_free.
    elsewhere = set(words.load("crypto", "trading"))  # Said here, worded where the same thing is refused first.
    assert set(codes_raised()) - elsewhere | chosen == set(table)


def test_no_code_has_words_in_two_rooms() -> None:
    rooms = ("crypto", "trading", "bidding", "experts", "supervision", "portal")
    assert len(words.load(*rooms)) == sum(len(words.load(room)) for room in rooms)


def test_words_name_only_facts_of_the_refusal() -> None:
    table = words.load("experts")
    for code, facts in codes_raised().items():
        if code not in table:
            continue
        for sentence in (table[code].zh, table[code].en):
            named = {part.split("}")[0] for part in sentence.split("{")[1:]}
            assert named <= facts, f"{code}: {named - facts} is not a fact of the refusal"
