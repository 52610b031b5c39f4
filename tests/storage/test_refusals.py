"""Every refusal of the room has its words, in both languages, and no words are left over."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOM = Path(__file__).parents[2] / "storage"


def test_every_refusal_has_words_in_chinese_and_english_and_none_is_left_over() -> None:
    words = tomllib.loads((ROOM / "refusals.toml").read_text(encoding="utf-8"))
    source = "\n".join(path.read_text(encoding="utf-8") for path in ROOM.glob("*.py"))
    raised = set(re.findall(r'Refused\(\s*"([a-z0-9_]+)"', source))
    # Codes that crypto raises too have their words there.
    elsewhere = tomllib.loads((ROOM.parent / "crypto" / "refusals.toml").read_text(encoding="utf-8"))
    assert raised - set(elsewhere) == set(words) - set(elsewhere)
    for code, said in words.items():
        assert set(said) == {"zh", "en"}, code
        assert set(re.findall(r"\{(\w+)\}", said["zh"])) == set(re.findall(r"\{(\w+)\}", said["en"])), code
