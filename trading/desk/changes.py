"""What changed between two texts, marked so that anybody sees it: deleted, added, left (a clarification's diff)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Literal

Change = Literal["same", "gone", "new"]
# Latin words and numbers are compared whole, Chinese sign by sign.
_TOKEN = re.compile(r"[A-Za-z]+|[0-9]+(?:[.,][0-9]+)*|\s+|.", re.DOTALL)


def marked(old: str, new: str) -> Iterator[tuple[Change, str]]:
    """Pieces of both texts in reading order; `same` and `gone` make the old text, `same` and `new` the new one."""
    before, after = _TOKEN.findall(old), _TOKEN.findall(new)
    for what, start, end, from_, to in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if what == "equal":
            yield "same", "".join(before[start:end])
            continue
        if end > start:
            yield "gone", "".join(before[start:end])
        if to > from_:
            yield "new", "".join(after[from_:to])
