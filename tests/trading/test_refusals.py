"""Every refusal of the room has its two sentences, and every sentence a refusal."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

import trading

ROOM = Path(trading.__file__).parent
# The nouns and rules; the words of commands and doors are looked up by the tests of the whole house.
NOUNS = (
    *("calendar", "codes", "fold", "lifecycle", "people/organisations", "powers", "roles", "rulebook", "tender"),
    *("tender_document", "trustees", "rules/award", "rules/opening", "rules/publication", "rules/schedule"),
    *("rules/secrecy", "markets/construction"),
)


def codes_raised(paths: Iterable[Path]) -> set[str]:
    """Codes after `Refused(`, those handed to a function that raises them, and those of a `Flaw` in a row."""
    raised: set[str] = set()
    for path in paths:
        text = path.read_text("utf-8")
        raised |= set(re.findall(r'Refused\(\s*"([a-z0-9_]+)"', text))
        raised |= set(re.findall(r'Flaw\([^"]*(?:"",)?[^"]*(?:COLUMNS\["\w+"\]\[0\], )?"(row_[a-z_]+)"', text))
        raised |= set(re.findall(r'(?:, code=|code: str = |_at_least\(\s*|check_on_time\(\s*)"([a-z0-9_]+)"', text))
        for pair in re.findall(r'"([a-z0-9_]+)" if [a-z_]+ else "([a-z0-9_]+)",\n', text):
            raised |= set(pair)
    return raised


def test_every_refusal_has_words_and_every_word_a_refusal() -> None:
    table = tomllib.loads((ROOM / "refusals.toml").read_text("utf-8"))
    below = tomllib.loads(
        (ROOM.parent / "crypto" / "refusals.toml").read_text("utf-8")
    )  # a shared code has one sentence
    assert codes_raised(ROOM / f"{noun}.py" for noun in NOUNS) - set(table) - set(below) == set()
    assert set(table) - codes_raised(ROOM.rglob("*.py")) == set()


def test_words_say_what_is_wrong_in_both_languages() -> None:
    table = tomllib.loads((ROOM / "refusals.toml").read_text("utf-8"))
    for code, words in table.items():
        assert set(words) == {"zh", "en"}, code
        facts = [set(re.findall(r"\{(\w+)\}", words[language])) for language in ("zh", "en")]
        assert re.search(r"[一-鿿]", words["zh"]) and not re.search(r"[一-鿿]", words["en"]), code
        assert facts[1] <= facts[0] | facts[1], code
        # What ends in a reason that is a sentence itself has its full stop there.
        ends = [
            sentence.removesuffix(stop) for sentence, stop in ((words["zh"], "{why_zh}"), (words["en"], "{why_en}"))
        ]
        assert ends != [words["zh"], words["en"]] or (words["zh"].endswith("。") and words["en"].endswith(".")), code


def test_permission_comes_before_form_and_form_before_the_rules() -> None:
    order = list(tomllib.loads((ROOM / "refusals.toml").read_text("utf-8")))
    places = [
        order.index(code)
        for code in ("permission_denied", "uscc_wrong", "document_not_json", "deadline_too_early", "act_out_of_turn")
    ]
    assert places == sorted(places)
