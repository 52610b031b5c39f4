"""Every code of the modules of the ledger has words in both languages, and they ask only for facts that it carries."""

import ast
import string
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import crypto
from crypto.ledger import merkle, note
from crypto.refusal import Refused

ROOM = Path(crypto.__file__).parent
MODULES = ("acts", "certificates", "merkle", "note", "receipt", "signing", "tiles", "trust")
WORDS = tomllib.loads((ROOM / "refusals.toml").read_text(encoding="utf-8"))


def raised() -> Iterator[tuple[str, set[str], str]]:
    """(code, names of its facts, where) of each Refused(…) in these modules."""
    for path in (next(ROOM.rglob(f"{module}.py")) for module in MODULES):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Refused" and node.args:
                code = node.args[0]
                if isinstance(code, ast.Constant) and isinstance(code.value, str):
                    facts = {each.arg for each in node.keywords if each.arg}
                    yield code.value, facts, f"{path.name}:{node.lineno}"


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_code_has_words_in_both_languages() -> None:
    silent = sorted({f"{code} ({where})" for code, _, where in raised() if code not in WORDS})
    assert not silent, silent
    assert all(set(words) == {"zh", "en"} and all(words.values()) for words in WORDS.values())


def test_words_ask_only_for_facts_that_are_given() -> None:
    wrong = []
    for code, facts, where in raised():
        for language, text in WORDS.get(code, {}).items():
            unknown = placeholders(text) - facts
            if unknown:
                wrong.append(f"{code} {language} {sorted(unknown)} {where}")
    assert not wrong, "\n".join(wrong)


def test_refusal_reads_as_a_sentence_with_its_rule_and_facts() -> None:
    refused = Refused("bid_received_after_deadline", rule="E-36", late_s=1)
    assert str(refused) == "bid_received_after_deadline [E-36] (late_s=1)"


def test_codes_that_are_arguments_carry_what_their_words_ask_for() -> None:
    """Codes handed to a function are not seen above; each is provoked here and its words are filled in."""
    noon = datetime(2026, 3, 23, 4, tzinfo=UTC)
    short, quorum = b"short", note.Quorum(note.Checkpoint("log", 0, merkle.EMPTY_ROOT), (), 2)
    provoked = (
        lambda: merkle.verify_inclusion(short, 0, 1, (), short),
        lambda: merkle.verify_consistency(1, short, 2, short, ()),
        lambda: merkle.Frontier(1, (short,)),
        lambda: note.Checkpoint.parse("log\n1\n!\n"),
        lambda: note.VerifierKey.parse("log+00000000+!"),
        lambda: note.SignatureLine.parse("— log !"),
        lambda: quorum.stamped_before(noon),
        lambda: quorum.stamped_from(noon),
    )
    for each in provoked:
        with pytest.raises(Refused) as err:
            each()
        for text in WORDS[err.value.code].values():
            assert text.format(**err.value.facts)
