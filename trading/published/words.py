"""Search words: every two neighbouring characters of a text, so that 道路 is found without knowing where words end.

Chinese is written without spaces and its shortest words have two characters, so the index holds pairs. Letters and
digits are folded (full width, capitals); everything else separates. A search asks that every pair of it is there, which
finds a longer word as a whole in all but contrived cases; a single character finds the pairs that begin with it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from storage.ports import Among, Condition, Every, Within

QUERY_CHARACTERS_MAX = 100
PAIRS_MAX = 32
LAST = "\U0010ffff"


def runs(text: str) -> list[str]:
    """The unbroken runs of letters, digits and Han characters of a text, folded."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(sign if sign.isalnum() else " " for sign in folded).split()


def words_of(*texts: str) -> list[str]:
    """What a text is found by: its pairs, and the last character of every run alone."""
    found = {run[at : at + 2] for text in texts for run in runs(text) for at in range(len(run))}
    return sorted(found)


def is_empty(query: str) -> bool:
    """Whether a query asks for nothing (spaces, punctuation)."""
    return not runs(query[:QUERY_CHARACTERS_MAX])


def asked(query: str) -> Iterable[Condition]:
    """The conditions that a lot's code must meet to be found by a query; none for an empty one."""
    pairs: dict[str, None] = {}
    for run in runs(query[:QUERY_CHARACTERS_MAX]):
        pairs |= dict.fromkeys(run[at : at + 2] for at in range(max(1, len(run) - 1)))
    for pair in list(pairs)[:PAIRS_MAX]:
        word: Condition = pair if len(pair) == 2 else Within(pair, pair + LAST)
        yield Among("notice_word", "lot", {"word": word})


def every(conditions: Iterable[Condition]) -> dict[str, Condition]:
    """The conditions as one on the column `lot`; nothing where there are none."""
    given = tuple(conditions)
    return {"lot": Every(given)} if given else {}
