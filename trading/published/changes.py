"""What an amendment changed, marked: difflib over the notice's facts, the list of files, texts, Word and Excel.

法 §23, 条例 §21: a clarification is part of the documents, so a bidder must be able to see at a glance what is new.
Only words that both versions publish are compared; a file without words is shown as replaced, not guessed at.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal

from trading.published import office

TEXT_SUFFIXES = frozenset({".txt", ".md", ".csv", ".json", ".xml", ".html"})
TEXT_BYTES_MAX = 256 * 1024
LINES_MAX = 4000
ALIKE_MIN = 0.55

Mark = Literal["same", "ins", "del"]
Piece = tuple[Mark, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One amendment against what stood before it. `deadline` is (before, after) where it moved; `files` are the files
    added, each with the name of the one it is most like, or None."""

    version: int
    leaf: str
    at: str
    affects_bids: bool
    text: Mapping[str, Any]
    deadline: tuple[str, str] | None
    files: tuple[tuple[Mapping[str, Any], str | None], ...]


def marked(before: str, after: str) -> list[Piece]:
    """The characters of two texts as pieces that are the same, inserted or deleted, in reading order."""
    pieces: list[Piece] = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            pieces.append(("same", after[j1:j2]))
            continue
        if i2 > i1:
            pieces.append(("del", before[i1:i2]))
        if j2 > j1:
            pieces.append(("ins", after[j1:j2]))
    return pieces


def marked_lines(before: str, after: str, *, around: int = 2) -> list[list[Piece]]:
    """The lines of two texts that differ, with `around` lines beside them; a line that changed is marked inside. An
    empty list of pieces stands for what was left out."""
    old, new = before.splitlines()[:LINES_MAX], after.splitlines()[:LINES_MAX]
    lines: list[list[Piece]] = []
    for group in difflib.SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(around):
        if lines:
            lines.append([])
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                lines += [[("same", line)] for line in new[j1:j2]]
            elif tag == "replace" and i2 - i1 == j2 - j1:
                lines += [marked(one, other) for one, other in zip(old[i1:i2], new[j1:j2], strict=True)]
            else:
                lines += [[("del", line)] for line in old[i1:i2]]
                lines += [[("ins", line)] for line in new[j1:j2]]
    return lines


def changes(acts: Sequence[Mapping[str, Any]], texts: Mapping[str, Mapping[str, Any]]) -> list[Change]:
    """Every amendment of a lot, oldest first. `acts` are {"leaf","act"} in order, `texts` the amendments' objects by
    their hash."""
    files: list[Mapping[str, Any]] = []
    deadline = ""
    found = []
    for each in acts:
        act = each["act"]
        match act["kind"]:
            case "tender":
                files, deadline = act["documents"], act["deadline"]
            case "deadline":
                deadline = act["deadline"]
            case "amendment":
                moved = (deadline, act["deadline"]) if act["deadline"] else None
                known = {file["sha256"] for file in files}
                added = [file for file in act["documents"] if file["sha256"] not in known]
                found.append(
                    Change(
                        act["version"],
                        each["leaf"],
                        act["at"],
                        act["affects_bids"],
                        texts[act["text_hash"]],
                        moved,
                        tuple((file, likest(file["name"], [one["name"] for one in files])) for file in added),
                    )
                )
                files, deadline = act["documents"], act["deadline"] or deadline
    return found


def likest(name: str, others: Sequence[str]) -> str | None:
    """The file that a new one most likely replaces: the same kind, and a name that is much alike; None if none is."""
    path = PurePath(name)
    rated = [
        (difflib.SequenceMatcher(None, path.stem, PurePath(other).stem).ratio(), other)
        for other in others
        if PurePath(other).suffix.lower() == path.suffix.lower()
    ]
    best = max(rated, default=(0.0, ""))
    return best[1] if best[0] >= ALIKE_MIN else None


def comparable(file: Mapping[str, Any]) -> bool:
    """Whether a file has words, and a size that is compared."""
    return int(file["size"]) <= bytes_max(file)


def bytes_max(file: Mapping[str, Any]) -> int:
    """How large a file of this kind may be to be compared; 0 for a kind that is not."""
    suffix = PurePath(file["name"]).suffix.lower()
    return TEXT_BYTES_MAX if suffix in TEXT_SUFFIXES else office.FILE_BYTES_MAX if suffix in office.SUFFIXES else 0


def text_of(file: Mapping[str, Any], data: bytes) -> str | None:
    """The words of a file; None for one that has none, or none that can be read."""
    if PurePath(file["name"]).suffix.lower() in office.SUFFIXES:
        return office.text_of(file["name"], data)
    try:
        return data.decode("utf-8-sig") if data else None
    except UnicodeDecodeError:
        return None
